// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/err.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

START_TEST(test_error_keeps_code_and_text)
{
	struct err err = {0};

	ck_assert_int_eq(err_set(&err, -ENOENT, "kernel '%s': not found", "x"), -ENOENT);
	ck_assert_int_eq(err.code, -ENOENT);
	ck_assert_str_eq(err.text, "kernel 'x': not found");
	ck_assert_int_eq(err_set(NULL, -EIO, "%d", 1), -EIO);
}
END_TEST

START_TEST(test_error_is_one_line_of_printable_text)
{
	struct err err = {0};

	err_set(&err, -EINVAL, "file 'a\nb\r\033[2J\x7f'");
	ck_assert_str_eq(err.text, "file 'a?b??[2J?'");
}
END_TEST

START_TEST(test_context_comes_before_the_text)
{
	struct err err = {0};

	ck_assert_int_eq(err_prefix(&err, "disk"), 0);
	ck_assert_str_eq(err.text, "");
	err_set(&err, -EIO, "broken");
	ck_assert_int_eq(err_prefix(&err, "disk '%s'", "d"), -EIO);
	ck_assert_str_eq(err.text, "disk 'd': broken");
}
END_TEST

START_TEST(test_text_of_any_length_is_cut_at_its_end)
{
	struct err err = {0};
	char text[2 * ERR_TEXT_MAX_BYTES];

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	err_set(&err, -EIO, "%s", text);
	ck_assert_uint_eq(strlen(err.text), ERR_TEXT_MAX_BYTES - 1);
	err_prefix(&err, "front");
	ck_assert_uint_eq(strlen(err.text), ERR_TEXT_MAX_BYTES - 1);
	ck_assert(strncmp(err.text, "front: xxx", 10) == 0);
	/* A context that leaves no room for the text is not worth having. */
	err_prefix(&err, "%s", text);
	ck_assert(strncmp(err.text, "front: xxx", 10) == 0);
}
END_TEST

START_TEST(test_every_code_has_words)
{
	ck_assert_str_eq(err_describe(-ENOENT), "No such file or directory");
	ck_assert_str_eq(err_describe(ENOENT), "No such file or directory");
	ck_assert_str_eq(err_describe(-100000), "unknown error");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_error_keeps_code_and_text,	    test_error_is_one_line_of_printable_text,
		test_context_comes_before_the_text, test_text_of_any_length_is_cut_at_its_end,
		test_every_code_has_words,
	};

	return unit_run(unit_suite("err", tests, ARRAY_SIZE(tests)));
}
