// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/suite/run.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/config_file.h"
#include "vmm/err.h"
#include "vmm/machine.h"
#include "vmm/range.h"
#include "vmm/suite/child.h"
#include "vmm/suite/prepare.h"
#include "vmm/suite/watch.h"

enum {
	ARGUMENTS_MAX = 64,
	TYPED_MAX_BYTES = 4096,
	ERRORS_MAX_BYTES = 64 * 1024, /* of stderr; the rest is dropped */
	CONSOLE_MAX_BYTES = 16 << 20, /* in the log, idem */
	STOP_MS = 3000,		      /* for last words at the time limit */
};

struct run {
	struct watch watch;
	const struct suite_file *file;
	struct child child;
	FILE *log;
	bool has_ended;
	bool is_late;
	bool is_interrupted;
	siginfo_t status; /* as from waitid */
	size_t typed_bytes;
	size_t console_bytes;
	size_t errors_bytes;
	char typed[TYPED_MAX_BYTES]; /* not yet taken by the program */
	char errors[ERRORS_MAX_BYTES + 1];
};

/* --- Command line of the program --- */

struct arguments {
	char *words[ARGUMENTS_MAX + 1]; /* of their own; NULL-terminated */
	unsigned int n;
};

static void arguments_fini(struct arguments *arguments)
{
	for (unsigned int i = 0; i < arguments->n; i++)
		free(arguments->words[i]);
	arguments->n = 0;
}

/* Takes @word. */
static int arguments_take(struct arguments *arguments, char *word, struct err *err)
{
	if (!word)
		return err_set(err, -ENOMEM, "out of memory; free some");
	if (arguments->n == ARGUMENTS_MAX) {
		free(word);
		return err_set(err, -E2BIG, "more than %d arguments; remove some",
			       ARGUMENTS_MAX);
	}
	arguments->words[arguments->n++] = word;
	return 0;
}

static int arguments_make(struct arguments *arguments, const struct suite_env *env,
			  const struct suite_file *file, const struct suite_case *suite_case,
			  struct err *err)
{
	_cleanup_free_ char *more = NULL;
	char *rest;
	int result = arguments_take(arguments, strdup(env->program), err);

	if (result == 0)
		result = arguments_take(arguments, strdup("run"), err);
	if (result == 0)
		result = arguments_take(arguments, strdup(file->path), err);
	/* Where the processors of a guest that hangs are; a file may ask for more. */
	if (result == 0)
		result = arguments_take(arguments, strdup("--verbosity=1"), err);
	for (unsigned int i = 0; i < suite_case->n_options && result == 0; i++) {
		char *option = NULL;

		result = config_file_expand(file->path, suite_case->options[i], &option, err);
		if (result == 0)
			result = arguments_take(arguments, option, err);
	}
	if (result == 0)
		result = config_file_expand(file->path, file->arguments, &more, err);
	rest = more;
	for (char *word = strtok_r(rest, " \t", &rest); word && result == 0;
	     word = strtok_r(NULL, " \t", &rest))
		result = arguments_take(arguments, strdup(word), err);
	for (char **option = env->options; *option && result == 0; option++)
		result = arguments_take(arguments, strdup(*option), err);
	return result;
}

/* --- While it runs --- */

/* The watch has seen what a text or a signal was waiting for. */
static void step_act(struct watch *watch, const struct item *item)
{
	struct run *run = container_of(watch, struct run, watch);
	size_t room = sizeof(run->typed) - run->typed_bytes;
	size_t bytes = item->text_bytes < room ? item->text_bytes : room;

	if (run->child.input < 0)
		return; /* too late: nobody is left to act on */
	if (item->kind == ITEM_SIGNAL) {
		kill(run->child.pid, item->signal);
		return;
	}
	memcpy(run->typed + run->typed_bytes, item->text, bytes);
	run->typed_bytes += bytes;
}

static void input_write(struct run *run)
{
	ssize_t written = write(run->child.input, run->typed, run->typed_bytes);

	if (written < 0 && errno != EAGAIN) {
		/* Nobody reads any more; the exit will tell why. */
		written = (ssize_t)run->typed_bytes;
	}
	if (written <= 0)
		return;
	run->typed_bytes -= (size_t)written;
	memmove(run->typed, run->typed + written, run->typed_bytes);
}

/* Some of what is there; 0 when nothing is. Closes @fd at the end of it. */
static size_t pipe_read(int *fd, char *buffer, size_t size_bytes)
{
	ssize_t bytes = *fd < 0 ? 0 : read(*fd, buffer, size_bytes);

	if (bytes > 0)
		return (size_t)bytes;
	/* A terminal without a program fails instead of ending. */
	if (*fd >= 0 && (bytes == 0 || errno != EAGAIN))
		close(take_fd(fd));
	return 0;
}

static bool output_read(struct run *run)
{
	char buffer[4096];
	size_t bytes = pipe_read(&run->child.output, buffer, sizeof(buffer));

	if (run->console_bytes < CONSOLE_MAX_BYTES)
		run->console_bytes += fwrite(buffer, 1, bytes, run->log);
	watch_feed(&run->watch, buffer, bytes);
	return bytes > 0;
}

static bool errors_read(struct run *run)
{
	char buffer[4096];
	size_t bytes = pipe_read(&run->child.errors, buffer, sizeof(buffer));
	size_t room = ERRORS_MAX_BYTES - run->errors_bytes;
	size_t kept = bytes < room ? bytes : room;

	memcpy(run->errors + run->errors_bytes, buffer, kept);
	run->errors_bytes += kept;
	return bytes > 0;
}

static void signals_read(struct run *run, int signal_fd)
{
	struct signalfd_siginfo info;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo != SIGCHLD)
			run->is_interrupted = true;
	}
	run->has_ended = child_poll(&run->child, &run->status);
}

static uint64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Until it ends, or there is a reason to end it. False when @limit_ms were not enough. */
static bool run_wait(struct run *run, int signal_fd, uint64_t limit_ms)
{
	uint64_t end_ms = clock_now_ms() + limit_ms;

	while (!run->has_ended && !run->is_interrupted && !run->watch.forbidden) {
		/* poll ignores descriptors below 0. */
		struct pollfd fds[] = {
			{.fd = signal_fd, .events = POLLIN},
			{.fd = run->child.output, .events = POLLIN},
			{.fd = run->child.errors, .events = POLLIN},
			{.fd = run->typed_bytes ? run->child.input : -1, .events = POLLOUT},
		};
		uint64_t now_ms = clock_now_ms();

		if (now_ms >= end_ms)
			return false;
		if (poll(fds, ARRAY_SIZE(fds), (int)(end_ms - now_ms)) < 0)
			continue;
		if (fds[1].revents)
			output_read(run);
		if (fds[2].revents)
			errors_read(run);
		if (fds[3].revents)
			input_write(run);
		if (fds[0].revents)
			signals_read(run, signal_fd);
	}
	return true;
}

/* One that is late is asked to stop first: what it says then tells where it hangs. */
static void run_to_end(struct run *run, int signal_fd)
{
	run->is_late = !run_wait(run, signal_fd, (uint64_t)run->file->time_limit_s * 1000);
	if (!run->is_late)
		return;
	kill(run->child.pid, SIGTERM);
	run_wait(run, signal_fd, STOP_MS);
}

/* --- Verdict --- */

/* Does a line say more than what happens? */
static bool errors_explain(const char *errors)
{
	static const char ours[] = "alcove: ";
	static const char info[] = "info: ";

	for (const char *line = strstr(errors, ours); line; line = strstr(line, ours)) {
		line += sizeof(ours) - 1;
		if (strncmp(line, info, sizeof(info) - 1) != 0)
			return true;
	}
	return false;
}

static bool errors_have(char *errors, const struct pattern *pattern)
{
	bool found = false;

	/* Lines are cut for the time of a comparison. */
	for (char *line = errors; *line && !found;) {
		char *end = strchrnul(line, '\n');
		char saved = *end;

		*end = '\0';
		found = pattern_match(pattern, line, true, NULL);
		*end = saved;
		line = saved ? end + 1 : end;
	}
	return found;
}

/* "exit status 3", "signal SEGV". */
static void status_describe(const siginfo_t *status, char *text, size_t bytes)
{
	if (status->si_code == CLD_EXITED)
		snprintf(text, bytes, "exit status %d", status->si_status);
	else
		snprintf(text, bytes, "signal %s", sigabbrev_np(status->si_status));
}

static enum suite_verdict status_judge(struct run *run, struct err *reason)
{
	const struct suite_file *file = run->file;
	unsigned int exit_status = (unsigned int)run->status.si_status;
	char status[32];

	status_describe(&run->status, status, sizeof(status));
	if (watch_pending(&run->watch)) {
		err_set(reason, -EPROTO, "%s; console: '%s' did not appear", status,
			watch_pending(&run->watch)->pattern.text);
		return SUITE_FAILED;
	}
	if (run->status.si_code != CLD_EXITED || exit_status != file->exit_status) {
		err_set(reason, -EPROTO, "%s instead of %u", status, file->exit_status);
		return SUITE_FAILED;
	}
	for (unsigned int i = 0; i < file->n_items; i++) {
		if (file->items[i].kind == ITEM_ERROR &&
		    !errors_have(run->errors, &file->items[i].pattern)) {
			err_set(reason, -EPROTO, "stderr: '%s' did not appear",
				file->items[i].pattern.text);
			return SUITE_FAILED;
		}
	}
	if (exit_status >= EXIT_STATUS_USAGE && !errors_explain(run->errors)) {
		err_set(reason, -EPROTO, "%s was not explained on stderr", status);
		return SUITE_FAILED;
	}
	return SUITE_PASSED;
}

static enum suite_verdict run_judge(struct run *run, struct err *reason)
{
	const struct item *pending = watch_pending(&run->watch);

	if (run->is_interrupted) {
		err_set(reason, -EINTR, "interrupted");
		return SUITE_INTERRUPTED;
	}
	if (run->watch.forbidden) {
		err_set(reason, -EPROTO, "console: forbidden '%s' appeared",
			run->watch.forbidden->pattern.text);
		return SUITE_FAILED;
	}
	if (run->is_late) {
		err_set(reason, -ETIMEDOUT, "still running after %u s%s%s%s",
			run->file->time_limit_s, pending ? "; console: '" : "",
			pending ? pending->pattern.text : "",
			pending ? "' did not appear" : "");
		return SUITE_FAILED;
	}
	return status_judge(run, reason);
}

/* A test that must fail is good when it fails, for the reason it names. */
static enum suite_verdict verdict_turn(const struct suite_file *file,
				       enum suite_verdict verdict, struct err *reason)
{
	if (!file->must_fail.text || (verdict != SUITE_PASSED && verdict != SUITE_FAILED))
		return verdict;
	if (verdict == SUITE_PASSED)
		err_set(reason, -EPROTO, "passed, but must fail with '%s'",
			file->must_fail.text);
	else if (pattern_match(&file->must_fail, reason->text, true, NULL))
		return SUITE_PASSED;
	else
		err_prefix(reason, "failed, but not with '%s'", file->must_fail.text);
	return SUITE_FAILED;
}

/* --- One case --- */

static enum suite_verdict run_program(struct run *run, const struct suite_env *env,
				      struct arguments *arguments, struct err *reason)
{
	enum suite_verdict verdict;

	if (child_start(&run->child, arguments->words, run->file->uses_terminal, &env->mask,
			reason) < 0)
		return SUITE_BROKEN;
	run_to_end(run, env->signal_fd);
	if (child_end(&run->child) < 0) {
		err_set(reason, -ETIMEDOUT, "something of it does not end, even when killed");
		verdict = SUITE_BROKEN;
	} else {
		while (output_read(run) || errors_read(run))
			;
		watch_finish(&run->watch);
		verdict = run_judge(run, reason);
	}
	child_close(&run->child);
	fprintf(run->log, "\n--- stderr ---\n%s--- %s ---\n", run->errors,
		verdict == SUITE_PASSED ? "passed" : reason->text);
	return verdict_turn(run->file, verdict, reason);
}

static enum suite_verdict run_with_log(const struct suite_env *env,
				       const struct suite_file *file,
				       struct arguments *arguments, const char *log_path,
				       struct err *reason)
{
	_cleanup_fclose_ FILE *log = fopen(log_path, "we");
	_cleanup_free_ struct run *run = calloc(1, sizeof(*run));

	if (!log || !run) {
		err_set(reason, -errno, "log '%s': %s; choose another --log-dir", log_path,
			err_describe(errno));
		return SUITE_BROKEN;
	}
	fputs("---", log);
	for (unsigned int i = 0; i < arguments->n; i++)
		fprintf(log, " %s", arguments->words[i]);
	fputs(" ---\n", log);

	run->file = file;
	run->log = log;
	watch_init(&run->watch, file, step_act);
	return run_program(run, env, arguments, reason);
}

/* Puts the values of a case into the environment, where files and patterns find them. */
static int variables_set(const struct suite_case *suite_case, bool set, struct err *err)
{
	for (unsigned int i = 0; i < suite_case->n_options; i++) {
		/* "--cpus=2" */
		const char *name = suite_case->options[i] + 2;
		const char *value = strchr(name, '=') + 1;
		_cleanup_free_ char *copy = strndup(name, (size_t)(value - name) - 1);

		if (!copy || (set ? setenv(copy, value, 1) : unsetenv(copy)) < 0)
			return err_set(err, -ENOMEM, "out of memory; free some");
	}
	return 0;
}

static enum suite_verdict run_prepared(const struct suite_env *env,
				       const struct suite_file *planned,
				       const struct suite_case *suite_case,
				       const char *log_path, struct err *reason)
{
	_cleanup_free_ struct suite_file *file = calloc(1, sizeof(*file));
	enum suite_verdict verdict = SUITE_BROKEN;
	struct arguments arguments = {0};

	if (!file || suite_file_read(file, planned->path, true, reason) < 0)
		return SUITE_BROKEN;
	if (arguments_make(&arguments, env, file, suite_case, reason) == 0)
		verdict = run_with_log(env, file, &arguments, log_path, reason);
	arguments_fini(&arguments);
	suite_file_fini(file);
	return verdict;
}

enum suite_verdict suite_run(const struct suite_env *env, const struct suite_file *file,
			     const struct suite_case *suite_case, const char *log_path,
			     struct err *ret_reason)
{
	enum suite_verdict verdict = SUITE_BROKEN;
	char scratch[SCRATCH_PATH_MAX_BYTES] = "";
	int result = variables_set(suite_case, true, ret_reason);

	if (result == 0)
		result = suite_check_requirements(file, ret_reason);
	if (result > 0)
		verdict = SUITE_SKIPPED;
	if (result == 0)
		result = suite_make_scratch(file, scratch, ret_reason);
	if (result == 0)
		verdict = run_prepared(env, file, suite_case, log_path, ret_reason);
	suite_remove_scratch(scratch);
	variables_set(suite_case, false, NULL);
	return verdict;
}
