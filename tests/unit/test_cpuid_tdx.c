// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The leaves of CPUID that are asked for a TD, and those that KVM is to emulate by: Linux
 * arch/x86/kvm/vmx/tdx.c, setup_tdparams, tdx_vcpu_get_cpuid.
 */
#include "vmm/cpuid_tdx.h"

#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/cpuid.h"
#include "vmm/range.h"

#define ALL UINT32_MAX

struct leaves {
	struct kvm_cpuid2 cpuid;
	struct kvm_cpuid_entry2 entries[TDX_CPUID_ENTRIES_MAX + 1];
};

static void add(struct leaves *leaves, uint32_t function, uint32_t index, uint32_t registers)
{
	leaves->cpuid.entries[leaves->cpuid.nent++] = (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.eax = registers,
		.ebx = registers,
		.ecx = registers,
		.edx = registers,
	};
}

/* As KVM looks an entry up: kvm_find_cpuid_entry2. */
static const struct kvm_cpuid_entry2 *find(const struct leaves *leaves, uint32_t function,
					   uint32_t index)
{
	for (uint32_t i = 0; i < leaves->cpuid.nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &leaves->cpuid.entries[i];

		if (entry->function == function &&
		    (!(entry->flags & KVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
		     entry->index == index))
			return entry;
	}
	return NULL;
}

/* Values are those of the host, as far as the mask goes; what it lacks is zero. */
START_TEST(test_what_can_be_configured_is_as_on_the_host)
{
	struct leaves configurable = {.cpuid.nent = 0}, wanted = {.cpuid.nent = 0};
	struct leaves made = {.cpuid = {.nent = 77, .padding = 88}};

	add(&configurable, 1, 0, 0x0ff0);
	add(&configurable, 7, 1, 0xff00);
	add(&configurable, 0x19, UINT32_MAX, 0xf);
	add(&configurable, 0x1d, 0, ALL);
	add(&wanted, 0x19, 0, 0x33);
	add(&wanted, 7, 1, 0x1234);
	add(&wanted, 1, 0, 0xabcd);
	add(&wanted, 0x14, 0, ALL); /* not to be configured: KVM would refuse it */
	tdx_cpuid_configure(&configurable.cpuid, &wanted.cpuid, 48, &made.cpuid);
	/* Each has its slot (copy_cnt), and nothing else is there. */
	ck_assert_uint_eq(made.cpuid.nent, 4);
	ck_assert_uint_eq(made.cpuid.padding, 0);
	ck_assert_uint_eq(find(&made, 1, 0)->eax, 0x0bc0);
	ck_assert_uint_eq(find(&made, 7, 1)->edx, 0x1200);
	ck_assert_uint_eq(find(&made, 0x19, 0)->ebx, 3);
	ck_assert_uint_eq(find(&made, 0x19, 0)->index, 0);
	ck_assert_uint_eq(find(&made, 0x1d, 0)->ecx, 0);
	ck_assert_ptr_null(find(&made, 0x14, 0));
}
END_TEST

/* KVM tells sub-leaves apart only where the entry says so; the masks do not say it. */
START_TEST(test_sub_leaves_are_told_apart)
{
	struct leaves configurable = {.cpuid.nent = 0}, wanted = {.cpuid.nent = 0};
	struct leaves made = {.cpuid.nent = 0};

	for (uint32_t i = 0; i < 4; i++) {
		add(&configurable, 7, i, 1u << i);
		add(&wanted, 7, i, ALL);
	}
	tdx_cpuid_configure(&configurable.cpuid, &wanted.cpuid, 48, &made.cpuid);
	for (uint32_t i = 0; i < 4; i++)
		ck_assert_uint_eq(find(&made, 7, i)->ebx, 1u << i);
	ck_assert_ptr_null(find(&made, 7, 4));
}
END_TEST

/* Of the addresses only the width is ours, whatever the host has
 * (setup_tdparams_eptp_controls).
 */
START_TEST(test_width_of_addresses_is_that_of_the_td)
{
	static const unsigned int widths[] = {48, 52};

	for (size_t i = 0; i < ARRAY_SIZE(widths); i++) {
		struct leaves configurable = {.cpuid.nent = 0}, wanted = {.cpuid.nent = 0};
		struct leaves made = {.cpuid.nent = 0};

		add(&configurable, 0x80000008, 0, 0x00ff0200);
		add(&wanted, 0x80000008, 0, 0x00392e2e);
		tdx_cpuid_configure(&configurable.cpuid, &wanted.cpuid, widths[i], &made.cpuid);
		ck_assert_uint_eq(find(&made, 0x80000008, 0)->eax, widths[i] << 16 | 0x0200);
		ck_assert_uint_eq(find(&made, 0x80000008, 0)->ebx, 0x00390200 & 0x00ff0200);
	}
}
END_TEST

/* All of the module's, in the place of what KVM offers; KVM's own stay, without what needs an
 * MSR that a TD may not use, or memory that KVM writes to.
 */
START_TEST(test_kvm_emulates_what_the_td_sees)
{
	const uint32_t lost = 1u << KVM_FEATURE_CLOCKSOURCE | 1u << KVM_FEATURE_CLOCKSOURCE2 |
			      1u << KVM_FEATURE_CLOCKSOURCE_STABLE_BIT |
			      1u << KVM_FEATURE_ASYNC_PF | 1u << KVM_FEATURE_ASYNC_PF_INT |
			      1u << KVM_FEATURE_STEAL_TIME | 1u << KVM_FEATURE_PV_EOI |
			      1u << KVM_FEATURE_MIGRATION_CONTROL;
	const uint32_t kept = 1u << KVM_FEATURE_NOP_IO_DELAY | 1u << KVM_FEATURE_PV_UNHALT |
			      1u << KVM_FEATURE_PV_TLB_FLUSH | 1u << KVM_FEATURE_PV_SEND_IPI |
			      1u << KVM_FEATURE_POLL_CONTROL |
			      1u << KVM_FEATURE_PV_SCHED_YIELD |
			      1u << KVM_FEATURE_MSI_EXT_DEST_ID;
	struct leaves cpuid = {.cpuid.nent = 0}, actual = {.cpuid.nent = 0};

	add(&cpuid, 1, 0, 0x11);
	add(&cpuid, 0x40000000, 0, 0x22);
	add(&cpuid, 0x12, 0, 0x33); /* the TD has no such leaf */
	add(&cpuid, 0x40000001, 0, ALL);
	add(&actual, 1, 0, 0x44);
	add(&actual, 0x15, 0, 0x55);
	add(&actual, 0x40000001, 0, 0); /* nobody's but KVM's */
	for (int i = 0; i < 2; i++) {
		tdx_cpuid_adopt(&cpuid.cpuid, &actual.cpuid);
		ck_assert_uint_eq(cpuid.cpuid.nent, 4);
		ck_assert_uint_eq(find(&cpuid, 1, 0)->eax, 0x44);
		ck_assert_uint_eq(find(&cpuid, 0x15, 0)->ecx, 0x55);
		ck_assert_uint_eq(find(&cpuid, 0x40000000, 0)->eax, 0x22);
		ck_assert_uint_eq(find(&cpuid, 0x40000001, 0)->eax & lost, 0);
		ck_assert_uint_eq(find(&cpuid, 0x40000001, 0)->eax & kept, kept);
		/* Hints, in another register, are hints. */
		ck_assert_uint_eq(find(&cpuid, 0x40000001, 0)->edx, ALL);
		ck_assert_ptr_null(find(&cpuid, 0x12, 0));
	}
}
END_TEST

/* As many leaves as KVM takes, and no more, whatever the module has. */
START_TEST(test_leaves_that_are_too_many_stay_out)
{
	struct leaves cpuid = {.cpuid.nent = 0}, actual = {.cpuid.nent = 0};

	add(&cpuid, 0x40000000, 0, 1);
	for (uint32_t i = 0; i < TDX_CPUID_ENTRIES_MAX; i++)
		add(&actual, 0xd, i, i);
	memset(&cpuid.entries[TDX_CPUID_ENTRIES_MAX], 0x5a, sizeof(cpuid.entries[0]));
	tdx_cpuid_adopt(&cpuid.cpuid, &actual.cpuid);
	ck_assert_uint_eq(cpuid.cpuid.nent, TDX_CPUID_ENTRIES_MAX);
	ck_assert_uint_eq(cpuid.entries[TDX_CPUID_ENTRIES_MAX].eax, 0x5a5a5a5a);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_what_can_be_configured_is_as_on_the_host,
		test_sub_leaves_are_told_apart,
		test_width_of_addresses_is_that_of_the_td,
		test_kvm_emulates_what_the_td_sees,
		test_leaves_that_are_too_many_stay_out,
	};

	return unit_run(unit_suite("cpuid_tdx", tests, ARRAY_SIZE(tests)));
}
