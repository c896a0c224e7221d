// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * OVMF has a list of host bridges by which it tells how the machine works, and stops at any
 * other. Of them the Q35 fits: ECAM is where that firmware puts it, 32-bit BARs are below, and
 * what it takes for granted are a power management timer and control register behind the ICH9.
 *
 * All registers are fixed: firmware finds ECAM and the power management ports enabled and at
 * the places where it would put them.
 *
 * Source: edk2, OvmfPkg/Library/PlatformInitLib/Platform.c, AcpiTimerLib, ResetSystemLib; Intel
 * 3 Series datasheet, 5.1.19 (PCIEXBAR); ICH9 datasheet, 13.1 (LPC), 13.8.3 (PM1_CNT, PM1_TMR).
 */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "devices/firmware.h"
#include "devices/pci.h"
#include "vmm/cleanup.h"
#include "vmm/host.h"
#include "vmm/platform.h"

enum {
	VENDOR_INTEL = 0x8086,
	DEVICE_Q35 = 0x29c0,
	DEVICE_ICH9 = 0x2918,
	ICH9_SLOT = 31,
	PCIEXBAR_OFFSET = 0x60,
	PCIEXBAR_ENABLE = 1, /* 256 buses: bits 2:1 are 0 */
	PMBASE_OFFSET = 0x40,
	PMBASE_IS_IO = 1,
	ACPI_CNTL_OFFSET = 0x44,
	ACPI_CNTL_ENABLE = 0x80,

	/* From PLATFORM_PM_PORT. */
	PM1_CONTROL_OFFSET = 4,
	PM1_CONTROL_BYTES = 2,
	PM_TIMER_OFFSET = 8,
	PM_TIMER_BYTES = 4,
	PM1_SLP_TYP_SHIFT = 10,
	PM1_SLP_TYP_MASK = 7,
	PM1_SLP_TYP_OFF = 0,
	PM1_SLP_EN = 1 << 13,
	PM_TIMER_MASK = 0xffffff,
};

#define PM_TIMER_HZ UINT64_C(3579545)
#define NS_PER_S    UINT64_C(1000000000)

struct chipset {
	struct bus *pio;
	struct pci_device *ich9;
	struct host *host;
	struct machine_sink sink;
};

/* --- Host bridge --- */

static void bridge_init(struct pci_host *pci)
{
	static const uint16_t ids[] = {VENDOR_INTEL, DEVICE_Q35};
	uint64_t pciexbar = pci->ecam.start | PCIEXBAR_ENABLE;
	struct pci_device *bridge = pci->devices[0];

	WITH_LOCK(&pci->lock);
	memcpy(bridge->config + PCI_VENDOR_ID, ids, sizeof(ids));
	memcpy(bridge->config + PCIEXBAR_OFFSET, &pciexbar, sizeof(pciexbar));
}

/* --- ICH9 --- */

static int ich9_init(struct chipset *chipset, struct pci_host *pci)
{
	static const struct pci_device_info info = {
		.vendor_id = VENDOR_INTEL,
		.device_id = DEVICE_ICH9,
		.subsystem_vendor_id = 0x1af4,
		.subsystem_id = 0x1100,
		.class_code = 0x060100,
	};
	static const uint32_t pmbase = PLATFORM_PM_PORT | PMBASE_IS_IO;
	int err = pci_device_new(&info, &chipset->ich9);

	if (err)
		return err;
	memcpy(chipset->ich9->config + PMBASE_OFFSET, &pmbase, sizeof(pmbase));
	chipset->ich9->config[ACPI_CNTL_OFFSET] = ACPI_CNTL_ENABLE;
	/* Firmware uses the serial line if this bit can be set. */
	chipset->ich9->writable[PCI_COMMAND] |= PCI_COMMAND_IO;
	return pci_host_add_at(pci, chipset->ich9, ICH9_SLOT);
}

static uint64_t control_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	(void)owner;
	(void)offset;
	(void)size_bytes;
	return 0;
}

static void control_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct chipset *chipset = owner;

	if (offset || size_bytes != PM1_CONTROL_BYTES || !(value & PM1_SLP_EN))
		return;
	if ((value >> PM1_SLP_TYP_SHIFT & PM1_SLP_TYP_MASK) == PM1_SLP_TYP_OFF)
		chipset->sink.raise(chipset->sink.machine, MACHINE_POWER_OFF, 0);
}

static uint64_t timer_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct chipset *chipset = owner;
	uint64_t now_ns = host_clock_now_ns(chipset->host);
	uint64_t ticks =
		now_ns / NS_PER_S * PM_TIMER_HZ + now_ns % NS_PER_S * PM_TIMER_HZ / NS_PER_S;

	(void)size_bytes;
	return (ticks & PM_TIMER_MASK) >> 8 * offset;
}

static void timer_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	(void)owner;
	(void)offset;
	(void)value;
	(void)size_bytes;
}

static const struct {
	struct range ports;
	struct bus_ops ops;
} registers[] = {
	{
		.ports = {PLATFORM_PM_PORT + PM1_CONTROL_OFFSET,
			  PLATFORM_PM_PORT + PM1_CONTROL_OFFSET + PM1_CONTROL_BYTES},
		.ops = {.read = control_read, .write = control_write},
	},
	{
		.ports = {PLATFORM_PM_PORT + PM_TIMER_OFFSET,
			  PLATFORM_PM_PORT + PM_TIMER_OFFSET + PM_TIMER_BYTES},
		.ops = {.read = timer_read, .write = timer_write},
	},
};

static void registers_remove(struct chipset *chipset, size_t n_registers)
{
	for (size_t i = 0; i < n_registers; i++)
		bus_remove(chipset->pio, registers[i].ports.start);
}

static int registers_add(struct chipset *chipset)
{
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++) {
		int err = bus_add(chipset->pio, registers[i].ports, &registers[i].ops, chipset);

		if (err) {
			registers_remove(chipset, i);
			return err;
		}
	}
	return 0;
}

int chipset_new(struct bus *pio, struct pci_host *pci, struct host *host,
		const struct machine_sink *sink, struct chipset **ret_chipset)
{
	struct chipset *chipset = calloc(1, sizeof(*chipset));
	int err;

	if (!chipset)
		return -ENOMEM;
	chipset->pio = pio;
	chipset->host = host;
	chipset->sink = *sink;
	err = ich9_init(chipset, pci);
	if (!err)
		err = registers_add(chipset);
	if (err) {
		pci_device_free(chipset->ich9);
		free(chipset);
		return err;
	}
	bridge_init(pci);
	*ret_chipset = chipset;
	return 0;
}

void chipset_free(struct chipset *chipset)
{
	if (!chipset)
		return;

	registers_remove(chipset, ARRAY_SIZE(registers));
	pci_device_free(chipset->ich9);
	free(chipset);
}
