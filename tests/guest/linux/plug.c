// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A disk that comes and goes by a hot-plug port, while all processors convert memory: it is
 * used each time, and given back when the attention button was pressed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pci_regs.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/guest/linux/guest.h"

enum {
	EXPRESS = 0x40, /* where Alcove's ports have the capability */
	ROUND_BYTES = 256 * 1024,
	WAIT_MS = 20,
	WAITS_MAX = 60 * 1000 / WAIT_MS,
	PATIENT_ROUNDS = 10, /* in one of so many, let five seconds pass as an operator would */
};

#define DEVICES "/sys/bus/pci/devices"
#define SLOTS	"/sys/bus/pci/slots"

struct plug {
	char disk[64];
	char port[320];	 /* its configuration space */
	char power[320]; /* what turns the slot off */
	unsigned int n_rounds;
	unsigned int n_used;
};

/* --- The port --- */

static int find_port(struct plug *plug)
{
	DIR *dir = opendir(DEVICES);
	struct dirent *entry;
	char path[320], line[32];
	int found = 0;

	while (dir && !found && (entry = readdir(dir))) {
		snprintf(path, sizeof(path), DEVICES "/%.200s/class", entry->d_name);
		file_line(path, line, sizeof(line));
		if (strcmp(line, "0x060400"))
			continue;
		snprintf(plug->port, sizeof(plug->port), DEVICES "/%.200s/config",
			 entry->d_name);
		found = 1;
	}
	if (dir)
		closedir(dir);
	return found ? 0 : -ENODEV;
}

static int find_slot(struct plug *plug)
{
	DIR *dir = opendir(SLOTS);
	struct dirent *entry;
	int found = 0;

	while (dir && !found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		snprintf(plug->power, sizeof(plug->power), SLOTS "/%.200s/power",
			 entry->d_name);
		found = 1;
	}
	if (dir)
		closedir(dir);
	return found ? 0 : -ENOTDIR;
}

static int is_blinking(const struct plug *plug)
{
	int fd = open(plug->port, O_RDONLY | O_CLOEXEC);
	uint16_t control = 0;
	ssize_t done = pread(fd, &control, sizeof(control), EXPRESS + PCI_EXP_SLTCTL);

	if (fd >= 0)
		close(fd);
	return done == sizeof(control) &&
	       (control & PCI_EXP_SLTCTL_PIC) == PCI_EXP_SLTCTL_PWR_IND_BLINK;
}

/* Its name is there a moment before it can be opened. */
static int is_ready(const struct plug *plug)
{
	int fd = open(plug->disk, O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int is_gone(const struct plug *plug)
{
	return access(plug->disk, F_OK) != 0;
}

static int wait_until(const struct plug *plug, int (*is_so)(const struct plug *plug))
{
	for (int i = 0; i < WAITS_MAX; i++) {
		if (is_so(plug))
			return 0;
		usleep(WAIT_MS * 1000);
	}
	return -ETIMEDOUT;
}

/* --- A round --- */

static int disk_use(const struct plug *plug, unsigned int round)
{
	char *written = aligned_alloc(4096, ROUND_BYTES);
	char *read_back = aligned_alloc(4096, ROUND_BYTES);
	int fd = open(plug->disk, O_RDWR | O_DIRECT | O_CLOEXEC);
	off_t at = (off_t)(round % 16) * ROUND_BYTES;
	int ret = 0;

	if (fd < 0 || !written || !read_back)
		return fd < 0 ? -errno : -ENOMEM;
	pattern_fill(written, ROUND_BYTES, round + 1);
	memset(read_back, 0, ROUND_BYTES);
	if (pwrite(fd, written, ROUND_BYTES, at) != ROUND_BYTES ||
	    pread(fd, read_back, ROUND_BYTES, at) != ROUND_BYTES)
		ret = errno ? -errno : -EIO;
	else if (memcmp(written, read_back, ROUND_BYTES))
		ret = -EILSEQ;
	close(fd);
	free(written);
	free(read_back);
	return ret;
}

static int plug_round(struct plug *plug, unsigned int round)
{
	int ret = wait_until(plug, is_ready);

	if (!ret)
		ret = disk_use(plug, round);
	if (ret)
		return ret;
	plug->n_used++;
	/* Whoever plugs waits for this line. */
	printf("GUEST plug round %u\n", round);
	fflush(stdout);
	ret = wait_until(plug, is_blinking);
	if (!ret && round % PATIENT_ROUNDS)
		ret = file_write(plug->power, "0");
	return ret ? ret : wait_until(plug, is_gone);
}

/* --- All of them --- */

static pid_t storm_start(const char *contents, const atomic_int *over)
{
	pid_t pid = fork();
	char argument[32];
	int ret = 0;

	if (pid)
		return pid;
	snprintf(argument, sizeof(argument), "2:%s", contents);
	while (!ret && !atomic_load(over)) {
		struct say say = {.size = 0};

		ret = storm_run(argument, &say);
	}
	_exit(-ret & 0xff);
}

/* DISK:ROUNDS:inplace|paired|none */
int plug_run(const char *argument, struct say *say)
{
	struct plug plug = {.n_rounds = 0};
	char name[32], contents[16];
	atomic_int *over = mmap(NULL, sizeof(*over), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t storm = -1;
	int ret, status = 0;

	if (sscanf(argument, "%31[a-z0-9]:%u:%15[a-z]", name, &plug.n_rounds, contents) != 3)
		return -EINVAL;
	snprintf(plug.disk, sizeof(plug.disk), "/dev/%s", name);
	ret = over == MAP_FAILED ? -errno : find_port(&plug);
	if (!ret)
		ret = find_slot(&plug);
	if (ret)
		return ret;
	if (strcmp(contents, "none"))
		storm = storm_start(contents, over);
	for (unsigned int round = 0; round < plug.n_rounds && !ret; round++)
		ret = plug_round(&plug, round);
	atomic_store(over, 1);
	if (storm > 0 && (waitpid(storm, &status, 0) < 0 || status) && !ret)
		ret = WIFEXITED(status) ? -WEXITSTATUS(status) : -ECHILD;
	say_add(say, " used=%u", plug.n_used);
	return ret;
}
