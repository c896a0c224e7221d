/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * virtio 1.3 inside this folder: split virtqueues, the PCI transport, and what a device type
 * adds.
 *
 * Registers (struct virtio_registers, struct virtio_queue_registers) are written by vCPU
 * threads and guarded by virtio_device.lock. It is a leaf: nothing is called with it held. BAR
 * handlers take no other lock and never call the PCI code, which may wait for them.
 *
 * Rings (struct virtq), the phase and everything of a device type belong to the loop's thread
 * alone and need no lock.
 *
 * The two meet in posts: a vCPU that writes DRIVER_OK or resets the device posts
 * virtio_device.control to the loop, which then copies the queue registers into rings, or ends
 * the rings and clears the registers. Until that is done the status register keeps its old,
 * non-zero value: once the driver has read 0, no memory of the guest is touched any more.
 */
#ifndef DEVICES_VIRTIO_H
#define DEVICES_VIRTIO_H

#include <linux/virtio_pci.h>
#include <pthread.h>
#include <sys/uio.h>

#include "devices/devices.h"

/* --- Split virtqueues: virtqueue.c --- */

enum {
	VIRTQ_SIZE_MAX = 256,	  /* entries of a ring */
	VIRTQ_SEGMENTS_MAX = 128, /* pieces of memory in one chain */
};

/* A piece of guest memory that a chain names; never empty, never wraps. It need not be RAM. */
struct virtq_segment {
	gpa_t gpa;
	uint32_t size_bytes;
};

/* A descriptor chain, copied out of guest memory once. */
struct virtq_chain {
	uint16_t head;
	unsigned int n_segments;
	unsigned int n_readable; /* the first ones; the device may write the others */
	uint64_t readable_bytes;
	uint64_t writable_bytes;
	struct virtq_segment segments[VIRTQ_SEGMENTS_MAX];
};

/* What the driver wrote into the transport's registers; anything. */
struct virtq_place {
	uint16_t size; /* a power of two, at most VIRTQ_SIZE_MAX: the transport saw to that */
	gpa_t desc_gpa;
	gpa_t avail_gpa;
	gpa_t used_gpa;
};

/*
 * The device's side of one ring.
 *
 * Invariants: n_taken is the number of bits set in @taken and at most the ring's size, since a
 * head that is taken cannot be taken again. A broken ring is neither read nor written any more.
 */
struct virtq {
	struct guest_memory *memory;
	struct virtq_place place;
	bool event_idx;
	bool indirect;
	bool broken;
	uint16_t avail_next; /* free-running index of the entry to take next */
	uint16_t avail_seen; /* the driver's index when last loaded */
	uint16_t used_next;  /* free-running index of the entry to fill next */
	uint16_t used_told;  /* the index the driver has been told */
	unsigned int n_taken;
	uint64_t taken[VIRTQ_SIZE_MAX / 64]; /* by head: neither pushed nor dropped yet */
};

/* @features: as negotiated. A misplaced ring is broken from the start. */
void virtq_init(struct virtq *virtq, struct guest_memory *memory,
		const struct virtq_place *place, uint64_t features);

/**
 * Take the next available chain.
 *
 * Returns false when there is none, or the ring is (or by this turned out to be) broken.
 */
bool virtq_pop(struct virtq *virtq, struct virtq_chain *ret_chain);

/* Put the chain that was popped last back, to be popped again. */
void virtq_unpop(struct virtq *virtq, uint16_t head);

/* Give a taken chain back, its first @written_bytes writable bytes filled; then publish. */
void virtq_push(struct virtq *virtq, uint16_t head, uint32_t written_bytes);

/* Forget a taken chain without telling the driver. */
void virtq_drop(struct virtq *virtq, uint16_t head);

/* Show the driver what was pushed. Returns true when it wants an interrupt for that. */
bool virtq_publish(struct virtq *virtq);

/**
 * Ask for a notification when the next chain becomes available.
 *
 * Returns true when one is already: the driver may have seen no reason to notify.
 */
bool virtq_arm(struct virtq *virtq);

/* Spare the driver notifications until the next virtq_arm; a hint. */
void virtq_disarm(struct virtq *virtq);

/**
 * The part [offset, offset + size_bytes) of a row of segments, which is at least that long.
 *
 * @n_segments: at most VIRTQ_SEGMENTS_MAX. @ret_segments: room for as many.
 * Returns how many there are.
 */
unsigned int segments_slice(const struct virtq_segment *segments, unsigned int n_segments,
			    uint64_t offset, uint64_t size_bytes,
			    struct virtq_segment *ret_segments);

/**
 * Copy that part out of, or into, guest memory.
 *
 * Returns 0, or -EFAULT: not all of it is RAM; some bytes may have been copied then.
 */
int segments_read(struct guest_memory *memory, const struct virtq_segment *segments,
		  unsigned int n_segments, uint64_t offset, void *buffer, size_t size_bytes);
int segments_write(struct guest_memory *memory, const struct virtq_segment *segments,
		   unsigned int n_segments, uint64_t offset, const void *buffer,
		   size_t size_bytes);

/* The two halves of a chain. */
static inline const struct virtq_segment *chain_readable(const struct virtq_chain *chain)
{
	return chain->segments;
}

static inline const struct virtq_segment *chain_writable(const struct virtq_chain *chain)
{
	return chain->segments + chain->n_readable;
}

static inline unsigned int chain_n_writable(const struct virtq_chain *chain)
{
	return chain->n_segments - chain->n_readable;
}

/* --- Devices: virtio_device.c is the loop's half, the others the vCPUs' --- */

enum { VIRTIO_QUEUES_MAX = 16 };

struct virtio_device;
struct virtio_queue;

enum virtio_verdict {
	VIRTIO_TAKEN, /* the device answers it with virtio_queue_push, now or later */
	VIRTIO_LATER, /* left in the ring until the device calls virtio_queue_resume */
};

/* What a device type is made of. */
struct virtio_type {
	/* What to do with an available chain; on the loop's thread. */
	enum virtio_verdict (*take)(struct virtio_device *device, struct virtio_queue *queue,
				    const struct virtq_chain *chain);
	uint16_t id;	     /* VIRTIO_ID_* */
	uint32_t class_code; /* PCI: class, subclass, interface */
	uint64_t features;   /* those of the type; the transport adds its own */
	const void *config;  /* device configuration, constant; lives as long as the device */
	size_t config_bytes;
	unsigned int n_queues; /* 1..VIRTIO_QUEUES_MAX */
	uint16_t queue_size_max;
};

/* Guarded by virtio_device.lock. */
struct virtio_queue_registers {
	struct virtq_place place;
	uint16_t vector;
	bool enabled;
};

struct virtio_queue {
	struct virtio_device *device;
	unsigned int index;
	struct virtio_queue_registers registers;

	struct virtq virtq;
	bool live; /* virtq is in use */
	struct loop_post serve;

	/* An eventfd that KVM signals when the driver notifies. */
	int kick_fd;
	bool kick_bound;   /* to the notification address; see virtio_device.bar_gpa */
	bool kick_awaited; /* its read is in flight; of the loop's thread */
	uint64_t kick_count;
	struct iovec kick_iov;
	struct loop_op kick;
};

enum virtio_phase {
	VIRTIO_IDLE,	/* no queue is live */
	VIRTIO_RUNNING, /* after DRIVER_OK */
	VIRTIO_FAILED,	/* needs a reset: nothing is taken or answered */
	VIRTIO_ENDING,	/* in reset, waiting for chains that are still taken */
};

/* Guarded by virtio_device.lock. */
struct virtio_registers {
	uint32_t device_feature_select;
	uint32_t driver_feature_select;
	uint64_t driver_features;
	uint16_t config_vector;
	uint16_t queue_select;
	uint8_t status;
	uint8_t isr;
	bool resetting; /* status reads as before until the loop is done */
};

/* The window of the PCI configuration access capability, as the driver wrote it. */
struct virtio_window {
	uint8_t bar;
	uint32_t offset;
	uint32_t size_bytes;
};

struct virtio_device {
	struct virtio_env env;
	struct virtio_type type;
	uint64_t offered_features;
	struct pci_device *pci;

	pthread_mutex_t lock;
	struct virtio_registers registers;
	struct virtio_window window; /* guarded by lock */

	struct virtio_queue *queues; /* type.n_queues of them */
	enum virtio_phase phase;
	uint64_t features; /* as negotiated, while not idle */
	struct loop_post control;

	gpa_t bar_gpa; /* where eventfds are bound; guarded by the lock of PCI configuration */
};

/**
 * Make the device and plug it into @env->pci; ready for loop_run and vCPUs.
 *
 * Returns 0, or -errno with @err; nothing is left behind then.
 */
int virtio_device_init(struct virtio_device *device, const struct virtio_env *env,
		       const struct virtio_type *type, struct err *err);
/* After the loop and all vCPUs have stopped. Accepts a device that is all zeroes. */
void virtio_device_fini(struct virtio_device *device);

/* The rest on the loop's thread. */

static inline bool virtio_device_has_feature(const struct virtio_device *device,
					     unsigned int bit)
{
	return device->features >> bit & 1;
}

/**
 * Answer a chain that take() took. The driver learns of it when take() returns to the
 * transport, or soon: answers of one turn of the loop share one interrupt.
 */
void virtio_queue_push(struct virtio_queue *queue, uint16_t head, uint32_t written_bytes);

/* Look for available chains (again). */
void virtio_queue_resume(struct virtio_queue *queue);

/* The driver broke the rules of the ring: the device stops until it is reset. */
void virtio_queue_break(struct virtio_queue *queue);

/* --- Between the two halves --- */

/* Any thread: as if the driver had notified @queue. */
void virtio_queue_kick(struct virtio_queue *queue);

/* virtio_pci.c: */
int virtio_pci_init(struct virtio_device *device, struct err *err);
void virtio_pci_fini(struct virtio_device *device);

/* virtio_registers.c: the common configuration structure; any thread. */
struct virtio_pci_common_cfg virtio_registers_read(struct virtio_device *device);
/* @offset: into the structure; the access may reach or lie beyond its end. */
void virtio_registers_write(struct virtio_device *device, uint64_t offset, uint64_t value,
			    unsigned int size_bytes);
/* Called with the lock: as after power-on. */
void virtio_registers_reset_locked(struct virtio_device *device);

#endif
