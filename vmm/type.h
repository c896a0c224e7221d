/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between the types of guests, as one row each. */
#ifndef VMM_TYPE_H
#define VMM_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "memory/memory.h"
#include "vmm/config.h"

struct guest_type_ops {
	const char *name;
	unsigned long kvm_type; /* KVM_CREATE_VM */
	bool has_private_memory;
	/* What kvm_run.hypercall.ret is to be after a conversion that the guest asked for. */
	uint64_t replies[CONVERSION_END_COUNT];
	const char *cure; /* when KVM cannot create such a VM */
};

const struct guest_type_ops *guest_type_find(enum guest_type type);

#endif
