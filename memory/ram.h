/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of guest memory, for the files of this folder. */
#ifndef MEMORY_RAM_H
#define MEMORY_RAM_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "memory/convert.h"
#include "memory/dma.h"
#include "memory/memory.h"
#include "memory/sides.h"

/* One range of RAM, or firmware: what holds its bytes. Never changes while the VM lives. */
struct ram {
	struct range gpa;
	void *hva;	 /* of the shared side */
	int guest_memfd; /* PAIRED: the private half; else both sides */
	int shared_fd;	 /* PAIRED: memfd of the shared half; else -1 */
};

/*
 * A conversion on its way, or a part of memory that is being mapped for a first device or
 * unmapped after the last one; on its thread's stack, listed from claim to release.
 */
struct claim {
	struct range gpa;
	enum side to;
	struct claim *next;
};

/*
 * @lock guards the two lists. A range is in at most one claim. A borrow is admitted when its
 * whole range is shared and in no claim to private; a claim to private waits until no borrow
 * overlaps it. A claim to shared leaves pages alone that are shared already, so their users
 * need not care. Sides change only under a claim.
 */
struct guest_memory {
	struct host *host;
	int vm;
	enum backing backing;
	struct ram ram[LAYOUT_MEMORY_RANGES_MAX]; /* ascending */
	unsigned int n_ram;
	struct sides *sides; /* NULL: plain, all is shared for ever */
	struct dma *dma;

	pthread_mutex_t lock;
	pthread_cond_t changed; /* a borrow or a claim has ended */
	struct borrow *borrows;
	struct claim *claims;
	unsigned int n_waiting;		/* for @changed */
	atomic_uint_fast64_t n_borrows; /* of plain memory, which keeps no list */

	struct conversion_stats stats; /* under @lock, too */
	uint64_t n_conversions;
	atomic_uint n_to_time; /* not under it */
	conversion_trace_fn *trace_fn;
	void *trace;
};

/**
 * Hold claim->gpa as a conversion does: come before those that ask from now on, and wait for
 * those that have it to end. Only one thread at a time may do this.
 */
void claim_take(struct guest_memory *memory, struct claim *claim);
void claim_release(struct guest_memory *memory, struct claim *claim);

/* The RAM range that covers @gpa, or NULL. */
const struct ram *ram_find(const struct guest_memory *memory, struct range gpa);

/* Create files, mapping and memslot of one range; ram_stop is due in any case. */
int ram_start(struct guest_memory *memory, struct range gpa, struct err *err);
void ram_stop(struct guest_memory *memory, struct ram *ram);

/**
 * Put @gpa, a part of @ram, on @side as far as KVM is concerned.
 *
 * Returns 0; -EAGAIN (to private: a page is in use, the first at @ret_busy_gpa); -errno. All of
 * it changes or nothing.
 */
int ram_set(struct guest_memory *memory, const struct ram *ram, struct range gpa,
	    enum side side, gpa_t *ret_busy_gpa);

/* Does each side have memory of its own? */
static inline bool ram_has_halves(const struct ram *ram)
{
	return ram->shared_fd >= 0;
}

/* Free the memory of the half on @side; nothing to do where both sides are the same memory. */
int ram_discard(struct guest_memory *memory, const struct ram *ram, struct range gpa,
		enum side side);

/* Count one conversion that has ended. */
void conversion_stats_add(struct conversion_stats *stats,
			  const struct conversion_record *record, bool is_timed);

/* Is there anything but shared pages? */
bool ram_can_convert(const struct guest_memory *memory);

#endif
