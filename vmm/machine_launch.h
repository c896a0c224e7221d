/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pages a confidential guest starts with, on their way from shared to launched. */
#ifndef VMM_MACHINE_LAUNCH_H
#define VMM_MACHINE_LAUNCH_H

#include "boot/launch.h"

struct err;
struct machine;

struct launch_part {
	struct range gpa; /* private by now */
	enum launch_kind kind;
	/* What it is to hold, page aligned and writable; NULL: it holds that already. */
	void *source;
};

/* Say what will be measured; always, since the guest's owner compares it. */
void machine_log_digest(struct machine *machine, const char *name,
			const uint8_t digest[LAUNCH_DIGEST_BYTES]);

/* Hand @part to the processor's firmware. Returns 0, or -errno with @err set. */
typedef int launch_part_fn(struct machine *machine, const struct launch_part *part,
			   struct err *err);

/**
 * Turn all pieces private and launch them, in order.
 *
 * Where pages convert in place they are launched in place. With two backings their contents
 * take the way through a buffer, because the shared half goes when they turn private. The page
 * of CPUID leaves always has a source: the firmware corrects it there.
 *
 * All signals but the sandbox's are blocked meanwhile, since they would make the kernel give up
 * halfway. It looks every now and then whether the machine is to end.
 * Returns 0; -ECANCELED (it is); or -errno; with @err set: the VM is of no more use.
 */
int machine_launch_pieces(struct machine *machine, launch_part_fn *fn, struct err *err);

#endif
