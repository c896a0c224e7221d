/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What Alcove's own threads may ask of the kernel. Each thread enters the sandbox itself, when
 * it has what it needs; a thread inherits the filter of the one that starts it, so the main
 * thread may do all that the others may.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include "vmm/config.h"

struct err;

enum sandbox_role {
	SANDBOX_MAIN,	      /* waits, takes down, builds anew */
	SANDBOX_LOOP,	      /* serves the devices */
	SANDBOX_VCPU,	      /* runs the guest */
	SANDBOX_VCPU_DEVICES, /* idem, with devices of the host, whose registers it serves */
};

/**
 * Limit the calling thread to the system calls of @role, for ever.
 *
 * With SANDBOX_ON a forbidden call ends the process: the terminal is restored, one line on
 * stderr names call and thread, the status is EXIT_STATUS_INTERNAL. SIGSYS is unblocked for
 * that and must stay so. With SANDBOX_LOG the kernel logs the call and lets it happen.
 *
 * Returns 0, or -errno with @err; the thread is then as free as before.
 */
int sandbox_enter(enum sandbox_role role, enum sandbox_mode mode, struct err *err);

#endif
