/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of virtqueues share: a ring in guest memory and the device's side of it. */
#ifndef TESTS_UNIT_VIRTQUEUE_RIG_H
#define TESTS_UNIT_VIRTQUEUE_RIG_H

#include <linux/kvm.h>
#include <linux/virtio_ring.h>

#include "devices/virtio.h"
#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "tests/fake/ring.h"
#include "tests/unit/unit.h"
#include "vmm/host.h"

enum {
	RING_GPA = 0x10000,
	TABLE_GPA = 0x20000,
	DATA_GPA = 0x30000,
	SIZE = 8,
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	INDIRECT = VRING_DESC_F_INDIRECT,
};

#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define TABLES	  (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

static struct fake *fake;
static int vm;
static struct guest_memory *memory;
static struct fake_ring ring;
static struct virtq virtq;
static struct virtq_chain chain;

static inline void setup(void)
{
	struct layout layout;

	fake = fake_new();
	vm = host_vm_create(fake_host(fake), KVM_X86_DEFAULT_VM);
	ck_assert_int_eq(layout_init(&layout, 16 * MIB, 40, NULL), 0);
	ck_assert_int_eq(
		guest_memory_new(fake_host(fake), vm, &layout, BACKING_PLAIN, &memory, NULL),
		0);
	fake_ring_init(&ring, memory, RING_GPA, SIZE);
}

static inline void teardown(void)
{
	guest_memory_free(memory);
	host_close(fake_host(fake), vm);
	fake_free(fake);
}

static inline void start(uint64_t features)
{
	const struct virtq_place place = {
		.size = ring.size,
		.desc_gpa = ring.desc_gpa,
		.avail_gpa = ring.avail_gpa,
		.used_gpa = ring.used_gpa,
	};

	virtq_init(&virtq, memory, &place, features);
}

static inline void desc(unsigned int index, gpa_t gpa, uint32_t size_bytes, uint16_t flags,
			unsigned int next)
{
	fake_ring_set_desc(&ring, ring.desc_gpa, index, gpa, size_bytes, flags, next);
}

static inline void table_entry(unsigned int index, gpa_t gpa, uint32_t size_bytes,
			       uint16_t flags, unsigned int next)
{
	fake_ring_set_desc(&ring, TABLE_GPA, index, gpa, size_bytes, flags, next);
}

#endif
