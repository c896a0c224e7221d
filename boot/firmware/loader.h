/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of firmware_load. */
#ifndef BOOT_FIRMWARE_LOADER_H
#define BOOT_FIRMWARE_LOADER_H

#include "boot/firmware/firmware.h"
#include "boot/firmware/ovmf.h"

struct firmware_loader {
	struct guest_memory *memory;
	const struct boot_machine *machine;
	const struct firmware_items *items;
	struct launch *launch;
	struct ovmf_image image;
	struct boot_entry entry;
	struct err *err;
};

/* The launch of a TD with TDVF or td-shim. Returns as firmware_load. */
int firmware_load_tdx(struct firmware_loader *loader);

#endif
