/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversion of a range of pages from one side to the other, as a table of arcs.
 *
 * The machine is pure: it says which operation is next (convert_op) and is told how that went
 * (convert_result). It never calls the kernel, so every combination of results can be tried
 * without one; the same table is translated for the model checker and drawn in
 * docs/ARCHITECTURE.md.
 *
 * An operation works on the whole range: it changes what has to change of it, and nothing when
 * it fails.
 */
#ifndef MEMORY_CONVERT_H
#define MEMORY_CONVERT_H

#include <stdbool.h>

#include "memory/sides.h"

enum convert_op {
	OP_NONE,	/* the conversion has ended */
	OP_DMA_UNMAP,	/* take the range's shared pages away from devices */
	OP_SET_PRIVATE, /* tell KVM */
	OP_SET_SHARED,
	OP_DISCARD_SHARED, /* paired: free the half that is not used any more */
	OP_DISCARD_PRIVATE,
	OP_DMA_MAP, /* give the range's shared pages to devices */
	OP_WAIT,    /* somebody uses a page: wait a little, as often as the bound allows */
	OP_COUNT,
};

/* How an operation went. */
enum convert_result {
	RESULT_OK,
	RESULT_AGAIN, /* could go later; OP_WAIT: the bound is reached */
	RESULT_FAIL,
	RESULT_COUNT,
};

enum convert_state {
	/* Shared to private. */
	CONVERT_UNMAP,
	CONVERT_UNMAP_WAIT,
	CONVERT_HIDE,
	CONVERT_WAIT,
	CONVERT_DROP_SHARED,
	CONVERT_UNHIDE, /* back, because the discard failed */
	CONVERT_UNHIDE_WAIT,
	CONVERT_CLEAR_PRIVATE, /* back: what the guest wrote meanwhile */
	CONVERT_REMAP_REFUSE,  /* back, then REFUSED */
	CONVERT_REFUSE_WAIT,
	CONVERT_REMAP_AGAIN, /* back, then AGAIN */
	CONVERT_AGAIN_WAIT,
	/* Private to shared. */
	CONVERT_SHOW,
	CONVERT_SHOW_WAIT,
	CONVERT_MAP,
	CONVERT_MAP_WAIT,
	CONVERT_DROP_PRIVATE,
	CONVERT_UNMAP_BACK, /* back, because the map or the discard failed */
	CONVERT_BACK_WAIT,
	CONVERT_REHIDE, /* back, because map or discard failed */
	CONVERT_REHIDE_WAIT,
	CONVERT_CLEAR_SHARED, /* back: what guest and devices wrote meanwhile */
	/* How it ended. */
	CONVERT_DONE,	 /* the whole range is on the side asked for */
	CONVERT_REFUSED, /* nothing changed */
	CONVERT_AGAIN,	 /* nothing changed; the guest may ask again */
	CONVERT_BROKEN,	 /* what the kernel has is not known */
	CONVERT_COUNT,
};

struct convert_arc {
	enum convert_op op;
	enum convert_state next[RESULT_COUNT];
};

/* All arcs, for whoever walks, prints or translates them. */
const struct convert_arc *convert_arc(enum convert_state state);
const char *convert_state_name(enum convert_state state);
const char *convert_op_name(enum convert_op op);

/* Where a conversion to @to begins. */
enum convert_state convert_first(enum side to);

/* Has it ended? */
bool convert_has_ended(enum convert_state state);

#endif
