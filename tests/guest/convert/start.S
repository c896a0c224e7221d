/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From the PVH entry (32 bits, flat, paging off) to 64-bit C, for the first processor; from a
 * start-up IPI for the others. 4 GiB are mapped one to one, but for the first page, so that a
 * jump or an access through zero is noticed.
 *
 * Source: Xen's x86 HVM direct boot ABI (PVH).
 */
#define STACK_BYTES	0x4000
#define TRAMPOLINE_GPA	0x20000
#define IN_TRAMPOLINE(symbol) (symbol - trampoline + TRAMPOLINE_GPA)

#define PRESENT_WRITE	0x3
#define PRESENT_LARGE	0x83
#define CODE64		0x08
#define DATA		0x10
#define CODE32		0x18

	.section .note.pvh, "a", @note
	.balign 4
	.long 4			/* size of the name */
	.long 4			/* size of the value */
	.long 18		/* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.long start

	.section .text, "ax"
	.code32
	.globl start
start:
	cld
	mov	$stack_end, %esp
	mov	%ebx, start_info

	movl	$(tables_pdpt + PRESENT_WRITE), tables_pml4
	movl	$(tables_pt + PRESENT_WRITE), tables_pd
	mov	$PRESENT_LARGE, %eax
	mov	$4, %ecx
	xor	%edx, %edx
	mov	$(tables_pd + PRESENT_WRITE), %ebx
1:	mov	%ebx, tables_pdpt(,%edx,8)
	add	$4096, %ebx
	inc	%edx
	loop	1b
	mov	$1, %edx
2:	add	$0x200000, %eax
	mov	%eax, tables_pd(,%edx,8)
	inc	%edx
	cmp	$2048, %edx
	jne	2b
	mov	$PRESENT_WRITE, %eax
	mov	$1, %edx
3:	add	$4096, %eax
	mov	%eax, tables_pt(,%edx,8)
	inc	%edx
	cmp	$512, %edx
	jne	3b

	mov	$trampoline, %esi
	mov	$TRAMPOLINE_GPA, %edi
	mov	$(trampoline_end - trampoline), %ecx
	rep movsb

	lgdt	gdt_pointer
	mov	$enter64, %ebp

/* Paging and 64 bits on, then to %ebp. */
long_mode:
	mov	$tables_pml4, %eax
	mov	%eax, %cr3
	mov	%cr4, %eax
	or	$0x20, %eax	/* PAE */
	mov	%eax, %cr4
	mov	$0xc0000080, %ecx
	rdmsr
	or	$0x100, %eax	/* EFER.LME */
	wrmsr
	mov	%cr0, %eax
	or	$0x80000001, %eax
	mov	%eax, %cr0
	ljmp	$CODE64, $1f

	.code64
1:	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	%ebp, %ebp
	jmp	*%rbp

enter64:
	mov	start_info(%rip), %edi
	call	guest_main
4:	hlt
	jmp	4b

enter64_other:
	mov	$stack_other_end, %esp
	call	guest_other
5:	hlt
	jmp	5b

/* Any exception: tell what is on the stack (rip, or an error code and rip), and end. */
	.globl trap
trap:
	mov	(%rsp), %rdi
	mov	8(%rsp), %rsi
	and	$-16, %rsp
	call	guest_trap

/* Copied to TRAMPOLINE_GPA; a start-up IPI begins here in real mode. */
	.code16
trampoline:
	cli
	mov	%cs, %ax
	mov	%ax, %ds
	lgdtl	(gdt_pointer_low - trampoline)
	mov	%cr0, %eax
	or	$1, %eax
	mov	%eax, %cr0
	ljmpl	$CODE32, $IN_TRAMPOLINE(protected)
gdt_pointer_low:
	.word	gdt_end - gdt - 1
	.long	gdt
	.code32
protected:
	mov	$DATA, %eax
	mov	%eax, %ds
	mov	%eax, %es
	mov	%eax, %ss
	mov	$enter64_other, %ebp
	mov	$long_mode, %eax
	jmp	*%eax
trampoline_end:

	.section .data, "aw"
	.balign 8
gdt:
	.quad	0
	.quad	0x00af9b000000ffff	/* 64-bit code */
	.quad	0x00cf93000000ffff	/* data */
	.quad	0x00cf9b000000ffff	/* 32-bit code */
gdt_end:
gdt_pointer:
	.word	gdt_end - gdt - 1
	.long	gdt
start_info:
	.long	0

	.section .bss, "aw", @nobits
	.balign 4096
	.globl tables_pml4
tables_pml4:
	.skip	4096
tables_pdpt:
	.skip	4096
tables_pd:
	.skip	4 * 4096
tables_pt:
	.skip	4096
	.globl stack
stack:
	.skip	STACK_BYTES
	.globl stack_end
stack_end:
	.skip	STACK_BYTES
stack_other_end:

	.section .note.GNU-stack, "", @progbits
