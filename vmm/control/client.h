/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A command's side of the control socket. */
#ifndef VMM_CONTROL_CLIENT_H
#define VMM_CONTROL_CLIENT_H

#include <sys/types.h>

#include "vmm/control/control.h"

struct err;

struct control_client {
	const char *name; /* of the VM */
	int fd;
	pid_t pid; /* of its process */
};

/**
 * Reach the VM @name, which is kept.
 *
 * Returns 0 or -errno with @err.
 */
int control_client_open(struct control_client *client, int directory, const char *name,
			struct err *err);
void control_client_close(struct control_client *client);

/**
 * Ask, and wait for the answer for @timeout_s at most.
 *
 * Returns 0 with a result to be released with json_decref; -ETIMEDOUT, -EPROTO, -errno, or what
 * the VM says, with @err.
 */
int control_client_ask(struct control_client *client, const struct control_request *request,
		       unsigned int timeout_s, json_t **ret_result, struct err *err);

/**
 * Have it stopped, and wait until its process is gone, for @timeout_s at most each.
 *
 * Returns 0; -ETIMEDOUT, -errno, with @err.
 */
int control_client_stop(struct control_client *client, unsigned int timeout_s, struct err *err);

#endif
