// SPDX-License-Identifier: GPL-2.0-or-later
/* vCPUs of the fake kernel. A guest is a function of the test; registers are forgotten. */
#include "tests/fake/fake_state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

int fake_vcpu_create(struct host *host, int vm, uint32_t id, struct kvm_run **ret_run,
		     size_t *ret_run_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct kvm_run *run;

	fake_fd_get(fake, vm, FAKE_VM);
	for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
		const struct fake_fd *other = &fake->fds[fd];

		if (other->kind == FAKE_VCPU && other->vm == vm && other->vcpu_id == id)
			return -EEXIST;
	}
	run = calloc(1, 3 * GRANULE_BYTES);
	ASSERT(run);
	*ret_run = run;
	*ret_run_bytes = 3 * GRANULE_BYTES;
	return fake_fd_add(
		fake, eventfd(0, EFD_CLOEXEC),
		&(struct fake_fd){.kind = FAKE_VCPU, .vm = vm, .vcpu_id = id, .run = run});
}

void fake_vcpu_close(struct host *host, int vcpu, struct kvm_run *run)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_fd *description = fake_fd_get(fake, vcpu, FAKE_VCPU);

	ASSERT(description->run == run);
	free(run);
	*description = (struct fake_fd){0};
	close(vcpu);
}

int fake_vcpu_run(struct host *host, int vcpu)
{
	struct fake *fake = fake_of(host);
	struct fake_fd description;
	fake_guest_fn *guest_fn;
	void *guest;

	pthread_mutex_lock(&fake->lock);
	description = *fake_fd_get(fake, vcpu, FAKE_VCPU);
	guest_fn = fake->guest_fn;
	guest = fake->guest;
	pthread_mutex_unlock(&fake->lock);

	if (__atomic_load_n(&description.run->immediate_exit, __ATOMIC_RELAXED))
		return -EINTR;
	if (guest_fn)
		return guest_fn(guest, description.vcpu_id, description.run);
	description.run->exit_reason = KVM_EXIT_HLT;
	return 0;
}

/* vCPU state is taken and forgotten: no test of ours reads it back from the kernel. */
static int fake_vcpu_set(struct host *host, int vcpu)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake_fd_get(fake, vcpu, FAKE_VCPU);
	return 0;
}

int fake_vcpu_set_cpuid(struct host *host, int vcpu, const struct kvm_cpuid2 *cpuid)
{
	return cpuid->nent > 256 ? -E2BIG : fake_vcpu_set(host, vcpu);
}

int fake_vcpu_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs)
{
	*ret_regs = (struct kvm_regs){.rip = 0xfff0, .rflags = 2};
	return fake_vcpu_set(host, vcpu);
}

int fake_vcpu_set_regs(struct host *host, int vcpu, const struct kvm_regs *regs)
{
	(void)regs;
	return fake_vcpu_set(host, vcpu);
}

int fake_vcpu_get_sregs(struct host *host, int vcpu, struct kvm_sregs *ret_sregs)
{
	*ret_sregs = (struct kvm_sregs){.cr0 = 0x60000010};
	return fake_vcpu_set(host, vcpu);
}

int fake_vcpu_set_sregs(struct host *host, int vcpu, const struct kvm_sregs *sregs)
{
	/* Long mode active needs paging and PAE (kvm_is_valid_sregs). */
	if ((sregs->efer & 0x400) && (!(sregs->cr0 & 0x80000000) || !(sregs->cr4 & 0x20)))
		return -EINVAL;
	return fake_vcpu_set(host, vcpu);
}

int fake_vcpu_set_msrs(struct host *host, int vcpu, const struct kvm_msrs *msrs)
{
	int ret = fake_vcpu_set(host, vcpu);

	return ret ? ret : (int)msrs->nmsrs;
}

int fake_vcpu_get_tsc_khz(struct host *host, int vcpu)
{
	int ret = fake_vcpu_set(host, vcpu);

	return ret ? ret : (int)fake_of(host)->traits.tsc_khz;
}

int fake_vcpu_set_mp_state(struct host *host, int vcpu, uint32_t state)
{
	return state > KVM_MP_STATE_SIPI_RECEIVED ? -EINVAL : fake_vcpu_set(host, vcpu);
}
