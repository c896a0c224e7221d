// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/suite/file.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/config_file.h"
#include "vmm/err.h"
#include "vmm/nearest.h"
#include "vmm/options_store.h"

enum {
	TIME_LIMIT_MAX_S = 24 * 3600,
	KEYS_MAX = 8, /* of those that a section takes once */
};

/* --- The table --- */

#define FIELD(kind_, member) .kind = (kind_), .offset = offsetof(struct suite_file, member)

static const struct option test_options[] = {
	{.key = "terminal", FIELD(OPTION_BOOL, uses_terminal), .fallback = "off"},
	{.key = "arguments", FIELD(OPTION_TEXT, arguments), .fallback = ""},
	{.key = "must-fail", FIELD(OPTION_TEXT, must_fail_text)},
	{.key = NULL},
};

static const struct option require_options[] = {
	{.key = "kvm", FIELD(OPTION_BOOL, needs_kvm), .fallback = "off"},
	{.key = "memory-available", FIELD(OPTION_SIZE, memory_bytes), .max = UINT64_MAX},
	{.key = NULL},
};

static const struct option expect_options[] = {
	{.key = "exit", FIELD(OPTION_UINT, exit_status), .fallback = "0", .max = 255},
	{
		.key = "time-limit",
		FIELD(OPTION_UINT, time_limit_s),
		.fallback = "60",
		.min = 1,
		.max = TIME_LIMIT_MAX_S,
	},
	{.key = NULL},
};

static const struct option no_options[] = {{.key = NULL}};

/* What the value of a key that may be repeated looks like. */
enum item_shape {
	SHAPE_TEXT,
	SHAPE_PATTERN,
	SHAPE_PATTERN_TEXT,   /* PATTERN => TEXT */
	SHAPE_PATTERN_SIGNAL, /* PATTERN => NAME */
};

struct item_key {
	const char *key;
	enum item_kind kind;
	enum item_shape shape;
};

static const struct item_key require_items[] = {
	{"file", ITEM_REQUIRE_FILE, SHAPE_TEXT},
	{"cap", ITEM_REQUIRE_CAP, SHAPE_TEXT},
	{"backing", ITEM_REQUIRE_BACKING, SHAPE_TEXT},
	{.key = NULL},
};

static const struct item_key scratch_items[] = {
	{"blank", ITEM_BLANK, SHAPE_TEXT},
	{"copy", ITEM_COPY, SHAPE_TEXT},
	{.key = NULL},
};

static const struct item_key expect_items[] = {
	{"console", ITEM_SEE, SHAPE_PATTERN},	       {"send", ITEM_SEND, SHAPE_PATTERN_TEXT},
	{"signal", ITEM_SIGNAL, SHAPE_PATTERN_SIGNAL}, {"forbid", ITEM_FORBID, SHAPE_PATTERN},
	{"error", ITEM_ERROR, SHAPE_PATTERN},	       {.key = NULL},
};

static const struct item_key no_items[] = {{.key = NULL}};

static const struct suite_section {
	const char *name;
	const struct option *options;
	const struct item_key *items;
} suite_sections[] = {
	{"test", test_options, no_items},	{"require", require_options, require_items},
	{"scratch", no_options, scratch_items}, {"expect", expect_options, expect_items},
	{"matrix", no_options, no_items}, /* its keys are options of `alcove run` */
};

/* --- Patterns --- */

static int pattern_init(struct pattern *pattern, const char *text, struct err *err)
{
	char words[128];
	int result = regcomp(&pattern->regex, text, REG_EXTENDED);

	if (result) {
		regerror(result, &pattern->regex, words, sizeof(words));
		return err_set(err, -EINVAL,
			       "'%s': %s; write a POSIX extended regular expression", text,
			       words);
	}
	pattern->text = strdup(text);
	if (pattern->text)
		return 0;
	regfree(&pattern->regex);
	return err_set(err, -ENOMEM, "out of memory; free some");
}

static void pattern_fini(struct pattern *pattern)
{
	if (!pattern->text)
		return;
	free(take_pointer(pattern->text));
	regfree(&pattern->regex);
}

bool pattern_match(const struct pattern *pattern, const char *text, bool is_start,
		   size_t *ret_end)
{
	regmatch_t match;

	if (regexec(&pattern->regex, text, 1, &match, is_start ? 0 : REG_NOTBOL))
		return false;
	if (ret_end)
		*ret_end = (size_t)match.rm_eo;
	return true;
}

/* --- Items --- */

/* Cuts "PATTERN => REST" in two. Returns REST, NULL when there is no arrow. */
static char *arrow_cut(char *text)
{
	char *arrow = strstr(text, " => ");

	if (!arrow)
		return NULL;
	*arrow = '\0';
	return arrow + strlen(" => ");
}

/* Replaces \n, \r, \t, \\ and \xHH in place. @ret_bytes: the length, NULs included. */
static int escapes_replace(char *text, size_t *ret_bytes, struct err *err)
{
	static const char letters[] = "nrt\\";
	static const char bytes[] = "\n\r\t\\";
	const char *in = text;
	char *out = text;

	while (*in) {
		const char *letter = in[1] ? strchr(letters, in[1]) : NULL;
		unsigned int value;
		int used = 0;

		if (*in != '\\') {
			*out++ = *in++;
		} else if (letter) {
			*out++ = bytes[letter - letters];
			in += 2;
		} else if (sscanf(in, "\\x%2x%n", &value, &used) == 1 && used == 4) {
			*out++ = (char)value;
			in += used;
		} else {
			return err_set(err, -EINVAL,
				       "'%.4s': unknown escape; write \\n, \\r, \\t, \\\\ or "
				       "\\xHH",
				       in);
		}
	}
	*ret_bytes = (size_t)(out - text);
	return 0;
}

static int signal_find(const char *name, int *ret_signal, struct err *err)
{
	for (int signal = 1; signal < NSIG; signal++) {
		const char *known = sigabbrev_np(signal);

		if (known && !strcmp(known, name)) {
			*ret_signal = signal;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "'%s' is no signal; write one such as TERM", name);
}

static int item_set_pattern(const struct suite_file *file, struct item *item, const char *text,
			    struct err *err)
{
	_cleanup_free_ char *expanded = NULL;
	int result;

	if (!file->has_values)
		return strstr(text, "${") ? 0 : pattern_init(&item->pattern, text, err);
	result = config_file_expand(file->path, text, &expanded, err);
	return result < 0 ? result : pattern_init(&item->pattern, expanded, err);
}

static int item_add(struct suite_file *file, const struct item_key *key, const char *value,
		    struct err *err)
{
	struct item *item = &file->items[file->n_items];
	char *rest = NULL;
	int result = 0;

	if (file->n_items == SUITE_ITEMS_MAX)
		return err_set(err, -E2BIG, "more than %d such keys; make two tests of it",
			       SUITE_ITEMS_MAX);
	file->n_items++;
	item->kind = key->kind;
	item->text = strdup(value);
	if (!item->text)
		return err_set(err, -ENOMEM, "out of memory; free some");
	if (key->shape == SHAPE_TEXT)
		return 0;
	if (key->shape == SHAPE_PATTERN)
		return item_set_pattern(file, item, value, err);

	rest = arrow_cut(item->text);
	if (!rest)
		return err_set(err, -EINVAL, "no ' => '; write PATTERN => what to do then");
	if (key->shape == SHAPE_PATTERN_SIGNAL)
		result = signal_find(rest, &item->signal, err);
	else
		result = escapes_replace(rest, &item->text_bytes, err);
	if (result == 0)
		result = item_set_pattern(file, item, item->text, err);
	if (result == 0)
		memmove(item->text, rest, item->text_bytes);
	return result;
}

/* --- Reading --- */

struct suite_reader {
	struct config_reader reader;
	struct suite_file *file;
	const struct suite_section *section;
	/* Lines; 0: not yet. */
	unsigned int opened_at[ARRAY_SIZE(suite_sections)];
	unsigned int set_at[ARRAY_SIZE(suite_sections)][KEYS_MAX];
};

static int section_open_once(struct suite_reader *self, struct err *err)
{
	unsigned int *opened_at = &self->opened_at[self->section - suite_sections];

	if (*opened_at)
		return err_set(err, -EINVAL, "[%s]: given twice, first in line %u; join them",
			       self->section->name, *opened_at);
	*opened_at = self->reader.line;
	return 0;
}

static int reader_open_section(struct config_reader *reader, const char *name,
			       const char *label, struct err *err)
{
	struct suite_reader *self = container_of(reader, struct suite_reader, reader);
	bool is_matrix = !strcmp(name, "matrix");

	self->section = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(suite_sections); i++) {
		if (!strcmp(name, suite_sections[i].name))
			self->section = &suite_sections[i];
	}
	if (!self->section)
		return 1;
	if (*label && !is_matrix)
		return err_set(err, -EINVAL, "[%s %s]: takes no name; write [%s]", name, label,
			       name);
	if (!is_matrix)
		return section_open_once(self, err);
	if (self->file->n_matrices == SUITE_MATRICES_MAX)
		return err_set(err, -E2BIG, "[matrix]: more than %d; make two tests of it",
			       SUITE_MATRICES_MAX);
	self->file->n_matrices++;
	return 0;
}

static int axis_add(struct matrix *matrix, const char *option, const char *values,
		    struct err *err)
{
	struct axis *axis = &matrix->axes[matrix->n_axes];

	if (!options_know(option, err))
		return -EINVAL;
	for (unsigned int i = 0; i < matrix->n_axes; i++) {
		if (!strcmp(matrix->axes[i].option, option))
			return err_set(err, -EINVAL, "given twice; remove one");
	}
	if (matrix->n_axes == SUITE_AXES_MAX)
		return err_set(err, -E2BIG, "more than %d keys; make two tests of it",
			       SUITE_AXES_MAX);
	if (!*values)
		return err_set(err, -EINVAL, "no values; write some with blanks between");
	matrix->n_axes++;
	axis->option = strdup(option);
	axis->values = strdup(values);
	if (!axis->option || !axis->values)
		return err_set(err, -ENOMEM, "out of memory; free some");
	return 0;
}

static int key_refuse(const struct suite_section *section, const char *key, struct err *err)
{
	struct nearest nearest;

	nearest_init(&nearest, key);
	for (const struct option *option = section->options; option->key; option++)
		nearest_offer(&nearest, option->key);
	for (const struct item_key *item = section->items; item->key; item++)
		nearest_offer(&nearest, item->key);
	if (nearest.best)
		return err_set(err, -EINVAL, "unknown key; did you mean '%s'?", nearest.best);
	return err_set(err, -EINVAL, "unknown key; see alcove-test(5) for those there are");
}

static int reader_set_key(struct config_reader *reader, const char *key, const char *value,
			  struct err *err)
{
	struct suite_reader *self = container_of(reader, struct suite_reader, reader);
	struct suite_file *file = self->file;
	const struct suite_section *section = self->section;

	if (!strcmp(section->name, "matrix"))
		return axis_add(&file->matrices[file->n_matrices - 1], key, value, err);
	for (const struct item_key *item = section->items; item->key; item++) {
		if (!strcmp(item->key, key))
			return item_add(file, item, value, err);
	}
	for (const struct option *option = section->options; option->key; option++) {
		unsigned int *set_at =
			&self->set_at[section - suite_sections][option - section->options];

		ASSERT(option - section->options < KEYS_MAX);
		if (strcmp(option->key, key) != 0)
			continue;
		if (*set_at)
			return err_set(err, -EINVAL,
				       "given twice, first in line %u; remove one", *set_at);
		*set_at = reader->line;
		return option_store(file, option, value, err);
	}
	return key_refuse(section, key, err);
}

static int defaults_set(struct suite_file *file, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(suite_sections); i++) {
		const struct option *option = suite_sections[i].options;

		for (; option->key; option++) {
			int result = 0;

			if (option->fallback)
				result = option_store(file, option, option->fallback, err);
			if (result < 0)
				return result;
		}
	}
	return 0;
}

int suite_file_read(struct suite_file *ret_file, const char *path, bool has_values,
		    struct err *err)
{
	struct suite_reader reader = {
		.reader = {.open_section = reader_open_section, .set_key = reader_set_key},
		.file = ret_file,
	};
	int result;

	*ret_file = (struct suite_file){.path = strdup(path), .has_values = has_values};
	if (!ret_file->path)
		return err_set(err, -ENOMEM, "out of memory; free some");
	result = defaults_set(ret_file, err);
	if (result == 0)
		result = config_file_read(path, &reader.reader, err);
	if (result == 0 && ret_file->must_fail_text) {
		result = pattern_init(&ret_file->must_fail, ret_file->must_fail_text, err);
		err_prefix(err, "%s: [test] must-fail", path);
	}
	if (result == 0 && suite_file_count_cases(ret_file) > SUITE_CASES_MAX)
		result = err_set(err, -E2BIG, "%s: [matrix]: more than %d cases; remove some",
				 path, SUITE_CASES_MAX);
	if (result < 0)
		suite_file_fini(ret_file);
	return result;
}

void suite_file_fini(struct suite_file *file)
{
	for (unsigned int i = 0; i < file->n_items; i++) {
		pattern_fini(&file->items[i].pattern);
		free(file->items[i].text);
	}
	for (unsigned int i = 0; i < file->n_matrices; i++) {
		for (unsigned int j = 0; j < file->matrices[i].n_axes; j++) {
			free(file->matrices[i].axes[j].option);
			free(file->matrices[i].axes[j].values);
		}
	}
	pattern_fini(&file->must_fail);
	free(file->must_fail_text);
	free(file->arguments);
	free(file->path);
	*file = (struct suite_file){0};
}
