// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The operator's end of a line: two byte queues between a descriptor and a device.
 *
 * The descriptors may be a terminal that the shell shares, so they keep their flags, and it is
 * a worker of the ring that waits for them. There is at most one write and one poll or read in
 * flight. vCPU threads only touch the queues, and post to the loop when it has to look at them.
 */
#include "devices/devices.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>

#include "devices/fd.h"
#include "vmm/cleanup.h"

enum {
	OUTPUT_BYTES = 1 << 20,
	INPUT_BYTES = 1 << 16,
	INPUT_CHUNK_BYTES = 4096,
	OUTPUT_CHUNK_BYTES = 1 << 16, /* room comes back when it is written */
	FLUSH_MS = 1000,
	FLUSH_CHUNK_BYTES = 512, /* what a descriptor that polls writable takes at once */
	CTRL_A = 'a' & 0x1f,
};

static const char help[] = "\r\n"
			   "Ctrl-A x       stop the virtual machine\r\n"
			   "Ctrl-A c       show this help\r\n"
			   "Ctrl-A Ctrl-A  send Ctrl-A\r\n";

/* A ring of bytes: n_used of them, from @first on. */
struct byte_queue {
	uint8_t *bytes;
	size_t size_bytes;
	size_t first;
	size_t n_used;
};

enum line_state {
	LINE_IDLE,
	LINE_POLLING,
	LINE_MOVING, /* reading or writing */
	LINE_CLOSED, /* for good */
};

struct console {
	struct loop *loop;
	int input_fd;
	int output_fd;
	bool escape;
	struct machine_sink sink;
	struct console_user *user;
	struct loop_post post; /* "look at the queues" */

	/* Of the loop's thread. */
	enum line_state input_state;
	struct loop_op input_op;
	struct iovec input_iov;
	uint8_t chunk[INPUT_CHUNK_BYTES];
	bool after_prefix; /* the last byte was Ctrl-A */
	enum line_state output_state;
	struct loop_op output_op;
	struct iovec output_iov;

	pthread_mutex_t lock; /* guards what follows; the lock of the loop comes after it */
	struct byte_queue input;
	bool input_stalled; /* no room: whoever makes some posts */
	struct byte_queue output;
	bool output_active; /* the loop's thread knows that there is something to write */
	uint64_t n_dropped;
};

/* --- Queues --- */

/* The part of the ring from @at on (counted from its first byte) that is in one piece. */
static size_t queue_piece(const struct byte_queue *queue, size_t at, size_t n_bytes,
			  uint8_t **ret_bytes)
{
	size_t offset = (queue->first + at) % queue->size_bytes;
	size_t n_piece = queue->size_bytes - offset;

	*ret_bytes = queue->bytes + offset;
	return n_bytes < n_piece ? n_bytes : n_piece;
}

static size_t queue_room(const struct byte_queue *queue)
{
	return queue->size_bytes - queue->n_used;
}

/* Returns how many bytes found room. */
static size_t queue_put(struct byte_queue *queue, const void *bytes, size_t n_bytes)
{
	size_t n_put = n_bytes < queue_room(queue) ? n_bytes : queue_room(queue);
	uint8_t *piece;
	size_t n_piece = queue_piece(queue, queue->n_used, n_put, &piece);

	memcpy(piece, bytes, n_piece);
	memcpy(queue->bytes, (const uint8_t *)bytes + n_piece, n_put - n_piece);
	queue->n_used += n_put;
	return n_put;
}

static void queue_drop(struct byte_queue *queue, size_t n_bytes)
{
	queue->first = (queue->first + n_bytes) % queue->size_bytes;
	queue->n_used -= n_bytes;
}

static size_t queue_get(struct byte_queue *queue, void *buffer, size_t size_bytes)
{
	size_t n_got = size_bytes < queue->n_used ? size_bytes : queue->n_used;
	uint8_t *piece;
	size_t n_piece = queue_piece(queue, 0, n_got, &piece);

	memcpy(buffer, piece, n_piece);
	memcpy((uint8_t *)buffer + n_piece, queue->bytes, n_got - n_piece);
	queue_drop(queue, n_got);
	return n_got;
}

/* --- Output, on the loop's thread --- */

/* What to write next; it stays in place while bytes are only added. */
static struct iovec output_plan(struct console *console)
{
	size_t n_bytes;
	uint8_t *piece;

	WITH_LOCK(&console->lock);
	n_bytes = queue_piece(&console->output, 0, console->output.n_used, &piece);
	console->output_active = n_bytes > 0;
	return (struct iovec){
		.iov_base = piece,
		.iov_len = n_bytes < OUTPUT_CHUNK_BYTES ? n_bytes : OUTPUT_CHUNK_BYTES,
	};
}

static void output_start(struct console *console)
{
	if (console->output_state != LINE_IDLE)
		return;
	console->output_iov = output_plan(console);
	if (!console->output_iov.iov_len)
		return;
	console->output_state = LINE_MOVING;
	loop_writev(console->loop, &console->output_op, console->output_fd,
		    &console->output_iov, 1, UINT64_MAX);
}

/* The other end is gone or full: whatever waits is lost, later output gets its chance. */
static void output_fail(struct console *console)
{
	WITH_LOCK(&console->lock);
	console->n_dropped += console->output.n_used;
	queue_drop(&console->output, console->output.n_used);
}

static void output_done(struct loop_op *op, int result)
{
	struct console *console = container_of(op, struct console, output_op);
	bool polled = console->output_state == LINE_POLLING;

	console->output_state = LINE_IDLE;
	if (result == -ECANCELED)
		return; /* console_free writes what is left */

	if (!polled && result == -EAGAIN) {
		console->output_state = LINE_POLLING;
		loop_poll(console->loop, op, console->output_fd, POLLOUT);
		return;
	}
	if (!polled && result > 0) {
		WITH_LOCK(&console->lock);
		queue_drop(&console->output, (size_t)result);
	} else if (result <= 0 && result != -EINTR) {
		output_fail(console);
	}
	output_start(console);
}

void console_write(struct console *console, const void *bytes, size_t size_bytes)
{
	if (console->output_fd < 0 || size_bytes == 0)
		return;

	WITH_LOCK(&console->lock);
	console->n_dropped += size_bytes - queue_put(&console->output, bytes, size_bytes);
	if (!console->output_active) {
		console->output_active = true;
		loop_post(console->loop, &console->post);
	}
}

/* --- Input, on the loop's thread --- */

/*
 * How much to read. Input that finds no room stays where it is. Not so with @escape: there the
 * operator must get through to a guest that reads nothing, and what does not fit is dropped, as
 * a UART would.
 */
static size_t input_plan(struct console *console)
{
	size_t room;

	if (console->escape)
		return INPUT_CHUNK_BYTES;

	WITH_LOCK(&console->lock);
	room = queue_room(&console->input);
	console->input_stalled = room == 0;
	return room < INPUT_CHUNK_BYTES ? room : INPUT_CHUNK_BYTES;
}

static void input_start(struct console *console)
{
	if (console->input_state != LINE_IDLE || !input_plan(console))
		return;
	console->input_state = LINE_POLLING;
	loop_poll(console->loop, &console->input_op, console->input_fd, POLLIN);
}

/* There is room: input_start saw some, and only the loop's thread fills it. */
static void input_read(struct console *console)
{
	console->input_iov = (struct iovec){
		.iov_base = console->chunk,
		.iov_len = input_plan(console),
	};
	console->input_state = LINE_MOVING;
	loop_readv(console->loop, &console->input_op, console->input_fd, &console->input_iov, 1,
		   UINT64_MAX);
}

static void input_put(struct console *console, const void *bytes, size_t n_bytes)
{
	WITH_LOCK(&console->lock);
	queue_put(&console->input, bytes, n_bytes);
}

static void input_escaped(struct console *console, uint8_t byte)
{
	const uint8_t both[] = {CTRL_A, byte};

	switch (byte) {
	case 'x':
		console->sink.raise(console->sink.machine, MACHINE_QUIT, 0);
		break;
	case 'c':
		console_write(console, help, sizeof(help) - 1);
		break;
	case CTRL_A:
		input_put(console, both, 1);
		break;
	default:
		input_put(console, both, 2);
		break;
	}
}

static void input_take(struct console *console, size_t n_bytes)
{
	if (!console->escape) {
		input_put(console, console->chunk, n_bytes);
		return;
	}
	for (size_t i = 0; i < n_bytes; i++) {
		uint8_t byte = console->chunk[i];

		if (console->after_prefix) {
			console->after_prefix = false;
			input_escaped(console, byte);
		} else if (byte == CTRL_A) {
			console->after_prefix = true;
		} else {
			input_put(console, &byte, 1);
		}
	}
}

static void input_done(struct loop_op *op, int result)
{
	struct console *console = container_of(op, struct console, input_op);
	bool polled = console->input_state == LINE_POLLING;

	console->input_state = LINE_IDLE;
	if (result == -ECANCELED)
		return;

	if (polled && result > 0) {
		input_read(console);
		return;
	}
	if (result > 0) {
		input_take(console, (size_t)result);
		if (console->user)
			console->user->readable(console->user);
	} else if (result != -EAGAIN && result != -EINTR) {
		console->input_state = LINE_CLOSED; /* end of file, or the terminal is gone */
	}
	input_start(console);
}

size_t console_read(struct console *console, void *buffer, size_t size_bytes)
{
	size_t n_got;

	WITH_LOCK(&console->lock);
	n_got = queue_get(&console->input, buffer, size_bytes);
	if (n_got && console->input_stalled) {
		console->input_stalled = false;
		loop_post(console->loop, &console->post);
	}
	return n_got;
}

/* --- Both --- */

static void console_look(struct loop_post *post)
{
	struct console *console = container_of(post, struct console, post);

	input_start(console);
	output_start(console);
}

int console_new(struct loop *loop, int input_fd, int output_fd, bool escape,
		const struct machine_sink *sink, struct console **ret_console)
{
	_cleanup_free_ struct console *console = calloc(1, sizeof(*console));
	_cleanup_free_ uint8_t *input = malloc(INPUT_BYTES);
	_cleanup_free_ uint8_t *output = malloc(OUTPUT_BYTES);

	if (!console || !input || !output)
		return -ENOMEM;

	console->loop = loop;
	console->input_fd = input_fd;
	console->output_fd = output_fd;
	console->escape = escape;
	console->sink = *sink;
	console->post.fn = console_look;
	console->input_op = (struct loop_op){.done = input_done, .may_block = true};
	console->output_op = (struct loop_op){.done = output_done, .may_block = true};
	console->input = (struct byte_queue){
		.bytes = take_pointer(input),
		.size_bytes = INPUT_BYTES,
	};
	console->output = (struct byte_queue){
		.bytes = take_pointer(output),
		.size_bytes = OUTPUT_BYTES,
	};
	pthread_mutex_init(&console->lock, NULL);
	if (input_fd < 0)
		console->input_state = LINE_CLOSED;
	input_start(console);
	*ret_console = take_pointer(console);
	return 0;
}

static int64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Write a little of what is left. False when there is no point in going on. */
static bool flush_piece(struct console *console, int timeout_ms)
{
	int events = fd_poll(console->output_fd, POLLOUT, timeout_ms);
	size_t n_bytes = console->output.n_used;
	uint8_t *piece;
	ssize_t n;

	if (events < 0 || !(events & POLLOUT))
		return events == -EINTR;
	if (n_bytes > FLUSH_CHUNK_BYTES)
		n_bytes = FLUSH_CHUNK_BYTES;
	n_bytes = queue_piece(&console->output, 0, n_bytes, &piece);
	n = fd_write(console->output_fd, piece, n_bytes);
	if (n > 0)
		queue_drop(&console->output, (size_t)n);
	return n > 0 || n == -EINTR;
}

/* The loop has ended. */
static void console_flush(struct console *console)
{
	int64_t end_ms = clock_now_ms() + FLUSH_MS;

	while (console->output.n_used) {
		int64_t left_ms = end_ms - clock_now_ms();

		if (left_ms <= 0 || !flush_piece(console, (int)left_ms))
			return;
	}
}

void console_free(struct console *console)
{
	if (!console)
		return;

	console_flush(console);
	pthread_mutex_destroy(&console->lock);
	free(console->input.bytes);
	free(console->output.bytes);
	free(console);
}

void console_set_user(struct console *console, struct console_user *user)
{
	console->user = user;
}

uint64_t console_dropped_bytes(struct console *console)
{
	WITH_LOCK(&console->lock);
	return console->n_dropped;
}
