// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sources: Documentation/arch/x86/boot.rst (64-bit boot protocol); Documentation/arch/x86/
 * zero-page.rst; Intel SDM volume 3, 3.4.5 (descriptors) and 4.5 (4-level paging).
 */
#include "boot/params.h"

#include <assert.h>
#include <stddef.h>
#include <string.h>

#include "boot/place.h"
#include "boot/stub.h"
#include "vmm/err.h"
#include "vmm/platform.h"

#define CC_BLOB_MAGIC	       0x45444d41 /* "AMDE" */
#define SETUP_LOADER_UNDEFINED 0xff	  /* boot.rst, type_of_loader: no identifier assigned */

#define PTE_PRESENT	       (UINT64_C(1) << 0)
#define PTE_WRITABLE	       (UINT64_C(1) << 1)
#define PTE_ACCESSED	       (UINT64_C(1) << 5)
#define PTE_DIRTY	       (UINT64_C(1) << 6)
#define PTE_LARGE	       (UINT64_C(1) << 7)

/* Flat 4 GiB segments, present, ring 0, already accessed. */
#define GDT_CODE64 UINT64_C(0x00af9b000000ffff)
#define GDT_CODE32 UINT64_C(0x00cf9b000000ffff)
#define GDT_DATA   UINT64_C(0x00cf93000000ffff)

static_assert(sizeof(struct boot_params) == 4096, "zero-page.rst: one page");

static void map_add(struct memory_map *map, uint64_t start, uint64_t end, enum memory_type type)
{
	ASSERT(map->n_entries < MEMORY_MAP_MAX);
	ASSERT(start < end);
	map->entries[map->n_entries++] = (struct memory_map_entry){
		.gpa = {.start = start, .end = end},
		.type = type,
	};
}

void memory_map_init(struct memory_map *ret_map, const struct layout *layout)
{
	gpa_t tables = range_is_empty(layout->firmware) ? PLACE_HIGH_RAM_GPA : PLACE_HW_GPA;

	ASSERT(layout->n_ram > 0 && layout->ram[0].end > PLACE_HIGH_RAM_GPA);

	*ret_map = (struct memory_map){0};
	map_add(ret_map, 0, PLACE_LOW_RAM_END, MEMORY_TYPE_RAM);
	map_add(ret_map, PLACE_LOW_RAM_END, tables, MEMORY_TYPE_RESERVED);
	if (tables < PLACE_HIGH_RAM_GPA)
		map_add(ret_map, tables, PLACE_HIGH_RAM_GPA, MEMORY_TYPE_ACPI);
	map_add(ret_map, PLACE_HIGH_RAM_GPA, layout->ram[0].end, MEMORY_TYPE_RAM);
	map_add(ret_map, layout->ecam.start, layout->ecam.end, MEMORY_TYPE_RESERVED);
	map_add(ret_map, PLATFORM_KVM_IDMAP_GPA, PLATFORM_KVM_TSS_GPA + 3 * GRANULE_BYTES,
		MEMORY_TYPE_RESERVED);
	if (!range_is_empty(layout->firmware))
		map_add(ret_map, layout->firmware.start, layout->firmware.end,
			MEMORY_TYPE_ACPI_NVS);
	for (unsigned int i = 1; i < layout->n_ram; i++)
		map_add(ret_map, layout->ram[i].start, layout->ram[i].end, MEMORY_TYPE_RAM);
}

void boot_params_init(struct boot_params *ret_params, const struct setup_header *setup,
		      gpa_t load_gpa, const struct memory_map *map,
		      const struct params_pointers *pointers)
{
	struct setup_header *hdr = &ret_params->hdr;

	*ret_params = (struct boot_params){0};
	*hdr = *setup;
	hdr->type_of_loader = SETUP_LOADER_UNDEFINED;
	hdr->code32_start = (uint32_t)load_gpa;
	hdr->cmd_line_ptr = (uint32_t)pointers->cmdline;
	hdr->ramdisk_image = (uint32_t)pointers->initrd;
	hdr->ramdisk_size = (uint32_t)pointers->initrd_bytes;
	hdr->setup_data = pointers->setup_data;
	ret_params->acpi_rsdp_addr = pointers->rsdp;

	for (unsigned int i = 0; i < map->n_entries; i++) {
		const struct memory_map_entry *entry = &map->entries[i];

		ret_params->e820_table[i] = (struct boot_e820_entry){
			.addr = entry->gpa.start,
			.size = range_size(entry->gpa),
			.type = entry->type,
		};
	}
	ret_params->e820_entries = (uint8_t)map->n_entries;
}

void gdt_init(uint8_t ret_gdt[BOOT_GDT_BYTES], enum boot_mode mode)
{
	const uint64_t descriptors[] = {
		[BOOT_CODE_SELECTOR / 8] = mode == BOOT_MODE_LONG64 ? GDT_CODE64 : GDT_CODE32,
		[BOOT_DATA_SELECTOR / 8] = GDT_DATA,
	};

	static_assert(sizeof(descriptors) == BOOT_GDT_BYTES, "null, null, code, data");
	memcpy(ret_gdt, descriptors, sizeof(descriptors));
}

void reset_code_init(uint8_t ret_code[RESET_CODE_BYTES])
{
	const uint16_t port = PLATFORM_POWER_PORT + PLATFORM_POWER_RESET;
	/* clang-format off */
	const uint8_t code[RESET_CODE_BYTES] = {
		0xba, port & 0xff, port >> 8,     /*    mov $port, %dx */
		0xb0, PLATFORM_POWER_RESET_VALUE, /*    mov $value, %al */
		0xee,                             /*    out %al, %dx */
		0xf4,                             /* 1: hlt */
		0xeb, 0xfd,                       /*    jmp 1b */
	};
	/* clang-format on */

	memcpy(ret_code, code, sizeof(code));
}

void cc_blob_init(struct cc_blob *ret_blob, gpa_t gpa, gpa_t next)
{
	static_assert(offsetof(struct cc_blob, blob_gpa) == sizeof(struct setup_data),
		      "boot.rst");
	static_assert(offsetof(struct cc_blob, magic) % 8 == 0, "the blob is aligned");
	static_assert(sizeof(struct cc_blob) - offsetof(struct cc_blob, magic) == 40, "sev.h");

	*ret_blob = (struct cc_blob){
		.next = next,
		.type = SETUP_CC_BLOB,
		.bytes = sizeof(ret_blob->blob_gpa),
		.blob_gpa = (uint32_t)(gpa + offsetof(struct cc_blob, magic)),
		.magic = CC_BLOB_MAGIC,
		.secrets_gpa = STUB_SECRETS_GPA,
		.secrets_bytes = GRANULE_BYTES,
		.cpuid_gpa = STUB_CPUID_GPA,
		.cpuid_bytes = GRANULE_BYTES,
	};
}

void page_tables_init(uint64_t ret_tables[PAGE_TABLES_N][PAGE_TABLE_ENTRIES], gpa_t gpa)
{
	const uint64_t table_flags = PTE_PRESENT | PTE_WRITABLE | PTE_ACCESSED;
	const uint64_t page_flags = table_flags | PTE_DIRTY | PTE_LARGE;
	const unsigned int n_level2 = PAGE_TABLES_N - 2;

	memset(ret_tables, 0, sizeof(ret_tables[0]) * PAGE_TABLES_N);
	ret_tables[0][0] = (gpa + GRANULE_BYTES) | table_flags;
	for (unsigned int i = 0; i < n_level2; i++) {
		ret_tables[1][i] = (gpa + (2 + i) * GRANULE_BYTES) | table_flags;
		for (unsigned int j = 0; j < PAGE_TABLE_ENTRIES; j++)
			ret_tables[2 + i][j] = (i * GIB + j * (2 * MIB)) | page_flags;
	}
}
