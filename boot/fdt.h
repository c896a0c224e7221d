/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine as a flattened device tree, for x86 kernels with CONFIG_OF. */
#ifndef BOOT_FDT_H
#define BOOT_FDT_H

#include "boot/boot.h"

/**
 * Make the tree.
 *
 * @ret_fdt: room for @room_bytes, aligned to 8 bytes.
 * Returns how many bytes were used; 0 when it does not fit (the contents are then undefined).
 */
size_t fdt_init(void *ret_fdt, size_t room_bytes, const struct boot_machine *machine);

#endif
