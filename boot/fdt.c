// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A device tree as Linux reads it on x86.
 *
 * The interrupt controllers bear the names of the one SoC that was first described so; the
 * kernel knows no others. Interrupts have two cells, the pin and a sense (3: rising edge). Port
 * I/O is what lies below a node named "isa", whose ranges say that port numbers are addresses
 * as they are. PCI is not described: the kernel finds it by configuration mechanism #1, and
 * MSI-X needs no tree.
 *
 * Sources: Linux arch/x86/kernel/devicetree.c, drivers/of/address.c,
 * Documentation/devicetree/bindings (x86/ce4100.txt, serial/8250.yaml,
 * reserved-memory/intel,wakeup-mailbox.yaml,
 * power/reset/syscon-poweroff.yaml, syscon-reboot.yaml, misc/pvpanic-mmio.txt); Devicetree
 * Specification 0.4.
 */
#include "boot/fdt.h"

#include <inttypes.h>
#include <libfdt.h>
#include <stdio.h>
#include <string.h>

#include "boot/stub.h"
#include "vmm/err.h"
#include "vmm/platform.h"

#define SENSE_EDGE_RISING 3
#define ISA_PORT	  1 /* first cell of an address on an ISA bus: port I/O */
#define UART_CLOCK_HZ	  1843200

enum {
	PHANDLE_IOAPIC = 1,
	PHANDLE_POWER,
};

/* libfdt's sequential writer; the first error sticks and makes the rest do nothing. */
struct writer {
	void *fdt;
	int error;
};

static void node_begin(struct writer *writer, const char *name)
{
	if (!writer->error)
		writer->error = fdt_begin_node(writer->fdt, name);
}

static void node_begin_at(struct writer *writer, const char *name, uint64_t address)
{
	char full_name[48];
	int length = snprintf(full_name, sizeof(full_name), "%s@%" PRIx64, name, address);

	ASSERT(length > 0 && (size_t)length < sizeof(full_name));
	node_begin(writer, full_name);
}

static void node_end(struct writer *writer)
{
	if (!writer->error)
		writer->error = fdt_end_node(writer->fdt);
}

static void put_string(struct writer *writer, const char *name, const char *text)
{
	if (!writer->error)
		writer->error = fdt_property(writer->fdt, name, text, (int)strlen(text) + 1);
}

static void put_flag(struct writer *writer, const char *name)
{
	if (!writer->error)
		writer->error = fdt_property(writer->fdt, name, NULL, 0);
}

static void put_cells(struct writer *writer, const char *name, const uint32_t *cells,
		      size_t n_cells)
{
	fdt32_t encoded[8];

	ASSERT(n_cells <= ARRAY_SIZE(encoded));
	for (size_t i = 0; i < n_cells; i++)
		encoded[i] = cpu_to_fdt32(cells[i]);
	if (!writer->error)
		writer->error = fdt_property(writer->fdt, name, encoded,
					     (int)(n_cells * sizeof(encoded[0])));
}

#define PUT_CELLS(writer, name, ...)                             \
	put_cells(writer, name, (const uint32_t[]){__VA_ARGS__}, \
		  sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

#define HIGH32(value) ((uint32_t)((value) >> 32))
#define LOW32(value)  ((uint32_t)(value))

/* Two cells each for address and size. */
static void put_reg(struct writer *writer, uint64_t gpa, uint64_t size_bytes)
{
	PUT_CELLS(writer, "reg", HIGH32(gpa), LOW32(gpa), HIGH32(size_bytes),
		  LOW32(size_bytes));
}

static void put_cpus(struct writer *writer, unsigned int n_vcpus)
{
	node_begin(writer, "cpus");
	PUT_CELLS(writer, "#address-cells", 1);
	PUT_CELLS(writer, "#size-cells", 0);
	for (unsigned int i = 0; i < n_vcpus; i++) {
		node_begin_at(writer, "cpu", i);
		put_string(writer, "device_type", "cpu");
		put_string(writer, "compatible", "intel,ce4100");
		PUT_CELLS(writer, "reg", i); /* the APIC ID */
		node_end(writer);
	}
	node_end(writer);
}

static void put_memory(struct writer *writer, const struct layout *layout)
{
	for (unsigned int i = 0; i < layout->n_ram; i++) {
		node_begin_at(writer, "memory", layout->ram[i].start);
		put_string(writer, "device_type", "memory");
		put_reg(writer, layout->ram[i].start, range_size(layout->ram[i]));
		node_end(writer);
	}
}

/*
 * Where processors of a TD wait. Linux uses it when ACPI is off, and only with
 * CONFIG_ACPI_MADT_WAKEUP.
 */
static void put_mailbox(struct writer *writer)
{
	node_begin(writer, "reserved-memory");
	PUT_CELLS(writer, "#address-cells", 2);
	PUT_CELLS(writer, "#size-cells", 2);
	put_flag(writer, "ranges");
	node_begin_at(writer, "wakeup-mailbox", STUB_MAILBOX_GPA);
	put_string(writer, "compatible", "intel,wakeup-mailbox");
	put_reg(writer, STUB_MAILBOX_GPA, GRANULE_BYTES);
	node_end(writer);
	node_end(writer);
}

static void put_interrupt_controllers(struct writer *writer)
{
	node_begin_at(writer, "interrupt-controller", PLATFORM_IOAPIC_GPA);
	put_string(writer, "compatible", "intel,ce4100-ioapic");
	put_reg(writer, PLATFORM_IOAPIC_GPA, PLATFORM_IOAPIC_BYTES);
	put_flag(writer, "interrupt-controller");
	PUT_CELLS(writer, "#interrupt-cells", 2);
	PUT_CELLS(writer, "#address-cells", 0);
	PUT_CELLS(writer, "phandle", PHANDLE_IOAPIC);
	node_end(writer);

	node_begin_at(writer, "interrupt-controller", PLATFORM_LAPIC_GPA);
	put_string(writer, "compatible", "intel,ce4100-lapic");
	put_reg(writer, PLATFORM_LAPIC_GPA, GRANULE_BYTES);
	put_flag(writer, "interrupt-controller");
	PUT_CELLS(writer, "#interrupt-cells", 2);
	PUT_CELLS(writer, "#address-cells", 0);
	put_flag(writer, "intel,virtual-wire-mode"); /* there is no PIC */
	node_end(writer);
}

static void put_serial(struct writer *writer)
{
	node_begin_at(writer, "isa", 0);
	put_string(writer, "compatible", "isa");
	PUT_CELLS(writer, "#address-cells", 2);
	PUT_CELLS(writer, "#size-cells", 1);
	PUT_CELLS(writer, "ranges", ISA_PORT, 0, 0, 0, 0x10000);

	node_begin_at(writer, "serial", PLATFORM_SERIAL_PORT);
	put_string(writer, "compatible", "ns16550a");
	PUT_CELLS(writer, "reg", ISA_PORT, PLATFORM_SERIAL_PORT, PLATFORM_SERIAL_PORTS);
	PUT_CELLS(writer, "clock-frequency", UART_CLOCK_HZ);
	PUT_CELLS(writer, "interrupt-parent", PHANDLE_IOAPIC);
	PUT_CELLS(writer, "interrupts", PLATFORM_SERIAL_GSI, SENSE_EDGE_RISING);
	node_end(writer);
	node_end(writer);
}

/* A write to one register of the power page, and what it does. */
static void put_power_user(struct writer *writer, const char *name, uint32_t offset,
			   uint32_t value)
{
	char compatible[32];

	snprintf(compatible, sizeof(compatible), "syscon-%s", name);
	node_begin(writer, name);
	put_string(writer, "compatible", compatible);
	PUT_CELLS(writer, "regmap", PHANDLE_POWER);
	PUT_CELLS(writer, "offset", offset);
	PUT_CELLS(writer, "value", value);
	PUT_CELLS(writer, "mask", 0xff);
	node_end(writer);
}

static void put_power(struct writer *writer)
{
	node_begin_at(writer, "syscon", PLATFORM_POWER_GPA);
	put_string(writer, "compatible", "syscon");
	put_reg(writer, PLATFORM_POWER_GPA, PLATFORM_POWER_BYTES);
	PUT_CELLS(writer, "reg-io-width", 1);
	PUT_CELLS(writer, "phandle", PHANDLE_POWER);
	node_end(writer);

	node_begin_at(writer, "pvpanic", PLATFORM_PVPANIC_GPA);
	put_string(writer, "compatible", "qemu,pvpanic-mmio");
	put_reg(writer, PLATFORM_PVPANIC_GPA, PLATFORM_PVPANIC_BYTES);
	node_end(writer);
}

/* Everything with an address. */
static void put_soc(struct writer *writer)
{
	node_begin(writer, "soc");
	put_string(writer, "compatible", "simple-bus");
	PUT_CELLS(writer, "#address-cells", 2);
	PUT_CELLS(writer, "#size-cells", 2);
	put_flag(writer, "ranges");
	put_interrupt_controllers(writer);
	put_serial(writer);
	put_power(writer);
	node_end(writer);
}

size_t fdt_init(void *ret_fdt, size_t room_bytes, const struct boot_machine *machine)
{
	struct writer writer = {.fdt = ret_fdt};

	ASSERT(machine->n_vcpus > 0);
	ASSERT(machine->n_vcpus <= PLATFORM_VCPUS_MAX);
	ASSERT(room_bytes <= INT32_MAX);
	/* The writer copies what it is given; without this, unused bytes would be those of
	 * before. */
	memset(ret_fdt, 0, room_bytes);
	writer.error = fdt_create(ret_fdt, (int)room_bytes);
	if (!writer.error)
		writer.error = fdt_finish_reservemap(ret_fdt);

	node_begin(&writer, "");
	put_string(&writer, "compatible", "alcove,vm");
	put_string(&writer, "model", "Alcove");
	PUT_CELLS(&writer, "#address-cells", 2);
	PUT_CELLS(&writer, "#size-cells", 2);
	node_begin(&writer, "chosen");
	put_string(&writer, "stdout-path", "/soc/isa@0/serial@3f8:115200n8");
	node_end(&writer);
	put_cpus(&writer, machine->n_vcpus);
	put_memory(&writer, machine->layout);
	if (machine->guard == BOOT_GUARD_TDX)
		put_mailbox(&writer);
	put_soc(&writer);
	put_power_user(&writer, "poweroff", PLATFORM_POWER_SLEEP_CONTROL,
		       PLATFORM_POWER_SLP_TYP_S5 << 2 | PLATFORM_POWER_SLP_EN);
	put_power_user(&writer, "reboot", PLATFORM_POWER_RESET, PLATFORM_POWER_RESET_VALUE);
	node_end(&writer);

	if (!writer.error)
		writer.error = fdt_finish(ret_fdt);
	return writer.error ? 0 : fdt_totalsize(ret_fdt);
}
