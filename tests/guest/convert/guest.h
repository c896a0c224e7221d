/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest without an operating system that converts its memory: what its cases share.
 *
 * Every case prints "CASE name ok" or "CASE name BAD ..." on the serial line. Text, page
 * tables, stack and tables of the processor lie below AREA_GPA and stay shared unless a case
 * is about them.
 */
#ifndef GUEST_CONVERT_GUEST_H
#define GUEST_CONVERT_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES  UINT64_C(0x1000)
#define BLOCK_BYTES UINT64_C(0x200000)
/* Free RAM, aligned to blocks; there is at least 128 MiB of it. */
#define AREA_GPA UINT64_C(0x4000000)

enum {
	SHARED = 0,
	PRIVATE = 1 << 4, /* KVM_MAP_GPA_RANGE_ENCRYPTED */

	HC_MAP_GPA_RANGE = 12,
	GUEST_EAGAIN = -11, /* KVM's numbers */
	GUEST_EINVAL = -22,
	GUEST_ENOSYS = -1000,
};

struct guest_case {
	const char *name;
	bool (*run)(void);
};

/* --- main.c --- */

/* End of RAM below 4 GiB. */
extern uint64_t ram_end;
/* In place a page keeps its contents; else each side has its own. */
extern bool is_inplace;

int64_t hypercall(uint64_t number, uint64_t a, uint64_t b, uint64_t c);

void print(const char *text);
void print_number(int64_t number);
void print_result(const char *name, bool is_good);

/* True, or a line about what was expected and came instead. */
bool expect(const char *what, int64_t value, int64_t expected);

/* Bring @n_pages at @gpa to a side; true when that was done. */
bool convert(uint64_t gpa, uint64_t n_pages, uint64_t side);

/* Words that depend on their address and on @seed; 0: all zero. */
void fill(uint64_t gpa, uint64_t n_pages, uint64_t seed);
bool has(uint64_t gpa, uint64_t n_pages, uint64_t seed);
/* The same, for what was filled on the other side: zero where each side has its own memory. */
bool has_kept(uint64_t gpa, uint64_t n_pages, uint64_t seed);

/* Run @fn on a second processor, at most once; false when there is none. */
bool other_start(void (*fn)(void));

_Noreturn void guest_exit(uint8_t status);

/* --- Cases; each returns how many were bad --- */

unsigned int correct_run(void);		/* correct.c */
unsigned int hostile_run(void);		/* hostile.c */
unsigned int storm_run(void);		/* storm.c */
unsigned int own_run(const char *mode); /* own.c */

#endif
