// SPDX-License-Identifier: GPL-2.0-or-later
/* Rings that no correct driver writes. */
#include "tests/unit/virtqueue_rig.h"

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
	for (unsigned int i = 0; i < SIZE; i++) {
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
	for (unsigned int i = 0; i < VIRTQ_SEGMENTS_MAX; i++)
		table_entry(i, DATA_GPA, 1, NEXT, i + 1);
	table_entry(VIRTQ_SEGMENTS_MAX, DATA_GPA, 1, 0, 0);
	assert_breaks(0);
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

int main(void)
{
	const TTest *tests[] = {
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
		test_used_ring_outside_of_ram_breaks_at_push,
	};
	Suite *suite = suite_create("virtqueue_broken");
	TCase *tcase = tcase_create("virtqueue_broken");

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, test_misshapen_table_breaks_the_ring, 0,
			    ARRAY_SIZE(bad_tables));
	tcase_add_loop_test(tcase, test_misplaced_ring_is_broken, 0, ARRAY_SIZE(bad_places));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
