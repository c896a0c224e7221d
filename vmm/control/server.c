// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client is reading (we wait for a line of it), waiting (for a late answer), writing (its
 * reply is on the way), or leaving. At most one poll of it is in flight, none while it waits;
 * one request is handled for each, so that a client that sends many does not keep the devices
 * waiting. A tick, four times a second while there are clients, looks for those that are late.
 */
#include "vmm/control/server.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "devices/devices.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum client_state {
	CLIENT_NONE,
	CLIENT_READING,
	CLIENT_WAITING,
	CLIENT_WRITING,
	CLIENT_LEAVING, /* its poll is being cancelled */
};

struct client {
	struct control_server *server;
	struct loop_op poll;
	enum client_state state;
	int fd;
	bool is_last;	 /* leaves after this reply */
	uint64_t number; /* of its request, of all there were */
	uint64_t deadline_ns;
	char request[CONTROL_REQUEST_MAX_BYTES];
	size_t request_bytes;
	char *reply;
	size_t reply_bytes;
	size_t sent_bytes;
};

struct control_server {
	struct loop *loop;
	int fd;
	struct control_limits limits;
	struct control_ops ops;
	struct loop_op listen;
	struct loop_op tick;
	bool is_listening; /* its poll is in flight */
	bool is_ticking;
	bool is_ending; /* the loop ends: nothing is submitted any more */
	uint64_t n_requests;
	struct client clients[CONTROL_CLIENTS_MAX];
};

static const uint64_t tick_ns = 250000000;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

bool control_may(uid_t peer, uid_t own)
{
	return peer == own || peer == 0;
}

/* --- Clients --- */

static struct client *client_find(struct control_server *server, enum client_state state)
{
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (server->clients[i].state == state)
			return &server->clients[i];
	}
	return NULL;
}

static void server_listen(struct control_server *server)
{
	if (server->is_listening || server->is_ending || !client_find(server, CLIENT_NONE))
		return;
	server->is_listening = true;
	loop_poll(server->loop, &server->listen, server->fd, POLLIN);
}

static void server_tick(struct control_server *server)
{
	if (server->is_ticking || server->is_ending)
		return;
	server->is_ticking = true;
	loop_timer(server->loop, &server->tick, tick_ns);
}

/* No operation of it is in flight. */
static void client_close(struct client *client)
{
	free(take_pointer(client->reply));
	close(client->fd);
	client->fd = -1;
	client->state = CLIENT_NONE;
	server_listen(client->server);
}

static void client_expect(struct client *client, enum client_state state, uint64_t within_ns)
{
	client->state = state;
	client->deadline_ns = now_ns() + within_ns;
}

/* Start to send @line, which becomes the client's. */
static void client_reply(struct client *client, char *line)
{
	/* Without memory for so little there is nothing to say. */
	client->reply = line;
	client->reply_bytes = line ? strlen(line) : 0;
	client->sent_bytes = 0;
	if (!line)
		client->is_last = true;
	client_expect(client, CLIENT_WRITING, client->server->limits.client_ns);
}

static void client_reply_error(struct client *client, const struct err *err)
{
	client_reply(client, control_reply_format_error(err));
}

static void client_handle(struct client *client, const char *line, size_t bytes)
{
	struct control_server *server = client->server;
	struct control_ticket ticket = {
		.client = (unsigned int)(client - server->clients),
		.number = ++server->n_requests,
	};
	struct control_request request;
	struct err err = {0};
	json_t *result = NULL;
	int ret = control_request_parse(line, bytes, &request, &err);

	client->number = ticket.number;
	if (!ret)
		ret = server->ops.handle(server->ops.owner, &request, ticket, &result, &err);
	if (ret == -EINPROGRESS)
		client_expect(client, CLIENT_WAITING, server->limits.answer_ns);
	else if (ret)
		client_reply_error(client, &err);
	else
		client_reply(client, control_reply_format(result));
}

static bool client_has_line(const struct client *client)
{
	return memchr(client->request, '\n', client->request_bytes);
}

/* What has been read up to now: perhaps a request, perhaps one that will never fit. */
static void client_take_request(struct client *client)
{
	const char *end = memchr(client->request, '\n', client->request_bytes);
	struct err err;

	if (end) {
		size_t bytes = (size_t)(end - client->request);

		client_handle(client, client->request, bytes);
		client->request_bytes -= bytes + 1;
		memmove(client->request, end + 1, client->request_bytes);
	} else if (client->request_bytes == sizeof(client->request)) {
		err_set(&err, -E2BIG,
			"request: a line has more than %d bytes; write a shorter one",
			CONTROL_REQUEST_MAX_BYTES - 1);
		client->is_last = true;
		client_reply_error(client, &err);
	}
}

/* Returns false when there is no more to come. */
static bool client_read(struct client *client)
{
	ssize_t n = read(client->fd, client->request + client->request_bytes,
			 sizeof(client->request) - client->request_bytes);

	if (n > 0)
		client->request_bytes += (size_t)n;
	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Returns false when the client is gone. */
static bool client_write(struct client *client)
{
	ssize_t n = 0;

	if (client->sent_bytes < client->reply_bytes)
		n = write(client->fd, client->reply + client->sent_bytes,
			  client->reply_bytes - client->sent_bytes);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	client->sent_bytes += (size_t)n;
	if (client->sent_bytes < client->reply_bytes)
		return true;
	free(take_pointer(client->reply));
	client_expect(client, CLIENT_READING, client->server->limits.client_ns);
	return !client->is_last;
}

/* As far as it goes without waiting, and with one request at most; then a poll for the rest. */
static void client_advance(struct client *client)
{
	unsigned int events = POLLIN;
	bool is_there = true;

	if (client->state == CLIENT_READING)
		client_take_request(client);
	if (client->state == CLIENT_WRITING)
		is_there = client_write(client);
	if (!is_there || client->server->is_ending) {
		client_close(client);
		return;
	}
	if (client->state == CLIENT_WAITING)
		return;
	/* For the next one that is here already: a turn of the loop is all there is to wait
	 * for. */
	if (client->state == CLIENT_WRITING || client_has_line(client))
		events = POLLOUT;
	loop_poll(client->server->loop, &client->poll, client->fd, events);
}

static void client_polled(struct loop_op *op, int result)
{
	struct client *client = container_of(op, struct client, poll);

	if (result == -ECANCELED && client->state != CLIENT_LEAVING)
		client->server->is_ending = true;
	if (result < 0 || client->state == CLIENT_LEAVING ||
	    (client->state == CLIENT_READING && !client_has_line(client) &&
	     !client_read(client)))
		client_close(client);
	else
		client_advance(client);
}

static void client_check_deadline(struct client *client, uint64_t now)
{
	struct err err;

	if (client->state == CLIENT_NONE || client->state == CLIENT_LEAVING ||
	    now < client->deadline_ns)
		return;
	if (client->state == CLIENT_WAITING) {
		err_set(&err, -ETIMEDOUT,
			"control: it takes longer than %llu s and goes on; see `alcove stats` "
			"for how it ends",
			(unsigned long long)(client->server->limits.answer_ns / 1000000000));
		client_reply_error(client, &err);
		client_advance(client);
		return;
	}
	client->state = CLIENT_LEAVING;
	loop_cancel(client->server->loop, &client->poll);
}

/* --- The server --- */

static void client_accept(struct control_server *server, int fd)
{
	struct client *client = client_find(server, CLIENT_NONE);
	struct err err;
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	ASSERT(client);
	client->fd = fd;
	client->is_last = false;
	client->request_bytes = 0;
	client_expect(client, CLIENT_READING, server->limits.client_ns);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) ||
	    !control_may(peer.uid, server->limits.owner)) {
		err_set(&err, -EPERM, "control: this VM is another user's; be that user");
		client->is_last = true;
		client_reply_error(client, &err);
	}
	server_tick(server);
	client_advance(client);
}

static void server_polled(struct loop_op *op, int result)
{
	struct control_server *server = container_of(op, struct control_server, listen);
	int fd;

	server->is_listening = false;
	if (result == -ECANCELED) {
		server->is_ending = true;
		return;
	}
	fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd >= 0)
		client_accept(server, fd);
	/* Without a descriptor or memory for it, the next poll would end at once: not before
	 * the next tick, then. */
	if (fd >= 0 || errno == EAGAIN || errno == ECONNABORTED)
		server_listen(server);
	else
		server_tick(server);
}

static void server_ticked(struct loop_op *op, int result)
{
	struct control_server *server = container_of(op, struct control_server, tick);
	uint64_t now = now_ns();
	bool has_clients = false;

	server->is_ticking = false;
	if (result < 0) {
		server->is_ending = true;
		return;
	}
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		client_check_deadline(&server->clients[i], now);
		has_clients |= server->clients[i].state != CLIENT_NONE;
	}
	server_listen(server);
	if (has_clients)
		server_tick(server);
}

void control_answer(struct control_server *server, struct control_ticket ticket, json_t *result,
		    const struct err *err)
{
	struct client *client = &server->clients[ticket.client];

	if (client->state != CLIENT_WAITING || client->number != ticket.number) {
		json_decref(result);
		return;
	}
	if (result)
		client_reply(client, control_reply_format(result));
	else
		client_reply_error(client, err);
	client_advance(client);
}

int control_server_new(struct loop *loop, int fd, const struct control_limits *limits,
		       const struct control_ops *ops, struct control_server **ret_server)
{
	struct control_server *server = calloc(1, sizeof(*server));

	if (!server)
		return -ENOMEM;
	server->loop = loop;
	server->fd = fd;
	server->limits = *limits;
	server->ops = *ops;
	server->listen.done = server_polled;
	server->tick.done = server_ticked;
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		server->clients[i].server = server;
		server->clients[i].poll.done = client_polled;
		server->clients[i].fd = -1;
	}
	server_listen(server);
	*ret_server = server;
	return 0;
}

void control_server_free(struct control_server *server)
{
	if (!server)
		return;
	server->is_ending = true;
	for (unsigned int i = 0; i < CONTROL_CLIENTS_MAX; i++) {
		if (server->clients[i].state != CLIENT_NONE)
			client_close(&server->clients[i]);
	}
	free(server);
}
