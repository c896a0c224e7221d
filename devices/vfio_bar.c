// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * BARs of an assigned device.
 *
 * While a BAR is on the bus, memslots give the guest those of its pages that are safe to touch;
 * every other access comes to the handlers here and goes through the device's file, which never
 * ends in a signal. BARs leave the bus before the device stops to decode them.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vfio.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

enum {
	REGION_BYTES_MAX = 4096, /* of a description with its capabilities */
	HIDE_TRIES_MAX = 10,
	HIDE_WAIT_NS = 1000 * 1000,
	HOLES_MAX = 2, /* table and pending bits */
	MAPPABLE = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
		   VFIO_REGION_INFO_FLAG_MMAP,
};

#define BAR_BYTES_MAX (UINT64_C(1) << 48)

/* --- Memslots --- */

/* Returns the number, or 0 when all are in use. */
static unsigned int slot_take(struct vfio *vfio)
{
	WITH_LOCK(&vfio->lock);
	for (unsigned int i = 0; i < VFIO_SLOTS_MAX; i++) {
		uint64_t bit = UINT64_C(1) << i % 64;

		if (vfio->slots[i / 64] & bit)
			continue;
		vfio->slots[i / 64] |= bit;
		return VFIO_SLOTS_FIRST + i;
	}
	return 0;
}

static void slot_give(struct vfio *vfio, unsigned int slot)
{
	unsigned int i = slot - VFIO_SLOTS_FIRST;
	WITH_LOCK(&vfio->lock);

	ASSERT(i < VFIO_SLOTS_MAX);
	vfio->slots[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static int slot_set(struct vfio *vfio, const struct vfio_area *area, unsigned int slot,
		    gpa_t gpa, uint64_t size_bytes)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.guest_phys_addr = gpa,
		.memory_size = size_bytes,
		.userspace_addr = (uintptr_t)area->hva,
	};

	return host_vm_set_memory_region(vfio->env.host, vfio->env.vm, &region);
}

/* Without a slot all still works, by way of the handlers. */
static void area_show(struct vfio_bar *bar, struct vfio_area *area, gpa_t gpa)
{
	struct vfio *vfio = bar->device->vfio;
	unsigned int slot = area->slot ? 0 : slot_take(vfio);
	int ret = -ENOSPC;

	if (slot)
		ret = slot_set(vfio, area, slot, gpa + area->offset.start,
			       range_size(area->offset));
	if (!ret) {
		area->slot = slot;
		return;
	}
	if (slot)
		slot_give(vfio, slot);
	vfio_warn(bar->device, "BAR %u is slow: KVM does not map it: %s", bar->index,
		  err_describe(ret));
}

/* KVM needs a little memory to take memory away: give it time. */
static void area_hide(struct vfio_bar *bar, struct vfio_area *area)
{
	struct vfio *vfio = bar->device->vfio;
	int ret = -EAGAIN;

	if (!area->slot)
		return;
	for (unsigned int i = 0; i < HIDE_TRIES_MAX && ret; i++) {
		ret = slot_set(vfio, area, area->slot, 0, 0);
		if (ret)
			host_clock_sleep_ns(vfio->env.host, HIDE_WAIT_NS);
	}
	area->is_stuck = ret;
	if (ret) {
		vfio_warn(bar->device, "BAR %u cannot be taken from the guest: %s", bar->index,
			  err_describe(ret));
		return;
	}
	slot_give(vfio, area->slot);
	area->slot = 0;
}

static bool bar_is_stuck(struct vfio_bar *bar)
{
	bool is_stuck = false;

	for (unsigned int i = 0; i < bar->n_areas; i++) {
		if (bar->areas[i].is_stuck)
			area_hide(bar, &bar->areas[i]);
		is_stuck |= bar->areas[i].is_stuck;
	}
	return is_stuck;
}

bool vfio_bars_are_stuck(struct vfio_device *device)
{
	bool are_stuck = false;

	for (unsigned int i = 0; i < VFIO_BARS; i++)
		are_stuck |= bar_is_stuck(&device->bars[i]);
	return are_stuck;
}

static void bar_moved(void *owner, unsigned int index, gpa_t gpa)
{
	struct vfio_bar *bar = owner;

	(void)index;
	for (unsigned int i = 0; i < bar->n_areas; i++) {
		if (gpa == PCI_BAR_UNMAPPED)
			area_hide(bar, &bar->areas[i]);
		else
			area_show(bar, &bar->areas[i], gpa);
	}
}

/* --- Accesses that come to us --- */

static uint64_t bar_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct vfio_bar *bar = owner;
	struct vfio_device *device = bar->device;
	struct range access = {.start = offset, .end = offset + size_bytes};
	uint64_t value = 0;

	if (vfio_msix_read_bar(device, bar->index, access, &value))
		return value;
	if (host_vfio_read(device->vfio->env.host, device->fd, bar->file_offset + offset,
			   &value, size_bytes))
		return UINT64_MAX;
	return value;
}

static void bar_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct vfio_bar *bar = owner;
	struct vfio_device *device = bar->device;
	struct range access = {.start = offset, .end = offset + size_bytes};

	if (vfio_msix_write_bar(device, bar->index, access, value))
		return;
	host_vfio_write(device->vfio->env.host, device->fd, bar->file_offset + offset, &value,
			size_bytes);
}

static void rom_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	(void)owner;
	(void)offset;
	(void)value;
	(void)size_bytes;
}

static const struct pci_bar_ops bar_ops = {
	.access = {.read = bar_read, .write = bar_write},
	.moved = bar_moved,
};

static const struct pci_bar_ops rom_ops = {.access = {.read = bar_read, .write = rom_write}};

/* --- What there is --- */

/* The region with its capabilities, to be freed; NULL with @ret_code. */
static struct vfio_region_info *region_get(const struct vfio_device *device, unsigned int index,
					   int *ret_code)
{
	struct vfio_region_info *info = calloc(1, REGION_BYTES_MAX);

	*ret_code = -ENOMEM;
	if (!info)
		return NULL;
	info->argsz = REGION_BYTES_MAX;
	info->index = index;
	*ret_code = host_vfio_get_region(device->vfio->env.host, device->fd, info);
	if (!*ret_code)
		return info;
	free(info);
	return NULL;
}

static uint32_t bar_register(const struct vfio_device *device, unsigned int index)
{
	uint32_t value;

	memcpy(&value, device->config.bytes + PCI_BASE_ADDRESS_0 + 4 * (size_t)index,
	       sizeof(value));
	return value;
}

/* I/O ports are left out: the machine has none for PCI. So is what makes no sense. */
static bool bar_is_good(const struct vfio_device *device, unsigned int index,
			uint64_t size_bytes)
{
	uint32_t value;

	if (index == PCI_ROM_BAR)
		return size_bytes <= 16 * MIB;
	value = bar_register(device, index);
	if (value & PCI_BASE_ADDRESS_SPACE_IO)
		return false;
	if (value & PCI_BASE_ADDRESS_MEM_TYPE_64)
		return index + 1 < PCI_ROM_BAR && size_bytes <= BAR_BYTES_MAX;
	return size_bytes <= 2 * GIB;
}

/* The upper half of a BAR with 64 bits. */
static bool bar_is_half(const struct vfio_device *device, unsigned int index)
{
	return index > 0 && index < PCI_ROM_BAR && device->bars[index - 1].size_bytes &&
	       bar_register(device, index - 1) & PCI_BASE_ADDRESS_MEM_TYPE_64;
}

static uint64_t size_round(uint64_t size_bytes, unsigned int index)
{
	uint64_t rounded = index == PCI_ROM_BAR ? 2 * KIB : 16;

	while (rounded < size_bytes)
		rounded *= 2;
	return rounded;
}

int vfio_bar_init(struct vfio_device *device, unsigned int index)
{
	_cleanup_free_ struct vfio_region_info *info = NULL;
	struct vfio_bar *bar = &device->bars[index];
	int ret;

	bar->device = device;
	bar->index = index;
	info = region_get(device, index, &ret);
	if (!info)
		return ret;
	if (!info->size || !bar_is_good(device, index, info->size) ||
	    bar_is_half(device, index))
		return 0;
	bar->size_bytes = size_round(info->size, index);
	bar->file_offset = info->offset;
	return 0;
}

void vfio_bar_offer(struct vfio_bar *bar)
{
	const uint32_t kinds = PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
	uint32_t kind;

	if (!bar->size_bytes)
		return;
	if (bar->index == PCI_ROM_BAR) {
		pci_device_add_bar(bar->device->pci, PCI_ROM_BAR, bar->size_bytes, 0, &rom_ops,
				   bar);
		return;
	}
	kind = bar_register(bar->device, bar->index) & kinds;
	pci_device_add_bar(bar->device->pci, bar->index, bar->size_bytes, kind, &bar_ops, bar);
}

/* --- What the guest may touch --- */

unsigned int vfio_bar_cut(uint64_t size_bytes, const struct range *holes, unsigned int n_holes,
			  struct range *ret_areas)
{
	uint64_t end = align_down(size_bytes, GRANULE_BYTES);
	uint64_t at = 0;
	unsigned int n = 0;

	while (at < end) {
		uint64_t stop = end, resume = end;

		for (unsigned int i = 0; i < n_holes; i++) {
			uint64_t start = align_down(holes[i].start, GRANULE_BYTES);

			if (align_up(holes[i].end, GRANULE_BYTES) <= at || start >= stop)
				continue;
			stop = start > at ? start : at;
			resume = align_up(holes[i].end, GRANULE_BYTES);
		}
		if (stop > at)
			ret_areas[n++] = (struct range){.start = at, .end = stop};
		at = stop == end ? end : resume;
	}
	return n;
}

/* Parts of a BAR that the kernel maps; all of it if it does not say. */
static unsigned int find_sparse(const struct vfio_region_info *info, struct range *ret_areas)
{
	const uint8_t *bytes = (const void *)info;
	uint32_t at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;
	unsigned int n = 0;

	ret_areas[0] = (struct range){.start = 0, .end = info->size};
	while (at && at <= REGION_BYTES_MAX - sizeof(struct vfio_region_info_cap_sparse_mmap)) {
		const struct vfio_region_info_cap_sparse_mmap *sparse =
			(const void *)(bytes + at);

		if (sparse->header.id == VFIO_REGION_INFO_CAP_SPARSE_MMAP) {
			for (; n < sparse->nr_areas && n < VFIO_AREAS_MAX; n++)
				ret_areas[n] = (struct range){
					.start = sparse->areas[n].offset,
					.end = sparse->areas[n].offset + sparse->areas[n].size,
				};
			return n;
		}
		/* The list goes forwards only. */
		at = sparse->header.next > at ? sparse->header.next : 0;
	}
	return 1;
}

static int area_add(struct vfio_bar *bar, struct range offset)
{
	struct host *host = bar->device->vfio->env.host;
	struct vfio_area *area = &bar->areas[bar->n_areas];
	int ret;

	if (range_is_empty(offset) || !is_aligned(offset.start | offset.end, GRANULE_BYTES) ||
	    bar->n_areas == VFIO_AREAS_MAX)
		return 0;
	ret = host_mem_map(host, bar->device->fd, bar->file_offset + offset.start,
			   range_size(offset), &area->hva);
	if (ret)
		return ret;
	area->offset = offset;
	bar->n_areas++;
	return 0;
}

int vfio_bar_map(struct vfio_bar *bar)
{
	const struct vfio_msix *msix = &bar->device->msix;
	_cleanup_free_ struct vfio_region_info *info = NULL;
	struct range sparse[VFIO_AREAS_MAX], safe[HOLES_MAX + 1], holes[HOLES_MAX];
	unsigned int n_sparse, n_safe, n_holes = 0;
	int ret = 0;

	if (!bar->size_bytes || bar->index == PCI_ROM_BAR)
		return 0;
	info = region_get(bar->device, bar->index, &ret);
	if (!info)
		return ret;
	if ((info->flags & MAPPABLE) != MAPPABLE)
		return 0;
	if (msix->entries && msix->table_bar == bar->index)
		holes[n_holes++] = msix->table;
	if (msix->entries && msix->pending_bar == bar->index)
		holes[n_holes++] = msix->pending;
	n_safe = vfio_bar_cut(info->size, holes, n_holes, safe);
	n_sparse = find_sparse(info, sparse);
	for (unsigned int i = 0; i < n_safe * n_sparse && !ret; i++)
		ret = area_add(bar, range_intersect(safe[i / n_sparse], sparse[i % n_sparse]));
	return ret;
}

void vfio_bar_unmap(struct vfio_bar *bar)
{
	for (unsigned int i = 0; i < bar->n_areas; i++) {
		struct vfio_area *area = &bar->areas[i];

		area_hide(bar, area);
		host_mem_unmap(bar->device->vfio->env.host, area->hva,
			       range_size(area->offset));
	}
	bar->n_areas = 0;
}
