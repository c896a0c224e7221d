// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/cpuid_tdx.h"

#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stdbool.h>
#include <stddef.h>

#include "vmm/cpuid.h"

enum {
	CPUID_XSAVE = 0xd,
	XFAM_ALWAYS = 1 << 0 | 1 << 1, /* x87, SSE */
	CPUID_ADDRESS_WIDTHS = 0x80000008,
	GPA_BITS_SHIFT = 16,
	GPA_BITS_MASK = 0xff << GPA_BITS_SHIFT,
	KVM_LEAF_FIRST = KVM_CPUID_SIGNATURE,
	KVM_LEAF_END = KVM_CPUID_SIGNATURE + 0x100,
};

/* KVM's features that need no MSR which a TD may not use, and no memory that KVM writes. */
static const uint32_t features =
	1u << KVM_FEATURE_NOP_IO_DELAY | 1u << KVM_FEATURE_PV_UNHALT |
	1u << KVM_FEATURE_PV_TLB_FLUSH | 1u << KVM_FEATURE_PV_SEND_IPI |
	1u << KVM_FEATURE_POLL_CONTROL | 1u << KVM_FEATURE_PV_SCHED_YIELD |
	1u << KVM_FEATURE_MSI_EXT_DEST_ID | 1u << KVM_FEATURE_HC_MAP_GPA_RANGE;

/* Sub-leaf of an entry of KVM_TDX_CAPABILITIES. */
static uint32_t index_of(const struct kvm_cpuid_entry2 *entry)
{
	return entry->index == UINT32_MAX ? 0 : entry->index;
}

void tdx_cpuid_configure(const struct kvm_cpuid2 *configurable, struct kvm_cpuid2 *wanted,
			 unsigned int gpa_bits, struct kvm_cpuid2 *ret_cpuid)
{
	ret_cpuid->nent = 0;
	ret_cpuid->padding = 0;
	for (uint32_t i = 0; i < configurable->nent; i++) {
		const struct kvm_cpuid_entry2 *mask = &configurable->entries[i];
		const struct kvm_cpuid_entry2 *want =
			cpuid_find(wanted, mask->function, index_of(mask));
		struct kvm_cpuid_entry2 *entry = &ret_cpuid->entries[ret_cpuid->nent++];

		/* An entry that does not say so would be that of all sub-leaves. */
		*entry = (struct kvm_cpuid_entry2){
			.function = mask->function,
			.index = index_of(mask),
			.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
		};
		if (want) {
			entry->eax = want->eax & mask->eax;
			entry->ebx = want->ebx & mask->ebx;
			entry->ecx = want->ecx & mask->ecx;
			entry->edx = want->edx & mask->edx;
		}
		if (entry->function == CPUID_ADDRESS_WIDTHS)
			entry->eax = (entry->eax & ~(uint32_t)GPA_BITS_MASK) |
				     gpa_bits << GPA_BITS_SHIFT;
	}
}

uint64_t tdx_cpuid_choose_xfam(struct kvm_cpuid2 *offered, uint64_t supported)
{
	const struct kvm_cpuid_entry2 *xcr0 = cpuid_find(offered, CPUID_XSAVE, 0);
	const struct kvm_cpuid_entry2 *xss = cpuid_find(offered, CPUID_XSAVE, 1);
	uint64_t components = XFAM_ALWAYS;

	if (xcr0)
		components |= (uint64_t)xcr0->edx << 32 | xcr0->eax;
	if (xss)
		components |= (uint64_t)xss->edx << 32 | xss->ecx;
	return components & supported;
}

static bool is_of_kvm(const struct kvm_cpuid_entry2 *entry)
{
	return entry->function >= KVM_LEAF_FIRST && entry->function < KVM_LEAF_END;
}

void tdx_cpuid_adopt(struct kvm_cpuid2 *cpuid, const struct kvm_cpuid2 *actual)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (is_of_kvm(&cpuid->entries[i]))
			cpuid->entries[n++] = cpuid->entries[i];
		if (cpuid->entries[i].function == KVM_CPUID_FEATURES)
			cpuid->entries[n - 1].eax &= features;
	}
	for (uint32_t i = 0; i < actual->nent && n < TDX_CPUID_ENTRIES_MAX; i++) {
		if (!is_of_kvm(&actual->entries[i]))
			cpuid->entries[n++] = actual->entries[i];
	}
	cpuid->nent = n;
}
