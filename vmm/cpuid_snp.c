// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/cpuid_snp.h"

#include <assert.h>
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

static_assert(sizeof(struct snp_cpuid_page) == GRANULE_BYTES, "one page");

enum {
	XSAVE_LEAF = 0xd,
	XSAVE_HEADER_BYTES = 0x240, /* legacy area and header: what XCR0 of 1 needs */
	ALL = -1,
};

/* Bits that the firmware refuses although the processor has them; 0xffffffff: the whole
 * register.
 */
static const struct {
	uint32_t function, index;
	uint32_t eax, ebx, ecx, edx;
} refused[] = {
	{.function = 1, .ecx = 1u << 24},		       /* TSC_DEADLINE */
	{.function = 7, .ebx = 1u << 1, .edx = (uint32_t)ALL}, /* TSC_ADJUST; speculation */
	{.function = 0x80000008, .ebx = 1u << 25},	       /* VIRT_SSBD */
	{.function = 0x80000021, .eax = 1u << 9, .ecx = (uint32_t)ALL}, /* NO_SMM_CTL */
};

/* Of processors and hypervisors that it knows. */
static bool is_known(uint32_t function)
{
	return function >> 16 == 0 || function >> 16 == 0x4000 || function >> 16 == 0x8000;
}

/* Leaves that it does not take at all. */
static bool is_left_out(const struct kvm_cpuid_entry2 *leaf)
{
	return !is_known(leaf->function) || leaf->function == 0x80000026 ||
	       !(leaf->eax | leaf->ebx | leaf->ecx | leaf->edx);
}

static struct snp_cpuid_entry entry_of(const struct kvm_cpuid_entry2 *leaf)
{
	struct snp_cpuid_entry entry = {
		.function = leaf->function,
		.index = leaf->index,
		.eax = leaf->eax,
		.ebx = leaf->ebx,
		.ecx = leaf->ecx,
		.edx = leaf->edx,
	};

	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (refused[i].function != entry.function || refused[i].index != entry.index)
			continue;
		entry.eax &= ~refused[i].eax;
		entry.ebx &= ~refused[i].ebx;
		entry.ecx &= ~refused[i].ecx;
		entry.edx &= ~refused[i].edx;
	}
	/* Their sizes depend on XCR0, which the guest adds up itself from other sub-leaves. */
	if (entry.function == XSAVE_LEAF && entry.index <= 1) {
		entry.xcr0 = 1;
		entry.ebx = XSAVE_HEADER_BYTES;
	}
	return entry;
}

int snp_cpuid_page_init(struct snp_cpuid_page *ret_page, const struct kvm_cpuid2 *cpuid)
{
	memset(ret_page, 0, sizeof(*ret_page));
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (is_left_out(&cpuid->entries[i]))
			continue;
		if (ret_page->n_entries == SNP_CPUID_ENTRIES_MAX)
			return -ENOSPC;
		ret_page->entries[ret_page->n_entries++] = entry_of(&cpuid->entries[i]);
	}
	return 0;
}

int snp_cpuid_page_compare(const struct snp_cpuid_page *ours,
			   const struct snp_cpuid_page *theirs, uint32_t *next)
{
	for (; *next < ours->n_entries; ++*next) {
		if (memcmp(&ours->entries[*next], &theirs->entries[*next],
			   sizeof(ours->entries[0])) != 0)
			return (int)(*next)++;
	}
	return -1;
}
