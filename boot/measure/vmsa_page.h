/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things are in a VMSA, and what KVM makes them. See boot/measure/vmsa.h for the sources.
 */
#ifndef BOOT_VMSA_PAGE_H
#define BOOT_VMSA_PAGE_H

#include <stdint.h>

/* Offsets in the page. */
enum {
	VMSA_ES = 0x00, /* segments: selector, attributes, limit, base */
	VMSA_CS = 0x10,
	VMSA_SS = 0x20,
	VMSA_DS = 0x30,
	VMSA_FS = 0x40,
	VMSA_GS = 0x50,
	VMSA_GDTR = 0x60,
	VMSA_LDTR = 0x70,
	VMSA_IDTR = 0x80,
	VMSA_TR = 0x90,
	VMSA_CPL = 0xcb,
	VMSA_EFER = 0xd0,
	VMSA_CR4 = 0x148,
	VMSA_CR3 = 0x150,
	VMSA_CR0 = 0x158,
	VMSA_DR7 = 0x160,
	VMSA_DR6 = 0x168,
	VMSA_RFLAGS = 0x170,
	VMSA_RIP = 0x178,
	VMSA_RSP = 0x1d8,
	VMSA_RAX = 0x1f8,
	VMSA_PAT = 0x268,
	VMSA_RCX = 0x308,
	VMSA_RDX = 0x310,
	VMSA_RBX = 0x318,
	VMSA_RBP = 0x328,
	VMSA_RSI = 0x330,
	VMSA_RDI = 0x338,
	VMSA_R8 = 0x340,
	VMSA_FEATURES = 0x3b0,
	VMSA_XCR0 = 0x3e8,
	VMSA_MXCSR = 0x408,
	VMSA_FCW = 0x410,
};

#define CR0_ET	     UINT64_C(0x10)
#define CR0_NW_CD    UINT64_C(0x60000000)
#define CR4_MCE	     UINT64_C(0x40)
#define EFER_SVME    UINT64_C(0x1000)
#define RFLAGS_FIXED UINT64_C(0x2)
#define DR6_RESET    UINT64_C(0xffff0ff0)
#define DR7_RESET    UINT64_C(0x400)
#define PAT_RESET    UINT64_C(0x0007040600070406)
#define XCR0_RESET   UINT64_C(0x1)
#define MXCSR_RESET  0x1f80U
#define FCW_RESET    0x37fU

#endif
