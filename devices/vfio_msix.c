// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MSI-X of an assigned device. Capability, table and pending bits are ours, in the places where
 * the device has its own: the pages of a BAR that hold them are never mapped into the guest.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vfio.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum { CONTROL_WRITABLE = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL };

static uint32_t dword_at(const struct vfio_device *device, unsigned int offset)
{
	uint32_t value;

	memcpy(&value, device->config.bytes + offset, sizeof(value));
	return value;
}

/* False: the device's own description of itself is wrong. */
static bool find_range(const struct vfio_device *device, uint32_t where, size_t size_bytes,
		       unsigned int *ret_bar, struct range *ret_range)
{
	unsigned int bar = where & PCI_MSIX_TABLE_BIR;
	uint64_t start = where & PCI_MSIX_TABLE_OFFSET;

	if (bar >= PCI_ROM_BAR || start + size_bytes > device->bars[bar].size_bytes)
		return false;
	*ret_bar = bar;
	*ret_range = (struct range){.start = start, .end = start + size_bytes};
	return true;
}

static int msix_alloc(struct vfio_device *device, unsigned int n)
{
	struct vfio_msix *msix = &device->msix;
	int ret;

	msix->entries = calloc(n, sizeof(*msix->entries));
	if (!msix->entries)
		return -ENOMEM;
	for (unsigned int i = 0; i < n; i++)
		msix->entries[i].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	ret = vfio_irq_init(&msix->irq, device, VFIO_PCI_MSIX_IRQ_INDEX, n);
	if (ret) {
		free(take_pointer(msix->entries));
		return ret;
	}
	pthread_mutex_init(&msix->lock, NULL);
	return 0;
}

int vfio_msix_init(struct vfio_device *device, unsigned int offset)
{
	struct vfio_msix *msix = &device->msix;
	uint32_t first = dword_at(device, offset);
	unsigned int n;

	msix->control = (uint16_t)(first >> 16) & PCI_MSIX_FLAGS_QSIZE;
	n = msix->control + 1u;
	if (!find_range(device, dword_at(device, offset + PCI_MSIX_TABLE),
			n * sizeof(struct vfio_msix_entry), &msix->table_bar, &msix->table))
		return -EINVAL;
	if (!find_range(device, dword_at(device, offset + PCI_MSIX_PBA), align_up(n, 64) / 8,
			&msix->pending_bar, &msix->pending))
		return -EINVAL;
	msix->offset = offset;
	return msix_alloc(device, n);
}

void vfio_msix_fini(struct vfio_device *device)
{
	struct vfio_msix *msix = &device->msix;

	if (!msix->entries)
		return;
	vfio_irq_fini(&msix->irq);
	pthread_mutex_destroy(&msix->lock);
	free(take_pointer(msix->entries));
}

/* --- What the vectors are to do --- */

static void set_vectors_locked(struct vfio_msix *msix, unsigned int first, unsigned int end)
{
	for (unsigned int i = first; i < end; i++) {
		const struct vfio_msix_entry *entry = &msix->entries[i];
		struct vfio_message message = {
			.address = entry->address & ~UINT64_C(3),
			.data = entry->data,
			.is_masked = msix->control & PCI_MSIX_FLAGS_MASKALL ||
				     entry->control & PCI_MSIX_ENTRY_CTRL_MASKBIT,
		};

		vfio_irq_set(&msix->irq, i, &message);
	}
}

/* --- The capability --- */

uint32_t vfio_msix_read(struct vfio_device *device, unsigned int offset,
			unsigned int size_bytes)
{
	struct vfio_msix *msix = &device->msix;
	uint8_t bytes[PCI_CAP_MSIX_SIZEOF];
	uint32_t value = 0;

	WITH_LOCK(&msix->lock);
	memcpy(bytes, device->config.bytes + msix->offset, sizeof(bytes));
	memcpy(bytes + PCI_MSIX_FLAGS, &msix->control, sizeof(msix->control));
	memcpy(&value, bytes + offset, size_bytes);
	return value;
}

void vfio_msix_write(struct vfio_device *device, unsigned int offset, uint32_t value,
		     unsigned int size_bytes)
{
	struct vfio_msix *msix = &device->msix;
	uint8_t bytes[PCI_CAP_MSIX_SIZEOF] = {0};
	uint16_t control;
	bool is_enabled;

	WITH_LOCK(&msix->lock);
	memcpy(bytes + PCI_MSIX_FLAGS, &msix->control, sizeof(msix->control));
	memcpy(bytes + offset, &value, size_bytes);
	memcpy(&control, bytes + PCI_MSIX_FLAGS, sizeof(control));
	msix->control &= (uint16_t)~CONTROL_WRITABLE;
	msix->control |= control & CONTROL_WRITABLE;

	is_enabled = msix->control & PCI_MSIX_FLAGS_ENABLE;
	if (is_enabled && !msix->irq.is_enabled)
		vfio_irq_enable(&msix->irq, msix->irq.n_vectors);
	else if (!is_enabled)
		vfio_irq_disable(&msix->irq);
	set_vectors_locked(msix, 0, msix->irq.n_vectors);
}

/* --- Table and pending bits --- */

/* Bytes from @start on; out of range: nothing. */
static uint64_t read_table_locked(const struct vfio_msix *msix, uint64_t start,
				  size_t size_bytes)
{
	uint64_t value = 0;

	memcpy(&value, (const uint8_t *)msix->entries + start, size_bytes);
	return value;
}

static uint64_t read_pending_locked(const struct vfio_msix *msix, uint64_t start,
				    size_t size_bytes)
{
	uint64_t first = start * 8;
	uint64_t value = 0;

	for (uint64_t i = 0; i < size_bytes * 8 && first + i < msix->irq.n_vectors; i++)
		value |= (uint64_t)vfio_irq_is_pending(&msix->irq, (unsigned int)(first + i))
			 << i;
	return value;
}

static bool touches(const struct vfio_msix *msix, unsigned int bar, struct range access)
{
	if (!msix->entries)
		return false;
	return (bar == msix->table_bar && range_overlaps(access, msix->table)) ||
	       (bar == msix->pending_bar && range_overlaps(access, msix->pending));
}

bool vfio_msix_read_bar(struct vfio_device *device, unsigned int bar, struct range access,
			uint64_t *ret_value)
{
	struct vfio_msix *msix = &device->msix;

	if (!touches(msix, bar, access))
		return false;
	*ret_value = UINT64_MAX;
	WITH_LOCK(&msix->lock);
	if (bar == msix->table_bar && range_covers(msix->table, access))
		*ret_value = read_table_locked(msix, access.start - msix->table.start,
					       range_size(access));
	else if (bar == msix->pending_bar && range_covers(msix->pending, access))
		*ret_value = read_pending_locked(msix, access.start - msix->pending.start,
						 range_size(access));
	return true;
}

bool vfio_msix_write_bar(struct vfio_device *device, unsigned int bar, struct range access,
			 uint64_t value)
{
	const unsigned int entry_bytes = sizeof(struct vfio_msix_entry);
	struct vfio_msix *msix = &device->msix;
	unsigned int start, size_bytes;

	if (!touches(msix, bar, access))
		return false;
	WITH_LOCK(&msix->lock);
	if (bar != msix->table_bar || !range_covers(msix->table, access))
		return true;
	start = (unsigned int)(access.start - msix->table.start);
	size_bytes = (unsigned int)range_size(access);
	memcpy((uint8_t *)msix->entries + start, &value, size_bytes);
	set_vectors_locked(msix, start / entry_bytes,
			   (start + size_bytes - 1) / entry_bytes + 1);
	return true;
}
