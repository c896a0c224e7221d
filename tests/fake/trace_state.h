/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the trace, for its own files. */
#ifndef TESTS_FAKE_TRACE_STATE_H
#define TESTS_FAKE_TRACE_STATE_H

#include <pthread.h>

#include "tests/fake/trace.h"
#include "tests/fake/verb.h"

enum {
	TRACE_FDS_MAX = 1024,
	TRACE_MAPS_MAX = 256,
};

/* Stands for a descriptor that is none of ours. */
#define NO_FD UINT64_C(0xffffffff)

/* Where a mapping lies, and the call that made it. */
struct trace_map {
	uint64_t hva;
	uint64_t size_bytes;
	size_t made_by;
};

struct trace {
	struct host host;
	struct host *inner;
	pthread_mutex_t lock;
	struct trace_call *calls;
	size_t n_calls;
	size_t n_room;
	size_t fds[TRACE_FDS_MAX]; /* the call that made it + 1; 0: unknown */
	struct trace_map maps[TRACE_MAPS_MAX];
};

static inline struct trace *trace_of(struct host *host)
{
	return container_of(host, struct trace, host);
}

extern const struct host_ops trace_ops;
extern const struct host_cc_ops trace_cc_ops;
extern const struct host_iommu_ops trace_iommu_ops;
extern const struct host_vfio_ops trace_vfio_ops;

/* The number that stands for a descriptor or for an address. */
uint64_t trace_fd(struct trace *trace, int fd);
uint64_t trace_address(struct trace *trace, uint64_t hva);

/* Write a call down; the others also what it made. */
void trace_add(struct trace *trace, const struct trace_call *call);
void trace_add_fd(struct trace *trace, const struct trace_call *call, int fd);
void trace_add_address(struct trace *trace, const struct trace_call *call, const void *hva,
		       uint64_t size_bytes);

/* Before it can be another thread's. */
void trace_forget_fd(struct trace *trace, int fd);
void trace_forget_address(struct trace *trace, uint64_t hva);

#endif
