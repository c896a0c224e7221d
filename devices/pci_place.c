// SPDX-License-Identifier: GPL-2.0-or-later
/* Addresses for BARs, as firmware gives them; guests that know better may choose others. */
#include <errno.h>

#include "devices/pci.h"
#include "memory/memory.h"
#include "vmm/err.h"

/* Small BARs get a page of their own, so that the guest can map each alone. */
static bool place_in(struct pci_room *room, struct pci_device *device, unsigned int bar)
{
	uint64_t size_bytes = device->bars[bar].size_bytes;
	uint64_t align = size_bytes > GRANULE_BYTES ? size_bytes : GRANULE_BYTES;
	gpa_t gpa = align_up(room->free.start, align);
	struct range range;

	if (!range_init(&range, gpa, size_bytes) || !range_covers(room->free, range))
		return false;
	room->free.start = range.end;
	pci_device_set_bar(device, bar, gpa);
	return true;
}

static int place_bar(struct pci_room rooms[PCI_WINDOWS], struct pci_device *device,
		     unsigned int bar, bool is_port)
{
	/* The large ones: what is below 4 GiB is kept for those that can go nowhere else. */
	const uint32_t high = PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
	uint32_t kind = device->bars[bar].kind;

	if ((kind & high) == high && place_in(&rooms[PCI_WINDOW_64], device, bar))
		return 0;
	if (place_in(&rooms[PCI_WINDOW_32], device, bar))
		return 0;
	if (kind & PCI_BASE_ADDRESS_MEM_TYPE_64 && !is_port &&
	    place_in(&rooms[PCI_WINDOW_64], device, bar))
		return 0;
	return -ENOSPC;
}

int pci_place_bars(struct pci_room rooms[PCI_WINDOWS], struct pci_device *device, bool is_port)
{
	int ret = 0;

	for (unsigned int bar = 0; bar < PCI_BARS && !ret; bar++) {
		if (device->bars[bar].size_bytes)
			ret = place_bar(rooms, device, bar, is_port);
	}
	return ret;
}
