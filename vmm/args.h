/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks a command line: --name=value, --name value, --name, words, and -- as the end. */
#ifndef VMM_ARGS_H
#define VMM_ARGS_H

struct err;

enum { ARG_NAME_MAX_BYTES = 64 };

struct args {
	char **next; /* NULL-terminated; after the walk, what follows "--" */
	/**
	 * Does the option need a value? Returns 1, 0, or -EINVAL with @err when there is no
	 * such option.
	 */
	int (*takes_value)(const char *name, struct err *err);
};

struct arg {
	char name[ARG_NAME_MAX_BYTES]; /* of an option, without the dashes; "" for a word */
	const char *value;	       /* the word; NULL for an option without a value */
};

/* Returns 1, 0 at the end, or -EINVAL with @err. Changes nothing that args.next points to. */
int args_next(struct args *args, struct arg *ret_arg, struct err *err);

#endif
