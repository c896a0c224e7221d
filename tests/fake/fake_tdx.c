// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TDX of the fake kernel: arch/x86/kvm/vmx/tdx.c in front, a TDX module behind it that keeps
 * MRTD (Intel TDX Module Base Specification, 12.2).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake_cc_state.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

/* asm/shared/tdx_errno.h; operands as the module numbers them. */
#define TDX_OPERAND_INVALID UINT64_C(0xc000010000000000)

enum {
	OPERAND_XFAM = 65,
	OPERAND_CPUID_CONFIG = 69,
	OPERAND_TSC_FREQUENCY = 70,
	CPUID_ENTRIES_MAX = 256,
	TSC_STEP_KHZ = 25000,
};

#define XFAM_ALWAYS	    UINT64_C(0x3)
#define XFAM_AVX	    UINT64_C(0x4)
#define XFAM_AVX512	    UINT64_C(0xe0)
#define XFAM_CET	    UINT64_C(0x1800)
#define XFAM_AMX	    UINT64_C(0x60000)
#define XFAM_XCR0	    UINT64_C(0x602e7)

#define CPUID_7_EBX_TSX	    (1u << 4 | 1u << 11)
#define CPUID_7_ECX_WAITPKG (1u << 5)

/* --- Configuration --- */

/* td_init_cpuid_entry2. */
static struct kvm_cpuid_entry2 configurable(const struct fake *fake, unsigned int i)
{
	struct kvm_cpuid_entry2 entry = fake->traits.tdx.cpuid[i];

	if (entry.function == 0x80000008)
		entry.eax |= 0xff0000;
	if (entry.function == 7 && entry.index == 0) {
		entry.ebx &= ~CPUID_7_EBX_TSX;
		entry.ecx &= ~CPUID_7_ECX_WAITPKG;
	}
	return entry;
}

/* tdx_get_capabilities: it does not say how much room it wants. */
int fake_tdx_get_capabilities(struct host *host, int vm,
			      struct kvm_tdx_capabilities *capabilities, uint64_t *ret_module)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	const struct fake_tdx_traits *traits = &fake->traits.tdx;
	int ret = fake_check_alive(fake, vm);

	*ret_module = 0;
	if (ret)
		return ret;
	/* An ioctl that only the operations of TDs know. */
	if (fake->fds[vm].vm_type != KVM_X86_TDX_VM)
		return -ENOTTY;
	if (capabilities->cpuid.nent < traits->n_cpuid)
		return -E2BIG;
	*capabilities = (struct kvm_tdx_capabilities){
		.supported_attrs = traits->attributes,
		.supported_xfam = traits->xfam,
		.user_tdvmcallinfo_1_r11 = 1u << 1,
		.cpuid.nent = traits->n_cpuid,
	};
	for (unsigned int i = 0; i < traits->n_cpuid; i++)
		capabilities->cpuid.entries[i] = configurable(fake, i);
	return 0;
}

/* kvm_find_cpuid_entry2: an entry that has no index is that of all. */
static const struct kvm_cpuid_entry2 *find_entry(const struct kvm_tdx_init_vm *init,
						 uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < init->cpuid.nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &init->cpuid.entries[i];

		if (entry->function == function &&
		    (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
		     entry->index == index))
			return entry;
	}
	return NULL;
}

/* setup_tdparams_eptp_controls. */
static int setup_gpa_bits(struct fake *fake, struct fake_vm *vm,
			  const struct kvm_tdx_init_vm *init)
{
	const struct kvm_cpuid_entry2 *entry = find_entry(init, 0x80000008, 0);
	unsigned int gpa_bits = entry ? entry->eax >> 16 & 0xff : 0;

	if (gpa_bits != 48 && (gpa_bits != 52 || fake->traits.tdx.no_ept5))
		return -EINVAL;
	vm->tdx.gpa_bits = gpa_bits;
	return 0;
}

/* setup_tdparams_cpuids: what is not in the list has no place to go. */
static int setup_cpuid(struct fake *fake, struct fake_vm *vm,
		       const struct kvm_tdx_init_vm *init)
{
	unsigned int n_copied = 0;

	for (unsigned int i = 0; i < fake->traits.tdx.n_cpuid; i++) {
		struct kvm_cpuid_entry2 mask = configurable(fake, i);
		const struct kvm_cpuid_entry2 *entry =
			find_entry(init, mask.function, mask.index);

		vm->cpuid[i] = (struct kvm_cpuid_entry2){.function = mask.function,
							 .index = mask.index};
		if (!entry)
			continue;
		if (entry->function == 7 && entry->index == 0 &&
		    ((entry->ebx & CPUID_7_EBX_TSX) || (entry->ecx & CPUID_7_ECX_WAITPKG)))
			return -EINVAL;
		n_copied++;
		vm->cpuid[i].eax = entry->eax;
		vm->cpuid[i].ebx = entry->ebx;
		vm->cpuid[i].ecx = entry->ecx;
		vm->cpuid[i].edx = entry->edx;
	}
	return n_copied == init->cpuid.nent ? 0 : -EINVAL;
}

/* What kvm and setup_tdparams check before the module is asked. */
static int init_vm_check(struct fake *fake, struct fake_vm *vm,
			 const struct kvm_tdx_init_vm *init)
{
	int ret;

	if (vm->is_td)
		return -EINVAL;
	if (init->cpuid.nent > CPUID_ENTRIES_MAX)
		return -E2BIG;
	for (size_t i = 0; i < ARRAY_SIZE(init->reserved); i++) {
		if (init->reserved[i])
			return -EINVAL;
	}
	if (init->cpuid.padding)
		return -EINVAL;
	if (vm->n_vcpus)
		return -EBUSY;
	if ((init->attributes & ~fake->traits.tdx.attributes) ||
	    (init->xfam & ~fake->traits.tdx.xfam))
		return -EINVAL;
	ret = setup_gpa_bits(fake, vm, init);
	return ret ? ret : setup_cpuid(fake, vm, init);
}

/* --- The module --- */

/* Features that come together or need another one. */
static bool xfam_is_valid(uint64_t xfam)
{
	uint64_t avx512 = xfam & XFAM_AVX512, cet = xfam & XFAM_CET, amx = xfam & XFAM_AMX;

	return (!avx512 || (avx512 == XFAM_AVX512 && (xfam & XFAM_AVX))) &&
	       (!cet || cet == XFAM_CET) && (!amx || amx == XFAM_AMX);
}

/* TDH.MNG.INIT. Returns its status. */
static uint64_t module_init(struct fake *fake, const struct fake_vm *vm, uint64_t xfam)
{
	unsigned int tsc_steps = fake->traits.tsc_khz / TSC_STEP_KHZ;

	if (!xfam_is_valid(xfam))
		return TDX_OPERAND_INVALID | OPERAND_XFAM;
	for (unsigned int i = 0; i < fake->traits.tdx.n_cpuid; i++) {
		struct kvm_cpuid_entry2 mask = configurable(fake, i), value = vm->cpuid[i];

		if ((value.eax & ~mask.eax) || (value.ebx & ~mask.ebx) ||
		    (value.ecx & ~mask.ecx) || (value.edx & ~mask.edx))
			return TDX_OPERAND_INVALID | OPERAND_CPUID_CONFIG;
	}
	return tsc_steps < 4 || tsc_steps > 400 ? TDX_OPERAND_INVALID | OPERAND_TSC_FREQUENCY
						: 0;
}

/* __tdx_td_init. */
static int td_init(struct fake *fake, struct fake_vm *vm, uint64_t xfam, uint64_t *ret_module)
{
	struct fake_tdx_traits *traits = &fake->traits.tdx;

	if (fake->n_tds >= traits->n_keys)
		return -ENOSPC;
	if (traits->is_cgroup_full)
		return -EBUSY;
	if (traits->is_package_off)
		return -EIO;
	if (traits->n_no_entropy) {
		traits->n_no_entropy--;
		return -EAGAIN;
	}
	*ret_module = module_init(fake, vm, xfam);
	return *ret_module ? -EINVAL : mrtd_init(&vm->mrtd);
}

/* tdx_vm_ioctl, tdx_td_init. */
int fake_tdx_init_vm(struct host *host, int vm, const struct kvm_tdx_init_vm *init,
		     uint64_t *ret_module)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vm *state = fake_vm_get(fake, vm);
	int ret = fake_check_alive(fake, vm);

	*ret_module = 0;
	if (ret)
		return ret;
	if (fake->fds[vm].vm_type != KVM_X86_TDX_VM)
		return -ENOTTY;
	ret = init_vm_check(fake, state, init);
	if (!ret)
		ret = td_init(fake, state, init->xfam | XFAM_ALWAYS, ret_module);
	if (ret)
		return ret;
	state->is_td = true;
	fake->n_tds++;
	state->tdx.attributes = init->attributes;
	state->tdx.xfam = init->xfam | XFAM_ALWAYS;
	memcpy(state->tdx.mrconfigid, init->mrconfigid, FAKE_DIGEST_BYTES);
	memcpy(state->tdx.mrowner, init->mrowner, FAKE_DIGEST_BYTES);
	memcpy(state->tdx.mrownerconfig, init->mrownerconfig, FAKE_DIGEST_BYTES);
	return 0;
}

/* --- vCPUs --- */

/* The VM of a vCPU, for commands that end with the launch: tdx_vcpu_unlocked_ioctl. */
static int begin_vcpu(struct fake *fake, int vcpu, uint64_t *ret_module,
		      struct fake_vm **ret_vm)
{
	int vm = fake_fd_get(fake, vcpu, FAKE_VCPU)->vm;
	int ret = fake_check_alive(fake, vcpu);

	*ret_module = 0;
	if (ret)
		return ret;
	if (fake->fds[vm].vm_type != KVM_X86_TDX_VM)
		return -ENOTTY;
	*ret_vm = fake_vm_get(fake, vm);
	return !(*ret_vm)->is_td || (*ret_vm)->is_launched ? -EINVAL : 0;
}

/* tdx_vcpu_init: the APIC goes to x2APIC mode, which CPUID has to allow (kvm_apic_set_base). */
int fake_tdx_init_vcpu(struct host *host, int vcpu, uint64_t value, uint64_t *ret_module)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vcpu *state = fake_fd_get(fake, vcpu, FAKE_VCPU)->vcpu_state;
	struct fake_vm *vm;
	int ret = begin_vcpu(fake, vcpu, ret_module, &vm);

	if (ret)
		return ret;
	if (state->is_initialized || !state->has_x2apic)
		return -EINVAL;
	state->is_initialized = true;
	state->value = value;
	vm->tdx.n_vcpus++;
	vm->tdx.value = value;
	return 0;
}

/* What the guest sees: what KVM supports, with what can be configured as it was configured. */
static unsigned int make_cpuid(struct fake *fake, const struct fake_vm *vm,
			       struct kvm_cpuid2 *cpuid)
{
	unsigned int n = 0;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[n];

		if (cpuid->entries[i].function >> 16 == 0x4000)
			continue;
		*entry = cpuid->entries[i];
		n++;
		for (unsigned int c = 0; c < fake->traits.tdx.n_cpuid; c++) {
			struct kvm_cpuid_entry2 mask = configurable(fake, c);

			if (mask.function != entry->function || mask.index != entry->index)
				continue;
			entry->eax = (entry->eax & ~mask.eax) | vm->cpuid[c].eax;
			entry->ebx = (entry->ebx & ~mask.ebx) | vm->cpuid[c].ebx;
			entry->ecx = (entry->ecx & ~mask.ecx) | vm->cpuid[c].ecx;
			entry->edx = (entry->edx & ~mask.edx) | vm->cpuid[c].edx;
		}
		/* Fixed: x2APIC, and that there is a hypervisor. */
		if (entry->function == 1)
			entry->ecx |= 1u << 21 | 1u << 31;
		/* What XFAM says, whoever wanted it. */
		if (entry->function == 0xd && entry->index == 0)
			entry->eax = (uint32_t)vm->tdx.xfam & XFAM_XCR0;
	}
	return n;
}

/* tdx_vcpu_get_cpuid: how many there are is told in any case. */
int fake_tdx_get_cpuid(struct host *host, int vcpu, struct kvm_cpuid2 *cpuid,
		       uint64_t *ret_module)
{
	struct fake *fake = fake_of(host);
	union {
		struct kvm_cpuid2 cpuid;
		uint8_t bytes[sizeof(struct kvm_cpuid2) +
			      CPUID_ENTRIES_MAX * sizeof(struct kvm_cpuid_entry2)];
	} all = {.cpuid.nent = CPUID_ENTRIES_MAX};
	int ret = fake_kvm_get_supported_cpuid(host, &all.cpuid);
	WITH_LOCK(&fake->lock);
	uint32_t n_room = cpuid->nent;
	struct fake_vm *vm;

	ASSERT(!ret);
	ret = begin_vcpu(fake, vcpu, ret_module, &vm);
	if (ret)
		return ret;
	cpuid->nent = make_cpuid(fake, vm, &all.cpuid);
	if (n_room < cpuid->nent)
		return -E2BIG;
	memcpy(cpuid->entries, all.cpuid.entries, cpuid->nent * sizeof(cpuid->entries[0]));
	return 0;
}

/* --- Pages --- */

/* Bits above those of guest addresses, and the one that says "shared", are not private. */
static bool is_private_gpa(const struct fake_vm *vm, gpa_t gpa)
{
	return !(gpa & UINT64_C(1) << (vm->tdx.gpa_bits - 1));
}

/* tdx_gmem_post_populate: TDH.MEM.PAGE.ADD, then 16 times TDH.MR.EXTEND. */
static int populate(struct fake *fake, struct fake_vm *vm,
		    const struct kvm_tdx_init_mem_region *region, bool is_measured)
{
	uint8_t page[GRANULE_BYTES];
	uint64_t offset;
	int fd, ret;

	/* kvm_gmem_populate: the slot, the source, the attribute. */
	ret = fake_page_find(fake, region->gpa, &fd, &offset);
	if (!ret && region->source_addr)
		ret = fake_user_read(fake, region->source_addr, page, sizeof(page));
	if (ret)
		return ret;
	if (!fake_page_is_private(fake, region->gpa))
		return -EINVAL;
	/* kvm_tdp_mmu_map_private_pfn: mapped already. */
	if (fake_page_is_assigned(fake, fd, offset))
		return -EIO;
	if (region->source_addr)
		fake_page_write(fd, offset, page);
	else
		fake_page_read(fd, offset, page);
	fake_page_set_assigned(fake, fd, offset, true);
	ret = mrtd_add_page(&vm->mrtd, region->gpa);
	if (!ret && is_measured)
		ret = mrtd_extend_page(&vm->mrtd, region->gpa, page);
	ASSERT(!ret);
	return 0;
}

/* tdx_vcpu_init_mem_region, up to the pages. */
static int region_check(struct fake *fake, const struct fake_vm *vm,
			const struct kvm_tdx_init_mem_region *region)
{
	struct range gpa;

	if ((!region->source_addr && !fake->traits.in_place) ||
	    !is_aligned(region->source_addr | region->gpa, GRANULE_BYTES) ||
	    !region->nr_pages || region->nr_pages > UINT64_MAX / GRANULE_BYTES ||
	    !range_init(&gpa, region->gpa, region->nr_pages * GRANULE_BYTES))
		return -EINVAL;
	return is_private_gpa(vm, gpa.start) && is_private_gpa(vm, gpa.end - 1) ? 0 : -EINVAL;
}

int fake_tdx_init_mem_region(struct host *host, int vcpu,
			     struct kvm_tdx_init_mem_region *region, bool is_measured,
			     uint64_t *ret_module)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	const struct fake_fd *description = fake_fd_get(fake, vcpu, FAKE_VCPU);
	struct fake_vm *vm;
	int ret = begin_vcpu(fake, vcpu, ret_module, &vm);
	unsigned int n = 0;

	if (ret)
		return ret;
	if (!description->vcpu_state->is_initialized)
		return -EINVAL;
	ret = region_check(fake, vm, region);
	if (ret)
		return ret;
	fake_judge_idle(fake, description->vm);
	while (!ret && region->nr_pages) {
		if (fake->traits.pages_per_call && n++ == fake->traits.pages_per_call)
			return -EINTR;
		ret = populate(fake, vm, region, is_measured);
		if (ret)
			break;
		region->source_addr += region->source_addr ? GRANULE_BYTES : 0;
		region->gpa += GRANULE_BYTES;
		region->nr_pages--;
	}
	return ret;
}

/* --- The end --- */

/*
 * tdx_td_finalize. It does not ask for vCPUs: one that was not initialized before cannot be
 * any more, and never runs.
 */
int fake_tdx_finalize_vm(struct host *host, int vm, uint64_t *ret_module)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_vm *state = fake_vm_get(fake, vm);
	int ret = fake_check_alive(fake, vm);

	*ret_module = 0;
	if (ret)
		return ret;
	if (fake->fds[vm].vm_type != KVM_X86_TDX_VM)
		return -ENOTTY;
	if (!state->is_td || state->is_launched)
		return -EINVAL;
	fake_judge_idle(fake, vm);
	ret = mrtd_finish(&state->mrtd, state->tdx.mrtd);
	ASSERT(!ret);
	state->is_launched = true;
	fake->has_tdx_launch = true;
	fake->tdx_launch = state->tdx;
	return 0;
}

/* --- Questions --- */

bool fake_get_tdx_launch(struct fake *fake, struct fake_tdx_launch *ret_launch)
{
	WITH_LOCK(&fake->lock);

	*ret_launch = fake->tdx_launch;
	return fake->has_tdx_launch;
}

bool fake_get_mrtd(struct fake *fake, uint8_t ret_mrtd[FAKE_DIGEST_BYTES])
{
	struct fake_tdx_launch launch;
	bool has_launch = fake_get_tdx_launch(fake, &launch);

	memcpy(ret_mrtd, launch.mrtd, FAKE_DIGEST_BYTES);
	return has_launch;
}
