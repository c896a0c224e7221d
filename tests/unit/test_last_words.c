// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/last_words.h"

#include <assert.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

static char line[512];

static void check_printable(void)
{
	for (const char *c = line; *c; c++)
		ck_assert_int_ge(*c, 0x20);
	ck_assert_ptr_nonnull(memchr(line, 0, sizeof(line)));
}

START_TEST(test_reasons_of_sev_guests_are_words_and_numbers)
{
	static const struct {
		uint64_t ghcb;
		const char *words;
	} cases[] = {
		{0x000000100, "no reason given (reason set 0, reason 0)"},
		{0x000020100,
		 "lacks a feature of SEV-SNP that it needs (reason set 0, reason 2)"},
		{0x000030100, "a reason of its own (reason set 0, reason 3)"},
		{0x000021100, "a page could not be validated (reason set 1, reason 2)"},
		{0x0000c1100, "Secure AVIC failed (reason set 1, reason 12)"},
		{0x0000d1100, "a reason of its own (reason set 1, reason 13)"},
		{0x00011a100, "page was validated before (reason set 10, reason 17)"},
		{0x00016a100, "did not start (reason set 10, reason 22)"},
		{0x000ffa100, "a reason of its own (reason set 10, reason 255)"},
		{0xffff2100, "a reason of its own (reason set 2, reason 255)"},
		{0xfffffffffffff100, "a reason of its own (reason set 15, reason 255)"},
		{0x12345000, "kernel log"},
		{0, "kernel log"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		last_words_format_sev(cases[i].ghcb, line, sizeof(line));
		ck_assert_msg(strstr(line, cases[i].words), "%s", line);
		check_printable();
	}
}
END_TEST

/* As Linux does it, arch/x86/coco/tdx/tdx.c: r14, r15, rbx, rdi, rsi, r8, r9, rdx. */
static void say(uint64_t *registers, const char *text)
{
	static const unsigned int order[] = {14, 15, 3, 7, 6, 8, 9, 2};
	char message[64] = "";

	memcpy(message, text, strnlen(text, sizeof(message)));
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		memcpy(&registers[order[i]], message + 8 * i, 8);
}

START_TEST(test_text_of_a_td_comes_whole_and_in_order)
{
	static const char text[] =
		"TD misconfiguration: SEPT #VE has to be disabled, 64 bytes: ABCD";
	uint64_t registers[LAST_WORDS_REGISTERS] = {[0] = 0x1111, [12] = 0x2a};
	uint64_t gpa;

	static_assert(sizeof(text) == 65, "as long as there is room");
	say(registers, text);
	last_words_format_tdx(registers, NULL, line, sizeof(line));
	ck_assert_msg(strstr(line, "error 0x2a: "), "%s", line);
	ck_assert_str_eq(line + strlen(line) - 64, text);
	ck_assert(!last_words_has_page(registers, &gpa));
}
END_TEST

START_TEST(test_text_of_a_td_is_escaped)
{
	uint64_t registers[LAST_WORDS_REGISTERS] = {0};

	say(registers, "a\x1b[2Jb\n\"\\\x7f\xff!");
	last_words_format_tdx(registers, NULL, line, sizeof(line));
	ck_assert_msg(strstr(line, ": a\\x1b[2Jb\\x0a\\x22\\x5c\\x7f\\xff!"), "%s", line);
	check_printable();
}
END_TEST

START_TEST(test_page_of_a_td_is_bounded)
{
	uint64_t registers[LAST_WORDS_REGISTERS] = {[12] = 1ull << 63 | 3, [13] = 0x8000};
	static char page[LAST_WORDS_PAGE_BYTES];
	uint64_t gpa;

	ck_assert(last_words_has_page(registers, &gpa));
	ck_assert_uint_eq(gpa, 0x8000);
	last_words_format_tdx(registers, NULL, line, sizeof(line));
	ck_assert_msg(strstr(line, "error 0x3, and more at gpa 0x8000"), "%s", line);

	strcpy(page, "from the page");
	last_words_format_tdx(registers, page, line, sizeof(line));
	ck_assert_msg(strstr(line, "error 0x3: from the page"), "%s", line);

	/* No NUL, and all of it to be escaped, into lines of any size. */
	memset(page, 0x80, sizeof(page));
	for (size_t size = 1; size <= sizeof(line); size++) {
		memset(line, 'Z', sizeof(line));
		last_words_format_tdx(registers, page, line, size);
		ck_assert_uint_lt(strlen(line), size);
		ck_assert(size == sizeof(line) || line[size] == 'Z');
	}
	check_printable();
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_reasons_of_sev_guests_are_words_and_numbers,
		test_text_of_a_td_comes_whole_and_in_order,
		test_text_of_a_td_is_escaped,
		test_page_of_a_td_is_bounded,
	};

	return unit_run(unit_suite("last words", tests, ARRAY_SIZE(tests)));
}
