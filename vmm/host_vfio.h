/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the door that assigned devices need: vfio, and KVM's interrupt routes.
 *
 * A device is used through the character device of its own (/dev/vfio/devices/vfioN). Until it
 * is bound to an iommufd, everything but vfio_bind is refused with -EINVAL. Structures are
 * those of linux/vfio.h and linux/kvm.h, with argsz filled in by the caller. Its BARs are
 * mapped with host_mem_map; touching such a mapping while memory decoding is off, or the device
 * sleeps, ends in SIGBUS, so only KVM's memslots use them.
 */
#ifndef VMM_HOST_VFIO_H
#define VMM_HOST_VFIO_H

#include "vmm/host.h"

struct kvm_irq_routing;
struct kvm_irqfd;
struct vfio_device_info;
struct vfio_irq_info;
struct vfio_irq_set;
struct vfio_pci_hot_reset_info;
struct vfio_region_info;

struct host_vfio_ops {
	int (*vm_set_routes)(struct host *host, int vm, const struct kvm_irq_routing *routing);
	int (*vm_irqfd)(struct host *host, int vm, const struct kvm_irqfd *irqfd);
	int (*vm_create_vfio)(struct host *host, int vm);
	int (*vm_vfio_add)(struct host *host, int vm_vfio, int device);
	int (*vm_vfio_remove)(struct host *host, int vm_vfio, int device);
	int (*open)(struct host *host, const char *path);
	int (*bind)(struct host *host, int device, int iommufd);
	int (*get_info)(struct host *host, int device, struct vfio_device_info *info);
	int (*get_region)(struct host *host, int device, struct vfio_region_info *info);
	int (*get_irq)(struct host *host, int device, struct vfio_irq_info *info);
	int (*set_irqs)(struct host *host, int device, const struct vfio_irq_set *set);
	int (*reset)(struct host *host, int device);
	int (*get_hot_reset)(struct host *host, int device,
			     struct vfio_pci_hot_reset_info *info);
	int (*hot_reset)(struct host *host, int device);
	int (*read)(struct host *host, int device, uint64_t offset, void *buffer,
		    size_t size_bytes);
	int (*write)(struct host *host, int device, uint64_t offset, const void *buffer,
		     size_t size_bytes);
};

/* --- Interrupts of a VM --- */

/**
 * Replace all interrupt routes (KVM_SET_GSI_ROUTING). With a split irqchip, the pins of the
 * IOAPIC have the first numbers.
 *
 * Returns 0, -EINVAL, -ENOMEM; on error nothing changed.
 */
static inline int host_vm_set_routes(struct host *host, int vm,
				     const struct kvm_irq_routing *routing)
{
	return host->ops->vfio->vm_set_routes(host, vm, routing);
}

/**
 * Let an eventfd raise the interrupt of a route, or (KVM_IRQFD_FLAG_DEASSIGN) no longer
 * (KVM_IRQFD). A signal that the eventfd already holds raises it at once.
 *
 * Returns 0, -EBUSY (the eventfd has one already), -EINVAL, -ENOMEM. Deassigning cannot fail.
 */
static inline int host_vm_irqfd(struct host *host, int vm, const struct kvm_irqfd *irqfd)
{
	return host->ops->vfio->vm_irqfd(host, vm, irqfd);
}

/* --- What KVM knows of assigned devices --- */

/**
 * KVM's list of assigned devices (KVM_CREATE_DEVICE, KVM_DEV_TYPE_VFIO); one per VM.
 *
 * Returns its file descriptor (release it with host_close), -EBUSY (there is one), -ENODEV (no
 * vfio in this kernel's KVM), -errno.
 */
static inline int host_vm_create_vfio(struct host *host, int vm)
{
	return host->ops->vfio->vm_create_vfio(host, vm);
}

/**
 * Put a device on the list (KVM_DEV_VFIO_FILE_ADD), before it is bound: KVM tells it of
 * coherency then. KVM keeps the file open until it is removed.
 *
 * Returns 0, -EEXIST, -EINVAL, -ENOMEM.
 */
static inline int host_vm_vfio_add(struct host *host, int vm_vfio, int device)
{
	return host->ops->vfio->vm_vfio_add(host, vm_vfio, device);
}

/* Take it off (KVM_DEV_VFIO_FILE_DEL). Returns 0, -ENOENT. */
static inline int host_vm_vfio_remove(struct host *host, int vm_vfio, int device)
{
	return host->ops->vfio->vm_vfio_remove(host, vm_vfio, device);
}

/* --- A device --- */

/**
 * Open /dev/vfio/devices/vfioN; only one at a time can bind.
 *
 * Returns a file descriptor (release it with host_close), -ENOENT, -EACCES, -errno.
 */
static inline int host_vfio_open(struct host *host, const char *path)
{
	return host->ops->vfio->open(host, path);
}

/**
 * Take the device into our hands (VFIO_DEVICE_BIND_IOMMUFD). Its bus mastering is off then, and
 * its DMA blocked until it is attached.
 *
 * Returns 0; -EPERM (no interrupt remapping), -EBUSY (another device of its group is in use by
 * the host or somebody else), -EINVAL (opened twice; firmware claims memory for it: RMRR; not
 * cache coherent), -errno.
 */
static inline int host_vfio_bind(struct host *host, int device, int iommufd)
{
	return host->ops->vfio->bind(host, device, iommufd);
}

/* How many regions and interrupts, can it be reset (VFIO_DEVICE_GET_INFO). 0 or -errno. */
static inline int host_vfio_get_info(struct host *host, int device,
				     struct vfio_device_info *info)
{
	return host->ops->vfio->get_info(host, device, info);
}

/**
 * Size, place in the file and flags of region info->index (VFIO_DEVICE_GET_REGION_INFO); with
 * the chain of its capabilities behind, as far as argsz has room, argsz being what there is.
 *
 * Returns 0, -EINVAL (no such region).
 */
static inline int host_vfio_get_region(struct host *host, int device,
				       struct vfio_region_info *info)
{
	return host->ops->vfio->get_region(host, device, info);
}

/* The interrupts of info->index (VFIO_DEVICE_GET_IRQ_INFO). 0, -EINVAL (no such index). */
static inline int host_vfio_get_irq(struct host *host, int device, struct vfio_irq_info *info)
{
	return host->ops->vfio->get_irq(host, device, info);
}

/**
 * Give interrupts eventfds, or take them away (VFIO_DEVICE_SET_IRQS).
 *
 * Returns 0; a positive number of vectors that could be had at most; -EINVAL, -ENOSPC, -errno,
 * after which the block is as it was.
 */
static inline int host_vfio_set_irqs(struct host *host, int device,
				     const struct vfio_irq_set *set)
{
	return host->ops->vfio->set_irqs(host, device, set);
}

/**
 * Bring the device to the state after power-on (VFIO_DEVICE_RESET).
 *
 * Returns 0, -EINVAL (it has no reset of its own), -EAGAIN (in use), -ENOTTY, -errno.
 */
static inline int host_vfio_reset(struct host *host, int device)
{
	return host->ops->vfio->reset(host, device);
}

/**
 * Which devices a reset of the bus would reset, and are all of them ours
 * (VFIO_DEVICE_GET_PCI_HOT_RESET_INFO).
 *
 * Returns 0, -ENOSPC (count is written), -ENODEV (the bus cannot be reset).
 */
static inline int host_vfio_get_hot_reset(struct host *host, int device,
					  struct vfio_pci_hot_reset_info *info)
{
	return host->ops->vfio->get_hot_reset(host, device, info);
}

/**
 * Reset the bus, or slot, of the device (VFIO_DEVICE_PCI_HOT_RESET).
 *
 * Returns 0, -EINVAL (a device there is not ours), -EAGAIN, -errno.
 */
static inline int host_vfio_hot_reset(struct host *host, int device)
{
	return host->ops->vfio->hot_reset(host, device);
}

/**
 * Read or write bytes of a region, at its offset in the file plus that within it (pread,
 * pwrite), in pieces of 1, 2 and 4 bytes, of a BAR also 8.
 *
 * Returns 0; -EIO (memory decoding is off, or beyond the end), -errno, with nothing done.
 */
static inline int host_vfio_read(struct host *host, int device, uint64_t offset, void *buffer,
				 size_t size_bytes)
{
	return host->ops->vfio->read(host, device, offset, buffer, size_bytes);
}

static inline int host_vfio_write(struct host *host, int device, uint64_t offset,
				  const void *buffer, size_t size_bytes)
{
	return host->ops->vfio->write(host, device, offset, buffer, size_bytes);
}

#endif
