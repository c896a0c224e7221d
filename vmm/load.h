/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a configuration puts into guest memory before the guest starts: the same for a guest
 * that runs and for one that is only measured.
 */
#ifndef VMM_LOAD_H
#define VMM_LOAD_H

#include "boot/boot.h"
#include "boot/firmware.h"
#include "boot/launch.h"
#include "memory/memory.h"

struct config;
struct err;

/* What the host's processor has to say about it. */
struct load_host {
	unsigned int gpa_bits;
	unsigned int c_bit; /* SNP; else 0 */
};

/**
 * The address space of the guest, with room for its firmware.
 *
 * Returns 0; as layout_init; or -errno of reading the firmware file, with @err set.
 */
int load_get_layout(const struct config *config, const struct load_host *host,
		    struct layout *ret_layout, struct err *err);

/**
 * What firmware reads from fw_cfg.
 *
 * Returns as firmware_items_init; release with firmware_items_fini.
 */
int load_get_items(const struct config *config, const struct load_host *host,
		   const struct layout *layout, struct firmware_items *ret_items,
		   struct err *err);

/**
 * Write to @memory what the guest starts with.
 *
 * @launch: gets what has to be launched; empty for types that launch nothing. Release with
 * launch_fini, also on error.
 * Returns as boot_load.
 */
int load_guest(const struct config *config, const struct load_host *host,
	       const struct layout *layout, struct guest_memory *memory, struct launch *launch,
	       struct boot_entry *ret_entry, struct err *err);

#endif
