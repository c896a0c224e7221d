/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the trace, for its own files. */
#ifndef TESTS_FAKE_TRACE_STATE_H
#define TESTS_FAKE_TRACE_STATE_H

#include <pthread.h>

#include "tests/fake/trace.h"

enum trace_verb {
	VERB_KVM_CHECK_EXTENSION,
	VERB_KVM_GET_SUPPORTED_CPUID,
	VERB_VM_CREATE,
	VERB_VM_ENABLE_CAP,
	VERB_VM_SET_TSS_ADDRESS,
	VERB_VM_SET_IDENTITY_MAP,
	VERB_VM_SET_MEMORY_REGION,
	VERB_VM_CREATE_GUEST_MEMFD,
	VERB_VM_SET_ATTRIBUTES,
	VERB_GMEM_SET_ATTRIBUTES,
	VERB_VM_SIGNAL_MSI,
	VERB_VM_IOEVENTFD,
	VERB_VCPU_CREATE,
	VERB_VCPU_CLOSE,
	VERB_VCPU_RUN,
	VERB_VCPU_SET_CPUID,
	VERB_VCPU_GET_REGS,
	VERB_VCPU_SET_REGS,
	VERB_VCPU_GET_SREGS,
	VERB_VCPU_SET_SREGS,
	VERB_VCPU_SET_MSRS,
	VERB_VCPU_GET_TSC_KHZ,
	VERB_VCPU_SET_MP_STATE,
	VERB_MEM_CREATE,
	VERB_MEM_DISCARD,
	VERB_MEM_MAP,
	VERB_MEM_UNMAP,
	VERB_CLOSE,
	VERB_CLOCK_SLEEP_NS,
	VERB_RANDOM_FILL,
	VERB_IOMMU_OPEN,
	VERB_IOMMU_IOAS_ALLOC,
	VERB_IOMMU_DESTROY,
	VERB_IOMMU_SET_OPTION,
	VERB_IOMMU_IOAS_ALLOW_IOVAS,
	VERB_IOMMU_IOAS_GET_IOVA_RANGES,
	VERB_IOMMU_IOAS_MAP,
	VERB_IOMMU_IOAS_UNMAP,
	VERB_IOMMU_COMPAT_SET_IOAS,
	VERB_IOMMU_COMPAT_UNMAP,
	VERB_DEVICE_ATTACH_IOAS,
	VERB_DEVICE_DETACH_IOAS,
	VERB_VM_SET_ROUTES,
	VERB_VM_IRQFD,
	VERB_VM_CREATE_VFIO,
	VERB_VM_VFIO_ADD,
	VERB_VM_VFIO_REMOVE,
	VERB_VFIO_OPEN,
	VERB_VFIO_BIND,
	VERB_VFIO_GET_INFO,
	VERB_VFIO_GET_REGION,
	VERB_VFIO_GET_IRQ,
	VERB_VFIO_SET_IRQS,
	VERB_VFIO_RESET,
	VERB_VFIO_GET_HOT_RESET,
	VERB_VFIO_HOT_RESET,
	VERB_VFIO_FEATURE,
	VERB_VFIO_READ,
	VERB_VFIO_WRITE,
	VERB_COUNT,
};

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
