// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/args.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/err.h"
#include "vmm/range.h"

static const struct {
	const char *text;
	struct arg arg;
} short_forms[] = {
	{"-h", {.name = "help"}},
	{"-v", {.name = "verbosity", .value = "1"}},
	{"-vv", {.name = "verbosity", .value = "2"}},
};

static int short_next(const char *text, struct arg *ret_arg, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(short_forms); i++) {
		if (!strcmp(text, short_forms[i].text)) {
			*ret_arg = short_forms[i].arg;
			return 1;
		}
	}
	return err_set(err, -EINVAL, "%s: unknown option; long ones begin with two dashes",
		       text);
}

int args_next(struct args *args, struct arg *ret_arg, struct err *err)
{
	const char *text = *args->next;
	struct arg arg = {0};
	const char *equals;
	int takes;

	if (!text)
		return 0;
	args->next++;
	if (!strcmp(text, "--"))
		return 0;
	if (text[0] != '-' || !text[1]) {
		*ret_arg = (struct arg){.value = text};
		return 1;
	}
	if (text[1] != '-')
		return short_next(text, ret_arg, err);

	equals = strchrnul(text, '=');
	snprintf(arg.name, sizeof(arg.name), "%.*s", (int)(equals - text) - 2, text + 2);
	takes = args->takes_value(arg.name, err);
	if (takes < 0)
		return takes;
	if (!takes && *equals)
		return err_set(err, -EINVAL, "--%s: takes no value; leave out '%s'", arg.name,
			       equals);
	if (*equals)
		arg.value = equals + 1;
	else if (takes && !*args->next)
		return err_set(err, -EINVAL, "--%s: value missing; write --%s=VALUE", arg.name,
			       arg.name);
	else if (takes)
		arg.value = *args->next++;
	*ret_arg = arg;
	return 1;
}
