/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a kernel entered by PVH finds: start info, module list and memory map in one piece.
 *
 * Sources: Xen's public/arch-x86/hvm/start_info.h and docs/misc/pvh.pandoc.
 */
#ifndef BOOT_PVH_H
#define BOOT_PVH_H

#include "boot/params.h"

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t n_modules;
	uint64_t modules_gpa;
	uint64_t cmdline_gpa;
	uint64_t rsdp_gpa;
	uint64_t memory_map_gpa;
	uint32_t n_memory_map;
	uint32_t reserved;
};

struct hvm_module {
	uint64_t gpa;
	uint64_t size_bytes;
	uint64_t cmdline_gpa;
	uint64_t reserved;
};

struct hvm_memory_map_entry {
	uint64_t gpa;
	uint64_t size_bytes;
	uint32_t type;
	uint32_t reserved;
};

#define HVM_START_MAGIC 0x336ec578

struct pvh_params {
	struct hvm_start_info start_info;
	struct hvm_module initrd;
	struct hvm_memory_map_entry memory_map[MEMORY_MAP_MAX];
};

/* @gpa: where the whole piece will lie. */
void pvh_params_init(struct pvh_params *ret_params, gpa_t gpa, const struct memory_map *map,
		     const struct params_pointers *pointers);

#endif
