/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One VM from its parts to its end. machine.c alone knows every folder. */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

struct config;
struct err;
struct host;

/* Exit status of the program; documented in alcove(1). A guest chooses 0..199 by debug-exit. */
enum exit_status {
	EXIT_STATUS_OK = 0,	     /* the guest powered off */
	EXIT_STATUS_GUEST_MAX = 199, /* larger values of the guest are reported as this */
	EXIT_STATUS_USAGE = 200,     /* command line or config file */
	EXIT_STATUS_SETUP = 201,     /* the VM could not be built: file, host or kernel */
	EXIT_STATUS_PANIC = 202,     /* the guest kernel reported a crash */
	EXIT_STATUS_SHUTDOWN = 203,  /* triple fault */
	EXIT_STATUS_RESET = 204,     /* the guest reset itself and on-reboot=exit */
	EXIT_STATUS_INTERNAL = 205,  /* KVM or Alcove failed while the guest ran */
	EXIT_STATUS_TIME_LIMIT = 206,
	EXIT_STATUS_STOPPED = 207, /* by a signal, Ctrl-A x or `alcove stop` */
};

/**
 * Build the VM that @config describes, run it to its end and take it down, again and again
 * while the guest resets itself and @config says restart.
 *
 * Returns the exit status; each of 200 and above has been explained by one line on stderr.
 */
enum exit_status machine_run(struct host *host, const struct config *config);

#endif
