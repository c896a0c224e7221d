/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest-physical addresses and half-open ranges of them. */
#ifndef VMM_RANGE_H
#define VMM_RANGE_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t gpa_t;	 /* guest-physical address */
typedef uint64_t iova_t; /* address a device uses; Alcove keeps iova == gpa */

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define TIB (UINT64_C(1) << 40)

/* The unit of conversion and mapping. */
#define GRANULE_BYTES	  (4 * KIB)

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

#define container_of(pointer, type, member) \
	((type *)(void *)((char *)(pointer) - __builtin_offsetof(type, member)))

/* [start, end): end is exclusive. Empty when start == end; start > end never happens. */
struct range {
	uint64_t start;
	uint64_t end;
};

/* False, and nothing written, when start + size_bytes does not fit 64 bits. */
static inline bool range_init(struct range *ret_range, uint64_t start, uint64_t size_bytes)
{
	uint64_t end;

	if (__builtin_add_overflow(start, size_bytes, &end))
		return false;
	*ret_range = (struct range){.start = start, .end = end};
	return true;
}

static inline uint64_t range_size(struct range range)
{
	return range.end - range.start;
}

static inline bool range_is_empty(struct range range)
{
	return range.start >= range.end;
}

static inline bool range_contains(struct range range, uint64_t address)
{
	return address >= range.start && address < range.end;
}

/* Does @outer hold all of @inner? */
static inline bool range_covers(struct range outer, struct range inner)
{
	return inner.start >= outer.start && inner.end <= outer.end;
}

static inline bool range_overlaps(struct range a, struct range b)
{
	return a.start < b.end && b.start < a.end;
}

static inline struct range range_intersect(struct range a, struct range b)
{
	struct range both = {
		.start = a.start > b.start ? a.start : b.start,
		.end = a.end < b.end ? a.end : b.end,
	};

	if (both.end < both.start)
		both.end = both.start;
	return both;
}

/* @align: a power of two. Wraps to 0 at the very top. */
static inline uint64_t align_up(uint64_t value, uint64_t align)
{
	return (value + align - 1) & ~(align - 1);
}

static inline uint64_t align_down(uint64_t value, uint64_t align)
{
	return value & ~(align - 1);
}

static inline bool is_aligned(uint64_t value, uint64_t align)
{
	return (value & (align - 1)) == 0;
}

#endif
