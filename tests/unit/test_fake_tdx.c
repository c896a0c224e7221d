// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake kernel's TDX keeps the rules of Linux 7.3, arch/x86/kvm/vmx/tdx.c, for VMs and
 * vCPUs; tests name the function a rule is from.
 */
#include <errno.h>

#include "tests/unit/cc_rig.h"

#define OPERAND_INVALID UINT64_C(0xc000010000000000)

static int finalize(struct cc_rig *rig)
{
	return host_tdx_finalize_vm(rig->host, rig->vm, &rig->module);
}

/* --- KVM_TDX_CAPABILITIES --- */

/* tdx_get_capabilities: with too little room it says nothing. */
START_TEST(test_capabilities_want_room)
{
	union {
		struct kvm_tdx_capabilities capabilities;
		uint8_t bytes[sizeof(struct kvm_tdx_capabilities) +
			      FAKE_TDX_CPUID_MAX * sizeof(struct kvm_cpuid_entry2)];
	} all = {.capabilities.cpuid.nent = 3};
	struct kvm_cpuid_entry2 *entry;
	struct cc_rig rig;
	uint64_t module;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	/* KVM takes TSX and WAITPKG out, and puts the width of guest addresses in. */
	fake_traits(rig.fake)->tdx.cpuid[3].ebx |= 1u << 4 | 1u << 11;
	fake_traits(rig.fake)->tdx.cpuid[3].ecx |= 1u << 5;
	fake_traits(rig.fake)->tdx.cpuid[6].eax = 0;
	ck_assert_int_eq(
		host_tdx_get_capabilities(rig.host, rig.vm, &all.capabilities, &module),
		-E2BIG);
	ck_assert_uint_eq(all.capabilities.cpuid.nent, 3);
	all.capabilities.cpuid.nent = FAKE_TDX_CPUID_MAX;
	ck_assert_int_eq(
		host_tdx_get_capabilities(rig.host, rig.vm, &all.capabilities, &module), 0);
	ck_assert_uint_eq(all.capabilities.cpuid.nent, fake_traits(rig.fake)->tdx.n_cpuid);
	ck_assert_uint_eq(all.capabilities.supported_attrs, TD_SEPT_VE);
	ck_assert_uint_eq(all.capabilities.user_tdvmcallinfo_1_r11, 2);
	entry = &all.capabilities.cpuid.entries[3];
	ck_assert_uint_eq(entry->function, 7);
	ck_assert_uint_eq(entry->ebx & (1u << 4 | 1u << 11), 0);
	ck_assert_uint_eq(entry->ecx & 1u << 5, 0);
	ck_assert_uint_eq(all.capabilities.cpuid.entries[7].eax, 0xff0000);
	cc_fini(&rig);
}
END_TEST

/* --- KVM_TDX_INIT_VM --- */

typedef void change_fn(union td_init *init);

static void change_reserved(union td_init *init)
{
	init->init.reserved[11] = 1;
}

static void change_padding(union td_init *init)
{
	init->init.cpuid.padding = 1;
}

static void change_attributes(union td_init *init)
{
	init->init.attributes |= 1; /* DEBUG */
}

static void change_xfam(union td_init *init)
{
	init->init.xfam |= 1u << 8;
}

static void change_no_gpa_bits(union td_init *init)
{
	init->init.cpuid.nent = 0;
}

static void change_gpa_bits(union td_init *init)
{
	init->init.cpuid.entries[0].eax = 46u << 16;
}

static void change_unknown_leaf(union td_init *init)
{
	init->init.cpuid.entries[1] = (struct kvm_cpuid_entry2){.function = 2};
	init->init.cpuid.nent = 2;
}

static void change_tsx(union td_init *init)
{
	init->init.cpuid.entries[1] = (struct kvm_cpuid_entry2){.function = 7, .ebx = 1u << 4};
	init->init.cpuid.nent = 2;
}

/* kvm_find_cpuid_entry2: without a flag it is found for both sub-leaves, and copied twice. */
static void change_index(union td_init *init)
{
	init->init.cpuid.entries[1] = (struct kvm_cpuid_entry2){.function = 4, .index = 1};
	init->init.cpuid.nent = 2;
}

/* tdx_td_init, setup_tdparams and what it calls. */
START_TEST(test_init_checks_what_it_is_given)
{
	static change_fn *const changes[] = {
		change_reserved, change_padding,      change_attributes,
		change_xfam,	 change_index,	      change_tsx,
		change_gpa_bits, change_unknown_leaf, change_no_gpa_bits,
	};
	union td_init init;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	for (size_t i = 0; i < ARRAY_SIZE(changes); i++) {
		td_init_fill(&init);
		changes[i](&init);
		ck_assert_int_eq(td_init_vm(&rig, &init), -EINVAL);
		ck_assert_uint_eq(rig.module, 0);
	}
	td_init_fill(&init);
	init.init.cpuid.nent = 257;
	ck_assert_int_eq(td_init_vm(&rig, &init), -E2BIG);
	td_init_fill(&init);
	init.init.cpuid.entries[0].eax = 52u << 16;
	fake_traits(rig.fake)->tdx.no_ept5 = true;
	ck_assert_int_eq(td_init_vm(&rig, &init), -EINVAL);
	fake_traits(rig.fake)->tdx.no_ept5 = false;
	ck_assert_int_eq(td_init_vm(&rig, &init), 0);
	ck_assert_int_eq(td_init_vm(&rig, &init), -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* __tdx_td_init: what the module does not want, it names. */
START_TEST(test_module_names_what_it_refuses)
{
	union td_init init;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	td_init_fill(&init);
	init.init.xfam = 3 | 0xe0; /* AVX-512 without AVX */
	ck_assert_int_eq(td_init_vm(&rig, &init), -EINVAL);
	ck_assert_uint_eq(rig.module, OPERAND_INVALID | 65);
	td_init_fill(&init);
	init.init.cpuid.entries[0].ebx = 1; /* not in the mask */
	ck_assert_int_eq(td_init_vm(&rig, &init), -EINVAL);
	ck_assert_uint_eq(rig.module, OPERAND_INVALID | 69);
	td_init_fill(&init);
	fake_traits(rig.fake)->tsc_khz = 75000;
	ck_assert_int_eq(td_init_vm(&rig, &init), -EINVAL);
	ck_assert_uint_eq(rig.module, OPERAND_INVALID | 70);
	fake_traits(rig.fake)->tsc_khz = 100000;
	ck_assert_int_eq(td_init_vm(&rig, &init), 0);
	cc_fini(&rig);
}
END_TEST

/* __tdx_td_init: tdx_guest_keyid_alloc, misc_cg_try_charge, packages, TDX_RND_NO_ENTROPY. */
START_TEST(test_host_can_lack_something)
{
	struct fake_tdx_traits *traits;
	union td_init init;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	traits = &fake_traits(rig.fake)->tdx;
	td_init_fill(&init);
	traits->n_keys = 0;
	ck_assert_int_eq(td_init_vm(&rig, &init), -ENOSPC);
	traits->n_keys = 1;
	traits->is_cgroup_full = true;
	ck_assert_int_eq(td_init_vm(&rig, &init), -EBUSY);
	traits->is_cgroup_full = false;
	traits->is_package_off = true;
	ck_assert_int_eq(td_init_vm(&rig, &init), -EIO);
	traits->is_package_off = false;
	traits->n_no_entropy = 2;
	ck_assert_int_eq(td_init_vm(&rig, &init), -EAGAIN);
	ck_assert_int_eq(td_init_vm(&rig, &init), -EAGAIN);
	ck_assert_int_eq(td_init_vm(&rig, &init), 0);
	/* The key comes back with the VM. */
	host_close(rig.host, rig.vm);
	rig.vm = host_vm_create(rig.host, KVM_X86_TDX_VM);
	ck_assert_int_eq(td_init_vm(&rig, &init), 0);
	cc_fini(&rig);
}
END_TEST

/* --- VM and vCPUs --- */

/* tdx_vcpu_create, tdx_vm_init, kvm_vm_ioctl_create_vcpu. */
START_TEST(test_vcpu_waits_for_the_vm)
{
	struct kvm_run *run;
	size_t run_bytes;
	union td_init init;
	struct cc_rig rig;
	int vm;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	ck_assert_int_eq(host_vcpu_create(rig.host, rig.vm, 0, &run, &run_bytes), -EIO);
	td_init_fill(&init);
	ck_assert_int_eq(td_init_vm(&rig, &init), 0);
	fake_traits(rig.fake)->tdx.max_vcpus = 1;
	ck_assert_int_eq(host_kvm_check_extension(rig.host, rig.vm, KVM_CAP_MAX_VCPUS), 1);
	cc_add_vcpu(&rig);
	ck_assert_int_eq(host_vcpu_create(rig.host, rig.vm, 1, &run, &run_bytes), -EINVAL);
	/* Another one without the split irqchip. */
	vm = host_vm_create(rig.host, KVM_X86_TDX_VM);
	ck_assert_int_eq(host_tdx_init_vm(rig.host, vm, &init.init, &rig.module), 0);
	ck_assert_int_eq(host_vcpu_create(rig.host, vm, 0, &run, &run_bytes), -EINVAL);
	host_close(rig.host, vm);
	cc_fini(&rig);
}
END_TEST

/* kvm_arch_prepare_memory_region (kvm_is_gfn_alias), kvm_arch_has_readonly_mem. */
START_TEST(test_slots_lie_below_the_shared_bit)
{
	struct kvm_userspace_memory_region2 slot = {.guest_phys_addr = UINT64_C(1) << 47,
						    .memory_size = CC_PAGE};
	union td_init init;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	td_init_fill(&init);
	ck_assert_int_eq(td_init_vm(&rig, &init), 0);
	ck_assert_int_eq(host_vm_set_memory_region(rig.host, rig.vm, &slot), -EINVAL);
	slot.guest_phys_addr -= CC_PAGE;
	ck_assert_int_eq(host_vm_set_memory_region(rig.host, rig.vm, &slot), 0);
	slot.slot = 1;
	slot.guest_phys_addr -= CC_PAGE;
	slot.flags = KVM_MEM_READONLY;
	ck_assert_int_eq(host_vm_set_memory_region(rig.host, rig.vm, &slot), -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* tdx_vcpu_init: kvm_apic_set_base wants X2APIC in CPUID; once; not after the end. */
START_TEST(test_vcpu_is_initialized_once)
{
	struct fake_tdx_launch launch;
	union td_init init;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	td_init_fill(&init);
	init.init.mrconfigid[0] = 0x1234;
	init.init.mrownerconfig[5] = 0x5678;
	ck_assert_int_eq(td_init_vm(&rig, &init), 0);
	cc_add_vcpu(&rig);
	cc_add_vcpu(&rig);
	ck_assert_int_eq(host_tdx_init_vcpu(rig.host, rig.vcpus[0], 0, &rig.module), -EINVAL);
	ck_assert_int_eq(td_init_vcpu(&rig, 0), 0);
	ck_assert_int_eq(td_init_vcpu(&rig, 0), -EINVAL);
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), -EINVAL);
	ck_assert_int_eq(finalize(&rig), 0);
	ck_assert_int_eq(td_init_vcpu(&rig, 1), -EINVAL);
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
	/* tdx_vcpu_needs_initialization. */
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[1]), -EINVAL);
	ck_assert(fake_get_tdx_launch(rig.fake, &launch));
	ck_assert_uint_eq(launch.n_vcpus, 1);
	ck_assert_uint_eq(launch.value, CC_NO_VALUE);
	ck_assert_uint_eq(launch.attributes, TD_SEPT_VE);
	ck_assert_uint_eq(launch.xfam, 7);
	ck_assert_uint_eq(launch.gpa_bits, 48);
	ck_assert_uint_eq(launch.mrconfigid[1], 0x12);
	ck_assert_uint_eq(launch.mrownerconfig[40], 0x78);
	cc_fini(&rig);
}
END_TEST

/* tdx_vcpu_create: guest_state_protected from the start; tdx_set_msr. */
START_TEST(test_registers_are_out_of_reach_from_the_start)
{
	struct {
		struct kvm_msrs msrs;
		struct kvm_msr_entry entries[2];
	} msrs = {.msrs.nmsrs = 2, .entries = {{.index = 0x1a0}, {.index = 0xc0000081}}};
	struct kvm_sregs sregs = {0};
	struct kvm_regs regs = {0};
	struct cc_rig rig;

	td_rig_init(&rig, false);
	ck_assert_int_eq(host_vcpu_get_regs(rig.host, rig.vcpus[0], &regs), -EINVAL);
	ck_assert_int_eq(host_vcpu_set_regs(rig.host, rig.vcpus[0], &regs), -EINVAL);
	ck_assert_int_eq(host_vcpu_get_sregs(rig.host, rig.vcpus[0], &sregs), -EINVAL);
	ck_assert_int_eq(host_vcpu_set_sregs(rig.host, rig.vcpus[0], &sregs), -EINVAL);
	ck_assert_int_eq(host_vcpu_set_msrs(rig.host, rig.vcpus[0], &msrs.msrs), 1);
	cc_fini(&rig);
}
END_TEST

/* tdx_vcpu_get_cpuid: what is needed is told; what was configured is there. */
START_TEST(test_cpuid_is_read_back)
{
	union {
		struct kvm_cpuid2 cpuid;
		uint8_t bytes[sizeof(struct kvm_cpuid2) + 64 * sizeof(struct kvm_cpuid_entry2)];
	} all = {.cpuid.nent = 1};
	bool has_x2apic = false, has_gpa_bits = false;
	struct cc_rig rig;

	td_rig_init(&rig, false);
	ck_assert_int_eq(host_tdx_get_cpuid(rig.host, rig.vcpus[0], &all.cpuid, &rig.module),
			 -E2BIG);
	ck_assert_uint_gt(all.cpuid.nent, 1);
	ck_assert_uint_le(all.cpuid.nent, 64);
	ck_assert_int_eq(host_tdx_get_cpuid(rig.host, rig.vcpus[0], &all.cpuid, &rig.module),
			 0);
	for (uint32_t i = 0; i < all.cpuid.nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &all.cpuid.entries[i];

		ck_assert_uint_ne(entry->function >> 16, 0x4000);
		has_x2apic = has_x2apic || (entry->function == 1 && (entry->ecx & 1u << 21));
		has_gpa_bits = has_gpa_bits || (entry->function == 0x80000008 &&
						(entry->eax >> 16 & 0xff) == 48);
	}
	ck_assert(has_x2apic && has_gpa_bits);
	ck_assert_int_eq(finalize(&rig), 0);
	ck_assert_int_eq(host_tdx_get_cpuid(rig.host, rig.vcpus[0], &all.cpuid, &rig.module),
			 -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* kvm_arch_vm_ioctl: other VMs know no such command. */
START_TEST(test_commands_are_for_tds_only)
{
	struct kvm_tdx_capabilities capabilities = {0};
	struct cc_rig rig;
	union td_init init;

	cc_init(&rig, KVM_X86_DEFAULT_VM, false);
	td_init_fill(&init);
	cc_add_vcpu(&rig);
	ck_assert_int_eq(
		host_tdx_get_capabilities(rig.host, rig.vm, &capabilities, &rig.module),
		-ENOTTY);
	ck_assert_int_eq(td_init_vm(&rig, &init), -ENOTTY);
	ck_assert_int_eq(td_init_vcpu(&rig, 0), -ENOTTY);
	ck_assert_int_eq(finalize(&rig), -ENOTTY);
	cc_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_capabilities_want_room,
		test_init_checks_what_it_is_given,
		test_module_names_what_it_refuses,
		test_host_can_lack_something,
		test_vcpu_waits_for_the_vm,
		test_slots_lie_below_the_shared_bit,
		test_vcpu_is_initialized_once,
		test_registers_are_out_of_reach_from_the_start,
		test_cpuid_is_read_back,
		test_commands_are_for_tds_only,
	};

	return unit_run(unit_suite("fake_tdx", tests, ARRAY_SIZE(tests)));
}
