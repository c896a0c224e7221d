// SPDX-License-Identifier: GPL-2.0-or-later
/* fw_cfg as firmware uses it: by port as in SEC, by DMA as later, and as it must not. */
#include <endian.h>
#include <errno.h>
#include <linux/kvm.h>
#include <linux/qemu_fw_cfg.h>
#include <string.h>

#include "devices/devices.h"
#include "devices/firmware.h"
#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/platform.h"

#define RAM_BYTES   (16 * MIB)
#define REQUEST_GPA 0x1000
#define BUFFER_GPA  0x2000

enum { FILE_KEY = FW_CFG_FILE_FIRST };

struct rig {
	struct fake *fake;
	int vm;
	struct guest_memory *memory;
	struct bus *pio;
	struct fw_cfg *fw_cfg;
};

static const char cmdline[] = "console=ttyS0";

static void rig_init(struct rig *rig, unsigned long type, enum backing backing)
{
	struct layout layout;

	*rig = (struct rig){.fake = fake_new()};
	rig->vm = host_vm_create(fake_host(rig->fake), type);
	ck_assert_int_ge(rig->vm, 0);
	ck_assert_int_eq(layout_init(&layout, RAM_BYTES, 40, NULL), 0);
	ck_assert_int_eq(guest_memory_new(fake_host(rig->fake), rig->vm, &layout, backing,
					  &rig->memory, NULL),
			 0);
	ck_assert_int_eq(bus_new(&rig->pio), 0);
	ck_assert_int_eq(fw_cfg_new(rig->pio, rig->memory, &rig->fw_cfg), 0);
	fw_cfg_add(rig->fw_cfg, FW_CFG_CMDLINE_DATA, cmdline, sizeof(cmdline));
}

static void rig_fini(struct rig *rig)
{
	fw_cfg_free(rig->fw_cfg);
	bus_free(rig->pio);
	guest_memory_free(rig->memory);
	host_close(fake_host(rig->fake), rig->vm);
	fake_free(rig->fake);
}

static void rig_init_plain(struct rig *rig)
{
	rig_init(rig, KVM_X86_DEFAULT_VM, BACKING_PLAIN);
}

static void select_item(struct rig *rig, uint16_t key)
{
	bus_write(rig->pio, PLATFORM_FW_CFG_PORT, key, 2);
}

static uint8_t read_byte(struct rig *rig)
{
	return (uint8_t)bus_read(rig->pio, PLATFORM_FW_CFG_PORT + 1, 1);
}

static void expect_bytes(struct rig *rig, const void *bytes, size_t size_bytes)
{
	for (size_t i = 0; i < size_bytes; i++)
		ck_assert_uint_eq(read_byte(rig), ((const uint8_t *)bytes)[i]);
}

static void start_dma(struct rig *rig, gpa_t request)
{
	bus_write(rig->pio, PLATFORM_FW_CFG_PORT + 4, htobe32((uint32_t)(request >> 32)), 4);
	bus_write(rig->pio, PLATFORM_FW_CFG_PORT + 8, htobe32((uint32_t)request), 4);
}

/* Returns the control word afterwards. */
static uint32_t run_dma(struct rig *rig, uint32_t control, uint32_t size_bytes, gpa_t gpa)
{
	const struct fw_cfg_dma_access access = {
		.control = htobe32(control),
		.length = htobe32(size_bytes),
		.address = htobe64(gpa),
	};
	uint32_t result;

	ck_assert_int_eq(guest_write(rig->memory, REQUEST_GPA, &access, sizeof(access)), 0);
	start_dma(rig, REQUEST_GPA);
	ck_assert_int_eq(guest_read(rig->memory, REQUEST_GPA, &result, sizeof(result)), 0);
	return be32toh(result);
}

static uint32_t with_key(uint16_t key, uint32_t control)
{
	return (uint32_t)key << 16 | FW_CFG_DMA_CTL_SELECT | control;
}

static void expect_buffer(struct rig *rig, const void *bytes, size_t size_bytes)
{
	uint8_t buffer[256];

	ck_assert_uint_le(size_bytes, sizeof(buffer));
	ck_assert_int_eq(guest_read(rig->memory, BUFFER_GPA, buffer, size_bytes), 0);
	ck_assert_mem_eq(buffer, bytes, size_bytes);
}

static void fill_buffer(struct rig *rig)
{
	uint8_t buffer[256];

	memset(buffer, 0xaa, sizeof(buffer));
	ck_assert_int_eq(guest_write(rig->memory, BUFFER_GPA, buffer, sizeof(buffer)), 0);
}

START_TEST(test_firmware_finds_the_device)
{
	struct rig rig;

	rig_init_plain(&rig);
	select_item(&rig, FW_CFG_SIGNATURE);
	expect_bytes(&rig, "QEMU", 4);
	select_item(&rig, FW_CFG_ID);
	expect_bytes(&rig, "\3\0\0\0", 4);
	/* The DMA register, most significant byte first. */
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_FW_CFG_PORT + 4, 4), htobe32(0x51454d55));
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_FW_CFG_PORT + 8, 4), htobe32(0x20434647));
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_FW_CFG_PORT + 4, 1), 'Q');
	rig_fini(&rig);
}
END_TEST

START_TEST(test_items_are_read_from_the_start_after_each_selection)
{
	struct rig rig;

	rig_init_plain(&rig);
	select_item(&rig, FW_CFG_CMDLINE_DATA);
	expect_bytes(&rig, cmdline, 7);
	select_item(&rig, FW_CFG_CMDLINE_DATA);
	expect_bytes(&rig, cmdline, sizeof(cmdline));
	/* Behind the end, and of what there is not. */
	expect_bytes(&rig, "\0\0\0", 3);
	select_item(&rig, FW_CFG_UUID);
	expect_bytes(&rig, "\0\0\0", 3);
	select_item(&rig, 0xffff);
	expect_bytes(&rig, "\0", 1);
	select_item(&rig, FW_CFG_ARCH_LOCAL | FW_CFG_CMDLINE_DATA);
	expect_bytes(&rig, "\0", 1);
	/* The bit that asks for writing changes nothing. */
	select_item(&rig, FW_CFG_WRITE_CHANNEL | FW_CFG_CMDLINE_DATA);
	bus_write(rig.pio, PLATFORM_FW_CFG_PORT + 1, 'X', 1);
	expect_bytes(&rig, cmdline, sizeof(cmdline));
	rig_fini(&rig);
}
END_TEST

START_TEST(test_accesses_of_other_sizes_do_nothing)
{
	struct rig rig;

	rig_init_plain(&rig);
	select_item(&rig, FW_CFG_CMDLINE_DATA);
	bus_write(rig.pio, PLATFORM_FW_CFG_PORT, FW_CFG_SIGNATURE, 1);
	bus_write(rig.pio, PLATFORM_FW_CFG_PORT, FW_CFG_SIGNATURE, 4);
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_FW_CFG_PORT, 2), 0xffff);
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_FW_CFG_PORT + 1, 2), 0xffff);
	expect_bytes(&rig, cmdline, sizeof(cmdline));
	rig_fini(&rig);
}
END_TEST

START_TEST(test_directory_lists_the_files)
{
	static const char names[2][24] = {"etc/e820", "opt/org.example/value"};
	struct rig rig;
	uint32_t word;

	rig_init_plain(&rig);
	ck_assert_int_eq(fw_cfg_add_file(rig.fw_cfg, names[0], "abc", 3), 0);
	ck_assert_int_eq(fw_cfg_add_file(rig.fw_cfg, names[1], "defgh", 5), 0);
	ck_assert_int_eq(fw_cfg_add_file(rig.fw_cfg, names[1], "x", 1), -EEXIST);
	select_item(&rig, FW_CFG_FILE_DIR);
	word = htobe32(2);
	expect_bytes(&rig, &word, sizeof(word));
	for (unsigned int i = 0; i < 2; i++) {
		struct fw_cfg_file file = {
			.size = htobe32(i ? 5 : 3),
			.select = htobe16((uint16_t)(FILE_KEY + i)),
		};

		memcpy(file.name, names[i], strlen(names[i]));
		expect_bytes(&rig, &file, sizeof(file));
	}
	expect_bytes(&rig, "\0", 1);
	select_item(&rig, FILE_KEY + 1);
	expect_bytes(&rig, "defgh", 5);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_files_have_bounds)
{
	static const char longest[] =
		"opt/5678901234567890123456789012345678901234567890123456";
	static char names[FW_CFG_FILES_MAX][8];
	struct rig rig;

	rig_init_plain(&rig);
	ck_assert_uint_eq(strlen(longest), 56);
	ck_assert_int_eq(fw_cfg_add_file(rig.fw_cfg, longest, "", 0), -ENAMETOOLONG);
	ck_assert_int_eq(fw_cfg_add_file(rig.fw_cfg, longest + 1, "", 0), 0);
	for (unsigned int i = 1; i < FW_CFG_FILES_MAX; i++) {
		snprintf(names[i], sizeof(names[i]), "f%u", i);
		ck_assert_int_eq(fw_cfg_add_file(rig.fw_cfg, names[i], "", 0), 0);
	}
	ck_assert_int_eq(fw_cfg_add_file(rig.fw_cfg, "one-more", "", 0), -ENOSPC);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_dma_reads_skips_and_goes_on)
{
	struct rig rig;

	rig_init_plain(&rig);
	fill_buffer(&rig);
	ck_assert_uint_eq(run_dma(&rig, with_key(FW_CFG_CMDLINE_DATA, FW_CFG_DMA_CTL_READ), 4,
				  BUFFER_GPA),
			  0);
	expect_buffer(&rig, "cons\xaa", 5);
	ck_assert_uint_eq(run_dma(&rig, FW_CFG_DMA_CTL_SKIP, 4, 0), 0);
	ck_assert_uint_eq(run_dma(&rig, FW_CFG_DMA_CTL_READ, 5, BUFFER_GPA), 0);
	expect_buffer(&rig, "ttyS0\xaa", 6);
	/* The port sees the same offset; nothing at all moves nothing. */
	ck_assert_uint_eq(run_dma(&rig, 0, 77, 0), 0);
	expect_bytes(&rig, "\0\0", 2);
	/* Selecting alone starts anew, skipping stops at the end. */
	ck_assert_uint_eq(run_dma(&rig, with_key(FW_CFG_CMDLINE_DATA, 0), 0, 0), 0);
	expect_bytes(&rig, "c", 1);
	ck_assert_uint_eq(run_dma(&rig, FW_CFG_DMA_CTL_SKIP, UINT32_MAX, 0), 0);
	expect_bytes(&rig, "\0", 1);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_dma_gives_zeroes_behind_the_end_but_not_for_ever)
{
	static const uint8_t zeroes[16];
	struct rig rig;

	rig_init_plain(&rig);
	fill_buffer(&rig);
	ck_assert_uint_eq(run_dma(&rig, with_key(FW_CFG_UUID, FW_CFG_DMA_CTL_READ),
				  sizeof(zeroes), BUFFER_GPA),
			  0);
	expect_buffer(&rig, zeroes, sizeof(zeroes));
	ck_assert_uint_eq(run_dma(&rig, FW_CFG_DMA_CTL_READ, 64 << 10, BUFFER_GPA), 0);
	fill_buffer(&rig);
	ck_assert_uint_eq(run_dma(&rig, FW_CFG_DMA_CTL_READ, (64 << 10) + 1, BUFFER_GPA),
			  FW_CFG_DMA_CTL_ERROR);
	ck_assert_uint_eq(run_dma(&rig, FW_CFG_DMA_CTL_READ, UINT32_MAX, BUFFER_GPA),
			  FW_CFG_DMA_CTL_ERROR);
	expect_buffer(&rig, "\xaa\xaa\xaa\xaa", 4);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_dma_writes_nothing)
{
	struct rig rig;

	rig_init_plain(&rig);
	fill_buffer(&rig);
	ck_assert_uint_eq(run_dma(&rig, with_key(FW_CFG_CMDLINE_DATA, FW_CFG_DMA_CTL_WRITE), 4,
				  BUFFER_GPA),
			  FW_CFG_DMA_CTL_ERROR);
	expect_bytes(&rig, cmdline, sizeof(cmdline));
	rig_fini(&rig);
}
END_TEST

START_TEST(test_dma_to_what_is_no_ram_fails)
{
	static const gpa_t places[] = {RAM_BYTES - 2, RAM_BYTES, PLATFORM_ECAM_GPA,
				       UINT64_MAX - 1};
	struct rig rig;

	rig_init_plain(&rig);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		ck_assert_uint_eq(run_dma(&rig,
					  with_key(FW_CFG_CMDLINE_DATA, FW_CFG_DMA_CTL_READ), 8,
					  places[i]),
				  FW_CFG_DMA_CTL_ERROR);
		/* It has not moved on. */
		expect_bytes(&rig, "c", 1);
		/* A request there reaches nobody. */
		start_dma(&rig, places[i]);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(test_dma_to_private_memory_fails)
{
	struct rig rig;

	rig_init(&rig, KVM_X86_SW_PROTECTED_VM, BACKING_PAIRED);
	ck_assert_int_eq(guest_convert(rig.memory, BUFFER_GPA, GRANULE_BYTES, SIDE_PRIVATE,
				       CONVERSION_HYPERCALL),
			 CONVERSION_DONE);
	ck_assert_uint_eq(run_dma(&rig, with_key(FW_CFG_CMDLINE_DATA, FW_CFG_DMA_CTL_READ), 4,
				  BUFFER_GPA),
			  FW_CFG_DMA_CTL_ERROR);
	ck_assert_int_eq(guest_convert(rig.memory, BUFFER_GPA, GRANULE_BYTES, SIDE_SHARED,
				       CONVERSION_HYPERCALL),
			 CONVERSION_DONE);
	ck_assert_uint_eq(run_dma(&rig, with_key(FW_CFG_CMDLINE_DATA, FW_CFG_DMA_CTL_READ), 4,
				  BUFFER_GPA),
			  0);
	expect_buffer(&rig, "cons", 4);
	/* The request itself, too: nothing can be said then. */
	ck_assert_int_eq(guest_convert(rig.memory, REQUEST_GPA, GRANULE_BYTES, SIDE_PRIVATE,
				       CONVERSION_HYPERCALL),
			 CONVERSION_DONE);
	start_dma(&rig, REQUEST_GPA);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_taken_ports_are_refused_and_nothing_stays_behind)
{
	struct fw_cfg *second = NULL;
	struct rig rig;

	rig_init_plain(&rig);
	ck_assert_int_eq(fw_cfg_new(rig.pio, rig.memory, &second), -EEXIST);
	ck_assert_ptr_null(second);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_firmware_finds_the_device,
		test_items_are_read_from_the_start_after_each_selection,
		test_accesses_of_other_sizes_do_nothing,
		test_directory_lists_the_files,
		test_files_have_bounds,
		test_dma_reads_skips_and_goes_on,
		test_dma_gives_zeroes_behind_the_end_but_not_for_ever,
		test_dma_writes_nothing,
		test_dma_to_what_is_no_ram_fails,
		test_dma_to_private_memory_fails,
		test_taken_ports_are_refused_and_nothing_stays_behind,
	};

	return unit_run(unit_suite("fw_cfg", tests, ARRAY_SIZE(tests)));
}
