/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Did you mean": of the words offered, the one nearest to what somebody typed. */
#ifndef VMM_NEAREST_H
#define VMM_NEAREST_H

#include <stddef.h>

struct nearest {
	const char *typed;
	const char *best; /* NULL while nothing offered resembles @typed */
	size_t distance;  /* of @best */
};

void nearest_init(struct nearest *nearest, const char *typed);

/* @word: kept by reference. The first of equally near words wins. */
void nearest_offer(struct nearest *nearest, const char *word);

#endif
