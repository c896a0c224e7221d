// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/cpuid.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "tests/fake/fake.h"
#include "tests/fake/faulty.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

static struct kvm_cpuid2 *leaves_new(unsigned int gpa_bits)
{
	struct fake *fake = fake_new();
	struct host *host = fake_host(fake);
	struct kvm_cpuid2 *cpuid = NULL;
	int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);

	fake_traits(fake)->gpa_bits = gpa_bits;
	ck_assert_int_eq(cpuid_new(host, vm, &cpuid, NULL), 0);
	host_close(host, vm);
	fake_free(fake);
	return cpuid;
}

static const struct kvm_cpuid_entry2 *leaf_find(const struct kvm_cpuid2 *cpuid,
						uint32_t function, uint32_t index)
{
	const struct kvm_cpuid_entry2 *found = NULL;

	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function != function || cpuid->entries[i].index != index)
			continue;
		ck_assert_ptr_null(found); /* a leaf stands once */
		found = &cpuid->entries[i];
	}
	ck_assert_ptr_nonnull(found);
	return found;
}

START_TEST(test_each_vcpu_has_its_own_apic_id_everywhere)
{
	struct kvm_cpuid2 *cpuid = leaves_new(40);

	for (uint32_t id = 0; id < 6; id++) {
		cpuid_set_topology(cpuid, id, 6);
		ck_assert_uint_eq(leaf_find(cpuid, 1, 0)->ebx >> 24, id);
		ck_assert_uint_eq(leaf_find(cpuid, 1, 0)->ebx >> 16 & 0xff, 6);
		ck_assert_uint_eq(leaf_find(cpuid, 0xb, 0)->edx, id);
		ck_assert_uint_eq(leaf_find(cpuid, 0xb, 1)->edx, id);
	}
	free(cpuid);
}
END_TEST

START_TEST(test_levels_describe_cores_of_one_thread)
{
	struct kvm_cpuid2 *cpuid = leaves_new(40);
	const struct kvm_cpuid_entry2 *threads, *cores;

	cpuid_set_topology(cpuid, 5, 6);
	threads = leaf_find(cpuid, 0xb, 0);
	cores = leaf_find(cpuid, 0xb, 1);
	ck_assert_uint_eq(threads->eax, 0);
	ck_assert_uint_eq(threads->ebx, 1);
	ck_assert_uint_eq(threads->ecx, 0x100);
	ck_assert_uint_eq(cores->eax, 3); /* six cores need three bits */
	ck_assert_uint_eq(cores->ebx, 6);
	ck_assert_uint_eq(cores->ecx, 0x201);
	ck_assert_uint_eq(leaf_find(cpuid, 0x80000008, 0)->ecx, 3 << 12 | 5);
	free(cpuid);
}
END_TEST

START_TEST(test_one_vcpu_claims_no_hyperthreads)
{
	struct kvm_cpuid2 *cpuid = leaves_new(40);

	cpuid_set_topology(cpuid, 0, 1);
	ck_assert_uint_eq(leaf_find(cpuid, 1, 0)->edx & 1u << 28, 0);
	cpuid_set_topology(cpuid, 0, 2);
	ck_assert_uint_ne(leaf_find(cpuid, 1, 0)->edx & 1u << 28, 0);
	free(cpuid);
}
END_TEST

START_TEST(test_apic_features_of_the_kernel_are_offered)
{
	struct kvm_cpuid2 *cpuid = leaves_new(40);
	uint32_t ecx;

	cpuid_set_topology(cpuid, 0, 1);
	ecx = leaf_find(cpuid, 1, 0)->ecx;
	ck_assert_uint_ne(ecx & 1u << 21, 0); /* x2APIC */
	ck_assert_uint_ne(ecx & 1u << 24, 0); /* TSC deadline */
	ck_assert_uint_ne(ecx & 1u << 31, 0); /* hypervisor */
	free(cpuid);
}
END_TEST

START_TEST(test_guest_is_not_offered_guests_of_its_own)
{
	struct kvm_cpuid2 *cpuid = leaves_new(40);

	cpuid_set_topology(cpuid, 0, 1);
	ck_assert_uint_eq(leaf_find(cpuid, 1, 0)->ecx & 1u << 5, 0);
	ck_assert_uint_eq(leaf_find(cpuid, 0x80000001, 0)->ecx, 1); /* its neighbour stays */
	free(cpuid);
}
END_TEST

START_TEST(test_what_kvm_writes_to_guest_memory_is_not_offered)
{
	struct kvm_cpuid2 *cpuid = leaves_new(40);
	struct kvm_cpuid_entry2 *features = cpuid_find(cpuid, 0x40000001, 0);

	features->eax = UINT32_MAX;
	cpuid_drop_writers(cpuid, true);
	/* 4, 10, 14: async page faults; 5: steal time; 6: end of interrupt; 9: flushes. */
	ck_assert_uint_eq(features->eax,
			  ~(uint32_t)(1 << 4 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 14));
	cpuid_drop_writers(cpuid, false);
	/* 0, 3, 24: the clock. */
	ck_assert_uint_eq(features->eax,
			  ~(uint32_t)(1 << 4 | 1 << 5 | 1 << 6 | 1 << 9 | 1 << 10 | 1 << 14 |
				      1 << 0 | 1 << 3 | 1 << 24));
	free(cpuid);
}
END_TEST

START_TEST(test_address_width_comes_from_its_leaf)
{
	struct kvm_cpuid2 *cpuid = leaves_new(46);
	struct kvm_cpuid2 empty = {0};

	ck_assert_uint_eq(cpuid_gpa_bits(cpuid), 46);
	ck_assert_uint_eq(cpuid_gpa_bits(&empty), 36);
	for (uint32_t i = 0; i < cpuid->nent; i++) {
		if (cpuid->entries[i].function == 0x80000008)
			cpuid->entries[i].eax |= 43 << 16; /* narrower for guests */
	}
	ck_assert_uint_eq(cpuid_gpa_bits(cpuid), 43);
	free(cpuid);
}
END_TEST

START_TEST(test_failure_of_kvm_is_reported)
{
	struct fake *fake = fake_new();
	struct faulty *faulty = faulty_new(fake_host(fake));
	struct kvm_cpuid2 *cpuid = NULL;
	struct err err = {0};

	faulty_arm(faulty, (struct fault){.nth = 1, .errnum = E2BIG});
	ck_assert_int_eq(cpuid_new(faulty_host(faulty), -1, &cpuid, &err), -E2BIG);
	ck_assert_ptr_null(cpuid);
	ck_assert_ptr_nonnull(strstr(err.text, "KVM_GET_SUPPORTED_CPUID"));
	faulty_free(faulty);
	fake_free(fake);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_each_vcpu_has_its_own_apic_id_everywhere,
		test_levels_describe_cores_of_one_thread,
		test_one_vcpu_claims_no_hyperthreads,
		test_apic_features_of_the_kernel_are_offered,
		test_guest_is_not_offered_guests_of_its_own,
		test_what_kvm_writes_to_guest_memory_is_not_offered,
		test_address_width_comes_from_its_leaf,
		test_failure_of_kvm_is_reported,
	};

	return unit_run(unit_suite("cpuid", tests, ARRAY_SIZE(tests)));
}
