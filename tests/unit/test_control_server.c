// SPDX-License-Identifier: GPL-2.0-or-later
/* A server on a loop of its own, and clients that behave well, badly, or not at all. */
#include "vmm/control/server.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "devices/devices.h"
#include "tests/unit/unit.h"
#include "vmm/cleanup.h"
#include "vmm/control/client.h"
#include "vmm/control/socket.h"
#include "vmm/err.h"

#define STATUS "{\"version\":1,\"command\":\"status\"}\n"
#define STATS  "{\"version\":1,\"command\":\"stats\"}\n"
#define DETACH "{\"version\":1,\"command\":\"detach\",\"device\":\"nic\"}\n"

enum {
	SECOND_MS = 1000,
	LARGE_BYTES = 200 * 1024, /* more than a socket's buffer takes twice */
};

struct rig {
	char path[64];
	int directory;
	struct control_socket socket;
	struct loop *loop;
	struct control_server *server;
	pthread_t thread;

	/* A late answer. */
	struct loop_post post;
	struct control_ticket ticket;
	atomic_uint n_late;	/* requests that wait for one */
	atomic_uint n_answered; /* of the posts */
};

static int handle(void *owner, const struct control_request *request,
		  struct control_ticket ticket, json_t **ret_result, struct err *err)
{
	static char large[LARGE_BYTES];
	struct rig *rig = owner;

	switch (request->command) {
	case CONTROL_STATUS:
		*ret_result = json_pack("{s:s}", "name", "rig");
		return 0;
	case CONTROL_STATS:
		memset(large, 'x', sizeof(large) - 1);
		*ret_result = json_pack("{s:s}", "large", large);
		return 0;
	case CONTROL_DETACH:
		rig->ticket = ticket;
		atomic_fetch_add(&rig->n_late, 1);
		return -EINPROGRESS;
	default:
		return err_set(err, -EPERM, "rig: no; ask for less");
	}
}

static void answer(struct loop_post *post)
{
	struct rig *rig = container_of(post, struct rig, post);

	control_answer(rig->server, rig->ticket, json_pack("{s:i}", "late", 1), NULL);
	atomic_fetch_add(&rig->n_answered, 1);
}

static void *run_loop(void *loop)
{
	return loop_run(loop) ? loop : NULL;
}

static void rig_init(struct rig *rig, uint64_t client_ms, uint64_t answer_ms)
{
	struct control_limits limits = {
		.owner = getuid(),
		.client_ns = client_ms * 1000000,
		.answer_ns = answer_ms * 1000000,
	};
	struct control_ops ops = {.handle = handle, .owner = rig};
	struct err err = {0};

	*rig = (struct rig){.path = "/tmp/alcove-test-control-XXXXXX", .post.fn = answer};
	signal(SIGPIPE, SIG_IGN);
	ck_assert_ptr_nonnull(mkdtemp(rig->path));
	rig->directory = control_open_path(rig->path, false, &err);
	ck_assert_msg(control_socket_open(dup(rig->directory), "rig", &rig->socket, &err) == 0,
		      "%s", err.text);
	ck_assert_msg(loop_new(&rig->loop, &err) == 0, "%s", err.text);
	ck_assert_int_eq(
		control_server_new(rig->loop, rig->socket.fd, &limits, &ops, &rig->server), 0);
	ck_assert_int_eq(pthread_create(&rig->thread, NULL, run_loop, rig->loop), 0);
}

static void rig_fini(struct rig *rig)
{
	void *failed;

	loop_stop(rig->loop);
	pthread_join(rig->thread, &failed);
	ck_assert_ptr_null(failed);
	control_server_free(rig->server);
	loop_free(rig->loop);
	control_socket_close(&rig->socket);
	close(rig->directory);
	ck_assert_int_eq(rmdir(rig->path), 0);
}

/* --- Clients --- */

static int rig_connect(const struct rig *rig)
{
	struct err err = {0};
	pid_t pid;
	int fd = control_connect(rig->directory, "rig", &pid, &err);

	ck_assert_msg(fd >= 0, "%s", err.text);
	return fd;
}

static void say(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, timeout_ms) == 1;
}

/* The next line, in a buffer of its own; "" when the server has closed. */
static const char *hear(int fd)
{
	static char line[LARGE_BYTES + 256];
	size_t bytes = 0;

	while (bytes < sizeof(line) - 1) {
		ck_assert_msg(is_readable(fd, 10 * SECOND_MS), "no answer");
		if (read(fd, line + bytes, 1) != 1 || line[bytes] == '\n')
			break;
		bytes++;
	}
	line[bytes] = '\0';
	return line;
}

static void expect_status(int fd)
{
	ck_assert_str_eq(hear(fd), "{\"version\":1,\"result\":{\"name\":\"rig\"}}");
}

static void expect_error(int fd, const char *code)
{
	const char *line = hear(fd);

	ck_assert_msg(strstr(line, "\"error\"") && strstr(line, code), "not %s but: %s", code,
		      line);
}

/* Whatever others do, a well-behaved client is served. */
static void expect_service(const struct rig *rig)
{
	int fd = rig_connect(rig);

	say(fd, STATUS);
	expect_status(fd);
	close(fd);
}

START_TEST(test_requests_are_answered_in_their_order)
{
	struct rig rig;
	int fd;

	rig_init(&rig, 10 * SECOND_MS, 10 * SECOND_MS);
	fd = rig_connect(&rig);
	say(fd, STATUS);
	expect_status(fd);
	say(fd, STATUS "nonsense\n" STATUS "{\"version\":1,\"command\":\"stop\"}\n" STATUS);
	expect_status(fd);
	expect_error(fd, "EINVAL");
	expect_status(fd);
	expect_error(fd, "EPERM");
	expect_status(fd);
	close(fd);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_request_may_come_byte_by_byte)
{
	struct rig rig;
	int fd;

	rig_init(&rig, 10 * SECOND_MS, 10 * SECOND_MS);
	fd = rig_connect(&rig);
	for (const char *c = STATUS STATUS; *c; c++) {
		char byte[] = {*c, '\0'};

		say(fd, byte);
		usleep(500);
	}
	expect_status(fd);
	expect_status(fd);
	/* What is not a whole line when the client goes is forgotten. */
	say(fd, "{\"version\":1");
	close(fd);
	expect_service(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_longest_line_is_taken_and_a_longer_one_ends_the_talk)
{
	static char line[CONTROL_REQUEST_MAX_BYTES * 4];
	struct rig rig;
	int fd;

	rig_init(&rig, 10 * SECOND_MS, 10 * SECOND_MS);
	fd = rig_connect(&rig);
	snprintf(line, sizeof(line), "%*s", CONTROL_REQUEST_MAX_BYTES, STATUS);
	say(fd, line);
	expect_status(fd);
	memset(line, 'x', sizeof(line) - 1);
	say(fd, line);
	expect_error(fd, "E2BIG");
	ck_assert_str_eq(hear(fd), "");
	close(fd);
	expect_service(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_many_clients_wait_for_those_that_stall)
{
	enum { N = CONTROL_CLIENTS_MAX + 4 };
	struct rig rig;
	int fds[N];

	rig_init(&rig, SECOND_MS, 10 * SECOND_MS);
	for (unsigned int i = 0; i < N; i++) {
		fds[i] = rig_connect(&rig);
		say(fds[i], i < CONTROL_CLIENTS_MAX ? "{" : STATUS);
	}
	ck_assert(!is_readable(fds[N - 1], SECOND_MS / 4));
	for (unsigned int i = CONTROL_CLIENTS_MAX; i < N; i++)
		expect_status(fds[i]);
	for (unsigned int i = 0; i < N; i++) {
		ck_assert_str_eq(hear(fds[i]), "");
		close(fds[i]);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(test_client_that_does_not_read_stalls_nobody)
{
	struct rig rig;
	int fd;

	rig_init(&rig, 3 * SECOND_MS, 10 * SECOND_MS);
	fd = rig_connect(&rig);
	say(fd, STATS STATS STATS STATS);
	for (unsigned int i = 0; i < 20; i++)
		expect_service(&rig);
	/* One that is slow, but goes on, is served to its end. */
	ck_assert_uint_gt(strlen(hear(fd)), LARGE_BYTES);
	usleep(SECOND_MS * 250);
	ck_assert_uint_gt(strlen(hear(fd)), LARGE_BYTES);
	/* Now it does not read at all, until it is let go. */
	sleep(4);
	for (unsigned int i = 0; i < 2 && *hear(fd); i++)
		;
	ck_assert_str_eq(hear(fd), "");
	close(fd);
	expect_service(&rig);
	rig_fini(&rig);
}
END_TEST

static void rig_await_late(struct rig *rig, unsigned int n)
{
	for (int i = 0; i < 5000 && atomic_load(&rig->n_late) < n; i++)
		usleep(1000);
	ck_assert_uint_eq(atomic_load(&rig->n_late), n);
}

static void rig_answer(struct rig *rig)
{
	unsigned int before = atomic_load(&rig->n_answered);

	loop_post(rig->loop, &rig->post);
	while (atomic_load(&rig->n_answered) == before)
		usleep(1000);
}

START_TEST(test_answer_may_come_later)
{
	struct rig rig;
	int fd;

	rig_init(&rig, SECOND_MS, 10 * SECOND_MS);
	fd = rig_connect(&rig);
	say(fd, DETACH STATUS);
	rig_await_late(&rig, 1);
	/* Longer than a client may stall: it is not the one that does. */
	ck_assert(!is_readable(fd, 3 * SECOND_MS / 2));
	expect_service(&rig);
	rig_answer(&rig);
	ck_assert_str_eq(hear(fd), "{\"version\":1,\"result\":{\"late\":1}}");
	expect_status(fd);
	/* Twice the same answer is one too many. */
	rig_answer(&rig);
	say(fd, STATUS);
	expect_status(fd);
	close(fd);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_answer_that_comes_too_late_is_nobodys)
{
	struct rig rig;
	int fd;

	rig_init(&rig, 10 * SECOND_MS, SECOND_MS);
	fd = rig_connect(&rig);
	say(fd, DETACH);
	rig_await_late(&rig, 1);
	expect_error(fd, "ETIMEDOUT");
	/* The next wait is not answered by the answer for the first. */
	struct control_ticket first = rig.ticket;

	say(fd, DETACH);
	rig_await_late(&rig, 2);
	rig.ticket = first;
	rig_answer(&rig);
	expect_error(fd, "ETIMEDOUT");
	say(fd, STATUS);
	expect_status(fd);
	close(fd);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_client_may_go_before_its_answer)
{
	struct rig rig;
	int fd;

	rig_init(&rig, 10 * SECOND_MS, 10 * SECOND_MS);
	fd = rig_connect(&rig);
	say(fd, DETACH);
	rig_await_late(&rig, 1);
	close(fd);
	rig_answer(&rig);
	expect_service(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_end_of_the_loop_takes_clients_along)
{
	struct rig rig;
	int fds[4];

	rig_init(&rig, 10 * SECOND_MS, 10 * SECOND_MS);
	for (unsigned int i = 0; i < 4; i++)
		fds[i] = rig_connect(&rig);
	say(fds[1], "{");
	say(fds[2], DETACH);
	say(fds[3], STATS STATS STATS);
	rig_await_late(&rig, 1);
	expect_service(&rig);
	rig_fini(&rig);
	ck_assert_str_eq(hear(fds[0]), "");
	for (unsigned int i = 0; i < 4; i++)
		close(fds[i]);
}
END_TEST

START_TEST(test_commands_ask_as_clients_do)
{
	const struct control_request status = {.command = CONTROL_STATUS};
	const struct control_request stats = {.command = CONTROL_STATS};
	const struct control_request detach = {.command = CONTROL_DETACH, .device = "nic"};
	const struct control_request stop = {.command = CONTROL_STOP};
	struct control_client client;
	struct err err = {0};
	json_t *result;
	struct rig rig;

	rig_init(&rig, 10 * SECOND_MS, 10 * SECOND_MS);
	ck_assert_int_eq(control_client_open(&client, rig.directory, "rig", &err), 0);
	ck_assert_int_eq(client.pid, getpid());
	ck_assert_int_eq(control_client_ask(&client, &status, 5, &result, &err), 0);
	json_decref(result);
	ck_assert_int_eq(control_client_ask(&client, &stats, 5, &result, &err), 0);
	ck_assert_uint_eq(json_string_length(json_object_get(result, "large")),
			  LARGE_BYTES - 1);
	json_decref(result);
	ck_assert_int_eq(control_client_ask(&client, &stop, 5, &result, &err), -EPERM);
	ck_assert_str_eq(err.text, "vm 'rig': rig: no; ask for less");
	ck_assert_int_eq(control_client_ask(&client, &detach, 1, &result, &err), -ETIMEDOUT);
	ck_assert_ptr_nonnull(strstr(err.text, "has not answered for 1 s"));
	rig_fini(&rig);
	ck_assert_int_lt(control_client_ask(&client, &status, 5, &result, &err), 0);
	control_client_close(&client);
}
END_TEST

START_TEST(test_clients_are_the_same_user_or_root)
{
	ck_assert(control_may(1000, 1000));
	ck_assert(control_may(0, 1000));
	ck_assert(!control_may(1001, 1000));
	ck_assert(!control_may(1000, 0));
}
END_TEST

/* As another user: what the server says in the place of an answer. */
static int ask_as(const struct rig *rig, uid_t uid)
{
	struct err err = {0};
	pid_t pid;
	int fd;

	if (setuid(uid))
		return 1;
	fd = control_connect(rig->directory, "rig", &pid, &err);
	if (fd < 0)
		return 2;
	return strstr(hear(fd), "EPERM") && !*hear(fd) ? 0 : 3;
}

START_TEST(test_another_user_is_turned_away)
{
	enum { NOBODY = 65534 };
	struct rig rig;
	int status;
	pid_t pid;

	rig_init(&rig, 10 * SECOND_MS, 10 * SECOND_MS);
	/* Else the kernel does not even let them knock. */
	ck_assert_int_eq(chmod(rig.path, 0711), 0);
	ck_assert_int_eq(fchmodat(rig.directory, "rig.sock", 0666, 0), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		_exit(ask_as(&rig, NOBODY));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	expect_service(&rig);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_requests_are_answered_in_their_order,
		test_request_may_come_byte_by_byte,
		test_longest_line_is_taken_and_a_longer_one_ends_the_talk,
		test_many_clients_wait_for_those_that_stall,
		test_client_that_does_not_read_stalls_nobody,
		test_answer_may_come_later,
		test_answer_that_comes_too_late_is_nobodys,
		test_client_may_go_before_its_answer,
		test_end_of_the_loop_takes_clients_along,
		test_commands_ask_as_clients_do,
		test_clients_are_the_same_user_or_root,
		test_another_user_is_turned_away,
	};
	size_t n_tests = ARRAY_SIZE(tests);

	if (geteuid() != 0) {
		unit_skip("test_another_user_is_turned_away", "run as root");
		n_tests--;
	}
	return unit_run(unit_suite("control_server", tests, n_tests));
}
