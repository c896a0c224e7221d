/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Why a vCPU came back, as a value, and the reply: the only user of struct kvm_run. */
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
	EXIT_SEV_TERM,	   /* the guest ended itself; @data: one value, of its GHCB MSR */
	EXIT_TDX_FATAL,	   /* idem; @data: its registers, LAST_WORDS_REGISTERS of them */
	EXIT_CERTS,	   /* it wants certificates: @range_bytes at @address */
	EXIT_TDX_INFO,	   /* it asks what TDVMCALLs there are */
	EXIT_TDX_QUOTE,	   /* it wants a quote: @range_bytes at @address */
	EXIT_TDX_NOTIFY,   /* it wants to be told of one by interrupt @detail */
	EXIT_CRASHED,	   /* KVM cannot go on for a reason of the guest's; @what */
	EXIT_FAILED,	   /* KVM could not go on; @what says why */
};

struct exit {
	enum exit_kind kind;
	bool is_write;
	uint64_t address;	 /* port or gpa */
	unsigned int size_bytes; /* 1..8; ports: 1, 2 or 4 */
	uint32_t count;
	void *data;	      /* count * size_bytes bytes inside of the vCPU's area */
	uint64_t range_bytes; /* from @address; UINT64_MAX: more than there are addresses */
	bool to_private;      /* HYPERCALL, MEMORY_FAULT: the side */
	const char *what;     /* CRASHED, FAILED: why, in words */
	uint64_t detail;      /* idem: errno, hardware reason or suberror; NOTIFY: vector */
};

/**
 * Decode what host_vcpu_run left. Pure.
 *
 * @run_ret: what host_vcpu_run returned.
 * @run_bytes: size of the area behind @run; data that would lie beyond is EXIT_FAILED.
 * @kvm_type: KVM_X86_*_VM: whether an error can be the guest's.
 */
struct exit exit_decode(struct kvm_run *run, size_t run_bytes, int run_ret,
			unsigned long kvm_type);

/*
 * What the guest is told when it runs on, by the kind of the exit. Until one of these is called
 * it is told what KVM chose: success, or of TDVMCALLs that they are not supported.
 */
/* @reply: as struct guest_type_ops has it. */
void exit_reply_hypercall(struct kvm_run *run, uint64_t reply);
/* QUOTE, NOTIFY. @reply: QUOTE_REPLY_*. */
void exit_reply_tdx(struct kvm_run *run, uint64_t reply);
/* @can_notify: TDX_NOTIFY would succeed. */
void exit_reply_tdx_info(struct kvm_run *run, bool can_notify);
/* @error: 0, ENOSPC (@n_pages are needed), EAGAIN or EIO; KVM takes no other. */
void exit_reply_certs(struct kvm_run *run, int error, uint64_t n_pages);

#endif
