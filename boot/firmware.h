/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UEFI firmware, which starts the kernel itself: its image, and what it is told by fw_cfg.
 */
#ifndef BOOT_FIRMWARE_H
#define BOOT_FIRMWARE_H

#include <stdint.h>

#include "boot/boot.h"

/* --- The image --- */

/**
 * How large is a firmware image? A multiple of 4 KiB, at most LAYOUT_FIRMWARE_BYTES_MAX.
 *
 * Returns 0; -ENOENT and what else open says; -EINVAL (no regular file, or empty); -ENOEXEC
 * (its size), with @err set.
 */
int firmware_get_size(const char *path, uint64_t *ret_size_bytes, struct err *err);

/* --- What it reads from fw_cfg --- */

enum { FIRMWARE_ITEMS_MAX = 24 };

/* Something that firmware can ask for by fw_cfg. */
struct firmware_item {
	const char *name; /* of a file; NULL: a well-known item, */
	uint16_t key;	  /* of this number (linux/qemu_fw_cfg.h) */
	const void *bytes;
	uint32_t size_bytes;
};

struct firmware_items {
	struct firmware_item items[FIRMWARE_ITEMS_MAX];
	unsigned int n_items;
	/* For their measurement: the files as they are, the command line with its zero. */
	struct firmware_payload {
		const uint8_t *bytes; /* NULL: none is given */
		uint64_t size_bytes;
	} kernel, initrd, cmdline;
	/* What all of these point to. */
	void *kept[FIRMWARE_ITEMS_MAX];
	unsigned int n_kept;
};

/**
 * Make everything that firmware is told about the machine, and about the kernel it is to start,
 * if source->kernel_path is not NULL.
 *
 * Returns 0; -ENOEXEC (the kernel is no EFI program, or malformed); as image_file_read_all,
 * with
 * @err set. Release with firmware_items_fini; after an error there is nothing to release.
 */
int firmware_items_init(struct firmware_items *ret_items, const struct boot_machine *machine,
			const struct boot_source *source, struct err *err);
/* Accepts a zeroed struct. */
void firmware_items_fini(struct firmware_items *items);

/* --- Into guest memory --- */

/**
 * Write a firmware image to where it ends at 4 GiB: layout->firmware, which has its size.
 *
 * @guard: what protects the guest's memory. With one, the image has to say what else is
 * launched, and @launch gets the list of it.
 * @items: what it will read from fw_cfg. Under SNP, a kernel needs firmware that checks its
 * hash, because nobody else would.
 * Returns as firmware_get_size, also when the size is another one meanwhile; as ovmf_parse_snp,
 * tdvf_parse, ovmf_launch and tdvf_launch; -ENOSPC (no room for the list of memory of a TD);
 * -EINVAL (a payload section that the host would have to fill); -ENOMEM; -errno of reading or
 * writing.
 */
int firmware_load(struct guest_memory *memory, const struct layout *layout, const char *path,
		  enum boot_guard guard, const struct firmware_items *items,
		  struct launch *launch, struct boot_entry *ret_entry, struct err *err);

#endif
