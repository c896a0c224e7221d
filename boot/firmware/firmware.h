/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UEFI firmware, which starts the kernel itself: its image, and what it is told by fw_cfg.
 */
#ifndef BOOT_FIRMWARE_H
#define BOOT_FIRMWARE_H

#include <stdint.h>

#include "boot/boot.h"
#include "boot/launch.h"

/* --- The image --- */

/**
 * How large is a firmware image? A multiple of 4 KiB, at most LAYOUT_FIRMWARE_BYTES_MAX.
 *
 * Returns 0; -ENOENT and what else open says; -EINVAL (no regular file, or empty); -ENOEXEC
 * (its size), with @err set.
 */
int firmware_get_size(const char *path, uint64_t *ret_size_bytes, struct err *err);

/* --- IGVM files --- */

enum { FIRMWARE_ID_BLOCK_BYTES = 96, FIRMWARE_ID_AUTH_BYTES = 4096 };

/* What a file says about the launch of a guest of that kind. */
struct firmware_terms {
	uint64_t memory_bytes; /* that layout->firmware has to have; may be 0 */
	bool has_policy;
	uint64_t policy;	/* SNP */
	uint64_t vmsa_features; /* SNP: as for KVM_SEV_INIT2 */
	uint64_t td_attributes; /* TDX */
	unsigned int gpa_bits;	/* TDX: 48 or 52, the highest says "shared"; 0: either */
	bool has_id;		/* SNP: what the launch is to be compared with */
	bool has_author;
	uint8_t id_block[FIRMWARE_ID_BLOCK_BYTES];
	uint8_t id_auth[FIRMWARE_ID_AUTH_BYTES];
};

/**
 * Read the terms of an IGVM file.
 *
 * @guard: the type of guest; NONE is one without protection.
 * Returns 0; -ENOEXEC (malformed, or not for such a guest), -EFBIG, -ENOMEM, -errno of reading,
 * with @err set.
 */
int firmware_inspect_igvm(const char *path, enum boot_guard guard,
			  struct firmware_terms *ret_terms, struct err *err);

/**
 * Write what an IGVM file has to guest memory.
 *
 * @machine: without a guard of its own, since our stub takes no part.
 * @guard: as above.
 * @memory_is_shared: what is not launched is shared when the guest starts.
 * Returns as firmware_inspect_igvm; -ENOSPC (no memory where the file has some), -E2BIG (a
 * parameter does not fit its area). On error guest memory is partly written.
 */
int firmware_load_igvm(struct guest_memory *memory, const struct boot_machine *machine,
		       enum boot_guard guard, const char *path, const char *cmdline,
		       bool memory_is_shared, struct launch *launch,
		       struct boot_entry *ret_entry, struct err *err);

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
 * -EINVAL (no kernel for the payload section of td-shim, or an initrd, which it does not take);
 * -ENOMEM; -errno of reading or
 * writing.
 */
int firmware_load(struct guest_memory *memory, const struct boot_machine *machine,
		  const char *path, enum boot_guard guard, const struct firmware_items *items,
		  struct launch *launch, struct boot_entry *ret_entry, struct err *err);

#endif
