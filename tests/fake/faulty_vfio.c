// SPDX-License-Identifier: GPL-2.0-or-later
/* The verbs of assigned devices that fail when they are told to. */
#include <linux/kvm.h>

#include "tests/fake/faulty_state.h"
#include "vmm/host_vfio.h"

static int faulty_vm_set_routes(struct host *host, int vm,
				const struct kvm_irq_routing *routing)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_SET_ROUTES);

	return fault ? fault : host_vm_set_routes(faulty->inner, vm, routing);
}

static int faulty_vm_irqfd(struct host *host, int vm, const struct kvm_irqfd *irqfd)
{
	struct faulty *faulty = faulty_of(host);
	/* Taking one away cannot fail. */
	int fault =
		irqfd->flags & KVM_IRQFD_FLAG_DEASSIGN ? 0 : faulty_next(faulty, VERB_VM_IRQFD);

	return fault ? fault : host_vm_irqfd(faulty->inner, vm, irqfd);
}

static int faulty_vm_create_vfio(struct host *host, int vm)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_CREATE_VFIO);

	return fault ? fault : host_vm_create_vfio(faulty->inner, vm);
}

static int faulty_vm_vfio_add(struct host *host, int vm_vfio, int device)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VM_VFIO_ADD);

	return fault ? fault : host_vm_vfio_add(faulty->inner, vm_vfio, device);
}

static int faulty_vm_vfio_remove(struct host *host, int vm_vfio, int device)
{
	return host_vm_vfio_remove(faulty_of(host)->inner, vm_vfio, device);
}

static int faulty_open(struct host *host, const char *path)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_OPEN);

	return fault ? fault : host_vfio_open(faulty->inner, path);
}

static int faulty_bind(struct host *host, int device, int iommufd)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_BIND);

	return fault ? fault : host_vfio_bind(faulty->inner, device, iommufd);
}

static int faulty_get_info(struct host *host, int device, struct vfio_device_info *info)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_GET_INFO);

	return fault ? fault : host_vfio_get_info(faulty->inner, device, info);
}

static int faulty_get_region(struct host *host, int device, struct vfio_region_info *info)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_GET_REGION);

	return fault ? fault : host_vfio_get_region(faulty->inner, device, info);
}

static int faulty_get_irq(struct host *host, int device, struct vfio_irq_info *info)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_GET_IRQ);

	return fault ? fault : host_vfio_get_irq(faulty->inner, device, info);
}

static int faulty_set_irqs(struct host *host, int device, const struct vfio_irq_set *set)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_SET_IRQS);

	return fault ? fault : host_vfio_set_irqs(faulty->inner, device, set);
}

static int faulty_reset(struct host *host, int device)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_RESET);

	return fault ? fault : host_vfio_reset(faulty->inner, device);
}

static int faulty_get_hot_reset(struct host *host, int device,
				struct vfio_pci_hot_reset_info *info)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_GET_HOT_RESET);

	return fault ? fault : host_vfio_get_hot_reset(faulty->inner, device, info);
}

static int faulty_hot_reset(struct host *host, int device)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_HOT_RESET);

	return fault ? fault : host_vfio_hot_reset(faulty->inner, device);
}

static int faulty_read(struct host *host, int device, uint64_t offset, void *buffer,
		       size_t size_bytes)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_READ);

	return fault ? fault
		     : host_vfio_read(faulty->inner, device, offset, buffer, size_bytes);
}

static int faulty_write(struct host *host, int device, uint64_t offset, const void *buffer,
			size_t size_bytes)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VFIO_WRITE);

	return fault ? fault
		     : host_vfio_write(faulty->inner, device, offset, buffer, size_bytes);
}

const struct host_vfio_ops faulty_vfio_ops = {
	.vm_set_routes = faulty_vm_set_routes,
	.vm_irqfd = faulty_vm_irqfd,
	.vm_create_vfio = faulty_vm_create_vfio,
	.vm_vfio_add = faulty_vm_vfio_add,
	.vm_vfio_remove = faulty_vm_vfio_remove,
	.open = faulty_open,
	.bind = faulty_bind,
	.get_info = faulty_get_info,
	.get_region = faulty_get_region,
	.get_irq = faulty_get_irq,
	.set_irqs = faulty_set_irqs,
	.reset = faulty_reset,
	.get_hot_reset = faulty_get_hot_reset,
	.hot_reset = faulty_hot_reset,
	.read = faulty_read,
	.write = faulty_write,
};
