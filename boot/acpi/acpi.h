/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI tables of the machine: hardware-reduced, without a single legacy device. */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "boot/acpi/aml.h"
#include "boot/boot.h"

/**
 * Make all tables, to lie at @gpa (16-byte aligned, below 4 GiB); the RSDP comes first.
 *
 * @ret_tables: room for @room_bytes.
 * Returns how many bytes were used; 0 when they do not fit (the contents are then undefined).
 */
size_t acpi_tables_init(void *ret_tables, size_t room_bytes, gpa_t gpa,
			const struct boot_machine *machine);

/**
 * Make only the MADT, for guests that get no other table.
 *
 * Returns as acpi_tables_init.
 */
size_t acpi_madt_init(void *ret_madt, size_t room_bytes, const struct boot_machine *machine);

/* --- The same tables for firmware, which puts them where it likes --- */

enum {
	ACPI_RSDP_BYTES = 36,
	ACPI_RSDP_V1_BYTES = 20, /* what its first checksum is about */
	ACPI_RSDP_CHECKSUM_OFFSET = 8,
	ACPI_RSDP_XSDT_OFFSET = 24,
	ACPI_RSDP_EXTENDED_CHECKSUM_OFFSET = 32,
	ACPI_CHECKSUM_OFFSET = 9, /* of any other table */
	ACPI_TABLES_MAX = 16,
	ACPI_POINTERS_MAX = 16,
};

/* What has to change when the tables move; offsets count from the first one. */
struct acpi_links {
	struct acpi_pointer {
		uint32_t offset;
		uint8_t size_bytes;
	} pointers[ACPI_POINTERS_MAX];
	unsigned int n_pointers;
	struct acpi_table_place {
		uint32_t offset;
		uint32_t size_bytes;
	} tables[ACPI_TABLES_MAX];
	unsigned int n_tables;
};

/**
 * Make all tables as if the first one were at address 0, with an RSDP apart whose pointer to
 * the XSDT is to be moved as well. All checksums are those of address 0.
 *
 * Returns as acpi_tables_init, without the RSDP.
 */
size_t acpi_tables_init_movable(uint8_t ret_rsdp[ACPI_RSDP_BYTES], void *ret_tables,
				size_t room_bytes, struct acpi_links *ret_links,
				const struct boot_machine *machine);

/* Files for firmware, as QEMU names them, and the script by which it puts them together. */
#define ACPI_FILE_RSDP	 "etc/acpi/rsdp"
#define ACPI_FILE_TABLES "etc/acpi/tables"
#define ACPI_FILE_SCRIPT "etc/table-loader"

enum {
	ACPI_COMMAND_BYTES = 128,
	ACPI_SCRIPT_MAX_BYTES =
		ACPI_COMMAND_BYTES * (2 + 1 + ACPI_POINTERS_MAX + 2 + ACPI_TABLES_MAX),
};

/**
 * Write the script, and clear the checksums that it will make.
 *
 * Returns how many bytes the script has.
 * Source: QEMU, hw/acpi/bios-linker-loader.c; edk2, OvmfPkg/AcpiPlatformDxe/QemuLoader.h.
 */
size_t acpi_script_init(uint8_t ret_script[ACPI_SCRIPT_MAX_BYTES],
			uint8_t rsdp[ACPI_RSDP_BYTES], uint8_t *tables,
			const struct acpi_links *links);

/* Append the definition block of the DSDT, without its header. */
void dsdt_put(struct aml *aml, const struct boot_machine *machine);

#endif
