/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From reset to 64-bit C, from a start-up IPI to the same for the others; traps; and the two ways
 * into the stub: the state of a processor of a TD (flat 32-bit protected mode, LME set), and that
 * of a save area (64-bit).
 */
#include "boot/stub.h"
#include "tests/guest/monitor/monitor.h"

#define SEGMENT_GPA	0xffff0000	/* of the reset vector */
#define EFER		0xc0000080
#define EFER_LME	0x100
#define CR0_PE		0x1
#define CR0_NE		0x20
#define CR0_PG		0x80000000
#define CR4_PAE		0x20
#define CR4_MCE		0x40
#define APIC_ID_GPA	0xfee00020
#define PRESENT_WRITE	0x3
#define PRESENT_LARGE	0x83

	.section .text, "ax"
	.code32
start32:
	mov	$MONITOR_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss

	movl	$(tables_pdpt + PRESENT_WRITE), tables_pml4
	mov	$(tables_pd + PRESENT_WRITE), %ebx
	xor	%edx, %edx
1:	mov	%ebx, tables_pdpt(,%edx,8)
	add	$4096, %ebx
	inc	%edx
	cmp	$4, %edx
	jne	1b
	mov	$PRESENT_LARGE, %eax
	xor	%edx, %edx
2:	mov	%eax, tables_pd(,%edx,8)
	add	$0x200000, %eax
	inc	%edx
	cmp	$2048, %edx
	jne	2b

	mov	$trampoline, %esi
	mov	$MONITOR_TRAMPOLINE_GPA, %edi
	mov	$(trampoline_end - trampoline), %ecx
	cld
	rep movsb

/* Paging and 64 bits on; every processor has a stack by its number. */
	.globl long_mode
long_mode:
	mov	$tables_pml4, %eax
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$CR4_PAE, %eax
	mov	%eax, %cr4
	mov	$EFER, %ecx
	rdmsr
	or	$EFER_LME, %eax
	wrmsr
	mov	%cr0, %eax
	or	$(CR0_PG | CR0_NE | CR0_PE), %eax
	mov	%eax, %cr0
	ljmp	$MONITOR_CODE64, $1f

	.code64
1:	lgdt	gdt_pointer(%rip)
	mov	$APIC_ID_GPA, %eax
	mov	(%rax), %edi
	shr	$24, %edi
	cmp	$MONITOR_CPUS, %edi
	jae	stop
	lea	1(%rdi), %eax
	imul	$MONITOR_STACK_BYTES, %eax, %eax
	lea	stacks(%rip), %rsp
	add	%rax, %rsp
	call	monitor_main
	.globl stop
stop:
	cli
	hlt
	jmp	stop

/*
 * Into a TD's initial state. %edi: the processor's number; %esi: the width of addresses;
 * %rdx: the value of RCX and R8.
 */
	.globl enter_td
enter_td:
	mov	%rdx, %r8
	mov	%edx, %ecx
	mov	%esi, %ebx
	mov	%edi, %esi
	xor	%edi, %edi
	push	$MONITOR_CODE32
	lea	1f(%rip), %rax
	push	%rax
	lretq
	.code32
1:	mov	%cr0, %eax
	and	$~CR0_PG, %eax
	mov	%eax, %cr0
	mov	$CR4_MCE, %eax
	mov	%eax, %cr4
	xor	%eax, %eax
	mov	%eax, %cr3
	xor	%esp, %esp
	xor	%ebp, %ebp
	mov	$0x306c0, %edx
	mov	$0xfffffff0, %eax
	jmp	*%eax

/* Into the state of a save area. %rdi: rip; %rsi: cr3; %rdx: points to a value for LGDT. */
	.code64
	.globl enter_snp
enter_snp:
	lgdt	(%rdx)
	mov	%rsi, %cr3
	mov	$MONITOR_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %fs
	mov	%eax, %gs
	mov	%eax, %ss
	push	$MONITOR_DATA
	push	$0
	push	$2
	push	$MONITOR_CODE64
	push	%rdi
	xor	%eax, %eax
	xor	%ebx, %ebx
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%esi, %esi
	xor	%edi, %edi
	xor	%ebp, %ebp
	iretq

/* One entry of 16 bytes per vector; where the processor pushes no error code, a zero stands. */
	.balign 16
	.globl traps
traps:
	.set	vector, 0
	.rept	32
	.if	(vector == 8) || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21 || vector == 29 || vector == 30
	.else
	push	$0
	.endif
	push	$vector
	jmp	trap
	.balign 16
	.set	vector, vector + 1
	.endr
trap:
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%r11
	push	%r10
	push	%r9
	push	%r8
	push	%rdi
	push	%rsi
	push	%rbp
	push	%rbx
	push	%rdx
	push	%rcx
	push	%rax
	cld
	mov	%rsp, %rdi
	str	%esi
	sub	$MONITOR_TSS, %esi
	shr	$4, %esi
	call	monitor_trap
	pop	%rax
	pop	%rcx
	pop	%rdx
	pop	%rbx
	pop	%rbp
	pop	%rsi
	pop	%rdi
	pop	%r8
	pop	%r9
	pop	%r10
	pop	%r11
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	add	$16, %rsp
	iretq

/* Copied to MONITOR_TRAMPOLINE_GPA. */
	.code16
trampoline:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	(trampoline_gdt - trampoline)
	mov	%cr0, %eax
	or	$CR0_PE, %eax
	mov	%eax, %cr0
	ljmpl	$MONITOR_CODE32, $trampoline32
trampoline_gdt:
	.word	gdt_end - gdt - 1
	.long	gdt
trampoline_end:
	.code32
trampoline32:
	mov	$MONITOR_DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	jmp	long_mode

	.section .data, "aw"
	.balign 8
	.globl gdt
gdt:
	.quad	0
	.quad	0x00cf9b000000ffff	/* 32-bit code */
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.quad	0x00cf93000000ffff	/* data */
	.skip	16 * MONITOR_CPUS
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.quad	gdt

	.section .bss, "aw", @nobits
	.balign 4096
tables_pml4:
	.skip	4096
tables_pdpt:
	.skip	4096
tables_pd:
	.skip	4 * 4096
stacks:
	.skip	MONITOR_CPUS * MONITOR_STACK_BYTES

/* What the stub's pieces overwrite. */
	.section .reset, "ax"
	.code16
start16:
	cli
	lgdtl	%cs:(reset_gdt - SEGMENT_GPA)
	mov	%cr0, %eax
	or	$CR0_PE, %eax
	mov	%eax, %cr0
	ljmpl	$MONITOR_CODE32, $start32
reset_gdt:
	.word	gdt_end - gdt - 1
	.long	gdt
	.balign	16
	.globl reset
reset:
	jmp	start16
	.balign	16, 0xf4

	.section .note.GNU-stack, "", @progbits
