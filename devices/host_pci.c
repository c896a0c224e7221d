// SPDX-License-Identifier: GPL-2.0-or-later
/* PCI devices of the host, as its sysfs shows them. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/assigned.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	ADDRESS_LENGTH = 12, /* 0000:01:00.0 */
	SHORT_LENGTH = 7,    /* 01:00.0 */
};

static bool has_shape(const char *text, const char *shape)
{
	for (; *shape; text++, shape++) {
		bool fits = *shape == 'x' ? isxdigit((unsigned char)*text) : *text == *shape;

		if (!fits)
			return false;
	}
	return !*text;
}

bool pci_address_parse(const char *text, char ret_address[PCI_ADDRESS_BYTES])
{
	size_t length = strlen(text);
	const char *segment = length == SHORT_LENGTH ? "0000:" : "";

	if (length != ADDRESS_LENGTH && length != SHORT_LENGTH)
		return false;
	if (!has_shape(text, length == SHORT_LENGTH ? "xx:xx.x" : "xxxx:xx:xx.x"))
		return false;
	/* A slot has five bits, a function three. */
	if (strtoul(text + length - 4, NULL, 16) > 0x1f || text[length - 1] > '7')
		return false;
	snprintf(ret_address, PCI_ADDRESS_BYTES, "%s%s", segment, text);
	for (char *c = ret_address; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	return true;
}

/* --- Files --- */

static void path_of(const struct host_paths *paths, const char *address, const char *file,
		    char path[HOST_PCI_PATH_BYTES])
{
	snprintf(path, HOST_PCI_PATH_BYTES, "%s/bus/pci/devices/%s/%s", paths->sysfs, address,
		 file);
}

/* The first line of a file, without its end; empty when there is none. */
static void read_word(const char *path, char *word, size_t size_bytes)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, word, size_bytes - 1);

	word[got < 0 ? 0 : got] = '\0';
	word[strcspn(word, "\n")] = '\0';
	if (!strcmp(word, "(null)"))
		word[0] = '\0';
}

/* The last name in a link; empty when it is none, or too long to be one of ours. */
static void read_link(const char *path, char *word, size_t size_bytes)
{
	char target[HOST_PCI_PATH_BYTES];
	ssize_t got = readlink(path, target, sizeof(target) - 1);
	const char *slash, *name;

	target[got < 0 ? 0 : got] = '\0';
	slash = strrchr(target, '/');
	name = slash ? slash + 1 : target;
	word[0] = '\0';
	if (strlen(name) < size_bytes)
		memcpy(word, name, strlen(name) + 1);
}

/* The entry of a directory that starts with @prefix; empty when there is none. */
static void read_entry(const char *path, const char *prefix, char *word, size_t size_bytes)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	word[0] = '\0';
	if (!directory)
		return;
	while ((entry = readdir(directory))) {
		if (!strncmp(entry->d_name, prefix, strlen(prefix)) &&
		    strlen(entry->d_name) < size_bytes)
			snprintf(word, size_bytes, "%.*s", (int)size_bytes - 1, entry->d_name);
	}
	closedir(directory);
}

static uint32_t read_hex(const struct host_paths *paths, const char *address, const char *file)
{
	char path[HOST_PCI_PATH_BYTES], word[HOST_PCI_WORD_BYTES];

	path_of(paths, address, file, path);
	read_word(path, word, sizeof(word));
	return (uint32_t)strtoul(word, NULL, 16);
}

int host_pci_read(const struct host_paths *paths, const char *address,
		  struct host_pci *ret_device)
{
	struct host_pci *device = ret_device;
	char path[HOST_PCI_PATH_BYTES];
	struct stat status;

	path_of(paths, address, "", path);
	if (stat(path, &status))
		return -errno;
	snprintf(device->address, sizeof(device->address), "%s", address);
	path_of(paths, address, "driver", path);
	read_link(path, device->driver, sizeof(device->driver));
	path_of(paths, address, "iommu_group", path);
	read_link(path, device->iommu_group, sizeof(device->iommu_group));
	path_of(paths, address, "driver_override", path);
	read_word(path, device->driver_override, sizeof(device->driver_override));
	path_of(paths, address, "reset_method", path);
	read_word(path, device->reset_methods, sizeof(device->reset_methods));
	path_of(paths, address, "vfio-dev", path);
	read_entry(path, "vfio", device->vfio, sizeof(device->vfio));
	device->vendor_id = (uint16_t)read_hex(paths, address, "vendor");
	device->device_id = (uint16_t)read_hex(paths, address, "device");
	device->class_code = read_hex(paths, address, "class");
	return 0;
}

static int compare_addresses(const void *a, const void *b)
{
	return strcmp(a, b);
}

static int list_addresses(const char *path, char (*ret_addresses)[PCI_ADDRESS_BYTES],
			  unsigned int max)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	unsigned int n = 0;

	if (!directory)
		return -errno;
	while (n < max && (entry = readdir(directory)))
		n += pci_address_parse(entry->d_name, ret_addresses[n]);
	closedir(directory);
	qsort(ret_addresses, n, PCI_ADDRESS_BYTES, compare_addresses);
	return (int)n;
}

int host_pci_list(const struct host_paths *paths, char (*ret_addresses)[PCI_ADDRESS_BYTES],
		  unsigned int max)
{
	char path[HOST_PCI_PATH_BYTES];

	snprintf(path, sizeof(path), "%s/bus/pci/devices", paths->sysfs);
	return list_addresses(path, ret_addresses, max);
}

/* --- Can it be assigned? --- */

bool host_pci_has_claim(const struct host_paths *paths, const struct host_pci *device)
{
	char path[HOST_PCI_PATH_BYTES], line[256];
	_cleanup_fclose_ FILE *file = NULL;

	snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%s/reserved_regions", paths->sysfs,
		 device->iommu_group);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		const char *kind = strrchr(line, ' ');

		/* direct-relaxable is for the boot only. */
		if (kind && !strcmp(kind, " direct\n"))
			return true;
	}
	return false;
}

bool host_pci_is_bridge(const struct host_pci *device)
{
	return device->class_code >> 16 == 0x06;
}

const char *host_pci_find_rival(const struct host_paths *paths, const struct host_pci *device,
				char ret_address[PCI_ADDRESS_BYTES])
{
	char addresses[64][PCI_ADDRESS_BYTES], path[HOST_PCI_PATH_BYTES];
	struct host_pci other = {.address = ""};
	int n;

	snprintf(path, sizeof(path), "%s/kernel/iommu_groups/%s/devices", paths->sysfs,
		 device->iommu_group);
	n = list_addresses(path, addresses, ARRAY_SIZE(addresses));
	for (int i = 0; i < n; i++) {
		if (!strcmp(addresses[i], device->address) ||
		    host_pci_read(paths, addresses[i], &other) || host_pci_is_bridge(&other) ||
		    !*other.driver || !strcmp(other.driver, "vfio-pci"))
			continue;
		memcpy(ret_address, addresses[i], PCI_ADDRESS_BYTES);
		return ret_address;
	}
	return NULL;
}

int host_pci_check_iommu(const struct host_paths *paths, const struct host_pci *device,
			 struct err *err)
{
	if (!*device->iommu_group)
		return err_set(err, -ENODEV,
			       "%s: no IOMMU stands before it; turn VT-d or AMD-Vi on in the "
			       "firmware and with intel_iommu=on",
			       device->address);
	if (host_pci_has_claim(paths, device))
		return err_set(err, -EINVAL,
			       "%s: the firmware reserves memory for it (RMRR), so it cannot "
			       "be assigned; turn that off in the firmware",
			       device->address);
	return 0;
}

int host_pci_check(const struct host_paths *paths, const struct host_pci *device,
		   struct err *err)
{
	char rival[PCI_ADDRESS_BYTES], path[HOST_PCI_PATH_BYTES];
	struct stat status;
	int ret;

	if (host_pci_is_bridge(device))
		return err_set(err, -EINVAL, "%s: a bridge; assign what is behind it",
			       device->address);
	ret = host_pci_check_iommu(paths, device, err);
	if (ret)
		return ret;
	if (host_pci_find_rival(paths, device, rival))
		return err_set(err, -EBUSY,
			       "%s: %s of the same IOMMU group %s is in use by the host; run "
			       "`alcove device bind %s`, too",
			       device->address, rival, device->iommu_group, rival);
	if (strcmp(device->driver, "vfio-pci") != 0)
		return err_set(
			err, -EBUSY,
			"%s: its driver is %s, not vfio-pci; run `alcove device bind %s`",
			device->address, *device->driver ? device->driver : "none",
			device->address);
	snprintf(path, sizeof(path), "%s/iommu", paths->dev);
	if (stat(path, &status))
		return err_set(err, -ENODEV,
			       "%s: no %s; use a kernel with CONFIG_IOMMUFD, or load iommufd",
			       device->address, path);
	if (!*device->vfio)
		return err_set(err, -ENODEV,
			       "%s: vfio-pci gives it no file of its own; use a kernel with "
			       "CONFIG_VFIO_DEVICE_CDEV",
			       device->address);
	return 0;
}
