// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/trace_state.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

struct trace *trace_new(struct host *inner)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	ASSERT(trace);
	trace->host.ops = &trace_ops;
	trace->inner = inner;
	pthread_mutex_init(&trace->lock, NULL);
	return trace;
}

void trace_free(struct trace *trace)
{
	pthread_mutex_destroy(&trace->lock);
	free(trace->calls);
	free(trace);
}

struct host *trace_host(struct trace *trace)
{
	return &trace->host;
}

/* --- Writing down --- */

uint64_t trace_fd(struct trace *trace, int fd)
{
	WITH_LOCK(&trace->lock);

	if (fd < 0 || fd >= TRACE_FDS_MAX || !trace->fds[fd])
		return NO_FD;
	return trace->fds[fd] - 1;
}

uint64_t trace_address(struct trace *trace, uint64_t hva)
{
	WITH_LOCK(&trace->lock);

	for (size_t i = 0; i < TRACE_MAPS_MAX; i++) {
		const struct trace_map *map = &trace->maps[i];

		if (map->hva && hva >= map->hva && hva - map->hva < map->size_bytes)
			return (uint64_t)map->made_by << 48 | (hva - map->hva);
	}
	return UINT64_MAX;
}

/* Returns the number of the call. Called with the lock. */
static size_t add_locked(struct trace *trace, const struct trace_call *call)
{
	if (trace->n_calls == trace->n_room) {
		trace->n_room = trace->n_room ? 2 * trace->n_room : 1024;
		trace->calls = realloc(trace->calls, trace->n_room * sizeof(trace->calls[0]));
		ASSERT(trace->calls);
	}
	trace->calls[trace->n_calls] = *call;
	return trace->n_calls++;
}

void trace_add(struct trace *trace, const struct trace_call *call)
{
	WITH_LOCK(&trace->lock);

	add_locked(trace, call);
}

void trace_add_fd(struct trace *trace, const struct trace_call *call, int fd)
{
	WITH_LOCK(&trace->lock);
	size_t made_by = add_locked(trace, call);

	ASSERT(fd < TRACE_FDS_MAX);
	if (fd >= 0)
		trace->fds[fd] = made_by + 1;
}

void trace_add_address(struct trace *trace, const struct trace_call *call, const void *hva,
		       uint64_t size_bytes)
{
	WITH_LOCK(&trace->lock);
	size_t made_by = add_locked(trace, call);

	for (size_t i = 0; i < TRACE_MAPS_MAX && hva; i++) {
		if (trace->maps[i].hva)
			continue;
		trace->maps[i] = (struct trace_map){
			.hva = (uintptr_t)hva, .size_bytes = size_bytes, .made_by = made_by};
		return;
	}
	ASSERT(!hva);
}

void trace_forget_fd(struct trace *trace, int fd)
{
	WITH_LOCK(&trace->lock);

	if (fd >= 0 && fd < TRACE_FDS_MAX)
		trace->fds[fd] = 0;
}

void trace_forget_address(struct trace *trace, uint64_t hva)
{
	WITH_LOCK(&trace->lock);

	for (size_t i = 0; i < TRACE_MAPS_MAX; i++) {
		if (trace->maps[i].hva == hva)
			trace->maps[i] = (struct trace_map){0};
	}
}

/* --- Reading --- */

size_t trace_count(struct trace *trace)
{
	WITH_LOCK(&trace->lock);

	return trace->n_calls;
}

const struct trace_call *trace_get(struct trace *trace, size_t index)
{
	ASSERT(index < trace->n_calls);
	return &trace->calls[index];
}

void trace_print(struct trace *trace, FILE *file)
{
	for (size_t i = 0; i < trace->n_calls; i++) {
		const struct trace_call *call = &trace->calls[i];

		fprintf(file, "%zu %s", i, verb_name(call->verb));
		for (size_t n = 0; n < TRACE_NUMBERS_MAX; n++)
			fprintf(file, " %" PRIx64, call->numbers[n]);
		fprintf(file, " = %" PRId64 " %" PRIx64 "\n", call->result, call->output);
	}
}

static bool calls_are_equal(const struct trace_call *a, const struct trace_call *b)
{
	return a->verb == b->verb && a->result == b->result && a->output == b->output &&
	       memcmp(a->numbers, b->numbers, sizeof(a->numbers)) == 0;
}

ssize_t trace_compare(struct trace *a, struct trace *b)
{
	for (size_t i = 0; i < a->n_calls && i < b->n_calls; i++) {
		if (!calls_are_equal(&a->calls[i], &b->calls[i]))
			return (ssize_t)i;
	}
	return -1;
}
