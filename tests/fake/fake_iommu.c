// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * iommufd in the fake kernel. Rules come from linux/drivers/iommu/iommufd (io_pagetable.c,
 * ioas.c, vfio_compat.c of 7.3), in the kernel's own order.
 *
 * Areas are judged, too: what lies in a memslot is mapped at its own address, onto the page
 * that the guest sees there, and only while that is shared. An area where no slot is, is for
 * tests of the rules themselves.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/fake/fake_areas.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_iommu.h"

/* What is pinned comes into being, where that can matter to a test and is not too much. */
#define FILL_BYTES_MAX MIB

/* --- Objects --- */

static struct fake_ioas *ioas_get(struct fake *fake, int iommu, uint32_t id)
{
	fake_fd_get(fake, iommu, FAKE_IOMMU);
	fake->n_iommu_calls++;
	for (size_t i = 0; i < FAKE_IOAS_MAX; i++) {
		if (id && fake->ioas[i].id == id && fake->ioas[i].iommu == iommu)
			return &fake->ioas[i];
	}
	return NULL;
}

static int fake_iommu_open(struct host *host)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	fake->n_iommu_calls++;
	if (fake->traits.no_iommu)
		return -ENOENT;
	return fake_fd_add(fake, eventfd(0, EFD_CLOEXEC),
			   &(struct fake_fd){.kind = FAKE_IOMMU});
}

static int fake_ioas_alloc(struct host *host, int iommu, uint32_t *ret_ioas)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	ioas_get(fake, iommu, 0);
	for (uint32_t i = 0; i < FAKE_IOAS_MAX; i++) {
		if (fake->ioas[i].id)
			continue;
		fake->ioas[i] = (struct fake_ioas){.id = i + 1, .iommu = iommu};
		*ret_ioas = i + 1;
		return 0;
	}
	err_assert_failed("room for one more IOAS", __FILE__, __LINE__);
}

static void ioas_free(struct fake *fake, struct fake_ioas *ioas)
{
	while (ioas->n_areas)
		fake_area_drop(fake, ioas, ioas->n_areas - 1);
	free(ioas->areas);
	*ioas = (struct fake_ioas){0};
}

static int fake_destroy(struct host *host, int iommu, uint32_t object)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_ioas *ioas = ioas_get(fake, iommu, object);

	if (!ioas)
		return -ENOENT;
	if (ioas->n_devices)
		return -EBUSY;
	ioas_free(fake, ioas);
	return 0;
}

/* Devices keep an iommufd; a test that closes it before them is wrong about the order. */
void fake_iommu_close(struct fake *fake, int fd)
{
	struct fake_fd *description = &fake->fds[fd];

	for (size_t i = 0; i < FAKE_IOAS_MAX; i++) {
		struct fake_ioas *ioas = &fake->ioas[i];

		if (!ioas->id)
			continue;
		if (description->kind == FAKE_DEVICE && ioas->id == description->ioas) {
			if (!--ioas->n_devices)
				fake_areas_unpin(fake, ioas);
			description->ioas = 0;
		}
		if (description->kind == FAKE_IOMMU && ioas->iommu == fd) {
			ASSERT(!ioas->n_devices);
			ioas_free(fake, ioas);
			continue;
		}
		for (size_t a = 0; a < ioas->n_areas && ioas->n_devices; a++)
			ASSERT(ioas->areas[a].fd != fd);
	}
}

/* --- What an IOAS allows --- */

static int fake_set_option(struct host *host, int iommu, uint32_t object, uint32_t option,
			   uint64_t value)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_ioas *ioas = ioas_get(fake, iommu, object);

	if (option != IOMMU_OPTION_HUGE_PAGES)
		return -EOPNOTSUPP;
	if (!ioas)
		return -ENOENT;
	if (value > 1)
		return -EINVAL;
	if (!value && !ioas->has_small_pages && ioas->n_devices && ioas->n_areas)
		return -EINVAL;
	ioas->has_small_pages = !value;
	return 0;
}

/* What devices cannot have: their interrupts, and what lies beyond their addresses. */
static bool is_reserved(const struct fake *fake, struct range iova)
{
	return range_overlaps(fake->traits.iova_reserved, iova) ||
	       iova.end > fake->traits.iova_end;
}

static int fake_allow_iovas(struct host *host, int iommu, uint32_t id,
			    const struct range *iovas, size_t n)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_ioas *ioas = ioas_get(fake, iommu, id);

	if (!ioas)
		return -ENOENT;
	ASSERT(n <= LAYOUT_MEMORY_RANGES_MAX);
	/* The last byte of a range is its end - 1: one byte is too few. */
	for (size_t i = 0; i < n; i++) {
		if (iovas[i].start + 1 >= iovas[i].end)
			return -EINVAL;
		for (size_t j = 0; j < i; j++) {
			if (range_overlaps(iovas[i], iovas[j]))
				return -EINVAL;
		}
	}
	for (size_t i = 0; i < n && ioas->n_devices; i++) {
		if (is_reserved(fake, iovas[i]))
			return -EADDRINUSE;
	}
	for (size_t i = 0; i < n; i++)
		ioas->allowed[i] = iovas[i];
	ioas->n_allowed = n;
	return 0;
}

/* Of areas: that of the devices, and 4 KiB where areas can be cut. */
static uint64_t ioas_alignment(const struct fake *fake, const struct fake_ioas *ioas)
{
	if (ioas->has_small_pages)
		return GRANULE_BYTES;
	return ioas->n_devices ? fake->traits.iova_alignment : 1;
}

static int fake_get_iova_ranges(struct host *host, int iommu, uint32_t id,
				struct range *ret_iovas, size_t *n, uint64_t *ret_alignment)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_ioas *ioas = ioas_get(fake, iommu, id);
	const struct fake_traits *traits = &fake->traits;
	const struct range free[] = {
		{.start = 0, .end = traits->iova_reserved.start},
		{.start = traits->iova_reserved.end, .end = traits->iova_end}};
	struct range ranges[ARRAY_SIZE(free)] = {{.start = 0, .end = UINT64_MAX}};
	size_t n_ranges = 0, room = *n;

	if (!ioas)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(free) && ioas->n_devices; i++) {
		if (!range_is_empty(free[i]))
			ranges[n_ranges++] = free[i];
	}
	n_ranges = ioas->n_devices ? n_ranges : 1;
	*n = n_ranges;
	*ret_alignment = ioas_alignment(fake, ioas);
	if (n_ranges > room)
		return -EMSGSIZE;
	memcpy(ret_iovas, ranges, n_ranges * sizeof(ranges[0]));
	return 0;
}

/* --- Areas --- */

/* From here on the page that the guest sees at an address, or at none of a slot's. */
static bool judge_area(struct fake *fake, const struct fake_area *area)
{
	const struct kvm_userspace_memory_region2 *slot =
		fake_slot_find(fake, area->iova.start);
	uint64_t offset = 0, attribute_at;
	const struct fake_runs *private;

	if (!slot || !(slot->flags & KVM_MEM_GUEST_MEMFD))
		return false;
	ASSERT(area->iova.end <= slot->guest_phys_addr + slot->memory_size);
	ASSERT(fake_slot_find_shared(fake, slot, area->iova.start, &offset) == area->fd);
	ASSERT(offset == area->offset);
	private = fake_attribute_of(fake, slot, area->iova.start, &attribute_at);
	ASSERT(fake->fds[slot->guest_memfd].vm_type == KVM_X86_DEFAULT_VM ||
	       fake_runs_covers(private,
				(struct range){.start = attribute_at,
					       .end = attribute_at + range_size(area->iova)},
				false));
	return true;
}

/* Find the memory and pin it. On error nothing is. */
static int area_pin(struct fake *fake, struct fake_area *area)
{
	uint64_t size_bytes = range_size(area->iova);
	const struct fake_map *map = fake_map_find(fake, area->hva, size_bytes);
	const struct fake_fd *file;
	struct range offset;

	if (!map)
		return -EFAULT;
	file = &fake->fds[map->fd];
	offset.start = map->offset + (area->hva - (uintptr_t)map->hva);
	offset.end = offset.start + size_bytes;
	if (offset.end > file->size_bytes || (file->kind == FAKE_GUEST_MEMFD &&
					      !fake_runs_covers(&file->private, offset, false)))
		return -EFAULT;
	if (fake->traits.memlock_bytes &&
	    fake->pinned_bytes + size_bytes > fake->traits.memlock_bytes)
		return -ENOMEM;
	if (size_bytes <= FILL_BYTES_MAX)
		ASSERT(fallocate(map->fd, FALLOC_FL_KEEP_SIZE, (off_t)offset.start,
				 (off_t)size_bytes) == 0);
	area->fd = map->fd;
	area->offset = offset.start;
	fake->pinned_bytes += size_bytes;
	return 0;
}

/* What iopt_alloc_area_pages refuses. */
static int area_check(const struct fake *fake, const struct fake_ioas *ioas, uint64_t hva,
		      struct range iova)
{
	uint64_t alignment = ioas_alignment(fake, ioas);
	size_t next;

	if (iova.start >= iova.end || !is_aligned(range_size(iova), alignment) ||
	    !is_aligned(iova.start, alignment))
		return -EINVAL;
	if (ioas->n_devices && is_reserved(fake, iova))
		return -EINVAL;
	next = fake_area_find(ioas, iova.start);
	if (next < ioas->n_areas && range_overlaps(ioas->areas[next].iova, iova))
		return -EEXIST;
	return is_aligned(hva, alignment) ? 0 : -EINVAL;
}

static int fake_map(struct host *host, int iommu, uint32_t id, void *hva, struct range iova)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_ioas *ioas = ioas_get(fake, iommu, id);
	struct fake_area area = {.iova = iova, .hva = (uintptr_t)hva, .fd = -1};
	int ret;

	if (!ioas)
		return -ENOENT;
	if (iova.start == UINT64_MAX)
		return -EOVERFLOW;
	ret = area_check(fake, ioas, area.hva, iova);
	if (!ret && ioas->n_devices)
		ret = area_pin(fake, &area);
	if (ret)
		return ret;
	if (ioas->n_devices && !judge_area(fake, &area))
		ioas->n_strange++;
	fake_area_insert(ioas, fake_area_find(ioas, iova.start), &area);
	return 0;
}

/*
 * Areas wholly in @iova go, one after the other, up to one that is only partly inside. Called
 * with the lock.
 */
static int unmap_areas(struct fake *fake, struct fake_ioas *ioas, struct range iova,
		       uint64_t *ret_bytes)
{
	size_t first = fake_area_find(ioas, iova.start);

	*ret_bytes = 0;
	if (iova.start == iova.end)
		return -EINVAL;
	if (iova.start > iova.end)
		return -EOVERFLOW;
	while (first < ioas->n_areas && ioas->areas[first].iova.start < iova.end) {
		struct range area = ioas->areas[first].iova;

		if (!range_covers(iova, area))
			return -ENOENT;
		fake_area_drop(fake, ioas, first);
		*ret_bytes += range_size(area);
	}
	/* A kernel that has gone mad. */
	*ret_bytes += fake->traits.unmapped_too_much;
	fake->traits.unmapped_too_much = 0;
	return 0;
}

static int fake_unmap(struct host *host, int iommu, uint32_t id, struct range iova,
		      uint64_t *ret_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_ioas *ioas = ioas_get(fake, iommu, id);
	uint64_t bytes;
	int ret;

	if (!ioas)
		return -ENOENT;
	ret = unmap_areas(fake, ioas, iova, &bytes);
	if (!ret && !bytes)
		ret = -ENOENT;
	if (!ret)
		*ret_bytes = bytes;
	return ret;
}

static int fake_compat_set_ioas(struct host *host, int iommu, uint32_t id)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_ioas *ioas = ioas_get(fake, iommu, id);

	if (!ioas)
		return -ENOENT;
	for (size_t i = 0; i < FAKE_IOAS_MAX; i++) {
		if (fake->ioas[i].iommu == iommu)
			fake->ioas[i].is_compat = false;
	}
	ioas->is_compat = true;
	return 0;
}

/* Two areas where one had @iova inside; an area may begin or end there already. */
static int area_cut(struct fake_ioas *ioas, uint64_t iova)
{
	size_t i = fake_area_find(ioas, iova);
	struct fake_area *area = &ioas->areas[i];
	struct fake_area rest;

	if (i == ioas->n_areas || area->iova.start >= iova)
		return 0;
	if (!is_aligned(iova, GRANULE_BYTES))
		return -EINVAL;
	rest = *area;
	rest.iova.start = iova;
	rest.hva += iova - area->iova.start;
	rest.offset += iova - area->iova.start;
	area->iova.end = iova;
	fake_area_insert(ioas, i + 1, &rest);
	return 0;
}

static int fake_compat_unmap(struct host *host, int iommu, struct range iova,
			     uint64_t *ret_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_ioas *ioas = NULL;
	int ret = 0;

	ioas_get(fake, iommu, 0);
	*ret_bytes = 0;
	for (size_t i = 0; i < FAKE_IOAS_MAX && !ioas; i++) {
		if (fake->ioas[i].id && fake->ioas[i].iommu == iommu && fake->ioas[i].is_compat)
			ioas = &fake->ioas[i];
	}
	if (!ioas)
		return -ENODEV;
	/* Also for a range that makes no sense, which is refused after that. */
	if (ioas->has_small_pages) {
		ret = area_cut(ioas, iova.end);
		if (!ret)
			ret = area_cut(ioas, iova.start);
	}
	return ret ? ret : unmap_areas(fake, ioas, iova, ret_bytes);
}

/* --- Devices --- */

int fake_add_device(struct fake *fake, int iommu)
{
	WITH_LOCK(&fake->lock);

	fake_fd_get(fake, iommu, FAKE_IOMMU);
	return fake_fd_add(fake, eventfd(0, EFD_CLOEXEC),
			   &(struct fake_fd){.kind = FAKE_DEVICE, .iommu = iommu});
}

/* With the first device all areas are pinned; on error none is. */
static int pin_all(struct fake *fake, struct fake_ioas *ioas)
{
	int ret = 0;
	size_t n = 0;

	while (n < ioas->n_areas && !ret) {
		ret = area_pin(fake, &ioas->areas[n]);
		n += !ret;
	}
	for (size_t i = 0; i < n; i++) {
		if (ret)
			fake->pinned_bytes -= range_size(ioas->areas[i].iova);
		else if (!judge_area(fake, &ioas->areas[i]))
			ioas->n_strange++;
	}
	return ret;
}

static int fake_attach(struct host *host, int device, uint32_t id)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_fd *description = fake_fd_get(fake, device, FAKE_DEVICE);
	struct fake_ioas *ioas = ioas_get(fake, description->iommu, id);
	int ret = 0;

	if (!ioas)
		return -ENOENT;
	/* That would be to swap page tables under a device: not without lost transfers. */
	ASSERT(!description->ioas);
	for (size_t i = 0; i < ioas->n_allowed; i++) {
		if (is_reserved(fake, ioas->allowed[i]))
			return -EADDRINUSE;
	}
	for (size_t i = 0; i < ioas->n_areas; i++) {
		if (is_reserved(fake, ioas->areas[i].iova))
			return -EADDRINUSE;
	}
	if (!ioas->n_devices)
		ret = pin_all(fake, ioas);
	if (ret)
		return ret;
	ioas->n_devices++;
	description->ioas = id;
	return 0;
}

static int fake_detach(struct host *host, int device)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	struct fake_fd *description = fake_fd_get(fake, device, FAKE_DEVICE);
	struct fake_ioas *ioas = ioas_get(fake, description->iommu, description->ioas);

	if (ioas && !--ioas->n_devices)
		fake_areas_unpin(fake, ioas);
	description->ioas = 0;
	return 0;
}

const struct host_iommu_ops fake_iommu_ops = {
	.open = fake_iommu_open,
	.ioas_alloc = fake_ioas_alloc,
	.destroy = fake_destroy,
	.set_option = fake_set_option,
	.ioas_allow_iovas = fake_allow_iovas,
	.ioas_get_iova_ranges = fake_get_iova_ranges,
	.ioas_map = fake_map,
	.ioas_unmap = fake_unmap,
	.compat_set_ioas = fake_compat_set_ioas,
	.compat_unmap = fake_compat_unmap,
	.device_attach_ioas = fake_attach,
	.device_detach_ioas = fake_detach,
};
