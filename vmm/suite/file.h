/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A test: a config file with sections of its own, which `alcove run` skips. See alcove-test(5).
 */
#ifndef VMM_SUITE_FILE_H
#define VMM_SUITE_FILE_H

#include <regex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

enum {
	SUITE_ITEMS_MAX = 64,
	SUITE_AXES_MAX = 8, /* of one matrix */
	SUITE_MATRICES_MAX = 8,
	SUITE_CASES_MAX = 256, /* of one file */
};

struct pattern {
	char *text; /* NULL: none */
	regex_t regex;
};

/* What a test may say any number of times. */
enum item_kind {
	/* On the console, each after the one before: */
	ITEM_SEE,    /* wait for a line */
	ITEM_SEND,   /* wait for a line or the beginning of one, type a text */
	ITEM_SIGNAL, /* idem, send a signal to the program */
	/* In any order: */
	ITEM_FORBID, /* no line of the console */
	ITEM_ERROR,  /* a line of stderr */
	ITEM_REQUIRE_FILE,
	ITEM_REQUIRE_CAP,
	ITEM_REQUIRE_BACKING,
	ITEM_BLANK, /* make a file in ${scratch}: "NAME SIZE" */
	ITEM_COPY,  /* idem: "NAME FILE [SIZE]" */
};

struct item {
	enum item_kind kind;
	struct pattern pattern;
	char *text; /* to send; the value of those without a pattern */
	size_t text_bytes;
	int signal;
};

struct axis {
	char *option; /* of `alcove run`, without the dashes */
	char *values; /* with blanks between */
};

/* Every combination of values is a case. */
struct matrix {
	struct axis axes[SUITE_AXES_MAX];
	unsigned int n_axes;
};

struct suite_file {
	char *path;
	struct item items[SUITE_ITEMS_MAX]; /* in the order of the file */
	unsigned int n_items;
	struct matrix matrices[SUITE_MATRICES_MAX];
	unsigned int n_matrices;
	unsigned int exit_status;
	unsigned int time_limit_s;
	uint64_t memory_bytes; /* that must be available; 0: any */
	bool needs_kvm;
	bool uses_terminal;
	char *arguments;      /* more words for `alcove run` */
	char *must_fail_text; /* NULL: the test must pass */
	struct pattern must_fail;
	bool has_values;
};

/**
 * Read a test.
 *
 * @ret_file: written whole.
 * @has_values: the environment has the values of one case. Without them, patterns with
 * variables in them stay empty. Returns 0, or -errno with @err and nothing to free.
 */
int suite_file_read(struct suite_file *ret_file, const char *path, bool has_values,
		    struct err *err);
void suite_file_fini(struct suite_file *file);

/* One combination of a matrix. */
struct suite_case {
	char *name;		       /* "cpus=2,hw=fdt"; "" without a matrix */
	char *options[SUITE_AXES_MAX]; /* "--cpus=2" */
	unsigned int n_options;
};

/* At most SUITE_CASES_MAX in a file that could be read. */
unsigned int suite_file_count_cases(const struct suite_file *file);

/* @index: below their number. Returns 0, with @ret_case to be freed, or -ENOMEM. */
int suite_file_make_case(const struct suite_file *file, unsigned int index,
			 struct suite_case *ret_case);
void suite_case_fini(struct suite_case *suite_case);

/* Is it in @text? @is_start: ^ may match. @ret_end: where the match ends; may be NULL. */
bool pattern_match(const struct pattern *pattern, const char *text, bool is_start,
		   size_t *ret_end);

#endif
