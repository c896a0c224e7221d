/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operator's terminal: raw while a guest has it, and as it was before at every end of the
 * process that can be caught: terminal_restore, a signal, a crash. While the process is stopped
 * (SIGTSTP), the terminal is the shell's.
 *
 * There is at most one, because signal handlers have no argument to find it by. Threads under a
 * system call filter must be let TCGETS and TCSETS* through for that.
 */
#ifndef VMM_TERMINAL_H
#define VMM_TERMINAL_H

struct err;

/**
 * Make @fd raw: every byte to the guest, none changed, no signals from keys.
 *
 * Installs handlers for the signals that end or stop a process, and leaves alone those that are
 * ignored; a handler that was there is called after the terminal is restored. A caller that
 * blocks SIGTERM and its like to wait for them restores the terminal itself.
 *
 * Does nothing when @fd is not a terminal. Returns 0, or -errno with nothing changed.
 */
int terminal_make_raw(int fd, struct err *err);

/* Undo terminal_make_raw, if it was called. Async-signal-safe. */
void terminal_restore(void);

#endif
