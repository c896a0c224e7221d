// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of options as people and shells see it: help, manual, completion. */
#include <ctype.h>

#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "vmm/args.h"
#include "vmm/control/command.h"
#include "vmm/measure/command.h"
#include "vmm/options.h"
#include "vmm/range.h"
#include "vmm/suite/suite.h"

/* The options of the command line, each with its dashes; returns how many. */
static size_t list_options(char (*names)[ARG_NAME_MAX_BYTES], size_t names_max)
{
	size_t n = 0;

	for (const struct option_section *section = option_sections; section->name; section++) {
		const struct option *option = section->options;

		for (; option->key && !(section->bare && option != section->options);
		     option++) {
			ck_assert_uint_lt(n, names_max);
			snprintf(names[n++], ARG_NAME_MAX_BYTES, "--%s",
				 section->bare ? section->name : option->key);
		}
	}
	return n;
}

START_TEST(test_table_is_whole)
{
	char names[64][ARG_NAME_MAX_BYTES];
	size_t n = list_options(names, 64);

	for (size_t i = 0; i < n; i++) {
		ck_assert(options_know(names[i] + 2, NULL));
		for (size_t j = 0; j < i; j++)
			ck_assert_str_ne(names[i], names[j]);
	}
	for (const struct option_section *section = option_sections; section->name; section++) {
		bool has_bare = !section->bare;

		for (const struct option *option = section->options; option->key; option++) {
			has_bare |= section->bare && !strcmp(section->bare, option->key);
			ck_assert_uint_gt(strlen(option->help), 0);
			ck_assert_int_ne(option->help[strlen(option->help) - 1], '.');
			ck_assert((option->kind == OPTION_CHOICE) == (option->words != NULL));
			ck_assert(option->argument || option->kind == OPTION_CHOICE ||
				  option->kind == OPTION_BOOL);
		}
		ck_assert(has_bare);
		ck_assert(!section->list || section->bare);
	}
}
END_TEST

/* What @print writes. Free it. */
static char *print_text(void (*print)(FILE *out))
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	ck_assert_ptr_nonnull(out);
	print(out);
	ck_assert_int_eq(fclose(out), 0);
	return text;
}

static void print_completion(FILE *out)
{
	static const struct command_words words[] = {{"ps", "--json"}, {NULL, NULL}};

	options_print_completion(out, "run ps help", words);
}

/* Is @name in @text, not as a part of a longer name? */
static bool has_name(const char *text, const char *name)
{
	size_t bytes = strlen(name);

	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name)) {
		if (!isalnum((unsigned char)at[bytes]) && at[bytes] != '-')
			return true;
	}
	return false;
}

START_TEST(test_help_manual_and_completion_name_every_option)
{
	_cleanup_free_ char *help = print_text(options_print_help);
	_cleanup_free_ char *man = print_text(options_print_man);
	_cleanup_free_ char *completion = print_text(print_completion);
	char names[64][ARG_NAME_MAX_BYTES];
	size_t n = list_options(names, 64);

	for (size_t i = 0; i < n; i++) {
		ck_assert_msg(has_name(help, names[i]), "help lacks %s", names[i]);
		ck_assert_msg(has_name(man, names[i]), "manual lacks %s", names[i]);
		ck_assert_msg(has_name(completion, names[i]), "completion lacks %s", names[i]);
	}
	for (const struct option_section *section = option_sections; section->name; section++) {
		for (const struct option *option = section->options; option->key; option++) {
			ck_assert_msg(strstr(help, option->help), "help: %s", option->key);
			ck_assert_msg(strstr(man, option->help), "manual: %s", option->key);
		}
	}
}
END_TEST

enum { MANUAL_MAX_BYTES = 64 * 1024 };

static void read_manual(char ret_text[MANUAL_MAX_BYTES])
{
	FILE *file = fopen("docs/alcove.1.scd.in", "re");

	ck_assert_ptr_nonnull(file);
	ret_text[fread(ret_text, 1, MANUAL_MAX_BYTES - 1, file)] = '\0';
	ck_assert_uint_lt(strlen(ret_text), MANUAL_MAX_BYTES - 1);
	fclose(file);
}

/* Every option that the manual mentions by hand has to exist. */
START_TEST(test_manual_mentions_real_options_only)
{
	_cleanup_free_ char *suite_help = print_text(suite_print_help);
	_cleanup_free_ char *ps_help = print_text(ps_print_help);
	_cleanup_free_ char *measure_help = print_text(measure_print_help);
	char text[MANUAL_MAX_BYTES];
	unsigned int n = 0;

	read_manual(text);
	for (char *at = strstr(text, "--"); at; at = strstr(at + 2, "--")) {
		char name[ARG_NAME_MAX_BYTES];

		snprintf(name, sizeof(name), "%.*s",
			 (int)strspn(at, "-abcdefghijklmnopqrstuvwxyz"), at);
		if (!strcmp(name, "--"))
			continue;
		ck_assert_msg(options_know(name + 2, NULL) || has_name(suite_help, name) ||
				      has_name(ps_help, name) || has_name(measure_help, name),
			      "the manual mentions %s", name);
		n++;
	}
	ck_assert_uint_gt(n, 10);
}
END_TEST

START_TEST(test_options_of_measure_are_completed_and_explained)
{
	_cleanup_free_ char *help = print_text(measure_print_help);
	char words[] = MEASURE_OPTIONS;
	char text[MANUAL_MAX_BYTES];
	unsigned int n = 0;

	read_manual(text);
	for (char *word = strtok(words, " ="); word; word = strtok(NULL, " =")) {
		ck_assert_msg(has_name(help, word), "help lacks %s", word);
		ck_assert_msg(has_name(text, word), "manual lacks %s", word);
		n++;
	}
	for (const char *at = strstr(help, "\n  --"); at; at = strstr(at + 1, "\n  --"))
		n--;
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* What bash offers after @words, with a blank after each; the last is being typed. */
static const char *complete(const char *script, const char *words)
{
	static char offers[1024];
	char command[512];
	FILE *bash;

	snprintf(command, sizeof(command),
		 "bash -c 'compopt() { :; }; . %s; COMP_WORDS=(%s); "
		 "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _alcove; "
		 "printf \"%%s \" \"${COMPREPLY[@]}\"'",
		 script, words);
	bash = popen(command, "re"); /* NOLINT(cert-env33-c) */
	ck_assert_ptr_nonnull(bash);
	offers[fread(offers, 1, sizeof(offers) - 1, bash)] = '\0';
	ck_assert_int_eq(pclose(bash), 0);
	return offers;
}

START_TEST(test_bash_completes_commands_options_and_values)
{
	_cleanup_free_ char *text = print_text(print_completion);
	struct scratch scratch;

	scratch_init(&scratch, "alcove.bash", text, strlen(text));
	ck_assert_str_eq(complete(scratch.path, "alcove r"), "run ");
	ck_assert_str_eq(complete(scratch.path, "alcove help \"\""), "run ps help ");
	ck_assert_str_eq(complete(scratch.path, "alcove ps -"), "--json ");
	ck_assert_str_eq(complete(scratch.path, "alcove run vm.conf --cp"), "--cpus= ");
	ck_assert_str_eq(complete(scratch.path, "alcove run --hw ="), "acpi fdt ");
	ck_assert_str_eq(complete(scratch.path, "alcove run --hw = a"), "acpi ");
	ck_assert_str_eq(complete(scratch.path, "alcove run --hw f"), "fdt ");
	ck_assert_str_eq(complete(scratch.path, "alcove run --console = v"), "virtio ");
	ck_assert_str_eq(complete(scratch.path, "alcove run --kernel = v"), " ");
	scratch_fini(&scratch);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_table_is_whole,
		test_help_manual_and_completion_name_every_option,
		test_manual_mentions_real_options_only,
		test_options_of_measure_are_completed_and_explained,
		test_bash_completes_commands_options_and_values,
	};

	return unit_run(unit_suite("options_text", tests, ARRAY_SIZE(tests)));
}
