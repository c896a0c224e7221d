// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/convertible.h"

#include <linux/kvm.h>

#include "memory/ram.h"
#include "vmm/err.h"

void convertible_init(struct convertible *convertible, enum backing backing, uint64_t ram_bytes,
		      bool guards_private)
{
	struct err err = {0};
	int ret;

	*convertible = (struct convertible){.backing = backing, .fake = fake_new()};
	fake_traits(convertible->fake)->in_place = backing == BACKING_INPLACE;
	fake_traits(convertible->fake)->guards_private = guards_private;
	convertible->faulty = faulty_new(fake_host(convertible->fake));
	convertible->host = faulty_host(convertible->faulty);
	convertible->vm = host_vm_create(convertible->host, KVM_X86_SW_PROTECTED_VM);
	ret = layout_init(&convertible->layout, ram_bytes, 52, &err);
	ASSERT(ret == 0);
	ret = guest_memory_new(convertible->host, convertible->vm, &convertible->layout,
			       backing, &convertible->memory, &err);
	ASSERT(ret == 0);
}

void convertible_fini(struct convertible *convertible)
{
	guest_memory_free(convertible->memory);
	host_close(convertible->host, convertible->vm);
	faulty_free(convertible->faulty);
	fake_free(convertible->fake);
}

enum conversion_end convertible_convert(struct convertible *convertible, gpa_t gpa,
					uint64_t size_bytes, enum side to)
{
	return guest_convert(convertible->memory, gpa, size_bytes, to, CONVERSION_HYPERCALL);
}

int convertible_attach(struct convertible *convertible, enum dma_mode mode, bool is_running,
		       int *ret_device)
{
	struct err err = {0};
	int iommu = guest_dma_open(convertible->memory, mode, -1, &err);
	int device, ret;

	ASSERT((iommu < 0) == (err.text[0] != '\0'));
	if (iommu < 0)
		return iommu;
	device = fake_add_device(convertible->fake, iommu);
	ret = guest_dma_attach(convertible->memory, device, is_running, &err);
	ASSERT((ret != 0) == (err.text[0] != '\0'));
	if (ret) {
		host_close(convertible->host, device);
		guest_dma_close(convertible->memory);
		return ret;
	}
	*ret_device = device;
	return 0;
}

void convertible_detach(struct convertible *convertible, int device)
{
	ASSERT(guest_dma_detach(convertible->memory, device) == 0);
	host_close(convertible->host, device);
	guest_dma_close(convertible->memory);
}

/* Each area of ours is one of the kernel's, and there is nothing between. */
static void check_areas(struct convertible *convertible, struct range gpa)
{
	const struct areas *areas = convertible->memory->dma->areas;
	struct range area;

	for (gpa_t at = gpa.start, end; at < gpa.end; at = end) {
		enum area_page page = AREA_NONE;
		bool is_there;

		end = areas ? areas_find_end(areas, at, gpa.end, &page) : gpa.end;
		if (page == AREA_LOST)
			continue;
		is_there = fake_find_area(convertible->fake, at, end, &area);
		ASSERT(is_there == (page == AREA_START));
		while (page == AREA_START && at < end) {
			ASSERT(fake_find_area(convertible->fake, at, end, &area));
			ASSERT(at == gpa.start ? area.start <= at : area.start == at);
			ASSERT(area.end >= gpa.end ||
			       areas_find_area_end(areas, at, gpa.end) == area.end);
			at = area.end;
		}
	}
}

/* What is shared is mapped if there is a device; what is not, is not. */
static void check_devices(struct convertible *convertible, struct range gpa, enum side side)
{
	struct dma *dma = convertible->memory->dma;
	bool has_devices = gpa.start < dma->mapped_end && side == SIDE_SHARED;
	enum area_page page;

	if (!dma->areas)
		return;
	ASSERT(areas_find_end(dma->areas, gpa.start, gpa.end, &page) == gpa.end);
	ASSERT(page == (has_devices ? AREA_START : AREA_NONE));
}

void convertible_check(struct convertible *convertible, struct range gpa)
{
	const struct sides *sides = convertible->memory->sides;

	check_areas(convertible, gpa);
	for (gpa_t at = gpa.start, end; at < gpa.end; at = end) {
		bool is_private;
		enum side side;

		end = sides_find_end(sides, at, gpa.end, &side);
		if (side == SIDE_BROKEN)
			continue;
		ASSERT(fake_find_end(convertible->fake, at, end, &is_private) == end);
		ASSERT(is_private == (side == SIDE_PRIVATE));
		fake_check_halves(convertible->fake, (struct range){.start = at, .end = end});
		check_devices(convertible, (struct range){.start = at, .end = end}, side);
	}
}

void convertible_check_all(struct convertible *convertible)
{
	struct dma_stats stats = guest_get_dma_stats(convertible->memory);

	ASSERT(fake_count_pinned_bytes(convertible->fake) == stats.mapped_bytes);
	for (unsigned int i = 0; i < convertible->layout.n_ram; i++)
		convertible_check(convertible, convertible->layout.ram[i]);
}
