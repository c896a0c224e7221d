/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file for one test, gone with it. */
#ifndef TESTS_UNIT_SCRATCH_H
#define TESTS_UNIT_SCRATCH_H

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"

struct scratch {
	char directory[64];
	char path[96]; /* of the file, in the directory */
};

static inline void scratch_init(struct scratch *scratch, const char *name, const char *text,
				size_t text_bytes)
{
	FILE *file;

	*scratch = (struct scratch){.directory = "/tmp/alcove-unit-XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(scratch->directory));
	snprintf(scratch->path, sizeof(scratch->path), "%s/%s", scratch->directory, name);
	file = fopen(scratch->path, "we");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(text, 1, text_bytes, file), text_bytes);
	ck_assert_int_eq(fclose(file), 0);
}

static inline void scratch_fini(const struct scratch *scratch)
{
	unlink(scratch->path);
	rmdir(scratch->directory);
}

#endif
