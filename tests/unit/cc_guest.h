/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The first processor's program, as a function that runs in a thread of its own: where a guest
 * would leave for its host, it waits for the answer, and goes on.
 */
#ifndef TESTS_UNIT_CC_GUEST_H
#define TESTS_UNIT_CC_GUEST_H

#include <inttypes.h>
#include <linux/kvm_para.h>
#include <pthread.h>
#include <semaphore.h>

#include "tests/unit/cc_machine.h"

struct guest {
	struct fixture *fixture;
	void (*program)(struct guest *guest);
	struct kvm_run *run; /* of this exit */
	int result;	     /* of KVM_RUN */
	bool is_waiting;     /* to be called out of KVM_RUN */
	bool has_left;
	bool has_thread;
	pthread_t thread;
	sem_t go, out;
};

static inline void guest_await(sem_t *semaphore)
{
	/* Processors are kicked by a signal. */
	while (sem_wait(semaphore))
		ck_assert_int_eq(errno, EINTR);
}

/* --- The program's side --- */

static inline void guest_exit(struct guest *guest, int result)
{
	guest->result = result;
	sem_post(&guest->out);
	guest_await(&guest->go);
}

static inline void guest_out(struct guest *guest, uint16_t port, uint8_t value)
{
	struct kvm_run *run = guest->run;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.size = 1;
	run->io.port = port;
	run->io.count = 1;
	run->io.data_offset = sizeof(*run);
	*((uint8_t *)run + sizeof(*run)) = value;
	guest_exit(guest, 0);
}

/* In what only the two of us use of kvm_run. */
static inline char *guest_mark(struct kvm_run *run)
{
	return &run->s.padding[sizeof(run->s.padding) - 1];
}

/* Goes on in the next life. */
static inline void guest_reset(struct guest *guest)
{
	*guest_mark(guest->run) = 1;
	guest_out(guest, PLATFORM_KBD_RESET_PORT, 0xfe);
	/* Perhaps this is the next life already. */
	if (!*guest_mark(guest->run))
		return;
	guest->is_waiting = true;
	guest_exit(guest, -EINTR);
}

static inline void guest_store(struct guest *guest, gpa_t gpa, unsigned int size_bytes,
			       uint64_t value)
{
	struct kvm_run *run = guest->run;

	/* Some are for KVM itself. */
	if (fake_write_gpa(guest->fixture->fake, gpa, size_bytes, value))
		return;
	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = size_bytes;
	run->mmio.is_write = 1;
	memcpy(run->mmio.data, &value, sizeof(value));
	guest_exit(guest, 0);
}

static inline uint64_t guest_load(struct guest *guest, gpa_t gpa, unsigned int size_bytes)
{
	struct kvm_run *run = guest->run;
	uint64_t value = 0;

	run->exit_reason = KVM_EXIT_MMIO;
	run->mmio.phys_addr = gpa;
	run->mmio.len = size_bytes;
	run->mmio.is_write = 0;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	guest_exit(guest, 0);
	memcpy(&value, guest->run->mmio.data, size_bytes);
	return value;
}

/* Returns what KVM would put into hypercall.ret, and only takes what KVM takes. */
static inline uint64_t guest_map_gpa(struct guest *guest, gpa_t gpa, uint64_t n_pages,
				     bool to_private)
{
	struct kvm_run *run = guest->run;
	uint64_t reply;

	run->exit_reason = KVM_EXIT_HYPERCALL;
	run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = gpa;
	run->hypercall.args[1] = n_pages;
	run->hypercall.args[2] =
		to_private ? KVM_MAP_GPA_RANGE_ENCRYPTED : KVM_MAP_GPA_RANGE_DECRYPTED;
	run->hypercall.ret = 0;
	guest_exit(guest, 0);
	reply = guest->run->hypercall.ret;
	/* snp_complete_psc, tdx_complete_vmcall_map_gpa: all else ends the processor. */
	ck_assert_msg(!reply || reply == EINVAL || reply == EAGAIN, "%" PRIu64, reply);
	return reply;
}

/* Touches a page on the side that it is not on. */
static inline void guest_fault(struct guest *guest, gpa_t gpa, bool wants_private)
{
	struct kvm_run *run = guest->run;

	run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	run->memory_fault.flags = wants_private ? KVM_MEMORY_EXIT_FLAG_PRIVATE : 0;
	run->memory_fault.gpa = gpa;
	run->memory_fault.size = GRANULE_BYTES;
	guest_exit(guest, -EFAULT);
}

/* --- The processor's side --- */

static inline void *guest_thread(void *argument)
{
	struct guest *guest = argument;

	guest->program(guest);
	guest->has_left = true;
	sem_post(&guest->out);
	return NULL;
}

static inline int guest_vcpu_run(void *opaque, unsigned int vcpu_id, struct kvm_run *run)
{
	struct guest *guest = opaque;

	if (vcpu_id != 0)
		return guest_wait(run);
	if (guest->has_left)
		return guest_leave(run);
	guest->run = run;
	if (guest->has_thread)
		sem_post(&guest->go);
	else
		ck_assert_int_eq(pthread_create(&guest->thread, NULL, guest_thread, guest), 0);
	guest->has_thread = true;
	guest_await(&guest->out);
	if (guest->has_left)
		return guest_leave(run);
	if (guest->is_waiting) {
		guest->is_waiting = false;
		return guest_wait(run);
	}
	return guest->result;
}

/* Run @program as the guest of @fixture's machine, to its end, in a machine on @host. */
static inline void guest_run_on(struct fixture *fixture, void (*program)(struct guest *guest),
				struct host *host)
{
	struct guest guest = {.fixture = fixture, .program = program};

	sem_init(&guest.go, 0, 0);
	sem_init(&guest.out, 0, 0);
	fake_set_guest(fixture->fake, guest_vcpu_run, &guest);
	ck_assert_int_eq(machine_run(host, &fixture->config), GUEST_STATUS);
	pthread_join(guest.thread, NULL);
	sem_destroy(&guest.go);
	sem_destroy(&guest.out);
}

static inline void guest_run_program(struct fixture *fixture,
				     void (*program)(struct guest *guest))
{
	guest_run_on(fixture, program, fake_host(fixture->fake));
}

#endif
