/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Everything a user can say about a VM, in one table: config files, the command line of
 * `alcove run`, its help, the man page and the completion are all made from it.
 *
 * A section with a bare key is one option on the command line, with the other keys behind
 * commas (--disk=root.img,readonly=on); in any other section each key is an option of its own
 * (--cpus=2).
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "vmm/config.h"

struct err;

enum option_kind {
	OPTION_UINT,   /* unsigned int, min..max */
	OPTION_SIZE,   /* uint64_t, bytes, min..max */
	OPTION_BOOL,   /* bool */
	OPTION_CHOICE, /* an enum whose values are the indices of words */
	OPTION_NAME,   /* char *, see value_check_name */
	OPTION_TEXT,   /* char * */
	OPTION_PATH,   /* char *, in a file relative to the file's directory */
	OPTION_BITS,   /* uint64_t, hexadecimal with 0x, or decimal */
	OPTION_BYTES,  /* uint8_t[max], two hexadecimal digits each */
};

struct option {
	const char *key;
	enum option_kind kind;
	const char *argument; /* its value in help; NULL where kind and words say it */
	const char *fallback; /* value when not given; NULL: none */
	const char *help;     /* a sentence without the full stop; one line */
	const char *const *words;
	uint64_t min;
	uint64_t max;
	size_t offset; /* in struct config, or in the item of a list */
};

/*
 * Sections that may be given many times, as [name LABEL]: an array in struct config, whose
 * items start with char name[CONFIG_NAME_MAX_BYTES].
 */
struct option_list {
	size_t items_offset;
	size_t count_offset; /* unsigned int */
	size_t item_bytes;
	unsigned int items_max;
};

struct option_section {
	const char *name;
	const char
		*bare; /* key meant by a value without a key; NULL: see the top of this file */
	const struct option_list *list; /* NULL: one section, without a label */
	const char *help;
	const struct option *options; /* ends with a NULL key */
};

/* Ends with a NULL name. */
extern const struct option_section option_sections[];

/* Every default, without any disk. @config is written whole; release it with config_fini. */
int config_init(struct config *config, struct err *err);

/**
 * Add what the file says. ${NAME} in values becomes the directory of the file (NAME is dir) or
 * the environment variable NAME.
 *
 * Sections that belong to `alcove test` are skipped. Returns 0, -errno with @err naming file,
 * line, key, cause and cure; @config may then be partly changed.
 */
int options_read_file(struct config *config, const char *path, struct err *err);

/**
 * Set what one option of the command line says.
 *
 * @name: without the dashes. Returns 0, -EINVAL (unknown, or bad value), -errno.
 */
int options_set(struct config *config, const char *name, const char *value, struct err *err);

/* Is there such an option on the command line? On false, @err suggests a near one. */
bool options_know(const char *name, struct err *err);

/* Does it all fit together, is all there that is needed? Returns 0, -EINVAL. */
int config_check(const struct config *config, struct err *err);

/* The same for one device. */
int config_check_device(const struct device_config *device, struct err *err);

/* The table as text: for `alcove help run`, for the man page (scdoc), for bash. */
void options_print_help(FILE *out);
void options_print_man(FILE *out);
/* What may follow a command other than `run`, with blanks between. */
struct command_words {
	const char *command;
	const char *words;
};

/*
 * @commands: of the program, with blanks between. @words: of those that have options of their
 * own; ends with a NULL command.
 */
void options_print_completion(FILE *out, const char *commands,
			      const struct command_words *words);

#endif
