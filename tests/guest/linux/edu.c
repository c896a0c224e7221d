// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A driver in user space for QEMU's educational device (docs/specs/edu.rst): registers through
 * its BAR, and DMA from and to memory of ours.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/linux/guest.h"

enum {
	PAGE = 4096,
	BAR_BYTES = 1 << 20,
	BLOCK_BYTES = 2048, /* it aborts on a full page */
	BUFFER = 0x40000,   /* in the device */
	ROUNDS = 64,

	REGISTER_ID = 0x00,
	REGISTER_LIVE = 0x04,
	REGISTER_FACTORIAL = 0x08,
	REGISTER_STATUS = 0x20,
	REGISTER_SOURCE = 0x80,
	REGISTER_TARGET = 0x88,
	REGISTER_COUNT = 0x90,
	REGISTER_COMMAND = 0x98,

	STATUS_BUSY = 1,
	COMMAND_START = 1,
	COMMAND_TO_MEMORY = 2,
	WAIT_MS = 10000,
};

static uint32_t get(volatile uint8_t *bar, unsigned int at)
{
	return *(volatile uint32_t *)(bar + at);
}

static void set(volatile uint8_t *bar, unsigned int at, uint32_t value)
{
	*(volatile uint32_t *)(bar + at) = value;
}

/* Is it there? With the folder in sysfs. */
static int edu_find(char *folder, size_t size)
{
	DIR *devices = opendir("/sys/bus/pci/devices");
	struct dirent *entry;
	int found = -ENODEV;

	while (devices && found && (entry = readdir(devices))) {
		char path[512], vendor[16], device[16];

		snprintf(folder, size, "/sys/bus/pci/devices/%.200s", entry->d_name);
		snprintf(path, sizeof(path), "%s/vendor", folder);
		file_line(path, vendor, sizeof(vendor));
		snprintf(path, sizeof(path), "%s/device", folder);
		file_line(path, device, sizeof(device));
		if (!strcmp(vendor, "0x1234") && !strcmp(device, "0x11e8"))
			found = 0;
	}
	if (devices)
		closedir(devices);
	return found;
}

/* Memory decoding by sysfs, bus mastering by hand. */
static int edu_enable(const char *folder)
{
	char path[512];
	uint16_t command;
	int fd;

	snprintf(path, sizeof(path), "%s/enable", folder);
	if (file_write(path, "1"))
		return -EIO;
	snprintf(path, sizeof(path), "%s/config", folder);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return -errno;
	if (pread(fd, &command, 2, 4) != 2)
		command = 0;
	command |= 4;
	if (pwrite(fd, &command, 2, 4) != 2)
		command = 0;
	close(fd);
	return command ? 0 : -EIO;
}

static volatile uint8_t *edu_map(const char *folder)
{
	char path[512];
	void *bar;
	int fd;

	snprintf(path, sizeof(path), "%s/resource0", folder);
	fd = open(path, O_RDWR);
	if (fd < 0)
		return NULL;
	bar = mmap(NULL, BAR_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	close(fd);
	return bar == MAP_FAILED ? NULL : bar;
}

static int wait_while(volatile uint8_t *bar, unsigned int at, uint32_t bit)
{
	for (int i = 0; i < WAIT_MS; i++) {
		if (!(get(bar, at) & bit))
			return 0;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	return -ETIMEDOUT;
}

static int edu_dma(volatile uint8_t *bar, uint64_t memory, bool to_memory)
{
	volatile uint64_t *source = (volatile uint64_t *)(bar + REGISTER_SOURCE);
	volatile uint64_t *target = (volatile uint64_t *)(bar + REGISTER_TARGET);

	*source = to_memory ? BUFFER : memory;
	*target = to_memory ? memory : BUFFER;
	set(bar, REGISTER_COUNT, BLOCK_BYTES);
	set(bar, REGISTER_COMMAND, COMMAND_START | (to_memory ? COMMAND_TO_MEMORY : 0));
	return wait_while(bar, REGISTER_COMMAND, COMMAND_START);
}

/* The physical address of a page that stays where it is. */
static uint64_t physical(const void *page)
{
	uint64_t entry = 0;
	int fd = open("/proc/self/pagemap", O_RDONLY);

	if (fd < 0)
		return 0;
	if (pread(fd, &entry, 8, (off_t)((uintptr_t)page / PAGE * 8)) != 8)
		entry = 0;
	close(fd);
	return (entry & ((UINT64_C(1) << 55) - 1)) * PAGE;
}

static int edu_copy(volatile uint8_t *bar)
{
	uint8_t *pages = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0);
	int ret = 0;

	if (pages == MAP_FAILED)
		return -errno;
	for (int i = 0; i < ROUNDS && !ret; i++) {
		pattern_fill(pages, BLOCK_BYTES, (uint64_t)i);
		memset(pages + PAGE, 0, BLOCK_BYTES);
		ret = edu_dma(bar, physical(pages), false);
		if (!ret)
			ret = edu_dma(bar, physical(pages + PAGE), true);
		if (!ret && memcmp(pages, pages + PAGE, BLOCK_BYTES))
			ret = -EILSEQ;
	}
	munmap(pages, 2 * PAGE);
	return ret;
}

int edu_run(const char *argument, struct say *say)
{
	volatile uint8_t *bar;
	char folder[256];
	int ret = edu_find(folder, sizeof(folder));

	(void)argument;
	if (!ret)
		ret = edu_enable(folder);
	if (ret)
		return ret;
	bar = edu_map(folder);
	if (!bar)
		return -ENXIO;
	say_add(say, " id=%08x", get(bar, REGISTER_ID));
	set(bar, REGISTER_LIVE, 0x12345678);
	if (get(bar, REGISTER_LIVE) != ~0x12345678u)
		return -EILSEQ;
	set(bar, REGISTER_FACTORIAL, 5);
	ret = wait_while(bar, REGISTER_STATUS, STATUS_BUSY);
	if (!ret)
		say_add(say, " factorial=%u", get(bar, REGISTER_FACTORIAL));
	if (!ret)
		ret = edu_copy(bar);
	if (!ret)
		say_add(say, " copies=%d", ROUNDS);
	return ret;
}
