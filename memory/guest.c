// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Access to guest memory: copies and borrows, and who is using what.
 *
 * Memory that never converts is looked up without a lock. Otherwise every access is a borrow,
 * if only for the length of a copy: it is admitted when its range is shared and nobody is
 * making it private, and a conversion to private waits for it. So a page cannot turn private
 * under a copy or under an I/O request, and nothing here waits for a conversion, which could be
 * waiting for the caller.
 */
#include "memory/memory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/ram.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host.h"

int guest_memory_new(struct host *host, int vm, const struct layout *layout,
		     enum backing backing, struct guest_memory **ret_memory, struct err *err)
{
	struct guest_memory *memory = calloc(1, sizeof(*memory));
	struct range ranges[LAYOUT_MEMORY_RANGES_MAX];
	unsigned int n_ranges = layout_list_memory(layout, ranges);
	pthread_condattr_t monotonic;
	int ret = 0;

	if (!memory)
		return err_set(err, -ENOMEM, "memory: out of memory");
	memory->host = host;
	memory->vm = vm;
	memory->backing = backing;
	pthread_mutex_init(&memory->lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&memory->changed, &monotonic);
	pthread_condattr_destroy(&monotonic);

	ret = dma_new(&memory->dma);
	if (!ret && ram_can_convert(memory))
		ret = sides_new(ranges, n_ranges, SIDE_SHARED, &memory->sides);
	if (ret)
		err_set(err, ret, "memory: out of memory");
	for (unsigned int i = 0; i < n_ranges && !ret; i++)
		ret = ram_start(memory, ranges[i], err);
	if (ret) {
		guest_memory_free(memory);
		return ret;
	}
	*ret_memory = memory;
	return 0;
}

void guest_memory_free(struct guest_memory *memory)
{
	if (!memory)
		return;
	ASSERT(memory->n_borrows == 0);
	ASSERT(!memory->claims);
	for (unsigned int i = 0; i < memory->n_ram; i++)
		ram_stop(memory, &memory->ram[i]);
	dma_free(memory->dma);
	sides_free(memory->sides);
	pthread_cond_destroy(&memory->changed);
	pthread_mutex_destroy(&memory->lock);
	free(memory);
}

/* Another claim than @own of some of its range. Called with the lock. */
static bool has_rival(const struct guest_memory *memory, const struct claim *own)
{
	for (const struct claim *claim = memory->claims; claim; claim = claim->next) {
		if (claim != own && range_overlaps(claim->gpa, own->gpa))
			return true;
	}
	return false;
}

/* Every conversion ends within its bounds, so this does. */
void claim_take(struct guest_memory *memory, struct claim *claim)
{
	WITH_LOCK(&memory->lock);

	claim->next = memory->claims;
	memory->claims = claim;
	memory->n_waiting++;
	while (has_rival(memory, claim))
		pthread_cond_wait(&memory->changed, &memory->lock);
	memory->n_waiting--;
}

void claim_release(struct guest_memory *memory, struct claim *claim)
{
	WITH_LOCK(&memory->lock);
	struct claim **link = &memory->claims;

	while (*link != claim)
		link = &(*link)->next;
	*link = claim->next;
	if (memory->n_waiting)
		pthread_cond_broadcast(&memory->changed);
}

static bool range_is_shared(const struct guest_memory *memory, struct range gpa)
{
	enum side side;
	struct range pages = {.start = align_down(gpa.start, GRANULE_BYTES),
			      .end = align_up(gpa.end, GRANULE_BYTES)};

	return sides_find_end(memory->sides, pages.start, pages.end, &side) == pages.end &&
	       side == SIDE_SHARED;
}

/* Is a conversion to private on its way, or waiting, for any of @gpa? */
static bool is_turning_private_locked(const struct guest_memory *memory, struct range gpa)
{
	for (const struct claim *claim = memory->claims; claim; claim = claim->next) {
		if (claim->to == SIDE_PRIVATE && range_overlaps(claim->gpa, gpa))
			return true;
	}
	return false;
}

static int borrow_admit(struct guest_memory *memory, struct borrow *borrow)
{
	WITH_LOCK(&memory->lock);

	if (is_turning_private_locked(memory, borrow->gpa))
		return -EBUSY;
	if (!range_is_shared(memory, borrow->gpa))
		return -EFAULT;
	borrow->next = memory->borrows;
	borrow->link = &memory->borrows;
	if (borrow->next)
		borrow->next->link = &borrow->next;
	memory->borrows = borrow;
	return 0;
}

static void borrow_remove(struct guest_memory *memory, struct borrow *borrow)
{
	WITH_LOCK(&memory->lock);

	ASSERT(borrow->link);
	*borrow->link = borrow->next;
	if (borrow->next)
		borrow->next->link = borrow->link;
	/* All others wait for claims; a copy of a few bytes is not to wake them. */
	if (memory->n_waiting && is_turning_private_locked(memory, borrow->gpa))
		pthread_cond_broadcast(&memory->changed);
}

int guest_borrow(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
		 struct borrow *borrow, struct iovec *ret_iov)
{
	const struct ram *ram;
	struct range wanted;
	int ret = 0;

	if (!size_bytes || !range_init(&wanted, gpa, size_bytes))
		return -EFAULT;
	ram = ram_find(memory, wanted);
	if (!ram)
		return -EFAULT;
	*borrow = (struct borrow){.gpa = wanted};
	if (memory->sides)
		ret = borrow_admit(memory, borrow);
	if (ret)
		return ret;
	atomic_fetch_add_explicit(&memory->n_borrows, 1, memory_order_relaxed);
	*ret_iov = (struct iovec){.iov_base = (char *)ram->hva + (gpa - ram->gpa.start),
				  .iov_len = size_bytes};
	return 0;
}

void guest_return(struct guest_memory *memory, struct borrow *borrow)
{
	uint64_t n_borrows;

	ASSERT(!range_is_empty(borrow->gpa));
	if (memory->sides)
		borrow_remove(memory, borrow);
	n_borrows = atomic_fetch_sub_explicit(&memory->n_borrows, 1, memory_order_relaxed);
	ASSERT(n_borrows != 0);
	*borrow = (struct borrow){0};
}

/* A borrow for the length of a copy: what is being converted is no memory to copy from or to.
 */
static int access_begin(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
			struct borrow *borrow, void **ret_hva)
{
	struct iovec iov = {0};

	if (size_bytes && guest_borrow(memory, gpa, size_bytes, borrow, &iov))
		return -EFAULT;
	*ret_hva = iov.iov_base;
	return 0;
}

static void access_end(struct guest_memory *memory, struct borrow *borrow)
{
	if (!range_is_empty(borrow->gpa))
		guest_return(memory, borrow);
}

int guest_read(struct guest_memory *memory, gpa_t gpa, void *buffer, size_t size_bytes)
{
	struct borrow borrow = {0};
	void *hva;

	if (access_begin(memory, gpa, size_bytes, &borrow, &hva))
		return -EFAULT;
	if (size_bytes)
		memcpy(buffer, hva, size_bytes);
	access_end(memory, &borrow);
	return 0;
}

int guest_write(struct guest_memory *memory, gpa_t gpa, const void *buffer, size_t size_bytes)
{
	struct borrow borrow = {0};
	void *hva;

	if (access_begin(memory, gpa, size_bytes, &borrow, &hva))
		return -EFAULT;
	if (size_bytes)
		memcpy(hva, buffer, size_bytes);
	access_end(memory, &borrow);
	return 0;
}

int guest_zero(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes)
{
	struct borrow borrow = {0};
	void *hva;

	if (access_begin(memory, gpa, size_bytes, &borrow, &hva))
		return -EFAULT;
	if (size_bytes)
		memset(hva, 0, size_bytes);
	access_end(memory, &borrow);
	return 0;
}

int guest_load_u16(struct guest_memory *memory, gpa_t gpa, uint16_t *ret_value)
{
	struct borrow borrow = {0};
	void *hva;

	if (!is_aligned(gpa, sizeof(uint16_t)) ||
	    access_begin(memory, gpa, sizeof(uint16_t), &borrow, &hva))
		return -EFAULT;
	*ret_value = __atomic_load_n((const uint16_t *)hva, __ATOMIC_ACQUIRE);
	access_end(memory, &borrow);
	return 0;
}

int guest_store_u16(struct guest_memory *memory, gpa_t gpa, uint16_t value)
{
	struct borrow borrow = {0};
	void *hva;

	if (!is_aligned(gpa, sizeof(uint16_t)) ||
	    access_begin(memory, gpa, sizeof(uint16_t), &borrow, &hva))
		return -EFAULT;
	__atomic_store_n((uint16_t *)hva, value, __ATOMIC_RELEASE);
	access_end(memory, &borrow);
	return 0;
}

int guest_read_file(struct guest_memory *memory, gpa_t gpa, int fd, off_t offset,
		    uint64_t size_bytes)
{
	struct borrow borrow = {0};
	void *start;
	char *hva;
	int ret = 0;

	if (access_begin(memory, gpa, size_bytes, &borrow, &start))
		return -EFAULT;
	for (hva = start; size_bytes && !ret;) {
		ssize_t got = pread(fd, hva, size_bytes, offset);

		if (got > 0) {
			hva += got;
			offset += got;
			size_bytes -= (uint64_t)got;
		} else if (got == 0) {
			ret = -ENODATA;
		} else if (errno != EINTR) {
			ret = -errno;
		}
	}
	access_end(memory, &borrow);
	return ret;
}

enum side guest_get_side(const struct guest_memory *memory, gpa_t gpa)
{
	struct range page = {.start = gpa, .end = gpa + 1};

	if (!memory->sides || gpa == UINT64_MAX || !ram_find(memory, page))
		return SIDE_SHARED;
	return sides_get(memory->sides, gpa);
}
