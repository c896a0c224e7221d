// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The loop: one io_uring that only the thread in loop_run submits to.
 *
 * A submission fills in its loop_op and queues it; each turn of the loop moves the queue into
 * the ring, as far as there is room, and sleeps in the kernel until something has happened.
 * There is never more in flight than the completion queue holds, so that queue cannot overflow.
 * When all of that hangs with a disk, there is still room to wake the loop and to cancel.
 *
 * The ring is made disabled: the kernel takes the thread that enables it for its only submitter
 * (IORING_SETUP_SINGLE_ISSUER), and that must be the one in loop_run, not the one that sets up.
 *
 * Other threads reach the loop through an eventfd that the ring always reads.
 */
#include "devices/loop.h"

#include <errno.h>
#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>

#include "devices/fd.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	LOOP_SUBMISSIONS = 256,
	LOOP_COMPLETIONS = 4096, /* also the bound of what is in flight */
	LOOP_RESERVED = 16,	 /* of those: for wakes and cancellations */
	LOOP_CANCEL_MS = 100,	 /* how long to wait before cancelling again */
	LOOP_DRAIN_MS = 10000,
};

enum loop_op_state {
	LOOP_OP_IDLE,
	LOOP_OP_QUEUED,
	LOOP_OP_DROPPED, /* cancelled while queued: still in the queue */
	LOOP_OP_FLYING,
	LOOP_OP_CANCELLING, /* flying, and in the list of cancellations to send */
};

struct loop_list {
	struct loop_op *first;
	struct loop_op **end; /* where the next one is linked */
};

struct loop {
	/* Of the loop's thread (before loop_run: of the one that sets up). */
	struct io_uring ring;
	unsigned int n_flying; /* completions to come */
	struct loop_list queued;
	struct loop_list cancels;
	struct loop_op wake_op;
	uint64_t wake_count;
	struct iovec wake_iov;
	int wake_result; /* -errno once the eventfd cannot be read */

	/* Of any thread. */
	int wake_fd;
	atomic_bool stopping;
	pthread_mutex_t lock; /* guards what follows; nothing is called under it */
	struct loop_post *posts;
	struct loop_post **posts_end;
	bool awake; /* about to look at the posts: no need to wake it */
};

static void list_init(struct loop_list *list)
{
	*list = (struct loop_list){.end = &list->first};
}

static void list_append(struct loop_list *list, struct loop_op *op)
{
	op->next = NULL;
	*list->end = op;
	list->end = &op->next;
}

static void list_prepend(struct loop_list *list, struct loop_op *op)
{
	op->next = list->first;
	list->first = op;
	if (!op->next)
		list->end = &op->next;
}

static void list_remove(struct loop_list *list, struct loop_op *op)
{
	struct loop_op **link = &list->first;

	for (; *link != op; link = &(*link)->next)
		ASSERT(*link);
	*link = op->next;
	if (!op->next)
		list->end = link;
}

static int ring_init(struct io_uring *ring)
{
	/* The best first; a kernel that knows less of them says EINVAL. */
	static const unsigned int flags[] = {
		IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			IORING_SETUP_SUBMIT_ALL,
		IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL,
		0,
	};
	int err = -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(flags) && err == -EINVAL; i++) {
		struct io_uring_params params = {
			.flags = flags[i] | IORING_SETUP_R_DISABLED | IORING_SETUP_CQSIZE,
			.cq_entries = LOOP_COMPLETIONS,
		};

		err = io_uring_queue_init_params(LOOP_SUBMISSIONS, ring, &params);
	}
	if (err)
		return err;
	err = loop_restrict_ring(ring->ring_fd);
	if (err)
		io_uring_queue_exit(ring);
	return err;
}

static int ring_describe(int code, struct err *err)
{
	const char *cure = "see io_uring_setup(2)";

	if (code == -ENOSYS)
		cure = "use a kernel with CONFIG_IO_URING";
	else if (code == -EPERM)
		cure = "set the sysctl kernel.io_uring_disabled to 0";
	else if (code == -ENOMEM)
		cure = "raise the limit of locked memory (ulimit -l)";
	return err_set(err, code, "io_uring: %s; %s", err_describe(code), cure);
}

static void loop_wake_done(struct loop_op *op, int result);

int loop_new(struct loop **ret_loop, struct err *err)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	int code;

	if (!loop)
		return err_set(err, -ENOMEM, "event loop: out of memory; free some");
	loop->wake_fd = fd_new_event();
	if (loop->wake_fd < 0) {
		code = loop->wake_fd;
		free(loop);
		return err_set(err, code,
			       "eventfd: %s; raise the limit of open files (ulimit -n)",
			       err_describe(code));
	}
	code = ring_init(&loop->ring);
	if (code) {
		cleanup_close(&loop->wake_fd);
		free(loop);
		return ring_describe(code, err);
	}

	list_init(&loop->queued);
	list_init(&loop->cancels);
	loop->wake_op.done = loop_wake_done;
	loop->wake_iov = (struct iovec){
		.iov_base = &loop->wake_count,
		.iov_len = sizeof(loop->wake_count),
	};
	pthread_mutex_init(&loop->lock, NULL);
	loop->posts_end = &loop->posts;
	*ret_loop = loop;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;

	io_uring_queue_exit(&loop->ring);
	cleanup_close(&loop->wake_fd);
	pthread_mutex_destroy(&loop->lock);
	free(loop);
}

/* --- Submissions --- */

void loop_queue_op(struct loop *loop, struct loop_op *op, const struct loop_request *request)
{
	ASSERT(op->done);
	ASSERT(op->state == LOOP_OP_IDLE);
	op->request = *request;
	op->state = LOOP_OP_QUEUED;
	if (op == &loop->wake_op)
		list_prepend(&loop->queued, op);
	else
		list_append(&loop->queued, op);
}

void loop_cancel(struct loop *loop, struct loop_op *op)
{
	if (op->state == LOOP_OP_QUEUED) {
		op->state = LOOP_OP_DROPPED;
	} else if (op->state == LOOP_OP_FLYING) {
		op->state = LOOP_OP_CANCELLING;
		list_append(&loop->cancels, op);
	}
}

/* --- The loop's thread --- */

static void loop_finish_op(struct loop *loop, struct loop_op *op, int result)
{
	if (op->state == LOOP_OP_CANCELLING)
		list_remove(&loop->cancels, op);
	if (op->request.opcode == IORING_OP_TIMEOUT && result == -ETIME)
		result = 0;
	op->state = LOOP_OP_IDLE;
	op->done(op, result);
}

/* May one more operation of a device fly? */
static bool loop_has_room(const struct loop *loop)
{
	return loop->n_flying < LOOP_COMPLETIONS - LOOP_RESERVED;
}

/* Put @sqe into the ring. False when there is no room. */
static bool loop_push(struct loop *loop, const struct io_uring_sqe *sqe)
{
	struct io_uring_sqe *slot = NULL;

	if (loop->n_flying < LOOP_COMPLETIONS)
		slot = io_uring_get_sqe(&loop->ring);
	if (!slot)
		return false;
	*slot = *sqe;
	loop->n_flying++;
	return true;
}

/* Its completion carries no loop_op. @flags: IORING_ASYNC_CANCEL_*. */
static bool loop_push_cancel(struct loop *loop, struct loop_op *op, unsigned int flags)
{
	struct io_uring_sqe sqe = {
		.opcode = IORING_OP_ASYNC_CANCEL,
		.fd = -1,
		.addr = (uintptr_t)op,
		.cancel_flags = flags,
	};

	return loop_push(loop, &sqe);
}

static bool loop_push_op(struct loop *loop, struct loop_op *op)
{
	const struct loop_request *request = &op->request;
	struct io_uring_sqe sqe = {
		.opcode = request->opcode,
		.flags = op->may_block ? IOSQE_ASYNC : 0,
		.fd = request->fd,
		.addr = request->address,
		.len = request->length,
		.off = request->offset,
		.poll32_events = request->flags, /* one union with all other flags */
		.user_data = (uintptr_t)op,
	};

	if (op != &loop->wake_op && !loop_has_room(loop))
		return false;
	return loop_push(loop, &sqe);
}

/*
 * Move what waits into the ring, cancellations first: by the time its owner submits an
 * operation again, no old cancellation can be behind it. False when something had to stay.
 */
static bool loop_fill_ring(struct loop *loop)
{
	struct loop_op *op;

	while ((op = loop->cancels.first)) {
		if (!loop_push_cancel(loop, op, 0))
			return false;
		list_remove(&loop->cancels, op);
		op->state = LOOP_OP_FLYING;
	}
	while ((op = loop->queued.first)) {
		if (op->state == LOOP_OP_QUEUED && !loop_push_op(loop, op))
			return false;
		list_remove(&loop->queued, op);
		if (op->state == LOOP_OP_QUEUED)
			op->state = LOOP_OP_FLYING;
		else
			loop_finish_op(loop, op, -ECANCELED);
	}
	return true;
}

static void loop_reap(struct loop *loop)
{
	struct io_uring_cqe *cqe;

	while (io_uring_peek_cqe(&loop->ring, &cqe) == 0) {
		struct loop_op *op = io_uring_cqe_get_data(cqe);
		int result = cqe->res;

		io_uring_cqe_seen(&loop->ring, cqe);
		ASSERT(loop->n_flying > 0);
		loop->n_flying--;
		if (op)
			loop_finish_op(loop, op, result);
	}
}

/* Submit and wait for a completion. Returns 0, -ETIME, or -errno when the ring failed. */
static int loop_wait(struct loop *loop, unsigned int n_wait, unsigned int timeout_ms)
{
	struct __kernel_timespec timeout = {
		.tv_sec = timeout_ms / 1000,
		.tv_nsec = (long long)(timeout_ms % 1000) * 1000000,
	};
	struct timespec nap = {.tv_nsec = 1000000};
	struct io_uring_cqe *cqe;
	int n;

	if (timeout_ms)
		n = io_uring_submit_and_wait_timeout(&loop->ring, &cqe, n_wait, &timeout, NULL);
	else
		n = io_uring_submit_and_wait(&loop->ring, n_wait);

	if (n >= 0 || n == -EINTR)
		return 0;
	if (n != -EAGAIN && n != -EBUSY)
		return n;
	/* The kernel is short of memory; what was not taken is still in the ring. */
	nanosleep(&nap, NULL);
	return 0;
}

static void loop_expect_posts(struct loop *loop)
{
	WITH_LOCK(&loop->lock);
	loop->awake = true;
}

static struct loop_post *loop_take_posts(struct loop *loop)
{
	struct loop_post *posts;

	WITH_LOCK(&loop->lock);
	loop->awake = false;
	posts = loop->posts;
	loop->posts = NULL;
	loop->posts_end = &loop->posts;
	return posts;
}

/* From here on it may be posted again. Returns the one after it. */
static struct loop_post *loop_release_post(struct loop *loop, struct loop_post *post)
{
	WITH_LOCK(&loop->lock);
	post->posted = false;
	return post->next;
}

/* Only those of now: one that posts itself again must not keep the others waiting. */
static void loop_run_posts(struct loop *loop)
{
	struct loop_post *post = loop_take_posts(loop);

	while (post) {
		struct loop_post *next = loop_release_post(loop, post);

		post->fn(post);
		post = next;
	}
}

static int loop_turn(struct loop *loop)
{
	/* A full ring is emptied by submitting; too many in flight only by waiting. */
	bool wait = loop_fill_ring(loop) || !loop_has_room(loop);
	int err = loop_wait(loop, wait, 0);

	loop_expect_posts(loop);
	loop_reap(loop);
	loop_run_posts(loop);
	return err;
}

static uint64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void loop_drop_queued(struct loop *loop)
{
	struct loop_op *op = loop->queued.first;

	list_init(&loop->queued);
	while (op) {
		struct loop_op *next = op->next;

		loop_finish_op(loop, op, -ECANCELED);
		op = next;
	}
}

/* Cancel and collect all there is. Returns 0, -ETIMEDOUT (some never came), -errno. */
static int loop_drain(struct loop *loop)
{
	uint64_t deadline_ms = clock_now_ms() + LOOP_DRAIN_MS;
	int err = -ETIME;

	do {
		/* Again and again: what was on its way between two queues is missed. */
		if (err == -ETIME)
			loop_push_cancel(loop, NULL,
					 IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL);
		err = loop_wait(loop, 1, LOOP_CANCEL_MS);
		if (err && err != -ETIME)
			return err;
		loop_reap(loop);
		loop_drop_queued(loop);
		if (!loop->n_flying && !loop->queued.first)
			return 0;
	} while (clock_now_ms() < deadline_ms);
	return -ETIMEDOUT;
}

int loop_run(struct loop *loop)
{
	int drain_err;
	int err;

	/* io_uring_enable_rings is declared, but not in the library, up to liburing 2.3. */
	err = io_uring_register((unsigned int)loop->ring.ring_fd, IORING_REGISTER_ENABLE_RINGS,
				NULL, 0);
	if (err < 0)
		return err;
	loop_readv(loop, &loop->wake_op, loop->wake_fd, &loop->wake_iov, 1, 0);

	err = 0;
	while (!err && !atomic_load(&loop->stopping)) {
		err = loop_turn(loop);
		if (!err)
			err = loop->wake_result;
	}
	drain_err = loop_drain(loop);
	return err ? err : drain_err;
}

/* --- Any thread --- */

void loop_stop(struct loop *loop)
{
	atomic_store(&loop->stopping, true);
	eventfd_write(loop->wake_fd, 1);
}

void loop_post(struct loop *loop, struct loop_post *post)
{
	bool first;

	WITH_LOCK(&loop->lock);
	if (post->posted)
		return;
	post->posted = true;
	post->next = NULL;
	first = !loop->posts;
	*loop->posts_end = post;
	loop->posts_end = &post->next;
	if (first && !loop->awake)
		eventfd_write(loop->wake_fd, 1);
}

static void loop_wake_done(struct loop_op *op, int result)
{
	struct loop *loop = container_of(op, struct loop, wake_op);

	/* All it had to do was to end the wait of loop_turn. */
	if (result < 0)
		loop->wake_result = result;
	else
		loop_readv(loop, &loop->wake_op, loop->wake_fd, &loop->wake_iov, 1, 0);
}
