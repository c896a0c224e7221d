// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What each type of request of a virtio disk does (virtio 1.3, 5.2.6).
 *
 * Direct I/O: a request that O_DIRECT does not allow goes through the page cache instead. Reads
 * do so freely. What changes the disk must not meet a direct write to the same page on its way,
 * so it runs *alone* (see virtio_blk.c) and ends with a flush, after which the cache holds
 * nothing that the file does not.
 */
#include "devices/virtio_blk.h"

#include <endian.h>
#include <errno.h>
#include <linux/falloc.h>

enum {
	FILL_PIECES = 16, /* of BLK_ZEROES_BYTES: what is written at a time */
	/* Of memory that is just being converted. */
	BORROW_TRIES = 10,
	BORROW_PAUSE_NS = 1000000,
};

static void request_synced(struct loop_op *op, int result)
{
	struct blk_request *request = container_of(op, struct blk_request, op);

	blk_request_end(request, result ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
}

static void request_sync(struct blk_request *request)
{
	request->op.done = request_synced;
	loop_fdatasync(request->blk->device.env.loop, &request->op, request->blk->file.fd);
}

/* All of it has been done. A driver that knows no flush relies on its writes. */
static void request_succeed(struct blk_request *request)
{
	const struct virtio_device *device = &request->blk->device;

	if (request->verb->changes &&
	    (request->alone || !virtio_device_has_feature(device, VIRTIO_BLK_F_FLUSH)))
		request_sync(request);
	else
		blk_request_end(request, VIRTIO_BLK_S_OK);
}

/* --- Reads and writes --- */

/* Direct I/O if it is wanted and possible. @aligned: is it possible? */
static void request_choose_file(struct blk_request *request, bool aligned)
{
	const struct blk_file *file = &request->blk->file;
	bool wanted = file->direct_fd >= 0;

	request->fd = wanted && aligned ? file->direct_fd : file->fd;
	request->alone = wanted && !aligned && request->verb->changes;
}

static bool request_is_aligned(const struct blk_request *request)
{
	const struct blk_file *file = &request->blk->file;

	if (!is_aligned(request->sector * BLK_SECTOR_BYTES | request->size_bytes,
			file->direct_offset_align))
		return false;
	for (unsigned int i = 0; i < request->n_data; i++) {
		if (!is_aligned(request->data[i].gpa, file->direct_memory_align) ||
		    !is_aligned(request->data[i].size_bytes, file->direct_offset_align))
			return false;
	}
	return true;
}

static bool disk_covers(const struct virtio_blk *blk, uint64_t sector, uint64_t n_sectors)
{
	uint64_t capacity = blk->file.size_bytes / BLK_SECTOR_BYTES;

	return sector <= capacity && n_sectors <= capacity - sector;
}

/* @offset, @size_bytes: where the data lies in @segments. */
static uint8_t parse_data(struct blk_request *request, const struct virtq_segment *segments,
			  unsigned int n_segments, uint64_t offset, uint64_t size_bytes)
{
	if (size_bytes % BLK_SECTOR_BYTES ||
	    !disk_covers(request->blk, request->sector, size_bytes / BLK_SECTOR_BYTES))
		return VIRTIO_BLK_S_IOERR;
	request->size_bytes = size_bytes;
	request->n_data =
		segments_slice(segments, n_segments, offset, size_bytes, request->data);
	request_choose_file(request, request_is_aligned(request));
	return VIRTIO_BLK_S_OK;
}

static uint8_t parse_read(struct blk_request *request, const struct virtq_chain *chain)
{
	return parse_data(request, chain_writable(chain), chain_n_writable(chain), 0,
			  request->writable_bytes);
}

static uint8_t parse_write(struct blk_request *request, const struct virtq_chain *chain)
{
	return parse_data(request, chain_readable(chain), chain->n_readable, BLK_HEADER_BYTES,
			  chain->readable_bytes - BLK_HEADER_BYTES);
}

static void transfer_done(struct loop_op *op, int result);

static void transfer_submit(struct blk_request *request)
{
	struct loop *loop = request->blk->device.env.loop;
	const struct iovec *iov = request->iov + request->iov_first;
	unsigned int n_iov = request->n_data - request->iov_first;
	uint64_t offset = request->sector * BLK_SECTOR_BYTES + request->done_bytes;

	request->op.done = transfer_done;
	if (request->done_bytes == request->size_bytes)
		request_succeed(request);
	else if (request->verb->changes)
		loop_writev(loop, &request->op, request->fd, iov, n_iov, offset);
	else
		loop_readv(loop, &request->op, request->fd, iov, n_iov, offset);
}

/* What the kernel did less than it was asked for is asked for again. */
static void transfer_done(struct loop_op *op, int result)
{
	struct blk_request *request = container_of(op, struct blk_request, op);
	size_t left = (size_t)result;

	/* Nothing at all: the file is shorter than it was. */
	if (result <= 0) {
		blk_request_end(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	request->done_bytes += left;
	if (!request->verb->changes)
		request->filled_bytes = request->done_bytes;
	while (left) {
		struct iovec *iov = &request->iov[request->iov_first];
		size_t piece = left < iov->iov_len ? left : iov->iov_len;

		iov->iov_base = (char *)iov->iov_base + piece;
		iov->iov_len -= piece;
		left -= piece;
		if (!iov->iov_len)
			request->iov_first++;
	}
	transfer_submit(request);
}

static void start_transfer(struct blk_request *request);

static void transfer_try_again(struct loop_op *op, int result)
{
	struct blk_request *request = container_of(op, struct blk_request, op);

	if (result)
		blk_request_end(request, VIRTIO_BLK_S_IOERR);
	else
		start_transfer(request);
}

static void start_transfer(struct blk_request *request)
{
	const struct virtio_env *env = &request->blk->device.env;

	while (request->n_borrowed < request->n_data) {
		unsigned int i = request->n_borrowed;
		int ret = guest_borrow(env->memory, request->data[i].gpa,
				       request->data[i].size_bytes, &request->borrows[i],
				       &request->iov[i]);

		if (!ret) {
			request->n_borrowed++;
			continue;
		}
		blk_request_return_memory(request);
		if (ret == -EBUSY && request->n_tries++ < BORROW_TRIES) {
			request->op.done = transfer_try_again;
			loop_timer(env->loop, &request->op, BORROW_PAUSE_NS);
		} else {
			blk_request_end(request, VIRTIO_BLK_S_IOERR);
		}
		return;
	}
	transfer_submit(request);
}

/* --- Discards and zeroes --- */

/* @flags: those the type of request knows. */
static uint8_t parse_ranges(struct blk_request *request, const struct virtq_chain *chain,
			    uint32_t flags)
{
	struct virtio_blk_discard_write_zeroes raw[BLK_RANGES_MAX];
	uint64_t size_bytes = chain->readable_bytes - BLK_HEADER_BYTES;
	bool aligned = true;

	if (!size_bytes || size_bytes % sizeof(raw[0]) || size_bytes > sizeof(raw) ||
	    segments_read(request->blk->device.env.memory, chain_readable(chain),
			  chain->n_readable, BLK_HEADER_BYTES, raw, size_bytes))
		return VIRTIO_BLK_S_IOERR;
	request->n_ranges = (unsigned int)(size_bytes / sizeof(raw[0]));
	request->range = 0;
	for (unsigned int i = 0; i < request->n_ranges; i++) {
		uint64_t sector = le64toh(raw[i].sector);
		uint32_t n_sectors = le32toh(raw[i].num_sectors);
		struct blk_range *range = &request->ranges[i];

		if (le32toh(raw[i].flags) & ~flags)
			return VIRTIO_BLK_S_UNSUPP;
		if (n_sectors > BLK_RANGE_SECTORS_MAX ||
		    !disk_covers(request->blk, sector, n_sectors))
			return VIRTIO_BLK_S_IOERR;
		*range = (struct blk_range){
			.offset = sector * BLK_SECTOR_BYTES,
			.size_bytes = (uint64_t)n_sectors * BLK_SECTOR_BYTES,
			.unmap = le32toh(raw[i].flags) & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
		};
		aligned = aligned && is_aligned(range->offset | range->size_bytes,
						request->blk->file.direct_offset_align);
	}
	request_choose_file(request, aligned);
	return VIRTIO_BLK_S_OK;
}

static uint8_t parse_discard(struct blk_request *request, const struct virtq_chain *chain)
{
	return parse_ranges(request, chain, 0);
}

static uint8_t parse_zeroes(struct blk_request *request, const struct virtq_chain *chain)
{
	return parse_ranges(request, chain, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
}

static void fill_done(struct loop_op *op, int result);

/* Where the file system cannot make zeroes, they are written. */
static void range_fill(struct blk_request *request)
{
	const struct blk_range *range = &request->ranges[request->range];
	uint64_t left = range->size_bytes - request->done_bytes;
	unsigned int n = 0;

	for (; left && n < FILL_PIECES; n++) {
		uint64_t piece = left < BLK_ZEROES_BYTES ? left : BLK_ZEROES_BYTES;

		request->iov[n] =
			(struct iovec){.iov_base = request->blk->zeroes, .iov_len = piece};
		left -= piece;
	}
	request->op.done = fill_done;
	loop_writev(request->blk->device.env.loop, &request->op, request->fd, request->iov, n,
		    range->offset + request->done_bytes);
}

static void range_done(struct loop_op *op, int result);

static void range_allocate(struct blk_request *request, int mode)
{
	const struct blk_range *range = &request->ranges[request->range];

	request->mode = mode;
	request->op.done = range_done;
	loop_fallocate(request->blk->device.env.loop, &request->op, request->blk->file.fd,
		       mode | FALLOC_FL_KEEP_SIZE, range->offset, range->size_bytes);
}

/* Begin with the next range that is not empty. */
static void range_next(struct blk_request *request)
{
	const struct blk_range *range = &request->ranges[request->range];

	while (request->range < request->n_ranges && !range->size_bytes) {
		request->range++;
		range++;
	}
	if (request->range == request->n_ranges)
		request_succeed(request);
	else
		range_allocate(request, request->verb->discards || range->unmap
						? FALLOC_FL_PUNCH_HOLE
						: FALLOC_FL_ZERO_RANGE);
}

static void range_done(struct loop_op *op, int result)
{
	struct blk_request *request = container_of(op, struct blk_request, op);

	if (!result) {
		request->range++;
		range_next(request);
	} else if (result != -EOPNOTSUPP) {
		blk_request_end(request, VIRTIO_BLK_S_IOERR);
	} else if (request->verb->discards) {
		blk_request_end(request, VIRTIO_BLK_S_UNSUPP);
	} else if (request->mode == FALLOC_FL_PUNCH_HOLE) {
		range_allocate(request, FALLOC_FL_ZERO_RANGE);
	} else {
		request->done_bytes = 0;
		range_fill(request);
	}
}

static void fill_done(struct loop_op *op, int result)
{
	struct blk_request *request = container_of(op, struct blk_request, op);

	if (result <= 0) {
		blk_request_end(request, VIRTIO_BLK_S_IOERR);
		return;
	}
	request->done_bytes += (uint64_t)result;
	if (request->done_bytes < request->ranges[request->range].size_bytes) {
		range_fill(request);
		return;
	}
	request->range++;
	range_next(request);
}

/* --- Flush and identity --- */

static uint8_t parse_flush(struct blk_request *request, const struct virtq_chain *chain)
{
	(void)request;
	(void)chain;
	return VIRTIO_BLK_S_OK;
}

static uint8_t parse_id(struct blk_request *request, const struct virtq_chain *chain)
{
	request->size_bytes = request->writable_bytes < VIRTIO_BLK_ID_BYTES
				      ? request->writable_bytes
				      : VIRTIO_BLK_ID_BYTES;
	request->n_data = segments_slice(chain_writable(chain), chain_n_writable(chain), 0,
					 request->size_bytes, request->data);
	return VIRTIO_BLK_S_OK;
}

static void start_id(struct blk_request *request)
{
	int ret = segments_write(request->blk->device.env.memory, request->data,
				 request->n_data, 0, request->blk->serial, request->size_bytes);

	if (!ret)
		request->filled_bytes = request->size_bytes;
	blk_request_end(request, ret ? VIRTIO_BLK_S_IOERR : VIRTIO_BLK_S_OK);
}

static const struct blk_verb verbs[] = {
	[VIRTIO_BLK_T_IN] = {.parse = parse_read, .start = start_transfer},
	[VIRTIO_BLK_T_OUT] = {.parse = parse_write, .start = start_transfer, .changes = true},
	[VIRTIO_BLK_T_FLUSH] = {.parse = parse_flush, .start = request_sync},
	[VIRTIO_BLK_T_GET_ID] = {.parse = parse_id, .start = start_id},
	[VIRTIO_BLK_T_DISCARD] = {.parse = parse_discard,
				  .start = range_next,
				  .changes = true,
				  .discards = true},
	[VIRTIO_BLK_T_WRITE_ZEROES] = {.parse = parse_zeroes,
				       .start = range_next,
				       .changes = true},
};

const struct blk_verb *blk_verb_find(uint32_t type)
{
	return type < ARRAY_SIZE(verbs) && verbs[type].parse ? &verbs[type] : NULL;
}
