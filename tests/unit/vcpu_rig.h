/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vCPU whose guest is a function, on the fake kernel, and how its thread ended. */
#ifndef TESTS_UNIT_VCPU_RIG_H
#define TESTS_UNIT_VCPU_RIG_H

#include <check.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "tests/fake/convertible.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/log.h"
#include "vmm/type.h"
#include "vmm/vcpu.h"

enum { RIG_RAM_BYTES = 16 << 20 };

struct rig {
	struct convertible c;
	struct log log;
	struct vcpu_env env;
	struct kvm_cpuid2 cpuid;
	struct vcpu *vcpu;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool has_ended;
	enum vcpu_end end;
	char reason[ERR_TEXT_MAX_BYTES];
	/* The guest's. */
	unsigned int n_exits;
	uint64_t replies[8];
};

static inline void rig_ended(void *machine, enum vcpu_end end, const char *reason)
{
	struct rig *rig = machine;
	WITH_LOCK(&rig->lock);

	rig->has_ended = true;
	rig->end = end;
	strncpy(rig->reason, reason, sizeof(rig->reason) - 1);
	pthread_cond_signal(&rig->changed);
}

/* The VM is one that converts memory, whatever its vCPU takes it for. */
static inline void rig_init(struct rig *rig, enum guest_type type)
{
	*rig = (struct rig){.lock = PTHREAD_MUTEX_INITIALIZER,
			    .changed = PTHREAD_COND_INITIALIZER};
	convertible_init(&rig->c, BACKING_INPLACE, RIG_RAM_BYTES, true);
	log_init(&rig->log, STDERR_FILENO, 0);
	rig->env = (struct vcpu_env){
		.host = rig->c.host,
		.memory = rig->c.memory,
		.type = guest_type_find(type),
		.sandbox = SANDBOX_ON,
		.roles = SANDBOX_VCPU | SANDBOX_CERTS,
		.log = &rig->log,
		.ended = rig_ended,
		.machine = rig,
	};
	vcpu_init_signal();
}

/* Run @guest until its vCPU ends. */
static inline void rig_go(struct rig *rig, fake_guest_fn *guest)
{
	struct err err = {0};

	rig->has_ended = false;
	rig->n_exits = 0;
	fake_set_guest(rig->c.fake, guest, rig);
	ck_assert_int_eq(vcpu_new(&rig->env, rig->c.vm, 0, &rig->cpuid, &rig->vcpu, &err), 0);
	ck_assert_int_eq(vcpu_start(rig->vcpu, &err), 0);
	pthread_mutex_lock(&rig->lock);
	while (!rig->has_ended)
		pthread_cond_wait(&rig->changed, &rig->lock);
	pthread_mutex_unlock(&rig->lock);
	vcpu_free(rig->vcpu);
}

static inline void rig_fini(struct rig *rig)
{
	convertible_check_all(&rig->c);
	convertible_fini(&rig->c);
	log_fini(&rig->log);
}

static inline int leave_by_shutdown(struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_SHUTDOWN;
	return 0;
}

#endif
