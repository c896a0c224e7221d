/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The report of the preflight, as text and as JSON. */
#ifndef VMM_PROBE_PRINT_H
#define VMM_PROBE_PRINT_H

#include <stdio.h>

struct probe;

void probe_print(FILE *out, const struct probe *probe);

/* Returns 0, -ENOMEM with nothing written. */
int probe_print_json(FILE *out, const struct probe *probe);

#endif
