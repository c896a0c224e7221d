// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <glob.h>

#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "vmm/config_file.h"
#include "vmm/err.h"
#include "vmm/options.h"
#include "vmm/range.h"
#include "vmm/suite/file.h"

/* Writes down what it is told, one line per call. */
struct recorder {
	struct config_reader reader;
	char text[8192];
};

static void record(struct recorder *recorder, const char *a, const char *b, const char *c)
{
	size_t used = strlen(recorder->text);

	snprintf(recorder->text + used, sizeof(recorder->text) - used, "%u %s%s%s\n",
		 recorder->reader.line, a, b, c);
}

/* Skips [skip], refuses [refuse]. */
static int record_section(struct config_reader *reader, const char *section, const char *label,
			  struct err *err)
{
	struct recorder *recorder = container_of(reader, struct recorder, reader);

	if (!strcmp(section, "skip"))
		return 1;
	if (!strcmp(section, "refuse"))
		return err_set(err, -EPERM, "refused");
	record(recorder, section, "/", label);
	return 0;
}

static int record_key(struct config_reader *reader, const char *key, const char *value,
		      struct err *err)
{
	struct recorder *recorder = container_of(reader, struct recorder, reader);

	if (!strcmp(key, "refuse"))
		return err_set(err, -EPERM, "refused");
	record(recorder, key, "=", value);
	return 0;
}

/* What reading @text gives, or the message without the directory of the file. */
static const char *read_bytes(const char *text, size_t text_bytes)
{
	static struct recorder recorder;
	static struct err err;
	struct scratch scratch;
	int result;

	recorder = (struct recorder){
		.reader = {.open_section = record_section, .set_key = record_key},
	};
	err = (struct err){0};
	scratch_init(&scratch, "x.conf", text, text_bytes);
	result = config_file_read(scratch.path, &recorder.reader, &err);
	scratch_fini(&scratch);
	if (result == 0)
		return recorder.text;
	ck_assert_int_eq(result, err.code);
	ck_assert(!strncmp(err.text, scratch.path, strlen(scratch.path)));
	return err.text + strlen(scratch.directory) + 1;
}

static const char *read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

START_TEST(test_reader_is_given_sections_and_keys_in_order)
{
	ck_assert_str_eq(read_text("# comment\n"
				   "[a]\n"
				   "k = v\n"
				   "; comment\n"
				   "  x=1 = 2  \n"
				   "[ b   c d ]\n"
				   "empty =\n"),
			 "2 a/\n3 k=v\n5 x=1 = 2\n6 b/c d\n7 empty=\n");
}
END_TEST

START_TEST(test_values_keep_what_looks_like_a_comment)
{
	ck_assert_str_eq(read_text("[a]\nk = x ; y # z\n"), "1 a/\n2 k=x ; y # z\n");
}
END_TEST

START_TEST(test_indented_line_is_a_key_of_its_own)
{
	ck_assert_str_eq(read_text("[a]\nk = v\n  l = w\n"), "1 a/\n2 k=v\n3 l=w\n");
}
END_TEST

START_TEST(test_sections_without_keys_are_reported)
{
	ck_assert_str_eq(read_text("[a]\n[b]"), "1 a/\n2 b/\n");
}
END_TEST

START_TEST(test_skipped_section_may_hold_anything)
{
	ck_assert_str_eq(read_text("[skip]\ngarbage\n[a]\nk=v\n"), "3 a/\n4 k=v\n");
}
END_TEST

START_TEST(test_windows_line_ends_and_byte_order_mark_are_not_seen)
{
	ck_assert_str_eq(read_text("\xef\xbb\xbf[a]\r\nk = v\r\n"), "1 a/\n2 k=v\n");
}
END_TEST

START_TEST(test_errors_name_the_line)
{
	static const struct {
		const char *text;
		const char *message;
	} cases[] = {
		{"[a]\n\ngarbage\n",
		 "x.conf:3: neither a section nor a key; write 'key = value'"},
		{"k = v\n", "x.conf:1: k: key before any section; write a header such as [vm] "
			    "above it"},
		{"[a\n",
		 "x.conf:1: section header does not end with ']'; write [section] alone"},
		{"[a] b\n",
		 "x.conf:1: section header does not end with ']'; write [section] alone"},
		{"\n[refuse]\n", "x.conf:2: refused"},
		{"[a b]\nrefuse = 1\n", "x.conf:2: [a b] refuse: refused"},
		{"[a]\nrefuse = 1\n[refuse]\n", "x.conf:2: [a] refuse: refused"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_str_eq(read_text(cases[i].text), cases[i].message);
}
END_TEST

START_TEST(test_longest_line_is_read_whole_and_a_longer_one_refused)
{
	char text[2 * CONFIG_LINE_MAX_BYTES] = "[a]\nk=";
	const size_t longest = CONFIG_LINE_MAX_BYTES - 2; /* newline, NUL */
	char *line = text + strlen("[a]\n");
	const char *read;

	memset(line + 2, 'x', longest - 2);
	memcpy(line + longest, "\n", 2);
	read = read_text(text);
	ck_assert_uint_eq(strlen(read), strlen("1 a/\n2 \n") + longest);

	memcpy(line + longest, "y\n", 3);
	ck_assert_str_eq(read_text(text),
			 "x.conf:2: line is longer than 4094 bytes; shorten it");
}
END_TEST

START_TEST(test_nul_byte_is_refused)
{
	static const char inside[] = "[a]\nk = v\0w\nl = m\n";
	static const char last[] = "[a]\nk = v\0w";
	static const char *message = "x.conf:2: line holds a NUL byte; give a text file";

	ck_assert_str_eq(read_bytes(inside, sizeof(inside) - 1), message);
	ck_assert_str_eq(read_bytes(last, sizeof(last) - 1), message);
}
END_TEST

START_TEST(test_missing_file_and_directory_are_explained)
{
	struct recorder recorder = {
		.reader = {.open_section = record_section, .set_key = record_key},
	};
	struct err err = {0};

	ck_assert_int_eq(config_file_read("/nonexistent", &recorder.reader, &err), -ENOENT);
	ck_assert_str_eq(err.text, "config file '/nonexistent': No such file or directory; "
				   "check the path");
	ck_assert_int_eq(config_file_read("/", &recorder.reader, &err), -EIO);
	ck_assert_str_eq(err.text, "config file '/': cannot be read; check the file");
}
END_TEST

START_TEST(test_variables_are_replaced)
{
	static const struct {
		const char *path;
		const char *text;
		const char *expanded;
	} cases[] = {
		{"x.conf", "", ""},
		{"x.conf", "${dir}/a", "/usr/a"},
		{"b/x.conf", "${dir}", "/usr/b"},
		{"/x.conf", "${dir}", "/"},
		{"/a/b/x.conf", "<${dir}>", "</a/b>"},
		{"x.conf", "${UNIT_ONE}${UNIT_ONE}", "11"},
		{"x.conf", "${UNIT_EMPTY}", ""},
		{"x.conf", "$ $$ {x} $x", "$ $$ {x} $x"},
		{"x.conf", "$${dir}", "${dir}"},
		{"x.conf", "${UNIT_NESTED}", "${dir}"},
	};

	setenv("UNIT_ONE", "1", 1);
	setenv("UNIT_EMPTY", "", 1);
	setenv("UNIT_NESTED", "${dir}", 1);
	ck_assert_int_eq(chdir("/usr"), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = NULL;

		ck_assert_int_eq(config_file_expand(cases[i].path, cases[i].text, &text, NULL),
				 0);
		ck_assert_str_eq(text, cases[i].expanded);
	}
}
END_TEST

START_TEST(test_bad_variables_are_refused)
{
	static const struct {
		const char *text;
		int result;
		const char *message;
	} cases[] = {
		{"${UNIT_UNSET}", -ENOENT,
		 "variable ${UNIT_UNSET} is not set; set it in the environment"},
		{"${dir", -EINVAL, "'${' has no '}'; close it, or write '$${'"},
		{"${}", -EINVAL, "'${}' does not name a variable; write ${NAME}"},
	};
	struct err err = {0};

	unsetenv("UNIT_UNSET");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *text = NULL;

		ck_assert_int_eq(config_file_expand("x", cases[i].text, &text, &err),
				 cases[i].result);
		ck_assert_str_eq(err.text, cases[i].message);
		ck_assert_ptr_null(text);
	}
}
END_TEST

START_TEST(test_paths_are_relative_to_their_file)
{
	static const struct {
		const char *path;
		const char *relative;
		const char *resolved;
	} cases[] = {
		{"x.conf", "a", "a"},
		{"/x.conf", "a", "/a"},
		{"b/x.conf", "../a", "b/../a"},
		{"b/x.conf", "/a", "/a"},
	};
	struct err err = {0};
	char *none = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *resolved = NULL;

		ck_assert_int_eq(
			config_file_resolve(cases[i].path, cases[i].relative, &resolved, NULL),
			0);
		ck_assert_str_eq(resolved, cases[i].resolved);
	}
	ck_assert_int_eq(config_file_resolve("x.conf", "", &none, &err), -EINVAL);
}
END_TEST

/* Calls @check on each file; there must be some. */
static void check_files(const char *pattern, void (*check)(const char *path))
{
	glob_t found;

	ck_assert_int_eq(glob(pattern, 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		check(found.gl_pathv[i]);
	globfree(&found);
}

static void check_example(const char *path)
{
	struct config config;
	struct err err = {0};

	ck_assert_int_eq(config_init(&config, NULL), 0);
	ck_assert_msg(options_read_file(&config, path, &err) == 0, "%s", err.text);
	ck_assert_msg(config_check(&config, &err) == 0, "%s: %s", path, err.text);
	config_fini(&config);
}

static void check_scenario(const char *path)
{
	static struct suite_file file;
	struct err err = {0};

	ck_assert_msg(suite_file_read(&file, path, false, &err) == 0, "%s", err.text);
	suite_file_fini(&file);
}

START_TEST(test_files_that_come_with_alcove_are_well_formed)
{
	check_files("configs/*.conf", check_example);
	check_files("tests/scenarios/*.conf", check_scenario);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_reader_is_given_sections_and_keys_in_order,
		test_values_keep_what_looks_like_a_comment,
		test_indented_line_is_a_key_of_its_own,
		test_sections_without_keys_are_reported,
		test_skipped_section_may_hold_anything,
		test_windows_line_ends_and_byte_order_mark_are_not_seen,
		test_errors_name_the_line,
		test_longest_line_is_read_whole_and_a_longer_one_refused,
		test_nul_byte_is_refused,
		test_missing_file_and_directory_are_explained,
		test_variables_are_replaced,
		test_bad_variables_are_refused,
		test_paths_are_relative_to_their_file,
		test_files_that_come_with_alcove_are_well_formed,
	};

	return unit_run(unit_suite("config_file", tests, ARRAY_SIZE(tests)));
}
