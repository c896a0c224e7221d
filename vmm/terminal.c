// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Handlers may run on any thread at any time. What they read is written before is_raw becomes
 * true and not changed while it is.
 */
#include "vmm/terminal.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <termios.h>
#include <unistd.h>

#include "vmm/err.h"
#include "vmm/range.h"

static void end_handle(int signal, siginfo_t *info, void *context);
static void stop_handle(int signal, siginfo_t *info, void *context);
static void continue_handle(int signal, siginfo_t *info, void *context);

/* What ends a process, by default or because it crashed; and what stops and continues it. */
static const struct {
	int signal;
	void (*handle)(int signal, siginfo_t *info, void *context);
} handlers[] = {
	{SIGHUP, end_handle},	{SIGINT, end_handle},	    {SIGQUIT, end_handle},
	{SIGTERM, end_handle},	{SIGABRT, end_handle},	    {SIGILL, end_handle},
	{SIGBUS, end_handle},	{SIGFPE, end_handle},	    {SIGSEGV, end_handle},
	{SIGTSTP, stop_handle}, {SIGCONT, continue_handle},
};

static struct {
	_Atomic bool is_raw;
	int fd;
	struct termios before;
	struct termios raw;
	struct sigaction actions[ARRAY_SIZE(handlers)]; /* before ours */
} terminal;

/* Nothing, when the terminal is another job's: it would stop us, and is not ours to set. */
static void settings_apply(const struct termios *settings)
{
	pid_t job = tcgetpgrp(terminal.fd);

	if (job >= 0 && job != getpgrp())
		return;
	/* Not TCSADRAIN: output may wait for ever. */
	while (tcsetattr(terminal.fd, TCSANOW, settings) < 0 && errno == EINTR)
		;
}

/* A fault comes again when its handler returns, with the registers as they were. */
static bool signal_is_fault(int signal, const siginfo_t *info)
{
	bool may_fault =
		signal == SIGILL || signal == SIGBUS || signal == SIGFPE || signal == SIGSEGV;

	return may_fault && info->si_code > 0;
}

/* Gives the terminal back and lets the signal do what it would have done without us. */
static void end_handle(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	(void)context;
	if (atomic_load(&terminal.is_raw))
		settings_apply(&terminal.before);
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		if (handlers[i].signal == signal)
			sigaction(signal, &terminal.actions[i], NULL);
	}
	/* Blocked until the handler returns. */
	if (!signal_is_fault(signal, info))
		raise(signal);
	errno = saved_errno;
}

static void stop_handle(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	(void)signal;
	(void)info;
	(void)context;
	if (atomic_load(&terminal.is_raw))
		settings_apply(&terminal.before);
	raise(SIGSTOP);
	errno = saved_errno;
}

/* Also after a SIGSTOP that nobody announced: the shell has set the terminal meanwhile. */
static void continue_handle(int signal, siginfo_t *info, void *context)
{
	int saved_errno = errno;

	(void)signal;
	(void)info;
	(void)context;
	if (atomic_load(&terminal.is_raw))
		settings_apply(&terminal.raw);
	errno = saved_errno;
}

static void handlers_install(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++) {
		struct sigaction action = {
			.sa_sigaction = handlers[i].handle,
			.sa_flags = SA_SIGINFO | SA_RESTART,
		};

		sigaction(handlers[i].signal, NULL, &terminal.actions[i]);
		/* What somebody chose to ignore (nohup) stays so. */
		if (terminal.actions[i].sa_handler != SIG_IGN)
			sigaction(handlers[i].signal, &action, NULL);
	}
}

int terminal_make_raw(int fd, struct err *err)
{
	struct termios before;

	ASSERT(!atomic_load(&terminal.is_raw));
	if (!isatty(fd))
		return 0;
	if (tcgetattr(fd, &before) < 0)
		return err_set(
			err, -errno,
			"terminal: cannot read its settings: %s; redirect standard input",
			err_describe(errno));
	terminal.fd = fd;
	terminal.before = before;
	terminal.raw = before;
	cfmakeraw(&terminal.raw);
	handlers_install();
	atomic_store(&terminal.is_raw, true);
	settings_apply(&terminal.raw);
	return 0;
}

void terminal_restore(void)
{
	if (!atomic_load(&terminal.is_raw))
		return;
	settings_apply(&terminal.before);
	atomic_store(&terminal.is_raw, false);
	for (size_t i = 0; i < ARRAY_SIZE(handlers); i++)
		sigaction(handlers[i].signal, &terminal.actions[i], NULL);
}
