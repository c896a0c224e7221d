// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole boots into the fake kernel's guest memory, looked at as the guest would. */
#include "boot/boot.h"

#include <errno.h>
#include <libfdt.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "boot/file.h"
#include "boot/params.h"
#include "boot/place.h"
#include "boot/pvh.h"
#include "tests/fake/fake.h"
#include "tests/unit/images.h"
#include "vmm/err.h"

struct fixture {
	struct fake *fake;
	int vm;
	struct layout layout;
	struct guest_memory *memory;
	struct boot_machine machine;
	struct boot_source source;
	struct boot_entry entry;
	struct err err;
	int kernel_fd;
	int initrd_fd;
	char kernel_path[64];
	char initrd_path[64];
};

static void fixture_init(struct fixture *fixture, uint64_t ram_bytes)
{
	struct host *host;

	*fixture = (struct fixture){
		.fake = fake_new(),
		.kernel_fd = -1,
		.initrd_fd = -1,
		.source = {.kernel_path = fixture->kernel_path, .cmdline = "console=ttyS0"},
		.machine = {.layout = &fixture->layout, .n_vcpus = 4},
	};
	host = fake_host(fixture->fake);
	fixture->vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	ck_assert_int_ge(fixture->vm, 0);
	ck_assert_int_eq(layout_init(&fixture->layout, ram_bytes, 46, NULL), 0);
	ck_assert_int_eq(guest_memory_new(host, fixture->vm, &fixture->layout, BACKING_PLAIN,
					  &fixture->memory, NULL),
			 0);
}

static void fixture_fini(struct fixture *fixture)
{
	guest_memory_free(fixture->memory);
	host_close(fake_host(fixture->fake), fixture->vm);
	fake_free(fixture->fake);
	close(fixture->kernel_fd);
	close(fixture->initrd_fd);
}

static void fixture_set_kernel(struct fixture *fixture, const struct image *image)
{
	image_write(image->bytes, image->size_bytes, &fixture->kernel_fd, fixture->kernel_path);
}

static void fixture_set_initrd(struct fixture *fixture, size_t size_bytes)
{
	uint8_t *bytes = malloc(size_bytes);

	ck_assert_ptr_nonnull(bytes);
	for (size_t i = 0; i < size_bytes; i++)
		bytes[i] = (uint8_t)(i * 7);
	image_write(bytes, size_bytes, &fixture->initrd_fd, fixture->initrd_path);
	fixture->source.initrd_path = fixture->initrd_path;
	free(bytes);
}

static int fixture_load(struct fixture *fixture)
{
	return boot_load(fixture->memory, &fixture->machine, &fixture->source, NULL,
			 &fixture->entry, &fixture->err);
}

static void fixture_read(struct fixture *fixture, gpa_t gpa, void *buffer, size_t size_bytes)
{
	ck_assert_int_eq(guest_read(fixture->memory, gpa, buffer, size_bytes), 0);
}

static uint64_t fixture_read_u64(struct fixture *fixture, gpa_t gpa)
{
	uint64_t value;

	fixture_read(fixture, gpa, &value, sizeof(value));
	return value;
}

static void check_bytes(struct fixture *fixture, gpa_t gpa, size_t size_bytes, uint8_t wanted)
{
	uint8_t byte;

	for (size_t i = 0; i < size_bytes; i++) {
		fixture_read(fixture, gpa + i, &byte, 1);
		ck_assert_uint_eq(byte, wanted);
	}
}

/* Where a 64-bit kernel's address leads through the page tables. */
static gpa_t walk(struct fixture *fixture, gpa_t cr3, uint64_t address)
{
	uint64_t entry = cr3;

	for (unsigned int shift = 39; shift >= 21; shift -= 9) {
		gpa_t table = entry & UINT64_C(0x000ffffffffff000);

		entry = fixture_read_u64(fixture, table + (address >> shift & 511) * 8);
		ck_assert_uint_eq(entry & 1, 1);
		if (entry & 0x80)
			return (entry & UINT64_C(0x000fffffffe00000)) | (address & 0x1fffff);
	}
	ck_abort_msg("no large page");
	return 0;
}

START_TEST(test_bzimage_is_entered_as_the_boot_protocol_says)
{
	struct fixture fixture;
	struct boot_params params;
	struct image image;
	char cmdline[32];

	fixture_init(&fixture, 256 * MIB);
	bzimage_make(&image);
	fixture_set_kernel(&fixture, &image);
	ck_assert_msg(fixture_load(&fixture) == 0, "%s", fixture.err.text);

	ck_assert_int_eq(fixture.entry.mode, BOOT_MODE_LONG64);
	ck_assert_uint_eq(fixture.entry.rip, 16 * MIB + 0x200);
	ck_assert_uint_eq(fixture.entry.rbx, 0);
	check_bytes(&fixture, 16 * MIB, BZIMAGE_KERNEL_BYTES, 0x90);
	check_bytes(&fixture, 16 * MIB + BZIMAGE_KERNEL_BYTES, 4096, 0);

	fixture_read(&fixture, fixture.entry.rsi, &params, sizeof(params));
	ck_assert_uint_eq(params.hdr.header, 0x53726448);
	ck_assert_uint_eq(params.hdr.type_of_loader, 0xff);
	ck_assert_uint_eq(params.hdr.code32_start, 16 * MIB);
	ck_assert_uint_eq(params.hdr.ramdisk_size, 0);
	ck_assert_uint_eq(params.hdr.setup_data, 0);
	ck_assert_uint_eq(params.sentinel, 0);
	fixture_read(&fixture, params.hdr.cmd_line_ptr, cmdline, sizeof(cmdline));
	ck_assert_str_eq(cmdline, "console=ttyS0");
	ck_assert_uint_eq(fixture_read_u64(&fixture, params.acpi_rsdp_addr),
			  UINT64_C(0x2052545020445352)); /* "RSD PTR " */

	ck_assert_uint_eq(fixture_read_u64(&fixture, fixture.entry.gdt), 0);
	ck_assert_uint_eq(fixture_read_u64(&fixture, fixture.entry.gdt + BOOT_CODE_SELECTOR),
			  UINT64_C(0x00af9b000000ffff));
	ck_assert_uint_eq(fixture_read_u64(&fixture, fixture.entry.gdt + BOOT_DATA_SELECTOR),
			  UINT64_C(0x00cf93000000ffff));
	for (uint64_t address = 0; address < 4 * GIB; address += 2 * MIB)
		ck_assert_uint_eq(walk(&fixture, fixture.entry.cr3, address + 5), address + 5);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_elf_is_entered_by_pvh)
{
	struct fixture fixture;
	struct hvm_start_info info;
	struct hvm_module module;
	struct image image;
	char cmdline[32];

	fixture_init(&fixture, 256 * MIB);
	elf_make(&image);
	fixture_set_kernel(&fixture, &image);
	fixture_set_initrd(&fixture, 5000);
	/* Memory is not clean: a bss must be made so. */
	ck_assert_int_eq(guest_write(fixture.memory, 32 * MIB + 0x1ff8, "dirt", 4), 0);
	ck_assert_msg(fixture_load(&fixture) == 0, "%s", fixture.err.text);

	ck_assert_int_eq(fixture.entry.mode, BOOT_MODE_PVH32);
	ck_assert_uint_eq(fixture.entry.rip, 16 * MIB + 0x100);
	ck_assert_uint_eq(fixture.entry.rsi, 0);
	ck_assert_uint_eq(fixture.entry.cr3, 0);
	check_bytes(&fixture, 16 * MIB, 0x1000, 0x90);
	check_bytes(&fixture, 32 * MIB, 0x1000, 0x91);
	check_bytes(&fixture, 32 * MIB + 0x1000, 0x2000, 0);
	ck_assert_uint_eq(fixture_read_u64(&fixture, fixture.entry.gdt + BOOT_CODE_SELECTOR),
			  UINT64_C(0x00cf9b000000ffff));

	fixture_read(&fixture, fixture.entry.rbx, &info, sizeof(info));
	ck_assert_uint_eq(info.magic, 0x336ec578);
	ck_assert_uint_eq(info.version, 1);
	ck_assert_uint_eq(info.n_modules, 1);
	fixture_read(&fixture, info.modules_gpa, &module, sizeof(module));
	ck_assert_uint_eq(module.gpa, 256 * MIB - 2 * GRANULE_BYTES);
	ck_assert_uint_eq(module.size_bytes, 5000);
	fixture_read(&fixture, info.cmdline_gpa, cmdline, sizeof(cmdline));
	ck_assert_str_eq(cmdline, "console=ttyS0");
	ck_assert_uint_eq(fixture_read_u64(&fixture, info.rsdp_gpa),
			  UINT64_C(0x2052545020445352));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_device_tree_comes_as_setup_data_and_without_rsdp)
{
	struct fixture fixture;
	struct boot_params params;
	struct setup_data data;
	struct image image;
	uint8_t *fdt;

	fixture_init(&fixture, 256 * MIB);
	fixture.machine.hw = BOOT_HW_FDT;
	bzimage_make(&image);
	fixture_set_kernel(&fixture, &image);
	ck_assert_msg(fixture_load(&fixture) == 0, "%s", fixture.err.text);

	fixture_read(&fixture, fixture.entry.rsi, &params, sizeof(params));
	ck_assert_uint_eq(params.acpi_rsdp_addr, 0);
	fixture_read(&fixture, params.hdr.setup_data, &data, sizeof(data));
	ck_assert_uint_eq(data.next, 0);
	ck_assert_uint_eq(data.type, SETUP_DTB);
	fdt = malloc(data.len);
	ck_assert_ptr_nonnull(fdt);
	fixture_read(&fixture, params.hdr.setup_data + sizeof(data), fdt, data.len);
	ck_assert_int_eq(fdt_check_full(fdt, data.len), 0);
	free(fdt);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_initrd_lies_as_high_as_kernel_and_ram_allow)
{
	static const struct {
		uint64_t ram_bytes;
		uint32_t last_max;
		gpa_t wanted;
	} cases[] = {
		{64 * MIB, 0x7fffffff, 64 * MIB - 8 * KIB},
		{8 * GIB, 0x7fffffff, 2 * GIB - 8 * KIB},
		{8 * GIB, 0xffffffff, 3 * GIB - 8 * KIB},
		{8 * GIB, 0x37ffffff, 896 * MIB - 8 * KIB},
		/* In the kernel's way: below it. */
		{64 * MIB, 0x1ffffff, 16 * MIB - 8 * KIB},
		{64 * MIB, 0x1000fff, 16 * MIB - 8 * KIB},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture fixture;
		struct boot_params params;
		struct image image;
		uint8_t bytes[5000];

		fixture_init(&fixture, cases[i].ram_bytes);
		bzimage_make(&image);
		bzimage_get_setup(&image)->initrd_addr_max = cases[i].last_max;
		fixture_set_kernel(&fixture, &image);
		fixture_set_initrd(&fixture, sizeof(bytes));
		ck_assert_msg(fixture_load(&fixture) == 0, "%s", fixture.err.text);

		fixture_read(&fixture, fixture.entry.rsi, &params, sizeof(params));
		ck_assert_uint_eq(params.hdr.ramdisk_image, cases[i].wanted);
		ck_assert_uint_eq(params.hdr.ramdisk_size, sizeof(bytes));
		fixture_read(&fixture, params.hdr.ramdisk_image, bytes, sizeof(bytes));
		for (size_t j = 0; j < sizeof(bytes); j++)
			ck_assert_uint_eq(bytes[j], (uint8_t)(j * 7));
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(test_command_line_is_limited_by_the_kernel_and_by_its_place)
{
	static const struct {
		uint32_t cmdline_size;
		size_t length;
		int wanted;
	} cases[] = {
		{2047, 2047, 0},
		{2047, 2048, -EINVAL},
		{UINT32_MAX, 65535, 0},
		{UINT32_MAX, 65536, -EINVAL},
		{UINT32_MAX, 1 << 20, -EINVAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *cmdline = malloc(cases[i].length + 1);
		struct fixture fixture;
		struct image image;

		ck_assert_ptr_nonnull(cmdline);
		memset(cmdline, 'x', cases[i].length);
		cmdline[cases[i].length] = '\0';
		fixture_init(&fixture, 64 * MIB);
		bzimage_make(&image);
		bzimage_get_setup(&image)->cmdline_size = cases[i].cmdline_size;
		fixture_set_kernel(&fixture, &image);
		fixture.source.cmdline = cmdline;
		ck_assert_int_eq(fixture_load(&fixture), cases[i].wanted);
		ck_assert_int_eq(fixture.err.code, cases[i].wanted);
		fixture_fini(&fixture);
		free(cmdline);
	}
}
END_TEST

START_TEST(test_what_does_not_fit_is_named)
{
	static const struct {
		uint64_t ram_bytes;
		uint64_t pref_address;
		size_t initrd_bytes;
		const char *wanted;
	} cases[] = {
		{16 * MIB, 16 * MIB, 0, "kernel: needs 0x1000000 bytes at 0x1000000, but RAM"},
		{24 * MIB, 16 * MIB, 0, "kernel: needs 0x1000000 bytes at 0x1000000, but RAM"},
		{8 * GIB, 3 * GIB, 0, "kernel: needs"},
		{8 * GIB, UINT32_MAX, 0, "kernel: needs"},
		{32 * MIB, 16 * MIB, (15 << 20) + 1, "initrd: no room for 0xf00001 bytes"},
		{32 * MIB, 2 * MIB, 15 << 20, "initrd: no room"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture fixture;
		struct image image;

		fixture_init(&fixture, cases[i].ram_bytes);
		bzimage_make(&image);
		bzimage_get_setup(&image)->pref_address = cases[i].pref_address;
		fixture_set_kernel(&fixture, &image);
		if (cases[i].initrd_bytes)
			fixture_set_initrd(&fixture, cases[i].initrd_bytes);
		ck_assert_int_eq(fixture_load(&fixture), -ENOSPC);
		ck_assert_msg(strncmp(fixture.err.text, cases[i].wanted,
				      strlen(cases[i].wanted)) == 0,
			      "%zu: %s", i, fixture.err.text);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(test_kernel_may_not_lie_on_what_we_place)
{
	static const gpa_t places[] = {0, PLACE_GDT_GPA, PLACE_PARAMS_GPA,
				       PLACE_CMDLINE_GPA + PLACE_CMDLINE_BYTES - 1,
				       PLACE_HW_GPA};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct fixture fixture;
		struct image image;

		fixture_init(&fixture, 64 * MIB);
		elf_make(&image);
		elf_get_phdr(&image, 1)->p_paddr = places[i];
		fixture_set_kernel(&fixture, &image);
		ck_assert_int_eq(fixture_load(&fixture), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(fixture.err.text, "lies"));
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(test_files_that_are_no_kernel_are_named)
{
	struct fixture fixture;
	char fifo_path[64];
	struct image image;

	fixture_init(&fixture, 64 * MIB);
	fixture.source.kernel_path = "/nonexistent/kernel";
	ck_assert_int_eq(fixture_load(&fixture), -ENOENT);
	ck_assert_str_eq(fixture.err.text, "kernel '/nonexistent/kernel': cannot open: No such "
					   "file or directory");
	fixture.source.kernel_path = "/dev";
	ck_assert_int_eq(fixture_load(&fixture), -EINVAL);
	fixture.source.kernel_path = "/dev/null";
	ck_assert_int_eq(fixture_load(&fixture), -EINVAL);
	snprintf(fifo_path, sizeof(fifo_path), "/tmp/alcove-test-load-%d", (int)getpid());
	ck_assert_int_eq(mkfifo(fifo_path, 0600), 0);
	fixture.source.kernel_path = fifo_path;
	ck_assert_int_eq(fixture_load(&fixture), -EINVAL);
	ck_assert_int_eq(unlink(fifo_path), 0);

	fixture.source.kernel_path = fixture.kernel_path;
	image = (struct image){.bytes = "#!/bin/sh\n", .size_bytes = 10};
	fixture_set_kernel(&fixture, &image);
	ck_assert_int_eq(fixture_load(&fixture), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "neither bzImage nor ELF"));
	close(fixture.kernel_fd);

	bzimage_make(&image);
	fixture_set_kernel(&fixture, &image);
	fixture.source.initrd_path = "/nonexistent/initrd";
	ck_assert_int_eq(fixture_load(&fixture), -ENOENT);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "initrd '/nonexistent/initrd'"));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_file_that_shrinks_after_it_was_checked_is_an_error)
{
	struct image_file file;
	struct fixture fixture;
	struct image image;
	uint8_t byte;

	fixture_init(&fixture, 64 * MIB);
	bzimage_make(&image);
	fixture_set_kernel(&fixture, &image);
	ck_assert_int_eq(image_file_open(&file, "kernel", fixture.kernel_path, NULL), 0);
	ck_assert_int_eq(ftruncate(fixture.kernel_fd, 100), 0);
	ck_assert_int_eq(image_file_check(&file, "it", 100, 1, NULL), 0);
	ck_assert_int_eq(image_file_read(&file, "it", 100, &byte, 1, &fixture.err), -ENOEXEC);
	ck_assert_int_eq(fixture.err.code, -ENOEXEC);
	ck_assert_int_eq(image_file_load(&file, "it", 99, 2, fixture.memory, 0, &fixture.err),
			 -ENOEXEC);
	ck_assert_ptr_nonnull(
		strstr(fixture.err.text, "the file is too short for it (2 bytes"));
	image_file_close(&file);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_elf_with_device_tree_is_refused)
{
	struct fixture fixture;
	struct image image;

	fixture_init(&fixture, 64 * MIB);
	fixture.machine.hw = BOOT_HW_FDT;
	elf_make(&image);
	fixture_set_kernel(&fixture, &image);
	ck_assert_int_eq(fixture_load(&fixture), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "device tree"));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_large_machines_boot)
{
	static const enum boot_hw hws[] = {BOOT_HW_ACPI, BOOT_HW_FDT};

	for (size_t i = 0; i < ARRAY_SIZE(hws); i++) {
		struct fixture fixture;
		struct image image;

		fixture_init(&fixture, 700 * GIB);
		fixture.machine.hw = hws[i];
		fixture.machine.n_vcpus = 255;
		bzimage_make(&image);
		fixture_set_kernel(&fixture, &image);
		ck_assert_msg(fixture_load(&fixture) == 0, "%s", fixture.err.text);
		fixture_fini(&fixture);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_bzimage_is_entered_as_the_boot_protocol_says,
		test_elf_is_entered_by_pvh,
		test_device_tree_comes_as_setup_data_and_without_rsdp,
		test_initrd_lies_as_high_as_kernel_and_ram_allow,
		test_command_line_is_limited_by_the_kernel_and_by_its_place,
		test_what_does_not_fit_is_named,
		test_kernel_may_not_lie_on_what_we_place,
		test_files_that_are_no_kernel_are_named,
		test_file_that_shrinks_after_it_was_checked_is_an_error,
		test_elf_with_device_tree_is_refused,
		test_large_machines_boot,
	};

	return unit_run(unit_suite("load", tests, ARRAY_SIZE(tests)));
}
