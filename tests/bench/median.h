/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_BENCH_MEDIAN_H
#define TESTS_BENCH_MEDIAN_H

#include <stdlib.h>

static inline int compare_double(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Sorts @values, of which there are @n, at least one. */
static inline double median(double *values, size_t n)
{
	qsort(values, n, sizeof(values[0]), compare_double);
	return values[n / 2];
}

#endif
