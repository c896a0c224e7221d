// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio block device (virtio 1.3, 5.2) over a raw file or block device.
 *
 * Every head of every queue has a request of its own, made at start: what a guest can have in
 * flight, and the memory that takes, is bounded by the sizes of the queues. A request is a
 * short chain of operations on the loop; guest memory is borrowed, so no data is copied.
 *
 * A request can ask to run alone: no other is taken then, and it starts when those under way
 * have ended.
 */
#include "devices/virtio_blk.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/err.h"

enum {
	QUEUE_SIZE = 256,
	SEGMENTS_MAX = VIRTQ_SEGMENTS_MAX - 2, /* of data: header and status take one each */
	CLASS_CODE = 0x018000,		       /* mass storage, other */
};

static void request_start(struct blk_request *request)
{
	request->blk->n_under_way++;
	request->verb->start(request);
}

/* Write the status and give the chain back. */
static void request_answer(struct blk_request *request, uint8_t status)
{
	struct virtio_queue *queue = request->queue;
	/* The status counts as written from the start only if there is no gap before it. */
	bool gap = request->filled_bytes < request->writable_bytes;
	uint64_t written = request->filled_bytes + !gap;

	if (guest_write(request->blk->device.env.memory, request->status_gpa, &status,
			sizeof(status)))
		virtio_queue_break(queue);
	virtio_queue_push(queue, request->head, (uint32_t)written);
}

void blk_request_return_memory(struct blk_request *request)
{
	while (request->n_borrowed)
		guest_return(request->blk->device.env.memory,
			     &request->borrows[--request->n_borrowed]);
}

void blk_request_end(struct blk_request *request, uint8_t status)
{
	struct virtio_blk *blk = request->blk;

	blk_request_return_memory(request);
	request_answer(request, status);
	ASSERT(blk->n_under_way > 0);
	blk->n_under_way--;
	if (blk->n_under_way || !blk->alone)
		return;
	if (request != blk->alone) {
		request_start(blk->alone);
		return;
	}
	blk->alone = NULL;
	for (unsigned int i = 0; i < blk->device.type.n_queues; i++)
		virtio_queue_resume(&blk->device.queues[i]);
}

/* Copy header and data segments. Returns VIRTIO_BLK_S_*. */
static uint8_t request_parse(struct blk_request *request, const struct virtq_chain *chain)
{
	struct virtio_blk_outhdr header;

	if (chain->readable_bytes < sizeof(header) ||
	    segments_read(request->blk->device.env.memory, chain_readable(chain),
			  chain->n_readable, 0, &header, sizeof(header)))
		return VIRTIO_BLK_S_IOERR;
	request->sector = le64toh(header.sector);
	request->verb = blk_verb_find(le32toh(header.type));
	if (!request->verb)
		return VIRTIO_BLK_S_UNSUPP;
	if (request->verb->changes && request->blk->readonly)
		return VIRTIO_BLK_S_IOERR;
	return request->verb->parse(request, chain);
}

static enum virtio_verdict blk_take(struct virtio_device *device, struct virtio_queue *queue,
				    const struct virtq_chain *chain)
{
	struct virtio_blk *blk = container_of(device, struct virtio_blk, device);
	struct blk_request *request = &blk->requests[queue->index][chain->head];
	const struct virtq_segment *last;
	uint8_t status;

	if (blk->alone)
		return VIRTIO_LATER;
	/* Without room for a status there is no way to answer. */
	if (!chain->writable_bytes) {
		virtio_queue_break(queue);
		virtio_queue_push(queue, chain->head, 0);
		return VIRTIO_TAKEN;
	}
	last = &chain->segments[chain->n_segments - 1];
	request->blk = blk;
	request->queue = queue;
	request->head = chain->head;
	request->alone = false;
	request->status_gpa = last->gpa + last->size_bytes - 1;
	request->writable_bytes = chain->writable_bytes - 1;
	request->filled_bytes = request->done_bytes = 0;
	request->n_tries = request->iov_first = 0;

	status = request_parse(request, chain);
	if (status != VIRTIO_BLK_S_OK) {
		request_answer(request, status);
		return VIRTIO_TAKEN;
	}
	if (request->alone) {
		blk->alone = request;
		if (blk->n_under_way)
			return VIRTIO_TAKEN;
	}
	request_start(request);
	return VIRTIO_TAKEN;
}

/* --- Life --- */

static void blk_describe(struct virtio_blk *blk, unsigned int n_queues)
{
	uint32_t block_sectors = blk->file.block_bytes / BLK_SECTOR_BYTES;

	blk->space = (struct virtio_blk_config_space){
		.capacity = htole64(blk->file.size_bytes / BLK_SECTOR_BYTES),
		.seg_max = htole32(SEGMENTS_MAX),
		.blk_size = htole32(BLK_SECTOR_BYTES),
		.physical_block_exp = (uint8_t)__builtin_ctz(block_sectors),
		.min_io_size = htole16((uint16_t)block_sectors),
		.num_queues = htole16((uint16_t)n_queues),
		.max_discard_sectors = htole32(BLK_RANGE_SECTORS_MAX),
		.max_discard_seg = htole32(BLK_RANGES_MAX),
		.discard_sector_alignment = htole32(block_sectors),
		.max_write_zeroes_sectors = htole32(BLK_RANGE_SECTORS_MAX),
		.max_write_zeroes_seg = htole32(BLK_RANGES_MAX),
		.write_zeroes_may_unmap = 1,
	};
}

static uint64_t blk_features(const struct virtio_blk *blk)
{
	uint64_t features = UINT64_C(1) << VIRTIO_BLK_F_SEG_MAX |
			    UINT64_C(1) << VIRTIO_BLK_F_BLK_SIZE |
			    UINT64_C(1) << VIRTIO_BLK_F_TOPOLOGY |
			    UINT64_C(1) << VIRTIO_BLK_F_FLUSH | UINT64_C(1) << VIRTIO_BLK_F_MQ;

	if (blk->readonly)
		features |= UINT64_C(1) << VIRTIO_BLK_F_RO;
	else
		features |= UINT64_C(1) << VIRTIO_BLK_F_WRITE_ZEROES;
	if (blk->file.can_discard)
		features |= UINT64_C(1) << VIRTIO_BLK_F_DISCARD;
	return features;
}

static int blk_allocate(struct virtio_blk *blk, unsigned int n_queues)
{
	for (unsigned int i = 0; i < n_queues; i++) {
		blk->requests[i] = calloc(QUEUE_SIZE, sizeof(*blk->requests[i]));
		if (!blk->requests[i])
			return -ENOMEM;
	}
	blk->zeroes = aligned_alloc(GRANULE_BYTES, BLK_ZEROES_BYTES);
	if (!blk->zeroes)
		return -ENOMEM;
	memset(blk->zeroes, 0, BLK_ZEROES_BYTES);
	return 0;
}

static int blk_init(struct virtio_blk *blk, const struct virtio_env *env,
		    const struct virtio_blk_config *config, struct err *err)
{
	struct virtio_type type = {
		.take = blk_take,
		.id = VIRTIO_ID_BLOCK,
		.class_code = CLASS_CODE,
		.config = &blk->space,
		.config_bytes = sizeof(blk->space),
		.n_queues = config->n_queues,
		.queue_size_max = QUEUE_SIZE,
	};
	int ret = blk_file_open(&blk->file, config, err);

	if (ret)
		return ret;
	ret = blk_allocate(blk, config->n_queues);
	if (ret)
		return err_set(err, ret, "disk '%s': out of memory; give it fewer queues",
			       config->path);
	blk_describe(blk, config->n_queues);
	type.features = blk_features(blk);
	ret = virtio_device_init(&blk->device, env, &type, err);
	if (ret)
		err_prefix(err, "disk '%s'", config->path);
	return ret;
}

int virtio_blk_new(const struct virtio_env *env, const struct virtio_blk_config *config,
		   struct virtio_blk **ret_blk, struct err *err)
{
	struct virtio_blk *blk = calloc(1, sizeof(*blk));
	int ret;

	ASSERT(config->n_queues && config->n_queues <= VIRTIO_QUEUES_MAX);
	if (!blk)
		return err_set(err, -ENOMEM, "disk '%s': out of memory", config->path);
	blk->file = (struct blk_file){.fd = -1, .direct_fd = -1};
	blk->readonly = config->readonly;
	if (config->serial)
		memcpy(blk->serial, config->serial,
		       strnlen(config->serial, sizeof(blk->serial)));

	ret = blk_init(blk, env, config, err);
	if (ret) {
		virtio_blk_free(blk);
		return ret;
	}
	*ret_blk = blk;
	return 0;
}

void virtio_blk_free(struct virtio_blk *blk)
{
	if (!blk)
		return;
	virtio_device_fini(&blk->device);
	blk_file_close(&blk->file);
	for (unsigned int i = 0; i < VIRTIO_QUEUES_MAX; i++)
		free(blk->requests[i]);
	free(blk->zeroes);
	free(blk);
}
