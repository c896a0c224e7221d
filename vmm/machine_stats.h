/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a running machine tells about itself, as JSON; alcove(1) lists the members. */
#ifndef VMM_MACHINE_STATS_H
#define VMM_MACHINE_STATS_H

#include <jansson.h>

struct machine;

/* Who it is: for `alcove ps`. NULL: out of memory. The loop's thread, as below. */
json_t *machine_get_status(struct machine *machine);

/* That and all counters: for `alcove stats`. NULL: out of memory. */
json_t *machine_get_stats(struct machine *machine);

#endif
