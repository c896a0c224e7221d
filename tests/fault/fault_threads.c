// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Threads that convert, in ranges of their own and in each other's, threads that borrow, and a
 * device that comes and goes.
 * Who holds a borrow finds its pages shared and writable until it returns them: with guarded
 * pages anything else is death. Meant for the thread sanitizer, too.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "memory/ram.h"
#include "tests/fake/convertible.h"
#include "tests/fault/random.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

#define PAGE GRANULE_BYTES

enum {
	CONVERTERS = 4,
	BORROWERS = 2,
	OWN_PAGES = 768, /* of each converter */
	COMMON_PAGES = 256,
	COMMON_PAGE = CONVERTERS * OWN_PAGES,
};

_Static_assert((COMMON_PAGE + COMMON_PAGES) * PAGE <= LAYOUT_RAM_BYTES_MIN, "fits RAM");

struct crowd {
	struct convertible c;
	uint64_t n_conversions; /* of each converter */
	bool has_failures;
	bool has_device;
	enum dma_mode mode;
	atomic_bool is_over;
	atomic_uint_fast64_t n_ends[CONVERSION_END_COUNT];
	atomic_uint_fast64_t n_borrowed;
	atomic_uint_fast64_t n_not_borrowed;
	atomic_uint_fast64_t n_attached;
};

struct worker {
	struct crowd *crowd;
	pthread_t thread;
	size_t index;
	uint64_t random;
};

/* Nobody else converts here: what was told must be so. */
static void check_own(struct convertible *c, size_t first, size_t n, enum side side)
{
	for (size_t page = first; page < first + n; page++) {
		ASSERT(guest_get_side(c->memory, page * PAGE) == side);
		ASSERT(fake_is_private(c->fake, page * PAGE) == (side == SIDE_PRIVATE));
	}
}

static void *convert(void *argument)
{
	struct worker *worker = argument;
	struct crowd *crowd = worker->crowd;

	for (uint64_t i = 0; i < crowd->n_conversions; i++) {
		bool is_own = random_below(&worker->random, 2);
		size_t n = 1 + random_below(&worker->random, 32);
		size_t first =
			is_own ? worker->index * OWN_PAGES +
					 random_below(&worker->random, OWN_PAGES - n)
			       : COMMON_PAGE + random_below(&worker->random, COMMON_PAGES - n);
		enum side to = random_below(&worker->random, 2) ? SIDE_PRIVATE : SIDE_SHARED;
		enum conversion_end end =
			convertible_convert(&crowd->c, first * PAGE, n * PAGE, to);

		atomic_fetch_add(&crowd->n_ends[end], 1);
		if (is_own && end == CONVERSION_DONE)
			check_own(&crowd->c, first, n, to);
		/* Large entries: parts of an area stay. */
		ASSERT(crowd->has_failures || end == CONVERSION_DONE ||
		       end == CONVERSION_AGAIN || crowd->mode == DMA_HUGE);
	}
	return NULL;
}

static void *borrow(void *argument)
{
	struct worker *worker = argument;
	struct crowd *crowd = worker->crowd;
	struct convertible *c = &crowd->c;

	while (!atomic_load(&crowd->is_over)) {
		size_t n = 1 + random_below(&worker->random, 4);
		size_t first = random_below(&worker->random, COMMON_PAGE + COMMON_PAGES - n);
		struct borrow loan = {0};
		struct iovec iov;
		int ret = guest_borrow(c->memory, first * PAGE, n * PAGE, &loan, &iov);

		ASSERT(ret == 0 || ret == -EBUSY || ret == -EFAULT);
		atomic_fetch_add(ret ? &crowd->n_not_borrowed : &crowd->n_borrowed, 1);
		for (size_t page = 0; page < n && !ret; page++) {
			uint64_t *word = (uint64_t *)((char *)iov.iov_base + page * PAGE) +
					 worker->index;

			__atomic_store_n(word, worker->random, __ATOMIC_RELAXED);
			ASSERT(!fake_is_private(c->fake, (first + page) * PAGE));
			ASSERT(__atomic_load_n(word, __ATOMIC_RELAXED) == worker->random);
		}
		if (!ret)
			guest_return(c->memory, &loan);
	}
	return NULL;
}

/*
 * A device comes, stays a little and goes. Whatever it reaches while it stays, the fake judges:
 * nothing private.
 */
static void *plug(void *argument)
{
	struct worker *worker = argument;
	struct crowd *crowd = worker->crowd;

	while (!atomic_load(&crowd->is_over)) {
		int device;

		if (convertible_attach(&crowd->c, crowd->mode, true, &device)) {
			ASSERT(crowd->has_failures);
			continue;
		}
		atomic_fetch_add(&crowd->n_attached, 1);
		usleep((useconds_t)random_below(&worker->random, 3000));
		convertible_detach(&crowd->c, device);
	}
	return NULL;
}

/* Now and then some call fails. */
static void *make_fail(void *argument)
{
	struct worker *worker = argument;
	struct crowd *crowd = worker->crowd;

	while (!atomic_load(&crowd->is_over)) {
		faulty_arm(crowd->c.faulty,
			   (struct fault){
				   .nth = 1 + (unsigned int)random_below(&worker->random, 50),
				   .which = (unsigned int)random_below(&worker->random, 4)});
		usleep(1000);
	}
	faulty_arm(crowd->c.faulty, (struct fault){0});
	return NULL;
}

static void crowd_run(struct crowd *crowd)
{
	struct worker workers[CONVERTERS + BORROWERS + 2];
	size_t n = CONVERTERS + BORROWERS;

	n += crowd->has_failures;
	n += crowd->has_device;
	for (size_t i = 0; i < n; i++) {
		void *(*run)(void *) = i < CONVERTERS			 ? convert
				       : i < CONVERTERS + BORROWERS	 ? borrow
				       : i == n - 1 && crowd->has_device ? plug
									 : make_fail;

		workers[i] = (struct worker){
			.crowd = crowd,
			.index = i,
			.random = random_setting("FAULT_SEED", 1) * 1000 + i,
		};
		ASSERT(pthread_create(&workers[i].thread, NULL, run, &workers[i]) == 0);
	}
	for (size_t i = 0; i < n; i++) {
		if (i == CONVERTERS)
			atomic_store(&crowd->is_over, true);
		pthread_join(workers[i].thread, NULL);
	}
}

static void crowd_test(enum backing backing, bool has_failures, bool has_device,
		       enum dma_mode mode)
{
	struct crowd crowd = {
		.n_conversions = random_setting("FAULT_OPS", 40000) / CONVERTERS,
		.has_failures = has_failures,
		.has_device = has_device,
		.mode = mode,
	};

	convertible_init(&crowd.c, backing, LAYOUT_RAM_BYTES_MIN, true);
	/* Parts with edges inside of what is converted. */
	crowd.c.memory->dma->part_bytes = 100 * PAGE;
	crowd_run(&crowd);
	convertible_check_all(&crowd.c);
	dprintf(STDOUT_FILENO,
		"# %s%s: %ju done, %ju refused, %ju again, %ju broken; %ju borrows, %ju not "
		"given; %ju times a device\n",
		backing == BACKING_INPLACE ? "in place" : "paired",
		has_failures ? " with failures" : "", (uintmax_t)crowd.n_ends[CONVERSION_DONE],
		(uintmax_t)crowd.n_ends[CONVERSION_REFUSED],
		(uintmax_t)crowd.n_ends[CONVERSION_AGAIN],
		(uintmax_t)crowd.n_ends[CONVERSION_BROKEN], (uintmax_t)crowd.n_borrowed,
		(uintmax_t)crowd.n_not_borrowed, (uintmax_t)crowd.n_attached);
	ck_assert_uint_eq(fake_count_pinned_bytes(crowd.c.fake), 0);
	ck_assert(!has_device || crowd.n_attached > 0);
	ck_assert_uint_gt(crowd.n_ends[CONVERSION_DONE], crowd.n_conversions);
	ck_assert_uint_gt(crowd.n_borrowed, 0);
	convertible_fini(&crowd.c);
}

START_TEST(test_four_threads_convert_in_place_while_others_borrow)
{
	crowd_test(BACKING_INPLACE, false, false, DMA_CUT);
}
END_TEST

START_TEST(test_four_threads_convert_two_backings_while_others_borrow)
{
	crowd_test(BACKING_PAIRED, false, false, DMA_CUT);
}
END_TEST

START_TEST(test_device_comes_and_goes_while_threads_convert)
{
	crowd_test(BACKING_INPLACE, false, true, DMA_CUT);
	crowd_test(BACKING_PAIRED, false, true, DMA_CUT);
	crowd_test(BACKING_INPLACE, false, true, DMA_HUGE);
}
END_TEST

START_TEST(test_device_comes_and_goes_while_threads_convert_and_calls_fail)
{
	crowd_test(BACKING_INPLACE, true, true, DMA_CUT);
	crowd_test(BACKING_PAIRED, true, true, DMA_CUT);
}
END_TEST

START_TEST(test_threads_and_failures_leave_no_page_half_done)
{
	crowd_test(BACKING_INPLACE, true, false, DMA_CUT);
	crowd_test(BACKING_PAIRED, true, false, DMA_CUT);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_four_threads_convert_in_place_while_others_borrow,
		test_four_threads_convert_two_backings_while_others_borrow,
		test_threads_and_failures_leave_no_page_half_done,
		test_device_comes_and_goes_while_threads_convert,
		test_device_comes_and_goes_while_threads_convert_and_calls_fail,
	};

	return unit_run(unit_suite_slow("fault threads", tests, ARRAY_SIZE(tests), 60));
}
