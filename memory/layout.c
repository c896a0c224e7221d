// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's physical address space.
 *
 *   0 .. 3 GiB                RAM (first range)
 *   3 GiB .. 4 GiB            32-bit BARs, ECAM, IOAPIC, local APIC, ...: vmm/platform.h
 *   .. 4 GiB                  firmware, if there is any
 *   4 GiB .. 1012 GiB         RAM (second range)
 *   1012 GiB .. 1 TiB         nothing: AMD IOMMUs cannot map it
 *   1 TiB ..                  RAM (third range)
 *   above RAM                 64-bit BARs, aligned to the size of the window
 */
#include "memory/memory.h"

#include <errno.h>
#include <inttypes.h>

#include "vmm/err.h"
#include "vmm/platform.h"

/* Room for 64-bit BARs; a power of two, and the window's alignment. */
#define MMIO64_BYTES (64 * GIB)

static const struct range ram_slots[LAYOUT_RAM_RANGES_MAX] = {
	{.start = 0, .end = PLATFORM_HOLE_GPA},
	{.start = PLATFORM_4G, .end = PLATFORM_HT_GPA},
	{.start = PLATFORM_HT_END, .end = UINT64_C(1) << 52},
};

static struct range mmio64_place(uint64_t ram_end, uint64_t gpa_end)
{
	uint64_t start = align_up(ram_end < PLATFORM_4G ? PLATFORM_4G : ram_end, MMIO64_BYTES);
	struct range ht = {.start = PLATFORM_HT_GPA, .end = PLATFORM_HT_END};
	struct range window = {.start = start, .end = start + MMIO64_BYTES};

	if (range_overlaps(window, ht))
		window = (struct range){.start = ht.end, .end = ht.end + MMIO64_BYTES};
	if (window.end > gpa_end)
		window = (struct range){.start = window.start, .end = window.start};
	return window;
}

int layout_init(struct layout *ret_layout, uint64_t ram_bytes, unsigned int gpa_bits,
		struct err *err)
{
	uint64_t gpa_end = UINT64_C(1) << (gpa_bits < 52 ? gpa_bits : 52);
	uint64_t left_bytes = ram_bytes;
	struct layout layout = {
		.ram_bytes = ram_bytes,
		.mmio32 = {.start = PLATFORM_MMIO32_GPA,
			   .end = PLATFORM_MMIO32_GPA + PLATFORM_MMIO32_BYTES},
		.ecam = {.start = PLATFORM_ECAM_GPA,
			 .end = PLATFORM_ECAM_GPA + PLATFORM_ECAM_BYTES},
	};

	if (ram_bytes < LAYOUT_RAM_BYTES_MIN || !is_aligned(ram_bytes, GRANULE_BYTES))
		return err_set(err, -EINVAL,
			       "memory: %" PRIu64
			       " bytes is too small or no multiple of 4 KiB; "
			       "give at least 16M",
			       ram_bytes);

	for (unsigned int i = 0; i < ARRAY_SIZE(ram_slots) && left_bytes; i++) {
		uint64_t room_bytes = range_size(ram_slots[i]);
		uint64_t bytes = left_bytes < room_bytes ? left_bytes : room_bytes;

		layout.ram[layout.n_ram].start = ram_slots[i].start;
		layout.ram[layout.n_ram].end = ram_slots[i].start + bytes;
		layout.n_ram++;
		left_bytes -= bytes;
	}

	layout.mmio64 = mmio64_place(layout.ram[layout.n_ram - 1].end, gpa_end);
	if (left_bytes || range_is_empty(layout.mmio64))
		return err_set(err, -E2BIG,
			       "memory: %" PRIu64 " MiB do not fit the %u-bit guest-physical "
			       "addresses of this processor; give less",
			       ram_bytes / MIB, gpa_bits);

	*ret_layout = layout;
	return 0;
}

void layout_add_firmware(struct layout *layout, uint64_t size_bytes)
{
	ASSERT(size_bytes && size_bytes <= LAYOUT_FIRMWARE_BYTES_MAX);
	layout->firmware = (struct range){
		.start = PLATFORM_4G - align_up(size_bytes, GRANULE_BYTES),
		.end = PLATFORM_4G,
	};
}

unsigned int layout_list_memory(const struct layout *layout,
				struct range ret_ranges[LAYOUT_MEMORY_RANGES_MAX])
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < layout->n_ram; i++) {
		/* The first range of RAM is the only one below 4 GiB. */
		if (i == 1 && !range_is_empty(layout->firmware))
			ret_ranges[n++] = layout->firmware;
		ret_ranges[n++] = layout->ram[i];
	}
	if (layout->n_ram <= 1 && !range_is_empty(layout->firmware))
		ret_ranges[n++] = layout->firmware;
	return n;
}
