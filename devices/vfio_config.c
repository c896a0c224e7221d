// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Configuration space of an assigned device.
 *
 * The header is ours (struct pci_device); its command register is handed on. What lies behind
 * it is the device's, through vfio, which itself virtualises much of it: accesses go there but
 * for the bits that are ours. Those are MSI and MSI-X, the links of the list of capabilities,
 * and what makes a device that is behind no port an endpoint of the root bus.
 *
 * Capabilities that need a counterpart the guest does not have are left out of the lists.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "devices/vfio.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

enum {
	CAPABILITIES_MAX = (256 - PCI_STD_HEADER_SIZEOF) / 4,
	EXTENDED_MAX = (VFIO_CONFIG_BYTES - 256) / 4,
	POWER_D3 = 3,
	EXPRESS_BYTES = 60, /* PCI Express 6.0, 7.5.3: with all of its registers */
	/* What decides over memory and DMA; no legacy interrupts, no I/O ports. */
	COMMAND_DEVICE =
		PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR,
};

static uint32_t load(const struct vfio_config *config, unsigned int offset,
		     unsigned int size_bytes)
{
	uint32_t value = 0;

	memcpy(&value, config->bytes + offset, size_bytes);
	return value;
}

/* The bits of @mask are ours and read as in @value. */
static void own(struct vfio_config *config, unsigned int offset, uint32_t value, uint32_t mask,
		unsigned int size_bytes)
{
	for (unsigned int i = 0; i < size_bytes; i++, value >>= 8, mask >>= 8) {
		uint8_t *byte = &config->bytes[offset + i];

		*byte = (uint8_t)((*byte & ~mask) | (value & mask));
		config->own[offset + i] |= (uint8_t)mask;
	}
}

static int config_read(struct vfio_device *device, unsigned int offset, void *buffer,
		       size_t size_bytes)
{
	return host_vfio_read(device->vfio->env.host, device->fd,
			      device->config.file_offset + offset, buffer, size_bytes);
}

static int config_write(struct vfio_device *device, unsigned int offset, uint32_t value,
			size_t size_bytes)
{
	return host_vfio_write(device->vfio->env.host, device->fd,
			       device->config.file_offset + offset, &value, size_bytes);
}

/* --- Accesses, under the lock of PCI configuration --- */

static uint32_t window_read(void *owner, unsigned int offset, unsigned int size_bytes)
{
	struct vfio_device *device = owner;
	uint32_t ours = 0, mask = 0, value = 0;

	memcpy(&ours, device->config.bytes + offset, size_bytes);
	memcpy(&mask, device->config.own + offset, size_bytes);
	if (config_read(device, offset, &value, size_bytes))
		value = UINT32_MAX;
	return (value & ~mask) | (ours & mask);
}

/* Does the write say which power state to be in? */
static bool is_power_write(const struct vfio_config *config, unsigned int offset,
			   unsigned int size_bytes)
{
	unsigned int at = config->power + PCI_PM_CTRL;

	return config->power && offset <= at && at < offset + size_bytes;
}

static void window_write(void *owner, unsigned int offset, uint32_t value,
			 unsigned int size_bytes)
{
	struct vfio_device *device = owner;
	struct vfio_config *config = &device->config;
	bool is_asleep = config->is_asleep;
	uint32_t mask = 0;

	memcpy(&mask, config->own + offset, size_bytes);
	if (mask == UINT32_MAX >> (32 - 8 * size_bytes))
		return;
	if (is_power_write(config, offset, size_bytes))
		is_asleep = (value >> 8 * (config->power + PCI_PM_CTRL - offset) &
			     PCI_PM_CTRL_STATE_MASK) == POWER_D3;
	if (is_asleep == config->is_asleep) {
		config_write(device, offset, value, size_bytes);
		return;
	}
	config->is_asleep = is_asleep;
	config->has_late_write = true;
	config->late_offset = offset;
	config->late_bytes = size_bytes;
	config->late_value = value;
	pci_device_set_asleep(device->pci, is_asleep);
}

static const struct pci_config_ops window_ops = {.read = window_read, .write = window_write};

static uint32_t msi_read(void *owner, unsigned int offset, unsigned int size_bytes)
{
	struct vfio_device *device = owner;

	return vfio_msi_read(device, offset - device->msi.offset, size_bytes);
}

static void msi_write(void *owner, unsigned int offset, uint32_t value, unsigned int size_bytes)
{
	struct vfio_device *device = owner;

	vfio_msi_write(device, offset - device->msi.offset, value, size_bytes);
}

static const struct pci_config_ops msi_ops = {.read = msi_read, .write = msi_write};

static uint32_t msix_read(void *owner, unsigned int offset, unsigned int size_bytes)
{
	struct vfio_device *device = owner;

	return vfio_msix_read(device, offset - device->msix.offset, size_bytes);
}

static void msix_write(void *owner, unsigned int offset, uint32_t value,
		       unsigned int size_bytes)
{
	struct vfio_device *device = owner;

	vfio_msix_write(device, offset - device->msix.offset, value, size_bytes);
}

static const struct pci_config_ops msix_ops = {.read = msix_read, .write = msix_write};

/* Put it to sleep or wake it, if that is what the guest wrote. Returns 0 or -errno. */
static int write_late(struct vfio_device *device, bool may)
{
	struct vfio_config *config = &device->config;
	int ret;

	if (!config->has_late_write)
		return 0;
	config->has_late_write = false;
	if (!may)
		ret = -EBUSY;
	else
		ret = config_write(device, config->late_offset, config->late_value,
				   config->late_bytes);
	/* It is in the old state; the guest can try again. */
	if (ret)
		config->is_asleep = !config->is_asleep;
	return ret;
}

/*
 * BARs have left the bus: the device may stop to decode them. They come when it does again; not
 * when the host failed to tell it, or the guest's next access would end in a signal.
 */
static void config_apply(void *owner, uint16_t command)
{
	struct vfio_device *device = owner;
	struct vfio_config *config = &device->config;
	bool may = !vfio_bars_are_stuck(device);
	int ret = write_late(device, may);

	command &= COMMAND_DEVICE;
	if (!may)
		ret = -EBUSY;
	if (!ret && command != config->command) {
		ret = config_write(device, PCI_COMMAND, command, 2);
		if (!ret)
			config->command = command;
	}
	pci_device_set_asleep(device->pci, ret || config->is_asleep);
}

static const struct pci_device_ops device_ops = {.apply = config_apply};

void vfio_config_silence(struct vfio_device *device)
{
	if (!device->config.size_bytes)
		return;
	device->config.command = vfio_bars_are_stuck(device) ? PCI_COMMAND_MEMORY : 0;
	config_write(device, PCI_COMMAND, device->config.command, 2);
}

/* --- Capabilities --- */

/* On the root bus there is no link: an endpoint that is part of the root complex. */
static void express_integrate(struct vfio_config *config, unsigned int offset)
{
	uint32_t flags = load(config, offset + PCI_EXP_FLAGS, 2);
	uint32_t type = (flags & PCI_EXP_FLAGS_TYPE) >> 4;

	if (type != PCI_EXP_TYPE_ENDPOINT && type != PCI_EXP_TYPE_LEG_END)
		return;
	own(config, offset + PCI_EXP_FLAGS, PCI_EXP_TYPE_RC_END << 4, PCI_EXP_FLAGS_TYPE, 2);
	own(config, offset + PCI_EXP_LNKCAP, 0, UINT32_MAX, 4);
	own(config, offset + PCI_EXP_LNKCTL, 0, UINT32_MAX, 4);
	if ((flags & PCI_EXP_FLAGS_VERS) < 2 || offset + EXPRESS_BYTES > 256)
		return;
	own(config, offset + PCI_EXP_LNKCAP2, 0, UINT32_MAX, 4);
	own(config, offset + PCI_EXP_LNKCTL2, 0, UINT32_MAX, 4);
}

/* Returns as capability_add. A second one would put the device to sleep behind our back. */
static int power_add(struct vfio_config *config, unsigned int offset)
{
	unsigned int control = offset + PCI_PM_CTRL;

	if (offset + PCI_PM_SIZEOF > 256)
		return 1;
	if (config->power) {
		own(config, control, load(config, control, 4), UINT32_MAX, 4);
		return 1;
	}
	config->power = offset;
	return 0;
}

/* Returns 0: in the list; 1: left out; -errno. */
static int capability_add(struct vfio_device *device, unsigned int offset)
{
	struct vfio_config *config = &device->config;
	int ret;

	switch (config->bytes[offset]) {
	case PCI_CAP_ID_MSI:
		if (device->msi.offset || offset + VFIO_MSI_BYTES_MAX > 256)
			return 1;
		ret = vfio_msi_init(device, offset);
		break;
	case PCI_CAP_ID_MSIX:
		if (device->msix.offset || offset + PCI_CAP_MSIX_SIZEOF > 256)
			return 1;
		ret = vfio_msix_init(device, offset);
		break;
	case PCI_CAP_ID_PM:
		return power_add(config, offset);
	case PCI_CAP_ID_EXP:
		if (offset + PCI_CAP_EXP_ENDPOINT_SIZEOF_V1 > 256)
			return 1;
		if (!device->is_behind_port)
			express_integrate(config, offset);
		return 0;
	case PCI_CAP_ID_VPD:
	case PCI_CAP_ID_VNDR:
	case PCI_CAP_ID_AF:
	case PCI_CAP_ID_PCIX:
	case PCI_CAP_ID_SSVID:
		return 0;
	default:
		return 1;
	}
	/* A device that describes itself wrongly goes without. */
	return ret == -EINVAL ? 1 : ret;
}

static int capabilities_init(struct vfio_device *device)
{
	struct vfio_config *config = &device->config;
	unsigned int link = PCI_CAPABILITY_LIST;
	unsigned int offset = config->bytes[link] & ~3u;
	unsigned int n = 0;

	/* A list that runs in a circle ends, too. */
	while (offset >= PCI_STD_HEADER_SIZEOF && n++ < CAPABILITIES_MAX) {
		unsigned int next = config->bytes[offset + PCI_CAP_LIST_NEXT] & ~3u;
		int ret = capability_add(device, offset);

		if (ret < 0)
			return ret;
		if (ret == 0) {
			own(config, offset, config->bytes[offset], 0xff, 1);
			own(config, link, offset, 0xff, 1);
			link = offset + PCI_CAP_LIST_NEXT;
		}
		offset = next;
	}
	own(config, link, 0, 0xff, 1);
	return 0;
}

/* Known to be of use, and to touch nothing but the function itself. */
static bool extended_is_safe(uint32_t id)
{
	switch (id) {
	case PCI_EXT_CAP_ID_ERR:
	case PCI_EXT_CAP_ID_VC:
	case PCI_EXT_CAP_ID_DSN:
	case PCI_EXT_CAP_ID_PWR:
	case PCI_EXT_CAP_ID_VNDR:
	case PCI_EXT_CAP_ID_DVSEC:
		return true;
	default:
		return false;
	}
}

/* The first header has a fixed place: what is not safe there becomes a capability without id.
 */
static void extended_init(struct vfio_config *config)
{
	unsigned int offset = 256;
	unsigned int last = 256;
	unsigned int n = 0;

	if (config->size_bytes < VFIO_CONFIG_BYTES)
		return;
	while (offset >= 256 && n++ < EXTENDED_MAX) {
		uint32_t header = load(config, offset, 4);
		bool is_safe = extended_is_safe(PCI_EXT_CAP_ID(header));
		unsigned int next = PCI_EXT_CAP_NEXT(header);

		if (offset == 256 && !is_safe)
			own(config, offset, 0, 0x000fffff, 4);
		if (offset != 256 && is_safe) {
			own(config, last, offset << 20, 0xfff00000, 4);
			last = offset;
		}
		offset = next;
	}
	own(config, last, 0, 0xfff00000, 4);
}

/* --- Set-up --- */

int vfio_config_init(struct vfio_device *device, const struct vfio_region_info *region)
{
	struct vfio_config *config = &device->config;
	int ret;

	if (region->size < 256)
		return -EINVAL;
	config->file_offset = region->offset;
	config->size_bytes = region->size < VFIO_CONFIG_BYTES ? 256 : VFIO_CONFIG_BYTES;
	ret = config_read(device, 0, config->bytes, config->size_bytes);
	/* Bridges and CardBus have another header. */
	if (!ret &&
	    (config->bytes[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK) != PCI_HEADER_TYPE_NORMAL)
		ret = -EINVAL;
	if (ret)
		config->size_bytes = 0;
	return ret;
}

static int windows_add(struct vfio_device *device)
{
	const struct vfio_msi *msi = &device->msi;
	const struct vfio_msix *msix = &device->msix;
	struct pci_device *pci = device->pci;
	int ret = 0;

	/* The first window that has a byte answers it. */
	if (msi->irq.vectors)
		ret = pci_device_add_window(pci, msi->offset + PCI_MSI_FLAGS,
					    msi->offset + msi->size_bytes, &msi_ops, device);
	if (!ret && msix->entries)
		ret = pci_device_add_window(pci, msix->offset + PCI_MSIX_FLAGS,
					    msix->offset + PCI_CAP_MSIX_SIZEOF, &msix_ops,
					    device);
	if (!ret)
		ret = pci_device_add_window(pci, PCI_STATUS, PCI_REVISION_ID, &window_ops,
					    device);
	if (!ret)
		ret = pci_device_add_window(pci, PCI_CAPABILITY_LIST, PCI_CAPABILITY_LIST + 1,
					    &window_ops, device);
	if (!ret)
		ret = pci_device_add_window(pci, PCI_STD_HEADER_SIZEOF,
					    device->config.size_bytes, &window_ops, device);
	return ret;
}

int vfio_config_offer(struct vfio_device *device)
{
	struct vfio_config *config = &device->config;
	struct pci_device_info info = {
		.vendor_id = (uint16_t)load(config, PCI_VENDOR_ID, 2),
		.device_id = (uint16_t)load(config, PCI_DEVICE_ID, 2),
		.subsystem_vendor_id = (uint16_t)load(config, PCI_SUBSYSTEM_VENDOR_ID, 2),
		.subsystem_id = (uint16_t)load(config, PCI_SUBSYSTEM_ID, 2),
		.revision = config->bytes[PCI_REVISION_ID],
		.class_code = load(config, PCI_CLASS_REVISION, 4) >> 8,
	};
	int ret = capabilities_init(device);

	if (ret)
		return ret;
	extended_init(config);
	if (!config->bytes[PCI_CAPABILITY_LIST])
		own(config, PCI_STATUS, 0, PCI_STATUS_CAP_LIST, 2);
	/* No level interrupts: nobody could raise one. */
	own(config, PCI_STATUS, 0, PCI_STATUS_INTERRUPT, 2);
	ret = pci_device_new(&info, &device->pci);
	if (ret)
		return ret;
	pci_device_set_ops(device->pci, &device_ops, device);
	if (config->size_bytes > 256)
		pci_device_extend_config(device->pci);
	return windows_add(device);
}
