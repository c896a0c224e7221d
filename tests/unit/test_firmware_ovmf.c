// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/firmware/ovmf.h"

#include <errno.h>

#include "tests/unit/firmware.h"
#include "vmm/err.h"

START_TEST(test_a_real_image_says_what_it_wants)
{
	static const struct ovmf_snp_section wanted[] = {
		{0x800000, 0x9000, OVMF_SNP_MEMORY},   {0x80a000, 0x3000, OVMF_SNP_MEMORY},
		{0x80d000, 0x1000, OVMF_SNP_SECRETS},  {0x80e000, 0x1000, OVMF_SNP_CPUID},
		{0x80f000, 0x1000, OVMF_SNP_SVSM_CAA}, {0x810000, 0x1000, OVMF_SNP_HASHES},
		{0x811000, 0xf000, OVMF_SNP_MEMORY},
	};
	struct ovmf_image image;
	struct ovmf_snp snp;
	uint8_t bytes[4096];

	firmware_read_suffix(bytes, &image);
	ck_assert_int_eq(ovmf_parse_snp(&image, &snp, NULL), 0);
	ck_assert_uint_eq(ovmf_image_gpa(&image), 0xfffff000);
	ck_assert_uint_eq(snp.n_sections, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		ck_assert_uint_eq(snp.sections[i].gpa, wanted[i].gpa);
		ck_assert_uint_eq(snp.sections[i].size_bytes, wanted[i].size_bytes);
		ck_assert_int_eq(snp.sections[i].type, wanted[i].type);
	}
	ck_assert_uint_eq(snp.ap_entry, 0x80b004);
	ck_assert_uint_eq(snp.secrets.start, 0x810000);
	ck_assert_uint_eq(snp.secrets.end, 0x810c00);
	ck_assert_uint_eq(snp.hash_table.start, 0x810c00);
	ck_assert_uint_eq(snp.hash_table.end, 0x811000);
}
END_TEST

/* Its sections lie in the part of the image that the file lacks. */
START_TEST(test_sections_outside_the_file_are_refused)
{
	struct ovmf_image image;
	struct err err = {0};
	struct tdvf tdvf;
	uint8_t bytes[4096];

	firmware_read_suffix(bytes, &image);
	ck_assert_int_eq(tdvf_parse(&image, &tdvf, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(
		strstr(err.text, "offset 0x640: TDVF section BFV: data offset 0x84000"));
}
END_TEST

START_TEST(test_sections_of_a_td_are_taken)
{
	struct firmware firmware;
	struct tdvf tdvf;

	firmware_make(&firmware);
	ck_assert_int_eq(tdvf_parse(&firmware.image, &tdvf, NULL), 0);
	ck_assert_uint_eq(tdvf.n_sections, ARRAY_SIZE(firmware_tdvf_sections));
	for (size_t i = 0; i < tdvf.n_sections; i++) {
		const struct tdvf_section *section = &tdvf.sections[i];
		const uint32_t *wanted = firmware_tdvf_sections[i];

		ck_assert_uint_eq(section->data_offset, wanted[0]);
		ck_assert_uint_eq(section->data_bytes, wanted[1]);
		ck_assert_uint_eq(section->gpa, wanted[2]);
		ck_assert_uint_eq(section->size_bytes, wanted[3]);
		ck_assert_uint_eq(section->type, wanted[4]);
		ck_assert_int_eq(section->measured, section->type == TDVF_BFV);
		ck_assert_int_eq(section->added, section->type != TDVF_PERM_MEM &&
							 section->type != TDVF_TD_INFO);
	}
}
END_TEST

/* td-shim has no table, but an offset from the start. */
START_TEST(test_an_image_without_a_table_may_have_an_offset)
{
	struct firmware firmware;
	struct err err = {0};
	struct ovmf_snp snp;
	struct tdvf tdvf;

	firmware_make(&firmware);
	firmware.bytes[FIRMWARE_FOOTER + 2]++;
	firmware_put32(&firmware, FIRMWARE_BYTES - 0x20, FIRMWARE_TDVF);
	ck_assert_int_eq(tdvf_parse(&firmware.image, &tdvf, NULL), 0);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "firmware 'fw': no SEV metadata"));
	firmware_put32(&firmware, FIRMWARE_BYTES - 0x20, UINT32_MAX);
	ck_assert_int_eq(tdvf_parse(&firmware.image, &tdvf, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "offset 0xffffffff: no TDVF metadata"));
}
END_TEST

START_TEST(test_a_hash_table_without_its_page_is_none)
{
	struct firmware firmware;
	struct ovmf_snp snp;

	firmware_make(&firmware);
	firmware_put32(&firmware, FIRMWARE_SNP + 16 + 4 * 12 + 8, OVMF_SNP_MEMORY);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, NULL), 0);
	ck_assert(range_is_empty(snp.hash_table));
}
END_TEST

/* --- One field broken at a time --- */

struct breakage {
	unsigned int offset;
	unsigned int width; /* bytes */
	uint32_t value;
	const char *wanted;
};

#define SNP(i)	(FIRMWARE_SNP + 16 + (i)*12)
#define TDVF(i) (FIRMWARE_TDVF + 16 + (i)*32)

static const struct breakage table_breakages[] = {
	{FIRMWARE_FOOTER, 2, 17, "offset 0x3fce: GUID table: length 17 (18 to 16352)"},
	{FIRMWARE_FOOTER, 2, 16353, "GUID table: length 16353 (18 to 16352)"},
	{FIRMWARE_FOOTER, 2, 18 + 17,
	 "offset 0x3fbd: GUID table: 17 bytes before its first entry"},
	{FIRMWARE_AP_ENTRY + 4, 2, 0,
	 "offset 0x3fbc: GUID table: entry of 0 bytes (18 to 118)"},
	{FIRMWARE_AP_ENTRY + 4, 2, 119, "GUID table: entry of 119 bytes (18 to 118)"},
};

static const struct breakage snp_breakages[] = {
	{FIRMWARE_SNP_ENTRY + 6, 1, 0, "firmware 'fw': no SEV metadata in its GUID table"},
	{FIRMWARE_SNP_ENTRY, 4, 0x4001,
	 "SNP metadata: 0x4001 bytes before the end of 0x4000 bytes"},
	{FIRMWARE_SNP_ENTRY, 4, 15, "offset 0x3ff1: SNP metadata: header is outside"},
	{FIRMWARE_SNP_ENTRY, 4, 0, "offset 0x4000: SNP metadata: header is outside"},
	{FIRMWARE_SNP, 1, 'B',
	 "offset 0x3000: SNP metadata: signature 0x56455342, not 0x56455341"},
	{FIRMWARE_SNP + 4, 4, 75, "offset 0x3004: SNP metadata: length 75 for 5 sections"},
	{FIRMWARE_SNP + 8, 4, 2, "offset 0x3008: SNP metadata: version 2, not 1"},
	{FIRMWARE_SNP + 12, 4, 0, "offset 0x300c: SNP metadata: 0 sections (1 to 64)"},
	{FIRMWARE_SNP + 12, 4, 65, "SNP metadata: 65 sections (1 to 64)"},
	{SNP(0), 4, 0x800800,
	 "offset 0x3010: SNP section: address 0x800800, size 0x9000: no whole"},
	{SNP(0) + 4, 4, 0, "size 0x0: no whole pages"},
	{SNP(0) + 4, 4, 0xfffff000, "ends beyond 0xffffc000"},
	{SNP(0), 4, 0xffff5000, "address 0xffff5000, size 0x9000: ends beyond 0xffffc000"},
	{SNP(0) + 8, 4, 5, "offset 0x3018: SNP section: unknown type 5"},
	{SNP(0) + 8, 4, 0, "unknown type 0"},
	{SNP(0) + 8, 4, 2, "size 0x9000 for type 2, which has one page"},
	{SNP(2) + 8, 4, 2, "offset 0x3030: SNP section: a second one of type 2"},
	{SNP(1), 4, 0x808000, "address 0x808000 overlaps the section at 0x800000"},
	{FIRMWARE_HASHES, 4, 0x80fc00,
	 "hash table: 0x80fc00..0x810000 has less than 176 bytes"},
	{FIRMWARE_HASHES + 4, 4, 0x401,
	 "0x810c00..0x811001 has less than 176 bytes, or is not in"},
	{FIRMWARE_HASHES + 4, 4, 175, "0x810c00..0x810caf has less than 176 bytes"},
	{FIRMWARE_HASHES + 10, 1, 0, "a page for hashes at 0x810000, but no entry"},
};

static const struct breakage tdvf_breakages[] = {
	{FIRMWARE_TDX_ENTRY + 6, 1, 0, "firmware 'fw': offset 0x0: no TDVF metadata"},
	{FIRMWARE_TDX_ENTRY, 4, 0x4001, "TDVF metadata: 0x4001 bytes before the end"},
	{FIRMWARE_TDX_ENTRY, 4, 0x4000, "offset 0x0: no TDVF metadata"},
	{FIRMWARE_TDVF - 1, 1, 0, "offset 0x2010: no TDVF metadata"},
	{FIRMWARE_TDVF, 1, 'A', "offset 0x2010: TDVF metadata: signature 0x46564441"},
	{FIRMWARE_TDVF + 4, 4, 16, "TDVF metadata: length 16 for 6 sections"},
	{FIRMWARE_TDVF + 8, 4, 0, "TDVF metadata: version 0, not 1"},
	{FIRMWARE_TDVF + 12, 4, UINT32_MAX, "TDVF metadata: 4294967295 sections (1 to 64)"},
	{TDVF(0), 4, 0x1001,
	 "BFV: data offset 0x1001 + raw data size 0x3000 is beyond the image"},
	{TDVF(0), 4, UINT32_MAX, "BFV: data offset 0xffffffff"},
	{TDVF(0) + 4, 4, 0,
	 "offset 0x2024: TDVF section BFV: raw data size 0x0, which must not"},
	{TDVF(0) + 4, 4, 0x2ff0, "no measured section of type BFV holds the reset vector"},
	{TDVF(0) + 28, 4, 0, "no measured section of type BFV holds the reset vector"},
	{TDVF(0) + 28, 4, 3, "offset 0x203c: TDVF section BFV: attributes 0x3 (0x1 at most)"},
	{TDVF(1) + 4, 4, 0x1001,
	 "CFV: raw data size 0x1001 is larger than memory data size 0x1000"},
	{TDVF(1) + 8, 4, 0xffffc001, "address 0xffffc001, size 0x1000: no whole pages"},
	{TDVF(1) + 8, 4, 0xffffd000, "CFV: memory address 0xffffd000 overlaps the section at"},
	{TDVF(2) + 4, 4, 1, "TD_HOB: raw data size 0x1, which must be 0"},
	{TDVF(2) + 20, 4, 0x80000000, "ends beyond 0x800000000000"},
	{TDVF(2) + 12, 4, 0x8000, "ends beyond 0x800000000000"},
	{TDVF(3) + 24, 4, 2, "TDVF section: a second TD_HOB"},
	{TDVF(3) + 24, 4, 9, "TDVF section: unknown type 9"},
	{TDVF(3) + 28, 4, 1, "TempMem: attributes 0x1 (0x0 at most)"},
	{TDVF(4) + 16, 4, 0, "size 0x0: no whole pages"},
	{TDVF(5) + 4, 4, 0, "TD_INFO: raw data size 0x0, which must not be 0"},
	{TDVF(5) + 16, 4, 0x1000, "TD_INFO: memory address 0x0, size 0x1000; both must be 0"},
};

static void check_breakage(const struct breakage *breakage, bool snp)
{
	struct ovmf_snp ret_snp = {.n_sections = 0x1234};
	struct tdvf ret_tdvf = {.n_sections = 0x1234};
	struct firmware firmware;
	struct err err = {0};
	int ret;

	firmware_make(&firmware);
	memcpy(firmware.bytes + breakage->offset, &breakage->value, breakage->width);
	ret = snp ? ovmf_parse_snp(&firmware.image, &ret_snp, &err)
		  : tdvf_parse(&firmware.image, &ret_tdvf, &err);
	ck_assert_msg(ret == -ENOEXEC, "%s: %d '%s'", breakage->wanted, ret, err.text);
	ck_assert_msg(strstr(err.text, breakage->wanted) != NULL, "wanted '%s' in '%s'",
		      breakage->wanted, err.text);
	ck_assert_int_eq(strncmp(err.text, "firmware 'fw': ", 15), 0);
	ck_assert_uint_eq(ret_snp.n_sections, 0x1234);
	ck_assert_uint_eq(ret_tdvf.n_sections, 0x1234);
}

START_TEST(test_a_wrong_field_is_named_and_nothing_returned)
{
	for (size_t i = 0; i < ARRAY_SIZE(table_breakages); i++) {
		check_breakage(&table_breakages[i], true);
		check_breakage(&table_breakages[i], false);
	}
	for (size_t i = 0; i < ARRAY_SIZE(snp_breakages); i++)
		check_breakage(&snp_breakages[i], true);
	for (size_t i = 0; i < ARRAY_SIZE(tdvf_breakages); i++)
		check_breakage(&tdvf_breakages[i], false);
}
END_TEST

START_TEST(test_an_entry_that_comes_twice_is_refused)
{
	struct firmware firmware;
	struct err err = {0};
	struct ovmf_snp snp;

	firmware_make(&firmware);
	memcpy(firmware.bytes + FIRMWARE_SECRETS + 10, firmware.bytes + FIRMWARE_HASHES + 10,
	       16);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "comes again"));
}
END_TEST

/* The length of an entry of known type is checked before its data is read. */
START_TEST(test_an_entry_of_another_size_is_refused)
{
	struct firmware firmware;
	struct err err = {0};
	struct ovmf_snp snp;

	firmware_make(&firmware);
	firmware_put16(&firmware, FIRMWARE_FOOTER, 18 + 18);
	firmware_put16(&firmware, FIRMWARE_AP_ENTRY + 4, 18);
	memcpy(firmware.bytes + FIRMWARE_AP_ENTRY + 6, firmware.bytes + FIRMWARE_SNP_ENTRY + 6,
	       16);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "SEV metadata block has 0 bytes, not 4"));
}
END_TEST

START_TEST(test_a_table_has_an_end)
{
	struct firmware firmware;
	struct err err = {0};
	struct ovmf_snp snp;

	firmware_make(&firmware);
	for (unsigned int i = 1; i <= 65; i++) {
		firmware_put16(&firmware, FIRMWARE_FOOTER - i * 18, 18);
		memset(firmware.bytes + FIRMWARE_FOOTER - i * 18 + 2, (int)i, 16);
	}
	firmware_put16(&firmware, FIRMWARE_FOOTER, 18 + 65 * 18);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "GUID table: more than 64 entries"));
}
END_TEST

START_TEST(test_odd_sizes_are_refused)
{
	static const uint64_t sizes[] = {0,
					 1,
					 4095,
					 4097,
					 FIRMWARE_BYTES - 1,
					 (16 << 20) + 4096,
					 UINT64_MAX,
					 UINT64_MAX - 4095};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct firmware firmware;
		struct err err = {0};
		struct ovmf_snp snp;
		struct tdvf tdvf;

		firmware_make(&firmware);
		firmware.image.size_bytes = sizes[i];
		ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, &err), -ENOEXEC);
		ck_assert_ptr_nonnull(
			strstr(err.text, "firmware has whole pages, 4 KiB to 16 MiB"));
		ck_assert_int_eq(tdvf_parse(&firmware.image, &tdvf, NULL), -ENOEXEC);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_real_image_says_what_it_wants,
		test_sections_outside_the_file_are_refused,
		test_sections_of_a_td_are_taken,
		test_an_image_without_a_table_may_have_an_offset,
		test_a_hash_table_without_its_page_is_none,
		test_a_wrong_field_is_named_and_nothing_returned,
		test_an_entry_that_comes_twice_is_refused,
		test_an_entry_of_another_size_is_refused,
		test_a_table_has_an_end,
		test_odd_sizes_are_refused,
	};

	return unit_run(unit_suite("firmware_ovmf", tests, ARRAY_SIZE(tests)));
}
