// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A child makes a pseudo terminal raw and ends in one of the ways there are; this process holds
 * the terminal open and looks at its settings.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/range.h"
#include "vmm/terminal.h"

static int controller;
static int terminal;
static char terminal_path[64];

static void set_up(void)
{
	controller = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(controller, 0);
	ck_assert_int_eq(grantpt(controller), 0);
	ck_assert_int_eq(unlockpt(controller), 0);
	ck_assert_int_eq(ptsname_r(controller, terminal_path, sizeof(terminal_path)), 0);
	terminal = open(terminal_path, O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(terminal, 0);
}

static bool terminal_is_raw(void)
{
	struct termios settings;

	if (tcgetattr(terminal, &settings) < 0)
		abort(); /* also called in signal handlers */
	return !(settings.c_lflag & (ICANON | ECHO | ISIG)) && !(settings.c_oflag & OPOST);
}

static void wait_a_bit(void)
{
	const struct timespec pause = {.tv_nsec = 5000000};

	nanosleep(&pause, NULL);
}

static void expect_raw(bool is_raw)
{
	for (int i = 0; i < 1000 && terminal_is_raw() != is_raw; i++)
		wait_a_bit();
	ck_assert_int_eq(terminal_is_raw(), is_raw);
}

/*
 * A child with the terminal as its own, raw, that then does @end. Signals have their default
 * actions: sanitizers and check have handlers of their own.
 */
static pid_t start_child(void (*end)(void))
{
	static const int signals[] = {SIGSEGV, SIGBUS,	SIGABRT, SIGFPE,
				      SIGILL,  SIGTERM, SIGINT,	 SIGALRM};
	pid_t pid = fork();
	int fd;

	ck_assert_int_ge(pid, 0);
	if (pid)
		return pid;
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		signal(signals[i], SIG_DFL);
	setsid();
	fd = open(terminal_path, O_RDWR);
	if (fd < 0 || terminal_make_raw(fd, NULL) < 0)
		_exit(99);
	end();
	_exit(98);
}

static int wait_child(pid_t pid)
{
	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static void end_wait(void)
{
	for (;;)
		pause();
}

static void end_restore(void)
{
	terminal_restore();
	terminal_restore(); /* as often as one likes */
	_exit(0);
}

static void end_again(void)
{
	terminal_restore();
	if (terminal_make_raw(open(terminal_path, O_RDWR | O_CLOEXEC), NULL) < 0)
		_exit(97);
	end_wait();
}

static void end_abort(void)
{
	abort();
}

static void end_fault(void)
{
	char *page = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	*(volatile char *)page = 1;
}

static void end_raise(void)
{
	raise(SIGSEGV);
}

START_TEST(test_what_is_no_terminal_is_left_alone)
{
	int fds[2];

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	ck_assert_int_eq(terminal_make_raw(fds[0], NULL), 0);
	terminal_restore();
}
END_TEST

START_TEST(test_terminal_is_raw_until_restored)
{
	pid_t pid = start_child(end_wait);

	expect_raw(true);
	kill(pid, SIGKILL);
	wait_child(pid);
}
END_TEST

START_TEST(test_restored_at_the_normal_end)
{
	int status = wait_child(start_child(end_restore));

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	ck_assert(!terminal_is_raw());
}
END_TEST

START_TEST(test_restored_by_signals_that_still_kill)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGSEGV, SIGBUS};

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		pid_t pid = start_child(i % 2 ? end_wait : end_again);
		int status;

		expect_raw(true);
		wait_a_bit(); /* end_again */
		expect_raw(true);
		kill(pid, signals[i]);
		status = wait_child(pid);
		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == signals[i]);
		ck_assert(!terminal_is_raw());
	}
}
END_TEST

START_TEST(test_restored_by_crashes_that_still_crash)
{
	static const struct {
		void (*end)(void);
		int signal;
	} cases[] = {{end_abort, SIGABRT}, {end_fault, SIGSEGV}, {end_raise, SIGSEGV}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		int status = wait_child(start_child(cases[i].end));

		ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == cases[i].signal);
		ck_assert(!terminal_is_raw());
	}
}
END_TEST

START_TEST(test_stopped_process_gives_the_terminal_back_for_the_time)
{
	pid_t pid = start_child(end_wait);
	int status;

	expect_raw(true);
	kill(pid, SIGTSTP);
	ck_assert_int_eq(waitpid(pid, &status, WUNTRACED), pid);
	ck_assert(WIFSTOPPED(status));
	ck_assert(!terminal_is_raw());
	kill(pid, SIGCONT);
	expect_raw(true);
	kill(pid, SIGTERM);
	wait_child(pid);
	ck_assert(!terminal_is_raw());
}
END_TEST

static void end_ignore_hangup(void)
{
	terminal_restore();
	signal(SIGHUP, SIG_IGN);
	if (terminal_make_raw(open(terminal_path, O_RDWR | O_CLOEXEC), NULL) < 0)
		_exit(97);
	raise(SIGHUP);
	_exit(terminal_is_raw() ? 0 : 1);
}

START_TEST(test_ignored_signals_stay_ignored)
{
	int status = wait_child(start_child(end_ignore_hangup));

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

static void exit_by_signal(int signal)
{
	_exit(signal == SIGTERM && !terminal_is_raw() ? 0 : 1);
}

static void end_with_handler(void)
{
	terminal_restore();
	signal(SIGTERM, exit_by_signal);
	if (terminal_make_raw(open(terminal_path, O_RDWR | O_CLOEXEC), NULL) < 0)
		_exit(97);
	raise(SIGTERM);
}

START_TEST(test_handler_that_was_there_is_called_after_ours)
{
	int status = wait_child(start_child(end_with_handler));

	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_what_is_no_terminal_is_left_alone,
		test_terminal_is_raw_until_restored,
		test_restored_at_the_normal_end,
		test_restored_by_signals_that_still_kill,
		test_restored_by_crashes_that_still_crash,
		test_stopped_process_gives_the_terminal_back_for_the_time,
		test_ignored_signals_stay_ignored,
		test_handler_that_was_there_is_called_after_ours,
	};
	Suite *suite = suite_create("terminal");
	TCase *tcase = tcase_create("terminal");

	tcase_add_checked_fixture(tcase, set_up, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
