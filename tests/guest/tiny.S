/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The smallest guest: an ELF file with a PVH note. Its first instruction writes '!' to the serial
 * port; then it halts for ever. Whoever started it measures how long that took and what it costs.
 *
 * Source: Xen's x86 HVM direct boot ABI (PVH); 32-bit protected mode, flat segments.
 */
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
	mov	$'!', %al
	mov	$0x3f8, %dx
	out	%al, %dx
halt:
	hlt
	jmp	halt

	.section .note.GNU-stack, "", @progbits
