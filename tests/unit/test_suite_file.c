// SPDX-License-Identifier: GPL-2.0-or-later
/* Tests of how the files of `alcove test` are read. */
#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/range.h"
#include "vmm/suite/file.h"

/* @message: what follows the path. */
static void expect_error(const char *text, const char *message)
{
	struct suite_file file;
	struct scratch scratch;
	struct err err = {0};
	char expected[ERR_TEXT_MAX_BYTES];

	scratch_init(&scratch, "x.conf", text, strlen(text));
	snprintf(expected, sizeof(expected), "%s%s", scratch.path, message);
	ck_assert_int_lt(suite_file_read(&file, scratch.path, false, &err), 0);
	ck_assert_str_eq(err.text, expected);
	scratch_fini(&scratch);
}

START_TEST(test_bad_files_are_explained)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"[expect]\nconsol = a\n",
		 ":2: [expect] consol: unknown key; did you mean 'console'?"},
		{"[expect]\nexit = 256\n",
		 ":2: [expect] exit: 256 is out of range; write 0 to 255"},
		{"[expect]\nexit = 1\nexit = 1\n",
		 ":3: [expect] exit: given twice, first in line 2; remove one"},
		{"[expect]\nconsole = (\n",
		 ":2: [expect] console: '(': Unmatched ( or \\(; write "
		 "a POSIX extended regular expression"},
		{"[expect]\nsend = a\n",
		 ":2: [expect] send: no ' => '; write PATTERN => what to do then"},
		{"[expect]\nsend = a => \\q\n",
		 ":2: [expect] send: '\\q': unknown escape; write "
		 "\\n, \\r, \\t, \\\\ or \\xHH"},
		{"[expect]\nsignal = a => SIGTERM\n",
		 ":2: [expect] signal: 'SIGTERM' is no signal; write one such as TERM"},
		{"[matrix]\ncpu = 1\n",
		 ":2: [matrix] cpu: --cpu: unknown option; did you mean --cpus?"},
		{"[matrix]\ncpus =\n",
		 ":2: [matrix] cpus: no values; write some with blanks between"},
		{"[matrix]\ncpus = 1\ncpus = 2\n",
		 ":3: [matrix] cpus: given twice; remove one"},
		{"[test]\n[expect]\n[test]\n",
		 ":3: [test]: given twice, first in line 1; join them"},
		{"[expect x]\n", ":1: [expect x]: takes no name; write [expect]"},
		{"[test]\nmust-fail = (\n",
		 ": [test] must-fail: '(': Unmatched ( or \\(; write a "
		 "POSIX extended regular expression"},
		{"[matrix]\ncpus = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17\n"
		 "verbosity = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
		 ": [matrix]: more than 256 cases; remove some"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		expect_error(cases[i].text, cases[i].message);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_bad_files_are_explained,
	};

	return unit_run(unit_suite("suite_file", tests, ARRAY_SIZE(tests)));
}
