// SPDX-License-Identifier: GPL-2.0-or-later
#include "memory/convert.h"

#include <stddef.h>

#include "vmm/err.h"

/*
 * An operation that cannot be in use (everything but OP_SET_PRIVATE and OP_WAIT) treats AGAIN
 * as FAIL. Order to private: no device can reach the page before KVM hides it. Order to shared:
 * KVM shows the page before a device can reach it. Nothing is discarded before the attribute
 * has changed, so that every step up to there can be taken back with contents intact.
 */
/* clang-format off */
static const struct convert_arc arcs[CONVERT_COUNT] = {
	/*                         operation           ok                    again                 fail */
	[CONVERT_UNMAP]        = { OP_DMA_UNMAP,       {CONVERT_HIDE,        CONVERT_REMAP_REFUSE, CONVERT_REMAP_REFUSE} },
	[CONVERT_HIDE]         = { OP_SET_PRIVATE,     {CONVERT_DROP_SHARED, CONVERT_WAIT,         CONVERT_REMAP_REFUSE} },
	[CONVERT_WAIT]         = { OP_WAIT,            {CONVERT_HIDE,        CONVERT_REMAP_AGAIN,  CONVERT_REMAP_REFUSE} },
	[CONVERT_DROP_SHARED]  = { OP_DISCARD_SHARED,  {CONVERT_DONE,        CONVERT_UNHIDE,       CONVERT_UNHIDE} },
	[CONVERT_UNHIDE]       = { OP_SET_SHARED,      {CONVERT_REMAP_REFUSE, CONVERT_BROKEN,      CONVERT_BROKEN} },
	[CONVERT_REMAP_REFUSE] = { OP_DMA_MAP,         {CONVERT_REFUSED,     CONVERT_BROKEN,       CONVERT_BROKEN} },
	[CONVERT_REMAP_AGAIN]  = { OP_DMA_MAP,         {CONVERT_AGAIN,       CONVERT_BROKEN,       CONVERT_BROKEN} },

	[CONVERT_SHOW]         = { OP_SET_SHARED,      {CONVERT_MAP,         CONVERT_REFUSED,      CONVERT_REFUSED} },
	[CONVERT_MAP]          = { OP_DMA_MAP,         {CONVERT_DROP_PRIVATE, CONVERT_UNMAP_BACK, CONVERT_UNMAP_BACK} },
	[CONVERT_DROP_PRIVATE] = { OP_DISCARD_PRIVATE, {CONVERT_DONE,        CONVERT_UNMAP_BACK,   CONVERT_UNMAP_BACK} },
	[CONVERT_UNMAP_BACK]   = { OP_DMA_UNMAP,       {CONVERT_REHIDE,      CONVERT_BROKEN,       CONVERT_BROKEN} },
	[CONVERT_REHIDE]       = { OP_SET_PRIVATE,     {CONVERT_REFUSED,     CONVERT_BROKEN,       CONVERT_BROKEN} },
};
/* clang-format on */

static const char *const state_names[CONVERT_COUNT] = {
	[CONVERT_UNMAP] = "UNMAP",
	[CONVERT_HIDE] = "HIDE",
	[CONVERT_WAIT] = "WAIT",
	[CONVERT_DROP_SHARED] = "DROP_SHARED",
	[CONVERT_UNHIDE] = "UNHIDE",
	[CONVERT_REMAP_REFUSE] = "REMAP_REFUSE",
	[CONVERT_REMAP_AGAIN] = "REMAP_AGAIN",
	[CONVERT_SHOW] = "SHOW",
	[CONVERT_MAP] = "MAP",
	[CONVERT_DROP_PRIVATE] = "DROP_PRIVATE",
	[CONVERT_UNMAP_BACK] = "UNMAP_BACK",
	[CONVERT_REHIDE] = "REHIDE",
	[CONVERT_DONE] = "DONE",
	[CONVERT_REFUSED] = "REFUSED",
	[CONVERT_AGAIN] = "AGAIN",
	[CONVERT_BROKEN] = "BROKEN",
};

static const char *const op_names[OP_COUNT] = {
	[OP_NONE] = "none",
	[OP_DMA_UNMAP] = "dma-unmap",
	[OP_SET_PRIVATE] = "set-private",
	[OP_SET_SHARED] = "set-shared",
	[OP_DISCARD_SHARED] = "discard-shared",
	[OP_DISCARD_PRIVATE] = "discard-private",
	[OP_DMA_MAP] = "dma-map",
	[OP_WAIT] = "wait",
};

const struct convert_arc *convert_arc(enum convert_state state)
{
	ASSERT(state < CONVERT_COUNT);
	return &arcs[state];
}

const char *convert_state_name(enum convert_state state)
{
	ASSERT(state < CONVERT_COUNT);
	return state_names[state];
}

const char *convert_op_name(enum convert_op op)
{
	ASSERT(op < OP_COUNT);
	return op_names[op];
}

enum convert_state convert_first(enum side to)
{
	ASSERT(to == SIDE_PRIVATE || to == SIDE_SHARED);
	return to == SIDE_PRIVATE ? CONVERT_UNMAP : CONVERT_SHOW;
}

bool convert_has_ended(enum convert_state state)
{
	return convert_arc(state)->op == OP_NONE;
}
