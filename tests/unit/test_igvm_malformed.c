// SPDX-License-Identifier: GPL-2.0-or-later
/* IGVM files with one field wrong: each is named, and nothing is returned. */
#include <errno.h>

#include "tests/unit/igvm_files.h"
#include "tests/unit/unit.h"

struct breakage {
	uint32_t offset; /* in the file, or in the body of a header */
	unsigned int width;
	uint64_t value;
	const char *wanted;
};

/* Where the parts of the file are, and one of them. */
typedef uint32_t (*part_of)(const struct coconut *at);

static void check_refused(struct igvm_writer *writer, enum igvm_platform platform,
			  const char *wanted)
{
	struct igvm igvm = {.n_pieces = 0x1234};
	struct err err = {0};
	int ret = igvm_parse(&igvm, &writer->file, platform, &err);

	ck_assert_msg(ret == -ENOEXEC, "%s: %d '%s'", wanted, ret, err.text);
	ck_assert_msg(strstr(err.text, wanted) != NULL, "wanted '%s' in '%s'", wanted,
		      err.text);
	ck_assert_int_eq(strncmp(err.text, "igvm 'guest.igvm': ", 19), 0);
	ck_assert_uint_eq(igvm.n_pieces, 0x1234);
}

/* --- Fixed header --- */

static const struct breakage fixed_breakages[] = {
	{0, 1, 'i', "offset 0x0: fixed header: magic 0x4d564769, not \"IGVM\""},
	{4, 4, 0, "offset 0x4: fixed header: version 0, not 1 or 2"},
	{4, 4, 3, "fixed header: version 3, not 1 or 2"},
	{8, 4, 16, "offset 0x8: fixed header: variable headers at 0x10, which is inside"},
	{8, 4, 36, "variable headers at 0x24, which is inside of it or no multiple of 8"},
	{8, 4, 0xfffffff8, "offset 0xc: fixed header: variable headers end at 0x1"},
	{12, 4, UINT32_MAX,
	 "fixed header: variable headers end at 0x10000001f, after the file"},
	{16, 4, 0, "offset 0x10: fixed header: a file of 0 bytes, but it has"},
	{20, 4, 0x12345678, "offset 0x14: fixed header: checksum 0x12345678, but that of"},
	{24, 4, 1, "offset 0x18: fixed header: architecture 1, not 0 (x86-64)"},
	{28, 4, 65536, "offset 0x1c: fixed header: pages of 65536 bytes, not 4096"},
};

START_TEST(test_a_fixed_header_is_checked)
{
	static struct igvm_writer writer;

	for (size_t i = 0; i < ARRAY_SIZE(fixed_breakages); i++) {
		const struct breakage *breakage = &fixed_breakages[i];

		igvm_file_stage0(&writer);
		memcpy(writer.bytes + breakage->offset, &breakage->value, breakage->width);
		check_refused(&writer, IGVM_SNP, breakage->wanted);
	}
}
END_TEST

START_TEST(test_a_file_that_ends_early_is_refused)
{
	static struct igvm_writer writer;

	igvm_file_stage0(&writer);
	for (uint64_t bytes = 0; bytes < writer.data_end; bytes += bytes < 1024 ? 1 : 509) {
		writer.file.size_bytes = bytes;
		check_refused(&writer, IGVM_SNP, ": fixed header: ");
		if (bytes < 24)
			continue;
		/* Even when the header says so. */
		writer_put32(&writer, WRITER_TOTAL, (uint32_t)bytes);
		writer_put_checksum(&writer);
		check_refused(&writer, IGVM_SNP, "offset 0x");
	}
}
END_TEST

/* --- Variable headers --- */

START_TEST(test_sections_have_an_order)
{
	static struct igvm_writer writer;
	static const uint32_t types[] = {0x1, 0x101};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		igvm_file_stage0(&writer);
		writer_add(&writer, types[i], 16);
		writer_end(&writer);
		check_refused(&writer, IGVM_SNP,
			      i ? "GUEST_POLICY: comes after headers of a later section"
				: "SUPPORTED_PLATFORM: comes after headers of a later section");
	}
}
END_TEST

START_TEST(test_unknown_headers_are_refused_unless_optional)
{
	static const uint32_t types[] = {0x0,	0x2,   0x100, 0x106, 0x200, 0x201,
					 0x300, 0x306, 0x314, 0x400, 0x401, 0x7fffffff};
	static struct igvm_writer writer;
	char wanted[64];
	struct igvm igvm;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		igvm_file_stage0(&writer);
		writer_add(&writer, types[i] | 0x80000000, 5);
		writer_end(&writer);
		ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
		igvm_fini(&igvm);
		igvm_file_stage0(&writer);
		writer_add(&writer, types[i], 5);
		writer_end(&writer);
		snprintf(wanted, sizeof(wanted), "variable header: unknown type 0x%x",
			 types[i]);
		check_refused(&writer, IGVM_SNP, wanted);
	}
}
END_TEST

START_TEST(test_headers_that_say_nothing_to_us_are_passed_over)
{
	static struct igvm_writer writer;
	struct igvm igvm;

	writer_init(&writer, 1);
	writer_add_platform(&writer, WRITER_SNP, IGVM_SNP);
	writer_add(&writer, 0x104, 16);
	writer_add(&writer, 0x105, 16);
	writer_add_page(&writer, WRITER_SNP, 0x1000, 1, 0, 0);
	writer_add(&writer, 0x311, 864);
	writer_end(&writer);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert_uint_eq(igvm.n_pieces, 1);
	igvm_fini(&igvm);
}
END_TEST

/* The last header of the file is one of 5 bytes and 3 of padding. */
START_TEST(test_lengths_of_headers_are_checked)
{
	static struct igvm_writer writer;
	uint32_t body;

	igvm_file_stage0(&writer);
	body = writer_add(&writer, 0x80000999, 5);
	writer.bytes[body + 6] = 1;
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP, "of type 0x80000999: padding is not zero");
	writer_put32(&writer, body - 4, 9);
	writer_put_checksum(&writer);
	check_refused(&writer, IGVM_SNP, "length 9 exceeds the headers, which end at 0x");
	writer_put32(&writer, body - 4, UINT32_MAX);
	writer_put_checksum(&writer);
	check_refused(&writer, IGVM_SNP, "length 4294967295 exceeds the headers");
	writer_put32(&writer, body - 4, 5);
	writer.bytes[body + 6] = 0;
	writer_put32(&writer, WRITER_HEADERS_SIZE, body + 8 + 4 - 32);
	writer_put_checksum(&writer);
	check_refused(&writer, IGVM_SNP, "variable header: 4 bytes are left, not 8");
}
END_TEST

START_TEST(test_every_known_header_has_its_length)
{
	static const uint32_t types[] = {0x301, 0x302, 0x303, 0x304, 0x305, 0x307,
					 0x308, 0x309, 0x30a, 0x30b, 0x30c, 0x30d,
					 0x30e, 0x30f, 0x310, 0x312, 0x313};
	static struct igvm_writer writer;

	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		igvm_file_stage0(&writer);
		writer_add(&writer, types[i], 4);
		writer_end(&writer);
		check_refused(&writer, IGVM_SNP, ": length 4, not ");
	}
}
END_TEST

START_TEST(test_a_file_for_others_is_refused)
{
	static struct igvm_writer writer;

	igvm_file_native(&writer);
	check_refused(&writer, IGVM_SNP, "no SUPPORTED_PLATFORM header for SEV_SNP; give a");
	writer_init(&writer, 1);
	writer_add_platform(&writer, WRITER_SNP, IGVM_SNP);
	writer_end(&writer);
	check_refused(&writer, IGVM_TDX, "no SUPPORTED_PLATFORM header for TDX");
	check_refused(&writer, IGVM_SNP, "loads nothing on this platform");
}
END_TEST

/* --- Fields --- */

static void check_fields(const struct breakage *breakages, size_t n_breakages, part_of part)
{
	static struct igvm_writer writer;

	for (size_t i = 0; i < n_breakages; i++) {
		struct coconut at;
		uint32_t body;

		igvm_file_coconut(&writer, &at);
		body = part(&at) + breakages[i].offset;
		memcpy(writer.bytes + body, &breakages[i].value, breakages[i].width);
		writer_put_checksum(&writer);
		check_refused(&writer, IGVM_SNP, breakages[i].wanted);
	}
}

#define CHECK_FIELDS(part)                                                               \
	static uint32_t part##_of(const struct coconut *at)                              \
	{                                                                                \
		return at->part;                                                         \
	}                                                                                \
	START_TEST(test_fields_of_##part)                                                \
	{                                                                                \
		check_fields(part##_breakages, ARRAY_SIZE(part##_breakages), part##_of); \
	}                                                                                \
	END_TEST

static const struct breakage platform_breakages[] = {
	{0, 4, 0, "SUPPORTED_PLATFORM: compatibility mask 0x0 is not one bit of its own"},
	{0, 4, 9, "compatibility mask 0x9 is not one bit of its own"},
	{0, 4, 4, "compatibility mask 0x4 is not one bit of its own"},
	{5, 1, 1, "no SUPPORTED_PLATFORM header for SEV_SNP"},
	{5, 1, 3, "SUPPORTED_PLATFORM: platform TDX comes again"},
	{6, 2, 2, "offset 0x26: SUPPORTED_PLATFORM: version 2 of platform SEV_SNP, not 1"},
	{8, 8, UINT64_C(1) << 46, "shared memory from 0x400000000000 on, which KVM does not"},
	{8, 8, UINT64_C(1) << 47, "shared memory from 0x800000000000 on, which KVM does not"},
};
CHECK_FIELDS(platform)

static const struct breakage policy_breakages[] = {
	{0, 8, 0x10000, "GUEST_POLICY: 0x10000 is no policy of SEV_SNP; bit 17 is to be one"},
	{8, 4, 4, "SNP_ID_BLOCK: needs the policy that is signed with it"},
	{12, 4, 1, "GUEST_POLICY: bits 0x1 are set that are reserved"},
};
CHECK_FIELDS(policy)

static const struct breakage required_breakages[] = {
	{0, 8, 0x800, "REQUIRED_MEMORY: address 0x800, size 0x100000: no whole pages"},
	{0, 8, UINT64_C(0xfffffffffffff000), "no whole pages below 2^52"},
	{0, 8, (UINT64_C(1) << 52) - 0x1000, "no whole pages below 2^52"},
	{12, 4, 0x10, "size 0x10: no whole pages"},
};
CHECK_FIELDS(required)

static const struct breakage area_breakages[] = {
	{0, 8, 0, "PARAMETER_AREA: 0x0 bytes are no whole pages"},
	{0, 8, 0x1001, "PARAMETER_AREA: 0x1001 bytes are no whole pages"},
	{0, 8, UINT64_C(0xfffffffffffff000), "size 0xfffffffffffff000: no whole pages below"},
	{0, 8, UINT64_C(0x10000000000000), "size 0x10000000000000: no whole pages below 2^52"},
	{0, 8, 0x40000000,
	 "address 0x810000: overlaps what is loaded to 0x811000 by the header at 0x"},
	{8, 4, 1, "PARAMETER_AREA: area 1 comes again"},
	{8, 4, 7, "VP_COUNT_PARAMETER: area 0 is not declared before"},
	{12, 4, 1, "PARAMETER_AREA: 0x1000 bytes of data at 0x1, which are not between"},
	{12, 4, UINT32_MAX, "0x1000 bytes of data at 0xffffffff, which are not between"},
};
CHECK_FIELDS(area)

static const struct breakage vp_count_breakages[] = {
	{0, 4, 3, "VP_COUNT_PARAMETER: area 3 is not declared before"},
	{4, 4, 0x1000, "VP_COUNT_PARAMETER: 0x1000 is beyond area 0 (0x1000 bytes)"},
	{4, 4, UINT32_MAX, "VP_COUNT_PARAMETER: 0xffffffff is beyond area 0"},
};
CHECK_FIELDS(vp_count)

static const struct breakage insert_breakages[] = {
	{0, 8, 0x810010, "PARAMETER_INSERT: address 0x810010, size 0x1000: no whole pages"},
	{0, 8, 0x812000, "address 0x812000: overlaps what is loaded to 0x811000 by the"},
	{0, 8, 0x807000, "address 0x807000: overlaps what is loaded to 0x807000 by the"},
	{12, 4, 1, "PARAMETER_INSERT: area 1 was inserted before"},
	{12, 4, 9, "PARAMETER_INSERT: area 9 is not declared before"},
};
CHECK_FIELDS(insert)

static const struct breakage page_breakages[] = {
	{0, 8, 0x800001, "PAGE_DATA: address 0x800001, size 0x1000: no whole pages below 2^52"},
	{0, 8, UINT64_C(1) << 52, "address 0x10000000000000, size 0x1000: no whole pages"},
	{0, 8, UINT64_C(0xfffffffffffff000), "address 0xfffffffffffff000, size 0x1000"},
	{0, 8, 0x801000, "address 0x801000: overlaps what is loaded to 0x801000 by the header"},
	{12, 4, 32, "PAGE_DATA: 0x1000 bytes of data at 0x20, which are not between"},
	{12, 4, 0x7fffffff, "PAGE_DATA: 0x1000 bytes of data at 0x7fffffff"},
	{16, 4, 1, "PAGE_DATA: a page of 2 MiB; only 4 KiB are supported"},
	{16, 4, 4, "PAGE_DATA: a page that is shared at the start, which is not supported"},
	{16, 4, 0x80000008, "PAGE_DATA: bits 0x80000008 are set that are reserved"},
	{20, 2, 4, "PAGE_DATA: unknown data type 4"},
	{20, 2, UINT16_MAX, "PAGE_DATA: unknown data type 65535"},
	{22, 2, 1, "PAGE_DATA: reserved, but 0x1, not 0"},
};
CHECK_FIELDS(page)

static const struct breakage context_breakages[] = {
	{0, 8, 0x800000, "VP_CONTEXT: address 0x800000, not 0xfffffffff000, where KVM has it"},
	{12, 4, 0, "VP_CONTEXT: 0x1000 bytes of data at 0x0, which are not between"},
	{12, 4, 0x10, "VP_CONTEXT: 0x1000 bytes of data at 0x10, which are not between"},
	{16, 2, 1, "VP_CONTEXT: processor 1; only the first can be given a state, once"},
	{18, 2, 1, "VP_CONTEXT: reserved, but 0x1, not 0"},
};
CHECK_FIELDS(context)

static const struct breakage id_breakages[] = {
	{4, 1, 2, "SNP_ID_BLOCK: author key enabled: 2, not 0 or 1"},
	{5, 1, 1, "SNP_ID_BLOCK: bits 0x100 are set that are reserved"},
	{88, 4, 2, "SNP_ID_BLOCK: version 2, not 1"},
	{96, 4, 0, "SNP_ID_BLOCK: key algorithm 0, not 1 (ECDSA P-384 with SHA-384)"},
	{100, 4, 2, "SNP_ID_BLOCK: key algorithm 2, not 1"},
	{248, 4, 1, "SNP_ID_BLOCK: a key on curve 1, not 2 (P-384)"},
	{252, 4, 1, "SNP_ID_BLOCK: bits 0x1 are set that are reserved"},
	{544, 4, 0, "SNP_ID_BLOCK: a key on curve 0, not 2 (P-384)"},
	{548, 4, 0x80, "SNP_ID_BLOCK: bits 0x80 are set that are reserved"},
};

CHECK_FIELDS(id)

START_TEST(test_an_id_block_is_for_snp)
{
	static struct igvm_writer writer;
	struct coconut at;

	igvm_file_coconut(&writer, &at);
	writer_put32(&writer, at.id, WRITER_TDX);
	writer_put_checksum(&writer);
	check_refused(&writer, IGVM_TDX,
		      "SNP_ID_BLOCK: made for a platform that is not SEV_SNP");
}
END_TEST

/* --- What must not come, or not so often --- */

START_TEST(test_what_there_can_be_one_of_comes_once)
{
	static struct igvm_writer writer;
	uint8_t vmsa[GRANULE_BYTES] = {0};
	struct coconut at;

	igvm_file_coconut(&writer, &at);
	writer_add_context(&writer, WRITER_SNP, UINT64_C(0xfffffffff000), vmsa);
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP, "VP_CONTEXT: processor 0 again; only the first");
	igvm_file_coconut(&writer, &at);
	writer_add_id(&writer, WRITER_SNP, false);
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP, "SNP_ID_BLOCK: a second one for this platform");
	writer_init(&writer, 1);
	writer_add_platform(&writer, WRITER_SNP, IGVM_SNP);
	writer_add_policy(&writer, WRITER_SNP, 0x30000);
	writer_add_policy(&writer, WRITER_SNP, 0x30000);
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP, "GUEST_POLICY: a second one for this platform");
}
END_TEST

START_TEST(test_the_state_of_a_processor_is_measured_last)
{
	static struct igvm_writer writer;
	struct coconut at;

	igvm_file_coconut(&writer, &at);
	writer_add_page(&writer, WRITER_SNP, 0x1000, 0, 0, 0);
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP,
		      "PAGE_DATA: address 0x1000 comes after VP_CONTEXT, which KVM measures");
	igvm_file_coconut(&writer, &at);
	writer_add_area(&writer, 5, 0x1000, 0);
	writer_add_insert(&writer, WRITER_SNP, 0x1000, 5);
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP, "PARAMETER_INSERT: address 0x1000 comes after VP_");
}
END_TEST

START_TEST(test_what_tdx_does_not_have_is_refused)
{
	static struct igvm_writer writer;
	uint8_t context[GRANULE_BYTES] = {0};

	igvm_file_stage0(&writer);
	writer_add_context(&writer, WRITER_TDX, 0, context);
	writer_end(&writer);
	check_refused(&writer, IGVM_TDX, "VP_CONTEXT: processors of TDX have the state of");
	igvm_file_stage0(&writer);
	writer_add_page(&writer, WRITER_TDX, 0x5000, -1, 0, 1);
	writer_end(&writer);
	check_refused(&writer, IGVM_TDX, "PAGE_DATA: data type 1, which only SEV_SNP has");
	writer_init(&writer, 1);
	writer_add_platform(&writer, WRITER_TDX, IGVM_TDX);
	writer_add_page(&writer, WRITER_TDX, 0xfffff000, 1, 2, 0);
	writer_end(&writer);
	check_refused(&writer, IGVM_TDX, "no measured page at 0xfffff000, where processors");
}
END_TEST

START_TEST(test_a_native_state_has_no_address)
{
	static struct igvm_writer writer;
	uint8_t context[GRANULE_BYTES] = {0};

	igvm_file_native(&writer);
	writer_add_context(&writer, WRITER_NATIVE, 0x1000, context);
	writer_end(&writer);
	check_refused(&writer, IGVM_NATIVE, "VP_CONTEXT: address 0x1000, not 0x0");
}
END_TEST

START_TEST(test_a_region_that_has_to_move_is_refused)
{
	static struct igvm_writer writer;
	uint32_t body;
	struct igvm igvm;

	writer_init(&writer, 1);
	writer_add_platform(&writer, WRITER_SNP, IGVM_SNP);
	body = writer_add(&writer, 0x102, 48);
	writer_put32(&writer, body, WRITER_SNP);
	writer_put64(&writer, body + 8, 0x1000);
	writer_put64(&writer, body + 16, 0x100000);
	writer_put64(&writer, body + 24, 0x10000);
	writer_put64(&writer, body + 32, 0x100000);
	writer_put64(&writer, body + 40, 0x110000);
	writer_put32(&writer, writer_add(&writer, 0x103, 32), WRITER_SNP);
	writer_add_page(&writer, WRITER_SNP, 0x100000, 1, 0, 0);
	writer_end(&writer);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert_uint_eq(igvm.n_ranges, 1);
	ck_assert_uint_eq(igvm.ranges[0].gpa.end, 0x110000);
	igvm_fini(&igvm);
	writer_put64(&writer, body + 40, 0x10f000);
	writer_put_checksum(&writer);
	check_refused(&writer, IGVM_SNP, "RELOCATABLE_REGION: address 0x100000 has to be");
	writer_put64(&writer, body + 40, 0x110000);
	writer_put64(&writer, body + 32, 0x101000);
	writer_put_checksum(&writer);
	check_refused(&writer, IGVM_SNP, "RELOCATABLE_REGION: address 0x100000 has to be");
}
END_TEST

START_TEST(test_numbers_are_bounded)
{
	static struct igvm_writer writer;

	igvm_file_stage0(&writer);
	for (uint32_t i = 0; i < 65; i++)
		writer_add_area(&writer, i, 0x1000, 0);
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP, "PARAMETER_AREA: more than 64 areas");
	igvm_file_stage0(&writer);
	writer_add_area(&writer, 0, 0x1000, 0);
	for (uint32_t i = 0; i < 65; i++)
		writer_add_parameter(&writer, 0x307, 0, i);
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP, "VP_COUNT_PARAMETER: more than 64 parameters");
	igvm_file_stage0(&writer);
	for (uint32_t i = 0; i < 65; i++)
		writer_add_range(&writer, 0x305, WRITER_SNP, 0x1000, 0x1000);
	writer_end(&writer);
	check_refused(&writer, IGVM_SNP, "REQUIRED_MEMORY: more than 64 ranges of memory");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_fixed_header_is_checked,
		test_a_file_that_ends_early_is_refused,
		test_sections_have_an_order,
		test_unknown_headers_are_refused_unless_optional,
		test_headers_that_say_nothing_to_us_are_passed_over,
		test_lengths_of_headers_are_checked,
		test_every_known_header_has_its_length,
		test_a_file_for_others_is_refused,
		test_fields_of_platform,
		test_fields_of_policy,
		test_fields_of_required,
		test_fields_of_area,
		test_fields_of_vp_count,
		test_fields_of_insert,
		test_fields_of_page,
		test_fields_of_context,
		test_fields_of_id,
		test_an_id_block_is_for_snp,
		test_what_there_can_be_one_of_comes_once,
		test_the_state_of_a_processor_is_measured_last,
		test_what_tdx_does_not_have_is_refused,
		test_a_native_state_has_no_address,
		test_a_region_that_has_to_move_is_refused,
		test_numbers_are_bounded,
	};

	return unit_run(unit_suite("igvm_malformed", tests, ARRAY_SIZE(tests)));
}
