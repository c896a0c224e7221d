// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The IOMMU maps exactly what is shared: what a conversion does for that.
 *
 * Cutting mode: all entries of the IOMMU are of 4 KiB, so the kernel can cut an area where we
 * like, and does so without touching the entries of what stays (VFIO_IOMMU_UNMAP_DMA on an
 * iommufd whose IOAS has large pages turned off). Sharing makes one area of a piece, whatever
 * its size; unsharing cuts out what it needs. The native unmap knows whole areas only; it is
 * what the mode with large entries has, one area at a time, so that a failure leaves no doubt
 * about which ones are gone.
 *
 * The books (areas.h) are changed after the kernel, from room that was made before: once the
 * kernel has done something, nothing can fail. The kernel says how many bytes it unmapped. If
 * that is not what the books have, nobody knows what devices reach, and the pages are lost: no
 * later step succeeds on them, so that the conversion ends in BROKEN.
 */
#include "memory/dma.h"

#include <errno.h>
#include <stdlib.h>

#include "memory/ram.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_iommu.h"

#define PART_BYTES (512 * MIB)

int dma_new(struct dma **ret_dma)
{
	struct dma *dma = calloc(1, sizeof(*dma));

	if (!dma)
		return -ENOMEM;
	dma->iommu = -1;
	dma->part_bytes = PART_BYTES;
	pthread_mutex_init(&dma->setup, NULL);
	pthread_mutex_init(&dma->lock, NULL);
	*ret_dma = dma;
	return 0;
}

void dma_free(struct dma *dma)
{
	if (!dma)
		return;
	ASSERT(dma->n_users == 0);
	areas_free(dma->areas);
	pthread_mutex_destroy(&dma->lock);
	pthread_mutex_destroy(&dma->setup);
	free(dma);
}

bool dma_is_at(const struct guest_memory *memory, struct range gpa)
{
	return gpa.start < atomic_load_explicit(&memory->dma->mapped_end, memory_order_acquire);
}

/* The part of @gpa that devices have to do with. */
static struct range dma_clip(const struct dma *dma, struct range gpa)
{
	gpa_t end = atomic_load_explicit(&dma->mapped_end, memory_order_acquire);

	return range_intersect(gpa, (struct range){.start = 0, .end = end});
}

/* --- Books --- */

/*
 * The pages from @at on that are mapped, or not, or lost; and if they are what is @wanted, room
 * for them to change. Returns 0 or -ENOMEM.
 */
static int books_find_run(struct dma *dma, gpa_t at, gpa_t end, enum area_page wanted,
			  struct range *ret_run, enum area_page *ret_page)
{
	WITH_LOCK(&dma->lock);

	ret_run->start = at;
	ret_run->end = areas_find_end(dma->areas, at, end, ret_page);
	return *ret_page == wanted ? areas_reserve(dma->areas, *ret_run) : 0;
}

/*
 * The kernel was to unmap all of @gpa and says that it did so with its first @bytes. What it
 * unmaps before it fails are whole areas.
 */
static int books_unmapped(struct dma *dma, struct range gpa, uint64_t bytes, int ret)
{
	WITH_LOCK(&dma->lock);
	uint64_t size_bytes = range_size(gpa);
	struct range gone = {.start = gpa.start, .end = gpa.start + bytes};

	dma->stats.n_unmaps++;
	if (bytes > size_bytes || (!ret && bytes != size_bytes) ||
	    (bytes && bytes < size_bytes &&
	     (!is_aligned(bytes, GRANULE_BYTES) ||
	      areas_get(dma->areas, gone.end) != AREA_START))) {
		dma->stats.n_mismatches++;
		areas_lose(dma->areas, gpa);
		return -EIO;
	}
	if (bytes) {
		dma->stats.n_cuts += !areas_are_whole(dma->areas, gone);
		areas_remove(dma->areas, gone);
	}
	return ret;
}

static void books_mapped(struct dma *dma, struct range gpa)
{
	WITH_LOCK(&dma->lock);

	dma->stats.n_maps++;
	areas_add(dma->areas, gpa);
}

static void books_lose(struct dma *dma, struct range gpa)
{
	WITH_LOCK(&dma->lock);

	dma->stats.n_mismatches++;
	areas_lose(dma->areas, gpa);
}

/* Large entries: may all of @gpa be unmapped? */
static bool books_are_whole(struct dma *dma, struct range gpa)
{
	WITH_LOCK(&dma->lock);
	bool is_whole = areas_are_whole(dma->areas, gpa);

	dma->stats.n_refusals += !is_whole;
	return is_whole;
}

static gpa_t books_find_area_end(struct dma *dma, gpa_t gpa, gpa_t end)
{
	WITH_LOCK(&dma->lock);

	return areas_find_area_end(dma->areas, gpa, end);
}

/*
 * Do @fn to each run of @gpa that is @wanted; the others are as they should be already. Ends at
 * the first that fails or is lost.
 */
static int for_runs(struct guest_memory *memory, const struct ram *ram, struct range gpa,
		    enum area_page wanted,
		    int (*fn)(struct guest_memory *memory, const struct ram *ram,
			      struct range run))
{
	struct dma *dma = memory->dma;
	int ret = 0;

	ASSERT(range_covers(ram->gpa, gpa));
	gpa = dma_clip(dma, gpa);
	for (gpa_t at = gpa.start, end; at < gpa.end && !ret; at = end) {
		struct range run;
		enum area_page page;

		ret = books_find_run(dma, at, gpa.end, wanted, &run, &page);
		end = run.end;
		if (page == AREA_LOST)
			ret = -EIO;
		if (!ret && page == wanted)
			ret = fn(memory, ram, run);
	}
	return ret;
}

/* --- Unmapping --- */

static int unmap_areas(struct host *host, struct dma *dma, struct range gpa)
{
	int ret = 0;

	if (!books_are_whole(dma, gpa))
		return -EOPNOTSUPP;
	for (gpa_t at = gpa.start, end; at < gpa.end && !ret; at = end) {
		struct range area = {.start = at};
		uint64_t bytes = 0;

		end = area.end = books_find_area_end(dma, at, gpa.end);
		ret = host_iommu_ioas_unmap(host, dma->iommu, dma->ioas, area, &bytes);
		/* There is no such area, says the kernel. */
		if (ret == -ENOENT)
			books_lose(dma, area);
		else
			ret = books_unmapped(dma, area, bytes, ret);
	}
	return ret == -ENOENT ? -EIO : ret;
}

static int cut(struct host *host, struct dma *dma, struct range gpa)
{
	uint64_t bytes = 0;
	int ret = host_iommu_compat_unmap(host, dma->iommu, gpa, &bytes);

	return books_unmapped(dma, gpa, bytes, ret);
}

/* @gpa, all of it mapped, and with room in the books. */
static int unmap_run(struct guest_memory *memory, const struct ram *ram, struct range gpa)
{
	struct host *host = memory->host;
	struct dma *dma = memory->dma;

	(void)ram;
	return dma->mode == DMA_CUT ? cut(host, dma, gpa) : unmap_areas(host, dma, gpa);
}

int dma_unmap(struct guest_memory *memory, const struct ram *ram, struct range gpa)
{
	return for_runs(memory, ram, gpa, AREA_START, unmap_run);
}

/* --- Mapping --- */

/* @gpa, nothing of it mapped, and with room in the books. */
static int map_run(struct guest_memory *memory, const struct ram *ram, struct range gpa)
{
	struct dma *dma = memory->dma;
	char *hva = (char *)ram->hva + (gpa.start - ram->gpa.start);
	int ret = host_iommu_ioas_map(memory->host, dma->iommu, dma->ioas, hva, gpa);

	if (!ret)
		books_mapped(dma, gpa);
	/* Devices reach something there that we do not know of. */
	if (ret == -EEXIST) {
		books_lose(dma, gpa);
		ret = -EIO;
	}
	return ret;
}

int dma_map(struct guest_memory *memory, const struct ram *ram, struct range gpa)
{
	return for_runs(memory, ram, gpa, AREA_NONE, map_run);
}

/* --- Broken pages --- */

/* @gpa is lost: what the kernel has of it goes, however much that is. */
static void unmap_lost(struct host *host, struct dma *dma, struct range gpa)
{
	uint64_t bytes;
	int ret = dma->mode == DMA_CUT
			  ? host_iommu_compat_unmap(host, dma->iommu, gpa, &bytes)
			  : host_iommu_ioas_unmap(host, dma->iommu, dma->ioas, gpa, &bytes);
	WITH_LOCK(&dma->lock);

	if (!ret)
		areas_remove(dma->areas, gpa);
}

/* The part of @gpa that devices may still reach. */
static void books_count_broken(struct dma *dma, struct range gpa)
{
	WITH_LOCK(&dma->lock);

	for (gpa_t at = gpa.start, end; at < gpa.end; at = end) {
		enum area_page page;

		end = areas_find_end(dma->areas, at, gpa.end, &page);
		if (page != AREA_NONE)
			dma->stats.broken_bytes += end - at;
	}
}

void dma_expel(struct guest_memory *memory, const struct ram *ram, struct range gpa)
{
	struct dma *dma = memory->dma;

	ASSERT(range_covers(ram->gpa, gpa));
	gpa = dma_clip(dma, gpa);
	for (gpa_t at = gpa.start, end; at < gpa.end; at = end) {
		struct range run;
		enum area_page page;
		int ret = books_find_run(dma, at, gpa.end, AREA_START, &run, &page);

		if (!ret && page == AREA_START)
			ret = unmap_run(memory, ram, run);
		/* What fails can turn what was mapped into what is lost. */
		if (ret)
			books_find_run(dma, at, gpa.end, AREA_LOST, &run, &page);
		if (page == AREA_LOST)
			unmap_lost(memory->host, dma, run);
		end = run.end;
	}
	books_count_broken(dma, gpa);
}
