// SPDX-License-Identifier: GPL-2.0-or-later
/* What the boot stub decides by itself; that it then does it is tests/lab/stub's to show. */
#include "boot/stub/work.h"

#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

#define GPA_END (UINT64_C(1) << 51)

static struct stub_params params_make(uint32_t platform)
{
	return (struct stub_params){
		.magic = STUB_PARAMS_MAGIC,
		.version = STUB_PARAMS_VERSION,
		.platform = platform,
		.n_vcpus = 4,
		.c_bit = platform == STUB_PLATFORM_SNP ? 51 : 0,
		.entry = 0x1000200,
		.boot_params = 0x8000,
		.mailbox = STUB_MAILBOX_GPA,
		.n_ranges = 4,
		.ranges = {{0, 0x8000},
			   {0x9000, 0x1000000},
			   {0x1700000, 0xc0000000},
			   {0x100000000, 0x140000000}},
	};
}

static enum stub_fault check(const struct stub_params *params)
{
	return stub_params_check(params, params->platform, GPA_END);
}

START_TEST(test_good_parameters_are_good_on_both_platforms)
{
	struct stub_params snp = params_make(STUB_PLATFORM_SNP);
	struct stub_params tdx = params_make(STUB_PLATFORM_TDX);

	ck_assert_int_eq(check(&snp), STUB_OK);
	ck_assert_int_eq(check(&tdx), STUB_OK);
	ck_assert_int_eq(stub_params_check(&snp, STUB_PLATFORM_TDX, GPA_END),
			 STUB_BAD_PLATFORM);
	ck_assert_int_eq(stub_params_check(&tdx, STUB_PLATFORM_SNP, GPA_END),
			 STUB_BAD_PLATFORM);
	snp.n_ranges = 0;
	ck_assert_int_eq(check(&snp), STUB_OK);
}
END_TEST

/* One field of good parameters is changed: @bytes of @value at @offset. */
static const struct {
	size_t offset;
	size_t bytes;
	uint64_t value;
	enum stub_fault fault;
} bad_fields[] = {
#define FIELD(member) \
	offsetof(struct stub_params, member), sizeof(((struct stub_params *)0)->member)
	{FIELD(magic), STUB_PARAMS_MAGIC + 1, STUB_BAD_MAGIC},
	{FIELD(version), 0, STUB_BAD_VERSION},
	{FIELD(version), 2, STUB_BAD_VERSION},
	{FIELD(n_vcpus), 0, STUB_BAD_VCPUS},
	{FIELD(n_vcpus), 256, STUB_BAD_VCPUS},
	{FIELD(c_bit), 31, STUB_BAD_C_BIT},
	{FIELD(c_bit), 52, STUB_BAD_C_BIT},
	{FIELD(c_bit), 0xffffffff, STUB_BAD_C_BIT},
	{FIELD(entry), 0xfffff, STUB_BAD_ENTRY},
	{FIELD(entry), 0xc0000000, STUB_BAD_ENTRY},
	{FIELD(entry), STUB_IMAGE_GPA, STUB_BAD_ENTRY},
	{FIELD(entry), 0x100000200, STUB_BAD_ENTRY},
	{FIELD(entry), 0xfff200, STUB_BAD_LAUNCHED},
	{FIELD(entry), 0xbfffffff, STUB_BAD_LAUNCHED},
	{FIELD(boot_params), 0, STUB_BAD_BOOT_PARAMS},
	{FIELD(boot_params), 0x8001, STUB_BAD_BOOT_PARAMS},
	{FIELD(boot_params), 0xfffff000, STUB_BAD_BOOT_PARAMS},
	{FIELD(boot_params), 0x100008000, STUB_BAD_BOOT_PARAMS},
	{FIELD(boot_params), 0x7000, STUB_BAD_LAUNCHED},
	{FIELD(boot_params), 0x9000, STUB_BAD_LAUNCHED},
	{FIELD(mailbox), 0x8000, STUB_BAD_MAILBOX},
	{FIELD(mailbox), 0xffffb000, STUB_BAD_MAILBOX},
	{FIELD(reserved), 1, STUB_BAD_RESERVED},
	{FIELD(n_ranges), STUB_RANGES_MAX + 1, STUB_BAD_COUNT},
	{FIELD(n_ranges), 0xffffffff, STUB_BAD_COUNT},
	{FIELD(n_ranges), 5, STUB_BAD_ALIGN}, /* the fifth is empty */
	{FIELD(ranges[1].start), 0x9001, STUB_BAD_ALIGN},
	{FIELD(ranges[1].end), 0xffffff, STUB_BAD_ALIGN},
	{FIELD(ranges[1].start), 0x1000000, STUB_BAD_ALIGN},
	{FIELD(ranges[1].start), 0x2000000, STUB_BAD_ALIGN},
	{FIELD(ranges[1].start), 0x7000, STUB_BAD_ORDER},
	{FIELD(ranges[0].end), 0xa000, STUB_BAD_LAUNCHED},
	{FIELD(ranges[2].start), 0xfff000, STUB_BAD_ORDER},
	{FIELD(ranges[2].start), 0x1000000, STUB_BAD_LAUNCHED},
	{FIELD(ranges[2].end), 0xc0001000, STUB_BAD_LIMIT},
	{FIELD(ranges[2].end), 0x100000000, STUB_BAD_LIMIT},
	{FIELD(ranges[2].end), UINT64_MAX & ~UINT64_C(0xfff), STUB_BAD_LIMIT},
	{FIELD(ranges[3].start), 0xfffff000, STUB_BAD_LIMIT},
	{FIELD(ranges[3].start), 0xc0000000, STUB_BAD_LIMIT},
	{FIELD(ranges[3].start), STUB_FIRMWARE_GPA, STUB_BAD_LIMIT},
	{FIELD(ranges[3].end), GPA_END + 0x1000, STUB_BAD_LIMIT},
#undef FIELD
};

START_TEST(test_every_bad_parameter_is_refused_by_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_fields); i++) {
		struct stub_params params = params_make(STUB_PLATFORM_SNP);

		memcpy((uint8_t *)&params + bad_fields[i].offset, &bad_fields[i].value,
		       bad_fields[i].bytes);
		ck_assert_msg(check(&params) == bad_fields[i].fault,
			      "change %zu: fault %d, not %d", i, check(&params),
			      bad_fields[i].fault);
	}
}
END_TEST

START_TEST(test_memory_ends_where_the_platform_says)
{
	struct stub_params params = params_make(STUB_PLATFORM_SNP);

	params.ranges[3] = (struct stub_range){UINT64_C(1) << 46, UINT64_C(1) << 47};
	ck_assert_int_eq(stub_params_check(&params, STUB_PLATFORM_SNP, UINT64_C(1) << 47),
			 STUB_OK);
	ck_assert_int_eq(stub_params_check(&params, STUB_PLATFORM_SNP, UINT64_C(1) << 46),
			 STUB_BAD_LIMIT);
	params.ranges[3].end = GPA_END;
	ck_assert_int_eq(check(&params), STUB_OK);
}
END_TEST

START_TEST(test_chunks_are_the_ranges_cut_at_large_pages)
{
	struct stub_params params = params_make(STUB_PLATFORM_TDX);
	uint64_t n = stub_chunks_count(&params), chunk = 0;

	/* 1, then 0 to 16 MiB, 22 MiB (in a block of its own) to 3 GiB, 1 GiB. */
	ck_assert_uint_eq(n, 1 + 8 + (1536 - 11) + 512);
	for (uint32_t i = 0; i < params.n_ranges; i++) {
		uint64_t gpa = params.ranges[i].start;

		while (gpa < params.ranges[i].end) {
			struct stub_range piece = stub_chunk_get(&params, chunk++);

			ck_assert_uint_eq(piece.start, gpa);
			ck_assert_uint_gt(piece.end, gpa);
			ck_assert_uint_eq(piece.start / STUB_CHUNK_BYTES,
					  (piece.end - 1) / STUB_CHUNK_BYTES);
			ck_assert_int_eq(stub_chunk_is_whole(piece),
					 piece.start % STUB_CHUNK_BYTES == 0 &&
						 piece.end % STUB_CHUNK_BYTES == 0);
			gpa = piece.end;
		}
		ck_assert_uint_eq(gpa, params.ranges[i].end);
	}
	ck_assert_uint_eq(chunk, n);
}
END_TEST

static struct stub_cpuid_page cpuid_make(uint32_t ebx)
{
	return (struct stub_cpuid_page){
		.count = 3,
		.entries = {{.eax_in = 0, .eax = 0x10},
			    {.eax_in = 0x80000000, .eax = 0x80000028},
			    {.eax_in = 0x8000001f, .eax = 0x1a, .ebx = ebx}},
	};
}

START_TEST(test_cpuid_page_says_whether_to_evict)
{
	struct stub_cpuid_page page = cpuid_make(51 | 1 << 6);
	bool must_evict = false;

	ck_assert_int_eq(stub_cpuid_check(&page, 51, &must_evict), STUB_OK);
	ck_assert(must_evict);
	page = cpuid_make(51 | 1 << 6 | 1u << 31);
	ck_assert_int_eq(stub_cpuid_check(&page, 51, &must_evict), STUB_OK);
	ck_assert(!must_evict);
	ck_assert_int_eq(stub_cpuid_check(&page, 47, &must_evict), STUB_BAD_C_BIT);
	page.entries[2].eax = 0xa;
	ck_assert_int_eq(stub_cpuid_check(&page, 51, &must_evict), STUB_BAD_CPUID);
}
END_TEST

START_TEST(test_cpuid_pages_that_cannot_be_true_are_refused)
{
	struct stub_cpuid_page page = cpuid_make(51);
	bool must_evict;

	page.count = 0;
	ck_assert_int_eq(stub_cpuid_check(&page, 51, &must_evict), STUB_BAD_CPUID);
	page.count = STUB_CPUID_MAX + 1;
	ck_assert_int_eq(stub_cpuid_check(&page, 51, &must_evict), STUB_BAD_CPUID);
	page.count = 2;
	ck_assert_int_eq(stub_cpuid_check(&page, 51, &must_evict), STUB_BAD_CPUID);
	page = (struct stub_cpuid_page){.count = STUB_CPUID_MAX};
	page.entries[STUB_CPUID_MAX - 1] = cpuid_make(51).entries[2];
	ck_assert_int_eq(stub_cpuid_check(&page, 51, &must_evict), STUB_OK);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_good_parameters_are_good_on_both_platforms,
		test_every_bad_parameter_is_refused_by_name,
		test_memory_ends_where_the_platform_says,
		test_chunks_are_the_ranges_cut_at_large_pages,
		test_cpuid_page_says_whether_to_evict,
		test_cpuid_pages_that_cannot_be_true_are_refused,
	};

	return unit_run(unit_suite("stub", tests, ARRAY_SIZE(tests)));
}
