/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A running machine under control: what requests on its control socket do to it. */
#ifndef VMM_MACHINE_CONTROL_H
#define VMM_MACHINE_CONTROL_H

struct config;
struct control_socket;
struct err;
struct log;
struct machine;

/**
 * Listen under the name that @config has, if it has one and says so. Before the sandbox closes.
 *
 * With --control=auto, what fails is told at --verbosity=1 and no obstacle, but for a name that
 * is taken. Returns 0, also with nothing opened; -errno with @err.
 */
int machine_open_control(const struct config *config, struct log *log,
			 struct control_socket *ret_socket, struct err *err);

/* A part of a machine: who answers. Before the loop runs. */
int machine_start_control(struct machine *machine, struct err *err);
void machine_stop_control(struct machine *machine);

#endif
