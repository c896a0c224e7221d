// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First process of the lab machine. Mounts the host's root file system (9p,
 * read-only) and the build tree (9p, writable), runs one command with its
 * output going to virtio-serial ports, reports its status and waits to be
 * switched off: tests/lab/relay ends QEMU when it has read all output.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/lab/lab.h"

#define ROOT "/root"
/* QEMU's limit for a message is a page list of 128 entries, less some headers. */
#define P9_OPTIONS "trans=virtio,version=9p2000.L,msize=512000"

struct stream {
	int from; /* the command's side, -1 when closed */
	int port;
	uint64_t bytes;
};

struct job {
	struct lab_request request;
	char *directory;
	char *tree;
	char **argv;
	char **envp;
	int ctl;
	pid_t pid;
	struct stream out;
	struct stream err;
};

static int write_all(int fd, const void *data, size_t size)
{
	const char *next = data;

	while (size) {
		ssize_t done = write(fd, next, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -EIO;
		next += done;
		size -= (size_t)done;
	}
	return 0;
}

static int read_all(int fd, void *data, size_t size)
{
	char *next = data;

	while (size) {
		ssize_t done = read(fd, next, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return -EIO;
		next += done;
		size -= (size_t)done;
	}
	return 0;
}

static void reply(const struct job *job, uint32_t kind, int status, const char *text)
{
	struct lab_reply message = {
		.magic = LAB_MAGIC,
		.kind = kind,
		.status = status,
		.out_bytes = job->out.bytes,
		.err_bytes = job->err.bytes,
	};

	snprintf(message.text, sizeof(message.text), "%s", text);
	write_all(job->ctl, &message, sizeof(message));
}

/* The machine stays up until the outside has read this, then is switched off. */
static _Noreturn void finish(const struct job *job, uint32_t kind, int status, const char *text)
{
	sync();
	reply(job, kind, status, text);
	for (;;)
		pause();
}

static _Noreturn void fail(const struct job *job, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static _Noreturn void fail(const struct job *job, const char *format, ...)
{
	char text[96];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	fprintf(stderr, "lab: %s\n", text);
	finish(job, LAB_FAILED, 125, text);
}

/*
 * Ports appear some time after the driver has found the device. Their names have
 * the device's number in them, which depends on what else the machine has.
 */
static int open_port(enum lab_port nr, int flags)
{
	char pattern[32];

	snprintf(pattern, sizeof(pattern), "/dev/vport*p%d", (int)nr);
	for (int i = 0; i < 1000; i++) {
		glob_t paths;
		int fd = -1;

		if (!glob(pattern, 0, NULL, &paths)) {
			fd = open(paths.gl_pathv[0], flags | O_CLOEXEC);
			globfree(&paths);
		}
		if (fd >= 0)
			return fd;
		usleep(5000);
	}
	fprintf(stderr, "lab: cannot open %s\n", pattern);
	return -1;
}

static void make_directories(const char *path)
{
	char copy[4096];

	snprintf(copy, sizeof(copy), "%s", path);
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = 0;
		mkdir(copy, 0755);
		*slash = '/';
	}
	mkdir(copy, 0755);
}

static const struct {
	const char *type;
	const char *path;
	const char *options;
	unsigned long flags;
} mounts[] = {
	{"proc", "/proc", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"sysfs", "/sys", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"devtmpfs", "/dev", "", MS_NOSUID},
	{"devpts", "/dev/pts", "ptmxmode=666,mode=620,gid=5", MS_NOSUID | MS_NOEXEC},
	{"tmpfs", "/dev/shm", "mode=1777", MS_NOSUID | MS_NODEV},
	{"mqueue", "/dev/mqueue", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"tmpfs", "/run", "mode=755", MS_NOSUID | MS_NODEV},
	{"tmpfs", "/tmp", "mode=1777", MS_NOSUID | MS_NODEV},
	{"tmpfs", "/var/tmp", "mode=1777", MS_NOSUID | MS_NODEV},
	{"cgroup2", "/sys/fs/cgroup", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"debugfs", "/sys/kernel/debug", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"securityfs", "/sys/kernel/security", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
	{"configfs", "/sys/kernel/config", "", MS_NOSUID | MS_NODEV | MS_NOEXEC},
};

static void mount_all(const struct job *job)
{
	char path[4096];

	mkdir(ROOT, 0755);
	if (mount("root", ROOT, "9p", MS_RDONLY, P9_OPTIONS ",cache=loose"))
		fail(job, "cannot mount the root file system: %s", strerror(errno));
	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		snprintf(path, sizeof(path), ROOT "%s", mounts[i].path);
		mkdir(path, 0755);
		/* not every kernel has every one of them */
		if (mount(mounts[i].type, path, mounts[i].type, mounts[i].flags,
			  mounts[i].options))
			fprintf(stderr, "lab: no %s: %s\n", mounts[i].path, strerror(errno));
	}
	mkdir(ROOT "/run/lock", 01777);
	mkdir(ROOT "/run/user", 0755);
	snprintf(path, sizeof(path), ROOT "%s", job->tree);
	make_directories(path); /* where a tmpfs has hidden it */
	if (mount("tree", path, "9p", 0, P9_OPTIONS ",cache=mmap"))
		fail(job, "cannot mount %s: %s", job->tree, strerror(errno));
	if (chdir(ROOT) || mount(".", "/", NULL, MS_MOVE, NULL) || chroot(".") || chdir("/"))
		fail(job, "cannot change to the new root: %s", strerror(errno));
}

static void loopback_up(void)
{
	struct ifreq lo = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return;
	ioctl(fd, SIOCSIFFLAGS, &lo);
	close(fd);
}

static void set_limits(void)
{
	struct rlimit files = {.rlim_cur = 1024, .rlim_max = 1048576};
	struct rlimit locked = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
	struct rlimit core = {0};

	setrlimit(RLIMIT_NOFILE, &files);
	setrlimit(RLIMIT_MEMLOCK, &locked);
	setrlimit(RLIMIT_CORE, &core);
}

static char *next_string(char **next, char *end)
{
	char *string = *next;
	char *nul = memchr(string, 0, (size_t)(end - string));

	if (!nul)
		return NULL;
	*next = nul + 1;
	return string;
}

static int read_request(struct job *job)
{
	struct lab_request *request = &job->request;
	char *next, *end;

	if (read_all(job->ctl, request, sizeof(*request)) || request->magic != LAB_MAGIC)
		return -EPROTO;
	next = malloc(request->size);
	job->argv = calloc(request->argc + 1, sizeof(char *));
	job->envp = calloc(request->envc + 1, sizeof(char *));
	if (!next || !job->argv || !job->envp || read_all(job->ctl, next, request->size))
		return -EPROTO;
	end = next + request->size;
	job->directory = next_string(&next, end);
	job->tree = next_string(&next, end);
	for (uint32_t i = 0; i < request->argc; i++)
		job->argv[i] = next_string(&next, end);
	for (uint32_t i = 0; i < request->envc; i++)
		job->envp[i] = next_string(&next, end);
	return 0;
}

/*
 * The first processor is for the machine alone ("Defects of the emulation" in README.md): what
 * the command starts, virtual processors above all, stays off it.
 */
static void leave_first_processor(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int i = 1; i < n && i < CPU_SETSIZE; i++)
		CPU_SET(i, &set);
	if (n < 2 || sched_setaffinity(0, sizeof(set), &set))
		fprintf(stderr, "lab: the command shares the first processor\n");
}

/*
 * A processor of QEMU now and then overlooks an interrupt until the next one comes ("Defects of
 * the emulation" in README.md). Where that was its timer's, none would come: so each but the
 * first is asked something some times a second, which is an interrupt.
 */
static void keep_awake(void)
{
	long n = sysconf(_SC_NPROCESSORS_ONLN);
	cpu_set_t first;

	if (fork())
		return;
	CPU_ZERO(&first);
	CPU_SET(0, &first);
	sched_setaffinity(0, sizeof(first), &first);
	for (long i = 1;; i = i < n - 1 ? i + 1 : 1) {
		char path[48], answer[16];
		int fd;

		snprintf(path, sizeof(path), "/dev/cpu/%ld/cpuid", i);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0 || read(fd, answer, sizeof(answer)) < 0)
			_exit(1);
		close(fd);
		usleep((useconds_t)(100000 / n));
	}
}

/* In the child. */
static _Noreturn void run(const struct job *job, int in, int out, int err)
{
	sigset_t none;

	setsid();
	if (job->request.tty)
		ioctl(in, TIOCSCTTY, 0);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(125);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	leave_first_processor();
	if (chdir(job->directory))
		fprintf(stderr, "lab: cannot enter %s: %s\n", job->directory, strerror(errno));
	/* execvpe() looks in our own PATH */
	for (char **variable = job->envp; *variable; variable++)
		if (!strncmp(*variable, "PATH=", 5))
			putenv(*variable);
	execvpe(job->argv[0], job->argv, job->envp);
	fprintf(stderr, "lab: %s: %s\n", job->argv[0], strerror(errno));
	_exit(errno == ENOENT ? 127 : 126);
}

/* Copy stdin in a process of its own: the command may not read it for long. */
static void start_input(const struct job *job, int to)
{
	static char buffer[65536];
	struct lab_frame frame;
	int port;

	if (fork())
		return;
	close(job->ctl);
	close(job->out.port);
	close(job->err.port);
	if (job->out.from != to)
		close(job->out.from);
	close(job->err.from);
	signal(SIGPIPE, SIG_IGN);
	port = open_port(LAB_IN, O_RDONLY);
	while (!read_all(port, &frame, sizeof(frame)) && frame.size &&
	       frame.size <= sizeof(buffer) && !read_all(port, buffer, frame.size))
		if (write_all(to, buffer, frame.size))
			break;
	_exit(0);
}

static void start_on_pipes(struct job *job)
{
	int in[2], out[2], err[2];

	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC) || pipe2(err, O_CLOEXEC))
		fail(job, "pipe: %s", strerror(errno));
	job->pid = fork();
	if (job->pid == 0)
		run(job, in[0], out[1], job->request.merge ? out[1] : err[1]);
	close(in[0]);
	close(out[1]);
	close(err[1]);
	job->out.from = out[0];
	job->err.from = err[0];
	start_input(job, in[1]);
	close(in[1]);
}

static void start_on_terminal(struct job *job)
{
	struct winsize size = {.ws_row = job->request.rows, .ws_col = job->request.columns};
	int unlock = 0, slave, master = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC);

	if (master < 0 || ioctl(master, TIOCSPTLCK, &unlock))
		fail(job, "no terminal: %s", strerror(errno));
	slave = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (slave < 0)
		fail(job, "no terminal: %s", strerror(errno));
	ioctl(slave, TIOCSWINSZ, &size);
	job->pid = fork();
	if (job->pid == 0)
		run(job, slave, slave, slave);
	close(slave);
	job->out.from = master;
	start_input(job, master);
}

/* Pass on what there is; the end of it closes the stream. */
static void pass(struct stream *stream)
{
	char buffer[65536];
	ssize_t size = read(stream->from, buffer, sizeof(buffer));

	if (size < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (size <= 0 || write_all(stream->port, buffer, (size_t)size)) {
		close(stream->from);
		stream->from = -1;
		return;
	}
	stream->bytes += (uint64_t)size;
}

/* Orphans of the command come to us, too. Returns whether it was the command. */
static int reap(const struct job *job, int *ret_status)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != job->pid)
			continue;
		*ret_status =
			WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
		return 1;
	}
	return 0;
}

/* What was written before the command ended is in the pipes; don't wait for more. */
static void drain(struct stream *stream)
{
	struct pollfd poll_in = {.fd = stream->from, .events = POLLIN};

	while (stream->from >= 0 && poll(&poll_in, 1, 0) > 0 && poll_in.revents) {
		pass(stream);
		poll_in.fd = stream->from;
	}
}

static int serve(struct job *job, int children)
{
	for (;;) {
		struct pollfd fds[] = {
			{.fd = children, .events = POLLIN},
			{.fd = job->out.from, .events = POLLIN},
			{.fd = job->err.from, .events = POLLIN},
		};
		struct signalfd_siginfo info;
		int status;

		if (poll(fds, 3, -1) < 0)
			continue;
		if (fds[1].revents)
			pass(&job->out);
		if (fds[2].revents)
			pass(&job->err);
		if (!fds[0].revents || read(children, &info, sizeof(info)) < 0)
			continue;
		if (reap(job, &status)) {
			drain(&job->out);
			drain(&job->err);
			return status;
		}
	}
}

int main(void)
{
	struct job job = {
		.out.from = -1,
		.err.from = -1,
	};
	sigset_t mask;
	int children;

	mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	keep_awake(); /* while no port is open that it would hold open, too */
	job.ctl = open_port(LAB_CTL, O_RDWR);
	job.out.port = open_port(LAB_OUT, O_WRONLY);
	job.err.port = open_port(LAB_ERR, O_WRONLY);
	if (job.ctl < 0 || job.out.port < 0 || job.err.port < 0)
		return 1; /* the kernel panics, the outside sees it */
	reply(&job, LAB_READY, 0, "");
	if (read_request(&job))
		fail(&job, "bad request");
	mount_all(&job);
	sethostname("lab", 3);
	loopback_up();
	set_limits();
	umask(022);
	sigemptyset(&mask);
	sigaddset(&mask, SIGCHLD);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	children = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
	if (job.request.tty)
		start_on_terminal(&job);
	else
		start_on_pipes(&job);
	if (job.pid < 0 || children < 0)
		fail(&job, "cannot start: %s", strerror(errno));
	finish(&job, LAB_EXITED, serve(&job, children), "");
}
