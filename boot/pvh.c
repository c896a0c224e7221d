// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/pvh.h"

#include <assert.h>
#include <stddef.h>

static_assert(sizeof(struct hvm_start_info) == 56, "start_info.h, version 1");
static_assert(sizeof(struct hvm_module) == 32, "start_info.h");
static_assert(sizeof(struct hvm_memory_map_entry) == 24, "start_info.h");

void pvh_params_init(struct pvh_params *ret_params, gpa_t gpa, const struct memory_map *map,
		     const struct params_pointers *pointers)
{
	*ret_params = (struct pvh_params){
		.start_info =
			{
				.magic = HVM_START_MAGIC,
				.version = 1,
				.cmdline_gpa = pointers->cmdline,
				.rsdp_gpa = pointers->rsdp,
				.memory_map_gpa = gpa + offsetof(struct pvh_params, memory_map),
				.n_memory_map = map->n_entries,
			},
	};
	if (pointers->initrd_bytes) {
		ret_params->start_info.n_modules = 1;
		ret_params->start_info.modules_gpa = gpa + offsetof(struct pvh_params, initrd);
		ret_params->initrd.gpa = pointers->initrd;
		ret_params->initrd.size_bytes = pointers->initrd_bytes;
	}
	for (unsigned int i = 0; i < map->n_entries; i++) {
		ret_params->memory_map[i] = (struct hvm_memory_map_entry){
			.gpa = map->entries[i].gpa.start,
			.size_bytes = range_size(map->entries[i].gpa),
			.type = map->entries[i].type,
		};
	}
}
