// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <pthread.h>
#include <pty.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/devices.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

/* A console with its loop on another thread, and what came out of it. */
struct rig {
	struct loop *loop;
	struct console *console;
	struct console_user user;
	struct machine_sink sink;
	pthread_t thread;
	atomic_uint n_quits;
	atomic_uint n_readable;
};

static void rig_raise(void *machine, enum machine_event event, unsigned int code)
{
	struct rig *rig = machine;

	ck_assert_int_eq(event, MACHINE_QUIT);
	ck_assert_uint_eq(code, 0);
	atomic_fetch_add(&rig->n_quits, 1);
}

static void rig_readable(struct console_user *user)
{
	struct rig *rig = container_of(user, struct rig, user);

	atomic_fetch_add(&rig->n_readable, 1);
}

static void *rig_run(void *argument)
{
	struct rig *rig = argument;

	ck_assert_int_eq(loop_run(rig->loop), 0);
	return NULL;
}

static void rig_start(struct rig *rig, int input_fd, int output_fd, bool escape)
{
	struct err err = {0};

	*rig = (struct rig){
		.user.readable = rig_readable,
		.sink = {.raise = rig_raise, .machine = rig},
	};
	signal(SIGPIPE, SIG_IGN);
	ck_assert_msg(loop_new(&rig->loop, &err) == 0, "%s", err.text);
	ck_assert_int_eq(
		console_new(rig->loop, input_fd, output_fd, escape, &rig->sink, &rig->console),
		0);
	console_set_user(rig->console, &rig->user);
	ck_assert_int_eq(pthread_create(&rig->thread, NULL, rig_run, rig), 0);
}

static void rig_stop(struct rig *rig)
{
	loop_stop(rig->loop);
	pthread_join(rig->thread, NULL);
}

static void rig_free(struct rig *rig)
{
	console_free(rig->console);
	loop_free(rig->loop);
}

/* Wait until the console has given @n_bytes. */
static void read_input(struct rig *rig, char *buffer, size_t n_bytes)
{
	for (size_t n = 0; n < n_bytes;) {
		n += console_read(rig->console, buffer + n, n_bytes - n);
		usleep(100);
	}
}

static void make_pipe(int fds[2])
{
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
}

START_TEST(test_output_reaches_a_file_in_order)
{
	enum { N = 20000 };
	struct rig rig;
	char line[16], *all = malloc((size_t)N * 7 + 1);
	int fd = memfd_create("output", MFD_CLOEXEC);

	rig_start(&rig, -1, fd, false);
	for (int i = 0; i < N; i++) {
		snprintf(line, sizeof(line), "%06d\n", i);
		console_write(rig.console, line, 7);
	}
	rig_stop(&rig);
	ck_assert_uint_eq(console_dropped_bytes(rig.console), 0);
	rig_free(&rig);
	ck_assert_int_eq(pread(fd, all, (size_t)N * 7 + 1, 0), N * 7);
	for (int i = 0; i < N; i++)
		ck_assert_int_eq(atoi(all + (size_t)i * 7), i);
	free(all);
	close(fd);
}
END_TEST

START_TEST(test_console_without_descriptors_swallows_output)
{
	struct rig rig;
	char byte;

	rig_start(&rig, -1, -1, true);
	console_write(rig.console, "hello", 5);
	ck_assert_uint_eq(console_read(rig.console, &byte, 1), 0);
	rig_stop(&rig);
	ck_assert_uint_eq(console_dropped_bytes(rig.console), 0);
	rig_free(&rig);
}
END_TEST

START_TEST(test_slow_reader_blocks_nobody_and_loses_what_does_not_fit)
{
	static char megabyte[1 << 20];
	struct rig rig;
	size_t n_read = 0;
	ssize_t n;
	int fds[2];

	make_pipe(fds);
	rig_start(&rig, -1, fds[1], false);
	for (int i = 0; i < 3; i++)
		console_write(rig.console, megabyte, sizeof(megabyte));
	ck_assert_uint_ge(console_dropped_bytes(rig.console), sizeof(megabyte));
	rig_stop(&rig);

	/* Nobody reads: console_free gives up, but not at once. */
	rig_free(&rig);
	close(fds[1]);
	while ((n = read(fds[0], megabyte, sizeof(megabyte))) > 0)
		n_read += (size_t)n;
	ck_assert_uint_gt(n_read, 0);
	close(fds[0]);
}
END_TEST

struct pattern_reader {
	int fd;
	size_t n_right; /* bytes that are what make_pattern made */
};

static void *read_pattern(void *argument)
{
	struct pattern_reader *reader = argument;
	size_t n_read = 0;
	char bytes[1000];
	ssize_t n;

	while ((n = read(reader->fd, bytes, sizeof(bytes))) > 0) {
		for (ssize_t i = 0; i < n; i++)
			reader->n_right += bytes[i] == (char)(n_read++ % 251);
	}
	return NULL;
}

static char *make_pattern(size_t n_bytes)
{
	char *bytes = malloc(n_bytes);

	for (size_t i = 0; i < n_bytes; i++)
		bytes[i] = (char)(i % 251);
	return bytes;
}

START_TEST(test_pipe_with_a_reader_loses_nothing)
{
	enum { BYTES = 900000 };
	struct rig rig;
	struct pattern_reader reader = {0};
	char *bytes = make_pattern(BYTES);
	pthread_t thread;
	int fds[2];

	make_pipe(fds);
	reader.fd = fds[0];
	ck_assert_int_eq(pthread_create(&thread, NULL, read_pattern, &reader), 0);
	rig_start(&rig, -1, fds[1], false);
	for (size_t i = 0; i < BYTES; i += 100)
		console_write(rig.console, bytes + i, 100);
	usleep(10000);
	rig_stop(&rig);
	rig_free(&rig);
	close(fds[1]);
	pthread_join(thread, NULL);
	ck_assert_uint_eq(reader.n_right, BYTES);
	close(fds[0]);
	free(bytes);
}
END_TEST

START_TEST(test_nonblocking_pipe_is_waited_for)
{
	static char bytes[200000];
	struct rig rig;
	size_t n_read = 0;
	int fds[2];

	make_pipe(fds);
	ck_assert_int_eq(fcntl(fds[1], F_SETFL, O_NONBLOCK), 0);
	rig_start(&rig, -1, fds[1], false);
	console_write(rig.console, bytes, sizeof(bytes));
	while (n_read < sizeof(bytes)) {
		ssize_t n = read(fds[0], bytes, sizeof(bytes));

		ck_assert_int_gt(n, 0);
		n_read += (size_t)n;
	}
	rig_stop(&rig);
	ck_assert_uint_eq(console_dropped_bytes(rig.console), 0);
	rig_free(&rig);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(test_output_without_reader_is_dropped)
{
	struct rig rig;
	int fds[2];

	make_pipe(fds);
	close(fds[0]);
	rig_start(&rig, -1, fds[1], false);
	console_write(rig.console, "hello", 5);
	while (console_dropped_bytes(rig.console) != 5)
		usleep(100);
	rig_stop(&rig);
	rig_free(&rig);
	close(fds[1]);
}
END_TEST

START_TEST(test_input_arrives_and_the_user_is_told)
{
	struct rig rig;
	char bytes[6];
	int fds[2];

	make_pipe(fds);
	rig_start(&rig, fds[0], -1, false);
	ck_assert_int_eq(write(fds[1], "a\001xbye", 6), 6);
	read_input(&rig, bytes, 6);
	ck_assert_mem_eq(bytes, "a\001xbye", 6);
	rig_stop(&rig);
	ck_assert_uint_ge(atomic_load(&rig.n_readable), 1);
	ck_assert_uint_eq(atomic_load(&rig.n_quits), 0);
	rig_free(&rig);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(test_input_of_a_file_arrives_up_to_its_end)
{
	struct rig rig;
	char bytes[3];
	int fd = memfd_create("input", MFD_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, "abc", 3, 0), 3);
	rig_start(&rig, fd, -1, false);
	read_input(&rig, bytes, 3);
	ck_assert_mem_eq(bytes, "abc", 3);
	usleep(10000);
	ck_assert_uint_eq(console_read(rig.console, bytes, 3), 0);
	rig_stop(&rig);
	ck_assert_uint_eq(atomic_load(&rig.n_readable), 1);
	rig_free(&rig);
	close(fd);
}
END_TEST

START_TEST(test_closed_input_is_not_asked_again)
{
	struct timespec before, after;
	struct rig rig;
	clockid_t clock;
	int fds[2];

	make_pipe(fds);
	close(fds[1]);
	rig_start(&rig, fds[0], -1, false);
	ck_assert_int_eq(pthread_getcpuclockid(rig.thread, &clock), 0);
	usleep(50000);
	clock_gettime(clock, &before);
	usleep(200000);
	clock_gettime(clock, &after);
	ck_assert_int_lt((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec -
				 before.tv_nsec,
			 20000000);
	rig_stop(&rig);
	rig_free(&rig);
	close(fds[0]);
}
END_TEST

START_TEST(test_input_waits_for_a_guest_that_does_not_read)
{
	enum { BYTES = 150000 };
	struct rig rig;
	char *in = malloc(BYTES), *out = make_pattern(BYTES);
	int fd = memfd_create("input", MFD_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, out, BYTES, 0), BYTES);
	rig_start(&rig, fd, -1, false);
	usleep(50000);
	ck_assert_int_le(lseek(fd, 0, SEEK_CUR), 1 << 16);
	read_input(&rig, in, BYTES);
	ck_assert_mem_eq(in, out, BYTES);
	rig_stop(&rig);
	rig_free(&rig);
	close(fd);
	free(in);
	free(out);
}
END_TEST

START_TEST(test_escapes_quit_help_and_pass)
{
	struct rig rig;
	char bytes[4], text[256];
	int in[2], out[2];
	ssize_t n;

	make_pipe(in);
	make_pipe(out);
	rig_start(&rig, in[0], out[1], true);
	ck_assert_int_eq(write(in[1], "\001\001\001", 3), 3);
	ck_assert_int_eq(write(in[1], "x\001c\001yz", 6), 6);
	read_input(&rig, bytes, 4);
	ck_assert_mem_eq(bytes, "\001\001yz", 4);
	ck_assert_uint_eq(atomic_load(&rig.n_quits), 1);
	n = read(out[0], text, sizeof(text) - 1);
	ck_assert_int_gt(n, 0);
	text[n] = '\0';
	ck_assert_ptr_nonnull(strstr(text, "Ctrl-A x"));
	rig_stop(&rig);
	rig_free(&rig);
	for (int i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
}
END_TEST

START_TEST(test_quit_gets_through_to_a_guest_that_does_not_read)
{
	static char junk[100000];
	struct rig rig;
	int fds[2];

	memset(junk, 'j', sizeof(junk));
	make_pipe(fds);
	rig_start(&rig, fds[0], -1, true);
	ck_assert_int_eq(write(fds[1], junk, sizeof(junk)), sizeof(junk));
	ck_assert_int_eq(write(fds[1], "\001x", 2), 2);
	while (!atomic_load(&rig.n_quits))
		usleep(100);
	rig_stop(&rig);
	rig_free(&rig);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

START_TEST(test_terminal_keeps_its_flags)
{
	struct rig rig;
	struct termios raw = {0};
	char bytes[5];
	int master, slave;

	cfmakeraw(&raw);
	ck_assert_int_eq(openpty(&master, &slave, NULL, &raw, NULL), 0);
	rig_start(&rig, slave, slave, true);
	console_write(rig.console, "hello", 5);
	ck_assert_int_eq(read(master, bytes, 5), 5);
	ck_assert_mem_eq(bytes, "hello", 5);
	ck_assert_int_eq(write(master, "world", 5), 5);
	read_input(&rig, bytes, 5);
	ck_assert_mem_eq(bytes, "world", 5);
	ck_assert_int_eq(fcntl(slave, F_GETFL) & O_NONBLOCK, 0);
	rig_stop(&rig);
	rig_free(&rig);
	close(slave);
	close(master);
}
END_TEST

START_TEST(test_stopped_terminal_does_not_hold_the_end_up)
{
	static char bytes[500000];
	struct rig rig;
	struct termios raw = {0};
	int master, slave;

	cfmakeraw(&raw);
	ck_assert_int_eq(openpty(&master, &slave, NULL, &raw, NULL), 0);
	rig_start(&rig, slave, slave, true);
	console_write(rig.console, bytes, sizeof(bytes));
	usleep(50000);
	rig_stop(&rig);
	rig_free(&rig);
	close(slave);
	close(master);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_output_reaches_a_file_in_order,
		test_console_without_descriptors_swallows_output,
		test_slow_reader_blocks_nobody_and_loses_what_does_not_fit,
		test_pipe_with_a_reader_loses_nothing,
		test_nonblocking_pipe_is_waited_for,
		test_output_without_reader_is_dropped,
		test_input_arrives_and_the_user_is_told,
		test_input_of_a_file_arrives_up_to_its_end,
		test_closed_input_is_not_asked_again,
		test_input_waits_for_a_guest_that_does_not_read,
		test_escapes_quit_help_and_pass,
		test_quit_gets_through_to_a_guest_that_does_not_read,
		test_terminal_keeps_its_flags,
		test_stopped_terminal_does_not_hold_the_end_up,
	};

	return unit_run(unit_suite("console", tests, ARRAY_SIZE(tests)));
}
