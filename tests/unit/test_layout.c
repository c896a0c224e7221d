// SPDX-License-Identifier: GPL-2.0-or-later
#include "memory/memory.h"

#include <errno.h>

#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/platform.h"

/* Every layout, whatever its size: sorted, disjoint, complete, off the reserved ranges. */
static void layout_check(const struct layout *layout, unsigned int gpa_bits)
{
	const struct range reserved[] = {
		{.start = PLATFORM_HOLE_GPA, .end = PLATFORM_4G},
		{.start = PLATFORM_HT_GPA, .end = PLATFORM_HT_END},
		layout->mmio64,
	};
	uint64_t total_bytes = 0;

	ck_assert_uint_ge(layout->n_ram, 1);
	for (unsigned int i = 0; i < layout->n_ram; i++) {
		ck_assert(!range_is_empty(layout->ram[i]));
		ck_assert(i == 0 || layout->ram[i].start >= layout->ram[i - 1].end);
		for (size_t r = 0; r < ARRAY_SIZE(reserved); r++)
			ck_assert(!range_overlaps(layout->ram[i], reserved[r]));
		total_bytes += range_size(layout->ram[i]);
	}
	ck_assert_uint_eq(total_bytes, layout->ram_bytes);
	ck_assert(!range_is_empty(layout->mmio64));
	ck_assert_uint_le(layout->mmio64.end, UINT64_C(1) << gpa_bits);
	ck_assert(!range_overlaps(layout->mmio64, reserved[1]));
	ck_assert(is_aligned(layout->mmio64.start, range_size(layout->mmio64)));
}

START_TEST(test_layout_of_every_size_keeps_off_reserved_ranges)
{
	for (uint64_t mib = 16; mib <= 5 * TIB / MIB; mib = mib * 3 / 2 + 1) {
		struct layout layout;

		ck_assert_int_eq(layout_init(&layout, mib * MIB, 52, NULL), 0);
		ck_assert_uint_eq(layout.ram_bytes, mib * MIB);
		layout_check(&layout, 52);
	}
}
END_TEST

START_TEST(test_ram_continues_above_the_hole)
{
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, 4 * GIB, 40, NULL), 0);
	ck_assert_uint_eq(layout.n_ram, 2);
	ck_assert_uint_eq(layout.ram[0].end, 3 * GIB);
	ck_assert_uint_eq(layout.ram[1].start, 4 * GIB);
	ck_assert_uint_eq(layout.ram[1].end, 5 * GIB);
	layout_check(&layout, 40);
}
END_TEST

START_TEST(test_three_gib_need_one_range)
{
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, 3 * GIB, 40, NULL), 0);
	ck_assert_uint_eq(layout.n_ram, 1);
	ck_assert_int_eq(layout_init(&layout, 3 * GIB + GRANULE_BYTES, 40, NULL), 0);
	ck_assert_uint_eq(layout.n_ram, 2);
	ck_assert_uint_eq(range_size(layout.ram[1]), GRANULE_BYTES);
}
END_TEST

START_TEST(test_four_tib_go_around_the_hypertransport_range)
{
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, 4 * TIB, 46, NULL), 0);
	ck_assert_uint_eq(layout.n_ram, 3);
	ck_assert_uint_eq(layout.ram[1].end, 1012 * GIB);
	ck_assert_uint_eq(layout.ram[2].start, TIB);
	layout_check(&layout, 46);
}
END_TEST

START_TEST(test_bars_move_above_the_hypertransport_range)
{
	struct layout layout;

	/* RAM ends at 980 GiB: the next 64 GiB would run into it. */
	ck_assert_int_eq(layout_init(&layout, 979 * GIB, 46, NULL), 0);
	ck_assert_uint_eq(layout.mmio64.start, TIB);
	layout_check(&layout, 46);
}
END_TEST

START_TEST(test_impossible_sizes_are_refused_and_explained)
{
	static const struct {
		uint64_t bytes;
		unsigned int gpa_bits;
		int ret;
	} cases[] = {
		{0, 40, -EINVAL},	{4 * MIB, 40, -EINVAL},
		{GIB + 1, 40, -EINVAL}, {64 * GIB, 36, -E2BIG},
		{2 * TIB, 40, -E2BIG},	{UINT64_MAX & ~0xfffull, 52, -E2BIG},
		{GIB, 32, -E2BIG},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct layout layout = {.n_ram = 77};
		struct err err = {0};

		ck_assert_int_eq(layout_init(&layout, cases[i].bytes, cases[i].gpa_bits, &err),
				 cases[i].ret);
		ck_assert_uint_eq(layout.n_ram, 77);
		ck_assert(strstr(err.text, "memory: ") == err.text);
	}
}
END_TEST

START_TEST(test_firmware_lies_between_ram_below_and_above)
{
	struct range ranges[LAYOUT_MEMORY_RANGES_MAX];
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, GIB, 40, NULL), 0);
	ck_assert_uint_eq(layout_list_memory(&layout, ranges), 1);
	layout_add_firmware(&layout, 0xf801);
	ck_assert_uint_eq(layout_list_memory(&layout, ranges), 2);
	ck_assert_uint_eq(ranges[1].start, 0xffff0000);
	ck_assert_uint_eq(ranges[1].end, PLATFORM_4G);

	ck_assert_int_eq(layout_init(&layout, 4 * TIB, 46, NULL), 0);
	layout_add_firmware(&layout, LAYOUT_FIRMWARE_BYTES_MAX);
	ck_assert_uint_eq(layout_list_memory(&layout, ranges), 4);
	for (unsigned int i = 1; i < 4; i++)
		ck_assert_uint_le(ranges[i - 1].end, ranges[i].start);
	ck_assert_uint_eq(ranges[1].start, 0xff000000);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_layout_of_every_size_keeps_off_reserved_ranges,
		test_ram_continues_above_the_hole,
		test_three_gib_need_one_range,
		test_four_tib_go_around_the_hypertransport_range,
		test_bars_move_above_the_hypertransport_range,
		test_impossible_sizes_are_refused_and_explained,
		test_firmware_lies_between_ram_below_and_above,
	};

	return unit_run(unit_suite("layout", tests, ARRAY_SIZE(tests)));
}
