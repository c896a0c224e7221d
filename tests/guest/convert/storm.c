// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Many conversions: one page again and again, as many pieces as can be, two processors that
 * want the same pages on different sides while they use them.
 */
#include "tests/guest/convert/guest.h"

#define PIECES_GPA (AREA_GPA + 8 * BLOCK_BYTES)

enum {
	SEED = 0x5555,
	TOGGLES = 1000,
	PIECES_PAGES = 2048,
	STAIRS_PAGES = 64,
	RACE_PAGES = 32,
	RACE_ROUNDS = 600,
};

static volatile unsigned int race_n_bad;
static volatile bool race_other_is_done;

static bool toggles(void)
{
	for (unsigned int i = 0; i < TOGGLES; i++) {
		fill(AREA_GPA, 1, SEED + i);
		if (!convert(AREA_GPA, 1, i % 2 ? SHARED : PRIVATE) ||
		    !has_kept(AREA_GPA, 1, SEED + i))
			return false;
	}
	return true;
}

static bool toggles_untouched(void)
{
	for (unsigned int i = 0; i < TOGGLES; i++) {
		if (!convert(AREA_GPA + 40 * BLOCK_BYTES, 512, i % 2 ? SHARED : PRIVATE))
			return false;
	}
	return true;
}

static bool same_again(void)
{
	for (unsigned int i = 0; i < TOGGLES; i++) {
		if (!convert(AREA_GPA, 512, SHARED))
			return false;
	}
	return true;
}

/* Every other page private, then the rest too, then all back at once. */
static bool pieces(void)
{
	uint64_t end = PIECES_GPA + PIECES_PAGES * PAGE_BYTES;
	bool is_good = true;

	fill(PIECES_GPA, PIECES_PAGES, SEED);
	for (uint64_t gpa = PIECES_GPA; gpa < end; gpa += 2 * PAGE_BYTES)
		is_good = convert(gpa, 1, PRIVATE) && is_good;
	for (uint64_t gpa = PIECES_GPA; gpa < end; gpa += 2 * PAGE_BYTES)
		is_good = has_kept(gpa, 1, SEED) && has(gpa + PAGE_BYTES, 1, SEED) && is_good;
	is_good = convert(PIECES_GPA, PIECES_PAGES, PRIVATE) && is_good;
	fill(PIECES_GPA, PIECES_PAGES, SEED);
	return convert(PIECES_GPA, PIECES_PAGES, SHARED) && is_good &&
	       has_kept(PIECES_GPA, PIECES_PAGES, SEED);
}

/* Ranges that overlap by ever fewer pages. */
static bool stairs(void)
{
	bool is_good = true;

	for (uint64_t n = STAIRS_PAGES; n > 0; n--)
		is_good = convert(AREA_GPA, n, n % 2 ? SHARED : PRIVATE) &&
			  convert(AREA_GPA + n * PAGE_BYTES / 2 / PAGE_BYTES * PAGE_BYTES,
				  STAIRS_PAGES, n % 3 ? PRIVATE : SHARED) &&
			  is_good;
	return convert(AREA_GPA, 2 * STAIRS_PAGES, SHARED) && is_good;
}

/* Everything but what this guest itself needs. */
static bool all_at_once(void)
{
	uint64_t n_pages = (ram_end - AREA_GPA) / PAGE_BYTES;
	bool is_good = convert(AREA_GPA, n_pages, PRIVATE);

	fill(ram_end - 2 * PAGE_BYTES, 2, SEED);
	is_good = is_good && has(ram_end - 2 * PAGE_BYTES, 2, SEED);
	return convert(AREA_GPA, n_pages, SHARED) && is_good;
}

/* Both processors; contents are anybody's guess, answers are not. */
static void race(uint64_t random)
{
	for (unsigned int i = 0; i < RACE_ROUNDS; i++) {
		uint64_t first, n_pages;
		int64_t answer;

		random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
		first = (random >> 33) % RACE_PAGES;
		n_pages = 1 + (random >> 40) % (RACE_PAGES - first);
		answer = hypercall(HC_MAP_GPA_RANGE, AREA_GPA + first * PAGE_BYTES, n_pages,
				   random >> 60 & 1 ? PRIVATE : SHARED);
		if (answer != 0 && answer != GUEST_EAGAIN)
			race_n_bad++;
		*(volatile uint64_t *)(AREA_GPA + (random >> 50) % RACE_PAGES * PAGE_BYTES) =
			random;
	}
}

static void race_other(void)
{
	race(2);
	race_other_is_done = true;
}

static bool two_processors(void)
{
	bool is_good = expect("second processor", other_start(race_other), true);

	race(1);
	while (is_good && !race_other_is_done)
		__asm__ volatile("pause");
	return convert(AREA_GPA, RACE_PAGES, SHARED) && is_good &&
	       expect("bad answers", race_n_bad, 0);
}

static const struct guest_case cases[] = {
	{"toggles", toggles},
	{"toggles-untouched", toggles_untouched},
	{"same-again", same_again},
	{"pieces", pieces},
	{"stairs", stairs},
	{"all-at-once", all_at_once},
	{"two-processors", two_processors},
};

unsigned int storm_run(void)
{
	unsigned int n_bad = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool is_good = cases[i].run();

		print_result(cases[i].name, is_good);
		n_bad += !is_good;
	}
	return n_bad;
}
