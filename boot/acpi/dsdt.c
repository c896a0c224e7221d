// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What ACPI can only say in AML: the devices, with identifiers and resources.
 *
 * Sources: ACPI 6.5, chapters 6 to 8; PCI Firmware Specification 3.3, 4.1 (MCFG and motherboard
 * resources) and 4.5 (_OSC).
 */
#include <inttypes.h>
#include <stdio.h>

#include "boot/acpi/acpi.h"
#include "vmm/platform.h"

#define OSC_PCI_UUID "33db4d5b-1ff7-401c-9657-7441c03dd766"
#define OSC_BAD_UUID 0x04

/* \_S5: what goes into SLP_TYP to turn the machine off (7.4.2.6). */
static void put_sleep_state(struct aml *aml)
{
	size_t package;

	aml_name(aml, "_S5");
	package = aml_begin_package(aml, 4);
	aml_integer(aml, PLATFORM_POWER_SLP_TYP_S5);
	aml_integer(aml, 0);
	aml_integer(aml, 0);
	aml_integer(aml, 0);
	aml_end(aml, package);
}

/* Every processor is in the namespace too, 8.4; _UID connects it to the MADT. */
static void put_processors(struct aml *aml, unsigned int n_vcpus)
{
	for (unsigned int i = 0; i < n_vcpus; i++) {
		char name[5];
		size_t device;

		snprintf(name, sizeof(name), "C%03X", i & 0xfff);
		device = aml_begin_device(aml, name);
		aml_name(aml, "_HID");
		aml_string(aml, "ACPI0007");
		aml_name(aml, "_UID");
		aml_integer(aml, i);
		aml_end(aml, device);
	}
}

/*
 * Control of PCI features, PCI Firmware Specification 4.5: Arg0 is the UUID, Arg3 the
 * capabilities. The guest may own all it asks for, since nobody else does: hot plug of root
 * ports, PME, AER, the structure of PCI Express.
 */
static void put_pci_osc(struct aml *aml)
{
	size_t method = aml_begin_method(aml, "_OSC", 4);
	size_t branch = aml_begin_if(aml);

	aml_op(aml, AML_OP_LNOT);
	aml_op(aml, AML_OP_LEQUAL);
	aml_argument(aml, 0);
	aml_uuid(aml, OSC_PCI_UUID);
	aml_op(aml, AML_OP_CREATE_DWORD_FIELD);
	aml_argument(aml, 3);
	aml_integer(aml, 0);
	aml_reference(aml, "STS");
	aml_op(aml, AML_OP_OR);
	aml_reference(aml, "STS");
	aml_integer(aml, OSC_BAD_UUID);
	aml_reference(aml, "STS");
	aml_end(aml, branch);

	aml_op(aml, AML_OP_RETURN);
	aml_argument(aml, 3);
	aml_end(aml, method);
}

static void put_pci_host(struct aml *aml, const struct layout *layout)
{
	size_t device = aml_begin_device(aml, "PCI0");
	size_t resources;

	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0A08"); /* PCI Express root */
	aml_name(aml, "_CID");
	aml_eisa_id(aml, "PNP0A03");
	aml_name(aml, "_UID");
	aml_integer(aml, 0);
	aml_name(aml, "_SEG");
	aml_integer(aml, 0);
	aml_name(aml, "_BBN");
	aml_integer(aml, 0);

	aml_name(aml, "_CRS");
	resources = aml_begin_resources(aml);
	aml_resource_bus_window(aml, 0, 255); /* root ports have buses behind them */
	aml_resource_io(aml, PLATFORM_PCI_CONF_PORT, PLATFORM_PCI_CONF_PORTS);
	aml_resource_memory32_window(aml, (uint32_t)layout->mmio32.start,
				     (uint32_t)(layout->mmio32.end - 1));
	aml_resource_memory64_window(aml, layout->mmio64.start, layout->mmio64.end - 1);
	aml_end_resources(aml, resources);

	put_pci_osc(aml);
	aml_end(aml, device);
}

/* Addresses that belong to no device of the guest: ECAM must be here, beside the MCFG. */
static void put_motherboard(struct aml *aml, const struct layout *layout)
{
	size_t device = aml_begin_device(aml, "MRES");
	size_t resources;

	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0C02");
	aml_name(aml, "_CRS");
	resources = aml_begin_resources(aml);
	aml_resource_memory32(aml, (uint32_t)layout->ecam.start,
			      (uint32_t)range_size(layout->ecam));
	aml_resource_io(aml, PLATFORM_POWER_PORT, PLATFORM_POWER_PORTS);
	aml_end_resources(aml, resources);
	aml_end(aml, device);
}

static void put_serial(struct aml *aml)
{
	size_t device = aml_begin_device(aml, "COM1");
	size_t resources;

	aml_name(aml, "_HID");
	aml_eisa_id(aml, "PNP0501"); /* 16550A */
	aml_name(aml, "_UID");
	aml_integer(aml, 0);
	aml_name(aml, "_CRS");
	resources = aml_begin_resources(aml);
	aml_resource_io(aml, PLATFORM_SERIAL_PORT, PLATFORM_SERIAL_PORTS);
	aml_resource_interrupt(aml, PLATFORM_SERIAL_GSI);
	aml_end_resources(aml, resources);
	aml_end(aml, device);
}

/* QEMU's docs/specs/pvpanic.rst. */
static void put_pvpanic(struct aml *aml)
{
	size_t device = aml_begin_device(aml, "PEVT");
	size_t resources;

	aml_name(aml, "_HID");
	aml_string(aml, "QEMU0001");
	aml_name(aml, "_CRS");
	resources = aml_begin_resources(aml);
	aml_resource_io(aml, PLATFORM_PVPANIC_PORT, 1);
	aml_end_resources(aml, resources);
	aml_end(aml, device);
}

void dsdt_put(struct aml *aml, const struct boot_machine *machine)
{
	size_t scope;

	put_sleep_state(aml);
	scope = aml_begin_scope(aml, "\\_SB");
	put_processors(aml, machine->n_vcpus);
	put_pci_host(aml, machine->layout);
	put_motherboard(aml, machine->layout);
	put_serial(aml);
	put_pvpanic(aml);
	aml_end(aml, scope);
}
