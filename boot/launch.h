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

#include <stddef.h>

#include "vmm/range.h"

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

/* Zero-initialise; release with launch_fini. */
struct launch {
	struct launch_piece *pieces; /* in order; disjoint */
	size_t n_pieces;
	size_t n_room;
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

/* Accepts a zeroed struct. */
void launch_fini(struct launch *launch);

#define _cleanup_launch_ __attribute__((cleanup(launch_fini)))

#endif
