// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The digests were computed by a program that was written for this; the single-pass one of 8192
 * bytes is what td-shim's own tool says of an image with these contents as well. Values
 * published for whole images (Oak's stage0, dstack's OVMF) need files that are not here.
 */
#include "boot/measure_tdx.h"

#include "tests/unit/firmware.h"

static void check_mrtd(const uint8_t mrtd[MRTD_BYTES], const char *wanted)
{
	char text[2 * MRTD_BYTES + 1];

	for (size_t i = 0; i < MRTD_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", mrtd[i]);
	ck_assert_str_eq(text, wanted);
}

static void check_piece(const struct tdx_piece *piece, enum mrtd_order order,
			const char *wanted)
{
	struct tdx_plan plan = {.pieces = {*piece}, .n_pieces = 1};
	uint8_t mrtd[MRTD_BYTES];

	ck_assert_int_eq(tdx_measure(&plan, order, mrtd), 0);
	check_mrtd(mrtd, wanted);
}

START_TEST(test_a_page_that_is_not_measured_has_its_address_measured)
{
	struct tdx_piece piece = {.gpa = 0x1000, .size_bytes = 4096};
	const char *wanted = "fcdabf6fdf38b87d2e3a89b1ab68c242abb261dffa70ef6f1dc2220c2752d272"
			     "9cdf1be92afc2e0e4297f04e2b629552";

	check_piece(&piece, MRTD_SINGLE_PASS, wanted);
	check_piece(&piece, MRTD_TWO_PASS, wanted);
}
END_TEST

START_TEST(test_a_page_is_measured_in_chunks)
{
	struct tdx_piece piece = {.gpa = 0xfffff000, .size_bytes = 4096, .measured = true};
	const char *wanted = "07f08f558c5e2593b33452cf00c12a165c07b027a36424ecfa15ebf39b5415e0"
			     "ed62418458e4bfd77f16fec0f1568dc9";

	check_piece(&piece, MRTD_SINGLE_PASS, wanted);
	check_piece(&piece, MRTD_TWO_PASS, wanted);
}
END_TEST

START_TEST(test_the_order_matters)
{
	uint8_t bytes[8192];
	struct tdx_piece piece = {.gpa = 0x80000000,
				  .size_bytes = sizeof(bytes),
				  .bytes = bytes,
				  .data_bytes = sizeof(bytes),
				  .measured = true};

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)i;
	check_piece(&piece, MRTD_SINGLE_PASS,
		    "ece2df2bce2401156ee001d13eab4663355a3e0e93959476ad9badc80afd83ea"
		    "ece46c07b4a0b279d4de2e5e39d42cdd");
	check_piece(&piece, MRTD_TWO_PASS,
		    "523e75de18ce07d8693ca5308b5607af375cfae2111b2be3df7f9b36a40a0550"
		    "3c2d91da07a6838686699b2f86599ad7");
}
END_TEST

/* Bytes that the file lacks are zeroes, wherever in a page it ends. */
START_TEST(test_short_data_is_padded)
{
	static const size_t data_sizes[] = {0, 1, 255, 4095, 4096, 4097, 8191};
	uint8_t bytes[8192], padded[MRTD_BYTES], whole[MRTD_BYTES];

	for (size_t i = 0; i < ARRAY_SIZE(data_sizes); i++) {
		struct tdx_plan plan = {
			.pieces = {{.gpa = 0x1000,
				    .size_bytes = sizeof(bytes),
				    .bytes = bytes,
				    .data_bytes = data_sizes[i],
				    .measured = true}},
			.n_pieces = 1,
		};

		memset(bytes, 0x5a, sizeof(bytes));
		ck_assert_int_eq(tdx_measure(&plan, MRTD_SINGLE_PASS, padded), 0);
		memset(bytes + data_sizes[i], 0, sizeof(bytes) - data_sizes[i]);
		plan.pieces[0].data_bytes = sizeof(bytes);
		ck_assert_int_eq(tdx_measure(&plan, MRTD_SINGLE_PASS, whole), 0);
		ck_assert_mem_eq(padded, whole, MRTD_BYTES);
	}
}
END_TEST

/* What the guest accepts itself, and what has no memory, is not launched. */
START_TEST(test_a_plan_has_what_is_added_in_order)
{
	static const enum tdvf_type wanted[] = {TDVF_BFV, TDVF_CFV, TDVF_TD_HOB, TDVF_TEMP_MEM};
	struct firmware firmware;
	struct tdx_plan plan;
	struct tdvf tdvf;

	firmware_make(&firmware);
	ck_assert_int_eq(tdvf_parse(&firmware.image, &tdvf, NULL), 0);
	tdx_plan_tdvf(&plan, &firmware.image, &tdvf);
	ck_assert_uint_eq(plan.n_pieces, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		ck_assert_int_eq(plan.pieces[i].type, wanted[i]);
		ck_assert_int_eq(plan.pieces[i].measured, wanted[i] == TDVF_BFV);
	}
	ck_assert_ptr_eq(plan.pieces[0].bytes, firmware.bytes + 0x1000);
	ck_assert_uint_eq(plan.pieces[0].data_bytes, 0x3000);
	ck_assert_uint_eq(plan.pieces[0].gpa, 0xffffd000);
	ck_assert_ptr_null(plan.pieces[2].bytes);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_page_that_is_not_measured_has_its_address_measured,
		test_a_page_is_measured_in_chunks,
		test_the_order_matters,
		test_short_data_is_padded,
		test_a_plan_has_what_is_added_in_order,
	};

	return unit_run(unit_suite("measure_tdx", tests, ARRAY_SIZE(tests)));
}
