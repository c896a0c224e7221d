/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a confidential guest starts with: pages, in the order in which they are launched.
 *
 * Whoever builds a guest writes the contents to guest memory and says here what they are. The
 * same list then tells the processor's firmware what to launch, and the measurement what to
 * hash, so both see the same bytes in the same order.
 */
#ifndef BOOT_LAUNCH_H
#define BOOT_LAUNCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/range.h"

struct boot_entry;
struct guest_memory;

enum launch_kind {
	LAUNCH_MEASURED,   /* the contents are part of the measurement */
	LAUNCH_ZERO,	   /* zeroes; that they are is part of it */
	LAUNCH_UNMEASURED, /* contents are the host's choice: the guest has to check them */
	LAUNCH_SECRETS,	   /* SNP, one page: filled by the secure processor */
	LAUNCH_CPUID, /* SNP, one page: CPUID leaves that the secure processor has checked */
	LAUNCH_KIND_COUNT,
};

struct launch_piece {
	struct range gpa; /* pages, at least one */
	enum launch_kind kind;
};

/*
 * Who launches. Alcove does as QEMU does; the others start the same firmware with pages of
 * other types, or in another order, and with other registers after a reset, so that their
 * digests are others.
 */
enum launch_profile {
	LAUNCH_PROFILE_QEMU,
	LAUNCH_PROFILE_EC2, /* Amazon's */
	LAUNCH_PROFILE_GCE, /* Google's */
	LAUNCH_PROFILE_COUNT,
};

/* Zero-initialise; release with launch_fini. */
struct launch {
	struct launch_piece *pieces; /* in order; disjoint */
	size_t n_pieces;
	size_t n_room;
	enum launch_profile profile; /* other than QEMU's only to be measured */
};

/**
 * Add a piece at the end.
 *
 * @gpa, @size_bytes: whole pages, at least one, that are in no other piece.
 * Returns 0, or -ENOMEM with the list unchanged.
 */
int launch_add(struct launch *launch, gpa_t gpa, uint64_t size_bytes, enum launch_kind kind);

/**
 * Add the pages that hold [gpa, gpa + size_bytes), which is not empty, as measured. They may be
 * in other noted pieces, until launch_sort. Returns as launch_add.
 */
int launch_note(struct launch *launch, gpa_t gpa, uint64_t size_bytes);

/* Bring noted pieces into the order of their addresses, and join those that overlap or touch.
 */
void launch_sort(struct launch *launch);

/* The first piece that overlaps @gpa, or NULL. */
const struct launch_piece *launch_find(const struct launch *launch, struct range gpa);

/**
 * Call @fn for each part of @gpa that is in no piece, by address, until it fails. Files may
 * have very many pieces: it takes n log n.
 *
 * Returns 0; what @fn returned; or -ENOMEM.
 */
int launch_visit_rest(const struct launch *launch, struct range gpa,
		      int (*fn)(void *opaque, struct range rest), void *opaque);

/* Accepts a zeroed struct. */
void launch_fini(struct launch *launch);

#define _cleanup_launch_ __attribute__((cleanup(launch_fini)))

/*
 * What a kind is to those who launch it, and measure it. SNP: the type of a page, of the secure
 * processor and of KVM_SEV_SNP_LAUNCH_UPDATE alike. TDX: whether its contents are measured.
 */
uint8_t launch_get_snp_type(enum launch_kind kind);
bool launch_is_extended(enum launch_kind kind);

/* --- Measurement --- */

enum { LAUNCH_DIGEST_BYTES = 48 /* SHA-384 */ };

/* The processors of an SEV-SNP guest, whose first registers are part of its digest. */
struct launch_vcpus {
	const struct boot_entry *entry;
	unsigned int n_vcpus; /* at least 1 */
	uint32_t signature;   /* CPUID 1 EAX */
	uint64_t features;    /* of the VMSA, as given to KVM_SEV_INIT2 */
};

/**
 * The digest that the secure processor makes of a launch: all pieces, in order, then the
 * processors.
 *
 * MEASURED is page type NORMAL, the other kinds are those of the same name. Policy, host data,
 * ID block, and what is in secrets and CPUID pages are not part of it.
 *
 * @launch: MEASURED pieces are shared memory, with the contents to be launched.
 * Returns 0; -EFAULT (a MEASURED piece is no shared memory); -ENOMEM.
 * Source: AMD SEV-SNP firmware ABI (56860), 8.17.2, table of PAGE_INFO; VMPL permissions are 0
 * under KVM.
 */
int launch_digest_snp(struct guest_memory *memory, const struct launch *launch,
		      const struct launch_vcpus *vcpus,
		      uint8_t ret_digest[LAUNCH_DIGEST_BYTES]);

/*
 * KVM adds a page to a TD and measures it before it goes on to the next one. Kernels before TDX
 * was in mainline added all pages of a section first; published values may be of either kind.
 */
enum launch_order {
	LAUNCH_SINGLE_PASS,
	LAUNCH_TWO_PASS, /* piece by piece */
};

/**
 * The measurement (MRTD) that the TDX module makes of a launch.
 *
 * All pages are added, which measures their addresses. The contents of MEASURED pieces are
 * measured, and those of ZERO, which a TD does not know: they are pages of zeroes like any
 * other (KVM_TDX_MEASURE_MEMORY_REGION). Contents of UNMEASURED ones are not. Attributes, XFAM,
 * MRCONFIGID and its like are fields of their own in a TD's report.
 *
 * @launch: MEASURED and ZERO pieces are shared memory, with the contents to be launched.
 * Returns 0; -EFAULT (one of those is no shared memory); -EINVAL (a piece of a kind that a TD
 * cannot have: SECRETS, CPUID); -ENOMEM.
 * Source: Intel TDX Module Base Specification, 12.2 "MRTD: Build-Time Measurement Register";
 * td-shim td-shim-tools.
 */
int launch_digest_tdx(struct guest_memory *memory, const struct launch *launch,
		      enum launch_order order, uint8_t ret_mrtd[LAUNCH_DIGEST_BYTES]);

/**
 * CPUID 1 EAX of a CPU model of QEMU, "EPYC-Milan", also with a version ("EPYC-Milan-v2").
 *
 * Returns 0, or -ENOENT.
 */
int cpu_signature_find(const char *name, uint32_t *ret_signature);

#endif
