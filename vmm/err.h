/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error an operator reads: one line that names the object, the cause and what to do.
 *
 * Only set-up code takes a struct err; code on the guest's path returns -errno alone.
 */
#ifndef VMM_ERR_H
#define VMM_ERR_H

#include <stddef.h>

enum { ERR_TEXT_MAX_BYTES = 512 };

struct err {
	int code;		       /* negative errno, 0 while nothing failed */
	char text[ERR_TEXT_MAX_BYTES]; /* one line, no newline, always terminated */
};

/**
 * Record a failure and return it, so that callers can write `return err_set(...)`.
 *
 * @err: may be NULL (the code is returned all the same).
 * @code: negative errno.
 * @fmt: "object: cause; what to do". Control characters in the result are replaced by '?'.
 * Returns @code.
 */
int err_set(struct err *err, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * Put "context: " before the text that is already there; does nothing without a text.
 *
 * Returns @err->code.
 */
int err_prefix(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * The words for a (positive or negative) errno, "No such file or directory".
 *
 * Never NULL; safe in any thread.
 */
const char *err_describe(int code);

/**
 * An assertion about our own code: always on, one condition, no side effect.
 *
 * Never for guest data, files or kernel results. Prints the place and aborts.
 */
#define ASSERT(condition) \
	((condition) ? (void)0 : err_assert_failed(#condition, __FILE__, __LINE__))

_Noreturn void err_assert_failed(const char *condition, const char *file, int line);

#endif
