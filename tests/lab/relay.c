// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Outside half of tests/lab/run: starts QEMU, sends the command to
 * tests/lab/init over a virtio-serial port, copies its output, ends QEMU as
 * soon as all of it has been read, and exits with the command's status.
 *
 * QEMU never outlives this process (parent-death signal), nor the time limit.
 * Own exit codes: 124 time limit, 125 the lab itself failed, 128+n signal n.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/lab/lab.h"

#define ESCAPE	     0x1d /* Ctrl-] */
#define CONSOLE_TAIL 30

struct relay {
	const char *console; /* kernel log of the machine */
	const char *tree;
	long timeout_s;
	bool tty;
	char **command;
	char **qemu;
	unsigned int qemu_args;
	int ports[LAB_ERR + 1]; /* our ends, -1 when closed */
	uint64_t out_bytes;
	uint64_t err_bytes;
	struct {
		struct lab_frame frame;
		char data[16384];
	} in;
	size_t in_size; /* of the frame being sent, 0: read the next one */
	size_t in_sent;
	bool in_done;
	bool listening; /* the request was sent */
	struct lab_reply reply;
	size_t reply_size;
	bool exited;
	pid_t pid;
	struct termios saved;
	bool raw;
};

static struct relay relay;

static void end_qemu(void)
{
	if (relay.pid > 0) {
		kill(relay.pid, SIGKILL);
		waitpid(relay.pid, NULL, 0);
		relay.pid = 0;
	}
}

/* Async-signal-safe, as signals must end us even where we wait for a slow reader. */
static _Noreturn void quit(int status)
{
	end_qemu();
	if (relay.raw)
		tcsetattr(0, TCSANOW, &relay.saved);
	_exit(status);
}

static void on_signal(int nr)
{
	static const char text[] = "lab: time limit reached, see the kernel's log ";
	ssize_t ignored;

	if (nr != SIGALRM)
		quit(128 + nr);
	ignored = write(2, text, sizeof(text) - 1);
	if (relay.console)
		ignored = write(2, relay.console, strlen(relay.console));
	ignored = write(2, "\n", 1);
	(void)ignored;
	quit(124);
}

static void show_console(void)
{
	char *lines[CONSOLE_TAIL] = {NULL};
	FILE *file = relay.console ? fopen(relay.console, "r") : NULL;
	size_t size[CONSOLE_TAIL] = {0};
	unsigned int n = 0;

	if (!file)
		return;
	while (getline(&lines[n % CONSOLE_TAIL], &size[n % CONSOLE_TAIL], file) > 0)
		n++;
	fclose(file);
	fprintf(stderr, "lab: end of the kernel's log %s:\n", relay.console);
	for (unsigned int i = n < CONSOLE_TAIL ? 0 : n - CONSOLE_TAIL + 1; i < n; i++)
		fprintf(stderr, "  %s", lines[i % CONSOLE_TAIL]);
	fputc('\n', stderr);
}

static _Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

static _Noreturn void fail(const char *format, ...)
{
	va_list args;

	end_qemu();
	fputs("lab: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	show_console();
	quit(125);
}

static void add_argument(const char *argument)
{
	relay.qemu = reallocarray(relay.qemu, relay.qemu_args + 2, sizeof(char *));
	if (!relay.qemu)
		fail("no memory");
	relay.qemu[relay.qemu_args++] = strdup(argument);
	relay.qemu[relay.qemu_args] = NULL;
}

static void add_port(int nr, int fd)
{
	char text[128];

	snprintf(text, sizeof(text), "socket,id=lab%d,fd=%d", nr, fd);
	add_argument("-chardev");
	add_argument(text);
	snprintf(text, sizeof(text), "virtserialport,chardev=lab%d,nr=%d,name=lab.%d", nr, nr,
		 nr);
	add_argument("-device");
	add_argument(text);
}

static void start_qemu(void)
{
	int theirs[LAB_ERR + 1];
	pid_t self = getpid();

	add_argument("-device");
	add_argument("virtio-serial-pci,max_ports=8");
	for (int nr = LAB_CTL; nr <= LAB_ERR; nr++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
			fail("socketpair: %s", strerror(errno));
		relay.ports[nr] = pair[0];
		theirs[nr] = pair[1];
		add_port(nr, pair[1]);
	}
	relay.pid = fork();
	if (relay.pid < 0)
		fail("fork: %s", strerror(errno));
	if (relay.pid) {
		for (int nr = LAB_CTL; nr <= LAB_ERR; nr++)
			close(theirs[nr]);
		return;
	}
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != self)
		_exit(125);
	setpgid(0, 0); /* Ctrl-C is ours to handle */
	for (int nr = LAB_CTL; nr <= LAB_ERR; nr++)
		fcntl(theirs[nr], F_SETFD, 0);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
	dup2(2, 1);
	execvp(relay.qemu[0], relay.qemu);
	fprintf(stderr, "lab: %s: %s\n", relay.qemu[0], strerror(errno));
	_exit(125);
}

static int write_all(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size) {
		struct pollfd writable = {.fd = fd, .events = POLLOUT};
		ssize_t done = write(fd, next, size);

		if (done < 0 && errno == EAGAIN) /* somebody else's open file */
			poll(&writable, 1, -1);
		else if (done < 0 && errno != EINTR)
			return -errno;
		if (done > 0) {
			next += done;
			size -= (size_t)done;
		}
	}
	return 0;
}

static void append(char **blob, uint32_t *size, const char *string)
{
	size_t length = strlen(string) + 1;

	*blob = realloc(*blob, *size + length);
	if (!*blob)
		fail("no memory");
	memcpy(*blob + *size, string, length);
	*size += (uint32_t)length;
}

static void send_request(void)
{
	struct lab_request request = {
		.magic = LAB_MAGIC,
		.tty = relay.tty,
		.rows = 24,
		.columns = 80,
	};
	char directory[4096], out[4096] = "", err[4096] = "";
	struct winsize size;
	char *blob = NULL;

	if (!getcwd(directory, sizeof(directory)))
		fail("getcwd: %s", strerror(errno));
	append(&blob, &request.size, directory);
	append(&blob, &request.size, relay.tree);
	for (; relay.command[request.argc]; request.argc++)
		append(&blob, &request.size, relay.command[request.argc]);
	for (; environ[request.envc]; request.envc++)
		append(&blob, &request.size, environ[request.envc]);
	if (!ioctl(0, TIOCGWINSZ, &size) && size.ws_row) {
		request.rows = size.ws_row;
		request.columns = size.ws_col;
	}
	/* Both to one file: keep the order of lines. */
	if (readlink("/proc/self/fd/1", out, sizeof(out) - 1) > 0 &&
	    readlink("/proc/self/fd/2", err, sizeof(err) - 1) > 0)
		request.merge = !strcmp(out, err);
	if (write_all(relay.ports[LAB_CTL], &request, sizeof(request)) ||
	    write_all(relay.ports[LAB_CTL], blob, request.size))
		fail("the machine does not listen");
	free(blob);
	relay.listening = true;
}

static void close_port(int nr)
{
	if (relay.ports[nr] >= 0)
		close(relay.ports[nr]);
	relay.ports[nr] = -1;
}

/* QEMU has closed its end of the port. */
static void machine_down(void)
{
	int status = 0;

	close_port(LAB_CTL);
	if (relay.exited)
		return;
	if (waitpid(relay.pid, &status, 0) == relay.pid)
		relay.pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status))
		fail("QEMU failed with status %d", WEXITSTATUS(status));
	fail("the machine went down");
}

static void read_reply(void)
{
	struct lab_reply *reply = &relay.reply;
	ssize_t size = read(relay.ports[LAB_CTL], (char *)reply + relay.reply_size,
			    sizeof(*reply) - relay.reply_size);

	if (size <= 0) {
		machine_down();
		return;
	}
	relay.reply_size += (size_t)size;
	if (relay.reply_size < sizeof(*reply))
		return;
	relay.reply_size = 0;
	if (reply->magic != LAB_MAGIC)
		fail("the machine talks nonsense");
	reply->text[sizeof(reply->text) - 1] = 0;
	if (reply->kind == LAB_FAILED)
		fail("in the machine: %s", reply->text);
	if (reply->kind == LAB_READY)
		send_request();
	if (reply->kind == LAB_EXITED)
		relay.exited = true;
}

/* When nobody reads our output any more, end as a program would by SIGPIPE. */
static void copy_out(int nr, int fd, uint64_t *count)
{
	char buffer[65536];
	ssize_t size = read(relay.ports[nr], buffer, sizeof(buffer));

	if (size <= 0) {
		close_port(nr);
		return;
	}
	*count += (uint64_t)size;
	if (write_all(fd, buffer, (size_t)size))
		quit(128 + SIGPIPE);
}

/* Send what there is; never wait, as the command may not read before we read. */
static void send_in(void)
{
	ssize_t done = send(relay.ports[LAB_IN], (char *)&relay.in + relay.in_sent,
			    relay.in_size - relay.in_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (done < 0 && errno != EAGAIN && errno != EINTR) {
		relay.in_done = true;
		relay.in_size = 0;
		return;
	}
	if (done > 0)
		relay.in_sent += (size_t)done;
	if (relay.in_sent < relay.in_size)
		return;
	relay.in_size = 0;
	/* Closing the port would lose what QEMU has not read yet. */
	relay.in_done = !relay.in.frame.size;
}

static void copy_in(bool forward)
{
	ssize_t size = forward ? read(0, relay.in.data, sizeof(relay.in.data)) : 0;

	if (relay.tty && size > 0 && memchr(relay.in.data, ESCAPE, (size_t)size))
		quit(130);
	relay.in.frame.size = size > 0 ? (uint32_t)size : 0;
	relay.in_size = sizeof(relay.in.frame) + relay.in.frame.size;
	relay.in_sent = 0;
	send_in();
}

static bool complete(void)
{
	return relay.exited && relay.out_bytes >= relay.reply.out_bytes &&
	       relay.err_bytes >= relay.reply.err_bytes;
}

static void terminal_raw(void)
{
	struct termios raw;

	if (tcgetattr(0, &relay.saved))
		fail("--interactive needs a terminal");
	raw = relay.saved;
	cfmakeraw(&raw);
	tcsetattr(0, TCSANOW, &raw);
	relay.raw = true;
}

static void loop(void)
{
	/* A terminal in the background would stop us; others we read as ssh does. */
	bool forward = relay.tty || !isatty(0);

	while (!complete()) {
		bool sending = relay.listening && relay.in_size;
		bool reading = relay.listening && !relay.in_size && !relay.in_done;
		struct pollfd fds[] = {
			{.fd = relay.ports[LAB_CTL], .events = POLLIN},
			{.fd = relay.ports[LAB_OUT], .events = POLLIN},
			{.fd = relay.ports[LAB_ERR], .events = POLLIN},
			{.fd = sending ? relay.ports[LAB_IN] : -1, .events = POLLOUT},
			{.fd = reading && forward ? 0 : -1, .events = POLLIN},
		};

		if (poll(fds, 5, reading && !forward ? 0 : -1) < 0)
			continue;
		if (fds[1].revents)
			copy_out(LAB_OUT, 1, &relay.out_bytes);
		if (fds[2].revents)
			copy_out(LAB_ERR, 2, &relay.err_bytes);
		if (fds[3].revents)
			send_in();
		if (fds[4].revents || (reading && !forward))
			copy_in(forward);
		if (fds[0].revents)
			read_reply();
	}
}

static void catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGALRM};
	struct sigaction action = {.sa_handler = on_signal};

	sigfillset(&action.sa_mask);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		sigaction(numbers[i], &action, NULL);
	signal(SIGPIPE, SIG_IGN);
}

static int usage(void)
{
	fputs("usage: relay --tree DIR [--console FILE] [--timeout S] [--tty]\n"
	      "             -- QEMU ARGS... -- COMMAND...\n",
	      stderr);
	return 125;
}

static int parse(int argc, char **argv)
{
	static const struct option options[] = {
		{"tree", required_argument, NULL, 't'},
		{"console", required_argument, NULL, 'c'},
		{"timeout", required_argument, NULL, 's'},
		{"tty", no_argument, NULL, 'y'},
		{0},
	};
	int option;

	while ((option = getopt_long(argc, argv, "+", options, NULL)) != -1) {
		if (option == 't')
			relay.tree = optarg;
		else if (option == 'c')
			relay.console = optarg;
		else if (option == 's')
			relay.timeout_s = atol(optarg);
		else if (option == 'y')
			relay.tty = true;
		else
			return -EINVAL;
	}
	for (; optind < argc && strcmp(argv[optind], "--"); optind++)
		add_argument(argv[optind]);
	if (!relay.tree || !relay.qemu_args || relay.timeout_s <= 0 || optind + 1 >= argc)
		return -EINVAL;
	relay.command = argv + optind + 1;
	return 0;
}

int main(int argc, char **argv)
{
	for (int nr = 0; nr <= LAB_ERR; nr++)
		relay.ports[nr] = -1;
	relay.timeout_s = 600;
	if (parse(argc, argv))
		return usage();
	catch_signals();
	if (relay.tty)
		terminal_raw();
	start_qemu();
	alarm((unsigned int)relay.timeout_s);
	loop();
	quit(relay.reply.status);
}
