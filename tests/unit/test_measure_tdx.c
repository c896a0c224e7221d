// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The digests were computed by a program that was written for this; the single-pass one of 8192
 * bytes is what td-shim's own tool says of an image with these contents as well. Values
 * published for whole images (Oak's stage0, dstack's OVMF) need files that are not here.
 */
#include "boot/launch.h"

#include <errno.h>

#include "boot/firmware/launch.h"
#include "tests/unit/firmware.h"
#include "tests/unit/offline.h"

static void check_mrtd(struct offline *offline, enum launch_order order, const char *wanted)
{
	uint8_t mrtd[LAUNCH_DIGEST_BYTES];
	char text[LAUNCH_DIGEST_TEXT_BYTES];

	ck_assert_int_eq(launch_digest_tdx(offline->memory, &offline->launch, order, mrtd), 0);
	ck_assert_str_eq(digest_format(mrtd, text), wanted);
}

START_TEST(test_a_page_that_is_not_measured_has_its_address_measured)
{
	const char *wanted = "fcdabf6fdf38b87d2e3a89b1ab68c242abb261dffa70ef6f1dc2220c2752d272"
			     "9cdf1be92afc2e0e4297f04e2b629552";
	struct offline offline;

	offline_init(&offline, 0);
	offline_add(&offline, (struct range){0x1000, 0x2000}, LAUNCH_UNMEASURED);
	ck_assert_int_eq(guest_write(offline.memory, 0x1000, "anything", 8), 0);
	check_mrtd(&offline, LAUNCH_SINGLE_PASS, wanted);
	check_mrtd(&offline, LAUNCH_TWO_PASS, wanted);
	offline_fini(&offline);
}
END_TEST

START_TEST(test_a_page_is_measured_in_chunks)
{
	static const enum launch_kind kinds[] = {LAUNCH_MEASURED, LAUNCH_ZERO};
	const char *wanted = "07f08f558c5e2593b33452cf00c12a165c07b027a36424ecfa15ebf39b5415e0"
			     "ed62418458e4bfd77f16fec0f1568dc9";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct offline offline;

		offline_init(&offline, 0x1000);
		offline_add(&offline, (struct range){0xfffff000, 0x100000000}, kinds[i]);
		check_mrtd(&offline, LAUNCH_SINGLE_PASS, wanted);
		check_mrtd(&offline, LAUNCH_TWO_PASS, wanted);
		offline_fini(&offline);
	}
}
END_TEST

/* The addresses of computed vectors are a GiB below the reset vector, where there is no memory
 * in a small guest; so this one is a guest of 3 GiB, of which two pages exist. */
START_TEST(test_the_order_matters)
{
	uint8_t bytes[8192];
	struct offline offline;

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	offline_init_large(&offline, 3 * GIB, 0);
	offline_add(&offline, (struct range){0x80000000, 0x80002000}, LAUNCH_MEASURED);
	ck_assert_int_eq(guest_write(offline.memory, 0x80000000, bytes, sizeof(bytes)), 0);
	check_mrtd(&offline, LAUNCH_SINGLE_PASS,
		   "ece2df2bce2401156ee001d13eab4663355a3e0e93959476ad9badc80afd83ea"
		   "ece46c07b4a0b279d4de2e5e39d42cdd");
	check_mrtd(&offline, LAUNCH_TWO_PASS,
		   "523e75de18ce07d8693ca5308b5607af375cfae2111b2be3df7f9b36a40a0550"
		   "3c2d91da07a6838686699b2f86599ad7");
	offline_fini(&offline);
}
END_TEST

START_TEST(test_a_td_has_no_pages_of_a_secure_processor)
{
	static const enum launch_kind kinds[] = {LAUNCH_SECRETS, LAUNCH_CPUID};
	uint8_t mrtd[LAUNCH_DIGEST_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct offline offline;

		offline_init(&offline, 0);
		offline_add(&offline, (struct range){0x1000, 0x2000}, kinds[i]);
		ck_assert_int_eq(launch_digest_tdx(offline.memory, &offline.launch,
						   LAUNCH_SINGLE_PASS, mrtd),
				 -EINVAL);
		offline_fini(&offline);
	}
}
END_TEST

/* What the guest accepts itself, and what has no memory, is not launched. */
START_TEST(test_what_is_added_is_launched_in_order)
{
	static const gpa_t starts[] = {0xffffd000, 0xffffc000, 0x809000, 0x80b000};
	uint8_t bytes[0x3000], zeroes[0x1000] = {0};
	struct firmware firmware;
	struct offline offline;
	struct tdvf tdvf;

	offline_init(&offline, FIRMWARE_BYTES);
	firmware_make(&firmware);
	/* The variables are in the file in part. */
	firmware_put32(&firmware, FIRMWARE_TDVF + 16 + 32 + 4, 0x10);
	ck_assert_int_eq(tdvf_parse(&firmware.image, &tdvf, NULL), 0);
	/* Whatever was there before. */
	memset(bytes, 0x5a, sizeof(bytes));
	ck_assert_int_eq(guest_write(offline.memory, 0xffffc000, bytes, 0x1000), 0);
	ck_assert_int_eq(
		tdvf_launch(offline.memory, &firmware.image, &tdvf, &offline.launch, NULL), 0);
	ck_assert_uint_eq(offline.launch.n_pieces, ARRAY_SIZE(starts));
	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		ck_assert_uint_eq(offline.launch.pieces[i].gpa.start, starts[i]);
		ck_assert_int_eq(offline.launch.pieces[i].kind,
				 i == 0 ? LAUNCH_MEASURED : LAUNCH_UNMEASURED);
	}
	ck_assert_int_eq(guest_read(offline.memory, 0xffffd000, bytes, sizeof(bytes)), 0);
	ck_assert_mem_eq(bytes, firmware.bytes + 0x1000, sizeof(bytes));
	/* 16 bytes of the variables are in the file, then there are zeroes. */
	ck_assert_int_eq(guest_read(offline.memory, 0xffffc000, bytes, 0x1000), 0);
	ck_assert_mem_eq(bytes, firmware.bytes, 0x10);
	ck_assert_mem_eq(bytes + 0x10, zeroes, 0x1000 - 0x10);
	offline_fini(&offline);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_page_that_is_not_measured_has_its_address_measured,
		test_a_page_is_measured_in_chunks,
		test_the_order_matters,
		test_a_td_has_no_pages_of_a_secure_processor,
		test_what_is_added_is_launched_in_order,
	};

	return unit_run(unit_suite("measure_tdx", tests, ARRAY_SIZE(tests)));
}
