/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What lies where in guest memory when the guest starts.
 *
 *   0x00000 .. 0x01000   nothing: real-mode vectors and BIOS data, all zero
 *   0x01000              GDT
 *   0x02000 .. 0x08000   page tables (64-bit entry)
 *   0x08000 .. 0x09000   boot parameters (64-bit entry), or PVH start info and what it points
 * to 0x10000 .. 0x20000   command line 0xa0000 .. 0x100000  no RAM for the guest (memory map);
 * within it 0xe0000 .. 0x100000  hardware description: ACPI tables, or setup_data with the
 * device tree; 0xff000 setup_data of SNP guests, 0xffff0 reset code
 *   1 MiB ..             kernel, where it asks to be
 *   .. top of low RAM    initrd, as high as the kernel allows
 *
 * Linux takes the memory for starting processors from what is left below 640 KiB.
 */
#ifndef BOOT_PLACE_H
#define BOOT_PLACE_H

#include <stdbool.h>

#include "vmm/range.h"

struct err;
struct layout;

#define PLACE_GDT_GPA	      UINT64_C(0x1000)
#define PLACE_PAGE_TABLES_GPA UINT64_C(0x2000)
#define PLACE_PARAMS_GPA      UINT64_C(0x8000)
#define PLACE_CMDLINE_GPA     UINT64_C(0x10000)
#define PLACE_CMDLINE_BYTES   UINT64_C(0x10000)
#define PLACE_HW_GPA	      UINT64_C(0xe0000)
#define PLACE_HW_BYTES	      UINT64_C(0x1f000)
#define PLACE_CC_BLOB_GPA     UINT64_C(0xff000)
#define PLACE_RESET_GPA	      UINT64_C(0xffff0)
/* Where the legacy hole starts and ends. */
#define PLACE_LOW_RAM_END  UINT64_C(0xa0000)
#define PLACE_HIGH_RAM_GPA UINT64_C(0x100000)

enum {
	PLACE_PIECES_MAX = 32,
};

struct place_piece {
	struct range gpa;
	const char *what;
};

/* Everything that has a place; zero-initialise. */
struct place {
	struct place_piece pieces[PLACE_PIECES_MAX];
	unsigned int n_pieces;
};

/**
 * Take [gpa, gpa + size_bytes) for @what.
 *
 * @what: kept, not copied; a word for messages.
 * Returns 0; -ENOSPC when it is not wholly RAM below 4 GiB, touches something that has a place,
 * or there are too many pieces, with @err saying which. On error nothing is taken.
 */
int place_add(struct place *place, const struct layout *layout, const char *what, gpa_t gpa,
	      uint64_t size_bytes, struct err *err);

/**
 * Take @size_bytes for @what as high as possible in RAM below 4 GiB, on a granule boundary, and
 * above 1 MiB.
 *
 * @last_max: the highest address that the last byte may have.
 * Returns as place_add.
 */
int place_add_high(struct place *place, const struct layout *layout, const char *what,
		   uint64_t size_bytes, gpa_t last_max, gpa_t *ret_gpa, struct err *err);

#endif
