/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The instructions of the two platforms, and the ends of the stub.
 *
 * Nothing here may cause a #VC or #VE, because the stub has no interrupt descriptors: no CPUID,
 * no port, no MSR but the GHCB's, no access to memory that was not launched or validated. Any
 * exception ends the guest.
 */
#ifndef BOOT_STUB_MACHINE_H
#define BOOT_STUB_MACHINE_H

#include <stdint.h>

#include "boot/stub/work.h"

/* AMD APM volume 3, PVALIDATE: EAX; when that is 0, CF says that it was validated already. */
enum {
	PVALIDATE_4K = 0,
	PVALIDATE_2M = 1,
	PVALIDATE_OK = 0,
	PVALIDATE_SIZE_MISMATCH = 6,
	PVALIDATE_NO_CHANGE = 0x80000000, /* ours; no status has that bit */
};

static inline uint32_t pvalidate(uint64_t address, uint32_t size)
{
	uint32_t eax;
	unsigned char is_unchanged;

	__asm__ volatile(".byte 0xf2, 0x0f, 0x01, 0xff" /* pvalidate */
			 : "=@ccc"(is_unchanged), "=a"(eax)
			 : "a"(address), "c"(size), "d"(1)
			 : "memory");
	return eax == PVALIDATE_OK && is_unchanged ? PVALIDATE_NO_CHANGE : eax;
}

/* Intel TDX module ABI 348551: leaves of TDCALL, and statuses in the upper half of RAX. */
enum {
	TDG_VP_INFO = 1,
	TDG_MEM_PAGE_ACCEPT = 6,
	TDX_LEVEL_4K = 0,
	TDX_LEVEL_2M = 1,
};

#define TDX_STATUS(rax)		  ((uint32_t)((rax) >> 32))
#define TDX_SUCCESS		  0
#define TDX_PAGE_ALREADY_ACCEPTED 0x00000b0a
#define TDX_OPERAND_BUSY	  0x80000200
#define TDX_PAGE_SIZE_MISMATCH	  0xc0000b0b

static inline uint32_t tdx_accept(uint64_t gpa, uint64_t level)
{
	uint64_t rax = TDG_MEM_PAGE_ACCEPT;
	uint64_t rcx = gpa | level;

	__asm__ volatile(".byte 0x66, 0x0f, 0x01, 0xcc" /* tdcall */
			 : "+a"(rax), "+c"(rcx)
			 :
			 : "rdx", "r8", "r9", "r10", "r11", "cc", "memory");
	return TDX_STATUS(rax);
}

struct tdx_info {
	uint32_t status;
	uint32_t gpa_bits;
	uint32_t n_vcpus;
};

static inline struct tdx_info tdx_get_info(void)
{
	register uint64_t r8 __asm__("r8") = 0;
	uint64_t rax = TDG_VP_INFO;
	uint64_t rcx = 0;

	__asm__ volatile(".byte 0x66, 0x0f, 0x01, 0xcc" /* tdcall */
			 : "+a"(rax), "+c"(rcx), "+r"(r8)
			 :
			 : "rdx", "r9", "r10", "r11", "cc", "memory");
	return (struct tdx_info){
		.status = TDX_STATUS(rax),
		.gpa_bits = rcx & 0x3f,
		.n_vcpus = (uint32_t)r8,
	};
}

/* start.S: tell the host, and never come back. */
_Noreturn void snp_terminate(uint32_t reason);
_Noreturn void tdx_terminate(uint32_t reason, const char text[64]);

/* snp.c, tdx.c: called by start.S, which enters the kernel when they return. */
void snp_main(void);
void tdx_main(void);
void tdx_help(void);

#endif
