// SPDX-License-Identifier: GPL-2.0-or-later
/* Conversions by the engine, one at a time, on the fake kernel. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "tests/fake/convertible.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

#define RAM_BYTES (16 * MIB)
#define PAGE	  GRANULE_BYTES

static const enum backing backings[] = {BACKING_INPLACE, BACKING_PAIRED};

/* The last conversion, as the trace has it. */
static void keep_record(void *trace, const struct conversion_record *record)
{
	*(struct conversion_record *)trace = *record;
}

START_TEST(test_converted_pages_have_their_side_and_their_neighbours_keep_theirs)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;

		convertible_init(&c, backings[i], RAM_BYTES, true);
		ck_assert_int_eq(convertible_convert(&c, 2 * PAGE, 3 * PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		for (gpa_t page = 0; page < 8; page++) {
			bool is_private = page >= 2 && page < 5;

			ck_assert_int_eq(guest_get_side(c.memory, page * PAGE),
					 is_private ? SIDE_PRIVATE : SIDE_SHARED);
			ck_assert_int_eq(fake_is_private(c.fake, page * PAGE), is_private);
		}
		ck_assert_int_eq(convertible_convert(&c, 3 * PAGE, PAGE, SIDE_SHARED),
				 CONVERSION_DONE);
		ck_assert(!fake_is_private(c.fake, 3 * PAGE));
		ck_assert(fake_is_private(c.fake, 4 * PAGE));
		convertible_check_all(&c);
		convertible_fini(&c);
	}
}
END_TEST

START_TEST(test_in_place_a_page_keeps_its_bytes_and_paired_it_starts_with_zeroes)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		char bytes[6] = "hello";

		convertible_init(&c, backings[i], RAM_BYTES, true);
		ck_assert_int_eq(guest_write(c.memory, PAGE, bytes, 6), 0);
		convertible_convert(&c, PAGE, PAGE, SIDE_PRIVATE);
		ck_assert(fake_guest_read(c.fake, PAGE, bytes, 6));
		ck_assert_str_eq(bytes, backings[i] == BACKING_INPLACE ? "hello" : "");
		ck_assert_int_eq(guest_read(c.memory, PAGE, bytes, 6), -EFAULT);
		ck_assert(fake_guest_write(c.fake, PAGE, "again", 6));
		convertible_convert(&c, PAGE, PAGE, SIDE_SHARED);
		ck_assert_int_eq(guest_read(c.memory, PAGE, bytes, 6), 0);
		ck_assert_str_eq(bytes, backings[i] == BACKING_INPLACE ? "again" : "");
		convertible_fini(&c);
	}
}
END_TEST

START_TEST(test_paired_pages_hold_memory_on_one_side_only)
{
	struct convertible c;
	static char bytes[64 * PAGE] = "x";
	struct fake_memory memory;

	convertible_init(&c, BACKING_PAIRED, RAM_BYTES, true);
	ck_assert_int_eq(guest_write(c.memory, 0, bytes, sizeof(bytes)), 0);
	convertible_convert(&c, 0, 16 * PAGE, SIDE_PRIVATE);
	for (gpa_t page = 0; page < 16; page++)
		ck_assert(fake_guest_write(c.fake, page * PAGE, bytes, PAGE));
	memory = fake_count_memory(c.fake);
	ck_assert_uint_eq(memory.memfd_bytes, 48 * PAGE);
	ck_assert_uint_eq(memory.guest_memfd_bytes, 16 * PAGE);
	convertible_convert(&c, 0, 64 * PAGE, SIDE_SHARED);
	memory = fake_count_memory(c.fake);
	ck_assert_uint_eq(memory.memfd_bytes, 48 * PAGE);
	ck_assert_uint_eq(memory.guest_memfd_bytes, 0);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_what_changes_nothing_does_not_reach_the_kernel)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		struct conversion_record record;
		uint64_t n_calls;

		convertible_init(&c, backings[i], RAM_BYTES, true);
		guest_set_trace(c.memory, keep_record, &record);
		convertible_convert(&c, 0, PAGE, SIDE_PRIVATE);
		ck_assert(!record.is_noop);
		n_calls = fake_count_conversion_calls(c.fake);
		ck_assert_int_eq(convertible_convert(&c, 0, PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		ck_assert(record.is_noop);
		ck_assert_uint_eq(record.claim_ns, 0);
		ck_assert_int_eq(convertible_convert(&c, PAGE, 9 * PAGE, SIDE_SHARED),
				 CONVERSION_DONE);
		/* Firmware does this to the hole and to BARs. */
		ck_assert_int_eq(convertible_convert(&c, 3 * GIB, GIB, SIDE_SHARED),
				 CONVERSION_DONE);
		ck_assert(record.is_noop);
		ck_assert_uint_eq(fake_count_conversion_calls(c.fake), n_calls);
		ck_assert_uint_eq(guest_get_stats(c.memory).n_noops, 3);
		convertible_fini(&c);
	}
}
END_TEST

START_TEST(test_senseless_requests_are_refused_without_a_call)
{
	static const struct {
		gpa_t gpa;
		uint64_t size_bytes;
		bool is_refused_to_shared;
	} requests[] = {
		{0, 0, true},
		{1, PAGE, true},
		{0, PAGE - 1, true},
		{PAGE / 2, PAGE, true},
		{0, UINT64_MAX, true},
		{0, UINT64_MAX - PAGE + 1, true},
		{UINT64_MAX - PAGE + 1, PAGE, true},
		{UINT64_MAX - PAGE + 1, 2 * PAGE, true},
		{PAGE, UINT64_MAX - PAGE + 1, true},
		{RAM_BYTES - PAGE, 2 * PAGE, true},
		{0, 4 * TIB, true},
		{RAM_BYTES, PAGE, false},
		{3 * GIB, GIB, false},
		{UINT64_C(1) << 62, PAGE, false},
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(requests); i++) {
		const gpa_t gpa = requests[i / 2].gpa;
		const uint64_t size_bytes = requests[i / 2].size_bytes;
		struct conversion_record record;
		struct convertible c;

		convertible_init(&c, backings[i % 2], RAM_BYTES, true);
		guest_set_trace(c.memory, keep_record, &record);
		ck_assert_int_eq(convertible_convert(&c, gpa, size_bytes, SIDE_PRIVATE),
				 CONVERSION_REFUSED);
		ck_assert_uint_eq(record.gpa, gpa);
		ck_assert_uint_eq(record.size_bytes, size_bytes);
		ck_assert_int_eq(record.error, -EINVAL);
		ck_assert_int_eq(convertible_convert(&c, gpa, size_bytes, SIDE_SHARED),
				 requests[i / 2].is_refused_to_shared ? CONVERSION_REFUSED
								      : CONVERSION_DONE);
		ck_assert_uint_eq(fake_count_conversion_calls(c.fake), 0);
		convertible_fini(&c);
	}
}
END_TEST

START_TEST(test_range_over_a_hole_or_two_ram_ranges_is_refused)
{
	struct convertible c;

	convertible_init(&c, BACKING_INPLACE, 4 * GIB, false);
	for (enum side to = SIDE_SHARED; to <= SIDE_PRIVATE; to++) {
		ck_assert_int_eq(convertible_convert(&c, 3 * GIB - PAGE, 2 * PAGE, to),
				 CONVERSION_REFUSED);
		ck_assert_int_eq(convertible_convert(&c, 0, 5 * GIB, to), CONVERSION_REFUSED);
		ck_assert_int_eq(convertible_convert(&c, 4 * GIB - PAGE, 2 * PAGE, to),
				 CONVERSION_REFUSED);
	}
	ck_assert_uint_eq(fake_count_conversion_calls(c.fake), 0);
	ck_assert_int_eq(convertible_convert(&c, 0, 3 * GIB, SIDE_PRIVATE), CONVERSION_DONE);
	ck_assert_int_eq(convertible_convert(&c, 4 * GIB, GIB, SIDE_PRIVATE), CONVERSION_DONE);
	convertible_check_all(&c);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_plain_memory_never_turns_private)
{
	struct fake *fake = fake_new();
	struct host *host = fake_host(fake);
	int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	struct guest_memory *memory;
	struct layout layout;

	ck_assert_int_eq(layout_init(&layout, RAM_BYTES, 40, NULL), 0);
	ck_assert_int_eq(guest_memory_new(host, vm, &layout, BACKING_PLAIN, &memory, NULL), 0);
	ck_assert_int_eq(guest_convert(memory, 0, PAGE, SIDE_PRIVATE, CONVERSION_HYPERCALL),
			 CONVERSION_REFUSED);
	ck_assert_int_eq(guest_convert(memory, 0, PAGE, SIDE_SHARED, CONVERSION_HYPERCALL),
			 CONVERSION_DONE);
	ck_assert_int_eq(guest_get_side(memory, 0), SIDE_SHARED);
	ck_assert_uint_eq(fake_count_conversion_calls(fake), 0);
	guest_memory_free(memory);
	host_close(host, vm);
	fake_free(fake);
}
END_TEST

START_TEST(test_page_in_use_is_waited_for_but_not_for_ever)
{
	struct convertible c;
	struct conversion_record record;
	uint64_t start_ns, took_ns;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
	guest_set_trace(c.memory, keep_record, &record);
	ck_assert_int_eq(fake_pin(c.fake, 5 * PAGE, 0), 0);
	start_ns = host_clock_now_ns(c.host);
	ck_assert_int_eq(convertible_convert(&c, 0, 16 * PAGE, SIDE_PRIVATE), CONVERSION_AGAIN);
	took_ns = host_clock_now_ns(c.host) - start_ns;
	ck_assert_uint_ge(took_ns, 200 * 1000 * 1000);
	ck_assert_uint_le(took_ns, 210 * 1000 * 1000);
	ck_assert_uint_eq(record.busy_gpa, 5 * PAGE);
	ck_assert_int_eq(record.error, -EAGAIN);
	ck_assert_uint_gt(record.n_retries, 8);
	ck_assert_uint_lt(record.n_retries, 50);
	convertible_check_all(&c);
	/* Around the page it works, and with it when it is free. */
	ck_assert_int_eq(convertible_convert(&c, 0, 5 * PAGE, SIDE_PRIVATE), CONVERSION_DONE);
	fake_unpin(c.fake, 5 * PAGE);
	ck_assert_int_eq(convertible_convert(&c, 0, 16 * PAGE, SIDE_PRIVATE), CONVERSION_DONE);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_transient_use_is_over_after_a_retry)
{
	struct convertible c;
	struct conversion_record record;

	for (unsigned int n = 1; n < 8; n++) {
		convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
		guest_set_trace(c.memory, keep_record, &record);
		ck_assert_int_eq(fake_pin(c.fake, PAGE, n), 0);
		ck_assert_int_eq(convertible_convert(&c, 0, 4 * PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		ck_assert_uint_eq(record.n_retries, n);
		ck_assert_int_eq(record.error, 0);
		ck_assert_uint_eq(guest_get_stats(c.memory).n_retries, n);
		convertible_fini(&c);
	}
}
END_TEST

START_TEST(test_kernel_short_of_memory_is_no_refusal)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(backings); i++) {
		enum side to = i % 2 ? SIDE_PRIVATE : SIDE_SHARED;
		struct convertible c;
		struct conversion_record record;

		convertible_init(&c, backings[i / 2], RAM_BYTES, true);
		if (to == SIDE_SHARED)
			convertible_convert(&c, 0, 2 * PAGE, SIDE_PRIVATE);
		guest_set_trace(c.memory, keep_record, &record);
		faulty_arm(c.faulty,
			   (struct fault){.nth = 1, .for_ever = true, .errnum = ENOMEM});
		ck_assert_int_eq(convertible_convert(&c, 0, 2 * PAGE, to), CONVERSION_AGAIN);
		ck_assert_int_eq(record.error, -ENOMEM);
		convertible_check_all(&c);
		faulty_arm(c.faulty, (struct fault){.nth = 1, .n_more = 4, .errnum = ENOMEM});
		ck_assert_int_eq(convertible_convert(&c, 0, 2 * PAGE, to), CONVERSION_DONE);
		ck_assert_uint_eq(record.n_retries, 5);
		ck_assert_int_eq(record.error, 0);
		convertible_check_all(&c);
		convertible_fini(&c);
	}
}
END_TEST

/* Not that a page was in use first, which was waited for. */
START_TEST(test_error_that_ended_the_tries_is_told)
{
	struct convertible c;
	struct conversion_record record;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
	guest_set_trace(c.memory, keep_record, &record);
	ck_assert_int_eq(fake_pin(c.fake, PAGE, 0), 0);
	faulty_arm(c.faulty, (struct fault){.nth = 3, .errnum = EPERM});
	ck_assert_int_eq(convertible_convert(&c, 0, 4 * PAGE, SIDE_PRIVATE),
			 CONVERSION_REFUSED);
	ck_assert_int_eq(record.error, -EPERM);
	ck_assert_uint_eq(record.n_retries, 2);
	fake_unpin(c.fake, PAGE);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_pages_that_change_side_are_counted)
{
	struct convertible c;
	struct conversion_record record;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
	guest_set_trace(c.memory, keep_record, &record);
	convertible_convert(&c, 2 * PAGE, PAGE, SIDE_PRIVATE);
	convertible_convert(&c, 0, RAM_BYTES, SIDE_PRIVATE);
	ck_assert_uint_eq(record.n_pages, RAM_BYTES / PAGE - 1);
	ck_assert_uint_eq(record.number, 2);
	convertible_convert(&c, 0, RAM_BYTES, SIDE_PRIVATE);
	ck_assert_uint_eq(record.n_pages, 0);
	faulty_arm(c.faulty, (struct fault){.nth = 1, .errnum = EPERM});
	convertible_convert(&c, 0, PAGE, SIDE_SHARED);
	ck_assert_uint_eq(record.n_pages, 0);
	ck_assert_uint_eq(record.number, 4);
	ck_assert_uint_eq(guest_get_stats(c.memory).n_pages[SIDE_PRIVATE], RAM_BYTES / PAGE);
	ck_assert_uint_eq(guest_get_stats(c.memory).n_pages[SIDE_SHARED], 0);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_error_that_was_taken_back_is_told)
{
	struct convertible c;
	struct conversion_record record;

	convertible_init(&c, BACKING_PAIRED, RAM_BYTES, true);
	guest_set_trace(c.memory, keep_record, &record);
	convertible_convert(&c, 0, PAGE, SIDE_PRIVATE);
	/* Shown; the discard fails; hidden again. */
	faulty_arm(c.faulty, (struct fault){.nth = 2, .errnum = EPERM});
	ck_assert_int_eq(convertible_convert(&c, 0, PAGE, SIDE_SHARED), CONVERSION_REFUSED);
	ck_assert_int_eq(record.error, -EPERM);
	ck_assert_int_eq(guest_get_side(c.memory, 0), SIDE_PRIVATE);
	convertible_check_all(&c);
	convertible_fini(&c);
}
END_TEST

/* The kernel that could not go on may not be able to go back at once, either. */
START_TEST(test_way_back_is_tried_again_before_a_page_is_given_up)
{
	for (enum side to = SIDE_SHARED; to <= SIDE_PRIVATE; to++) {
		struct convertible c;
		struct conversion_record record;

		convertible_init(&c, BACKING_PAIRED, RAM_BYTES, true);
		if (to == SIDE_SHARED)
			convertible_convert(&c, 0, 2 * PAGE, SIDE_PRIVATE);
		guest_set_trace(c.memory, keep_record, &record);
		/* Changed; the discard fails; so do seven tries to change back. */
		faulty_arm(c.faulty, (struct fault){.nth = 2, .n_more = 7, .errnum = EAGAIN});
		ck_assert_int_eq(convertible_convert(&c, 0, 2 * PAGE, to), CONVERSION_REFUSED);
		ck_assert_uint_eq(faulty_count_fired(c.faulty), 8);
		ck_assert_uint_eq(record.n_retries, 7);
		ck_assert_int_eq(record.error, -EAGAIN);
		ck_assert_int_eq(guest_get_side(c.memory, 0),
				 to == SIDE_SHARED ? SIDE_PRIVATE : SIDE_SHARED);
		convertible_check_all(&c);
		/* But not for ever. */
		faulty_arm(c.faulty,
			   (struct fault){.nth = 2, .for_ever = true, .errnum = EAGAIN});
		ck_assert_int_eq(convertible_convert(&c, 0, 2 * PAGE, to), CONVERSION_BROKEN);
		ck_assert_uint_ge(record.set_ns, 200 * 1000 * 1000);
		ck_assert_uint_le(record.set_ns, 220 * 1000 * 1000);
		convertible_fini(&c);
	}
}
END_TEST

START_TEST(test_broken_range_is_refused_for_ever)
{
	struct convertible c;
	struct conversion_record record;
	char byte = 0;

	convertible_init(&c, BACKING_PAIRED, RAM_BYTES, true);
	guest_set_trace(c.memory, keep_record, &record);
	faulty_arm(c.faulty, (struct fault){.nth = 2, .errnum = EPERM, .for_ever = true});
	ck_assert_int_eq(convertible_convert(&c, 0, 2 * PAGE, SIDE_PRIVATE), CONVERSION_BROKEN);
	faulty_arm(c.faulty, (struct fault){0});
	for (enum side to = SIDE_SHARED; to <= SIDE_PRIVATE; to++) {
		ck_assert_int_eq(convertible_convert(&c, 0, PAGE, to), CONVERSION_REFUSED);
		ck_assert_int_eq(record.error, -EIO);
		ck_assert_int_eq(convertible_convert(&c, PAGE, 2 * PAGE, to),
				 CONVERSION_REFUSED);
	}
	ck_assert_int_eq(guest_get_side(c.memory, PAGE), SIDE_BROKEN);
	ck_assert_int_eq(guest_read(c.memory, 0, &byte, 1), -EFAULT);
	ck_assert_int_eq(convertible_convert(&c, 2 * PAGE, PAGE, SIDE_PRIVATE),
			 CONVERSION_DONE);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_probe_finds_the_way_of_this_kernel)
{
	static const struct {
		struct fake_traits traits;
		unsigned long vm_type;
		int result;
		enum backing backing;
	} kernels[] = {
		{{.in_place = true}, KVM_X86_SW_PROTECTED_VM, 0, BACKING_INPLACE},
		{{.in_place = false}, KVM_X86_SW_PROTECTED_VM, 0, BACKING_PAIRED},
		{{.in_place = true}, KVM_X86_DEFAULT_VM, -EOPNOTSUPP, 0},
		{{.in_place = false}, KVM_X86_DEFAULT_VM, -EOPNOTSUPP, 0},
		{{.no_guest_memfd = true}, KVM_X86_SW_PROTECTED_VM, -EOPNOTSUPP, 0},
		{{.no_guest_memfd_mmap = true}, KVM_X86_SW_PROTECTED_VM, 0, BACKING_PAIRED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		struct fake *fake = fake_new();
		struct host *host = fake_host(fake);
		enum backing backing = BACKING_PLAIN;
		struct err err = {0};
		int vm;

		*fake_traits(fake) = kernels[i].traits;
		vm = host_vm_create(host, kernels[i].vm_type);
		ck_assert_int_eq(backing_probe(host, vm, &backing, &err), kernels[i].result);
		if (!kernels[i].result)
			ck_assert_int_eq(backing, kernels[i].backing);
		else
			ck_assert_ptr_nonnull(strstr(err.text, "Linux 6.8"));
		host_close(host, vm);
		fake_free(fake);
	}
}
END_TEST

/* A failure that says nothing about the way is an error, not a kernel that cannot convert. */
START_TEST(test_probe_that_fails_is_no_kernel_that_cannot)
{
	static const int errnums[] = {ENOMEM, EMFILE, EIO};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(errnums); i++) {
		unsigned int nth = 0;
		bool has_failed;

		do {
			struct fake *fake = fake_new();
			struct faulty *faulty = faulty_new(fake_host(fake));
			struct host *host = faulty_host(faulty);
			enum backing backing = BACKING_PLAIN;
			struct err err = {0};
			int vm, ret;

			fake_traits(fake)->in_place = i % 2;
			vm = host_vm_create(host, KVM_X86_SW_PROTECTED_VM);
			faulty_arm(faulty,
				   (struct fault){.nth = ++nth, .errnum = errnums[i / 2]});
			ret = backing_probe(host, vm, &backing, &err);
			has_failed = faulty_count_fired(faulty);
			ck_assert_int_eq(ret, has_failed ? -errnums[i / 2] : 0);
			ck_assert_int_eq(backing, has_failed ? BACKING_PLAIN
						  : i % 2    ? BACKING_INPLACE
							     : BACKING_PAIRED);
			host_close(host, vm);
			faulty_free(faulty);
			fake_free(fake);
		} while (has_failed);
		ck_assert_uint_eq(nth, i % 2 ? 3 : 4);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_converted_pages_have_their_side_and_their_neighbours_keep_theirs,
		test_in_place_a_page_keeps_its_bytes_and_paired_it_starts_with_zeroes,
		test_paired_pages_hold_memory_on_one_side_only,
		test_what_changes_nothing_does_not_reach_the_kernel,
		test_senseless_requests_are_refused_without_a_call,
		test_range_over_a_hole_or_two_ram_ranges_is_refused,
		test_plain_memory_never_turns_private,
		test_page_in_use_is_waited_for_but_not_for_ever,
		test_transient_use_is_over_after_a_retry,
		test_kernel_short_of_memory_is_no_refusal,
		test_error_that_ended_the_tries_is_told,
		test_pages_that_change_side_are_counted,
		test_error_that_was_taken_back_is_told,
		test_way_back_is_tried_again_before_a_page_is_given_up,
		test_broken_range_is_refused_for_ever,
		test_probe_finds_the_way_of_this_kernel,
		test_probe_that_fails_is_no_kernel_that_cannot,
	};

	return unit_run(unit_suite("conversion", tests, ARRAY_SIZE(tests)));
}
