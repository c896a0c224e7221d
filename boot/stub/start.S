/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub's ways in and out.
 *
 * SNP: the boot processor starts at STUB_SNP_ENTRY in 64-bit mode, with the stub's page tables
 * and descriptors, as its save area says. The save areas of the others say STUB_SNP_OTHER_ENTRY:
 * the kernel starts those with save areas of its own, so whoever gets there was started by the
 * host.
 *
 * TDX: all processors start at 0xfffffff0 in flat 32-bit protected mode without paging, RSI is
 * the processor's number, EFER.LME is set; no descriptor table can be relied on.
 *
 * Sources: Linux Documentation/arch/x86/boot.rst, 64-bit boot protocol; ACPI 6.5, 5.2.12.19
 * (mailbox); Intel TDX module base specification 348549, initial state of TD VCPUs; GHCI 726792,
 * 3.4 (ReportFatalError); GHCB specification 56421, 2.3.1 (termination request).
 */
#include "boot/stub.h"

#define CODE64		0x10
#define DATA		0x18
#define CR0_PG		0x80000000
#define CR4_PAE		0x20
#define MSR_GHCB	0xc0010130
#define GHCB_TERMINATE	(0x100 | STUB_SNP_REASON_SET << 12)
#define MAILBOX_WAKE	1
#define VMCALL_FATAL	0x10003
/* RDX, RBX, RSI, RDI, R8 to R15 are for the host. */
#define VMCALL_REGS	0xffcc

#define STACK_END	(STUB_STATE_GPA + STUB_STATE_BYTES)
#define HELPER_STACKS	(STACK_END - STUB_STACK_BYTES)

	.section .head, "ax"
	.code64
	.globl snp_entry
snp_entry:
	jmp	snp_start
	.org	STUB_SNP_OTHER_ENTRY - STUB_IMAGE_GPA
	mov	$STUB_FAULT_OTHER_RAN, %edi
	jmp	snp_terminate
	.org	STUB_GDT_GPA - STUB_IMAGE_GPA
gdt:
	.quad	0
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.quad	0x00cf93000000ffff	/* data */
gdt_pointer:
	.word	STUB_GDT_BYTES - 1
	.long	STUB_GDT_GPA

	.section .text, "ax"
snp_start:
	cld
	mov	$STACK_END, %esp
	call	snp_main

enter_kernel:
	mov	$STUB_PARAMS_GPA, %ecx
	mov	STUB_PARAMS_BOOT(%rcx), %rsi
	mov	STUB_PARAMS_ENTRY(%rcx), %rax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebp, %ebp
	xor	%edi, %edi
	jmp	*%rax

/* %edi: the reason. A host that lets us go on gets nothing else. */
	.globl snp_terminate
snp_terminate:
	mov	%edi, %eax
	shl	$16, %eax
	or	$GHCB_TERMINATE, %eax
	xor	%edx, %edx
	mov	$MSR_GHCB, %ecx
	wrmsr
	.byte	0xf3, 0x0f, 0x01, 0xd9	/* vmgexit */
	jmp	snp_terminate

	.section .text32, "ax"
	.code32
tdx_entry:
	cld
	lgdtl	gdt_pointer
	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$STUB_TABLES_GPA, %eax
	mov	%eax, %cr3
	mov	%cr0, %eax
	or	$CR0_PG, %eax
	mov	%eax, %cr0
	ljmpl	$CODE64, $tdx_entry64

	.section .text, "ax"
	.code64
tdx_entry64:
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%eax, %ss
	mov	%esi, %ebp
	test	%ebp, %ebp
	jnz	1f
	mov	$STACK_END, %esp
	call	tdx_main
	jmp	enter_kernel

1:	cmp	$STUB_HELPERS, %ebp
	ja	wait_for_wake
	lea	-1(%rbp), %eax
	imul	$STUB_HELPER_BYTES, %eax, %eax
	mov	$HELPER_STACKS, %esp
	sub	%eax, %esp
	call	tdx_help

/*
 * Version 0 of the mailbox: command (16 bits), APIC ID at 4, vector at 8. APIC IDs are processor
 * numbers. The command is cleared only by whom it is for, as the last thing here; so once the ID
 * is ours, a command is, too. Looked at the other way round, it could be that for the one before.
 */
wait_for_wake:
	mov	$STUB_MAILBOX_GPA, %ebx
2:	pause
	cmp	%ebp, 4(%rbx)
	jne	2b
	cmpw	$MAILBOX_WAKE, (%rbx)
	jne	2b
	mov	8(%rbx), %rax
	movw	$0, (%rbx)
	jmp	*%rax

/* %edi: the reason; %rsi: 64 characters. */
	.globl tdx_terminate
tdx_terminate:
	mov	%edi, %r12d
	mov	%rsi, %rbp
3:	xor	%eax, %eax
	mov	$VMCALL_REGS, %ecx
	xor	%r10d, %r10d
	mov	$VMCALL_FATAL, %r11d
	xor	%r13d, %r13d
	mov	(%rbp), %r14
	mov	8(%rbp), %r15
	mov	16(%rbp), %rbx
	mov	24(%rbp), %rdi
	mov	32(%rbp), %rsi
	mov	40(%rbp), %r8
	mov	48(%rbp), %r9
	mov	56(%rbp), %rdx
	.byte	0x66, 0x0f, 0x01, 0xcc	/* tdcall */
	jmp	3b

	.section .reset, "ax"
	.code32
	.globl tdx_reset
tdx_reset:
	jmp	tdx_entry
	.balign	16, 0xf4

	.section .note.GNU-stack, "", @progbits
