/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page of CPUID leaves that a guest with SEV-SNP believes. */
#ifndef VMM_CPUID_SNP_H
#define VMM_CPUID_SNP_H

#include <stdint.h>

#include "vmm/range.h"

struct kvm_cpuid2;

enum { SNP_CPUID_ENTRIES_MAX = 64 };

/* An entry, as it lies behind the 16 bytes of the header, whose first 4 are their number. */
struct snp_cpuid_entry {
	uint32_t function, index;
	uint64_t xcr0, xss;
	uint32_t eax, ebx, ecx, edx;
	uint64_t reserved;
};

struct snp_cpuid_page {
	uint32_t n_entries;
	uint32_t reserved[3];
	struct snp_cpuid_entry entries[SNP_CPUID_ENTRIES_MAX];
	uint8_t rest[GRANULE_BYTES - 16 -
		     SNP_CPUID_ENTRIES_MAX * sizeof(struct snp_cpuid_entry)];
};

/**
 * Make the page from a vCPU's leaves. What the firmware is known to refuse is left out; leaves
 * of zeroes are, too, since the guest reads those it does not find as zeroes.
 *
 * Returns 0, or -ENOSPC (more than SNP_CPUID_ENTRIES_MAX leaves).
 * Source: AMD SEV-SNP firmware ABI (56860), 8.17.2.6 and 7.1 (CPUID reporting); Linux
 * arch/x86/include/asm/sev.h, struct snp_cpuid_table.
 */
int snp_cpuid_page_init(struct snp_cpuid_page *ret_page, const struct kvm_cpuid2 *cpuid);

/**
 * The next difference that the firmware made, at or after entry *@next; it moves on.
 *
 * Returns the index of the entry, or -1 when there is none.
 */
int snp_cpuid_page_compare(const struct snp_cpuid_page *ours,
			   const struct snp_cpuid_page *theirs, uint32_t *next);

#endif
