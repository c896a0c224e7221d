// SPDX-License-Identifier: GPL-2.0-or-later
/* What test guests do with disks. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "tests/guest/linux/guest.h"

#define MIB (1024 * 1024)

static void crc32_fill(uint32_t *table)
{
	for (uint32_t i = 0; i < 256; i++) {
		table[i] = i;
		for (int bit = 0; bit < 8; bit++)
			table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0xedb88320 : 0);
	}
}

/* As gzip has it, so that scripts can compute it. */
uint32_t crc32_add(uint32_t crc, const void *data, size_t size)
{
	static uint32_t table[256];
	const uint8_t *bytes = data;

	if (!table[1])
		crc32_fill(table);
	crc = ~crc;
	while (size--)
		crc = crc >> 8 ^ table[(crc ^ *bytes++) & 0xff];
	return ~crc;
}

void pattern_fill(void *data, size_t size, uint64_t seed)
{
	uint64_t *words = data;

	for (size_t i = 0; i < size / sizeof(*words); i++)
		words[i] = (seed + i) * 0x9e3779b97f4a7c15;
}

/* A disk may appear later than we do. */
static int disk_open(const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/%.*s", (int)strcspn(name, ":"), name);
	for (int i = 0; i < 100; i++) {
		int fd = open(path, flags | O_CLOEXEC);

		if (fd >= 0)
			return fd;
		if (errno != ENOENT)
			break;
		usleep(50000);
	}
	return -errno;
}

static int disk_size(int fd, uint64_t *ret_bytes)
{
	return ioctl(fd, BLKGETSIZE64, ret_bytes) ? -errno : 0;
}

/* Buffers for O_DIRECT; never freed, as the guest is short-lived. */
static void *buffer_new(size_t size)
{
	return aligned_alloc(4096, size);
}

int disk_read(const char *argument, struct say *say)
{
	char *buffer = buffer_new(MIB);
	int fd = disk_open(argument, O_RDONLY | O_DIRECT);
	uint64_t size, offset = 0;
	uint32_t crc = 0;
	int read_only = 0;

	if (fd < 0)
		return fd;
	if (disk_size(fd, &size) || ioctl(fd, BLKROGET, &read_only))
		return -errno;
	while (offset < size) {
		ssize_t done = pread(fd, buffer, MIB, (off_t)offset);

		if (done <= 0)
			return done ? -errno : -EIO;
		crc = crc32_add(crc, buffer, (size_t)done);
		offset += (uint64_t)done;
	}
	close(fd);
	say_add(say, " size=%llu crc=%08x ro=%d", (unsigned long long)size, crc, read_only);
	return 0;
}

static int transfer(int fd, int writing, char *buffer, uint64_t total)
{
	for (uint64_t offset = 0; offset < total; offset += MIB) {
		size_t size = total - offset < MIB ? total - offset : MIB;
		ssize_t done = writing ? pwrite(fd, buffer + offset, size, (off_t)offset)
				       : pread(fd, buffer + offset, size, (off_t)offset);

		if (done < 0)
			return -errno;
		if ((size_t)done != size)
			return -EIO;
	}
	return 0;
}

int disk_write(const char *argument, struct say *say)
{
	const char *limit = strchr(argument, ':');
	uint64_t size, wanted = limit ? strtoull(limit + 1, NULL, 10) * MIB : 8 * MIB;
	char *written, *read_back;
	int err, fd = disk_open(argument, O_RDWR | O_DIRECT);

	if (fd < 0)
		return fd;
	err = disk_size(fd, &size);
	if (err)
		return err;
	if (size > wanted)
		size = wanted;
	written = buffer_new(size);
	read_back = buffer_new(size);
	if (!written || !read_back)
		return -ENOMEM;
	pattern_fill(written, size, 1);
	memset(read_back, 0, size);
	err = transfer(fd, 1, written, size);
	if (!err && fsync(fd))
		err = -errno;
	if (!err)
		err = transfer(fd, 0, read_back, size);
	close(fd);
	if (!err && memcmp(written, read_back, size))
		err = -EILSEQ;
	say_add(say, " size=%llu crc=%08x", (unsigned long long)size,
		crc32_add(0, written, size));
	free(written);
	free(read_back);
	return err;
}

/* Reports what the first MiB holds afterwards; a disk may keep it or clear it. */
int disk_discard(const char *argument, struct say *say)
{
	uint64_t range[2] = {0, MIB};
	char *buffer = buffer_new(MIB);
	size_t zeros = 0;
	int fd = disk_open(argument, O_RDWR | O_DIRECT);

	if (fd < 0)
		return fd;
	if (ioctl(fd, BLKDISCARD, range))
		return -errno;
	if (pread(fd, buffer, MIB, 0) != MIB)
		return -EIO;
	while (zeros < MIB && !buffer[zeros])
		zeros++;
	say_add(say, " discarded=%s", zeros == MIB ? "zeros" : "data");
	if (ioctl(fd, BLKZEROOUT, range))
		return -errno;
	if (pread(fd, buffer, MIB, 0) != MIB)
		return -EIO;
	for (zeros = 0; zeros < MIB && !buffer[zeros];)
		zeros++;
	close(fd);
	return zeros == MIB ? 0 : -EILSEQ;
}

/* Succeeds when the disk reports an error, as a disk that is to fail must. */
int disk_io_error(const char *argument, struct say *say)
{
	char *buffer = buffer_new(4096);
	int fd = disk_open(argument, O_RDWR | O_DIRECT);
	int read_err, write_err;

	if (fd == -EACCES || fd == -EROFS || fd == -EPERM)
		fd = disk_open(argument, O_RDONLY | O_DIRECT);
	if (fd < 0)
		return fd;
	memset(buffer, 0xa5, 4096);
	read_err = pread(fd, buffer, 4096, 0) == 4096 ? 0 : errno;
	write_err = pwrite(fd, buffer, 4096, 0) == 4096 ? 0 : errno;
	close(fd);
	say_add(say, " read=%s", strerrorname_np(read_err));
	say_add(say, " write=%s", strerrorname_np(write_err));
	return read_err || write_err ? 0 : -EALREADY;
}

static int mount_disk(const char *argument, const char *path, unsigned long flags)
{
	char device[128];
	int fd = disk_open(argument, O_RDONLY); /* waits for it */

	if (fd < 0)
		return fd;
	close(fd);
	mkdir(path, 0755);
	snprintf(device, sizeof(device), "/dev/%.*s", (int)strcspn(argument, ":"), argument);
	return mount(device, path, "ext4", flags, NULL) ? -errno : 0;
}

/* The file /known and its checksum as text in /known.crc: tests/guest/images. */
int disk_files(const char *argument, struct say *say)
{
	int err = mount_disk(argument, "/mnt", MS_RDONLY);
	char *buffer = buffer_new(MIB);
	char expected[32];
	uint32_t crc = 0;
	ssize_t size;
	int fd;

	if (err)
		return err;
	fd = open("/mnt/known", O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && (size = read(fd, buffer, MIB)) > 0)
		crc = crc32_add(crc, buffer, (size_t)size);
	file_line("/mnt/known.crc", expected, sizeof(expected));
	if (fd >= 0)
		close(fd);
	umount("/mnt");
	say_add(say, " crc=%08x expected=%s", crc, expected);
	return strtoul(expected, NULL, 16) == crc ? 0 : -EILSEQ;
}

/* argument: vda, or vda:ro */
int disk_switch_root(const char *argument, struct say *say)
{
	unsigned long flags = strstr(argument, ":ro") ? MS_RDONLY : 0;
	char *const argv[] = {"/sbin/init", NULL};
	int err = mount_disk(argument, "/new", flags);

	(void)say;
	if (err)
		return err;
	if (access("/new/sbin/init", X_OK))
		return -ENOENT;
	if (chdir("/new") || mount(".", "/", NULL, MS_MOVE, NULL) || chroot("."))
		return -errno;
	fflush(stdout);
	execv(argv[0], argv);
	return -errno;
}

/* Deliveries of a driver's interrupts so far, on all processors. */
static unsigned long interrupts_of(const char *driver)
{
	FILE *file = fopen("/proc/interrupts", "re");
	unsigned long sum = 0;
	char line[1024];

	while (file && fgets(line, sizeof(line), file)) {
		char *at = strchr(line, ':');

		if (!at || !strstr(line, driver))
			continue;
		for (at++; strspn(at, " ") && at[strspn(at, " ")] >= '0' &&
			   at[strspn(at, " ")] <= '9';)
			sum += strtoul(at, &at, 10);
	}
	if (file)
		fclose(file);
	return sum;
}

/* :DISK:SECONDS:DRIVER, one read of 4 KiB at a time, anywhere in the first 16 MiB */
int disk_rate(const char *argument, struct say *say)
{
	enum { BLOCK = 4096, BLOCKS = 4096 };
	void *block = aligned_alloc(BLOCK, BLOCK);
	int fd = disk_open(argument, O_RDONLY | O_DIRECT), seconds;
	unsigned long n = 0, interrupts;
	struct timespec start, now;
	double took;
	char driver[32];

	if (fd < 0)
		return fd;
	if (sscanf(argument, "%*[^:]:%d:%31s", &seconds, driver) != 2)
		return -EINVAL;
	interrupts = interrupts_of(driver);
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		off_t offset = (off_t)(n * 2654435761u % BLOCKS) * BLOCK;

		if (pread(fd, block, BLOCK, offset) != BLOCK)
			return -EIO;
		n++;
		clock_gettime(CLOCK_MONOTONIC, &now);
		took = (double)(now.tv_sec - start.tv_sec) +
		       (double)(now.tv_nsec - start.tv_nsec) / 1e9;
	} while (took < seconds);
	say_add(say, " reads/s=%.0f interrupts/s=%.0f", (double)n / took,
		(double)(interrupts_of(driver) - interrupts) / took);
	close(fd);
	free(block);
	return 0;
}
