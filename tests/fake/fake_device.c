// SPDX-License-Identifier: GPL-2.0-or-later
/* The device itself, and the way of its interrupts into a VM. */
#include "tests/fake/fake_device.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/fake_device_state.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/platform.h"

static void put(struct fake_device *device, unsigned int offset, uint32_t value,
		unsigned int size_bytes)
{
	memcpy(device->config + offset, &value, size_bytes);
}

/* Pages in BAR 0, registers in BAR 2 and 3, ports in BAR 4: one of each kind. */
static void config_fill(struct fake_device *device)
{
	put(device, PCI_VENDOR_ID, 0x00101b36, 4);
	put(device, PCI_STATUS, PCI_STATUS_CAP_LIST, 2);
	put(device, PCI_CLASS_REVISION, 0x01080202, 4);
	put(device, PCI_BASE_ADDRESS_0, PCI_BASE_ADDRESS_MEM_TYPE_64, 4);
	put(device, PCI_BASE_ADDRESS_3, PCI_BASE_ADDRESS_MEM_PREFETCH, 4);
	put(device, PCI_BASE_ADDRESS_4, PCI_BASE_ADDRESS_SPACE_IO, 4);
	put(device, PCI_SUBSYSTEM_VENDOR_ID, 0x11001af4, 4);
	put(device, PCI_CAPABILITY_LIST, FAKE_DEVICE_PM, 1);
	put(device, PCI_INTERRUPT_PIN, 1, 1);
	put(device, FAKE_DEVICE_PM, PCI_CAP_ID_PM | FAKE_DEVICE_MSI << 8, 2);
	put(device, FAKE_DEVICE_MSI, PCI_CAP_ID_MSI | FAKE_DEVICE_EXPRESS << 8, 2);
	put(device, FAKE_DEVICE_MSI + PCI_MSI_FLAGS,
	    PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | 2 << 1, 2);
	put(device, FAKE_DEVICE_EXPRESS, PCI_CAP_ID_EXP | FAKE_DEVICE_MSIX << 8, 2);
	put(device, FAKE_DEVICE_EXPRESS + PCI_EXP_FLAGS, 2, 2);
	put(device, FAKE_DEVICE_EXPRESS + PCI_EXP_LNKCAP, 0x12345678, 4);
	put(device, FAKE_DEVICE_MSIX, PCI_CAP_ID_MSIX | FAKE_DEVICE_VENDOR << 8, 2);
	put(device, FAKE_DEVICE_MSIX + PCI_MSIX_FLAGS, FAKE_DEVICE_VECTORS - 1, 2);
	put(device, FAKE_DEVICE_MSIX + PCI_MSIX_TABLE, FAKE_DEVICE_TABLE, 4);
	put(device, FAKE_DEVICE_MSIX + PCI_MSIX_PBA, FAKE_DEVICE_PENDING, 4);
	put(device, FAKE_DEVICE_VENDOR, PCI_CAP_ID_VNDR, 2);
	put(device, FAKE_DEVICE_ATS, PCI_EXT_CAP_ID_ATS | 1 << 16 | FAKE_DEVICE_AER << 20, 4);
	put(device, FAKE_DEVICE_AER, PCI_EXT_CAP_ID_ERR | 2 << 16 | FAKE_DEVICE_REBAR << 20, 4);
	put(device, FAKE_DEVICE_REBAR, PCI_EXT_CAP_ID_REBAR | 1 << 16 | FAKE_DEVICE_DSN << 20,
	    4);
	put(device, FAKE_DEVICE_DSN, PCI_EXT_CAP_ID_DSN | 1 << 16, 4);
}

uint64_t fake_region_bytes(uint32_t index)
{
	static const uint64_t bytes[VFIO_PCI_NUM_REGIONS] = {
		[0] = 16 * KIB,
		[2] = 4 * KIB,
		[3] = 256,
		[4] = 32,
		[VFIO_PCI_ROM_REGION_INDEX] = 8 * KIB,
		[VFIO_PCI_CONFIG_REGION_INDEX] = 4096,
	};

	return bytes[index];
}

static uint64_t config_at(uint64_t offset)
{
	return ((uint64_t)VFIO_PCI_CONFIG_REGION_INDEX << FAKE_REGION_SHIFT) + offset;
}

struct fake_device *fake_device_add(struct fake *fake, const char *path)
{
	struct fake_device *device = calloc(1, sizeof(*device));
	WITH_LOCK(&fake->lock);
	size_t i = 0;

	ASSERT(device);
	device->fake = fake;
	snprintf(device->path, sizeof(device->path), "%s", path);
	device->memory = memfd_create("fake device", MFD_CLOEXEC);
	ASSERT(device->memory >= 0);
	ASSERT(ftruncate(device->memory, (off_t)(UINT64_C(9) << FAKE_REGION_SHIFT)) == 0);
	config_fill(device);
	fake_device_stop_irqs(device);
	while (fake->devices[i])
		ASSERT(++i < FAKE_DEVICES_MAX);
	fake->devices[i] = device;
	return device;
}

void fake_devices_free(struct fake *fake)
{
	for (size_t i = 0; i < FAKE_DEVICES_MAX; i++) {
		struct fake_device *device = fake->devices[i];

		if (!device)
			continue;
		ASSERT(!device->is_bound);
		close(device->memory);
		free(device);
	}
}

struct fake_device_traits *fake_device_traits(struct fake_device *device)
{
	return &device->traits;
}

uint8_t *fake_device_config(struct fake_device *device)
{
	return device->config;
}

/* --- The hardware --- */

void fake_device_power_on(struct fake_device *device)
{
	ASSERT(pwrite(device->memory, device->config, sizeof(device->config),
		      (off_t)config_at(0)) == sizeof(device->config));
}

static uint16_t config_word(const struct fake_device *device, unsigned int offset)
{
	uint16_t value = 0;

	ASSERT(pread(device->memory, &value, sizeof(value), (off_t)config_at(offset)) ==
	       sizeof(value));
	return value;
}

bool fake_device_is_decoding(const struct fake_device *device)
{
	return config_word(device, PCI_COMMAND) & PCI_COMMAND_MEMORY &&
	       (config_word(device, FAKE_DEVICE_PM + PCI_PM_CTRL) & PCI_PM_CTRL_STATE_MASK) < 3;
}

/* Is a memslot on a BAR of the device? */
static bool has_slot(struct fake *fake, const struct fake_device *device)
{
	for (size_t i = 0; i < FAKE_SLOTS_MAX; i++) {
		const struct fake_map *map =
			fake->slots[i].memory_size
				? fake_map_find(fake, fake->slots[i].userspace_addr, 1)
				: NULL;

		if (map && map->fd >= 0 && fake->fds[map->fd].device == device)
			return true;
	}
	return false;
}

void fake_device_judge_config(struct fake *fake, const struct fake_device *device,
			      uint64_t offset, size_t size_bytes)
{
	/* Interrupts are turned on by SET_IRQS alone, BARs are nobody's business. */
	ASSERT(offset + size_bytes <= PCI_BASE_ADDRESS_0 || offset >= PCI_CARDBUS_CIS);
	if (!device->traits.is_strange) {
		ASSERT(offset + size_bytes <= FAKE_DEVICE_MSI + 2 ||
		       offset >= FAKE_DEVICE_MSI + 24);
		ASSERT(offset + size_bytes <= FAKE_DEVICE_MSIX + 2 ||
		       offset >= FAKE_DEVICE_MSIX + 12);
	}
	/* The guest would be killed by its next access. */
	ASSERT(fake_device_is_decoding(device) || !has_slot(fake, device));
}

void fake_device_judge_slot(struct fake *fake, uint64_t hva)
{
	const struct fake_map *map = fake_map_find(fake, hva, 1);
	const struct fake_device *device =
		map && map->fd >= 0 ? fake->fds[map->fd].device : NULL;

	ASSERT(!device || fake_device_is_decoding(device));
}

void fake_device_close(struct fake *fake, int fd)
{
	struct fake_device *device = fake->fds[fd].device;

	if (!device)
		return;
	/* Each of these would keep the device from its next user. */
	ASSERT(!fake->fds[fd].is_listed);
	for (size_t i = 0; i < FAKE_MAPS_MAX; i++)
		ASSERT(!fake->maps[i].hva || fake->maps[i].fd != fd);
	if (device->is_bound && device->fd == fd) {
		ASSERT(!has_slot(fake, device));
		ASSERT(!fake->fds[fd].ioas);
		device->is_bound = false;
		fake_device_stop_irqs(device);
	}
}

uint32_t fake_device_get(struct fake_device *device, unsigned int index, uint64_t offset)
{
	uint64_t at = ((uint64_t)index << FAKE_REGION_SHIFT) + offset;
	uint32_t value = 0;

	ASSERT(pread(device->memory, &value, sizeof(value), (off_t)at) == sizeof(value));
	return value;
}

void fake_device_set(struct fake_device *device, unsigned int index, uint64_t offset,
		     uint32_t value)
{
	uint64_t at = ((uint64_t)index << FAKE_REGION_SHIFT) + offset;

	ASSERT(pwrite(device->memory, &value, sizeof(value), (off_t)at) == sizeof(value));
}

bool fake_device_is_open(struct fake_device *device)
{
	WITH_LOCK(&device->fake->lock);

	return device->is_bound;
}

unsigned int fake_device_count_resets(struct fake_device *device)
{
	WITH_LOCK(&device->fake->lock);

	return device->n_resets;
}

/* --- Interrupts --- */

void fake_device_stop_irqs(struct fake_device *device)
{
	device->n_vectors = 0;
	for (size_t i = 0; i < FAKE_DEVICE_VECTORS; i++)
		device->triggers[i] = -1;
	for (size_t i = 0; i < VFIO_PCI_NUM_IRQS && !device->is_bound; i++)
		device->events[i] = -1;
}

static void send(struct fake *fake, uint32_t gsi)
{
	for (size_t i = 0; i < fake->n_routes; i++) {
		const struct kvm_irq_routing_entry *route = &fake->routes[i];

		if (route->gsi != gsi)
			continue;
		ASSERT(fake->n_msis < FAKE_MSIS_MAX);
		fake->msis[fake->n_msis++] = (struct fake_msi){
			.address = (uint64_t)route->u.msi.address_hi << 32 |
				   route->u.msi.address_lo,
			.data = route->u.msi.data,
		};
	}
}

bool fake_device_raise(struct fake_device *device, unsigned int index, unsigned int vector)
{
	struct fake *fake = device->fake;
	WITH_LOCK(&fake->lock);
	bool is_message = index == VFIO_PCI_MSI_IRQ_INDEX || index == VFIO_PCI_MSIX_IRQ_INDEX;
	int eventfd = is_message ? device->triggers[vector] : device->events[index];

	if (is_message && (vector >= device->n_vectors || device->irq_index != index))
		return false;
	if (eventfd < 0)
		return false;
	for (size_t i = 0; i < fake->n_irqfds; i++) {
		if ((int)fake->irqfds[i].fd == eventfd) {
			send(fake, fake->irqfds[i].gsi);
			return true;
		}
	}
	return eventfd_write(eventfd, 1) == 0;
}

int fake_set_routes(struct host *host, int vm, const struct kvm_irq_routing *routing)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake_fd_get(fake, vm, FAKE_VM);
	ASSERT(routing->nr <= FAKE_ROUTES_MAX);
	for (uint32_t i = 0; i < routing->nr; i++) {
		const struct kvm_irq_routing_entry *entry = &routing->entries[i];

		ASSERT(entry->type == KVM_IRQ_ROUTING_MSI && !entry->flags);
		/* A split irqchip has its pins there. */
		ASSERT(entry->gsi >= PLATFORM_IOAPIC_PINS);
		for (uint32_t other = 0; other < i; other++)
			ASSERT(routing->entries[other].gsi != entry->gsi);
		/* With KVM_X2APIC_API_USE_32BIT_IDS the upper half is part of the number. */
		if (entry->u.msi.address_hi & 0xff)
			return -EINVAL;
	}
	memcpy(fake->routes, routing->entries, routing->nr * sizeof(fake->routes[0]));
	fake->n_routes = routing->nr;
	return 0;
}

static bool is_pending(uint32_t eventfd)
{
	struct pollfd look = {.fd = (int)eventfd, .events = POLLIN};

	return poll(&look, 1, 0) == 1;
}

static int irqfd_remove(struct fake *fake, const struct kvm_irqfd *irqfd)
{
	for (size_t i = 0; i < fake->n_irqfds; i++) {
		if (fake->irqfds[i].fd == irqfd->fd && fake->irqfds[i].gsi == irqfd->gsi) {
			fake->irqfds[i] = fake->irqfds[--fake->n_irqfds];
			return 0;
		}
	}
	err_assert_failed("an irqfd that is taken away is there", __FILE__, __LINE__);
}

int fake_irqfd(struct host *host, int vm, const struct kvm_irqfd *irqfd)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	uint64_t count;

	fake_fd_get(fake, vm, FAKE_VM);
	if (irqfd->flags & KVM_IRQFD_FLAG_DEASSIGN)
		return irqfd_remove(fake, irqfd);
	for (size_t i = 0; i < fake->n_irqfds; i++) {
		if (fake->irqfds[i].fd == irqfd->fd)
			return -EBUSY;
	}
	ASSERT(fake->n_irqfds < FAKE_IRQFDS_MAX);
	fake->irqfds[fake->n_irqfds++] = *irqfd;
	/* What was signalled before counts. */
	if (is_pending(irqfd->fd) &&
	    read((int)irqfd->fd, &count, sizeof(count)) == sizeof(count))
		send(fake, irqfd->gsi);
	return 0;
}

unsigned int fake_count_irqfds(struct fake *fake)
{
	WITH_LOCK(&fake->lock);

	return (unsigned int)fake->n_irqfds;
}
