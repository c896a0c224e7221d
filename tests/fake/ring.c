// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/ring.h"

#include <endian.h>
#include <linux/virtio_ring.h>

#include "memory/memory.h"
#include "vmm/err.h"

enum {
	FLAGS = 0,
	IDX = 2,
	ENTRIES = 4,
};

static void store_u16(struct fake_ring *ring, gpa_t gpa, uint16_t value)
{
	int ret = guest_store_u16(ring->memory, gpa, value);

	ASSERT(ret == 0);
}

static uint16_t load_u16(struct fake_ring *ring, gpa_t gpa)
{
	uint16_t value = 0;
	int ret = guest_load_u16(ring->memory, gpa, &value);

	ASSERT(ret == 0);
	return value;
}

void fake_ring_init(struct fake_ring *ring, struct guest_memory *memory, gpa_t gpa,
		    uint16_t size)
{
	*ring = (struct fake_ring){
		.memory = memory,
		.size = size,
		.desc_gpa = gpa,
		.avail_gpa = gpa + GRANULE_BYTES,
		.used_gpa = gpa + 2 * GRANULE_BYTES,
	};
	ASSERT(size * sizeof(struct vring_desc) <= GRANULE_BYTES);
	ASSERT(guest_zero(memory, gpa, FAKE_RING_BYTES) == 0);
}

void fake_ring_set_desc(struct fake_ring *ring, gpa_t table_gpa, unsigned int index, gpa_t gpa,
			uint32_t size_bytes, uint16_t flags, unsigned int next)
{
	const struct vring_desc desc = {
		.addr = htole64(gpa),
		.len = htole32(size_bytes),
		.flags = htole16(flags),
		.next = htole16((uint16_t)next),
	};
	int ret = guest_write(ring->memory, table_gpa + index * sizeof(desc), &desc,
			      sizeof(desc));

	ASSERT(ret == 0);
}

void fake_ring_offer(struct fake_ring *ring, unsigned int head)
{
	store_u16(ring, ring->avail_gpa + ENTRIES + 2ul * (ring->n_offered % ring->size),
		  (uint16_t)head);
	store_u16(ring, ring->avail_gpa + IDX, ++ring->n_offered);
	/* As drivers do before they look whether the device wants to hear of it. */
	__sync_synchronize();
}

void fake_ring_set_flags(struct fake_ring *ring, uint16_t flags)
{
	store_u16(ring, ring->avail_gpa + FLAGS, flags);
}

void fake_ring_set_used_event(struct fake_ring *ring, uint16_t event)
{
	store_u16(ring, ring->avail_gpa + ENTRIES + 2ul * ring->size, event);
}

uint16_t fake_ring_get_flags(struct fake_ring *ring)
{
	return load_u16(ring, ring->used_gpa + FLAGS);
}

uint16_t fake_ring_get_avail_event(struct fake_ring *ring)
{
	return load_u16(ring,
			ring->used_gpa + ENTRIES + sizeof(struct vring_used_elem) * ring->size);
}

bool fake_ring_take(struct fake_ring *ring, uint32_t *ret_head, uint32_t *ret_written_bytes)
{
	struct vring_used_elem entry;
	gpa_t gpa = ring->used_gpa + ENTRIES + sizeof(entry) * (ring->n_taken % ring->size);
	int ret;

	if (load_u16(ring, ring->used_gpa + IDX) == ring->n_taken)
		return false;
	ret = guest_read(ring->memory, gpa, &entry, sizeof(entry));
	ASSERT(ret == 0);
	ring->n_taken++;
	*ret_head = le32toh(entry.id);
	*ret_written_bytes = le32toh(entry.len);
	return true;
}
