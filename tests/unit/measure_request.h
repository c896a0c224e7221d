/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `alcove measure` for guests of the fake kernel. */
#ifndef TESTS_UNIT_MEASURE_REQUEST_H
#define TESTS_UNIT_MEASURE_REQUEST_H

#include <asm/kvm.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/fake/fake.h"
#include "tests/unit/unit.h"
#include "vmm/cpuid.h"
#include "vmm/host.h"
#include "vmm/measure/measure.h"

/* What the fake's processor has to say about a launch. */
static inline void request_fill(struct fake *fake, struct measure_request *request,
				char model[16])
{
	struct host *host = fake_host(fake);
	int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	struct kvm_cpuid2 *cpuid = NULL;
	struct kvm_cpuid_entry2 *leaf;

	ck_assert_int_ge(vm, 0);
	ck_assert_int_eq(cpuid_new(host, vm, &cpuid, NULL), 0);
	snprintf(model, 16, "0x%x", cpuid_signature(cpuid));
	leaf = cpuid_find(cpuid, 0x8000001f, 0);
	*request = (struct measure_request){
		.vcpu_model = model,
		.c_bit = leaf ? leaf->ebx & 0x3f : 0,
		.gpa_bits = 48,
	};
	free(cpuid);
	host_close(host, vm);
}

#endif
