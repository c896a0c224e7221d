/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kernel finds in memory when it is entered: memory map, parameters, descriptors,
 * tables. */
#ifndef BOOT_PARAMS_H
#define BOOT_PARAMS_H

#include <asm/bootparam.h>

#include "boot/boot.h"

enum {
	MEMORY_MAP_MAX = 12,
	PAGE_TABLE_ENTRIES = 512,
	PAGE_TABLES_N = 6, /* one of level 4, one of level 3, four of level 2 */
};

/* Types of E820 and of PVH alike. */
enum memory_type {
	MEMORY_TYPE_RAM = 1,
	MEMORY_TYPE_RESERVED = 2,
	MEMORY_TYPE_ACPI = 3,
	MEMORY_TYPE_ACPI_NVS = 4,
};

struct memory_map_entry {
	struct range gpa;
	enum memory_type type;
};

struct memory_map {
	struct memory_map_entry entries[MEMORY_MAP_MAX];
	unsigned int n_entries;
};

/*
 * The guest's view of its physical memory; ascending and disjoint. When there is firmware, the
 * guest may be a confidential one, which maps what is reserved as shared with the host: then
 * what holds tables is ACPI memory.
 */
void memory_map_init(struct memory_map *ret_map, const struct layout *layout);

/* Where the things lie that parameters point to; zero stands for none. */
struct params_pointers {
	gpa_t cmdline;
	gpa_t initrd;
	uint64_t initrd_bytes;
	gpa_t rsdp;
	gpa_t setup_data;
};

/* The "zero page" of Documentation/arch/x86/boot.rst. All addresses are below 4 GiB. */
void boot_params_init(struct boot_params *ret_params, const struct setup_header *setup,
		      gpa_t load_gpa, const struct memory_map *map,
		      const struct params_pointers *pointers);

/* Descriptors for the entry of @mode. */
void gdt_init(uint8_t ret_gdt[BOOT_GDT_BYTES], enum boot_mode mode);

enum { RESET_CODE_BYTES = 16 };

/*
 * Real-mode code for the reset vector, to lie at PLACE_RESET_GPA: it asks for a reset.
 *
 * Linux with CONFIG_EFI believes that a hardware-reduced machine is reset by EFI alone, and
 * without EFI falls back to a jump there, past the reset register of the FADT
 * (efi_reboot_required in arch/x86/platform/efi/quirks.c, BOOT_BIOS in
 * arch/x86/kernel/reboot.c).
 */
void reset_code_init(uint8_t ret_code[RESET_CODE_BYTES]);

/*
 * SETUP_CC_BLOB, and what it points to: where an SNP guest finds its SECRETS and CPUID pages.
 *
 * Source: Linux arch/x86/include/asm/sev.h, struct cc_blob_sev_info; arch/x86/boot/startup/
 * sev-shared.c, struct cc_setup_data.
 */
struct cc_blob {
	/* struct setup_data */
	uint64_t next;
	uint32_t type;
	uint32_t bytes;
	uint32_t blob_gpa; /* of what follows the padding */
	uint32_t padding[1];
	uint32_t magic;
	uint16_t version;
	uint16_t reserved;
	uint64_t secrets_gpa;
	uint32_t secrets_bytes;
	uint32_t reserved1;
	uint64_t cpuid_gpa;
	uint32_t cpuid_bytes;
	uint32_t reserved2;
} __attribute__((packed));

/* To lie at @gpa; @next: setup_data behind it, or 0. */
void cc_blob_init(struct cc_blob *ret_blob, gpa_t gpa, gpa_t next);

/* Page tables, to lie at @gpa, that map the first 4 GiB 1:1 with pages of 2 MiB. */
void page_tables_init(uint64_t ret_tables[PAGE_TABLES_N][PAGE_TABLE_ENTRIES], gpa_t gpa);

#endif
