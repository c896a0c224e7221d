// SPDX-License-Identifier: GPL-2.0-or-later
/* The real kernel's verbs for assigned devices. */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <unistd.h>

#include "vmm/host_linux.h"
#include "vmm/host_vfio.h"

static int linux_vm_set_routes(struct host *host, int vm, const struct kvm_irq_routing *routing)
{
	(void)host;
	return host_linux_ioctl(vm, KVM_SET_GSI_ROUTING, routing);
}

static int linux_vm_irqfd(struct host *host, int vm, const struct kvm_irqfd *irqfd)
{
	(void)host;
	return host_linux_ioctl(vm, KVM_IRQFD, irqfd);
}

static int linux_vm_create_vfio(struct host *host, int vm)
{
	struct kvm_create_device request = {.type = KVM_DEV_TYPE_VFIO};
	int ret;

	(void)host;
	ret = host_linux_ioctl(vm, KVM_CREATE_DEVICE, &request);
	return ret < 0 ? ret : (int)request.fd;
}

static int set_file(int vm_vfio, int device, uint64_t attribute)
{
	int32_t file = device;
	struct kvm_device_attr request = {
		.group = KVM_DEV_VFIO_FILE,
		.attr = attribute,
		.addr = (uintptr_t)&file,
	};

	return host_linux_ioctl(vm_vfio, KVM_SET_DEVICE_ATTR, &request);
}

static int linux_vm_vfio_add(struct host *host, int vm_vfio, int device)
{
	(void)host;
	return set_file(vm_vfio, device, KVM_DEV_VFIO_FILE_ADD);
}

static int linux_vm_vfio_remove(struct host *host, int vm_vfio, int device)
{
	(void)host;
	return set_file(vm_vfio, device, KVM_DEV_VFIO_FILE_DEL);
}

static int linux_open(struct host *host, const char *path)
{
	(void)host;
	return host_linux_open(path);
}

static int linux_bind(struct host *host, int device, int iommufd)
{
	struct vfio_device_bind_iommufd request = {.argsz = sizeof(request),
						   .iommufd = iommufd};

	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_BIND_IOMMUFD, &request);
}

static int linux_get_info(struct host *host, int device, struct vfio_device_info *info)
{
	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_GET_INFO, info);
}

static int linux_get_region(struct host *host, int device, struct vfio_region_info *info)
{
	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_GET_REGION_INFO, info);
}

static int linux_get_irq(struct host *host, int device, struct vfio_irq_info *info)
{
	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_GET_IRQ_INFO, info);
}

static int linux_set_irqs(struct host *host, int device, const struct vfio_irq_set *set)
{
	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_SET_IRQS, set);
}

static int linux_reset(struct host *host, int device)
{
	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_RESET, NULL);
}

static int linux_get_hot_reset(struct host *host, int device,
			       struct vfio_pci_hot_reset_info *info)
{
	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_GET_PCI_HOT_RESET_INFO, info);
}

/* Without groups: the kernel knows what is bound to the same iommufd. */
static int linux_hot_reset(struct host *host, int device)
{
	struct vfio_pci_hot_reset request = {.argsz = sizeof(request)};

	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_PCI_HOT_RESET, &request);
}

static int linux_read(struct host *host, int device, uint64_t offset, void *buffer,
		      size_t size_bytes)
{
	ssize_t got;

	(void)host;
	got = pread(device, buffer, size_bytes, (off_t)offset);
	if (got < 0)
		return -errno;
	return (size_t)got == size_bytes ? 0 : -EIO;
}

static int linux_write(struct host *host, int device, uint64_t offset, const void *buffer,
		       size_t size_bytes)
{
	ssize_t got;

	(void)host;
	got = pwrite(device, buffer, size_bytes, (off_t)offset);
	if (got < 0)
		return -errno;
	return (size_t)got == size_bytes ? 0 : -EIO;
}

const struct host_vfio_ops host_linux_vfio_ops = {
	.vm_set_routes = linux_vm_set_routes,
	.vm_irqfd = linux_vm_irqfd,
	.vm_create_vfio = linux_vm_create_vfio,
	.vm_vfio_add = linux_vm_vfio_add,
	.vm_vfio_remove = linux_vm_vfio_remove,
	.open = linux_open,
	.bind = linux_bind,
	.get_info = linux_get_info,
	.get_region = linux_get_region,
	.get_irq = linux_get_irq,
	.set_irqs = linux_set_irqs,
	.reset = linux_reset,
	.get_hot_reset = linux_get_hot_reset,
	.hot_reset = linux_hot_reset,
	.read = linux_read,
	.write = linux_write,
};
