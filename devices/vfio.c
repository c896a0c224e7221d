// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An assigned device from the host's file to the guest's slot, and back.
 *
 * Order: KVM hears of the file before it is bound; it is attached to the guest's memory before
 * anything else is asked of it. Back: off the bus (memslots), mappings, KVM's list, memory,
 * file. Until mappings and list have let go of it, the kernel keeps the file open, and nobody
 * else could have the device. When the process is killed the kernel does the same.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vfio.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

/* --- What devices share --- */

int vfio_new(const struct vfio_env *env, struct vfio **ret_vfio, struct err *err)
{
	struct vfio *vfio = calloc(1, sizeof(*vfio));
	int ret;

	if (!vfio)
		return err_set(err, -ENOMEM, "assigned devices: out of memory; free some");
	vfio->env = *env;
	pthread_mutex_init(&vfio->lock, NULL);
	vfio->vm_vfio = host_vm_create_vfio(env->host, env->vm);
	ret = vfio->vm_vfio < 0 ? vfio->vm_vfio : 0;
	if (!ret)
		ret = msi_routes_new(env->host, env->vm, &vfio->routes);
	if (ret) {
		vfio_free(vfio);
		return err_set(err, ret,
			       "assigned devices: KVM has no support for vfio: %s; use a "
			       "kernel with CONFIG_KVM_VFIO",
			       err_describe(ret));
	}
	*ret_vfio = vfio;
	return 0;
}

void vfio_start(struct vfio *vfio)
{
	for (struct vfio_device *device = vfio->devices; device; device = device->next) {
		if (!device->is_started)
			vfio_reset(device);
	}
	for (struct vfio_device *device = vfio->devices; device; device = device->next)
		device->is_started = true;
	vfio->is_running = true;
}

/* --- Words to the operator --- */

static void __attribute__((format(printf, 4, 0)))
describe(const struct vfio_device *device, char *text, size_t size_bytes, const char *fmt,
	 va_list args)
{
	int used =
		snprintf(text, size_bytes, "device '%s' (%s): ", device->name, device->address);

	ASSERT(used > 0 && (size_t)used < size_bytes);
	vsnprintf(text + used, size_bytes - (size_t)used, fmt, args);
}

void vfio_warn(struct vfio_device *device, const char *fmt, ...)
{
	const struct vfio_sink *sink = &device->vfio->env.sink;
	char text[ERR_TEXT_MAX_BYTES];
	va_list args;

	va_start(args, fmt);
	describe(device, text, sizeof(text), fmt, args);
	va_end(args);
	sink->warn(sink->machine, text);
}

/* --- Taking it --- */

static int device_open(struct vfio_device *device, struct err *err)
{
	const struct vfio_env *env = &device->vfio->env;
	char path[HOST_PCI_PATH_BYTES];
	struct host_pci info;
	int ret = host_pci_read(env->paths, device->address, &info);

	if (ret == -ENOENT)
		return err_set(err, ret,
			       "device '%s': the host has no PCI device %s; `alcove device "
			       "list` shows those it has",
			       device->name, device->address);
	if (ret)
		return err_set(err, ret, "device '%s': cannot look at %s: %s", device->name,
			       device->address, err_describe(ret));
	ret = host_pci_check(env->paths, &info, err);
	if (ret)
		return err_prefix(err, "device '%s'", device->name);
	snprintf(path, sizeof(path), "%s/vfio/devices/%s", env->paths->dev, info.vfio);
	device->fd = host_vfio_open(env->host, path);
	if (device->fd < 0)
		return err_set(err, device->fd,
			       "device '%s' (%s): cannot open %s: %s; run as root, or give the "
			       "file to the user",
			       device->name, device->address, path, err_describe(device->fd));
	return 0;
}

static int device_bind(struct vfio_device *device, struct err *err)
{
	const struct vfio_env *env = &device->vfio->env;
	int ret = host_vm_vfio_add(env->host, device->vfio->vm_vfio, device->fd);

	if (ret)
		return err_set(err, ret, "device '%s' (%s): KVM does not take it: %s",
			       device->name, device->address, err_describe(ret));
	device->is_on_list = true;
	device->iommufd = guest_dma_open(env->memory, env->dma, -1, err);
	if (device->iommufd < 0)
		return err_prefix(err, "device '%s' (%s)", device->name, device->address);
	ret = host_vfio_bind(env->host, device->fd, device->iommufd);
	if (ret)
		return vfio_refuse_bind(device, ret, err);
	ret = guest_dma_attach(env->memory, device->fd, device->vfio->is_running, err);
	if (ret)
		return err_prefix(err, "device '%s' (%s)", device->name, device->address);
	device->is_attached = true;
	return 0;
}

static int device_describe(struct vfio_device *device)
{
	struct host *host = device->vfio->env.host;
	struct vfio_device_info info = {.argsz = sizeof(info)};
	struct vfio_region_info config = {.argsz = sizeof(config),
					  .index = VFIO_PCI_CONFIG_REGION_INDEX};
	int ret = host_vfio_get_info(host, device->fd, &info);

	if (!ret && !(info.flags & VFIO_DEVICE_FLAGS_PCI))
		ret = -ENODEV;
	if (!ret)
		ret = host_vfio_get_region(host, device->fd, &config);
	if (ret)
		return ret;
	device->can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	device->n_irqs = info.num_irqs;
	return vfio_config_init(device, &config);
}

static int device_make(struct vfio_device *device)
{
	int ret = device_describe(device);

	for (unsigned int i = 0; i < VFIO_BARS && !ret; i++)
		ret = vfio_bar_init(device, i);
	if (!ret)
		ret = vfio_config_offer(device);
	for (unsigned int i = 0; i < VFIO_BARS && !ret; i++) {
		vfio_bar_offer(&device->bars[i]);
		ret = vfio_bar_map(&device->bars[i]);
	}
	if (!ret)
		ret = vfio_events_init(device);
	return ret;
}

static int device_plug(struct vfio_device *device, const struct vfio_place *place,
		       struct err *err)
{
	int ret;

	if (!place->port) {
		ret = pci_host_add(device->vfio->env.pci, device->pci);
	} else {
		/* The guest sees it at once. */
		vfio_reset(device);
		device->is_started = true;
		ret = pci_port_plug(place->port, device->pci, place->user);
	}
	if (ret < 0)
		return err_set(err, ret,
			       "device '%s' (%s): the guest has no free PCI slot, or no room "
			       "for its memory; assign fewer devices",
			       device->name, device->address);
	return 0;
}

static struct vfio_device *device_alloc(struct vfio *vfio, const char *name,
					const char *address)
{
	struct vfio_device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	device->vfio = vfio;
	device->fd = -1;
	device->iommufd = -1;
	device->error.eventfd = -1;
	device->request.eventfd = -1;
	snprintf(device->name, sizeof(device->name), "%s", name);
	snprintf(device->address, sizeof(device->address), "%s", address);
	device->next = vfio->devices;
	vfio->devices = device;
	return device;
}

int vfio_device_new(struct vfio *vfio, const char *name, const char *address,
		    struct vfio_device **ret_device, struct err *err)
{
	const struct vfio_place bus_0 = {.port = NULL};
	int ret = vfio_device_new_at(vfio, name, address, &bus_0, ret_device, err);

	/* The loop does not run yet. */
	if (!ret)
		vfio_device_listen(*ret_device);
	return ret;
}

int vfio_device_new_at(struct vfio *vfio, const char *name, const char *address,
		       const struct vfio_place *place, struct vfio_device **ret_device,
		       struct err *err)
{
	struct vfio_device *device = device_alloc(vfio, name, address);
	int ret;

	if (!device)
		return err_set(err, -ENOMEM, "device '%s': out of memory; free some", name);
	device->is_behind_port = place->port;
	ret = device_open(device, err);
	if (!ret)
		ret = device_bind(device, err);
	if (!ret) {
		ret = device_make(device);
		if (ret)
			err_set(err, ret, "device '%s' (%s): vfio does not describe it: %s",
				device->name, device->address, err_describe(ret));
	}
	if (!ret) {
		vfio_config_silence(device);
		ret = device_plug(device, place, err);
	}
	if (ret) {
		vfio_device_free(device);
		return ret;
	}
	*ret_device = device;
	return 0;
}

/* --- Giving it back --- */

/* Out of the guest's reach, and quiet; still ours. */
static void device_silence(struct vfio_device *device)
{
	device->is_started = false;
	pci_device_free(take_pointer(device->pci));
	vfio_config_silence(device);
	vfio_msi_fini(device);
	vfio_msix_fini(device);
}

static void device_close(struct vfio_device *device)
{
	const struct vfio_env *env = &device->vfio->env;

	for (unsigned int i = 0; i < VFIO_BARS; i++) {
		if (device->bars[i].device)
			vfio_bar_unmap(&device->bars[i]);
	}
	if (device->is_on_list)
		host_vm_vfio_remove(env->host, device->vfio->vm_vfio, device->fd);
	if (device->is_attached)
		guest_dma_detach(env->memory, device->fd);
	if (device->fd >= 0)
		host_close(env->host, device->fd);
	if (device->iommufd >= 0)
		guest_dma_close(env->memory);
	vfio_events_fini(device);
}

static void device_forget(struct vfio_device *device)
{
	struct vfio_device **link = &device->vfio->devices;

	while (*link != device)
		link = &(*link)->next;
	*link = device->next;
	free(device);
}

void vfio_device_free(struct vfio_device *device)
{
	bool was_started;

	if (!device)
		return;
	was_started = device->is_started;
	device_silence(device);
	if (was_started)
		vfio_reset(device);
	/* Whatever came to be where its BARs are mapped would be the guest's. */
	if (vfio_bars_are_stuck(device)) {
		vfio_warn(device, "KVM does not take it from the guest; the host has it again "
				  "when the machine ends");
		return;
	}
	device_close(device);
	device_forget(device);
}

void vfio_free(struct vfio *vfio)
{
	if (!vfio)
		return;
	/* A reset of the bus needs all devices on it silent, and still ours. */
	for (struct vfio_device *device = vfio->devices; device; device = device->next)
		device_silence(device);
	for (struct vfio_device *device = vfio->devices; device; device = device->next)
		vfio_reset(device);
	while (vfio->devices) {
		device_close(vfio->devices);
		device_forget(vfio->devices);
	}
	msi_routes_free(vfio->routes);
	if (vfio->vm_vfio >= 0)
		host_close(vfio->env.host, vfio->vm_vfio);
	pthread_mutex_destroy(&vfio->lock);
	free(vfio);
}
