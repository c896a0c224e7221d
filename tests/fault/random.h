/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers by chance that a seed repeats. */
#ifndef TESTS_FAULT_RANDOM_H
#define TESTS_FAULT_RANDOM_H

#include <stdint.h>
#include <stdlib.h>

/* A number of the environment, or @fallback. */
static inline uint64_t random_setting(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);

	return text ? strtoull(text, NULL, 0) : fallback;
}

/* splitmix64 */
static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* 0..n-1 */
static inline uint64_t random_below(uint64_t *state, uint64_t n)
{
	return random_next(state) % n;
}

#endif
