// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/suite/child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

enum { END_TRIES_MAX = 5000 }; /* of a millisecond each */

/* The ends that the child gets, and ours. */
struct channels {
	int input[2];
	int output[2];
	int errors[2];
	char terminal[64]; /* its path; "" for pipes */
};

static void channels_close(struct channels *channels)
{
	for (int i = 0; i < 2; i++) {
		cleanup_close(&channels->input[i]);
		cleanup_close(&channels->output[i]);
		cleanup_close(&channels->errors[i]);
	}
}

static int terminal_open(struct channels *channels)
{
	int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	channels->input[1] = fd;
	channels->output[0] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (channels->output[0] < 0 || grantpt(fd) < 0 || unlockpt(fd) < 0 ||
	    ptsname_r(fd, channels->terminal, sizeof(channels->terminal)) != 0)
		return -errno;
	/* Held open, so that it does not hang up before the child has opened it. */
	channels->input[0] = open(channels->terminal, O_RDWR | O_NOCTTY | O_CLOEXEC);
	return channels->input[0] < 0 ? -errno : 0;
}

static int channels_open(struct channels *channels, bool uses_terminal)
{
	int result = 0;

	*channels =
		(struct channels){.input = {-1, -1}, .output = {-1, -1}, .errors = {-1, -1}};
	if (uses_terminal)
		result = terminal_open(channels);
	else if (pipe2(channels->input, O_CLOEXEC) < 0 ||
		 pipe2(channels->output, O_CLOEXEC) < 0)
		result = -errno;
	if (result == 0 && pipe2(channels->errors, O_CLOEXEC) < 0)
		result = -errno;
	if (result < 0)
		return result;
	fcntl(channels->input[1], F_SETFL, O_NONBLOCK);
	fcntl(channels->output[0], F_SETFL, O_NONBLOCK);
	fcntl(channels->errors[0], F_SETFL, O_NONBLOCK);
	return 0;
}

/* In the child, after fork. */
static _Noreturn void child_run(const struct channels *channels, char *const *argv,
				const sigset_t *mask, pid_t parent)
{
	int input = channels->input[0];
	int output = channels->output[1];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(127);
	setsid();
	/* The first terminal that the leader of a session opens becomes the session's. */
	if (*channels->terminal)
		input = output = open(channels->terminal, O_RDWR | O_CLOEXEC);
	if (dup2(input, STDIN_FILENO) < 0 || dup2(output, STDOUT_FILENO) < 0 ||
	    dup2(channels->errors[1], STDERR_FILENO) < 0)
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, mask, NULL);
	execv(argv[0], argv);
	dprintf(STDERR_FILENO, "%s: %s\n", argv[0], err_describe(errno));
	_exit(127);
}

int child_start(struct child *ret_child, char *const *argv, bool uses_terminal,
		const sigset_t *mask, struct err *err)
{
	struct channels channels;
	int result = channels_open(&channels, uses_terminal);
	pid_t parent = getpid();
	pid_t pid = -1;

	if (result == 0) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		pid = fork();
		result = pid < 0 ? -errno : 0;
	}
	if (pid == 0)
		child_run(&channels, argv, mask, parent);
	if (result == 0)
		*ret_child = (struct child){
			.pid = pid,
			.input = take_fd(&channels.input[1]),
			.output = take_fd(&channels.output[0]),
			.errors = take_fd(&channels.errors[0]),
		};
	channels_close(&channels);
	if (result < 0)
		return err_set(err, result, "cannot start '%s': %s; close some programs",
			       argv[0], err_describe(result));
	return 0;
}

bool child_poll(const struct child *child, siginfo_t *ret_status)
{
	siginfo_t status = {0};

	if (waitid(P_PID, (id_t)child->pid, &status, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	    !status.si_pid)
		return false;
	*ret_status = status;
	return true;
}

/* Kills every child of this process, which orphans of the program under test have become. */
static void orphans_kill(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/thread-self/children", "re");
	int pid;

	while (file && fscanf(file, "%d", &pid) == 1)
		kill(pid, SIGKILL);
}

int child_end(struct child *child)
{
	const struct timespec pause = {.tv_nsec = 1000000};

	cleanup_close(&child->input);
	child->input = -1;
	kill(-child->pid, SIGKILL);
	for (int i = 0; i < END_TRIES_MAX; i++) {
		pid_t pid;

		orphans_kill();
		do
			pid = waitpid(-1, NULL, WNOHANG);
		while (pid > 0);
		if (pid < 0 && errno == ECHILD)
			return 0;
		nanosleep(&pause, NULL);
	}
	return -ETIMEDOUT;
}

void child_close(struct child *child)
{
	cleanup_close(&child->input);
	cleanup_close(&child->output);
	cleanup_close(&child->errors);
	*child = (struct child){.input = -1, .output = -1, .errors = -1};
}
