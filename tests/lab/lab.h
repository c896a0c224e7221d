/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests/lab/relay (outside) and tests/lab/init (inside) say to each other
 * over virtio-serial ports. Both are built from one tree on one machine.
 */
#ifndef ALCOVE_TESTS_LAB_LAB_H
#define ALCOVE_TESTS_LAB_LAB_H

#include <stdint.h>

#define LAB_MAGIC 0x3142414cu /* "LAB1" */

/* Port numbers: /dev/vport*p<n>. */
enum lab_port {
	LAB_CTL = 1, /* one request in, replies out */
	LAB_IN,	     /* the command's stdin, in frames */
	LAB_OUT,     /* its stdout, or its terminal */
	LAB_ERR,     /* its stderr */
};

/*
 * Followed by size bytes of strings, each with its NUL: current directory,
 * writable tree, argc arguments, envc variables.
 */
struct lab_request {
	uint32_t magic;
	uint32_t size;
	uint32_t argc;
	uint32_t envc;
	uint16_t tty;	/* run it on a pseudo terminal */
	uint16_t merge; /* stderr goes where stdout goes, in order */
	uint16_t rows;
	uint16_t columns;
};

/* On LAB_IN: followed by size bytes; the end of stdin is a frame of size 0. */
struct lab_frame {
	uint32_t size;
};

enum lab_kind {
	LAB_READY = 1, /* ports are open, the request may come */
	LAB_FAILED,    /* the command could not be started, see text */
	LAB_EXITED,    /* with status, after all of its output was written */
};

struct lab_reply {
	uint32_t magic;
	uint32_t kind;
	int32_t status; /* as a shell has it: 128 + n for signal n */
	uint32_t pad;
	uint64_t out_bytes;
	uint64_t err_bytes;
	char text[96];
};

#endif
