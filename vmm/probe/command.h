/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `alcove probe`: can this host do what is wanted? */
#ifndef VMM_PROBE_COMMAND_H
#define VMM_PROBE_COMMAND_H

#include <stdio.h>

/* @argv: what follows the name. Returns the exit status; -1 when help was asked for. */
int probe_command(char **argv);
void probe_print_help(FILE *out);

#endif
