// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A bus: a sorted array of disjoint ranges.
 *
 * Lookups hold the lock for one binary search and leave with a reference, so handlers run
 * unlocked and may change the bus. The array owns one reference of each entry; bus_remove gives
 * it up and waits for the last user to give up his.
 */
#include "devices/devices.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

struct bus_entry {
	struct range range;
	const struct bus_ops *ops;
	void *device;
	atomic_uint n_references;
	bool unused; /* guarded by bus->unused_lock; the last thing a user touches */
};

/* Lock order: @lock and @unused_lock are never held together, nor while a handler runs. */
struct bus {
	pthread_rwlock_t lock; /* guards the array, not the entries */
	struct bus_entry **entries;
	size_t n_entries;
	size_t n_allocated;
	pthread_mutex_t unused_lock;
	pthread_cond_t unused_changed;
};

int bus_new(struct bus **ret_bus)
{
	struct bus *bus = calloc(1, sizeof(*bus));
	pthread_rwlockattr_t attr;

	if (!bus)
		return -ENOMEM;

	/* Readers come from every vCPU without a pause: a writer must not starve. */
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&bus->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	pthread_mutex_init(&bus->unused_lock, NULL);
	pthread_cond_init(&bus->unused_changed, NULL);
	*ret_bus = bus;
	return 0;
}

void bus_free(struct bus *bus)
{
	if (!bus)
		return;

	for (size_t i = 0; i < bus->n_entries; i++)
		free(bus->entries[i]);
	free(bus->entries);
	pthread_cond_destroy(&bus->unused_changed);
	pthread_mutex_destroy(&bus->unused_lock);
	pthread_rwlock_destroy(&bus->lock);
	free(bus);
}

/* The index of the first entry that ends beyond @address; n_entries when there is none. */
static size_t bus_find_locked(const struct bus *bus, uint64_t address)
{
	size_t first = 0;
	size_t end = bus->n_entries;

	while (first < end) {
		size_t middle = first + (end - first) / 2;

		if (bus->entries[middle]->range.end <= address)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

static int bus_reserve_locked(struct bus *bus)
{
	size_t n_allocated = bus->n_allocated ? 2 * bus->n_allocated : 16;
	struct bus_entry **entries;

	if (bus->n_entries < bus->n_allocated)
		return 0;

	entries = reallocarray(bus->entries, n_allocated, sizeof(struct bus_entry *));
	if (!entries)
		return -ENOMEM;
	bus->entries = entries;
	bus->n_allocated = n_allocated;
	return 0;
}

static int bus_insert_locked(struct bus *bus, struct bus_entry *entry)
{
	size_t at = bus_find_locked(bus, entry->range.start);
	int err;

	if (at < bus->n_entries && range_overlaps(bus->entries[at]->range, entry->range))
		return -EEXIST;
	err = bus_reserve_locked(bus);
	if (err)
		return err;

	memmove(bus->entries + at + 1, bus->entries + at,
		(bus->n_entries - at) * sizeof(struct bus_entry *));
	bus->entries[at] = entry;
	bus->n_entries++;
	return 0;
}

int bus_add(struct bus *bus, struct range range, const struct bus_ops *ops, void *device)
{
	struct bus_entry *entry;
	int err;

	if (range_is_empty(range))
		return -EINVAL;
	entry = malloc(sizeof(*entry));
	if (!entry)
		return -ENOMEM;
	*entry = (struct bus_entry){
		.range = range,
		.ops = ops,
		.device = device,
		.n_references = 1,
	};

	pthread_rwlock_wrlock(&bus->lock);
	err = bus_insert_locked(bus, entry);
	pthread_rwlock_unlock(&bus->lock);
	if (err)
		free(entry);
	return err;
}

static void bus_put_entry(struct bus *bus, struct bus_entry *entry)
{
	if (atomic_fetch_sub(&entry->n_references, 1) != 1)
		return;

	WITH_LOCK(&bus->unused_lock);
	entry->unused = true;
	pthread_cond_broadcast(&bus->unused_changed);
}

static struct bus_entry *bus_take_entry(struct bus *bus, uint64_t start)
{
	struct bus_entry *entry;
	size_t at;

	pthread_rwlock_wrlock(&bus->lock);
	at = bus_find_locked(bus, start);
	ASSERT(at < bus->n_entries);
	entry = bus->entries[at];
	ASSERT(entry->range.start == start);
	bus->n_entries--;
	memmove(bus->entries + at, bus->entries + at + 1,
		(bus->n_entries - at) * sizeof(struct bus_entry *));
	pthread_rwlock_unlock(&bus->lock);
	return entry;
}

void bus_remove(struct bus *bus, uint64_t start)
{
	_cleanup_free_ struct bus_entry *entry = bus_take_entry(bus, start);

	bus_put_entry(bus, entry);

	WITH_LOCK(&bus->unused_lock);
	while (!entry->unused)
		pthread_cond_wait(&bus->unused_changed, &bus->unused_lock);
}

/* The entry that holds all of the access, with a reference; NULL when there is none. */
static struct bus_entry *bus_get_entry(struct bus *bus, uint64_t address,
				       unsigned int size_bytes)
{
	struct bus_entry *entry = NULL;
	struct range access;
	size_t at;

	if (!range_init(&access, address, size_bytes))
		return NULL;

	pthread_rwlock_rdlock(&bus->lock);
	at = bus_find_locked(bus, address);
	if (at < bus->n_entries && range_covers(bus->entries[at]->range, access)) {
		entry = bus->entries[at];
		atomic_fetch_add(&entry->n_references, 1);
	}
	pthread_rwlock_unlock(&bus->lock);
	return entry;
}

static uint64_t all_ones(unsigned int size_bytes)
{
	ASSERT(size_bytes >= 1 && size_bytes <= 8);
	return UINT64_MAX >> (64 - 8 * size_bytes);
}

uint64_t bus_read(struct bus *bus, uint64_t address, unsigned int size_bytes)
{
	struct bus_entry *entry = bus_get_entry(bus, address, size_bytes);
	uint64_t value = UINT64_MAX;

	if (entry) {
		value = entry->ops->read(entry->device, address - entry->range.start,
					 size_bytes);
		bus_put_entry(bus, entry);
	}
	return value & all_ones(size_bytes);
}

void bus_write(struct bus *bus, uint64_t address, uint64_t value, unsigned int size_bytes)
{
	struct bus_entry *entry = bus_get_entry(bus, address, size_bytes);

	if (!entry)
		return;
	entry->ops->write(entry->device, address - entry->range.start,
			  value & all_ones(size_bytes), size_bytes);
	bus_put_entry(bus, entry);
}
