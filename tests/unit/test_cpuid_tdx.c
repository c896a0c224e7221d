// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/cpuid_tdx.h"

#include <linux/kvm.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

#define INDEXED KVM_CPUID_FLAG_SIGNIFCANT_INDEX

enum { ENTRIES = 8 };

/* As many as the tests need. */
struct leaves {
	uint32_t nent;
	uint32_t padding;
	struct kvm_cpuid_entry2 entries[ENTRIES];
};

static struct kvm_cpuid2 *cpuid_of(struct leaves *leaves)
{
	return (struct kvm_cpuid2 *)(void *)leaves;
}

/* kvm_find_cpuid_entry2, for a leaf with sub-leaves: an entry without flag is that of all. */
static const struct kvm_cpuid_entry2 *kernel_find(const struct leaves *leaves,
						  uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < leaves->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &leaves->entries[i];

		if (entry->function == function &&
		    (!(entry->flags & INDEXED) || entry->index == index))
			return entry;
	}
	return NULL;
}

/* td_init_cpuid_entry2: no flags, and no sub-leaf is sub-leaf 0. */
static struct leaves configurable = {
	.nent = 4,
	.entries = {{.function = 4, .index = 0, .eax = 0xffff},
		    {.function = 4, .index = 1, .eax = 0xffff},
		    {.function = 4, .index = 2, .eax = 0xff00},
		    {.function = 0x80000008, .eax = 0x00ff0000, .ebx = 0x200}},
};

START_TEST(test_each_subleaf_is_asked_for_on_its_own)
{
	struct leaves wanted = {
		.nent = 4,
		.entries = {{.function = 4, .index = 0, .flags = INDEXED, .eax = 0x11111},
			    {.function = 4, .index = 1, .flags = INDEXED, .eax = 0x22222},
			    {.function = 4, .index = 2, .flags = INDEXED, .eax = 0x33333},
			    {.function = 0x80000008, .eax = 0x3034, .ebx = 0xffffffff}},
	};
	struct leaves asked = {0};

	tdx_cpuid_configure(cpuid_of(&configurable), cpuid_of(&wanted), 48, cpuid_of(&asked));
	ck_assert_uint_eq(asked.nent, 4);
	ck_assert_uint_eq(kernel_find(&asked, 4, 0)->eax, 0x1111);
	ck_assert_uint_eq(kernel_find(&asked, 4, 1)->eax, 0x2222);
	ck_assert_uint_eq(kernel_find(&asked, 4, 2)->eax, 0x3300);
	ck_assert_uint_eq(kernel_find(&asked, 0x80000008, 0)->eax, 48 << 16);
	ck_assert_uint_eq(kernel_find(&asked, 0x80000008, 0)->ebx, 0x200);
}
END_TEST

/* KVM takes no dynamic features (AMX) in CPUID that it did not offer this process. */
START_TEST(test_td_has_the_state_that_kvm_offers_and_no_more)
{
	struct leaves offered = {
		.nent = 2,
		.entries = {{.function = 0xd, .flags = INDEXED, .eax = 0x2e7, .edx = 1},
			    {.function = 0xd, .index = 1, .flags = INDEXED, .ecx = 0x1800}},
	};
	struct leaves nothing = {0};

	ck_assert_uint_eq(tdx_cpuid_choose_xfam(cpuid_of(&offered), 0x61ae7), 0x1ae7);
	ck_assert_uint_eq(tdx_cpuid_choose_xfam(cpuid_of(&offered), 0x2e7), 0x2e7);
	ck_assert_uint_eq(tdx_cpuid_choose_xfam(cpuid_of(&offered), UINT64_MAX), 0x100001ae7);
	/* What every TD has. */
	ck_assert_uint_eq(tdx_cpuid_choose_xfam(cpuid_of(&nothing), 0x61ae7), 3);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_each_subleaf_is_asked_for_on_its_own,
		test_td_has_the_state_that_kvm_offers_and_no_more,
	};

	return unit_run(unit_suite("cpuid_tdx", tests, ARRAY_SIZE(tests)));
}
