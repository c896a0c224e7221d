/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory that converts, on the fake kernel, with every call able to fail. */
#ifndef TESTS_FAKE_CONVERTIBLE_H
#define TESTS_FAKE_CONVERTIBLE_H

#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "tests/fake/faulty.h"

struct convertible {
	enum backing backing;
	struct fake *fake;
	struct faulty *faulty;
	struct host *host; /* the faulty one */
	int vm;
	struct layout layout;
	struct guest_memory *memory;
};

/* @guards_private: touching a private page through its mapping kills the test. */
void convertible_init(struct convertible *convertible, enum backing backing, uint64_t ram_bytes,
		      bool guards_private);
void convertible_fini(struct convertible *convertible);

/* A device comes, whose descriptor is returned, and goes. Every verb can fail. */
int convertible_attach(struct convertible *convertible, enum dma_mode mode, bool is_running,
		       int *ret_device);
void convertible_detach(struct convertible *convertible, int device);

/* As a hypercall of the guest would. */
enum conversion_end convertible_convert(struct convertible *convertible, gpa_t gpa,
					uint64_t size_bytes, enum side to);

/**
 * Abort unless, outside of any conversion, each page of @gpa that is not broken has the same
 * side for Alcove and for KVM, no memory in the half it does not use, and is mapped for devices
 * if it is shared and there are any; and unless areas are where Alcove has them.
 */
void convertible_check(struct convertible *convertible, struct range gpa);
/* The same for all of RAM. */
void convertible_check_all(struct convertible *convertible);

#endif
