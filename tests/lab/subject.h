/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the conformance program asks the same questions of: a kernel, real or fake. */
#ifndef TESTS_LAB_SUBJECT_H
#define TESTS_LAB_SUBJECT_H

#include <stdbool.h>

#include "vmm/host.h"

struct fake;
struct kvm_run;

/* Where the memory is that sequences convert. */
#define SUBJECT_GPA (UINT64_C(1) << 30)

struct subject {
	struct host *host;
	struct fake *fake; /* NULL: the real one */
	int pipe[2];	   /* for looking at memory that may not be there */
	int pin[2];	   /* holds the reference to a page */
	/* A VM with one processor that does what its mailbox says (real kernel only). */
	int vm;
	int vcpu;
	int low_fd;
	struct kvm_run *run;
	void *low;
};

/* @fake: a fake kernel, converting in place or not; else the one of this machine. */
void subject_init(struct subject *subject, bool fake, bool in_place);
void subject_fini(struct subject *subject);

/* A software-protected VM; slot 0 is its own. */
void subject_start_vm(struct subject *subject);
void subject_stop_vm(struct subject *subject);

/* Memory through a mapping, as the host's kernel would access it. False: no access. */
bool subject_host_read(struct subject *subject, const void *hva, uint64_t *ret_value);
bool subject_host_write(struct subject *subject, void *hva, uint64_t value);

/* The guest's access to a word: NULL when it got through, else how the guest exits. */
const char *subject_guest_read(struct subject *subject, gpa_t gpa, uint64_t *ret_value);
const char *subject_guest_write(struct subject *subject, gpa_t gpa, uint64_t value);

/* Hold a reference to the page at @gpa, which is mapped at @hva. False: not possible. */
bool subject_pin(struct subject *subject, gpa_t gpa, void *hva);
void subject_unpin(struct subject *subject, gpa_t gpa);

#endif
