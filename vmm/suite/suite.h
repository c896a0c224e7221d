/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `alcove test`: run the tests in files and directories, and report in KTAP. */
#ifndef VMM_SUITE_H
#define VMM_SUITE_H

#include <stdio.h>

/**
 * @argv: what follows the command's name.
 * Returns the exit status, 1 when a case failed; -1 when help was asked for.
 */
int suite_command(char **argv);
void suite_print_help(FILE *out);

#endif
