/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the virtio disk: virtio_blk.c is the device, virtio_blk_verbs.c what requests do.
 */
#ifndef DEVICES_VIRTIO_BLK_H
#define DEVICES_VIRTIO_BLK_H

#include "devices/devices.h"

/* The configuration space and our options have the same name. */
#define virtio_blk_config virtio_blk_config_space
#include <linux/virtio_blk.h>
#undef virtio_blk_config

#include "devices/virtio.h"
#include "devices/virtio_blk_file.h"
#include "memory/memory.h"

enum {
	BLK_SECTOR_BYTES = 512,
	BLK_HEADER_BYTES = sizeof(struct virtio_blk_outhdr),
	BLK_RANGES_MAX = 16,
	BLK_RANGE_SECTORS_MAX = 128 * MIB / BLK_SECTOR_BYTES,
	BLK_ZEROES_BYTES = 64 * KIB,
};

/* A part of the disk to discard or to fill with zeroes. */
struct blk_range {
	uint64_t offset;
	uint64_t size_bytes;
	bool unmap;
};

struct blk_request;

/* A type of request. */
struct blk_verb {
	/* Check and copy what the chain says. Returns VIRTIO_BLK_S_*. */
	uint8_t (*parse)(struct blk_request *request, const struct virtq_chain *chain);
	/* Do it, or begin to; ends in blk_request_end. */
	void (*start)(struct blk_request *request);
	bool changes;  /* the disk: not for a read-only one, and to be made durable */
	bool discards; /* rather than fills with zeroes */
};

struct blk_request {
	struct loop_op op;
	struct virtio_blk *blk;
	struct virtio_queue *queue;
	const struct blk_verb *verb;
	uint16_t head;
	bool alone;
	int fd;
	gpa_t status_gpa;
	uint64_t writable_bytes; /* before the status */
	uint64_t filled_bytes;	 /* of those, from the start */
	uint64_t sector;
	uint64_t done_bytes; /* of the transfer, or of the range that is filled with zeroes */

	/* Transfers, at @sector. */
	uint64_t size_bytes;
	unsigned int n_tries;
	unsigned int n_data;
	unsigned int n_borrowed;
	unsigned int iov_first; /* those before are done */
	struct virtq_segment data[VIRTQ_SEGMENTS_MAX];
	struct borrow borrows[VIRTQ_SEGMENTS_MAX];
	struct iovec iov[VIRTQ_SEGMENTS_MAX];

	/* Discards and zeroes; the ranges before @range are done. */
	unsigned int n_ranges;
	unsigned int range;
	int mode; /* FALLOC_FL_* under way */
	struct blk_range ranges[BLK_RANGES_MAX];
};

struct virtio_blk {
	struct virtio_device device;
	struct blk_file file;
	struct virtio_blk_config_space space;
	char serial[VIRTIO_BLK_ID_BYTES];
	bool readonly;
	void *zeroes; /* BLK_ZEROES_BYTES, aligned for direct I/O */
	struct blk_request *requests[VIRTIO_QUEUES_MAX];
	unsigned int n_under_way;
	struct blk_request *alone; /* waits for, or is, the only one under way */
};

/* The type's verb, or NULL for one that is not supported. */
const struct blk_verb *blk_verb_find(uint32_t type);

/* What verbs end with: VIRTIO_BLK_S_*. */
void blk_request_end(struct blk_request *request, uint8_t status);

/* Return all memory that the request has borrowed. */
void blk_request_return_memory(struct blk_request *request);

#endif
