/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the stub decides without touching the machine: compiled into the stub, into Alcove
 * (which asks before it launches what the stub would ask) and into tests. No library, no state.
 */
#ifndef BOOT_STUB_WORK_H
#define BOOT_STUB_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/stub.h"

#define STUB_PAGE_BYTES	 UINT64_C(0x1000)
#define STUB_CHUNK_BYTES UINT64_C(0x200000) /* a large page, also to the processor */

/**
 * May the stub do what @params ask for?
 *
 * They are measured, but a measurement is worth what whoever looks at it knows about it: no
 * parameter makes the stub touch what it should not.
 *
 * @platform: STUB_PLATFORM_*, where the stub runs.
 * @gpa_end: the first address that is no private memory.
 * Returns STUB_OK, or the first fault found.
 */
enum stub_fault stub_params_check(const struct stub_params *params, uint32_t platform,
				  uint64_t gpa_end);

/*
 * Ranges are worked on in chunks: what lies in one block of STUB_CHUNK_BYTES. Only for
 * parameters that have been checked.
 */
uint64_t stub_chunks_count(const struct stub_params *params);
struct stub_range stub_chunk_get(const struct stub_params *params, uint64_t chunk);

/* Is it a large page? */
bool stub_chunk_is_whole(struct stub_range chunk);

/* SNP firmware ABI 56860, 8.14.2.6: what the firmware has checked of the processor's CPUID. */
struct stub_cpuid_entry {
	uint32_t eax_in;
	uint32_t ecx_in;
	uint64_t xcr0_in;
	uint64_t xss_in;
	uint32_t eax;
	uint32_t ebx;
	uint32_t ecx;
	uint32_t edx;
	uint64_t reserved;
};

#define STUB_CPUID_MAX 64

struct stub_cpuid_page {
	uint32_t count;
	uint32_t reserved1;
	uint64_t reserved2;
	struct stub_cpuid_entry entries[STUB_CPUID_MAX];
};

/**
 * What the CPUID page says of memory encryption.
 *
 * @ret_must_evict: validated pages need their lines evicted (CVE-2025-38560); false when
 * COHERENCY_SFW_NO says that this processor does it by itself.
 * Returns STUB_OK; STUB_BAD_CPUID (no such page, or it says nothing of encryption);
 * STUB_BAD_C_BIT (it is not at @c_bit).
 */
enum stub_fault stub_cpuid_check(const struct stub_cpuid_page *page, uint32_t c_bit,
				 bool *ret_must_evict);

#endif
