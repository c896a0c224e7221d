// SPDX-License-Identifier: GPL-2.0-or-later
#include "devices/fd.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int fd_new_event(void)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int fd_poll(int fd, unsigned int events, int timeout_ms)
{
	struct pollfd pollfd = {.fd = fd, .events = (short)events};
	int n = poll(&pollfd, 1, timeout_ms);

	return n < 0 ? -errno : pollfd.revents;
}

ssize_t fd_write(int fd, const void *bytes, size_t size_bytes)
{
	ssize_t n = write(fd, bytes, size_bytes);

	return n < 0 ? -errno : n;
}
