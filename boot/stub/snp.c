// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SEV-SNP: validate all RAM that was not launched.
 *
 * What is launched has been validated by the firmware. The host may have assigned any page or
 * none to an address; validating it once, here, is what makes it ours. A page found validated
 * (CF) means that somebody wants it validated twice, which is how a host would get two pages
 * under one address: the end.
 *
 * PVALIDATE takes a virtual address. What is above 4 GiB is seen through a window: entries of
 * the fourth page directory, whose addresses (3 to 3.5 GiB) are no memory of the guest.
 *
 * Sources: AMD APM volume 3, PVALIDATE; volume 2, 15.36; Linux arch/x86/boot/startup/
 * sev-shared.c, pvalidate_4k_page, and arch/x86/include/asm/sev.h, sev_evict_cache.
 */
#include "boot/stub/machine.h"

#define WINDOW_GPA   UINT64_C(0xc0000000)
#define WINDOW_BYTES UINT64_C(0x20000000)
#define WINDOW_N     (WINDOW_BYTES / STUB_CHUNK_BYTES)
/* After one page of level 4, one of level 3 and three of level 2. */
#define WINDOW_DIRECTORY_GPA (STUB_TABLES_GPA + 5 * STUB_PAGE_BYTES)

#define PDE_FLAGS	     UINT64_C(0xe3) /* present, writable, accessed, dirty, large */

struct snp {
	const struct stub_params *params;
	uint64_t window_gpa; /* what is seen there; WINDOW_GPA: itself */
	bool must_evict;
};

static void window_set(struct snp *snp, uint64_t gpa)
{
	volatile uint64_t *directory = (volatile uint64_t *)WINDOW_DIRECTORY_GPA;
	uint64_t flags = PDE_FLAGS | UINT64_C(1) << snp->params->c_bit;
	uint64_t cr3;

	for (uint64_t i = 0; i < WINDOW_N; i++)
		directory[i] = (gpa + i * STUB_CHUNK_BYTES) | flags;
	__asm__ volatile("mov %%cr3, %0\n\tmov %0, %%cr3" : "=r"(cr3) : : "memory");
	snp->window_gpa = gpa;
}

static uint64_t window_find(struct snp *snp, uint64_t gpa)
{
	uint64_t offset = gpa % WINDOW_BYTES;

	if (gpa < WINDOW_GPA)
		return gpa;
	if (gpa - offset != snp->window_gpa)
		window_set(snp, gpa - offset);
	return WINDOW_GPA + offset;
}

static void validate_check(uint32_t status)
{
	if (status == PVALIDATE_NO_CHANGE)
		snp_terminate(STUB_NO_CHANGE);
	if (status != PVALIDATE_OK)
		snp_terminate(STUB_VALIDATE);
}

/* Reading a page's first and last line drops the host's lines of it from the caches. */
static void evict(uint64_t address, uint64_t n_bytes)
{
	for (uint64_t i = 0; i < n_bytes; i += STUB_PAGE_BYTES) {
		(void)*(volatile uint8_t *)(address + i);
		(void)*(volatile uint8_t *)(address + i + STUB_PAGE_BYTES - 1);
	}
}

static void chunk_validate(struct snp *snp, struct stub_range chunk)
{
	uint64_t address = window_find(snp, chunk.start);
	uint64_t n_bytes = chunk.end - chunk.start;
	uint32_t status = PVALIDATE_SIZE_MISMATCH;

	if (stub_chunk_is_whole(chunk))
		status = pvalidate(address, PVALIDATE_2M);
	if (status != PVALIDATE_SIZE_MISMATCH) {
		validate_check(status);
	} else {
		for (uint64_t i = 0; i < n_bytes; i += STUB_PAGE_BYTES)
			validate_check(pvalidate(address + i, PVALIDATE_4K));
	}
	if (snp->must_evict)
		evict(address, n_bytes);
}

void snp_main(void)
{
	struct snp snp = {
		.params = (const struct stub_params *)(uint64_t)STUB_PARAMS_GPA,
		.window_gpa = WINDOW_GPA,
	};
	uint32_t c_bit = snp.params->c_bit;
	enum stub_fault fault;
	uint64_t n_chunks;

	/* The check says whether c_bit is one; until then the mask is only harmless. */
	fault = stub_params_check(snp.params, STUB_PLATFORM_SNP, UINT64_C(1) << (c_bit & 63));
	if (!fault)
		fault = stub_cpuid_check(
			(const struct stub_cpuid_page *)(uint64_t)STUB_CPUID_GPA, c_bit,
			&snp.must_evict);
	if (fault)
		snp_terminate(fault);
	n_chunks = stub_chunks_count(snp.params);
	for (uint64_t i = 0; i < n_chunks; i++)
		chunk_validate(&snp, stub_chunk_get(snp.params, i));
	if (snp.window_gpa != WINDOW_GPA)
		window_set(&snp, WINDOW_GPA);
}
