// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The device's side of split virtqueues (virtio 1.3, 2.7).
 *
 * A ring is three areas that the driver placed: the descriptor table and the avail ring, which
 * the driver writes at any time, and the used ring, which only we write. Every value is copied
 * once and the copy is checked. What no correct driver does (an index out of range, a loop, a
 * readable descriptor behind a writable one, a head that is still in use) breaks the ring for
 * good; only a reset of the device helps.
 *
 *   avail: flags u16, idx u16, ring u16[size], used_event u16
 *   used:  flags u16, idx u16, ring {id u32, len u32}[size], avail_event u16
 *
 * Both sides publish with a release store and load with acquire. The two event fields need
 * more: each side writes its index and then reads the other's wish, so a full barrier stands
 * between.
 */
#include <endian.h>
#include <errno.h>
#include <limits.h>
#include <linux/virtio_ring.h>

#include "devices/virtio.h"
#include "memory/memory.h"
#include "vmm/err.h"

enum {
	AVAIL_FLAGS = 0,
	AVAIL_IDX = 2,
	AVAIL_RING = 4,
	USED_FLAGS = 0,
	USED_IDX = 2,
	USED_RING = 4,
};

/* A chain's buffers may have this many bytes together (virtio 1.3, 2.7.5.2). */
#define CHAIN_BYTES_MAX (UINT64_C(1) << 32)

static gpa_t avail_entry_gpa(const struct virtq *virtq, unsigned int index)
{
	return virtq->place.avail_gpa + AVAIL_RING + sizeof(uint16_t) * index;
}

static gpa_t used_entry_gpa(const struct virtq *virtq, unsigned int index)
{
	return virtq->place.used_gpa + USED_RING + sizeof(struct vring_used_elem) * index;
}

static bool area_is_sound(gpa_t gpa, uint64_t size_bytes, uint64_t align)
{
	struct range unused;

	return is_aligned(gpa, align) && range_init(&unused, gpa, size_bytes);
}

void virtq_init(struct virtq *virtq, struct guest_memory *memory,
		const struct virtq_place *place, uint64_t features)
{
	uint64_t size = place->size;

	ASSERT(size && size <= VIRTQ_SIZE_MAX);
	ASSERT((size & (size - 1)) == 0);
	*virtq = (struct virtq){
		.memory = memory,
		.place = *place,
		.event_idx = features >> VIRTIO_RING_F_EVENT_IDX & 1,
		.indirect = features >> VIRTIO_RING_F_INDIRECT_DESC & 1,
	};
	/* Each ring ends with an event field, whether negotiated or not. */
	virtq->broken =
		!area_is_sound(place->desc_gpa, sizeof(struct vring_desc) * size,
			       VRING_DESC_ALIGN_SIZE) ||
		!area_is_sound(place->avail_gpa, AVAIL_RING + sizeof(uint16_t) * (size + 1),
			       VRING_AVAIL_ALIGN_SIZE) ||
		!area_is_sound(place->used_gpa,
			       USED_RING + sizeof(struct vring_used_elem) * size +
				       sizeof(uint16_t),
			       VRING_USED_ALIGN_SIZE);
}

static bool head_is_taken(const struct virtq *virtq, uint16_t head)
{
	return virtq->taken[head / 64] >> (head % 64) & 1;
}

static void head_set_taken(struct virtq *virtq, uint16_t head, bool taken)
{
	ASSERT(head < virtq->place.size);
	ASSERT(head_is_taken(virtq, head) != taken);
	virtq->taken[head / 64] ^= UINT64_C(1) << (head % 64);
	virtq->n_taken += taken ? 1 : UINT_MAX;
	ASSERT(virtq->n_taken <= virtq->place.size);
}

/* Is there an entry to take? Breaks the ring when the driver's index makes no sense. */
static bool virtq_is_pending(struct virtq *virtq)
{
	if (virtq->broken)
		return false;
	if (virtq->avail_next != virtq->avail_seen)
		return true;
	if (guest_load_u16(virtq->memory, virtq->place.avail_gpa + AVAIL_IDX,
			   &virtq->avail_seen) ||
	    (uint16_t)(virtq->avail_seen - virtq->avail_next) > virtq->place.size) {
		virtq->broken = true;
		return false;
	}
	return virtq->avail_next != virtq->avail_seen;
}

/* Append what a descriptor names. An empty one adds nothing. */
static bool chain_add(struct virtq_chain *chain, gpa_t gpa, uint32_t size_bytes, bool writable)
{
	struct range unused;

	if (!writable && chain->writable_bytes)
		return false;
	if (!size_bytes)
		return true;
	if (!range_init(&unused, gpa, size_bytes) || chain->n_segments == VIRTQ_SEGMENTS_MAX)
		return false;
	chain->segments[chain->n_segments++] =
		(struct virtq_segment){.gpa = gpa, .size_bytes = size_bytes};
	if (writable) {
		chain->writable_bytes += size_bytes;
	} else {
		chain->n_readable++;
		chain->readable_bytes += size_bytes;
	}
	return chain->readable_bytes + chain->writable_bytes <= CHAIN_BYTES_MAX;
}

/*
 * Follow the chain from @head: any number of descriptors in the ring's table, the last of which
 * may name a table of its own. In neither table are more steps made than it has entries.
 */
static bool chain_walk(const struct virtq *virtq, uint16_t head, struct virtq_chain *chain)
{
	gpa_t table_gpa = virtq->place.desc_gpa;
	uint32_t n_entries = virtq->place.size, n_left = n_entries, index = head;
	bool inside = false;

	chain->head = head;
	chain->n_segments = chain->n_readable = 0;
	chain->readable_bytes = chain->writable_bytes = 0;
	for (;;) {
		struct vring_desc desc;
		uint16_t flags;
		uint32_t size_bytes;

		if (index >= n_entries || !n_left--)
			return false;
		if (guest_read(virtq->memory, table_gpa + index * sizeof(desc), &desc,
			       sizeof(desc)))
			return false;
		flags = le16toh(desc.flags);
		size_bytes = le32toh(desc.len);
		if (flags & VRING_DESC_F_INDIRECT) {
			struct range table;

			if (inside || !virtq->indirect || (flags & VRING_DESC_F_NEXT) ||
			    !range_init(&table, le64toh(desc.addr), size_bytes) ||
			    size_bytes % sizeof(desc) ||
			    size_bytes > VIRTQ_SIZE_MAX * sizeof(desc))
				return false;
			inside = true;
			table_gpa = table.start;
			n_entries = n_left = size_bytes / (uint32_t)sizeof(desc);
			index = 0;
			continue;
		}
		if (!chain_add(chain, le64toh(desc.addr), size_bytes,
			       flags & VRING_DESC_F_WRITE))
			return false;
		if (!(flags & VRING_DESC_F_NEXT))
			return true;
		index = le16toh(desc.next);
	}
}

bool virtq_pop(struct virtq *virtq, struct virtq_chain *ret_chain)
{
	uint16_t head;

	if (!virtq_is_pending(virtq))
		return false;
	if (guest_load_u16(virtq->memory,
			   avail_entry_gpa(virtq, virtq->avail_next % virtq->place.size),
			   &head) ||
	    head >= virtq->place.size || head_is_taken(virtq, head) ||
	    !chain_walk(virtq, head, ret_chain)) {
		virtq->broken = true;
		return false;
	}
	head_set_taken(virtq, head, true);
	virtq->avail_next++;
	return true;
}

void virtq_unpop(struct virtq *virtq, uint16_t head)
{
	head_set_taken(virtq, head, false);
	virtq->avail_next--;
}

void virtq_push(struct virtq *virtq, uint16_t head, uint32_t written_bytes)
{
	const struct vring_used_elem entry = {.id = htole32(head),
					      .len = htole32(written_bytes)};

	head_set_taken(virtq, head, false);
	if (virtq->broken)
		return;
	if (guest_write(virtq->memory,
			used_entry_gpa(virtq, virtq->used_next % virtq->place.size), &entry,
			sizeof(entry)))
		virtq->broken = true;
	else
		virtq->used_next++;
}

void virtq_drop(struct virtq *virtq, uint16_t head)
{
	head_set_taken(virtq, head, false);
}

bool virtq_publish(struct virtq *virtq)
{
	uint16_t told = virtq->used_told, wish = 0;
	gpa_t wish_gpa = virtq->event_idx ? avail_entry_gpa(virtq, virtq->place.size)
					  : virtq->place.avail_gpa + AVAIL_FLAGS;

	if (virtq->broken || virtq->used_next == told)
		return false;
	virtq->broken = guest_store_u16(virtq->memory, virtq->place.used_gpa + USED_IDX,
					virtq->used_next);
	if (virtq->broken)
		return false;
	virtq->used_told = virtq->used_next;

	/* The driver writes its wish and then looks at our index: one of us sees the other. */
	__sync_synchronize();
	virtq->broken = guest_load_u16(virtq->memory, wish_gpa, &wish);
	if (virtq->broken)
		return false;
	return virtq->event_idx ? vring_need_event(wish, virtq->used_next, told)
				: !(wish & VRING_AVAIL_F_NO_INTERRUPT);
}

/* With event indices: notify us of the entry @value. Without: flags of the used ring. */
static void virtq_set_wish(struct virtq *virtq, uint16_t value)
{
	gpa_t gpa = virtq->event_idx ? used_entry_gpa(virtq, virtq->place.size)
				     : virtq->place.used_gpa + USED_FLAGS;

	if (!virtq->broken && guest_store_u16(virtq->memory, gpa, value))
		virtq->broken = true;
}

bool virtq_arm(struct virtq *virtq)
{
	virtq_set_wish(virtq, virtq->event_idx ? virtq->avail_next : 0);
	/* The driver publishes a chain and then reads our wish: one of us sees the other. */
	__sync_synchronize();
	return virtq_is_pending(virtq);
}

void virtq_disarm(struct virtq *virtq)
{
	/* An event index stays behind of what is taken, which silences the driver by itself. */
	if (!virtq->event_idx)
		virtq_set_wish(virtq, VRING_USED_F_NO_NOTIFY);
}

unsigned int segments_slice(const struct virtq_segment *segments, unsigned int n_segments,
			    uint64_t offset, uint64_t size_bytes,
			    struct virtq_segment *ret_segments)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < n_segments && size_bytes; i++) {
		uint64_t piece;

		if (offset >= segments[i].size_bytes) {
			offset -= segments[i].size_bytes;
			continue;
		}
		piece = segments[i].size_bytes - offset;
		if (piece > size_bytes)
			piece = size_bytes;
		ret_segments[n++] = (struct virtq_segment){.gpa = segments[i].gpa + offset,
							   .size_bytes = (uint32_t)piece};
		size_bytes -= piece;
		offset = 0;
	}
	ASSERT(size_bytes == 0);
	return n;
}

int segments_read(struct guest_memory *memory, const struct virtq_segment *segments,
		  unsigned int n_segments, uint64_t offset, void *buffer, size_t size_bytes)
{
	struct virtq_segment part[VIRTQ_SEGMENTS_MAX];
	unsigned int n = segments_slice(segments, n_segments, offset, size_bytes, part);
	char *to = buffer;

	for (unsigned int i = 0; i < n; i++) {
		if (guest_read(memory, part[i].gpa, to, part[i].size_bytes))
			return -EFAULT;
		to += part[i].size_bytes;
	}
	return 0;
}

int segments_write(struct guest_memory *memory, const struct virtq_segment *segments,
		   unsigned int n_segments, uint64_t offset, const void *buffer,
		   size_t size_bytes)
{
	struct virtq_segment part[VIRTQ_SEGMENTS_MAX];
	unsigned int n = segments_slice(segments, n_segments, offset, size_bytes, part);
	const char *from = buffer;

	for (unsigned int i = 0; i < n; i++) {
		if (guest_write(memory, part[i].gpa, from, part[i].size_bytes))
			return -EFAULT;
		from += part[i].size_bytes;
	}
	return 0;
}
