// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/rig.h"

#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <time.h>

#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/platform.h"

enum {
	MSIX_ENTRY_BYTES = 16,
	WAIT_MS = 10000,
};

/* --- The machine --- */

void rig_init(struct rig *rig)
{
	struct err err = {0};
	struct host *host;

	*rig = (struct rig){.fake = fake_new()};
	rig->faulty = faulty_new(fake_host(rig->fake));
	host = faulty_host(rig->faulty);
	rig->vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	ASSERT(layout_init(&rig->layout, RIG_RAM_BYTES, 40, &err) == 0);
	ASSERT(guest_memory_new(host, rig->vm, &rig->layout, BACKING_PLAIN, &rig->memory,
				&err) == 0);
	ASSERT(bus_new(&rig->mmio) == 0);
	ASSERT(bus_new(&rig->pio) == 0);
	ASSERT(pci_host_new(rig->mmio, rig->pio, &rig->layout, &rig->pci) == 0);
	ASSERT(loop_new(&rig->loop, &err) == 0);
	rig->env = (struct virtio_env){
		.host = host,
		.vm = rig->vm,
		.memory = rig->memory,
		.loop = rig->loop,
		.pci = rig->pci,
		.msi = {.host = host, .vm = rig->vm},
	};
}

static void *run_loop(void *argument)
{
	struct rig *rig = argument;
	int ret = loop_run(rig->loop);

	ASSERT(ret == 0);
	return NULL;
}

void rig_start(struct rig *rig)
{
	ASSERT(pthread_create(&rig->thread, NULL, run_loop, rig) == 0);
	rig->running = true;
}

void rig_stop(struct rig *rig)
{
	if (!rig->running)
		return;
	loop_stop(rig->loop);
	pthread_join(rig->thread, NULL);
	rig->running = false;
}

void rig_fini(struct rig *rig)
{
	rig_stop(rig);
	loop_free(rig->loop);
	pci_host_free(rig->pci);
	bus_free(rig->pio);
	bus_free(rig->mmio);
	guest_memory_free(rig->memory);
	host_close(fake_host(rig->fake), rig->vm);
	faulty_free(rig->faulty);
	fake_free(rig->fake);
}

static gpa_t config_gpa(unsigned int slot, unsigned int offset)
{
	return PLATFORM_ECAM_GPA + slot * 0x8000 + offset;
}

uint32_t rig_read_config(struct rig *rig, unsigned int slot, unsigned int offset,
			 unsigned int size_bytes)
{
	return (uint32_t)bus_read(rig->mmio, config_gpa(slot, offset), size_bytes);
}

void rig_write_config(struct rig *rig, unsigned int slot, unsigned int offset, uint32_t value,
		      unsigned int size_bytes)
{
	bus_write(rig->mmio, config_gpa(slot, offset), value, size_bytes);
}

/* --- The driver --- */

static gpa_t read_bar(struct rig_device *device, unsigned int bar)
{
	unsigned int offset = PCI_BASE_ADDRESS_0 + 4 * bar;
	uint64_t low = rig_read_config(device->rig, device->slot, offset, 4);
	uint64_t high = rig_read_config(device->rig, device->slot, offset + 4, 4);

	return high << 32 | (low & PCI_BASE_ADDRESS_MEM_MASK);
}

static void probe_vendor(struct rig_device *device, unsigned int offset)
{
	struct rig *rig = device->rig;
	gpa_t gpa = device->bar_gpa +
		    rig_read_config(rig, device->slot, offset + VIRTIO_PCI_CAP_OFFSET, 4);

	switch (rig_read_config(rig, device->slot, offset + VIRTIO_PCI_CAP_CFG_TYPE, 1)) {
	case VIRTIO_PCI_CAP_COMMON_CFG:
		device->common_gpa = gpa;
		break;
	case VIRTIO_PCI_CAP_ISR_CFG:
		device->isr_gpa = gpa;
		break;
	case VIRTIO_PCI_CAP_DEVICE_CFG:
		device->config_gpa = gpa;
		break;
	case VIRTIO_PCI_CAP_NOTIFY_CFG:
		device->notify_gpa = gpa;
		device->notify_step_bytes = rig_read_config(
			rig, device->slot, offset + VIRTIO_PCI_NOTIFY_CAP_MULT, 4);
		break;
	case VIRTIO_PCI_CAP_PCI_CFG:
		device->window_offset = offset;
		break;
	default:
		break;
	}
}

static void probe_msix(struct rig_device *device, unsigned int offset)
{
	struct rig *rig = device->rig;
	uint32_t control = rig_read_config(rig, device->slot, offset + PCI_MSIX_FLAGS, 2);
	uint32_t table = rig_read_config(rig, device->slot, offset + PCI_MSIX_TABLE, 4);
	gpa_t gpa =
		read_bar(device, table & PCI_MSIX_TABLE_BIR) + (table & PCI_MSIX_TABLE_OFFSET);

	for (uint32_t i = 0; i <= (control & PCI_MSIX_FLAGS_QSIZE); i++) {
		gpa_t entry = gpa + i * MSIX_ENTRY_BYTES;

		bus_write(rig->mmio, entry + PCI_MSIX_ENTRY_LOWER_ADDR, PLATFORM_LAPIC_GPA, 4);
		bus_write(rig->mmio, entry + PCI_MSIX_ENTRY_DATA, i, 4);
		bus_write(rig->mmio, entry + PCI_MSIX_ENTRY_VECTOR_CTRL, 0, 4);
	}
	rig_write_config(rig, device->slot, offset + PCI_MSIX_FLAGS,
			 control | PCI_MSIX_FLAGS_ENABLE, 2);
}

void rig_probe(struct rig_device *device, struct rig *rig, unsigned int slot)
{
	unsigned int offset;

	*device = (struct rig_device){.rig = rig, .slot = slot};
	device->bar_gpa = read_bar(device, 0);
	rig_write_config(rig, slot, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	offset = rig_read_config(rig, slot, PCI_CAPABILITY_LIST, 1);
	while (offset) {
		switch (rig_read_config(rig, slot, offset, 1)) {
		case PCI_CAP_ID_VNDR:
			probe_vendor(device, offset);
			break;
		case PCI_CAP_ID_MSIX:
			probe_msix(device, offset);
			break;
		default:
			break;
		}
		offset = rig_read_config(rig, slot, offset + PCI_CAP_LIST_NEXT, 1);
	}
}

uint64_t rig_read(struct rig_device *device, unsigned int offset, unsigned int size_bytes)
{
	return bus_read(device->rig->mmio, device->common_gpa + offset, size_bytes);
}

void rig_write(struct rig_device *device, unsigned int offset, uint64_t value,
	       unsigned int size_bytes)
{
	bus_write(device->rig->mmio, device->common_gpa + offset, value, size_bytes);
}

uint64_t rig_get_features(struct rig_device *device)
{
	uint64_t features;

	rig_write(device, VIRTIO_PCI_COMMON_DFSELECT, 1, 4);
	features = rig_read(device, VIRTIO_PCI_COMMON_DF, 4) << 32;
	rig_write(device, VIRTIO_PCI_COMMON_DFSELECT, 0, 4);
	return features | rig_read(device, VIRTIO_PCI_COMMON_DF, 4);
}

bool rig_negotiate(struct rig_device *device, uint64_t features)
{
	uint8_t status = VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER;

	rig_reset(device);
	rig_write(device, VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE, 1);
	rig_write(device, VIRTIO_PCI_COMMON_STATUS, status, 1);
	for (unsigned int half = 0; half < 2; half++) {
		rig_write(device, VIRTIO_PCI_COMMON_GFSELECT, half, 4);
		rig_write(device, VIRTIO_PCI_COMMON_GF, (uint32_t)(features >> 32 * half), 4);
	}
	status |= VIRTIO_CONFIG_S_FEATURES_OK;
	rig_write(device, VIRTIO_PCI_COMMON_STATUS, status, 1);
	return rig_read(device, VIRTIO_PCI_COMMON_STATUS, 1) & VIRTIO_CONFIG_S_FEATURES_OK;
}

static void write_gpa(struct rig_device *device, unsigned int offset, gpa_t gpa)
{
	rig_write(device, offset, (uint32_t)gpa, 4);
	rig_write(device, offset + 4, gpa >> 32, 4);
}

void rig_add_queue(struct rig_device *device, unsigned int index, struct fake_ring *ring,
		   gpa_t gpa, uint16_t size)
{
	fake_ring_init(ring, device->rig->memory, gpa, size);
	rig_write(device, VIRTIO_PCI_COMMON_Q_SELECT, index, 2);
	rig_write(device, VIRTIO_PCI_COMMON_Q_SIZE, size, 2);
	rig_write(device, VIRTIO_PCI_COMMON_Q_MSIX, index, 2);
	write_gpa(device, VIRTIO_PCI_COMMON_Q_DESCLO, ring->desc_gpa);
	write_gpa(device, VIRTIO_PCI_COMMON_Q_AVAILLO, ring->avail_gpa);
	write_gpa(device, VIRTIO_PCI_COMMON_Q_USEDLO, ring->used_gpa);
	rig_write(device, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
}

void rig_set_driver_ok(struct rig_device *device)
{
	uint64_t status = rig_read(device, VIRTIO_PCI_COMMON_STATUS, 1);

	rig_write(device, VIRTIO_PCI_COMMON_STATUS, status | VIRTIO_CONFIG_S_DRIVER_OK, 1);
}

void rig_bring_up(struct rig_device *device, uint64_t features, struct fake_ring *rings,
		  unsigned int n_rings, gpa_t gpa)
{
	ASSERT(rig_negotiate(device, features | UINT64_C(1) << VIRTIO_F_VERSION_1));
	for (unsigned int i = 0; i < n_rings; i++)
		rig_add_queue(device, i, &rings[i], gpa + i * FAKE_RING_BYTES, 16);
	rig_set_driver_ok(device);
}

void rig_notify(struct rig_device *device, unsigned int index)
{
	gpa_t gpa = device->notify_gpa + device->notify_step_bytes * index;

	if (!fake_write_gpa(device->rig->fake, gpa, 2, index))
		bus_write(device->rig->mmio, gpa, index, 2);
}

/* --- Waiting: a condition, looked at every now and then --- */

static void nap(void)
{
	nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

void rig_reset(struct rig_device *device)
{
	unsigned int n_ms = 0;

	rig_write(device, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	while (rig_read(device, VIRTIO_PCI_COMMON_STATUS, 1)) {
		ASSERT(n_ms++ < WAIT_MS);
		nap();
	}
}

bool rig_wait_used(struct fake_ring *ring, uint32_t *ret_head, uint32_t *ret_written_bytes)
{
	for (unsigned int n_ms = 0; n_ms < WAIT_MS; n_ms++) {
		if (fake_ring_take(ring, ret_head, ret_written_bytes))
			return true;
		nap();
	}
	return false;
}

bool rig_wait_status(struct rig_device *device, uint8_t bits)
{
	for (unsigned int n_ms = 0; n_ms < WAIT_MS; n_ms++) {
		if ((rig_read(device, VIRTIO_PCI_COMMON_STATUS, 1) & bits) == bits)
			return true;
		nap();
	}
	return false;
}

static size_t count_msis(struct rig *rig, uint32_t vector)
{
	size_t n_msis = fake_count_msis(rig->fake), n = 0;

	for (size_t i = 0; i < n_msis; i++)
		n += fake_get_msi(rig->fake, i).data == vector;
	return n;
}

bool rig_wait_msis(struct rig *rig, uint32_t vector, size_t n)
{
	for (unsigned int n_ms = 0; n_ms < WAIT_MS; n_ms++) {
		if (count_msis(rig, vector) >= n)
			return count_msis(rig, vector) == n;
		nap();
	}
	return false;
}
