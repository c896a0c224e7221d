// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/log.h"
#include "vmm/range.h"

static const uint64_t second_ns = 1000000000;

/* What reached the other end of @fd. */
static const char *read_all(int fd)
{
	static char text[64 * 1024];
	ssize_t bytes = read(fd, text, sizeof(text) - 1);

	text[bytes > 0 ? bytes : 0] = '\0';
	return text;
}

static void make_pipe(int fds[2])
{
	ck_assert_int_eq(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
}

static void log_all(struct log *log)
{
	log_error(log, "e%d", 1);
	log_warn(log, "w");
	log_info(log, "i");
	log_debug(log, "d");
}

START_TEST(test_verbosity_chooses_levels)
{
	static const char *const expected[] = {
		"alcove: e1\nalcove: warning: w\n",
		"alcove: e1\nalcove: warning: w\nalcove: info: i\n",
		"alcove: e1\nalcove: warning: w\nalcove: info: i\nalcove: debug: d\n",
	};
	int fds[2];

	make_pipe(fds);
	for (unsigned int verbosity = 0; verbosity < ARRAY_SIZE(expected); verbosity++) {
		struct log log;

		log_init(&log, fds[1], verbosity);
		log_all(&log);
		log_fini(&log);
		ck_assert_str_eq(read_all(fds[0]), expected[verbosity]);
	}
}
END_TEST

START_TEST(test_message_stays_one_clean_line)
{
	char text[2 * LOG_LINE_MAX_BYTES];
	struct log log;
	const char *line;
	int fds[2];

	make_pipe(fds);
	log_init(&log, fds[1], 0);
	log_error(&log, "a\nb\r\x1b[2J\x7f%s", "\n");
	ck_assert_str_eq(read_all(fds[0]), "alcove: a?b??[2J??\n");

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	log_error(&log, "%s", text);
	line = read_all(fds[0]);
	ck_assert_uint_lt(strlen(line), LOG_LINE_MAX_BYTES);
	ck_assert_uint_gt(strlen(line), LOG_LINE_MAX_BYTES - 8);
	ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
	log_fini(&log);
}
END_TEST

START_TEST(test_terminal_gets_a_carriage_return)
{
	struct log log;
	int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	int fd;

	ck_assert_int_ge(terminal, 0);
	ck_assert_int_eq(grantpt(terminal), 0);
	ck_assert_int_eq(unlockpt(terminal), 0);
	fd = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	log_init(&log, fd, 0);
	log_error(&log, "a");
	/* The terminal is not raw and adds another one: harmless. */
	ck_assert_str_eq(read_all(terminal), "alcove: a\r\r\n");
	log_fini(&log);
}
END_TEST

START_TEST(test_limit_lets_a_burst_through_and_then_one_each_second)
{
	struct log_limit limit = {0};
	uint64_t now_ns = 1000 * second_ns + 7;
	unsigned int n_dropped = 99;

	for (int i = 0; i < LOG_GUEST_BURST; i++) {
		ck_assert(log_limit_take(&limit, now_ns, &n_dropped));
		ck_assert_uint_eq(n_dropped, 0);
	}
	n_dropped = 99;
	ck_assert(!log_limit_take(&limit, now_ns, &n_dropped));
	ck_assert(!log_limit_take(&limit, now_ns + second_ns - 1, &n_dropped));
	ck_assert_uint_eq(n_dropped, 99);
	ck_assert(log_limit_take(&limit, now_ns + second_ns, &n_dropped));
	ck_assert_uint_eq(n_dropped, 2);
	ck_assert(!log_limit_take(&limit, now_ns + second_ns, &n_dropped));
	/* Fractions of a second count: nobody gains by asking often. */
	ck_assert(!log_limit_take(&limit, now_ns + 2 * second_ns - 1, &n_dropped));
	ck_assert(log_limit_take(&limit, now_ns + 2 * second_ns, &n_dropped));
}
END_TEST

START_TEST(test_limit_fills_up_to_a_burst)
{
	struct log_limit limit = {0};
	uint64_t now_ns = 1000 * second_ns;
	unsigned int n_dropped;
	int n = 0;

	while (log_limit_take(&limit, now_ns, &n_dropped))
		n++;
	now_ns += 1000000 * second_ns;
	while (log_limit_take(&limit, now_ns, &n_dropped))
		n++;
	ck_assert_int_eq(n, 2 * LOG_GUEST_BURST);
	now_ns += 3 * second_ns;
	while (log_limit_take(&limit, now_ns, &n_dropped))
		n++;
	ck_assert_int_eq(n, 2 * LOG_GUEST_BURST + 3);
}
END_TEST

START_TEST(test_guest_cannot_flood_the_log)
{
	struct log log;
	const char *text;
	char last[64];
	unsigned int n_lines = 0;
	int fds[2];

	make_pipe(fds);
	log_init(&log, fds[1], 0);
	for (int i = 0; i < 100000; i++) {
		log_guest(&log, LOG_WARN, "again");
		log_guest(&log, LOG_INFO, "not shown, and not counted");
	}
	log_fini(&log);
	text = read_all(fds[0]);
	for (const char *at = text; (at = strchr(at, '\n')); at++)
		n_lines++;
	/* The burst, what seconds this took, and the last word. */
	ck_assert_uint_gt(n_lines, LOG_GUEST_BURST);
	ck_assert_uint_lt(n_lines, LOG_GUEST_BURST + 60);
	ck_assert_ptr_nonnull(strstr(text, "alcove: warning: again\n"));
	snprintf(last, sizeof(last), "alcove: warning: %u lines about the guest were dropped\n",
		 100000 - LOG_GUEST_BURST);
	if (n_lines == LOG_GUEST_BURST + 1)
		ck_assert_ptr_nonnull(strstr(text, last));
}
END_TEST

static void *write_lines(void *user)
{
	for (int i = 0; i < 100; i++) {
		log_error(user, "%s", "0123456789012345678901234567890123456789");
		log_guest(user, LOG_ERROR, "%s", "0123456789012345678901234567890123456789");
	}
	return NULL;
}

START_TEST(test_lines_of_several_threads_do_not_mix)
{
	static const char line[] = "alcove: 0123456789012345678901234567890123456789\n";
	pthread_t threads[4];
	struct log log;
	size_t n = 0;
	int fds[2];

	make_pipe(fds);
	log_init(&log, fds[1], 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, write_lines, &log), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
	for (const char *at = read_all(fds[0]); *at; at += strlen(line)) {
		ck_assert(!strncmp(at, line, strlen(line)));
		n++;
	}
	ck_assert_uint_ge(n, 400 + LOG_GUEST_BURST);
	log_fini(&log);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_verbosity_chooses_levels,
		test_message_stays_one_clean_line,
		test_terminal_gets_a_carriage_return,
		test_limit_lets_a_burst_through_and_then_one_each_second,
		test_limit_fills_up_to_a_burst,
		test_guest_cannot_flood_the_log,
		test_lines_of_several_threads_do_not_mix,
	};

	return unit_run(unit_suite("log", tests, ARRAY_SIZE(tests)));
}
