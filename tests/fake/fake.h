/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel of our own behind the door, for tests: it keeps KVM's rules for the verbs of struct
 * host and judges their use. A call that would be a bug of ours with any kernel (a descriptor
 * closed twice, a verb on the wrong kind of descriptor, memory unmapped that was not mapped)
 * aborts the test; a call that the kernel would refuse is refused with the kernel's errno.
 */
#ifndef TESTS_FAKE_FAKE_H
#define TESTS_FAKE_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/host.h"

struct fake;
struct kvm_run;

/* What this kernel is able to do; change before the VM is made. */
struct fake_traits {
	bool no_guest_memfd;	  /* a kernel before 6.8 */
	bool no_guest_memfd_mmap; /* a kernel before 6.18 */
	unsigned int gpa_bits;	  /* CPUID 0x80000008; 40 unless told */
	unsigned int tsc_khz;	  /* 2000000 unless told */
};

struct fake_msi {
	uint64_t address;
	uint32_t data;
};

/* A whole guest in one function: fill @run with the next exit, return what KVM_RUN would. */
typedef int fake_guest_fn(void *guest, unsigned int vcpu_id, struct kvm_run *run);

struct fake *fake_new(void);
/* Aborts the test when a descriptor or a mapping is left. */
void fake_free(struct fake *fake);

struct host *fake_host(struct fake *fake);
struct fake_traits *fake_traits(struct fake *fake);

/* Without a guest, host_vcpu_run answers KVM_EXIT_HLT. */
void fake_set_guest(struct fake *fake, fake_guest_fn *fn, void *guest);

/* Fail the @nth call from now (1: the next) that can fail, with -@errnum; 0 turns it off. */
void fake_fail_call(struct fake *fake, unsigned int nth, int errnum);
/* Did the armed failure happen? */
bool fake_has_failed(const struct fake *fake);

/* Interrupts since the start, oldest first. */
size_t fake_count_msis(struct fake *fake);
struct fake_msi fake_get_msi(struct fake *fake, size_t index);

/* The guest writes @value to @gpa: signals a matching ioeventfd. True when there is one. */
bool fake_write_gpa(struct fake *fake, gpa_t gpa, unsigned int size_bytes, uint64_t value);
/* Number of ioeventfds bound. */
size_t fake_count_ioeventfds(struct fake *fake);

/* The time host_clock_now_ns tells; starts at 1 s and moves only here. */
void fake_advance_clock(struct fake *fake, uint64_t ns);

#endif
