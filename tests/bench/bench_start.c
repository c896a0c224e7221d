// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_start ALCOVE TINY [ROUNDS]: what a VM costs before its guest does anything.
 *
 * Starts the guest tests/guest/tiny.S by Alcove and by QEMU in turn and prints, for each, the
 * median time from exec to the guest's first instruction (its '!' on the serial line), the
 * memory of the process outside guest RAM at that moment, and the size of the program. Absolute
 * numbers are those of the machine it runs on; the ratios are the result.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/median.h"
#include "vmm/cleanup.h"
#include "vmm/range.h"

#define GUEST_MIB "256"
#define QEMU	  "qemu-system-x86_64"

enum {
	ROUNDS_DEFAULT = 9,
	ROUNDS_MAX = 99,
	ARGS_MAX = 32,
	START_LIMIT_MS = 60000,
};

/* %A stands for the path of Alcove, %K for that of the guest. */
static const struct program {
	const char *name;
	const char *argv[ARGS_MAX];
} programs[] = {
	{"alcove", {"%A", "run", "--kernel", "%K", "--memory", GUEST_MIB "M"}},
	{"qemu microvm",
	 {QEMU, "-M", "microvm,memory-backend=ram", "-enable-kvm", "-cpu", "host", "-m",
	  GUEST_MIB, "-object", "memory-backend-memfd,id=ram,size=" GUEST_MIB "M",
	  "-nodefaults", "-no-user-config", "-display", "none", "-serial", "stdio", "-kernel",
	  "%K"}},
	{"qemu q35",
	 {QEMU, "-M", "q35,memory-backend=ram", "-enable-kvm", "-cpu", "host", "-m", GUEST_MIB,
	  "-object", "memory-backend-memfd,id=ram,size=" GUEST_MIB "M", "-nodefaults",
	  "-no-user-config", "-display", "none", "-serial", "stdio", "-kernel", "%K"}},
};

struct sample {
	double start_ms;
	double rss_kib;	    /* resident outside guest RAM */
	double private_kib; /* of that, not shared with any other process */
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

/* Guest RAM by the name of its mapping: guest_memfd, or QEMU's memfd. */
static bool mapping_is_guest_ram(const char *line)
{
	return strstr(line, "guest_memfd") || strstr(line, "kvm-gmem") ||
	       strstr(line, "memfd:");
}

/* Sum of what /proc/PID/smaps tells about the process, guest RAM left out. */
static void memory_measure(pid_t pid, struct sample *sample)
{
	char path[64], line[4096];
	_cleanup_fclose_ FILE *smaps = NULL;
	bool skip = false;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	smaps = fopen(path, "re");
	while (smaps && fgets(line, sizeof(line), smaps)) {
		uint64_t start, end, kib;

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " ", &start, &end) == 2)
			skip = mapping_is_guest_ram(line);
		else if (skip)
			continue;
		else if (sscanf(line, "Rss: %" SCNu64, &kib) == 1)
			sample->rss_kib += (double)kib;
		else if (sscanf(line, "Private_Clean: %" SCNu64, &kib) == 1 ||
			 sscanf(line, "Private_Dirty: %" SCNu64, &kib) == 1)
			sample->private_kib += (double)kib;
	}
}

static pid_t program_spawn(const struct program *program, const char *alcove,
			   const char *kernel, int output)
{
	const char *argv[ARGS_MAX] = {0};
	char *args[ARGS_MAX];
	pid_t pid = fork();

	if (pid)
		return pid;
	for (size_t i = 0; program->argv[i]; i++) {
		argv[i] = program->argv[i];
		if (!strcmp(argv[i], "%A"))
			argv[i] = alcove;
		else if (!strcmp(argv[i], "%K"))
			argv[i] = kernel;
	}
	dup2(output, STDOUT_FILENO);
	dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
	/* execvp takes them without const, and changes none. */
	memcpy(args, argv, sizeof(args));
	execvp(args[0], args);
	_exit(127);
}

/* False when the guest did not start. */
static bool program_measure(const struct program *program, const char *alcove,
			    const char *kernel, struct sample *ret_sample)
{
	struct sample sample = {0};
	int pipe_fds[2];
	struct pollfd ready;
	double started_ms;
	bool has_started;
	char byte = 0;
	pid_t pid;

	if (pipe2(pipe_fds, O_CLOEXEC))
		return false;
	started_ms = now_ms();
	pid = program_spawn(program, alcove, kernel, pipe_fds[1]);
	close(pipe_fds[1]);
	ready = (struct pollfd){.fd = pipe_fds[0], .events = POLLIN};
	has_started = pid > 0 && poll(&ready, 1, START_LIMIT_MS) == 1 &&
		      read(pipe_fds[0], &byte, 1) == 1 && byte == '!';
	sample.start_ms = now_ms() - started_ms;
	if (has_started) {
		memory_measure(pid, &sample);
		*ret_sample = sample;
	}
	if (pid > 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	close(pipe_fds[0]);
	return has_started;
}

static double sample_median(const struct sample *samples, size_t n, size_t offset)
{
	double values[ROUNDS_MAX];

	for (size_t i = 0; i < n; i++)
		memcpy(&values[i], (const char *)&samples[i] + offset, sizeof(values[i]));
	return median(values, n);
}

/* Size in KiB of a program found as execvp would, 0 if it is not. */
static double program_size_kib(const char *name)
{
	const char *path = getenv("PATH");
	char file[4096];
	struct stat status;

	if (strchr(name, '/'))
		return stat(name, &status) ? 0 : (double)status.st_size / 1024;
	while (path && *path) {
		size_t length = strcspn(path, ":");

		snprintf(file, sizeof(file), "%.*s/%s", (int)length, path, name);
		if (!stat(file, &status))
			return (double)status.st_size / 1024;
		path += length + (path[length] == ':');
	}
	return 0;
}

int main(int argc, char **argv)
{
	static struct sample samples[ARRAY_SIZE(programs)][ROUNDS_MAX];
	size_t rounds = argc > 3 ? (size_t)atoi(argv[3]) : ROUNDS_DEFAULT;
	double base_ms = 0, base_rss_kib = 0;

	if (argc < 3 || rounds < 1 || rounds > ROUNDS_MAX) {
		fprintf(stderr, "usage: bench_start ALCOVE TINY [ROUNDS]\n");
		return 1;
	}
	for (size_t round = 0; round < rounds; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
			if (program_measure(&programs[i], argv[1], argv[2], &samples[i][round]))
				continue;
			fprintf(stderr, "bench_start: %s did not start the guest\n",
				programs[i].name);
			return 1;
		}
	}

	printf("median of %zu rounds, guest of " GUEST_MIB " MiB, 1 vCPU\n", rounds);
	printf("%-14s %12s %8s %12s %8s %12s %12s\n", "", "start/ms", "ratio", "memory/KiB",
	       "ratio", "private/KiB", "program/KiB");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		double ms =
			sample_median(samples[i], rounds, offsetof(struct sample, start_ms));
		double rss_kib =
			sample_median(samples[i], rounds, offsetof(struct sample, rss_kib));
		const char *file = i ? programs[i].argv[0] : argv[1];

		if (i == 0) {
			base_ms = ms;
			base_rss_kib = rss_kib;
		}
		printf("%-14s %12.1f %8.2f %12.0f %8.2f %12.0f %12.0f\n", programs[i].name, ms,
		       ms / base_ms, rss_kib, rss_kib / base_rss_kib,
		       sample_median(samples[i], rounds, offsetof(struct sample, private_kib)),
		       program_size_kib(file));
	}
	return 0;
}
