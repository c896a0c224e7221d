// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The verbs for assigned devices. Rules come from drivers/vfio/pci/vfio_pci_core.c,
 * vfio_pci_intrs.c, device_cdev.c and virt/kvm/{vfio,eventfd}.c of 7.3.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fake/fake_device_state.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

/* The device behind @fd; NULL: it is not bound yet. */
static struct fake_device *bound(struct fake *fake, int fd)
{
	struct fake_device *device = fake_fd_get(fake, fd, FAKE_DEVICE)->device;

	ASSERT(device);
	return device->is_bound ? device : NULL;
}

/* --- KVM: its list of devices --- */

static int fake_create_vfio(struct host *host, int vm)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake_fd_get(fake, vm, FAKE_VM);
	for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
		if (fake->fds[fd].kind == FAKE_VFIO_LIST && fake->fds[fd].vm == vm)
			return -EBUSY;
	}
	return fake_fd_add(fake, eventfd(0, EFD_CLOEXEC),
			   &(struct fake_fd){.kind = FAKE_VFIO_LIST, .vm = vm});
}

static int fake_vfio_add(struct host *host, int vm_vfio, int fd)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_fd *device = fake_fd_get(fake, fd, FAKE_DEVICE);

	fake_fd_get(fake, vm_vfio, FAKE_VFIO_LIST);
	if (device->is_listed)
		return -EEXIST;
	device->is_listed = true;
	return 0;
}

static int fake_vfio_remove(struct host *host, int vm_vfio, int fd)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_fd *device = fake_fd_get(fake, fd, FAKE_DEVICE);

	fake_fd_get(fake, vm_vfio, FAKE_VFIO_LIST);
	if (!device->is_listed)
		return -ENOENT;
	device->is_listed = false;
	return 0;
}

/* --- Opening --- */

static int fake_open(struct host *host, const char *path)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	for (size_t i = 0; i < FAKE_DEVICES_MAX; i++) {
		struct fake_device *device = fake->devices[i];

		if (!device || strcmp(device->path, path) != 0)
			continue;
		return fake_fd_add(
			fake, dup(device->memory),
			&(struct fake_fd){.kind = FAKE_DEVICE, .iommu = -1, .device = device});
	}
	return -ENOENT;
}

static int fake_bind(struct host *host, int fd, int iommufd)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_fd *description = fake_fd_get(fake, fd, FAKE_DEVICE);
	struct fake_device *device = description->device;

	fake_fd_get(fake, iommufd, FAKE_IOMMU);
	/* KVM would not hear of the device's coherency. */
	ASSERT(description->is_listed);
	if (device->is_bound)
		return -EINVAL;
	if (device->traits.bind_error)
		return device->traits.bind_error;
	device->is_bound = true;
	device->fd = fd;
	description->iommu = iommufd;
	fake_device_power_on(device);
	return 0;
}

/* --- Descriptions --- */

static int fake_get_info(struct host *host, int fd, struct vfio_device_info *info)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_device *device = bound(fake, fd);

	if (!device || info->argsz < offsetof(struct vfio_device_info, cap_offset))
		return -EINVAL;
	info->flags = VFIO_DEVICE_FLAGS_PCI;
	if (!device->traits.no_reset)
		info->flags |= VFIO_DEVICE_FLAGS_RESET;
	info->num_regions = VFIO_PCI_NUM_REGIONS;
	info->num_irqs = VFIO_PCI_NUM_IRQS;
	return 0;
}

static int fake_get_region(struct host *host, int fd, struct vfio_region_info *info)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	const struct fake_device *device = bound(fake, fd);

	if (!device || info->argsz < sizeof(*info) || info->index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info->size = fake_region_bytes(info->index);
	info->offset = (uint64_t)info->index << FAKE_REGION_SHIFT;
	info->flags = info->size ? VFIO_REGION_INFO_FLAG_READ : 0;
	info->cap_offset = 0;
	if (info->size && info->index != VFIO_PCI_ROM_REGION_INDEX)
		info->flags |= VFIO_REGION_INFO_FLAG_WRITE;
	if (info->index < VFIO_PCI_ROM_REGION_INDEX && info->size >= GRANULE_BYTES)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

static uint32_t count_irqs(uint32_t index)
{
	static const uint32_t counts[VFIO_PCI_NUM_IRQS] = {
		[VFIO_PCI_MSI_IRQ_INDEX] = FAKE_DEVICE_MSI_VECTORS,
		[VFIO_PCI_MSIX_IRQ_INDEX] = FAKE_DEVICE_VECTORS,
		[VFIO_PCI_ERR_IRQ_INDEX] = 1,
		[VFIO_PCI_REQ_IRQ_INDEX] = 1,
	};

	return counts[index];
}

static int fake_get_irq(struct host *host, int fd, struct vfio_irq_info *info)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	const struct fake_device *device = bound(fake, fd);

	if (!device || info->argsz < sizeof(*info) || info->index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info->count = count_irqs(info->index);
	info->flags = VFIO_IRQ_INFO_EVENTFD;
	if (info->index != VFIO_PCI_MSIX_IRQ_INDEX || device->traits.is_fixed)
		info->flags |= VFIO_IRQ_INFO_NORESIZE;
	return 0;
}

/* --- Interrupts of the device --- */

static int set_messages(struct fake_device *device, const struct vfio_irq_set *set)
{
	uint32_t end = set->start + set->count;
	unsigned int room = device->traits.vectors;

	if (!set->count && set->flags & VFIO_IRQ_SET_DATA_NONE) {
		if (device->irq_index == set->index)
			fake_device_stop_irqs(device);
		return 0;
	}
	if (!(set->flags & VFIO_IRQ_SET_DATA_EVENTFD))
		return -EINVAL;
	/* One kind at a time. */
	if (device->n_vectors && device->irq_index != set->index)
		return -EINVAL;
	if (!device->n_vectors && room && end > room)
		return (int)room;
	if (device->n_vectors && end > device->n_vectors &&
	    (device->traits.is_fixed || set->index == VFIO_PCI_MSI_IRQ_INDEX))
		return -EINVAL;
	device->irq_index = set->index;
	if (end > device->n_vectors)
		device->n_vectors = end;
	for (uint32_t i = 0; i < set->count; i++)
		memcpy(&device->triggers[set->start + i], set->data + i * sizeof(int32_t),
		       sizeof(int32_t));
	return 0;
}

static int fake_set_irqs(struct host *host, int fd, const struct vfio_irq_set *set)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_device *device = bound(fake, fd);
	size_t data_bytes =
		set->flags & VFIO_IRQ_SET_DATA_EVENTFD ? set->count * sizeof(int32_t) : 0;

	if (!device || set->argsz < sizeof(*set) + data_bytes ||
	    set->index >= VFIO_PCI_NUM_IRQS || !(set->flags & VFIO_IRQ_SET_ACTION_TRIGGER) ||
	    set->start >= count_irqs(set->index) ||
	    set->count > count_irqs(set->index) - set->start)
		return -EINVAL;
	if (set->index == VFIO_PCI_MSI_IRQ_INDEX || set->index == VFIO_PCI_MSIX_IRQ_INDEX)
		return set_messages(device, set);
	if (set->count != 1 || !data_bytes)
		return -EINVAL;
	memcpy(&device->events[set->index], set->data, sizeof(int32_t));
	return 0;
}

/* --- Resets --- */

static int fake_reset(struct host *host, int fd)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_device *device = bound(fake, fd);

	if (!device || device->traits.no_reset)
		return -EINVAL;
	device->n_resets += !device->traits.reset_error;
	return device->traits.reset_error;
}

static int fake_get_hot_reset(struct host *host, int fd, struct vfio_pci_hot_reset_info *info)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_device *device = bound(fake, fd);
	unsigned int segment, bus, slot, function;

	if (!device)
		return -EINVAL;
	if (device->traits.no_hot_reset)
		return -ENODEV;
	info->flags = VFIO_PCI_HOT_RESET_FLAG_DEV_ID;
	if (!device->traits.shares_bus)
		info->flags |= VFIO_PCI_HOT_RESET_FLAG_DEV_ID_OWNED;
	info->count = 0;
	if (device->traits.neighbour && sscanf(device->traits.neighbour, "%x:%x:%x.%x",
					       &segment, &bus, &slot, &function) == 4)
		info->devices[info->count++] = (struct vfio_pci_dependent_device){
			.segment = (uint16_t)segment,
			.bus = (uint8_t)bus,
			.devfn = (uint8_t)(slot << 3 | function),
		};
	return 0;
}

static int fake_hot_reset(struct host *host, int fd)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_device *device = bound(fake, fd);

	if (!device || device->traits.no_hot_reset || device->traits.shares_bus)
		return -EINVAL;
	device->n_resets++;
	return 0;
}

/* --- Registers --- */

static int access_check(struct fake *fake, const struct fake_device *device, uint64_t offset,
			size_t size_bytes)
{
	uint32_t index = (uint32_t)(offset >> FAKE_REGION_SHIFT);
	uint64_t at = offset & ((UINT64_C(1) << FAKE_REGION_SHIFT) - 1);

	(void)fake;
	if (!device || index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	if (at + size_bytes > fake_region_bytes(index))
		return -EINVAL;
	if (index <= VFIO_PCI_ROM_REGION_INDEX && !fake_device_is_decoding(device))
		return -EIO;
	return 0;
}

static int fake_read(struct host *host, int fd, uint64_t offset, void *buffer,
		     size_t size_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	int ret = access_check(fake, bound(fake, fd), offset, size_bytes);

	if (ret)
		return ret;
	return pread(fd, buffer, size_bytes, (off_t)offset) == (ssize_t)size_bytes ? 0 : -EIO;
}

static int fake_write(struct host *host, int fd, uint64_t offset, const void *buffer,
		      size_t size_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_device *device = bound(fake, fd);
	int ret = access_check(fake, device, offset, size_bytes);

	if (ret)
		return ret;
	/* A ROM is read-only; the table is vfio's own. */
	ASSERT(offset >> FAKE_REGION_SHIFT != VFIO_PCI_ROM_REGION_INDEX);
	ASSERT(device->traits.is_strange || offset >> FAKE_REGION_SHIFT != 0 ||
	       offset + size_bytes <= FAKE_DEVICE_TABLE ||
	       offset >= FAKE_DEVICE_TABLE + FAKE_DEVICE_VECTORS * 16);
	if (pwrite(fd, buffer, size_bytes, (off_t)offset) != (ssize_t)size_bytes)
		return -EIO;
	if (offset >> FAKE_REGION_SHIFT == VFIO_PCI_CONFIG_REGION_INDEX)
		fake_device_judge_config(fake, device,
					 offset & ((UINT64_C(1) << FAKE_REGION_SHIFT) - 1),
					 size_bytes);
	return 0;
}

const struct host_vfio_ops fake_vfio_ops = {
	.vm_set_routes = fake_set_routes,
	.vm_irqfd = fake_irqfd,
	.vm_create_vfio = fake_create_vfio,
	.vm_vfio_add = fake_vfio_add,
	.vm_vfio_remove = fake_vfio_remove,
	.open = fake_open,
	.bind = fake_bind,
	.get_info = fake_get_info,
	.get_region = fake_get_region,
	.get_irq = fake_get_irq,
	.set_irqs = fake_set_irqs,
	.reset = fake_reset,
	.get_hot_reset = fake_get_hot_reset,
	.hot_reset = fake_hot_reset,
	.read = fake_read,
	.write = fake_write,
};
