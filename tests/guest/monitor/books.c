// SPDX-License-Identifier: GPL-2.0-or-later
/* A bit for each page: launched, or validated (accepted) since. */
#include "tests/guest/monitor/internal.h"

#define FOUR_GIB (UINT64_C(1) << 32)
#define N_PAGES	 (MONITOR_RAM_END / PAGE_BYTES)

static uint64_t valid[N_PAGES / 64];
static uint64_t n_taken;
static uint32_t lock;

uint64_t books_find_place(uint64_t gpa)
{
	if (!config.high_gpa || gpa < FOUR_GIB)
		return gpa;
	return gpa < config.high_gpa ? MONITOR_RAM_END : gpa - config.high_gpa + FOUR_GIB;
}

bool books_are_ram(uint64_t gpa)
{
	for (uint32_t i = 0; i < config.n_ram; i++) {
		if (config.ram[i].start <= gpa && gpa < config.ram[i].end)
			return true;
	}
	return false;
}

static bool page_get(uint64_t gpa)
{
	uint64_t page = gpa / PAGE_BYTES;

	return valid[page / 64] >> (page % 64) & 1;
}

static void page_set(uint64_t gpa)
{
	uint64_t page = gpa / PAGE_BYTES;

	valid[page / 64] |= UINT64_C(1) << (page % 64);
}

void books_init(void)
{
	for (uint32_t i = 0; i < config.n_ram; i++) {
		if (config.ram[i].end > MONITOR_RAM_END)
			verdict_wrong("more memory than the monitor has books for");
	}
}

void books_launch(uint64_t gpa, uint64_t n_bytes)
{
	for (uint64_t i = 0; i < n_bytes; i += PAGE_BYTES) {
		if (page_get(gpa + i))
			verdict_wrong("page 0x%lx is launched twice", gpa + i);
		page_set(gpa + i);
	}
}

static enum page_change range_look(uint64_t gpa, uint64_t n_bytes)
{
	for (uint64_t i = 0; i < n_bytes; i += PAGE_BYTES) {
		if (!books_are_ram(gpa + i))
			return PAGE_NO_RAM;
		if (page_get(gpa + i))
			return PAGE_ALREADY;
	}
	return PAGE_TAKEN;
}

enum page_change books_take(uint64_t gpa, uint64_t n_bytes)
{
	enum page_change change;

	gpa = books_find_place(gpa);
	if (gpa >= MONITOR_RAM_END)
		return PAGE_NO_RAM;
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
	change = range_look(gpa, n_bytes);
	if (change == PAGE_TAKEN) {
		for (uint64_t i = 0; i < n_bytes; i += PAGE_BYTES)
			page_set(gpa + i);
		n_taken += n_bytes / PAGE_BYTES;
	}
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
	return change;
}

bool books_are_valid(uint64_t gpa, uint64_t n_bytes)
{
	gpa = books_find_place(gpa);
	if (gpa + n_bytes > MONITOR_RAM_END)
		return false;
	for (uint64_t i = 0; i < n_bytes; i += PAGE_BYTES) {
		if (!page_get(gpa + i))
			return false;
	}
	return true;
}

uint64_t books_find_missing(void)
{
	for (uint32_t i = 0; i < config.n_ram; i++) {
		for (uint64_t gpa = config.ram[i].start; gpa < config.ram[i].end;
		     gpa += PAGE_BYTES) {
			if (!page_get(gpa))
				return gpa;
		}
	}
	return MONITOR_RAM_END;
}

uint64_t books_count_taken(void)
{
	return n_taken;
}
