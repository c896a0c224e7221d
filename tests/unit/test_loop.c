// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/io_uring.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "devices/devices.h"
#include "devices/loop.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

/* An operation that remembers its result, and may stop the loop. */
struct probe {
	struct loop_op op;
	struct loop *loop;
	int result;
	unsigned int n_done;
	bool stop;
};

static void probe_done(struct loop_op *op, int result)
{
	struct probe *probe = container_of(op, struct probe, op);

	probe->result = result;
	probe->n_done++;
	if (probe->stop)
		loop_stop(probe->loop);
}

static struct probe make_probe(struct loop *loop, bool stop)
{
	return (struct probe){.op.done = probe_done, .loop = loop, .stop = stop};
}

static struct loop *make_loop(void)
{
	struct err err = {0};
	struct loop *loop;

	ck_assert_msg(loop_new(&loop, &err) == 0, "%s", err.text);
	return loop;
}

/* A file without a name that holds @size_bytes times 'a'. */
static int make_file(size_t size_bytes)
{
	int fd = memfd_create("test", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	for (size_t i = 0; i < size_bytes; i++)
		ck_assert_int_eq(write(fd, "a", 1), 1);
	return fd;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

START_TEST(test_stop_before_run_ends_it_at_once)
{
	struct loop *loop = make_loop();

	loop_stop(loop);
	loop_stop(loop);
	ck_assert_int_eq(loop_run(loop), 0);
	loop_free(loop);
}
END_TEST

START_TEST(test_loop_that_never_ran_forgets_its_operations)
{
	struct loop *loop = make_loop();
	struct probe probe = make_probe(loop, false);

	loop_timer(loop, &probe.op, 0);
	loop_free(loop);
	ck_assert_uint_eq(probe.n_done, 0);
}
END_TEST

START_TEST(test_written_bytes_are_read_back)
{
	struct loop *loop = make_loop();
	char out[] = "in one piece", in[2][6];
	struct iovec out_iov = {.iov_base = out, .iov_len = 12};
	struct iovec in_iov[2] = {
		{.iov_base = in[0], .iov_len = 6},
		{.iov_base = in[1], .iov_len = 6},
	};
	struct probe write_probe = make_probe(loop, true);
	struct probe read_probe = make_probe(loop, true);
	int fd = make_file(4);

	loop_writev(loop, &write_probe.op, fd, &out_iov, 1, 4);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(write_probe.result, 12);
	loop_free(loop);

	loop = read_probe.loop = make_loop();
	loop_readv(loop, &read_probe.op, fd, in_iov, 2, 4);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(read_probe.result, 12);
	ck_assert_mem_eq(in[0], "in one", 6);
	ck_assert_mem_eq(in[1], " piece", 6);
	loop_free(loop);
	close(fd);
}
END_TEST

START_TEST(test_position_of_the_file_is_used_when_asked_for)
{
	struct loop *loop = make_loop();
	char text[] = "b";
	struct iovec iov = {.iov_base = text, .iov_len = 1};
	struct probe probe = make_probe(loop, true);
	int fd = make_file(3);

	loop_writev(loop, &probe.op, fd, &iov, 1, UINT64_MAX);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(probe.result, 1);
	ck_assert_int_eq(lseek(fd, 0, SEEK_CUR), 4);
	loop_free(loop);
	close(fd);
}
END_TEST

START_TEST(test_error_arrives_in_done)
{
	struct loop *loop = make_loop();
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct probe probe = make_probe(loop, true);

	loop_readv(loop, &probe.op, -1, &iov, 1, 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(probe.result, -EBADF);
	loop_free(loop);
}
END_TEST

/* The sandbox sees nothing of what a ring is asked for. */
START_TEST(test_ring_opens_no_files)
{
	static const struct loop_request request = {
		.opcode = IORING_OP_OPENAT,
		.fd = AT_FDCWD,
		.address = (uintptr_t) "/dev/null",
	};
	struct loop *loop = make_loop();
	struct probe probe = make_probe(loop, true);

	loop_queue_op(loop, &probe.op, &request);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(probe.result, -EACCES);
	loop_free(loop);
}
END_TEST

START_TEST(test_punched_hole_reads_zero)
{
	struct loop *loop = make_loop();
	struct probe punch = make_probe(loop, false);
	struct probe sync = make_probe(loop, true);
	char bytes[8192];
	int fd = make_file(sizeof(bytes));

	loop_fallocate(loop, &punch.op, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4096,
		       4096);
	loop_fdatasync(loop, &sync.op, fd);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(punch.result, 0);
	ck_assert_int_eq(sync.result, 0);
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 0), sizeof(bytes));
	ck_assert_int_eq(bytes[4095], 'a');
	ck_assert_int_eq(bytes[4096], 0);
	ck_assert_int_eq(bytes[8191], 0);
	loop_free(loop);
	close(fd);
}
END_TEST

START_TEST(test_poll_tells_events)
{
	struct loop *loop = make_loop();
	struct probe probe = make_probe(loop, true);
	int fd = eventfd(1, EFD_CLOEXEC);

	loop_poll(loop, &probe.op, fd, POLLIN);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(probe.result, POLLIN);
	loop_free(loop);
	close(fd);
}
END_TEST

START_TEST(test_timer_is_not_early)
{
	struct loop *loop = make_loop();
	struct probe probe = make_probe(loop, true);
	uint64_t start_ms = now_ms();

	loop_timer(loop, &probe.op, 50000000);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(probe.result, 0);
	ck_assert_uint_ge(now_ms() - start_ms, 50);
	loop_free(loop);
}
END_TEST

/* Submits itself again, a number of times. */
static void again_done(struct loop_op *op, int result)
{
	struct probe *probe = container_of(op, struct probe, op);

	ck_assert_int_eq(result, 0);
	if (++probe->n_done < 1000)
		loop_timer(probe->loop, op, 0);
	else
		loop_stop(probe->loop);
}

START_TEST(test_done_may_submit_again)
{
	struct loop *loop = make_loop();
	struct probe probe = {.op.done = again_done, .loop = loop};

	loop_timer(loop, &probe.op, 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_uint_eq(probe.n_done, 1000);
	loop_free(loop);
}
END_TEST

START_TEST(test_more_operations_than_the_ring_holds_all_end)
{
	enum { N = 10000 };
	struct loop *loop = make_loop();
	struct probe *probes = calloc(N, sizeof(*probes));
	struct probe last = make_probe(loop, true);
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	int fd = make_file(1);

	for (size_t i = 0; i < N; i++) {
		probes[i] = make_probe(loop, false);
		loop_readv(loop, &probes[i].op, fd, &iov, 1, 0);
	}
	/* Whatever the order of completion, they were submitted long before. */
	loop_timer(loop, &last.op, 300000000);
	ck_assert_int_eq(loop_run(loop), 0);
	for (size_t i = 0; i < N; i++) {
		ck_assert_uint_eq(probes[i].n_done, 1);
		ck_assert_int_eq(probes[i].result, 1);
	}
	loop_free(loop);
	free(probes);
	close(fd);
}
END_TEST

START_TEST(test_more_polls_than_may_fly_are_all_collected)
{
	enum { N = 6000 };
	struct loop *loop = make_loop();
	struct probe *probes = calloc(N, sizeof(*probes));
	struct probe timer = make_probe(loop, true);
	int fd = eventfd(0, EFD_CLOEXEC);

	loop_timer(loop, &timer.op, 50000000);
	for (size_t i = 0; i < N; i++) {
		probes[i] = make_probe(loop, false);
		loop_poll(loop, &probes[i].op, fd, POLLIN);
	}
	ck_assert_int_eq(loop_run(loop), 0);
	for (size_t i = 0; i < N; i++) {
		ck_assert_uint_eq(probes[i].n_done, 1);
		ck_assert_int_eq(probes[i].result, -ECANCELED);
	}
	loop_free(loop);
	free(probes);
	close(fd);
}
END_TEST

/* Cancels another operation when it is done. */
struct canceller {
	struct probe probe;
	struct loop_op *victim;
};

static void canceller_done(struct loop_op *op, int result)
{
	struct canceller *canceller = container_of(op, struct canceller, probe.op);

	ck_assert_int_eq(result, 0);
	loop_cancel(canceller->probe.loop, canceller->victim);
	loop_cancel(canceller->probe.loop, canceller->victim);
	loop_cancel(canceller->probe.loop, op);
}

START_TEST(test_cancelled_operation_is_done_once)
{
	struct loop *loop = make_loop();
	struct probe victim = make_probe(loop, true);
	struct canceller canceller = {
		.probe = {.op.done = canceller_done, .loop = loop},
		.victim = &victim.op,
	};
	int fd = eventfd(0, EFD_CLOEXEC);

	loop_poll(loop, &victim.op, fd, POLLIN);
	loop_timer(loop, &canceller.probe.op, 1000000);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(victim.result, -ECANCELED);
	ck_assert_uint_eq(victim.n_done, 1);
	loop_free(loop);
	close(fd);
}
END_TEST

START_TEST(test_operation_cancelled_while_queued_never_happens)
{
	struct loop *loop = make_loop();
	struct probe write_probe = make_probe(loop, true);
	char text[] = "b";
	struct iovec iov = {.iov_base = text, .iov_len = 1};
	int fd = make_file(1);

	loop_writev(loop, &write_probe.op, fd, &iov, 1, 0);
	loop_cancel(loop, &write_probe.op);
	ck_assert_uint_eq(write_probe.n_done, 0);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(write_probe.result, -ECANCELED);
	ck_assert_int_eq(pread(fd, text, 1, 0), 1);
	ck_assert_int_eq(text[0], 'a');
	loop_free(loop);
	close(fd);
}
END_TEST

START_TEST(test_stop_cancels_and_collects_what_is_in_flight)
{
	struct loop *loop = make_loop();
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct probe poll_probe = make_probe(loop, false);
	struct probe read_probe = make_probe(loop, false);
	struct probe timer = make_probe(loop, false);
	struct probe stopper = make_probe(loop, true);
	uint64_t start_ms = now_ms();
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	loop_poll(loop, &poll_probe.op, fds[0], POLLIN);
	loop_readv(loop, &read_probe.op, fds[0], &iov, 1, 0);
	loop_timer(loop, &timer.op, 3600000000000);
	loop_timer(loop, &stopper.op, 1000000);
	ck_assert_int_eq(loop_run(loop), 0);
	ck_assert_int_eq(poll_probe.result, -ECANCELED);
	ck_assert_int_lt(read_probe.result, 0);
	ck_assert_int_eq(timer.result, -ECANCELED);
	ck_assert_uint_eq(poll_probe.n_done + read_probe.n_done + timer.n_done, 3);
	ck_assert_uint_lt(now_ms() - start_ms, 5000);
	loop_free(loop);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(test_idle_loop_uses_no_cpu)
{
	struct loop *loop = make_loop();
	struct probe timer = make_probe(loop, true);
	struct probe poll_probe = make_probe(loop, false);
	int fd = eventfd(0, EFD_CLOEXEC);
	struct timespec before, after;

	loop_poll(loop, &poll_probe.op, fd, POLLIN);
	loop_timer(loop, &timer.op, 300000000);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &before);
	ck_assert_int_eq(loop_run(loop), 0);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &after);
	ck_assert_int_eq(after.tv_sec - before.tv_sec, 0);
	ck_assert_int_lt(after.tv_nsec - before.tv_nsec, 100000000);
	loop_free(loop);
	close(fd);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_stop_before_run_ends_it_at_once,
		test_loop_that_never_ran_forgets_its_operations,
		test_written_bytes_are_read_back,
		test_position_of_the_file_is_used_when_asked_for,
		test_error_arrives_in_done,
		test_ring_opens_no_files,
		test_punched_hole_reads_zero,
		test_poll_tells_events,
		test_timer_is_not_early,
		test_done_may_submit_again,
		test_more_operations_than_the_ring_holds_all_end,
		test_more_polls_than_may_fly_are_all_collected,
		test_cancelled_operation_is_done_once,
		test_operation_cancelled_while_queued_never_happens,
		test_stop_cancels_and_collects_what_is_in_flight,
		test_idle_loop_uses_no_cpu,
	};
	struct err err = {0};
	struct loop *loop;

	if (loop_new(&loop, &err)) {
		unit_skip("all of the loop", err.text);
		return unit_run(unit_suite("loop", NULL, 0));
	}
	loop_free(loop);
	return unit_run(unit_suite("loop", tests, ARRAY_SIZE(tests)));
}
