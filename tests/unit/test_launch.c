// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/launch.h"

#include "tests/unit/unit.h"

static void check_piece(const struct launch *launch, size_t index, gpa_t start, gpa_t end)
{
	ck_assert_uint_lt(index, launch->n_pieces);
	ck_assert_uint_eq(launch->pieces[index].gpa.start, start);
	ck_assert_uint_eq(launch->pieces[index].gpa.end, end);
}

START_TEST(test_pieces_stay_in_the_order_they_came_in)
{
	_cleanup_launch_ struct launch launch = {0};

	for (gpa_t i = 100; i > 0; i--)
		ck_assert_int_eq(launch_add(&launch, i * 0x1000, 0x1000, LAUNCH_ZERO), 0);
	ck_assert_uint_eq(launch.n_pieces, 100);
	check_piece(&launch, 0, 100 * 0x1000, 101 * 0x1000);
	check_piece(&launch, 99, 0x1000, 0x2000);
	ck_assert_int_eq(launch.pieces[7].kind, LAUNCH_ZERO);
}
END_TEST

START_TEST(test_notes_become_whole_pages_each_once)
{
	_cleanup_launch_ struct launch launch = {0};

	ck_assert_int_eq(launch_note(&launch, 0xffff0, 0x10), 0);
	ck_assert_int_eq(launch_note(&launch, 0x1000, 0x20), 0);
	ck_assert_int_eq(launch_note(&launch, 0xe0000, 0x1e001), 0);
	ck_assert_int_eq(launch_note(&launch, 0x2000, 0x6000), 0);
	ck_assert_int_eq(launch_note(&launch, 0x3000, 0x10), 0);
	ck_assert_int_eq(launch_note(&launch, 0x10fff, 2), 0);
	launch_sort(&launch);

	ck_assert_uint_eq(launch.n_pieces, 3);
	check_piece(&launch, 0, 0x1000, 0x8000);
	check_piece(&launch, 1, 0x10000, 0x12000);
	check_piece(&launch, 2, 0xe0000, 0x100000);
}
END_TEST

START_TEST(test_a_piece_is_found_by_any_of_its_pages)
{
	_cleanup_launch_ struct launch launch = {0};

	ck_assert_int_eq(launch_add(&launch, 0x5000, 0x3000, LAUNCH_CPUID), 0);
	ck_assert_ptr_null(launch_find(&launch, (struct range){0x0, 0x5000}));
	ck_assert_ptr_null(launch_find(&launch, (struct range){0x8000, 0x9000}));
	ck_assert_ptr_eq(launch_find(&launch, (struct range){0x4000, 0x5001}), launch.pieces);
	ck_assert_ptr_eq(launch_find(&launch, (struct range){0x7fff, 0x8000}), launch.pieces);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_pieces_stay_in_the_order_they_came_in,
		test_notes_become_whole_pages_each_once,
		test_a_piece_is_found_by_any_of_its_pages,
	};

	return unit_run(unit_suite("launch", tests, ARRAY_SIZE(tests)));
}
