// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/exit.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>

#include "vmm/err.h"
#include "vmm/range.h"

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
	uint64_t bytes;

	(void)run_bytes;
	if (run->hypercall.nr != KVM_HC_MAP_GPA_RANGE)
		return decode_failed("hypercall that Alcove did not ask for",
				     run->hypercall.nr);
	/* More pages than there are addresses: no range has that size, so none is found. */
	if (__builtin_mul_overflow(run->hypercall.args[1], GRANULE_BYTES, &bytes))
		bytes = UINT64_MAX;
	return (struct exit){
		.kind = EXIT_HYPERCALL,
		.address = run->hypercall.args[0],
		.range_bytes = bytes,
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
};

struct exit exit_decode(struct kvm_run *run, size_t run_bytes, int run_ret)
{
	/* EINTR: a kick. EAGAIN: a processor that waits for its start-up IPI was woken. */
	if (run_ret == -EINTR || run_ret == -EAGAIN)
		return (struct exit){.kind = EXIT_NOTHING};
	if (run_ret < 0 && !(run_ret == -EFAULT && run->exit_reason == KVM_EXIT_MEMORY_FAULT))
		return decode_failed(err_describe(run_ret), (uint64_t)-run_ret);
	if (run->exit_reason >= ARRAY_SIZE(decoders) || !decoders[run->exit_reason])
		return decode_failed("exit for a reason Alcove does not know",
				     run->exit_reason);
	return decoders[run->exit_reason](run, run_bytes);
}
