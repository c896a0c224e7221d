/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the virtio transport share: a device type of their own behind it. */
#ifndef TESTS_UNIT_VIRTIO_PROBE_H
#define TESTS_UNIT_VIRTIO_PROBE_H

#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>

#include "devices/virtio.h"
#include "tests/fake/rig.h"
#include "tests/unit/unit.h"

enum {
	RINGS_GPA = 0x10000,
	DATA_GPA = 0x100000,
	N_QUEUES = 3,
	QUEUE_SIZE_MAX = 64,
	BEYOND_COMMON = sizeof(struct virtio_pci_common_cfg),
	HELD_MAX = 64,
	ACKNOWLEDGE = VIRTIO_CONFIG_S_ACKNOWLEDGE,
	DRIVER = VIRTIO_CONFIG_S_DRIVER,
	FEATURES_OK = VIRTIO_CONFIG_S_FEATURES_OK,
	DRIVER_OK = VIRTIO_CONFIG_S_DRIVER_OK,
	NEEDS_RESET = VIRTIO_CONFIG_S_NEEDS_RESET,
};

#define VERSION_1	(UINT64_C(1) << VIRTIO_F_VERSION_1)
#define ACCESS_PLATFORM (UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM)
#define TYPE_FEATURE	(UINT64_C(1) << 5)

/* What the device does with chains. */
enum mode {
	ANSWER, /* at once */
	HOLD,	/* until the test lets go */
	REFUSE, /* leave them in the ring until the test lets go */
};

struct probe {
	struct virtio_device device;
	_Atomic enum mode mode;
	atomic_uint n_asked; /* times a chain was shown to the device */
	atomic_uint n_taken;
	struct loop_post let_go;
	/* Of the loop's thread. */
	struct virtio_queue *held_queue;
	uint16_t held[HELD_MAX];
	unsigned int n_held;
};

static struct rig rig;
static struct probe probe;
static struct rig_device device;
static struct fake_ring rings[N_QUEUES];
static const char config[] = {1, 2, 3, 4, 5};

static inline enum virtio_verdict probe_take(struct virtio_device *virtio,
					     struct virtio_queue *queue,
					     const struct virtq_chain *chain)
{
	(void)virtio;
	probe.held_queue = queue;
	probe.n_asked++;
	if (probe.mode == REFUSE)
		return VIRTIO_LATER;
	probe.n_taken++;
	if (probe.mode == HOLD)
		probe.held[probe.n_held++] = chain->head;
	else
		virtio_queue_push(queue, chain->head, 5);
	return VIRTIO_TAKEN;
}

static inline void probe_let_go(struct loop_post *post)
{
	(void)post;
	probe.mode = ANSWER;
	while (probe.n_held)
		virtio_queue_push(probe.held_queue, probe.held[--probe.n_held], 6);
	if (probe.held_queue)
		virtio_queue_resume(probe.held_queue);
}

static inline void setup(void)
{
	static const struct virtio_type type = {
		.take = probe_take,
		.id = 42,
		.class_code = 0x123456,
		.features = TYPE_FEATURE,
		.config = config,
		.config_bytes = sizeof(config),
		.n_queues = N_QUEUES,
		.queue_size_max = QUEUE_SIZE_MAX,
	};

	rig_init(&rig);
	probe = (struct probe){.let_go = {.fn = probe_let_go}};
	ck_assert_int_eq(virtio_device_init(&probe.device, &rig.env, &type, NULL), 0);
	rig_start(&rig);
	rig_probe(&device, &rig, 1);
}

static inline void teardown(void)
{
	rig_stop(&rig);
	virtio_device_fini(&probe.device);
	rig_fini(&rig);
}

static inline void bring_up(void)
{
	rig_bring_up(&device, 0, rings, N_QUEUES, RINGS_GPA);
}

static inline void offer(unsigned int index, unsigned int head)
{
	fake_ring_set_desc(&rings[index], rings[index].desc_gpa, head, DATA_GPA, 64,
			   VRING_DESC_F_WRITE, 0);
	fake_ring_offer(&rings[index], head);
}

static inline void assert_answered(unsigned int index, uint32_t head, uint32_t written_bytes)
{
	uint32_t got_head, got_bytes;

	ck_assert(rig_wait_used(&rings[index], &got_head, &got_bytes));
	ck_assert_uint_eq(got_head, head);
	ck_assert_uint_eq(got_bytes, written_bytes);
}

static inline void wait_taken(unsigned int n)
{
	for (unsigned int n_ms = 0; probe.n_taken < n && n_ms < 10000; n_ms++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	ck_assert_uint_eq(probe.n_taken, n);
}

struct settle {
	struct loop_post post;
	atomic_bool done;
};

static inline void settle_done(struct loop_post *post)
{
	container_of(post, struct settle, post)->done = true;
}

/* All that was asked of the loop before has happened, and what that asked in turn. */
static inline void settle(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		struct settle wait = {.post = {.fn = settle_done}};

		loop_post(rig.loop, &wait.post);
		while (!wait.done)
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
}

static inline uint64_t get_status(void)
{
	return rig_read(&device, VIRTIO_PCI_COMMON_STATUS, 1);
}

#endif
