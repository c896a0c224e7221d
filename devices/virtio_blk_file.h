/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file or block device behind a virtio disk. */
#ifndef DEVICES_VIRTIO_BLK_FILE_H
#define DEVICES_VIRTIO_BLK_FILE_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct virtio_blk_config;

struct blk_file {
	int fd;		      /* through the page cache */
	int direct_fd;	      /* the same file with O_DIRECT; -1 unless asked for */
	uint64_t size_bytes;  /* a multiple of 512, not 0 */
	uint32_t block_bytes; /* what it likes I/O to be a multiple of; a power of two */
	bool can_discard;     /* false: certainly not */
	/* What O_DIRECT insists on; powers of two. */
	uint32_t direct_memory_align;
	uint32_t direct_offset_align;
};

/**
 * Open and lock the image: shared for a read-only disk, else exclusively.
 *
 * Returns 0, or -errno with @err; nothing is left open then.
 */
int blk_file_open(struct blk_file *ret_file, const struct virtio_blk_config *config,
		  struct err *err);
/* Also ends the lock. */
void blk_file_close(struct blk_file *file);

#endif
