// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/control/client.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/control/socket.h"
#include "vmm/err.h"

int control_client_open(struct control_client *client, int directory, const char *name,
			struct err *err)
{
	pid_t pid;
	int fd = control_connect(directory, name, &pid, err);

	if (fd < 0)
		return fd;
	*client = (struct control_client){.name = name, .fd = fd, .pid = pid};
	return 0;
}

void control_client_close(struct control_client *client)
{
	cleanup_close(&client->fd);
	client->fd = -1;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Returns 0, -ETIMEDOUT at @deadline_ms, -errno. */
static int wait_for(int fd, short events, int64_t deadline_ms)
{
	struct pollfd poll_fd = {.fd = fd, .events = events};
	int n;

	do {
		int64_t left_ms = deadline_ms - now_ms();

		n = poll(&poll_fd, 1, left_ms > 0 ? (int)left_ms : 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	return n ? 0 : -ETIMEDOUT;
}

/* A request is shorter than any socket's buffer, so this does not wait. */
static int line_send(int fd, const char *line)
{
	size_t bytes = strlen(line);
	ssize_t n = send(fd, line, bytes, MSG_NOSIGNAL);

	if (n < 0)
		return -errno;
	return (size_t)n == bytes ? 0 : -EPIPE;
}

/* @line: of CONTROL_REPLY_MAX_BYTES. Returns 0 without the line's end; -ETIMEDOUT, -errno. */
static int line_receive(int fd, char *line, size_t *ret_bytes, int64_t deadline_ms)
{
	size_t bytes = 0;

	while (bytes < CONTROL_REPLY_MAX_BYTES) {
		int ret = wait_for(fd, POLLIN, deadline_ms);
		ssize_t n = ret ? 0 : read(fd, line + bytes, CONTROL_REPLY_MAX_BYTES - bytes);

		if (ret)
			return ret;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ECONNRESET;
		bytes += (size_t)n;
		if (line[bytes - 1] == '\n') {
			*ret_bytes = bytes - 1;
			return 0;
		}
	}
	return -EMSGSIZE;
}

int control_client_ask(struct control_client *client, const struct control_request *request,
		       unsigned int timeout_s, json_t **ret_result, struct err *err)
{
	int64_t deadline_ms = now_ms() + (int64_t)timeout_s * 1000;
	_cleanup_free_ char *asked = control_request_format(request);
	_cleanup_free_ char *line = malloc(CONTROL_REPLY_MAX_BYTES);
	size_t bytes = 0;
	int ret = asked && line ? line_send(client->fd, asked) : -ENOMEM;

	if (!ret)
		ret = line_receive(client->fd, line, &bytes, deadline_ms);
	if (!ret) {
		ret = control_reply_parse(line, bytes, ret_result, err);
		if (ret)
			err_prefix(err, "vm '%s'", client->name);
		return ret;
	}
	if (ret == -ETIMEDOUT)
		return err_set(err, ret,
			       "vm '%s': process %d has not answered for %u s; is it stopped?",
			       client->name, (int)client->pid, timeout_s);
	if (ret == -ECONNRESET || ret == -EPIPE)
		return err_set(err, ret,
			       "vm '%s': it ended, or its guest was reset, before it answered; "
			       "see `alcove ps`",
			       client->name);
	return err_set(err, ret, "vm '%s': cannot talk to it: %s; try again", client->name,
		       err_describe(ret));
}

int control_client_stop(struct control_client *client, unsigned int timeout_s, struct err *err)
{
	const struct control_request request = {.command = CONTROL_STOP};
	/* Before it is asked to go: then the number is its own. */
	_cleanup_close_ int process = pidfd_open(client->pid, 0);
	int code = process < 0 ? -errno : 0;
	json_t *result = NULL;
	int ret;

	if (code)
		return err_set(err, code,
			       "vm '%s': cannot watch process %d: %s; see `alcove ps`",
			       client->name, (int)client->pid, err_describe(code));
	ret = control_client_ask(client, &request, timeout_s, &result, err);
	json_decref(result);
	/* The answer may be lost when it ends by itself at the same time. */
	if (ret && ret != -ECONNRESET && ret != -EPIPE)
		return ret;
	ret = wait_for(process, POLLIN, now_ms() + (int64_t)timeout_s * 1000);
	if (ret)
		return err_set(
			err, ret,
			"vm '%s': process %d has not ended within %u s; kill it, or look "
			"at the host's storage",
			client->name, (int)client->pid, timeout_s);
	return 0;
}
