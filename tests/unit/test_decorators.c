// SPDX-License-Identifier: GPL-2.0-or-later
/* The hosts around a host: the one that fails, and the one that writes down. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "tests/fake/faulty.h"
#include "tests/fake/trace.h"
#include "tests/fake/verb.h"
#include "tests/unit/cc_rig.h"

#define PAGE GRANULE_BYTES

START_TEST(test_armed_call_fails_once_or_from_then_on)
{
	struct fake *fake = fake_new();
	struct faulty *faulty = faulty_new(fake_host(fake));
	struct host *host = faulty_host(faulty);
	unsigned int n_errnos;

	for (unsigned int for_ever = 0; for_ever < 2; for_ever++) {
		faulty_arm(faulty, (struct fault){.nth = 2, .which = 1, .for_ever = for_ever});
		ck_assert_int_eq(host_vm_create(host, 99), -EINVAL);
		ck_assert_ptr_null(faulty_get_verb(faulty, &n_errnos));
		host_clock_now_ns(host);
		ck_assert_int_eq(host_mem_create(host, PAGE), -EMFILE);
		ck_assert_str_eq(faulty_get_verb(faulty, &n_errnos), "mem_create");
		ck_assert_uint_eq(n_errnos, 2);
		ck_assert_int_eq(host_vm_create(host, 99), for_ever ? -ENOMEM : -EINVAL);
		ck_assert_uint_eq(faulty_count_fired(faulty), 1 + for_ever);
		ck_assert_uint_eq(faulty_count_calls(faulty), 3);
	}
	faulty_free(faulty);
	fake_free(fake);
}
END_TEST

/* A guest's memory comes, converts with a device attached, and goes. */
static void play(struct host *host, struct fake *fake, unsigned int seed)
{
	struct guest_memory *memory;
	struct layout layout;
	enum backing backing;
	int vm = host_vm_create(host, KVM_X86_SW_PROTECTED_VM);
	int iommu, device;

	ck_assert_int_eq(layout_init(&layout, 4 * GIB, 40, NULL), 0);
	ck_assert_int_eq(backing_probe(host, vm, &backing, NULL), 0);
	ck_assert_int_eq(guest_memory_new(host, vm, &layout, backing, &memory, NULL), 0);
	iommu = guest_dma_open(memory, DMA_CUT, -1, NULL);
	ck_assert_int_ge(iommu, 0);
	device = fake_add_device(fake, iommu);
	ck_assert_int_eq(guest_dma_attach(memory, device, true, NULL), 0);
	srand(seed);
	for (int i = 0; i < 100; i++) {
		gpa_t page = (gpa_t)(rand() % 64);
		uint64_t n = 1 + (uint64_t)(rand() % 64);

		guest_convert(memory, page * PAGE, n * PAGE,
			      rand() % 2 ? SIDE_PRIVATE : SIDE_SHARED, CONVERSION_HYPERCALL);
	}
	ck_assert_int_eq(guest_dma_detach(memory, device), 0);
	/* The trace does not know where it came from. */
	host_close(fake_host(fake), device);
	guest_dma_close(memory);
	guest_memory_free(memory);
	host_close(host, vm);
}

static struct trace *record(bool in_place, unsigned int seed)
{
	struct fake *fake = fake_new();
	struct trace *trace = trace_new(fake_host(fake));

	fake_traits(fake)->in_place = in_place;
	play(trace_host(trace), fake, seed);
	fake_free(fake);
	return trace;
}

START_TEST(test_equal_runs_have_equal_traces)
{
	for (unsigned int in_place = 0; in_place < 2; in_place++) {
		struct trace *a = record(in_place, 1), *b = record(in_place, 1),
			     *c = record(in_place, 2);
		ssize_t first = trace_compare(a, c);

		ck_assert_int_eq(trace_compare(a, b), -1);
		ck_assert_uint_eq(trace_count(a), trace_count(b));
		ck_assert_int_gt(first, 8);
		/* What is to be private is taken from devices first. */
		ck_assert_str_eq(verb_name(trace_get(a, (size_t)first)->verb),
				 "iommu_compat_unmap");
		trace_free(a);
		trace_free(b);
		trace_free(c);
	}
}
END_TEST

START_TEST(test_trace_repeats_on_a_kernel_of_its_kind_only)
{
	for (unsigned int in_place = 0; in_place < 2; in_place++) {
		struct trace *trace = record(in_place, 1);

		for (unsigned int other = 0; other < 2; other++) {
			struct fake *fake = fake_new();
			ssize_t first;

			fake_traits(fake)->in_place = other;
			first = trace_replay(trace, fake_host(fake));
			if (other == in_place)
				ck_assert_int_eq(first, -1);
			else
				ck_assert_int_ge(first, 1);
			fake_free(fake);
		}
		trace_free(trace);
	}
}
END_TEST

/* --- Confidential guests --- */

/* The beginning of two launches, as far as the trace tells them apart. */
static struct trace *record_launch(gpa_t gpa, bool in_place)
{
	struct cc_rig rig;
	struct host *inner;
	struct trace *trace;
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = gpa / PAGE, .len = 2 * PAGE, .type = KVM_SEV_SNP_PAGE_TYPE_NORMAL};

	snp_rig_init(&rig, in_place);
	inner = rig.host;
	trace = trace_new(inner);
	update.uaddr = in_place ? 0 : (uintptr_t)rig.pages;
	fake_traits(rig.fake)->pages_per_call = 1;
	ck_assert_int_eq(host_snp_launch_update(trace_host(trace), rig.vm, rig.sev, &update,
						&rig.firmware),
			 0);
	cc_fini(&rig);
	return trace;
}

START_TEST(test_trace_tells_launches_apart)
{
	struct trace *a = record_launch(CC_GPA, false), *b = record_launch(CC_GPA, false),
		     *c = record_launch(CC_GPA + PAGE, false), *d = record_launch(CC_GPA, true);
	const struct trace_call *call = trace_get(a, 0);

	ck_assert_int_eq(trace_compare(a, b), -1);
	ck_assert_int_eq(trace_compare(a, c), 0);
	ck_assert_int_eq(trace_compare(a, d), 0);
	ck_assert_str_eq(verb_name(call->verb), "snp_launch_update");
	ck_assert_uint_eq(call->numbers[1], KVM_SEV_SNP_PAGE_TYPE_NORMAL);
	ck_assert_uint_eq(call->numbers[2], CC_GPA / PAGE);
	ck_assert_uint_eq(call->numbers[3], 2 * PAGE);
	ck_assert_uint_eq(call->numbers[4], 1);
	ck_assert_uint_eq(call->output, PAGE);
	trace_free(a);
	trace_free(b);
	trace_free(c);
	trace_free(d);
}
END_TEST

START_TEST(test_trace_of_a_td_has_its_configuration)
{
	struct cc_rig rig;
	struct trace *trace;
	union td_init init;
	uint64_t module;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	trace = trace_new(rig.host);
	td_init_fill(&init);
	init.init.mrconfigid[0] = 0x77;
	init.init.xfam = 3 | 0xe0;
	ck_assert_int_eq(host_tdx_init_vm(trace_host(trace), rig.vm, &init.init, &module),
			 -EINVAL);
	ck_assert_int_eq(trace_get(trace, 0)->result, -EINVAL);
	ck_assert_uint_eq(trace_get(trace, 0)->numbers[1], TD_SEPT_VE);
	ck_assert_uint_eq(trace_get(trace, 0)->numbers[2], 3 | 0xe0);
	ck_assert_uint_eq(trace_get(trace, 0)->numbers[3], 1);
	ck_assert_uint_eq(trace_get(trace, 0)->numbers[4], 0x77);
	ck_assert_uint_eq(trace_get(trace, 0)->output, module);
	ck_assert_uint_ne(module, 0);
	trace_free(trace);
	cc_fini(&rig);
}
END_TEST

/* What failed so did not happen: the struct is as it was. */
START_TEST(test_failure_comes_with_a_status)
{
	struct kvm_sev_snp_launch_update update = {
		.gfn_start = CC_GPA / PAGE, .len = PAGE, .type = KVM_SEV_SNP_PAGE_TYPE_ZERO};
	struct faulty *faulty;
	struct cc_rig rig;
	uint32_t firmware;
	uint64_t module;

	snp_rig_init(&rig, false);
	faulty = faulty_new(rig.host);
	faulty_arm(faulty, (struct fault){.nth = 1, .status = SEV_RET_RESOURCE_LIMIT});
	ck_assert_int_eq(host_snp_launch_update(faulty_host(faulty), rig.vm, rig.sev, &update,
						&firmware),
			 -EIO);
	ck_assert_uint_eq(firmware, SEV_RET_RESOURCE_LIMIT);
	ck_assert_uint_eq(update.len, PAGE);
	ck_assert(!fake_is_assigned(rig.fake, CC_GPA));
	ck_assert_int_eq(host_snp_launch_update(faulty_host(faulty), rig.vm, rig.sev, &update,
						&firmware),
			 0);
	ck_assert_uint_eq(firmware, 0);
	faulty_arm(faulty, (struct fault){.nth = 1, .errnum = EBUSY, .status = UINT64_MAX});
	ck_assert_int_eq(host_tdx_finalize_vm(faulty_host(faulty), rig.vm, &module), -EBUSY);
	ck_assert_uint_eq(module, UINT64_MAX);
	faulty_free(faulty);
	cc_fini(&rig);
}
END_TEST

/* Every verb that can fail has an errno to fail with, and a name. */
START_TEST(test_each_verb_of_confidential_guests_can_fail)
{
	struct fake *fake = fake_new();
	struct faulty *faulty = faulty_new(fake_host(fake));
	struct host *host = faulty_host(faulty);
	struct kvm_cpuid2 cpuid = {0};
	uint64_t value;
	uint32_t firmware;

	faulty_arm(faulty, (struct fault){.nth = 1, .for_ever = true});
	ck_assert_int_lt(host_cc_get_attr(host, 0, 0, &value), 0);
	ck_assert_int_lt(host_sev_open(host), 0);
	ck_assert_int_lt(host_snp_init(host, -1, -1, NULL, &firmware), 0);
	ck_assert_int_lt(host_snp_enable_certs(host, -1, -1, &firmware), 0);
	ck_assert_int_lt(host_snp_launch_start(host, -1, -1, NULL, &firmware), 0);
	ck_assert_int_lt(host_snp_launch_update(host, -1, -1, NULL, &firmware), 0);
	ck_assert_int_lt(host_snp_launch_finish(host, -1, -1, NULL, &firmware), 0);
	ck_assert_int_lt(host_tdx_get_capabilities(host, -1, NULL, &value), 0);
	ck_assert_int_lt(host_tdx_init_vm(host, -1, NULL, &value), 0);
	ck_assert_int_lt(host_tdx_init_vcpu(host, -1, 0, &value), 0);
	ck_assert_int_lt(host_tdx_get_cpuid(host, -1, &cpuid, &value), 0);
	ck_assert_int_lt(host_tdx_init_mem_region(host, -1, NULL, true, &value), 0);
	ck_assert_int_lt(host_tdx_finalize_vm(host, -1, &value), 0);
	ck_assert_uint_eq(faulty_count_fired(faulty), 13);
	faulty_free(faulty);
	fake_free(fake);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_armed_call_fails_once_or_from_then_on,
		test_equal_runs_have_equal_traces,
		test_trace_repeats_on_a_kernel_of_its_kind_only,
		test_trace_tells_launches_apart,
		test_trace_of_a_td_has_its_configuration,
		test_failure_comes_with_a_status,
		test_each_verb_of_confidential_guests_can_fail,
	};

	return unit_run(unit_suite("decorators", tests, ARRAY_SIZE(tests)));
}
