/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is told about conversions: a trace line for each, counters at the end, broken pages. */
#ifndef VMM_CONVERSION_LOG_H
#define VMM_CONVERSION_LOG_H

struct err;
struct machine;

/* Once the machine has memory. Returns 0, or -errno with @err when the trace cannot be opened.
 */
int conversion_log_start(struct machine *machine, struct err *err);

/* Before its memory goes: the counters, if the machine is to say what happens. */
void conversion_log_stop(struct machine *machine);

#endif
