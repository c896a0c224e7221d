/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The hand-off blocks (HOBs) by which TDVF and td-shim learn of their memory, and td-shim of
 * ACPI tables and its payload, because it has no fw_cfg. They are not part of MRTD: the
 * firmware measures what it was given.
 *
 * Nothing here fails on its own: when the buffer is full, what follows is dropped, and hob_end
 * says so.
 *
 * Sources: UEFI Platform Initialization 1.8, volume 3, 4 and 5; Intel, TDX Virtual Firmware
 * Design Guide, 7; td-shim, doc/tdshim_spec.md.
 */
#ifndef BOOT_HOB_H
#define BOOT_HOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/firmware/ovmf.h"
#include "boot/params.h"

struct layout;

struct hob_list {
	uint8_t *bytes;
	size_t room_bytes;
	size_t used_bytes;
	bool is_full;
	gpa_t gpa; /* where it will be */
};

/* Begin a list in @buffer, which will be at @gpa. Both are 8-byte aligned. */
void hob_begin(struct hob_list *list, void *buffer, size_t room_bytes, gpa_t gpa);

/* Types of memory, as in the list. */
enum hob_memory {
	HOB_MEMORY_SYSTEM = 0,	   /* usable at once */
	HOB_MEMORY_UNACCEPTED = 7, /* the firmware has to accept it */
};

void hob_add_memory(struct hob_list *list, struct range gpa, enum hob_memory kind);

/* --- For td-shim --- */

/* One table, whole; never the RSDP or XSDT, which td-shim makes. */
void hob_add_acpi_table(struct hob_list *list, const void *table, size_t size_bytes);

void hob_add_e820(struct hob_list *list, const struct memory_map *map);

enum hob_payload {
	HOB_PAYLOAD_EXECUTABLE = 0,  /* PE or ELF */
	HOB_PAYLOAD_BZIMAGE = 1,     /* Linux; entered at its start + 0x200 */
	HOB_PAYLOAD_VMLINUX = 2,     /* ELF file of Linux */
	HOB_PAYLOAD_RAW_VMLINUX = 3, /* Linux, loaded by the VMM; entered at @entry */
};

/* What is in the payload section. @entry: 0 but for RAW_VMLINUX. */
void hob_add_payload_info(struct hob_list *list, enum hob_payload payload, gpa_t entry);

/**
 * Finish the list.
 *
 * Returns its size; 0 when it does not fit (the contents are then undefined).
 */
size_t hob_end(struct hob_list *list);

/**
 * All memory of a TD: what the launch added is usable, the rest of RAM is to be accepted. What
 * is in the image's own place below 4 GiB is no RAM.
 */
void hob_add_layout(struct hob_list *list, const struct layout *layout,
		    const struct tdvf *tdvf);

#endif
