// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * First process of the Linux guests that test Alcove. Does what the kernel's
 * command line asks for, e.g. "alcove.run=info,disk-read:vda,exit:7", prints
 * one line for each action on the console:
 *
 *	GUEST hello kernel=7.3.4-lab cpus=2 mem_kib=...
 *	GUEST disk-read:vda ok size=16777216 crc=89abcdef
 *	GUEST rng FAIL ENODEV
 *	GUEST done
 *
 * and powers off. "alcove.verbose" keeps the kernel's messages on the console,
 * where they may cut these lines. /modules/list names modules to load first, for
 * kernels that have drivers as modules. On a disk's root file system (as
 * /sbin/init, after switch-root) it does "alcove.disk=..." instead.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/klog.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "tests/guest/linux/guest.h"

static char cmdline[4096];

static int show_info(const char *argument, struct say *say);

static const struct {
	const char *name;
	int (*run)(const char *argument, struct say *say);
} actions[] = {
	{"info", show_info},
	{"disk-read", disk_read},	  /* :vda			checksum */
	{"disk-write", disk_write},	  /* :vda[:MIB]		destroys it */
	{"disk-discard", disk_discard},	  /* :vda			its first MiB */
	{"disk-io-error", disk_io_error}, /* :vda			which errno */
	{"disk-rate", disk_rate},	  /* :vda:SECONDS:DRIVER	small reads */
	{"disk-files", disk_files},	  /* :vda			known files on ext4 */
	{"switch-root", disk_switch_root},
	{"cpus", hw_cpus},
	{"memory", hw_memory}, /* :MIB */
	{"pci", hw_pci},
	{"edu", edu_run}, /* QEMU's educational device: registers, DMA */
	{"rng", hw_rng},
	{"time", hw_time},
	{"flip", hw_flip},    /* :ROUNDS		conversions by hypercall */
	{"storm", storm_run}, /* :SECONDS:inplace|paired[:vda[:orderly]] */
	{"plug", plug_run},   /* :nvme0n1:ROUNDS:inplace|paired|none */
	{"echo", io_echo},    /* :/dev/hvc0		lines until "quit" */
	{"echo-console", io_echo},
	{"hvc", io_hvc},
	{"net", io_net},     /* :eth0:IP:PEER:PORT	TCP, one line each way */
	{"vsock", io_vsock}, /* :PORT			of the host, one line each way */
	{"exit", end_exit},  /* :N			debug-exit port */
	{"hang", end_hang},
	{"spin", end_spin},
	{"panic", end_panic},
	{"poweroff", end_poweroff},
	{"reboot", end_reboot},
	{"shell", end_shell},
	{"sleep", end_sleep}, /* :SECONDS */
	{"triple-fault", end_triple_fault},
};

void say_add(struct say *say, const char *format, ...)
{
	va_list args;
	int size;

	if (say->size >= sizeof(say->text) - 1)
		return;
	va_start(args, format);
	size = vsnprintf(say->text + say->size, sizeof(say->text) - say->size, format, args);
	va_end(args);
	if (size > 0)
		say->size += (size_t)size;
}

void file_line(const char *path, char *line, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t done = fd < 0 ? -1 : read(fd, line, size - 1);

	if (fd >= 0)
		close(fd);
	if (done <= 0) {
		snprintf(line, size, "?");
		return;
	}
	line[done] = 0;
	line[strcspn(line, "\n")] = 0;
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t done;

	if (fd < 0)
		return -errno;
	done = write(fd, text, strlen(text));
	close(fd);
	return done < 0 ? -EIO : 0;
}

/* The value of a "name=value" word of the command line, or NULL. */
static const char *parameter(const char *name)
{
	static char value[4096];
	size_t length = strlen(name);

	for (const char *word = cmdline; word; word = strchr(word, ' ')) {
		word += *word == ' ';
		if (strncmp(word, name, length) || (word[length] != '=' && word[length] > ' '))
			continue;
		snprintf(value, sizeof(value), "%s", word + length + (word[length] == '='));
		value[strcspn(value, " \n")] = 0;
		return value;
	}
	return NULL;
}

static int show_info(const char *argument, struct say *say)
{
	const char *hardware = access("/sys/firmware/acpi/tables", F_OK) ? "none" : "acpi";
	char clock[64];
	struct utsname names;
	struct sysinfo info;

	(void)argument;
	uname(&names);
	sysinfo(&info);
	if (!access("/proc/device-tree/compatible", F_OK))
		hardware = "devicetree";
	file_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", clock,
		  sizeof(clock));
	say_add(say, " kernel=%s cpus=%ld mem_kib=%lu", names.release,
		sysconf(_SC_NPROCESSORS_ONLN), info.totalram * info.mem_unit / 1024);
	say_add(say, " hw=%s clock=%s root=%s cmdline=\"%.256s\"", hardware, clock,
		access("/etc/alcove-disk", F_OK) ? "initramfs" : "disk", cmdline);
	return 0;
}

static void run_one(char *text)
{
	struct say say = {0};
	char copy[256];
	char *argument;
	int err = -ENOSYS;

	snprintf(copy, sizeof(copy), "%s", text);
	argument = strchr(copy, ':');
	if (argument)
		*argument++ = 0;
	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++)
		if (!strcmp(copy, actions[i].name))
			err = actions[i].run(argument ? argument : "", &say);
	/* a word of its own, as it comes first */
	if (!strcmp(copy, "info"))
		printf("GUEST hello%s\n", say.text);
	else if (err)
		printf("GUEST %s FAIL %s%s\n", text, strerrorname_np(-err), say.text);
	else
		printf("GUEST %s ok%s\n", text, say.text);
}

static void run_all(const char *list)
{
	char copy[4096];
	char *save = NULL;

	snprintf(copy, sizeof(copy), "%s", list);
	for (char *text = strtok_r(copy, ",", &save); text; text = strtok_r(NULL, ",", &save))
		run_one(text);
}

static void load_modules(void)
{
	FILE *list = fopen("/modules/list", "r");
	char path[256];
	int count = 0;

	if (!list)
		return;
	while (fgets(path, sizeof(path), list)) {
		int fd;

		path[strcspn(path, "\n")] = 0;
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (syscall(SYS_finit_module, fd, "", 0) && errno != EEXIST)
			printf("GUEST module FAIL %s %s\n", strerrorname_np(errno), path);
		else
			count++;
		close(fd);
	}
	fclose(list);
	printf("GUEST modules ok count=%d\n", count);
}

static void mount_all(void)
{
	static const char *const mounts[][2] = {
		{"proc", "/proc"},
		{"sysfs", "/sys"},
		{"devtmpfs", "/dev"},
		{"tmpfs", "/tmp"},
	};

	for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++) {
		mkdir(mounts[i][1], 0755);
		mount(mounts[i][0], mounts[i][1], mounts[i][0], 0, NULL);
	}
}

int main(void)
{
	const char *list;

	setvbuf(stdout, NULL, _IOLBF, 0);
	mount_all();
	file_line("/proc/cmdline", cmdline, sizeof(cmdline));
	if (!parameter("alcove.verbose"))
		klogctl(8, NULL, 1); /* panics only */
	printf("\n");
	load_modules();
	list = parameter(access("/etc/alcove-disk", F_OK) ? "alcove.run" : "alcove.disk");
	run_all(list ? list : "info");
	printf("GUEST done\n");
	end_poweroff("", NULL);
	return 0;
}
