/* SPDX-License-Identifier: GPL-2.0-or-later */
/* `alcove measure`: what the attestation report of a guest will say of its launch. */
#ifndef VMM_MEASURE_COMMAND_H
#define VMM_MEASURE_COMMAND_H

#include <stdio.h>

/* For the completion. */
#define MEASURE_OPTIONS                                                                    \
	"--json --vcpu-model= --profile= --mrtd-order= --c-bit= --gpa-bits= --features= "  \
	"--id-key= --author-key= --id-block-out= --id-auth-out= --family-id= --image-id= " \
	"--svn="

/* @argv: what follows the name. Returns the exit status; -1 when help was asked for. */
int measure_command(char **argv);
void measure_print_help(FILE *out);

#endif
