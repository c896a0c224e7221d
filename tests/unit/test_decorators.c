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
#include "tests/unit/unit.h"

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

int main(void)
{
	const TTest *tests[] = {
		test_armed_call_fails_once_or_from_then_on,
		test_equal_runs_have_equal_traces,
		test_trace_repeats_on_a_kernel_of_its_kind_only,
	};

	return unit_run(unit_suite("decorators", tests, ARRAY_SIZE(tests)));
}
