// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/device_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "devices/assigned.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

int device_file_open(struct host *host, const char *address)
{
	static const struct host_paths paths = {
		.sysfs = "/sys", .dev = "/dev", .state = "/run/alcove"};
	struct host_pci device;
	char path[HOST_PCI_PATH_BYTES];
	int fd;

	ASSERT(host_pci_read(&paths, address, &device) == 0);
	if (!device.vfio[0]) {
		fprintf(stderr, "%s is not bound to vfio-pci\n", address);
		return -ENODEV;
	}
	snprintf(path, sizeof(path), "/dev/vfio/devices/%s", device.vfio);
	fd = host_vfio_open(host, path);
	if (fd < 0)
		fprintf(stderr, "%s: %s\n", path, strerror(-fd));
	return fd;
}
