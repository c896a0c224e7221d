// SPDX-License-Identifier: GPL-2.0-or-later
#include "memory/sides.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"

static struct layout layout_of(uint64_t ram_bytes)
{
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, ram_bytes, 52, NULL), 0);
	return layout;
}

START_TEST(test_random_changes_agree_with_an_array)
{
	enum { PAGES = 4096 };
	struct layout layout = layout_of(PAGES * GRANULE_BYTES);
	unsigned char model[PAGES] = {SIDE_SHARED};
	struct sides *sides;

	srand(1);
	ck_assert_int_eq(sides_new(layout.ram, layout.n_ram, SIDE_SHARED, &sides), 0);
	for (int i = 0; i < 20000; i++) {
		size_t first = (size_t)rand() % PAGES;
		size_t n = 1 + (size_t)rand() % (rand() % 8 ? 64 : PAGES);
		size_t end = first + n < PAGES ? first + n : PAGES;
		enum side side = (enum side)(rand() % SIDE_COUNT);
		struct range gpa = {.start = first * GRANULE_BYTES, .end = end * GRANULE_BYTES};
		enum side got;
		size_t run;

		ck_assert_int_eq(sides_reserve(sides, gpa), 0);
		sides_set(sides, gpa, side);
		memset(model + first, (int)side, end - first);

		first = (size_t)rand() % PAGES;
		for (run = first; run < PAGES && model[run] == model[first];)
			run++;
		ck_assert_uint_eq(sides_find_end(sides, first * GRANULE_BYTES,
						 PAGES * GRANULE_BYTES, &got),
				  run * GRANULE_BYTES);
		ck_assert_int_eq(got, model[first]);
		ck_assert_int_eq(sides_get(sides, first * GRANULE_BYTES), model[first]);
	}
	sides_free(sides);
}
END_TEST

START_TEST(test_runs_go_over_blocks_and_end_where_told)
{
	struct layout layout = layout_of(2 * TIB);
	struct sides *sides;
	enum side side;

	ck_assert_int_eq(sides_new(layout.ram, layout.n_ram, SIDE_SHARED, &sides), 0);
	ck_assert_uint_eq(layout.n_ram, 3);
	for (unsigned int i = 0; i < layout.n_ram; i++) {
		struct range ram = layout.ram[i];
		struct range last = {.start = ram.end - GRANULE_BYTES, .end = ram.end};

		ck_assert_uint_eq(sides_find_end(sides, ram.start, ram.end, &side), ram.end);
		ck_assert_int_eq(side, SIDE_SHARED);
		ck_assert_int_eq(sides_reserve(sides, last), 0);
		sides_set(sides, last, SIDE_BROKEN);
		ck_assert_uint_eq(sides_find_end(sides, ram.start, ram.end, &side), last.start);
		ck_assert_uint_eq(sides_find_end(sides, last.start, ram.end, &side), ram.end);
		ck_assert_int_eq(side, SIDE_BROKEN);
	}
	sides_free(sides);
}
END_TEST

START_TEST(test_whole_blocks_need_no_more_memory)
{
	struct layout layout = layout_of(GIB);
	struct range blocks = {.start = 2 * MIB, .end = 512 * MIB};
	struct range page = {.start = 4 * MIB, .end = 4 * MIB + GRANULE_BYTES};
	struct sides *sides;
	uint64_t bytes;

	ck_assert_int_eq(sides_new(layout.ram, layout.n_ram, SIDE_SHARED, &sides), 0);
	bytes = sides_count_bytes(sides);
	ck_assert_int_eq(sides_reserve(sides, blocks), 0);
	sides_set(sides, blocks, SIDE_PRIVATE);
	ck_assert_uint_eq(sides_count_bytes(sides), bytes);
	ck_assert_int_eq(sides_reserve(sides, page), 0);
	ck_assert_int_eq(sides_reserve(sides, page), 0);
	ck_assert_uint_eq(sides_count_bytes(sides), bytes + 128);
	/* Room alone changes no side. */
	ck_assert_int_eq(sides_get(sides, page.start), SIDE_PRIVATE);
	sides_free(sides);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_random_changes_agree_with_an_array,
		test_runs_go_over_blocks_and_end_where_told,
		test_whole_blocks_need_no_more_memory,
	};

	return unit_run(unit_suite("sides", tests, ARRAY_SIZE(tests)));
}
