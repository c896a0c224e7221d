// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile driver: any bytes as ring memory, and as what driver and device do next.
 *
 * Input: struct script, then up to SHARED_BYTES of memory at SHARED_GPA, then steps. What is
 * popped must make sense, what is taken must be bounded, and only the used ring may be written.
 */
#include <linux/kvm.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "devices/virtio.h"
#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "vmm/err.h"
#include "vmm/host.h"

enum {
	SHARED_GPA = 0x10000,
	SHARED_BYTES = 0x400,
	DESC_OFFSET = 0,
	AVAIL_OFFSET = 0x100,
	TABLE_OFFSET = 0x180,
	USED_OFFSET = 0x300, /* the last: all before is never written */
};

struct script {
	uint8_t size_shift; /* mod 5: 1 to 16 entries */
	uint8_t features;   /* 1: event index, 2: indirect; 4, 8, 16: areas elsewhere */
	uint8_t unused[6];
	uint64_t elsewhere_gpa;
} __attribute__((packed));

struct step {
	uint8_t kind;
	uint8_t index;
	uint16_t value;
} __attribute__((packed));

static struct guest_memory *memory;

static void make_memory(void)
{
	struct layout layout;
	struct fake *fake = fake_new();
	int vm = host_vm_create(fake_host(fake), KVM_X86_DEFAULT_VM);
	int ret = layout_init(&layout, LAYOUT_RAM_BYTES_MIN, 40, NULL);

	ASSERT(ret == 0);
	ret = guest_memory_new(fake_host(fake), vm, &layout, BACKING_PLAIN, &memory, NULL);
	ASSERT(ret == 0);
}

static void check_chain(const struct virtq_chain *chain)
{
	uint64_t readable_bytes = 0, writable_bytes = 0;

	ASSERT(chain->n_segments <= VIRTQ_SEGMENTS_MAX);
	ASSERT(chain->n_readable <= chain->n_segments);
	for (unsigned int i = 0; i < chain->n_segments; i++) {
		struct range range;

		ASSERT(chain->segments[i].size_bytes > 0);
		ASSERT(range_init(&range, chain->segments[i].gpa,
				  chain->segments[i].size_bytes));
		if (i < chain->n_readable)
			readable_bytes += range_size(range);
		else
			writable_bytes += range_size(range);
	}
	ASSERT(readable_bytes == chain->readable_bytes);
	ASSERT(writable_bytes == chain->writable_bytes);
	ASSERT(readable_bytes + writable_bytes <= UINT64_C(1) << 32);
}

/* Slices and copies of what was popped, from any place in it. */
static void use_chain(const struct virtq_chain *chain, uint64_t offset)
{
	struct virtq_segment part[VIRTQ_SEGMENTS_MAX];
	char bytes[64];
	uint64_t left;

	if (!chain->readable_bytes)
		return;
	offset %= chain->readable_bytes;
	left = chain->readable_bytes - offset;
	ASSERT(segments_slice(chain_readable(chain), chain->n_readable, offset, left, part) <=
	       chain->n_readable);
	ASSERT(part[0].size_bytes <= left);
	segments_read(memory, chain_readable(chain), chain->n_readable, offset, bytes,
		      left < sizeof(bytes) ? left : sizeof(bytes));
}

/* The heads that are taken, as the test sees it. */
struct heads {
	uint16_t head[VIRTQ_SIZE_MAX];
	unsigned int n;
};

static void do_step(struct virtq *virtq, struct heads *heads, const struct step *step)
{
	bool was_broken = virtq->broken;
	struct virtq_chain chain;
	unsigned int which = heads->n ? step->value % heads->n : 0;

	switch (step->kind % 8) {
	case 0:
	case 1:
		if (!virtq_pop(virtq, &chain))
			break;
		ASSERT(!was_broken);
		check_chain(&chain);
		use_chain(&chain, step->value);
		if (step->index % 4 == 0)
			virtq_unpop(virtq, chain.head);
		else
			heads->head[heads->n++] = chain.head;
		break;
	case 2:
		if (!heads->n)
			break;
		if (step->index % 4 == 0)
			virtq_drop(virtq, heads->head[which]);
		else
			virtq_push(virtq, heads->head[which], step->value);
		heads->head[which] = heads->head[--heads->n];
		break;
	case 3:
		ASSERT(!virtq_publish(virtq) || !was_broken);
		break;
	case 4:
		ASSERT(!virtq_arm(virtq) || !was_broken);
		break;
	case 5:
		virtq_disarm(virtq);
		break;
	default: /* the driver writes */
		guest_store_u16(memory, SHARED_GPA + 2ul * step->index, step->value);
		break;
	}
	ASSERT(virtq->n_taken == heads->n);
	ASSERT(heads->n <= virtq->place.size);
	ASSERT(virtq->broken || !was_broken);
}

static void run(const struct script *script, const uint8_t *bytes, size_t size_bytes)
{
	static const unsigned int features[] = {VIRTIO_RING_F_EVENT_IDX,
						VIRTIO_RING_F_INDIRECT_DESC};
	struct virtq_place place = {
		.size = (uint16_t)(1 << script->size_shift % 5),
		.desc_gpa = SHARED_GPA + DESC_OFFSET,
		.avail_gpa = SHARED_GPA + AVAIL_OFFSET,
		.used_gpa = SHARED_GPA + USED_OFFSET,
	};
	gpa_t *areas[] = {&place.desc_gpa, &place.avail_gpa, &place.used_gpa};
	bool at_home = !(script->features & 4 << 2);
	struct heads heads = {.n = 0};
	uint64_t negotiated = 0;
	struct virtq virtq;

	for (unsigned int i = 0; i < ARRAY_SIZE(features); i++)
		negotiated |= (uint64_t)(script->features >> i & 1) << features[i];
	for (unsigned int i = 0; i < ARRAY_SIZE(areas); i++) {
		if (script->features & 4 << i)
			*areas[i] = script->elsewhere_gpa;
	}
	virtq_init(&virtq, memory, &place, negotiated);
	for (; size_bytes >= sizeof(struct step);
	     bytes += sizeof(struct step), size_bytes -= sizeof(struct step)) {
		uint8_t before[USED_OFFSET], after[USED_OFFSET];
		struct step step;

		memcpy(&step, bytes, sizeof(step));
		guest_read(memory, SHARED_GPA, before, sizeof(before));
		do_step(&virtq, &heads, &step);
		guest_read(memory, SHARED_GPA, after, sizeof(after));
		if (at_home && step.kind % 8 < 6)
			ASSERT(memcmp(before, after, sizeof(before)) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct script script;
	size_t shared_bytes;

	if (size_bytes < sizeof(script))
		return 0;
	if (!memory)
		make_memory();
	memcpy(&script, bytes, sizeof(script));
	bytes += sizeof(script);
	size_bytes -= sizeof(script);
	shared_bytes = size_bytes < SHARED_BYTES ? size_bytes : SHARED_BYTES;
	guest_zero(memory, SHARED_GPA, SHARED_BYTES);
	guest_write(memory, SHARED_GPA, bytes, shared_bytes);
	run(&script, bytes + shared_bytes, size_bytes - shared_bytes);
	return 0;
}
