/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who answers on the control socket of a running VM. All of it is on the loop's thread, and
 * nothing waits: a client that neither sends nor reads costs its place among
 * CONTROL_CLIENTS_MAX, and that for a bounded time.
 */
#ifndef VMM_CONTROL_SERVER_H
#define VMM_CONTROL_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "vmm/control/control.h"

struct loop;

enum { CONTROL_CLIENTS_MAX = 8 };

/* Which request an answer is for. */
struct control_ticket {
	unsigned int client;
	uint64_t number;
};

struct control_ops {
	/**
	 * Answer @request. Must not block.
	 *
	 * Returns 0 with a result that becomes the server's; -EINPROGRESS: control_answer will
	 * be called with @ticket; else -errno with @err.
	 */
	int (*handle)(void *owner, const struct control_request *request,
		      struct control_ticket ticket, json_t **ret_result, struct err *err);
	void *owner;
};

struct control_limits {
	uid_t owner;	    /* who may be a client, beside root */
	uint64_t client_ns; /* for a request to come, from the reply before on, or a reply to go
			     */
	uint64_t answer_ns; /* for a late answer; then the client is told so */
};

struct control_server;

/* @fd: listens, does not block, stays the caller's. Returns 0 or -ENOMEM. Before loop_run. */
int control_server_new(struct loop *loop, int fd, const struct control_limits *limits,
		       const struct control_ops *ops, struct control_server **ret_server);
/* After loop_run, or without it. Accepts NULL. */
void control_server_free(struct control_server *server);

/**
 * The late answer for @ticket, on the loop's thread. @result: becomes the server's; NULL: @err
 * says why. Nobody may be waiting any more: then it is dropped.
 */
void control_answer(struct control_server *server, struct control_ticket ticket, json_t *result,
		    const struct err *err);

/* May a process of user @peer control a VM of user @own? */
bool control_may(uid_t peer, uid_t own);

#endif
