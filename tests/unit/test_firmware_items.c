// SPDX-License-Identifier: GPL-2.0-or-later
/* What firmware reads from fw_cfg, and the script for ACPI tables done as firmware does it. */
#include "boot/firmware/firmware.h"

#include <errno.h>
#include <linux/qemu_fw_cfg.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi/acpi.h"
#include "boot/place.h"
#include "tests/unit/images.h"
#include "vmm/err.h"
#include "vmm/platform.h"

/* Where this firmware puts the two files. */
#define TABLES_GPA UINT64_C(0x7ff24000)
#define RSDP_GPA   UINT64_C(0x7ff25010)

struct fixture {
	struct layout layout;
	struct boot_machine machine;
	struct boot_source source;
	struct firmware_items items;
	struct err err;
	int kernel_fd;
	int initrd_fd;
	char kernel_path[64];
	char initrd_path[64];
};

static void fixture_init(struct fixture *fixture, uint64_t ram_bytes, unsigned int n_vcpus)
{
	*fixture = (struct fixture){
		.machine = {.layout = &fixture->layout, .n_vcpus = n_vcpus},
		.source = {.cmdline = "console=ttyS0"},
		.kernel_fd = -1,
		.initrd_fd = -1,
	};
	ck_assert_int_eq(layout_init(&fixture->layout, ram_bytes, 46, NULL), 0);
}

static void fixture_fini(struct fixture *fixture)
{
	firmware_items_fini(&fixture->items);
	close(fixture->kernel_fd);
	close(fixture->initrd_fd);
}

static int fixture_make(struct fixture *fixture)
{
	return firmware_items_init(&fixture->items, &fixture->machine, &fixture->source,
				   &fixture->err);
}

static void set_kernel(struct fixture *fixture, const void *bytes, size_t size_bytes)
{
	image_write(bytes, size_bytes, &fixture->kernel_fd, fixture->kernel_path);
	fixture->source.kernel_path = fixture->kernel_path;
}

static const struct firmware_item *find(const struct fixture *fixture, uint16_t key,
					const char *name)
{
	for (unsigned int i = 0; i < fixture->items.n_items; i++) {
		const struct firmware_item *item = &fixture->items.items[i];

		if (name ? item->name && !strcmp(item->name, name)
			 : !item->name && item->key == key)
			return item;
	}
	return NULL;
}

static void expect(const struct fixture *fixture, uint16_t key, const char *name,
		   const void *bytes, size_t size_bytes)
{
	const struct firmware_item *item = find(fixture, key, name);

	ck_assert_ptr_nonnull(item);
	ck_assert_uint_eq(item->size_bytes, size_bytes);
	ck_assert_mem_eq(item->bytes, bytes, size_bytes);
}

static void expect_u32(const struct fixture *fixture, uint16_t key, uint32_t value)
{
	expect(fixture, key, NULL, &value, sizeof(value));
}

START_TEST(test_kernel_is_passed_on_as_it_is_in_its_file)
{
	struct fixture fixture;
	struct image image;

	fixture_init(&fixture, 512 * MIB, 2);
	bzimage_make(&image);
	memcpy(image.bytes, "MZ", 2);
	set_kernel(&fixture, image.bytes, image.size_bytes);
	ck_assert_int_eq(fixture_make(&fixture), 0);
	expect_u32(&fixture, FW_CFG_SETUP_SIZE, BZIMAGE_KERNEL_OFFSET);
	expect(&fixture, FW_CFG_SETUP_DATA, NULL, image.bytes, BZIMAGE_KERNEL_OFFSET);
	expect_u32(&fixture, FW_CFG_KERNEL_SIZE, BZIMAGE_KERNEL_BYTES);
	expect(&fixture, FW_CFG_KERNEL_DATA, NULL, image.bytes + BZIMAGE_KERNEL_OFFSET,
	       BZIMAGE_KERNEL_BYTES);
	expect_u32(&fixture, FW_CFG_CMDLINE_SIZE, 14);
	expect(&fixture, FW_CFG_CMDLINE_DATA, NULL, "console=ttyS0", 14);
	ck_assert_ptr_null(find(&fixture, FW_CFG_INITRD_SIZE, NULL));
	ck_assert_uint_eq(fixture.items.kernel.size_bytes, image.size_bytes);
	ck_assert_mem_eq(fixture.items.kernel.bytes, image.bytes, image.size_bytes);
	ck_assert_uint_eq(fixture.items.cmdline.size_bytes, 14);
	ck_assert_ptr_null(fixture.items.initrd.bytes);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_initrd_is_passed_on)
{
	struct fixture fixture;
	struct image image;

	fixture_init(&fixture, 512 * MIB, 2);
	bzimage_make(&image);
	memcpy(image.bytes, "MZ", 2);
	set_kernel(&fixture, image.bytes, image.size_bytes);
	image_write("cpio", 4, &fixture.initrd_fd, fixture.initrd_path);
	fixture.source.initrd_path = fixture.initrd_path;
	ck_assert_int_eq(fixture_make(&fixture), 0);
	expect_u32(&fixture, FW_CFG_INITRD_SIZE, 4);
	expect(&fixture, FW_CFG_INITRD_DATA, NULL, "cpio", 4);
	ck_assert_uint_eq(fixture.items.initrd.size_bytes, 4);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_other_efi_programs_are_in_one_piece)
{
	static const uint8_t program[1024] = {'M', 'Z', 0x90};
	struct fixture fixture;

	fixture_init(&fixture, 512 * MIB, 1);
	set_kernel(&fixture, program, sizeof(program));
	ck_assert_int_eq(fixture_make(&fixture), 0);
	expect_u32(&fixture, FW_CFG_SETUP_SIZE, 0);
	expect_u32(&fixture, FW_CFG_KERNEL_SIZE, sizeof(program));
	expect(&fixture, FW_CFG_KERNEL_DATA, NULL, program, sizeof(program));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_kernels_that_firmware_cannot_start_are_refused)
{
	struct fixture fixture;
	struct image image;

	fixture_init(&fixture, 512 * MIB, 1);
	/* No EFI stub. */
	bzimage_make(&image);
	set_kernel(&fixture, image.bytes, image.size_bytes);
	ck_assert_int_eq(fixture_make(&fixture), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "CONFIG_EFI_STUB"));
	close(fixture.kernel_fd);
	/* Setup code that would be longer than the file. */
	memcpy(image.bytes, "MZ", 2);
	bzimage_get_setup(&image)->setup_sects = 200;
	set_kernel(&fixture, image.bytes, image.size_bytes);
	ck_assert_int_eq(fixture_make(&fixture), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "offset 0x1f1"));
	close(fixture.kernel_fd);
	set_kernel(&fixture, "M", 1);
	ck_assert_int_eq(fixture_make(&fixture), -ENOEXEC);
	fixture.source.kernel_path = "/nonexistent";
	ck_assert_int_eq(fixture_make(&fixture), -ENOENT);
	ck_assert_uint_eq(fixture.items.n_kept, 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_machine_is_described)
{
	/* 20 bytes each: below the hole, and above 4 GiB. */
	static const uint8_t e820[40] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0, 0, 1, 0, 0, 0,
		0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0x40, 0, 0, 0, 0, 1, 0, 0, 0,
	};
	struct fixture fixture;
	const struct firmware_item *item;
	uint64_t words[17];
	uint16_t n_vcpus = 255;

	fixture_init(&fixture, 4 * GIB, n_vcpus);
	ck_assert_int_eq(fixture_make(&fixture), 0);
	expect(&fixture, FW_CFG_NB_CPUS, NULL, &n_vcpus, sizeof(n_vcpus));
	expect(&fixture, FW_CFG_MAX_CPUS, NULL, &n_vcpus, sizeof(n_vcpus));
	expect(&fixture, 0, "etc/e820", e820, sizeof(e820));
	ck_assert_ptr_null(find(&fixture, FW_CFG_KERNEL_SIZE, NULL));
	ck_assert_ptr_null(find(&fixture, FW_CFG_CMDLINE_SIZE, NULL));

	item = find(&fixture, 0, "etc/hardware-info");
	ck_assert_ptr_nonnull(item);
	ck_assert_uint_eq(item->size_bytes, sizeof(words));
	memcpy(words, item->bytes, sizeof(words));
	ck_assert_uint_eq(words[0], 1);				 /* host bridge */
	ck_assert_uint_eq(words[1], sizeof(words) - 16);	 /* of that size */
	ck_assert_uint_eq(words[2], 0);				 /* version */
	ck_assert_uint_eq(words[3], 0x10001);			 /* ISA ports */
	ck_assert_uint_eq(words[4], 5 | UINT64_C(0xff00) << 32); /* flags, buses 0..255 */
	ck_assert_uint_eq(words[6], 0);				 /* no I/O ports */
	ck_assert_uint_eq(words[7], PLATFORM_MMIO32_GPA);
	ck_assert_uint_eq(words[8], PLATFORM_MMIO32_BYTES);
	ck_assert_uint_eq(words[11], fixture.layout.mmio64.start);
	ck_assert_uint_eq(words[12], range_size(fixture.layout.mmio64));
	ck_assert_uint_eq(words[15], PLATFORM_ECAM_GPA);
	ck_assert_uint_eq(words[16], PLATFORM_ECAM_BYTES);
	fixture_fini(&fixture);
}
END_TEST

/* --- The script --- */

struct file {
	const char *name;
	uint8_t *bytes;
	uint32_t size_bytes;
	uint64_t gpa;
	bool is_allocated;
};

static uint32_t get_u32(const uint8_t *bytes)
{
	uint32_t value;

	memcpy(&value, bytes, sizeof(value));
	return value;
}

static struct file *find_file(struct file files[2], const uint8_t *name)
{
	ck_assert_uint_eq(name[55], 0);
	for (unsigned int i = 0; i < 2; i++) {
		if (!strcmp(files[i].name, (const char *)name))
			return &files[i];
	}
	ck_abort_msg("no file %s", name);
	return NULL;
}

static void add_pointer(struct file files[2], const uint8_t *command)
{
	struct file *in = find_file(files, command);
	const struct file *to = find_file(files, command + 56);
	uint32_t offset = get_u32(command + 112);
	uint8_t size_bytes = command[116];
	uint64_t value = 0;

	ck_assert(in->is_allocated && to->is_allocated);
	ck_assert(size_bytes == 4 || size_bytes == 8);
	ck_assert_uint_le(offset + size_bytes, in->size_bytes);
	memcpy(&value, in->bytes + offset, size_bytes);
	ck_assert_uint_lt(value, to->size_bytes);
	value += to->gpa;
	memcpy(in->bytes + offset, &value, size_bytes);
}

static void add_checksum(struct file files[2], const uint8_t *command)
{
	struct file *file = find_file(files, command);
	uint32_t result = get_u32(command + 56);
	uint32_t start = get_u32(command + 60);
	uint32_t size_bytes = get_u32(command + 64);
	uint8_t sum = 0;

	ck_assert_uint_le(start + size_bytes, file->size_bytes);
	ck_assert_uint_lt(result - start, size_bytes);
	for (uint32_t i = 0; i < size_bytes; i++)
		sum = (uint8_t)(sum + file->bytes[start + i]);
	file->bytes[result] = (uint8_t)-sum;
}

static void run_script(struct file files[2], const uint8_t *script, uint32_t size_bytes)
{
	ck_assert_uint_eq(size_bytes % 128, 0);
	for (uint32_t at = 0; at < size_bytes; at += 128) {
		switch (get_u32(script + at)) {
		case 1:
			find_file(files, script + at + 4)->is_allocated = true;
			ck_assert_uint_le(get_u32(script + at + 60), 4096);
			ck_assert(script[at + 64] == 1 || script[at + 64] == 2);
			break;
		case 2:
			add_pointer(files, script + at + 4);
			break;
		case 3:
			add_checksum(files, script + at + 4);
			break;
		default:
			ck_abort_msg("an unknown command");
		}
	}
}

static uint8_t *copy_of(const struct firmware_item *item)
{
	uint8_t *copy = malloc(item->size_bytes);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, item->bytes, item->size_bytes);
	return copy;
}

/* Moved by the script, the tables are what they would be if made for that place. */
START_TEST(test_script_makes_the_tables_of_the_place_they_are_put_to)
{
	static uint8_t wanted[PLACE_HW_BYTES];
	const struct firmware_item *tables, *rsdp, *script;
	struct fixture fixture;
	struct file files[2];
	size_t wanted_bytes;
	uint64_t xsdt_gpa;
	uint8_t sum = 0;

	fixture_init(&fixture, 2 * GIB, 7);
	ck_assert_int_eq(fixture_make(&fixture), 0);
	tables = find(&fixture, 0, "etc/acpi/tables");
	rsdp = find(&fixture, 0, "etc/acpi/rsdp");
	script = find(&fixture, 0, "etc/table-loader");
	ck_assert(tables && rsdp && script);
	ck_assert_uint_eq(rsdp->size_bytes, 36);
	files[0] = (struct file){"etc/acpi/tables", copy_of(tables), tables->size_bytes,
				 TABLES_GPA, false};
	files[1] = (struct file){"etc/acpi/rsdp", copy_of(rsdp), 36, RSDP_GPA, false};
	run_script(files, script->bytes, script->size_bytes);

	wanted_bytes =
		acpi_tables_init(wanted, sizeof(wanted), TABLES_GPA - 48, &fixture.machine);
	ck_assert_uint_eq(wanted_bytes, 48 + files[0].size_bytes);
	ck_assert_mem_eq(files[0].bytes, wanted + 48, files[0].size_bytes);
	ck_assert_mem_eq(files[1].bytes, wanted, 36);
	memcpy(&xsdt_gpa, files[1].bytes + 24, sizeof(xsdt_gpa));
	ck_assert_mem_eq(files[0].bytes + (xsdt_gpa - TABLES_GPA), "XSDT", 4);
	for (unsigned int i = 0; i < 36; i++)
		sum = (uint8_t)(sum + files[1].bytes[i]);
	ck_assert_uint_eq(sum, 0);
	free(files[0].bytes);
	free(files[1].bytes);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_largest_machine_fits)
{
	struct fixture fixture;

	fixture_init(&fixture, 2048 * GIB, PLATFORM_VCPUS_MAX);
	ck_assert_int_eq(fixture_make(&fixture), 0);
	ck_assert_uint_eq(find(&fixture, 0, "etc/e820")->size_bytes, 3 * 20);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_kernel_is_passed_on_as_it_is_in_its_file,
		test_initrd_is_passed_on,
		test_other_efi_programs_are_in_one_piece,
		test_kernels_that_firmware_cannot_start_are_refused,
		test_machine_is_described,
		test_script_makes_the_tables_of_the_place_they_are_put_to,
		test_largest_machine_fits,
	};

	return unit_run(unit_suite("firmware_items", tests, ARRAY_SIZE(tests)));
}
