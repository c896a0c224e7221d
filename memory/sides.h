/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which side every page of RAM is on.
 *
 * Two levels: a word per block of 2 MiB that says the side of all its pages, or points to a
 * leaf with two bits per page. A leaf is made when a block first becomes mixed and kept to the
 * end, so readers need no lock. Memory: 8 bytes per block, and 136 per block that was ever
 * mixed: at worst 1/14000 of RAM.
 *
 * Writers of one block are serialized by their caller (a conversion owns its range, but two of
 * them can share a block: see sides_set).
 */
#ifndef MEMORY_SIDES_H
#define MEMORY_SIDES_H

#include <stdint.h>

#include "memory/memory.h"

struct sides;

/**
 * All of @memory, which is ascending, on @side.
 *
 * Returns 0 or -ENOMEM.
 */
int sides_new(const struct range *memory, unsigned int n_ranges, enum side side,
	      struct sides **ret_sides);
void sides_free(struct sides *sides);

/* The side of the page at @gpa, which is RAM. Any thread, no lock. */
enum side sides_get(const struct sides *sides, gpa_t gpa);

/**
 * The pages from @gpa on that are on the same side as the first, up to @end. Any thread, no
 * lock; a snapshot page by page when others change the range meanwhile.
 *
 * @gpa, @end: multiples of the granule inside one RAM range, @gpa < @end.
 * @ret_side: their side.
 * Returns where they end.
 */
gpa_t sides_find_end(const struct sides *sides, gpa_t gpa, gpa_t end, enum side *ret_side);

/**
 * Make room, so that a later sides_set of the same range cannot fail.
 *
 * Returns 0 or -ENOMEM with no side changed.
 */
int sides_reserve(struct sides *sides, struct range gpa);

/* Put the pages of @gpa, for which there is room, on @side. */
void sides_set(struct sides *sides, struct range gpa, enum side side);

/* Bytes of host memory in use. */
uint64_t sides_count_bytes(const struct sides *sides);

#endif
