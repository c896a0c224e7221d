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

/* One of the first three, and what is added to it. */
enum sandbox_role {
	SANDBOX_MAIN = 1 << 0, /* waits, takes down, builds anew */
	SANDBOX_LOOP = 1 << 1, /* serves the devices */
	SANDBOX_VCPU = 1 << 2, /* runs the guest */

	/* Of a vCPU: it serves the registers of devices of the host. */
	SANDBOX_DEVICES = 1 << 3,
	/* Of a vCPU: it gives the guest certificates. */
	SANDBOX_CERTS = 1 << 4,
	/* Of the loop, and so of the main thread: it calls the quote generation service. */
	SANDBOX_QUOTES = 1 << 5,
};

/**
 * Limit the calling thread to the system calls of @roles (SANDBOX_*), for ever.
 *
 * With SANDBOX_ON a forbidden call ends the process: the terminal is restored, one line on
 * stderr names call and thread, the status is EXIT_STATUS_INTERNAL. SIGSYS is unblocked for
 * that and must stay so. With SANDBOX_LOG the kernel logs the call and lets it happen.
 *
 * Returns 0, or -errno with @err; the thread is then as free as before.
 */
int sandbox_enter(unsigned int roles, enum sandbox_mode mode, struct err *err);

#endif
