/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A set of addresses, kept as the ascending points where membership changes: memory grows with
 * the number of runs, not with the addresses.
 */
#ifndef TESTS_FAKE_RUNS_H
#define TESTS_FAKE_RUNS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/range.h"

/* Zero-initialise for an empty set; with @has_zero it is that of all addresses. */
struct fake_runs {
	bool has_zero; /* is what lies below all points in the set */
	uint64_t *points;
	size_t n_points;
	size_t n_room;
};

void fake_runs_fini(struct fake_runs *runs);

bool fake_runs_has(const struct fake_runs *runs, uint64_t address);

/* Put @range in the set, or take it out. */
void fake_runs_set(struct fake_runs *runs, struct range range, bool is_in);

/* Where the run that holds @address ends; @end when it goes on beyond. */
uint64_t fake_runs_find_end(const struct fake_runs *runs, uint64_t address, uint64_t end);

/* Is all of @range in the set, or (@is_in false) outside of it? */
bool fake_runs_covers(const struct fake_runs *runs, struct range range, bool is_in);

#endif
