/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a configuration puts into guest memory before the guest starts: the same for a guest
 * that runs and for one that is only measured.
 */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include "boot/boot.h"
#include "boot/firmware/firmware.h"
#include "boot/launch.h"
#include "memory/memory.h"
#include "vmm/snp_file.h"

struct config;
struct err;

/* What the host's processor has to say about it. */
struct load_host {
	unsigned int gpa_bits;
	unsigned int c_bit; /* SNP; else 0 */
};

/* On which terms the guest is launched: of the configuration, or of the file it starts from. */
struct load_terms {
	uint64_t firmware_bytes; /* memory that ends at 4 GiB; may be 0 */
	uint64_t policy;	 /* SNP */
	uint64_t vmsa_features;	 /* SNP: as for KVM_SEV_INIT2 */
	uint64_t td_attributes;	 /* TDX: beyond those it always has */
	unsigned int gpa_bits;	 /* TDX: 48 or 52; 0: either */
	bool has_id;		 /* SNP: there is an ID block, */
	bool has_author;	 /* and somebody signed its key */
	struct snp_id id;
};

/**
 * Find the terms. What the configuration says counts more than what an IGVM file says, but for
 * the policy, which the file was measured for.
 *
 * Returns 0; as firmware_inspect_igvm, firmware_get_size and snp_id_read.
 */
int load_get_terms(const struct config *config, struct load_terms *ret_terms, struct err *err);

/* The address space of the guest, with room for its firmware. Returns as layout_init. */
int load_get_layout(const struct config *config, const struct load_host *host,
		    const struct load_terms *terms, struct layout *ret_layout, struct err *err);

/**
 * Write to @memory what the guest starts with.
 *
 * @launch: gets what has to be launched, or of a kernel for types that launch nothing, what was
 * written. Release with launch_fini, also on error.
 * @ret_items: what firmware reads from fw_cfg, if there is firmware; zeroed before. Release
 * with firmware_items_fini, also on error. Returns as boot_load.
 */
int load_guest(const struct config *config, const struct load_host *host,
	       const struct layout *layout, struct guest_memory *memory, struct launch *launch,
	       struct firmware_items *ret_items, struct boot_entry *ret_entry, struct err *err);

#endif
