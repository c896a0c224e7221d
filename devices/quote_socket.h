/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets to the quote generation service, with their errno as result. None of them blocks. */
#ifndef DEVICES_QUOTE_SOCKET_H
#define DEVICES_QUOTE_SOCKET_H

#include <linux/vm_sockets.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

struct err;

struct quote_address {
	union {
		struct sockaddr any;
		struct sockaddr_un local;
		struct sockaddr_vm vsock;
	};
	socklen_t n_bytes;
};

/* unix:PATH or vsock:CID:PORT. Returns 0, or -EINVAL with @err and @ret_address as it was. */
int quote_address_parse(const char *text, struct quote_address *ret_address, struct err *err);

/**
 * A socket on its way to @address: it is there when it polls writable without an error.
 *
 * Returns it; -EAGAIN (so many callers that the service takes no more now), -errno.
 */
int quote_socket_open(const struct quote_address *address);

/* As read(2) and write(2). */
ssize_t quote_socket_read(int fd, void *bytes, size_t size_bytes);
ssize_t quote_socket_write(int fd, const void *bytes, size_t size_bytes);

#endif
