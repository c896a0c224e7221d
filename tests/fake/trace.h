/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host around any other that writes down what passes through it, so that two runs can be
 * compared and one can be repeated on another kernel.
 *
 * Descriptors are written as the number of the call that made them, addresses of mappings
 * likewise: what is written is the same for the same sequence of calls. Of what vCPUs are given
 * only some is kept. Looking at the clock is not written down.
 */
#ifndef TESTS_FAKE_TRACE_H
#define TESTS_FAKE_TRACE_H

#include <stdbool.h>
#include <stdio.h>

#include "vmm/host.h"

struct trace;

enum { TRACE_NUMBERS_MAX = 6 };

struct trace_call {
	unsigned int verb; /* verb_name */
	/* The arguments, as far as they are numbers, in the order of the verb. */
	uint64_t numbers[TRACE_NUMBERS_MAX];
	int64_t result; /* 0 for a new descriptor */
	uint64_t output;
};

struct trace *trace_new(struct host *inner);
void trace_free(struct trace *trace);
struct host *trace_host(struct trace *trace);

size_t trace_count(struct trace *trace);
/* Valid until the next call through the host. */
const struct trace_call *trace_get(struct trace *trace, size_t index);
/* One line per call. */
void trace_print(struct trace *trace, FILE *file);

/* The first call in which the two differ; -1: none, up to the end of the shorter one. */
ssize_t trace_compare(struct trace *a, struct trace *b);

/**
 * Repeat all calls but those on vCPUs on @host, which begins with nothing open.
 *
 * Returns the first call whose result or output is another there, where it stops; -1: none.
 * What is left open and mapped is released.
 */
ssize_t trace_replay(struct trace *trace, struct host *host);

#endif
