// SPDX-License-Identifier: GPL-2.0-or-later
/* The verbs of the trace: pass on, write down. */
#include <errno.h>
#include <linux/kvm.h>

#include "tests/fake/trace_state.h"

static int trace_kvm_check_extension(struct host *host, int vm, unsigned int capability)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_KVM_CHECK_EXTENSION,
				  .numbers = {trace_fd(trace, vm), capability}};
	int ret;

	ret = host_kvm_check_extension(trace->inner, vm, capability);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_kvm_get_supported_cpuid(struct host *host, struct kvm_cpuid2 *cpuid)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_KVM_GET_SUPPORTED_CPUID};
	int ret;

	ret = host_kvm_get_supported_cpuid(trace->inner, cpuid);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_create(struct host *host, unsigned long type)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_CREATE, .numbers = {type}};
	int ret;

	ret = host_vm_create(trace->inner, type);
	call.result = ret < 0 ? ret : 0;
	trace_add_fd(trace, &call, ret);
	return ret;
}

static int trace_vm_enable_cap(struct host *host, int vm, const struct kvm_enable_cap *cap)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_ENABLE_CAP,
				  .numbers = {trace_fd(trace, vm), cap->cap, cap->args[0]}};
	int ret;

	ret = host_vm_enable_cap(trace->inner, vm, cap);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_set_tss_address(struct host *host, int vm, gpa_t gpa)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_SET_TSS_ADDRESS,
				  .numbers = {trace_fd(trace, vm), gpa}};
	int ret;

	ret = host_vm_set_tss_address(trace->inner, vm, gpa);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_set_identity_map(struct host *host, int vm, gpa_t gpa)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_SET_IDENTITY_MAP,
				  .numbers = {trace_fd(trace, vm), gpa}};
	int ret;

	ret = host_vm_set_identity_map(trace->inner, vm, gpa);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_set_memory_region(struct host *host, int vm,
				      const struct kvm_userspace_memory_region2 *region)
{
	struct trace *trace = trace_of(host);
	uint64_t file = region->flags & KVM_MEM_GUEST_MEMFD
				? trace_fd(trace, (int)region->guest_memfd)
				: NO_FD;
	struct trace_call call = {
		.verb = VERB_VM_SET_MEMORY_REGION,
		.numbers = {trace_fd(trace, vm), (uint64_t)region->slot << 32 | region->flags,
			    region->guest_phys_addr, region->memory_size,
			    trace_address(trace, region->userspace_addr),
			    file | region->guest_memfd_offset / GRANULE_BYTES << 32}};
	int ret;

	ret = host_vm_set_memory_region(trace->inner, vm, region);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_create_guest_memfd(struct host *host, int vm, uint64_t size_bytes,
				       uint64_t flags)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_CREATE_GUEST_MEMFD,
				  .numbers = {trace_fd(trace, vm), size_bytes, flags}};
	int ret;

	ret = host_vm_create_guest_memfd(trace->inner, vm, size_bytes, flags);
	call.result = ret < 0 ? ret : 0;
	trace_add_fd(trace, &call, ret);
	return ret;
}

static int trace_vm_set_attributes(struct host *host, int vm, struct range gpa,
				   uint64_t attributes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {
		.verb = VERB_VM_SET_ATTRIBUTES,
		.numbers = {trace_fd(trace, vm), gpa.start, gpa.end, attributes}};
	int ret;

	ret = host_vm_set_attributes(trace->inner, vm, gpa, attributes);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_gmem_set_attributes(struct host *host, int guest_memfd, struct range offset,
				     uint64_t attributes, uint64_t *ret_error_offset)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_GMEM_SET_ATTRIBUTES,
				  .numbers = {trace_fd(trace, guest_memfd), offset.start,
					      offset.end, attributes}};
	int ret;

	ret = host_gmem_set_attributes(trace->inner, guest_memfd, offset, attributes,
				       ret_error_offset);
	call.result = ret;
	if (ret == -EAGAIN || ret == -ENOMEM)
		call.output = *ret_error_offset;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_signal_msi(struct host *host, int vm, uint64_t address, uint32_t data)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_SIGNAL_MSI,
				  .numbers = {trace_fd(trace, vm), address, data}};
	int ret;

	ret = host_vm_signal_msi(trace->inner, vm, address, data);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_ioeventfd(struct host *host, int vm, const struct kvm_ioeventfd *ioeventfd)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_IOEVENTFD, .numbers = {trace_fd(trace, vm)}};
	int ret;

	ret = host_vm_ioeventfd(trace->inner, vm, ioeventfd);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_create(struct host *host, int vm, uint32_t id, struct kvm_run **ret_run,
			     size_t *ret_run_bytes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_CREATE,
				  .numbers = {trace_fd(trace, vm), id}};
	int ret;

	ret = host_vcpu_create(trace->inner, vm, id, ret_run, ret_run_bytes);
	call.result = ret < 0 ? ret : 0;
	trace_add_fd(trace, &call, ret);
	return ret;
}

static void trace_vcpu_close(struct host *host, int vcpu, struct kvm_run *run)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_CLOSE, .numbers = {trace_fd(trace, vcpu)}};

	trace_forget_fd(trace, vcpu);
	host_vcpu_close(trace->inner, vcpu, run);
	trace_add(trace, &call);
}

static int trace_vcpu_run(struct host *host, int vcpu)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_RUN, .numbers = {trace_fd(trace, vcpu)}};
	int ret;

	ret = host_vcpu_run(trace->inner, vcpu);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_enable_cap(struct host *host, int vcpu, const struct kvm_enable_cap *cap)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_ENABLE_CAP,
				  .numbers = {trace_fd(trace, vcpu), cap->cap, cap->args[0]}};
	int ret;

	ret = host_vcpu_enable_cap(trace->inner, vcpu, cap);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

/* What a launch has to have right: the APIC ID, and of SEV what the guest is told. */
static void note_cpuid(struct trace_call *call, const struct kvm_cpuid2 *cpuid)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 1)
			call->numbers[1] = cpuid->entries[i].ebx >> 24;
		if (cpuid->entries[i].function == 0x8000001f)
			call->numbers[2] = cpuid->entries[i].eax;
	}
}

static int trace_vcpu_set_cpuid(struct host *host, int vcpu, const struct kvm_cpuid2 *cpuid)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_SET_CPUID,
				  .numbers = {trace_fd(trace, vcpu)}};
	int ret;

	note_cpuid(&call, cpuid);
	ret = host_vcpu_set_cpuid(trace->inner, vcpu, cpuid);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_GET_REGS,
				  .numbers = {trace_fd(trace, vcpu)}};
	int ret;

	ret = host_vcpu_get_regs(trace->inner, vcpu, ret_regs);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_set_regs(struct host *host, int vcpu, const struct kvm_regs *regs)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_SET_REGS,
				  .numbers = {trace_fd(trace, vcpu), regs->rip, regs->rsi,
					      regs->rdx, regs->rflags}};
	int ret;

	ret = host_vcpu_set_regs(trace->inner, vcpu, regs);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_get_sregs(struct host *host, int vcpu, struct kvm_sregs *ret_sregs)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_GET_SREGS,
				  .numbers = {trace_fd(trace, vcpu)}};
	int ret;

	ret = host_vcpu_get_sregs(trace->inner, vcpu, ret_sregs);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_set_sregs(struct host *host, int vcpu, const struct kvm_sregs *sregs)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_SET_SREGS,
				  .numbers = {trace_fd(trace, vcpu), sregs->cr0, sregs->cr3,
					      sregs->cr4, sregs->efer, sregs->cs.base}};
	int ret;

	ret = host_vcpu_set_sregs(trace->inner, vcpu, sregs);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_set_msrs(struct host *host, int vcpu, const struct kvm_msrs *msrs)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_SET_MSRS,
				  .numbers = {trace_fd(trace, vcpu)}};
	int ret;

	ret = host_vcpu_set_msrs(trace->inner, vcpu, msrs);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_set_mp_state(struct host *host, int vcpu, uint32_t state)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_SET_MP_STATE,
				  .numbers = {trace_fd(trace, vcpu)}};
	int ret;

	ret = host_vcpu_set_mp_state(trace->inner, vcpu, state);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_mem_create(struct host *host, uint64_t size_bytes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_MEM_CREATE, .numbers = {size_bytes}};
	int ret;

	ret = host_mem_create(trace->inner, size_bytes);
	call.result = ret < 0 ? ret : 0;
	trace_add_fd(trace, &call, ret);
	return ret;
}

static int trace_mem_discard(struct host *host, int fd, struct range offset)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_MEM_DISCARD,
				  .numbers = {trace_fd(trace, fd), offset.start, offset.end}};
	int ret;

	ret = host_mem_discard(trace->inner, fd, offset);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_mem_map(struct host *host, int fd, uint64_t offset, uint64_t size_bytes,
			 void **ret_hva)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_MEM_MAP,
				  .numbers = {trace_fd(trace, fd), offset, size_bytes}};
	int ret;

	ret = host_mem_map(trace->inner, fd, offset, size_bytes, ret_hva);
	call.result = ret;
	trace_add_address(trace, &call, ret ? NULL : *ret_hva, size_bytes);
	return ret;
}

static void trace_mem_unmap(struct host *host, void *hva, uint64_t size_bytes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {
		.verb = VERB_MEM_UNMAP,
		.numbers = {trace_address(trace, (uintptr_t)hva), size_bytes}};

	trace_forget_address(trace, (uintptr_t)hva);
	host_mem_unmap(trace->inner, hva, size_bytes);
	trace_add(trace, &call);
}

static void trace_close(struct host *host, int fd)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_CLOSE, .numbers = {trace_fd(trace, fd)}};

	trace_forget_fd(trace, fd);
	host_close(trace->inner, fd);
	trace_add(trace, &call);
}

static uint64_t trace_clock_now_ns(struct host *host)
{
	return host_clock_now_ns(trace_of(host)->inner);
}

static void trace_clock_sleep_ns(struct host *host, uint64_t ns)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_CLOCK_SLEEP_NS, .numbers = {ns}};

	host_clock_sleep_ns(trace->inner, ns);
	trace_add(trace, &call);
}

static ssize_t trace_random_fill(struct host *host, void *buffer, size_t size_bytes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_RANDOM_FILL};
	ssize_t ret;

	ret = host_random_fill(trace->inner, buffer, size_bytes);
	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

const struct host_ops trace_ops = {
	.kvm_check_extension = trace_kvm_check_extension,
	.kvm_get_supported_cpuid = trace_kvm_get_supported_cpuid,
	.vm_create = trace_vm_create,
	.vm_enable_cap = trace_vm_enable_cap,
	.vm_set_tss_address = trace_vm_set_tss_address,
	.vm_set_identity_map = trace_vm_set_identity_map,
	.vm_set_memory_region = trace_vm_set_memory_region,
	.vm_create_guest_memfd = trace_vm_create_guest_memfd,
	.vm_set_attributes = trace_vm_set_attributes,
	.gmem_set_attributes = trace_gmem_set_attributes,
	.vm_signal_msi = trace_vm_signal_msi,
	.vm_ioeventfd = trace_vm_ioeventfd,
	.vcpu_create = trace_vcpu_create,
	.vcpu_close = trace_vcpu_close,
	.vcpu_run = trace_vcpu_run,
	.vcpu_enable_cap = trace_vcpu_enable_cap,
	.vcpu_set_cpuid = trace_vcpu_set_cpuid,
	.vcpu_get_regs = trace_vcpu_get_regs,
	.vcpu_set_regs = trace_vcpu_set_regs,
	.vcpu_get_sregs = trace_vcpu_get_sregs,
	.vcpu_set_sregs = trace_vcpu_set_sregs,
	.vcpu_set_msrs = trace_vcpu_set_msrs,
	.vcpu_set_mp_state = trace_vcpu_set_mp_state,
	.mem_create = trace_mem_create,
	.mem_discard = trace_mem_discard,
	.mem_map = trace_mem_map,
	.mem_unmap = trace_mem_unmap,
	.close = trace_close,
	.clock_now_ns = trace_clock_now_ns,
	.clock_sleep_ns = trace_clock_sleep_ns,
	.random_fill = trace_random_fill,
	.iommu = &trace_iommu_ops,
	.vfio = &trace_vfio_ops,
	.cc = &trace_cc_ops,
};
