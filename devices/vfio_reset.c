// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Resets of assigned devices: before a guest gets one, so that it finds nothing of the last
 * user; and after, so that nobody finds anything of the guest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vfio.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

enum {
	NEIGHBOURS_MAX = 256, /* functions on a bus */
	TRIES_MAX = 50,
	WAIT_NS = 10 * 1000 * 1000,
};

/* Somebody holds the device's lock for a moment: try again, for half a second. */
static int reset_patiently(struct vfio_device *device,
			   int (*reset)(struct host *host, int device))
{
	struct host *host = device->vfio->env.host;
	int ret = reset(host, device->fd);

	for (unsigned int i = 0; ret == -EAGAIN && i < TRIES_MAX; i++) {
		host_clock_sleep_ns(host, WAIT_NS);
		ret = reset(host, device->fd);
	}
	return ret;
}

/* Is a device at this place one of ours that the guest is using? */
static bool is_in_use(const struct vfio_device *device,
		      const struct vfio_pci_dependent_device *place)
{
	char address[PCI_ADDRESS_BYTES];

	snprintf(address, sizeof(address), "%04x:%02x:%02x.%x", place->segment, place->bus,
		 place->devfn >> 3 & 0x1f, place->devfn & 7u);
	for (const struct vfio_device *other = device->vfio->devices; other;
	     other = other->next) {
		if (other != device && other->is_started && !strcmp(other->address, address))
			return true;
	}
	return false;
}

/* Returns 0; -EBUSY with why; -errno. */
static int check_neighbours(struct vfio_device *device, const char **ret_why)
{
	size_t size_bytes = sizeof(struct vfio_pci_hot_reset_info) +
			    NEIGHBOURS_MAX * sizeof(struct vfio_pci_dependent_device);
	_cleanup_free_ struct vfio_pci_hot_reset_info *info = calloc(1, size_bytes);
	int ret;

	*ret_why = "its bus cannot be reset";
	if (!info)
		return -ENOMEM;
	info->argsz = (uint32_t)size_bytes;
	ret = host_vfio_get_hot_reset(device->vfio->env.host, device->fd, info);
	if (ret)
		return ret;
	*ret_why = "devices on its bus belong to somebody else";
	if (!(info->flags & VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED))
		return -EBUSY;
	*ret_why = "a device on its bus is in use by this guest";
	for (uint32_t i = 0; i < info->count && i < NEIGHBOURS_MAX; i++) {
		if (is_in_use(device, &info->devices[i]))
			return -EBUSY;
	}
	return 0;
}

void vfio_reset(struct vfio_device *device)
{
	const char *why;
	int ret = -ENOTTY;

	if (device->can_reset)
		ret = reset_patiently(device, host_vfio_reset);
	if (!ret)
		return;
	if (check_neighbours(device, &why)) {
		vfio_warn(device,
			  "it was not reset: it has no reset of its own, and %s; what "
			  "its last user left in it stays",
			  why);
		return;
	}
	ret = reset_patiently(device, host_vfio_hot_reset);
	if (ret)
		vfio_warn(device, "it was not reset: %s; what its last user left in it stays",
			  err_describe(ret));
}
