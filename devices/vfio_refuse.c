// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Why the kernel does not give us a device. It has few numbers for many reasons; sysfs tells
 * some of them apart.
 */
#include <errno.h>

#include "devices/vfio.h"
#include "vmm/err.h"

static int refuse_busy(const struct vfio_device *device, const struct host_pci *info, int code,
		       struct err *err)
{
	char rival[PCI_ADDRESS_BYTES];
	const char *found = host_pci_find_rival(device->vfio->env.paths, info, rival);

	if (found)
		return err_set(err, code,
			       "device '%s' (%s): %s of the same IOMMU group %s is in use by "
			       "the host; run `alcove device bind %s`, too",
			       device->name, device->address, found, info->iommu_group, found);
	return err_set(err, code,
		       "device '%s' (%s): it, or another of its IOMMU group %s, is in use by "
		       "another program; stop that one",
		       device->name, device->address, info->iommu_group);
}

static int refuse_invalid(const struct vfio_device *device, const struct host_pci *info,
			  int code, struct err *err)
{
	if (host_pci_has_claim(device->vfio->env.paths, info))
		return err_set(err, code,
			       "device '%s' (%s): the firmware reserves memory for it (RMRR), "
			       "so it cannot be assigned; turn that off in the firmware",
			       device->name, device->address);
	return err_set(err, code,
		       "device '%s' (%s): vfio does not give it away; another program has it "
		       "open, or its DMA is not coherent; stop that program",
		       device->name, device->address);
}

int vfio_refuse_bind(const struct vfio_device *device, int code, struct err *err)
{
	struct host_pci info = {.address = ""};

	/* Without it the words are less exact. */
	(void)!host_pci_read(device->vfio->env.paths, device->address, &info);
	switch (code) {
	case -EPERM:
		return err_set(
			err, code,
			"device '%s' (%s): the host does not remap interrupts, so the device "
			"could send any to it; turn interrupt remapping on in the firmware",
			device->name, device->address);
	case -EBUSY:
		return refuse_busy(device, &info, code, err);
	case -EINVAL:
		return refuse_invalid(device, &info, code, err);
	case -ENODEV:
		return err_set(err, code,
			       "device '%s' (%s): it has gone, or no IOMMU stands before it; "
			       "turn VT-d or AMD-Vi on in the firmware",
			       device->name, device->address);
	default:
		return err_set(err, code, "device '%s' (%s): vfio does not give it away: %s",
			       device->name, device->address, err_describe(code));
	}
}
