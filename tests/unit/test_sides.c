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
	ck_assert_int_eq(sides_new(&layout, SIDE_SHARED, &sides), 0);
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

int main(void)
{
	const TTest *tests[] = {
		test_random_changes_agree_with_an_array,
	};

	return unit_run(unit_suite("sides", tests, ARRAY_SIZE(tests)));
}
