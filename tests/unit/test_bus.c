// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include "devices/devices.h"
#include "tests/unit/unit.h"

/* A device that remembers its last access. */
struct probe {
	uint64_t answer;
	uint64_t offset;
	uint64_t value;
	unsigned int size_bytes;
	unsigned int n_accesses;
};

static uint64_t probe_read(void *device, uint64_t offset, unsigned int size_bytes)
{
	struct probe *probe = device;

	probe->offset = offset;
	probe->size_bytes = size_bytes;
	probe->n_accesses++;
	return probe->answer;
}

static void probe_write(void *device, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct probe *probe = device;

	probe->offset = offset;
	probe->value = value;
	probe->size_bytes = size_bytes;
	probe->n_accesses++;
}

static const struct bus_ops probe_ops = {.read = probe_read, .write = probe_write};

static struct bus *make_bus(void)
{
	struct bus *bus;

	ck_assert_int_eq(bus_new(&bus), 0);
	return bus;
}

static struct range make_range(uint64_t start, uint64_t end)
{
	return (struct range){.start = start, .end = end};
}

START_TEST(test_access_reaches_owner_with_offset_and_size)
{
	struct bus *bus = make_bus();
	struct probe probe = {.answer = 0x1122334455667788};

	ck_assert_int_eq(bus_add(bus, make_range(0x1000, 0x2000), &probe_ops, &probe), 0);
	ck_assert_uint_eq(bus_read(bus, 0x1010, 8), 0x1122334455667788);
	ck_assert_uint_eq(probe.offset, 0x10);
	ck_assert_uint_eq(probe.size_bytes, 8);
	ck_assert_uint_eq(bus_read(bus, 0x1fff, 1), 0x88);
	bus_write(bus, 0x1ffe, 0xabcdef, 2);
	ck_assert_uint_eq(probe.offset, 0xffe);
	ck_assert_uint_eq(probe.value, 0xcdef);
	ck_assert_uint_eq(probe.size_bytes, 2);
	bus_free(bus);
}
END_TEST

START_TEST(test_unowned_address_reads_all_ones)
{
	struct bus *bus = make_bus();
	struct probe probe = {0};

	ck_assert_uint_eq(bus_read(bus, 0, 1), 0xff);
	ck_assert_int_eq(bus_add(bus, make_range(0x10, 0x20), &probe_ops, &probe), 0);
	ck_assert_uint_eq(bus_read(bus, 0xf, 1), 0xff);
	ck_assert_uint_eq(bus_read(bus, 0x20, 2), 0xffff);
	ck_assert_uint_eq(bus_read(bus, 0x100, 8), UINT64_MAX);
	bus_write(bus, 0x20, 0, 4);
	ck_assert_uint_eq(probe.n_accesses, 0);
	bus_free(bus);
}
END_TEST

START_TEST(test_access_across_the_end_reads_all_ones)
{
	struct bus *bus = make_bus();
	struct probe first = {0}, second = {0};

	ck_assert_int_eq(bus_add(bus, make_range(0x10, 0x20), &probe_ops, &first), 0);
	ck_assert_int_eq(bus_add(bus, make_range(0x20, 0x30), &probe_ops, &second), 0);
	ck_assert_uint_eq(bus_read(bus, 0x1e, 4), 0xffffffff);
	ck_assert_uint_eq(bus_read(bus, 0xe, 4), 0xffffffff);
	bus_write(bus, 0x2c, 0, 8);
	ck_assert_uint_eq(first.n_accesses + second.n_accesses, 0);
	bus_free(bus);
}
END_TEST

START_TEST(test_access_that_wraps_reads_all_ones)
{
	struct bus *bus = make_bus();
	struct probe probe = {0};

	ck_assert_int_eq(
		bus_add(bus, make_range(UINT64_MAX - 8, UINT64_MAX), &probe_ops, &probe), 0);
	ck_assert_uint_eq(bus_read(bus, UINT64_MAX - 1, 4), 0xffffffff);
	ck_assert_uint_eq(bus_read(bus, UINT64_MAX - 8, 8), 0);
	ck_assert_uint_eq(probe.n_accesses, 1);
	bus_free(bus);
}
END_TEST

START_TEST(test_overlap_is_refused_and_changes_nothing)
{
	struct bus *bus = make_bus();
	struct probe probe = {.answer = 7}, other = {.answer = 8};

	ck_assert_int_eq(bus_add(bus, make_range(0x10, 0x20), &probe_ops, &probe), 0);
	ck_assert_int_eq(bus_add(bus, make_range(0x10, 0x20), &probe_ops, &other), -EEXIST);
	ck_assert_int_eq(bus_add(bus, make_range(0, 0x11), &probe_ops, &other), -EEXIST);
	ck_assert_int_eq(bus_add(bus, make_range(0x1f, 0x40), &probe_ops, &other), -EEXIST);
	ck_assert_int_eq(bus_add(bus, make_range(0, 0x40), &probe_ops, &other), -EEXIST);
	ck_assert_int_eq(bus_add(bus, make_range(0x14, 0x15), &probe_ops, &other), -EEXIST);
	ck_assert_int_eq(bus_add(bus, make_range(0x30, 0x30), &probe_ops, &other), -EINVAL);
	ck_assert_uint_eq(bus_read(bus, 0x14, 1), 7);
	ck_assert_uint_eq(bus_read(bus, 0, 1), 0xff);
	bus_free(bus);
}
END_TEST

START_TEST(test_many_ranges_in_any_order_are_found)
{
	enum { N = 1000 };
	struct bus *bus = make_bus();
	static struct probe probes[N];

	/* 617 and 1000 share no factor: every slot once, out of order. */
	for (unsigned int i = 0; i < N; i++) {
		unsigned int slot = i * 617 % N;

		probes[slot].answer = slot;
		ck_assert_int_eq(bus_add(bus, make_range(slot * 16, slot * 16 + 8), &probe_ops,
					 &probes[slot]),
				 0);
	}
	for (unsigned int slot = 0; slot < N; slot++) {
		ck_assert_uint_eq(bus_read(bus, slot * 16 + 4, 4), slot);
		ck_assert_uint_eq(bus_read(bus, slot * 16 + 8, 4), 0xffffffff);
	}
	for (unsigned int slot = 0; slot < N; slot += 2)
		bus_remove(bus, slot * 16);
	for (unsigned int slot = 0; slot < N; slot++)
		ck_assert_uint_eq(bus_read(bus, slot * 16, 4), slot % 2 ? slot : 0xffffffff);
	bus_free(bus);
}
END_TEST

START_TEST(test_removed_range_reads_all_ones)
{
	struct bus *bus = make_bus();
	struct probe probe = {.answer = 1};

	ck_assert_int_eq(bus_add(bus, make_range(0x10, 0x20), &probe_ops, &probe), 0);
	bus_remove(bus, 0x10);
	ck_assert_uint_eq(bus_read(bus, 0x10, 4), 0xffffffff);
	ck_assert_uint_eq(probe.n_accesses, 0);
	ck_assert_int_eq(bus_add(bus, make_range(0x18, 0x28), &probe_ops, &probe), 0);
	ck_assert_uint_eq(bus_read(bus, 0x20, 1), 1);
	bus_free(bus);
}
END_TEST

/* A device whose register says where another device lives. */
struct mover {
	struct bus *bus;
	struct probe probe;
	uint64_t at;
};

static void mover_write(void *device, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct mover *mover = device;

	(void)offset;
	(void)size_bytes;
	bus_remove(mover->bus, mover->at);
	mover->at = value;
	ck_assert_int_eq(
		bus_add(mover->bus, make_range(value, value + 0x10), &probe_ops, &mover->probe),
		0);
}

static const struct bus_ops mover_ops = {.read = probe_read, .write = mover_write};

START_TEST(test_handler_may_move_another_range)
{
	struct mover mover = {.bus = make_bus(), .probe.answer = 5, .at = 0x100};

	ck_assert_int_eq(bus_add(mover.bus, make_range(0x100, 0x110), &probe_ops, &mover.probe),
			 0);
	ck_assert_int_eq(bus_add(mover.bus, make_range(0, 0x10), &mover_ops, &mover), 0);
	bus_write(mover.bus, 0, 0x200, 4);
	ck_assert_uint_eq(bus_read(mover.bus, 0x100, 1), 0xff);
	ck_assert_uint_eq(bus_read(mover.bus, 0x200, 1), 5);
	bus_free(mover.bus);
}
END_TEST

/* A device that is slow, and dies when it is entered after its removal. */
struct slow {
	struct bus *bus;
	atomic_uint n_inside;
	atomic_bool entered;
	atomic_bool stop;
};

static uint64_t slow_read(void *device, uint64_t offset, unsigned int size_bytes)
{
	struct slow *slow = device;

	(void)offset;
	(void)size_bytes;
	atomic_fetch_add(&slow->n_inside, 1);
	atomic_store(&slow->entered, true);
	usleep(100);
	atomic_fetch_sub(&slow->n_inside, 1);
	return 0;
}

static const struct bus_ops slow_ops = {.read = slow_read, .write = probe_write};

static void *slow_reader(void *argument)
{
	struct slow *slow = argument;

	while (!atomic_load(&slow->stop))
		bus_read(slow->bus, 0x10, 1);
	return NULL;
}

START_TEST(test_remove_waits_for_running_handlers)
{
	struct slow slow = {.bus = make_bus()};
	pthread_t readers[4];

	for (size_t i = 0; i < 4; i++)
		ck_assert_int_eq(pthread_create(&readers[i], NULL, slow_reader, &slow), 0);
	for (unsigned int round = 0; round < 200; round++) {
		atomic_store(&slow.entered, false);
		ck_assert_int_eq(bus_add(slow.bus, make_range(0x10, 0x11), &slow_ops, &slow),
				 0);
		while (!atomic_load(&slow.entered))
			usleep(10);
		bus_remove(slow.bus, 0x10);
		ck_assert_uint_eq(atomic_load(&slow.n_inside), 0);
	}
	atomic_store(&slow.stop, true);
	for (size_t i = 0; i < 4; i++)
		pthread_join(readers[i], NULL);
	bus_free(slow.bus);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_access_reaches_owner_with_offset_and_size,
		test_unowned_address_reads_all_ones,
		test_access_across_the_end_reads_all_ones,
		test_access_that_wraps_reads_all_ones,
		test_overlap_is_refused_and_changes_nothing,
		test_many_ranges_in_any_order_are_found,
		test_removed_range_reads_all_ones,
		test_handler_may_move_another_range,
		test_remove_waits_for_running_handlers,
	};

	return unit_run(unit_suite("bus", tests, ARRAY_SIZE(tests)));
}
