// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/virtqueue_rig.h"

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
		unsigned int slot = i * 5 % SIZE;

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
	for (unsigned int i = 0; i < 4; i++) {
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
	for (unsigned int i = 0; i < 3; i++) {
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

START_TEST(test_longest_chain_is_taken)
{
	start(TABLES);
	desc(0, TABLE_GPA, VIRTQ_SEGMENTS_MAX * sizeof(struct vring_desc), INDIRECT, 0);
	for (unsigned int i = 0; i < VIRTQ_SEGMENTS_MAX; i++)
		table_entry(i, DATA_GPA, 1, i + 1 < VIRTQ_SEGMENTS_MAX ? NEXT : 0, i + 1);
	fake_ring_offer(&ring, 0);
	ck_assert(virtq_pop(&virtq, &chain));
	ck_assert_uint_eq(chain.n_segments, VIRTQ_SEGMENTS_MAX);
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
		test_longest_chain_is_taken,
		test_segments_are_sliced_and_copied_across_borders,
		test_segments_outside_of_ram_cannot_be_copied,
	};
	Suite *suite = suite_create("virtqueue");
	TCase *tcase = tcase_create("virtqueue");

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
