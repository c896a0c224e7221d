/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of guest memory devices reach, for the conversion engine. */
#ifndef MEMORY_DMA_H
#define MEMORY_DMA_H

#include <pthread.h>
#include <stdatomic.h>

#include "memory/areas.h"
#include "memory/memory.h"

struct ram;

/*
 * Conversions look at @mapped_end first: below it, what is shared is mapped; above, nothing is.
 * It moves only under a claim of all that it passes, so it stands still for who has a claim.
 *
 * @setup is taken before a claim, @lock by who has one, and only around changes of the books.
 */
struct dma {
	pthread_mutex_t setup; /* one at a time: open, attach, detach, close */
	unsigned int n_users;
	unsigned int n_devices;
	enum dma_mode mode;
	int iommu; /* -1: not open */
	bool is_own;
	bool has_ioas;
	uint32_t ioas;
	_Atomic gpa_t mapped_end;
	uint64_t part_bytes; /* what a vCPU that runs has to wait for at most */

	pthread_mutex_t lock;
	struct areas *areas;
	struct dma_stats stats;
};

/* Nothing is mapped and the kernel was not asked for anything. Returns 0 or -ENOMEM. */
int dma_new(struct dma **ret_dma);

/* After every guest_dma_close. Accepts NULL. */
void dma_free(struct dma *dma);

/*
 * The rest is called under a claim of @gpa, which lies in @ram.
 */

/* Is some of @gpa where devices reach what is shared? With no device that is nowhere. */
bool dma_is_at(const struct guest_memory *memory, struct range gpa);

/**
 * Take pages away from devices. Their neighbours stay mapped without a break.
 *
 * Returns 0; -ENOMEM, -EBUSY, -errno (the kernel refuses); -EOPNOTSUPP (large pages: @gpa cuts
 * an area); -EIO (the kernel unmapped something else than was mapped: from then on it is not
 * known what is). Pages from the start on may be gone on error; dma_map brings them back.
 */
int dma_unmap(struct guest_memory *memory, const struct ram *ram, struct range gpa);

/**
 * Give devices what they do not have of @gpa, all of it shared: one area for each piece.
 *
 * Returns 0; -ENOMEM (also for RLIMIT_MEMLOCK), -EFAULT, -errno, with some pieces mapped; -EIO
 * (what is mapped there is not known).
 */
int dma_map(struct guest_memory *memory, const struct ram *ram, struct range gpa);

/**
 * @gpa is broken: try to take it from devices, whatever they have of it. What cannot be taken
 * is counted (guest_get_dma_stats) until the last device is detached, which takes it for
 * certain. That is no leak: what is pinned does not turn private in place, and of a pair it is
 * the shared half that is mapped.
 */
void dma_expel(struct guest_memory *memory, const struct ram *ram, struct range gpa);

#endif
