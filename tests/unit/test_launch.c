// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/launch.h"

#include <errno.h>

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

/* What was visited: how often, and all of it. */
struct visits {
	unsigned int n;
	struct range ranges[8];
};

static int visit_note(void *opaque, struct range rest)
{
	struct visits *visits = opaque;

	if (visits->n == ARRAY_SIZE(visits->ranges))
		return -E2BIG;
	visits->ranges[visits->n++] = rest;
	return 0;
}

START_TEST(test_rest_is_what_is_beside_the_pieces)
{
	_cleanup_launch_ struct launch launch = {0};
	struct visits visits = {0};

	ck_assert_int_eq(
		launch_visit_rest(&launch, (struct range){0, 0x8000}, visit_note, &visits), 0);
	ck_assert_uint_eq(visits.n, 1);
	ck_assert_uint_eq(visits.ranges[0].end, 0x8000);

	/* Not in order, one before, one after, two that touch, two that reach beyond. */
	ck_assert_int_eq(launch_add(&launch, 0x9000, 0x1000, LAUNCH_ZERO), 0);
	ck_assert_int_eq(launch_add(&launch, 0x5000, 0x1000, LAUNCH_ZERO), 0);
	ck_assert_int_eq(launch_add(&launch, 0x6000, 0x1000, LAUNCH_CPUID), 0);
	ck_assert_int_eq(launch_add(&launch, 0x1000, 0x2000, LAUNCH_ZERO), 0);
	ck_assert_int_eq(launch_add(&launch, 0xe000, 0x4000, LAUNCH_ZERO), 0);
	ck_assert_int_eq(launch_add(&launch, 0x20000, 0x1000, LAUNCH_ZERO), 0);
	ck_assert_int_eq(launch_add(&launch, 0, 0x1000, LAUNCH_ZERO), 0);
	visits.n = 0;
	ck_assert_int_eq(launch_visit_rest(&launch, (struct range){0x2000, 0x10000}, visit_note,
					   &visits),
			 0);
	ck_assert_uint_eq(visits.n, 3);
	ck_assert_uint_eq(visits.ranges[0].start, 0x3000);
	ck_assert_uint_eq(visits.ranges[0].end, 0x5000);
	ck_assert_uint_eq(visits.ranges[1].start, 0x7000);
	ck_assert_uint_eq(visits.ranges[1].end, 0x9000);
	ck_assert_uint_eq(visits.ranges[2].start, 0xa000);
	ck_assert_uint_eq(visits.ranges[2].end, 0xe000);
	/* Nothing beside, and nothing more after a failure. */
	visits.n = 0;
	ck_assert_int_eq(
		launch_visit_rest(&launch, (struct range){0x5000, 0x7000}, visit_note, &visits),
		0);
	ck_assert_uint_eq(visits.n, 0);
	visits.n = ARRAY_SIZE(visits.ranges) - 1;
	ck_assert_int_eq(launch_visit_rest(&launch, (struct range){0x2000, 0x10000}, visit_note,
					   &visits),
			 -E2BIG);
}
END_TEST

static int visit_count(void *opaque, struct range rest)
{
	size_t *n = opaque;

	ck_assert_uint_eq(range_size(rest), 0x1000);
	++*n;
	return 0;
}

/* An IGVM file can make so many; one by one among all others would take minutes. */
START_TEST(test_rest_of_very_many_pieces_is_found_in_time)
{
	enum { N = 400000 };
	_cleanup_launch_ struct launch launch = {0};
	size_t n = 0;

	for (gpa_t i = 0; i < N; i++)
		ck_assert_int_eq(launch_add(&launch, (N - i) * 0x2000, 0x1000, LAUNCH_MEASURED),
				 0);
	ck_assert_int_eq(launch_visit_rest(&launch, (struct range){0x2000, (N + 1) * 0x2000LL},
					   visit_count, &n),
			 0);
	ck_assert_uint_eq(n, N);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_pieces_stay_in_the_order_they_came_in,
		test_notes_become_whole_pages_each_once,
		test_a_piece_is_found_by_any_of_its_pages,
		test_rest_is_what_is_beside_the_pieces,
		test_rest_of_very_many_pieces_is_found_in_time,
	};

	return unit_run(unit_suite("launch", tests, ARRAY_SIZE(tests)));
}
