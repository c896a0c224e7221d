// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the host tells of an assigned device: that the hardware failed, that it wants it back.
 * By eventfds that the loop polls.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/fd.h"
#include "devices/vfio.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

static void device_lost(struct vfio_device *device, const char *why)
{
	const struct vfio_sink *sink = &device->vfio->env.sink;
	char text[ERR_TEXT_MAX_BYTES];

	snprintf(text, sizeof(text), "device '%s' (%s): %s", device->name, device->address,
		 why);
	sink->lost(sink->machine, device, text);
}

static void event_listen(struct vfio_event *event)
{
	event->is_listening = true;
	loop_poll(event->device->vfio->env.loop, &event->op, event->eventfd, POLLIN);
}

static void tell_if_quiet(struct vfio_device *device)
{
	if (device->quiet && !device->error.is_listening && !device->request.is_listening)
		device->quiet->quiet(device->quiet);
}

static void on_error(struct loop_op *op, int result)
{
	struct vfio_event *event = container_of(op, struct vfio_event, op);

	event->is_listening = false;
	if (event->device->quiet)
		tell_if_quiet(event->device);
	else if (result >= 0)
		device_lost(event->device, "the hardware reports an error it cannot recover "
					   "from; see the host's kernel log");
}

/* The host asks again every ten seconds, until it has it. */
static void on_request(struct loop_op *op, int result)
{
	struct vfio_event *event = container_of(op, struct vfio_event, op);
	struct vfio_device *device = event->device;
	uint64_t count;

	event->is_listening = false;
	if (device->quiet) {
		tell_if_quiet(device);
		return;
	}
	if (result < 0 || read(event->eventfd, &count, sizeof(count)) != sizeof(count))
		return;
	/* First, because whoever hears of it may want it to stop. */
	event_listen(event);
	device_lost(device, "the host takes it back: its driver is being unbound, or it is "
			    "pulled out");
}

void vfio_device_listen(struct vfio_device *device)
{
	if (device->error.eventfd >= 0)
		event_listen(&device->error);
	if (device->request.eventfd >= 0)
		event_listen(&device->request);
}

void vfio_device_hush(struct vfio_device *device, struct vfio_quiet *quiet)
{
	struct loop *loop = device->vfio->env.loop;

	ASSERT(!device->quiet);
	device->quiet = quiet;
	loop_cancel(loop, &device->error.op);
	loop_cancel(loop, &device->request.op);
	tell_if_quiet(device);
}

/* Devices without such events do not offer them. */
static int event_init(struct vfio_device *device, struct vfio_event *event, unsigned int index,
		      void (*done)(struct loop_op *op, int result))
{
	struct host *host = device->vfio->env.host;
	struct vfio_irq_info info = {.argsz = sizeof(info), .index = index};
	uint64_t buffer[(sizeof(struct vfio_irq_set) + sizeof(int32_t) + 7) / 8] = {0};
	struct vfio_irq_set *set = (void *)buffer;
	int32_t eventfd;
	int ret;

	if (index >= device->n_irqs || host_vfio_get_irq(host, device->fd, &info) ||
	    !info.count)
		return 0;
	eventfd = fd_new_event();
	if (eventfd < 0)
		return eventfd;
	*set = (struct vfio_irq_set){
		.argsz = sizeof(struct vfio_irq_set) + sizeof(eventfd),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.count = 1,
	};
	memcpy(set->data, &eventfd, sizeof(eventfd));
	ret = host_vfio_set_irqs(host, device->fd, set);
	if (ret) {
		close(eventfd);
		return ret < 0 ? ret : -ENOSPC;
	}
	event->device = device;
	event->eventfd = eventfd;
	event->op.done = done;
	return 0;
}

int vfio_events_init(struct vfio_device *device)
{
	int ret = event_init(device, &device->error, VFIO_PCI_ERR_IRQ_INDEX, on_error);

	return ret ? ret
		   : event_init(device, &device->request, VFIO_PCI_REQ_IRQ_INDEX, on_request);
}

static void event_fini(struct vfio_event *event)
{
	if (event->eventfd >= 0)
		close(event->eventfd);
	event->eventfd = -1;
}

void vfio_events_fini(struct vfio_device *device)
{
	event_fini(&device->error);
	event_fini(&device->request);
}
