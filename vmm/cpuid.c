// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * KVM_GET_SUPPORTED_CPUID mixes what the host's processor can do with the topology of whichever
 * host CPU answered. The first part is passed on; the second is replaced here.
 *
 * Sources: Intel SDM vol. 2A, CPUID; AMD APM vol. 3, appendix E;
 * linux/Documentation/virt/kvm/x86/cpuid.rst.
 */
#include "vmm/cpuid.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <stdlib.h>

#include "vmm/err.h"
#include "vmm/host.h"

enum {
	CPUID_ENTRIES_MAX = 256, /* KVM_MAX_CPUID_ENTRIES */
	GPA_BITS_FALLBACK = 36,

	LEAF1_ECX_VMX = 1 << 5,
	LEAF1_ECX_X2APIC = 1 << 21,
	LEAF1_ECX_TSC_DEADLINE = 1 << 24,
	LEAF1_ECX_HYPERVISOR = INT32_MIN, /* bit 31 */
	LEAF1_EDX_HTT = 1 << 28,
	LEAF80000001_ECX_SVM = 1 << 2,

	TOPOLOGY_LEVEL_SMT = 1,
	TOPOLOGY_LEVEL_CORE = 2,

	CACHE_TYPE_NONE = 0,
};

/* Position in one package. */
struct topology {
	uint32_t apic_id;
	unsigned int n_vcpus;
	unsigned int core_bits; /* width of the part of the APIC ID that tells cores apart */
};

/* A change of the features in ecx of one leaf. */
struct feature_change {
	uint32_t function;
	uint32_t clear;
	uint32_t set;
};

/* Emulated by the in-kernel APIC; older kernels report it by capability only. */
static const struct feature_change tsc_deadline = {.function = 1,
						   .set = LEAF1_ECX_TSC_DEADLINE};

/* A guest of ours runs no guests: that is much of KVM to attack, and no use to anybody here. */
static const struct feature_change nested_features[] = {
	{.function = 1, .clear = LEAF1_ECX_VMX},
	{.function = 0x80000001, .clear = LEAF80000001_ECX_SVM},
};

static void features_change(struct kvm_cpuid2 *cpuid, const struct feature_change *change)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == change->function)
			entry->ecx = (entry->ecx & ~change->clear) | change->set;
	}
}

int cpuid_new(struct host *host, int vm, struct kvm_cpuid2 **ret_cpuid, struct err *err)
{
	struct kvm_cpuid2 *cpuid =
		calloc(1, sizeof(*cpuid) + CPUID_ENTRIES_MAX * sizeof(cpuid->entries[0]));
	int ret;

	if (!cpuid)
		return err_set(err, -ENOMEM, "cpuid: out of memory");
	cpuid->nent = CPUID_ENTRIES_MAX;
	ret = host_kvm_get_supported_cpuid(host, cpuid);
	if (ret) {
		free(cpuid);
		return err_set(err, ret, "cpuid: KVM_GET_SUPPORTED_CPUID failed: %s",
			       err_describe(ret));
	}

	if (host_kvm_check_extension(host, vm, KVM_CAP_TSC_DEADLINE_TIMER) > 0)
		features_change(cpuid, &tsc_deadline);
	for (size_t i = 0; i < ARRAY_SIZE(nested_features); i++)
		features_change(cpuid, &nested_features[i]);
	*ret_cpuid = cpuid;
	return 0;
}

void cpuid_offer_conversion(struct kvm_cpuid2 *cpuid)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == KVM_CPUID_FEATURES)
			cpuid->entries[i].eax |= 1u << KVM_FEATURE_HC_MAP_GPA_RANGE;
	}
}

void cpuid_drop_writers(struct kvm_cpuid2 *cpuid, bool keeps_clock)
{
	static const uint32_t clock = 1u << KVM_FEATURE_CLOCKSOURCE |
				      1u << KVM_FEATURE_CLOCKSOURCE2 |
				      1u << KVM_FEATURE_CLOCKSOURCE_STABLE_BIT;
	/* Flushes are deferred by a bit in what steal time writes. */
	static const uint32_t others =
		1u << KVM_FEATURE_ASYNC_PF | 1u << KVM_FEATURE_ASYNC_PF_VMEXIT |
		1u << KVM_FEATURE_ASYNC_PF_INT | 1u << KVM_FEATURE_STEAL_TIME |
		1u << KVM_FEATURE_PV_TLB_FLUSH | 1u << KVM_FEATURE_PV_EOI;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == KVM_CPUID_FEATURES)
			cpuid->entries[i].eax &= ~(others | (keeps_clock ? 0 : clock));
	}
}

unsigned int cpuid_gpa_bits(const struct kvm_cpuid2 *cpuid)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		const struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];
		/* GuestPhysAddrSize: what nested paging can map, when less than the processor
		 * has. */
		unsigned int guest_bits = entry->eax >> 16 & 0xff;

		if (entry->function != 0x80000008)
			continue;
		return guest_bits ? guest_bits : entry->eax & 0xff;
	}
	return GPA_BITS_FALLBACK;
}

struct kvm_cpuid_entry2 *cpuid_find(struct kvm_cpuid2 *cpuid, uint32_t function, uint32_t index)
{
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		struct kvm_cpuid_entry2 *entry = &cpuid->entries[i];

		if (entry->function == function && entry->index == index)
			return entry;
	}
	return NULL;
}

uint32_t cpuid_signature(struct kvm_cpuid2 *cpuid)
{
	const struct kvm_cpuid_entry2 *entry = cpuid_find(cpuid, 1, 0);

	return entry ? entry->eax : 0;
}

static void leaf_set_features(struct kvm_cpuid_entry2 *entry, const struct topology *topology)
{
	entry->ebx = (entry->ebx & 0xffff) | topology->n_vcpus << 16 | topology->apic_id << 24;
	entry->ecx |= LEAF1_ECX_X2APIC | (uint32_t)LEAF1_ECX_HYPERVISOR;
	entry->edx = topology->n_vcpus > 1 ? entry->edx | LEAF1_EDX_HTT
					   : entry->edx & ~(uint32_t)LEAF1_EDX_HTT;
}

/* Leaves 4 (Intel) and 0x8000001d (AMD): who shares each cache. */
static void leaf_set_cache(struct kvm_cpuid_entry2 *entry, const struct topology *topology)
{
	uint32_t level = entry->eax >> 5 & 7;
	uint32_t sharers = level >= 3 ? 1u << topology->core_bits : 1;

	if ((entry->eax & 0x1f) == CACHE_TYPE_NONE)
		return;
	entry->eax = (entry->eax & 0x3fff) | (sharers - 1) << 14;
	if (entry->function == 4)
		entry->eax |= ((1u << topology->core_bits) - 1) << 26;
}

/* Leaves 0xb and 0x1f: threads, then cores. */
static void leaf_set_levels(struct kvm_cpuid_entry2 *entry, const struct topology *topology)
{
	entry->ecx = entry->index & 0xff;
	entry->edx = topology->apic_id;
	entry->eax = 0;
	entry->ebx = 0;
	if (entry->index == 0) {
		entry->ebx = 1;
		entry->ecx |= TOPOLOGY_LEVEL_SMT << 8;
	} else if (entry->index == 1) {
		entry->eax = topology->core_bits;
		entry->ebx = topology->n_vcpus;
		entry->ecx |= TOPOLOGY_LEVEL_CORE << 8;
	}
}

/* Leaf 0x80000008: number of cores and the width of their part of the APIC ID. */
static void leaf_set_cores_amd(struct kvm_cpuid_entry2 *entry, const struct topology *topology)
{
	entry->ecx =
		(entry->ecx & 0xffff0000) | topology->core_bits << 12 | (topology->n_vcpus - 1);
}

/* Leaf 0x8000001e: extended APIC ID, core ID (one thread each), node 0 of 1. */
static void leaf_set_ids_amd(struct kvm_cpuid_entry2 *entry, const struct topology *topology)
{
	entry->eax = topology->apic_id;
	entry->ebx = topology->apic_id & 0xff;
	entry->ecx = 0;
}

static const struct {
	uint32_t function;
	void (*set)(struct kvm_cpuid_entry2 *entry, const struct topology *topology);
} topology_leaves[] = {
	{0x00000001, leaf_set_features},  {0x00000004, leaf_set_cache},
	{0x0000000b, leaf_set_levels},	  {0x0000001f, leaf_set_levels},
	{0x80000008, leaf_set_cores_amd}, {0x8000001d, leaf_set_cache},
	{0x8000001e, leaf_set_ids_amd},
};

/* KVM offers only the first level of 0xb and 0x1f; the guest needs the second, too. */
static void levels_add(struct kvm_cpuid2 *cpuid, uint32_t function)
{
	bool has_first = false;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function != function)
			continue;
		if (cpuid->entries[i].index == 1)
			return;
		has_first = true;
	}
	if (!has_first || cpuid->nent >= CPUID_ENTRIES_MAX)
		return;
	cpuid->entries[cpuid->nent++] = (struct kvm_cpuid_entry2){
		.function = function,
		.index = 1,
		.flags = KVM_CPUID_FLAG_SIGNIFCANT_INDEX,
	};
}

void cpuid_set_topology(struct kvm_cpuid2 *cpuid, uint32_t apic_id, unsigned int n_vcpus)
{
	struct topology topology = {.apic_id = apic_id, .n_vcpus = n_vcpus};

	while (1u << topology.core_bits < n_vcpus)
		topology.core_bits++;

	levels_add(cpuid, 0xb);
	levels_add(cpuid, 0x1f);
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		for (size_t leaf = 0; leaf < ARRAY_SIZE(topology_leaves); leaf++) {
			if (cpuid->entries[i].function == topology_leaves[leaf].function)
				topology_leaves[leaf].set(&cpuid->entries[i], &topology);
		}
	}
}
