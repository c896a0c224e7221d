// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A virtio device as a PCI function: the modern transport (virtio 1.3, 4.1). All of this runs
 * on vCPU threads; the registers themselves are virtio_registers.c.
 *
 * BAR 0, one page for each structure, so that a notification is told apart by its address
 * alone:
 *
 *   0x0000  common configuration
 *   0x1000  ISR status
 *   0x2000  device configuration
 *   0x3000  notification: queue n at 0x3000 + 4 * n
 *
 * BAR 2 is MSI-X: vector n is usable by any queue, and the transport has one more than queues.
 */
#include <endian.h>
#include <errno.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stddef.h>
#include <string.h>

#include "devices/virtio.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host.h"

enum {
	VENDOR_ID = 0x1af4,
	DEVICE_ID_BASE = 0x1040, /* plus VIRTIO_ID_* */
	REVISION = 1,		 /* a modern device has 1 or more */
	REGISTER_BAR = 0,
	MSIX_BAR = 2,
	PAGE_BYTES = 0x1000,
	COMMON_OFFSET = 0x0000,
	ISR_OFFSET = 0x1000,
	CONFIG_OFFSET = 0x2000,
	NOTIFY_OFFSET = 0x3000,
	REGISTER_BAR_BYTES = 0x4000,
	NOTIFY_STEP_BYTES = 4,
};

/* Little-endian bytes of a structure; 0 behind its end. */
static uint64_t bytes_read(const void *bytes, size_t n_bytes, uint64_t offset,
			   unsigned int size_bytes)
{
	uint64_t value = 0;

	if (offset < n_bytes)
		memcpy(&value, (const char *)bytes + offset,
		       size_bytes < n_bytes - offset ? size_bytes : n_bytes - offset);
	return le64toh(value);
}

/* --- BAR 0 --- */

static uint64_t bar_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct virtio_device *device = owner;
	uint8_t isr;

	switch (align_down(offset, PAGE_BYTES)) {
	case COMMON_OFFSET: {
		struct virtio_pci_common_cfg image = virtio_registers_read(device);

		return bytes_read(&image, sizeof(image), offset, size_bytes);
	}
	case ISR_OFFSET: {
		WITH_LOCK(&device->lock);
		if (offset != ISR_OFFSET)
			return 0;
		isr = device->registers.isr;
		device->registers.isr = 0;
		return isr;
	}
	case CONFIG_OFFSET:
		return bytes_read(device->type.config, device->type.config_bytes,
				  offset - CONFIG_OFFSET, size_bytes);
	default:
		return 0;
	}
}

static void bar_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct virtio_device *device = owner;
	uint64_t index;

	switch (align_down(offset, PAGE_BYTES)) {
	case COMMON_OFFSET:
		virtio_registers_write(device, offset, value, size_bytes);
		return;
	case NOTIFY_OFFSET:
		/* Comes here where KVM has no eventfd bound, and through the window. */
		index = (offset - NOTIFY_OFFSET) / NOTIFY_STEP_BYTES;
		if (index < device->type.n_queues)
			virtio_queue_kick(&device->queues[index]);
		return;
	default:
		return;
	}
}

static void queue_bind_kick(struct virtio_queue *queue, gpa_t bar_gpa, bool bind)
{
	struct virtio_device *device = queue->device;
	const struct kvm_ioeventfd ioeventfd = {
		.addr = bar_gpa + NOTIFY_OFFSET + (gpa_t)NOTIFY_STEP_BYTES * queue->index,
		.len = 0, /* any size: the value does not matter, and KVM need not decode it */
		.fd = queue->kick_fd,
		.flags = bind ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};
	int ret = host_vm_ioeventfd(device->env.host, device->env.vm, &ioeventfd);

	/* Without it notifications take the long way, through bar_write. */
	queue->kick_bound = bind && ret == 0;
}

/* Under the lock of PCI configuration; no handler waits for this one. */
static void bar_moved(void *owner, unsigned int bar, gpa_t gpa)
{
	struct virtio_device *device = owner;

	(void)bar;
	for (unsigned int i = 0; i < device->type.n_queues; i++) {
		struct virtio_queue *queue = &device->queues[i];

		if (queue->kick_bound)
			queue_bind_kick(queue, device->bar_gpa, false);
		if (gpa != PCI_BAR_UNMAPPED)
			queue_bind_kick(queue, gpa, true);
	}
	device->bar_gpa = gpa;
}

static const struct pci_bar_ops bar_ops = {
	.access = {.read = bar_read, .write = bar_write},
	.moved = bar_moved,
};

/* --- The window: BAR access through configuration space, for firmware that maps no BAR --- */

enum {
	WINDOW_BAR = offsetof(struct virtio_pci_cap, bar),
	WINDOW_OFFSET = offsetof(struct virtio_pci_cap, offset),
	WINDOW_LENGTH = offsetof(struct virtio_pci_cap, length),
	WINDOW_DATA = offsetof(struct virtio_pci_cfg_cap, pci_cfg_data),
};

/* Does the window show bytes of BAR 0, as the specification allows? */
static bool window_is_open(const struct virtio_window *window)
{
	uint32_t size = window->size_bytes;

	return window->bar == REGISTER_BAR && (size == 1 || size == 2 || size == 4) &&
	       is_aligned(window->offset, size) &&
	       (uint64_t)window->offset + size <= REGISTER_BAR_BYTES;
}

static struct virtio_window window_get(struct virtio_device *device)
{
	WITH_LOCK(&device->lock);
	return device->window;
}

static uint32_t window_read(void *owner, unsigned int offset, unsigned int size_bytes)
{
	struct virtio_device *device = owner;
	struct virtio_window window = window_get(device);
	struct virtio_pci_cfg_cap image = {
		.cap = {.bar = window.bar,
			.offset = htole32(window.offset),
			.length = htole32(window.size_bytes)},
	};

	if (offset >= WINDOW_DATA && window_is_open(&window)) {
		uint32_t data =
			htole32((uint32_t)bar_read(device, window.offset, window.size_bytes));

		memcpy(image.pci_cfg_data, &data, sizeof(data));
	}
	return (uint32_t)bytes_read(&image, sizeof(image), offset, size_bytes);
}

static void window_write(void *owner, unsigned int offset, uint32_t value,
			 unsigned int size_bytes)
{
	struct virtio_device *device = owner;
	struct virtio_window window = window_get(device);

	if (offset == WINDOW_DATA) {
		if (window_is_open(&window) && size_bytes >= window.size_bytes)
			bar_write(device, window.offset, value, window.size_bytes);
		return;
	}
	{
		WITH_LOCK(&device->lock);
		if (offset == WINDOW_BAR)
			device->window.bar = (uint8_t)value;
		else if (offset == WINDOW_OFFSET && size_bytes == 4)
			device->window.offset = value;
		else if (offset == WINDOW_LENGTH && size_bytes == 4)
			device->window.size_bytes = value;
	}
}

static const struct pci_config_ops window_ops = {.read = window_read, .write = window_write};

/* --- Life --- */

/* @cap: sizeof(struct virtio_pci_cap) and @extra_bytes more; its length is filled in. */
static int add_capability(struct virtio_device *device, struct virtio_pci_cap *cap,
			  size_t extra_bytes, const struct pci_config_ops *ops)
{
	size_t header_bytes = offsetof(struct virtio_pci_cap, cap_len);
	size_t size_bytes = sizeof(*cap) + extra_bytes;
	int ret;

	cap->cap_len = (uint8_t)size_bytes;
	ret = pci_device_add_capability(device->pci, PCI_CAP_ID_VNDR,
					(const char *)cap + header_bytes,
					size_bytes - header_bytes, ops, WINDOW_BAR, device);
	return ret < 0 ? ret : 0;
}

static int add_capabilities(struct virtio_device *device)
{
	struct virtio_pci_cap places[] = {
		{.cfg_type = VIRTIO_PCI_CAP_COMMON_CFG,
		 .offset = htole32(COMMON_OFFSET),
		 .length = htole32(sizeof(struct virtio_pci_common_cfg))},
		{.cfg_type = VIRTIO_PCI_CAP_ISR_CFG,
		 .offset = htole32(ISR_OFFSET),
		 .length = htole32(1)},
		{.cfg_type = VIRTIO_PCI_CAP_DEVICE_CFG,
		 .offset = htole32(CONFIG_OFFSET),
		 .length = htole32((uint32_t)device->type.config_bytes)},
	};
	struct virtio_pci_notify_cap notify = {
		.cap = {.cfg_type = VIRTIO_PCI_CAP_NOTIFY_CFG,
			.offset = htole32(NOTIFY_OFFSET),
			.length = htole32(NOTIFY_STEP_BYTES * device->type.n_queues)},
		.notify_off_multiplier = htole32(NOTIFY_STEP_BYTES),
	};
	struct virtio_pci_cfg_cap window = {.cap = {.cfg_type = VIRTIO_PCI_CAP_PCI_CFG}};
	int ret = 0;

	for (size_t i = 0; i < ARRAY_SIZE(places) && !ret; i++) {
		if (places[i].length)
			ret = add_capability(device, &places[i], 0, NULL);
	}
	if (!ret)
		ret = add_capability(device, &notify.cap, sizeof(notify) - sizeof(notify.cap),
				     NULL);
	if (!ret)
		ret = add_capability(device, &window.cap, sizeof(window) - sizeof(window.cap),
				     &window_ops);
	return ret;
}

static int make_function(struct virtio_device *device)
{
	const struct pci_device_info info = {
		.vendor_id = VENDOR_ID,
		.device_id = (uint16_t)(DEVICE_ID_BASE + device->type.id),
		.subsystem_vendor_id = VENDOR_ID,
		.subsystem_id = (uint16_t)(DEVICE_ID_BASE + device->type.id),
		.revision = REVISION,
		.class_code = device->type.class_code,
	};
	int ret = pci_device_new(&info, &device->pci);

	if (ret)
		return ret;
	pci_device_add_bar(device->pci, REGISTER_BAR, REGISTER_BAR_BYTES,
			   PCI_BASE_ADDRESS_MEM_TYPE_64, &bar_ops, device);
	ret = add_capabilities(device);
	if (!ret)
		ret = pci_device_add_msix(device->pci, MSIX_BAR, device->type.n_queues + 1,
					  &device->env.msi);
	return ret;
}

int virtio_pci_init(struct virtio_device *device, struct err *err)
{
	int ret = make_function(device);

	if (ret)
		return err_set(err, ret, "cannot make its PCI function: %s; free some memory",
			       err_describe(ret));
	ret = pci_host_add(device->env.pci, device->pci);
	if (ret < 0)
		return err_set(err, ret, "no PCI slot is free; give the guest fewer devices");
	return 0;
}

void virtio_pci_fini(struct virtio_device *device)
{
	pci_device_free(device->pci);
}
