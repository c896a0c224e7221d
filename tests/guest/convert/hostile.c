// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Requests that make no sense, or little: each has one answer, and the machine goes on. What is
 * no RAM is "shared" already; RAM and something else in one range is refused.
 */
#include "tests/guest/convert/guest.h"

#define ALL_ONES UINT64_MAX
#define HOLE	 UINT64_C(0xb0000000) /* no RAM in a guest of less than 2.75 GiB */
#define BARS	 UINT64_C(0xc0000000)
#define ECAM	 UINT64_C(0xe0000000)
#define IOAPIC	 UINT64_C(0xfec00000)
#define POWER	 UINT64_C(0xfed80000)
#define LAPIC	 UINT64_C(0xfee00000)
#define FOUR_GIB UINT64_C(0x100000000)
#define ONE_TIB	 UINT64_C(0x10000000000)
#define CANARY	 (AREA_GPA + 30 * BLOCK_BYTES)

enum { SEED = 0x4444, CANARY_PAGES = 4 };

/* Where a gpa counts from. */
enum base { ZERO, END };

static const struct request {
	const char *name;
	enum base base;
	uint64_t gpa;
	uint64_t n_pages;
	uint64_t attributes;
	int64_t answer;
} requests[] = {
	{"no-pages", ZERO, AREA_GPA, 0, PRIVATE, GUEST_EINVAL},
	{"no-pages-shared", ZERO, AREA_GPA, 0, SHARED, GUEST_EINVAL},
	{"no-pages-at-0", ZERO, 0, 0, PRIVATE, GUEST_EINVAL},
	{"unaligned-1", ZERO, AREA_GPA + 1, 1, PRIVATE, GUEST_EINVAL},
	{"unaligned-8", ZERO, AREA_GPA + 8, 1, SHARED, GUEST_EINVAL},
	{"unaligned-4095", ZERO, AREA_GPA + 4095, 1, PRIVATE, GUEST_EINVAL},
	{"unaligned-ones", ZERO, ALL_ONES, 1, PRIVATE, GUEST_EINVAL},
	{"wraps-1", ZERO, ALL_ONES - 4095, 1, PRIVATE, GUEST_EINVAL},
	{"wraps-2", ZERO, ALL_ONES - 4095, 2, PRIVATE, GUEST_EINVAL},
	{"wraps-pages", ZERO, AREA_GPA, ALL_ONES, PRIVATE, GUEST_EINVAL},
	{"wraps-pages-shared", ZERO, AREA_GPA, ALL_ONES, SHARED, GUEST_EINVAL},
	{"pages-2^52", ZERO, AREA_GPA, UINT64_C(1) << 52, PRIVATE, GUEST_EINVAL},
	{"pages-2^52-at-0", ZERO, 0, UINT64_C(1) << 52, PRIVATE, GUEST_EINVAL},
	{"pages-2^52-1", ZERO, 0, (UINT64_C(1) << 52) - 1, PRIVATE, GUEST_EINVAL},
	{"pages-2^52-shared", ZERO, 0, UINT64_C(1) << 52, SHARED, GUEST_EINVAL},
	{"pages-2^63", ZERO, 0, UINT64_C(1) << 63, PRIVATE, GUEST_EINVAL},
	{"pages-2^51", ZERO, AREA_GPA, UINT64_C(1) << 51, PRIVATE, GUEST_EINVAL},
	{"pages-2^40", ZERO, 0, UINT64_C(1) << 40, PRIVATE, GUEST_EINVAL},
	{"end-private", END, 0, 1, PRIVATE, GUEST_EINVAL},
	{"end-shared", END, 0, 1, SHARED, 0},
	{"end-across", END, -PAGE_BYTES, 2, PRIVATE, GUEST_EINVAL},
	{"end-across-shared", END, -PAGE_BYTES, 2, SHARED, GUEST_EINVAL},
	{"end-across-far", ZERO, AREA_GPA, FOUR_GIB / PAGE_BYTES, PRIVATE, GUEST_EINVAL},
	{"hole-private", ZERO, HOLE, 16, PRIVATE, GUEST_EINVAL},
	{"hole-shared", ZERO, HOLE, 16, SHARED, 0},
	{"bars-private", ZERO, BARS, 1, PRIVATE, GUEST_EINVAL},
	{"bars-shared", ZERO, BARS, 0x20000, SHARED, 0},
	{"ecam-private", ZERO, ECAM, 1, PRIVATE, GUEST_EINVAL},
	{"ecam-shared", ZERO, ECAM, 0x10000, SHARED, 0},
	{"ioapic-private", ZERO, IOAPIC, 1, PRIVATE, GUEST_EINVAL},
	{"ioapic-shared", ZERO, IOAPIC, 1, SHARED, 0},
	{"power-private", ZERO, POWER, 1, PRIVATE, GUEST_EINVAL},
	{"lapic-private", ZERO, LAPIC, 1, PRIVATE, GUEST_EINVAL},
	{"lapic-shared", ZERO, LAPIC, 1, SHARED, 0},
	{"msi-private", ZERO, LAPIC, 256, PRIVATE, GUEST_EINVAL},
	{"rom-private", ZERO, FOUR_GIB - PAGE_BYTES, 1, PRIVATE, GUEST_EINVAL},
	{"4g-private", ZERO, FOUR_GIB, 1, PRIVATE, GUEST_EINVAL},
	{"4g-across", ZERO, FOUR_GIB - PAGE_BYTES, 2, PRIVATE, GUEST_EINVAL},
	{"1t-private", ZERO, ONE_TIB, 1, PRIVATE, GUEST_EINVAL},
	{"1t-shared", ZERO, ONE_TIB, 512, SHARED, 0},
	{"beyond-addresses", ZERO, UINT64_C(1) << 60, 1, PRIVATE, GUEST_EINVAL},
	{"beyond-addresses-shared", ZERO, UINT64_C(1) << 60, 1, SHARED, 0},
	{"low-memory", ZERO, 0xa0000, 0x60, PRIVATE, 0},
	{"low-memory-back", ZERO, 0xa0000, 0x60, SHARED, 0},
	{"page-0", ZERO, 0, 1, PRIVATE, 0},
	{"page-0-back", ZERO, 0, 1, SHARED, 0},
	{"size-2m", ZERO, AREA_GPA, 512, PRIVATE | 1, 0},
	{"size-2m-unaligned", ZERO, AREA_GPA + PAGE_BYTES, 1, PRIVATE | 1, 0},
	{"size-1g", ZERO, AREA_GPA, 1, PRIVATE | 2, 0},
	{"size-unknown", ZERO, AREA_GPA, 1, PRIVATE | 15, 0},
	{"size-shared", ZERO, AREA_GPA, 600, SHARED | 15, 0},
	{"other-bits-private", ZERO, AREA_GPA, 1, ALL_ONES, 0},
	{"other-bits-shared", ZERO, AREA_GPA, 1, ALL_ONES & ~(uint64_t)PRIVATE, 0},
	{"private-twice", ZERO, AREA_GPA, 3, PRIVATE, 0},
	{"private-twice-2", ZERO, AREA_GPA, 3, PRIVATE, 0},
	{"shared-twice", ZERO, AREA_GPA, 3, SHARED, 0},
	{"shared-twice-2", ZERO, AREA_GPA, 3, SHARED, 0},
};

/* Hypercalls that KVM knows are harmless; 1 and 5 it knows. */
static const struct {
	const char *name;
	uint64_t number;
} unknown[] = {
	{"number-0", 0},
	{"number-2", 2},
	{"number-13", 13},
	{"number-255", 255},
	{"number-2^31", UINT64_C(1) << 31},
	{"number-2^32+12", (UINT64_C(1) << 32) + HC_MAP_GPA_RANGE},
	{"number-2^63", UINT64_C(1) << 63},
	{"number-ones", ALL_ONES},
};

/* Nobody's memory has changed, and what makes sense is still done. */
static bool is_alive(void)
{
	bool is_good = has(CANARY, CANARY_PAGES, SEED);

	is_good = convert(CANARY, CANARY_PAGES, PRIVATE) && is_good;
	is_good = convert(CANARY, CANARY_PAGES, SHARED) && is_good;
	fill(CANARY, CANARY_PAGES, SEED);
	return is_good;
}

unsigned int hostile_run(void)
{
	unsigned int n_bad = 0;

	fill(CANARY, CANARY_PAGES, SEED);
	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		const struct request *request = &requests[i];
		uint64_t gpa = request->gpa + (request->base == END ? ram_end : 0);
		int64_t answer =
			hypercall(HC_MAP_GPA_RANGE, gpa, request->n_pages, request->attributes);
		bool is_good = expect("answer", answer, request->answer) && is_alive();

		print_result(request->name, is_good);
		n_bad += !is_good;
	}
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		int64_t answer = hypercall(unknown[i].number, AREA_GPA, 1, PRIVATE);
		bool is_good = expect("answer", answer, GUEST_ENOSYS) && is_alive();

		print_result(unknown[i].name, is_good);
		n_bad += !is_good;
	}
	return n_bad;
}
