// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The root of bus 0: how configuration space is reached (ECAM, mechanism #1), which device is
 * in which slot, and which BARs are on the bus.
 *
 * The guest may put BARs where it likes. Only what lies in one of the bridge's windows is
 * decoded, so a BAR can never cover RAM, ECAM or a platform device. Of BARs that overlap, the
 * one that came first stays; the others are tried again after every change, so each comes on as
 * soon as there is room.
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
	PCI_SLOTS = 32,
	FUNCTIONS_PER_SLOT = 8,
	ECAM_FUNCTION_SHIFT = 12,
	CONF_ADDRESS_OFFSET = 0, /* from PLATFORM_PCI_CONF_PORT */
	CONF_DATA_OFFSET = 4,
};

enum window { WINDOW_32, WINDOW_64, PCI_WINDOWS };

#define CONF_ADDRESS_ENABLE UINT32_C(0x80000000)

struct pci_host {
	struct bus *mmio;
	struct bus *pio;
	struct range ecam;
	/* Forwarded to BARs. Those that are not prefetchable start in the first if it has
	 * room: kernels without ACPI and code without paging find them best below 4 GiB. */
	struct range windows[PCI_WINDOWS];
	gpa_t free[PCI_WINDOWS]; /* where the room for BARs starts; before vCPUs run */

	pthread_mutex_t lock; /* guards what follows and the configuration of the devices */
	uint32_t conf_address;
	struct pci_device *devices[PCI_SLOTS]; /* the bridge is at 0 */
};

/* --- BARs on the bus --- */

static bool is_in_window(const struct pci_host *host, struct range range)
{
	for (unsigned int i = 0; i < PCI_WINDOWS; i++) {
		if (range_covers(host->windows[i], range))
			return true;
	}
	return false;
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
	gpa_t gpa = pci_device_get_bar(device, index);
	struct range range;

	if (gpa == PCI_BAR_UNMAPPED || gpa == bar->mapped)
		return;
	if (!range_init(&range, gpa, bar->size_bytes) || !is_in_window(host, range))
		return;
	if (bus_add(host->mmio, range, &bar->ops->access, bar->owner))
		return;
	bar->mapped = gpa;
	if (bar->ops->moved)
		bar->ops->moved(bar->owner, index, gpa);
}

/*
 * Bring the bus in line with the registers of all devices, of which those of @written changed:
 * first make room, then use it.
 */
static void move_bars_locked(struct pci_host *host, const struct pci_device *written)
{
	uint16_t command;

	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_device *device = host->devices[slot];

		for (unsigned int bar = 0; device && bar < PCI_BARS; bar++) {
			if (device->bars[bar].mapped != pci_device_get_bar(device, bar))
				unmap_bar(host, device, bar);
		}
	}
	if (written->ops) {
		memcpy(&command, written->config + PCI_COMMAND, sizeof(command));
		written->ops->apply(written->owner, command);
	}
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++) {
		struct pci_device *device = host->devices[slot];

		for (unsigned int bar = 0; device && bar < PCI_BARS; bar++)
			map_bar(host, device, bar);
	}
}

/* --- Configuration space --- */

/* @function: as in a requester ID, bus * 256 + slot * 8 + function. */
static struct pci_device *find_device_locked(const struct pci_host *host, uint64_t function)
{
	uint64_t slot = function / FUNCTIONS_PER_SLOT;

	if (slot >= PCI_SLOTS || function % FUNCTIONS_PER_SLOT)
		return NULL;
	return host->devices[slot];
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
		.windows = {[WINDOW_32] = layout->mmio32, [WINDOW_64] = layout->mmio64},
		.free = {[WINDOW_32] = layout->mmio32.start,
			 [WINDOW_64] = layout->mmio64.start},
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
	for (unsigned int bar = 0; bar < PCI_BARS; bar++)
		unmap_bar(host, device, bar);
	host->devices[device->slot] = NULL;
	device->host = NULL;
}

void pci_host_free(struct pci_host *host)
{
	if (!host)
		return;

	bus_remove(host->mmio, host->ecam.start);
	bus_remove(host->pio, PLATFORM_PCI_CONF_PORT);
	pci_device_free(host->devices[0]);
	for (unsigned int slot = 0; slot < PCI_SLOTS; slot++) {
		if (host->devices[slot])
			pci_host_remove(host, host->devices[slot]);
	}
	pthread_mutex_destroy(&host->lock);
	free(host);
}

/* Small BARs get a page of their own, so that the guest can map each alone. */
static bool place_bar_in(struct pci_host *host, struct pci_device *device, unsigned int bar,
			 unsigned int window)
{
	uint64_t size_bytes = device->bars[bar].size_bytes;
	uint64_t align = size_bytes > GRANULE_BYTES ? size_bytes : GRANULE_BYTES;
	gpa_t gpa = align_up(host->free[window], align);
	struct range range;

	if (!range_init(&range, gpa, size_bytes) || !range_covers(host->windows[window], range))
		return false;
	host->free[window] = range.end;
	pci_device_set_bar(device, bar, gpa);
	return true;
}

static int place_bar(struct pci_host *host, struct pci_device *device, unsigned int bar)
{
	/* The large ones: what is below 4 GiB is kept for those that can go nowhere else. */
	const uint32_t high = PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
	uint32_t kind = device->bars[bar].kind;
	unsigned int first = (kind & high) == high ? WINDOW_64 : WINDOW_32;

	if (place_bar_in(host, device, bar, first))
		return 0;
	if (kind & PCI_BASE_ADDRESS_MEM_TYPE_64 &&
	    place_bar_in(host, device, bar, first == WINDOW_32 ? WINDOW_64 : WINDOW_32))
		return 0;
	return -ENOSPC;
}

int pci_host_add(struct pci_host *host, struct pci_device *device)
{
	unsigned int slot = 1;
	int err;

	ASSERT(!device->host);
	WITH_LOCK(&host->lock);
	while (slot < PCI_SLOTS && host->devices[slot])
		slot++;
	if (slot == PCI_SLOTS)
		return -ENOSPC;
	for (unsigned int bar = 0; bar < PCI_BARS; bar++) {
		err = device->bars[bar].size_bytes ? place_bar(host, device, bar) : 0;
		if (err)
			return err;
	}
	host->devices[slot] = device;
	device->host = host;
	device->slot = slot;
	return (int)slot;
}
