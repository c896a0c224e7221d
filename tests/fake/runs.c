// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/runs.h"

#include <stdlib.h>
#include <string.h>

#include "vmm/err.h"

void fake_runs_fini(struct fake_runs *runs)
{
	free(runs->points);
	*runs = (struct fake_runs){0};
}

/* How many points lie below @address, or (@or_at) at it. */
static size_t runs_count(const struct fake_runs *runs, uint64_t address, bool or_at)
{
	size_t low = 0, high = runs->n_points;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (runs->points[middle] < address ||
		    (or_at && runs->points[middle] == address))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool fake_runs_has(const struct fake_runs *runs, uint64_t address)
{
	return runs->has_zero != (runs_count(runs, address, true) % 2 == 1);
}

void fake_runs_set(struct fake_runs *runs, struct range range, bool is_in)
{
	size_t first = runs_count(runs, range.start, false);
	size_t last = runs_count(runs, range.end, true);
	bool is_in_before = runs->has_zero != (first % 2 == 1);
	bool is_in_after = runs->has_zero != (last % 2 == 1);
	uint64_t fresh[2];
	size_t n_fresh = 0;
	size_t n_points;

	ASSERT(range.start < range.end);
	if (is_in_before != is_in)
		fresh[n_fresh++] = range.start;
	if (is_in_after != is_in)
		fresh[n_fresh++] = range.end;
	n_points = runs->n_points - (last - first) + n_fresh;
	if (n_points > runs->n_room) {
		runs->n_room = 2 * n_points;
		runs->points = realloc(runs->points, runs->n_room * sizeof(uint64_t));
		ASSERT(runs->points);
	}
	if (runs->n_points > last)
		memmove(&runs->points[first + n_fresh], &runs->points[last],
			(runs->n_points - last) * sizeof(uint64_t));
	for (size_t i = 0; i < n_fresh; i++)
		runs->points[first + i] = fresh[i];
	runs->n_points = n_points;
	ASSERT(fake_runs_covers(runs, range, is_in));
}

uint64_t fake_runs_find_end(const struct fake_runs *runs, uint64_t address, uint64_t end)
{
	size_t next = runs_count(runs, address, true);

	return next < runs->n_points && runs->points[next] < end ? runs->points[next] : end;
}

bool fake_runs_covers(const struct fake_runs *runs, struct range range, bool is_in)
{
	return fake_runs_has(runs, range.start) == is_in &&
	       fake_runs_find_end(runs, range.start, range.end) == range.end;
}
