// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/range.h"

#include "tests/unit/unit.h"

START_TEST(test_range_that_wraps_is_refused_untouched)
{
	struct range range = {.start = 1, .end = 2};

	ck_assert(!range_init(&range, UINT64_MAX, 1));
	ck_assert(!range_init(&range, 0x1000, UINT64_MAX - 0xffe));
	ck_assert_uint_eq(range.start, 1);
	ck_assert_uint_eq(range.end, 2);
	ck_assert(range_init(&range, UINT64_MAX - 1, 1));
	ck_assert_uint_eq(range_size(range), 1);
}
END_TEST

START_TEST(test_touching_ranges_do_not_overlap)
{
	struct range low = {.start = 0, .end = 4}, high = {.start = 4, .end = 8};

	ck_assert(!range_overlaps(low, high));
	ck_assert(!range_overlaps(high, low));
	ck_assert(range_is_empty(range_intersect(low, high)));
	ck_assert(!range_contains(low, 4));
	ck_assert(range_contains(high, 4));
}
END_TEST

START_TEST(test_intersection_is_what_both_hold)
{
	struct range a = {.start = 0, .end = 6}, b = {.start = 4, .end = 8};
	struct range both = range_intersect(a, b);

	ck_assert(range_overlaps(a, b));
	ck_assert_uint_eq(both.start, 4);
	ck_assert_uint_eq(both.end, 6);
	ck_assert(range_covers(a, both) && range_covers(b, both));
	ck_assert(!range_covers(both, a));
}
END_TEST

START_TEST(test_disjoint_ranges_intersect_in_an_empty_one)
{
	struct range a = {.start = 0, .end = 2}, b = {.start = 6, .end = 8};

	ck_assert(range_is_empty(range_intersect(a, b)));
	ck_assert(range_is_empty(range_intersect(b, a)));
	ck_assert_uint_eq(range_size(range_intersect(b, a)), 0);
}
END_TEST

START_TEST(test_alignment_goes_to_the_nearest_multiple)
{
	ck_assert_uint_eq(align_up(0, GRANULE_BYTES), 0);
	ck_assert_uint_eq(align_up(1, GRANULE_BYTES), GRANULE_BYTES);
	ck_assert_uint_eq(align_up(GRANULE_BYTES, GRANULE_BYTES), GRANULE_BYTES);
	ck_assert_uint_eq(align_down(GRANULE_BYTES - 1, GRANULE_BYTES), 0);
	ck_assert(is_aligned(2 * MIB, MIB));
	ck_assert(!is_aligned(2 * MIB + 1, MIB));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_range_that_wraps_is_refused_untouched,
		test_touching_ranges_do_not_overlap,
		test_intersection_is_what_both_hold,
		test_disjoint_ranges_intersect_in_an_empty_one,
		test_alignment_goes_to_the_nearest_multiple,
	};

	return unit_run(unit_suite("range", tests, ARRAY_SIZE(tests)));
}
