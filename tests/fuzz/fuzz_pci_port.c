// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile guest of two hot-plug ports, while devices come and go: any accesses to the ports
 * and to what is behind them.
 *
 * After each step: a BAR is on the bus only where its own registers, its port and the root let
 * it be; a slot says truly whether a device is in it; the guest lets go of a device once at
 * most.
 */
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "memory/memory.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/platform.h"

enum {
	PORTS = 2, /* in slots 1 and 2 of bus 0 */
	EXPRESS = 0x40,
	STEPS_MAX = 512,
	BAR_BYTES = 64 * KIB,
};

static const struct layout layout = {
	.mmio32 = {PLATFORM_MMIO32_GPA, PLATFORM_MMIO32_GPA + PLATFORM_MMIO32_BYTES},
	.ecam = {PLATFORM_ECAM_GPA, PLATFORM_ECAM_GPA + PLATFORM_ECAM_BYTES},
	.mmio64 = {4 * PLATFORM_4G, 8 * PLATFORM_4G},
};

/* Registers of a port that matter most. */
static const uint16_t registers[] = {
	PCI_COMMAND,
	PCI_BASE_ADDRESS_0,
	PCI_PRIMARY_BUS,
	PCI_MEMORY_BASE,
	PCI_PREF_MEMORY_BASE,
	PCI_PREF_BASE_UPPER32,
	PCI_PREF_LIMIT_UPPER32,
	EXPRESS + PCI_EXP_SLTCTL,
	EXPRESS + PCI_EXP_SLTSTA,
	EXPRESS + PCI_EXP_LNKCTL,
	0x7c + PCI_MSIX_FLAGS,
};

struct fuzz_slot {
	struct pci_port *port;
	struct pci_port_user user;
	struct pci_device *device; /* NULL: empty */
	unsigned int n_released;   /* of that device */
	gpa_t gpa;		   /* of its BAR */
};

struct fuzz {
	struct host host;
	struct bus *mmio;
	struct bus *pio;
	struct pci_host *pci;
	struct fuzz_slot slots[PORTS];
	const uint8_t *input;
	size_t n_input;
};

static int fuzz_signal_msi(struct host *host, int vm, uint64_t address, uint32_t data)
{
	(void)host;
	(void)vm;
	(void)address;
	(void)data;
	return 0;
}

static const struct host_ops fuzz_host_ops = {.vm_signal_msi = fuzz_signal_msi};

static uint64_t bar_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	const struct fuzz_slot *slot = owner;

	(void)offset;
	(void)size_bytes;
	ASSERT(slot->device);
	return 0x5a;
}

static void bar_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	(void)value;
	bar_read(owner, offset, size_bytes);
}

static void bar_moved(void *owner, unsigned int index, gpa_t gpa)
{
	struct fuzz_slot *slot = owner;

	ASSERT(index == 0);
	ASSERT((slot->gpa == PCI_BAR_UNMAPPED) != (gpa == PCI_BAR_UNMAPPED));
	slot->gpa = gpa;
}

static const struct pci_bar_ops bar_ops = {
	.access = {.read = bar_read, .write = bar_write},
	.moved = bar_moved,
};

static void released(struct pci_port_user *user)
{
	struct fuzz_slot *slot = container_of(user, struct fuzz_slot, user);

	ASSERT(slot->device);
	slot->n_released++;
	ASSERT(slot->n_released == 1);
}

/* --- The rig --- */

static void must_succeed(int result)
{
	ASSERT(result >= 0);
}

static void fuzz_init(struct fuzz *fuzz, const uint8_t *bytes, size_t size_bytes)
{
	struct msi_sink sink = {.host = &fuzz->host};

	*fuzz = (struct fuzz){
		.host.ops = &fuzz_host_ops,
		.input = bytes,
		.n_input = size_bytes,
	};
	must_succeed(bus_new(&fuzz->mmio));
	must_succeed(bus_new(&fuzz->pio));
	must_succeed(pci_host_new(fuzz->mmio, fuzz->pio, &layout, &fuzz->pci));
	for (unsigned int i = 0; i < PORTS; i++) {
		fuzz->slots[i].user.released = released;
		fuzz->slots[i].gpa = PCI_BAR_UNMAPPED;
		must_succeed(pci_host_add_port(fuzz->pci, &sink, &fuzz->slots[i].port));
	}
}

static void slot_unplug(struct fuzz_slot *slot)
{
	pci_device_free(slot->device);
	slot->device = NULL;
	ASSERT(slot->gpa == PCI_BAR_UNMAPPED);
}

static void fuzz_fini(struct fuzz *fuzz)
{
	for (unsigned int i = 0; i < PORTS; i++)
		slot_unplug(&fuzz->slots[i]);
	pci_host_free(fuzz->pci);
	bus_free(fuzz->pio);
	bus_free(fuzz->mmio);
}

/* --- What must hold --- */

static uint64_t config_read(struct fuzz *fuzz, unsigned int bus, unsigned int slot,
			    unsigned int offset, unsigned int size_bytes)
{
	return bus_read(fuzz->mmio, layout.ecam.start + bus * MIB + slot * 0x8000 + offset,
			size_bytes);
}

/* What a window register of port @i lets through. */
static bool is_forwarded(struct fuzz *fuzz, unsigned int i, unsigned int at, struct range range)
{
	uint64_t base = config_read(fuzz, 0, i + 1, at, 2) >> 4;
	uint64_t limit = config_read(fuzz, 0, i + 1, at + 2, 2) >> 4;

	if (at == PCI_PREF_MEMORY_BASE) {
		base |= config_read(fuzz, 0, i + 1, PCI_PREF_BASE_UPPER32, 4) << 12;
		limit |= config_read(fuzz, 0, i + 1, PCI_PREF_LIMIT_UPPER32, 4) << 12;
	}
	return range.start / MIB >= base && (range.end - 1) / MIB <= limit;
}

static void check_bar(struct fuzz *fuzz, unsigned int i)
{
	const struct fuzz_slot *slot = &fuzz->slots[i];
	struct range range = {slot->gpa, slot->gpa + BAR_BYTES};

	if (slot->gpa == PCI_BAR_UNMAPPED)
		return;
	ASSERT(slot->device);
	ASSERT(config_read(fuzz, 0, i + 1, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY);
	ASSERT(is_forwarded(fuzz, i, PCI_MEMORY_BASE, range) ||
	       is_forwarded(fuzz, i, PCI_PREF_MEMORY_BASE, range));
	ASSERT(range_covers(layout.mmio32, range) || range_covers(layout.mmio64, range));
	ASSERT(bus_read(fuzz->mmio, range.end - 1, 1) == 0x5a);
}

static void check_slot(struct fuzz *fuzz, unsigned int i)
{
	const struct fuzz_slot *slot = &fuzz->slots[i];
	uint64_t status = config_read(fuzz, 0, i + 1, EXPRESS + PCI_EXP_SLTSTA, 2);
	uint64_t link = config_read(fuzz, 0, i + 1, EXPRESS + PCI_EXP_LNKSTA, 2);

	ASSERT(config_read(fuzz, 0, i + 1, 0, 4) == 0x000c1b36);
	ASSERT(!(status & PCI_EXP_SLTSTA_PDS) == !slot->device);
	ASSERT(!(link & PCI_EXP_LNKSTA_DLLLA) == !slot->device);
}

/* --- What happens --- */

/* Zero once the input is used up. */
static uint64_t take(struct fuzz *fuzz, size_t n_bytes)
{
	uint64_t value = 0;

	if (n_bytes > fuzz->n_input)
		n_bytes = fuzz->n_input;
	memcpy(&value, fuzz->input, n_bytes);
	fuzz->input += n_bytes;
	fuzz->n_input -= n_bytes;
	return value;
}

static struct fuzz_slot *take_slot(struct fuzz *fuzz)
{
	return &fuzz->slots[take(fuzz, 1) % PORTS];
}

static void do_plug(struct fuzz *fuzz)
{
	static const struct pci_device_info info = {.vendor_id = 0x1af4, .device_id = 0x1042};
	struct fuzz_slot *slot = take_slot(fuzz);
	uint32_t kind = PCI_BASE_ADDRESS_MEM_TYPE_64 |
			(take(fuzz, 1) % 2 ? PCI_BASE_ADDRESS_MEM_PREFETCH : 0);

	if (slot->device) {
		slot_unplug(slot);
		return;
	}
	slot->n_released = 0;
	must_succeed(pci_device_new(&info, &slot->device));
	pci_device_add_bar(slot->device, 0, BAR_BYTES, kind, &bar_ops, slot);
	must_succeed(pci_port_plug(slot->port, slot->device, &slot->user));
}

static void do_ask(struct fuzz *fuzz)
{
	struct fuzz_slot *slot = take_slot(fuzz);

	/* What is released stays so. */
	if (slot->device && pci_port_ask(slot->port))
		ASSERT(pci_port_ask(slot->port));
}

static void do_access(struct fuzz *fuzz, uint64_t at)
{
	unsigned int size_bytes = 1u << take(fuzz, 1) % 4;

	bus_read(fuzz->mmio, at, size_bytes);
	bus_write(fuzz->mmio, at, take(fuzz, size_bytes), size_bytes);
}

static void do_port(struct fuzz *fuzz)
{
	uint64_t slot = 1 + take(fuzz, 1) % PORTS;
	uint64_t offset = registers[take(fuzz, 1) % ARRAY_SIZE(registers)];

	do_access(fuzz, layout.ecam.start + slot * 0x8000 + offset);
}

static void do_any(struct fuzz *fuzz)
{
	do_access(fuzz, layout.ecam.start + take(fuzz, 1) % 4 * MIB + take(fuzz, 3) % 0x18000);
}

static void do_behind(struct fuzz *fuzz)
{
	uint64_t bus = take(fuzz, 1) % 4;

	do_access(fuzz, layout.ecam.start + bus * MIB + take(fuzz, 1) % PCI_STD_HEADER_SIZEOF);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	static void (*const actions[])(struct fuzz * fuzz) = {
		do_plug, do_ask, do_port, do_any, do_behind,
	};
	struct fuzz fuzz;

	fuzz_init(&fuzz, bytes, size_bytes);
	for (unsigned int i = 0; i < STEPS_MAX && fuzz.n_input; i++) {
		actions[take(&fuzz, 1) % ARRAY_SIZE(actions)](&fuzz);
		for (unsigned int port = 0; port < PORTS; port++) {
			check_bar(&fuzz, port);
			check_slot(&fuzz, port);
		}
	}
	fuzz_fini(&fuzz);
	return 0;
}
