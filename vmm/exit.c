// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/exit.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>

#include "vmm/err.h"
#include "vmm/last_words.h"
#include "vmm/range.h"

/* GHCI specification, TDG.VP.VMCALL sub-functions; KVM passes these on (vmx/tdx.c). */
enum {
	TDVMCALL_GET_INFO = 0x10000,
	TDVMCALL_GET_QUOTE = 0x10002,
	TDVMCALL_SETUP_EVENT_NOTIFY = 0x10004,

	TDVMCALL_INFO_NOTIFY = 1 << 1, /* in R11 of leaf 1 */
};

/* Pages as bytes: more of them than there are addresses are no range's size. */
static uint64_t bytes_of_pages(uint64_t n_pages)
{
	uint64_t bytes;

	if (__builtin_mul_overflow(n_pages, GRANULE_BYTES, &bytes))
		return UINT64_MAX;
	return bytes;
}

static struct exit decode_failed(const char *what, uint64_t detail)
{
	return (struct exit){.kind = EXIT_FAILED, .what = what, .detail = detail};
}

static struct exit decode_nothing(struct kvm_run *run, size_t run_bytes)
{
	(void)run;
	(void)run_bytes;
	return (struct exit){.kind = EXIT_NOTHING};
}

static struct exit decode_port(struct kvm_run *run, size_t run_bytes)
{
	uint64_t bytes = (uint64_t)run->io.size * run->io.count;

	if (run->io.data_offset > run_bytes || bytes > run_bytes - run->io.data_offset)
		return decode_failed("port access beyond the vCPU's area", run->io.port);
	return (struct exit){
		.kind = EXIT_PORT,
		.is_write = run->io.direction == KVM_EXIT_IO_OUT,
		.address = run->io.port,
		.size_bytes = run->io.size,
		.count = run->io.count,
		.data = (char *)run + run->io.data_offset,
	};
}

static struct exit decode_mmio(struct kvm_run *run, size_t run_bytes)
{
	(void)run_bytes;
	if (run->mmio.len == 0 || run->mmio.len > sizeof(run->mmio.data))
		return decode_failed("MMIO access of impossible size", run->mmio.len);
	return (struct exit){
		.kind = EXIT_MMIO,
		.is_write = run->mmio.is_write,
		.address = run->mmio.phys_addr,
		.size_bytes = run->mmio.len,
		.count = 1,
		.data = run->mmio.data,
	};
}

static struct exit decode_shutdown(struct kvm_run *run, size_t run_bytes)
{
	(void)run;
	(void)run_bytes;
	return (struct exit){.kind = EXIT_SHUTDOWN};
}

static struct exit decode_memory_fault(struct kvm_run *run, size_t run_bytes)
{
	(void)run_bytes;
	return (struct exit){
		.kind = EXIT_MEMORY_FAULT,
		.address = run->memory_fault.gpa,
		.range_bytes = run->memory_fault.size,
		.to_private = run->memory_fault.flags & KVM_MEMORY_EXIT_FLAG_PRIVATE,
	};
}

static struct exit decode_hypercall(struct kvm_run *run, size_t run_bytes)
{
	(void)run_bytes;
	if (run->hypercall.nr != KVM_HC_MAP_GPA_RANGE)
		return decode_failed("hypercall that Alcove did not ask for",
				     run->hypercall.nr);
	return (struct exit){
		.kind = EXIT_HYPERCALL,
		.address = run->hypercall.args[0],
		.range_bytes = bytes_of_pages(run->hypercall.args[1]),
		.to_private = run->hypercall.args[2] & KVM_MAP_GPA_RANGE_ENCRYPTED,
	};
}

static struct exit decode_fail_entry(struct kvm_run *run, size_t run_bytes)
{
	(void)run_bytes;
	return decode_failed("the processor refused to enter the guest",
			     run->fail_entry.hardware_entry_failure_reason);
}

static struct exit decode_internal_error(struct kvm_run *run, size_t run_bytes)
{
	(void)run_bytes;
	if (run->internal.suberror == KVM_INTERNAL_ERROR_EMULATION)
		return decode_failed("it cannot emulate an instruction of the guest",
				     run->internal.suberror);
	return decode_failed("internal error", run->internal.suberror);
}

static struct exit decode_system_event(struct kvm_run *run, size_t run_bytes)
{
	static const struct {
		enum exit_kind kind;
		uint32_t n_data; /* 0: no such event */
	} events[] = {
		[KVM_SYSTEM_EVENT_SEV_TERM] = {EXIT_SEV_TERM, 1},
		[KVM_SYSTEM_EVENT_TDX_FATAL] = {EXIT_TDX_FATAL, LAST_WORDS_REGISTERS},
	};
	uint32_t type = run->system_event.type;

	(void)run_bytes;
	if (type >= ARRAY_SIZE(events) || !events[type].n_data ||
	    run->system_event.ndata < events[type].n_data)
		return decode_failed("event of the machine that Alcove does not know", type);
	return (struct exit){
		.kind = events[type].kind,
		.size_bytes = sizeof(run->system_event.data[0]),
		.count = events[type].n_data,
		.data = run->system_event.data,
	};
}

static struct exit decode_certs(struct kvm_run *run, size_t run_bytes)
{
	(void)run_bytes;
	return (struct exit){
		.kind = EXIT_CERTS,
		.address = run->snp_req_certs.gpa,
		.range_bytes = bytes_of_pages(run->snp_req_certs.npages),
	};
}

/* What is not known is left as it is: KVM has put the reply to that in. */
static struct exit decode_tdx(struct kvm_run *run, size_t run_bytes)
{
	switch (run->tdx.nr) {
	case TDVMCALL_GET_INFO:
		if (run->tdx.get_tdvmcall_info.leaf != 1)
			return decode_nothing(run, run_bytes);
		return (struct exit){.kind = EXIT_TDX_INFO};
	case TDVMCALL_GET_QUOTE:
		return (struct exit){
			.kind = EXIT_TDX_QUOTE,
			.address = run->tdx.get_quote.gpa,
			.range_bytes = run->tdx.get_quote.size,
		};
	case TDVMCALL_SETUP_EVENT_NOTIFY:
		return (struct exit){
			.kind = EXIT_TDX_NOTIFY,
			.detail = run->tdx.setup_event_notify.vector,
		};
	default:
		return decode_nothing(run, run_bytes);
	}
}

/* Reasons a VM of ours can see; EOI exits come only for level interrupts, which it does not
 * have. */
static struct exit (*const decoders[])(struct kvm_run *run, size_t run_bytes) = {
	[KVM_EXIT_IO] = decode_port,
	[KVM_EXIT_MMIO] = decode_mmio,
	[KVM_EXIT_SHUTDOWN] = decode_shutdown,
	[KVM_EXIT_FAIL_ENTRY] = decode_fail_entry,
	[KVM_EXIT_INTR] = decode_nothing,
	[KVM_EXIT_INTERNAL_ERROR] = decode_internal_error,
	[KVM_EXIT_IOAPIC_EOI] = decode_nothing,
	[KVM_EXIT_HYPERCALL] = decode_hypercall,
	[KVM_EXIT_MEMORY_FAULT] = decode_memory_fault,
	[KVM_EXIT_SYSTEM_EVENT] = decode_system_event,
	[KVM_EXIT_TDX] = decode_tdx,
	[KVM_EXIT_SNP_REQ_CERTS] = decode_certs,
};

/* Errors of KVM_RUN that a guest can bring about whose state is out of our sight. */
static const struct {
	unsigned long kvm_type;
	int error;
	const char *what;
} crashes[] = {
	{KVM_X86_TDX_VM, EIO,
	 "it used memory that it had not accepted, or KVM gave it up; the host's kernel log "
	 "tells which"},
	{KVM_X86_SNP_VM, EIO,
	 "it sent a guest request from pages that are not shared, or the secure processor took "
	 "none; look at the host's kernel log"},
	{KVM_X86_SNP_VM, EINVAL,
	 "it started a processor from a page that is no VMSA, or left by a GHCB that KVM does "
	 "not take; look at the host's kernel log"},
};

static struct exit decode_error(const struct kvm_run *run, int run_ret, unsigned long kvm_type)
{
	if (run_ret == -EHWPOISON && run->exit_reason == KVM_EXIT_MEMORY_FAULT)
		return decode_failed("the host's memory failed under a page of the guest, gpa",
				     run->memory_fault.gpa);
	for (size_t i = 0; i < ARRAY_SIZE(crashes); i++) {
		if (crashes[i].kvm_type == kvm_type && crashes[i].error == -run_ret)
			return (struct exit){.kind = EXIT_CRASHED,
					     .what = crashes[i].what,
					     .detail = (uint64_t)-run_ret};
	}
	return decode_failed(err_describe(run_ret), (uint64_t)-run_ret);
}

struct exit exit_decode(struct kvm_run *run, size_t run_bytes, int run_ret,
			unsigned long kvm_type)
{
	/* EINTR: a kick. EAGAIN: a processor that waits for its start-up IPI was woken. */
	if (run_ret == -EINTR || run_ret == -EAGAIN)
		return (struct exit){.kind = EXIT_NOTHING};
	if (run_ret < 0 && !(run_ret == -EFAULT && run->exit_reason == KVM_EXIT_MEMORY_FAULT))
		return decode_error(run, run_ret, kvm_type);
	if (run->exit_reason >= ARRAY_SIZE(decoders) || !decoders[run->exit_reason])
		return decode_failed("exit for a reason Alcove does not know",
				     run->exit_reason);
	return decoders[run->exit_reason](run, run_bytes);
}

/* --- Replies --- */

void exit_reply_hypercall(struct kvm_run *run, uint64_t reply)
{
	run->hypercall.ret = reply;
}

void exit_reply_tdx(struct kvm_run *run, uint64_t reply)
{
	/* The first member of each of the union's. */
	run->tdx.unknown.ret = reply;
}

void exit_reply_tdx_info(struct kvm_run *run, bool can_notify)
{
	run->tdx.get_tdvmcall_info.r11 = can_notify ? TDVMCALL_INFO_NOTIFY : 0;
}

void exit_reply_certs(struct kvm_run *run, int error, uint64_t n_pages)
{
	ASSERT(error == 0 || error == ENOSPC || error == EAGAIN || error == EIO);
	run->snp_req_certs.ret = (unsigned int)error;
	if (error == ENOSPC)
		run->snp_req_certs.npages = n_pages;
}
