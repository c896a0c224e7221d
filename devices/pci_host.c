// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The root: how configuration space is reached (ECAM, mechanism #1), which device is in which
 * slot of bus 0 or behind which port, and which BARs are on the bus.
 *
 * The guest may put BARs where it likes. Only what lies in one of the bridge's windows, and
 * behind a port in one of the port's, is decoded, so a BAR can never cover RAM, ECAM or a
 * platform device. Of BARs that overlap, the one that came first stays; the others are tried
 * again after every change, so each comes on as soon as there is room.
 */
#include "devices/pci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "memory/memory.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/platform.h"

enum {
	FUNCTIONS_PER_BUS = 256,
	FUNCTIONS_PER_SLOT = 8,
	ECAM_FUNCTION_SHIFT = 12,
	CONF_ADDRESS_OFFSET = 0, /* from PLATFORM_PCI_CONF_PORT */
	CONF_DATA_OFFSET = 4,
};

#define CONF_ADDRESS_ENABLE UINT32_C(0x80000000)

/* What a port starts with for what comes behind it. */
#define PORT_32_BYTES (32 * MIB)
#define PORT_64_BYTES (4 * GIB)

/* --- BARs on the bus --- */

/* The port a device is behind; NULL: it is on bus 0. */
static struct pci_port *port_of(const struct pci_host *host, const struct pci_device *device)
{
	return device->slot < PCI_SLOTS ? NULL : host->ports[device->slot - PCI_SLOTS];
}

/* Where a BAR is to be on the bus, or PCI_BAR_UNMAPPED. */
static gpa_t bar_target(const struct pci_host *host, const struct pci_device *device,
			unsigned int index)
{
	const struct pci_port *port = port_of(host, device);
	gpa_t gpa = pci_device_get_bar(device, index);
	struct range range;

	if (gpa == PCI_BAR_UNMAPPED || !range_init(&range, gpa, device->bars[index].size_bytes))
		return PCI_BAR_UNMAPPED;
	if (port && !pci_port_forwards(port, range))
		return PCI_BAR_UNMAPPED;
	for (unsigned int i = 0; i < PCI_WINDOWS; i++) {
		if (range_covers(host->rooms[i].window, range))
			return gpa;
	}
	return PCI_BAR_UNMAPPED;
}

static void unmap_bar(struct pci_host *host, struct pci_device *device, unsigned int index)
{
	struct pci_bar *bar = &device->bars[index];

	if (bar->mapped == PCI_BAR_UNMAPPED)
		return;
	bus_remove(host->mmio, bar->mapped);
	bar->mapped = PCI_BAR_UNMAPPED;
	if (bar->ops->moved)
		bar->ops->moved(bar->owner, index, PCI_BAR_UNMAPPED);
}

static void map_bar(struct pci_host *host, struct pci_device *device, unsigned int index)
{
	struct pci_bar *bar = &device->bars[index];
	gpa_t gpa = bar_target(host, device, index);

	if (gpa == PCI_BAR_UNMAPPED || gpa == bar->mapped)
		return;
	if (bus_add(host->mmio, (struct range){gpa, gpa + bar->size_bytes}, &bar->ops->access,
		    bar->owner))
		return;
	bar->mapped = gpa;
	if (bar->ops->moved)
		bar->ops->moved(bar->owner, index, gpa);
}

static void map_bars_locked(struct pci_host *host)
{
	for (unsigned int slot = 0; slot < PCI_PLACES; slot++) {
		struct pci_device *device = host->devices[slot];

		for (unsigned int bar = 0; device && bar < PCI_BARS; bar++)
			map_bar(host, device, bar);
	}
}

/*
 * Bring the bus in line with the registers of all devices, of which those of @written changed:
 * first make room, then use it.
 */
static void move_bars_locked(struct pci_host *host, const struct pci_device *written)
{
	uint16_t command;

	for (unsigned int slot = 0; slot < PCI_PLACES; slot++) {
		struct pci_device *device = host->devices[slot];

		for (unsigned int bar = 0; device && bar < PCI_BARS; bar++) {
			if (device->bars[bar].mapped != bar_target(host, device, bar))
				unmap_bar(host, device, bar);
		}
	}
	if (written->ops) {
		memcpy(&command, written->config + PCI_COMMAND, sizeof(command));
		written->ops->apply(written->owner, command);
	}
	map_bars_locked(host);
}

/* --- Configuration space --- */

/* @function: as in a requester ID, bus * 256 + slot * 8 + function. */
static struct pci_device *find_device_locked(const struct pci_host *host, uint64_t function)
{
	uint64_t bus = function / FUNCTIONS_PER_BUS;
	uint64_t slot = function % FUNCTIONS_PER_BUS / FUNCTIONS_PER_SLOT;

	if (function % FUNCTIONS_PER_SLOT)
		return NULL;
	if (!bus)
		return host->devices[slot];
	/* Behind a port is one slot. Of ports with the same bus the first one answers. */
	for (unsigned int i = 0; i < host->n_ports; i++) {
		if (pci_port_bus(host->ports[i]) == bus)
			return slot ? NULL : host->devices[PCI_SLOTS + i];
	}
	return NULL;
}

/* Does a function answer this access? One across dwords has no meaning in PCI. */
static bool is_config_access(const struct pci_device *device, uint64_t offset,
			     unsigned int size_bytes)
{
	return offset % 4 + size_bytes <= 4 && offset < device->config_bytes;
}

static uint64_t read_config_locked(struct pci_host *host, uint64_t function, uint64_t offset,
				   unsigned int size_bytes)
{
	struct pci_device *device = find_device_locked(host, function);

	if (!device || !is_config_access(device, offset, size_bytes))
		return UINT64_MAX;
	return pci_device_read_config(device, (unsigned int)offset, size_bytes);
}

static void write_config_locked(struct pci_host *host, uint64_t function, uint64_t offset,
				uint32_t value, unsigned int size_bytes)
{
	struct pci_device *device = find_device_locked(host, function);

	if (!device || !is_config_access(device, offset, size_bytes))
		return;
	if (pci_device_write_config(device, (unsigned int)offset, value, size_bytes))
		move_bars_locked(host, device);
}

static uint64_t ecam_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct pci_host *host = owner;

	WITH_LOCK(&host->lock);
	return read_config_locked(host, offset >> ECAM_FUNCTION_SHIFT, offset % GRANULE_BYTES,
				  size_bytes);
}

static void ecam_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct pci_host *host = owner;

	WITH_LOCK(&host->lock);
	write_config_locked(host, offset >> ECAM_FUNCTION_SHIFT, offset % GRANULE_BYTES,
			    (uint32_t)value, size_bytes);
}

static const struct bus_ops ecam_ops = {.read = ecam_read, .write = ecam_write};

static uint64_t conf_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct pci_host *host = owner;
	uint32_t address;

	WITH_LOCK(&host->lock);
	address = host->conf_address;
	if (offset == CONF_ADDRESS_OFFSET && size_bytes == 4)
		return address;
	if (offset < CONF_DATA_OFFSET || !(address & CONF_ADDRESS_ENABLE))
		return UINT64_MAX;
	return read_config_locked(host, address >> 8 & 0xffff,
				  (address & 0xfc) + (offset - CONF_DATA_OFFSET), size_bytes);
}

/* Only a write of four bytes reaches the address register; kernels test for that. */
static void conf_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct pci_host *host = owner;
	uint32_t address;

	WITH_LOCK(&host->lock);
	address = host->conf_address;
	if (offset == CONF_ADDRESS_OFFSET && size_bytes == 4)
		host->conf_address = (uint32_t)value;
	else if (offset >= CONF_DATA_OFFSET && address & CONF_ADDRESS_ENABLE)
		write_config_locked(host, address >> 8 & 0xffff,
				    (address & 0xfc) + (offset - CONF_DATA_OFFSET),
				    (uint32_t)value, size_bytes);
}

static const struct bus_ops conf_ops = {.read = conf_read, .write = conf_write};

/* --- The host and its slots --- */

static int add_ranges(struct pci_host *host)
{
	static const struct range ports = {
		.start = PLATFORM_PCI_CONF_PORT,
		.end = PLATFORM_PCI_CONF_PORT + PLATFORM_PCI_CONF_PORTS,
	};
	int err = bus_add(host->mmio, host->ecam, &ecam_ops, host);

	if (err)
		return err;
	err = bus_add(host->pio, ports, &conf_ops, host);
	if (err)
		bus_remove(host->mmio, host->ecam.start);
	return err;
}

int pci_host_new(struct bus *mmio, struct bus *pio, const struct layout *layout,
		 struct pci_host **ret_host)
{
	/* QEMU's generic PCIe host bridge: no driver binds to it, every tool knows it. */
	static const struct pci_device_info bridge_info = {
		.vendor_id = 0x1b36,
		.device_id = 0x0008,
		.subsystem_vendor_id = 0x1af4,
		.subsystem_id = 0x1100,
		.class_code = 0x060000,
	};
	struct pci_host *host = calloc(1, sizeof(*host));
	int err;

	if (!host)
		return -ENOMEM;
	*host = (struct pci_host){
		.mmio = mmio,
		.pio = pio,
		.ecam = layout->ecam,
		.rooms = {[PCI_WINDOW_32] = {layout->mmio32, layout->mmio32},
			  [PCI_WINDOW_64] = {layout->mmio64, layout->mmio64}},
	};
	err = pci_device_new(&bridge_info, &host->devices[0]);
	if (!err)
		err = add_ranges(host);
	if (err) {
		pci_device_free(host->devices[0]);
		free(host);
		return err;
	}

	pthread_mutex_init(&host->lock, NULL);
	host->devices[0]->host = host;
	*ret_host = host;
	return 0;
}

void pci_host_remove(struct pci_host *host, struct pci_device *device)
{
	WITH_LOCK(&host->lock);
	struct pci_port *port = port_of(host, device);

	for (unsigned int bar = 0; bar < PCI_BARS; bar++)
		unmap_bar(host, device, bar);
	host->devices[device->slot] = NULL;
	device->host = NULL;
	map_bars_locked(host);
	if (port)
		pci_port_emptied_locked(port);
}

void pci_host_free(struct pci_host *host)
{
	if (!host)
		return;

	bus_remove(host->mmio, host->ecam.start);
	bus_remove(host->pio, PLATFORM_PCI_CONF_PORT);
	/* Those behind ports are the last ones, and go before their ports. */
	for (unsigned int slot = PCI_PLACES; slot-- > 1;) {
		if (host->devices[slot] && port_of(host, host->devices[slot]))
			pci_host_remove(host, host->devices[slot]);
	}
	for (unsigned int i = 0; i < host->n_ports; i++)
		pci_port_free(host->ports[i]);
	pci_device_free(host->devices[0]);
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++) {
		if (host->devices[slot])
			pci_host_remove(host, host->devices[slot]);
	}
	pthread_mutex_destroy(&host->lock);
	free(host);
}

/* The first free slot on bus 0, or PCI_SLOTS. */
static unsigned int find_slot_locked(const struct pci_host *host)
{
	unsigned int slot = 1;

	while (slot < PCI_SLOTS && host->devices[slot])
		slot++;
	return slot;
}

static void fill_locked(struct pci_host *host, unsigned int slot, struct pci_device *device)
{
	host->devices[slot] = device;
	device->host = host;
	device->slot = slot;
}

int pci_host_add(struct pci_host *host, struct pci_device *device)
{
	unsigned int slot;
	int err;

	ASSERT(!device->host);
	WITH_LOCK(&host->lock);
	slot = find_slot_locked(host);
	if (slot == PCI_SLOTS)
		return -ENOSPC;
	err = pci_place_bars(host->rooms, device, false);
	if (err)
		return err;
	fill_locked(host, slot, device);
	return (int)slot;
}

int pci_host_add_at(struct pci_host *host, struct pci_device *device, unsigned int slot)
{
	ASSERT(!device->host);
	ASSERT(slot < PCI_SLOTS);
	WITH_LOCK(&host->lock);
	if (host->devices[slot])
		return -ENOSPC;
	fill_locked(host, slot, device);
	return 0;
}

/* --- Ports --- */

/* Aligned to its size, so that a BAR as large fits. */
static bool room_take(struct pci_room *room, uint64_t size_bytes, struct range *ret_range)
{
	gpa_t end = align_down(room->free.end, size_bytes);

	if (end < size_bytes || end - size_bytes < room->free.start)
		return false;
	*ret_range = (struct range){.start = end - size_bytes, .end = end};
	room->free.end = ret_range->start;
	return true;
}

int pci_host_add_port(struct pci_host *host, const struct msi_sink *sink,
		      struct pci_port **ret_port)
{
	struct range window_32, window_64;
	struct pci_port *port;
	int ret;

	if (host->n_ports == PCI_PORTS_MAX)
		return -ENOSPC;
	ret = pci_port_new(host, host->n_ports, sink, &port);
	if (ret)
		return ret;
	ret = pci_host_add(host, port->device);
	if (ret >= 0 && (!room_take(&host->rooms[PCI_WINDOW_32], PORT_32_BYTES, &window_32) ||
			 !room_take(&host->rooms[PCI_WINDOW_64], PORT_64_BYTES, &window_64)))
		ret = -ENOSPC;
	if (ret < 0) {
		pci_port_free(port);
		return ret;
	}
	WITH_LOCK(&host->lock);
	host->ports[host->n_ports++] = port;
	pci_port_set_windows(port, host->n_ports, window_32, window_64);
	*ret_port = port;
	return 0;
}

int pci_port_plug(struct pci_port *port, struct pci_device *device, struct pci_port_user *user)
{
	struct pci_host *host = port->host;
	struct pci_room rooms[PCI_WINDOWS];

	ASSERT(!device->host);
	WITH_LOCK(&host->lock);
	if (port->state != PCI_SLOT_EMPTY)
		return -EBUSY;
	for (unsigned int i = 0; i < PCI_WINDOWS; i++) {
		rooms[i].window = pci_port_window(port, i);
		rooms[i].free = rooms[i].window;
	}
	/* A guest that moves windows moves BARs, too: then it does not matter if they fit. */
	(void)!pci_place_bars(rooms, device, true);
	fill_locked(host, PCI_SLOTS + port->index, device);
	port->user = user;
	pci_port_filled_locked(port);
	return 0;
}
