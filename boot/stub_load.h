/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The boot stub in guest memory. The stub: boot/stub.h. */
#ifndef BOOT_STUB_LOAD_H
#define BOOT_STUB_LOAD_H

#include "boot/boot.h"

struct launch;

/**
 * Write the stub, its page tables and its parameters into the firmware range, and add that
 * range to the launch.
 *
 * @machine: of a guest with a guard, whose layout has STUB_FIRMWARE_BYTES for firmware.
 * @entry: that of the kernel, BOOT_MODE_LONG64; becomes that of the stub. All processors of an
 * SNP guest start in it, but only the first one does anything: the kernel gives the others save
 * areas of its own. For processors of a TD, the TDX module sets the state.
 * @launch: all that was written to RAM, sorted; what it lacks of RAM is for the stub to
 * validate or accept. Returns 0; -EINVAL (the stub would refuse that), -E2BIG (launched memory
 * is in too many places), -ENOMEM, -errno, with @err set. Guest memory is partly written on
 * error.
 */
int stub_load(struct guest_memory *memory, const struct boot_machine *machine,
	      struct boot_entry *entry, struct launch *launch, struct err *err);

#endif
