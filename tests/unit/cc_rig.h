/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A confidential guest on the fake kernel, by the verbs alone: one slot of RAM, all private. */
#ifndef TESTS_UNIT_CC_RIG_H
#define TESTS_UNIT_CC_RIG_H

#include <linux/kvm.h>
#include <linux/psp-sev.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake.h"
#include "tests/unit/unit.h"
#include "vmm/host_cc.h"

#define CC_PAGE	    GRANULE_BYTES
#define CC_RAM	    (64 * CC_PAGE)
#define CC_GPA	    (16 * CC_PAGE)
#define SNP_POLICY  UINT64_C(0x30000)
#define CC_VCPUS    2
#define TD_SEPT_VE  (UINT64_C(1) << 28)
#define CC_NO_VALUE UINT64_C(0x5555)

struct cc_rig {
	struct fake *fake;
	struct host *host;
	int vm, sev, gmem, memfd;
	int vcpus[CC_VCPUS];
	struct kvm_run *runs[CC_VCPUS];
	unsigned int n_vcpus;
	char *hva;   /* what the host sees of RAM */
	char *pages; /* the caller's own, CC_RAM bytes */
	uint32_t firmware;
	uint64_t module;
};

static inline void cc_add_vcpu(struct cc_rig *rig)
{
	size_t run_bytes;
	int fd = host_vcpu_create(rig->host, rig->vm, rig->n_vcpus, &rig->runs[rig->n_vcpus],
				  &run_bytes);

	ck_assert_int_ge(fd, 0);
	rig->vcpus[rig->n_vcpus++] = fd;
}

static inline int cc_convert(struct cc_rig *rig, gpa_t gpa, uint64_t size_bytes,
			     bool to_private)
{
	struct range range = {.start = gpa, .end = gpa + size_bytes};
	uint64_t attributes = to_private ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0, offset;

	if (!fake_traits(rig->fake)->in_place)
		return host_vm_set_attributes(rig->host, rig->vm, range, attributes);
	range = (struct range){.start = gpa - CC_GPA, .end = gpa - CC_GPA + size_bytes};
	return host_gmem_set_attributes(rig->host, rig->gmem, range, attributes, &offset);
}

static inline void cc_add_memory(struct cc_rig *rig)
{
	bool in_place = fake_traits(rig->fake)->in_place;
	struct kvm_userspace_memory_region2 slot = {
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = CC_GPA,
		.memory_size = CC_RAM,
	};
	uint64_t flags = in_place ? GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED : 0;
	void *hva;

	rig->gmem = host_vm_create_guest_memfd(rig->host, rig->vm, CC_RAM, flags);
	ck_assert_int_ge(rig->gmem, 0);
	rig->memfd = in_place ? -1 : host_mem_create(rig->host, CC_RAM);
	ck_assert_int_eq(
		host_mem_map(rig->host, in_place ? rig->gmem : rig->memfd, 0, CC_RAM, &hva), 0);
	rig->hva = hva;
	slot.guest_memfd = (uint32_t)rig->gmem;
	slot.userspace_addr = (uintptr_t)hva;
	ck_assert_int_eq(host_vm_set_memory_region(rig->host, rig->vm, &slot), 0);
}

/* A VM with an irqchip; the rest is up to the test. */
static inline void cc_init(struct cc_rig *rig, unsigned long type, bool in_place)
{
	const struct kvm_enable_cap split = {.cap = KVM_CAP_SPLIT_IRQCHIP, .args = {24}};

	*rig = (struct cc_rig){.fake = fake_new(), .gmem = -1, .memfd = -1, .sev = -1};
	rig->host = fake_host(rig->fake);
	fake_traits(rig->fake)->has_snp = type == KVM_X86_SNP_VM;
	fake_traits(rig->fake)->has_tdx = type == KVM_X86_TDX_VM;
	fake_traits(rig->fake)->in_place = in_place;
	fake_traits(rig->fake)->guards_private = in_place;
	rig->vm = host_vm_create(rig->host, type);
	ck_assert_int_ge(rig->vm, 0);
	ck_assert_int_eq(host_vm_enable_cap(rig->host, rig->vm, &split), 0);
	if (type == KVM_X86_SNP_VM)
		rig->sev = host_sev_open(rig->host);
	rig->pages = aligned_alloc(CC_PAGE, CC_RAM);
	ck_assert_ptr_nonnull(rig->pages);
	for (size_t i = 0; i < CC_RAM; i++)
		rig->pages[i] = (char)(i / CC_PAGE * 31 + i * 7 + 1);
}

static inline void cc_fini(struct cc_rig *rig)
{
	for (unsigned int i = 0; i < rig->n_vcpus; i++)
		host_vcpu_close(rig->host, rig->vcpus[i], rig->runs[i]);
	if (rig->hva)
		host_mem_unmap(rig->host, rig->hva, CC_RAM);
	if (rig->gmem >= 0)
		host_close(rig->host, rig->gmem);
	if (rig->memfd >= 0)
		host_close(rig->host, rig->memfd);
	if (rig->sev >= 0)
		host_close(rig->host, rig->sev);
	host_close(rig->host, rig->vm);
	fake_free(rig->fake);
	free(rig->pages);
}

/* --- SEV-SNP --- */

static inline int snp_init2(struct cc_rig *rig, uint64_t features)
{
	const struct kvm_sev_init init = {.vmsa_features = features, .ghcb_version = 2};

	return host_snp_init(rig->host, rig->vm, rig->sev, &init, &rig->firmware);
}

static inline int snp_start(struct cc_rig *rig, uint64_t policy)
{
	const struct kvm_sev_snp_launch_start start = {.policy = policy};

	return host_snp_launch_start(rig->host, rig->vm, rig->sev, &start, &rig->firmware);
}

/* @source: NULL for none. */
static inline int snp_update(struct cc_rig *rig, uint8_t type, gpa_t gpa, const char *source,
			     uint64_t size_bytes)
{
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = gpa / CC_PAGE,
		.uaddr = (uintptr_t)source,
		.len = size_bytes,
		.type = type,
	};

	return host_snp_launch_update(rig->host, rig->vm, rig->sev, &update, &rig->firmware);
}

static inline int snp_finish(struct cc_rig *rig)
{
	const struct kvm_sev_snp_launch_finish finish = {0};

	return host_snp_launch_finish(rig->host, rig->vm, rig->sev, &finish, &rig->firmware);
}

/* A guest whose launch has begun, with memory that is private and two vCPUs. */
static inline void snp_rig_init(struct cc_rig *rig, bool in_place)
{
	cc_init(rig, KVM_X86_SNP_VM, in_place);
	ck_assert_int_eq(snp_init2(rig, 0), 0);
	ck_assert_int_eq(snp_start(rig, SNP_POLICY), 0);
	cc_add_memory(rig);
	if (in_place)
		memcpy(rig->hva, rig->pages, CC_RAM);
	ck_assert_int_eq(cc_convert(rig, CC_GPA, CC_RAM, true), 0);
	cc_add_vcpu(rig);
	cc_add_vcpu(rig);
}

/* --- TDX --- */

union td_init {
	struct kvm_tdx_init_vm init;
	uint8_t bytes[sizeof(struct kvm_tdx_init_vm) + 8 * sizeof(struct kvm_cpuid_entry2)];
};

/* What every TD has: its guest addresses. */
static inline void td_init_fill(union td_init *init)
{
	memset(init, 0, sizeof(*init));
	init->init.attributes = TD_SEPT_VE;
	init->init.xfam = 7;
	init->init.cpuid.nent = 1;
	init->init.cpuid.entries[0] =
		(struct kvm_cpuid_entry2){.function = 0x80000008, .eax = 48u << 16};
}

static inline int td_init_vm(struct cc_rig *rig, const union td_init *init)
{
	return host_tdx_init_vm(rig->host, rig->vm, &init->init, &rig->module);
}

static inline int td_init_vcpu(struct cc_rig *rig, unsigned int i)
{
	struct {
		struct kvm_cpuid2 cpuid;
		struct kvm_cpuid_entry2 entry;
	} cpuid = {.cpuid.nent = 1, .entry = {.function = 1, .ecx = 1u << 21}};

	ck_assert_int_eq(host_vcpu_set_cpuid(rig->host, rig->vcpus[i], &cpuid.cpuid), 0);
	return host_tdx_init_vcpu(rig->host, rig->vcpus[i], CC_NO_VALUE + i, &rig->module);
}

static inline int td_add(struct cc_rig *rig, gpa_t gpa, const char *source, uint64_t n_pages,
			 bool is_measured)
{
	struct kvm_tdx_init_mem_region region = {
		.source_addr = (uintptr_t)source, .gpa = gpa, .nr_pages = n_pages};

	return host_tdx_init_mem_region(rig->host, rig->vcpus[0], &region, is_measured,
					&rig->module);
}

/* A TD with memory that is private and two initialized vCPUs. */
static inline void td_rig_init(struct cc_rig *rig, bool in_place)
{
	union td_init init;

	cc_init(rig, KVM_X86_TDX_VM, in_place);
	td_init_fill(&init);
	ck_assert_int_eq(td_init_vm(rig, &init), 0);
	cc_add_memory(rig);
	if (in_place)
		memcpy(rig->hva, rig->pages, CC_RAM);
	ck_assert_int_eq(cc_convert(rig, CC_GPA, CC_RAM, true), 0);
	cc_add_vcpu(rig);
	cc_add_vcpu(rig);
	ck_assert_int_eq(td_init_vcpu(rig, 0), 0);
	ck_assert_int_eq(td_init_vcpu(rig, 1), 0);
}

#endif
