// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What a guest of an IGVM file is told by its host. The guest has to check it: nothing of it is
 * measured.
 */
#include <errno.h>
#include <libfdt.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi/acpi.h"
#include "boot/fdt.h"
#include "boot/igvm/load.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	TABLE_ROOM_BYTES = 64 << 10, /* for every table and tree of PLATFORM_VCPUS_MAX */
	MMIO_RANGES = 2,
	MEMORY_TYPE_RAM = 0,
	ENVIRONMENT_SHARED = 1 << 0,
};

#define DT_IGVM_TYPE "microsoft,igvm-type"

struct memory_map_entry {
	uint64_t first_page;
	uint64_t n_pages; /* 0: the end of the map */
	uint16_t type;
	uint16_t flags;
	uint32_t reserved;
};

_Static_assert(sizeof(struct memory_map_entry) == IGVM_MEMORY_MAP_ENTRY_BYTES, "of the format");

struct page_range {
	uint64_t first_page;
	uint64_t n_pages;
};

static int value_copy(const void *bytes, size_t size_bytes, void **ret_value,
		      size_t *ret_value_bytes)
{
	void *value = malloc(size_bytes);

	if (!value)
		return -ENOMEM;
	memcpy(value, bytes, size_bytes);
	*ret_value = value;
	*ret_value_bytes = size_bytes;
	return 0;
}

static int make_vp_count(const struct igvm_target *target, void **ret_value,
			 size_t *ret_value_bytes)
{
	uint32_t n_vcpus = target->machine->n_vcpus;

	return value_copy(&n_vcpus, sizeof(n_vcpus), ret_value, ret_value_bytes);
}

static int make_environment(const struct igvm_target *target, void **ret_value,
			    size_t *ret_value_bytes)
{
	uint32_t environment = target->memory_is_shared ? ENVIRONMENT_SHARED : 0;

	return value_copy(&environment, sizeof(environment), ret_value, ret_value_bytes);
}

static int make_cmdline(const struct igvm_target *target, void **ret_value,
			size_t *ret_value_bytes)
{
	return value_copy(target->cmdline, strlen(target->cmdline) + 1, ret_value,
			  ret_value_bytes);
}

static int make_memory_map(const struct igvm_target *target, void **ret_value,
			   size_t *ret_value_bytes)
{
	const struct layout *layout = target->machine->layout;
	/* One more than there is RAM: the end. */
	struct memory_map_entry map[LAYOUT_RAM_RANGES_MAX + 1] = {0};

	for (unsigned int i = 0; i < layout->n_ram; i++)
		map[i] = (struct memory_map_entry){
			.first_page = layout->ram[i].start / GRANULE_BYTES,
			.n_pages = range_size(layout->ram[i]) / GRANULE_BYTES,
			.type = MEMORY_TYPE_RAM,
		};
	return value_copy(map, (layout->n_ram + 1) * sizeof(map[0]), ret_value,
			  ret_value_bytes);
}

static int make_mmio_ranges(const struct igvm_target *target, void **ret_value,
			    size_t *ret_value_bytes)
{
	const struct layout *layout = target->machine->layout;
	const struct range windows[MMIO_RANGES] = {layout->mmio32, layout->mmio64};
	struct page_range ranges[MMIO_RANGES];

	for (unsigned int i = 0; i < MMIO_RANGES; i++)
		ranges[i] = (struct page_range){
			.first_page = windows[i].start / GRANULE_BYTES,
			.n_pages = range_size(windows[i]) / GRANULE_BYTES,
		};
	return value_copy(ranges, sizeof(ranges), ret_value, ret_value_bytes);
}

static int make_madt(const struct igvm_target *target, void **ret_value,
		     size_t *ret_value_bytes)
{
	_cleanup_free_ void *madt = malloc(TABLE_ROOM_BYTES);
	size_t size_bytes;

	if (!madt)
		return -ENOMEM;
	size_bytes = acpi_madt_init(madt, TABLE_ROOM_BYTES, target->machine);
	ASSERT(size_bytes);
	*ret_value = take_pointer(madt);
	*ret_value_bytes = size_bytes;
	return 0;
}

/* What the format adds to a tree: the type of memory, and the command line where it belongs. */
static int tree_extend(void *fdt, const char *cmdline)
{
	int node = fdt_node_offset_by_prop_value(fdt, -1, "device_type", "memory",
						 sizeof("memory"));
	int ret = 0;

	while (node >= 0 && !ret) {
		ret = fdt_setprop_u32(fdt, node, DT_IGVM_TYPE, MEMORY_TYPE_RAM);
		node = fdt_node_offset_by_prop_value(fdt, node, "device_type", "memory",
						     sizeof("memory"));
	}
	if (!ret)
		ret = fdt_setprop(fdt, fdt_path_offset(fdt, "/chosen"), "bootargs", cmdline,
				  (int)strlen(cmdline) + 1);
	return ret ? ret : fdt_pack(fdt);
}

static int make_device_tree(const struct igvm_target *target, void **ret_value,
			    size_t *ret_value_bytes)
{
	size_t room_bytes = (size_t)2 * TABLE_ROOM_BYTES + strlen(target->cmdline);
	_cleanup_free_ void *plain = malloc(TABLE_ROOM_BYTES), *fdt = malloc(room_bytes);
	size_t plain_bytes;
	int ret;

	ASSERT(room_bytes <= INT32_MAX);
	if (!plain || !fdt)
		return -ENOMEM;
	plain_bytes = fdt_init(plain, TABLE_ROOM_BYTES, target->machine);
	ASSERT(plain_bytes);
	ret = fdt_open_into(plain, fdt, (int)room_bytes);
	if (!ret)
		ret = tree_extend(fdt, target->cmdline);
	ASSERT(ret == 0);
	*ret_value_bytes = fdt_totalsize(fdt);
	*ret_value = take_pointer(fdt);
	return 0;
}

static int (*const makers[IGVM_PARAMETER_TYPE_COUNT])(const struct igvm_target *target,
						      void **ret_value,
						      size_t *ret_value_bytes) = {
	[IGVM_VP_COUNT] = make_vp_count,
	[IGVM_MADT] = make_madt,
	[IGVM_MMIO_RANGES] = make_mmio_ranges,
	[IGVM_MEMORY_MAP] = make_memory_map,
	[IGVM_COMMAND_LINE] = make_cmdline,
	[IGVM_DEVICE_TREE] = make_device_tree,
	[IGVM_ENVIRONMENT_INFO] = make_environment,
};

int igvm_parameter_new(enum igvm_parameter_type type, const struct igvm_target *target,
		       void **ret_value, size_t *ret_value_bytes)
{
	ASSERT(type < IGVM_PARAMETER_TYPE_COUNT);
	if (makers[type])
		return makers[type](target, ret_value, ret_value_bytes);
	*ret_value = NULL;
	*ret_value_bytes = 0;
	return 0;
}
