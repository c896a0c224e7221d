// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Addresses of sockets have room for 107 bytes. /proc/self/fd/N/NAME.sock needs less, wherever
 * the directory N is.
 */
#include "vmm/control/socket.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/value.h"

#define SUFFIX ".sock"

enum {
	FILE_NAME_BYTES = CONFIG_NAME_MAX_BYTES + sizeof(SUFFIX),
	BACKLOG = 16,
	LOCK_TRIES = 200, /* of 10 ms */
};

/* --- The directory --- */

int control_open_path(const char *path, bool makes, struct err *err)
{
	struct stat status;
	int fd;

	if (makes && mkdir(path, 0700) && errno != EEXIST)
		return err_set(err, -errno,
			       "control directory '%s': cannot make it: %s; see to what is "
			       "above it, or add --control=off",
			       path, err_describe(errno));
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, -errno, "control directory '%s': %s; no VM of yours runs",
			       path, err_describe(errno));
	if (fstat(fd, &status) || status.st_uid != geteuid() || status.st_mode & 022) {
		close(fd);
		return err_set(err, -EPERM,
			       "control directory '%s': others may change it; make it yours "
			       "with mode 0700",
			       path);
	}
	return fd;
}

int control_open_directory(bool makes, struct err *err)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	_cleanup_free_ char *path = NULL;

	if (geteuid() == 0)
		return control_open_path("/run/alcove", makes, err);
	if (!runtime || *runtime != '/')
		return err_set(err, -ENOENT,
			       "control directory: XDG_RUNTIME_DIR is not set; set it to a "
			       "directory of yours");
	if (asprintf(&path, "%s/alcove", runtime) < 0) {
		path = NULL;
		return err_set(err, -ENOMEM, "control directory: out of memory; free some");
	}
	return control_open_path(path, makes, err);
}

/*
 * Through a description of its own, so that closing it ends the lock. Waits at most two
 * seconds: who has it may be stopped. Returns a descriptor or -errno.
 */
static int directory_lock(int directory)
{
	const struct timespec nap = {.tv_nsec = 10000000};
	_cleanup_close_ int fd = openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	for (int i = 0; flock(fd, LOCK_EX | LOCK_NB); i++) {
		if (errno != EWOULDBLOCK || i == LOCK_TRIES)
			return -errno;
		nanosleep(&nap, NULL);
	}
	return take_fd(&fd);
}

/* --- Sockets --- */

static void address_init(struct sockaddr_un *address, int directory, const char *name)
{
	int bytes;

	*address = (struct sockaddr_un){.sun_family = AF_UNIX};
	bytes = snprintf(address->sun_path, sizeof(address->sun_path),
			 "/proc/self/fd/%d/%s" SUFFIX, directory, name);
	ASSERT(bytes > 0 && (size_t)bytes < sizeof(address->sun_path));
}

static void remove_file(int directory, const char *name)
{
	char file[FILE_NAME_BYTES];

	snprintf(file, sizeof(file), "%s" SUFFIX, name);
	unlinkat(directory, file, 0);
}

/*
 * Connects without waiting. Returns a descriptor; -ECONNREFUSED: its process is dead; -EAGAIN:
 * alive, but has too many to take; -ENOENT, -errno.
 */
static int try_connect(int directory, const char *name)
{
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address;

	if (fd < 0)
		return -errno;
	address_init(&address, directory, name);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return take_fd(&fd);
}

/* A file of another kind is nobody's of ours, though connect fails just as well. */
static bool is_socket(int directory, const char *name)
{
	char file[FILE_NAME_BYTES];
	struct stat status;

	snprintf(file, sizeof(file), "%s" SUFFIX, name);
	return fstatat(directory, file, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
	       S_ISSOCK(status.st_mode);
}

/* Under the lock: is somebody there? What a dead process left is removed. */
static bool is_alive(int directory, const char *name)
{
	int fd = try_connect(directory, name);

	if (fd >= 0)
		close(fd);
	if (fd == -ECONNREFUSED && is_socket(directory, name))
		remove_file(directory, name);
	return fd >= 0 || fd == -EAGAIN;
}

/* Under the lock. Returns 0, -errno. */
static int listen_as(struct control_socket *self)
{
	char file[FILE_NAME_BYTES];
	struct sockaddr_un address;

	self->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (self->fd < 0)
		return -errno;
	address_init(&address, self->directory, self->name);
	if (bind(self->fd, (struct sockaddr *)&address, sizeof(address)))
		return -errno;
	snprintf(file, sizeof(file), "%s" SUFFIX, self->name);
	if (fchmodat(self->directory, file, 0600, 0) || listen(self->fd, BACKLOG)) {
		int code = -errno;

		remove_file(self->directory, self->name);
		return code;
	}
	return 0;
}

int control_socket_open(int directory, const char *name, struct control_socket *ret_socket,
			struct err *err)
{
	struct control_socket self = {.fd = -1, .directory = directory, .owner = geteuid()};
	_cleanup_close_ int lock = directory_lock(directory);
	int ret = lock < 0 ? lock : 0;

	ASSERT(strlen(name) < sizeof(self.name));
	memcpy(self.name, name, strlen(name) + 1);
	if (!ret && is_alive(directory, name))
		ret = -EEXIST;
	if (!ret)
		ret = listen_as(&self);
	if (!ret) {
		*ret_socket = self;
		return 0;
	}
	cleanup_close(&self.fd);
	close(directory);
	if (ret == -EEXIST)
		return err_set(err, ret,
			       "vm '%s': one of that name runs; choose another --name, or stop "
			       "that one with `alcove stop %s`",
			       name, name);
	return err_set(err, ret,
		       "vm '%s': cannot make its control socket: %s; see to the control "
		       "directory, or add --control=off",
		       name, err_describe(ret));
}

void control_socket_close(struct control_socket *self)
{
	if (self->fd < 0)
		return;
	remove_file(self->directory, self->name);
	close(self->fd);
	close(self->directory);
	self->fd = self->directory = -1;
}

/* --- Clients --- */

/* As try_connect, but what a dead process left is removed: -ENOENT then. */
static int connect_or_clean(int directory, const char *name)
{
	int fd = try_connect(directory, name);

	if (fd != -ECONNREFUSED)
		return fd;
	/* Dead, or so young that it does not listen yet: the lock tells which. */
	_cleanup_close_ int lock = directory_lock(directory);

	if (lock < 0)
		return lock;
	return is_alive(directory, name) ? try_connect(directory, name) : -ENOENT;
}

int control_connect(int directory, const char *name, pid_t *ret_pid, struct err *err)
{
	int fd;
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	if (value_check_name(name, err))
		return -EINVAL;
	fd = connect_or_clean(directory, name);
	if (fd == -ENOENT)
		return err_set(err, fd, "vm '%s': there is none; `alcove ps` lists all", name);
	if (fd == -EAGAIN)
		return err_set(err, fd, "vm '%s': it has too many callers; try again", name);
	if (fd < 0)
		return err_set(err, fd, "vm '%s': cannot reach it: %s; is it yours?", name,
			       err_describe(fd));
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) || fcntl(fd, F_SETFL, 0)) {
		int code = -errno;

		close(fd);
		return err_set(err, code, "vm '%s': its socket does not work: %s; try again",
			       name, err_describe(code));
	}
	*ret_pid = peer.pid;
	return fd;
}

/* "demo.sock" is "demo". False: the file is no VM's. */
static bool name_of_file(const char *file, char *ret_name)
{
	size_t bytes = strlen(file);
	size_t suffix = strlen(SUFFIX);

	if (bytes <= suffix || strcmp(file + bytes - suffix, SUFFIX) != 0 ||
	    bytes - suffix >= CONFIG_NAME_MAX_BYTES)
		return false;
	memcpy(ret_name, file, bytes - suffix);
	ret_name[bytes - suffix] = '\0';
	return value_check_name(ret_name, NULL) == 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(a, b);
}

int control_list(int directory, char (*ret_names)[CONFIG_NAME_MAX_BYTES], unsigned int max)
{
	/* closedir closes it, and with it the lock goes. */
	int lock = directory_lock(directory);
	DIR *stream = lock < 0 ? NULL : fdopendir(lock);
	const struct dirent *entry;
	unsigned int n = 0;

	if (lock < 0)
		return lock;
	if (!stream) {
		close(lock);
		return -ENOMEM;
	}
	while (n < max && (entry = readdir(stream))) {
		if (name_of_file(entry->d_name, ret_names[n]) &&
		    is_alive(directory, ret_names[n]))
			n++;
	}
	closedir(stream);
	qsort(ret_names, n, sizeof(*ret_names), compare_names);
	return (int)n;
}
