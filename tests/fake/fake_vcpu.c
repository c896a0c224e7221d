// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vCPUs of the fake kernel. A guest is a function of the test. Registers are kept: they are
 * part of an SNP guest's measurement, and out of reach after it. Functions named in comments
 * are those of Linux 7.3.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fake/fake_cc_state.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

int fake_vcpu_create(struct host *host, int vm, uint32_t id, struct kvm_run **ret_run,
		     size_t *ret_run_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	int ret = fake_check_alive(fake, vm);
	struct kvm_run *run;

	if (!ret)
		ret = fake_cc_check_vcpu(fake, vm, id);
	if (ret)
		return ret;
	run = calloc(1, 3 * GRANULE_BYTES);
	ASSERT(run);
	*ret_run = run;
	*ret_run_bytes = 3 * GRANULE_BYTES;
	return fake_fd_add(fake, eventfd(0, EFD_CLOEXEC),
			   &(struct fake_fd){.kind = FAKE_VCPU,
					     .vm = vm,
					     .vcpu_id = id,
					     .run = run,
					     .vcpu_state = fake_vcpu_new(fake, vm, id)});
}

void fake_vcpu_close(struct host *host, int vcpu, struct kvm_run *run)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_fd *description = fake_fd_get(fake, vcpu, FAKE_VCPU);

	ASSERT(description->run == run);
	free(run);
	free(description->vcpu_state);
	*description = (struct fake_fd){0};
	close(vcpu);
}

/* --- KVM_RUN --- */

/* The values that an exit can be answered with. */
static bool is_answer(const struct kvm_run *run, uint32_t exit_reason)
{
	switch (exit_reason) {
	case KVM_EXIT_HYPERCALL: /* kvm_is_valid_map_gpa_range_ret */
		return !run->hypercall.ret || run->hypercall.ret == EINVAL ||
		       run->hypercall.ret == EAGAIN;
	case KVM_EXIT_SNP_REQ_CERTS: /* snp_complete_req_certs */
		return !run->snp_req_certs.ret || run->snp_req_certs.ret == ENOSPC ||
		       run->snp_req_certs.ret == EAGAIN || run->snp_req_certs.ret == EIO;
	default:
		return true;
	}
}

/*
 * What kvm_arch_vcpu_ioctl_run finds before the guest does anything. Returns 1 (go on), or
 * what KVM_RUN returns.
 */
static int check_run(struct fake *fake, int vcpu)
{
	const struct fake_fd *description = fake_fd_get(fake, vcpu, FAKE_VCPU);
	struct fake_vcpu *state = description->vcpu_state;
	const struct fake_fd *vm = &fake->fds[description->vm];
	struct kvm_run *run = description->run;
	uint32_t to_complete = state->to_complete;

	if (fake_check_alive(fake, vcpu))
		return -EIO;
	if (!fake_is_protected_type(vm->vm_type))
		return 1;
	/* kvm_sync_valid_fields: none. */
	if (run->kvm_valid_regs || run->kvm_dirty_regs)
		return -EINVAL;
	/* complete_userspace_io, also when it is to come back at once. */
	state->to_complete = 0;
	if (!is_answer(run, to_complete))
		return -EINVAL;
	if (__atomic_load_n(&run->immediate_exit, __ATOMIC_RELAXED))
		return -EINTR;
	/* sev_vcpu_needs_initialization (need_init), tdx_vcpu_needs_initialization. */
	if (vm->vm_type == KVM_X86_SNP_VM && !vm->vm_state->is_snp)
		return -EINVAL;
	if (vm->vm_type == KVM_X86_TDX_VM &&
	    (!state->is_initialized || !vm->vm_state->is_launched))
		return -EINVAL;
	/* VMRUN with a save area that firmware has not seen: VMEXIT_INVALID. */
	if (!state->is_protected || !vm->vm_state->is_launched) {
		run->exit_reason = KVM_EXIT_FAIL_ENTRY;
		run->fail_entry.hardware_entry_failure_reason = UINT64_MAX;
		return 0;
	}
	return 1;
}

/* The guest of the test says only what KVM would. Called with the lock. */
static void note_exit(struct fake *fake, const struct fake_fd *vcpu)
{
	uint32_t exit_reason = vcpu->run->exit_reason;

	/* Without KVM_SEV_SNP_ENABLE_REQ_CERTS KVM answers itself. */
	ASSERT(exit_reason != KVM_EXIT_SNP_REQ_CERTS ||
	       fake_vm_get(fake, vcpu->vm)->snp.has_req_certs);
	/* Without KVM_CAP_EXIT_HYPERCALL, too. */
	ASSERT(exit_reason != KVM_EXIT_HYPERCALL ||
	       fake_vm_get(fake, vcpu->vm)->exits_on_hypercall);
	vcpu->vcpu_state->to_complete = exit_reason;
}

int fake_vcpu_run(struct host *host, int vcpu)
{
	struct fake *fake = fake_of(host);
	struct fake_fd description;
	fake_guest_fn *guest_fn;
	void *guest;
	int ret;

	pthread_mutex_lock(&fake->lock);
	ret = check_run(fake, vcpu);
	description = *fake_fd_get(fake, vcpu, FAKE_VCPU);
	guest_fn = fake->guest_fn;
	guest = fake->guest;
	description.vcpu_state->is_running = ret == 1;
	pthread_mutex_unlock(&fake->lock);

	if (ret != 1)
		return ret;
	if (__atomic_load_n(&description.run->immediate_exit, __ATOMIC_RELAXED)) {
		ret = -EINTR;
	} else if (guest_fn) {
		ret = guest_fn(guest, description.vcpu_id, description.run);
	} else {
		description.run->exit_reason = KVM_EXIT_HLT;
		ret = 0;
	}
	WITH_LOCK(&fake->lock);
	description.vcpu_state->is_running = false;
	if (!ret && fake_is_protected_type(fake->fds[description.vm].vm_type))
		note_exit(fake, &description);
	return ret;
}

/* --- State --- */

/* The vCPU, when its VM is alive; else NULL. Called with the lock. */
static struct fake_vcpu *find_alive(struct fake *fake, int vcpu)
{
	struct fake_vcpu *state = fake_fd_get(fake, vcpu, FAKE_VCPU)->vcpu_state;

	return fake_check_alive(fake, vcpu) ? NULL : state;
}

/* kvm_vcpu_ioctl_enable_cap, of which Alcove uses one capability. */
int fake_vcpu_enable_cap(struct host *host, int vcpu, const struct kvm_enable_cap *cap)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state = find_alive(fake, vcpu);

	if (!state)
		return -EIO;
	if (cap->flags || cap->cap != KVM_CAP_ENFORCE_PV_FEATURE_CPUID)
		return -EINVAL;
	state->enforces_features = cap->args[0];
	return 0;
}

/* guest_pv_has. */
bool fake_does_feature(struct fake *fake, unsigned int vcpu_id, unsigned int feature)
{
	WITH_LOCK(&fake->lock);

	for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
		const struct fake_fd *vcpu = &fake->fds[fd];

		if (vcpu->kind == FAKE_VCPU && vcpu->vcpu_id == vcpu_id)
			return !vcpu->vcpu_state->enforces_features ||
			       (vcpu->vcpu_state->features & 1u << feature);
	}
	ASSERT(false);
	return false;
}

/* kvm_vcpu_ioctl_set_cpuid2, kvm_check_cpuid. */
int fake_vcpu_set_cpuid(struct host *host, int vcpu, const struct kvm_cpuid2 *cpuid)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state = find_alive(fake, vcpu);

	if (!state)
		return -EIO;
	if (cpuid->nent > 256)
		return -E2BIG;
	/* kvm_check_cpuid: dynamic features (AMX) take a permission that nobody asked for. */
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == 0xd && entry->index == 0 && (entry->eax & 1u << 18))
			return -EPERM;
	}
	state->has_x2apic = state->has_c_bit = false;
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == 1)
			state->has_x2apic = entry->ecx & 1u << 21;
		if (entry->function == 0x8000001f)
			state->has_c_bit = true;
		if (entry->function == 0x40000001)
			state->features = entry->eax;
	}
	return 0;
}

/* The state behind the verbs of registers: kvm_arch_vcpu_ioctl_{get,set}_{regs,sregs} and so
 * on. */
static int begin_registers(struct fake *fake, int vcpu, struct fake_vcpu **ret_state)
{
	*ret_state = find_alive(fake, vcpu);
	if (!*ret_state)
		return -EIO;
	return (*ret_state)->is_protected ? -EINVAL : 0;
}

int fake_vcpu_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state;
	int ret = begin_registers(fake, vcpu, &state);

	if (!ret)
		*ret_regs = state->registers.regs;
	return ret;
}

int fake_vcpu_set_regs(struct host *host, int vcpu, const struct kvm_regs *regs)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state;
	int ret = begin_registers(fake, vcpu, &state);

	if (!ret)
		state->registers.regs = *regs;
	return ret;
}

int fake_vcpu_get_sregs(struct host *host, int vcpu, struct kvm_sregs *ret_sregs)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state;
	int ret = begin_registers(fake, vcpu, &state);

	if (!ret)
		*ret_sregs = state->registers.sregs;
	return ret;
}

int fake_vcpu_set_sregs(struct host *host, int vcpu, const struct kvm_sregs *sregs)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	bool is_snp =
		fake->fds[fake_fd_get(fake, vcpu, FAKE_VCPU)->vm].vm_type == KVM_X86_SNP_VM;
	struct fake_vcpu *state;
	int ret = begin_registers(fake, vcpu, &state);

	if (ret)
		return ret;
	/* Long mode active needs paging and PAE (kvm_is_valid_sregs). */
	if ((sregs->efer & 0x400) && (!(sregs->cr0 & 0x80000000) || !(sregs->cr4 & 0x20)))
		return -EINVAL;
	/* kvm_vcpu_is_legal_cr3: the C-bit is known by a leaf of CPUID. */
	if (is_snp && (sregs->efer & 0x400) && !state->has_c_bit &&
	    (sregs->cr3 & UINT64_C(1) << 51))
		return -EINVAL;
	/* Legal, but then the APIC is off, and the guest's first interrupt is lost. */
	ASSERT(!is_snp || (sregs->apic_base & 0x800));
	state->registers.sregs = *sregs;
	return 0;
}

/* kvm_vcpu_ioctl_x86_set_debugregs. */
int fake_vcpu_set_debugregs(struct host *host, int vcpu, const struct kvm_debugregs *regs)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state;
	int ret = begin_registers(fake, vcpu, &state);

	if (ret)
		return ret;
	if (regs->flags || regs->dr6 >> 32 || regs->dr7 >> 32)
		return -EINVAL;
	/* Nobody has asked for breakpoints. */
	for (size_t i = 0; i < ARRAY_SIZE(regs->db); i++)
		ASSERT(regs->db[i] == 0);
	state->registers.state.dr6 = regs->dr6;
	state->registers.state.dr7 = regs->dr7;
	return 0;
}

/* kvm_vcpu_ioctl_x86_set_xsave, copy_uabi_to_xstate: what we know of legacy state. */
int fake_vcpu_set_xsave(struct host *host, int vcpu, const struct kvm_xsave *xsave)
{
	enum { FCW = 0, FSW = 2, MXCSR = 24, ST = 32, XSTATE_BV = 512, HEADER_END = 576 };
	static const uint8_t zeroes[XSTATE_BV - ST];
	const uint8_t *bytes = (const uint8_t *)xsave->region;
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state;
	uint64_t components;
	uint32_t mxcsr;
	int ret = begin_registers(fake, vcpu, &state);

	if (ret)
		return ret;
	memcpy(&components, bytes + XSTATE_BV, sizeof(components));
	memcpy(&mxcsr, bytes + MXCSR, sizeof(mxcsr));
	/* Guests have XCR0 as after a reset. The rest of the header is reserved. */
	if (components & ~UINT64_C(3) ||
	    memcmp(bytes + XSTATE_BV + 8, zeroes, HEADER_END - XSTATE_BV - 8) != 0 ||
	    (components && mxcsr >> 16))
		return -EINVAL;
	/* Registers that are not empty would be in the save area, too. */
	ASSERT(memcmp(bytes + FSW, zeroes, MXCSR - FSW) == 0);
	ASSERT(memcmp(bytes + ST, zeroes, XSTATE_BV - ST) == 0);
	if (components)
		state->registers.state.mxcsr = mxcsr;
	if (components & 1)
		memcpy(&state->registers.state.fcw, bytes + FCW, sizeof(uint16_t));
	return 0;
}

/* --- Model-specific registers --- */

struct msrs {
	uint32_t first, last;
};

/* tdx_has_emulated_msr without tdx_is_read_only_msr, as far as a VMM may want to set them. */
static const struct msrs td_msrs[] = {
	{0x1b, 0x1b},		  /* APIC_BASE */
	{0x3a, 0x3a},		  /* FEAT_CTL */
	{0x8b, 0x8b},		  /* UCODE_REV */
	{0x10a, 0x10a},		  /* ARCH_CAPABILITIES */
	{0xce, 0xce},		  /* PLATFORM_INFO */
	{0x140, 0x140},		  /* MISC_FEATURES_ENABLES */
	{0x179, 0x17b},		  /* MCG */
	{0x1a0, 0x1a0},		  /* MISC_ENABLE */
	{0x200, 0x26f},		  /* MTRR */
	{0x277, 0x277},		  /* PAT */
	{0x2ff, 0x2ff},		  /* MTRR_DEF_TYPE */
	{0x400, 0x47f},		  /* machine checks */
	{0x6e0, 0x6e0},		  /* TSC_DEADLINE */
	{0x4b564d05, 0x4b564d05}, /* KVM_POLL_CONTROL */
	{0xc0000080, 0xc0000080}, /* EFER */
};

/* sev_es_prevent_msr_access: what the guest itself has in its save area. */
static const struct msrs snp_protected_msrs[] = {
	{0x48, 0x49},		  /* SPEC_CTRL, PRED_CMD */
	{0x174, 0x176},		  /* SYSENTER */
	{0x1d9, 0x1de},		  /* DEBUGCTL, last branches */
	{0x277, 0x277},		  /* PAT */
	{0xda0, 0xda0},		  /* XSS */
	{0xc0000080, 0xc0000084}, /* EFER, STAR, LSTAR, CSTAR, SFMASK */
	{0xc0000100, 0xc0000103}, /* FS_BASE, GS_BASE, KERNEL_GS_BASE, TSC_AUX */
};

static bool has_msr(const struct msrs *table, size_t n, uint32_t index)
{
	for (size_t i = 0; i < n; i++) {
		if (index >= table[i].first && index <= table[i].last)
			return true;
	}
	return false;
}

int fake_vcpu_set_msrs(struct host *host, int vcpu, const struct kvm_msrs *msrs)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state = find_alive(fake, vcpu);
	unsigned long vm_type = fake->fds[fake->fds[vcpu].vm].vm_type;

	if (!state)
		return -EIO;
	for (uint32_t i = 0; i < msrs->nmsrs; i++) {
		uint32_t index = msrs->entries[i].index;

		if (vm_type == KVM_X86_TDX_VM && !has_msr(td_msrs, ARRAY_SIZE(td_msrs), index))
			return (int)i;
		if (vm_type == KVM_X86_SNP_VM && state->is_protected &&
		    has_msr(snp_protected_msrs, ARRAY_SIZE(snp_protected_msrs), index))
			return (int)i;
		if (index == 0x277)
			state->registers.state.pat = msrs->entries[i].data;
	}
	return (int)msrs->nmsrs;
}

int fake_vcpu_set_mp_state(struct host *host, int vcpu, uint32_t state)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	if (!find_alive(fake, vcpu))
		return -EIO;
	return state > KVM_MP_STATE_SIPI_RECEIVED ? -EINVAL : 0;
}
