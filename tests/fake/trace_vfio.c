// SPDX-License-Identifier: GPL-2.0-or-later
/* The verbs of assigned devices: pass on, write down. Structures are not kept. */
#include <linux/kvm.h>
#include <linux/vfio.h>

#include "tests/fake/trace_state.h"
#include "vmm/host_vfio.h"

static int trace_vm_set_routes(struct host *host, int vm, const struct kvm_irq_routing *routing)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_SET_ROUTES,
				  .numbers = {trace_fd(trace, vm), routing->nr}};
	int ret = host_vm_set_routes(trace->inner, vm, routing);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_irqfd(struct host *host, int vm, const struct kvm_irqfd *irqfd)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_IRQFD,
				  .numbers = {trace_fd(trace, vm), irqfd->gsi, irqfd->flags}};
	int ret = host_vm_irqfd(trace->inner, vm, irqfd);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_create_vfio(struct host *host, int vm)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VM_CREATE_VFIO,
				  .numbers = {trace_fd(trace, vm)}};
	int ret = host_vm_create_vfio(trace->inner, vm);

	call.result = ret < 0 ? ret : 0;
	trace_add_fd(trace, &call, ret);
	return ret;
}

static int trace_vm_vfio_add(struct host *host, int vm_vfio, int device)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {
		.verb = VERB_VM_VFIO_ADD,
		.numbers = {trace_fd(trace, vm_vfio), trace_fd(trace, device)}};
	int ret = host_vm_vfio_add(trace->inner, vm_vfio, device);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vm_vfio_remove(struct host *host, int vm_vfio, int device)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {
		.verb = VERB_VM_VFIO_REMOVE,
		.numbers = {trace_fd(trace, vm_vfio), trace_fd(trace, device)}};
	int ret = host_vm_vfio_remove(trace->inner, vm_vfio, device);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_open(struct host *host, const char *path)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_OPEN};
	int ret = host_vfio_open(trace->inner, path);

	call.result = ret < 0 ? ret : 0;
	trace_add_fd(trace, &call, ret);
	return ret;
}

static int trace_bind(struct host *host, int device, int iommufd)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {
		.verb = VERB_VFIO_BIND,
		.numbers = {trace_fd(trace, device), trace_fd(trace, iommufd)}};
	int ret = host_vfio_bind(trace->inner, device, iommufd);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_get_info(struct host *host, int device, struct vfio_device_info *info)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_GET_INFO,
				  .numbers = {trace_fd(trace, device)}};
	int ret = host_vfio_get_info(trace->inner, device, info);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_get_region(struct host *host, int device, struct vfio_region_info *info)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_GET_REGION,
				  .numbers = {trace_fd(trace, device), info->index}};
	int ret = host_vfio_get_region(trace->inner, device, info);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_get_irq(struct host *host, int device, struct vfio_irq_info *info)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_GET_IRQ,
				  .numbers = {trace_fd(trace, device), info->index}};
	int ret = host_vfio_get_irq(trace->inner, device, info);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_set_irqs(struct host *host, int device, const struct vfio_irq_set *set)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_SET_IRQS,
				  .numbers = {trace_fd(trace, device), set->flags, set->index,
					      set->start, set->count}};
	int ret = host_vfio_set_irqs(trace->inner, device, set);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_reset(struct host *host, int device)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_RESET,
				  .numbers = {trace_fd(trace, device)}};
	int ret = host_vfio_reset(trace->inner, device);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_get_hot_reset(struct host *host, int device,
			       struct vfio_pci_hot_reset_info *info)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_GET_HOT_RESET,
				  .numbers = {trace_fd(trace, device)}};
	int ret = host_vfio_get_hot_reset(trace->inner, device, info);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_hot_reset(struct host *host, int device)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_HOT_RESET,
				  .numbers = {trace_fd(trace, device)}};
	int ret = host_vfio_hot_reset(trace->inner, device);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_read(struct host *host, int device, uint64_t offset, void *buffer,
		      size_t size_bytes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_READ,
				  .numbers = {trace_fd(trace, device), offset, size_bytes}};
	int ret = host_vfio_read(trace->inner, device, offset, buffer, size_bytes);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_write(struct host *host, int device, uint64_t offset, const void *buffer,
		       size_t size_bytes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VFIO_WRITE,
				  .numbers = {trace_fd(trace, device), offset, size_bytes}};
	int ret = host_vfio_write(trace->inner, device, offset, buffer, size_bytes);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

const struct host_vfio_ops trace_vfio_ops = {
	.vm_set_routes = trace_vm_set_routes,
	.vm_irqfd = trace_vm_irqfd,
	.vm_create_vfio = trace_vm_create_vfio,
	.vm_vfio_add = trace_vm_vfio_add,
	.vm_vfio_remove = trace_vm_vfio_remove,
	.open = trace_open,
	.bind = trace_bind,
	.get_info = trace_get_info,
	.get_region = trace_get_region,
	.get_irq = trace_get_irq,
	.set_irqs = trace_set_irqs,
	.reset = trace_reset,
	.get_hot_reset = trace_get_hot_reset,
	.hot_reset = trace_hot_reset,
	.read = trace_read,
	.write = trace_write,
};
