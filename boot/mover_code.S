/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first instructions of a guest whose memory is private, but for a part that holds copies of
 * what it starts with: it copies all to its places, this page behind the last of them, goes on
 * in that copy, makes the part private and enters the kernel.
 *
 * Entered in flat 32-bit mode without paging, EBX the address of this page. It has no stack, and
 * uses nothing but the page it runs in: all code is relative to EBP, the address of that one.
 * A hypercall that is refused for good ends the guest (UD2 without an IDT).
 *
 * Sources: Intel SDM volume 3, 11.8.5 (into long mode); linux/Documentation/virt/kvm/x86/
 * hypercalls.rst; KVM takes 32 bits of each register outside of 64-bit mode.
 */
#include "boot/mover_page.h"

#define MAP_GPA_RANGE	    12	/* KVM_HC_MAP_GPA_RANGE; the header with it is for C */
#define MAP_GPA_RANGE_PRIVATE (1 << 4)
#define REPLY_AGAIN	    -11
#define VENDOR_AMD	    0x68747541 /* "Auth", enticAMD */
#define VENDOR_HYGON	    0x6f677948 /* "Hygo", nGenuine */
#define MSR_EFER	    0xc0000080
#define EFER_LME	    (1 << 8)
#define CR0_PG		    (1 << 31)
#define CR4_PAE		    (1 << 5)

	.section .rodata
	.balign 16
	.globl mover_code
	.code32
mover_code:
	cld
	mov	%ebx, %ebp
	mov	MOVER_N_PIECES(%ebp), %eax
	lea	MOVER_PIECES(%ebp), %edx
.Lcopy:
	mov	MOVER_PIECE_FROM(%edx), %esi
	mov	MOVER_PIECE_TO(%edx), %edi
	mov	MOVER_PIECE_WORDS(%edx), %ecx
	rep movsl
	add	$MOVER_PIECE_BYTES, %edx
	dec	%eax
	jnz	.Lcopy
	mov	MOVER_PAGE_COPY(%ebp), %ebp
	lea	(.Lhide - mover_code)(%ebp), %eax
	jmp	*%eax

.Lhide:
	xor	%eax, %eax
	cpuid
	mov	%ebx, %edi
.Lagain:
	mov	$MAP_GPA_RANGE, %eax
	mov	MOVER_HIDE_GPA(%ebp), %ebx
	mov	MOVER_HIDE_PAGES(%ebp), %ecx
	mov	$MAP_GPA_RANGE_PRIVATE, %edx
	cmp	$VENDOR_AMD, %edi
	je	.Lamd
	cmp	$VENDOR_HYGON, %edi
	je	.Lamd
	vmcall
	jmp	.Lreply
.Lamd:
	vmmcall
.Lreply:
	cmp	$REPLY_AGAIN, %eax
	je	.Lagain
	test	%eax, %eax
	jz	.Lenter
	ud2

.Lenter:
	mov	MOVER_CR3(%ebp), %eax
	test	%eax, %eax
	jnz	.Llong
	mov	MOVER_RSI(%ebp), %esi
	mov	MOVER_RBX(%ebp), %ebx
	jmp	*MOVER_RIP(%ebp)

.Llong:
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$MSR_EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	or	$CR0_PG, %eax
	mov	%eax, %cr0
	ljmp	*MOVER_FAR(%ebp)

	.code64
mover_code_long:
	/* What the other mode left in the upper halves is not known. */
	mov	%ebp, %ebp
	mov	MOVER_RSI(%rbp), %esi
	mov	MOVER_RBX(%rbp), %ebx
	mov	MOVER_RIP(%rbp), %eax
	jmp	*%rax

mover_code_end:
	.globl mover_code_long, mover_code_end

	.section .note.GNU-stack, "", @progbits
