/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One virtual processor: its initial state, and the thread that runs it. */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "boot/boot.h"
#include "devices/devices.h"
#include "vmm/sandbox.h"

struct certs;
struct err;
struct guest_memory;
struct guest_type_ops;
struct host;
struct kvm_cpuid2;
struct kvm_run;
struct log;
struct quote;
struct vcpu;

/* How a vCPU's thread ended. */
enum vcpu_end {
	VCPU_STOPPED,  /* it was told to */
	VCPU_SHUTDOWN, /* triple fault */
	VCPU_CRASHED,  /* the guest ended itself, or did what it cannot go on from; @reason */
	VCPU_FAILED,   /* @reason says why */
};

/* What all vCPUs of a machine share; outlives them. */
struct vcpu_env {
	struct host *host;
	struct bus *pio;
	struct bus *mmio;
	struct guest_memory *memory;
	const struct guest_type_ops *type;
	enum sandbox_mode sandbox;
	unsigned int roles;  /* in the sandbox, of vCPU threads */
	struct quote *quote; /* NULL: none */
	struct certs *certs; /* NULL: none */
	struct log *log;
	bool enforces_features; /* what CPUID says KVM does not do for a guest, it does not */
	bool is_reset;		/* they start as after a reset: firmware sets up the rest */
	/* On the vCPU's thread, once, unless it was told to stop. */
	void (*ended)(void *machine, enum vcpu_end end, const char *reason);
	void *machine;
};

/**
 * A vCPU with its CPUID leaves; it runs nothing yet.
 *
 * Returns 0 or -errno with @err set.
 */
int vcpu_new(const struct vcpu_env *env, int vm, uint32_t id, const struct kvm_cpuid2 *cpuid,
	     struct vcpu **ret_vcpu, struct err *err);

/* Stops the thread first if there is one. Accepts NULL. */
void vcpu_free(struct vcpu *vcpu);

/* Put it into the state of @wanted before it runs. Returns 0 or -errno with @err set. */
int vcpu_set_registers(struct vcpu *vcpu, const struct boot_vcpu *wanted, struct err *err);

/* Its descriptor, for verbs of the type of guest. */
int vcpu_fd(const struct vcpu *vcpu);

/* Let the thread run. Returns 0 or -errno with @err set. */
int vcpu_start(struct vcpu *vcpu, struct err *err);

/* Tell the thread to leave the guest and end; does not wait. Any thread but its own. */
void vcpu_stop(struct vcpu *vcpu);

/**
 * Install the (empty) handler of the signal that makes a vCPU leave the guest. Once per
 * process, before any vCPU starts.
 */
void vcpu_init_signal(void);

#endif
