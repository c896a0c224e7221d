// SPDX-License-Identifier: GPL-2.0-or-later
/* The option table, written for people and for shells. */
#include <inttypes.h>
#include <string.h>

#include "vmm/options.h"
#include "vmm/range.h"
#include "vmm/value.h"

enum { TEXT_MAX_BYTES = 192 };

static const char *const bool_words[] = {"on", "off", NULL};

/* The words an option takes, or NULL. */
static const char *const *option_words(const struct option *option)
{
	return option->kind == OPTION_BOOL ? bool_words : option->words;
}

static void words_print(FILE *out, const char *const *words, const char *separator)
{
	for (size_t i = 0; words[i]; i++)
		fprintf(out, "%s%s", i ? separator : "", words[i]);
}

/* What stands for the value: "N", or "acpi|fdt". */
static const char *option_format_value(const struct option *option, char *text, size_t bytes)
{
	const char *const *words = option_words(option);
	size_t used = 0;

	if (!words)
		return option->argument;
	for (size_t i = 0; words[i] && used < bytes; i++)
		used += (size_t)snprintf(text + used, bytes - used, "%s%s", i ? "|" : "",
					 words[i]);
	return text;
}

/* " (1 to 255, default 1)", or as much of it as applies. */
static void option_print_limits(FILE *out, const struct option *option)
{
	bool has_range = option->kind == OPTION_UINT && option->max < UINT32_MAX;
	bool has_least = option->kind == OPTION_SIZE;
	bool has_default = option->fallback && *option->fallback;
	char size[24];

	if (!has_range && !has_least && !has_default)
		return;
	fputs(" (", out);
	if (has_range)
		fprintf(out, "%" PRIu64 " to %" PRIu64, option->min, option->max);
	if (has_least)
		fprintf(out, "at least %s", value_format_size(option->min, size, sizeof(size)));
	if (has_default)
		fprintf(out, "%sdefault %s", has_range || has_least ? ", " : "",
			option->fallback);
	fputc(')', out);
}

/* --- alcove help run --- */

static void help_print_line(FILE *out, const char *left, const char *help)
{
	if (strlen(left) > 27)
		fprintf(out, "%s\n%-28s", left, "");
	else
		fprintf(out, "%-28s", left);
	fputs(help, out);
}

static void help_print_option(FILE *out, const struct option *option, const char *lead)
{
	char left[TEXT_MAX_BYTES];
	char value[TEXT_MAX_BYTES];

	snprintf(left, sizeof(left), "%s%s=%s", lead, option->key,
		 option_format_value(option, value, sizeof(value)));
	help_print_line(out, left, option->help);
	option_print_limits(out, option);
	fputc('\n', out);
}

void options_print_help(FILE *out)
{
	fputs("\nCONFIG is a file with the sections and keys below; see alcove(1). Options "
	      "override"
	      "\nit. -v and -vv stand for --verbosity=1 and 2.\n",
	      out);
	for (const struct option_section *section = option_sections; section->name; section++) {
		fprintf(out, "\n%s, [%s%s]:\n", section->help, section->name,
			section->list ? " NAME" : "");
		if (section->bare)
			fprintf(out, "  --%s=[%s=]VALUE[,KEY=VALUE]...\n", section->name,
				section->bare);
		if (section->list)
			fprintf(out, "    name=NAME               %s0, %s1, ... if not given\n",
				section->name, section->name);
		for (const struct option *option = section->options; option->key; option++)
			help_print_option(out, option, section->bare ? "    " : "  --");
	}
}

/* --- Manual page, for scdoc --- */

static void man_print_option(FILE *out, const struct option *option, const char *dashes)
{
	char value[TEXT_MAX_BYTES];

	fprintf(out, "*%s%s*=_%s_\n\t%s", dashes, option->key,
		option_format_value(option, value, sizeof(value)), option->help);
	option_print_limits(out, option);
	fputs(".\n\n", out);
}

void options_print_man(FILE *out)
{
	for (const struct option_section *section = option_sections; section->name; section++) {
		fprintf(out, "## [%s%s]\n\n%s", section->name, section->list ? " NAME" : "",
			section->help);
		if (section->bare)
			fprintf(out,
				": *--%s*=[*%s*=]_VALUE_[,_KEY_=_VALUE_]... with these keys",
				section->name, section->bare);
		fputs(".\n\n", out);
		if (section->list)
			fprintf(out,
				"*name*=_NAME_\n\tIn a file it stands in the header; on the "
				"command "
				"line it is %s0, %s1, ... if not given, and\n\tnames a %s of "
				"the file to change.\n\n",
				section->name, section->name, section->name);
		for (const struct option *option = section->options; option->key; option++)
			man_print_option(out, option, section->bare ? "" : "--");
	}
}

/* --- Completion, for bash --- */

static const char completion_head[] =
	"# bash completion for alcove(1), made by `alcove options` from its table of options\n"
	"\n"
	"_alcove()\n"
	"{\n"
	"\tlocal word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD-1]} words=\n"
	"\n"
	"\t# --cpus=2 comes as three words.\n"
	"\tif [[ $word == = ]]; then\n"
	"\t\tword=\n"
	"\telif [[ $option == = ]]; then\n"
	"\t\toption=${COMP_WORDS[COMP_CWORD-2]}\n"
	"\tfi\n"
	"\tcase $COMP_CWORD,${COMP_WORDS[1]},$option in\n";

/* Where no word fits, bash completes files. */
static const char completion_tail[] =
	"\tesac\n"
	"\tmapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$word\")\n"
	"\t[[ ${COMPREPLY[0]-} != *= ]] || compopt -o nospace\n"
	"}\n"
	"complete -o default -F _alcove alcove\n";

static void completion_print_values(FILE *out, const char *name, const struct option *option)
{
	const char *const *words = option_words(option);

	fprintf(out, "\t*,run,--%s) words='", name);
	if (words)
		words_print(out, words, " ");
	fputs("' ;;\n", out);
}

void options_print_completion(FILE *out, const char *commands,
			      const struct command_words *words)
{
	const struct option_section *section;
	const struct option *option;

	fprintf(out, "%s\t1,*) words='%s' ;;\n\t2,help,*) words='%s' ;;\n", completion_head,
		commands, commands);
	for (; words->command; words++)
		fprintf(out, "\t*,%s,*) words='%s' ;;\n", words->command, words->words);
	for (section = option_sections; section->name; section++) {
		for (option = section->options; option->key; option++) {
			if (!section->bare)
				completion_print_values(out, option->key, option);
			else if (!strcmp(section->bare, option->key))
				completion_print_values(out, section->name, option);
		}
	}
	fputs("\t*,run,*) words='--help", out);
	for (section = option_sections; section->name; section++) {
		if (section->bare)
			fprintf(out, " --%s=", section->name);
		for (option = section->options; !section->bare && option->key; option++)
			fprintf(out, " --%s=", option->key);
	}
	fprintf(out, "' ;;\n%s", completion_tail);
}
