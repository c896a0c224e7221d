// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/acpi/aml.h"

#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

static uint8_t buffer[1 << 21];

static struct aml make_aml(void)
{
	struct aml aml;

	aml_init(&aml, buffer, sizeof(buffer));
	return aml;
}

#define ASSERT_BYTES(aml, ...)                                            \
	do {                                                              \
		const uint8_t wanted_[] = {__VA_ARGS__};                  \
		ck_assert(!(aml)->is_full);                               \
		ck_assert_uint_eq((aml)->used_bytes, sizeof(wanted_));    \
		ck_assert_mem_eq((aml)->bytes, wanted_, sizeof(wanted_)); \
	} while (0)

START_TEST(test_integers_take_the_shortest_form)
{
	static const struct {
		uint64_t value;
		uint8_t bytes[9];
		size_t n_bytes;
	} cases[] = {
		{0, {0x00}, 1},
		{1, {0x01}, 1},
		{2, {0x0a, 2}, 2},
		{0xff, {0x0a, 0xff}, 2},
		{0x100, {0x0b, 0x00, 0x01}, 3},
		{0xffff, {0x0b, 0xff, 0xff}, 3},
		{0x10000, {0x0c, 0x00, 0x00, 0x01, 0x00}, 5},
		{0xffffffff, {0x0c, 0xff, 0xff, 0xff, 0xff}, 5},
		{0x100000000, {0x0e, 0, 0, 0, 0, 1, 0, 0, 0}, 9},
		{0x1122334455667788, {0x0e, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11}, 9},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aml aml = make_aml();

		aml_integer(&aml, cases[i].value);
		ck_assert_uint_eq(aml.used_bytes, cases[i].n_bytes);
		ck_assert_mem_eq(buffer, cases[i].bytes, cases[i].n_bytes);
	}
}
END_TEST

START_TEST(test_names_are_padded_and_rooted)
{
	struct aml aml = make_aml();

	aml_name(&aml, "_S5");
	aml_reference(&aml, "\\_SB");
	aml_reference(&aml, "COM1");
	ASSERT_BYTES(&aml, 0x08, '_', 'S', '5', '_', '\\', '_', 'S', 'B', '_', 'C', 'O', 'M',
		     '1');
}
END_TEST

START_TEST(test_eisa_ids_are_compressed)
{
	struct aml aml = make_aml();

	aml_eisa_id(&aml, "PNP0A03");
	aml_eisa_id(&aml, "PNP0501");
	ASSERT_BYTES(&aml, 0x0c, 0x41, 0xd0, 0x0a, 0x03, 0x0c, 0x41, 0xd0, 0x05, 0x01);
}
END_TEST

START_TEST(test_uuids_are_mixed_endian_buffers)
{
	struct aml aml = make_aml();

	aml_uuid(&aml, "00112233-4455-6677-8899-AAbbccddeeff");
	ASSERT_BYTES(&aml, 0x11, 0x13, 0x0a, 0x10, 0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77,
		     0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff);
}
END_TEST

/* PkgLength counts itself: 62 bytes of content are the last that fit one byte, and so on. */
START_TEST(test_lengths_grow_where_the_encoding_says)
{
	static const struct {
		size_t content_bytes;
		uint8_t length[4];
		size_t n_length;
	} cases[] = {
		{0, {0x01}, 1},
		{62, {0x3f}, 1},
		{63, {0x41, 0x04}, 2},
		{4093, {0x4f, 0xff}, 2},
		{4094, {0x81, 0x00, 0x01}, 3},
		{(1 << 20) - 4, {0x8f, 0xff, 0xff}, 3},
		{(1 << 20) - 3, {0xc1, 0x00, 0x00, 0x01}, 4},
	};
	static const uint8_t byte = 0x5a;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct aml aml = make_aml();
		size_t mark = aml_begin_if(&aml);

		for (size_t j = 0; j < cases[i].content_bytes; j++)
			aml_put_bytes(&aml, &byte, 1);
		aml_end(&aml, mark);
		ck_assert_uint_eq(aml.used_bytes,
				  1 + cases[i].n_length + cases[i].content_bytes);
		ck_assert_uint_eq(buffer[0], 0xa0);
		ck_assert_mem_eq(buffer + 1, cases[i].length, cases[i].n_length);
		if (cases[i].content_bytes) {
			ck_assert_uint_eq(buffer[1 + cases[i].n_length], byte);
			ck_assert_uint_eq(buffer[aml.used_bytes - 1], byte);
		}
	}
}
END_TEST

START_TEST(test_terms_nest)
{
	struct aml aml = make_aml();
	size_t scope = aml_begin_scope(&aml, "\\_SB");
	size_t device = aml_begin_device(&aml, "DEV0");
	size_t method = aml_begin_method(&aml, "MTH", 2);

	aml_op(&aml, AML_OP_RETURN);
	aml_argument(&aml, 1);
	aml_end(&aml, method);
	aml_end(&aml, device);
	aml_end(&aml, scope);
	ASSERT_BYTES(&aml, 0x10, 0x16, '\\', '_', 'S', 'B', '_', 0x5b, 0x82, 0x0e, 'D', 'E',
		     'V', '0', 0x14, 0x08, 'M', 'T', 'H', '_', 0x02, 0xa4, 0x69);
}
END_TEST

START_TEST(test_resources_are_as_specified)
{
	struct aml aml = make_aml();
	size_t resources = aml_begin_resources(&aml);

	aml_resource_io(&aml, 0x3f8, 8);
	aml_resource_interrupt(&aml, 4);
	aml_resource_memory32(&aml, 0xe0000000, 0x10000000);
	aml_end_resources(&aml, resources);
	ASSERT_BYTES(&aml, 0x11, 0x22, 0x0a, 0x1f,
		     /* I/O, 16-bit decoding, min, max, alignment, length */
		     0x47, 0x01, 0xf8, 0x03, 0xf8, 0x03, 0x01, 0x08,
		     /* extended interrupt: consumer, edge, high, exclusive; one, 4 */
		     0x89, 0x06, 0x00, 0x03, 0x01, 0x04, 0x00, 0x00, 0x00,
		     /* fixed 32-bit memory: writable, base, length */
		     0x86, 0x09, 0x00, 0x01, 0x00, 0x00, 0x00, 0xe0, 0x00, 0x00, 0x00, 0x10,
		     /* end tag */
		     0x79, 0x00);
}
END_TEST

START_TEST(test_windows_are_as_specified)
{
	struct aml aml = make_aml();

	aml_resource_bus_window(&aml, 0, 0);
	aml_resource_memory32_window(&aml, 0xc0000000, 0xdfffffff);
	aml_resource_memory64_window(&aml, 0x1000000000, 0x1fffffffff);
	ASSERT_BYTES(&aml,
		     /* bus numbers: granularity, min, max, translation, length */
		     0x88, 0x0d, 0x00, 0x02, 0x0c, 0x00, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0,
		     /* 32-bit memory, writable */
		     0x87, 0x17, 0x00, 0x00, 0x0c, 0x01, 0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff,
		     0xff, 0xdf, 0, 0, 0, 0, 0, 0, 0, 0x20,
		     /* 64-bit memory, writable */
		     0x8a, 0x2b, 0x00, 0x00, 0x0c, 0x01, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		     0x10, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0x1f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		     0, 0, 0, 0, 0, 0x10, 0, 0, 0);
}
END_TEST

static void put_sample(struct aml *aml)
{
	size_t device = aml_begin_device(aml, "DEV0");
	size_t resources;

	aml_name(aml, "_HID");
	aml_string(aml, "QEMU0001");
	aml_name(aml, "_CRS");
	resources = aml_begin_resources(aml);
	aml_resource_io(aml, 0x505, 1);
	aml_end_resources(aml, resources);
	aml_end(aml, device);
}

START_TEST(test_a_full_buffer_is_reported_and_never_overrun)
{
	struct aml aml = make_aml();
	size_t needed_bytes;

	put_sample(&aml);
	needed_bytes = aml.used_bytes;
	for (size_t room_bytes = 0; room_bytes <= needed_bytes; room_bytes++) {
		memset(buffer, 0xee, needed_bytes + 1);
		aml_init(&aml, buffer, room_bytes);
		put_sample(&aml);
		ck_assert_int_eq(aml.is_full, room_bytes < needed_bytes);
		for (size_t i = room_bytes; i <= needed_bytes; i++)
			ck_assert_uint_eq(buffer[i], 0xee);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_integers_take_the_shortest_form,
		test_names_are_padded_and_rooted,
		test_eisa_ids_are_compressed,
		test_uuids_are_mixed_endian_buffers,
		test_lengths_grow_where_the_encoding_says,
		test_terms_nest,
		test_resources_are_as_specified,
		test_windows_are_as_specified,
		test_a_full_buffer_is_reported_and_never_overrun,
	};

	return unit_run(unit_suite("aml", tests, ARRAY_SIZE(tests)));
}
