// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Every conversion of a list, with each of its calls failing in every way the call can fail,
 * once and from then on. Whatever happens: told DONE, the whole range has its new side; told
 * REFUSED or AGAIN, sides and contents are as they were, and asking again works; told BROKEN,
 * a step back had failed, too, and what was to change is refused for ever.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <unistd.h>

#include "memory/ram.h"
#include "tests/fake/convertible.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

#define RAM_BYTES (16 * MIB)
#define PAGE	  GRANULE_BYTES

enum { PAGES = 12 };

/* Pages on both sides of a boundary of blocks. */
#define FIRST_GPA (2 * MIB - PAGES / 2 * PAGE)

struct scenario {
	const char *before; /* the side of each page */
	unsigned int first; /* pages converted */
	unsigned int end;
	enum side to;
	unsigned int n_transient; /* conversions that meet a reference to page @first */
	unsigned int borrowed;	  /* this page is in use, if not 0 */
};

static const struct scenario scenarios[] = {
	{.before = "SSSSSSSSSSSS", .first = 2, .end = 3, .to = SIDE_PRIVATE},
	{.before = "SSSSSSSSSSSS", .first = 2, .end = 10, .to = SIDE_PRIVATE},
	{.before = "SSSSSSSSSSSS", .first = 0, .end = 12, .to = SIDE_PRIVATE, .n_transient = 2},
	{.before = "SSSPPSSPSPSS", .first = 2, .end = 10, .to = SIDE_PRIVATE},
	{.before = "PPSSPSPSPSPP", .first = 1, .end = 11, .to = SIDE_PRIVATE, .borrowed = 3},
	{.before = "PPSSPSPSPSPP", .first = 4, .end = 11, .to = SIDE_PRIVATE, .borrowed = 3},
	{.before = "PPPPPPPPPPPP", .first = 5, .end = 6, .to = SIDE_SHARED},
	{.before = "PPPPPPPPPPPP", .first = 1, .end = 11, .to = SIDE_SHARED},
	{.before = "SSPPSPSPPSSS", .first = 0, .end = 12, .to = SIDE_SHARED},
	{.before = "PSPSPSPSPSPS", .first = 1, .end = 12, .to = SIDE_SHARED, .borrowed = 3},
	{.before = "SSPPSPSPPSSS", .first = 9, .end = 12, .to = SIDE_SHARED},
};

static gpa_t page_gpa(unsigned int page)
{
	return FIRST_GPA + page * PAGE;
}

static enum side side_before(const struct scenario *scenario, unsigned int page)
{
	return scenario->before[page] == 'P' ? SIDE_PRIVATE : SIDE_SHARED;
}

static enum conversion_end scenario_convert(const struct scenario *scenario,
					    struct convertible *c)
{
	return convertible_convert(c, page_gpa(scenario->first),
				   (scenario->end - scenario->first) * PAGE, scenario->to);
}

static void scenario_prepare(const struct scenario *scenario, struct convertible *c)
{
	for (unsigned int page = 0; page < PAGES; page++) {
		uint64_t value = 100 + page;

		if (side_before(scenario, page) == SIDE_PRIVATE)
			ck_assert_int_eq(
				convertible_convert(c, page_gpa(page), PAGE, SIDE_PRIVATE),
				CONVERSION_DONE);
		ck_assert(fake_guest_write(c->fake, page_gpa(page), &value, sizeof(value)));
	}
	if (scenario->n_transient && c->backing == BACKING_INPLACE)
		ck_assert_int_eq(
			fake_pin(c->fake, page_gpa(scenario->first), scenario->n_transient), 0);
}

/* Pages [first, end) are converted; all others are as they were. */
static void scenario_check_pages(const struct scenario *scenario, struct convertible *c,
				 unsigned int first, unsigned int end)
{
	for (unsigned int page = 0; page < PAGES; page++) {
		bool is_converted = page >= first && page < end;
		enum side before = side_before(scenario, page);
		enum side after = is_converted ? scenario->to : before;
		uint64_t value = 0, expected = 100 + page;

		if (after != before && c->backing == BACKING_PAIRED)
			expected = 0;
		ck_assert_int_eq(guest_get_side(c->memory, page_gpa(page)), after);
		ck_assert(fake_guest_read(c->fake, page_gpa(page), &value, sizeof(value)));
		ck_assert_uint_eq(value, expected);
	}
	convertible_check(c, c->layout.ram[0]);
}

static void scenario_check_broken(const struct scenario *scenario, struct convertible *c)
{
	ck_assert_uint_ge(faulty_count_fired(c->faulty), 2);
	faulty_arm(c->faulty, (struct fault){0});
	for (unsigned int page = scenario->first; page < scenario->end; page++) {
		char byte;

		/* No step touched what was on that side before. */
		if (side_before(scenario, page) == scenario->to) {
			ck_assert_int_eq(guest_get_side(c->memory, page_gpa(page)),
					 scenario->to);
			continue;
		}
		ck_assert_int_eq(guest_get_side(c->memory, page_gpa(page)), SIDE_BROKEN);
		ck_assert_int_eq(guest_read(c->memory, page_gpa(page), &byte, 1), -EFAULT);
		for (enum side to = SIDE_SHARED; to <= SIDE_PRIVATE; to++)
			ck_assert_int_eq(convertible_convert(c, page_gpa(page), PAGE, to),
					 CONVERSION_REFUSED);
	}
	convertible_check_all(c);
}

/* What happened so far. */
struct tally {
	unsigned int n_points;
	unsigned int n_failures;
	unsigned int n_ends[CONVERSION_END_COUNT];
};

/* What is attached while the conversion runs. */
enum devices { NO_DEVICE, DEVICE_CUT, DEVICE_HUGE };

static const char *const device_names[] = {
	[NO_DEVICE] = "", [DEVICE_CUT] = ", a device", [DEVICE_HUGE] = ", large entries"};

static int sweep_attach(struct convertible *c, enum devices devices)
{
	int device = -1;

	if (devices != NO_DEVICE)
		ck_assert_int_eq(convertible_attach(c,
						    devices == DEVICE_CUT ? DMA_CUT : DMA_HUGE,
						    false, &device),
				 0);
	return device;
}

/* Whatever happened, the last device takes all with it, and the next one finds all. */
static void sweep_detach(struct convertible *c, int device)
{
	if (device < 0)
		return;
	convertible_detach(c, device);
	ck_assert_uint_eq(fake_count_pinned_bytes(c->fake), 0);
	ck_assert_int_eq(convertible_attach(c, DMA_CUT, true, &device), 0);
	convertible_check_all(c);
	convertible_detach(c, device);
}

/* One run with one failure. Returns false when the conversion has no such call. */
static bool scenario_run(const struct scenario *scenario, enum backing backing,
			 enum devices devices, struct fault fault, unsigned int *ret_n_errnos,
			 struct tally *tally)
{
	struct convertible c;
	struct borrow borrow = {0};
	struct iovec iov;
	enum conversion_end end;
	bool has_fired;
	int device;

	convertible_init(&c, backing, RAM_BYTES, true);
	scenario_prepare(scenario, &c);
	device = sweep_attach(&c, devices);
	if (scenario->borrowed) {
		ck_assert_int_eq(guest_borrow(c.memory, page_gpa(scenario->borrowed), PAGE,
					      &borrow, &iov),
				 0);
		fake_traits(c.fake)->ns_per_look = UINT64_C(3000) * 1000 * 1000;
	}
	faulty_arm(c.faulty, fault);
	end = scenario_convert(scenario, &c);
	has_fired = faulty_get_verb(c.faulty, ret_n_errnos) != NULL;
	tally->n_failures += has_fired;
	tally->n_ends[end]++;
	if (end == CONVERSION_BROKEN) {
		scenario_check_broken(scenario, &c);
	} else if (end == CONVERSION_DONE) {
		scenario_check_pages(scenario, &c, scenario->first, scenario->end);
	} else {
		scenario_check_pages(scenario, &c, 0, 0);
	}
	if (scenario->borrowed)
		guest_return(c.memory, &borrow);
	faulty_arm(c.faulty, (struct fault){0});
	fake_unpin(c.fake, page_gpa(scenario->first));
	if (end != CONVERSION_BROKEN) {
		ck_assert_int_eq(scenario_convert(scenario, &c), CONVERSION_DONE);
		scenario_check_pages(scenario, &c, scenario->first, scenario->end);
	}
	sweep_detach(&c, device);
	convertible_fini(&c);
	return has_fired;
}

static void sweep(enum backing backing, enum devices devices, struct tally *tally)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(scenarios); i++) {
		struct fault fault = {.nth = 0, .for_ever = i % 2};
		unsigned int n_errnos;
		bool has_fired;

		/* Large entries: parts of an area are not converted. */
		if (devices == DEVICE_HUGE && scenarios[i / 2].to == SIDE_PRIVATE)
			continue;
		do {
			fault.nth++;
			fault.which = 0;
			do {
				has_fired = scenario_run(&scenarios[i / 2], backing, devices,
							 fault, &n_errnos, tally);
			} while (has_fired && ++fault.which < n_errnos);
			tally->n_points += has_fired;
		} while (has_fired);
	}
	dprintf(STDOUT_FILENO,
		"# %s%s: %zu conversions, %u calls failed in %u ways: %u done, %u refused, "
		"%u again, %u broken\n",
		backing == BACKING_INPLACE ? "in place" : "paired", device_names[devices],
		ARRAY_SIZE(scenarios), tally->n_points, tally->n_failures,
		tally->n_ends[CONVERSION_DONE], tally->n_ends[CONVERSION_REFUSED],
		tally->n_ends[CONVERSION_AGAIN], tally->n_ends[CONVERSION_BROKEN]);
}

START_TEST(test_no_failure_in_place_leaves_a_conversion_half_done)
{
	struct tally tally = {0};

	sweep(BACKING_INPLACE, NO_DEVICE, &tally);
	ck_assert_uint_ge(tally.n_failures, 2 * 4 * ARRAY_SIZE(scenarios) / 2);
	ck_assert_uint_gt(tally.n_ends[CONVERSION_REFUSED], 0);
	ck_assert_uint_gt(tally.n_ends[CONVERSION_AGAIN], 0);
	/* One call does it, and nothing has to be taken back. */
	ck_assert_uint_eq(tally.n_ends[CONVERSION_BROKEN], 0);
}
END_TEST

START_TEST(test_no_failure_of_two_backings_leaves_a_conversion_half_done)
{
	struct tally tally = {0};

	sweep(BACKING_PAIRED, NO_DEVICE, &tally);
	ck_assert_uint_ge(tally.n_failures, 2 * 5 * ARRAY_SIZE(scenarios) / 2);
	ck_assert_uint_gt(tally.n_ends[CONVERSION_REFUSED], 0);
	ck_assert_uint_gt(tally.n_ends[CONVERSION_BROKEN], 0);
}
END_TEST

START_TEST(test_no_failure_with_a_device_leaves_a_conversion_half_done)
{
	for (enum backing backing = BACKING_INPLACE; backing <= BACKING_PAIRED; backing++) {
		for (enum devices devices = DEVICE_CUT; devices <= DEVICE_HUGE; devices++) {
			struct tally tally = {0};

			sweep(backing, devices, &tally);
			ck_assert_uint_gt(tally.n_failures, 6 * ARRAY_SIZE(scenarios));
			ck_assert_uint_gt(tally.n_ends[CONVERSION_REFUSED], 0);
			ck_assert_uint_gt(tally.n_ends[CONVERSION_BROKEN], 0);
		}
	}
}
END_TEST

/* Some pages private, some areas of a page. */
static void prepare_mixed(struct convertible *c)
{
	for (gpa_t page = 0; page < 16; page += 3)
		ck_assert_int_eq(convertible_convert(c, page * PAGE, PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
}

START_TEST(test_no_failure_leaves_a_device_half_attached)
{
	for (unsigned int way = 0; way < 8; way++) {
		enum dma_mode mode = way & 1 ? DMA_HUGE : DMA_CUT;
		struct fault fault = {.nth = 1, .for_ever = way & 2};
		unsigned int n_errnos, n_failures = 0;
		bool has_fired;

		do {
			struct convertible c;
			int device, ret;

			convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
			c.memory->dma->part_bytes = 5 * MIB;
			prepare_mixed(&c);
			faulty_arm(c.faulty, fault);
			ret = convertible_attach(&c, mode, way & 4, &device);
			has_fired = faulty_get_verb(c.faulty, &n_errnos) != NULL;
			/* Too little room for the ranges is no failure: there is more. */
			ck_assert(has_fired || !ret);
			faulty_arm(c.faulty, (struct fault){0});
			convertible_check_all(&c);
			if (ret) {
				ck_assert_uint_eq(fake_count_pinned_bytes(c.fake), 0);
				ck_assert_int_eq(convertible_attach(&c, mode, true, &device),
						 0);
			}
			convertible_check_all(&c);
			convertible_detach(&c, device);
			convertible_fini(&c);
			n_failures += has_fired;
			if (++fault.which >= n_errnos)
				fault = (struct fault){.nth = fault.nth + 1,
						       .for_ever = fault.for_ever};
		} while (has_fired);
		ck_assert_uint_ge(n_failures, 20);
	}
}
END_TEST

START_TEST(test_no_failure_leaves_memory_mapped_for_a_device_that_is_gone)
{
	for (unsigned int way = 0; way < 4; way++) {
		enum dma_mode mode = way & 1 ? DMA_HUGE : DMA_CUT;
		struct fault fault = {.nth = 1, .for_ever = way & 2};
		unsigned int n_errnos;
		bool has_fired;

		do {
			struct convertible c;
			int device;

			convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
			prepare_mixed(&c);
			ck_assert_int_eq(convertible_attach(&c, mode, false, &device), 0);
			faulty_arm(c.faulty, fault);
			convertible_detach(&c, device);
			has_fired = faulty_get_verb(c.faulty, &n_errnos) != NULL;
			faulty_arm(c.faulty, (struct fault){0});
			ck_assert_uint_eq(fake_count_pinned_bytes(c.fake), 0);
			convertible_check_all(&c);
			convertible_fini(&c);
			if (++fault.which >= n_errnos)
				fault = (struct fault){.nth = fault.nth + 1,
						       .for_ever = fault.for_ever};
		} while (has_fired);
		ck_assert_uint_ge(fault.nth, 2);
	}
}
END_TEST

/* The fake aborts on whatever is left behind. */
START_TEST(test_no_failure_at_the_start_leaves_anything_behind)
{
	for (enum backing backing = BACKING_PLAIN; backing <= BACKING_PAIRED; backing++) {
		struct fault fault = {.nth = 1};
		unsigned int n_failures = 0, n_errnos;
		bool has_fired;

		do {
			struct fake *fake = fake_new();
			struct faulty *faulty = faulty_new(fake_host(fake));
			struct guest_memory *memory = NULL;
			struct layout layout;
			struct err err = {0};
			int vm, ret;

			fake_traits(fake)->in_place = backing == BACKING_INPLACE;
			vm = host_vm_create(faulty_host(faulty), KVM_X86_SW_PROTECTED_VM);
			ck_assert_int_eq(layout_init(&layout, 4 * GIB, 40, NULL), 0);
			fake_traits(fake)->in_place = backing != BACKING_PAIRED;
			faulty_arm(faulty, fault);
			ret = guest_memory_new(faulty_host(faulty), vm, &layout, backing,
					       &memory, &err);
			has_fired = faulty_get_verb(faulty, &n_errnos) != NULL;
			ck_assert_int_eq(ret != 0, has_fired);
			ck_assert_int_eq(has_fired, err.text[0] != '\0');
			guest_memory_free(memory);
			host_close(faulty_host(faulty), vm);
			faulty_free(faulty);
			fake_free(fake);
			n_failures += has_fired;
			if (++fault.which >= n_errnos)
				fault = (struct fault){.nth = fault.nth + 1};
		} while (has_fired);
		ck_assert_uint_ge(n_failures, 2 * 9);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_no_failure_in_place_leaves_a_conversion_half_done,
		test_no_failure_of_two_backings_leaves_a_conversion_half_done,
		test_no_failure_with_a_device_leaves_a_conversion_half_done,
		test_no_failure_leaves_a_device_half_attached,
		test_no_failure_leaves_memory_mapped_for_a_device_that_is_gone,
		test_no_failure_at_the_start_leaves_anything_behind,
	};

	return unit_run(unit_suite("fault sweep", tests, ARRAY_SIZE(tests)));
}
