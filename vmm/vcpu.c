// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vCPU's thread: run the guest, decode why it came back, let the bus answer, again.
 *
 * To stop it, another thread sets @stop and kvm_run.immediate_exit, then sends the kick signal:
 * before KVM_RUN the flag makes it return at once, inside it the signal does.
 */
#include "vmm/vcpu.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/certs.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/exit.h"
#include "vmm/host.h"
#include "vmm/host_cc.h"
#include "vmm/log.h"
#include "vmm/type.h"
#include "vmm/vcpu_handle.h"

enum {
	MSR_IA32_MISC_ENABLE = 0x1a0,
	MISC_ENABLE_FAST_STRING = 1 << 0,
	MSR_MTRR_DEF_TYPE = 0x2ff,
	MTRR_ENABLE_WRITE_BACK = 1 << 11 | 6,
	MSR_IA32_PAT = 0x277,
	/* Components in the header of XSAVE's format. */
	XSTATE_X87 = 1 << 0,
	XSTATE_SSE = 1 << 1,

	THREAD_NAME_MAX_BYTES = 16,
};

static int kick_signal(void)
{
	return SIGRTMIN;
}

static void kick_handle(int signal)
{
	(void)signal;
}

void vcpu_init_signal(void)
{
	struct sigaction action = {.sa_handler = kick_handle};

	ASSERT(sigaction(kick_signal(), &action, NULL) == 0);
}

/*
 * What firmware would have set, on every processor: memory is write-back, string instructions
 * are fast. An INIT leaves it alone.
 */
static int msrs_set(struct vcpu *vcpu)
{
	static const struct kvm_msr_entry entries[] = {
		{.index = MSR_IA32_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING},
		{.index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE_WRITE_BACK},
	};
	_Alignas(struct kvm_msrs) char buffer[sizeof(struct kvm_msrs) + sizeof(entries)];
	struct kvm_msrs *msrs = (struct kvm_msrs *)buffer;
	int ret;

	*msrs = (struct kvm_msrs){.nmsrs = ARRAY_SIZE(entries)};
	memcpy(msrs->entries, entries, sizeof(entries));
	ret = host_vcpu_set_msrs(vcpu->env->host, vcpu->fd, msrs);
	if (ret < 0)
		return ret;
	return ret == (int)ARRAY_SIZE(entries) ? 0 : -EINVAL;
}

/* The paravirtual features that the guest is not told of are not there either. */
static int features_enforce(struct vcpu *vcpu)
{
	const struct kvm_enable_cap enforce = {
		.cap = KVM_CAP_ENFORCE_PV_FEATURE_CPUID,
		.args = {1},
	};

	return host_vcpu_enable_cap(vcpu->env->host, vcpu->fd, &enforce);
}

int vcpu_new(const struct vcpu_env *env, int vm, uint32_t id, const struct kvm_cpuid2 *cpuid,
	     struct vcpu **ret_vcpu, struct err *err)
{
	struct vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int ret;

	if (!vcpu)
		return err_set(err, -ENOMEM, "vcpu%" PRIu32 ": out of memory", id);
	vcpu->env = env;
	vcpu->id = id;
	vcpu->fd = host_vcpu_create(env->host, vm, id, &vcpu->run, &vcpu->run_bytes);
	if (vcpu->fd < 0) {
		ret = vcpu->fd;
		free(vcpu);
		return err_set(err, ret, "vcpu%" PRIu32 ": KVM cannot create it: %s", id,
			       err_describe(ret));
	}
	ret = env->enforces_features ? features_enforce(vcpu) : 0;
	if (ret) {
		vcpu_free(vcpu);
		return err_set(err, ret,
			       "vcpu%" PRIu32
			       ": KVM does not enforce CPUID's features: %s; use "
			       "Linux 5.10 or newer",
			       id, err_describe(ret));
	}
	ret = host_vcpu_set_cpuid(env->host, vcpu->fd, cpuid);
	if (ret) {
		vcpu_free(vcpu);
		return err_set(err, ret, "vcpu%" PRIu32 ": KVM refused its CPUID leaves: %s",
			       id, err_describe(ret));
	}
	ret = env->type->is_opaque || env->is_reset ? 0 : msrs_set(vcpu);
	if (ret) {
		vcpu_free(vcpu);
		return err_set(err, ret, "vcpu%" PRIu32 ": KVM refused its initial MSRs: %s",
			       id, err_describe(ret));
	}
	*ret_vcpu = vcpu;
	return 0;
}

void vcpu_free(struct vcpu *vcpu)
{
	if (!vcpu)
		return;
	if (vcpu->has_thread) {
		vcpu_stop(vcpu);
		pthread_join(vcpu->thread, NULL);
	}
	host_vcpu_close(vcpu->env->host, vcpu->fd, vcpu->run);
	free(vcpu);
}

static int pat_set(struct vcpu *vcpu, uint64_t pat)
{
	_Alignas(struct kvm_msrs) char
		buffer[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	struct kvm_msrs *msrs = (struct kvm_msrs *)buffer;
	int ret;

	*msrs = (struct kvm_msrs){.nmsrs = 1};
	msrs->entries[0] = (struct kvm_msr_entry){.index = MSR_IA32_PAT, .data = pat};
	ret = host_vcpu_set_msrs(vcpu->env->host, vcpu->fd, msrs);
	if (ret < 0)
		return ret;
	return ret == 1 ? 0 : -EINVAL;
}

/* Floating point registers are empty, as after a reset; all others are left alone. */
static int xsave_set(struct vcpu *vcpu, uint16_t fcw, uint32_t mxcsr)
{
	enum { OFFSET_FCW = 0, OFFSET_MXCSR = 24, OFFSET_XSTATE_BV = 512 };
	const uint64_t components = XSTATE_X87 | XSTATE_SSE;
	struct kvm_xsave xsave = {0};
	uint8_t *bytes = (uint8_t *)xsave.region;

	memcpy(bytes + OFFSET_FCW, &fcw, sizeof(fcw));
	memcpy(bytes + OFFSET_MXCSR, &mxcsr, sizeof(mxcsr));
	memcpy(bytes + OFFSET_XSTATE_BV, &components, sizeof(components));
	return host_vcpu_set_xsave(vcpu->env->host, vcpu->fd, &xsave);
}

static int state_set(struct vcpu *vcpu, const struct boot_vcpu_state *state)
{
	const struct kvm_debugregs debugregs = {.dr6 = state->dr6, .dr7 = state->dr7};
	int ret = host_vcpu_set_debugregs(vcpu->env->host, vcpu->fd, &debugregs);

	if (!ret)
		ret = pat_set(vcpu, state->pat);
	if (!ret)
		ret = xsave_set(vcpu, state->fcw, state->mxcsr);
	return ret;
}

int vcpu_set_registers(struct vcpu *vcpu, const struct boot_vcpu *wanted, struct err *err)
{
	struct host *host = vcpu->env->host;
	struct kvm_sregs sregs;
	int ret = host_vcpu_get_sregs(host, vcpu->fd, &sregs);

	if (!ret) {
		struct kvm_sregs new = wanted->sregs;

		/* These are not a matter of how a guest starts. */
		new.cr2 = sregs.cr2;
		new.cr8 = sregs.cr8;
		new.apic_base = sregs.apic_base;
		memcpy(new.interrupt_bitmap, sregs.interrupt_bitmap,
		       sizeof(new.interrupt_bitmap));
		ret = host_vcpu_set_sregs(host, vcpu->fd, &new);
	}
	if (!ret)
		ret = host_vcpu_set_regs(host, vcpu->fd, &wanted->regs);
	if (!ret && wanted->has_state)
		ret = state_set(vcpu, &wanted->state);
	if (ret)
		return err_set(err, ret,
			       "vcpu%" PRIu32 ": KVM refused its initial registers: %s",
			       vcpu->id, err_describe(ret));
	return 0;
}

int vcpu_fd(const struct vcpu *vcpu)
{
	return vcpu->fd;
}

/* Where it was when it was told to stop: the first thing to know of a guest that hangs. */
static void vcpu_log_place(struct vcpu *vcpu)
{
	struct kvm_regs regs;

	if (!vcpu->env->type->is_opaque &&
	    host_vcpu_get_regs(vcpu->env->host, vcpu->fd, &regs) == 0)
		log_info(vcpu->env->log,
			 "vcpu%" PRIu32 " stopped at rip 0x%" PRIx64 ", flags 0x%" PRIx64,
			 vcpu->id, (uint64_t)regs.rip, (uint64_t)regs.rflags);
}

/*
 * KVM has the report that goes with the certificates, and has not been in the guest. Whoever
 * sets immediate_exit to stop the thread sets @stop before, and that is looked at after this.
 */
static void vcpu_return_certs(struct vcpu *vcpu)
{
	vcpu->has_certs = false;
	certs_release(vcpu->env->certs);
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

/* Into the guest, and what it comes back for. Returns false when the thread is to end. */
static bool vcpu_run(struct vcpu *vcpu)
{
	struct exit exit;
	int ret;

	/* After an error KVM may have left the reason as it was. */
	vcpu->run->exit_reason = KVM_EXIT_UNKNOWN;
	if (vcpu->has_certs)
		__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	ret = host_vcpu_run(vcpu->env->host, vcpu->fd);
	if (vcpu->has_certs)
		vcpu_return_certs(vcpu);
	exit = exit_decode(vcpu->run, vcpu->run_bytes, ret, vcpu->env->type->kvm_type);
	return vcpu_handle(vcpu, &exit);
}

static void *vcpu_thread(void *argument)
{
	struct vcpu *vcpu = argument;
	char name[THREAD_NAME_MAX_BYTES];
	sigset_t kick;
	struct err err = {0};
	bool go_on = true;

	snprintf(name, sizeof(name), "vcpu%" PRIu32, vcpu->id);
	pthread_setname_np(pthread_self(), name);
	sigemptyset(&kick);
	sigaddset(&kick, kick_signal());
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);

	if (sandbox_enter(vcpu->env->roles, vcpu->env->sandbox, &err)) {
		vcpu_end(vcpu, VCPU_FAILED, err.text);
		return NULL;
	}
	while (go_on && !atomic_load(&vcpu->stop)) {
		go_on = vcpu_run(vcpu);
	}
	if (vcpu->has_certs)
		certs_release(vcpu->env->certs);
	if (go_on)
		vcpu_log_place(vcpu);
	return NULL;
}

int vcpu_start(struct vcpu *vcpu, struct err *err)
{
	int ret = -pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);

	if (ret)
		return err_set(err, ret, "vcpu%" PRIu32 ": cannot start its thread: %s",
			       vcpu->id, err_describe(ret));
	vcpu->has_thread = true;
	return 0;
}

void vcpu_stop(struct vcpu *vcpu)
{
	atomic_store(&vcpu->stop, true);
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (vcpu->has_thread)
		pthread_kill(vcpu->thread, kick_signal());
}
