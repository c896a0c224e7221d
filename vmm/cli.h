/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The commands of the program. */
#ifndef VMM_CLI_H
#define VMM_CLI_H

/* @argv: the program's, NULL-terminated. Returns an exit status of vmm/machine.h. */
int cli_main(char **argv);

#endif
