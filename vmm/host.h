/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The one door to the kernel's virtualization interfaces.
 *
 * Everything Alcove asks of KVM goes through this table of typed verbs. host_linux.c implements
 * it with ioctl and is the only file that calls it; tests put a fake kernel, a fault injector
 * or a tracer in its place. The host is trusted, but any call may fail at any time.
 *
 * Descriptors are plain ints so that callers can keep them with their other files; only verbs
 * of the same table may be used on them.
 *
 * All verbs may be called from any thread; those on one vCPU only from the thread that runs it
 * (or before it runs). Structures are those of linux/kvm.h; sources are named by ioctl,
 * described in Documentation/virt/kvm/api.rst.
 */
#ifndef VMM_HOST_H
#define VMM_HOST_H

#include <stddef.h>
#include <sys/types.h>

#include "vmm/range.h"

struct err;
struct host_cc_ops;
struct host_iommu_ops;
struct host_vfio_ops;
struct kvm_cpuid2;
struct kvm_enable_cap;
struct kvm_ioeventfd;
struct kvm_msrs;
struct kvm_regs;
struct kvm_run;
struct kvm_sregs;
struct kvm_userspace_memory_region2;
struct host;

struct host_ops {
	/* The system: /dev/kvm. */
	int (*kvm_check_extension)(struct host *host, int vm, unsigned int capability);
	int (*kvm_get_supported_cpuid)(struct host *host, struct kvm_cpuid2 *cpuid);
	/* Virtual machines. */
	int (*vm_create)(struct host *host, unsigned long type);
	int (*vm_enable_cap)(struct host *host, int vm, const struct kvm_enable_cap *cap);
	int (*vm_set_tss_address)(struct host *host, int vm, gpa_t gpa);
	int (*vm_set_identity_map)(struct host *host, int vm, gpa_t gpa);
	int (*vm_set_memory_region)(struct host *host, int vm,
				    const struct kvm_userspace_memory_region2 *region);
	int (*vm_create_guest_memfd)(struct host *host, int vm, uint64_t size_bytes,
				     uint64_t flags);
	int (*vm_set_attributes)(struct host *host, int vm, struct range gpa,
				 uint64_t attributes);
	int (*gmem_set_attributes)(struct host *host, int guest_memfd, struct range offset,
				   uint64_t attributes, uint64_t *ret_error_offset);
	int (*vm_signal_msi)(struct host *host, int vm, uint64_t address, uint32_t data);
	int (*vm_ioeventfd)(struct host *host, int vm, const struct kvm_ioeventfd *ioeventfd);
	/* vCPUs. */
	int (*vcpu_create)(struct host *host, int vm, uint32_t id, struct kvm_run **ret_run,
			   size_t *ret_run_bytes);
	void (*vcpu_close)(struct host *host, int vcpu, struct kvm_run *run);
	int (*vcpu_run)(struct host *host, int vcpu);
	int (*vcpu_enable_cap)(struct host *host, int vcpu, const struct kvm_enable_cap *cap);
	int (*vcpu_set_cpuid)(struct host *host, int vcpu, const struct kvm_cpuid2 *cpuid);
	int (*vcpu_get_regs)(struct host *host, int vcpu, struct kvm_regs *ret_regs);
	int (*vcpu_set_regs)(struct host *host, int vcpu, const struct kvm_regs *regs);
	int (*vcpu_get_sregs)(struct host *host, int vcpu, struct kvm_sregs *ret_sregs);
	int (*vcpu_set_sregs)(struct host *host, int vcpu, const struct kvm_sregs *sregs);
	int (*vcpu_set_msrs)(struct host *host, int vcpu, const struct kvm_msrs *msrs);
	int (*vcpu_set_mp_state)(struct host *host, int vcpu, uint32_t state);
	/* Memory and files. */
	int (*mem_create)(struct host *host, uint64_t size_bytes);
	int (*mem_discard)(struct host *host, int fd, struct range offset);
	int (*mem_map)(struct host *host, int fd, uint64_t offset, uint64_t size_bytes,
		       void **ret_hva);
	void (*mem_unmap)(struct host *host, void *hva, uint64_t size_bytes);
	void (*close)(struct host *host, int fd);
	/* Time and chance. */
	uint64_t (*clock_now_ns)(struct host *host);
	void (*clock_sleep_ns)(struct host *host, uint64_t ns);
	ssize_t (*random_fill)(struct host *host, void *buffer, size_t size_bytes);
	/* What devices reach: vmm/host_iommu.h. */
	const struct host_iommu_ops *iommu;
	/* Assigned devices: vmm/host_vfio.h. */
	const struct host_vfio_ops *vfio;
	/* Confidential guests: vmm/host_cc.h. */
	const struct host_cc_ops *cc;
};

/* Embedded in each implementation, which finds itself with container_of. */
struct host {
	const struct host_ops *ops;
};

/* --- The system: /dev/kvm --- */

/**
 * What the kernel answers for a capability (KVM_CHECK_EXTENSION, linux/kvm.h).
 *
 * @vm: ask for this VM; -1 asks for the system.
 * @capability: KVM_CAP_*.
 * Returns the (capability-specific) value, 0 when unknown, or -errno.
 */
static inline int host_kvm_check_extension(struct host *host, int vm, unsigned int capability)
{
	return host->ops->kvm_check_extension(host, vm, capability);
}

/**
 * The CPUID leaves KVM can give a guest (KVM_GET_SUPPORTED_CPUID).
 *
 * @cpuid: nent entries of room in, number of entries out.
 * Returns 0, -E2BIG (room too small; nothing written), -errno.
 */
static inline int host_kvm_get_supported_cpuid(struct host *host, struct kvm_cpuid2 *cpuid)
{
	return host->ops->kvm_get_supported_cpuid(host, cpuid);
}

/* --- Virtual machines --- */

/**
 * A new VM (KVM_CREATE_VM).
 *
 * @type: KVM_X86_DEFAULT_VM, KVM_X86_SW_PROTECTED_VM, ...
 * Returns its file descriptor (release it with host_close), or -errno.
 */
static inline int host_vm_create(struct host *host, unsigned long type)
{
	return host->ops->vm_create(host, type);
}

/**
 * Turn a capability on (KVM_ENABLE_CAP). Returns 0 or -errno; on error nothing changed.
 */
static inline int host_vm_enable_cap(struct host *host, int vm,
				     const struct kvm_enable_cap *cap)
{
	return host->ops->vm_enable_cap(host, vm, cap);
}

/**
 * Three pages KVM may use on Intel (KVM_SET_TSS_ADDR). Returns 0 or -errno.
 */
static inline int host_vm_set_tss_address(struct host *host, int vm, gpa_t gpa)
{
	return host->ops->vm_set_tss_address(host, vm, gpa);
}

/**
 * One page KVM may use on Intel (KVM_SET_IDENTITY_MAP_ADDR), before any vCPU exists.
 *
 * Returns 0 or -errno.
 */
static inline int host_vm_set_identity_map(struct host *host, int vm, gpa_t gpa)
{
	return host->ops->vm_set_identity_map(host, vm, gpa);
}

/**
 * Make, or with memory_size 0 delete, a memslot (KVM_SET_USER_MEMORY_REGION2).
 *
 * Returns 0, -EEXIST (overlaps another slot), -EINVAL, -errno. On error nothing changed.
 */
static inline int host_vm_set_memory_region(struct host *host, int vm,
					    const struct kvm_userspace_memory_region2 *region)
{
	return host->ops->vm_set_memory_region(host, vm, region);
}

/**
 * A guest_memfd of @size_bytes (KVM_CREATE_GUEST_MEMFD).
 *
 * @flags: GUEST_MEMFD_FLAG_*.
 * Returns its file descriptor (release it with host_close), -EINVAL (flag or size not known to
 * this kernel), -ENOTTY (kernel without guest_memfd), -errno.
 */
static inline int host_vm_create_guest_memfd(struct host *host, int vm, uint64_t size_bytes,
					     uint64_t flags)
{
	return host->ops->vm_create_guest_memfd(host, vm, size_bytes, flags);
}

/**
 * Say for a range whether its pages are private, where KVM keeps that per VM
 * (KVM_SET_MEMORY_ATTRIBUTES).
 *
 * @gpa: multiples of the granule, not empty.
 * @attributes: 0 or KVM_MEMORY_ATTRIBUTE_PRIVATE.
 * Returns 0; -EINVAL (attribute not known to this VM: also when the kernel keeps attributes per
 * guest_memfd), -ENOMEM, -errno. All pages change or none.
 */
static inline int host_vm_set_attributes(struct host *host, int vm, struct range gpa,
					 uint64_t attributes)
{
	return host->ops->vm_set_attributes(host, vm, gpa, attributes);
}

/**
 * The same, in place, where KVM keeps it per guest_memfd (KVM_SET_MEMORY_ATTRIBUTES2; see
 * vmm/kvm_inplace.h).
 *
 * @offset: bytes in the file; multiples of the granule, not empty.
 * @ret_error_offset: with -EAGAIN and -ENOMEM, the first page that is the reason.
 * Returns 0; -EAGAIN (to private only: a page is pinned, mapped by the kernel or otherwise in
 * use), -ENOTTY (this kernel does not convert in place), -EINVAL, -ENOMEM, -errno. All pages
 * change or none.
 */
static inline int host_gmem_set_attributes(struct host *host, int guest_memfd,
					   struct range offset, uint64_t attributes,
					   uint64_t *ret_error_offset)
{
	return host->ops->gmem_set_attributes(host, guest_memfd, offset, attributes,
					      ret_error_offset);
}

/**
 * Deliver one message-signalled interrupt (KVM_SIGNAL_MSI).
 *
 * Any thread. Returns 0 (also when the guest's APIC did not take it) or -errno.
 */
static inline int host_vm_signal_msi(struct host *host, int vm, uint64_t address, uint32_t data)
{
	return host->ops->vm_signal_msi(host, vm, address, data);
}

/**
 * Bind a guest address to an eventfd or (KVM_IOEVENTFD_FLAG_DEASSIGN) release it
 * (KVM_IOEVENTFD).
 *
 * Returns 0, -EEXIST, -ENOSPC, -errno; on error nothing changed.
 */
static inline int host_vm_ioeventfd(struct host *host, int vm,
				    const struct kvm_ioeventfd *ioeventfd)
{
	return host->ops->vm_ioeventfd(host, vm, ioeventfd);
}

/* --- vCPUs --- */

/**
 * A vCPU and its shared page (KVM_CREATE_VCPU, mmap).
 *
 * @id: also its APIC ID.
 * @ret_run: its shared area of @ret_run_bytes bytes, valid until host_vcpu_close.
 * Returns its file descriptor, or -errno with nothing left behind.
 */
static inline int host_vcpu_create(struct host *host, int vm, uint32_t id,
				   struct kvm_run **ret_run, size_t *ret_run_bytes)
{
	return host->ops->vcpu_create(host, vm, id, ret_run, ret_run_bytes);
}

/**
 * Undo host_vcpu_create. Never fails.
 */
static inline void host_vcpu_close(struct host *host, int vcpu, struct kvm_run *run)
{
	host->ops->vcpu_close(host, vcpu, run);
}

/**
 * Let the guest run (KVM_RUN).
 *
 * Returns 0 with kvm_run telling the exit; -EINTR (a signal, or immediate_exit); -EFAULT, which
 * comes *with* a valid KVM_EXIT_MEMORY_FAULT or else means a bad memslot; -errno.
 */
static inline int host_vcpu_run(struct host *host, int vcpu)
{
	return host->ops->vcpu_run(host, vcpu);
}

/**
 * Turn a capability of one vCPU on (KVM_ENABLE_CAP). Returns 0 or -errno; on error nothing
 * changed.
 */
static inline int host_vcpu_enable_cap(struct host *host, int vcpu,
				       const struct kvm_enable_cap *cap)
{
	return host->ops->vcpu_enable_cap(host, vcpu, cap);
}

/**
 * The CPUID leaves of a vCPU, before it first runs (KVM_SET_CPUID2). Returns 0 or -errno.
 */
static inline int host_vcpu_set_cpuid(struct host *host, int vcpu,
				      const struct kvm_cpuid2 *cpuid)
{
	return host->ops->vcpu_set_cpuid(host, vcpu, cpuid);
}

/**
 * General registers (KVM_GET_REGS). Returns 0 or -errno.
 */
static inline int host_vcpu_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs)
{
	return host->ops->vcpu_get_regs(host, vcpu, ret_regs);
}

/**
 * General registers (KVM_SET_REGS). Returns 0 or -errno.
 */
static inline int host_vcpu_set_regs(struct host *host, int vcpu, const struct kvm_regs *regs)
{
	return host->ops->vcpu_set_regs(host, vcpu, regs);
}

/**
 * Segment and control registers (KVM_GET_SREGS). Returns 0 or -errno.
 */
static inline int host_vcpu_get_sregs(struct host *host, int vcpu, struct kvm_sregs *ret_sregs)
{
	return host->ops->vcpu_get_sregs(host, vcpu, ret_sregs);
}

/**
 * Segment and control registers (KVM_SET_SREGS). Returns 0, -EINVAL (inconsistent), -errno.
 */
static inline int host_vcpu_set_sregs(struct host *host, int vcpu,
				      const struct kvm_sregs *sregs)
{
	return host->ops->vcpu_set_sregs(host, vcpu, sregs);
}

/**
 * Model-specific registers (KVM_SET_MSRS).
 *
 * Returns how many were set, in order, before the first that KVM refused; or -errno.
 */
static inline int host_vcpu_set_msrs(struct host *host, int vcpu, const struct kvm_msrs *msrs)
{
	return host->ops->vcpu_set_msrs(host, vcpu, msrs);
}

/**
 * KVM_MP_STATE_RUNNABLE, _UNINITIALIZED, ... (KVM_SET_MP_STATE). Returns 0 or -errno.
 */
static inline int host_vcpu_set_mp_state(struct host *host, int vcpu, uint32_t state)
{
	return host->ops->vcpu_set_mp_state(host, vcpu, state);
}

/* --- Memory and files --- */

/**
 * An anonymous file of @size_bytes (memfd_create), all holes.
 *
 * Returns its file descriptor (release it with host_close), or -errno.
 */
static inline int host_mem_create(struct host *host, uint64_t size_bytes)
{
	return host->ops->mem_create(host, size_bytes);
}

/**
 * Free the memory behind a part of a memfd or guest_memfd; it reads as zeroes afterwards
 * (FALLOC_FL_PUNCH_HOLE).
 *
 * @offset: bytes in the file; multiples of the granule.
 * Returns 0 or -errno with all as it was: both file systems check first and then cannot fail
 * (shmem_fallocate, kvm_gmem_punch_hole).
 */
static inline int host_mem_discard(struct host *host, int fd, struct range offset)
{
	return host->ops->mem_discard(host, fd, offset);
}

/**
 * Map a file shared and writable (mmap; MAP_SHARED, MAP_NORESERVE).
 *
 * @offset, @size_bytes: multiples of the granule.
 * Returns 0, -ENODEV (guest_memfd without MMAP), -ENOMEM, -errno.
 */
static inline int host_mem_map(struct host *host, int fd, uint64_t offset, uint64_t size_bytes,
			       void **ret_hva)
{
	return host->ops->mem_map(host, fd, offset, size_bytes, ret_hva);
}

/**
 * Undo host_mem_map. Never fails.
 */
static inline void host_mem_unmap(struct host *host, void *hva, uint64_t size_bytes)
{
	host->ops->mem_unmap(host, hva, size_bytes);
}

/**
 * Release a descriptor that a verb of this table made. Never fails.
 */
static inline void host_close(struct host *host, int fd)
{
	host->ops->close(host, fd);
}

/* --- Time and chance --- */

/**
 * CLOCK_MONOTONIC in ns.
 */
static inline uint64_t host_clock_now_ns(struct host *host)
{
	return host->ops->clock_now_ns(host);
}

/**
 * Let @ns pass, or less after a signal.
 */
static inline void host_clock_sleep_ns(struct host *host, uint64_t ns)
{
	host->ops->clock_sleep_ns(host, ns);
}

/**
 * Random bytes fit for cryptography (getrandom).
 *
 * Any size; may return fewer bytes than asked for after a signal.
 * Returns the number of bytes written, or -errno.
 */
static inline ssize_t host_random_fill(struct host *host, void *buffer, size_t size_bytes)
{
	return host->ops->random_fill(host, buffer, size_bytes);
}

/**
 * The real kernel: open /dev/kvm and check that it speaks API version 12.
 *
 * @ret_host: release it with host_linux_free after every descriptor.
 * Returns 0, or -errno with @err naming /dev/kvm, the cause and the cure; nothing is left open.
 */
int host_linux_new(struct host **ret_host, struct err *err);

/* Accepts NULL. */
void host_linux_free(struct host *host);

#endif
