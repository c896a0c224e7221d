// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A TDX module: TDG.VP.INFO, TDG.MEM.PAGE.ACCEPT, and TDG.VP.VMCALL for ReportFatalError.
 *
 * Sources: Intel TDX module ABI 348551; GHCI 726792, 3.4.
 */
#include "tests/guest/monitor/internal.h"

#include "boot/stub.h"

#define VECTOR_UD	6
#define GPA_BITS	(config.high_gpa ? 52 : 48)
#define LEAF_VMCALL	0
#define LEAF_INFO	1
#define LEAF_ACCEPT	6
#define FATAL_ERROR	0x10003
#define VMCALL_REGS	0xffcc
#define OPERAND_INVALID UINT64_C(0xc000010000000001)
#define OPERAND_BUSY	UINT64_C(0x8000020000000001)
#define ALREADY		UINT64_C(0x00000b0a00000000)
#define MISMATCH	UINT64_C(0xc0000b0b00000000)
#define UNUSED_VALUE	UINT64_C(0x5555aaaa5555aaaa) /* in RCX and R8 */

static uint64_t n_large, n_small, n_by_vcpu[MONITOR_CPUS];
static uint32_t n_busy_left = 3;

_Noreturn void tdx_start(uint32_t index)
{
	enter_td(index, GPA_BITS, UNUSED_VALUE);
}

static void info(struct trap_frame *frame, uint32_t index)
{
	frame->rax = config.inject == INJECT_INFO_ERROR ? OPERAND_INVALID : 0;
	frame->rcx = config.inject == INJECT_INFO_WIDTH ? 50 : GPA_BITS; /* of addresses */
	frame->rdx = 0;
	frame->r8 = config.n_vcpus + (config.inject == INJECT_INFO_VCPUS);
	frame->r8 |= frame->r8 << 32;
	frame->r9 = index;
	frame->r10 = 0;
	frame->r11 = 0;
}

static uint64_t accept(uint64_t gpa, bool is_large, uint32_t index)
{
	uint64_t n_bytes = is_large ? LARGE_PAGE_BYTES : PAGE_BYTES;
	enum page_change change;

	if (gpa % n_bytes)
		verdict_wrong("ACCEPT of 0x%lx, which is not aligned", gpa);
	if (inject_now(INJECT_NO_CHANGE))
		return ALREADY;
	if (inject_now(INJECT_ERROR))
		return OPERAND_INVALID;
	if (is_large && !config.has_large)
		return MISMATCH;
	if (!is_large && config.inject == INJECT_MISMATCH)
		return MISMATCH;
	if (config.inject == INJECT_BUSY && n_busy_left) {
		n_busy_left--;
		return OPERAND_BUSY;
	}
	change = books_take(gpa, n_bytes);
	if (change == PAGE_NO_RAM)
		verdict_wrong("ACCEPT of 0x%lx, which is no RAM", gpa);
	if (change == PAGE_ALREADY)
		return ALREADY;
	__atomic_fetch_add(is_large ? &n_large : &n_small, 1, __ATOMIC_RELAXED);
	n_by_vcpu[index]++;
	return 0;
}

/* The text is in registers, eight characters each. */
static void vmcall(const struct trap_frame *frame)
{
	const uint64_t parts[] = {frame->r14, frame->r15, frame->rbx, frame->rdi, frame->rsi,
				  frame->r8,  frame->r9,  frame->rdx, 0};

	if (frame->r10 || frame->r11 != FATAL_ERROR || frame->rcx != VMCALL_REGS)
		verdict_wrong("TDG.VP.VMCALL 0x%lx with registers 0x%lx", frame->r11,
			      frame->rcx);
	if (frame->r12 >> 32 || frame->r13)
		verdict_wrong("ReportFatalError 0x%lx 0x%lx", frame->r12, frame->r13);
	print("MONITOR stopped reason=%lu text=%s", frame->r12, (const char *)parts);
	machine_end(0);
}

bool tdx_trap(struct trap_frame *frame, uint32_t index)
{
	static const uint8_t tdcall[] = {0x66, 0x0f, 0x01, 0xcc};
	const uint8_t *code = (const uint8_t *)frame->rip;
	uint64_t level = frame->rcx & 7;

	if (frame->vector != VECTOR_UD)
		return false;
	for (unsigned int i = 0; i < sizeof(tdcall); i++) {
		if (code[i] != tdcall[i])
			return false;
	}
	switch (frame->rax) {
	case LEAF_INFO:
		info(frame, index);
		break;
	case LEAF_ACCEPT:
		if (level > 1)
			verdict_wrong("ACCEPT at level %lu", level);
		frame->rax = accept(frame->rcx & ~UINT64_C(7), level, index);
		break;
	case LEAF_VMCALL:
		vmcall(frame);
		break;
	default:
		verdict_wrong("TDCALL leaf %lu", frame->rax);
	}
	frame->rip += sizeof(tdcall);
	return true;
}

void tdx_finish(void)
{
	uint32_t n_helpers = 0;

	for (uint32_t i = 0; i < MONITOR_CPUS; i++)
		n_helpers += n_by_vcpu[i] > 0;
	print("MONITOR tdx large=%lu small=%lu vcpus=%lu", n_large, n_small,
	      (unsigned long)n_helpers);
}
