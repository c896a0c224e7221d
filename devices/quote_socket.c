// SPDX-License-Identifier: GPL-2.0-or-later
#include "devices/quote_socket.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/fd.h"
#include "vmm/err.h"

enum { NUMBER_MAX_DIGITS = 10 };

/* Decimal, 0 to 2^32 - 2: the highest means "any" to vsock. @end: what is to follow. */
static const char *number_parse(const char *text, char end, unsigned int *ret_value)
{
	size_t n_digits = strspn(text, "0123456789");
	unsigned long long value;

	if (n_digits == 0 || n_digits > NUMBER_MAX_DIGITS || text[n_digits] != end)
		return NULL;
	value = strtoull(text, NULL, 10);
	if (value >= UINT32_MAX)
		return NULL;
	*ret_value = (unsigned int)value;
	return text + n_digits + (end ? 1 : 0);
}

static bool vsock_parse(const char *text, struct sockaddr_vm *vsock)
{
	*vsock = (struct sockaddr_vm){.svm_family = AF_VSOCK};
	text = number_parse(text, ':', &vsock->svm_cid);
	return text && number_parse(text, '\0', &vsock->svm_port);
}

int quote_address_parse(const char *text, struct quote_address *ret_address, struct err *err)
{
	static const char unix_prefix[] = "unix:", vsock_prefix[] = "vsock:";
	struct quote_address address = {0};

	if (!strncmp(text, unix_prefix, strlen(unix_prefix))) {
		const char *path = text + strlen(unix_prefix);

		if (!*path || strlen(path) >= sizeof(address.local.sun_path))
			return err_set(err, -EINVAL,
				       "'%s': the path has 1 to %zu bytes; choose another",
				       text, sizeof(address.local.sun_path) - 1);
		address.local.sun_family = AF_UNIX;
		memcpy(address.local.sun_path, path, strlen(path) + 1);
		address.n_bytes = sizeof(address.local);
	} else if (!strncmp(text, vsock_prefix, strlen(vsock_prefix)) &&
		   vsock_parse(text + strlen(vsock_prefix), &address.vsock)) {
		address.n_bytes = sizeof(address.vsock);
	} else {
		return err_set(err, -EINVAL,
			       "'%s' is no address; write unix:PATH or vsock:CID:PORT", text);
	}
	*ret_address = address;
	return 0;
}

int quote_socket_open(const struct quote_address *address)
{
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	int code;

	if (fd < 0)
		return -errno;
	if (connect(fd, &address->any, address->n_bytes) == 0 || errno == EINPROGRESS)
		return fd;
	code = -errno;
	close(fd);
	return code;
}

ssize_t quote_socket_read(int fd, void *bytes, size_t size_bytes)
{
	ssize_t n = read(fd, bytes, size_bytes);

	return n < 0 ? -errno : n;
}

ssize_t quote_socket_write(int fd, const void *bytes, size_t size_bytes)
{
	return fd_write(fd, bytes, size_bytes);
}
