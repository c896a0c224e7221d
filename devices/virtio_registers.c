// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The common configuration structure of a virtio device (virtio 1.3, 4.1.4.3): what vCPUs read,
 * what their writes change, and when they wake the loop.
 *
 * The status field follows these arcs; each bit needs the one before and stays until reset:
 *
 *   ACKNOWLEDGE -> DRIVER -> FEATURES_OK (features acceptable, now final) -> DRIVER_OK
 *
 * Queue registers can be written until the queue is enabled, and a queue enabled until
 * DRIVER_OK.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stddef.h>

#include "devices/virtio.h"
#include "vmm/cleanup.h"

/* NULL when the driver selected a queue that does not exist. */
static struct virtio_queue *selected_queue(struct virtio_device *device)
{
	uint16_t index = device->registers.queue_select;

	return index < device->type.n_queues ? &device->queues[index] : NULL;
}

/* The selected queue while its place may still be changed. */
static struct virtio_queue_registers *open_queue(struct virtio_device *device)
{
	struct virtio_queue *queue = selected_queue(device);

	if (!queue || queue->registers.enabled ||
	    (device->registers.status & VIRTIO_CONFIG_S_DRIVER_OK))
		return NULL;
	return &queue->registers;
}

void virtio_registers_reset_locked(struct virtio_device *device)
{
	device->registers = (struct virtio_registers){.config_vector = VIRTIO_MSI_NO_VECTOR};
	for (unsigned int i = 0; i < device->type.n_queues; i++)
		device->queues[i].registers = (struct virtio_queue_registers){
			.place = {.size = device->type.queue_size_max},
			.vector = VIRTIO_MSI_NO_VECTOR,
		};
}

static void write_device_feature_select(struct virtio_device *device, uint32_t value)
{
	device->registers.device_feature_select = value;
}

static void write_driver_feature_select(struct virtio_device *device, uint32_t value)
{
	device->registers.driver_feature_select = value;
}

static void write_driver_feature(struct virtio_device *device, uint32_t value)
{
	struct virtio_registers *registers = &device->registers;
	unsigned int shift = 32 * registers->driver_feature_select;

	if (registers->driver_feature_select > 1 ||
	    (registers->status & VIRTIO_CONFIG_S_FEATURES_OK))
		return;
	registers->driver_features &= ~(UINT64_C(0xffffffff) << shift);
	registers->driver_features |= (uint64_t)value << shift;
}

/* A vector that does not exist reads back as none: the driver sees that it failed. */
static uint16_t vector_of(const struct virtio_device *device, uint32_t value)
{
	return value <= device->type.n_queues ? (uint16_t)value : VIRTIO_MSI_NO_VECTOR;
}

static void write_config_vector(struct virtio_device *device, uint32_t value)
{
	device->registers.config_vector = vector_of(device, value);
}

static void write_queue_select(struct virtio_device *device, uint32_t value)
{
	device->registers.queue_select = (uint16_t)value;
}

static void write_queue_size(struct virtio_device *device, uint32_t value)
{
	struct virtio_queue_registers *queue = open_queue(device);

	if (queue && value && value <= device->type.queue_size_max && !(value & (value - 1)))
		queue->place.size = (uint16_t)value;
}

static void write_queue_vector(struct virtio_device *device, uint32_t value)
{
	struct virtio_queue *queue = selected_queue(device);

	if (queue)
		queue->registers.vector = vector_of(device, value);
}

static void write_queue_enable(struct virtio_device *device, uint32_t value)
{
	struct virtio_queue_registers *queue = open_queue(device);

	if (queue && value == 1)
		queue->enabled = true;
}

/* Half of an area's address: the six fields lie in the order of the areas, low half first. */
static void write_queue_address(struct virtio_device *device, size_t offset, uint32_t value)
{
	struct virtio_queue_registers *queue = open_queue(device);
	size_t half = (offset - offsetof(struct virtio_pci_common_cfg, queue_desc_lo)) / 4;
	unsigned int shift = half % 2 ? 32 : 0;
	gpa_t *areas[] = {
		&queue->place.desc_gpa,
		&queue->place.avail_gpa,
		&queue->place.used_gpa,
	};
	gpa_t *gpa = areas[half / 2];

	*gpa &= ~(UINT64_C(0xffffffff) << shift);
	*gpa |= (uint64_t)value << shift;
}

static bool features_are_acceptable(const struct virtio_device *device)
{
	uint64_t features = device->registers.driver_features;

	return !(features & ~device->offered_features) &&
	       (features & UINT64_C(1) << VIRTIO_F_VERSION_1);
}

static void write_status(struct virtio_device *device, uint32_t value)
{
	static const struct {
		uint8_t bit;
		uint8_t needs;
	} arcs[] = {
		{VIRTIO_CONFIG_S_ACKNOWLEDGE, 0},
		{VIRTIO_CONFIG_S_DRIVER, VIRTIO_CONFIG_S_ACKNOWLEDGE},
		{VIRTIO_CONFIG_S_FEATURES_OK, VIRTIO_CONFIG_S_DRIVER},
		{VIRTIO_CONFIG_S_DRIVER_OK, VIRTIO_CONFIG_S_FEATURES_OK},
		{VIRTIO_CONFIG_S_FAILED, 0},
	};
	struct virtio_registers *registers = &device->registers;

	if (!value) {
		/* With rings alive only the loop can end them. */
		if (registers->status & VIRTIO_CONFIG_S_DRIVER_OK)
			registers->resetting = true;
		else
			virtio_registers_reset_locked(device);
		return;
	}
	/* A bit that is set stays so until reset. */
	for (size_t i = 0; i < ARRAY_SIZE(arcs); i++) {
		if (!(value & arcs[i].bit) ||
		    (registers->status & arcs[i].needs) != arcs[i].needs)
			continue;
		if (arcs[i].bit == VIRTIO_CONFIG_S_FEATURES_OK &&
		    !features_are_acceptable(device))
			continue;
		registers->status |= arcs[i].bit;
	}
}

#define COMMON_FIELD(field)                                      \
	.offset = offsetof(struct virtio_pci_common_cfg, field), \
	.size_bytes = sizeof(((struct virtio_pci_common_cfg *)NULL)->field)

/* The fields a driver can write. */
static const struct common_field {
	size_t offset;
	size_t size_bytes; /* 1, 2 or 4 */
	void (*write)(struct virtio_device *device, uint32_t value);
} common_fields[] = {
	{COMMON_FIELD(device_feature_select), .write = write_device_feature_select},
	{COMMON_FIELD(guest_feature_select), .write = write_driver_feature_select},
	{COMMON_FIELD(guest_feature), .write = write_driver_feature},
	{COMMON_FIELD(msix_config), .write = write_config_vector},
	{COMMON_FIELD(device_status), .write = write_status},
	{COMMON_FIELD(queue_select), .write = write_queue_select},
	{COMMON_FIELD(queue_size), .write = write_queue_size},
	{COMMON_FIELD(queue_msix_vector), .write = write_queue_vector},
	{COMMON_FIELD(queue_enable), .write = write_queue_enable},
	{COMMON_FIELD(queue_desc_lo)}, /* and its like: write_queue_address */
	{COMMON_FIELD(queue_desc_hi)},
	{COMMON_FIELD(queue_avail_lo)},
	{COMMON_FIELD(queue_avail_hi)},
	{COMMON_FIELD(queue_used_lo)},
	{COMMON_FIELD(queue_used_hi)},
};

static void write_field_locked(struct virtio_device *device, const struct common_field *field,
			       uint64_t value)
{
	uint64_t mask = UINT64_MAX >> (64 - 8 * field->size_bytes);

	if (device->registers.resetting)
		return;
	if (field->write)
		field->write(device, (uint32_t)(value & mask));
	else if (open_queue(device))
		write_queue_address(device, field->offset, (uint32_t)(value & mask));
}

/* Must the loop act on this state? */
static bool needs_control(const struct virtio_registers *registers)
{
	return registers->resetting || (registers->status & VIRTIO_CONFIG_S_DRIVER_OK);
}

/* A write reaches every field it covers wholly, whatever its size; a field half covered stays.
 */
void virtio_registers_write(struct virtio_device *device, uint64_t offset, uint64_t value,
			    unsigned int size_bytes)
{
	bool status_written = false, control;

	{
		WITH_LOCK(&device->lock);
		for (size_t i = 0; i < ARRAY_SIZE(common_fields); i++) {
			const struct common_field *field = &common_fields[i];

			if (field->offset < offset ||
			    field->offset + field->size_bytes > offset + size_bytes)
				continue;
			write_field_locked(device, field,
					   value >> 8 * (field->offset - offset));
			status_written |= field->write == write_status;
		}
		control = status_written && needs_control(&device->registers);
	}
	if (control)
		loop_post(device->env.loop, &device->control);
}

struct virtio_pci_common_cfg virtio_registers_read(struct virtio_device *device)
{
	WITH_LOCK(&device->lock);
	const struct virtio_registers *registers = &device->registers;
	const struct virtio_queue *queue = selected_queue(device);
	uint32_t offered = registers->device_feature_select > 1
				   ? 0
				   : (uint32_t)(device->offered_features >>
						32 * registers->device_feature_select);
	uint32_t accepted = registers->driver_feature_select > 1
				    ? 0
				    : (uint32_t)(registers->driver_features >>
						 32 * registers->driver_feature_select);
	struct virtio_pci_common_cfg image = {
		.device_feature_select = htole32(registers->device_feature_select),
		.device_feature = htole32(offered),
		.guest_feature_select = htole32(registers->driver_feature_select),
		.guest_feature = htole32(accepted),
		.msix_config = htole16(registers->config_vector),
		.num_queues = htole16((uint16_t)device->type.n_queues),
		.device_status = registers->status,
		.config_generation = 0, /* device configuration never changes */
		.queue_select = htole16(registers->queue_select),
		.queue_msix_vector = htole16(VIRTIO_MSI_NO_VECTOR),
	};

	if (queue) {
		const struct virtq_place *place = &queue->registers.place;

		image.queue_size = htole16(place->size);
		image.queue_msix_vector = htole16(queue->registers.vector);
		image.queue_enable = htole16(queue->registers.enabled);
		image.queue_notify_off = htole16((uint16_t)queue->index);
		image.queue_desc_lo = htole32((uint32_t)place->desc_gpa);
		image.queue_desc_hi = htole32((uint32_t)(place->desc_gpa >> 32));
		image.queue_avail_lo = htole32((uint32_t)place->avail_gpa);
		image.queue_avail_hi = htole32((uint32_t)(place->avail_gpa >> 32));
		image.queue_used_lo = htole32((uint32_t)place->used_gpa);
		image.queue_used_hi = htole32((uint32_t)(place->used_gpa >> 32));
	}
	return image;
}
