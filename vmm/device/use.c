// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/device/use.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/assigned.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	PATH_BYTES = 1024,
	LINE_BYTES = 4096,
	DISK_NAME_MAX = 64,
};

/* The first word of a file; empty when there is none. */
static void read_word(const char *path, char *word, size_t size_bytes)
{
	_cleanup_fclose_ FILE *file = fopen(path, "re");

	word[0] = '\0';
	if (file && fgets(word, (int)size_bytes, file))
		word[strcspn(word, " \t\n")] = '\0';
}

/* Does the link lead to, or through, @folder ("/name/")? */
static bool leads_to(const char *path, const char *folder)
{
	char target[PATH_BYTES];
	ssize_t got = readlink(path, target, sizeof(target) - 1);

	target[got < 0 ? 0 : got] = '\0';
	return strstr(target, folder);
}

/*
 * Disks that several controllers can reach belong to the subsystem that those have in common,
 * which is where @target leads to. Is one of them at @folder?
 */
static bool is_behind_subsystem(const struct host_paths *paths, const char *target,
				const char *folder)
{
	const char *place = strstr(target, "/nvme-subsystem/");
	char path[PATH_BYTES], link[PATH_BYTES + 256];
	struct dirent *entry;
	bool found = false;
	DIR *directory;

	if (!place)
		return false;
	place += strlen("/nvme-subsystem/");
	snprintf(path, sizeof(path), "%s/class/nvme-subsystem/%.*s", paths->sysfs,
		 (int)strcspn(place, "/"), place);
	directory = opendir(path);
	while (directory && !found && (entry = readdir(directory))) {
		snprintf(link, sizeof(link), "%s/%s", path, entry->d_name);
		found = leads_to(link, folder);
	}
	if (directory)
		closedir(directory);
	return found;
}

/* Is the disk, or partition, behind the device at @address? */
static bool is_behind(const struct host_paths *paths, const char *disk, const char *address)
{
	char path[PATH_BYTES], target[PATH_BYTES], folder[PCI_ADDRESS_BYTES + 2];
	ssize_t got;

	snprintf(path, sizeof(path), "%s/class/block/%.*s", paths->sysfs, DISK_NAME_MAX, disk);
	got = readlink(path, target, sizeof(target) - 1);
	if (got < 0)
		return false;
	target[got] = '\0';
	snprintf(folder, sizeof(folder), "/%s/", address);
	return strstr(target, folder) || is_behind_subsystem(paths, target, folder);
}

/* A line of mountinfo ends so; btrfs has no number of a disk. */
static bool has_source(const char *line, const char *disk)
{
	const char *rest = strstr(line, " - ");
	char source[PATH_BYTES];

	return rest && sscanf(rest, " - %*s /dev/%1023s", source) == 1 && !strcmp(source, disk);
}

/* The mount point of a file system on @disk, block device @number ("259:0"), or "". */
static void find_mount(const struct host_paths *paths, const char *disk, const char *number,
		       char *where, size_t size_bytes)
{
	char path[PATH_BYTES], line[LINE_BYTES], found[32], point[256];
	_cleanup_fclose_ FILE *file = NULL;

	where[0] = '\0';
	snprintf(path, sizeof(path), "%s/self/mountinfo", paths->proc);
	file = fopen(path, "re");
	/* proc(5): number, parent, major:minor, root, mount point */
	while (file && !*where && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*s %*s %31s %*s %255s", found, point) == 2 &&
		    (!strcmp(found, number) || has_source(line, disk)))
			snprintf(where, size_bytes, "%s", point);
	}
}

static bool is_swap(const struct host_paths *paths, const char *disk)
{
	char path[PATH_BYTES], line[LINE_BYTES], name[DISK_NAME_MAX + 8];
	_cleanup_fclose_ FILE *file = NULL;
	size_t length;

	snprintf(path, sizeof(path), "%s/swaps", paths->proc);
	length = (size_t)snprintf(name, sizeof(name), "/dev/%.*s", DISK_NAME_MAX, disk);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, name, length) && strchr(" \t", line[length]))
			return true;
	}
	return false;
}

static bool has_holder(const struct host_paths *paths, const char *disk)
{
	char path[PATH_BYTES];
	struct dirent *entry;
	bool found = false;
	DIR *directory;

	snprintf(path, sizeof(path), "%s/class/block/%.*s/holders", paths->sysfs, DISK_NAME_MAX,
		 disk);
	directory = opendir(path);
	while (directory && !found && (entry = readdir(directory)))
		found = entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return found;
}

/* A file system may be on more disks than the one it was mounted by. */
static bool has_btrfs(const struct host_paths *paths, const char *disk)
{
	char folder[PATH_BYTES], path[PATH_BYTES + 512];
	struct dirent *entry;
	bool found = false;
	DIR *directory;

	snprintf(folder, sizeof(folder), "%s/fs/btrfs", paths->sysfs);
	directory = opendir(folder);
	while (directory && !found && (entry = readdir(directory))) {
		snprintf(path, sizeof(path), "%s/%s/devices/%.*s", folder, entry->d_name,
			 DISK_NAME_MAX, disk);
		found = access(path, F_OK) == 0;
	}
	if (directory)
		closedir(directory);
	return found;
}

static int check_disk(const struct host_paths *paths, const char *address, const char *disk,
		      struct err *err)
{
	char path[PATH_BYTES], number[32], where[256];

	snprintf(path, sizeof(path), "%s/class/block/%.*s/dev", paths->sysfs, DISK_NAME_MAX,
		 disk);
	read_word(path, number, sizeof(number));
	find_mount(paths, disk, number, where, sizeof(where));
	if (*where)
		return err_set(err, -EBUSY,
			       "%s: its disk %s is mounted at %s; unmount it first", address,
			       disk, where);
	if (is_swap(paths, disk))
		return err_set(err, -EBUSY,
			       "%s: the host swaps to its disk %s; run swapoff first", address,
			       disk);
	if (has_btrfs(paths, disk))
		return err_set(err, -EBUSY,
			       "%s: its disk %s is a part of a btrfs file system; unmount it "
			       "first",
			       address, disk);
	if (has_holder(paths, disk))
		return err_set(err, -EBUSY,
			       "%s: its disk %s is a part of another one (LVM, RAID, "
			       "encryption); take that down first",
			       address, disk);
	return 0;
}

int device_check_use(const struct host_paths *paths, const char *address, struct err *err)
{
	char path[PATH_BYTES];
	struct dirent *entry;
	DIR *directory;
	int ret = 0;

	snprintf(path, sizeof(path), "%s/class/block", paths->sysfs);
	directory = opendir(path);
	while (directory && !ret && (entry = readdir(directory))) {
		if (is_behind(paths, entry->d_name, address))
			ret = check_disk(paths, address, entry->d_name, err);
	}
	if (directory)
		closedir(directory);
	return ret;
}
