// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What SNP guests and TDs have in common in the fake kernel. Rules are those of Linux 7.3,
 * arch/x86/kvm; each refusal names the function it comes from.
 */
#include "tests/fake/fake_cc_state.h"

#include <errno.h>
#include <linux/kvm_para.h>
#include <linux/psp-sev.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

#define FAKE_TCB UINT64_C(0xdb19000000000007)

enum {
	FAKE_API_MINOR = 55,
	FAKE_BUILD = 37,
};

/* --- What this kernel can do --- */

void fake_cc_init_traits(struct fake_traits *traits)
{
	static const struct kvm_cpuid_entry2 cpuid[] = {
		{.function = 1,
		 .eax = 0x0fff3fff,
		 .ebx = 0x00ff0000,
		 .ecx = 0x31244d88,
		 .edx = 0xb8400000},
		{.function = 4, .index = 0, .eax = 0xffffffff, .ebx = 0xffffffff},
		{.function = 4, .index = 1, .eax = 0xffffffff, .ebx = 0xffffffff},
		{.function = 7,
		 .index = 0,
		 .ebx = 0xd02b9b18,
		 .ecx = 0x02417f44,
		 .edx = 0x00054010},
		{.function = 7, .index = 2, .edx = 0x1f},
		{.function = 0x1f, .index = 0, .eax = 0x1f, .ebx = 0xffff, .ecx = 0xff00},
		{.function = 0x1f, .index = 1, .eax = 0x1f, .ebx = 0xffff, .ecx = 0xff00},
		{.function = 0x80000008, .eax = 0x00ff0000, .ebx = 0x200},
	};

	traits->snp = (struct fake_snp_traits){
		.vmsa_features = 1u << 5 | 1u << 9,
		.policy_bits = 0x3fbffff,
		.n_asids = 8,
		.api_minor = FAKE_API_MINOR,
	};
	traits->tdx = (struct fake_tdx_traits){
		.n_keys = 8,
		.max_vcpus = 64,
		.attributes = 1u << 28,
		.xfam = 0x602e7,
		.n_cpuid = ARRAY_SIZE(cpuid),
	};
	memcpy(traits->tdx.cpuid, cpuid, sizeof(cpuid));
}

bool fake_has_type(const struct fake_traits *traits, unsigned long vm_type)
{
	switch (vm_type) {
	case KVM_X86_DEFAULT_VM:
		return true;
	case KVM_X86_SW_PROTECTED_VM:
		return !traits->no_private_memory;
	case KVM_X86_SNP_VM:
		return traits->has_snp;
	case KVM_X86_TDX_VM:
		return traits->has_tdx;
	default:
		return false;
	}
}

bool fake_is_protected_type(unsigned long vm_type)
{
	return vm_type == KVM_X86_SNP_VM || vm_type == KVM_X86_TDX_VM;
}

/* --- VMs and vCPUs --- */

struct fake_vm *fake_vm_new(void)
{
	struct fake_vm *vm = calloc(1, sizeof(*vm));

	ASSERT(vm);
	return vm;
}

void fake_vm_free(struct fake *fake, struct fake_vm *vm)
{
	fake->n_snp_guests -= vm->is_snp;
	fake->n_tds -= vm->is_td;
	mrtd_fini(&vm->mrtd);
	free(vm);
}

struct fake_vm *fake_vm_get(struct fake *fake, int vm)
{
	return fake_fd_get(fake, vm, FAKE_VM)->vm_state;
}

int fake_check_alive(struct fake *fake, int fd)
{
	ASSERT(fd >= 0 && fd < FAKE_FDS_MAX);
	if (fake->fds[fd].kind == FAKE_VCPU)
		fd = fake->fds[fd].vm;
	return fd >= 0 && fake_vm_get(fake, fd)->is_dead ? -EIO : 0;
}

void fake_kill_vms(struct fake *fake)
{
	WITH_LOCK(&fake->lock);

	for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
		if (fake->fds[fd].kind == FAKE_VM)
			fake->fds[fd].vm_state->is_dead = true;
	}
}

/* kvm_vm_ioctl_enable_cap. */
int fake_cc_enable_cap(struct fake *fake, int vm, const struct kvm_enable_cap *cap)
{
	struct fake_vm *state = fake_vm_get(fake, vm);

	switch (cap->cap) {
	case KVM_CAP_SPLIT_IRQCHIP:
		if (cap->args[0] > 4096)
			return -EINVAL;
		if (state->has_split_irqchip || state->n_vcpus)
			return -EEXIST;
		state->has_split_irqchip = true;
		return 0;
	case KVM_CAP_EXIT_HYPERCALL:
		if (cap->args[0] & ~(UINT64_C(1) << KVM_HC_MAP_GPA_RANGE))
			return -EINVAL;
		state->exits_on_hypercall = cap->args[0];
		return 0;
	case KVM_CAP_X2APIC_API:
		return cap->args[0] & ~UINT64_C(0xf) ? -EINVAL : 0;
	case KVM_CAP_X86_APIC_BUS_CYCLES_NS:
		if (!cap->args[0] || cap->args[0] > UINT64_MAX / (UINT32_MAX * UINT64_C(128)))
			return -EINVAL;
		if (!state->has_split_irqchip)
			return -ENXIO;
		return state->n_vcpus ? -EINVAL : 0;
	default:
		return 0;
	}
}

/* kvm_vm_ioctl_create_vcpu, tdx_vcpu_create. */
int fake_cc_check_vcpu(struct fake *fake, int vm, uint32_t id)
{
	const struct fake_fd *description = fake_fd_get(fake, vm, FAKE_VM);
	const struct fake_vm *state = description->vm_state;
	bool is_tdx = description->vm_type == KVM_X86_TDX_VM;
	unsigned int max = is_tdx ? fake->traits.tdx.max_vcpus : FAKE_VCPUS_MAX;

	if (id >= 4096 || state->n_vcpus >= max)
		return -EINVAL;
	for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
		const struct fake_fd *other = &fake->fds[fd];

		if (other->kind == FAKE_VCPU && other->vm == vm && other->vcpu_id == id)
			return -EEXIST;
	}
	if (is_tdx && !state->is_td)
		return -EIO;
	return is_tdx && !state->has_split_irqchip ? -EINVAL : 0;
}

/* kvm_check_memory_region flags (kvm_arch_has_readonly_mem), kvm_arch_prepare_memory_region. */
int fake_cc_check_slot(struct fake *fake, int vm,
		       const struct kvm_userspace_memory_region2 *slot)
{
	const struct fake_fd *description = fake_fd_get(fake, vm, FAKE_VM);
	const struct fake_vm *state = description->vm_state;
	gpa_t last = slot->guest_phys_addr + slot->memory_size - 1;

	if (!fake_is_protected_type(description->vm_type))
		return 0;
	if (slot->flags & KVM_MEM_READONLY)
		return -EINVAL;
	/* Legal, but then the host's accesses to private pages are not KVM's business. */
	ASSERT(!(slot->flags & KVM_MEM_GUEST_MEMFD) || fake->traits.in_place ||
	       !fake_fd_get(fake, (int)slot->guest_memfd, FAKE_GUEST_MEMFD)->mappable);
	/* kvm_is_gfn_alias. */
	return state->is_td && (last >> (state->tdx.gpa_bits - 1)) & 1 ? -EINVAL : 0;
}

static struct kvm_segment reset_segment(uint8_t type, bool is_system)
{
	return (struct kvm_segment){
		.limit = 0xffff, .type = type, .present = 1, .s = !is_system};
}

/* init_vmcb and kvm_vcpu_reset, seen through svm_get_segment. */
static void reset_registers(struct fake_vcpu *vcpu, uint32_t id)
{
	struct kvm_segment data = reset_segment(3, false), code = reset_segment(10, false);

	code.selector = 0xf000;
	code.base = 0xffff0000;
	vcpu->registers.regs = (struct kvm_regs){.rip = 0xfff0, .rflags = 2, .rdx = 0x600};
	vcpu->registers.sregs = (struct kvm_sregs){
		.cs = code,
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		.ldt = reset_segment(2, true),
		.tr = reset_segment(3, true),
		.gdt.limit = 0xffff,
		.idt.limit = 0xffff,
		.cr0 = 0x60000010,
		.apic_base = 0xfee00800 | (id ? 0 : 0x100),
	};
	vcpu->registers.has_state = true;
	snp_state_reset(&vcpu->registers.state);
}

struct fake_vcpu *fake_vcpu_new(struct fake *fake, int vm, uint32_t id)
{
	const struct fake_fd *description = fake_fd_get(fake, vm, FAKE_VM);
	struct fake_vcpu *vcpu = calloc(1, sizeof(*vcpu));

	ASSERT(vcpu);
	reset_registers(vcpu, id);
	vcpu->index = description->vm_state->n_vcpus++;
	/* tdx_vcpu_create: KVM gives no TD the attribute DEBUG. */
	vcpu->is_protected = description->vm_type == KVM_X86_TDX_VM;
	return vcpu;
}

struct fake_vcpu *fake_vm_find_vcpu(struct fake *fake, int vm, unsigned int index)
{
	for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
		const struct fake_fd *description = &fake->fds[fd];

		if (description->kind == FAKE_VCPU && description->vm == vm &&
		    description->vcpu_state->index == index)
			return description->vcpu_state;
	}
	return NULL;
}

void fake_judge_idle(struct fake *fake, int vm)
{
	for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
		const struct fake_fd *description = &fake->fds[fd];

		ASSERT(description->kind != FAKE_VCPU || description->vm != vm ||
		       !description->vcpu_state->is_running);
	}
}

/* --- Verbs of both --- */

/* sev_dev_get_attr. */
static int get_sev_attr(const struct fake *fake, uint64_t attribute, uint64_t *ret_value)
{
	const struct fake_snp_traits *traits = &fake->traits.snp;

	switch (attribute) {
	case KVM_X86_SEV_VMSA_FEATURES:
		*ret_value = traits->vmsa_features;
		return 0;
	case KVM_X86_SNP_POLICY_BITS:
		*ret_value = traits->policy_bits;
		return 0;
	case KVM_X86_SEV_SNP_REQ_CERTS:
		*ret_value = 1;
		return traits->no_req_certs ? -ENXIO : 0;
	default:
		return -ENXIO;
	}
}

/* __kvm_x86_dev_get_attr: what a processor's vendor knows, and one of all of them. */
static int fake_get_attr(struct host *host, uint32_t group, uint64_t attribute,
			 uint64_t *ret_value)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	if (group == KVM_X86_GRP_SEV && fake->traits.has_snp)
		return get_sev_attr(fake, attribute, ret_value);
	if (group || attribute != KVM_X86_XCOMP_GUEST_SUPP)
		return -ENXIO;
	*ret_value = fake->traits.tdx.xfam;
	return 0;
}

int fake_sev_open(struct host *host)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	if (!fake->traits.has_snp || fake->traits.snp.no_device)
		return -ENOENT;
	return fake_fd_add(fake, eventfd(0, EFD_CLOEXEC), &(struct fake_fd){.kind = FAKE_SEV});
}

/* __sev_do_cmd_locked: what firmware refuses is -EIO. */
static int fake_sev_get_status(struct host *host, int sev,
			       struct sev_user_data_status *ret_status, uint32_t *ret_firmware)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake_fd_get(fake, sev, FAKE_SEV);
	*ret_firmware = 0;
	*ret_status = (struct sev_user_data_status){
		.api_major = 1, .api_minor = fake->traits.snp.api_minor, .build = FAKE_BUILD};
	return 0;
}

static int fake_snp_get_status(struct host *host, int sev,
			       struct sev_user_data_snp_status *ret_status,
			       uint32_t *ret_firmware)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	bool is_ready = !fake->traits.snp.is_uninitialized;

	fake_fd_get(fake, sev, FAKE_SEV);
	*ret_firmware = fake->traits.snp.status_refusal;
	if (*ret_firmware)
		return -EIO;
	*ret_status = (struct sev_user_data_snp_status){
		.api_major = 1,
		.api_minor = fake->traits.snp.api_minor,
		.state = is_ready,
		.is_rmp_initialized = is_ready,
		.build_id = FAKE_BUILD,
		.guest_count = fake->n_snp_guests,
		.current_tcb_version = FAKE_TCB,
		.reported_tcb_version = FAKE_TCB,
	};
	return 0;
}

const struct host_cc_ops fake_cc_ops = {
	.get_attr = fake_get_attr,
	.vcpu_set_debugregs = fake_vcpu_set_debugregs,
	.vcpu_set_xsave = fake_vcpu_set_xsave,
	.sev_open = fake_sev_open,
	.sev_get_status = fake_sev_get_status,
	.snp_get_status = fake_snp_get_status,
	.snp_init = fake_snp_init,
	.snp_enable_certs = fake_snp_enable_certs,
	.snp_launch_start = fake_snp_launch_start,
	.snp_launch_update = fake_snp_launch_update,
	.snp_launch_finish = fake_snp_launch_finish,
	.tdx_get_capabilities = fake_tdx_get_capabilities,
	.tdx_init_vm = fake_tdx_init_vm,
	.tdx_init_vcpu = fake_tdx_init_vcpu,
	.tdx_get_cpuid = fake_tdx_get_cpuid,
	.tdx_init_mem_region = fake_tdx_init_mem_region,
	.tdx_finalize_vm = fake_tdx_finalize_vm,
};
