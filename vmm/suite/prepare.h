/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a case needs before it starts: conditions of the machine, and files of its own. */
#ifndef VMM_SUITE_PREPARE_H
#define VMM_SUITE_PREPARE_H

#include "vmm/suite/file.h"

enum { SCRATCH_PATH_MAX_BYTES = 256 };

/* Can this machine run the test? Returns 0, 1 with @err saying what is missing, or -errno. */
int suite_check_requirements(const struct suite_file *file, struct err *err);

/**
 * Make a directory and tell it to the environment as `scratch`, then the files that the test
 * wants there.
 *
 * @directory: at least SCRATCH_PATH_MAX_BYTES; "" when there is nothing to remove.
 * Returns 0, -errno; remove it in any case.
 */
int suite_make_scratch(const struct suite_file *file, char *directory, struct err *err);
void suite_remove_scratch(const char *directory);

#endif
