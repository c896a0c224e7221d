// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/config_file.h"
#include "vmm/err.h"
#include "vmm/nearest.h"
#include "vmm/options_store.h"

enum {
	SECTION_KEYS_MAX = 16,
	SECTIONS_MAX = 16,
};

/* What `alcove test` reads in the same files. */
static const char *const test_sections[] = {"test", "require", "scratch", "matrix", "expect"};

/* One file being read into a config. */
struct options_reader {
	struct config_reader reader;
	struct config *config;
	const char *path;
	const struct option_section *section;
	void *base;			       /* where the keys of the section go */
	unsigned int opened_at[SECTIONS_MAX];  /* line of each section's header; 0: none yet */
	unsigned int set_at[SECTION_KEYS_MAX]; /* line of each key of this section, idem */
};

static const struct option_section *section_find(const char *name)
{
	const struct option_section *section = option_sections;

	while (section->name && strcmp(section->name, name) != 0)
		section++;
	return section->name ? section : NULL;
}

static int section_unknown(const char *name, struct err *err)
{
	struct nearest nearest;

	nearest_init(&nearest, name);
	for (const struct option_section *section = option_sections; section->name; section++)
		nearest_offer(&nearest, section->name);
	for (size_t i = 0; i < ARRAY_SIZE(test_sections); i++)
		nearest_offer(&nearest, test_sections[i]);
	if (nearest.best)
		return err_set(err, -EINVAL, "[%s]: unknown section; did you mean [%s]?", name,
			       nearest.best);
	return err_set(err, -EINVAL, "[%s]: unknown section; see alcove(1) for those there are",
		       name);
}

static int reader_open_section(struct config_reader *reader, const char *name,
			       const char *label, struct err *err)
{
	struct options_reader *self = container_of(reader, struct options_reader, reader);
	const struct option_section *section = section_find(name);
	unsigned int *opened_at;
	int result;

	for (size_t i = 0; i < ARRAY_SIZE(test_sections); i++) {
		if (!strcmp(name, test_sections[i]))
			return 1;
	}
	if (!section)
		return section_unknown(name, err);
	self->section = section;
	self->base = self->config;
	memset(self->set_at, 0, sizeof(self->set_at));

	if (section->list) {
		if (!*label)
			return err_set(err, -EINVAL, "[%s]: no name; write [%s NAME]", name,
				       name);
		if (option_list_find(self->config, section->list, label))
			return err_set(err, -EINVAL,
				       "[%s %s]: given twice; rename one or join them", name,
				       label);
		result = option_list_add(self->config, section, label, &self->base, err);
		if (result < 0)
			err_prefix(err, "[%s %s]", name, label);
		return result;
	}
	if (*label)
		return err_set(err, -EINVAL, "[%s %s]: takes no name; write [%s]", name, label,
			       name);
	ASSERT(section - option_sections < SECTIONS_MAX);
	opened_at = &self->opened_at[section - option_sections];
	if (*opened_at)
		return err_set(err, -EINVAL, "[%s]: given twice, first in line %u; join them",
			       name, *opened_at);
	*opened_at = reader->line;
	return 0;
}

static int reader_set_key(struct config_reader *reader, const char *key, const char *value,
			  struct err *err)
{
	struct options_reader *self = container_of(reader, struct options_reader, reader);
	const struct option *option = option_find_key(self->section, key);
	_cleanup_free_ char *expanded = NULL;
	_cleanup_free_ char *resolved = NULL;
	unsigned int *set_at;
	int result;

	if (!option)
		return option_refuse_key(self->section, key, err);
	ASSERT(option - self->section->options < SECTION_KEYS_MAX);
	set_at = &self->set_at[option - self->section->options];
	if (*set_at)
		return err_set(err, -EINVAL, "given twice, first in line %u; remove one",
			       *set_at);
	*set_at = reader->line;

	result = config_file_expand(self->path, value, &expanded, err);
	if (result < 0)
		return result;
	if (option->kind != OPTION_PATH)
		return option_store(self->base, option, expanded, err);
	result = config_file_resolve(self->path, expanded, &resolved, err);
	if (result < 0)
		return result;
	return option_store(self->base, option, resolved, err);
}

int options_read_file(struct config *config, const char *path, struct err *err)
{
	struct options_reader reader = {
		.reader = {.open_section = reader_open_section, .set_key = reader_set_key},
		.config = config,
		.path = path,
	};

	return config_file_read(path, &reader.reader, err);
}
