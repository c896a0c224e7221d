/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IGVM files: a guest, ready to be launched, for one or several platforms.
 *
 *     igvm_parse(&igvm, &file, IGVM_SNP, &err);	what of it is for this platform
 *     igvm_get_firmware_bytes(&igvm, &bytes, &err);	before there is a layout
 *     igvm_get_snp_vcpu(&igvm, &vcpu, &features, &err);
 *     igvm_load(&igvm, memory, &target, &launch, &err);	see boot/igvm/load.h
 *     igvm_fini(&igvm);
 *
 * Everything here is pure: bytes of a file in, checked values out. Nothing of the file is
 * trusted; memory in use is bounded by the size of its headers.
 *
 * Source: microsoft/igvm, igvm_defs/src/lib.rs, which is the specification of the format.
 */
#ifndef BOOT_IGVM_H
#define BOOT_IGVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/measure/vmsa.h"
#include "vmm/range.h"

struct err;

enum {
	IGVM_PARAMETERS_MAX = 64,
	IGVM_RANGES_MAX = 64,
	IGVM_ID_BLOCK_BYTES = 96,
	IGVM_ID_AUTH_BYTES = 4096,
};

/* A file, read into memory; the caller keeps path and bytes. */
struct igvm_file {
	const char *path; /* for messages */
	const uint8_t *bytes;
	uint64_t size_bytes;
};

/* Platforms, as in the file. */
enum igvm_platform {
	IGVM_NATIVE = 0, /* a guest without isolation */
	IGVM_SNP = 2,
	IGVM_TDX = 3,
};

/* How a piece becomes part of the launch. */
enum igvm_kind {
	IGVM_MEASURED,
	IGVM_ZERO, /* SNP's own page type: no contents, but measured to be zeroes */
	IGVM_UNMEASURED,
	IGVM_SECRETS, /* filled by the secure processor */
	IGVM_CPUID,
	IGVM_AREA, /* unmeasured; filled from parameters */
	IGVM_KIND_COUNT,
};

/* One page or one parameter area. */
struct igvm_piece {
	gpa_t gpa;		/* page aligned */
	uint64_t size_bytes;	/* pages, at least one; ends at most at 2^52 */
	uint32_t data_offset;	/* size_bytes of the file; 0: zeroes. Never with ZERO */
	uint32_t header_offset; /* for messages */
	enum igvm_kind kind;
};

/* What the guest is told by the host; none of it is measured. */
enum igvm_parameter_type {
	IGVM_VP_COUNT,
	IGVM_SRAT,
	IGVM_MADT,
	IGVM_MMIO_RANGES,
	IGVM_MEMORY_MAP,
	IGVM_COMMAND_LINE,
	IGVM_SLIT,
	IGVM_PPTT,
	IGVM_DEVICE_TREE,
	IGVM_ENVIRONMENT_INFO,
	IGVM_PARAMETER_TYPE_COUNT,
};

/* Where a parameter goes: into an area that is a piece. */
struct igvm_parameter {
	enum igvm_parameter_type type;
	uint32_t header_offset; /* for messages */
	gpa_t gpa;
	uint64_t room_bytes; /* to the end of the area, at least 1 */
};

/* Memory that there must be, apart from the pieces. */
struct igvm_range {
	struct range gpa; /* pages */
	uint32_t header_offset;
};

/* What SNP's launch is to be compared with, for KVM_SEV_SNP_LAUNCH_FINISH. */
struct igvm_id {
	uint8_t block[IGVM_ID_BLOCK_BYTES];
	uint8_t auth[IGVM_ID_AUTH_BYTES];
	bool has_author_key; /* auth_key_en */
};

/* All that a file has for one platform. */
struct igvm {
	struct igvm_file file;
	enum igvm_platform platform;
	uint64_t shared_gpa_boundary; /* SNP, NATIVE: 0; TDX: also 2^47, 2^51 */
	bool has_policy;
	uint64_t policy; /* SNP: as for LAUNCH_START; TDX: see igvm_get_td_attributes */

	struct igvm_piece *pieces; /* in the file's order, which is measured; disjoint */
	size_t n_pieces;	   /* at least 1 */
	struct igvm_parameter parameters[IGVM_PARAMETERS_MAX]; /* in the file's order */
	unsigned int n_parameters;
	struct igvm_range ranges[IGVM_RANGES_MAX]; /* may overlap anything */
	unsigned int n_ranges;

	uint32_t context_offset; /* GRANULE_BYTES of state of the boot processor; 0: none */
	bool has_id;
	struct igvm_id id;
};

/**
 * Understand what @file has for @platform.
 *
 * A page without data becomes SNP's ZERO, as QEMU and cloud-hypervisor have it; the format's
 * specification wants a NORMAL page of zeroes, which gives another digest. SRAT, SLIT and PPTT
 * are accepted and stay zero: there is no NUMA topology to tell. Error ranges are memory like
 * any other: they become shared when the guest uses them so. Relocatable regions are taken
 * where they are, which is right as long as there is memory.
 *
 * Refused by name: pages of 2 MiB (no tool makes them), pages that are shared when the guest
 * starts, and for SNP more than the boot processor's state or pages after it, since KVM
 * measures it last and at an address of its own.
 *
 * Returns 0, and igvm_fini is due; -ENOEXEC (malformed, not for this platform, not supported)
 * with @err naming file, offset and field; -ENOMEM. On error nothing is left behind.
 */
int igvm_parse(struct igvm *ret_igvm, const struct igvm_file *file, enum igvm_platform platform,
	       struct err *err);

/* Accepts a zeroed struct. */
void igvm_fini(struct igvm *igvm);

/**
 * How much memory below 4 GiB, ending there, the file needs: the size of layout.firmware.
 *
 * Returns 0 with a multiple of the granule, 0 to 16 MiB; -ENOEXEC when the file has memory
 * below 4 GiB where devices are, with @err set.
 */
int igvm_get_firmware_bytes(const struct igvm *igvm, uint64_t *ret_bytes, struct err *err);

/**
 * The state of the boot processor for SNP.
 *
 * @ret_features: the VMSA features that KVM_SEV_INIT2 has to be given; without
 * SNP_FEATURE_ACTIVE. Returns 0; -ENOENT, with @err untouched, when the file has none: the
 * processor starts at its reset vector; -ENOEXEC (KVM cannot start a processor so) with @err
 * naming the field.
 */
int igvm_get_snp_vcpu(const struct igvm *igvm, struct boot_vcpu *ret_vcpu,
		      uint64_t *ret_features, struct err *err);

/**
 * The state of the boot processor for NATIVE, in @ret_vcpu's regs and sregs; what the file does
 * not say is as @ret_vcpu had it, which the caller sets to the state of a reset.
 *
 * Returns 0; -ENOENT, with @err untouched, when the file has none; -ENOEXEC (reserved bits)
 * with
 * @err naming the field.
 */
int igvm_get_native_vcpu(const struct igvm *igvm, struct boot_vcpu *vcpu, struct err *err);

/**
 * The attributes of a TD, for KVM_TDX_INIT_VM, from the file's policy; 0 without one.
 *
 * Returns 0; -ENOEXEC (unknown bits) with @err set.
 * Source: igvm_defs, TdxPolicy; Intel TDX module ABI, TD attributes.
 */
int igvm_get_td_attributes(const struct igvm *igvm, uint64_t *ret_attributes, struct err *err);

#endif
