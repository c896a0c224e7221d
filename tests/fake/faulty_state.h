/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the host whose calls fail, for its own files. */
#ifndef TESTS_FAKE_FAULTY_STATE_H
#define TESTS_FAKE_FAULTY_STATE_H

#include <pthread.h>

#include "tests/fake/faulty.h"

enum verb {
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
	VERB_RANDOM_FILL,
	VERB_IOMMU_OPEN,
	VERB_IOMMU_IOAS_ALLOC,
	VERB_IOMMU_SET_OPTION,
	VERB_IOMMU_IOAS_ALLOW_IOVAS,
	VERB_IOMMU_IOAS_GET_IOVA_RANGES,
	VERB_IOMMU_IOAS_MAP,
	VERB_IOMMU_IOAS_UNMAP,
	VERB_IOMMU_COMPAT_SET_IOAS,
	VERB_IOMMU_COMPAT_UNMAP,
	VERB_DEVICE_ATTACH_IOAS,
	VERB_VM_SET_ROUTES,
	VERB_VM_IRQFD,
	VERB_VM_CREATE_VFIO,
	VERB_VM_VFIO_ADD,
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

extern const struct host_iommu_ops faulty_iommu_ops;
extern const struct host_vfio_ops faulty_vfio_ops;

/* 0, or the failure of this call. */
int faulty_next(struct faulty *faulty, enum verb verb);

#endif
