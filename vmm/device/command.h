/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `alcove device`: which devices the host could give to a guest, and getting them ready. */
#ifndef VMM_DEVICE_COMMAND_H
#define VMM_DEVICE_COMMAND_H

#include <stdio.h>

/* @argv: what follows the name. Returns the exit status; -1 when help was asked for. */
int device_command(char **argv);
void device_print_help(FILE *out);

#endif
