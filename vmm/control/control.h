/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is said on the control socket of a running VM, as text. One JSON object per line each
 * way; the request
 *
 *	{"version": 1, "command": "attach", "device": "0000:01:00.0,name=nic"}
 *
 * is answered by one of
 *
 *	{"version": 1, "result": {...}}
 *	{"version": 1, "error": {"code": "ENODEV", "text": "device 'nic': ..."}}
 *
 * Whoever needs another meaning of what is there raises the version; a new command or a new
 * member of a result needs none.
 */
#ifndef VMM_CONTROL_H
#define VMM_CONTROL_H

#include <jansson.h>
#include <stddef.h>

struct err;

enum {
	CONTROL_VERSION = 1,
	CONTROL_REQUEST_MAX_BYTES = 4096, /* a line, its end included */
	CONTROL_REPLY_MAX_BYTES = 256 * 1024,
	CONTROL_DEVICE_MAX_BYTES = 512,
};

enum control_command {
	CONTROL_STATUS, /* who it is: what `alcove ps` shows */
	CONTROL_STATS,
	CONTROL_STOP,
	CONTROL_ATTACH,
	CONTROL_DETACH,
	CONTROL_COMMAND_COUNT,
};

struct control_request {
	enum control_command command;
	/* ATTACH: what follows --device=; DETACH: the device's name; else empty. */
	char device[CONTROL_DEVICE_MAX_BYTES];
};

/*
 * JSON asks the system for a random number once. Before the sandbox, where it may not.
 */
void control_prepare(void);

/**
 * Understand one line of @bytes, without its end.
 *
 * Returns 0; -EINVAL (no such request), -EPROTO (another version) with @err, @ret_request is
 * then untouched.
 */
int control_request_parse(const char *line, size_t bytes, struct control_request *ret_request,
			  struct err *err);

/* The line for @request, its end included, for free(); NULL: out of memory, or no UTF-8. */
char *control_request_format(const struct control_request *request);

/*
 * The line of a reply, for free(); NULL when memory is short. @result is released, and may be
 * NULL: that is out of memory, too.
 */
char *control_reply_format(json_t *result);
char *control_reply_format_error(const struct err *err);

/**
 * Understand a reply. Returns 0 with its result, to be released with json_decref; -errno with
 * @err: what the VM said; -EPROTO: it was no reply.
 */
int control_reply_parse(const char *line, size_t bytes, json_t **ret_result, struct err *err);

#endif
