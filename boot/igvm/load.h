/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An IGVM file into guest memory, and into the list of what is launched. */
#ifndef BOOT_IGVM_LOAD_H
#define BOOT_IGVM_LOAD_H

#include "boot/boot.h"
#include "boot/igvm/igvm.h"

struct launch;

/* What the guest is told. */
struct igvm_target {
	const struct boot_machine *machine;
	const char *cmdline;   /* never NULL */
	bool memory_is_shared; /* what is in no piece is shared when the guest starts */
};

/**
 * Write all pieces and parameters to guest memory, and add the pieces to @launch in the file's
 * order, neighbours of one kind as one piece (the measurement is the same).
 *
 * Secrets and CPUID pages stay zero: whoever launches fills them.
 *
 * @igvm: of igvm_parse. @launch: may be NULL for a guest that is not launched; must not have a
 * piece that overlaps one of the file's.
 * Returns 0; -ENOSPC (no memory where the file has some), -E2BIG (a parameter does not fit its
 * area), -ENOMEM, -errno, with @err set. On error guest memory is partly written and @launch
 * has some of the pieces.
 */
int igvm_load(const struct igvm *igvm, struct guest_memory *memory,
	      const struct igvm_target *target, struct launch *launch, struct err *err);

enum {
	IGVM_MEMORY_MAP_ENTRY_BYTES = 24,
};

/**
 * The value of a parameter; SRAT, SLIT and PPTT have none (0 bytes).
 *
 * @ret_value: *ret_value_bytes of it; free with free().
 * Returns 0 or -ENOMEM.
 * Source: igvm_defs: IGVM_VHS_MEMORY_MAP_ENTRY, IGVM_VHS_MMIO_RANGES, IgvmEnvironmentInfo,
 * src/dt.rs.
 */
int igvm_parameter_new(enum igvm_parameter_type type, const struct igvm_target *target,
		       void **ret_value, size_t *ret_value_bytes);

#endif
