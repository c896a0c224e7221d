// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices that follow conversions, on the fake kernel. */
#include <errno.h>
#include <linux/iommufd.h>
#include <linux/kvm.h>
#include <string.h>

#include "memory/ram.h"
#include "tests/fake/convertible.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/host_iommu.h"

#define RAM_BYTES (16 * MIB)
#define PAGE	  GRANULE_BYTES

static const enum backing backings[] = {BACKING_INPLACE, BACKING_PAIRED};

static void start(struct convertible *c, enum backing backing, enum dma_mode mode, int *device)
{
	convertible_init(c, backing, RAM_BYTES, true);
	ck_assert_int_eq(convertible_attach(c, mode, false, device), 0);
}

static void stop(struct convertible *c, int device)
{
	convertible_detach(c, device);
	ck_assert_uint_eq(fake_count_pinned_bytes(c->fake), 0);
	convertible_fini(c);
}

static bool device_reaches(struct convertible *c, gpa_t gpa)
{
	return fake_device_write(c->fake, gpa, "dma", 4);
}

START_TEST(test_without_a_device_iommufd_is_not_asked)
{
	struct convertible c;
	struct conversion_stats stats;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
	convertible_convert(&c, 0, 8 * PAGE, SIDE_PRIVATE);
	convertible_convert(&c, 0, 8 * PAGE, SIDE_SHARED);
	stats = guest_get_stats(c.memory);
	ck_assert_uint_eq(stats.n_pages[SIDE_SHARED], 8);
	ck_assert_uint_eq(fake_count_iommu_calls(c.fake), 0);
	ck_assert_ptr_null(c.memory->dma->areas);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_device_reaches_what_the_guest_sees_and_what_is_shared_only)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		char bytes[4];
		int device;

		start(&c, backings[i], DMA_CUT, &device);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 1);
		for (int round = 0; round < 3; round++) {
			ck_assert(device_reaches(&c, 5 * PAGE));
			ck_assert(fake_guest_read(c.fake, 5 * PAGE, bytes, 4));
			ck_assert_str_eq(bytes, "dma");
			ck_assert_int_eq(convertible_convert(&c, 5 * PAGE, PAGE, SIDE_PRIVATE),
					 CONVERSION_DONE);
			ck_assert(!device_reaches(&c, 5 * PAGE));
			ck_assert(device_reaches(&c, 4 * PAGE));
			ck_assert(device_reaches(&c, 6 * PAGE));
			convertible_check_all(&c);
			ck_assert_int_eq(convertible_convert(&c, 5 * PAGE, PAGE, SIDE_SHARED),
					 CONVERSION_DONE);
			convertible_check_all(&c);
		}
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 3);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_cuts, 1);
		stop(&c, device);
	}
}
END_TEST

START_TEST(test_only_what_changes_sides_is_mapped_and_unmapped)
{
	struct convertible c;
	struct dma_stats stats;
	int device;

	start(&c, BACKING_INPLACE, DMA_CUT, &device);
	for (gpa_t page = 0; page < 16; page += 2)
		convertible_convert(&c, page * PAGE, PAGE, SIDE_PRIVATE);
	stats = guest_get_dma_stats(c.memory);
	ck_assert_uint_eq(stats.n_areas, 8);
	ck_assert_uint_eq(stats.n_unmaps, 8);
	convertible_convert(&c, 0, 16 * PAGE, SIDE_SHARED);
	stats = guest_get_dma_stats(c.memory);
	ck_assert_uint_eq(stats.n_maps, 1 + 8);
	ck_assert_uint_eq(stats.n_areas, 16);
	/* One call, however many areas it is. */
	convertible_convert(&c, 0, 16 * PAGE, SIDE_PRIVATE);
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_unmaps, 9);
	convertible_convert(&c, 0, 16 * PAGE, SIDE_SHARED);
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 2);
	convertible_check_all(&c);
	stop(&c, device);
}
END_TEST

START_TEST(test_first_try_converts_because_unmap_came_first)
{
	struct convertible c;
	uint64_t n_calls;
	int device;

	start(&c, BACKING_INPLACE, DMA_CUT, &device);
	n_calls = fake_count_conversion_calls(c.fake);
	convertible_convert(&c, 0, 64 * PAGE, SIDE_PRIVATE);
	ck_assert_uint_eq(fake_count_conversion_calls(c.fake), n_calls + 1);
	ck_assert_uint_eq(guest_get_stats(c.memory).n_retries, 0);
	stop(&c, device);
}
END_TEST

START_TEST(test_page_that_somebody_else_pins_stays_with_the_device)
{
	struct convertible c;
	int device;

	start(&c, BACKING_INPLACE, DMA_CUT, &device);
	fake_traits(c.fake)->ns_per_look = UINT64_C(3000) * 1000 * 1000;
	ck_assert_int_eq(fake_pin(c.fake, 3 * PAGE, 0), 0);
	ck_assert_int_eq(convertible_convert(&c, 0, 8 * PAGE, SIDE_PRIVATE), CONVERSION_AGAIN);
	for (gpa_t page = 0; page < 8; page++)
		ck_assert(device_reaches(&c, page * PAGE));
	convertible_check_all(&c);
	fake_unpin(c.fake, 3 * PAGE);
	ck_assert_int_eq(convertible_convert(&c, 0, 8 * PAGE, SIDE_PRIVATE), CONVERSION_DONE);
	stop(&c, device);
}
END_TEST

START_TEST(test_large_entries_go_as_a_whole_or_not_at_all)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		int device;

		convertible_init(&c, backings[i], RAM_BYTES, true);
		convertible_convert(&c, 0, 64 * PAGE, SIDE_PRIVATE);
		ck_assert_int_eq(convertible_attach(&c, DMA_HUGE, false, &device), 0);
		convertible_convert(&c, 0, 32 * PAGE, SIDE_SHARED);
		convertible_convert(&c, 32 * PAGE, 32 * PAGE, SIDE_SHARED);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 3);
		ck_assert_int_eq(convertible_convert(&c, 16 * PAGE, 48 * PAGE, SIDE_PRIVATE),
				 CONVERSION_REFUSED);
		ck_assert_int_eq(convertible_convert(&c, 0, 16 * PAGE, SIDE_PRIVATE),
				 CONVERSION_REFUSED);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_refusals, 2);
		convertible_check_all(&c);
		ck_assert_int_eq(convertible_convert(&c, 0, 64 * PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 1);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_cuts, 0);
		convertible_check_all(&c);
		stop(&c, device);
	}
}
END_TEST

START_TEST(test_devices_come_and_go_and_the_last_takes_all_with_it)
{
	for (enum dma_mode mode = DMA_CUT; mode <= DMA_HUGE; mode++) {
		struct convertible c;
		int first, second;

		start(&c, BACKING_INPLACE, mode, &first);
		ck_assert_int_eq(convertible_attach(&c, mode, true, &second), 0);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_devices, 2);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_maps, 1);
		convertible_detach(&c, first);
		ck_assert(device_reaches(&c, 0));
		convertible_check_all(&c);
		convertible_detach(&c, second);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).mapped_bytes, 0);
		ck_assert_uint_eq(fake_count_pinned_bytes(c.fake), 0);
		ck_assert_int_eq(convertible_convert(&c, 0, PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		convertible_check_all(&c);
		ck_assert_int_eq(convertible_attach(&c, mode, true, &first), 0);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).mapped_bytes, RAM_BYTES - PAGE);
		convertible_check_all(&c);
		stop(&c, first);
	}
}
END_TEST

START_TEST(test_parts_are_no_larger_than_what_running_vcpus_can_wait_for)
{
	struct convertible c;
	int device;

	convertible_init(&c, BACKING_INPLACE, 5 * GIB, false);
	ck_assert_int_eq(convertible_attach(&c, DMA_CUT, true, &device), 0);
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 10);
	convertible_check_all(&c);
	convertible_detach(&c, device);
	ck_assert_int_eq(convertible_attach(&c, DMA_CUT, false, &device), 0);
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 2);
	/* Areas that lie in two parts. */
	convertible_convert(&c, 500 * MIB, 600 * MIB, SIDE_PRIVATE);
	convertible_convert(&c, 500 * MIB, 600 * MIB, SIDE_SHARED);
	convertible_check_all(&c);
	stop(&c, device);
}
END_TEST

START_TEST(test_plain_memory_has_large_entries)
{
	struct fake *fake = fake_new();
	struct host *host = fake_host(fake);
	struct guest_memory *memory;
	struct layout layout;
	int vm = host_vm_create(host, KVM_X86_DEFAULT_VM), iommu, device;

	ck_assert_int_eq(layout_init(&layout, RAM_BYTES, 40, NULL), 0);
	ck_assert_int_eq(guest_memory_new(host, vm, &layout, BACKING_PLAIN, &memory, NULL), 0);
	iommu = guest_dma_open(memory, DMA_CUT, -1, NULL);
	ck_assert_int_ge(iommu, 0);
	device = fake_add_device(fake, iommu);
	ck_assert_int_eq(guest_dma_attach(memory, device, false, NULL), 0);
	ck_assert_int_eq(memory->dma->mode, DMA_HUGE);
	ck_assert_uint_eq(fake_count_pinned_bytes(fake), RAM_BYTES);
	ck_assert_int_eq(guest_dma_detach(memory, device), 0);
	host_close(host, device);
	guest_dma_close(memory);
	guest_memory_free(memory);
	host_close(host, vm);
	fake_free(fake);
}
END_TEST

START_TEST(test_iommufd_of_the_caller_stays_open)
{
	struct convertible c;
	int iommu, device;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
	iommu = host_iommu_open(c.host);
	ck_assert_int_eq(guest_dma_open(c.memory, DMA_CUT, iommu, NULL), iommu);
	device = fake_add_device(c.fake, iommu);
	ck_assert_int_eq(guest_dma_attach(c.memory, device, false, NULL), 0);
	ck_assert_int_eq(guest_dma_detach(c.memory, device), 0);
	host_close(c.host, device);
	guest_dma_close(c.memory);
	host_close(c.host, iommu);
	convertible_fini(&c);
}
END_TEST

/* What an operator reads. */
static void expect_error(struct convertible *c, int expected, const char *text)
{
	struct err err = {0};
	int iommu = guest_dma_open(c->memory, DMA_CUT, -1, &err), device;

	if (iommu < 0) {
		ck_assert_int_eq(iommu, expected);
	} else {
		device = fake_add_device(c->fake, iommu);
		ck_assert_int_eq(guest_dma_attach(c->memory, device, false, &err), expected);
		host_close(c->host, device);
		guest_dma_close(c->memory);
	}
	ck_assert_msg(strstr(err.text, text), "%s", err.text);
	ck_assert_uint_eq(fake_count_pinned_bytes(c->fake), 0);
	convertible_check_all(c);
}

START_TEST(test_what_the_platform_cannot_do_is_told_by_name)
{
	struct convertible c;

	convertible_init(&c, BACKING_INPLACE, 5 * GIB, false);
	fake_traits(c.fake)->no_iommu = true;
	expect_error(&c, -ENOENT, "CONFIG_IOMMUFD");
	fake_traits(c.fake)->no_iommu = false;
	fake_traits(c.fake)->iova_end = 5 * GIB;
	expect_error(&c, -EADDRINUSE, "less memory");
	fake_traits(c.fake)->iova_end = TIB;
	fake_traits(c.fake)->iova_reserved = (struct range){.start = GIB, .end = GIB + PAGE};
	expect_error(&c, -EADDRINUSE, "addresses");
	fake_traits(c.fake)->iova_reserved = (struct range){.start = 3 * GIB, .end = 4 * GIB};
	fake_traits(c.fake)->memlock_bytes = 4 * GIB;
	expect_error(&c, -ENOMEM, "RLIMIT_MEMLOCK");
	convertible_fini(&c);
}
END_TEST

/* The last block of the books is no whole one, and nothing of it was ever mapped. */
START_TEST(test_memory_of_any_size_can_be_refused_and_left)
{
	struct convertible c;
	int device;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES + PAGE, true);
	fake_traits(c.fake)->iova_end = MIB;
	expect_error(&c, -EADDRINUSE, "addresses");
	fake_traits(c.fake)->iova_end = TIB;
	convertible_convert(&c, RAM_BYTES, PAGE, SIDE_PRIVATE);
	ck_assert_int_eq(convertible_attach(&c, DMA_CUT, true, &device), 0);
	ck_assert(!device_reaches(&c, RAM_BYTES));
	convertible_check_all(&c);
	stop(&c, device);
}
END_TEST

START_TEST(test_memory_that_cannot_be_locked_stays_private)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		int device;

		start(&c, backings[i], DMA_CUT, &device);
		convertible_convert(&c, 0, 64 * PAGE, SIDE_PRIVATE);
		fake_traits(c.fake)->memlock_bytes = RAM_BYTES - 16 * PAGE;
		ck_assert_int_eq(convertible_convert(&c, 0, 64 * PAGE, SIDE_SHARED),
				 CONVERSION_REFUSED);
		ck_assert(fake_is_private(c.fake, 0));
		convertible_check_all(&c);
		ck_assert_int_eq(convertible_convert(&c, 0, 48 * PAGE, SIDE_SHARED),
				 CONVERSION_DONE);
		convertible_check_all(&c);
		stop(&c, device);
	}
}
END_TEST

START_TEST(test_count_that_does_not_agree_breaks_the_pages)
{
	for (enum dma_mode mode = DMA_CUT; mode <= DMA_HUGE; mode++) {
		struct convertible c;
		struct dma_stats stats;
		int device;

		convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
		convertible_convert(&c, 0, 4 * PAGE, SIDE_PRIVATE);
		ck_assert_int_eq(convertible_attach(&c, mode, false, &device), 0);
		convertible_convert(&c, 0, 4 * PAGE, SIDE_SHARED);
		fake_traits(c.fake)->unmapped_too_much = PAGE;
		ck_assert_int_eq(convertible_convert(&c, 0, 4 * PAGE, SIDE_PRIVATE),
				 CONVERSION_BROKEN);
		ck_assert_int_eq(guest_get_side(c.memory, 0), SIDE_BROKEN);
		ck_assert(!device_reaches(&c, 0));
		stats = guest_get_dma_stats(c.memory);
		ck_assert_uint_eq(stats.n_mismatches, 1);
		/* Natively, that nothing is there cannot be told from that something is. */
		ck_assert_uint_eq(stats.broken_bytes, mode == DMA_CUT ? 0 : 4 * PAGE);
		convertible_check_all(&c);
		convertible_detach(&c, device);
		ck_assert_uint_eq(guest_get_dma_stats(c.memory).broken_bytes, 0);
		ck_assert_int_eq(convertible_attach(&c, mode, true, &device), 0);
		ck_assert(!device_reaches(&c, 0));
		stop(&c, device);
	}
}
END_TEST

/* Somebody else unmaps, or maps, behind our back. */
START_TEST(test_areas_that_are_not_ours_break_the_pages)
{
	struct convertible c;
	uint64_t bytes;
	int device;

	start(&c, BACKING_INPLACE, DMA_CUT, &device);
	ck_assert_int_eq(host_iommu_compat_unmap(c.host, c.memory->dma->iommu,
						 (struct range){.start = PAGE, .end = 2 * PAGE},
						 &bytes),
			 0);
	ck_assert_int_eq(convertible_convert(&c, 0, 4 * PAGE, SIDE_PRIVATE), CONVERSION_BROKEN);
	ck_assert_int_eq(convertible_convert(&c, 8 * PAGE, 4 * PAGE, SIDE_PRIVATE),
			 CONVERSION_DONE);
	faulty_arm(c.faulty, (struct fault){.nth = 2, .errnum = EEXIST});
	ck_assert_int_eq(convertible_convert(&c, 8 * PAGE, 4 * PAGE, SIDE_SHARED),
			 CONVERSION_BROKEN);
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_mismatches, 2);
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).broken_bytes, 0);
	convertible_check_all(&c);
	stop(&c, device);
}
END_TEST

START_TEST(test_broken_page_that_cannot_be_taken_is_counted_until_the_device_goes)
{
	struct convertible c;
	int device;

	start(&c, BACKING_INPLACE, DMA_CUT, &device);
	convertible_convert(&c, 0, PAGE, SIDE_PRIVATE);
	convertible_convert(&c, 2 * PAGE, PAGE, SIDE_PRIVATE);
	/* The first piece is mapped; then nothing works any more. */
	faulty_arm(c.faulty, (struct fault){.nth = 3, .errnum = EBUSY, .for_ever = true});
	ck_assert_int_eq(convertible_convert(&c, 0, 3 * PAGE, SIDE_SHARED), CONVERSION_BROKEN);
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).broken_bytes, PAGE);
	convertible_check_all(&c);
	convertible_detach(&c, device);
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).broken_bytes, 0);
	ck_assert_uint_eq(fake_count_pinned_bytes(c.fake), 0);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_kernel_short_of_memory_is_asked_again)
{
	struct convertible c;
	int device;

	start(&c, BACKING_INPLACE, DMA_CUT, &device);
	for (unsigned int nth = 1; nth <= 2; nth++) {
		faulty_arm(c.faulty, (struct fault){.nth = nth, .errnum = ENOMEM});
		ck_assert_int_eq(convertible_convert(&c, 0, PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		faulty_arm(c.faulty, (struct fault){.nth = nth, .errnum = ENOMEM});
		ck_assert_int_eq(convertible_convert(&c, 0, PAGE, SIDE_SHARED),
				 CONVERSION_DONE);
		ck_assert_uint_eq(faulty_count_fired(c.faulty), 1);
	}
	ck_assert_uint_eq(guest_get_stats(c.memory).n_retries, 4);
	convertible_check_all(&c);
	stop(&c, device);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_without_a_device_iommufd_is_not_asked,
		test_device_reaches_what_the_guest_sees_and_what_is_shared_only,
		test_only_what_changes_sides_is_mapped_and_unmapped,
		test_first_try_converts_because_unmap_came_first,
		test_page_that_somebody_else_pins_stays_with_the_device,
		test_large_entries_go_as_a_whole_or_not_at_all,
		test_devices_come_and_go_and_the_last_takes_all_with_it,
		test_parts_are_no_larger_than_what_running_vcpus_can_wait_for,
		test_plain_memory_has_large_entries,
		test_iommufd_of_the_caller_stays_open,
		test_what_the_platform_cannot_do_is_told_by_name,
		test_memory_of_any_size_can_be_refused_and_left,
		test_memory_that_cannot_be_locked_stays_private,
		test_count_that_does_not_agree_breaks_the_pages,
		test_areas_that_are_not_ours_break_the_pages,
		test_broken_page_that_cannot_be_taken_is_counted_until_the_device_goes,
		test_kernel_short_of_memory_is_asked_again,
	};

	return unit_run(unit_suite("dma", tests, ARRAY_SIZE(tests)));
}
