// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/args.h"
#include "vmm/err.h"
#include "vmm/nearest.h"
#include "vmm/range.h"
#include "vmm/value.h"

static int takes_value(const char *name, struct err *err)
{
	if (!strcmp(name, "flag") || !strcmp(name, "help"))
		return 0;
	if (!strcmp(name, "value"))
		return 1;
	return err_set(err, -EINVAL, "--%s: unknown", name);
}

/* "name=value" for each argument, with blanks between; the message if one is bad. */
static const char *walk(char **argv)
{
	static char text[256];
	static struct err err;
	struct args args = {.next = argv, .takes_value = takes_value};
	struct arg arg;
	size_t used = 0;
	int more;

	err = (struct err){0};
	text[0] = '\0';
	for (more = args_next(&args, &arg, &err); more > 0; more = args_next(&args, &arg, &err))
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s=%s ", arg.name,
					 arg.value ? arg.value : "NULL");
	if (more == 0 && *args.next)
		snprintf(text + used, sizeof(text) - used, "-- %s", *args.next);
	return more < 0 ? err.text : text;
}

#define WALK(...) walk((char *[]){__VA_ARGS__, NULL})
#define ARG(text)    \
	(char[])     \
	{            \
		text \
	}

START_TEST(test_arguments_are_words_and_options)
{
	ck_assert_str_eq(walk((char *[]){NULL}), "");
	ck_assert_str_eq(WALK(ARG("a"), ARG("--value=b"), ARG("--value"), ARG("-c"), ARG("-")),
			 "=a value=b value=-c =- ");
	ck_assert_str_eq(WALK(ARG("--flag"), ARG("--value="), ARG("--"), ARG("--flag")),
			 "flag=NULL value= -- --flag");
	ck_assert_str_eq(WALK(ARG("-h"), ARG("-v"), ARG("-vv")),
			 "help=NULL verbosity=1 verbosity=2 ");
}
END_TEST

START_TEST(test_bad_arguments_are_explained)
{
	ck_assert_str_eq(WALK(ARG("--value")), "--value: value missing; write --value=VALUE");
	ck_assert_str_eq(WALK(ARG("--flag=1")), "--flag: takes no value; leave out '=1'");
	ck_assert_str_eq(WALK(ARG("--other=1")), "--other: unknown");
	ck_assert_str_eq(WALK(ARG("-x")),
			 "-x: unknown option; long ones begin with two dashes");
}
END_TEST

START_TEST(test_sizes_are_written_in_their_largest_unit)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} cases[] = {
		{0, "0"},
		{1023, "1023"},
		{KIB, "1K"},
		{3584 * MIB, "3584M"},
		{4 * GIB, "4G"},
		{5000 * TIB, "5000T"},
		{UINT64_MAX, "18446744073709551615"},
	};
	char text[24];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_str_eq(value_format_size(cases[i].bytes, text, sizeof(text)),
				 cases[i].text);
}
END_TEST

START_TEST(test_nearest_word_forgives_slips_only)
{
	static const struct {
		const char *typed;
		const char *best;
	} cases[] = {
		{"memory", "memory"},  {"mem", "memory"},    {"memroy", "memory"},
		{"emory", "memory"},   {"mamory", "memory"}, {"memmory", "memory"},
		{"cmdlin", "cmdline"}, {"m", NULL},	     {"", NULL},
		{"mommy", NULL},       {"xyz", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct nearest nearest;

		nearest_init(&nearest, cases[i].typed);
		nearest_offer(&nearest, "cmdline");
		nearest_offer(&nearest, "memory");
		ck_assert_pstr_eq(nearest.best, cases[i].best);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_arguments_are_words_and_options,
		test_bad_arguments_are_explained,
		test_sizes_are_written_in_their_largest_unit,
		test_nearest_word_forgives_slips_only,
	};

	return unit_run(unit_suite("args", tests, ARRAY_SIZE(tests)));
}
