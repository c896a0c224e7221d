// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The script that tells firmware how to put ACPI tables into its memory: allocate each file,
 * add the address of a file to a pointer, make a checksum.
 *
 * Sources: QEMU, hw/acpi/bios-linker-loader.c; edk2, OvmfPkg/AcpiPlatformDxe/QemuLoader.h.
 */
#include <assert.h>
#include <string.h>

#include "boot/acpi/acpi.h"
#include "vmm/err.h"

enum command_kind {
	COMMAND_ALLOCATE = 1,
	COMMAND_ADD_POINTER = 2,
	COMMAND_ADD_CHECKSUM = 3,
};

enum {
	ZONE_HIGH = 1, /* anywhere below 4 GiB */
	ZONE_FSEG = 2, /* where a BIOS has its RSDP; UEFI does not care */
	RSDP_ALIGN = 16,
	TABLES_ALIGN = 64, /* as much as any table may want */
	FILE_NAME_BYTES = 56,
};

struct command {
	uint32_t kind;
	union {
		struct {
			char file[FILE_NAME_BYTES];
			uint32_t align;
			uint8_t zone;
		} __attribute__((packed)) allocate;
		struct {
			char pointer_file[FILE_NAME_BYTES];
			char pointee_file[FILE_NAME_BYTES];
			uint32_t offset;
			uint8_t size_bytes;
		} __attribute__((packed)) add_pointer;
		struct {
			char file[FILE_NAME_BYTES];
			uint32_t result_offset;
			uint32_t offset;
			uint32_t size_bytes;
		} __attribute__((packed)) add_checksum;
		uint8_t padding[ACPI_COMMAND_BYTES - sizeof(uint32_t)];
	};
} __attribute__((packed));

static_assert(sizeof(struct command) == ACPI_COMMAND_BYTES, "QemuLoader.h: an entry");

struct script {
	uint8_t *bytes;
	size_t used_bytes;
};

static void put(struct script *script, const struct command *command)
{
	ASSERT(script->used_bytes + sizeof(*command) <= ACPI_SCRIPT_MAX_BYTES);
	memcpy(script->bytes + script->used_bytes, command, sizeof(*command));
	script->used_bytes += sizeof(*command);
}

static void put_allocate(struct script *script, const char *file, uint32_t align, uint8_t zone)
{
	struct command command = {
		.kind = COMMAND_ALLOCATE,
		.allocate = {.align = align, .zone = zone},
	};

	memcpy(command.allocate.file, file, strlen(file));
	put(script, &command);
}

/* All pointers are to the file with the tables. */
static void put_pointer(struct script *script, const char *file, uint32_t offset,
			uint8_t size_bytes)
{
	struct command command = {
		.kind = COMMAND_ADD_POINTER,
		.add_pointer = {.offset = offset, .size_bytes = size_bytes},
	};

	memcpy(command.add_pointer.pointer_file, file, strlen(file));
	memcpy(command.add_pointer.pointee_file, ACPI_FILE_TABLES, strlen(ACPI_FILE_TABLES));
	put(script, &command);
}

static void put_checksum(struct script *script, const char *file, uint8_t *bytes,
			 uint32_t result_offset, uint32_t offset, uint32_t size_bytes)
{
	struct command command = {
		.kind = COMMAND_ADD_CHECKSUM,
		.add_checksum = {.result_offset = result_offset,
				 .offset = offset,
				 .size_bytes = size_bytes},
	};

	/* The byte itself is part of the sum. */
	bytes[result_offset] = 0;
	memcpy(command.add_checksum.file, file, strlen(file));
	put(script, &command);
}

size_t acpi_script_init(uint8_t ret_script[ACPI_SCRIPT_MAX_BYTES],
			uint8_t rsdp[ACPI_RSDP_BYTES], uint8_t *tables,
			const struct acpi_links *links)
{
	struct script script = {.bytes = ret_script};

	put_allocate(&script, ACPI_FILE_RSDP, RSDP_ALIGN, ZONE_FSEG);
	put_allocate(&script, ACPI_FILE_TABLES, TABLES_ALIGN, ZONE_HIGH);
	for (unsigned int i = 0; i < links->n_pointers; i++)
		put_pointer(&script, ACPI_FILE_TABLES, links->pointers[i].offset,
			    links->pointers[i].size_bytes);
	put_pointer(&script, ACPI_FILE_RSDP, ACPI_RSDP_XSDT_OFFSET, sizeof(uint64_t));
	for (unsigned int i = 0; i < links->n_tables; i++) {
		const struct acpi_table_place *table = &links->tables[i];

		put_checksum(&script, ACPI_FILE_TABLES, tables,
			     table->offset + ACPI_CHECKSUM_OFFSET, table->offset,
			     table->size_bytes);
	}
	put_checksum(&script, ACPI_FILE_RSDP, rsdp, ACPI_RSDP_CHECKSUM_OFFSET, 0,
		     ACPI_RSDP_V1_BYTES);
	put_checksum(&script, ACPI_FILE_RSDP, rsdp, ACPI_RSDP_EXTENDED_CHECKSUM_OFFSET, 0,
		     ACPI_RSDP_BYTES);
	return script.used_bytes;
}
