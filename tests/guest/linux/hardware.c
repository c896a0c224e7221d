// SPDX-License-Identifier: GPL-2.0-or-later
/* What test guests do with processors, memory and devices. */
#include <cpuid.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/linux/flip.h"
#include "tests/guest/linux/guest.h"

#define PAGE 4096u

static uint32_t apic_id(void)
{
	unsigned int a, b, c, d;

	if (__get_cpuid_max(0, NULL) >= 0xb) {
		__cpuid_count(0xb, 0, a, b, c, d);
		if (b)
			return d;
	}
	__cpuid(1, a, b, c, d);
	return b >> 24;
}

/* Runs on each processor in turn. */
int hw_cpus(const char *argument, struct say *say)
{
	long count = sysconf(_SC_NPROCESSORS_ONLN);

	(void)argument;
	say_add(say, " online=%ld apic=", count);
	for (int cpu = 0, seen = 0; seen < count && cpu < CPU_SETSIZE; cpu++) {
		cpu_set_t set;

		CPU_ZERO(&set);
		CPU_SET(cpu, &set);
		if (sched_setaffinity(0, sizeof(set), &set))
			continue; /* offline */
		if (sched_getcpu() != cpu)
			return -EXDEV;
		say_add(say, "%s%u", seen++ ? "+" : "", apic_id());
	}
	return 0;
}

int hw_memory(const char *argument, struct say *say)
{
	size_t size = strtoul(argument, NULL, 10) << 20;
	char *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	char page[PAGE];

	if (memory == MAP_FAILED)
		return -errno;
	for (size_t offset = 0; offset < size; offset += PAGE)
		pattern_fill(memory + offset, PAGE, offset);
	for (size_t offset = 0; offset < size; offset += PAGE) {
		pattern_fill(page, PAGE, offset);
		if (memcmp(memory + offset, page, PAGE))
			return -EILSEQ;
	}
	munmap(memory, size);
	say_add(say, " mib=%zu", size >> 20);
	return 0;
}

int hw_pci(const char *argument, struct say *say)
{
	DIR *devices = opendir("/sys/bus/pci/devices");
	struct dirent *entry;

	(void)argument;
	if (!devices)
		return -errno;
	while ((entry = readdir(devices))) {
		char path[512], vendor[16], device[16];

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/vendor", entry->d_name);
		file_line(path, vendor, sizeof(vendor));
		snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/device", entry->d_name);
		file_line(path, device, sizeof(device));
		say_add(say, " %s=%s:%s", entry->d_name, vendor + 2, device + 2);
	}
	closedir(devices);
	return 0;
}

static void wake(int signal)
{
	(void)signal;
}

/* A device that cannot reach its buffers never answers. */
int hw_rng(const char *argument, struct say *say)
{
	unsigned char bytes[64] = {0};
	int different = 0, fd = open("/dev/hwrng", O_RDONLY | O_CLOEXEC);
	char name[64];
	size_t got = 0;

	(void)argument;
	if (fd < 0)
		return -errno;
	sigaction(SIGALRM, &(struct sigaction){.sa_handler = wake}, NULL);
	alarm(10);
	while (got < sizeof(bytes)) {
		ssize_t done = read(fd, bytes + got, sizeof(bytes) - got);

		if (done <= 0)
			return done ? -errno : -EIO;
		got += (size_t)done;
	}
	alarm(0);
	close(fd);
	for (size_t i = 1; i < sizeof(bytes); i++)
		different += bytes[i] != bytes[0];
	file_line("/sys/class/misc/hw_random/rng_current", name, sizeof(name));
	say_add(say, " source=%s", name);
	return different ? 0 : -EILSEQ;
}

static int64_t now_us(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

/* Sleeping takes as long as asked for; a busy host may add to that. */
int hw_time(const char *argument, struct say *say)
{
	struct timespec pause = {.tv_nsec = 200000000};
	int64_t start = now_us(CLOCK_MONOTONIC), slept, last = 0;

	(void)argument;
	nanosleep(&pause, NULL);
	slept = now_us(CLOCK_MONOTONIC) - start;
	say_add(say, " slept_us=%lld realtime_s=%lld", (long long)slept,
		(long long)(now_us(CLOCK_REALTIME) / 1000000));
	for (int i = 0; i < 100000; i++) {
		int64_t now = now_us(CLOCK_MONOTONIC);

		if (now < last)
			return -EILSEQ;
		last = now;
	}
	return slept >= 200000 && slept < 5000000 ? 0 : -ETIME;
}

int flip_set(int fd, uint64_t page, uint64_t pages, int private)
{
	struct flip_range range = {
		.offset = page * PAGE, .size = pages * PAGE, .private = (uint64_t) private};

	if (!ioctl(fd, FLIP_SET, &range))
		return 0;
	return errno == EIO && range.ret ? (int)range.ret : -errno;
}

static int flip_check(char *memory, uint64_t page, uint64_t pages, uint64_t seed)
{
	char expected[PAGE];

	for (uint64_t i = page; i < page + pages; i++)
		pattern_fill(memory + i * PAGE, PAGE, seed + i);
	for (uint64_t i = page; i < page + pages; i++) {
		pattern_fill(expected, PAGE, seed + i);
		if (memcmp(memory + i * PAGE, expected, PAGE))
			return -EILSEQ;
	}
	return 0;
}

/* Convert random ranges of 2 MiB to private and back; each side must hold data. */
int hw_flip(const char *argument, struct say *say)
{
	long rounds = *argument ? strtol(argument, NULL, 10) : 10;
	struct flip_buffer buffer = {.size = 2 << 20};
	uint64_t total = buffer.size / PAGE;
	int fd = open("/dev/lab_flip", O_RDWR | O_CLOEXEC), err = 0;
	char *memory;

	if (fd < 0 || ioctl(fd, FLIP_ALLOC, &buffer))
		return -errno;
	memory = mmap(NULL, buffer.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	for (long round = 0; round < rounds && !err; round++) {
		uint64_t page = (uint64_t)random() % total;
		uint64_t pages = 1 + (uint64_t)random() % (total - page);

		for (int private = 1; private >= 0 && !err; private --) {
			err = flip_set(fd, page, pages, private);
			if (!err)
				err = flip_check(memory, page, pages, (uint64_t)round * total);
		}
	}
	munmap(memory, buffer.size);
	close(fd);
	say_add(say, " rounds=%ld gpa=0x%llx", rounds, (unsigned long long)buffer.gpa);
	return err;
}
