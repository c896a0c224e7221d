/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A file that boots the guest: opened once, read by position, never trusted. */
#ifndef BOOT_FILE_H
#define BOOT_FILE_H

#include <stddef.h>

#include "memory/memory.h"

struct err;

struct image_file {
	const char *what; /* "kernel", "initrd": the first word of every message */
	const char *path;
	int fd;
	uint64_t size_bytes; /* when it was opened; at least 1 */
};

/**
 * Open a file read-only.
 *
 * @what, @path: kept, not copied.
 * Returns 0; -ENOENT, -EACCES and what else open says; -EINVAL (no regular file, or empty),
 * with
 * @err set. Release with image_file_close.
 */
int image_file_open(struct image_file *ret_file, const char *what, const char *path,
		    struct err *err);

/* Accepts a zeroed struct; that of a failed open too. */
void image_file_close(struct image_file *file);

#define _cleanup_image_file_ __attribute__((cleanup(image_file_close)))

/**
 * Does the file hold @size_bytes at @offset?
 *
 * @part: what these bytes are, for the message.
 * Returns 0, or -ENOEXEC with @err set.
 */
int image_file_check(const struct image_file *file, const char *part, uint64_t offset,
		     uint64_t size_bytes, struct err *err);

/**
 * Read exactly @size_bytes at @offset into @buffer.
 *
 * Returns 0; -ENOEXEC when the file ends before; -errno of pread, with @err set.
 */
int image_file_read(const struct image_file *file, const char *part, uint64_t offset,
		    void *buffer, size_t size_bytes, struct err *err);

/**
 * Open a file and read all of it.
 *
 * @ret_bytes: from malloc.
 * Returns as image_file_open and image_file_read; -EFBIG (more than @max_bytes); -ENOMEM, with
 * @err set and nothing to release.
 */
int image_file_read_all(const char *what, const char *path, uint64_t max_bytes,
			uint8_t **ret_bytes, uint64_t *ret_size_bytes, struct err *err);

/**
 * Read exactly @size_bytes at @offset into guest memory at @gpa, which the caller knows to be
 * RAM.
 *
 * Returns as image_file_read.
 */
int image_file_load(const struct image_file *file, const char *part, uint64_t offset,
		    uint64_t size_bytes, struct guest_memory *memory, gpa_t gpa,
		    struct err *err);

#endif
