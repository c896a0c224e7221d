// SPDX-License-Identifier: GPL-2.0-or-later
#include "devices/virtio.h"

#include <linux/kvm.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "tests/fake/ring.h"
#include "tests/unit/unit.h"
#include "vmm/host.h"

enum {
	RING_GPA = 0x10000,
	TABLE_GPA = 0x20000,
	DATA_GPA = 0x30000,
	SIZE = 8,
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
	INDIRECT = VRING_DESC_F_INDIRECT,
};

#define EVENT_IDX (UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX)
#define TABLES	  (UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC)

static struct fake *fake;
static int vm;
static struct guest_memory *memory;
static struct fake_ring ring;
static struct virtq virtq;
static struct virtq_chain chain;

static void setup(void)
{
	struct layout layout;

	fake = fake_new();
	vm = host_vm_create(fake_host(fake), KVM_X86_DEFAULT_VM);
	ck_assert_int_eq(layout_init(&layout, 16 * MIB, 40, NULL), 0);
	ck_assert_int_eq(guest_memory_new(fake_host(fake), vm, &layout, &memory, NULL), 0);
	fake_ring_init(&ring, memory, RING_GPA, SIZE);
}

static void teardown(void)
{
	guest_memory_free(memory);
	host_close(fake_host(fake), vm);
	fake_free(fake);
}

static void start(uint64_t features)
{
	const struct virtq_place place = {
		.size = ring.size,
		.desc_gpa = ring.desc_gpa,
		.avail_gpa = ring.avail_gpa,
		.used_gpa = ring.used_gpa,
	};

	virtq_init(&virtq, memory, &place, features);
}

static void desc(uint16_t index, gpa_t gpa, uint32_t size_bytes, uint16_t flags, uint16_t next)
{
	fake_ring_set_desc(&ring, ring.desc_gpa, index, gpa, size_bytes, flags, next);
}

static void table_entry(uint16_t index, gpa_t gpa, uint32_t size_bytes, uint16_t flags,
			uint16_t next)
{
	fake_ring_set_desc(&ring, TABLE_GPA, index, gpa, size_bytes, flags, next);
}

/* Offer @head; the device must find that the ring is broken, and stay away from it. */
static void assert_breaks(uint16_t head)
{
	uint32_t used_head, written_bytes;

	fake_ring_offer(&ring, head);
	ck_assert(!virtq_pop(&virtq, &chain));
	ck_assert(virtq.broken);
	ck_assert_uint_eq(virtq.n_taken, 0);
	ck_assert(!virtq_pop(&virtq, &chain));
	ck_assert(!virtq_arm(&virtq));
	ck_assert(!virtq_publish(&virtq));
	ck_assert(!fake_ring_take(&ring, &used_head, &written_bytes));
}

START_TEST(test_chain_is_split_into_readable_and_writable)
{
	start(0);
	desc(3, DATA_GPA, 16, NEXT, 5);
	desc(5, DATA_GPA + 0x100, 32, NEXT, 0);
	desc(0, DATA_GPA + 0x200, 64, NEXT | WRITE, 7);
	desc(7, DATA_GPA + 0x300, 1, WRITE, 9);
	ck_assert(!virtq_pop(&virtq, &chain));
	fake_ring_offer(&ring, 3);
	ck_assert(virtq_pop(&virtq, &chain));
	ck_assert_uint_eq(chain.head, 3);
	ck_assert_uint_eq(chain.n_segments, 4);
	ck_assert_uint_eq(chain.n_readable, 2);
	ck_assert_uint_eq(chain.readable_bytes, 48);
	ck_assert_uint_eq(chain.writable_bytes, 65);
	ck_assert_uint_eq(chain_writable(&chain)[1].gpa, DATA_GPA + 0x300);
	ck_assert(!virtq_pop(&virtq, &chain));
	ck_assert(!virtq.broken);
}
END_TEST

START_TEST(test_used_chains_appear_at_once_when_published)
{
	uint32_t head, written_bytes;

	start(0);
	desc(0, DATA_GPA, 16, WRITE, 0);
	desc(1, DATA_GPA, 16, WRITE, 0);
	fake_ring_offer(&ring, 0);
	fake_ring_offer(&ring, 1);
	ck_assert(virtq_pop(&virtq, &chain));
	ck_assert(virtq_pop(&virtq, &chain));
	virtq_push(&virtq, 1, 7);
	virtq_push(&virtq, 0, 9);
	ck_assert(!fake_ring_take(&ring, &head, &written_bytes));
	ck_assert(virtq_publish(&virtq));
	ck_assert(fake_ring_take(&ring, &head, &written_bytes));
	ck_assert_uint_eq(head, 1);
	ck_assert_uint_eq(written_bytes, 7);
	ck_assert(fake_ring_take(&ring, &head, &written_bytes));
	ck_assert_uint_eq(head, 0);
	ck_assert_uint_eq(written_bytes, 9);
	ck_assert(!fake_ring_take(&ring, &head, &written_bytes));
	/* Nothing new: no interrupt. */
	ck_assert(!virtq_publish(&virtq));
}
END_TEST

START_TEST(test_indices_wrap_around)
{
	uint32_t head, written_bytes;

	start(EVENT_IDX);
	for (uint32_t i = 0; i < 70000; i++) {
		uint16_t slot = (uint16_t)(i * 5 % SIZE);

		fake_ring_set_used_event(&ring, (uint16_t)i);
		desc(slot, DATA_GPA, 4, WRITE, 0);
		fake_ring_offer(&ring, slot);
		ck_assert(virtq_pop(&virtq, &chain));
		virtq_push(&virtq, chain.head, i);
		ck_assert(virtq_publish(&virtq));
		ck_assert(fake_ring_take(&ring, &head, &written_bytes));
		ck_assert_uint_eq(head, slot);
		ck_assert_uint_eq(written_bytes, i);
	}
}
END_TEST

START_TEST(test_chain_put_back_is_popped_again)
{
	start(0);
	desc(2, DATA_GPA, 16, 0, 0);
	fake_ring_offer(&ring, 2);
	ck_assert(virtq_pop(&virtq, &chain));
	virtq_unpop(&virtq, 2);
	ck_assert_uint_eq(virtq.n_taken, 0);
	chain.head = 0;
	ck_assert(virtq_pop(&virtq, &chain));
	ck_assert_uint_eq(chain.head, 2);
}
END_TEST

START_TEST(test_dropped_chain_is_not_used)
{
	uint32_t head, written_bytes;

	start(0);
	desc(2, DATA_GPA, 16, 0, 0);
	fake_ring_offer(&ring, 2);
	ck_assert(virtq_pop(&virtq, &chain));
	virtq_drop(&virtq, 2);
	ck_assert(!virtq_publish(&virtq));
	ck_assert(!fake_ring_take(&ring, &head, &written_bytes));
	ck_assert_uint_eq(virtq.n_taken, 0);
}
END_TEST

START_TEST(test_flags_silence_interrupts_and_notifications)
{
	start(0);
	virtq_disarm(&virtq);
	ck_assert_uint_eq(fake_ring_get_flags(&ring), VRING_USED_F_NO_NOTIFY);
	ck_assert(!virtq_arm(&virtq));
	ck_assert_uint_eq(fake_ring_get_flags(&ring), 0);

	desc(0, DATA_GPA, 16, 0, 0);
	fake_ring_offer(&ring, 0);
	ck_assert(virtq_arm(&virtq));
	ck_assert(virtq_pop(&virtq, &chain));
	virtq_push(&virtq, 0, 0);
	fake_ring_set_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
	ck_assert(!virtq_publish(&virtq));
}
END_TEST

START_TEST(test_event_index_asks_for_one_interrupt)
{
	start(EVENT_IDX);
	for (uint16_t i = 0; i < 4; i++) {
		desc(i, DATA_GPA, 16, 0, 0);
		fake_ring_offer(&ring, i);
		ck_assert(virtq_pop(&virtq, &chain));
	}
	/* The flag means nothing then. */
	fake_ring_set_flags(&ring, VRING_AVAIL_F_NO_INTERRUPT);
	fake_ring_set_used_event(&ring, 1);
	virtq_push(&virtq, 0, 0);
	ck_assert(!virtq_publish(&virtq));
	virtq_push(&virtq, 1, 0);
	virtq_push(&virtq, 2, 0);
	ck_assert(virtq_publish(&virtq));
	virtq_push(&virtq, 3, 0);
	ck_assert(!virtq_publish(&virtq));
}
END_TEST

START_TEST(test_event_index_asks_for_the_next_notification)
{
	start(EVENT_IDX);
	for (uint16_t i = 0; i < 3; i++) {
		desc(i, DATA_GPA, 16, 0, 0);
		fake_ring_offer(&ring, i);
		ck_assert(virtq_pop(&virtq, &chain));
	}
	virtq_disarm(&virtq);
	ck_assert_uint_eq(fake_ring_get_flags(&ring), 0);
	ck_assert_uint_eq(fake_ring_get_avail_event(&ring), 0);
	ck_assert(!virtq_arm(&virtq));
	ck_assert_uint_eq(fake_ring_get_avail_event(&ring), 3);
}
END_TEST

START_TEST(test_indirect_table_is_followed)
{
	start(TABLES);
	desc(0, DATA_GPA, 16, NEXT, 1);
	/* A write flag on the descriptor of a table means nothing. */
	desc(1, TABLE_GPA, 4 * sizeof(struct vring_desc), INDIRECT | WRITE, 0);
	table_entry(0, DATA_GPA + 0x100, 8, NEXT, 3);
	table_entry(3, DATA_GPA + 0x200, 4, WRITE, 0);
	fake_ring_offer(&ring, 0);
	ck_assert(virtq_pop(&virtq, &chain));
	ck_assert_uint_eq(chain.n_readable, 2);
	ck_assert_uint_eq(chain.n_segments, 3);
	ck_assert_uint_eq(chain.segments[2].gpa, DATA_GPA + 0x200);
}
END_TEST

START_TEST(test_empty_descriptors_are_skipped)
{
	start(0);
	desc(0, UINT64_MAX, 0, NEXT, 1);
	desc(1, DATA_GPA, 4, NEXT, 2);
	desc(2, DATA_GPA, 0, WRITE, 0);
	fake_ring_offer(&ring, 0);
	ck_assert(virtq_pop(&virtq, &chain));
	ck_assert_uint_eq(chain.n_segments, 1);
	ck_assert_uint_eq(chain.writable_bytes, 0);
}
END_TEST

START_TEST(test_head_beyond_the_ring_breaks_it)
{
	start(0);
	assert_breaks(SIZE);
}
END_TEST

START_TEST(test_head_in_use_breaks_the_ring)
{
	start(0);
	desc(0, DATA_GPA, 16, 0, 0);
	fake_ring_offer(&ring, 0);
	ck_assert(virtq_pop(&virtq, &chain));
	fake_ring_offer(&ring, 0);
	ck_assert(!virtq_pop(&virtq, &chain));
	ck_assert(virtq.broken);
	/* What is under way can still be given back; the ring is left alone. */
	virtq_push(&virtq, 0, 1);
	ck_assert_uint_eq(virtq.n_taken, 0);
	ck_assert_uint_eq(virtq.used_next, 0);
}
END_TEST

START_TEST(test_more_chains_than_entries_break_the_ring)
{
	start(0);
	for (uint16_t i = 0; i < SIZE; i++) {
		desc(i, DATA_GPA, 16, 0, 0);
		fake_ring_offer(&ring, i);
	}
	assert_breaks(0);
}
END_TEST

START_TEST(test_loop_breaks_the_ring)
{
	start(0);
	desc(0, DATA_GPA, 16, NEXT, 1);
	desc(1, DATA_GPA, 16, NEXT, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_loop_of_empty_descriptors_breaks_the_ring)
{
	start(0);
	desc(0, DATA_GPA, 0, NEXT, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_loop_in_a_table_breaks_the_ring)
{
	start(TABLES);
	desc(0, TABLE_GPA, 2 * sizeof(struct vring_desc), INDIRECT, 0);
	table_entry(0, DATA_GPA, 1, NEXT, 1);
	table_entry(1, DATA_GPA, 1, NEXT, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_next_beyond_the_table_breaks_the_ring)
{
	start(0);
	desc(0, DATA_GPA, 16, NEXT, SIZE);
	assert_breaks(0);
}
END_TEST

START_TEST(test_readable_behind_writable_breaks_the_ring)
{
	start(0);
	desc(0, DATA_GPA, 16, NEXT | WRITE, 1);
	desc(1, DATA_GPA, 16, 0, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_buffer_that_wraps_breaks_the_ring)
{
	start(0);
	desc(0, UINT64_MAX - 14, 16, 0, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_more_than_4_gib_break_the_ring)
{
	start(0);
	desc(0, DATA_GPA, UINT32_MAX, NEXT, 1);
	desc(1, DATA_GPA, 2, 0, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_table_without_the_feature_breaks_the_ring)
{
	start(0);
	desc(0, TABLE_GPA, sizeof(struct vring_desc), INDIRECT, 0);
	table_entry(0, DATA_GPA, 1, 0, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_table_in_a_table_breaks_the_ring)
{
	start(TABLES);
	desc(0, TABLE_GPA, sizeof(struct vring_desc), INDIRECT, 0);
	table_entry(0, TABLE_GPA, sizeof(struct vring_desc), INDIRECT, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_table_with_a_successor_breaks_the_ring)
{
	start(TABLES);
	desc(0, TABLE_GPA, sizeof(struct vring_desc), INDIRECT | NEXT, 1);
	desc(1, DATA_GPA, 1, 0, 0);
	table_entry(0, DATA_GPA, 1, 0, 0);
	assert_breaks(0);
}
END_TEST

/* Sizes that are no table: nothing, a part of an entry, more than a ring may have; one that
 * wraps. */
static const struct {
	gpa_t gpa;
	uint32_t size_bytes;
} bad_tables[] = {
	{TABLE_GPA, 0},
	{TABLE_GPA, 8},
	{TABLE_GPA, (VIRTQ_SIZE_MAX + 1) * sizeof(struct vring_desc)},
	{UINT64_MAX - 15, 32},
	{UINT64_C(1) << 50, 16},
};

START_TEST(test_misshapen_table_breaks_the_ring)
{
	start(TABLES);
	desc(0, bad_tables[_i].gpa, bad_tables[_i].size_bytes, INDIRECT, 0);
	table_entry(0, DATA_GPA, 1, 0, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_chain_of_too_many_segments_breaks_the_ring)
{
	start(TABLES);
	desc(0, TABLE_GPA, (VIRTQ_SEGMENTS_MAX + 1) * sizeof(struct vring_desc), INDIRECT, 0);
	for (uint16_t i = 0; i < VIRTQ_SEGMENTS_MAX; i++)
		table_entry(i, DATA_GPA, 1, NEXT, (uint16_t)(i + 1));
	table_entry(VIRTQ_SEGMENTS_MAX, DATA_GPA, 1, 0, 0);
	assert_breaks(0);
}
END_TEST

START_TEST(test_longest_chain_is_taken)
{
	start(TABLES);
	desc(0, TABLE_GPA, VIRTQ_SEGMENTS_MAX * sizeof(struct vring_desc), INDIRECT, 0);
	for (uint16_t i = 0; i < VIRTQ_SEGMENTS_MAX; i++)
		table_entry(i, DATA_GPA, 1, i + 1 < VIRTQ_SEGMENTS_MAX ? NEXT : 0,
			    (uint16_t)(i + 1));
	fake_ring_offer(&ring, 0);
	ck_assert(virtq_pop(&virtq, &chain));
	ck_assert_uint_eq(chain.n_segments, VIRTQ_SEGMENTS_MAX);
}
END_TEST

/* Each area outside of RAM, and each misaligned or wrapping. */
static const struct {
	gpa_t desc_gpa, avail_gpa, used_gpa;
	bool broken; /* from the start */
} bad_places[] = {
	{UINT64_C(1) << 50, RING_GPA + 0x1000, RING_GPA + 0x2000, false},
	{RING_GPA, UINT64_C(1) << 50, RING_GPA + 0x2000, false},
	{RING_GPA + 8, RING_GPA + 0x1000, RING_GPA + 0x2000, true},
	{RING_GPA, RING_GPA + 0x1001, RING_GPA + 0x2000, true},
	{RING_GPA, RING_GPA + 0x1000, RING_GPA + 0x2002, true},
	{UINT64_MAX - 15, RING_GPA + 0x1000, RING_GPA + 0x2000, true},
	{RING_GPA, UINT64_MAX - 5, RING_GPA + 0x2000, true},
	{RING_GPA, RING_GPA + 0x1000, UINT64_MAX - 3, true},
};

START_TEST(test_misplaced_ring_is_broken)
{
	const struct virtq_place place = {
		.size = SIZE,
		.desc_gpa = bad_places[_i].desc_gpa,
		.avail_gpa = bad_places[_i].avail_gpa,
		.used_gpa = bad_places[_i].used_gpa,
	};

	virtq_init(&virtq, memory, &place, 0);
	ck_assert(virtq.broken == bad_places[_i].broken);
	fake_ring_offer(&ring, 0);
	ck_assert(!virtq_pop(&virtq, &chain));
	ck_assert(virtq.broken);
}
END_TEST

START_TEST(test_used_ring_outside_of_ram_breaks_at_push)
{
	const struct virtq_place place = {
		.size = SIZE,
		.desc_gpa = ring.desc_gpa,
		.avail_gpa = ring.avail_gpa,
		.used_gpa = UINT64_C(1) << 50,
	};

	virtq_init(&virtq, memory, &place, 0);
	desc(0, DATA_GPA, 16, 0, 0);
	fake_ring_offer(&ring, 0);
	ck_assert(virtq_pop(&virtq, &chain));
	virtq_push(&virtq, 0, 0);
	ck_assert(virtq.broken);
	ck_assert(!virtq_publish(&virtq));
	ck_assert_uint_eq(virtq.n_taken, 0);
}
END_TEST

START_TEST(test_segments_are_sliced_and_copied_across_borders)
{
	const struct virtq_segment segments[] = {
		{.gpa = DATA_GPA, .size_bytes = 4},
		{.gpa = DATA_GPA + 0x100, .size_bytes = 2},
		{.gpa = DATA_GPA + 0x200, .size_bytes = 6},
	};
	struct virtq_segment part[3];
	char bytes[8] = {0};

	ck_assert_uint_eq(segments_slice(segments, 3, 3, 4, part), 3);
	ck_assert_uint_eq(part[0].gpa, DATA_GPA + 3);
	ck_assert_uint_eq(part[0].size_bytes, 1);
	ck_assert_uint_eq(part[2].gpa, DATA_GPA + 0x200);
	ck_assert_uint_eq(part[2].size_bytes, 1);
	ck_assert_uint_eq(segments_slice(segments, 3, 12, 0, part), 0);

	ck_assert_int_eq(segments_write(memory, segments, 3, 2, "abcdefgh", 8), 0);
	ck_assert_int_eq(guest_read(memory, DATA_GPA + 0x200, bytes, 4), 0);
	ck_assert_str_eq(bytes, "efgh");
	ck_assert_int_eq(segments_read(memory, segments, 3, 3, bytes, 4), 0);
	ck_assert_mem_eq(bytes, "bcde", 4);
}
END_TEST

START_TEST(test_segments_outside_of_ram_cannot_be_copied)
{
	const struct virtq_segment segment = {.gpa = 15 * MIB, .size_bytes = 2 * MIB};
	char bytes[2];

	ck_assert_int_ne(segments_read(memory, &segment, 1, MIB - 1, bytes, 2), 0);
	ck_assert_int_ne(segments_write(memory, &segment, 1, MIB - 1, bytes, 2), 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_chain_is_split_into_readable_and_writable,
		test_used_chains_appear_at_once_when_published,
		test_indices_wrap_around,
		test_chain_put_back_is_popped_again,
		test_dropped_chain_is_not_used,
		test_flags_silence_interrupts_and_notifications,
		test_event_index_asks_for_one_interrupt,
		test_event_index_asks_for_the_next_notification,
		test_indirect_table_is_followed,
		test_empty_descriptors_are_skipped,
		test_head_beyond_the_ring_breaks_it,
		test_head_in_use_breaks_the_ring,
		test_more_chains_than_entries_break_the_ring,
		test_loop_breaks_the_ring,
		test_loop_of_empty_descriptors_breaks_the_ring,
		test_loop_in_a_table_breaks_the_ring,
		test_next_beyond_the_table_breaks_the_ring,
		test_readable_behind_writable_breaks_the_ring,
		test_buffer_that_wraps_breaks_the_ring,
		test_more_than_4_gib_break_the_ring,
		test_table_without_the_feature_breaks_the_ring,
		test_table_in_a_table_breaks_the_ring,
		test_table_with_a_successor_breaks_the_ring,
		test_chain_of_too_many_segments_breaks_the_ring,
		test_longest_chain_is_taken,
		test_used_ring_outside_of_ram_breaks_at_push,
		test_segments_are_sliced_and_copied_across_borders,
		test_segments_outside_of_ram_cannot_be_copied,
	};
	Suite *suite = suite_create("virtqueue");
	TCase *tcase = tcase_create("virtqueue");

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, test_misshapen_table_breaks_the_ring, 0,
			    ARRAY_SIZE(bad_tables));
	tcase_add_loop_test(tcase, test_misplaced_ring_is_broken, 0, ARRAY_SIZE(bad_places));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
