// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loop's half of a virtio device: rings come to life at DRIVER_OK, are served when the
 * driver notifies, and end at reset. See virtio.h for who owns what.
 *
 * A notification is an eventfd that KVM (or the BAR handler) signals; each is read by an
 * operation that is in flight from the first start on. Completions do not touch the driver's
 * memory one by one: they mark the used ring and post the queue, and the post publishes them
 * all with one interrupt.
 */
#include "devices/virtio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "devices/fd.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

/* Every device offers these: modern, behind an IOMMU or encryption, and the ring's features. */
#define TRANSPORT_FEATURES                                                             \
	(UINT64_C(1) << VIRTIO_F_VERSION_1 | UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM | \
	 UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX | UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

static void device_raise(struct virtio_device *device, uint16_t vector)
{
	if (vector != VIRTIO_MSI_NO_VECTOR)
		pci_device_raise_msix(device->pci, vector);
}

/* Once: a failed device has told its driver already. */
static void device_fail(struct virtio_device *device)
{
	uint16_t vector;

	if (device->phase != VIRTIO_RUNNING)
		return;
	device->phase = VIRTIO_FAILED;
	{
		WITH_LOCK(&device->lock);
		device->registers.status |= VIRTIO_CONFIG_S_NEEDS_RESET;
		device->registers.isr |= VIRTIO_PCI_ISR_CONFIG;
		vector = device->registers.config_vector;
	}
	device_raise(device, vector);
}

/* Show the driver what has been pushed, and what it broke. */
static void queue_flush(struct virtio_queue *queue)
{
	struct virtio_device *device = queue->device;

	if (virtq_publish(&queue->virtq)) {
		uint16_t vector;

		{
			WITH_LOCK(&device->lock);
			vector = queue->registers.vector;
			/* Without a vector the driver can only poll. */
			if (vector == VIRTIO_MSI_NO_VECTOR)
				device->registers.isr |= 1;
		}
		device_raise(device, vector);
	}
	if (queue->virtq.broken)
		device_fail(device);
}

static bool queue_is_active(const struct virtio_queue *queue)
{
	return queue->live && queue->device->phase == VIRTIO_RUNNING &&
	       pci_device_is_master(queue->device->pci);
}

/* At most one ring full of chains per turn, so that no driver keeps the loop to itself. */
static void queue_serve(struct loop_post *post)
{
	struct virtio_queue *queue = container_of(post, struct virtio_queue, serve);
	struct virtio_device *device = queue->device;
	unsigned int n_left = queue->virtq.place.size;
	bool later = false;
	struct virtq_chain chain;

	if (!queue_is_active(queue))
		return;
	virtq_disarm(&queue->virtq);
	do {
		while (n_left && !later && virtq_pop(&queue->virtq, &chain)) {
			n_left--;
			later = device->type.take(device, queue, &chain) == VIRTIO_LATER;
			if (later)
				virtq_unpop(&queue->virtq, chain.head);
		}
	} while (n_left && !later && virtq_arm(&queue->virtq));
	queue_flush(queue);
	if (!n_left && !later)
		virtio_queue_resume(queue);
}

void virtio_queue_resume(struct virtio_queue *queue)
{
	loop_post(queue->device->env.loop, &queue->serve);
}

void virtio_queue_push(struct virtio_queue *queue, uint16_t head, uint32_t written_bytes)
{
	struct virtio_device *device = queue->device;

	if (queue_is_active(queue)) {
		virtq_push(&queue->virtq, head, written_bytes);
		loop_post(device->env.loop, &queue->serve);
		return;
	}
	virtq_drop(&queue->virtq, head);
	if (device->phase == VIRTIO_ENDING)
		loop_post(device->env.loop, &device->control);
}

void virtio_queue_break(struct virtio_queue *queue)
{
	queue->virtq.broken = true;
	virtio_queue_resume(queue);
}

/* --- Notifications --- */

/* From the first start on, for good: a signal while the device is idle does nothing. */
static void queue_await_kick(struct virtio_queue *queue)
{
	if (queue->kick_awaited)
		return;
	queue->kick_awaited = true;
	loop_readv(queue->device->env.loop, &queue->kick, queue->kick_fd, &queue->kick_iov, 1,
		   0);
}

static void queue_kicked(struct loop_op *op, int result)
{
	struct virtio_queue *queue = container_of(op, struct virtio_queue, kick);

	queue->kick_awaited = false;
	/* Only the end of the loop ends the wait. */
	if (result == -ECANCELED)
		return;
	queue_await_kick(queue);
	queue_serve(&queue->serve);
}

void virtio_queue_kick(struct virtio_queue *queue)
{
	eventfd_write(queue->kick_fd, 1);
}

/* --- Start and reset --- */

static void device_start(struct virtio_device *device)
{
	{
		WITH_LOCK(&device->lock);
		device->features = device->registers.driver_features;
		for (unsigned int i = 0; i < device->type.n_queues; i++) {
			struct virtio_queue *queue = &device->queues[i];

			queue->live = queue->registers.enabled;
			if (queue->live)
				virtq_init(&queue->virtq, device->env.memory,
					   &queue->registers.place, device->features);
		}
	}
	device->phase = VIRTIO_RUNNING;
	/* A notification may have come, in vain, since the driver wrote DRIVER_OK. */
	for (unsigned int i = 0; i < device->type.n_queues; i++) {
		virtio_queue_resume(&device->queues[i]);
		queue_await_kick(&device->queues[i]);
	}
}

static void device_end(struct virtio_device *device)
{
	unsigned int n_taken = 0;

	device->phase = VIRTIO_ENDING;
	for (unsigned int i = 0; i < device->type.n_queues; i++)
		n_taken += device->queues[i].virtq.n_taken;
	/* The last of them posts the control again. */
	if (n_taken)
		return;

	device->phase = VIRTIO_IDLE;
	for (unsigned int i = 0; i < device->type.n_queues; i++)
		device->queues[i].live = false;

	WITH_LOCK(&device->lock);
	virtio_registers_reset_locked(device);
}

static void device_control(struct loop_post *post)
{
	struct virtio_device *device = container_of(post, struct virtio_device, control);
	bool resetting, driver_ok;

	{
		WITH_LOCK(&device->lock);
		resetting = device->registers.resetting;
		driver_ok = device->registers.status & VIRTIO_CONFIG_S_DRIVER_OK;
	}
	if (resetting)
		device_end(device);
	else if (driver_ok && device->phase == VIRTIO_IDLE)
		device_start(device);
}

/* --- Life --- */

static int queue_init(struct virtio_queue *queue, struct virtio_device *device,
		      unsigned int index)
{
	*queue = (struct virtio_queue){
		.device = device,
		.index = index,
		.serve = {.fn = queue_serve},
		.kick = {.done = queue_kicked},
	};
	queue->kick_iov = (struct iovec){.iov_base = &queue->kick_count,
					 .iov_len = sizeof(queue->kick_count)};
	queue->kick_fd = fd_new_event();
	return queue->kick_fd < 0 ? queue->kick_fd : 0;
}

static int device_make_queues(struct virtio_device *device)
{
	device->queues = calloc(device->type.n_queues, sizeof(*device->queues));
	if (!device->queues)
		return -ENOMEM;
	for (unsigned int i = 0; i < device->type.n_queues; i++)
		device->queues[i].kick_fd = -1;
	for (unsigned int i = 0; i < device->type.n_queues; i++) {
		int ret = queue_init(&device->queues[i], device, i);

		if (ret)
			return ret;
	}
	return 0;
}

int virtio_device_init(struct virtio_device *device, const struct virtio_env *env,
		       const struct virtio_type *type, struct err *err)
{
	int ret;

	ASSERT(type->n_queues && type->n_queues <= VIRTIO_QUEUES_MAX);
	ASSERT(type->queue_size_max <= VIRTQ_SIZE_MAX);
	*device = (struct virtio_device){
		.env = *env,
		.type = *type,
		.offered_features = type->features | TRANSPORT_FEATURES,
		.control = {.fn = device_control},
		.bar_gpa = PCI_BAR_UNMAPPED,
	};
	pthread_mutex_init(&device->lock, NULL);

	ret = device_make_queues(device);
	if (ret)
		err_set(err, ret, "cannot make its queues: %s; %s", err_describe(ret),
			ret == -ENOMEM ? "free some memory"
				       : "raise the limit of open files (ulimit -n)");
	else
		ret = virtio_pci_init(device, err);
	if (ret) {
		virtio_device_fini(device);
		return ret;
	}
	virtio_registers_reset_locked(device);
	return 0;
}

void virtio_device_fini(struct virtio_device *device)
{
	if (!device->env.loop)
		return;
	virtio_pci_fini(device);
	for (unsigned int i = 0; device->queues && i < device->type.n_queues; i++)
		cleanup_close(&device->queues[i].kick_fd);
	free(device->queues);
	pthread_mutex_destroy(&device->lock);
	*device = (struct virtio_device){0};
}
