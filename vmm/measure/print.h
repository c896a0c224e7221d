/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A measurement for people, and for programs. */
#ifndef VMM_MEASURE_PRINT_H
#define VMM_MEASURE_PRINT_H

#include <stdio.h>

struct config;
struct measure_request;
struct measurement;

/* The words for enum launch_profile and enum launch_order; each ends with NULL. */
extern const char *const measure_profile_words[];
extern const char *const measure_order_words[];

/* config->verbosity: 1 and more for the list of pieces. */
void measure_print(FILE *out, const struct config *config,
		   const struct measure_request *request,
		   const struct measurement *measurement);

/* Returns 0 or -ENOMEM with nothing printed. */
int measure_print_json(FILE *out, const struct config *config,
		       const struct measure_request *request,
		       const struct measurement *measurement);

#endif
