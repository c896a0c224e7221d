/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the fuzz targets of the kernel parsers share. */
#ifndef TESTS_FUZZ_KERNEL_FILE_H
#define TESTS_FUZZ_KERNEL_FILE_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/kernel.h"
#include "vmm/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

/* The promises of kernel.h about an accepted kernel. */
static inline void kernel_file_check(const struct kernel *kernel, size_t file_bytes)
{
	bool entry_is_loaded = false;

	ASSERT(kernel->n_segments > 0);
	ASSERT(kernel->n_segments <= KERNEL_SEGMENTS_MAX);
	ASSERT(kernel->cmdline_max_bytes > 0);
	for (unsigned int i = 0; i < kernel->n_segments; i++) {
		const struct kernel_segment *segment = &kernel->segments[i];
		struct range file, room, used;

		ASSERT(range_init(&file, segment->file_offset, segment->file_bytes));
		ASSERT(file.end <= file_bytes);
		ASSERT(range_init(&room, segment->gpa, segment->room_bytes));
		ASSERT(!range_is_empty(room));
		ASSERT(range_init(&used, segment->gpa,
				  segment->file_bytes + segment->zero_bytes));
		ASSERT(range_covers(room, used));
		used.end = used.start + segment->file_bytes;
		entry_is_loaded |= range_contains(used, kernel->entry);
	}
	ASSERT(entry_is_loaded);
}

/* @parse: bzimage_parse or elf_parse. */
static inline int kernel_file_fuzz(const uint8_t *bytes, size_t size_bytes,
				   int (*parse)(const struct image_file *file,
						struct kernel *ret_kernel, struct err *err))
{
	static int fd = -1;
	struct image_file file = {.what = "kernel", .path = "fuzz", .size_bytes = size_bytes};
	struct kernel kernel;
	struct err err = {0};
	int ret;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	ASSERT(fd >= 0);
	ASSERT(ftruncate(fd, 0) == 0);
	ASSERT(pwrite(fd, bytes, size_bytes, 0) == (ssize_t)size_bytes);

	file.fd = fd;
	ret = parse(&file, &kernel, &err);
	if (ret) {
		ASSERT(err.code == ret);
		ASSERT(strncmp(err.text, "kernel 'fuzz': ", 15) == 0);
	} else {
		kernel_file_check(&kernel, size_bytes);
	}
	return 0;
}

#endif
