// SPDX-License-Identifier: GPL-2.0-or-later
/* The cases of a test: all combinations of each of its matrices. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/err.h"
#include "vmm/suite/file.h"

/* The word number @n of @text; returns its length, 0 when there are fewer. */
static size_t word_find(const char *text, unsigned int n, const char **ret_word)
{
	static const char blanks[] = " \t";

	for (text += strspn(text, blanks); n && *text; n--) {
		text += strcspn(text, blanks);
		text += strspn(text, blanks);
	}
	*ret_word = text;
	return strcspn(text, blanks);
}

static unsigned int words_count(const char *text)
{
	const char *word;
	unsigned int n = 0;

	while (word_find(text, n, &word))
		n++;
	return n;
}

/* At most one more than SUITE_CASES_MAX, which is too many. */
static unsigned int matrix_count(const struct matrix *matrix)
{
	unsigned int n = 1;

	for (unsigned int i = 0; i < matrix->n_axes && n <= SUITE_CASES_MAX; i++)
		n *= words_count(matrix->axes[i].values);
	return n <= SUITE_CASES_MAX ? n : SUITE_CASES_MAX + 1;
}

unsigned int suite_file_count_cases(const struct suite_file *file)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < file->n_matrices; i++)
		n += matrix_count(&file->matrices[i]);
	return file->n_matrices ? n : 1;
}

/* The last axis changes fastest. */
static int matrix_make_case(const struct matrix *matrix, unsigned int index,
			    struct suite_case *ret_case)
{
	unsigned int n = matrix_count(matrix);
	size_t bytes;
	FILE *name = open_memstream(&ret_case->name, &bytes);
	bool failed = !name;

	for (unsigned int i = 0; i < matrix->n_axes && !failed; i++) {
		const struct axis *axis = &matrix->axes[i];
		const char *word;
		int word_bytes;

		n /= words_count(axis->values);
		word_bytes = (int)word_find(axis->values, index / n, &word);
		index %= n;
		fprintf(name, "%s%s=%.*s", i ? "," : "", axis->option, word_bytes, word);
		failed = asprintf(&ret_case->options[i], "--%s=%.*s", axis->option, word_bytes,
				  word) < 0;
		if (failed)
			ret_case->options[i] = NULL;
		else
			ret_case->n_options++;
	}
	return name && !fclose(name) && !failed ? 0 : -ENOMEM;
}

int suite_file_make_case(const struct suite_file *file, unsigned int index,
			 struct suite_case *ret_case)
{
	static const struct matrix none = {0};
	const struct matrix *matrix = file->n_matrices ? file->matrices : &none;
	struct suite_case made = {0};
	int result;

	ASSERT(index < suite_file_count_cases(file));
	for (; index >= matrix_count(matrix); matrix++)
		index -= matrix_count(matrix);
	result = matrix_make_case(matrix, index, &made);
	if (result < 0)
		suite_case_fini(&made);
	else
		*ret_case = made;
	return result;
}

void suite_case_fini(struct suite_case *suite_case)
{
	for (unsigned int i = 0; i < suite_case->n_options; i++)
		free(suite_case->options[i]);
	free(suite_case->name);
	*suite_case = (struct suite_case){0};
}
