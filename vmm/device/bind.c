// SPDX-License-Identifier: GPL-2.0-or-later
/*
 *	write the record: binding, old driver		undone by the next command from here ...
 *	driver_override = vfio-pci; unbind; probe
 *	write the record: bound				... to here
 *
 *	write the record: returning			completed by the next command from here
 *... driver_override as before; unbind; bind remove the record				... to
 *here
 */
#include "vmm/device/bind.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/device/use.h"
#include "vmm/err.h"

#define DRIVER "vfio-pci"
#define PREFIX "device-"

enum phase { PHASE_NONE, PHASE_BINDING, PHASE_BOUND, PHASE_RETURNING, PHASE_COUNT };

static const char *const phase_words[PHASE_COUNT] = {
	[PHASE_NONE] = "none",
	[PHASE_BINDING] = "binding",
	[PHASE_BOUND] = "bound",
	[PHASE_RETURNING] = "returning",
};

/* What a device had; empty: none. */
struct record {
	enum phase phase;
	char driver[HOST_PCI_WORD_BYTES];
	char override[HOST_PCI_WORD_BYTES];
};

/* --- Records --- */

static void record_path(const struct device_bind *bind, const char *address, const char *suffix,
			char path[HOST_PCI_PATH_BYTES])
{
	snprintf(path, HOST_PCI_PATH_BYTES, "%s/" PREFIX "%s%s", bind->paths->state, address,
		 suffix);
}

/* "key value"; what is left of a line that fits its field. */
static void record_take(struct record *record, char *line)
{
	char *value = line + strcspn(line, " ");

	line[strcspn(line, "\n")] = '\0';
	if (*value)
		*value++ = '\0';
	for (unsigned int i = 0; i < PHASE_COUNT && !strcmp(line, "phase"); i++) {
		if (!strcmp(value, phase_words[i]))
			record->phase = (enum phase)i;
	}
	if (!strcmp(line, "driver"))
		snprintf(record->driver, sizeof(record->driver), "%s", value);
	if (!strcmp(line, "override"))
		snprintf(record->override, sizeof(record->override), "%s", value);
}

static struct record record_read(const struct device_bind *bind, const char *address)
{
	struct record record = {.phase = PHASE_NONE};
	char path[HOST_PCI_PATH_BYTES], line[HOST_PCI_WORD_BYTES + 16];
	_cleanup_fclose_ FILE *file = NULL;

	record_path(bind, address, "", path);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		record_take(&record, line);
	return record;
}

/* Whole or not at all. */
static int record_write(const struct device_bind *bind, const char *address,
			const struct record *record)
{
	char path[HOST_PCI_PATH_BYTES], temporary[HOST_PCI_PATH_BYTES];
	FILE *file;
	bool failed;

	record_path(bind, address, "", path);
	record_path(bind, address, ".new", temporary);
	file = fopen(temporary, "we");
	if (!file)
		return -errno;
	fprintf(file, "phase %s\ndriver %s\noverride %s\n", phase_words[record->phase],
		record->driver, record->override);
	failed = fflush(file) || fsync(fileno(file));
	failed = fclose(file) || failed;
	if (failed || rename(temporary, path))
		return errno ? -errno : -EIO;
	return 0;
}

static void record_remove(const struct device_bind *bind, const char *address)
{
	char path[HOST_PCI_PATH_BYTES];

	record_path(bind, address, "", path);
	unlink(path);
}

int device_bind_lock(const struct device_bind *bind, struct err *err)
{
	char path[HOST_PCI_PATH_BYTES];
	_cleanup_close_ int fd = -1;

	if (mkdir(bind->paths->state, 0755) && errno != EEXIST)
		return err_set(err, -errno, "%s: cannot make it: %s; run as root",
			       bind->paths->state, err_describe(errno));
	snprintf(path, sizeof(path), "%s/devices.lock", bind->paths->state);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || flock(fd, LOCK_EX))
		return err_set(err, -errno, "%s: cannot lock it: %s; run as root", path,
			       err_describe(errno));
	return take_fd(&fd);
}

/* --- The kernel's part --- */

static int kernel_write(void *kernel, const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t size_bytes = strlen(text);

	(void)kernel;
	if (fd < 0)
		return -errno;
	return write(fd, text, size_bytes) == (ssize_t)size_bytes ? 0 : -errno;
}

void device_bind_init(struct device_bind *bind, const struct host_paths *paths)
{
	*bind = (struct device_bind){.paths = paths, .write = kernel_write};
}

/* @format names a file below bus/pci and takes one word. */
static int sysfs_write(const struct device_bind *bind, const char *folder, const char *word,
		       const char *file, const char *text)
{
	char path[HOST_PCI_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/bus/pci/%s%s%s", bind->paths->sysfs, folder, word,
		 file);
	return bind->write(bind->kernel, path, text);
}

static int set_override(const struct device_bind *bind, const char *address,
			const char *override)
{
	/* An empty line is no driver. */
	return sysfs_write(bind, "devices/", address, "/driver_override",
			   *override ? override : "\n");
}

static int leave_driver(const struct device_bind *bind, const struct host_pci *device)
{
	if (!*device->driver)
		return 0;
	return sysfs_write(bind, "drivers/", device->driver, "/unbind", device->address);
}

static int look(const struct device_bind *bind, const char *address, struct host_pci *device,
		struct err *err)
{
	int ret = host_pci_read(bind->paths, address, device);

	if (ret == -ENOENT)
		return err_set(
			err, ret,
			"%s: the host has no such PCI device; `alcove device list` shows "
			"those it has",
			address);
	if (ret)
		return err_set(err, ret, "%s: cannot look at it: %s", address,
			       err_describe(ret));
	return 0;
}

/* --- Back to the old driver --- */

static int give_back(const struct device_bind *bind, const char *address,
		     const struct record *record, struct err *err)
{
	struct host_pci device;
	int ret = look(bind, address, &device, err);

	if (ret)
		return ret;
	ret = set_override(bind, address, record->override);
	if (!ret && !strcmp(device.driver, DRIVER) && strcmp(record->driver, DRIVER) != 0)
		ret = leave_driver(bind, &device);
	if (ret)
		return err_set(err, ret, "%s: cannot take it from " DRIVER ": %s; run as root",
			       address, err_describe(ret));
	if (*record->driver && strcmp(device.driver, record->driver) != 0)
		ret = sysfs_write(bind, "drivers/", record->driver, "/bind", address);
	if (ret)
		return err_set(err, ret,
			       "%s: its old driver %s does not take it: %s; load that, and run "
			       "`alcove device unbind %s` again",
			       address, record->driver, err_describe(ret), address);
	record_remove(bind, address);
	return 0;
}

int device_unbind(const struct device_bind *bind, const char *address, struct err *err)
{
	struct record record = record_read(bind, address);
	struct host_pci device;
	int ret = look(bind, address, &device, err);

	if (ret)
		return ret;
	if (record.phase == PHASE_NONE && strcmp(device.driver, DRIVER) != 0)
		return err_set(
			err, -EINVAL,
			"%s: `alcove device bind` did not bind it, and its driver is %s; "
			"leave it as it is",
			address, *device.driver ? device.driver : "none");
	/* Somebody else bound it: the kernel chooses what comes next. */
	if (record.phase == PHASE_NONE) {
		ret = set_override(bind, address, "");
		if (!ret)
			ret = leave_driver(bind, &device);
		if (!ret)
			ret = sysfs_write(bind, "drivers_probe", "", "", address);
		return ret ? err_set(err, ret,
				     "%s: cannot take it from " DRIVER ": %s; run as "
				     "root",
				     address, err_describe(ret))
			   : 0;
	}
	record.phase = PHASE_RETURNING;
	ret = record_write(bind, address, &record);
	if (ret)
		return err_set(err, ret, "%s: cannot write below %s: %s; run as root", address,
			       bind->paths->state, err_describe(ret));
	return give_back(bind, address, &record, err);
}

/* --- To vfio-pci --- */

/* Reasons not to try. */
static int check(const struct device_bind *bind, const struct host_pci *device, struct err *err)
{
	char path[HOST_PCI_PATH_BYTES];
	struct stat status;
	int ret;

	if (host_pci_is_bridge(device))
		return err_set(err, -EINVAL, "%s: a bridge; bind what is behind it",
			       device->address);
	ret = host_pci_check_iommu(bind->paths, device, err);
	if (ret)
		return ret;
	snprintf(path, sizeof(path), "%s/bus/pci/drivers/" DRIVER, bind->paths->sysfs);
	if (stat(path, &status))
		return err_set(err, -ENOENT,
			       "%s: the kernel has no driver " DRIVER
			       "; load it: modprobe vfio-pci",
			       device->address);
	return device_check_use(bind->paths, device->address, err);
}

static int change_driver(const struct device_bind *bind, const struct host_pci *device)
{
	struct host_pci after;
	int ret = set_override(bind, device->address, DRIVER);

	if (!ret && strcmp(device->driver, DRIVER) != 0)
		ret = leave_driver(bind, device);
	if (!ret)
		ret = sysfs_write(bind, "drivers_probe", "", "", device->address);
	if (!ret)
		ret = host_pci_read(bind->paths, device->address, &after);
	/* The probe itself fails without a word. */
	if (!ret && strcmp(after.driver, DRIVER) != 0)
		ret = -ENXIO;
	return ret;
}

int device_bind(const struct device_bind *bind, const char *address, struct err *err)
{
	struct record record = record_read(bind, address);
	struct host_pci device;
	int ret = look(bind, address, &device, err);

	if (!ret)
		ret = check(bind, &device, err);
	if (ret)
		return ret;
	if (!strcmp(device.driver, DRIVER) &&
	    (record.phase == PHASE_NONE || record.phase == PHASE_BOUND))
		return 0;
	if (record.phase == PHASE_NONE || record.phase == PHASE_BOUND) {
		snprintf(record.driver, sizeof(record.driver), "%s", device.driver);
		snprintf(record.override, sizeof(record.override), "%s",
			 device.driver_override);
	}
	record.phase = PHASE_BINDING;
	ret = record_write(bind, address, &record);
	if (ret)
		return err_set(err, ret, "%s: cannot write below %s: %s; run as root", address,
			       bind->paths->state, err_describe(ret));
	ret = change_driver(bind, &device);
	record.phase = PHASE_BOUND;
	if (!ret)
		ret = record_write(bind, address, &record);
	if (!ret)
		return 0;
	(void)!give_back(bind, address, &record, NULL);
	return err_set(err, ret,
		       "%s: " DRIVER " does not take it: %s; run as root, and see the "
		       "kernel log",
		       address, err_describe(ret));
}

/* --- What was cut short --- */

bool device_bind_is_half(const struct device_bind *bind, const char *address)
{
	enum phase phase = record_read(bind, address).phase;

	return phase == PHASE_BINDING || phase == PHASE_RETURNING;
}

static int repair_one(const struct device_bind *bind, const char *address, struct err *err)
{
	struct record record = record_read(bind, address);
	struct host_pci device;

	/* It was pulled out, or the record is of no use. */
	if (record.phase == PHASE_NONE ||
	    host_pci_read(bind->paths, address, &device) == -ENOENT) {
		record_remove(bind, address);
		return 0;
	}
	if (record.phase == PHASE_BOUND)
		return 0;
	return give_back(bind, address, &record, err);
}

int device_bind_repair(const struct device_bind *bind, const char *except, struct err *err)
{
	char address[PCI_ADDRESS_BYTES];
	DIR *directory = opendir(bind->paths->state);
	struct dirent *entry;
	int ret = 0;

	while (directory && (entry = readdir(directory))) {
		int failed;

		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) != 0 ||
		    !pci_address_parse(entry->d_name + strlen(PREFIX), address) ||
		    (except && !strcmp(except, address)))
			continue;
		failed = repair_one(bind, address, ret ? NULL : err);
		ret = ret ? ret : failed;
	}
	if (directory)
		closedir(directory);
	return ret;
}
