/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mover's page: its code, then what it works by, as mover_code.S and mover.c see it. */
#ifndef BOOT_MOVER_PAGE_H
#define BOOT_MOVER_PAGE_H

#define MOVER_CODE_BYTES 0x200

/* Words of 32 bits. */
#define MOVER_N_PIECES	  0x200
#define MOVER_PAGE_COPY	  0x204 /* where the last piece puts this page */
#define MOVER_HIDE_GPA	  0x208 /* what is to be private in the end */
#define MOVER_HIDE_PAGES  0x20c
#define MOVER_RIP	  0x210
#define MOVER_RSI	  0x214
#define MOVER_RBX	  0x218
#define MOVER_CR3	  0x21c /* 0: enter in 32-bit mode without paging */
#define MOVER_FAR	  0x220 /* into 64-bit mode: address, selector */
#define MOVER_PIECES	  0x228

#define MOVER_PIECE_FROM  0
#define MOVER_PIECE_TO	  4
#define MOVER_PIECE_WORDS 8
#define MOVER_PIECE_BYTES 12

#endif
