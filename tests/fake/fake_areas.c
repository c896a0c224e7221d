// SPDX-License-Identifier: GPL-2.0-or-later
/* Areas of the fake kernel's iommufd, and what a test asks about them. */
#include "tests/fake/fake_areas.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

size_t fake_area_find(const struct fake_ioas *ioas, uint64_t iova)
{
	size_t low = 0, high = ioas->n_areas;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ioas->areas[middle].iova.end <= iova)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

void fake_area_insert(struct fake_ioas *ioas, size_t index, const struct fake_area *area)
{
	if (ioas->n_areas == ioas->n_room) {
		ioas->n_room = ioas->n_room ? 2 * ioas->n_room : 64;
		ioas->areas = realloc(ioas->areas, ioas->n_room * sizeof(ioas->areas[0]));
		ASSERT(ioas->areas);
	}
	memmove(&ioas->areas[index + 1], &ioas->areas[index],
		(ioas->n_areas - index) * sizeof(ioas->areas[0]));
	ioas->areas[index] = *area;
	ioas->n_areas++;
}

void fake_area_drop(struct fake *fake, struct fake_ioas *ioas, size_t index)
{
	struct fake_area area = ioas->areas[index];

	if (ioas->n_devices) {
		ASSERT(fake->pinned_bytes >= range_size(area.iova));
		fake->pinned_bytes -= range_size(area.iova);
	}
	ioas->n_areas--;
	memmove(&ioas->areas[index], &ioas->areas[index + 1],
		(ioas->n_areas - index) * sizeof(ioas->areas[0]));
}

void fake_areas_unpin(struct fake *fake, struct fake_ioas *ioas)
{
	for (size_t i = 0; i < ioas->n_areas; i++) {
		fake->pinned_bytes -= range_size(ioas->areas[i].iova);
		ioas->areas[i].fd = -1;
	}
	ioas->n_strange = 0;
}

/* --- Judgement --- */

bool fake_areas_find(struct fake *fake, struct range gpa, gpa_t *ret_gpa)
{
	for (size_t i = 0; i < FAKE_IOAS_MAX; i++) {
		const struct fake_ioas *ioas = &fake->ioas[i];
		size_t next = ioas->n_areas ? fake_area_find(ioas, gpa.start) : 0;

		if (next >= ioas->n_areas || ioas->areas[next].iova.start >= gpa.end)
			continue;
		if (ret_gpa)
			*ret_gpa = range_intersect(ioas->areas[next].iova, gpa).start;
		return true;
	}
	return false;
}

bool fake_areas_find_strange(struct fake *fake, int fd, struct range offset,
			     uint64_t *ret_offset)
{
	bool is_found = false;

	for (size_t i = 0; i < FAKE_IOAS_MAX; i++) {
		const struct fake_ioas *ioas = &fake->ioas[i];

		for (size_t a = 0; a < ioas->n_areas && ioas->n_strange; a++) {
			const struct fake_area *area = &ioas->areas[a];
			struct range bytes = {.start = area->offset,
					      .end = area->offset + range_size(area->iova)};
			uint64_t first = range_intersect(bytes, offset).start;

			if (area->fd != fd || !range_overlaps(bytes, offset))
				continue;
			*ret_offset = is_found && *ret_offset < first ? *ret_offset : first;
			is_found = true;
		}
	}
	return is_found;
}

/* --- Questions --- */

bool fake_find_area(struct fake *fake, uint64_t iova, uint64_t end, struct range *ret_area)
{
	WITH_LOCK(&fake->lock);

	for (size_t i = 0; i < FAKE_IOAS_MAX; i++) {
		const struct fake_ioas *ioas = &fake->ioas[i];
		size_t next = ioas->n_areas ? fake_area_find(ioas, iova) : 0;

		if (next >= ioas->n_areas || ioas->areas[next].iova.start >= end)
			continue;
		*ret_area = ioas->areas[next].iova;
		return true;
	}
	return false;
}

bool fake_is_mapped(struct fake *fake, uint64_t iova)
{
	struct range area;

	return fake_find_area(fake, iova, iova + 1, &area);
}

bool fake_device_write(struct fake *fake, uint64_t iova, const void *buffer, size_t size_bytes)
{
	WITH_LOCK(&fake->lock);

	for (size_t i = 0; i < FAKE_IOAS_MAX; i++) {
		const struct fake_ioas *ioas = &fake->ioas[i];
		size_t next = ioas->n_devices ? fake_area_find(ioas, iova) : 0;
		const struct fake_area *area = &ioas->areas[next];

		if (!ioas->n_devices || next >= ioas->n_areas ||
		    !range_covers(area->iova,
				  (struct range){.start = iova, .end = iova + size_bytes}))
			continue;
		return pwrite(area->fd, buffer, size_bytes,
			      (off_t)(area->offset + (iova - area->iova.start))) ==
		       (ssize_t)size_bytes;
	}
	return false;
}

uint64_t fake_count_pinned_bytes(struct fake *fake)
{
	WITH_LOCK(&fake->lock);

	return fake->pinned_bytes;
}

uint64_t fake_count_iommu_calls(struct fake *fake)
{
	WITH_LOCK(&fake->lock);

	return fake->n_iommu_calls;
}
