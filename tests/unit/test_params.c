// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel is told, from machines of 16 MiB to 4 TiB; and where things may lie. */
#include "boot/params.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "boot/place.h"
#include "boot/pvh.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/platform.h"

static struct layout make_layout(uint64_t ram_bytes)
{
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, ram_bytes, 52, NULL), 0);
	return layout;
}

static const uint64_t ram_sizes_bytes[] = {
	16 * MIB,   64 * MIB,	       3 * GIB - 4096,
	3 * GIB,    3 * GIB + 4096,    1011 * GIB - 1 * MIB,
	1011 * GIB, 1011 * GIB + 4096, 4 * TIB,
};

START_TEST(test_memory_map_is_sorted_and_holds_all_ram_but_the_legacy_hole)
{
	for (size_t i = 0; i < ARRAY_SIZE(ram_sizes_bytes); i++) {
		struct layout layout = make_layout(ram_sizes_bytes[i]);
		struct memory_map map;
		uint64_t ram_bytes = 0, end = 0;

		memory_map_init(&map, &layout);
		for (unsigned int j = 0; j < map.n_entries; j++) {
			const struct memory_map_entry *entry = &map.entries[j];

			ck_assert_uint_ge(entry->gpa.start, end);
			ck_assert_uint_gt(entry->gpa.end, entry->gpa.start);
			end = entry->gpa.end;
			if (entry->type == MEMORY_TYPE_RAM)
				ram_bytes += range_size(entry->gpa);
		}
		ck_assert_uint_eq(ram_bytes, ram_sizes_bytes[i] - 0x60000);
	}
}
END_TEST

START_TEST(test_memory_map_reserves_what_is_no_ram)
{
	static const struct range reserved[] = {
		{0xa0000, 0x100000},
		{PLATFORM_ECAM_GPA, PLATFORM_ECAM_GPA + PLATFORM_ECAM_BYTES},
		{PLATFORM_KVM_TSS_GPA, PLATFORM_KVM_TSS_GPA + 0x3000},
		{PLATFORM_KVM_IDMAP_GPA, PLATFORM_KVM_IDMAP_GPA + 0x1000},
	};
	struct layout layout = make_layout(8 * GIB);
	struct memory_map map;

	memory_map_init(&map, &layout);
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		bool found = false;

		for (unsigned int j = 0; j < map.n_entries; j++)
			found |= map.entries[j].type == MEMORY_TYPE_RESERVED &&
				 range_covers(map.entries[j].gpa, reserved[i]);
		ck_assert_msg(found, "0x%lx is not reserved", reserved[i].start);
	}
}
END_TEST

START_TEST(test_boot_params_carry_header_map_and_pointers)
{
	const struct setup_header setup = {
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.init_size = 0x123456,
		.kernel_info_offset = 0x77,
	};
	const struct params_pointers pointers = {
		.cmdline = 0x10000,
		.initrd = 0xbffff000,
		.initrd_bytes = 0xabc,
		.rsdp = 0xe0000,
		.setup_data = 0xf0000,
	};
	struct layout layout = make_layout(8 * GIB);
	struct boot_params params;
	struct memory_map map;

	memory_map_init(&map, &layout);
	memset(&params, 0xff, sizeof(params));
	boot_params_init(&params, &setup, 16 * MIB, &map, &pointers);
	ck_assert_uint_eq(params.hdr.init_size, 0x123456);
	ck_assert_uint_eq(params.hdr.kernel_info_offset, 0x77);
	ck_assert_uint_eq(params.hdr.type_of_loader, 0xff);
	ck_assert_uint_eq(params.hdr.loadflags, LOADED_HIGH);
	ck_assert_uint_eq(params.hdr.code32_start, 16 * MIB);
	ck_assert_uint_eq(params.hdr.cmd_line_ptr, 0x10000);
	ck_assert_uint_eq(params.hdr.ramdisk_image, 0xbffff000);
	ck_assert_uint_eq(params.hdr.ramdisk_size, 0xabc);
	ck_assert_uint_eq(params.hdr.setup_data, 0xf0000);
	ck_assert_uint_eq(params.acpi_rsdp_addr, 0xe0000);
	/* Not from the file: else the kernel takes the page for one it must repair. */
	ck_assert_uint_eq(params.sentinel, 0);
	ck_assert_uint_eq(params.ext_ramdisk_image, 0);
	ck_assert_uint_eq(params.screen_info.orig_video_isVGA, 0);
	ck_assert_uint_eq(params.e820_entries, map.n_entries);
	for (unsigned int i = 0; i < map.n_entries; i++) {
		ck_assert_uint_eq(params.e820_table[i].addr, map.entries[i].gpa.start);
		ck_assert_uint_eq(params.e820_table[i].size, range_size(map.entries[i].gpa));
		ck_assert_uint_eq(params.e820_table[i].type, map.entries[i].type);
	}
}
END_TEST

START_TEST(test_pvh_params_point_into_themselves)
{
	const gpa_t gpa = 0x8000;
	const struct params_pointers pointers = {
		.cmdline = 0x10000,
		.initrd = 0x1234000,
		.initrd_bytes = 0xabc,
		.rsdp = 0xe0000,
	};
	struct layout layout = make_layout(8 * GIB);
	struct pvh_params params;
	struct memory_map map;

	memory_map_init(&map, &layout);
	pvh_params_init(&params, gpa, &map, &pointers);
	ck_assert_uint_eq(params.start_info.magic, 0x336ec578);
	ck_assert_uint_eq(params.start_info.version, 1);
	ck_assert_uint_eq(params.start_info.flags, 0);
	ck_assert_uint_eq(params.start_info.cmdline_gpa, 0x10000);
	ck_assert_uint_eq(params.start_info.rsdp_gpa, 0xe0000);
	ck_assert_uint_eq(params.start_info.n_modules, 1);
	ck_assert_uint_eq(params.start_info.modules_gpa,
			  gpa + offsetof(struct pvh_params, initrd));
	ck_assert_uint_eq(params.start_info.memory_map_gpa,
			  gpa + offsetof(struct pvh_params, memory_map));
	ck_assert_uint_eq(params.start_info.n_memory_map, map.n_entries);
	ck_assert_uint_eq(params.initrd.gpa, 0x1234000);
	ck_assert_uint_eq(params.initrd.size_bytes, 0xabc);
	ck_assert_uint_eq(params.initrd.cmdline_gpa, 0);
	for (unsigned int i = 0; i < map.n_entries; i++) {
		ck_assert_uint_eq(params.memory_map[i].gpa, map.entries[i].gpa.start);
		ck_assert_uint_eq(params.memory_map[i].size_bytes,
				  range_size(map.entries[i].gpa));
		ck_assert_uint_eq(params.memory_map[i].type, map.entries[i].type);
		ck_assert_uint_eq(params.memory_map[i].reserved, 0);
	}

	pvh_params_init(&params, gpa, &map, &(struct params_pointers){.cmdline = 0x10000});
	ck_assert_uint_eq(params.start_info.n_modules, 0);
	ck_assert_uint_eq(params.start_info.modules_gpa, 0);
}
END_TEST

/* Byte by byte: there is no other judge of machine code here. */
START_TEST(test_reset_code_writes_the_reset_register)
{
	static const uint8_t wanted[RESET_CODE_BYTES] = {
		0xba, 0x02, 0x06, 0xb0, 0x01, 0xee, 0xf4, 0xeb, 0xfd,
	};
	uint8_t code[RESET_CODE_BYTES];

	ck_assert_uint_eq(PLACE_RESET_GPA, 0xffff0);
	reset_code_init(code);
	ck_assert_mem_eq(code, wanted, sizeof(wanted));
}
END_TEST

/* --- Places --- */

START_TEST(test_pieces_that_touch_are_taken_and_those_that_overlap_refused)
{
	struct layout layout = make_layout(64 * MIB);
	struct place place = {0};
	struct err err = {0};

	ck_assert_int_eq(place_add(&place, &layout, "a", 0x2000, 0x1000, &err), 0);
	ck_assert_int_eq(place_add(&place, &layout, "b", 0x3000, 0x1000, &err), 0);
	ck_assert_int_eq(place_add(&place, &layout, "c", 0x1000, 0x1000, &err), 0);
	ck_assert_int_eq(place_add(&place, &layout, "d", 0x2fff, 1, &err), -ENOSPC);
	ck_assert_str_eq(err.text,
			 "d: needs 0x1 bytes at 0x2fff, where a lies (0x2000 to 0x3000)");
	ck_assert_int_eq(place_add(&place, &layout, "d", 0, 64 * MIB, &err), -ENOSPC);
	ck_assert_uint_eq(place.n_pieces, 3);
}
END_TEST

START_TEST(test_pieces_outside_low_ram_are_refused)
{
	static const struct range outside[] = {
		{64 * MIB - 1, 2}, {64 * MIB, 1},	 {4 * GIB, 1},
		{UINT64_MAX, 1},   {0x1000, UINT64_MAX},
	};
	struct layout layout = make_layout(64 * MIB);
	struct place place = {0};

	for (size_t i = 0; i < ARRAY_SIZE(outside); i++)
		ck_assert_int_eq(
			place_add(&place, &layout, "x", outside[i].start, outside[i].end, NULL),
			-ENOSPC);
	ck_assert_uint_eq(place.n_pieces, 0);
}
END_TEST

START_TEST(test_high_places_avoid_what_is_there)
{
	struct layout layout = make_layout(64 * MIB);
	struct place place = {0};
	gpa_t gpa = 0;

	ck_assert_int_eq(place_add_high(&place, &layout, "a", 1, UINT64_MAX, &gpa, NULL), 0);
	ck_assert_uint_eq(gpa, 64 * MIB - 0x1000);
	ck_assert_int_eq(place_add(&place, &layout, "b", 32 * MIB, 16 * MIB, NULL), 0);
	ck_assert_int_eq(place_add_high(&place, &layout, "c", 16 * MIB, UINT64_MAX, &gpa, NULL),
			 0);
	ck_assert_uint_eq(gpa, 16 * MIB);
	/* Up to the last byte above 1 MiB, not one more. */
	ck_assert_int_eq(place_add_high(&place, &layout, "d", 16 * MIB - 0x1000 - 1,
					48 * MIB + 0xffe, &gpa, NULL),
			 -ENOSPC);
	ck_assert_int_eq(place_add_high(&place, &layout, "d", 15 * MIB, 48 * MIB, &gpa, NULL),
			 0);
	ck_assert_uint_eq(gpa, 1 * MIB);
}
END_TEST

START_TEST(test_what_never_fits_is_refused)
{
	struct layout layout = make_layout(64 * MIB);
	struct place place = {0};
	gpa_t gpa = 5;

	ck_assert_int_eq(
		place_add_high(&place, &layout, "a", UINT64_MAX, UINT64_MAX, &gpa, NULL),
		-ENOSPC);
	ck_assert_int_eq(
		place_add_high(&place, &layout, "a", 63 * MIB + 1, UINT64_MAX, &gpa, NULL),
		-ENOSPC);
	ck_assert_int_eq(place_add_high(&place, &layout, "a", 1, MIB - 1, &gpa, NULL), -ENOSPC);
	ck_assert_int_eq(place_add_high(&place, &layout, "a", 1, 0, &gpa, NULL), -ENOSPC);
	ck_assert_uint_eq(gpa, 5);
	ck_assert_uint_eq(place.n_pieces, 0);
	ck_assert_int_eq(place_add_high(&place, &layout, "a", 63 * MIB, UINT64_MAX, &gpa, NULL),
			 0);
	ck_assert_uint_eq(gpa, MIB);
}
END_TEST

START_TEST(test_number_of_pieces_is_bounded)
{
	struct layout layout = make_layout(64 * MIB);
	struct place place = {0};

	for (unsigned int i = 0; i < PLACE_PIECES_MAX; i++)
		ck_assert_int_eq(place_add(&place, &layout, "x", i * UINT64_C(16), 16, NULL),
				 0);
	ck_assert_int_eq(place_add(&place, &layout, "x", MIB, 16, NULL), -ENOSPC);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_memory_map_is_sorted_and_holds_all_ram_but_the_legacy_hole,
		test_memory_map_reserves_what_is_no_ram,
		test_boot_params_carry_header_map_and_pointers,
		test_pvh_params_point_into_themselves,
		test_reset_code_writes_the_reset_register,
		test_pieces_that_touch_are_taken_and_those_that_overlap_refused,
		test_pieces_outside_low_ram_are_refused,
		test_high_places_avoid_what_is_there,
		test_what_never_fits_is_refused,
		test_number_of_pieces_is_bounded,
	};

	return unit_run(unit_suite("params", tests, ARRAY_SIZE(tests)));
}
