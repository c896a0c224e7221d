// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MSI of an assigned device: the capability is ours, in the shape of the device's own. One
 * message for up to 32 vectors, whose number is in the low bits of the data.
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "devices/vfio.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

static uint16_t control_of(const struct vfio_msi *msi)
{
	uint16_t control;

	memcpy(&control, msi->bytes + PCI_MSI_FLAGS, sizeof(control));
	return control;
}

static uint32_t load(const struct vfio_msi *msi, unsigned int offset, unsigned int size_bytes)
{
	uint32_t value = 0;

	memcpy(&value, msi->bytes + offset, size_bytes);
	return value;
}

static bool is_64(const struct vfio_msi *msi)
{
	return control_of(msi) & PCI_MSI_FLAGS_64BIT;
}

/* Where the mask is; 0: vectors cannot be masked. */
static unsigned int mask_offset(const struct vfio_msi *msi)
{
	if (!(control_of(msi) & PCI_MSI_FLAGS_MASKBIT))
		return 0;
	return is_64(msi) ? PCI_MSI_MASK_64 : PCI_MSI_MASK_32;
}

static unsigned int count_enabled(const struct vfio_msi *msi)
{
	unsigned int n = 1u << ((control_of(msi) & PCI_MSI_FLAGS_QSIZE) >> 4);

	return n < msi->irq.n_vectors ? n : msi->irq.n_vectors;
}

static struct vfio_message message_of(const struct vfio_msi *msi, unsigned int vector)
{
	unsigned int mask = mask_offset(msi);
	struct vfio_message message = {
		.address = load(msi, PCI_MSI_ADDRESS_LO, 4),
		.data = load(msi, is_64(msi) ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32, 2),
		.is_masked = mask && load(msi, mask, 4) & UINT32_C(1) << vector,
	};

	if (is_64(msi))
		message.address |= (uint64_t)load(msi, PCI_MSI_ADDRESS_HI, 4) << 32;
	message.data = (message.data & ~(count_enabled(msi) - 1)) | vector;
	return message;
}

int vfio_msi_init(struct vfio_device *device, unsigned int offset)
{
	struct vfio_msi *msi = &device->msi;
	uint16_t control;
	int ret;

	memcpy(&control, device->config.bytes + offset + PCI_MSI_FLAGS, sizeof(control));
	control &= PCI_MSI_FLAGS_QMASK | PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT;
	/* Six and seven are reserved. */
	if ((control & PCI_MSI_FLAGS_QMASK) >> 1 > 5)
		return -EINVAL;
	msi->offset = offset;
	memcpy(msi->bytes, device->config.bytes + offset, PCI_MSI_FLAGS);
	memcpy(msi->bytes + PCI_MSI_FLAGS, &control, sizeof(control));
	/* With the mask come pending bits. */
	msi->size_bytes = is_64(msi) ? PCI_MSI_MASK_64 - 2 : PCI_MSI_MASK_32 - 2;
	if (mask_offset(msi))
		msi->size_bytes = mask_offset(msi) + 8;
	ret = vfio_irq_init(&msi->irq, device, VFIO_PCI_MSI_IRQ_INDEX,
			    1u << ((control & PCI_MSI_FLAGS_QMASK) >> 1));
	if (!ret)
		pthread_mutex_init(&msi->lock, NULL);
	return ret;
}

void vfio_msi_fini(struct vfio_device *device)
{
	if (!device->msi.irq.vectors)
		return;
	vfio_irq_fini(&device->msi.irq);
	pthread_mutex_destroy(&device->msi.lock);
}

static uint32_t pending_of(const struct vfio_msi *msi)
{
	uint32_t pending = 0;

	for (unsigned int i = 0; i < msi->irq.n_vectors; i++)
		pending |= (uint32_t)vfio_irq_is_pending(&msi->irq, i) << i;
	return pending;
}

uint32_t vfio_msi_read(struct vfio_device *device, unsigned int offset, unsigned int size_bytes)
{
	struct vfio_msi *msi = &device->msi;
	unsigned int pending = mask_offset(msi) ? mask_offset(msi) + 4 : UINT32_MAX;

	WITH_LOCK(&msi->lock);
	if (offset >= pending)
		return pending_of(msi) >> 8 * (offset - pending);
	return load(msi, offset, size_bytes);
}

/* What the guest can change of the byte at @offset. */
static uint8_t writable_bits(const struct vfio_msi *msi, unsigned int offset)
{
	unsigned int data = is_64(msi) ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32;

	if (offset == PCI_MSI_FLAGS)
		return PCI_MSI_FLAGS_ENABLE | PCI_MSI_FLAGS_QSIZE;
	if (offset < PCI_MSI_ADDRESS_LO)
		return 0;
	if (offset == PCI_MSI_ADDRESS_LO)
		return 0xfc;
	if (offset < data + 2)
		return 0xff;
	return mask_offset(msi) && offset >= mask_offset(msi) && offset < mask_offset(msi) + 4
		       ? 0xff
		       : 0;
}

void vfio_msi_write(struct vfio_device *device, unsigned int offset, uint32_t value,
		    unsigned int size_bytes)
{
	struct vfio_msi *msi = &device->msi;
	unsigned int n;

	WITH_LOCK(&msi->lock);
	for (unsigned int i = 0; i < size_bytes; i++, value >>= 8) {
		uint8_t *byte = &msi->bytes[offset + i];
		uint8_t mask = writable_bits(msi, offset + i);

		*byte = (uint8_t)((*byte & ~mask) | (value & mask));
	}
	n = count_enabled(msi);
	if (msi->irq.is_enabled &&
	    (!(control_of(msi) & PCI_MSI_FLAGS_ENABLE) || n != msi->n_asked))
		vfio_irq_disable(&msi->irq);
	if (!msi->irq.is_enabled && control_of(msi) & PCI_MSI_FLAGS_ENABLE) {
		msi->n_asked = n;
		vfio_irq_enable(&msi->irq, n);
	}
	for (unsigned int i = 0; i < n; i++) {
		struct vfio_message message = message_of(msi, i);

		vfio_irq_set(&msi->irq, i, &message);
	}
}
