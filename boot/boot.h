/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From files to a guest that can take its first instruction: kernel images, boot parameters and
 * hardware description.
 *
 * Builders are pure: they make bytes from values, and one function puts everything into guest
 * memory. All input files may be malformed.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <stdbool.h>
#include <stddef.h>

#include "memory/memory.h"
#include "vmm/range.h"

struct err;
struct launch;

/* How the hardware is described to the guest. */
enum boot_hw {
	BOOT_HW_ACPI,
	BOOT_HW_FDT,
};

/* The machine that the tables describe; fixed addresses are in vmm/platform.h. */
struct boot_machine {
	const struct layout *layout;
	unsigned int n_vcpus; /* 1 .. PLATFORM_VCPUS_MAX; APIC IDs count from 0 */
	enum boot_hw hw;
};

/* What to boot. Paths are opened read-only. */
struct boot_source {
	const char *kernel_path; /* bzImage or ELF with a PVH note */
	const char *initrd_path; /* NULL: none */
	const char *cmdline;	 /* never NULL */
};

/* The state in which the boot processor enters the guest. */
enum boot_mode {
	BOOT_MODE_LONG64, /* 64-bit, paging on, Documentation/arch/x86/boot.rst */
	BOOT_MODE_PVH32,  /* 32-bit protected mode, paging off, PVH start info */
};

struct boot_entry {
	enum boot_mode mode;
	gpa_t rip;
	gpa_t rsi; /* LONG64: struct boot_params; else 0 */
	gpa_t rbx; /* PVH32: struct hvm_start_info; else 0 */
	gpa_t cr3; /* LONG64: page tables that map all of low RAM 1:1; else 0 */
	gpa_t gdt; /* BOOT_GDT_BYTES of descriptors: null, null, code of that mode, data */
};

enum {
	BOOT_GDT_BYTES = 32,
	BOOT_CODE_SELECTOR = 0x10,
	BOOT_DATA_SELECTOR = 0x18,
};

/**
 * Load kernel, initrd, command line, boot parameters and tables into guest memory; boot/place.h
 * says where.
 *
 * A device tree needs a bzImage: PVH has no way to hand it over.
 * @launch: gets the pages that were written; NULL: nobody wants to know.
 * Returns 0; -ENOENT and what else open says; -ENOEXEC (no kernel we know, or malformed);
 * -EINVAL (no regular file, command line too long for this kernel, ELF with device tree);
 * -ENOSPC (does not fit RAM below 4 GiB); -ENOMEM; -errno, with @err naming file, cause and
 * cure. Guest memory is partly written on error.
 */
int boot_load(struct guest_memory *memory, const struct boot_machine *machine,
	      const struct boot_source *source, struct launch *launch,
	      struct boot_entry *ret_entry, struct err *err);

#endif
