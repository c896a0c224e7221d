// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile driver of three PCI devices: any accesses to configuration space, BARs and MSI-X.
 *
 * After each access the bus is compared with what the registers say: a BAR answers where, and
 * only where, it is decoded, and one that is not decoded although it asks for it is in the way
 * of another.
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
	DEVICES = 3,
	BARS = 2, /* in registers 0 and 2 of each device */
	VECTORS = 70,
	CAPABILITY = 0x40,
	ACCESSES_MAX = 512,
};

static const struct layout layout = {
	.mmio32 = {PLATFORM_MMIO32_GPA, PLATFORM_MMIO32_GPA + PLATFORM_MMIO32_BYTES},
	.ecam = {PLATFORM_ECAM_GPA, PLATFORM_ECAM_GPA + PLATFORM_ECAM_BYTES},
	.mmio64 = {PLATFORM_4G, 2 * PLATFORM_4G},
};

static const uint64_t bar_bytes[DEVICES][BARS] = {
	{4 * KIB, 64 * KIB},
	{16 * KIB, 256 * MIB},
	{1 * GIB, 4 * KIB}, /* the last one is MSI-X */
};

/* Places that mean trouble; offsets of a few pages are added. */
static const uint64_t places[] = {
	0,
	PLATFORM_MMIO32_GPA,
	PLATFORM_MMIO32_GPA + PLATFORM_MMIO32_BYTES - 64 * KIB,
	PLATFORM_ECAM_GPA,
	PLATFORM_IOAPIC_GPA,
	PLATFORM_4G - 64 * KIB,
	PLATFORM_4G,
	PLATFORM_4G + GIB,
	2 * PLATFORM_4G - 64 * KIB,
	UINT64_MAX - 64 * KIB + 1,
};

/* A BAR as its owner knows it. */
struct fuzz_bar {
	uint64_t tag;
	gpa_t gpa;
};

struct fuzz {
	struct host host;
	unsigned int n_msis;
	struct bus *mmio;
	struct bus *pio;
	struct pci_host *pci;
	struct pci_device *devices[DEVICES];
	struct fuzz_bar bars[DEVICES][BARS];
	const uint8_t *input;
	size_t n_input;
};

static int fuzz_signal_msi(struct host *host, int vm, uint64_t address, uint32_t data)
{
	struct fuzz *fuzz = container_of(host, struct fuzz, host);

	(void)vm;
	(void)address;
	(void)data;
	fuzz->n_msis++;
	return 0;
}

static const struct host_ops fuzz_host_ops = {.vm_signal_msi = fuzz_signal_msi};

static uint64_t fuzz_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	const struct fuzz_bar *bar = owner;

	(void)offset;
	(void)size_bytes;
	return bar->tag;
}

static void fuzz_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	const struct fuzz_bar *bar = owner;

	(void)offset;
	(void)value;
	(void)size_bytes;
	ASSERT(bar->gpa != PCI_BAR_UNMAPPED);
}

static void fuzz_moved(void *owner, unsigned int index, gpa_t gpa)
{
	struct fuzz_bar *bar = owner;

	ASSERT(index / 2 < BARS);
	ASSERT((bar->gpa == PCI_BAR_UNMAPPED) != (gpa == PCI_BAR_UNMAPPED));
	bar->gpa = gpa;
}

static const struct pci_bar_ops fuzz_bar_ops = {
	.access = {.read = fuzz_read, .write = fuzz_write},
	.moved = fuzz_moved,
};

static uint32_t window_read(void *owner, unsigned int offset, unsigned int size_bytes)
{
	(void)owner;
	ASSERT(offset >= 4 && offset + size_bytes <= 12);
	return offset;
}

static void window_write(void *owner, unsigned int offset, uint32_t value,
			 unsigned int size_bytes)
{
	(void)value;
	window_read(owner, offset, size_bytes);
}

static const struct pci_config_ops window_ops = {.read = window_read, .write = window_write};

/* --- The rig --- */

static void must_succeed(int result)
{
	ASSERT(result >= 0);
}

static void plug(struct fuzz *fuzz, unsigned int index)
{
	static const struct pci_device_info info = {.vendor_id = 0x1af4, .device_id = 0x1042};
	const struct msi_sink sink = {.host = &fuzz->host};
	struct pci_device *device;
	bool has_msix = index == DEVICES - 1;

	must_succeed(pci_device_new(&info, &device));
	for (unsigned int i = 0; i < BARS; i++) {
		struct fuzz_bar *bar = &fuzz->bars[index][i];

		*bar = (struct fuzz_bar){.tag = index * BARS + i, .gpa = PCI_BAR_UNMAPPED};
		if (!has_msix || i == 0)
			pci_device_add_bar(device, 2 * i, bar_bytes[index][i],
					   PCI_BASE_ADDRESS_MEM_TYPE_64, &fuzz_bar_ops, bar);
	}
	if (has_msix)
		must_succeed(pci_device_add_msix(device, 2, VECTORS, &sink));
	must_succeed(pci_device_add_capability(device, PCI_CAP_ID_VNDR, "0123456789", 10,
					       &window_ops, 4, fuzz));
	must_succeed(pci_host_add(fuzz->pci, device));
	fuzz->devices[index] = device;
}

static void fuzz_init(struct fuzz *fuzz, const uint8_t *bytes, size_t size_bytes)
{
	*fuzz = (struct fuzz){
		.host.ops = &fuzz_host_ops,
		.input = bytes,
		.n_input = size_bytes,
	};
	must_succeed(bus_new(&fuzz->mmio));
	must_succeed(bus_new(&fuzz->pio));
	must_succeed(pci_host_new(fuzz->mmio, fuzz->pio, &layout, &fuzz->pci));
	for (unsigned int i = 0; i < DEVICES; i++)
		plug(fuzz, i);
}

static void fuzz_fini(struct fuzz *fuzz)
{
	for (unsigned int i = 0; i < DEVICES; i++)
		pci_device_free(fuzz->devices[i]);
	pci_host_free(fuzz->pci);
	bus_free(fuzz->pio);
	bus_free(fuzz->mmio);
}

/* --- What must hold --- */

static uint64_t config_of(unsigned int index)
{
	return layout.ecam.start + (index + 1) * 0x8000;
}

static bool is_on(struct fuzz *fuzz, unsigned int index, unsigned int command)
{
	return bus_read(fuzz->mmio, config_of(index) + PCI_COMMAND, 2) & command;
}

/* Where the registers put a BAR. */
static struct range bar_range(struct fuzz *fuzz, unsigned int index, unsigned int i)
{
	uint64_t at = config_of(index) + PCI_BASE_ADDRESS_0 + 8 * i;
	uint64_t low = bus_read(fuzz->mmio, at, 4);
	uint64_t gpa = bus_read(fuzz->mmio, at + 4, 4) << 32 | (low & 0xfffffff0);
	struct range range = {0};

	ASSERT((low & 0xf) == PCI_BASE_ADDRESS_MEM_TYPE_64);
	ASSERT(is_aligned(gpa, bar_bytes[index][i]));
	range_init(&range, gpa, bar_bytes[index][i]);
	return range;
}

/* The last word of its BAR lies behind all there is of MSI-X, and reads zero. */
static bool is_mapped(struct fuzz *fuzz, unsigned int index, unsigned int i)
{
	if (index < DEVICES - 1 || i == 0)
		return fuzz->bars[index][i].gpa != PCI_BAR_UNMAPPED;
	return is_on(fuzz, index, PCI_COMMAND_MEMORY) &&
	       bus_read(fuzz->mmio, bar_range(fuzz, index, i).end - 8, 8) == 0;
}

static bool is_in_the_way(struct fuzz *fuzz, struct range range)
{
	for (unsigned int bar = 0; bar < DEVICES * BARS; bar++) {
		unsigned int index = bar / BARS, i = bar % BARS;

		if (is_mapped(fuzz, index, i) &&
		    range_overlaps(bar_range(fuzz, index, i), range))
			return true;
	}
	return false;
}

static void check_bar(struct fuzz *fuzz, unsigned int index, unsigned int i)
{
	struct range range = bar_range(fuzz, index, i);
	bool wanted =
		is_on(fuzz, index, PCI_COMMAND_MEMORY) &&
		(range_covers(layout.mmio32, range) || range_covers(layout.mmio64, range));

	if (!is_mapped(fuzz, index, i)) {
		ASSERT(!wanted || is_in_the_way(fuzz, range));
		return;
	}
	ASSERT(wanted);
	if (index == DEVICES - 1 && i == 1)
		return;
	ASSERT(fuzz->bars[index][i].gpa == range.start);
	ASSERT(bus_read(fuzz->mmio, range.start, 4) == fuzz->bars[index][i].tag);
	ASSERT(bus_read(fuzz->mmio, range.end - 1, 1) == fuzz->bars[index][i].tag);
}

static void check(struct fuzz *fuzz)
{
	for (unsigned int bar = 0; bar < DEVICES * BARS; bar++)
		check_bar(fuzz, bar / BARS, bar % BARS);
	for (unsigned int i = 0; i < DEVICES; i++) {
		ASSERT(pci_device_is_master(fuzz->devices[i]) ==
		       is_on(fuzz, i, PCI_COMMAND_MASTER));
		ASSERT(bus_read(fuzz->mmio, config_of(i), 4) == 0x10421af4);
	}
	ASSERT(bus_read(fuzz->mmio, layout.ecam.start, 4) == 0x00081b36);
}

/* --- What the guest does --- */

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

static unsigned int take_size(struct fuzz *fuzz)
{
	return 1u << take(fuzz, 1) % 4;
}

static void do_ecam(struct fuzz *fuzz)
{
	uint64_t at = layout.ecam.start + take(fuzz, 1) % 5 * 0x8000 + take(fuzz, 2) % 0x1004;
	unsigned int size_bytes = take_size(fuzz);

	bus_read(fuzz->mmio, at, size_bytes);
	bus_write(fuzz->mmio, at, take(fuzz, size_bytes), size_bytes);
}

static void do_conf(struct fuzz *fuzz)
{
	uint64_t port = PLATFORM_PCI_CONF_PORT + take(fuzz, 1) % PLATFORM_PCI_CONF_PORTS;
	unsigned int size_bytes = take_size(fuzz);

	bus_read(fuzz->pio, port, size_bytes);
	bus_write(fuzz->pio, port, take(fuzz, size_bytes), size_bytes);
}

static void do_command(struct fuzz *fuzz)
{
	bus_write(fuzz->mmio, config_of(take(fuzz, 1) % DEVICES) + PCI_COMMAND, take(fuzz, 1),
		  1);
}

static void do_place(struct fuzz *fuzz)
{
	uint64_t bar = take(fuzz, 1) % (DEVICES * BARS);
	uint64_t at =
		config_of((unsigned int)(bar / BARS)) + PCI_BASE_ADDRESS_0 + bar % BARS * 8;
	uint64_t gpa =
		places[take(fuzz, 1) % ARRAY_SIZE(places)] + take(fuzz, 1) * GRANULE_BYTES;

	bus_write(fuzz->mmio, at, gpa & UINT32_MAX, 4);
	check(fuzz);
	bus_write(fuzz->mmio, at + 4, gpa >> 32, 4);
}

static void do_msix(struct fuzz *fuzz)
{
	uint64_t at = bar_range(fuzz, DEVICES - 1, 1).start + take(fuzz, 2) % 4096;
	unsigned int size_bytes = take_size(fuzz);

	bus_read(fuzz->mmio, at, size_bytes);
	bus_write(fuzz->mmio, at, take(fuzz, size_bytes), size_bytes);
}

static void do_raise(struct fuzz *fuzz)
{
	uint64_t control = config_of(DEVICES - 1) + CAPABILITY + PCI_MSIX_FLAGS;
	unsigned int n_before = fuzz->n_msis;
	bool may_send = is_on(fuzz, DEVICES - 1, PCI_COMMAND_MASTER) &&
			(bus_read(fuzz->mmio, control, 2) & 0xc000) == PCI_MSIX_FLAGS_ENABLE;

	pci_device_raise_msix(fuzz->devices[DEVICES - 1],
			      (unsigned int)(take(fuzz, 1) % VECTORS));
	ASSERT(fuzz->n_msis <= n_before + may_send);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	static void (*const actions[])(struct fuzz * fuzz) = {
		do_ecam, do_conf, do_command, do_place, do_msix, do_raise,
	};
	struct fuzz fuzz;

	fuzz_init(&fuzz, bytes, size_bytes);
	for (unsigned int i = 0; i < ACCESSES_MAX && fuzz.n_input; i++) {
		actions[take(&fuzz, 1) % ARRAY_SIZE(actions)](&fuzz);
		check(&fuzz);
	}
	fuzz_fini(&fuzz);
	return 0;
}
