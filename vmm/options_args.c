// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/nearest.h"
#include "vmm/options_store.h"

/*
 * @name as said on the command line: a section with a bare key, or (*ret_option not NULL) a key
 * of one without. Returns NULL when there is none.
 */
static const struct option_section *argument_find(const char *name,
						  const struct option **ret_option)
{
	const struct option_section *section;

	*ret_option = NULL;
	for (section = option_sections; section->name; section++) {
		if (section->bare && !strcmp(section->name, name))
			return section;
		if (!section->bare)
			*ret_option = option_find_key(section, name);
		if (*ret_option)
			return section;
	}
	return NULL;
}

bool options_know(const char *name, struct err *err)
{
	const struct option_section *section;
	const struct option *option;
	struct nearest nearest;

	if (argument_find(name, &option))
		return true;
	nearest_init(&nearest, name);
	for (section = option_sections; section->name; section++) {
		if (section->bare)
			nearest_offer(&nearest, section->name);
		for (option = section->options; !section->bare && option->key; option++)
			nearest_offer(&nearest, option->key);
	}
	if (nearest.best)
		err_set(err, -EINVAL, "--%s: unknown option; did you mean --%s?", name,
			nearest.best);
	else
		err_set(err, -EINVAL, "--%s: unknown option; `alcove help run` lists all",
			name);
	return false;
}

/* Cuts the first part off *@rest, up to a lone comma; ",," is a comma. NULL at the end. */
static char *part_cut(char **rest)
{
	char *part = *rest;
	char *out = part;
	char *in = part;

	if (!part)
		return NULL;
	for (; *in && (*in != ',' || in[1] == ','); in++) {
		if (*in == ',')
			in++;
		*out++ = *in;
	}
	*rest = *in ? in + 1 : NULL;
	*out = '\0';
	return part;
}

/* One part of --section=part,part,... */
struct part {
	const char *key;
	const char *value;
};

enum { PARTS_MAX = 32 };

/* Splits @text in place. Only the first part may do without a key: it then is @bare. */
static int parts_split(const char *bare, char *text, struct part *parts, size_t *ret_n,
		       struct err *err)
{
	size_t n = 0;

	for (char *part = part_cut(&text); part; part = part_cut(&text)) {
		char *equals = strchr(part, '=');

		if (n == PARTS_MAX)
			return err_set(err, -E2BIG,
				       "too many commas; write ',,' for one in a name");
		if (!equals && n > 0)
			return err_set(err, -EINVAL,
				       "'%s' has no key; write key=value, or ',,' for a comma",
				       part);
		if (equals)
			*equals = '\0';
		parts[n++] = (struct part){
			.key = equals ? part : bare,
			.value = equals ? equals + 1 : part,
		};
	}
	*ret_n = n;
	return 0;
}

static int parts_store(struct config *config, const struct option_section *section,
		       const struct part *parts, size_t n, struct err *err)
{
	const char *label = "";
	void *base = config;
	int result = 0;

	for (size_t i = 0; section->list && i < n; i++) {
		if (!strcmp(parts[i].key, "name"))
			label = parts[i].value;
	}
	if (section->list)
		base = option_list_find(config, section->list, label);
	if (!base)
		result = option_list_add(config, section, label, &base, err);

	for (size_t i = 0; result == 0 && i < n; i++) {
		const struct option *option = option_find_key(section, parts[i].key);

		if (section->list && !strcmp(parts[i].key, "name"))
			continue;
		result = option ? option_store(base, option, parts[i].value, err)
				: option_refuse_key(section, parts[i].key, err);
		if (result < 0)
			err_prefix(err, "%s", parts[i].key);
	}
	return result;
}

int options_set(struct config *config, const char *name, const char *value, struct err *err)
{
	const struct option *option;
	const struct option_section *section = argument_find(name, &option);
	_cleanup_free_ char *text = strdup(value);
	struct part parts[PARTS_MAX];
	size_t n = 0;
	int result;

	if (!options_know(name, err))
		return -EINVAL;
	if (!text)
		return err_set(err, -ENOMEM, "out of memory; free some");
	/* A size has no comma of its own: what follows one are other keys (--memory=2G,...). */
	if (option && !(option->kind == OPTION_SIZE && strchr(value, ','))) {
		result = option_store(config, option, value, err);
	} else {
		result =
			parts_split(option ? option->key : section->bare, text, parts, &n, err);
		if (result == 0)
			result = parts_store(config, section, parts, n, err);
	}
	if (result < 0)
		err_prefix(err, "--%s", name);
	return result;
}
