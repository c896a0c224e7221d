// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "devices/devices.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

static struct loop *make_loop(void)
{
	struct err err = {0};
	struct loop *loop;

	ck_assert_msg(loop_new(&loop, &err) == 0, "%s", err.text);
	return loop;
}

/* A post that tells when it was called. */
struct counter {
	struct loop_post post;
	struct loop *loop;
	atomic_uint n_wanted;
	unsigned int n_called;
};

static void counter_post(struct loop_post *post)
{
	struct counter *counter = container_of(post, struct counter, post);

	counter->n_called++;
	atomic_store(&counter->n_wanted, 0);
}

static void *run_loop(void *argument)
{
	struct loop *loop = argument;

	return loop_run(loop) ? loop : NULL;
}

START_TEST(test_every_post_is_called_however_fast_they_come)
{
	enum { N = 20000 };
	struct loop *loop = make_loop();
	struct counter counter = {.post.fn = counter_post, .loop = loop};
	pthread_t thread;
	void *failed;

	ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, loop), 0);
	for (unsigned int i = 0; i < N; i++) {
		atomic_store(&counter.n_wanted, 1);
		loop_post(loop, &counter.post);
		while (i % 2 && atomic_load(&counter.n_wanted))
			sched_yield();
	}
	loop_stop(loop);
	pthread_join(thread, &failed);
	ck_assert_ptr_null(failed);
	ck_assert_uint_ge(counter.n_called, N / 2);
	ck_assert_uint_le(counter.n_called, N);
	loop_free(loop);
}
END_TEST

static void *post_storm(void *argument)
{
	struct counter *counters = argument;

	for (unsigned int i = 0; i < 5000; i++)
		loop_post(counters[i % 8].loop, &counters[i % 8].post);
	return NULL;
}

START_TEST(test_post_is_not_called_when_the_loop_ends)
{
	struct loop *loop = make_loop();
	struct counter counter = {.post.fn = counter_post, .loop = loop};

	loop_stop(loop);
	loop_post(loop, &counter.post);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(counter.n_called, 0);
	loop_free(loop);
}
END_TEST

START_TEST(test_posts_of_many_threads_do_not_get_lost)
{
	struct loop *loop = make_loop();
	struct counter counters[8];
	pthread_t posters[4], runner;
	void *failed;

	for (size_t i = 0; i < 8; i++)
		counters[i] = (struct counter){.post.fn = counter_post, .loop = loop};
	ck_assert_int_eq(pthread_create(&runner, NULL, run_loop, loop), 0);
	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&posters[i], NULL, post_storm, counters), 0);
	for (size_t i = 0; i < 4; i++)
		pthread_join(posters[i], NULL);

	/* Whatever the storm left behind, each can be posted and called once more. */
	for (size_t i = 0; i < 8; i++) {
		atomic_store(&counters[i].n_wanted, 1);
		loop_post(loop, &counters[i].post);
		while (atomic_load(&counters[i].n_wanted))
			sched_yield();
	}
	loop_stop(loop);
	pthread_join(runner, &failed);
	ck_assert_ptr_null(failed);
	loop_free(loop);
}
END_TEST

static void poll_done(struct loop_op *op, int result)
{
	(void)op;
	ck_assert_int_eq(result, -ECANCELED);
}

/* Requests of disks that hang may be more than the ring takes. */
START_TEST(test_post_and_stop_get_through_when_the_ring_is_full)
{
	enum { N = 6000 };
	struct loop *loop = make_loop();
	struct loop_op *polls = calloc(N, sizeof(*polls));
	struct counter counter = {.post.fn = counter_post, .loop = loop, .n_wanted = 1};
	int fd = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;
	void *failed;

	for (size_t i = 0; i < N; i++) {
		polls[i].done = poll_done;
		loop_poll(loop, &polls[i], fd, POLLIN);
	}
	ck_assert_int_eq(pthread_create(&thread, NULL, run_loop, loop), 0);
	usleep(100000);
	for (unsigned int i = 0; i < 3; i++) {
		atomic_store(&counter.n_wanted, 1);
		loop_post(loop, &counter.post);
		while (atomic_load(&counter.n_wanted))
			sched_yield();
	}
	loop_stop(loop);
	pthread_join(thread, &failed);
	ck_assert_ptr_null(failed);
	loop_free(loop);
	free(polls);
	close(fd);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_every_post_is_called_however_fast_they_come,
		test_post_is_not_called_when_the_loop_ends,
		test_posts_of_many_threads_do_not_get_lost,
		test_post_and_stop_get_through_when_the_ring_is_full,
	};
	struct err err = {0};
	struct loop *loop;

	if (loop_new(&loop, &err)) {
		unit_skip("all posts to the loop", err.text);
		return unit_run(unit_suite("loop_post", NULL, 0));
	}
	loop_free(loop);
	return unit_run(unit_suite("loop_post", tests, ARRAY_SIZE(tests)));
}
