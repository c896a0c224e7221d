/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A PCI host on two buses and devices with one BAR, for the tests of PCI. */
#ifndef TESTS_UNIT_PCI_RIG_H
#define TESTS_UNIT_PCI_RIG_H

#include <linux/pci_regs.h>
#include <stdatomic.h>

#include "devices/devices.h"
#include "memory/memory.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

#define ECAM	PLATFORM_ECAM_GPA
#define MMIO32	PLATFORM_MMIO32_GPA
#define MMIO64	(4 * GIB)
#define COMMAND (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

struct rig {
	struct bus *mmio;
	struct bus *pio;
	struct pci_host *host;
};

static inline struct rig make_rig(void)
{
	static const struct layout layout = {
		.mmio32 = {MMIO32, MMIO32 + PLATFORM_MMIO32_BYTES},
		.ecam = {ECAM, ECAM + PLATFORM_ECAM_BYTES},
		.mmio64 = {MMIO64, MMIO64 + 16 * GIB},
	};
	struct rig rig;

	ck_assert_int_eq(bus_new(&rig.mmio), 0);
	ck_assert_int_eq(bus_new(&rig.pio), 0);
	ck_assert_int_eq(pci_host_new(rig.mmio, rig.pio, &layout, &rig.host), 0);
	return rig;
}

static inline void free_rig(struct rig *rig)
{
	pci_host_free(rig->host);
	bus_free(rig->pio);
	bus_free(rig->mmio);
}

static inline uint64_t read_ecam(struct rig *rig, unsigned int slot, unsigned int offset,
				 unsigned int size_bytes)
{
	return bus_read(rig->mmio, ECAM + slot * 0x8000 + offset, size_bytes);
}

static inline void write_ecam(struct rig *rig, unsigned int slot, unsigned int offset,
			      uint64_t value, unsigned int size_bytes)
{
	bus_write(rig->mmio, ECAM + slot * 0x8000 + offset, value, size_bytes);
}

static inline void set_bar(struct rig *rig, unsigned int slot, unsigned int bar, uint64_t gpa)
{
	write_ecam(rig, slot, PCI_BASE_ADDRESS_0 + 4 * bar, (uint32_t)gpa, 4);
	write_ecam(rig, slot, PCI_BASE_ADDRESS_0 + 4 * bar + 4, gpa >> 32, 4);
}

static inline uint64_t get_bar(struct rig *rig, unsigned int slot, unsigned int bar)
{
	uint64_t low = read_ecam(rig, slot, PCI_BASE_ADDRESS_0 + 4 * bar, 4);
	uint64_t high = read_ecam(rig, slot, PCI_BASE_ADDRESS_0 + 4 * bar + 4, 4);

	return high << 32 | (low & ~0xfu);
}

/* A device whose BAR reads as its tag and that remembers where it was told to be. */
struct tagged {
	struct pci_device *device;
	uint64_t tag;
	atomic_uint_fast64_t written;
	gpa_t gpa;
	unsigned int n_moves;
};

static inline uint64_t tagged_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	const struct tagged *tagged = owner;

	(void)size_bytes;
	return tagged->tag + offset;
}

static inline void tagged_write(void *owner, uint64_t offset, uint64_t value,
				unsigned int size_bytes)
{
	struct tagged *tagged = owner;

	(void)offset;
	(void)size_bytes;
	atomic_store(&tagged->written, value);
}

static inline void tagged_moved(void *owner, unsigned int bar, gpa_t gpa)
{
	struct tagged *tagged = owner;

	ck_assert_uint_eq(bar, 0);
	ck_assert((tagged->gpa == PCI_BAR_UNMAPPED) != (gpa == PCI_BAR_UNMAPPED));
	tagged->gpa = gpa;
	tagged->n_moves++;
}

static const struct pci_bar_ops tagged_ops = {
	.access = {.read = tagged_read, .write = tagged_write},
	.moved = tagged_moved,
};

static const struct pci_device_info info = {
	.vendor_id = 0x1af4,
	.device_id = 0x1042,
	.subsystem_vendor_id = 0x1234,
	.subsystem_id = 0x5678,
	.revision = 1,
	.class_code = 0x018000,
};

/* Plugs @tagged in with BAR 0 of @size_bytes; returns its slot. */
static inline unsigned int plug(struct rig *rig, struct tagged *tagged, uint64_t tag,
				uint64_t size_bytes)
{
	int slot;

	*tagged = (struct tagged){.tag = tag, .gpa = PCI_BAR_UNMAPPED};
	ck_assert_int_eq(pci_device_new(&info, &tagged->device), 0);
	pci_device_add_bar(tagged->device, 0, size_bytes, PCI_BASE_ADDRESS_MEM_TYPE_64,
			   &tagged_ops, tagged);
	slot = pci_host_add(rig->host, tagged->device);
	ck_assert_int_gt(slot, 0);
	return (unsigned int)slot;
}

#endif
