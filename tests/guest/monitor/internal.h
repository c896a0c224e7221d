/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's own parts, told of each other. */
#ifndef TESTS_GUEST_MONITOR_INTERNAL_H
#define TESTS_GUEST_MONITOR_INTERNAL_H

#include "tests/guest/monitor/monitor.h"

#define PAGE_BYTES	 UINT64_C(0x1000)
#define LARGE_PAGE_BYTES UINT64_C(0x200000)

/* As start.S leaves it on the stack. */
struct trap_frame {
	uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define RFLAGS_CF UINT64_C(1)
#define RFLAGS_IF UINT64_C(0x200)

extern struct monitor_config config;

/* --- print.c --- */

void print(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Say why and end the machine; "wrong" is what the stub must not do. */
_Noreturn void verdict_wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));
_Noreturn void machine_end(uint8_t status);

/* --- books.c: which page is whose --- */

enum page_change {
	PAGE_TAKEN,   /* it was not valid, now it is */
	PAGE_ALREADY, /* it was, or it was launched: nothing changed */
	PAGE_NO_RAM,  /* nothing changed */
};

void books_launch(uint64_t gpa, uint64_t n_bytes);
/* All pages of the range or none of them. Any processor. */
enum page_change books_take(uint64_t gpa, uint64_t n_bytes);
/* Where in this machine the memory for a page is, and its books. */
uint64_t books_find_place(uint64_t gpa);
bool books_are_ram(uint64_t gpa);
bool books_are_valid(uint64_t gpa, uint64_t n_bytes);
/* The first page of RAM that is not valid, or the end of the books. */
uint64_t books_find_missing(void);
uint64_t books_count_taken(void);

/* --- snp.c, tdx.c: the platforms; a trap is performed, or not theirs --- */

_Noreturn void snp_start(void);
bool snp_trap(struct trap_frame *frame);
/* The kernel is about to run: judge, and take away what it could not stand. */
void snp_finish(void);

_Noreturn void tdx_start(uint32_t index);
bool tdx_trap(struct trap_frame *frame, uint32_t index);
void tdx_finish(void);

/* --- start.S --- */

_Noreturn void enter_td(uint32_t index, uint32_t gpa_bits, uint64_t value);
_Noreturn void enter_snp(uint64_t rip, uint64_t cr3, const void *gdt_pointer);
_Noreturn void stop(void);
extern const uint8_t traps[];
extern uint64_t gdt[];

/* main.c */
bool inject_now(enum monitor_inject inject);
void monitor_main(uint32_t index);
void monitor_trap(struct trap_frame *frame, uint32_t index);
void books_init(void);

#endif
