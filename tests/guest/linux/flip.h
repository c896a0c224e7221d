/* SPDX-License-Identifier: GPL-2.0-or-later */
/* /dev/lab_flip: include/uapi/linux/lab_flip.h of the lab's kernel, tests/lab/kernel/patches.
 */
#ifndef ALCOVE_TESTS_GUEST_LINUX_FLIP_H
#define ALCOVE_TESTS_GUEST_LINUX_FLIP_H

#include <stdint.h>
#include <sys/ioctl.h>

struct flip_buffer {
	uint64_t size;
	uint64_t gpa;
};

struct flip_range {
	uint64_t offset;
	uint64_t size;
	uint64_t private;
	int64_t ret;
};

#define FLIP_ALLOC _IOWR('F', 0xf0, struct flip_buffer)
#define FLIP_SET   _IOWR('F', 0xf2, struct flip_range)

/* Convert pages of the buffer behind @fd. Returns 0, what the hypercall said, or -errno. */
int flip_set(int fd, uint64_t page, uint64_t pages, int private);

#endif
