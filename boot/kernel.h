/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Kernel files: what a bzImage or an ELF file asks for, checked, as plain values. */
#ifndef BOOT_KERNEL_H
#define BOOT_KERNEL_H

#include <asm/bootparam.h>

#include "boot/boot.h"
#include "boot/file.h"

enum {
	KERNEL_SEGMENTS_MAX = 16,
};

/* Bytes of the file, then zeroes, at a fixed place; nothing else may lie in its room. */
struct kernel_segment {
	gpa_t gpa;
	uint64_t file_offset;
	uint64_t file_bytes;
	uint64_t zero_bytes;
	uint64_t room_bytes; /* at least file_bytes + zero_bytes, at least 1; gpa + it fits 64
				bits */
};

struct kernel {
	enum boot_mode mode;
	gpa_t entry;
	struct kernel_segment segments[KERNEL_SEGMENTS_MAX];
	unsigned int n_segments;
	uint32_t cmdline_max_bytes; /* without the terminating zero */
	gpa_t initrd_last_max;	    /* where the initrd's last byte may lie */
	struct setup_header setup;  /* LONG64 only: as in the file, what it lacks is zero */
};

/**
 * Does the file say that it is such a kernel? @head: its first KERNEL_HEAD_BYTES bytes, or all
 * of a shorter one.
 */
enum { KERNEL_HEAD_BYTES = 0x290 };

bool bzimage_probe(const void *head, size_t head_bytes);
bool elf_probe(const void *head, size_t head_bytes);

/* How long the boot sector and setup code are that the kernel is behind. @head: probed. */
uint64_t bzimage_setup_bytes(const void *head);

/**
 * Understand a kernel of that kind.
 *
 * Everything but whether it fits the guest's RAM has been checked when it returns 0.
 * Returns 0; -ENOEXEC (malformed, or of a kind this machine cannot boot); -ENOMEM; -errno of
 * reading, with @err set.
 */
int bzimage_parse(const struct image_file *file, struct kernel *ret_kernel, struct err *err);
int elf_parse(const struct image_file *file, struct kernel *ret_kernel, struct err *err);
/* Of whichever kind it is. */
int kernel_parse(const struct image_file *file, struct kernel *ret_kernel, struct err *err);

#endif
