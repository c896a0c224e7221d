// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/firmware/hob.h"

#include <assert.h>
#include <string.h>

#include "boot/firmware/table.h"
#include "memory/memory.h"
#include "vmm/err.h"

enum {
	HOB_HANDOFF = 1,
	HOB_RESOURCE = 3,
	HOB_GUID_EXTENSION = 4,
	HOB_END = 0xffff,

	HANDOFF_VERSION = 9,
	RESOURCE_PRESENT = 1 << 0,
	RESOURCE_INITIALIZED = 1 << 1,
	RESOURCE_TESTED = 1 << 2,

	HOB_ALIGN = 8,
};

/* Volume 3, 5.2 */
struct hob_header {
	uint16_t type;
	uint16_t size_bytes;
	uint32_t reserved;
};

/* 5.3; the fields about free memory are for those that allocate from the list's own. */
struct hob_handoff {
	struct hob_header header;
	uint32_t version;
	uint32_t boot_mode; /* 0: with full configuration */
	uint64_t memory_top;
	uint64_t memory_bottom;
	uint64_t free_memory_top;
	uint64_t free_memory_bottom;
	uint64_t end_gpa; /* behind the last HOB */
};

/* 5.5 */
struct hob_resource {
	struct hob_header header;
	uint8_t owner[GUID_BYTES];
	uint32_t type;
	uint32_t attribute;
	uint64_t gpa;
	uint64_t size_bytes;
};

/* 5.6 */
struct hob_guid_extension {
	struct hob_header header;
	uint8_t name[GUID_BYTES];
};

/* tdshim_spec.md */
struct hob_payload_info {
	uint32_t type;
	uint32_t reserved;
	uint64_t entry;
};

struct hob_e820_entry {
	uint64_t gpa;
	uint64_t size_bytes;
	uint32_t type;
} __attribute__((packed));

static_assert(sizeof(struct hob_handoff) == 56, "PI, volume 3, 5.3");
static_assert(sizeof(struct hob_resource) == 48, "PI, volume 3, 5.5");
static_assert(sizeof(struct hob_guid_extension) == 24, "PI, volume 3, 5.6");

static const uint8_t guid_acpi_table[GUID_BYTES] =
	GUID(0x6a0c5870U, 0xd4ed, 0x44f4, 0xa1, 0x35, 0xdd, 0x23, 0x8b, 0x6f, 0x0c, 0x8d);
static const uint8_t guid_payload_info[GUID_BYTES] =
	GUID(0xb96fa412U, 0x461f, 0x4be3, 0x8c, 0x0d, 0xad, 0x80, 0x5a, 0x49, 0x7a, 0xc0);
static const uint8_t guid_e820[GUID_BYTES] =
	GUID(0x8f8072eaU, 0x3486, 0x4b47, 0x86, 0xa7, 0x23, 0x53, 0xb8, 0x8a, 0x87, 0x73);

static void put(struct hob_list *list, const void *bytes, size_t size_bytes)
{
	if (list->is_full || size_bytes > list->room_bytes - list->used_bytes) {
		list->is_full = true;
		return;
	}
	memcpy(list->bytes + list->used_bytes, bytes, size_bytes);
	list->used_bytes += size_bytes;
}

void hob_begin(struct hob_list *list, void *buffer, size_t room_bytes, gpa_t gpa)
{
	const struct hob_handoff handoff = {
		.header = {.type = HOB_HANDOFF, .size_bytes = sizeof(handoff)},
		.version = HANDOFF_VERSION,
	};

	ASSERT(is_aligned(gpa, HOB_ALIGN));
	*list = (struct hob_list){.bytes = buffer, .room_bytes = room_bytes, .gpa = gpa};
	put(list, &handoff, sizeof(handoff));
}

void hob_add_memory(struct hob_list *list, struct range gpa, enum hob_memory kind)
{
	const struct hob_resource resource = {
		.header = {.type = HOB_RESOURCE, .size_bytes = sizeof(resource)},
		.type = kind,
		.attribute = RESOURCE_PRESENT | RESOURCE_INITIALIZED | RESOURCE_TESTED,
		.gpa = gpa.start,
		.size_bytes = range_size(gpa),
	};

	ASSERT(is_aligned(gpa.start | gpa.end, GRANULE_BYTES));
	put(list, &resource, sizeof(resource));
}

/* Room for @size_bytes of data, which follow; zeroes to the next boundary go behind them. */
static void put_extension(struct hob_list *list, const uint8_t name[GUID_BYTES],
			  const void *data, size_t size_bytes)
{
	static const uint8_t zeroes[HOB_ALIGN];
	size_t total_bytes =
		align_up(sizeof(struct hob_guid_extension) + size_bytes, HOB_ALIGN);
	struct hob_guid_extension extension = {
		.header = {.type = HOB_GUID_EXTENSION, .size_bytes = (uint16_t)total_bytes},
	};

	if (total_bytes > UINT16_MAX) {
		list->is_full = true;
		return;
	}
	memcpy(extension.name, name, GUID_BYTES);
	put(list, &extension, sizeof(extension));
	put(list, data, size_bytes);
	put(list, zeroes, total_bytes - sizeof(extension) - size_bytes);
}

void hob_add_acpi_table(struct hob_list *list, const void *table, size_t size_bytes)
{
	put_extension(list, guid_acpi_table, table, size_bytes);
}

void hob_add_e820(struct hob_list *list, const struct memory_map *map)
{
	struct hob_e820_entry entries[MEMORY_MAP_MAX];

	for (unsigned int i = 0; i < map->n_entries; i++)
		entries[i] = (struct hob_e820_entry){
			.gpa = map->entries[i].gpa.start,
			.size_bytes = range_size(map->entries[i].gpa),
			.type = map->entries[i].type,
		};
	put_extension(list, guid_e820, entries, map->n_entries * sizeof(entries[0]));
}

void hob_add_payload_info(struct hob_list *list, enum hob_payload payload, gpa_t entry)
{
	const struct hob_payload_info info = {.type = payload, .entry = entry};

	put_extension(list, guid_payload_info, &info, sizeof(info));
}

size_t hob_end(struct hob_list *list)
{
	const struct hob_header end = {.type = HOB_END, .size_bytes = sizeof(end)};
	uint64_t end_gpa;

	put(list, &end, sizeof(end));
	if (list->is_full)
		return 0;
	end_gpa = list->gpa + list->used_bytes;
	memcpy(list->bytes + offsetof(struct hob_handoff, end_gpa), &end_gpa, sizeof(end_gpa));
	return list->used_bytes;
}

/* The part of @gpa that the first section in it covers, by address; empty at its end if there
 * is none. */
static struct range find_added(const struct tdvf *tdvf, struct range gpa)
{
	struct range found = {.start = gpa.end, .end = gpa.end};

	for (unsigned int i = 0; i < tdvf->n_sections; i++) {
		const struct tdvf_section *section = &tdvf->sections[i];
		struct range range = {section->gpa, section->gpa + section->size_bytes};

		if (!section->added || !range_overlaps(range, gpa))
			continue;
		if (range.start < gpa.start)
			range.start = gpa.start;
		if (range.end > gpa.end)
			range.end = gpa.end;
		if (range.start < found.start)
			found = range;
	}
	return found;
}

void hob_add_layout(struct hob_list *list, const struct layout *layout, const struct tdvf *tdvf)
{
	for (unsigned int i = 0; i < layout->n_ram; i++) {
		struct range left = layout->ram[i];

		while (!range_is_empty(left)) {
			struct range added = find_added(tdvf, left);
			struct range gap = {.start = left.start, .end = added.start};

			if (!range_is_empty(gap))
				hob_add_memory(list, gap, HOB_MEMORY_UNACCEPTED);
			if (!range_is_empty(added))
				hob_add_memory(list, added, HOB_MEMORY_SYSTEM);
			left.start = added.end;
		}
	}
}
