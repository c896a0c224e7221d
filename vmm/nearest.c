// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/nearest.h"

#include <stdint.h>
#include <string.h>

enum { WORD_MAX_BYTES = 64 };

static size_t min_of(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Insertions, deletions, replacements and swaps of neighbours that turn @a into @b. */
static size_t word_distance(const char *a, size_t a_bytes, const char *b, size_t b_bytes)
{
	size_t rows[3][WORD_MAX_BYTES + 1];
	size_t *before = rows[0];
	size_t *above = rows[1];
	size_t *row = rows[2];

	for (size_t j = 0; j <= b_bytes; j++)
		above[j] = j;
	for (size_t i = 1; i <= a_bytes; i++) {
		size_t *oldest = before;

		row[0] = i;
		for (size_t j = 1; j <= b_bytes; j++) {
			row[j] = above[j - 1] + (a[i - 1] != b[j - 1]);
			row[j] = min_of(row[j], min_of(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = min_of(row[j], before[j - 2] + 1);
		}
		before = above;
		above = row;
		row = oldest;
	}
	return above[b_bytes];
}

void nearest_init(struct nearest *nearest, const char *typed)
{
	*nearest = (struct nearest){.typed = typed, .distance = SIZE_MAX};
}

void nearest_offer(struct nearest *nearest, const char *word)
{
	size_t typed_bytes = strlen(nearest->typed);
	size_t word_bytes = strlen(word);
	size_t distance;

	if (typed_bytes < 2 || typed_bytes > WORD_MAX_BYTES || word_bytes > WORD_MAX_BYTES)
		return;
	/* A beginning of a word is a likely wish whatever is missing. */
	if (!strncmp(nearest->typed, word, typed_bytes))
		distance = 1;
	else
		distance = word_distance(nearest->typed, typed_bytes, word, word_bytes);
	if (distance > 1 + typed_bytes / 4 || distance >= nearest->distance)
		return;
	nearest->best = word;
	nearest->distance = distance;
}
