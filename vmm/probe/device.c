// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices of the host for guests: what VFIO needs at all, and what one device needs. */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "memory/memory.h"
#include "vmm/probe/check.h"
#include "vmm/range.h"

enum {
	REGIONS_BYTES = 4096,
	GPA_BITS = 52, /* the widest: where RAM lies is all that matters here */
};

/* --- VFIO at all --- */

/* Has the directory an entry? */
static bool has_entry(const char *path)
{
	DIR *directory = opendir(path);
	const struct dirent *entry;
	bool has = false;

	while (directory && !has && (entry = readdir(directory)))
		has = entry->d_name[0] != '.';
	if (directory)
		closedir(directory);
	return has;
}

static void look_iommu(struct probe *probe, int argument)
{
	char path[HOST_PCI_PATH_BYTES];

	(void)argument;
	probe_path(path, probe->question.paths.sysfs, "kernel/iommu_groups");
	if (has_entry(path))
		probe_say(probe, PROBE_OK, path, NULL, "devices are in groups");
	else
		probe_say(probe, PROBE_FAIL, path,
			  "turn VT-d or AMD-Vi on in the firmware and with intel_iommu=on",
			  "no device is behind an IOMMU");
}

static void look_iommufd(struct probe *probe, int argument)
{
	char path[HOST_PCI_PATH_BYTES];
	int ret;

	(void)argument;
	probe_path(path, probe->question.paths.dev, "iommu");
	ret = probe_open(path);
	if (!ret)
		probe_say(probe, PROBE_OK, path, NULL, "can be opened");
	else
		probe_say(probe, PROBE_FAIL, path,
			  probe_cure_access(ret, "load iommufd, or use a kernel with "
						 "CONFIG_IOMMUFD"),
			  "%s", err_describe(ret));
}

static void look_driver(struct probe *probe, int argument)
{
	char path[HOST_PCI_PATH_BYTES];

	(void)argument;
	probe_path(path, probe->question.paths.sysfs, "bus/pci/drivers/vfio-pci");
	if (has_entry(path))
		probe_say(probe, PROBE_OK, path, NULL, "loaded");
	else
		probe_say(probe, PROBE_FAIL, path, "load it: modprobe vfio-pci", "not there");
}

/* --- One device --- */

/* What may not be mapped for it, where a guest of this size has RAM. */
static void look_regions(struct probe *probe, const struct host_pci *device)
{
	const struct config *config = probe->question.config;
	char path[HOST_PCI_PATH_BYTES], text[REGIONS_BYTES];
	uint64_t first, last, memory_bytes = config ? config->memory_bytes : TIB;
	const char *line = text;
	struct layout layout;
	struct err err = {0};
	char kind[32];
	int ret;

	probe_path(path, probe->question.paths.sysfs, "kernel/iommu_groups/%s/reserved_regions",
		   device->iommu_group);
	ret = probe_read(path, text, sizeof(text));
	if (ret < 0 || ret == REGIONS_BYTES - 1) {
		probe_say(probe, PROBE_UNKNOWN, path, "compare it with where the guest has RAM",
			  "%s", ret < 0 ? err_describe(ret) : "too long to be looked at");
		return;
	}
	/* What is wrong with the size has been said. */
	if (layout_init(&layout, memory_bytes, GPA_BITS, &err))
		return;
	for (; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		if (sscanf(line, "%" SCNx64 " %" SCNx64 " %31s", &first, &last, kind) != 3 ||
		    last < first || last == UINT64_MAX || !strcmp(kind, "direct-relaxable"))
			continue;
		for (unsigned int i = 0; i < layout.n_ram; i++) {
			struct range region = {.start = first, .end = last + 1};

			if (!range_overlaps(layout.ram[i], region))
				continue;
			probe_say(probe, PROBE_FAIL, path,
				  "turn what reserves it off in the firmware, or give the "
				  "guest less memory",
				  "0x%" PRIx64 "..0x%" PRIx64 " (%s) is RAM of the guest",
				  first, last, kind);
			return;
		}
	}
	probe_say(probe, PROBE_OK, path, NULL, "nothing where the guest has RAM");
}

static void look_reset(struct probe *probe, const struct host_pci *device, const char *path)
{
	if (*device->reset_methods)
		probe_say(probe, PROBE_OK, path, NULL, "reset by %s", device->reset_methods);
	else
		probe_say(probe, PROBE_OK, path, NULL,
			  "no way to reset it but with its bus: it may keep what a guest did");
}

/* The file by which a VM gets it. */
static void look_file(struct probe *probe, const struct host_pci *device)
{
	char path[HOST_PCI_PATH_BYTES];
	int ret;

	if (!*device->vfio)
		return;
	probe_path(path, probe->question.paths.dev, "vfio/devices/%s", device->vfio);
	ret = probe_open(path);
	/* A VM has it: it can be had. */
	if (!ret || ret == -EBUSY)
		probe_say(probe, ret ? PROBE_FAIL : PROBE_OK, path, "end the VM that has it",
			  "%s", ret ? "in use" : "can be opened");
	else
		probe_say(probe, PROBE_FAIL, path,
			  probe_cure_access(ret, "bind the device again: `alcove device "
						 "unbind`, then `bind`"),
			  "%s", err_describe(ret));
}

static void look_device(struct probe *probe, const char *address)
{
	const struct host_paths *paths = &probe->question.paths;
	char path[HOST_PCI_PATH_BYTES];
	struct host_pci device;
	struct err err = {0};
	int ret = host_pci_read(paths, address, &device);

	probe_path(path, paths->sysfs, "bus/pci/devices/%s", address);
	if (ret) {
		probe_say(probe, PROBE_FAIL, path, "`alcove device list` shows those there are",
			  "%s", err_describe(ret));
		return;
	}
	probe_say(probe, PROBE_OK, path, NULL, "%04x:%04x, driver %s, group %s",
		  device.vendor_id, device.device_id, *device.driver ? device.driver : "none",
		  *device.iommu_group ? device.iommu_group : "none");
	ret = host_pci_check(paths, &device, &err);
	if (ret)
		probe_say_err(probe, PROBE_FAIL, address,
			      "`alcove device list` shows its state", &err);
	else
		probe_say(probe, PROBE_OK, address, NULL, "can be assigned");
	look_reset(probe, &device, path);
	if (*device.iommu_group)
		look_regions(probe, &device);
	look_file(probe, &device);
}

static void look_devices(struct probe *probe, int argument)
{
	(void)argument;
	for (unsigned int i = 0; i < probe->question.n_devices; i++)
		look_device(probe, probe->question.devices[i]);
}

const struct probe_check probe_checks_device[] = {
	{.name = "vfio.iommu", .subjects = PROBE_BIT(PROBE_DEVICES), .look = look_iommu},
	{.name = "vfio.iommufd", .subjects = PROBE_BIT(PROBE_DEVICES), .look = look_iommufd},
	{.name = "vfio.driver", .subjects = PROBE_BIT(PROBE_DEVICES), .look = look_driver},
	{.name = "device", .subjects = PROBE_BIT(PROBE_DEVICE), .look = look_devices},
	{.name = NULL},
};
