// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as the boot stub's parameters and CPUID page: what the stub accepts makes it work
 * on the RAM it should and nothing else, each page once.
 */
#include <stdlib.h>
#include <string.h>

#include "boot/stub/work.h"

#define HOLE_GPA UINT64_C(0xc0000000)
#define HOLE_END UINT64_C(0x100000000)

struct input {
	uint8_t platform;
	uint8_t gpa_bits;
	uint8_t is_patched; /* the constants, which chance would not find */
	uint8_t unused[5];
	struct stub_params params;
	struct stub_cpuid_page cpuid;
};

static void must(bool is_true)
{
	if (!is_true)
		abort();
}

static void chunk_check(const struct stub_params *params, struct stub_range chunk,
			uint64_t gpa_end)
{
	must(chunk.start < chunk.end);
	must((chunk.start | chunk.end) % STUB_PAGE_BYTES == 0);
	must(chunk.start / STUB_CHUNK_BYTES == (chunk.end - 1) / STUB_CHUNK_BYTES);
	must(chunk.end <= gpa_end);
	must(chunk.end <= HOLE_GPA || chunk.start >= HOLE_END);
	must(params->entry < chunk.start || params->entry >= chunk.end);
	must(params->boot_params < chunk.start || params->boot_params >= chunk.end);
}

static void params_fuzz(const struct stub_params *params, uint32_t platform, uint64_t gpa_end)
{
	uint64_t chunk = 0, end = 0;

	if (stub_params_check(params, platform, gpa_end))
		return;
	must(params->n_ranges <= STUB_RANGES_MAX);
	for (uint32_t i = 0; i < params->n_ranges; i++) {
		const struct stub_range *range = &params->ranges[i];
		uint64_t n = (range->end - 1) / STUB_CHUNK_BYTES -
			     range->start / STUB_CHUNK_BYTES + 1;
		struct stub_range first = stub_chunk_get(params, chunk);
		struct stub_range second = stub_chunk_get(params, chunk + (n > 1));
		struct stub_range last = stub_chunk_get(params, chunk + n - 1);

		must(first.start == range->start && last.end == range->end);
		must(n == 1 || second.start == first.end);
		must(first.start >= end);
		chunk_check(params, first, gpa_end);
		chunk_check(params, second, gpa_end);
		chunk_check(params, last, gpa_end);
		end = last.end;
		chunk += n;
	}
	must(stub_chunks_count(params) == chunk);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	struct input input = {0};
	bool must_evict = false;
	uint32_t platform;

	if (size_bytes)
		memcpy(&input, bytes, size_bytes < sizeof(input) ? size_bytes : sizeof(input));
	platform = input.platform & 1 ? STUB_PLATFORM_SNP : STUB_PLATFORM_TDX;
	if (input.is_patched & 1) {
		input.params.magic = STUB_PARAMS_MAGIC;
		input.params.version = STUB_PARAMS_VERSION;
		input.params.platform = platform;
		input.params.c_bit = platform == STUB_PLATFORM_SNP ? 51 : 0;
		input.params.mailbox = STUB_MAILBOX_GPA;
		input.params.reserved = 0;
	}
	params_fuzz(&input.params, platform, UINT64_C(1) << (input.gpa_bits % 64));
	if (!stub_cpuid_check(&input.cpuid, input.params.c_bit, &must_evict))
		must(input.cpuid.count > 0 && input.cpuid.count <= STUB_CPUID_MAX);
	return 0;
}
