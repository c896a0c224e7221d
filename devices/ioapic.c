// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * An I/O APIC after the 82093AA, for pins that are edge-triggered, active high.
 *
 * As in that chip, an edge on a masked pin is ignored, not remembered. Polarity and trigger
 * mode are kept as the guest wrote them, but no pin of this machine is level-triggered.
 */
#include "devices/devices.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/platform.h"

/* Offsets in the page; whatever the width of an access, the register is 32 bits wide. */
enum {
	IOREGSEL = 0x00,
	IOWIN = 0x10,
};

/* Indirect registers, and the redirection table: two registers for each pin. */
enum {
	REGISTER_ID = 0,
	REGISTER_VERSION = 1,
	REGISTER_ARBITRATION = 2,
	REGISTER_TABLE = 0x10,
};

enum {
	VERSION = 0x11,
	ID_SHIFT = 24,
	ID_MASK = 0xf,
};

#define ENTRY_VECTOR   UINT64_C(0xff)
#define ENTRY_DELIVERY UINT64_C(0x700)
#define ENTRY_LOGICAL  UINT64_C(0x800)
#define ENTRY_POLARITY UINT64_C(0x2000)
#define ENTRY_TRIGGER  UINT64_C(0x8000)
#define ENTRY_MASKED   UINT64_C(0x10000)
#define ENTRY_DEST     UINT64_C(0xff00000000000000)
#define ENTRY_WRITABLE                                                                    \
	(ENTRY_VECTOR | ENTRY_DELIVERY | ENTRY_LOGICAL | ENTRY_POLARITY | ENTRY_TRIGGER | \
	 ENTRY_MASKED | ENTRY_DEST)

#define ENTRY_DEST_SHIFT 56
#define MSI_DEST_SHIFT	 12
#define MSI_LOGICAL	 UINT64_C(4)

struct ioapic {
	struct bus *mmio;
	struct msi_sink sink;
	pthread_mutex_t lock; /* guards what follows; a leaf */
	uint8_t selected;
	uint8_t id;
	uint64_t table[PLATFORM_IOAPIC_PINS];
};

/* The half of a table entry that register @index is; false when it is none. */
static bool find_entry(uint8_t index, unsigned int *ret_pin, unsigned int *ret_shift)
{
	if (index < REGISTER_TABLE || index >= REGISTER_TABLE + 2 * PLATFORM_IOAPIC_PINS)
		return false;
	*ret_pin = (unsigned int)(index - REGISTER_TABLE) / 2;
	*ret_shift = index % 2 * 32;
	return true;
}

static uint32_t read_register_locked(const struct ioapic *ioapic)
{
	unsigned int pin, shift;

	if (find_entry(ioapic->selected, &pin, &shift))
		return (uint32_t)(ioapic->table[pin] >> shift);
	if (ioapic->selected == REGISTER_VERSION)
		return VERSION | (PLATFORM_IOAPIC_PINS - 1) << 16;
	if (ioapic->selected == REGISTER_ID || ioapic->selected == REGISTER_ARBITRATION)
		return (uint32_t)ioapic->id << ID_SHIFT;
	return 0;
}

static void write_register_locked(struct ioapic *ioapic, uint32_t value)
{
	unsigned int pin, shift;

	if (find_entry(ioapic->selected, &pin, &shift)) {
		uint64_t entry = ioapic->table[pin] & ~((uint64_t)UINT32_MAX << shift);

		ioapic->table[pin] = (entry | (uint64_t)value << shift) & ENTRY_WRITABLE;
	} else if (ioapic->selected == REGISTER_ID) {
		ioapic->id = value >> ID_SHIFT & ID_MASK;
	}
}

static uint64_t ioapic_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct ioapic *ioapic = owner;

	(void)size_bytes;
	WITH_LOCK(&ioapic->lock);
	if (offset == IOREGSEL)
		return ioapic->selected;
	return offset == IOWIN ? read_register_locked(ioapic) : 0;
}

static void ioapic_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct ioapic *ioapic = owner;

	(void)size_bytes;
	WITH_LOCK(&ioapic->lock);
	if (offset == IOREGSEL)
		ioapic->selected = (uint8_t)value;
	else if (offset == IOWIN)
		write_register_locked(ioapic, (uint32_t)value);
}

static const struct bus_ops ioapic_ops = {.read = ioapic_read, .write = ioapic_write};

int ioapic_new(struct bus *mmio, const struct msi_sink *sink, struct ioapic **ret_ioapic)
{
	static const struct range page = {
		.start = PLATFORM_IOAPIC_GPA,
		.end = PLATFORM_IOAPIC_GPA + PLATFORM_IOAPIC_BYTES,
	};
	struct ioapic *ioapic = malloc(sizeof(*ioapic));
	int err;

	if (!ioapic)
		return -ENOMEM;
	*ioapic = (struct ioapic){.mmio = mmio, .sink = *sink, .id = PLATFORM_IOAPIC_ID};
	for (unsigned int pin = 0; pin < PLATFORM_IOAPIC_PINS; pin++)
		ioapic->table[pin] = ENTRY_MASKED;
	pthread_mutex_init(&ioapic->lock, NULL);

	err = bus_add(mmio, page, &ioapic_ops, ioapic);
	if (err) {
		pthread_mutex_destroy(&ioapic->lock);
		free(ioapic);
		return err;
	}
	*ret_ioapic = ioapic;
	return 0;
}

void ioapic_free(struct ioapic *ioapic)
{
	if (!ioapic)
		return;

	bus_remove(ioapic->mmio, PLATFORM_IOAPIC_GPA);
	pthread_mutex_destroy(&ioapic->lock);
	free(ioapic);
}

void ioapic_pulse(struct ioapic *ioapic, unsigned int pin)
{
	uint64_t address = PLATFORM_LAPIC_GPA;
	uint64_t entry;

	ASSERT(pin < PLATFORM_IOAPIC_PINS);
	WITH_LOCK(&ioapic->lock);
	entry = ioapic->table[pin];
	if (entry & ENTRY_MASKED)
		return;
	address |= entry >> ENTRY_DEST_SHIFT << MSI_DEST_SHIFT;
	if (entry & ENTRY_LOGICAL)
		address |= MSI_LOGICAL;
	/* Under the lock: once the guest has masked the pin, no message follows. */
	host_vm_signal_msi(ioapic->sink.host, ioapic->sink.vm, address,
			   (uint32_t)(entry & (ENTRY_VECTOR | ENTRY_DELIVERY)));
}
