// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The page of CPUID leaves of an SNP guest: SEV-SNP firmware ABI (56860), 8.17.2.6, and what
 * others found the firmware to refuse.
 */
#include "vmm/cpuid_snp.h"

#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake.h"
#include "tests/fake/fake_cc.h"
#include "tests/unit/unit.h"
#include "vmm/cpuid.h"

enum { LEAVES_MAX = 256 };

struct leaves {
	struct kvm_cpuid2 cpuid;
	struct kvm_cpuid_entry2 entries[LEAVES_MAX];
};

static void add(struct leaves *leaves, struct kvm_cpuid_entry2 entry)
{
	leaves->cpuid.entries[leaves->cpuid.nent++] = entry;
}

static struct kvm_cpuid_entry2 full(uint32_t function, uint32_t index)
{
	return (struct kvm_cpuid_entry2){
		.function = function,
		.index = index,
		.flags = index ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0,
		.eax = UINT32_MAX,
		.ebx = UINT32_MAX,
		.ecx = UINT32_MAX,
		.edx = UINT32_MAX,
	};
}

static const struct snp_cpuid_entry *find(const struct snp_cpuid_page *page, uint32_t function,
					  uint32_t index)
{
	const struct snp_cpuid_entry *found = NULL;

	for (uint32_t i = 0; i < page->n_entries; i++) {
		if (page->entries[i].function != function || page->entries[i].index != index)
			continue;
		ck_assert_ptr_null(found);
		found = &page->entries[i];
	}
	return found;
}

/* The firmware's rules, and Linux's: struct snp_cpuid_table. */
START_TEST(test_page_is_laid_out_as_firmware_reads_it)
{
	struct leaves leaves = {.cpuid.nent = 0};
	struct snp_cpuid_page page;
	uint8_t bytes[4096];
	uint32_t words[12];

	add(&leaves, (struct kvm_cpuid_entry2){7, 2, 1, 0x11, 0x22, 0x33, 0x44, {0}});
	memset(&page, 0xff, sizeof(page));
	ck_assert_int_eq(snp_cpuid_page_init(&page, &leaves.cpuid), 0);
	memcpy(bytes, &page, sizeof(bytes));
	memcpy(words, bytes, 16);
	ck_assert_uint_eq(words[0], 1);
	ck_assert(!words[1] && !words[2] && !words[3]);
	memcpy(words, bytes + 16, 48);
	ck_assert_uint_eq(words[0], 7);
	ck_assert_uint_eq(words[1], 2);
	/* XCR0 and XSS, then the registers, then 8 bytes. */
	ck_assert(!words[2] && !words[3] && !words[4] && !words[5]);
	ck_assert(words[6] == 0x11 && words[7] == 0x22 && words[8] == 0x33 && words[9] == 0x44);
	ck_assert(!words[10] && !words[11]);
	for (size_t i = 64; i < sizeof(bytes); i++)
		ck_assert_uint_eq(bytes[i], 0);
}
END_TEST

/* Each of these has bits that a launch fails with; all others stay. */
static const struct {
	uint32_t function, index;
	uint32_t eax, ebx, ecx, edx; /* what is left of all bits */
} rules[] = {
	{1, 0, UINT32_MAX, UINT32_MAX, ~(1u << 24), UINT32_MAX},	  /* TSC_DEADLINE */
	{7, 0, UINT32_MAX, ~(1u << 1), UINT32_MAX, 0},			  /* TSC_ADJUST */
	{7, 1, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},		  /* not this one */
	{0x80000008, 0, UINT32_MAX, ~(1u << 25), UINT32_MAX, UINT32_MAX}, /* VIRT_SSBD */
	{0x80000021, 0, ~(1u << 9), UINT32_MAX, 0, UINT32_MAX},		  /* NO_SMM_CTL */
	{0x80000001, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	{0xd, 2, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	{0xd, 63, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	{0x40000000, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	{0x40000001, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	{0xffff, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	{0x8000ffff, 0, UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
	/* Sizes are those of XCR0 = 1; the guest adds the rest up. */
	{0xd, 0, UINT32_MAX, 0x240, UINT32_MAX, UINT32_MAX},
	{0xd, 1, UINT32_MAX, 0x240, UINT32_MAX, UINT32_MAX},
};

START_TEST(test_bits_that_firmware_refuses_go)
{
	struct leaves leaves = {.cpuid.nent = 0};
	const struct snp_cpuid_entry *entry;
	struct snp_cpuid_page page;

	add(&leaves, full(rules[_i].function, rules[_i].index));
	ck_assert_int_eq(snp_cpuid_page_init(&page, &leaves.cpuid), 0);
	entry = find(&page, rules[_i].function, rules[_i].index);
	ck_assert_ptr_nonnull(entry);
	ck_assert_uint_eq(entry->eax, rules[_i].eax);
	ck_assert_uint_eq(entry->ebx, rules[_i].ebx);
	ck_assert_uint_eq(entry->ecx, rules[_i].ecx);
	ck_assert_uint_eq(entry->edx, rules[_i].edx);
	/* Of XSAVE's first two alone. */
	ck_assert_uint_eq(entry->xcr0, entry->function == 0xd && entry->index < 2);
	ck_assert_uint_eq(entry->xss, 0);
	ck_assert_uint_eq(entry->reserved, 0);
}
END_TEST

/* Leaves of zeroes, those that the firmware does not take, and functions it does not know. */
START_TEST(test_leaves_that_firmware_does_not_take_are_left_out)
{
	static const uint32_t functions[] = {0x80000026, 0x10000,    0x20000000, 0x80010000,
					     0xc0000000, 0xc0000001, UINT32_MAX};
	struct leaves leaves = {.cpuid.nent = 0};
	struct snp_cpuid_page page;

	for (size_t i = 0; i < ARRAY_SIZE(functions); i++)
		add(&leaves, full(functions[i], 0));
	add(&leaves, full(0x80000026, 1));
	add(&leaves, (struct kvm_cpuid_entry2){.function = 0xd, .index = 0});
	add(&leaves, (struct kvm_cpuid_entry2){.function = 3});
	add(&leaves, (struct kvm_cpuid_entry2){.function = 2, .edx = 1});
	ck_assert_int_eq(snp_cpuid_page_init(&page, &leaves.cpuid), 0);
	ck_assert_uint_eq(page.n_entries, 1);
	ck_assert_ptr_nonnull(find(&page, 2, 0));
}
END_TEST

/* 64 and not one more; what is left out does not count. */
START_TEST(test_page_has_room_for_64)
{
	struct leaves leaves = {.cpuid.nent = 0};
	struct snp_cpuid_page page;

	for (uint32_t i = 0; i < 64; i++) {
		add(&leaves, full(0x80000026, i));
		add(&leaves, full(0xd, i));
		add(&leaves, (struct kvm_cpuid_entry2){.function = 0x12, .index = i});
	}
	ck_assert_int_eq(snp_cpuid_page_init(&page, &leaves.cpuid), 0);
	ck_assert_uint_eq(page.n_entries, 64);
	ck_assert_uint_eq(page.entries[63].index, 63);
	add(&leaves, (struct kvm_cpuid_entry2){.function = 0x14});
	ck_assert_int_eq(snp_cpuid_page_init(&page, &leaves.cpuid), 0);
	add(&leaves, (struct kvm_cpuid_entry2){.function = 0x14, .ecx = 1});
	ck_assert_int_eq(snp_cpuid_page_init(&page, &leaves.cpuid), -ENOSPC);
}
END_TEST

/* What KVM offers on a host with SNP passes, with all that a guest looks for. */
START_TEST(test_page_of_a_host_passes)
{
	struct fake *fake = fake_new();
	struct host *host = fake_host(fake);
	struct kvm_cpuid2 *cpuid = NULL;
	struct snp_cpuid_page page;
	int vm;

	fake_traits(fake)->has_snp = true;
	vm = host_vm_create(host, KVM_X86_SNP_VM);
	ck_assert_int_ge(vm, 0);
	ck_assert_int_eq(cpuid_new(host, vm, &cpuid, NULL), 0);
	cpuid_set_topology(cpuid, 0, 4);
	ck_assert_int_eq(snp_cpuid_page_init(&page, cpuid), 0);
	ck_assert(page.n_entries > 8 && page.n_entries <= 64);
	ck_assert(fake_firmware_check_cpuid((uint8_t *)&page));
	ck_assert_ptr_nonnull(find(&page, 0x40000000, 0));
	ck_assert_ptr_nonnull(find(&page, 0x40000001, 0));
	ck_assert_uint_eq(find(&page, 0x8000001f, 0)->eax & 0x1a, 0x1a);
	/* Both levels of topology; the first has an APIC ID of 0 and one thread. */
	ck_assert_uint_eq(find(&page, 0xb, 0)->ebx, 1);
	ck_assert_uint_eq(find(&page, 0xb, 1)->ebx, 4);
	free(cpuid);
	host_close(host, vm);
	fake_free(fake);
}
END_TEST

START_TEST(test_corrections_are_found_one_by_one)
{
	struct leaves leaves = {.cpuid.nent = 0};
	struct snp_cpuid_page ours, theirs;
	uint32_t next = 0;

	for (uint32_t i = 0; i < 5; i++)
		add(&leaves, full(0x20 + i, 0));
	ck_assert_int_eq(snp_cpuid_page_init(&ours, &leaves.cpuid), 0);
	theirs = ours;
	ck_assert_int_eq(snp_cpuid_page_compare(&ours, &theirs, &next), -1);
	theirs.entries[0].eax--;
	theirs.entries[3].edx = 0;
	theirs.entries[4].xss = 1;
	theirs.entries[5].eax = 1; /* there is no such entry */
	next = 0;
	ck_assert_int_eq(snp_cpuid_page_compare(&ours, &theirs, &next), 0);
	ck_assert_int_eq(snp_cpuid_page_compare(&ours, &theirs, &next), 3);
	ck_assert_int_eq(snp_cpuid_page_compare(&ours, &theirs, &next), 4);
	ck_assert_int_eq(snp_cpuid_page_compare(&ours, &theirs, &next), -1);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("cpuid_snp");
	TCase *tcase = tcase_create("cpuid_snp");

	tcase_add_test(tcase, test_page_is_laid_out_as_firmware_reads_it);
	tcase_add_loop_test(tcase, test_bits_that_firmware_refuses_go, 0, ARRAY_SIZE(rules));
	tcase_add_test(tcase, test_leaves_that_firmware_does_not_take_are_left_out);
	tcase_add_test(tcase, test_page_has_room_for_64);
	tcase_add_test(tcase, test_page_of_a_host_passes);
	tcase_add_test(tcase, test_corrections_are_found_one_by_one);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
