// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said to the quote generation service and by it, and where it is. */
#include "devices/quote_message.h"

#include <string.h>

#include "devices/quote.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

START_TEST(test_envelope_is_as_the_service_reads_it)
{
	/* As qgs_msg_lib has it for a report of 1024 bytes, with its length in front. */
	static const uint8_t expected[QUOTE_ENVELOPE_BYTES] = {
		0, 0, 4, 0x18, 1, 0, 1, 0, 0, 0, 0, 0, 0x18, 4,
		0, 0, 0, 0,    0, 0, 0, 4, 0, 0, 0, 0, 0,    0,
	};
	uint8_t envelope[QUOTE_ENVELOPE_BYTES];

	quote_make_envelope(envelope, 1024);
	ck_assert_mem_eq(envelope, expected, sizeof(expected));
	ck_assert_uint_eq(quote_message_bytes(envelope), QUOTE_ENVELOPE_BYTES + 1024);
}
END_TEST

START_TEST(test_message_is_told_from_a_report)
{
	uint8_t in[QUOTE_ENVELOPE_BYTES + 1024] = {0};

	quote_make_envelope(in, 1024);
	ck_assert(quote_is_message(in, sizeof(in)));
	ck_assert(!quote_is_message(in, sizeof(in) - 1));
	ck_assert(!quote_is_message(in, QUOTE_LENGTH_BYTES));
	/* Nothing but a request for a quote goes to the service in the guest's words. */
	for (uint8_t type = 1; type < 8; type++) {
		in[8] = type;
		ck_assert(!quote_is_message(in, sizeof(in)));
	}
	in[8] = 0;
	in[4] = 2; /* a major version that is not ours */
	ck_assert(!quote_is_message(in, sizeof(in)));
	in[4] = 1;
	in[6] = 0; /* an older minor one */
	ck_assert(quote_is_message(in, sizeof(in)));
	in[12]--; /* its size, the second time */
	ck_assert(!quote_is_message(in, sizeof(in)));
	/* TDREPORT_STRUCT: type 0x81, of several versions. */
	memset(in, 0, sizeof(in));
	in[0] = 0x81;
	for (uint8_t version = 0; version < 4; version++) {
		in[2] = version;
		ck_assert(!quote_is_message(in, 1024));
	}
}
END_TEST

static size_t put_reply(uint8_t *bytes, uint32_t error, uint32_t quote_bytes)
{
	quote_make_envelope(bytes, quote_bytes);
	bytes[8] = 1;
	memcpy(bytes + 16, &error, sizeof(error));
	/* Sizes of key id and quote, where a request has those of report and list. */
	memset(bytes + 20, 0, 4);
	memcpy(bytes + 24, &quote_bytes, sizeof(quote_bytes));
	return QUOTE_ENVELOPE_BYTES + quote_bytes;
}

START_TEST(test_quote_is_found)
{
	uint8_t bytes[QUOTE_ENVELOPE_BYTES + 100] = {0};
	uint32_t n_bytes = 0, error;
	size_t size = put_reply(bytes, 0, 100);

	ck_assert_ptr_eq(quote_find(bytes, size, &n_bytes, &error),
			 bytes + QUOTE_ENVELOPE_BYTES);
	ck_assert_uint_eq(n_bytes, 100);
	/* A part of it is nothing. */
	for (size_t n = 0; n < size; n++) {
		ck_assert_ptr_null(quote_find(bytes, n, &n_bytes, &error));
		ck_assert_uint_eq(error, 0);
	}
	size = put_reply(bytes, 0, 0);
	ck_assert_ptr_null(quote_find(bytes, size, &n_bytes, &error));
	size = put_reply(bytes, 0x12001, 100);
	ck_assert_ptr_null(quote_find(bytes, size, &n_bytes, &error));
	ck_assert_uint_eq(error, 0x12001);
	/* An error may be the head of a message alone. */
	size = put_reply(bytes, 0x12002, 0) - 8;
	bytes[12] = 16;
	ck_assert_ptr_null(quote_find(bytes, size, &n_bytes, &error));
	ck_assert_uint_eq(error, 0x12002);
}
END_TEST

START_TEST(test_addresses)
{
	static const struct {
		const char *text;
		bool is_good;
	} cases[] = {
		{"unix:/run/qgs.socket", true},
		{"unix:q", true},
		{"unix:", false},
		{"vsock:2:4050", true},
		{"vsock:1:0", true},
		{"vsock:4294967294:4294967294", true},
		{"vsock:4294967295:1", false},
		{"vsock:2", false},
		{"vsock:2:", false},
		{"vsock::4050", false},
		{"vsock:2:4050 ", false},
		{"vsock:-2:4050", false},
		{"vsock: 2:4050", false},
		{"vsock:00000000002:1", false},
		{"vsock:99999999999999999999:1", false},
		{"/run/qgs.socket", false},
		{"", false},
	};
	char longest[128] = "unix:";
	struct err err = {0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int ret = quote_check_address(cases[i].text, &err);

		ck_assert_msg((ret == 0) == cases[i].is_good, "%s", cases[i].text);
		ck_assert(ret == 0 || strstr(err.text, cases[i].text));
	}
	memset(longest + 5, 'p', 107);
	ck_assert_int_eq(quote_check_address(longest, &err), 0);
	longest[5 + 107] = 'p';
	ck_assert_int_ne(quote_check_address(longest, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, "1 to 107 bytes"));
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_envelope_is_as_the_service_reads_it,
		test_message_is_told_from_a_report,
		test_quote_is_found,
		test_addresses,
	};

	return unit_run(unit_suite("quote message", tests, ARRAY_SIZE(tests)));
}
