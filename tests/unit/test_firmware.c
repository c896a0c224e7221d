// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Firmware in guest memory and in the list of what is launched; images made for tests, and
 * those of a distribution where tests/lab/fetch firmware has put them.
 */
#include "boot/firmware/firmware.h"

#include <errno.h>
#include <string.h>

#include "boot/firmware/launch.h"
#include "tests/unit/firmware.h"
#include "tests/unit/images.h"
#include "tests/unit/offline.h"
#include "vmm/err.h"
#include "vmm/platform.h"

#define PACKAGES "build/firmware/"

struct fixture {
	struct offline offline;
	struct firmware firmware;
	struct firmware_items items;
	struct boot_entry entry;
	struct err err;
	int fd;
	char path[64];
};

static void fixture_init(struct fixture *fixture)
{
	*fixture = (struct fixture){.fd = -1};
	firmware_make(&fixture->firmware);
	offline_init_large(&fixture->offline, 64 * MIB, FIRMWARE_BYTES);
}

static void fixture_fini(struct fixture *fixture)
{
	offline_fini(&fixture->offline);
	close(fixture->fd);
}

static int fixture_load(struct fixture *fixture, enum boot_guard guard)
{
	const struct boot_machine machine = {.layout = &fixture->offline.layout, .n_vcpus = 2};

	image_write(fixture->firmware.bytes, FIRMWARE_BYTES, &fixture->fd, fixture->path);
	return firmware_load(fixture->offline.memory, &machine, fixture->path, guard,
			     &fixture->items, &fixture->offline.launch, &fixture->entry,
			     &fixture->err);
}

static void expect_memory(struct fixture *fixture, gpa_t gpa, const void *bytes,
			  size_t size_bytes)
{
	uint8_t buffer[FIRMWARE_BYTES];

	ck_assert_uint_le(size_bytes, sizeof(buffer));
	ck_assert_int_eq(guest_read(fixture->offline.memory, gpa, buffer, size_bytes), 0);
	ck_assert_mem_eq(buffer, bytes, size_bytes);
}

static void expect_piece(struct fixture *fixture, unsigned int index, gpa_t gpa,
			 uint64_t size_bytes, enum launch_kind kind)
{
	const struct launch_piece *piece = &fixture->offline.launch.pieces[index];

	ck_assert_uint_lt(index, fixture->offline.launch.n_pieces);
	ck_assert_uint_eq(piece->gpa.start, gpa);
	ck_assert_uint_eq(range_size(piece->gpa), size_bytes);
	ck_assert_int_eq(piece->kind, kind);
}

START_TEST(test_plain_guest_starts_at_the_end_of_its_firmware)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_NONE), 0);
	ck_assert_int_eq(fixture.entry.mode, BOOT_MODE_RESET);
	expect_memory(&fixture, PLATFORM_4G - FIRMWARE_BYTES, fixture.firmware.bytes,
		      FIRMWARE_BYTES);
	ck_assert_uint_eq(fixture.offline.launch.n_pieces, 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_snp_guest_is_launched_with_the_sections_of_its_firmware)
{
	static const enum launch_kind kinds[] = {LAUNCH_ZERO, LAUNCH_SECRETS, LAUNCH_CPUID,
						 LAUNCH_ZERO, LAUNCH_ZERO};
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP), 0);
	ck_assert_int_eq(fixture.entry.mode, BOOT_MODE_RESET);
	ck_assert_uint_eq(fixture.entry.ap_start, 0x80b004);
	ck_assert_uint_eq(fixture.offline.launch.n_pieces, 6);
	expect_piece(&fixture, 0, PLATFORM_4G - FIRMWARE_BYTES, FIRMWARE_BYTES,
		     LAUNCH_MEASURED);
	for (unsigned int i = 0; i < ARRAY_SIZE(kinds); i++)
		expect_piece(&fixture, 1 + i, firmware_snp_sections[i][0],
			     firmware_snp_sections[i][1], kinds[i]);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_snp_guest_has_the_hashes_of_its_kernel_measured)
{
	uint8_t table[168];
	struct ovmf_hashes hashes;
	struct fixture fixture;

	fixture_init(&fixture);
	fixture.items.kernel = (struct firmware_payload){(const uint8_t *)"MZkernel", 8};
	fixture.items.cmdline = (struct firmware_payload){(const uint8_t *)"quiet", 6};
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP), 0);
	expect_piece(&fixture, 5, 0x810000, 0x1000, LAUNCH_MEASURED);
	ck_assert_int_eq(ovmf_hashes_init(&hashes, "MZkernel", 8, NULL, 0, "quiet"), 0);
	ck_assert_int_eq(guest_read(fixture.offline.memory, 0x810c00, table, sizeof(table)), 0);
	/* Behind its header: entries of 50 bytes, each a GUID, a length and a hash. */
	ck_assert_mem_eq(table + 18 + 18, hashes.cmdline, 32);
	ck_assert_mem_eq(table + 18 + 50 + 18, hashes.initrd, 32);
	ck_assert_mem_eq(table + 18 + 100 + 18, hashes.kernel, 32);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_snp_guest_starts_no_kernel_that_nobody_checks)
{
	struct fixture fixture;

	fixture_init(&fixture);
	/* No section for hashes. */
	firmware_put32(&fixture.firmware, FIRMWARE_SNP + 16 + 4 * 12 + 8, 1);
	fixture.items.kernel = (struct firmware_payload){(const uint8_t *)"MZkernel", 8};
	fixture.items.cmdline = (struct firmware_payload){(const uint8_t *)"", 1};
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP), -EINVAL);
	ck_assert_uint_gt(strlen(fixture.err.text), 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_td_is_told_of_its_memory)
{
	/* Handoff, then the first page that is not added, then HOB and what follows it. */
	static const uint64_t starts[] = {0, 0x809000, 0x80b000, 0x80d000};
	struct fixture fixture;
	uint64_t words[7 + 6 * ARRAY_SIZE(starts)];

	fixture_init(&fixture);
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX), 0);
	ck_assert_int_eq(fixture.entry.mode, BOOT_MODE_RESET);
	ck_assert_uint_eq(fixture.entry.tdx_value, 0x809000);
	expect_piece(&fixture, 0, 0xffffd000, 0x3000, LAUNCH_MEASURED);
	expect_piece(&fixture, 1, 0xffffc000, 0x1000, LAUNCH_UNMEASURED);
	expect_piece(&fixture, 2, 0x809000, 0x2000, LAUNCH_UNMEASURED);
	expect_piece(&fixture, 3, 0x80b000, 0x2000, LAUNCH_UNMEASURED);
	ck_assert_uint_eq(fixture.offline.launch.n_pieces, 4);

	ck_assert_int_eq(guest_read(fixture.offline.memory, 0x809000, words, sizeof(words)), 0);
	ck_assert_uint_eq(words[0], 1 | 56 << 16);
	for (unsigned int i = 0; i < ARRAY_SIZE(starts); i++) {
		const uint64_t *resource = words + 7 + 6 * i;

		ck_assert_uint_eq(resource[0], 3 | 48 << 16);
		ck_assert_uint_eq(resource[3] & UINT32_MAX, i == 0 || i == 3 ? 7 : 0);
		ck_assert_uint_eq(resource[4], starts[i]);
	}
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_td_whose_list_does_not_fit_is_refused)
{
	struct fixture fixture;

	fixture_init(&fixture);
	/* A HOB section of one page, and 60 more of a page each, not side by side. */
	firmware_put32(&fixture.firmware, FIRMWARE_TDVF + 4, 16 + 6 * 32 + 48 * 32);
	firmware_put32(&fixture.firmware, FIRMWARE_TDVF + 12, 6 + 48);
	firmware_put32(&fixture.firmware, FIRMWARE_TDVF + 16 + 2 * 32 + 16, 0x1000);
	memset(fixture.firmware.bytes + FIRMWARE_TDVF + 16 + 6 * 32, 0, 48 * 32);
	for (unsigned int i = 0; i < 48; i++) {
		unsigned int at = FIRMWARE_TDVF + 16 + (6 + i) * 32;

		firmware_put32(&fixture.firmware, at + 8, 0x2000000 + i * 0x2000);
		firmware_put32(&fixture.firmware, at + 16, 0x1000);
		firmware_put32(&fixture.firmware, at + 24, TDVF_TEMP_MEM);
	}
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX), -ENOSPC);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "TD_HOB"));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_payload_that_is_not_there_is_refused)
{
	struct fixture fixture;

	fixture_init(&fixture);
	firmware_put32(&fixture.firmware, FIRMWARE_TDVF + 16 + 3 * 32 + 24, TDVF_PAYLOAD);
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "payload"));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_payload_of_td_shim_is_the_kernel)
{
	static const char kernel[] = "MZkernel", cmdline[] = "quiet";
	/* b96fa412-461f-4be3-8c0d-ad805a497ac0, 6a0c5870-d4ed-44f4-a135-dd238b6f0c8d,
	 * 8f8072ea-3486-4b47-86a7-2353b88a8773: td-shim, doc/tdshim_spec.md. */
	static const uint8_t guids[][16] = {
		{0x12, 0xa4, 0x6f, 0xb9, 0x1f, 0x46, 0xe3, 0x4b, 0x8c, 0x0d, 0xad, 0x80, 0x5a,
		 0x49, 0x7a, 0xc0},
		{0x70, 0x58, 0x0c, 0x6a, 0xed, 0xd4, 0xf4, 0x44, 0xa1, 0x35, 0xdd, 0x23, 0x8b,
		 0x6f, 0x0c, 0x8d},
		{0xea, 0x72, 0x80, 0x8f, 0x86, 0x34, 0x47, 0x4b, 0x86, 0xa7, 0x23, 0x53, 0xb8,
		 0x8a, 0x87, 0x73},
	};
	uint8_t hob[0x2000];
	unsigned int at = FIRMWARE_TDVF + 16 + 3 * 32;
	struct fixture fixture;
	uint64_t gpa;

	fixture_init(&fixture);
	firmware_put32(&fixture.firmware, at + 24, TDVF_PAYLOAD);
	memcpy(&gpa, fixture.firmware.bytes + at + 8, sizeof(gpa));
	fixture.items.kernel = (struct firmware_payload){(const uint8_t *)kernel, 8};
	fixture.items.cmdline = (struct firmware_payload){(const uint8_t *)cmdline, 6};
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX), 0);
	expect_memory(&fixture, gpa, kernel, 8);
	/* And it is told of its kind, of tables and of the memory map. */
	ck_assert_int_eq(
		guest_read(fixture.offline.memory, fixture.entry.tdx_value, hob, sizeof(hob)),
		0);
	for (size_t i = 0; i < ARRAY_SIZE(guids); i++)
		ck_assert_ptr_nonnull(memmem(hob, sizeof(hob), guids[i], sizeof(guids[i])));
	fixture_fini(&fixture);

	fixture_init(&fixture);
	firmware_put32(&fixture.firmware, at + 24, TDVF_PAYLOAD);
	fixture.items.kernel = (struct firmware_payload){(const uint8_t *)kernel, 8};
	fixture.items.cmdline = (struct firmware_payload){(const uint8_t *)cmdline, 6};
	fixture.items.initrd = (struct firmware_payload){(const uint8_t *)kernel, 8};
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "initrd"));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_images_of_other_sizes_are_refused)
{
	static uint8_t bytes[GRANULE_BYTES + 1];
	struct boot_machine machine = {.n_vcpus = 1};
	struct fixture fixture;
	uint64_t size_bytes = 0;

	fixture_init(&fixture);
	image_write(bytes, sizeof(bytes), &fixture.fd, fixture.path);
	ck_assert_int_eq(firmware_get_size(fixture.path, &size_bytes, &fixture.err), -ENOEXEC);
	ck_assert_int_eq(ftruncate(fixture.fd, LAYOUT_FIRMWARE_BYTES_MAX + GRANULE_BYTES), 0);
	ck_assert_int_eq(firmware_get_size(fixture.path, &size_bytes, &fixture.err), -ENOEXEC);
	ck_assert_int_eq(ftruncate(fixture.fd, 0), 0);
	ck_assert_int_eq(firmware_get_size(fixture.path, &size_bytes, &fixture.err), -EINVAL);
	ck_assert_uint_eq(size_bytes, 0);
	ck_assert_int_eq(ftruncate(fixture.fd, GRANULE_BYTES), 0);
	ck_assert_int_eq(firmware_get_size(fixture.path, &size_bytes, &fixture.err), 0);
	ck_assert_uint_eq(size_bytes, GRANULE_BYTES);
	/* It was another one when the guest's memory was laid out. */
	machine.layout = &fixture.offline.layout;
	ck_assert_int_eq(firmware_load(fixture.offline.memory, &machine, fixture.path,
				       BOOT_GUARD_NONE, &fixture.items, NULL, &fixture.entry,
				       &fixture.err),
			 -ENOEXEC);
	fixture_fini(&fixture);
}
END_TEST

/* --- Of a distribution --- */

static int load_package(struct offline *offline, const char *path, enum boot_guard guard,
			const struct firmware_items *items, struct boot_entry *ret_entry,
			struct err *err)
{
	const struct boot_machine machine = {.layout = &offline->layout, .n_vcpus = 2};
	uint64_t size_bytes;

	ck_assert_int_eq(firmware_get_size(path, &size_bytes, err), 0);
	offline_init_large(offline, 64 * MIB, size_bytes);
	return firmware_load(offline->memory, &machine, path, guard, items, &offline->launch,
			     ret_entry, err);
}

static uint64_t count_bytes(const struct launch *launch, enum launch_kind kind)
{
	uint64_t n_bytes = 0;

	for (size_t i = 0; i < launch->n_pieces; i++) {
		if (launch->pieces[i].kind == kind)
			n_bytes += range_size(launch->pieces[i].gpa);
	}
	return n_bytes;
}

/* What holds for all of edk2's builds so far; addresses and their order change with versions.
 */
START_TEST(test_packaged_firmware_for_snp_is_understood)
{
	static const char *const paths[] = {PACKAGES "OVMF.amdsev.fd", PACKAGES "OVMF.fd"};
	struct firmware_items items = {
		.kernel = {(const uint8_t *)"MZ", 2},
		.cmdline = {(const uint8_t *)"", 1},
	};
	struct boot_entry entry = {0};
	struct offline offline;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct launch *launch = &offline.launch;

		ck_assert_int_eq(
			load_package(&offline, paths[i], BOOT_GUARD_SNP, &items, &entry, &err),
			0);
		ck_assert_int_eq(launch->pieces[0].kind, LAUNCH_MEASURED);
		ck_assert_uint_eq(launch->pieces[0].gpa.end, PLATFORM_4G);
		ck_assert_uint_eq(count_bytes(launch, LAUNCH_SECRETS), GRANULE_BYTES);
		ck_assert_uint_eq(count_bytes(launch, LAUNCH_CPUID), GRANULE_BYTES);
		ck_assert_uint_eq(count_bytes(launch, LAUNCH_UNMEASURED), 0);
		ck_assert_uint_gt(count_bytes(launch, LAUNCH_ZERO), 0);
		/* The image, and the page of hashes. */
		ck_assert_uint_eq(count_bytes(launch, LAUNCH_MEASURED),
				  range_size(offline.layout.firmware) + GRANULE_BYTES);
		ck_assert_uint_eq(entry.ap_start, 0x80b004);
		offline_fini(&offline);
	}
}
END_TEST

START_TEST(test_packaged_firmware_for_tdx_is_understood)
{
	static const char *const paths[] = {PACKAGES "OVMF.inteltdx.ms.fd", PACKAGES "OVMF.fd"};
	const struct firmware_items items = {0};
	struct boot_entry entry = {0};
	struct offline offline;
	uint32_t head = 0;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const struct launch *launch = &offline.launch;

		ck_assert_int_eq(
			load_package(&offline, paths[i], BOOT_GUARD_TDX, &items, &entry, &err),
			0);
		/* Code is measured, variables are not; both are in the image. */
		ck_assert_int_eq(launch->pieces[0].kind, LAUNCH_MEASURED);
		ck_assert_uint_eq(launch->pieces[0].gpa.end, PLATFORM_4G);
		ck_assert_uint_eq(count_bytes(launch, LAUNCH_MEASURED),
				  range_size(launch->pieces[0].gpa));
		ck_assert_uint_lt(count_bytes(launch, LAUNCH_MEASURED),
				  range_size(offline.layout.firmware));
		ck_assert_uint_eq(count_bytes(launch, LAUNCH_ZERO), 0);
		/* A list begins where its processors are told. */
		ck_assert_int_eq(
			guest_read(offline.memory, entry.tdx_value, &head, sizeof(head)), 0);
		ck_assert_uint_eq(head, 1 | 56 << 16);
		offline_fini(&offline);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_plain_guest_starts_at_the_end_of_its_firmware,
		test_snp_guest_is_launched_with_the_sections_of_its_firmware,
		test_snp_guest_has_the_hashes_of_its_kernel_measured,
		test_snp_guest_starts_no_kernel_that_nobody_checks,
		test_td_is_told_of_its_memory,
		test_td_whose_list_does_not_fit_is_refused,
		test_payload_that_is_not_there_is_refused,
		test_payload_of_td_shim_is_the_kernel,
		test_images_of_other_sizes_are_refused,
		test_packaged_firmware_for_snp_is_understood,
		test_packaged_firmware_for_tdx_is_understood,
	};
	size_t n_tests = ARRAY_SIZE(tests);

	if (access(PACKAGES "OVMF.amdsev.fd", R_OK)) {
		unit_skip("packaged firmware", "run tests/lab/fetch firmware");
		n_tests -= 2;
	}
	return unit_run(unit_suite("firmware", tests, n_tests));
}
