// SPDX-License-Identifier: GPL-2.0-or-later
/* Hand-off blocks byte by byte, as the specifications draw them. */
#include "boot/firmware/hob.h"

#include <string.h>

#include "memory/memory.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

#define HOB_GPA UINT64_C(0x809000)

static uint8_t buffer[8192];

static uint64_t get(size_t offset, unsigned int n_bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < n_bytes; i++)
		value |= (uint64_t)buffer[offset + i] << 8 * i;
	return value;
}

static struct hob_list begin(size_t room_bytes)
{
	struct hob_list list;

	memset(buffer, 0xaa, sizeof(buffer));
	hob_begin(&list, buffer, room_bytes, HOB_GPA);
	return list;
}

/* Returns where the next one is. */
static size_t expect_memory(size_t offset, uint32_t type, uint64_t start, uint64_t end)
{
	static const uint8_t owner[16];

	ck_assert_uint_eq(get(offset, 2), 3);
	ck_assert_uint_eq(get(offset + 2, 2), 48);
	ck_assert_uint_eq(get(offset + 4, 4), 0);
	ck_assert_mem_eq(buffer + offset + 8, owner, sizeof(owner));
	ck_assert_uint_eq(get(offset + 24, 4), type);
	ck_assert_uint_eq(get(offset + 28, 4), 7);
	ck_assert_uint_eq(get(offset + 32, 8), start);
	ck_assert_uint_eq(get(offset + 40, 8), end - start);
	return offset + 48;
}

static void expect_end(size_t offset)
{
	static const uint8_t end[8] = {0xff, 0xff, 8, 0, 0, 0, 0, 0};

	ck_assert_mem_eq(buffer + offset, end, sizeof(end));
	ck_assert_uint_eq(get(48, 8), HOB_GPA + offset + 8);
}

START_TEST(test_empty_list_is_a_handoff_and_an_end)
{
	static const uint8_t wanted[] = {
		1,    0,    56,	  0, 0, 0, 0, 0, 9,    0,    0, 0, 0, 0, 0, 0,
		0,    0,    0,	  0, 0, 0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0,
		0,    0,    0,	  0, 0, 0, 0, 0, 0,    0,    0, 0, 0, 0, 0, 0,
		0x40, 0x90, 0x80, 0, 0, 0, 0, 0, 0xff, 0xff, 8, 0, 0, 0, 0, 0,
	};
	struct hob_list list = begin(sizeof(buffer));

	ck_assert_uint_eq(hob_end(&list), sizeof(wanted));
	ck_assert_mem_eq(buffer, wanted, sizeof(wanted));
	ck_assert_uint_eq(buffer[sizeof(wanted)], 0xaa);
}
END_TEST

START_TEST(test_memory_is_a_resource_with_its_kind)
{
	static const uint8_t wanted[48] = {
		3, 0, 48, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,	  0, 0,	   0, 0, 0, 0,
		7, 0, 0,  0, 7, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0x10, 0, 0x80, 2, 0, 0, 0,
	};
	struct hob_list list = begin(sizeof(buffer));

	hob_add_memory(&list, (struct range){UINT64_C(0x100000000), UINT64_C(0x380001000)},
		       HOB_MEMORY_UNACCEPTED);
	ck_assert_uint_eq(hob_end(&list), 56 + 48 + 8);
	ck_assert_mem_eq(buffer + 56, wanted, sizeof(wanted));
	expect_end(56 + 48);
}
END_TEST

/* Of a TDVF as edk2 builds it: not in order, and with parts that are no RAM or not added. */
static const struct tdvf tdvf = {
	.sections =
		{
			{.gpa = 0xffc84000,
			 .size_bytes = 0x37c000,
			 .type = TDVF_BFV,
			 .added = true},
			{.gpa = 0xffc00000,
			 .size_bytes = 0x84000,
			 .type = TDVF_CFV,
			 .added = true},
			{.gpa = 0x810000,
			 .size_bytes = 0x10000,
			 .type = TDVF_TEMP_MEM,
			 .added = true},
			{.gpa = 0x80b000,
			 .size_bytes = 0x2000,
			 .type = TDVF_TEMP_MEM,
			 .added = true},
			{.gpa = 0x809000,
			 .size_bytes = 0x2000,
			 .type = TDVF_TD_HOB,
			 .added = true},
			{.gpa = 0x1000000, .size_bytes = 0x100000, .type = TDVF_PERM_MEM},
			{.type = TDVF_TD_INFO, .data_bytes = 16, .added = true},
		},
	.n_sections = 7,
};

START_TEST(test_what_was_added_is_usable_and_the_rest_of_ram_is_not_accepted)
{
	struct hob_list list = begin(sizeof(buffer));
	struct layout layout;
	size_t at = 56;

	ck_assert_int_eq(layout_init(&layout, 4 * GIB, 46, NULL), 0);
	layout_add_firmware(&layout, 4 * MIB);
	hob_add_layout(&list, &layout, &tdvf);
	ck_assert_uint_gt(hob_end(&list), 0);
	at = expect_memory(at, HOB_MEMORY_UNACCEPTED, 0, 0x809000);
	at = expect_memory(at, HOB_MEMORY_SYSTEM, 0x809000, 0x80b000);
	at = expect_memory(at, HOB_MEMORY_SYSTEM, 0x80b000, 0x80d000);
	at = expect_memory(at, HOB_MEMORY_UNACCEPTED, 0x80d000, 0x810000);
	at = expect_memory(at, HOB_MEMORY_SYSTEM, 0x810000, 0x820000);
	at = expect_memory(at, HOB_MEMORY_UNACCEPTED, 0x820000, PLATFORM_HOLE_GPA);
	at = expect_memory(at, HOB_MEMORY_UNACCEPTED, 4 * GIB, 5 * GIB);
	expect_end(at);
}
END_TEST

START_TEST(test_sections_beyond_ram_are_cut)
{
	const struct tdvf beyond = {
		.sections =
			{{.gpa = 0, .size_bytes = 0x1000, .type = TDVF_TEMP_MEM, .added = true},
			 {.gpa = 0xfff000,
			  .size_bytes = 0x2000,
			  .type = TDVF_TEMP_MEM,
			  .added = true},
			 {.gpa = 0x8000000,
			  .size_bytes = 0x1000,
			  .type = TDVF_TEMP_MEM,
			  .added = true}},
		.n_sections = 3,
	};
	struct hob_list list = begin(sizeof(buffer));
	struct layout layout;
	size_t at = 56;

	ck_assert_int_eq(layout_init(&layout, 16 * MIB, 46, NULL), 0);
	hob_add_layout(&list, &layout, &beyond);
	ck_assert_uint_gt(hob_end(&list), 0);
	at = expect_memory(at, HOB_MEMORY_SYSTEM, 0, 0x1000);
	at = expect_memory(at, HOB_MEMORY_UNACCEPTED, 0x1000, 0xfff000);
	at = expect_memory(at, HOB_MEMORY_SYSTEM, 0xfff000, 0x1000000);
	expect_end(at);
}
END_TEST

START_TEST(test_tables_are_extensions_padded_to_eight_bytes)
{
	static const uint8_t wanted[32] = {
		4,    0,    32,	  0,	0,    0,    0,	  0,	0x70, 0x58, 0x0c,
		0x6a, 0xed, 0xd4, 0xf4, 0x44, 0xa1, 0x35, 0xdd, 0x23, 0x8b, 0x6f,
		0x0c, 0x8d, 'A',  'P',	'I',  'C',  '!',  0,	0,    0,
	};
	struct hob_list list = begin(sizeof(buffer));

	hob_add_acpi_table(&list, "APIC!", 5);
	ck_assert_uint_eq(hob_end(&list), 56 + 32 + 8);
	ck_assert_mem_eq(buffer + 56, wanted, sizeof(wanted));
	expect_end(56 + 32);
}
END_TEST

START_TEST(test_payload_info_names_kind_and_entry)
{
	static const uint8_t wanted[40] = {
		4,    0,    40,	  0,	0,    0,    0,	  0,	0x12, 0xa4,
		0x6f, 0xb9, 0x1f, 0x46, 0xe3, 0x4b, 0x8c, 0x0d, 0xad, 0x80,
		0x5a, 0x49, 0x7a, 0xc0, 3,    0,    0,	  0,	0,    0,
		0,    0,    0,	  2,	0,    1,    0,	  0,	0,    0,
	};
	struct hob_list list = begin(sizeof(buffer));

	hob_add_payload_info(&list, HOB_PAYLOAD_RAW_VMLINUX, 0x1000200);
	ck_assert_uint_eq(hob_end(&list), 56 + 40 + 8);
	ck_assert_mem_eq(buffer + 56, wanted, sizeof(wanted));
}
END_TEST

START_TEST(test_memory_map_has_entries_of_20_bytes)
{
	static const uint8_t wanted[64] = {
		4,    0,    64,	  0,	0,    0,    0,	  0,	0xea, 0x72, 0x80, 0x8f, 0x86,
		0x34, 0x47, 0x4b, 0x86, 0xa7, 0x23, 0x53, 0xb8, 0x8a, 0x87, 0x73, 0,	0,
		0,    0,    0,	  0,	0,    0,    0,	  0,	0x0a, 0,    0,	  0,	0,
		0,    1,    0,	  0,	0,    0,    0,	  0x0a, 0,    0,    0,	  0,	0,
		0,    0,    6,	  0,	0,    0,    0,	  0,	2,    0,    0,	  0,
	};
	const struct memory_map map = {
		.entries = {{.gpa = {0, 0xa0000}, .type = MEMORY_TYPE_RAM},
			    {.gpa = {0xa0000, 0x100000}, .type = MEMORY_TYPE_RESERVED}},
		.n_entries = 2,
	};
	struct hob_list list = begin(sizeof(buffer));

	hob_add_e820(&list, &map);
	ck_assert_uint_eq(hob_end(&list), 56 + 64 + 8);
	ck_assert_mem_eq(buffer + 56, wanted, sizeof(wanted));
}
END_TEST

START_TEST(test_list_that_does_not_fit_is_reported_and_never_overrun)
{
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, 4 * GIB, 46, NULL), 0);
	for (size_t room = 0; room < 56 + 7 * 48 + 32 + 8; room += 4) {
		struct hob_list list = begin(room);

		hob_add_layout(&list, &layout, &tdvf);
		hob_add_acpi_table(&list, "TABLE", 5);
		ck_assert_uint_eq(hob_end(&list), 0);
		ck_assert_uint_eq(buffer[room], 0xaa);
	}
}
END_TEST

START_TEST(test_extension_has_16_bits_for_its_size)
{
	static uint8_t large[1 << 17], table[1 << 16];
	struct hob_list list;

	hob_begin(&list, large, sizeof(large), HOB_GPA);
	hob_add_acpi_table(&list, table, 65528 - 24);
	ck_assert_uint_eq(hob_end(&list), 56 + 65528 + 8);
	hob_begin(&list, large, sizeof(large), HOB_GPA);
	hob_add_acpi_table(&list, table, 65528 - 24 + 1);
	ck_assert_uint_eq(hob_end(&list), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_empty_list_is_a_handoff_and_an_end,
		test_memory_is_a_resource_with_its_kind,
		test_what_was_added_is_usable_and_the_rest_of_ram_is_not_accepted,
		test_sections_beyond_ram_are_cut,
		test_tables_are_extensions_padded_to_eight_bytes,
		test_payload_info_names_kind_and_entry,
		test_memory_map_has_entries_of_20_bytes,
		test_list_that_does_not_fit_is_reported_and_never_overrun,
		test_extension_has_16_bits_for_its_size,
	};

	return unit_run(unit_suite("hob", tests, ARRAY_SIZE(tests)));
}
