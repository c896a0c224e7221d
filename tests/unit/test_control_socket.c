// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/control/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/range.h"

/* A directory whose path is too long for the address of a socket. */
struct place {
	char path[512];
	int fd;
};

static void place_init(struct place *place)
{
	char top[] = "/tmp/alcove-test-control-XXXXXX";
	struct err err = {0};
	int bytes;

	ck_assert_ptr_nonnull(mkdtemp(top));
	bytes = snprintf(place->path, sizeof(place->path), "%s/", top);
	memset(place->path + bytes, 'd', 200);
	place->path[bytes + 200] = '\0';
	place->fd = control_open_path(place->path, true, &err);
	ck_assert_msg(place->fd >= 0, "%s", err.text);
}

static void place_fini(struct place *place)
{
	close(place->fd);
	ck_assert_msg(rmdir(place->path) == 0, "something was left in the directory");
	*strrchr(place->path, '/') = '\0';
	ck_assert_int_eq(rmdir(place->path), 0);
}

static struct control_socket open_socket(const struct place *place, const char *name)
{
	struct control_socket opened;
	struct err err = {0};
	int ret = control_socket_open(dup(place->fd), name, &opened, &err);

	ck_assert_msg(ret == 0, "%s", err.text);
	return opened;
}

/* A VM that was killed: its socket is there, nobody listens. */
static void leave_socket(const struct place *place, const char *name)
{
	pid_t pid = fork();

	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct control_socket opened;

		_exit(control_socket_open(dup(place->fd), name, &opened, NULL) ? 1 : 0);
	}

	int status;

	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}

static int list(const struct place *place, char (*names)[CONFIG_NAME_MAX_BYTES])
{
	return control_list(place->fd, names, 4);
}

START_TEST(test_vm_is_found_by_names_of_any_length)
{
	char names[4][CONFIG_NAME_MAX_BYTES];
	char longest[CONFIG_NAME_MAX_BYTES];
	struct control_socket a, b;
	struct stat status;
	struct place place;
	struct err err = {0};
	pid_t pid = 0;
	int fd;

	place_init(&place);
	memset(longest, 'z', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	a = open_socket(&place, longest);
	b = open_socket(&place, ".");
	ck_assert_int_eq(list(&place, names), 2);
	ck_assert_str_eq(names[0], ".");
	ck_assert_str_eq(names[1], longest);
	fd = control_connect(place.fd, longest, &pid, &err);
	ck_assert_msg(fd >= 0, "%s", err.text);
	ck_assert_int_eq(pid, getpid());
	close(fd);
	ck_assert_int_eq(fstatat(place.fd, "..sock", &status, 0), 0);
	ck_assert_uint_eq(status.st_mode & 0777, 0600);
	control_socket_close(&a);
	control_socket_close(&b);
	ck_assert_int_eq(list(&place, names), 0);
	place_fini(&place);
}
END_TEST

START_TEST(test_name_is_taken_once)
{
	struct control_socket first, second;
	struct place place;
	struct err err = {0};

	place_init(&place);
	first = open_socket(&place, "one");
	ck_assert_int_eq(control_socket_open(dup(place.fd), "one", &second, &err), -EEXIST);
	ck_assert_ptr_nonnull(strstr(err.text, "one of that name runs"));
	control_socket_close(&first);
	second = open_socket(&place, "one");
	control_socket_close(&second);
	control_socket_close(&second);
	place_fini(&place);
}
END_TEST

START_TEST(test_what_the_dead_left_is_removed)
{
	char names[4][CONFIG_NAME_MAX_BYTES];
	struct control_socket live;
	struct place place;
	struct err err = {0};
	pid_t pid;

	place_init(&place);
	live = open_socket(&place, "live");
	leave_socket(&place, "dead");
	ck_assert_int_eq(faccessat(place.fd, "dead.sock", F_OK, 0), 0);
	ck_assert_int_eq(list(&place, names), 1);
	ck_assert_str_eq(names[0], "live");
	ck_assert_int_eq(faccessat(place.fd, "dead.sock", F_OK, 0), -1);

	leave_socket(&place, "dead");
	ck_assert_int_eq(control_connect(place.fd, "dead", &pid, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "vm 'dead': there is none"));
	ck_assert_int_eq(faccessat(place.fd, "dead.sock", F_OK, 0), -1);

	leave_socket(&place, "dead");
	control_socket_close(&live);
	live = open_socket(&place, "dead");
	control_socket_close(&live);
	place_fini(&place);
}
END_TEST

START_TEST(test_other_files_are_left_alone)
{
	static const char *const files[] = {"file.sock", "socket", ".sock", "a b.sock"};
	char names[4][CONFIG_NAME_MAX_BYTES];
	struct control_socket opened;
	struct place place;
	struct err err = {0};

	place_init(&place);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		close(openat(place.fd, files[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	ck_assert_int_eq(list(&place, names), 0);
	ck_assert_int_eq(control_socket_open(dup(place.fd), "file", &opened, &err),
			 -EADDRINUSE);
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		ck_assert_int_eq(unlinkat(place.fd, files[i], 0), 0);
	place_fini(&place);
}
END_TEST

START_TEST(test_directory_that_others_may_change_is_refused)
{
	struct place place;
	struct err err = {0};

	place_init(&place);
	ck_assert_int_eq(chmod(place.path, 0770), 0);
	ck_assert_int_eq(control_open_path(place.path, true, &err), -EPERM);
	ck_assert_ptr_nonnull(strstr(err.text, "others may change it"));
	ck_assert_int_eq(control_open_path("/tmp/alcove/no/such", true, &err), -ENOENT);
	ck_assert_int_eq(control_open_path("/tmp/alcove/no/such", false, &err), -ENOENT);
	place_fini(&place);
}
END_TEST

START_TEST(test_bad_names_are_no_paths)
{
	static const char *const names[] = {"", "../x", "a/b", "a b", "\n"};
	struct place place;
	pid_t pid;

	place_init(&place);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct err err = {0};

		ck_assert_int_eq(control_connect(place.fd, names[i], &pid, &err), -EINVAL);
	}
	place_fini(&place);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_vm_is_found_by_names_of_any_length,
		test_name_is_taken_once,
		test_what_the_dead_left_is_removed,
		test_other_files_are_left_alone,
		test_directory_that_others_may_change_is_refused,
		test_bad_names_are_no_paths,
	};

	return unit_run(unit_suite("control_socket", tests, ARRAY_SIZE(tests)));
}
