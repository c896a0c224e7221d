/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What VMs told, for people: the same as in the JSON. A member that is missing is a dash. */
#ifndef VMM_CONTROL_PRINT_H
#define VMM_CONTROL_PRINT_H

#include <jansson.h>
#include <stdio.h>

/* All of them release what they print. */
void control_print_json(FILE *out, json_t *value);
/* @vms: an array of status objects. */
void control_print_vms(FILE *out, json_t *vms);
void control_print_stats(FILE *out, json_t *stats);

#endif
