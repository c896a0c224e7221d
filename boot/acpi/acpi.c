// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fixed ACPI tables: RSDP, XSDT, FADT, MADT, MCFG, DSDT, one after the other.
 *
 * Hardware-reduced (4.1): no PM timer, no SCI, no fixed events; power and reset through the
 * sleep and reset registers. There is no PIC, PIT, RTC, HPET, keyboard controller or VGA, and
 * the tables say so wherever they can, so that guests do not probe.
 *
 * Source: ACPI 6.5, chapter 5; PCI Firmware Specification 3.3, 4.1.2 (MCFG).
 */
#include "boot/acpi/acpi.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "boot/stub.h"
#include "vmm/err.h"
#include "vmm/platform.h"

/* 5.2.5.3 */
struct acpi_rsdp {
	char signature[8];
	uint8_t checksum; /* of the first 20 bytes */
	char oem_id[6];
	uint8_t revision;
	uint32_t rsdt_gpa;
	uint32_t size_bytes;
	uint64_t xsdt_gpa;
	uint8_t extended_checksum; /* of everything */
	uint8_t reserved[3];
} __attribute__((packed));

static_assert(sizeof(struct acpi_rsdp) == ACPI_RSDP_BYTES, "5.2.5.3");
static_assert(offsetof(struct acpi_rsdp, xsdt_gpa) == ACPI_RSDP_XSDT_OFFSET, "5.2.5.3");
static_assert(offsetof(struct acpi_rsdp, checksum) == ACPI_RSDP_CHECKSUM_OFFSET, "5.2.5.3");
static_assert(offsetof(struct acpi_rsdp, extended_checksum) ==
		      ACPI_RSDP_EXTENDED_CHECKSUM_OFFSET,
	      "5.2.5.3");

/* 5.2.6 */
struct acpi_header {
	char signature[4];
	uint32_t size_bytes;
	uint8_t revision;
	uint8_t checksum;
	char oem_id[6];
	char oem_table_id[8];
	uint32_t oem_revision;
	char creator_id[4];
	uint32_t creator_revision;
} __attribute__((packed));

static_assert(offsetof(struct acpi_header, checksum) == ACPI_CHECKSUM_OFFSET, "5.2.6");

/* Generic Address Structure, 5.2.3.2. */
struct acpi_gas {
	uint8_t space;
	uint8_t n_bits;
	uint8_t bit_offset;
	uint8_t access_size;
	uint64_t address;
} __attribute__((packed));

#define GAS_SYSTEM_IO 1
#define GAS_BYTE      1

/* 5.2.9; fields that are 0 on a hardware-reduced machine are not named. */
struct acpi_fadt {
	struct acpi_header header;
	uint32_t facs_gpa;
	uint32_t dsdt_gpa;
	uint8_t unused1[65]; /* from 44: fixed hardware */
	uint16_t boot_arch;  /* at 109 */
	uint8_t unused2;
	uint32_t flags; /* at 112 */
	struct acpi_gas reset_register;
	uint8_t reset_value;
	uint16_t arm_boot_arch;
	uint8_t minor_revision;
	uint64_t x_facs_gpa;
	uint64_t x_dsdt_gpa;
	struct acpi_gas unused3[8]; /* from 148: fixed hardware */
	struct acpi_gas sleep_control;
	struct acpi_gas sleep_status;
	uint64_t hypervisor_id;
} __attribute__((packed));

static_assert(offsetof(struct acpi_fadt, boot_arch) == 109, "ACPI 6.5, table 5.9");
static_assert(offsetof(struct acpi_fadt, flags) == 112, "ACPI 6.5, table 5.9");
static_assert(offsetof(struct acpi_fadt, x_dsdt_gpa) == 140, "ACPI 6.5, table 5.9");
static_assert(offsetof(struct acpi_fadt, sleep_control) == 244, "ACPI 6.5, table 5.9");
static_assert(sizeof(struct acpi_fadt) == 276, "ACPI 6.5, table 5.9");

/* Table 5.10. PWR_BUTTON and SLP_BUTTON set: such buttons are no fixed hardware (there are
 * none). */
#define FADT_WBINVD	(1u << 0)
#define FADT_PROC_C1	(1u << 2)
#define FADT_PWR_BUTTON (1u << 4)
#define FADT_SLP_BUTTON (1u << 5)
#define FADT_RESET_REG	(1u << 10)
#define FADT_HW_REDUCED (1u << 20)

/* Table 5.11 */
#define FADT_BOOT_NO_VGA      (1u << 2)
#define FADT_BOOT_NO_CMOS_RTC (1u << 5)

/* 5.2.12 */
struct acpi_madt {
	struct acpi_header header;
	uint32_t lapic_gpa;
	uint32_t flags; /* 0: no 8259 either */
} __attribute__((packed));

struct acpi_madt_lapic {
	uint8_t type;
	uint8_t size_bytes;
	uint8_t uid;
	uint8_t apic_id;
	uint32_t flags;
} __attribute__((packed));

struct acpi_madt_ioapic {
	uint8_t type;
	uint8_t size_bytes;
	uint8_t id;
	uint8_t reserved;
	uint32_t gpa;
	uint32_t gsi_base;
} __attribute__((packed));

/* Multiprocessor Wakeup Structure, 5.2.12.19 */
struct acpi_madt_wakeup {
	uint8_t type;
	uint8_t size_bytes;
	uint16_t version; /* of the mailbox; 0 */
	uint32_t reserved;
	uint64_t mailbox_gpa;
} __attribute__((packed));

static_assert(sizeof(struct acpi_madt_wakeup) == 16, "ACPI 6.5, table 5.43");

#define MADT_LAPIC	   0
#define MADT_IOAPIC	   1
#define MADT_WAKEUP	   16
#define MADT_LAPIC_ENABLED 1

/* 0xff is the broadcast address of an xAPIC; beyond it entries of type 9 would be needed. */
static_assert(PLATFORM_VCPUS_MAX <= 255, "APIC IDs fit the MADT's entries of type 0");

struct acpi_mcfg {
	struct acpi_header header;
	uint64_t reserved;
	uint64_t ecam_gpa;
	uint16_t segment;
	uint8_t first_bus;
	uint8_t last_bus;
	uint32_t reserved2;
} __attribute__((packed));

#define ECAM_BUS_BYTES (UINT64_C(1) << 20)

/* Tables grow upwards; each starts on a 16-byte boundary. */
struct tables {
	struct aml out;
	gpa_t gpa;
	struct acpi_links *links; /* NULL: nobody wants to move them */
};

/* The RSDP in front of the tables, at an address that is aligned as they are. */
#define RSDP_ROOM_BYTES 48

static_assert(RSDP_ROOM_BYTES >= sizeof(struct acpi_rsdp), "the RSDP fits");

/* All bytes of a table, its checksum included, sum up to 0. */
static uint8_t checksum_of(const void *bytes, size_t size_bytes)
{
	const uint8_t *byte = bytes;
	uint8_t sum = 0;

	for (size_t i = 0; i < size_bytes; i++)
		sum = (uint8_t)(sum + byte[i]);
	return (uint8_t)-sum;
}

static struct acpi_header header_of(const char *signature, uint8_t revision)
{
	struct acpi_header header = {
		.revision = revision,
		.oem_id = {'A', 'L', 'C', 'O', 'V', 'E'},
		.oem_table_id = {'A', 'L', 'C', 'O', 'V', 'E', ' ', ' '},
		.oem_revision = 1,
		.creator_id = {'A', 'L', 'C', 'V'},
		.creator_revision = 1,
	};

	memcpy(header.signature, signature, sizeof(header.signature));
	return header;
}

/* Returns where the table starts in the buffer. */
static size_t table_begin(struct tables *tables, const void *table, size_t size_bytes)
{
	static const uint8_t padding[16];
	size_t start = align_up(tables->out.used_bytes, sizeof(padding));

	aml_put_bytes(&tables->out, padding, start - tables->out.used_bytes);
	aml_put_bytes(&tables->out, table, size_bytes);
	return start;
}

/* Fill length and checksum in. Returns where the guest finds the table. */
static gpa_t table_end(struct tables *tables, size_t start)
{
	size_t size_bytes = tables->out.used_bytes - start;
	struct acpi_links *links = tables->links;
	struct acpi_header header;

	if (tables->out.is_full)
		return 0;
	ASSERT(size_bytes >= sizeof(header));
	memcpy(&header, tables->out.bytes + start, sizeof(header));
	header.size_bytes = (uint32_t)size_bytes;
	memcpy(tables->out.bytes + start, &header, sizeof(header));
	header.checksum = checksum_of(tables->out.bytes + start, size_bytes);
	memcpy(tables->out.bytes + start, &header, sizeof(header));
	if (links) {
		ASSERT(links->n_tables < ACPI_TABLES_MAX);
		links->tables[links->n_tables++] =
			(struct acpi_table_place){(uint32_t)start, (uint32_t)size_bytes};
	}
	return tables->gpa + start;
}

/* There is a pointer to a table at @offset. */
static void note_pointer(struct tables *tables, size_t offset, uint8_t size_bytes)
{
	struct acpi_links *links = tables->links;

	if (!links)
		return;
	ASSERT(links->n_pointers < ACPI_POINTERS_MAX);
	links->pointers[links->n_pointers++] =
		(struct acpi_pointer){(uint32_t)offset, size_bytes};
}

static gpa_t put_dsdt(struct tables *tables, const struct boot_machine *machine)
{
	const struct acpi_header header = header_of("DSDT", 2);
	size_t start = table_begin(tables, &header, sizeof(header));

	dsdt_put(&tables->out, machine);
	return table_end(tables, start);
}

static struct acpi_gas power_register(uint64_t offset)
{
	return (struct acpi_gas){
		.space = GAS_SYSTEM_IO,
		.n_bits = 8,
		.access_size = GAS_BYTE,
		.address = PLATFORM_POWER_PORT + offset,
	};
}

static gpa_t put_fadt(struct tables *tables, gpa_t dsdt_gpa)
{
	const struct acpi_fadt fadt = {
		.header = header_of("FACP", 6),
		.minor_revision = 5,
		.dsdt_gpa = (uint32_t)dsdt_gpa,
		.x_dsdt_gpa = dsdt_gpa,
		.boot_arch = FADT_BOOT_NO_VGA | FADT_BOOT_NO_CMOS_RTC,
		.flags = FADT_WBINVD | FADT_PROC_C1 | FADT_PWR_BUTTON | FADT_SLP_BUTTON |
			 FADT_RESET_REG | FADT_HW_REDUCED,
		.reset_register = power_register(PLATFORM_POWER_RESET),
		.reset_value = PLATFORM_POWER_RESET_VALUE,
		.sleep_control = power_register(PLATFORM_POWER_SLEEP_CONTROL),
		.sleep_status = power_register(PLATFORM_POWER_SLEEP_STATUS),
	};

	size_t start = table_begin(tables, &fadt, sizeof(fadt));

	note_pointer(tables, start + offsetof(struct acpi_fadt, dsdt_gpa),
		     sizeof(fadt.dsdt_gpa));
	note_pointer(tables, start + offsetof(struct acpi_fadt, x_dsdt_gpa),
		     sizeof(fadt.x_dsdt_gpa));
	return table_end(tables, start);
}

/* Processors of a TD wait in the stub. */
static void put_wakeup(struct tables *tables)
{
	const struct acpi_madt_wakeup wakeup = {
		.type = MADT_WAKEUP,
		.size_bytes = sizeof(wakeup),
		.mailbox_gpa = STUB_MAILBOX_GPA,
	};

	aml_put_bytes(&tables->out, &wakeup, sizeof(wakeup));
}

static gpa_t put_madt(struct tables *tables, const struct boot_machine *machine)
{
	const struct acpi_madt madt = {
		.header = header_of("APIC", 6),
		.lapic_gpa = (uint32_t)PLATFORM_LAPIC_GPA,
	};
	const struct acpi_madt_ioapic ioapic = {
		.type = MADT_IOAPIC,
		.size_bytes = sizeof(ioapic),
		.id = PLATFORM_IOAPIC_ID,
		.gpa = (uint32_t)PLATFORM_IOAPIC_GPA,
	};
	size_t start = table_begin(tables, &madt, sizeof(madt));

	for (unsigned int i = 0; i < machine->n_vcpus; i++) {
		const struct acpi_madt_lapic lapic = {
			.type = MADT_LAPIC,
			.size_bytes = sizeof(lapic),
			.uid = (uint8_t)i,
			.apic_id = (uint8_t)i,
			.flags = MADT_LAPIC_ENABLED,
		};

		aml_put_bytes(&tables->out, &lapic, sizeof(lapic));
	}
	aml_put_bytes(&tables->out, &ioapic, sizeof(ioapic));
	if (machine->guard == BOOT_GUARD_TDX)
		put_wakeup(tables);
	return table_end(tables, start);
}

static gpa_t put_mcfg(struct tables *tables, const struct layout *layout)
{
	const struct acpi_mcfg mcfg = {
		.header = header_of("MCFG", 1),
		.ecam_gpa = layout->ecam.start,
		.last_bus = (uint8_t)(range_size(layout->ecam) / ECAM_BUS_BYTES - 1),
	};

	return table_end(tables, table_begin(tables, &mcfg, sizeof(mcfg)));
}

/* Returns where the XSDT is, when there is room for all of them. */
static gpa_t put_tables(struct tables *tables, const struct boot_machine *machine)
{
	const struct acpi_header xsdt_header = header_of("XSDT", 1);
	uint64_t entries[3];
	size_t start;

	ASSERT(machine->n_vcpus > 0);
	ASSERT(machine->n_vcpus <= PLATFORM_VCPUS_MAX);
	entries[0] = put_fadt(tables, put_dsdt(tables, machine));
	entries[1] = put_madt(tables, machine);
	entries[2] = put_mcfg(tables, machine->layout);
	start = table_begin(tables, &xsdt_header, sizeof(xsdt_header));
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		note_pointer(tables, tables->out.used_bytes + i * sizeof(entries[0]),
			     sizeof(entries[0]));
	aml_put_bytes(&tables->out, entries, sizeof(entries));
	return table_end(tables, start);
}

static void rsdp_init(uint8_t ret_rsdp[ACPI_RSDP_BYTES], gpa_t xsdt_gpa)
{
	struct acpi_rsdp rsdp = {
		.signature = {'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '},
		.oem_id = {'A', 'L', 'C', 'O', 'V', 'E'},
		.revision = 2,
		.size_bytes = sizeof(rsdp),
		.xsdt_gpa = xsdt_gpa,
	};

	rsdp.checksum = checksum_of(&rsdp, ACPI_RSDP_V1_BYTES);
	rsdp.extended_checksum = checksum_of(&rsdp, sizeof(rsdp));
	memcpy(ret_rsdp, &rsdp, sizeof(rsdp));
}

size_t acpi_tables_init(void *ret_tables, size_t room_bytes, gpa_t gpa,
			const struct boot_machine *machine)
{
	struct tables tables = {.gpa = gpa + RSDP_ROOM_BYTES};
	gpa_t xsdt_gpa;

	ASSERT(is_aligned(gpa, 16));
	if (room_bytes < RSDP_ROOM_BYTES)
		return 0;
	aml_init(&tables.out, (uint8_t *)ret_tables + RSDP_ROOM_BYTES,
		 room_bytes - RSDP_ROOM_BYTES);
	xsdt_gpa = put_tables(&tables, machine);
	if (tables.out.is_full)
		return 0;
	memset(ret_tables, 0, RSDP_ROOM_BYTES);
	rsdp_init(ret_tables, xsdt_gpa);
	return RSDP_ROOM_BYTES + tables.out.used_bytes;
}

size_t acpi_tables_init_movable(uint8_t ret_rsdp[ACPI_RSDP_BYTES], void *ret_tables,
				size_t room_bytes, struct acpi_links *ret_links,
				const struct boot_machine *machine)
{
	struct tables tables = {.links = ret_links};
	gpa_t xsdt_offset;

	*ret_links = (struct acpi_links){0};
	aml_init(&tables.out, ret_tables, room_bytes);
	xsdt_offset = put_tables(&tables, machine);
	if (tables.out.is_full)
		return 0;
	rsdp_init(ret_rsdp, xsdt_offset);
	return tables.out.used_bytes;
}

size_t acpi_madt_init(void *ret_madt, size_t room_bytes, const struct boot_machine *machine)
{
	struct tables tables = {0};

	ASSERT(machine->n_vcpus > 0);
	ASSERT(machine->n_vcpus <= PLATFORM_VCPUS_MAX);
	aml_init(&tables.out, ret_madt, room_bytes);
	put_madt(&tables, machine);
	return tables.out.is_full ? 0 : tables.out.used_bytes;
}
