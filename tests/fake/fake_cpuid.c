// SPDX-License-Identifier: GPL-2.0-or-later
/* The CPUID leaves that the fake kernel can give a guest. */
#include <errno.h>
#include <string.h>

#include "tests/fake/fake_state.h"
#include "vmm/cleanup.h"

/*
 * What processors with confidential guests have besides. Some of it is what KVM gives ordinary
 * guests, but the firmware of SEV-SNP refuses.
 */
static const struct kvm_cpuid_entry2 cc_entries[] = {
	{.function = 0x7,
	 .index = 0,
	 .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	 .ebx = 0x219c95ab,
	 .ecx = 0x0040069c,
	 .edx = 0xac000010},
	{.function = 0xd,
	 .index = 0,
	 .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	 .eax = 0x7,
	 .ebx = 0x340,
	 .ecx = 0x340},
	{.function = 0xd,
	 .index = 1,
	 .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	 .eax = 0xf,
	 .ebx = 0x340},
	{.function = 0xd,
	 .index = 2,
	 .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	 .eax = 0x100,
	 .ebx = 0x240},
	{.function = 0x8000001f, .eax = 0x1a, .ebx = 51, .ecx = 509, .edx = 100},
	{.function = 0x80000021, .eax = 0x245},
};

int fake_kvm_get_supported_cpuid(struct host *host, struct kvm_cpuid2 *cpuid)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	bool has_cc = fake->traits.has_snp || fake->traits.has_tdx;
	const struct kvm_cpuid_entry2 entries[] = {
		{.function = 0x0,
		 .eax = 0x1f,
		 .ebx = 0x68747541,
		 .ecx = 0x444d4163,
		 .edx = 0x69746e65},
		{.function = 0x1,
		 .eax = 0x800f12,
		 .ecx = 1u << 21 | 1u << 5 | (has_cc ? 1u << 24 : 0),
		 .edx = 1u << 9 | 1u << 28},
		{.function = 0xb, .index = 0, .flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX},
		{.function = 0x40000000,
		 .eax = 0x40000001,
		 .ebx = 0x4b4d564b,
		 .ecx = 0x564b4d56,
		 .edx = 0x4d},
		{.function = 0x40000001, .eax = 1u << 3 | 1u << 15},
		{.function = 0x80000000, .eax = has_cc ? 0x80000021 : 0x8000001e},
		{.function = 0x80000001, .ecx = 1u << 2 | 1u << 0},
		{.function = 0x80000008,
		 .eax = 48u << 8 | fake->traits.gpa_bits,
		 .ebx = has_cc ? 1u << 25 : 0},
	};
	size_t n = ARRAY_SIZE(entries), n_cc = has_cc ? ARRAY_SIZE(cc_entries) : 0;

	if (cpuid->nent < n + n_cc)
		return -E2BIG;
	memcpy(cpuid->entries, entries, sizeof(entries));
	memcpy(cpuid->entries + n, cc_entries, n_cc * sizeof(cc_entries[0]));
	cpuid->nent = (uint32_t)(n + n_cc);
	return 0;
}
