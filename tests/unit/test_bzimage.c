// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/kernel.h"

#include <errno.h>

#include "tests/unit/images.h"
#include "vmm/err.h"

static int parse(const struct image *image, struct kernel *ret_kernel, struct err *err)
{
	struct image_file file = {0};
	char path[64];
	int fd, ret;

	image_write(image->bytes, image->size_bytes, &fd, path);
	ret = image_file_open(&file, "kernel", path, err);
	if (!ret)
		ret = bzimage_parse(&file, ret_kernel, err);
	image_file_close(&file);
	close(fd);
	return ret;
}

START_TEST(test_header_becomes_values)
{
	struct kernel kernel;
	struct image image;

	bzimage_make(&image);
	ck_assert(bzimage_probe(image.bytes, KERNEL_HEAD_BYTES));
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_int_eq(kernel.mode, BOOT_MODE_LONG64);
	ck_assert_uint_eq(kernel.entry, 16 * MIB + 0x200);
	ck_assert_uint_eq(kernel.n_segments, 1);
	ck_assert_uint_eq(kernel.segments[0].gpa, 16 * MIB);
	ck_assert_uint_eq(kernel.segments[0].file_offset, BZIMAGE_KERNEL_OFFSET);
	ck_assert_uint_eq(kernel.segments[0].file_bytes, BZIMAGE_KERNEL_BYTES);
	ck_assert_uint_eq(kernel.segments[0].zero_bytes, 0);
	ck_assert_uint_eq(kernel.segments[0].room_bytes, 16 * MIB);
	ck_assert_uint_eq(kernel.cmdline_max_bytes, 2047);
	ck_assert_uint_eq(kernel.initrd_last_max, 0x7fffffff);
	ck_assert_mem_eq(&kernel.setup, bzimage_get_setup(&image), sizeof(kernel.setup));
}
END_TEST

START_TEST(test_no_setup_sectors_stands_for_four)
{
	struct kernel kernel;
	struct image image;

	bzimage_make(&image);
	bzimage_get_setup(&image)->setup_sects = 0;
	image.size_bytes = 5 * 512 + BZIMAGE_KERNEL_BYTES;
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_uint_eq(kernel.segments[0].file_offset, 5 * 512);
	image.size_bytes--;
	ck_assert_int_eq(parse(&image, &kernel, NULL), -ENOEXEC);
}
END_TEST

START_TEST(test_relocatable_kernel_goes_to_the_next_aligned_address)
{
	struct kernel kernel;
	struct image image;

	bzimage_make(&image);
	bzimage_get_setup(&image)->pref_address = 16 * MIB + 1;
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_uint_eq(kernel.segments[0].gpa, 18 * MIB);
	ck_assert_uint_eq(kernel.entry, 18 * MIB + 0x200);

	bzimage_get_setup(&image)->relocatable_kernel = 0;
	bzimage_get_setup(&image)->kernel_alignment = 0;
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_uint_eq(kernel.segments[0].gpa, 16 * MIB + 1);
}
END_TEST

START_TEST(test_what_follows_the_kernel_is_not_loaded)
{
	struct kernel kernel;
	struct image image;

	bzimage_make(&image);
	image.size_bytes += 1000; /* a signature */
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_uint_eq(kernel.segments[0].file_bytes, BZIMAGE_KERNEL_BYTES);
}
END_TEST

/* The jump over the header tells where it ends: fields beyond are code and must read as zero.
 */
START_TEST(test_short_header_ends_where_its_jump_says)
{
	struct kernel kernel;
	struct image image;

	bzimage_make(&image);
	bzimage_get_setup(&image)->handover_offset = 0xdeadbeef;
	bzimage_get_setup(&image)->jump = (uint16_t)(0xeb | (0x264 - 0x202) << 8);
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_uint_eq(kernel.setup.init_size, 16 * MIB);
	ck_assert_uint_eq(kernel.setup.handover_offset, 0);

	bzimage_get_setup(&image)->jump = 0xffeb;
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_uint_eq(kernel.setup.handover_offset, 0xdeadbeef);
}
END_TEST

/* --- One field broken at a time --- */

#define BREAK(name, statement)                                         \
	static void break_##name(struct image *image)                  \
	{                                                              \
		struct setup_header *setup = bzimage_get_setup(image); \
		statement;                                             \
	}

BREAK(boot_flag, setup->boot_flag = 0)
BREAK(magic, setup->header = 0x53726449)
BREAK(version, setup->version = 0x020b)
BREAK(loadflags, setup->loadflags = 0)
BREAK(xloadflags, setup->xloadflags = XLF_CAN_BE_LOADED_ABOVE_4G)
BREAK(syssize_zero, setup->syssize = 0)
BREAK(syssize_entry, setup->syssize = 0x200 / 16)
BREAK(syssize_huge, setup->syssize = UINT32_MAX)
BREAK(syssize_file, setup->syssize++)
BREAK(setup_sects, setup->setup_sects = 255)
BREAK(init_size, setup->init_size = BZIMAGE_KERNEL_BYTES - 1)
BREAK(alignment_zero, setup->kernel_alignment = 0)
BREAK(alignment_odd, setup->kernel_alignment = 0x300000)
BREAK(pref_low, setup->pref_address = 0x90000)
BREAK(pref_high, setup->pref_address = 4 * GIB)
BREAK(pref_wraps, setup->pref_address = UINT64_MAX)
BREAK(cmdline_size, setup->cmdline_size = 0)
BREAK(initrd_max, setup->initrd_addr_max = 0)

static const struct {
	void (*break_image)(struct image *image);
	const char *wanted;
} broken[] = {
	{break_boot_flag, "boot_flag 0x0"},
	{break_magic, "header 0x53726449"},
	{break_version, "boot protocol 2.11 is older than 2.12"},
	{break_loadflags, "loadflags 0x0"},
	{break_xloadflags, "a 32-bit kernel"},
	{break_syssize_zero, "syssize 0x0 is too small"},
	{break_syssize_entry, "syssize 0x20 is too small"},
	{break_syssize_huge, "init_size 0x1000000 is smaller"},
	{break_syssize_file,
	 "too short for the kernel by syssize (4112 bytes at offset 0x400)"},
	{break_setup_sects, "(4096 bytes at offset 0x20000)"},
	{break_init_size, "init_size 0xfff is smaller"},
	{break_alignment_zero, "kernel_alignment 0x0 is no power of two"},
	{break_alignment_odd, "kernel_alignment 0x300000 is no power of two"},
	{break_pref_low, "pref_address 0x90000 is not between"},
	{break_pref_high, "pref_address 0x100000000 is not between"},
	{break_pref_wraps, "pref_address 0xffffffffffffffff is not between"},
	{break_cmdline_size, "cmdline_size 0x0"},
	{break_initrd_max, "initrd_addr_max 0x0"},
};

START_TEST(test_a_wrong_field_is_named_and_nothing_returned)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct kernel kernel = {.entry = 0x1234};
		struct err err = {0};
		struct image image;

		bzimage_make(&image);
		broken[i].break_image(&image);
		ck_assert_int_eq(parse(&image, &kernel, &err), -ENOEXEC);
		ck_assert_int_eq(err.code, -ENOEXEC);
		ck_assert_msg(strstr(err.text, broken[i].wanted) != NULL, "wanted '%s' in '%s'",
			      broken[i].wanted, err.text);
		ck_assert_int_eq(strncmp(err.text, "kernel '", 8), 0);
		ck_assert_uint_eq(kernel.entry, 0x1234);
	}
}
END_TEST

START_TEST(test_every_truncation_is_refused)
{
	struct kernel kernel;
	struct image image;
	size_t full_bytes;

	bzimage_make(&image);
	full_bytes = image.size_bytes;
	for (size_t size_bytes = 0; size_bytes < full_bytes; size_bytes += 61) {
		image.size_bytes = size_bytes;
		ck_assert_int_eq(parse(&image, &kernel, NULL), size_bytes ? -ENOEXEC : -EINVAL);
		ck_assert_int_eq(bzimage_probe(image.bytes, size_bytes),
				 size_bytes >= KERNEL_HEAD_BYTES);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_header_becomes_values,
		test_no_setup_sectors_stands_for_four,
		test_relocatable_kernel_goes_to_the_next_aligned_address,
		test_what_follows_the_kernel_is_not_loaded,
		test_short_header_ends_where_its_jump_says,
		test_a_wrong_field_is_named_and_nothing_returned,
		test_every_truncation_is_refused,
	};

	return unit_run(unit_suite("bzimage", tests, ARRAY_SIZE(tests)));
}
