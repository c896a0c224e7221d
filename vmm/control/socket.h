/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where running VMs are found: a directory of the user with a socket NAME.sock for each. A
 * socket that nobody listens on belonged to a process that is dead; whoever comes across it
 * removes it. Sockets are made and removed under a lock of the directory, so that one that is
 * bound but not yet listened on is not taken for such.
 */
#ifndef VMM_CONTROL_SOCKET_H
#define VMM_CONTROL_SOCKET_H

#include <sys/types.h>

#include "vmm/config.h"

struct err;

/* One that listens. Zeroed but for descriptors of -1: none. */
struct control_socket {
	int fd;	       /* listens; -1: none */
	int directory; /* -1: none */
	uid_t owner;
	char name[CONFIG_NAME_MAX_BYTES];
};

/**
 * Open the directory of the calling user's VMs: /run/alcove for root, else
 * $XDG_RUNTIME_DIR/alcove.
 *
 * @makes: when it is not there. Returns a descriptor, -ENOENT, -errno; all with @err.
 */
int control_open_directory(bool makes, struct err *err);

/* The same with any @path; for tests, too. Refuses one that others may write to. */
int control_open_path(const char *path, bool makes, struct err *err);

/**
 * Listen as @name (see value_check_name), of any length that has.
 *
 * @directory: becomes the socket's, also on error. Returns 0; -EEXIST (a VM of that name runs),
 * -errno, with @err.
 */
int control_socket_open(int directory, const char *name, struct control_socket *ret_socket,
			struct err *err);

/* Stops to listen, and removes the file. Accepts one that is none. */
void control_socket_close(struct control_socket *socket);

/**
 * Reach the VM @name; a socket of a dead one is removed.
 *
 * @ret_pid: of the process that listens. Returns a blocking descriptor; -ENOENT (no such VM),
 * -EAGAIN (it is not taking any), -errno, with @err.
 */
int control_connect(int directory, const char *name, pid_t *ret_pid, struct err *err);

/**
 * Names of VMs, in the order of the alphabet, @max at most. Sockets of dead ones are removed.
 *
 * Returns how many there are, or -errno.
 */
int control_list(int directory, char (*ret_names)[CONFIG_NAME_MAX_BYTES], unsigned int max);

#endif
