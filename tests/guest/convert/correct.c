// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What conversion promises of contents. In place a page keeps them. Where each side has its own
 * memory, a page begins empty on its new side. Pages that do not change sides notice nothing.
 */
#include "tests/guest/convert/guest.h"

enum { SEED = 0x1111, OTHER_SEED = 0x2222, NEIGHBOUR_SEED = 0x3333 };

/* There and back, with a pattern of its own on each side. */
static bool round_trip(uint64_t gpa, uint64_t n_pages)
{
	fill(gpa, n_pages, SEED);
	return convert(gpa, n_pages, PRIVATE) && has_kept(gpa, n_pages, SEED) &&
	       (fill(gpa, n_pages, OTHER_SEED), has(gpa, n_pages, OTHER_SEED)) &&
	       convert(gpa, n_pages, SHARED) && has_kept(gpa, n_pages, OTHER_SEED) &&
	       (fill(gpa, n_pages, SEED), has(gpa, n_pages, SEED));
}

static bool one_page(void)
{
	return round_trip(AREA_GPA, 1);
}

static bool some_pages(void)
{
	return round_trip(AREA_GPA + 5 * PAGE_BYTES, 37);
}

static bool one_block(void)
{
	return round_trip(AREA_GPA, 512);
}

static bool block_across(void)
{
	return round_trip(AREA_GPA + BLOCK_BYTES - PAGE_BYTES, 512);
}

static bool many_blocks(void)
{
	return round_trip(AREA_GPA + PAGE_BYTES, 4 * 512);
}

static bool last_page(void)
{
	return round_trip(ram_end - PAGE_BYTES, 1);
}

static bool last_block(void)
{
	return round_trip(ram_end - BLOCK_BYTES, 512);
}

static bool first_page(void)
{
	return convert(0, 1, PRIVATE) && convert(0, 1, SHARED);
}

static bool neighbours(void)
{
	uint64_t gpa = AREA_GPA + BLOCK_BYTES;

	fill(gpa - 3 * PAGE_BYTES, 3, NEIGHBOUR_SEED);
	fill(gpa + 2 * PAGE_BYTES, 3, NEIGHBOUR_SEED);
	return round_trip(gpa, 2) && has(gpa - 3 * PAGE_BYTES, 3, NEIGHBOUR_SEED) &&
	       has(gpa + 2 * PAGE_BYTES, 3, NEIGHBOUR_SEED);
}

static bool private_neighbours(void)
{
	uint64_t gpa = AREA_GPA + BLOCK_BYTES;
	bool is_good = convert(gpa, 3, PRIVATE);

	fill(gpa, 3, NEIGHBOUR_SEED);
	is_good = is_good && convert(gpa + PAGE_BYTES, 1, SHARED) &&
		  has_kept(gpa + PAGE_BYTES, 1, NEIGHBOUR_SEED) &&
		  has(gpa, 1, NEIGHBOUR_SEED) && has(gpa + 2 * PAGE_BYTES, 1, NEIGHBOUR_SEED);
	return convert(gpa, 3, SHARED) && is_good;
}

static bool shared_again(void)
{
	fill(AREA_GPA, 4, SEED);
	return convert(AREA_GPA, 4, SHARED) && has(AREA_GPA, 4, SEED);
}

static bool private_again(void)
{
	bool is_good = convert(AREA_GPA, 4, PRIVATE);

	fill(AREA_GPA, 4, SEED);
	is_good = is_good && convert(AREA_GPA, 4, PRIVATE) && has(AREA_GPA, 4, SEED);
	return convert(AREA_GPA, 4, SHARED) && is_good;
}

/* Of eight pages every other is on the side asked for already. */
static bool mixed_to(uint64_t from, uint64_t to)
{
	bool is_good = convert(AREA_GPA, 8, from);

	for (uint64_t gpa = AREA_GPA; gpa < AREA_GPA + 8 * PAGE_BYTES; gpa += 2 * PAGE_BYTES)
		is_good = convert(gpa, 1, to) && is_good;
	fill(AREA_GPA, 8, SEED);
	is_good = convert(AREA_GPA, 8, to) && is_good;
	for (uint64_t gpa = AREA_GPA; gpa < AREA_GPA + 8 * PAGE_BYTES; gpa += 2 * PAGE_BYTES)
		is_good = has(gpa, 1, SEED) && has_kept(gpa + PAGE_BYTES, 1, SEED) && is_good;
	return convert(AREA_GPA, 8, SHARED) && is_good;
}

static bool mixed_to_private(void)
{
	return mixed_to(SHARED, PRIVATE);
}

static bool mixed_to_shared(void)
{
	return mixed_to(PRIVATE, SHARED);
}

static bool never_touched(void)
{
	uint64_t gpa = AREA_GPA + 20 * BLOCK_BYTES;

	return convert(gpa, 700, PRIVATE) && has(gpa, 700, 0) && convert(gpa, 700, SHARED) &&
	       has(gpa, 700, 0);
}

static bool private_twice(void)
{
	bool is_good = convert(AREA_GPA, 2, PRIVATE);

	fill(AREA_GPA, 2, SEED);
	is_good = is_good && convert(AREA_GPA, 2, SHARED);
	fill(AREA_GPA, 2, OTHER_SEED);
	is_good = is_good && convert(AREA_GPA, 2, PRIVATE) && has_kept(AREA_GPA, 2, OTHER_SEED);
	return convert(AREA_GPA, 2, SHARED) && is_good;
}

static bool refused_keeps(void)
{
	uint64_t gpa = ram_end - 4 * PAGE_BYTES;

	fill(gpa, 4, SEED);
	return expect("beyond the end", hypercall(HC_MAP_GPA_RANGE, gpa, 5, PRIVATE),
		      GUEST_EINVAL) &&
	       has(gpa, 4, SEED);
}

static const struct guest_case cases[] = {
	{"one-page", one_page},
	{"some-pages", some_pages},
	{"one-block", one_block},
	{"block-across", block_across},
	{"many-blocks", many_blocks},
	{"last-page", last_page},
	{"last-block", last_block},
	{"first-page", first_page},
	{"neighbours", neighbours},
	{"private-neighbours", private_neighbours},
	{"shared-again", shared_again},
	{"private-again", private_again},
	{"mixed-to-private", mixed_to_private},
	{"mixed-to-shared", mixed_to_shared},
	{"never-touched", never_touched},
	{"private-twice", private_twice},
	{"refused-keeps", refused_keeps},
};

unsigned int correct_run(void)
{
	unsigned int n_bad = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool is_good = cases[i].run();

		print_result(cases[i].name, is_good);
		n_bad += !is_good;
	}
	return n_bad;
}
