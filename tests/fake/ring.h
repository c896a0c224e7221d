/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver's side of a split virtqueue, for tests: it writes what it is told, right or wrong.
 */
#ifndef TESTS_FAKE_RING_H
#define TESTS_FAKE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/range.h"

struct guest_memory;

struct fake_ring {
	struct guest_memory *memory;
	uint16_t size;
	gpa_t desc_gpa;
	gpa_t avail_gpa;
	gpa_t used_gpa;
	uint16_t n_offered; /* free-running */
	uint16_t n_taken;   /* free-running */
};

/* Bytes from @gpa that a ring of @size entries takes at most. */
#define FAKE_RING_BYTES (4 * GRANULE_BYTES)

/* An empty ring at @gpa, which is page-aligned. */
void fake_ring_init(struct fake_ring *ring, struct guest_memory *memory, gpa_t gpa,
		    uint16_t size);

/* One descriptor of the table at @table_gpa. @flags: VRING_DESC_F_*. */
void fake_ring_set_desc(struct fake_ring *ring, gpa_t table_gpa, unsigned int index, gpa_t gpa,
			uint32_t size_bytes, uint16_t flags, unsigned int next);

/* Make the chain that starts at @head available. */
void fake_ring_offer(struct fake_ring *ring, unsigned int head);

/* What the driver wishes: avail flags, and the used event index. */
void fake_ring_set_flags(struct fake_ring *ring, uint16_t flags);
void fake_ring_set_used_event(struct fake_ring *ring, uint16_t event);

/* What the device wishes: used flags, and the avail event index. */
uint16_t fake_ring_get_flags(struct fake_ring *ring);
uint16_t fake_ring_get_avail_event(struct fake_ring *ring);

/* Take the next used chain. False when there is none. */
bool fake_ring_take(struct fake_ring *ring, uint32_t *ret_head, uint32_t *ret_written_bytes);

#endif
