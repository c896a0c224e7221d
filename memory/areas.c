// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A map of pages as sides.c keeps it, where the two bits say something else. That a page is
 * inside an area implies that the page in front of it is of the same one.
 */
#include "memory/areas.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "memory/sides.h"
#include "vmm/err.h"

struct areas {
	struct range memory[LAYOUT_MEMORY_RANGES_MAX];
	unsigned int n_ranges;
	struct sides *pages;
	uint64_t n_areas;
	uint64_t mapped_bytes;
};

static enum side bits_of(enum area_page page)
{
	return (enum side)page;
}

int areas_new(const struct range *memory, unsigned int n_ranges, struct areas **ret_areas)
{
	struct areas *areas = calloc(1, sizeof(*areas));

	if (!areas)
		return -ENOMEM;
	memcpy(areas->memory, memory, n_ranges * sizeof(*memory));
	areas->n_ranges = n_ranges;
	if (sides_new(memory, n_ranges, bits_of(AREA_NONE), &areas->pages)) {
		free(areas);
		return -ENOMEM;
	}
	*ret_areas = areas;
	return 0;
}

void areas_free(struct areas *areas)
{
	if (!areas)
		return;
	sides_free(areas->pages);
	free(areas);
}

enum area_page areas_get(const struct areas *areas, gpa_t gpa)
{
	return (enum area_page)sides_get(areas->pages, gpa);
}

/* A run of pages in one and the same state. */
static gpa_t find_run(const struct areas *areas, gpa_t gpa, gpa_t end, enum area_page *ret_page)
{
	enum side bits;
	gpa_t run_end = sides_find_end(areas->pages, gpa, end, &bits);

	*ret_page = (enum area_page)bits;
	return run_end;
}

static bool is_mapped(enum area_page page)
{
	return page == AREA_START || page == AREA_INSIDE;
}

gpa_t areas_find_end(const struct areas *areas, gpa_t gpa, gpa_t end, enum area_page *ret_page)
{
	enum area_page page, next;
	gpa_t at = find_run(areas, gpa, end, &page);

	while (is_mapped(page) && at < end) {
		gpa_t next_end = find_run(areas, at, end, &next);

		if (!is_mapped(next))
			break;
		at = next_end;
	}
	*ret_page = is_mapped(page) ? AREA_START : page;
	return at;
}

gpa_t areas_find_area_end(const struct areas *areas, gpa_t gpa, gpa_t end)
{
	enum area_page page;
	gpa_t at = gpa + GRANULE_BYTES, run_end;

	ASSERT(is_mapped(areas_get(areas, gpa)));
	if (at >= end)
		return end;
	run_end = find_run(areas, at, end, &page);
	return page == AREA_INSIDE ? run_end : at;
}

/* Is there memory at @gpa, which is the end of some of it? */
static bool is_memory(const struct areas *areas, gpa_t gpa)
{
	for (unsigned int i = 0; i < areas->n_ranges; i++) {
		if (range_contains(areas->memory[i], gpa))
			return true;
	}
	return false;
}

bool areas_are_whole(const struct areas *areas, struct range gpa)
{
	return areas_get(areas, gpa.start) == AREA_START &&
	       (!is_memory(areas, gpa.end) || areas_get(areas, gpa.end) != AREA_INSIDE);
}

static struct range page_at(gpa_t gpa)
{
	return (struct range){.start = gpa, .end = gpa + GRANULE_BYTES};
}

int areas_reserve(struct areas *areas, struct range gpa)
{
	int ret = sides_reserve(areas->pages, gpa);

	/* Either page can become the start of an area, which the next ones are not. */
	if (!ret)
		ret = sides_reserve(areas->pages, page_at(gpa.start));
	if (!ret && is_memory(areas, gpa.end))
		ret = sides_reserve(areas->pages, page_at(gpa.end));
	return ret;
}

static void set(struct areas *areas, struct range gpa, enum area_page page)
{
	if (!range_is_empty(gpa))
		sides_set(areas->pages, gpa, bits_of(page));
}

void areas_add(struct areas *areas, struct range gpa)
{
	enum area_page page;
	gpa_t end = areas_find_end(areas, gpa.start, gpa.end, &page);

	ASSERT(end == gpa.end);
	ASSERT(page == AREA_NONE);
	set(areas, page_at(gpa.start), AREA_START);
	set(areas, (struct range){.start = gpa.start + GRANULE_BYTES, .end = gpa.end},
	    AREA_INSIDE);
	areas->n_areas++;
	areas->mapped_bytes += range_size(gpa);
}

/* The books without @gpa. */
static void forget(struct areas *areas, struct range gpa)
{
	for (gpa_t at = gpa.start, end; at < gpa.end; at = end) {
		enum area_page page;

		end = find_run(areas, at, gpa.end, &page);
		if (page == AREA_START)
			areas->n_areas -= (end - at) / GRANULE_BYTES;
		if (is_mapped(page))
			areas->mapped_bytes -= end - at;
	}
	/* What is behind lives on as an area of its own. */
	if (is_memory(areas, gpa.end) && areas_get(areas, gpa.end) == AREA_INSIDE) {
		set(areas, page_at(gpa.end), AREA_START);
		areas->n_areas++;
	}
}

void areas_remove(struct areas *areas, struct range gpa)
{
	forget(areas, gpa);
	set(areas, gpa, AREA_NONE);
}

void areas_lose(struct areas *areas, struct range gpa)
{
	forget(areas, gpa);
	set(areas, gpa, AREA_LOST);
}

uint64_t areas_count(const struct areas *areas)
{
	return areas->n_areas;
}

uint64_t areas_count_mapped_bytes(const struct areas *areas)
{
	return areas->mapped_bytes;
}

uint64_t areas_count_bytes(const struct areas *areas)
{
	return sizeof(*areas) + sides_count_bytes(areas->pages);
}
