// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of a machine that is made of devices of the host. */
#include "devices/assigned.h"
#include "vmm/log.h"
#include "vmm/machine_parts.h"

static void device_warn(void *opaque, const char *text)
{
	const struct machine *machine = opaque;

	log_guest(machine->log, LOG_WARN, "%s", text);
}

static void device_lost(void *opaque, struct vfio_device *device, const char *text)
{
	if (!machine_lose_device(opaque, device, text))
		machine_end(opaque, END_FAILED, 0, text);
}

int machine_need_vfio(struct machine *machine, struct err *err)
{
	static const struct host_paths paths = {
		.sysfs = "/sys", .dev = "/dev", .proc = "/proc", .state = "/run/alcove"};
	struct vfio_env env = {
		.host = machine->host,
		.vm = machine->vm,
		.memory = machine->memory,
		.dma = machine->config->dma,
		.loop = machine->loop,
		.pci = machine->pci,
		.paths = &paths,
		.sink = {.warn = device_warn, .lost = device_lost, .machine = machine},
	};

	return machine->vfio ? 0 : vfio_new(&env, &machine->vfio, err);
}

int machine_start_assigned(struct machine *machine, struct err *err)
{
	const struct config *config = machine->config;
	int ret = config->n_devices ? machine_need_vfio(machine, err) : 0;

	for (unsigned int i = 0; i < config->n_devices && !ret; i++) {
		const struct device_config *device = &config->devices[i];
		char address[PCI_ADDRESS_BYTES];
		struct vfio_device *made;
		bool is_address = pci_address_parse(device->host, address);

		ASSERT(is_address); /* config_check */
		ret = vfio_device_new(machine->vfio, device->name, address, &made, err);
	}
	if (!ret && machine->vfio)
		vfio_start(machine->vfio);
	return ret;
}

void machine_stop_assigned(struct machine *machine)
{
	vfio_free(machine->vfio);
}
