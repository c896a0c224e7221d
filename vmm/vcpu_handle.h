/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of a vCPU: its state, and what its thread does about an exit. */
#ifndef VMM_VCPU_HANDLE_H
#define VMM_VCPU_HANDLE_H

#include <stdatomic.h>

#include "vmm/exit.h"
#include "vmm/vcpu.h"

struct vcpu {
	const struct vcpu_env *env;
	uint32_t id;
	int fd;
	struct kvm_run *run;
	size_t run_bytes;
	pthread_t thread;
	bool has_thread;
	atomic_bool stop;
	unsigned int n_faults_in_vain; /* on end, at @fault_gpa */
	gpa_t fault_gpa;
	bool has_certs; /* until KVM has completed the request for them */
};

/* Tell the machine that the thread ends, and why. */
void vcpu_end(struct vcpu *vcpu, enum vcpu_end end, const char *reason);

/* Answer @exit, on the vCPU's thread. Returns false when that is to end; the machine knows. */
bool vcpu_handle(struct vcpu *vcpu, const struct exit *exit);

#endif
