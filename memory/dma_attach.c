// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Devices come and go while the guest converts.
 *
 * Order, each step for a reason: the IOAS; entries of 4 KiB (can only be asked of an empty
 * one); the addresses of RAM (so that a device that cannot map them is refused by the kernel);
 * the one that cuts; the device (without one nothing is pinned, and no error is seen); the
 * addresses that the IOMMU can map; and only then the memory.
 *
 * Mapping takes long: memory comes into being and is pinned. So it goes part by part, each
 * under a claim, and dma->mapped_end tells conversions how far it is. They wait for the part
 * that they have in common with it and do the rest themselves. Unmapping goes the same way
 * back.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/iommufd.h>
#include <stdlib.h>

#include "memory/ram.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_iommu.h"

/* --- Memory --- */

/* The pages from @at on that are as shared as the first. */
static gpa_t find_shared_end(const struct guest_memory *memory, gpa_t at, gpa_t end,
			     bool *ret_is_shared)
{
	enum side side;
	gpa_t run_end;

	*ret_is_shared = true;
	if (!memory->sides)
		return end;
	run_end = sides_find_end(memory->sides, at, end, &side);
	*ret_is_shared = side == SIDE_SHARED;
	return run_end;
}

static int part_map(struct guest_memory *memory, const struct ram *ram, struct range gpa,
		    struct range *ret_failed)
{
	int ret = 0;

	for (gpa_t at = gpa.start, end; at < gpa.end && !ret; at = end) {
		bool is_shared;

		end = find_shared_end(memory, at, gpa.end, &is_shared);
		*ret_failed = (struct range){.start = at, .end = end};
		if (is_shared)
			ret = dma_map(memory, ram, *ret_failed);
	}
	return ret;
}

/* Go on to the end of @gpa, which begins where dma->mapped_end is. */
static int part_add(struct guest_memory *memory, const struct ram *ram, struct range gpa,
		    struct range *ret_failed)
{
	struct dma *dma = memory->dma;
	struct claim claim = {.gpa = gpa, .to = SIDE_SHARED};
	int ret;

	claim_take(memory, &claim);
	/* It is beyond when the kernel once kept an IOAS that was to go. */
	if (dma->mapped_end < gpa.end)
		atomic_store_explicit(&dma->mapped_end, gpa.end, memory_order_release);
	ret = part_map(memory, ram, gpa, ret_failed);
	/* What cannot be taken back goes with the IOAS. */
	if (ret && !dma_unmap(memory, ram, gpa))
		atomic_store_explicit(&dma->mapped_end, gpa.start, memory_order_release);
	claim_release(memory, &claim);
	return ret;
}

/* Go back to the start of @gpa, which ends where dma->mapped_end is. */
static int part_remove(struct guest_memory *memory, const struct ram *ram, struct range gpa)
{
	struct claim claim = {.gpa = gpa, .to = SIDE_SHARED};
	int ret;

	claim_take(memory, &claim);
	ret = dma_unmap(memory, ram, gpa);
	if (!ret)
		atomic_store_explicit(&memory->dma->mapped_end, gpa.start,
				      memory_order_release);
	claim_release(memory, &claim);
	return ret;
}

/* Large entries: an area that a conversion made can lie in any two parts. */
static uint64_t part_bytes(const struct guest_memory *memory, const struct ram *ram)
{
	return memory->dma->mode == DMA_CUT ? memory->dma->part_bytes : range_size(ram->gpa);
}

static int remove_all(struct guest_memory *memory)
{
	int ret = 0;

	for (unsigned int i = memory->n_ram; i-- > 0 && !ret;) {
		const struct ram *ram = &memory->ram[i];
		uint64_t bytes = part_bytes(memory, ram);
		gpa_t end = range_intersect(ram->gpa,
					    (struct range){.end = memory->dma->mapped_end})
				    .end;

		for (gpa_t start; end > ram->gpa.start && !ret; end = start) {
			start = end - ram->gpa.start > bytes ? end - bytes : ram->gpa.start;
			ret = part_remove(memory, ram,
					  (struct range){.start = start, .end = end});
		}
	}
	return ret;
}

static int map_error(int ret, struct range gpa, struct err *err)
{
	const char *cure = "see the kernel's log";

	if (ret == -ENOMEM)
		cure = "raise RLIMIT_MEMLOCK (ulimit -l) to the size of guest memory, or free "
		       "memory of the host";
	if (ret == -EFAULT)
		cure = "the host cannot pin it: give the guest less memory";
	return err_set(err, ret,
		       "dma: cannot map %" PRIu64 " KiB of guest memory at 0x%" PRIx64
		       " for devices: %s; %s",
		       range_size(gpa) / KIB, gpa.start, err_describe(ret), cure);
}

static int map_all(struct guest_memory *memory, bool is_running, struct err *err)
{
	struct range failed = {0};
	int ret = 0;

	for (unsigned int i = 0; i < memory->n_ram && !ret; i++) {
		const struct ram *ram = &memory->ram[i];
		uint64_t bytes = is_running ? memory->dma->part_bytes : range_size(ram->gpa);

		for (gpa_t at = ram->gpa.start, end; at < ram->gpa.end && !ret; at = end) {
			end = ram->gpa.end - at > bytes ? at + bytes : ram->gpa.end;
			ret = part_add(memory, ram, (struct range){.start = at, .end = end},
				       &failed);
		}
	}
	return ret ? map_error(ret, failed, err) : 0;
}

/* --- The IOAS --- */

static int ioas_configure(struct guest_memory *memory)
{
	struct host *host = memory->host;
	struct dma *dma = memory->dma;
	struct range ram[LAYOUT_MEMORY_RANGES_MAX];
	int ret;

	for (unsigned int i = 0; i < memory->n_ram; i++)
		ram[i] = memory->ram[i].gpa;
	ret = host_iommu_set_option(host, dma->iommu, dma->ioas, IOMMU_OPTION_HUGE_PAGES,
				    dma->mode == DMA_HUGE);
	if (!ret)
		ret = host_iommu_ioas_allow_iovas(host, dma->iommu, dma->ioas, ram,
						  memory->n_ram);
	if (!ret && dma->mode == DMA_CUT)
		ret = host_iommu_compat_set_ioas(host, dma->iommu, dma->ioas);
	return ret;
}

/* Nothing is mapped any more, and nobody looks for it. */
static void forget_all(struct guest_memory *memory)
{
	struct dma *dma = memory->dma;
	WITH_LOCK(&dma->lock);

	for (unsigned int i = 0; i < memory->n_ram; i++)
		areas_remove(dma->areas, memory->ram[i].gpa);
	dma->stats.broken_bytes = 0;
	atomic_store_explicit(&dma->mapped_end, 0, memory_order_release);
	dma->has_ioas = false;
}

/*
 * Under a claim of all there is. The kernel keeps it only while a device is attached.
 *
 * @is_last: our descriptor is closed next and with that the rest goes, whatever is said here.
 */
static void ioas_stop(struct guest_memory *memory, bool is_last)
{
	struct dma *dma = memory->dma;
	struct claim claim = {.gpa = {.start = 0, .end = UINT64_MAX}, .to = SIDE_SHARED};

	claim_take(memory, &claim);
	if (!host_iommu_destroy(memory->host, dma->iommu, dma->ioas) || is_last)
		forget_all(memory);
	claim_release(memory, &claim);
}

static int ioas_start(struct guest_memory *memory, struct err *err)
{
	struct dma *dma = memory->dma;
	int ret = host_iommu_ioas_alloc(memory->host, dma->iommu, &dma->ioas);

	if (ret)
		return err_set(err, ret, "/dev/iommu: cannot make an IOAS: %s; %s",
			       err_describe(ret), "free memory of the host");
	dma->has_ioas = true;
	ret = ioas_configure(memory);
	if (ret) {
		ioas_stop(memory, true);
		return err_set(err, ret,
			       "/dev/iommu: cannot set up an IOAS for guest memory: %s; use "
			       "Linux 6.2 or newer",
			       err_describe(ret));
	}
	return 0;
}

/* --- The iommufd --- */

static int open_error(int ret, struct err *err)
{
	const char *cure = "see the kernel's log";

	if (ret == -ENOENT || ret == -ENODEV)
		cure = "load the module iommufd (CONFIG_IOMMUFD)";
	if (ret == -EACCES || ret == -EPERM)
		cure = "give the user access to it";
	return err_set(err, ret, "/dev/iommu: cannot open: %s; %s", err_describe(ret), cure);
}

static int make_areas(struct guest_memory *memory)
{
	struct dma *dma = memory->dma;
	WITH_LOCK(&dma->lock);
	struct range ranges[LAYOUT_MEMORY_RANGES_MAX];

	for (unsigned int i = 0; i < memory->n_ram; i++)
		ranges[i] = memory->ram[i].gpa;
	return dma->areas ? 0 : areas_new(ranges, memory->n_ram, &dma->areas);
}

static void close_iommu(struct guest_memory *memory)
{
	struct dma *dma = memory->dma;

	if (dma->is_own)
		host_close(memory->host, dma->iommu);
	dma->iommu = -1;
}

static int open_first(struct guest_memory *memory, enum dma_mode mode, int iommu,
		      struct err *err)
{
	struct dma *dma = memory->dma;
	int ret;

	if (make_areas(memory))
		return err_set(err, -ENOMEM, "dma: out of memory");
	dma->mode = memory->sides ? mode : DMA_HUGE;
	dma->is_own = iommu < 0;
	dma->iommu = dma->is_own ? host_iommu_open(memory->host) : iommu;
	if (dma->iommu < 0) {
		ret = dma->iommu;
		dma->iommu = -1;
		return open_error(ret, err);
	}
	ret = ioas_start(memory, err);
	if (ret)
		close_iommu(memory);
	return ret;
}

int guest_dma_open(struct guest_memory *memory, enum dma_mode mode, int iommu, struct err *err)
{
	struct dma *dma = memory->dma;
	WITH_LOCK(&dma->setup);
	int ret = dma->n_users ? 0 : open_first(memory, mode, iommu, err);

	if (ret)
		return ret;
	dma->n_users++;
	return dma->iommu;
}

void guest_dma_close(struct guest_memory *memory)
{
	struct dma *dma = memory->dma;
	WITH_LOCK(&dma->setup);

	ASSERT(dma->n_users > dma->n_devices);
	if (--dma->n_users)
		return;
	if (dma->has_ioas)
		ioas_stop(memory, true);
	close_iommu(memory);
}

/* --- Devices --- */

static void count_devices(struct dma *dma, int change)
{
	WITH_LOCK(&dma->lock);

	dma->n_devices += (unsigned int)change;
	dma->stats.n_devices = dma->n_devices;
}

static int attach_error(int ret, struct err *err)
{
	const char *cure = "see the kernel's log";

	if (ret == -EADDRINUSE)
		cure = "the device or its IOMMU cannot use the addresses of guest memory: give "
		       "the guest less memory, or leave the device out";
	if (ret == -EBUSY)
		cure = "another device of its group is in use or being reset: try again";
	if (ret == -ENOMEM)
		cure = "raise RLIMIT_MEMLOCK (ulimit -l) to the size of guest memory, or free "
		       "memory of the host";
	return err_set(err, ret, "dma: cannot attach the device to guest memory: %s; %s",
		       err_describe(ret), cure);
}

/* Is all RAM within @iovas? */
static int check_covered(const struct guest_memory *memory, const struct range *iovas, size_t n,
			 struct err *err)
{
	for (unsigned int i = 0; i < memory->n_ram; i++) {
		bool is_covered = false;

		for (size_t j = 0; j < n; j++)
			is_covered = is_covered || range_covers(iovas[j], memory->ram[i].gpa);
		if (!is_covered)
			return err_set(err, -ERANGE,
				       "dma: the device's IOMMU cannot map all of guest memory "
				       "at 0x%" PRIx64 "..0x%" PRIx64
				       "; give the guest less memory",
				       memory->ram[i].gpa.start, memory->ram[i].gpa.end);
	}
	return 0;
}

/* With room for @n ranges, which then is how many there are. */
static int check_iovas_in(const struct guest_memory *memory, size_t *n, struct err *err)
{
	const struct dma *dma = memory->dma;
	_cleanup_free_ struct range *iovas = calloc(*n + 1, sizeof(iovas[0]));
	uint64_t alignment;
	int ret;

	if (!iovas)
		return err_set(err, -ENOMEM, "dma: out of memory");
	ret = host_iommu_ioas_get_iova_ranges(memory->host, dma->iommu, dma->ioas, iovas, n,
					      &alignment);
	if (ret)
		return err_set(err, ret, "dma: cannot ask for the IOMMU's addresses: %s",
			       err_describe(ret));
	if (alignment > GRANULE_BYTES)
		return err_set(err, -ERANGE,
			       "dma: pages of the device's IOMMU have %" PRIu64
			       " KiB; only 4 KiB will do: leave the device out",
			       alignment / KIB);
	return check_covered(memory, iovas, *n, err);
}

/* Most have two; if there are more, they are not going to be more still. */
static int check_iovas(const struct guest_memory *memory, struct err *err)
{
	struct err first = {0};
	size_t n = 64;
	int ret = check_iovas_in(memory, &n, &first);

	if (ret == -EMSGSIZE)
		return check_iovas_in(memory, &n, err);
	return ret ? err_set(err, ret, "%s", first.text) : 0;
}

/* With nobody attached: nothing stays mapped or pinned. */
static void leave(struct guest_memory *memory)
{
	/* A failure is of no matter: the IOAS takes all with it. */
	remove_all(memory);
	ioas_stop(memory, false);
}

int guest_dma_attach(struct guest_memory *memory, int device, bool is_running, struct err *err)
{
	struct dma *dma = memory->dma;
	WITH_LOCK(&dma->setup);
	int ret = 0;

	ASSERT(dma->n_users > dma->n_devices);
	if (!dma->has_ioas)
		ret = ioas_start(memory, err);
	if (ret)
		return ret;
	ret = host_device_attach_ioas(memory->host, device, dma->ioas);
	if (ret)
		return attach_error(ret, err);
	ret = check_iovas(memory, err);
	if (!ret && !dma->n_devices)
		ret = map_all(memory, is_running, err);
	if (ret) {
		host_device_detach_ioas(memory->host, device);
		if (!dma->n_devices)
			leave(memory);
		return ret;
	}
	count_devices(dma, 1);
	return 0;
}

int guest_dma_detach(struct guest_memory *memory, int device)
{
	struct dma *dma = memory->dma;
	WITH_LOCK(&dma->setup);
	int ret;

	ASSERT(dma->n_devices);
	/* Part by part while it is attached: at once, conversions would wait for all of it. */
	if (dma->n_devices == 1)
		remove_all(memory);
	ret = host_device_detach_ioas(memory->host, device);
	count_devices(dma, -1);
	if (!dma->n_devices)
		leave(memory);
	return ret;
}

struct dma_stats guest_get_dma_stats(struct guest_memory *memory)
{
	struct dma *dma = memory->dma;
	WITH_LOCK(&dma->lock);
	struct dma_stats stats = dma->stats;

	if (dma->areas) {
		stats.n_areas = areas_count(dma->areas);
		stats.mapped_bytes = areas_count_mapped_bytes(dma->areas);
	}
	return stats;
}
