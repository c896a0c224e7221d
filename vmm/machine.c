// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * One VM from its parts to its end, and again after a reset.
 *
 * Three kinds of threads live meanwhile: this one, which waits for the end and does jobs for
 * the others until then; the loop's, which does all I/O; one per vCPU. Whoever learns that the
 * machine is to end says so; the first one counts.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "vmm/certs.h"
#include "vmm/cleanup.h"
#include "vmm/control/socket.h"
#include "vmm/log.h"
#include "vmm/machine_control.h"
#include "vmm/machine_parts.h"
#include "vmm/sandbox.h"
#include "vmm/sigbus.h"
#include "vmm/terminal.h"
#include "vmm/type.h"

void machine_end(struct machine *machine, enum end_kind kind, unsigned int code,
		 const char *reason)
{
	WITH_LOCK(&machine->lock);

	if (machine->end.kind != END_NOT_YET)
		return;
	machine->end.kind = kind;
	machine->end.code = code;
	strncpy(machine->end.reason, reason, sizeof(machine->end.reason) - 1);
	pthread_cond_signal(&machine->woken);
}

bool machine_has_ended(struct machine *machine)
{
	WITH_LOCK(&machine->lock);

	return machine->end.kind != END_NOT_YET;
}

/* What all lives of a VM share. */
struct lives {
	struct host *host;
	const struct config *config;
	struct log *log;
	sigset_t stop_signals;
	struct control_socket control;
	struct certs *certs; /* NULL: none */
	struct timespec started;
	struct timespec deadline; /* if the configuration has a time limit */
	unsigned int n_resets;	  /* so far */
};

static void machine_init(struct machine *machine, const struct lives *lives)
{
	pthread_condattr_t monotonic;

	*machine = (struct machine){
		.host = lives->host,
		.config = lives->config,
		.type = guest_type_find(lives->config->type),
		.log = lives->log,
		.n_resets = lives->n_resets,
		.started = lives->started,
		.control_socket = &lives->control,
		.certs = lives->certs,
		.vm = -1,
		.signals = -1,
		.serial_log = -1,
		.stop_signals = lives->stop_signals,
	};
	pthread_mutex_init(&machine->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&machine->woken, &monotonic);
	pthread_condattr_destroy(&monotonic);
}

/* False when it had to stay as it is; see machine_stop_parts. */
static bool machine_fini(struct machine *machine)
{
	if (!machine_stop_parts(machine))
		return false;
	pthread_cond_destroy(&machine->woken);
	pthread_mutex_destroy(&machine->lock);
	return true;
}

void machine_submit(struct machine *machine, struct machine_job *job)
{
	struct machine_job **link = &machine->jobs;
	WITH_LOCK(&machine->lock);

	job->machine = machine;
	job->next = NULL;
	while (*link)
		link = &(*link)->next;
	*link = job;
	pthread_cond_signal(&machine->woken);
}

static void job_post_done(struct loop_post *post)
{
	struct machine_job *job = container_of(post, struct machine_job, post);

	job->done(job);
}

/* Do the first job, with the lock open meanwhile. */
static void machine_work_locked(struct machine *machine)
{
	struct machine_job *job = machine->jobs;

	machine->jobs = job->next;
	pthread_mutex_unlock(&machine->lock);
	job->work(job);
	job->post.fn = job_post_done;
	loop_post(machine->loop, &job->post);
	pthread_mutex_lock(&machine->lock);
}

/* The end, or as long as it takes to finish the job at hand after it. */
static struct end machine_wait(struct machine *machine, const struct timespec *deadline)
{
	WITH_LOCK(&machine->lock);
	int ret = 0;

	while (machine->end.kind == END_NOT_YET && ret != ETIMEDOUT) {
		if (machine->jobs)
			machine_work_locked(machine);
		else if (deadline)
			ret = pthread_cond_timedwait(&machine->woken, &machine->lock, deadline);
		else
			ret = pthread_cond_wait(&machine->woken, &machine->lock);
	}
	if (machine->end.kind == END_NOT_YET)
		machine->end.kind = END_TIME_LIMIT;
	return machine->end;
}

static void end_set_stuck(struct end *end, int loop_result)
{
	end->kind = END_FAILED;
	if (loop_result == -ETIMEDOUT)
		snprintf(end->reason, sizeof(end->reason),
			 "loop: a disk has not answered for 10 s, its requests are abandoned; "
			 "look at the host's storage");
	else
		snprintf(end->reason, sizeof(end->reason),
			 "loop: io_uring failed: %s; look at the host's kernel log",
			 err_describe(loop_result));
}

/* One life of the VM: from its parts to its end. */
static struct end machine_live(const struct lives *lives)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	struct end end = {.kind = END_NO_START};
	struct err err = {0};
	int ret;

	if (!machine) {
		snprintf(end.reason, sizeof(end.reason), "out of memory");
		return end;
	}
	machine_init(machine, lives);
	ret = machine_start_parts(machine, &err);
	/* Whoever ended it meanwhile has the better reason. */
	if (ret && !machine_has_ended(machine))
		memcpy(end.reason, err.text, sizeof(end.reason));
	else
		end = machine_wait(machine,
				   lives->config->time_limit_s ? &lives->deadline : NULL);
	if (machine_fini(machine)) {
		free(machine);
	} else {
		end_set_stuck(&end, machine->loop_result);
	}
	return end;
}

static const struct {
	enum exit_status status;
	const char *message; /* NULL: nothing to explain, or outcome_log knows more */
} outcomes[] = {
	[END_NO_START] = {EXIT_STATUS_SETUP, NULL},
	[END_POWER_OFF] = {EXIT_STATUS_OK, NULL},
	[END_RESET] = {EXIT_STATUS_RESET, "the guest reset itself, and on-reboot is exit"},
	[END_PANIC] = {EXIT_STATUS_PANIC, "the guest kernel panicked; its console says why"},
	[END_EXIT] = {EXIT_STATUS_OK, NULL},
	[END_QUIT] = {EXIT_STATUS_STOPPED, "stopped from the console"},
	[END_SIGNAL] = {EXIT_STATUS_STOPPED, NULL},
	[END_STOP] = {EXIT_STATUS_STOPPED, "stopped by `alcove stop`"},
	[END_SHUTDOWN] = {EXIT_STATUS_SHUTDOWN,
			  "a processor of the guest shut down (triple fault)"},
	[END_CRASH] = {EXIT_STATUS_PANIC, NULL},
	[END_TIME_LIMIT] = {EXIT_STATUS_TIME_LIMIT,
			    "the guest was still running at the time limit"},
	[END_FAILED] = {EXIT_STATUS_INTERNAL, NULL},
};

static struct timespec deadline_after(unsigned int seconds)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += (time_t)seconds;
	return deadline;
}

static void outcome_log(struct log *log, const struct end *end)
{
	switch (end->kind) {
	case END_NO_START:
	case END_CRASH:
	case END_FAILED:
		log_error(log, "%s", end->reason);
		break;
	case END_SIGNAL:
		log_error(log, "stopped by signal %s", sigabbrev_np((int)end->code));
		break;
	default:
		if (outcomes[end->kind].message)
			log_error(log, "%s", outcomes[end->kind].message);
	}
}

static enum exit_status outcome_status(const struct end *end)
{
	if (end->kind != END_EXIT)
		return outcomes[end->kind].status;
	return end->code < EXIT_STATUS_GUEST_MAX ? (enum exit_status)end->code
						 : EXIT_STATUS_GUEST_MAX;
}

/* Life after life, until one does not end in a reset that asks for the next. */
static enum exit_status machine_run_lives(struct lives *lives)
{
	struct end end;

	lives->started = deadline_after(0);
	lives->deadline = deadline_after(lives->config->time_limit_s);
	for (;; lives->n_resets++) {
		end = machine_live(lives);
		if (end.kind != END_RESET || lives->config->on_reboot != REBOOT_RESTART)
			break;
		log_guest(lives->log, LOG_INFO, "the guest reset itself");
	}

	terminal_restore();
	outcome_log(lives->log, &end);
	return outcome_status(&end);
}

static void stop_signals_init(sigset_t *ret_signals)
{
	static const int signals[] = {SIGTERM, SIGINT, SIGHUP};

	sigemptyset(ret_signals);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		struct sigaction action;

		/* What somebody chose to ignore (nohup) stays so; a signalfd would get it. */
		if (sigaction(signals[i], NULL, &action) == 0 && action.sa_handler != SIG_IGN)
			sigaddset(ret_signals, signals[i]);
	}
}

/* Those that came after the first (timeout(1) sends two): the machine has ended already. */
static void stop_signals_forget(const sigset_t *signals)
{
	const struct timespec at_once = {0};

	while (sigtimedwait(signals, NULL, &at_once) > 0)
		;
}

/* As many as there may be: every interrupt of an assigned device that the guest uses is one. */
static void descriptors_allow(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

enum exit_status machine_run(struct host *host, const struct config *config)
{
	enum exit_status status = EXIT_STATUS_SETUP;
	struct log log;
	struct lives lives = {
		.host = host, .config = config, .log = &log, .control = {.fd = -1}};
	struct err err = {0};
	sigset_t old_signals;
	int ret = 0;

	stop_signals_init(&lives.stop_signals);
	log_init(&log, STDERR_FILENO, config->verbosity);
	vcpu_init_signal();
	sigbus_init();
	/* Who reads our output may go before the guest does: that is a failed write, no reason
	 * to die. */
	signal(SIGPIPE, SIG_IGN);
	descriptors_allow();
	if (config->console != CONSOLE_NONE)
		ret = terminal_make_raw(STDIN_FILENO, &err);
	if (!ret)
		ret = machine_open_control(config, &log, &lives.control, &err);
	if (!ret && config->snp_certs)
		ret = certs_open(config->snp_certs, &log, &lives.certs, &err);
	if (!ret)
		ret = sandbox_enter(SANDBOX_MAIN |
					    (config->tdx_quote_socket ? SANDBOX_QUOTES : 0),
				    config->sandbox, &err);

	pthread_sigmask(SIG_BLOCK, &lives.stop_signals, &old_signals);
	if (!ret) {
		status = machine_run_lives(&lives);
	} else {
		terminal_restore();
		log_error(&log, "%s", err.text);
	}
	control_socket_close(&lives.control);
	certs_close(lives.certs);
	stop_signals_forget(&lives.stop_signals);
	pthread_sigmask(SIG_SETMASK, &old_signals, NULL);
	log_fini(&log);
	return status;
}
