// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A PCI function: configuration space, BARs, capabilities.
 *
 * Configuration space is bytes and a mask of those bits the guest can write; that alone makes
 * the sizing of BARs work. Windows in capabilities are answered by the device instead.
 */
#include "devices/pci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/err.h"

static size_t bar_offset(unsigned int bar)
{
	return bar == PCI_ROM_BAR ? PCI_ROM_ADDRESS
				  : PCI_BASE_ADDRESS_0 + sizeof(uint32_t) * bar;
}

static bool bar_is_64(const struct pci_bar *bar)
{
	return bar->kind & PCI_BASE_ADDRESS_MEM_TYPE_64;
}

static void config_set(uint8_t *config, size_t offset, uint32_t value, unsigned int size_bytes)
{
	memcpy(config + offset, &value, size_bytes);
}

int pci_device_new(const struct pci_device_info *info, struct pci_device **ret_device)
{
	struct pci_device *device = calloc(1, sizeof(*device));

	if (!device)
		return -ENOMEM;

	config_set(device->config, PCI_VENDOR_ID, info->vendor_id, 2);
	config_set(device->config, PCI_DEVICE_ID, info->device_id, 2);
	config_set(device->config, PCI_CLASS_REVISION, info->class_code << 8 | info->revision,
		   4);
	config_set(device->config, PCI_SUBSYSTEM_VENDOR_ID, info->subsystem_vendor_id, 2);
	config_set(device->config, PCI_SUBSYSTEM_ID, info->subsystem_id, 2);
	config_set(device->writable, PCI_COMMAND,
		   PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE, 2);
	config_set(device->writable, PCI_CACHE_LINE_SIZE, 0xff, 1);
	config_set(device->writable, PCI_INTERRUPT_LINE, 0xff, 1);
	device->config_bytes = PCI_CONFIG_BYTES;
	device->free_offset = PCI_STD_HEADER_SIZEOF;
	device->link_offset = PCI_CAPABILITY_LIST;
	for (unsigned int i = 0; i < PCI_BARS; i++)
		device->bars[i].mapped = PCI_BAR_UNMAPPED;
	*ret_device = device;
	return 0;
}

void pci_device_free(struct pci_device *device)
{
	if (!device)
		return;

	if (device->host)
		pci_host_remove(device->host, device);
	msix_free(device->msix);
	free(device);
}

void pci_device_make_bridge(struct pci_device *device)
{
	uint8_t *config = device->config, *writable = device->writable;

	ASSERT(!device->host);
	config_set(config, PCI_HEADER_TYPE, PCI_HEADER_TYPE_BRIDGE, 1);
	config_set(config, PCI_PREF_MEMORY_BASE,
		   PCI_PREF_RANGE_TYPE_64 << 16 | PCI_PREF_RANGE_TYPE_64, 4);
	/* The subsystem's place in the other header. */
	config_set(config, PCI_PREF_LIMIT_UPPER32, 0, 4);
	config_set(writable, PCI_PRIMARY_BUS, 0x00ffffff, 4);
	config_set(writable, PCI_MEMORY_BASE, 0xfff0fff0, 4);
	config_set(writable, PCI_PREF_MEMORY_BASE, 0xfff0fff0, 4);
	config_set(writable, PCI_PREF_BASE_UPPER32, UINT32_MAX, 4);
	config_set(writable, PCI_PREF_LIMIT_UPPER32, UINT32_MAX, 4);
	config_set(writable, PCI_BRIDGE_CONTROL, PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR,
		   2);
}

void pci_device_set_ops(struct pci_device *device, const struct pci_device_ops *ops,
			void *owner)
{
	ASSERT(!device->host);
	device->ops = ops;
	device->owner = owner;
}

void pci_device_extend_config(struct pci_device *device)
{
	ASSERT(!device->host);
	device->config_bytes = PCI_EXTENDED_CONFIG_BYTES;
}

static void check_bar(const struct pci_device *device, unsigned int bar, uint64_t size_bytes,
		      uint32_t kind)
{
	ASSERT(!device->host);
	ASSERT(size_bytes >= 16);
	ASSERT(is_aligned(size_bytes, size_bytes));
	ASSERT(bar < PCI_BARS);
	ASSERT(!device->bars[bar].size_bytes);
	ASSERT(bar == 0 || bar == PCI_ROM_BAR || !bar_is_64(&device->bars[bar - 1]));
	if (kind & PCI_BASE_ADDRESS_MEM_TYPE_64) {
		ASSERT(bar + 1 < PCI_ROM_BAR);
		ASSERT(!device->bars[bar + 1].size_bytes);
	} else {
		ASSERT(size_bytes <= 2 * GIB);
	}
	ASSERT(bar != PCI_ROM_BAR || (kind == 0 && size_bytes >= 2 * KIB));
}

void pci_device_add_bar(struct pci_device *device, unsigned int bar, uint64_t size_bytes,
			uint32_t kind, const struct pci_bar_ops *ops, void *owner)
{
	size_t offset = bar_offset(bar);
	uint64_t mask = ~(size_bytes - 1);

	check_bar(device, bar, size_bytes, kind);
	if (bar == PCI_ROM_BAR)
		mask |= PCI_ROM_ADDRESS_ENABLE;
	config_set(device->config, offset, kind, 4);
	config_set(device->writable, offset, (uint32_t)mask, 4);
	if (kind & PCI_BASE_ADDRESS_MEM_TYPE_64)
		config_set(device->writable, offset + 4, (uint32_t)(mask >> 32), 4);
	device->bars[bar] = (struct pci_bar){
		.size_bytes = size_bytes,
		.kind = kind,
		.ops = ops,
		.owner = owner,
		.mapped = PCI_BAR_UNMAPPED,
	};
}

int pci_device_add_capability(struct pci_device *device, uint8_t id, const void *body,
			      size_t body_bytes, const struct pci_config_ops *ops,
			      unsigned int ops_offset, void *owner)
{
	unsigned int offset = device->free_offset;
	unsigned int end;

	ASSERT(!device->host);
	if (body_bytes > PCI_CONFIG_BYTES || (ops && device->n_windows == PCI_WINDOWS_MAX))
		return -ENOSPC;
	end = offset + PCI_CAP_FLAGS + (unsigned int)body_bytes;
	if (end > PCI_CONFIG_BYTES)
		return -ENOSPC;

	device->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	device->config[device->link_offset] = (uint8_t)offset;
	device->link_offset = offset + PCI_CAP_LIST_NEXT;
	device->free_offset = (unsigned int)align_up(end, 4);
	device->config[offset] = id;
	memcpy(device->config + offset + PCI_CAP_FLAGS, body, body_bytes);
	if (ops) {
		device->windows[device->n_windows++] = (struct pci_window){
			.start = offset + ops_offset,
			.end = end,
			.base = offset,
			.ops = ops,
			.owner = owner,
		};
	}
	return (int)offset;
}

int pci_device_add_window(struct pci_device *device, unsigned int start, unsigned int end,
			  const struct pci_config_ops *ops, void *owner)
{
	ASSERT(!device->host);
	ASSERT(start < end && end <= device->config_bytes);
	if (device->n_windows == PCI_WINDOWS_MAX)
		return -ENOSPC;
	device->windows[device->n_windows++] = (struct pci_window){
		.start = start,
		.end = end,
		.ops = ops,
		.owner = owner,
	};
	return 0;
}

void pci_device_set_asleep(struct pci_device *device, bool is_asleep)
{
	device->is_asleep = is_asleep;
}

void pci_device_raise_msix(struct pci_device *device, unsigned int vector)
{
	msix_raise(device->msix, vector);
}

bool pci_device_is_master(const struct pci_device *device)
{
	return atomic_load(&device->is_master);
}

/* --- Configuration space, under the host's lock --- */

static bool is_decoding(const struct pci_device *device, unsigned int bar)
{
	if (device->is_asleep || !device->bars[bar].size_bytes)
		return false;
	if (bar == PCI_ROM_BAR && !(device->config[PCI_ROM_ADDRESS] & PCI_ROM_ADDRESS_ENABLE))
		return false;
	return device->config[PCI_COMMAND] & PCI_COMMAND_MEMORY;
}

gpa_t pci_device_get_bar(const struct pci_device *device, unsigned int bar)
{
	gpa_t gpa = 0;

	if (!is_decoding(device, bar))
		return PCI_BAR_UNMAPPED;
	memcpy(&gpa, device->config + bar_offset(bar),
	       bar_is_64(&device->bars[bar]) ? sizeof(uint64_t) : sizeof(uint32_t));
	return align_down(gpa, device->bars[bar].size_bytes);
}

void pci_device_set_bar(struct pci_device *device, unsigned int bar, gpa_t gpa)
{
	uint64_t value = gpa | device->bars[bar].kind;
	bool is_64 = bar_is_64(&device->bars[bar]);

	ASSERT(is_aligned(gpa, device->bars[bar].size_bytes));
	ASSERT(is_64 || gpa <= UINT32_MAX);
	memcpy(device->config + bar_offset(bar), &value,
	       is_64 ? sizeof(uint64_t) : sizeof(uint32_t));
}

/* The window that holds the byte at @offset, or NULL. */
static const struct pci_window *find_window(const struct pci_device *device,
					    unsigned int offset)
{
	for (unsigned int i = 0; i < device->n_windows; i++) {
		const struct pci_window *window = &device->windows[i];

		if (offset >= window->start && offset < window->end)
			return window;
	}
	return NULL;
}

/*
 * How many of the @size_bytes bytes at @offset are in the same window, or all in none, as the
 * first one; that window in @ret_window.
 */
static unsigned int cut_piece(const struct pci_device *device, unsigned int offset,
			      unsigned int size_bytes, const struct pci_window **ret_window)
{
	unsigned int n = 1;

	*ret_window = find_window(device, offset);
	while (n < size_bytes && find_window(device, offset + n) == *ret_window)
		n++;
	return n;
}

uint32_t pci_device_read_config(struct pci_device *device, unsigned int offset,
				unsigned int size_bytes)
{
	const struct pci_window *window;
	uint32_t value = 0;
	unsigned int n;

	ASSERT(offset / 4 == (offset + size_bytes - 1) / 4);
	for (unsigned int done = 0; done < size_bytes; done += n) {
		unsigned int at = offset + done;
		uint32_t piece = 0;

		n = cut_piece(device, at, size_bytes - done, &window);
		if (window)
			piece = window->ops->read(window->owner, at - window->base, n);
		else
			memcpy(&piece, device->config + at, n);
		memcpy((uint8_t *)&value + done, &piece, n);
	}
	return value;
}

static void write_bytes(struct pci_device *device, unsigned int offset, uint32_t value,
			unsigned int size_bytes)
{
	for (unsigned int i = 0; i < size_bytes; i++, value >>= 8) {
		uint8_t *byte = &device->config[offset + i];
		uint8_t mask = device->writable[offset + i];

		*byte = (uint8_t)((*byte & ~mask) | (value & mask));
	}
}

bool pci_device_write_config(struct pci_device *device, unsigned int offset, uint32_t value,
			     unsigned int size_bytes)
{
	/* BARs and ROM; of a bridge buses and windows. */
	static const struct range places = {PCI_BASE_ADDRESS_0, PCI_CAPABILITY_LIST};
	static const struct range command = {PCI_COMMAND, PCI_STATUS};
	struct range written = {.start = offset, .end = offset + size_bytes};
	bool was_asleep = device->is_asleep;
	const struct pci_window *window;
	unsigned int n;

	ASSERT(offset / 4 == (offset + size_bytes - 1) / 4);
	for (unsigned int done = 0; done < size_bytes; done += n) {
		unsigned int at = offset + done;
		uint32_t piece = 0;

		n = cut_piece(device, at, size_bytes - done, &window);
		memcpy(&piece, (const uint8_t *)&value + done, n);
		if (window)
			window->ops->write(window->owner, at - window->base, piece, n);
		else
			write_bytes(device, at, piece, n);
	}
	atomic_store(&device->is_master, device->config[PCI_COMMAND] & PCI_COMMAND_MASTER);
	return range_overlaps(written, command) || range_overlaps(written, places) ||
	       device->is_asleep != was_asleep;
}
