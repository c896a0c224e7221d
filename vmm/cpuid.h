/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID leaves of a guest: what KVM offers, with the guest's own topology. */
#ifndef VMM_CPUID_H
#define VMM_CPUID_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct host;
struct kvm_cpuid2;
struct kvm_cpuid_entry2;

/**
 * Ask KVM for the leaves it supports.
 *
 * @ret_cpuid: caller frees it with free().
 * Returns 0 or -errno with @err set.
 */
int cpuid_new(struct host *host, int vm, struct kvm_cpuid2 **ret_cpuid, struct err *err);

/* Tell the guest that it may convert memory by KVM_HC_MAP_GPA_RANGE. */
void cpuid_offer_conversion(struct kvm_cpuid2 *cpuid);

/**
 * Take away what KVM does by writing to guest memory wherever the guest likes: what it writes
 * to is the shared side, of private pages as well. For guests that start with private memory;
 * to take effect, the vCPU has to enforce it (KVM_CAP_ENFORCE_PV_FEATURE_CPUID).
 *
 * @keeps_clock: but for KVM's clock: the guest shares its pages, and has no other way to learn
 * the rate of its time-stamp counter.
 */
void cpuid_drop_writers(struct kvm_cpuid2 *cpuid, bool keeps_clock);

/* The leaf @function, with sub-leaf @index (0 for those without), or NULL. */
struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *cpuid, uint32_t function,
				    uint32_t index);

/* Leaf 1 EAX: family, model and stepping; 0 when there is none. */
uint32_t cpuid_signature(struct kvm_cpuid2 *cpuid);

/* Width of a guest-physical address, from leaf 0x80000008; 36 when KVM does not tell. */
unsigned int cpuid_gpa_bits(const struct kvm_cpuid2 *cpuid);

/**
 * Make the leaves those of one vCPU: one package of @n_vcpus single-threaded cores, sharing the
 * last-level cache, with APIC ID @apic_id. May be applied again for the next vCPU.
 */
void cpuid_set_topology(struct kvm_cpuid2 *cpuid, uint32_t apic_id, unsigned int n_vcpus);

#endif
