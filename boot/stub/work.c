// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/stub/work.h"

#include <stddef.h>

#define HOLE_GPA UINT64_C(0xc0000000) /* 3 GiB: from there to 4 GiB is no RAM of the guest */
#define HOLE_END UINT64_C(0x100000000)
#define LOW_END	 UINT64_C(0x100000) /* no kernel lies below */

/* AMD APM volume 2, 7.10.1: below the address width; every processor with SNP has 47 or 51. */
#define C_BIT_MIN    32
#define C_BIT_MAX    51

#define CPUID_MEMORY 0x8000001f /* APM volume 3, E.4.17 */
#define CPUID_SNP    (1u << 4)	/* EAX */
#define CPUID_C_BIT  0x3fu	/* EBX */
#define CPUID_SFW_NO (1u << 31) /* EBX, COHERENCY_SFW_NO */

_Static_assert(offsetof(struct stub_params, entry) == STUB_PARAMS_ENTRY, "start.S");
_Static_assert(offsetof(struct stub_params, boot_params) == STUB_PARAMS_BOOT, "start.S");
_Static_assert(sizeof(struct stub_params) <= STUB_PAGE_BYTES, "one page");
_Static_assert(sizeof(struct stub_cpuid_entry) == 48, "SNP firmware ABI, 8.14.2.6");
_Static_assert(STUB_HELPERS *STUB_HELPER_BYTES + STUB_STACK_BYTES + 0x100 <= STUB_STATE_BYTES,
	       "the state has room beside the stacks");

static bool is_page(uint64_t gpa)
{
	return gpa % STUB_PAGE_BYTES == 0;
}

/* Fields that are one number each. */
static enum stub_fault numbers_check(const struct stub_params *params, uint32_t platform)
{
	bool is_snp = platform == STUB_PLATFORM_SNP;

	if (params->magic != STUB_PARAMS_MAGIC)
		return STUB_BAD_MAGIC;
	if (params->version != STUB_PARAMS_VERSION)
		return STUB_BAD_VERSION;
	if (params->platform != platform)
		return STUB_BAD_PLATFORM;
	if (params->n_vcpus == 0 || params->n_vcpus > STUB_VCPUS_MAX)
		return STUB_BAD_VCPUS;
	if (is_snp && (params->c_bit < C_BIT_MIN || params->c_bit > C_BIT_MAX))
		return STUB_BAD_C_BIT;
	if (!is_snp && params->c_bit != 0)
		return STUB_BAD_C_BIT;
	if (params->entry < LOW_END || params->entry >= HOLE_GPA)
		return STUB_BAD_ENTRY;
	if (params->boot_params == 0 || params->boot_params >= HOLE_GPA ||
	    !is_page(params->boot_params))
		return STUB_BAD_BOOT_PARAMS;
	if (params->mailbox != STUB_MAILBOX_GPA)
		return STUB_BAD_MAILBOX;
	if (params->reserved)
		return STUB_BAD_RESERVED;
	if (params->n_ranges > STUB_RANGES_MAX)
		return STUB_BAD_COUNT;
	return STUB_OK;
}

static bool range_has(const struct stub_range *range, uint64_t gpa)
{
	return range->start <= gpa && gpa < range->end;
}

enum stub_fault stub_params_check(const struct stub_params *params, uint32_t platform,
				  uint64_t gpa_end)
{
	enum stub_fault fault = numbers_check(params, platform);
	uint64_t previous_end = 0;

	if (fault)
		return fault;
	for (uint32_t i = 0; i < params->n_ranges; i++) {
		const struct stub_range *range = &params->ranges[i];

		if (range->start >= range->end || !is_page(range->start) ||
		    !is_page(range->end))
			return STUB_BAD_ALIGN;
		if (range->start < previous_end)
			return STUB_BAD_ORDER;
		if (range->end > gpa_end)
			return STUB_BAD_LIMIT;
		if (range->start < HOLE_END && range->end > HOLE_GPA)
			return STUB_BAD_LIMIT;
		if (range_has(range, params->entry) || range_has(range, params->boot_params))
			return STUB_BAD_LAUNCHED;
		previous_end = range->end;
	}
	return STUB_OK;
}

static uint64_t range_count_chunks(const struct stub_range *range)
{
	return (range->end - 1) / STUB_CHUNK_BYTES - range->start / STUB_CHUNK_BYTES + 1;
}

uint64_t stub_chunks_count(const struct stub_params *params)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < params->n_ranges; i++)
		n += range_count_chunks(&params->ranges[i]);
	return n;
}

struct stub_range stub_chunk_get(const struct stub_params *params, uint64_t chunk)
{
	struct stub_range piece = {0};

	for (uint32_t i = 0; i < params->n_ranges; i++) {
		const struct stub_range *range = &params->ranges[i];
		uint64_t n = range_count_chunks(range);
		uint64_t block;

		if (chunk >= n) {
			chunk -= n;
			continue;
		}
		block = (range->start / STUB_CHUNK_BYTES + chunk) * STUB_CHUNK_BYTES;
		piece.start = block > range->start ? block : range->start;
		piece.end = block + STUB_CHUNK_BYTES;
		if (piece.end > range->end)
			piece.end = range->end;
		break;
	}
	return piece;
}

bool stub_chunk_is_whole(struct stub_range chunk)
{
	return chunk.end - chunk.start == STUB_CHUNK_BYTES;
}

enum stub_fault stub_cpuid_check(const struct stub_cpuid_page *page, uint32_t c_bit,
				 bool *ret_must_evict)
{
	uint32_t count = page->count;

	if (count == 0 || count > STUB_CPUID_MAX)
		return STUB_BAD_CPUID;
	for (uint32_t i = 0; i < count; i++) {
		const struct stub_cpuid_entry *entry = &page->entries[i];

		if (entry->eax_in != CPUID_MEMORY)
			continue;
		if (!(entry->eax & CPUID_SNP))
			return STUB_BAD_CPUID;
		if ((entry->ebx & CPUID_C_BIT) != c_bit)
			return STUB_BAD_C_BIT;
		*ret_must_evict = !(entry->ebx & CPUID_SFW_NO);
		return STUB_OK;
	}
	return STUB_BAD_CPUID;
}
