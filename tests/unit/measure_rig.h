/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `alcove measure` as a program, with files to measure. */
#ifndef TESTS_UNIT_MEASURE_RIG_H
#define TESTS_UNIT_MEASURE_RIG_H

#include <jansson.h>

#include "tests/unit/images.h"
#include "tests/unit/scratch.h"
#include "vmm/cli.h"
#include "vmm/machine.h"
#include "vmm/measure/measure.h"

enum {
	WORDS_MAX = 24,
	DIGEST_TEXT_BYTES = 2 * LAUNCH_DIGEST_BYTES,
};

/* Two files to boot, and one for output. */
struct fixture {
	struct scratch kernel, initrd;
	char out[128];
};

static inline void fixture_init(struct fixture *fixture)
{
	struct image image;

	bzimage_make(&image);
	scratch_init(&fixture->kernel, "kernel", (const char *)image.bytes, image.size_bytes);
	scratch_init(&fixture->initrd, "initrd", "any bytes will do", 17);
	snprintf(fixture->out, sizeof(fixture->out), "%s/out", fixture->kernel.directory);
}

static inline void fixture_fini(const struct fixture *fixture)
{
	unlink(fixture->out);
	scratch_fini(&fixture->kernel);
	scratch_fini(&fixture->initrd);
}

/* The kernel, the initrd: with one byte changed. */
static inline void change_byte(const struct scratch *scratch, long offset)
{
	FILE *file = fopen(scratch->path, "r+e");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, offset, SEEK_SET), 0);
	ck_assert_int_eq(fputc(0x17, file), 0x17);
	ck_assert_int_eq(fclose(file), 0);
}

/* --- The program --- */

/* `alcove measure` with @options, in one string with blanks. Its status. */
static inline int run_options(const struct fixture *fixture, const char *options)
{
	char *words[WORDS_MAX] = {(char[]){"alcove"}, (char[]){"measure"}};
	_cleanup_free_ char *text = NULL;
	unsigned int n_words = 2;
	int status, out;

	text = strdup(options);
	ck_assert_ptr_nonnull(text);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		ck_assert_uint_lt(n_words, WORDS_MAX - 1);
		words[n_words++] = word;
	}
	fflush(stdout);
	fflush(stderr);
	out = dup(STDOUT_FILENO);
	ck_assert_ptr_nonnull(freopen(fixture->out, "we", stdout));
	status = cli_main(words);
	fflush(stdout);
	ck_assert_int_eq(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	close(out);
	return status;
}

/* The same with the kernel. */
static inline int run(const struct fixture *fixture, const char *options)
{
	_cleanup_free_ char *line = NULL;

	ck_assert_int_gt(asprintf(&line, "--kernel=%s %s", fixture->kernel.path, options), 0);
	return run_options(fixture, line);
}

/* What it says with --json; free with json_decref. */
static inline json_t *run_json(const struct fixture *fixture, const char *options)
{
	_cleanup_free_ char *with_json = NULL;
	json_t *report;

	ck_assert_int_gt(asprintf(&with_json, "--json %s", options), 0);
	ck_assert_int_eq(run(fixture, with_json), EXIT_STATUS_OK);
	report = json_load_file(fixture->out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(report);
	return report;
}

static inline void run_digest(const struct fixture *fixture, const char *options,
			      char ret_text[DIGEST_TEXT_BYTES + 1])
{
	json_t *report = run_json(fixture, options);
	const char *digest = json_string_value(json_object_get(report, "digest"));

	ck_assert_ptr_nonnull(digest);
	ck_assert_uint_eq(strlen(digest), DIGEST_TEXT_BYTES);
	memcpy(ret_text, digest, DIGEST_TEXT_BYTES + 1);
	json_decref(report);
}

#define SNP "--type=snp --memory=64M --cmdline=quiet --vcpu-model=EPYC-Milan "
#define TDX "--type=tdx --memory=64M --cmdline=quiet "

#endif
