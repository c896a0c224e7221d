/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host whose calls fail when they are told to, around any other: the nth call of those that
 * can fail ends with an errno that its verb is documented to return, and does not reach the
 * inner host. Verbs that never fail are passed on and not counted.
 */
#ifndef TESTS_FAKE_FAULTY_H
#define TESTS_FAKE_FAULTY_H

#include <stdbool.h>

#include "vmm/host.h"

struct faulty;

struct faulty *faulty_new(struct host *inner);
void faulty_free(struct faulty *faulty);
struct host *faulty_host(struct faulty *faulty);

/* Which failure. */
struct fault {
	unsigned int nth; /* 1: the next call; 0: none */
	/* The how-manieth errno of that verb's list; with @errnum, that one instead. */
	unsigned int which;
	int errnum;
	unsigned int n_more; /* so many of the calls after it fail, too */
	bool for_ever;	     /* every later call fails, too */
	/* What the firmware of SEV-SNP or the TDX module says with it; 0: it was not them. */
	uint64_t status;
};

/* Arm @fault from now on; what was armed before is forgotten. */
void faulty_arm(struct faulty *faulty, struct fault fault);

/* Since faulty_arm: calls that failed by it. */
unsigned int faulty_count_fired(struct faulty *faulty);
/* Since faulty_arm: calls that could have failed. */
unsigned int faulty_count_calls(struct faulty *faulty);
/* The verb whose turn came, and how many errnos its list has; NULL and 0 when none did. */
const char *faulty_get_verb(struct faulty *faulty, unsigned int *ret_n_errnos);

#endif
