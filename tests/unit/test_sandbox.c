// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each test lets a child enter the sandbox and do something there; how the child ends tells
 * whether it was let. It ends by the system call itself: after _exit, sanitizers make others.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/machine.h"
#include "vmm/range.h"
#include "vmm/sandbox.h"

/* What a child says on stderr. */
static char said[512];

static _Noreturn void leave(int status)
{
	for (;;)
		syscall(SYS_exit_group, status);
}

static void *do_nothing(void *user)
{
	return user;
}

/* With the first thread, ThreadSanitizer starts one of its own: not to be sandboxed. */
static void start_first_thread(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, do_nothing, NULL))
		leave(95);
	pthread_join(thread, NULL);
}

/* A child that enters the sandbox and then does @act; returns its exit status, or -signal. */
static int run_child(unsigned int roles, enum sandbox_mode mode, void (*act)(void))
{
	int fds[2];
	int status;
	ssize_t bytes;
	pid_t pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		struct err err = {0};

		if (dup2(fds[1], STDERR_FILENO) < 0)
			leave(99);
		start_first_thread();
		if (sandbox_enter(roles, mode, &err) < 0) {
			dprintf(STDERR_FILENO, "%s\n", err.text);
			leave(98);
		}
		act();
		leave(0);
	}
	close(fds[1]);
	bytes = read(fds[0], said, sizeof(said) - 1);
	said[bytes > 0 ? bytes : 0] = '\0';
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void expect_allowed(unsigned int roles, void (*act)(void))
{
	int status = run_child(roles, SANDBOX_ON, act);

	ck_assert_msg(status == 0, "roles %#x: status %d: %s", roles, status, said);
}

static void expect_forbidden(unsigned int roles, void (*act)(void), const char *call)
{
	char line[128];
	int status = run_child(roles, SANDBOX_ON, act);

	snprintf(line, sizeof(line), "alcove: sandbox: forbidden system call %s/", call);
	ck_assert_msg(status == EXIT_STATUS_INTERNAL, "roles %#x: status %d: %s", roles, status,
		      said);
	ck_assert_msg(!strncmp(said, line, strlen(line)), "not '%s' but: %s", line, said);
}

static void act_nothing(void)
{
}

/* The request numbers are compared before the descriptor is looked at. */
static void act_ioctl(unsigned long request)
{
	syscall(SYS_ioctl, -1, request, 0);
}

static void act_run(void)
{
	act_ioctl(KVM_RUN);
}

static void act_signal_msi(void)
{
	act_ioctl(KVM_SIGNAL_MSI);
}

static void act_create_vm(void)
{
	act_ioctl(KVM_CREATE_VM);
}

/* What the launch of an SNP guest or a TD asks of KVM, vmm/host_linux_cc.c. */
static void act_launch(void)
{
	static const unsigned long requests[] = {KVM_MEMORY_ENCRYPT_OP, KVM_GET_DEVICE_ATTR,
						 KVM_SET_DEBUGREGS, KVM_SET_XSAVE};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		act_ioctl(requests[i]);
}

static void act_unknown_ioctl(void)
{
	act_ioctl(0xdead);
}

/* Of the loop, for clients of the control socket. */
static void act_accept(void)
{
	accept4(-1, NULL, NULL, SOCK_CLOEXEC);
}

static void act_peer(void)
{
	struct ucred peer;
	socklen_t bytes = sizeof(peer);

	getsockopt(-1, SOL_SOCKET, SO_PEERCRED, &peer, &bytes);
}

static void act_other_option(void)
{
	int value;
	socklen_t bytes = sizeof(value);

	getsockopt(-1, SOL_SOCKET, SO_ERROR, &value, &bytes);
}

static void act_socket(void)
{
	socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void act_open(void)
{
	open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* The signal is none: nothing happens to process 1 where this is allowed. */
static void act_signal_others(void)
{
	syscall(SYS_tgkill, 1, 1, 0);
}

static void act_execute(void)
{
	execl("/bin/true", "true", NULL);
}

static void act_map_code(void)
{
	(void)!mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void act_protect_code(void)
{
	syscall(SYS_mprotect, 0, 4096, PROT_READ | PROT_EXEC);
}

static void act_io_uring(void)
{
	syscall(SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0);
}

/* What every thread does all the time. */
static void act_everyday(void)
{
	struct timespec now = {.tv_nsec = 1000};
	char *bytes = malloc(1 << 20);
	uint64_t count = 1;

	if (!bytes)
		leave(97);
	memset(bytes, 1, 1 << 20);
	bytes = realloc(bytes, 1 << 24);
	free(bytes);
	nanosleep(&now, NULL);
	(void)!write(-1, &count, sizeof(count));
	(void)!read(-1, &count, sizeof(count));
	raise(SIGCONT);
	syscall(SYS_futex, &count, 1 /* FUTEX_WAKE */, 1, NULL, NULL, 0);
	(void)!mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What the allocator gives back, too, in whichever thread. */
static void *allocate_and_free(void *user)
{
	enum { N = 256, BYTES = 4096 };
	char *volatile pieces[N];

	if (sandbox_enter(SANDBOX_VCPU, SANDBOX_ON, NULL) < 0)
		leave(96);
	for (size_t i = 0; i < N; i++) {
		pieces[i] = malloc(BYTES);
		if (!pieces[i])
			leave(97);
	}
	for (size_t i = 0; i < N; i++)
		free(pieces[i]);
	return user;
}

static void act_allocate_in_many_threads(void)
{
	enum { N = 12 };
	pthread_t threads[N];

	for (size_t i = 0; i < N; i++) {
		if (pthread_create(&threads[i], NULL, allocate_and_free, NULL))
			leave(97);
	}
	for (size_t i = 0; i < N; i++)
		pthread_join(threads[i], NULL);
}

/* As tcgetattr and tcsetattr of glibc 2.42 do. */
static void act_terminal_anew(void)
{
	act_ioctl(0x802c542a /* TCGETS2 */);
	act_ioctl(0x402c542b /* TCSETS2 */);
}

/* What glibc says of a heap or stack that is broken. */
static void act_last_words(void)
{
	(void)!writev(-1, NULL, 0);
}

static void act_terminal(void)
{
	struct termios settings;

	tcgetattr(-1, &settings);
	syscall(SYS_ioctl, -1, 0x5402 /* TCSETS */, 0);
	tcgetpgrp(-1);
}

static void act_set_irqs(void)
{
	syscall(SYS_ioctl, -1, VFIO_DEVICE_SET_IRQS, 0);
}

static void act_bind(void)
{
	syscall(SYS_ioctl, -1, VFIO_DEVICE_BIND_IOMMUFD, 0);
}

static void act_write_register(void)
{
	(void)!pwrite(-1, NULL, 0, 0);
}

static void act_connect(void)
{
	static const int families[] = {AF_UNIX, AF_VSOCK};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		(void)!socket(families[i], SOCK_STREAM | SOCK_CLOEXEC, 0);
	(void)!connect(-1, NULL, 0);
}

static void act_lock(void)
{
	(void)!fcntl(-1, F_OFD_SETLK, NULL);
	(void)!pread(-1, NULL, 0, 0);
}

/* Whose roles a thread can have. */
enum { MAIN, LOOP, VCPU, VCPU_DEVICES, VCPU_CERTS, MAIN_QUOTES, LOOP_QUOTES, N_ROLES };

static const unsigned int roles_of[] = {
	[MAIN] = SANDBOX_MAIN,
	[LOOP] = SANDBOX_LOOP,
	[VCPU] = SANDBOX_VCPU,
	[VCPU_DEVICES] = SANDBOX_VCPU | SANDBOX_DEVICES,
	[VCPU_CERTS] = SANDBOX_VCPU | SANDBOX_CERTS,
	[MAIN_QUOTES] = SANDBOX_MAIN | SANDBOX_QUOTES,
	[LOOP_QUOTES] = SANDBOX_LOOP | SANDBOX_QUOTES,
};

START_TEST(test_every_role_may_do_the_everyday)
{
	for (size_t i = 0; i < N_ROLES; i++) {
		expect_allowed(roles_of[i], act_nothing);
		expect_allowed(roles_of[i], act_everyday);
		expect_allowed(roles_of[i], act_terminal);
		expect_allowed(roles_of[i], act_terminal_anew);
		expect_allowed(roles_of[i], act_last_words);
		expect_allowed(roles_of[i], act_signal_msi);
	}
}
END_TEST

START_TEST(test_threads_may_free_what_they_allocate)
{
	expect_allowed(SANDBOX_MAIN, act_allocate_in_many_threads);
}
END_TEST

START_TEST(test_no_role_may_do_what_alcove_never_does)
{
	for (size_t i = 0; i < N_ROLES; i++) {
		unsigned int role = roles_of[i];

		expect_forbidden(role, act_socket, "socket");
		expect_forbidden(role, act_other_option, "getsockopt");
		expect_forbidden(role, act_execute, "execve");
		expect_forbidden(role, act_signal_others, "tgkill");
		expect_forbidden(role, act_map_code, "mmap");
		expect_forbidden(role, act_protect_code, "mprotect");
		expect_forbidden(role, act_unknown_ioctl, "ioctl");
	}
}
END_TEST

START_TEST(test_roles_differ)
{
	static const struct {
		void (*act)(void);
		const char *call;
		bool may[N_ROLES];
	} cases[] = {
		{act_run,
		 "ioctl",
		 {true, [VCPU] = true, true, [VCPU_CERTS] = true, [MAIN_QUOTES] = true}},
		{act_set_irqs, "ioctl", {true, [VCPU_DEVICES] = true, [MAIN_QUOTES] = true}},
		{act_write_register,
		 "pwrite64",
		 {true, [VCPU_DEVICES] = true, [MAIN_QUOTES] = true}},
		{act_lock, "fcntl", {true, [VCPU_CERTS] = true, [MAIN_QUOTES] = true}},
		{act_connect, "socket", {[MAIN_QUOTES] = true, [LOOP_QUOTES] = true}},
		{act_bind, "ioctl", {true, [MAIN_QUOTES] = true}},
		{act_create_vm, "ioctl", {true, [MAIN_QUOTES] = true}},
		{act_launch, "ioctl", {true, [MAIN_QUOTES] = true}},
		{act_open, "openat", {true, [MAIN_QUOTES] = true}},
		{act_accept, "accept4", {true, true, [MAIN_QUOTES] = true, true}},
		{act_peer, "getsockopt", {true, true, [MAIN_QUOTES] = true, true}},
		{act_io_uring, "io_uring_enter", {true, true, [MAIN_QUOTES] = true, true}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t role = 0; role < N_ROLES; role++) {
			if (cases[i].may[role])
				expect_allowed(roles_of[role], cases[i].act);
			else
				expect_forbidden(roles_of[role], cases[i].act, cases[i].call);
		}
	}
}
END_TEST

START_TEST(test_mode_off_forbids_nothing)
{
	ck_assert_int_eq(run_child(SANDBOX_VCPU, SANDBOX_OFF, act_socket), 0);
	ck_assert_int_eq(run_child(SANDBOX_VCPU, SANDBOX_OFF, act_execute), 0);
}
END_TEST

START_TEST(test_mode_log_forbids_nothing)
{
	ck_assert_int_eq(run_child(SANDBOX_VCPU, SANDBOX_LOG, act_socket), 0);
	ck_assert_str_eq(said, "");
}
END_TEST

START_TEST(test_message_comes_even_when_signals_were_blocked)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	expect_forbidden(SANDBOX_LOOP, act_socket, "socket");
}
END_TEST

static void *enter_and_socket(void *user)
{
	(void)user;
	pthread_setname_np(pthread_self(), "vcpu7");
	if (sandbox_enter(SANDBOX_VCPU, SANDBOX_ON, NULL) < 0)
		leave(96);
	act_open();
	return NULL;
}

/* The main thread, in its sandbox, starts one that enters a narrower one. */
static void act_start_vcpu(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, enter_and_socket, NULL))
		leave(97);
	pthread_join(thread, NULL);
}

START_TEST(test_message_names_call_number_and_thread)
{
	char line[160];
	int status = run_child(SANDBOX_MAIN, SANDBOX_ON, act_start_vcpu);

	snprintf(line, sizeof(line),
		 "alcove: sandbox: forbidden system call openat/%d in thread vcpu7; report it, "
		 "or "
		 "run with --sandbox=log\n",
		 (int)SYS_openat);
	ck_assert_str_eq(said, line);
	ck_assert_int_eq(status, EXIT_STATUS_INTERNAL);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_every_role_may_do_the_everyday,
		test_threads_may_free_what_they_allocate,
		test_no_role_may_do_what_alcove_never_does,
		test_roles_differ,
		test_mode_off_forbids_nothing,
		test_mode_log_forbids_nothing,
		test_message_comes_even_when_signals_were_blocked,
		test_message_names_call_number_and_thread,
	};

	return unit_run(unit_suite("sandbox", tests, ARRAY_SIZE(tests)));
}
