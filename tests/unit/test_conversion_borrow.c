// SPDX-License-Identifier: GPL-2.0-or-later
/* Conversions and those who use pages at the same time, on the fake kernel. */
#include <errno.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "tests/fake/convertible.h"
#include "tests/unit/unit.h"

#define RAM_BYTES (16 * MIB)
#define PAGE	  GRANULE_BYTES

static const enum backing backings[] = {BACKING_INPLACE, BACKING_PAIRED};

/* The last conversion, as the trace has it. */
static void keep_record(void *trace, const struct conversion_record *record)
{
	*(struct conversion_record *)trace = *record;
}

struct returner {
	struct convertible *c;
	struct borrow borrow;
	bool is_returned;
};

static void *return_later(void *argument)
{
	struct returner *returner = argument;

	nanosleep(&(struct timespec){.tv_nsec = 50 * 1000 * 1000}, NULL);
	/* The conversion has not got anywhere: the page is still the borrower's. */
	ck_assert(!fake_is_private(returner->c->fake, 4 * PAGE));
	__atomic_store_n(&returner->is_returned, true, __ATOMIC_SEQ_CST);
	guest_return(returner->c->memory, &returner->borrow);
	return NULL;
}

START_TEST(test_conversion_to_private_waits_for_a_borrow)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		struct returner returner = {.c = &c};
		struct iovec iov;
		pthread_t thread;

		convertible_init(&c, backings[i], RAM_BYTES, true);
		ck_assert_int_eq(
			guest_borrow(c.memory, 4 * PAGE + 8, 8, &returner.borrow, &iov), 0);
		ck_assert_int_eq(pthread_create(&thread, NULL, return_later, &returner), 0);
		ck_assert_int_eq(convertible_convert(&c, 0, 8 * PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		ck_assert(__atomic_load_n(&returner.is_returned, __ATOMIC_SEQ_CST));
		pthread_join(thread, NULL);
		ck_assert_int_eq(
			guest_borrow(c.memory, 4 * PAGE + 8, 8, &returner.borrow, &iov),
			-EFAULT);
		convertible_fini(&c);
	}
}
END_TEST

START_TEST(test_borrow_that_is_not_returned_ends_a_conversion_at_the_bound)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		struct conversion_record record;
		struct borrow borrow = {0};
		struct iovec iov;

		convertible_init(&c, backings[i], RAM_BYTES, true);
		guest_set_trace(c.memory, keep_record, &record);
		ck_assert_int_eq(guest_borrow(c.memory, 0, PAGE, &borrow, &iov), 0);
		fake_traits(c.fake)->ns_per_look = UINT64_C(1000) * 1000 * 1000;
		ck_assert_int_eq(convertible_convert(&c, 0, 8 * PAGE, SIDE_PRIVATE),
				 CONVERSION_AGAIN);
		ck_assert_uint_ge(record.claim_ns, UINT64_C(2000) * 1000 * 1000);
		ck_assert_uint_le(record.claim_ns, UINT64_C(4000) * 1000 * 1000);
		ck_assert_int_eq(record.error, -EBUSY);
		ck_assert_uint_eq(fake_count_conversion_calls(c.fake), 0);
		/* Other pages, and its own to shared, are of no concern to it. */
		ck_assert_int_eq(convertible_convert(&c, PAGE, 7 * PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		ck_assert_int_eq(convertible_convert(&c, 0, 8 * PAGE, SIDE_SHARED),
				 CONVERSION_DONE);
		guest_return(c.memory, &borrow);
		ck_assert_int_eq(convertible_convert(&c, 0, 8 * PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		convertible_fini(&c);
	}
}
END_TEST

START_TEST(test_borrow_that_is_not_returned_ends_a_conversion_in_real_time)
{
	struct convertible c;
	struct borrow borrow = {0};
	struct iovec iov;
	struct timespec start, end;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
	ck_assert_int_eq(guest_borrow(c.memory, 0, PAGE, &borrow, &iov), 0);
	clock_gettime(CLOCK_MONOTONIC, &start);
	ck_assert_int_eq(convertible_convert(&c, 0, PAGE, SIDE_PRIVATE), CONVERSION_AGAIN);
	clock_gettime(CLOCK_MONOTONIC, &end);
	ck_assert_int_ge(end.tv_sec - start.tv_sec, 1);
	guest_return(c.memory, &borrow);
	convertible_fini(&c);
}
END_TEST

struct converter {
	struct convertible *c;
	struct conversion_record record;
	bool has_begun;
};

static void *convert_first_page(void *argument)
{
	struct converter *converter = argument;

	__atomic_store_n(&converter->has_begun, true, __ATOMIC_SEQ_CST);
	ck_assert_int_eq(convertible_convert(converter->c, 0, PAGE, SIDE_PRIVATE),
			 CONVERSION_DONE);
	return NULL;
}

/* Whoever waits looks at the clock each time that he is woken, which takes a nanosecond here.
 */
START_TEST(test_waiting_conversion_is_woken_by_those_it_waits_for)
{
	struct convertible c;
	struct converter converter = {.c = &c};
	struct borrow borrow = {0};
	struct iovec iov;
	pthread_t thread;
	char byte;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, true);
	guest_set_trace(c.memory, keep_record, &converter.record);
	ck_assert_int_eq(guest_borrow(c.memory, 0, PAGE, &borrow, &iov), 0);
	fake_traits(c.fake)->ns_per_look = 1;
	ck_assert_int_eq(pthread_create(&thread, NULL, convert_first_page, &converter), 0);
	while (!__atomic_load_n(&converter.has_begun, __ATOMIC_SEQ_CST))
		usleep(100);
	for (unsigned int i = 0; i < 200; i++) {
		ck_assert_int_eq(guest_read(c.memory, 8 * PAGE, &byte, 1), 0);
		usleep(100);
	}
	guest_return(c.memory, &borrow);
	pthread_join(thread, NULL);
	ck_assert_uint_le(converter.record.claim_ns, 8);
	convertible_fini(&c);
}
END_TEST

/* What a device finds while a conversion of the first two pages is in the kernel. */
struct onlooker {
	struct convertible *c;
	int borrowed[3]; /* what guest_borrow says of pages 0, 1 and 8 */
	int read;	 /* what guest_read says of page 0 */
};

static void look_on(void *argument)
{
	static const gpa_t pages[] = {0, 1, 8};
	struct onlooker *onlooker = argument;
	struct guest_memory *memory = onlooker->c->memory;
	char byte;

	for (size_t i = 0; i < ARRAY_SIZE(pages); i++) {
		struct borrow borrow = {0};
		struct iovec iov;

		onlooker->borrowed[i] = guest_borrow(memory, pages[i] * PAGE, 8, &borrow, &iov);
		if (!onlooker->borrowed[i])
			guest_return(memory, &borrow);
	}
	onlooker->read = guest_read(memory, 0, &byte, 1);
}

START_TEST(test_borrow_is_refused_while_its_page_turns_private)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		struct onlooker onlooker = {.c = &c};

		convertible_init(&c, backings[i], RAM_BYTES, true);
		fake_on_convert(c.fake, look_on, &onlooker);
		ck_assert_int_eq(convertible_convert(&c, 0, 2 * PAGE, SIDE_PRIVATE),
				 CONVERSION_DONE);
		ck_assert_int_eq(onlooker.borrowed[0], -EBUSY);
		ck_assert_int_eq(onlooker.borrowed[1], -EBUSY);
		ck_assert_int_eq(onlooker.borrowed[2], 0);
		ck_assert_int_eq(onlooker.read, -EFAULT);
		convertible_fini(&c);
	}
}
END_TEST

/* A guest may ask for more than it needs while a device works in a part of that. */
START_TEST(test_conversion_to_shared_leaves_users_of_shared_pages_alone)
{
	for (size_t i = 0; i < ARRAY_SIZE(backings); i++) {
		struct convertible c;
		struct onlooker onlooker = {.c = &c};

		convertible_init(&c, backings[i], RAM_BYTES, true);
		convertible_convert(&c, PAGE, PAGE, SIDE_PRIVATE);
		fake_on_convert(c.fake, look_on, &onlooker);
		ck_assert_int_eq(convertible_convert(&c, 0, 2 * PAGE, SIDE_SHARED),
				 CONVERSION_DONE);
		ck_assert_int_eq(onlooker.borrowed[0], 0);
		ck_assert_int_eq(onlooker.borrowed[1], -EFAULT);
		ck_assert_int_eq(onlooker.borrowed[2], 0);
		ck_assert_int_eq(onlooker.read, 0);
		convertible_fini(&c);
	}
}
END_TEST

/* Another processor of the guest that uses the page whatever side it is on. */
static void write_meanwhile(void *argument)
{
	struct convertible *c = argument;
	uint64_t value = 7;

	ck_assert(fake_guest_write(c->fake, 0, &value, sizeof(value)));
}

/* As write_meanwhile runs before each attribute call, a third call finds the other half full.
 */
START_TEST(test_what_the_guest_wrote_during_a_conversion_taken_back_takes_no_memory)
{
	for (enum side to = SIDE_SHARED; to <= SIDE_PRIVATE; to++) {
		struct convertible c;
		struct fake_memory memory;

		convertible_init(&c, BACKING_PAIRED, RAM_BYTES, true);
		if (to == SIDE_SHARED)
			convertible_convert(&c, 0, PAGE, SIDE_PRIVATE);
		write_meanwhile(&c);
		fake_on_convert(c.fake, write_meanwhile, &c);
		/* Changed; the discard fails; changed back. */
		faulty_arm(c.faulty, (struct fault){.nth = 2, .errnum = EPERM});
		ck_assert_int_eq(convertible_convert(&c, 0, PAGE, to), CONVERSION_REFUSED);
		memory = fake_count_memory(c.fake);
		ck_assert_uint_eq(memory.memfd_bytes, to == SIDE_PRIVATE ? PAGE : 0);
		ck_assert_uint_eq(memory.guest_memfd_bytes, to == SIDE_PRIVATE ? 0 : PAGE);
		convertible_check_all(&c);
		convertible_fini(&c);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_conversion_to_private_waits_for_a_borrow,
		test_borrow_that_is_not_returned_ends_a_conversion_at_the_bound,
		test_borrow_that_is_not_returned_ends_a_conversion_in_real_time,
		test_waiting_conversion_is_woken_by_those_it_waits_for,
		test_borrow_is_refused_while_its_page_turns_private,
		test_conversion_to_shared_leaves_users_of_shared_pages_alone,
		test_what_the_guest_wrote_during_a_conversion_taken_back_takes_no_memory,
	};

	return unit_run(unit_suite("conversion borrow", tests, ARRAY_SIZE(tests)));
}
