/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The bytes of the boot stub, as boot/stub/ was compiled. */
	.section .rodata
	.globl stub_image
	.balign 16
stub_image:
	.incbin "stub.bin"
	.globl stub_image_end
stub_image_end:

	.section .note.GNU-stack, "", @progbits
