/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the fake kernel, for its own files. */
#ifndef TESTS_FAKE_FAKE_STATE_H
#define TESTS_FAKE_FAKE_STATE_H

#include <linux/kvm.h>
#include <pthread.h>

#include "tests/fake/fake.h"

enum {
	FAKE_FDS_MAX = 1024,
	FAKE_SLOTS_MAX = 64,
	FAKE_MAPS_MAX = 256,
	FAKE_IOEVENTFDS_MAX = 256,
	FAKE_MSIS_MAX = 1 << 16,
};

enum fake_kind {
	FAKE_NOTHING,
	FAKE_VM,
	FAKE_VCPU,
	FAKE_GUEST_MEMFD,
	FAKE_MEMFD,
};

struct fake_fd {
	enum fake_kind kind;
	int vm; /* of a vCPU or guest_memfd */
	uint32_t vcpu_id;
	uint64_t size_bytes; /* of a guest_memfd */
	bool mappable;
	struct kvm_run *run;
};

struct fake_map {
	void *hva;
	uint64_t size_bytes;
};

struct fake {
	struct host host;
	pthread_mutex_t lock;
	struct fake_traits traits;
	struct fake_fd fds[FAKE_FDS_MAX];
	struct kvm_userspace_memory_region2 slots[FAKE_SLOTS_MAX];
	struct fake_map maps[FAKE_MAPS_MAX];
	struct kvm_ioeventfd ioeventfds[FAKE_IOEVENTFDS_MAX];
	struct fake_msi msis[FAKE_MSIS_MAX];
	size_t n_msis;
	fake_guest_fn *guest_fn;
	void *guest;
	unsigned int fail_in; /* calls until the armed failure; 0: none armed */
	int fail_errnum;
	bool has_failed;
	uint64_t now_ns;
};

static inline struct fake *fake_of(struct host *host)
{
	return container_of(host, struct fake, host);
}

/* 0, or the armed failure when this call's turn has come. Called with the lock. */
int fake_fault(struct fake *fake);

/* The description of @fd, which the caller knows to be of @kind. Called with the lock. */
struct fake_fd *fake_fd_get(struct fake *fake, int fd, enum fake_kind kind);

/* Take a new descriptor into the books; returns it. Called with the lock. */
int fake_fd_add(struct fake *fake, int fd, const struct fake_fd *description);

/* The verbs of vCPUs, fake_vcpu.c. */
int fake_vcpu_create(struct host *host, int vm, uint32_t id, struct kvm_run **ret_run,
		     size_t *ret_run_bytes);
void fake_vcpu_close(struct host *host, int vcpu, struct kvm_run *run);
int fake_vcpu_run(struct host *host, int vcpu);
int fake_vcpu_set_cpuid(struct host *host, int vcpu, const struct kvm_cpuid2 *cpuid);
int fake_vcpu_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs);
int fake_vcpu_set_regs(struct host *host, int vcpu, const struct kvm_regs *regs);
int fake_vcpu_get_sregs(struct host *host, int vcpu, struct kvm_sregs *ret_sregs);
int fake_vcpu_set_sregs(struct host *host, int vcpu, const struct kvm_sregs *sregs);
int fake_vcpu_set_msrs(struct host *host, int vcpu, const struct kvm_msrs *msrs);
int fake_vcpu_get_tsc_khz(struct host *host, int vcpu);
int fake_vcpu_set_mp_state(struct host *host, int vcpu, uint32_t state);

#endif
