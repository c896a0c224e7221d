/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ACPI tables of the machine: hardware-reduced, without a single legacy device. */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "boot/aml.h"
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

/* Append the definition block of the DSDT, without its header. */
void dsdt_put(struct aml *aml, const struct boot_machine *machine);

#endif
