// SPDX-License-Identifier: GPL-2.0-or-later
/* What test guests do with consoles and networks: lines in, lines out. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <termios.h>
#include <unistd.h>

#include "tests/guest/linux/guest.h"

/* One line without its end; -EPIPE at the end of the stream. */
static int line_read(int fd, char *line, size_t size)
{
	size_t used = 0;

	for (;;) {
		char byte;
		ssize_t done = read(fd, &byte, 1);

		if (done <= 0)
			return done ? -errno : -EPIPE;
		if (byte == '\n')
			break;
		if (used + 1 < size && byte != '\r')
			line[used++] = byte;
	}
	line[used] = 0;
	return 0;
}

/* Lines come back as "ECHO ..."; the terminal itself must not echo them, too. */
int io_echo(const char *argument, struct say *say)
{
	const char *path = *argument ? argument : "/dev/console";
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC), err;
	struct termios settings;
	char line[1024];
	int count = 0;

	if (fd < 0)
		return -errno;
	if (!tcgetattr(fd, &settings)) {
		settings.c_lflag &= ~(tcflag_t)ECHO;
		tcsetattr(fd, TCSANOW, &settings);
	}
	printf("GUEST ready\n");
	while (!(err = line_read(fd, line, sizeof(line))) && strcmp(line, "quit")) {
		dprintf(fd, "ECHO %s\n", line);
		count++;
	}
	close(fd);
	say_add(say, " lines=%d", count);
	return err;
}

int io_hvc(const char *argument, struct say *say)
{
	int fd = open("/dev/hvc0", O_RDWR | O_NOCTTY | O_CLOEXEC);

	(void)argument;
	(void)say;
	if (fd < 0)
		return -errno;
	if (dprintf(fd, "GUEST hvc hello\n") < 0)
		return -EIO;
	tcdrain(fd);
	close(fd);
	return 0;
}

/* Say hello to the other side and report its answer. */
static int converse(int fd, const struct sockaddr *address, socklen_t size, struct say *say)
{
	struct timeval limit = {.tv_sec = 20};
	char line[256];
	int err;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (connect(fd, address, size))
		return -errno;
	if (dprintf(fd, "GUEST says hello\n") < 0)
		return -EIO;
	err = line_read(fd, line, sizeof(line));
	if (!err)
		say_add(say, " answer=\"%s\"", line);
	return err;
}

/* argument: INTERFACE:IP:PEER:PORT, in one /24 */
static int interface_up(const char *name, const char *ip)
{
	struct ifreq request = {0};
	struct sockaddr_in *address = (struct sockaddr_in *)&request.ifr_addr;
	int err = 0, fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	strncpy(request.ifr_name, name, sizeof(request.ifr_name) - 1);
	address->sin_family = AF_INET;
	if (inet_pton(AF_INET, ip, &address->sin_addr) != 1)
		err = -EINVAL;
	else if (ioctl(fd, SIOCSIFADDR, &request))
		err = -errno;
	inet_pton(AF_INET, "255.255.255.0", &address->sin_addr);
	if (!err && ioctl(fd, SIOCSIFNETMASK, &request))
		err = -errno;
	request.ifr_flags = IFF_UP | IFF_RUNNING;
	if (!err && ioctl(fd, SIOCSIFFLAGS, &request))
		err = -errno;
	close(fd);
	return err;
}

int io_net(const char *argument, struct say *say)
{
	struct sockaddr_in peer = {.sin_family = AF_INET};
	char name[IFNAMSIZ], ip[32], other[32];
	unsigned int port;
	int err, fd;

	if (sscanf(argument, "%15[^:]:%31[^:]:%31[^:]:%u", name, ip, other, &port) != 4)
		return -EINVAL;
	err = interface_up(name, ip);
	if (err)
		return err;
	inet_pton(AF_INET, other, &peer.sin_addr);
	peer.sin_port = htons((uint16_t)port);
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = converse(fd, (struct sockaddr *)&peer, sizeof(peer), say);
	close(fd);
	return err;
}

int io_vsock(const char *argument, struct say *say)
{
	struct sockaddr_vm host = {
		.svm_family = AF_VSOCK,
		.svm_cid = VMADDR_CID_HOST,
		.svm_port = (unsigned int)strtoul(argument, NULL, 10),
	};
	int err, fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	err = converse(fd, (struct sockaddr *)&host, sizeof(host), say);
	close(fd);
	return err;
}
