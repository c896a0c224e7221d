// SPDX-License-Identifier: GPL-2.0-or-later
/* The ways in which test guests end, or don't. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/io.h>
#include <sys/reboot.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "tests/guest/linux/guest.h"

#define DEBUG_EXIT_PORT 0xf4

/* What was printed must have left the serial port. */
static void flush_all(void)
{
	fflush(stdout);
	tcdrain(1);
	sync();
}

static int reboot_as(int how)
{
	flush_all();
	reboot(how);
	return -errno;
}

int end_poweroff(const char *argument, struct say *say)
{
	(void)argument;
	(void)say;
	return reboot_as(RB_POWER_OFF);
}

int end_reboot(const char *argument, struct say *say)
{
	(void)argument;
	(void)say;
	return reboot_as(RB_AUTOBOOT);
}

int end_triple_fault(const char *argument, struct say *say)
{
	int err = file_write("/sys/kernel/reboot/type", "triple");

	(void)argument;
	(void)say;
	return err ? err : reboot_as(RB_AUTOBOOT);
}

int end_exit(const char *argument, struct say *say)
{
	unsigned char value = (unsigned char)strtoul(argument, NULL, 10);
	int fd;

	(void)say;
	flush_all();
	if (!ioperm(DEBUG_EXIT_PORT, 1, 1)) {
		outb(value, DEBUG_EXIT_PORT);
		return -ENODEV; /* still here */
	}
	fd = open("/dev/port", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, &value, 1, DEBUG_EXIT_PORT) != 1)
		return -errno;
	return -ENODEV;
}

int end_panic(const char *argument, struct say *say)
{
	(void)argument;
	(void)say;
	flush_all();
	return file_write("/proc/sysrq-trigger", "c");
}

int end_sleep(const char *argument, struct say *say)
{
	(void)say;
	sleep((unsigned int)strtoul(argument, NULL, 10));
	return 0;
}

/* Processors idle. */
int end_hang(const char *argument, struct say *say)
{
	(void)argument;
	(void)say;
	flush_all();
	for (;;)
		pause();
}

/* All processors busy. */
int end_spin(const char *argument, struct say *say)
{
	(void)argument;
	(void)say;
	flush_all();
	for (long i = sysconf(_SC_NPROCESSORS_ONLN); i > 1; i--)
		if (!fork())
			break;
	for (;;)
		__asm__ volatile("");
}

/* Busybox on the console, with job control. */
int end_shell(const char *argument, struct say *say)
{
	pid_t pid = fork();

	(void)argument;
	(void)say;
	if (pid < 0)
		return -errno;
	if (pid)
		return waitpid(pid, NULL, 0) < 0 ? -errno : 0;
	setenv("PATH", "/bin:/sbin", 1);
	setenv("PS1", "guest# ", 1);
	setenv("TERM", "linux", 0);
	/* /dev/console cannot be a controlling terminal, what it stands for can */
	execl("/bin/busybox", "sh", "-c",
	      "/bin/busybox --install -s /bin; "
	      "tty=$(sed 's/.* //' /sys/class/tty/console/active); "
	      "exec setsid -c sh <>/dev/$tty >&0 2>&0",
	      NULL);
	_exit(127);
}
