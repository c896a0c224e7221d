/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between the types of guests, as one row each. */
#ifndef VMM_TYPE_H
#define VMM_TYPE_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/boot.h"
#include "memory/memory.h"
#include "vmm/config.h"

struct err;
struct machine;

struct guest_type_ops {
	const char *name;
	unsigned long kvm_type; /* KVM_CREATE_VM */
	bool has_private_memory;
	bool shares_clock;     /* its guests share the pages that KVM's clock is in */
	bool is_opaque;	       /* the host sees neither registers nor private memory */
	enum boot_guard guard; /* who lets the guest use its private memory */
	/* What kvm_run.hypercall.ret is to be after a conversion that the guest asked for. */
	uint64_t replies[CONVERSION_END_COUNT];
	const char *cure; /* when KVM cannot create such a VM */

	/* NULL: nothing to be done. Each returns 0, or -errno with @err set. */

	/* There is a VM with its irqchip and CPUID leaves, which may be changed; no more. */
	int (*start)(struct machine *machine, struct err *err);
	/* There is processor @index, with its CPUID leaves. */
	int (*start_vcpu)(struct machine *machine, unsigned int index, struct err *err);
	/* Processors and the contents of memory are ready; a guest that can run is left. */
	int (*launch)(struct machine *machine, struct err *err);
	/* Undo start, also when it failed or was never called; cannot fail. */
	void (*stop)(struct machine *machine);
};

const struct guest_type_ops *guest_type_find(enum guest_type type);

/* With protection by the processor: type_snp.c, type_tdx.c. */
extern const struct guest_type_ops guest_type_snp;
extern const struct guest_type_ops guest_type_tdx;

#endif
