// SPDX-License-Identifier: GPL-2.0-or-later
#include "memory/convert.h"

#include <stddef.h>

#include "vmm/err.h"

/*
 * What KVM and the IOMMU are told can be told again later; on the way back that is better than
 * to give a page up. Discards treat AGAIN as FAIL. Order to private: no device can reach the
 * page before KVM hides it. Order to shared: KVM shows the page before a device can reach it.
 * Nothing is discarded before the attribute has changed, so that every step up to there can be
 * taken back with contents intact. What is taken back was in use for a moment: guest or devices
 * may have filled the half that must be empty.
 */
#define ARC(state, op, ok, again, fail) \
	[CONVERT_##state] = {OP_##op, {CONVERT_##ok, CONVERT_##again, CONVERT_##fail}}

/* clang-format off */
static const struct convert_arc arcs[CONVERT_COUNT] = {
	/*  state          operation        ok             again          fail */
	ARC(UNMAP,         DMA_UNMAP,       HIDE,          UNMAP_WAIT,    REMAP_REFUSE),
	ARC(UNMAP_WAIT,    WAIT,            UNMAP,         REMAP_AGAIN,   REMAP_REFUSE),
	ARC(HIDE,          SET_PRIVATE,     DROP_SHARED,   WAIT,          REMAP_REFUSE),
	ARC(WAIT,          WAIT,            HIDE,          REMAP_AGAIN,   REMAP_REFUSE),
	ARC(DROP_SHARED,   DISCARD_SHARED,  DONE,          UNHIDE,        UNHIDE),
	ARC(UNHIDE,        SET_SHARED,      CLEAR_PRIVATE, UNHIDE_WAIT,   BROKEN),
	ARC(UNHIDE_WAIT,   WAIT,            UNHIDE,        BROKEN,        BROKEN),
	ARC(CLEAR_PRIVATE, DISCARD_PRIVATE, REMAP_REFUSE,  BROKEN,        BROKEN),
	ARC(REMAP_REFUSE,  DMA_MAP,         REFUSED,       REFUSE_WAIT,   BROKEN),
	ARC(REFUSE_WAIT,   WAIT,            REMAP_REFUSE,  BROKEN,        BROKEN),
	ARC(REMAP_AGAIN,   DMA_MAP,         AGAIN,         AGAIN_WAIT,    BROKEN),
	ARC(AGAIN_WAIT,    WAIT,            REMAP_AGAIN,   BROKEN,        BROKEN),

	ARC(SHOW,          SET_SHARED,      MAP,           SHOW_WAIT,     REFUSED),
	ARC(SHOW_WAIT,     WAIT,            SHOW,          AGAIN,         REFUSED),
	ARC(MAP,           DMA_MAP,         DROP_PRIVATE,  MAP_WAIT,      UNMAP_BACK),
	ARC(MAP_WAIT,      WAIT,            MAP,           UNMAP_BACK,    UNMAP_BACK),
	ARC(DROP_PRIVATE,  DISCARD_PRIVATE, DONE,          UNMAP_BACK,    UNMAP_BACK),
	ARC(UNMAP_BACK,    DMA_UNMAP,       REHIDE,        BACK_WAIT,     BROKEN),
	ARC(BACK_WAIT,     WAIT,            UNMAP_BACK,    BROKEN,        BROKEN),
	ARC(REHIDE,        SET_PRIVATE,     CLEAR_SHARED,  REHIDE_WAIT,   BROKEN),
	ARC(REHIDE_WAIT,   WAIT,            REHIDE,        BROKEN,        BROKEN),
	ARC(CLEAR_SHARED,  DISCARD_SHARED,  REFUSED,       BROKEN,        BROKEN),
};
/* clang-format on */

static const char *const state_names[CONVERT_COUNT] = {
	[CONVERT_UNMAP] = "UNMAP",
	[CONVERT_UNMAP_WAIT] = "UNMAP_WAIT",
	[CONVERT_HIDE] = "HIDE",
	[CONVERT_WAIT] = "WAIT",
	[CONVERT_DROP_SHARED] = "DROP_SHARED",
	[CONVERT_UNHIDE] = "UNHIDE",
	[CONVERT_UNHIDE_WAIT] = "UNHIDE_WAIT",
	[CONVERT_CLEAR_PRIVATE] = "CLEAR_PRIVATE",
	[CONVERT_REMAP_REFUSE] = "REMAP_REFUSE",
	[CONVERT_REFUSE_WAIT] = "REFUSE_WAIT",
	[CONVERT_REMAP_AGAIN] = "REMAP_AGAIN",
	[CONVERT_AGAIN_WAIT] = "AGAIN_WAIT",
	[CONVERT_SHOW] = "SHOW",
	[CONVERT_SHOW_WAIT] = "SHOW_WAIT",
	[CONVERT_MAP] = "MAP",
	[CONVERT_MAP_WAIT] = "MAP_WAIT",
	[CONVERT_DROP_PRIVATE] = "DROP_PRIVATE",
	[CONVERT_UNMAP_BACK] = "UNMAP_BACK",
	[CONVERT_BACK_WAIT] = "BACK_WAIT",
	[CONVERT_REHIDE] = "REHIDE",
	[CONVERT_REHIDE_WAIT] = "REHIDE_WAIT",
	[CONVERT_CLEAR_SHARED] = "CLEAR_SHARED",
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
