// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Rules kept here come from linux/virt/kvm/kvm_main.c and guest_memfd.c as described in
 * Documentation/virt/kvm/api.rst; each refusal below names its reason.
 *
 * Descriptors are real ones (memfd, eventfd), so that they can be mapped and never collide with
 * the test's own. One mutex guards everything; the guest function runs without it.
 */
#include "tests/fake/fake_state.h"

#include <errno.h>
#include <linux/kvm_para.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

struct fake_fd *fake_fd_get(struct fake *fake, int fd, enum fake_kind kind)
{
	ASSERT(fd >= 0 && fd < FAKE_FDS_MAX);
	ASSERT(fake->fds[fd].kind == kind);
	return &fake->fds[fd];
}

int fake_fd_add(struct fake *fake, int fd, const struct fake_fd *description)
{
	ASSERT(fd >= 0 && fd < FAKE_FDS_MAX);
	ASSERT(fake->fds[fd].kind == FAKE_NOTHING);
	fake->fds[fd] = *description;
	return fd;
}

/* kvm_caps.supported_vm_types: a host with SNP also has guests of the older kinds. */
static int fake_get_vm_types(const struct fake *fake)
{
	int types = fake->traits.has_snp ? 1 << KVM_X86_SEV_VM | 1 << KVM_X86_SEV_ES_VM : 0;

	for (unsigned int type = 0; type <= KVM_X86_TDX_VM; type++)
		types |= fake_has_type(&fake->traits, type) << type;
	return types;
}

static int fake_kvm_check_extension(struct host *host, int vm, unsigned int capability)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	/* The system can do what some type of VM can. */
	bool has_cc = fake->traits.has_snp || fake->traits.has_tdx;
	unsigned long attributes_type = fake->traits.no_private_memory && !has_cc
						? KVM_X86_DEFAULT_VM
						: KVM_X86_SW_PROTECTED_VM;
	unsigned long flags_type = KVM_X86_DEFAULT_VM;

	if (vm >= 0)
		attributes_type = flags_type = fake_fd_get(fake, vm, FAKE_VM)->vm_type;
	switch (capability) {
	case KVM_CAP_VM_TYPES:
		return fake_get_vm_types(fake);
	case KVM_CAP_GUEST_MEMFD:
		return !fake->traits.no_guest_memfd;
	case KVM_CAP_GUEST_MEMFD_FLAGS:
		return (int)fake_gmem_flags(fake, flags_type);
	case KVM_CAP_MEMORY_ATTRIBUTES:
		return (int)fake_vm_attributes(fake, attributes_type);
	case KVM_CAP_USER_MEMORY2:
	case KVM_CAP_SPLIT_IRQCHIP:
	case KVM_CAP_TSC_DEADLINE_TIMER:
	case KVM_CAP_IOEVENTFD:
	case KVM_CAP_SIGNAL_MSI:
	case KVM_CAP_IMMEDIATE_EXIT:
	case KVM_CAP_PRE_FAULT_MEMORY:
	case KVM_CAP_X86_APIC_BUS_CYCLES_NS:
	case KVM_CAP_VM_TSC_CONTROL:
	case KVM_CAP_SYS_ATTRIBUTES:
		return 1;
	case KVM_CAP_EXIT_HYPERCALL:
		return 1 << KVM_HC_MAP_GPA_RANGE;
	case KVM_CAP_READONLY_MEM:
		return vm < 0 || !fake_is_protected_type(flags_type);
	case KVM_CAP_X2APIC_API:
		return KVM_X2APIC_API_USE_32BIT_IDS | KVM_X2APIC_API_DISABLE_BROADCAST_QUIRK;
	case KVM_CAP_MAX_VCPUS:
		return vm >= 0 && flags_type == KVM_X86_TDX_VM ? (int)fake->traits.tdx.max_vcpus
							       : FAKE_VCPUS_MAX;
	case KVM_CAP_NR_VCPUS:
		return FAKE_VCPUS_MAX;
	default:
		return 0;
	}
}

static int fake_vm_create(struct host *host, unsigned long type)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	if (!fake_has_type(&fake->traits, type))
		return -EINVAL;
	return fake_fd_add(
		fake, eventfd(0, EFD_CLOEXEC),
		&(struct fake_fd){.kind = FAKE_VM, .vm_type = type, .vm_state = fake_vm_new()});
}

static int fake_vm_enable_cap(struct host *host, int vm, const struct kvm_enable_cap *cap)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	int ret = fake_check_alive(fake, vm);

	if (ret)
		return ret;
	/* No flag is known to any capability that Alcove uses. */
	return cap->flags ? -EINVAL : fake_cc_enable_cap(fake, vm, cap);
}

static int fake_vm_set_address(struct host *host, int vm, gpa_t gpa)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake_fd_get(fake, vm, FAKE_VM);
	return gpa + 3 * GRANULE_BYTES > UINT64_C(0x100000000) ? -EINVAL : 0;
}

static int fake_vm_signal_msi(struct host *host, int vm, uint64_t address, uint32_t data)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake_fd_get(fake, vm, FAKE_VM);
	ASSERT(fake->n_msis < FAKE_MSIS_MAX);
	fake->msis[fake->n_msis++] = (struct fake_msi){.address = address, .data = data};
	return 0;
}

static bool ioeventfd_collides(const struct kvm_ioeventfd *a, const struct kvm_ioeventfd *b)
{
	uint32_t both = a->flags & b->flags;

	return a->addr == b->addr &&
	       (!a->len || !b->len ||
		(a->len == b->len &&
		 (!(both & KVM_IOEVENTFD_FLAG_DATAMATCH) || a->datamatch == b->datamatch)));
}

static int fake_vm_ioeventfd(struct host *host, int vm, const struct kvm_ioeventfd *ioeventfd)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct kvm_ioeventfd *room = NULL;

	fake_fd_get(fake, vm, FAKE_VM);
	for (size_t i = 0; i < FAKE_IOEVENTFDS_MAX; i++) {
		struct kvm_ioeventfd *other = &fake->ioeventfds[i];

		if (other->fd <= 0) {
			room = room ? room : other;
			continue;
		}
		if (!ioeventfd_collides(other, ioeventfd))
			continue;
		if (!(ioeventfd->flags & KVM_IOEVENTFD_FLAG_DEASSIGN))
			return -EEXIST;
		if (other->fd == ioeventfd->fd) {
			*other = (struct kvm_ioeventfd){0};
			return 0;
		}
	}
	if (ioeventfd->flags & KVM_IOEVENTFD_FLAG_DEASSIGN)
		return -ENOENT;
	if (!room)
		return -ENOSPC;
	*room = *ioeventfd;
	return 0;
}

static uint64_t fake_clock_now_ns(struct host *host)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake->now_ns += fake->traits.ns_per_look;
	return fake->now_ns;
}

static void fake_clock_sleep_ns(struct host *host, uint64_t ns)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake->now_ns += ns;
}

static ssize_t fake_random_fill(struct host *host, void *buffer, size_t size_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	for (size_t i = 0; i < size_bytes; i++)
		((unsigned char *)buffer)[i] = (unsigned char)(i * 167 + 13);
	return (ssize_t)size_bytes;
}

static const struct host_ops fake_ops = {
	.kvm_check_extension = fake_kvm_check_extension,
	.kvm_get_supported_cpuid = fake_kvm_get_supported_cpuid,
	.vm_create = fake_vm_create,
	.vm_enable_cap = fake_vm_enable_cap,
	.vm_set_tss_address = fake_vm_set_address,
	.vm_set_identity_map = fake_vm_set_address,
	.vm_set_memory_region = fake_vm_set_memory_region,
	.vm_create_guest_memfd = fake_vm_create_guest_memfd,
	.vm_set_attributes = fake_vm_set_attributes,
	.gmem_set_attributes = fake_gmem_set_attributes,
	.vm_signal_msi = fake_vm_signal_msi,
	.vm_ioeventfd = fake_vm_ioeventfd,
	.vcpu_create = fake_vcpu_create,
	.vcpu_close = fake_vcpu_close,
	.vcpu_run = fake_vcpu_run,
	.vcpu_enable_cap = fake_vcpu_enable_cap,
	.vcpu_set_cpuid = fake_vcpu_set_cpuid,
	.vcpu_get_regs = fake_vcpu_get_regs,
	.vcpu_set_regs = fake_vcpu_set_regs,
	.vcpu_get_sregs = fake_vcpu_get_sregs,
	.vcpu_set_sregs = fake_vcpu_set_sregs,
	.vcpu_set_msrs = fake_vcpu_set_msrs,
	.vcpu_set_mp_state = fake_vcpu_set_mp_state,
	.mem_create = fake_mem_create,
	.mem_discard = fake_mem_discard,
	.mem_map = fake_mem_map,
	.mem_unmap = fake_mem_unmap,
	.close = fake_close,
	.clock_now_ns = fake_clock_now_ns,
	.clock_sleep_ns = fake_clock_sleep_ns,
	.random_fill = fake_random_fill,
	.iommu = &fake_iommu_ops,
	.vfio = &fake_vfio_ops,
	.cc = &fake_cc_ops,
};

struct fake *fake_new(void)
{
	struct fake *fake = calloc(1, sizeof(*fake));

	ASSERT(fake);
	fake->host.ops = &fake_ops;
	fake->traits = (struct fake_traits){
		.gpa_bits = 40,
		.tsc_khz = 2000000,
		.iova_end = UINT64_C(1) << 48,
		.iova_alignment = GRANULE_BYTES,
		.iova_reserved = {.start = 0xfee00000, .end = 0xfef00000},
	};
	fake_cc_init_traits(&fake->traits);
	fake->now_ns = UINT64_C(1000000000);
	pthread_mutex_init(&fake->lock, NULL);
	return fake;
}

void fake_free(struct fake *fake)
{
	for (int fd = 0; fd < FAKE_FDS_MAX; fd++)
		ASSERT(fake->fds[fd].kind == FAKE_NOTHING);
	for (size_t i = 0; i < FAKE_MAPS_MAX; i++)
		ASSERT(!fake->maps[i].hva);
	ASSERT(fake->n_pins == 0);
	fake_devices_free(fake);
	ASSERT(fake->pinned_bytes == 0);
	if (fake->scratch)
		close(fake->scratch);
	pthread_mutex_destroy(&fake->lock);
	free(fake);
}
