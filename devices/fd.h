/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System calls on descriptors that are not the loop's, with their errno as result. */
#ifndef DEVICES_FD_H
#define DEVICES_FD_H

#include <stddef.h>
#include <sys/types.h>

/* A blocking eventfd with count 0 (a ring waits on it without a poll). Returns it or -errno. */
int fd_new_event(void);

/* As poll(2) on one descriptor. Returns its events, 0 when time is up, or -errno. */
int fd_poll(int fd, unsigned int events, int timeout_ms);

/* As write(2). */
ssize_t fd_write(int fd, const void *bytes, size_t size_bytes);

#endif
