// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Vectors of an assigned device.
 *
 *	device -> eventfd -> irqfd: KVM sends the message of a route
 *
 * The device always signals. A masked vector has no irqfd, so that signals stay in the eventfd:
 * that is its pending bit, and attaching the irqfd again delivers it.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>

#include <stdlib.h>
#include <string.h>

#include "devices/fd.h"
#include "devices/vfio.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

int vfio_irq_init(struct vfio_irq *irq, struct vfio_device *device, unsigned int index,
		  unsigned int n_vectors)
{
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};
	int ret = host_vfio_get_irq(device->vfio->env.host, device->fd, &info);

	if (ret)
		return ret;
	irq->vectors = calloc(n_vectors, sizeof(*irq->vectors));
	if (!irq->vectors)
		return -ENOMEM;
	for (unsigned int i = 0; i < n_vectors; i++)
		irq->vectors[i].eventfd = -1;
	irq->device = device;
	irq->index = index;
	irq->n_vectors = n_vectors;
	irq->is_fixed = info.flags & VFIO_IRQ_INFO_NORESIZE;
	return 0;
}

void vfio_irq_fini(struct vfio_irq *irq)
{
	if (!irq->vectors)
		return;
	vfio_irq_disable(irq);
	free(take_pointer(irq->vectors));
}

/* --- Device to eventfd --- */

/* Tell the device which eventfds vectors [first, first + n) signal; -1 for those without. */
static int tell_device(struct vfio_irq *irq, unsigned int first, unsigned int n)
{
	size_t size_bytes = sizeof(struct vfio_irq_set) + n * sizeof(int32_t);
	_cleanup_free_ struct vfio_irq_set *set = calloc(1, size_bytes);

	if (!set)
		return -ENOMEM;
	*set = (struct vfio_irq_set){
		.argsz = (uint32_t)size_bytes,
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = irq->index,
		.start = first,
		.count = n,
	};
	for (unsigned int i = 0; i < n; i++) {
		int32_t eventfd = irq->vectors[first + i].eventfd;

		memcpy(set->data + i * sizeof(eventfd), &eventfd, sizeof(eventfd));
	}
	return host_vfio_set_irqs(irq->device->vfio->env.host, irq->device->fd, set);
}

static int vector_connect(struct vfio_irq *irq, unsigned int i)
{
	struct vfio_vector *vector = &irq->vectors[i];
	int ret;

	if (vector->is_known)
		return 0;
	if (vector->eventfd < 0) {
		ret = fd_new_event();
		if (ret < 0)
			return ret;
		vector->eventfd = ret;
	}
	ret = tell_device(irq, i, 1);
	if (ret)
		return ret < 0 ? ret : -ENOSPC;
	vector->is_known = true;
	return 0;
}

/* --- Eventfd to guest --- */

static int set_irqfd(struct vfio_irq *irq, const struct vfio_vector *vector, uint32_t flags)
{
	const struct vfio_env *env = &irq->device->vfio->env;
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)vector->eventfd,
		.gsi = vector->gsi,
		.flags = flags,
	};

	return host_vm_irqfd(env->host, env->vm, &irqfd);
}

static void vector_silence(struct vfio_irq *irq, struct vfio_vector *vector)
{
	if (!vector->is_sending)
		return;
	set_irqfd(irq, vector, KVM_IRQFD_FLAG_DEASSIGN);
	vector->is_sending = false;
}

static int vector_send(struct vfio_irq *irq, struct vfio_vector *vector,
		       const struct vfio_message *message)
{
	struct msi_routes *routes = irq->device->vfio->routes;
	int ret;

	if (vector->gsi)
		ret = msi_routes_set(routes, vector->gsi, message->address, message->data);
	else
		ret = msi_routes_add(routes, message->address, message->data, &vector->gsi);
	if (ret || vector->is_sending)
		return ret;
	ret = set_irqfd(irq, vector, 0);
	vector->is_sending = !ret;
	return ret;
}

void vfio_irq_set(struct vfio_irq *irq, unsigned int i, const struct vfio_message *message)
{
	struct vfio_vector *vector = &irq->vectors[i];
	int ret;

	ASSERT(i < irq->n_vectors);
	if (!irq->is_enabled || i >= irq->n_enabled)
		return;
	if (message->is_masked) {
		vector_silence(irq, vector);
		return;
	}
	/* A number that KVM refuses is the guest's own: it hears nothing from the vector. */
	ret = vector_connect(irq, i);
	if (!ret)
		ret = vector_send(irq, vector, message);
	if (ret && !irq->has_warned) {
		vfio_warn(irq->device, "interrupt %u cannot reach the guest: %s", i,
			  err_describe(ret));
		irq->has_warned = true;
	}
}

bool vfio_irq_is_pending(const struct vfio_irq *irq, unsigned int i)
{
	const struct vfio_vector *vector = &irq->vectors[i];

	ASSERT(i < irq->n_vectors);
	if (!irq->is_enabled || !vector->is_known || vector->is_sending)
		return false;
	return fd_poll(vector->eventfd, POLLIN, 0) == POLLIN;
}

/* --- All of them --- */

static void vector_forget(struct vfio_irq *irq, struct vfio_vector *vector)
{
	vector_silence(irq, vector);
	if (vector->gsi)
		msi_routes_remove(irq->device->vfio->routes, vector->gsi);
	if (vector->eventfd >= 0)
		close(vector->eventfd);
	*vector = (struct vfio_vector){.eventfd = -1};
}

void vfio_irq_enable(struct vfio_irq *irq, unsigned int n)
{
	/* What can grow starts with one vector, which the device does not signal yet. */
	unsigned int n_now = irq->is_fixed ? n : 1;
	int ret;

	ASSERT(n >= 1 && n <= irq->n_vectors);
	ASSERT(!irq->is_enabled);
	ret = tell_device(irq, 0, n_now);
	if (ret > 0) {
		vfio_warn(irq->device, "the host has only %d of %u interrupts for it", ret, n);
		n = (unsigned int)ret < n ? (unsigned int)ret : n;
		ret = tell_device(irq, 0, n);
	}
	if (ret) {
		vfio_warn(irq->device, "the host has no interrupts for it: %s",
			  err_describe(ret < 0 ? ret : -ENOSPC));
		return;
	}
	irq->is_enabled = true;
	irq->has_warned = false;
	irq->n_enabled = n;
}

void vfio_irq_disable(struct vfio_irq *irq)
{
	struct vfio_irq_set none = {
		.argsz = sizeof(none),
		.flags = VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = irq->index,
	};

	if (!irq->is_enabled)
		return;
	host_vfio_set_irqs(irq->device->vfio->env.host, irq->device->fd, &none);
	for (unsigned int i = 0; i < irq->n_enabled; i++)
		vector_forget(irq, &irq->vectors[i]);
	irq->is_enabled = false;
}
