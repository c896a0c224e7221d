/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is written to standard error meanwhile. */
#ifndef TESTS_UNIT_CAPTURED_H
#define TESTS_UNIT_CAPTURED_H

#include <check.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct captured {
	int file, before;
	char text[16384];
};

static inline void captured_begin(struct captured *captured)
{
	captured->file = memfd_create("stderr", MFD_CLOEXEC);
	captured->before = dup(STDERR_FILENO);
	ck_assert_int_ge(captured->before, 0);
	ck_assert_int_eq(dup2(captured->file, STDERR_FILENO), STDERR_FILENO);
}

static inline void captured_end(struct captured *captured)
{
	ssize_t n;

	ck_assert_int_eq(dup2(captured->before, STDERR_FILENO), STDERR_FILENO);
	n = pread(captured->file, captured->text, sizeof(captured->text) - 1, 0);
	ck_assert_int_ge(n, 0);
	captured->text[n] = '\0';
	close(captured->before);
	close(captured->file);
}

/* Does a line of it begin with @start, and have @part? */
static inline bool captured_has(const struct captured *captured, const char *start,
				const char *part)
{
	const char *line = captured->text;

	while (*line) {
		size_t n_bytes = strcspn(line, "\n");

		if (!strncmp(line, start, strlen(start)) &&
		    memmem(line, n_bytes, part, strlen(part)))
			return true;
		line += n_bytes + (line[n_bytes] == '\n');
	}
	return false;
}

#endif
