// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/launch.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

enum { ROOM_FIRST = 16 };

int launch_add(struct launch *launch, gpa_t gpa, uint64_t size_bytes, enum launch_kind kind)
{
	struct launch_piece *pieces = launch->pieces;
	struct range range = {.start = gpa, .end = gpa + size_bytes};

	ASSERT(range.end > gpa && is_aligned(gpa | size_bytes, GRANULE_BYTES));
	if (launch->n_pieces == launch->n_room) {
		size_t n_room = launch->n_room ? 2 * launch->n_room : ROOM_FIRST;

		pieces = reallocarray(pieces, n_room, sizeof(*pieces));
		if (!pieces)
			return -ENOMEM;
		launch->pieces = pieces;
		launch->n_room = n_room;
	}
	pieces[launch->n_pieces++] = (struct launch_piece){.gpa = range, .kind = kind};
	return 0;
}

const struct launch_piece *launch_find(const struct launch *launch, struct range gpa)
{
	for (size_t i = 0; i < launch->n_pieces; i++) {
		if (range_overlaps(launch->pieces[i].gpa, gpa))
			return &launch->pieces[i];
	}
	return NULL;
}

int launch_note(struct launch *launch, gpa_t gpa, uint64_t size_bytes)
{
	gpa_t start = align_down(gpa, GRANULE_BYTES);

	return launch_add(launch, start, align_up(gpa + size_bytes, GRANULE_BYTES) - start,
			  LAUNCH_MEASURED);
}

static int compare_pieces(const void *a, const void *b)
{
	const struct launch_piece *left = a, *right = b;

	return left->gpa.start < right->gpa.start ? -1 : left->gpa.start > right->gpa.start;
}

void launch_sort(struct launch *launch)
{
	struct launch_piece *pieces = launch->pieces;
	size_t n = 0;

	if (launch->n_pieces)
		qsort(pieces, launch->n_pieces, sizeof(*pieces), compare_pieces);
	for (size_t i = 0; i < launch->n_pieces; i++) {
		ASSERT(pieces[i].kind == LAUNCH_MEASURED);
		if (n == 0 || pieces[i].gpa.start > pieces[n - 1].gpa.end)
			pieces[n++] = pieces[i];
		else if (pieces[i].gpa.end > pieces[n - 1].gpa.end)
			pieces[n - 1].gpa.end = pieces[i].gpa.end;
	}
	launch->n_pieces = n;
}

int launch_visit_rest(const struct launch *launch, struct range gpa,
		      int (*fn)(void *opaque, struct range rest), void *opaque)
{
	_cleanup_free_ struct launch_piece *pieces =
		calloc(launch->n_pieces + 1, sizeof(*pieces));
	struct range rest = {.start = gpa.start};
	int ret = 0;

	if (!pieces)
		return -ENOMEM;
	for (size_t i = 0; i < launch->n_pieces; i++)
		pieces[i] = launch->pieces[i];
	qsort(pieces, launch->n_pieces, sizeof(*pieces), compare_pieces);
	/* So that there is always one behind what is left. */
	pieces[launch->n_pieces].gpa = (struct range){.start = gpa.end, .end = gpa.end};
	for (size_t i = 0; i <= launch->n_pieces && !ret; i++) {
		rest.end = pieces[i].gpa.start < gpa.end ? pieces[i].gpa.start : gpa.end;
		if (rest.end > rest.start)
			ret = fn(opaque, rest);
		if (pieces[i].gpa.end > rest.start)
			rest.start = pieces[i].gpa.end;
	}
	return ret;
}

void launch_fini(struct launch *launch)
{
	free(launch->pieces);
	*launch = (struct launch){0};
}
