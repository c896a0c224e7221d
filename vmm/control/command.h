/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands that ask running VMs. Each returns an exit status, -1 when help was asked for.
 * @argv: what follows the command's name.
 */
#ifndef VMM_CONTROL_COMMAND_H
#define VMM_CONTROL_COMMAND_H

#include <stdio.h>

int ps_command(char **argv);
int stats_command(char **argv);
int stop_command(char **argv);
int attach_command(char **argv);
int detach_command(char **argv);

void ps_print_help(FILE *out);
void stats_print_help(FILE *out);
void stop_print_help(FILE *out);
void attach_print_help(FILE *out);
void detach_print_help(FILE *out);

#endif
