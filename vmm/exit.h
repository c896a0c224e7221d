/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a vCPU came back, as a value: the only reader of struct kvm_run. */
#ifndef VMM_EXIT_H
#define VMM_EXIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kvm_run;

enum exit_kind {
	EXIT_NOTHING, /* go on */
	EXIT_PORT,    /* port I/O, @count times at the same port */
	EXIT_MMIO,
	EXIT_SHUTDOWN,	   /* triple fault */
	EXIT_HYPERCALL,	   /* KVM_HC_MAP_GPA_RANGE: bring the range to a side */
	EXIT_MEMORY_FAULT, /* an access to the other side, or no memory for a page */
	EXIT_FAILED,	   /* KVM could not go on; @what says why */
};

struct exit {
	enum exit_kind kind;
	bool is_write;
	uint64_t address;	 /* port or gpa */
	unsigned int size_bytes; /* 1..8; ports: 1, 2 or 4 */
	uint32_t count;
	void *data;	      /* count * size_bytes bytes inside of the vCPU's area */
	uint64_t range_bytes; /* HYPERCALL, MEMORY_FAULT: from @address */
	bool to_private;      /* idem: the side */
	const char *what;     /* EXIT_FAILED: why, in words */
	uint64_t detail;      /* EXIT_FAILED: errno, hardware reason or suberror; else 0 */
};

/**
 * Decode what host_vcpu_run left. Pure.
 *
 * @run_ret: what host_vcpu_run returned.
 * @run_bytes: size of the area behind @run; data that would lie beyond is EXIT_FAILED.
 */
struct exit exit_decode(struct kvm_run *run, size_t run_bytes, int run_ret);

#endif
