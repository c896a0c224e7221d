/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How files and the command line put values into a config, by the option table. */
#ifndef VMM_OPTIONS_STORE_H
#define VMM_OPTIONS_STORE_H

#include "vmm/options.h"

/* NULL when the section has no such key. */
const struct option *option_find_key(const struct option_section *section, const char *key);

/* -EINVAL, with @err: unknown key, and perhaps the one that was meant. */
int option_refuse_key(const struct option_section *section, const char *key, struct err *err);

/**
 * Parse @value and store it.
 *
 * @base: the config, or the item of a list.
 * Returns 0, -errno with @err; the field is then as it was.
 */
int option_store(void *base, const struct option *option, const char *value, struct err *err);

/* The item with that name, or NULL. */
void *option_list_find(struct config *config, const struct option_list *list,
		       const char *label);

/**
 * A new item with defaults.
 *
 * @label: its name; "" for the first free one of disk0, disk1, ...
 * Returns 0, -EINVAL (not a name), -E2BIG (too many), -ENOMEM.
 */
int option_list_add(struct config *config, const struct option_section *section,
		    const char *label, void **ret_item, struct err *err);

#endif
