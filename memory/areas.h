/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which pages devices reach, and where the kernel's areas begin: one area is what one map made,
 * or what cuts left of it.
 *
 * Two bits per page, kept as sides are (memory/sides.h): at most 144 bytes per 2 MiB of RAM,
 * however small the areas are. The caller has a lock around every call.
 */
#ifndef MEMORY_AREAS_H
#define MEMORY_AREAS_H

#include "memory/memory.h"

struct areas;

enum area_page {
	AREA_NONE,   /* no device reaches it */
	AREA_START,  /* the first page of an area */
	AREA_INSIDE, /* another one */
	AREA_LOST,   /* what the kernel has there is not known */
};

/* None of @memory, which is ascending, is mapped. Returns 0 or -ENOMEM. */
int areas_new(const struct range *memory, unsigned int n_ranges, struct areas **ret_areas);
void areas_free(struct areas *areas);

enum area_page areas_get(const struct areas *areas, gpa_t gpa);

/**
 * The pages from @gpa on that are mapped if the first is, or in the same state as the first.
 *
 * @gpa, @end: multiples of the granule inside one RAM range, @gpa < @end.
 * @ret_page: AREA_START for all that is mapped.
 * Returns where they end.
 */
gpa_t areas_find_end(const struct areas *areas, gpa_t gpa, gpa_t end, enum area_page *ret_page);

/* Where the area that @gpa belongs to ends, but not beyond @end. */
gpa_t areas_find_area_end(const struct areas *areas, gpa_t gpa, gpa_t end);

/* Is @gpa, all of it mapped, so that no area is partly inside? */
bool areas_are_whole(const struct areas *areas, struct range gpa);

/**
 * Make room, so that a change of all or a part of @gpa cannot fail later.
 *
 * Returns 0 or -ENOMEM with nothing changed.
 */
int areas_reserve(struct areas *areas, struct range gpa);

/* @gpa, none of it mapped, is one area now. */
void areas_add(struct areas *areas, struct range gpa);

/* Nothing of @gpa is mapped any more; an area that was partly inside is cut. */
void areas_remove(struct areas *areas, struct range gpa);

/* The same, but it may be mapped all the same. */
void areas_lose(struct areas *areas, struct range gpa);

uint64_t areas_count(const struct areas *areas);
uint64_t areas_count_mapped_bytes(const struct areas *areas);

/* Bytes of host memory in use. */
uint64_t areas_count_bytes(const struct areas *areas);

#endif
