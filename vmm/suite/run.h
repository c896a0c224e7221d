/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One case of a test, from its start to a verdict. */
#ifndef VMM_SUITE_RUN_H
#define VMM_SUITE_RUN_H

#include <signal.h>

#include "vmm/suite/file.h"

/* What all cases share. */
struct suite_env {
	const char *program; /* a path to alcove */
	char **options;	     /* more for `alcove run`, at the end; NULL-terminated */
	int signal_fd; /* SIGCHLD, and what interrupts the suite; the caller blocks them */
	sigset_t mask; /* signals as they were before, for the program */
};

enum suite_verdict {
	SUITE_PASSED,
	SUITE_FAILED,
	SUITE_SKIPPED,
	SUITE_BROKEN, /* the test could not be carried out */
	SUITE_INTERRUPTED,
};

/**
 * Run one case. When it returns, nothing of it is left but the log.
 *
 * @file: as planned; it is read again with the values of the case.
 * @log_path: gets the command, the console, stderr and the verdict.
 * @ret_reason: why, for every verdict but SUITE_PASSED.
 */
enum suite_verdict suite_run(const struct suite_env *env, const struct suite_file *file,
			     const struct suite_case *suite_case, const char *log_path,
			     struct err *ret_reason);

#endif
