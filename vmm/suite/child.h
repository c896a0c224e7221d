/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program under test, and whatever it starts. */
#ifndef VMM_SUITE_CHILD_H
#define VMM_SUITE_CHILD_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct err;

/* The descriptors do not block; with a terminal, input and output are the same one. */
struct child {
	pid_t pid; /* also its session and process group */
	int input;
	int output;
	int errors;
};

/**
 * Start @argv in a session of its own, with signals as in @mask. It dies with this process,
 * which becomes the parent of what it leaves behind (a subreaper).
 *
 * @uses_terminal: its standard input and output are a terminal instead of pipes.
 * Returns 0; -errno with nothing left behind.
 */
int child_start(struct child *ret_child, char *const *argv, bool uses_terminal,
		const sigset_t *mask, struct err *err);

/* Has it ended? Then @ret_status is as from waitid. Its number stays taken until child_end. */
bool child_poll(const struct child *child, siginfo_t *ret_status);

/**
 * Kill what is left of it and of all that it started, also what left its session, and wait
 * until nothing is left. The caller has no other children.
 *
 * Returns 0, or -ETIMEDOUT when something does not even die of SIGKILL. Input is closed.
 */
int child_end(struct child *child);

/* Closes what is still open. */
void child_close(struct child *child);

#endif
