// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/faulty_state.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

enum { ERRNOS_MAX = 6 };

/* What the docstrings of vmm/host.h name; for a bare "-errno", what the kernel is known for. */
static const int errnos[VERB_COUNT][ERRNOS_MAX] = {
	[VERB_KVM_CHECK_EXTENSION] = {EINVAL},
	[VERB_KVM_GET_SUPPORTED_CPUID] = {E2BIG, ENOMEM},
	[VERB_VM_CREATE] = {EINVAL, ENOMEM, EBUSY},
	[VERB_VM_ENABLE_CAP] = {EINVAL, EEXIST},
	[VERB_VM_SET_TSS_ADDRESS] = {EINVAL},
	[VERB_VM_SET_IDENTITY_MAP] = {EINVAL, EEXIST},
	[VERB_VM_SET_MEMORY_REGION] = {EEXIST, EINVAL, ENOMEM},
	[VERB_VM_CREATE_GUEST_MEMFD] = {EINVAL, ENOTTY, ENOMEM, EMFILE},
	[VERB_VM_SET_ATTRIBUTES] = {EINVAL, ENOMEM, ENOTTY},
	[VERB_GMEM_SET_ATTRIBUTES] = {EAGAIN, ENOTTY, EINVAL, ENOMEM},
	[VERB_VM_SIGNAL_MSI] = {EINVAL},
	[VERB_VM_IOEVENTFD] = {EEXIST, ENOSPC, ENOMEM},
	[VERB_VCPU_CREATE] = {EEXIST, ENOMEM, EMFILE},
	[VERB_VCPU_RUN] = {EINTR, EFAULT, EINVAL, ENOMEM},
	[VERB_VCPU_ENABLE_CAP] = {EINVAL},
	[VERB_VCPU_SET_CPUID] = {EINVAL, ENOMEM},
	[VERB_VCPU_GET_REGS] = {ENOMEM},
	[VERB_VCPU_SET_REGS] = {ENOMEM},
	[VERB_VCPU_GET_SREGS] = {ENOMEM},
	[VERB_VCPU_SET_SREGS] = {EINVAL, ENOMEM},
	[VERB_VCPU_SET_MSRS] = {EINVAL, ENOMEM},
	[VERB_VCPU_SET_MP_STATE] = {EINVAL},
	[VERB_MEM_CREATE] = {ENOMEM, EMFILE},
	[VERB_MEM_DISCARD] = {EPERM, ENOMEM},
	[VERB_MEM_MAP] = {ENODEV, ENOMEM},
	[VERB_RANDOM_FILL] = {EAGAIN, EINTR},
	[VERB_IOMMU_OPEN] = {ENOENT, EACCES, EMFILE},
	[VERB_IOMMU_IOAS_ALLOC] = {ENOMEM},
	[VERB_IOMMU_SET_OPTION] = {EINVAL, EOPNOTSUPP},
	[VERB_IOMMU_IOAS_ALLOW_IOVAS] = {EADDRINUSE, EINVAL, ENOMEM},
	[VERB_IOMMU_IOAS_GET_IOVA_RANGES] = {EMSGSIZE, ENOMEM},
	[VERB_IOMMU_IOAS_MAP] = {EFAULT, ENOMEM, EBUSY},
	[VERB_IOMMU_IOAS_UNMAP] = {EBUSY},
	[VERB_IOMMU_COMPAT_SET_IOAS] = {ENOENT},
	[VERB_IOMMU_COMPAT_UNMAP] = {ENOMEM, EBUSY},
	[VERB_DEVICE_ATTACH_IOAS] = {EADDRINUSE, EBUSY, EINVAL, ENOMEM},
	[VERB_VM_SET_ROUTES] = {EINVAL, ENOMEM},
	[VERB_VM_IRQFD] = {EBUSY, EINVAL, ENOMEM},
	[VERB_VM_CREATE_VFIO] = {EBUSY, ENODEV, ENOMEM, EMFILE},
	[VERB_VM_VFIO_ADD] = {EEXIST, EINVAL, ENOMEM},
	[VERB_VFIO_OPEN] = {ENOENT, EACCES, EMFILE},
	[VERB_VFIO_BIND] = {EPERM, EBUSY, EINVAL, ENOMEM},
	[VERB_VFIO_GET_INFO] = {EINVAL},
	[VERB_VFIO_GET_REGION] = {EINVAL, ENOMEM},
	[VERB_VFIO_GET_IRQ] = {EINVAL},
	[VERB_VFIO_SET_IRQS] = {EINVAL, ENOSPC, ENOMEM},
	[VERB_VFIO_RESET] = {EINVAL, EAGAIN, ENOTTY},
	[VERB_VFIO_GET_HOT_RESET] = {ENODEV, ENOSPC, ENOMEM},
	[VERB_VFIO_HOT_RESET] = {EINVAL, EAGAIN},
	[VERB_VFIO_READ] = {EIO, EINVAL},
	[VERB_VFIO_WRITE] = {EIO, EINVAL},
	[VERB_CC_GET_ATTR] = {ENXIO, ENOTTY},
	[VERB_VCPU_SET_DEBUGREGS] = {EINVAL},
	[VERB_VCPU_SET_XSAVE] = {EINVAL, ENOMEM},
	[VERB_SEV_OPEN] = {ENOENT, EACCES, EMFILE},
	[VERB_SEV_GET_STATUS] = {EIO, ENODEV},
	[VERB_SNP_GET_STATUS] = {EIO, ENODEV, EINVAL},
	[VERB_SNP_INIT] = {EINVAL, EPERM, EBUSY, ENOTTY, ENOMEM},
	[VERB_SNP_ENABLE_CERTS] = {EINVAL},
	[VERB_SNP_LAUNCH_START] = {EINVAL, EIO, ENOTTY, ENOMEM},
	[VERB_SNP_LAUNCH_UPDATE] = {EIO, EINVAL, EAGAIN, ENOMEM},
	[VERB_SNP_LAUNCH_FINISH] = {EIO, EINVAL, ENOMEM},
	[VERB_TDX_GET_CAPABILITIES] = {E2BIG, EIO, ENOMEM},
	[VERB_TDX_INIT_VM] = {EAGAIN, EINVAL, ENOSPC, EBUSY, EIO},
	[VERB_TDX_INIT_VCPU] = {EINVAL, EIO, ENOMEM},
	[VERB_TDX_GET_CPUID] = {E2BIG, EIO, ENOMEM},
	[VERB_TDX_INIT_MEM_REGION] = {EINTR, EAGAIN, EBUSY, EINVAL, EOPNOTSUPP, EIO},
	[VERB_TDX_FINALIZE_VM] = {EBUSY, EINVAL, EIO},
};

static unsigned int count_errnos(enum verb verb)
{
	unsigned int n = 0;

	while (n < ERRNOS_MAX && errnos[verb][n])
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
		errnum = errnos[verb][fault->which];
	else if (!errnum && faulty->n_calls > fault->nth)
		errnum = errnos[verb][0];
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

static int faulty_vcpu_enable_cap(struct host *host, int vcpu, const struct kvm_enable_cap *cap)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_ENABLE_CAP);

	return fault ? fault : host_vcpu_enable_cap(faulty->inner, vcpu, cap);
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
	.vcpu_enable_cap = faulty_vcpu_enable_cap,
	.vcpu_set_cpuid = faulty_vcpu_set_cpuid,
	.vcpu_get_regs = faulty_vcpu_get_regs,
	.vcpu_set_regs = faulty_vcpu_set_regs,
	.vcpu_get_sregs = faulty_vcpu_get_sregs,
	.vcpu_set_sregs = faulty_vcpu_set_sregs,
	.vcpu_set_msrs = faulty_vcpu_set_msrs,
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
	.cc = &faulty_cc_ops,
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
	return faulty->verb < VERB_COUNT ? verb_name(faulty->verb) : NULL;
}
