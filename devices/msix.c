// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MSI-X: a table of messages and the bits of those that are pending, in a BAR of their own.
 *
 * Messages are sent under the lock: once the guest has masked a vector, none follows.
 */
#include "devices/pci.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host.h"

enum {
	MSIX_VECTORS_MAX = 2048,
	MSIX_CONTROL_WRITABLE = PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL,
};

struct msix_entry {
	uint64_t address;
	uint32_t data;
	uint32_t control;
};

/* Message control and the places of table and pending bits, as the guest reads them. */
struct msix_capability {
	uint16_t control;
	uint32_t table;
	uint32_t pending;
} __attribute__((packed));

struct msix {
	struct pci_device *device;
	struct msi_sink sink;
	unsigned int n_vectors;
	pthread_mutex_t lock; /* guards what follows; a leaf */
	struct msix_capability capability;
	struct msix_entry *table; /* the BAR starts with this ... */
	uint64_t *pending;	  /* ... and, right behind it, this; the rest reads zero */
	size_t table_bytes;
	size_t pending_bytes;
};

static bool is_enabled_locked(const struct msix *msix)
{
	return msix->capability.control & PCI_MSIX_FLAGS_ENABLE;
}

static bool is_masked_locked(const struct msix *msix, unsigned int vector)
{
	return msix->capability.control & PCI_MSIX_FLAGS_MASKALL ||
	       msix->table[vector].control & PCI_MSIX_ENTRY_CTRL_MASKBIT;
}

/* KVM's word on a message is for the guest alone, who wrote it. */
static void send_locked(struct msix *msix, unsigned int vector)
{
	const struct msix_entry *entry = &msix->table[vector];

	host_vm_signal_msi(msix->sink.host, msix->sink.vm, entry->address, entry->data);
}

void msix_raise(struct msix *msix, unsigned int vector)
{
	ASSERT(msix && vector < msix->n_vectors);
	if (!pci_device_is_master(msix->device))
		return;

	WITH_LOCK(&msix->lock);
	if (!is_enabled_locked(msix))
		return;
	if (is_masked_locked(msix, vector))
		msix->pending[vector / 64] |= UINT64_C(1) << vector % 64;
	else
		send_locked(msix, vector);
}

/* Send what is pending among vectors [first, end) and masked no more. */
static void send_pending_locked(struct msix *msix, unsigned int first, unsigned int end)
{
	if (!is_enabled_locked(msix))
		return;
	for (unsigned int vector = first; vector < end; vector++) {
		uint64_t *pending = &msix->pending[vector / 64];
		uint64_t bit = UINT64_C(1) << vector % 64;

		if (!(*pending & bit) || is_masked_locked(msix, vector))
			continue;
		*pending &= ~bit;
		send_locked(msix, vector);
	}
}

/* --- The BAR --- */

static uint64_t msix_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct msix *msix = owner;
	uint64_t value = 0;

	WITH_LOCK(&msix->lock);
	if (offset + size_bytes <= msix->table_bytes + msix->pending_bytes)
		memcpy(&value, (const uint8_t *)msix->table + offset, size_bytes);
	return value;
}

static void msix_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct msix *msix = owner;
	size_t entry_bytes = sizeof(struct msix_entry);
	unsigned int first, last;

	WITH_LOCK(&msix->lock);
	if (offset + size_bytes > msix->table_bytes)
		return;
	memcpy((uint8_t *)msix->table + offset, &value, size_bytes);
	first = (unsigned int)(offset / entry_bytes);
	last = (unsigned int)((offset + size_bytes - 1) / entry_bytes);
	send_pending_locked(msix, first, last + 1);
}

static const struct pci_bar_ops msix_bar_ops = {
	.access = {.read = msix_read, .write = msix_write},
};

/* --- The capability; offsets count from its id, two bytes before struct msix_capability --- */

static uint32_t msix_read_config(void *owner, unsigned int offset, unsigned int size_bytes)
{
	struct msix *msix = owner;
	uint32_t value = 0;

	WITH_LOCK(&msix->lock);
	memcpy(&value, (const uint8_t *)&msix->capability + offset - PCI_MSIX_FLAGS,
	       size_bytes);
	return value;
}

static void msix_write_config(void *owner, unsigned int offset, uint32_t value,
			      unsigned int size_bytes)
{
	struct msix *msix = owner;
	struct msix_capability written;

	WITH_LOCK(&msix->lock);
	written = msix->capability;
	memcpy((uint8_t *)&written + offset - PCI_MSIX_FLAGS, &value, size_bytes);
	msix->capability.control &= (uint16_t)~MSIX_CONTROL_WRITABLE;
	msix->capability.control |= written.control & MSIX_CONTROL_WRITABLE;

	/* The next driver shall not get what the last one left. */
	if (!is_enabled_locked(msix))
		memset(msix->pending, 0, msix->pending_bytes);
	send_pending_locked(msix, 0, msix->n_vectors);
}

static const struct pci_config_ops msix_config_ops = {
	.read = msix_read_config,
	.write = msix_write_config,
};

/* --- Set-up --- */

static uint64_t bar_bytes_for(size_t bytes)
{
	uint64_t bar_bytes = GRANULE_BYTES;

	while (bar_bytes < bytes)
		bar_bytes *= 2;
	return bar_bytes;
}

static struct msix *msix_new(unsigned int n_vectors)
{
	size_t table_bytes = n_vectors * sizeof(struct msix_entry);
	size_t pending_bytes = align_up(n_vectors, 64) / 8;
	_cleanup_free_ struct msix *msix = calloc(1, sizeof(*msix));
	struct msix_entry *table = msix ? calloc(1, table_bytes + pending_bytes) : NULL;

	if (!table)
		return NULL;
	for (unsigned int vector = 0; vector < n_vectors; vector++)
		table[vector].control = PCI_MSIX_ENTRY_CTRL_MASKBIT;
	msix->n_vectors = n_vectors;
	msix->table = table;
	msix->pending = (uint64_t *)(void *)(table + n_vectors);
	msix->table_bytes = table_bytes;
	msix->pending_bytes = pending_bytes;
	pthread_mutex_init(&msix->lock, NULL);
	return take_pointer(msix);
}

int pci_device_add_msix(struct pci_device *device, unsigned int bar, unsigned int n_vectors,
			const struct msi_sink *sink)
{
	struct msix *msix;
	int offset;

	ASSERT(n_vectors >= 1 && n_vectors <= MSIX_VECTORS_MAX);
	ASSERT(!device->msix);
	msix = msix_new(n_vectors);
	if (!msix)
		return -ENOMEM;
	msix->device = device;
	msix->sink = *sink;
	msix->capability = (struct msix_capability){
		.control = (uint16_t)(n_vectors - 1),
		.table = bar,
		.pending = (uint32_t)msix->table_bytes | bar,
	};
	offset = pci_device_add_capability(device, PCI_CAP_ID_MSIX, &msix->capability,
					   sizeof(msix->capability), &msix_config_ops,
					   PCI_MSIX_FLAGS, msix);
	if (offset < 0) {
		msix_free(msix);
		return offset;
	}
	pci_device_add_bar(device, bar, bar_bytes_for(msix->table_bytes + msix->pending_bytes),
			   PCI_BASE_ADDRESS_MEM_TYPE_64, &msix_bar_ops, msix);
	device->msix = msix;
	return 0;
}

void msix_free(struct msix *msix)
{
	if (!msix)
		return;

	pthread_mutex_destroy(&msix->lock);
	free(msix->table);
	free(msix);
}
