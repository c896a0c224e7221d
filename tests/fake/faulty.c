// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/faulty_state.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

enum { ERRNOS_MAX = 4 };

/* What the docstrings of vmm/host.h name; for a bare "-errno", what the kernel is known for. */
static const struct {
	const char *name;
	int errnos[ERRNOS_MAX];
} verbs[VERB_COUNT] = {
	[VERB_KVM_CHECK_EXTENSION] = {"kvm_check_extension", {EINVAL}},
	[VERB_KVM_GET_SUPPORTED_CPUID] = {"kvm_get_supported_cpuid", {E2BIG, ENOMEM}},
	[VERB_VM_CREATE] = {"vm_create", {EINVAL, ENOMEM, EBUSY}},
	[VERB_VM_ENABLE_CAP] = {"vm_enable_cap", {EINVAL, EEXIST}},
	[VERB_VM_SET_TSS_ADDRESS] = {"vm_set_tss_address", {EINVAL}},
	[VERB_VM_SET_IDENTITY_MAP] = {"vm_set_identity_map", {EINVAL, EEXIST}},
	[VERB_VM_SET_MEMORY_REGION] = {"vm_set_memory_region", {EEXIST, EINVAL, ENOMEM}},
	[VERB_VM_CREATE_GUEST_MEMFD] = {"vm_create_guest_memfd",
					{EINVAL, ENOTTY, ENOMEM, EMFILE}},
	[VERB_VM_SET_ATTRIBUTES] = {"vm_set_attributes", {EINVAL, ENOMEM, ENOTTY}},
	[VERB_GMEM_SET_ATTRIBUTES] = {"gmem_set_attributes", {EAGAIN, ENOTTY, EINVAL, ENOMEM}},
	[VERB_VM_SIGNAL_MSI] = {"vm_signal_msi", {EINVAL}},
	[VERB_VM_IOEVENTFD] = {"vm_ioeventfd", {EEXIST, ENOSPC, ENOMEM}},
	[VERB_VCPU_CREATE] = {"vcpu_create", {EEXIST, ENOMEM, EMFILE}},
	[VERB_VCPU_RUN] = {"vcpu_run", {EINTR, EFAULT, EINVAL, ENOMEM}},
	[VERB_VCPU_SET_CPUID] = {"vcpu_set_cpuid", {EINVAL, ENOMEM}},
	[VERB_VCPU_GET_REGS] = {"vcpu_get_regs", {ENOMEM}},
	[VERB_VCPU_SET_REGS] = {"vcpu_set_regs", {ENOMEM}},
	[VERB_VCPU_GET_SREGS] = {"vcpu_get_sregs", {ENOMEM}},
	[VERB_VCPU_SET_SREGS] = {"vcpu_set_sregs", {EINVAL, ENOMEM}},
	[VERB_VCPU_SET_MSRS] = {"vcpu_set_msrs", {EINVAL, ENOMEM}},
	[VERB_VCPU_GET_TSC_KHZ] = {"vcpu_get_tsc_khz", {EIO}},
	[VERB_VCPU_SET_MP_STATE] = {"vcpu_set_mp_state", {EINVAL}},
	[VERB_MEM_CREATE] = {"mem_create", {ENOMEM, EMFILE}},
	[VERB_MEM_DISCARD] = {"mem_discard", {EPERM, ENOMEM}},
	[VERB_MEM_MAP] = {"mem_map", {ENODEV, ENOMEM}},
	[VERB_RANDOM_FILL] = {"random_fill", {EAGAIN, EINTR}},
	[VERB_IOMMU_OPEN] = {"iommu_open", {ENOENT, EACCES, EMFILE}},
	[VERB_IOMMU_IOAS_ALLOC] = {"iommu_ioas_alloc", {ENOMEM}},
	[VERB_IOMMU_SET_OPTION] = {"iommu_set_option", {EINVAL, EOPNOTSUPP}},
	[VERB_IOMMU_IOAS_ALLOW_IOVAS] = {"iommu_ioas_allow_iovas",
					 {EADDRINUSE, EINVAL, ENOMEM}},
	[VERB_IOMMU_IOAS_GET_IOVA_RANGES] = {"iommu_ioas_get_iova_ranges", {EMSGSIZE, ENOMEM}},
	[VERB_IOMMU_IOAS_MAP] = {"iommu_ioas_map", {EFAULT, ENOMEM, EBUSY}},
	[VERB_IOMMU_IOAS_UNMAP] = {"iommu_ioas_unmap", {EBUSY}},
	[VERB_IOMMU_COMPAT_SET_IOAS] = {"iommu_compat_set_ioas", {ENOENT}},
	[VERB_IOMMU_COMPAT_UNMAP] = {"iommu_compat_unmap", {ENOMEM, EBUSY}},
	[VERB_DEVICE_ATTACH_IOAS] = {"device_attach_ioas", {EADDRINUSE, EBUSY, EINVAL, ENOMEM}},
	[VERB_VM_SET_ROUTES] = {"vm_set_routes", {EINVAL, ENOMEM}},
	[VERB_VM_IRQFD] = {"vm_irqfd", {EBUSY, EINVAL, ENOMEM}},
	[VERB_VM_CREATE_VFIO] = {"vm_create_vfio", {EBUSY, ENODEV, ENOMEM, EMFILE}},
	[VERB_VM_VFIO_ADD] = {"vm_vfio_add", {EEXIST, EINVAL, ENOMEM}},
	[VERB_VFIO_OPEN] = {"vfio_open", {ENOENT, EACCES, EMFILE}},
	[VERB_VFIO_BIND] = {"vfio_bind", {EPERM, EBUSY, EINVAL, ENOMEM}},
	[VERB_VFIO_GET_INFO] = {"vfio_get_info", {EINVAL}},
	[VERB_VFIO_GET_REGION] = {"vfio_get_region", {EINVAL, ENOMEM}},
	[VERB_VFIO_GET_IRQ] = {"vfio_get_irq", {EINVAL}},
	[VERB_VFIO_SET_IRQS] = {"vfio_set_irqs", {EINVAL, ENOSPC, ENOMEM}},
	[VERB_VFIO_RESET] = {"vfio_reset", {EINVAL, EAGAIN, ENOTTY}},
	[VERB_VFIO_GET_HOT_RESET] = {"vfio_get_hot_reset", {ENODEV, ENOSPC, ENOMEM}},
	[VERB_VFIO_HOT_RESET] = {"vfio_hot_reset", {EINVAL, EAGAIN}},
	[VERB_VFIO_FEATURE] = {"vfio_feature", {ENOTTY, EINVAL}},
	[VERB_VFIO_READ] = {"vfio_read", {EIO, EINVAL}},
	[VERB_VFIO_WRITE] = {"vfio_write", {EIO, EINVAL}},
};

static unsigned int count_errnos(enum verb verb)
{
	unsigned int n = 0;

	while (n < ERRNOS_MAX && verbs[verb].errnos[n])
		n++;
	return n;
}

int faulty_next(struct faulty *faulty, enum verb verb)
{
	const struct fault *fault = &faulty->fault;
	WITH_LOCK(&faulty->lock);
	int errnum = fault->errnum;

	faulty->n_calls++;
	if (!fault->nth || faulty->n_calls < fault->nth ||
	    (faulty->n_calls - fault->nth > fault->n_more && !fault->for_ever))
		return 0;
	if (faulty->n_calls == fault->nth)
		faulty->verb = verb;
	/* Later calls of other verbs fail with what theirs have. */
	if (!errnum && fault->which < count_errnos(verb))
		errnum = verbs[verb].errnos[fault->which];
	else if (!errnum && faulty->n_calls > fault->nth)
		errnum = verbs[verb].errnos[0];
	faulty->n_fired += errnum != 0;
	return -errnum;
}

static int faulty_kvm_check_extension(struct host *host, int vm, unsigned int capability)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_KVM_CHECK_EXTENSION);

	return fault ? fault : host_kvm_check_extension(faulty->inner, vm, capability);
}

static int faulty_kvm_get_supported_cpuid(struct host *host, struct kvm_cpuid2 *cpuid)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_KVM_GET_SUPPORTED_CPUID);

	return fault ? fault : host_kvm_get_supported_cpuid(faulty->inner, cpuid);
}

static int faulty_vm_create(struct host *host, unsigned long type)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_CREATE);

	return fault ? fault : host_vm_create(faulty->inner, type);
}

static int faulty_vm_enable_cap(struct host *host, int vm, const struct kvm_enable_cap *cap)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_ENABLE_CAP);

	return fault ? fault : host_vm_enable_cap(faulty->inner, vm, cap);
}

static int faulty_vm_set_tss_address(struct host *host, int vm, gpa_t gpa)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_SET_TSS_ADDRESS);

	return fault ? fault : host_vm_set_tss_address(faulty->inner, vm, gpa);
}

static int faulty_vm_set_identity_map(struct host *host, int vm, gpa_t gpa)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_SET_IDENTITY_MAP);

	return fault ? fault : host_vm_set_identity_map(faulty->inner, vm, gpa);
}

static int faulty_vm_set_memory_region(struct host *host, int vm,
				       const struct kvm_userspace_memory_region2 *region)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_SET_MEMORY_REGION);

	return fault ? fault : host_vm_set_memory_region(faulty->inner, vm, region);
}

static int faulty_vm_create_guest_memfd(struct host *host, int vm, uint64_t size_bytes,
					uint64_t flags)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_CREATE_GUEST_MEMFD);

	return fault ? fault : host_vm_create_guest_memfd(faulty->inner, vm, size_bytes, flags);
}

static int faulty_vm_set_attributes(struct host *host, int vm, struct range gpa,
				    uint64_t attributes)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_SET_ATTRIBUTES);

	return fault ? fault : host_vm_set_attributes(faulty->inner, vm, gpa, attributes);
}

static int faulty_gmem_set_attributes(struct host *host, int guest_memfd, struct range offset,
				      uint64_t attributes, uint64_t *ret_error_offset)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_GMEM_SET_ATTRIBUTES);

	/* The struct is written back where the change itself fails. */
	if (fault == -EAGAIN || fault == -ENOMEM)
		*ret_error_offset = offset.start;
	return fault ? fault
		     : host_gmem_set_attributes(faulty->inner, guest_memfd, offset, attributes,
						ret_error_offset);
}

static int faulty_vm_signal_msi(struct host *host, int vm, uint64_t address, uint32_t data)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_SIGNAL_MSI);

	return fault ? fault : host_vm_signal_msi(faulty->inner, vm, address, data);
}

static int faulty_vm_ioeventfd(struct host *host, int vm, const struct kvm_ioeventfd *ioeventfd)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_IOEVENTFD);

	return fault ? fault : host_vm_ioeventfd(faulty->inner, vm, ioeventfd);
}

static int faulty_vcpu_create(struct host *host, int vm, uint32_t id, struct kvm_run **ret_run,
			      size_t *ret_run_bytes)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_CREATE);

	return fault ? fault : host_vcpu_create(faulty->inner, vm, id, ret_run, ret_run_bytes);
}

static void faulty_vcpu_close(struct host *host, int vcpu, struct kvm_run *run)
{
	host_vcpu_close(faulty_of(host)->inner, vcpu, run);
}

static int faulty_vcpu_run(struct host *host, int vcpu)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_RUN);

	return fault ? fault : host_vcpu_run(faulty->inner, vcpu);
}

static int faulty_vcpu_set_cpuid(struct host *host, int vcpu, const struct kvm_cpuid2 *cpuid)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_SET_CPUID);

	return fault ? fault : host_vcpu_set_cpuid(faulty->inner, vcpu, cpuid);
}

static int faulty_vcpu_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_GET_REGS);

	return fault ? fault : host_vcpu_get_regs(faulty->inner, vcpu, ret_regs);
}

static int faulty_vcpu_set_regs(struct host *host, int vcpu, const struct kvm_regs *regs)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_SET_REGS);

	return fault ? fault : host_vcpu_set_regs(faulty->inner, vcpu, regs);
}

static int faulty_vcpu_get_sregs(struct host *host, int vcpu, struct kvm_sregs *ret_sregs)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_GET_SREGS);

	return fault ? fault : host_vcpu_get_sregs(faulty->inner, vcpu, ret_sregs);
}

static int faulty_vcpu_set_sregs(struct host *host, int vcpu, const struct kvm_sregs *sregs)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_SET_SREGS);

	return fault ? fault : host_vcpu_set_sregs(faulty->inner, vcpu, sregs);
}

static int faulty_vcpu_set_msrs(struct host *host, int vcpu, const struct kvm_msrs *msrs)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_SET_MSRS);

	return fault ? fault : host_vcpu_set_msrs(faulty->inner, vcpu, msrs);
}

static int faulty_vcpu_get_tsc_khz(struct host *host, int vcpu)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_GET_TSC_KHZ);

	return fault ? fault : host_vcpu_get_tsc_khz(faulty->inner, vcpu);
}

static int faulty_vcpu_set_mp_state(struct host *host, int vcpu, uint32_t state)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_SET_MP_STATE);

	return fault ? fault : host_vcpu_set_mp_state(faulty->inner, vcpu, state);
}

static int faulty_mem_create(struct host *host, uint64_t size_bytes)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_MEM_CREATE);

	return fault ? fault : host_mem_create(faulty->inner, size_bytes);
}

static int faulty_mem_discard(struct host *host, int fd, struct range offset)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_MEM_DISCARD);

	return fault ? fault : host_mem_discard(faulty->inner, fd, offset);
}

static int faulty_mem_map(struct host *host, int fd, uint64_t offset, uint64_t size_bytes,
			  void **ret_hva)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_MEM_MAP);

	return fault ? fault : host_mem_map(faulty->inner, fd, offset, size_bytes, ret_hva);
}

static void faulty_mem_unmap(struct host *host, void *hva, uint64_t size_bytes)
{
	host_mem_unmap(faulty_of(host)->inner, hva, size_bytes);
}

static void faulty_close(struct host *host, int fd)
{
	host_close(faulty_of(host)->inner, fd);
}

static uint64_t faulty_clock_now_ns(struct host *host)
{
	return host_clock_now_ns(faulty_of(host)->inner);
}

static void faulty_clock_sleep_ns(struct host *host, uint64_t ns)
{
	host_clock_sleep_ns(faulty_of(host)->inner, ns);
}

static ssize_t faulty_random_fill(struct host *host, void *buffer, size_t size_bytes)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_RANDOM_FILL);

	return fault ? fault : host_random_fill(faulty->inner, buffer, size_bytes);
}

static const struct host_ops faulty_ops = {
	.kvm_check_extension = faulty_kvm_check_extension,
	.kvm_get_supported_cpuid = faulty_kvm_get_supported_cpuid,
	.vm_create = faulty_vm_create,
	.vm_enable_cap = faulty_vm_enable_cap,
	.vm_set_tss_address = faulty_vm_set_tss_address,
	.vm_set_identity_map = faulty_vm_set_identity_map,
	.vm_set_memory_region = faulty_vm_set_memory_region,
	.vm_create_guest_memfd = faulty_vm_create_guest_memfd,
	.vm_set_attributes = faulty_vm_set_attributes,
	.gmem_set_attributes = faulty_gmem_set_attributes,
	.vm_signal_msi = faulty_vm_signal_msi,
	.vm_ioeventfd = faulty_vm_ioeventfd,
	.vcpu_create = faulty_vcpu_create,
	.vcpu_close = faulty_vcpu_close,
	.vcpu_run = faulty_vcpu_run,
	.vcpu_set_cpuid = faulty_vcpu_set_cpuid,
	.vcpu_get_regs = faulty_vcpu_get_regs,
	.vcpu_set_regs = faulty_vcpu_set_regs,
	.vcpu_get_sregs = faulty_vcpu_get_sregs,
	.vcpu_set_sregs = faulty_vcpu_set_sregs,
	.vcpu_set_msrs = faulty_vcpu_set_msrs,
	.vcpu_get_tsc_khz = faulty_vcpu_get_tsc_khz,
	.vcpu_set_mp_state = faulty_vcpu_set_mp_state,
	.mem_create = faulty_mem_create,
	.mem_discard = faulty_mem_discard,
	.mem_map = faulty_mem_map,
	.mem_unmap = faulty_mem_unmap,
	.close = faulty_close,
	.clock_now_ns = faulty_clock_now_ns,
	.clock_sleep_ns = faulty_clock_sleep_ns,
	.random_fill = faulty_random_fill,
	.iommu = &faulty_iommu_ops,
	.vfio = &faulty_vfio_ops,
};

struct faulty *faulty_new(struct host *inner)
{
	struct faulty *faulty = calloc(1, sizeof(*faulty));

	ASSERT(faulty);
	faulty->host.ops = &faulty_ops;
	faulty->inner = inner;
	faulty->verb = VERB_COUNT;
	pthread_mutex_init(&faulty->lock, NULL);
	return faulty;
}

void faulty_free(struct faulty *faulty)
{
	pthread_mutex_destroy(&faulty->lock);
	free(faulty);
}

struct host *faulty_host(struct faulty *faulty)
{
	return &faulty->host;
}

void faulty_arm(struct faulty *faulty, struct fault fault)
{
	WITH_LOCK(&faulty->lock);

	faulty->fault = fault;
	faulty->n_calls = 0;
	faulty->n_fired = 0;
	faulty->verb = VERB_COUNT;
}

unsigned int faulty_count_fired(struct faulty *faulty)
{
	WITH_LOCK(&faulty->lock);

	return faulty->n_fired;
}

unsigned int faulty_count_calls(struct faulty *faulty)
{
	WITH_LOCK(&faulty->lock);

	return faulty->n_calls;
}

const char *faulty_get_verb(struct faulty *faulty, unsigned int *ret_n_errnos)
{
	WITH_LOCK(&faulty->lock);

	*ret_n_errnos = faulty->verb < VERB_COUNT ? count_errnos(faulty->verb) : 0;
	return faulty->verb < VERB_COUNT ? verbs[faulty->verb].name : NULL;
}
