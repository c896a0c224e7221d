/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the host whose calls fail, for its own files. */
#ifndef TESTS_FAKE_FAULTY_STATE_H
#define TESTS_FAKE_FAULTY_STATE_H

#include <pthread.h>

#include "tests/fake/faulty.h"
#include "tests/fake/verb.h"

struct faulty {
	struct host host;
	struct host *inner;
	pthread_mutex_t lock;
	struct fault fault;
	unsigned int n_calls;
	unsigned int n_fired;
	enum verb verb; /* whose turn came; VERB_COUNT: none's */
};

static inline struct faulty *faulty_of(struct host *host)
{
	return container_of(host, struct faulty, host);
}

extern const struct host_cc_ops faulty_cc_ops;
extern const struct host_iommu_ops faulty_iommu_ops;
extern const struct host_vfio_ops faulty_vfio_ops;

/* 0, or the failure of this call. */
int faulty_next(struct faulty *faulty, enum verb verb);

#endif
