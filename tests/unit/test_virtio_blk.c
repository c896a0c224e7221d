// SPDX-License-Identifier: GPL-2.0-or-later
/* What a virtio disk answers. */
#include <linux/virtio_config.h>

#include "tests/unit/virtio_blk_rig.h"

static void setup(void)
{
	setup_file();
	plug(&(struct virtio_blk_config){.path = path, .serial = "serial", .n_queues = 2},
	     FLUSH);
}

/* --- Reads and writes --- */

START_TEST(test_read_gets_what_is_on_the_disk)
{
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 7, 1024, WRITE), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(last_written_bytes, 1025);
	ck_assert_uint_eq(guest_u64(DATA_GPA), 7 * 512);
	ck_assert_uint_eq(guest_u64(DATA_GPA + 512), 8 * 512);
	ck_assert(rig_wait_msis(&rig, 0, 1));
}
END_TEST

START_TEST(test_write_reaches_the_disk)
{
	fill_guest(DATA_GPA, 1024, 'w');
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 3, 1024, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(last_written_bytes, 1);
	ck_assert_uint_eq(disk_u64(3 * 512), UINT64_C(0x7777777777777777));
	ck_assert_uint_eq(disk_u64(5 * 512 - 8), UINT64_C(0x7777777777777777));
	ck_assert_uint_eq(disk_u64(2 * 512), 2 * 512);
	ck_assert_uint_eq(disk_u64(5 * 512), 5 * 512);
}
END_TEST

START_TEST(test_framing_of_a_request_is_the_drivers_choice)
{
	/* Header in three pieces, the last with no data; data in two, the second with the
	 * status. */
	desc(0, HEADER_GPA, 5, NEXT);
	desc(1, HEADER_GPA + 5, 3, NEXT);
	desc(2, HEADER_GPA + 8, 8, NEXT);
	desc(3, DATA_GPA, 100, NEXT | WRITE);
	desc(4, STATUS_GPA - 412, 413, WRITE);
	offer(VIRTIO_BLK_T_IN, 9);
	ck_assert_uint_eq(await(), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(last_written_bytes, 513);
	ck_assert_uint_eq(guest_u64(DATA_GPA), 9 * 512);
}
END_TEST

START_TEST(test_header_and_data_may_share_a_descriptor)
{
	fill_guest(HEADER_GPA + 16, 512, 'x');
	desc(0, HEADER_GPA, 16 + 512, NEXT);
	desc(1, STATUS_GPA, 1, WRITE);
	offer(VIRTIO_BLK_T_OUT, 1);
	ck_assert_uint_eq(await(), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk_u64(512), UINT64_C(0x7878787878787878));
	ck_assert_uint_eq(disk_u64(1024), 1024);
}
END_TEST

START_TEST(test_empty_transfer_is_ok)
{
	desc(0, HEADER_GPA, sizeof(struct virtio_blk_outhdr), NEXT);
	desc(1, STATUS_GPA, 1, WRITE);
	offer(VIRTIO_BLK_T_IN, DISK_BYTES / 512);
	ck_assert_uint_eq(await(), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(last_written_bytes, 1);
}
END_TEST

static const struct {
	uint64_t sector;
	uint32_t size_bytes;
} outside[] = {
	{DISK_BYTES / 512, 512},
	{DISK_BYTES / 512 - 1, 1024},
	{DISK_BYTES / 512 + 1, 0x200},
	{UINT64_MAX, 512},
	{UINT64_MAX / 512, 1024},
	{0, DISK_BYTES + 512},
	{0, 511},
};

START_TEST(test_transfer_outside_of_the_disk_is_an_error)
{
	ck_assert_uint_eq(
		request(VIRTIO_BLK_T_IN, outside[_i].sector, outside[_i].size_bytes, WRITE),
		VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(last_written_bytes, 0);
	ck_assert_uint_eq(
		request(VIRTIO_BLK_T_OUT, outside[_i].sector, outside[_i].size_bytes, 0),
		VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, WRITE), VIRTIO_BLK_S_OK);
	ck_assert_int_eq(lseek(disk_fd, 0, SEEK_END), DISK_BYTES);
}
END_TEST

START_TEST(test_data_outside_of_ram_is_an_error)
{
	ck_assert_uint_eq(request_at(VIRTIO_BLK_T_IN, 0, RIG_RAM_BYTES - 512, 1024, WRITE),
			  VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request_at(VIRTIO_BLK_T_OUT, 0, UINT64_C(1) << 60, 512, 0),
			  VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(disk_u64(0), 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 512, WRITE), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(test_file_that_has_shrunk_is_an_error)
{
	ck_assert_int_eq(ftruncate(disk_fd, 1024), 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 4096, WRITE), VIRTIO_BLK_S_IOERR);
	/* As much as there is was read. */
	ck_assert_uint_eq(last_written_bytes, 1024);
	ck_assert_uint_eq(guest_u64(DATA_GPA + 512), 512);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 0, 1024, WRITE), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(test_many_requests_on_all_queues_are_answered)
{
	for (unsigned int round = 0; round < 200; round++) {
		uint32_t head, written_bytes;
		uint16_t base = 0;

		for (unsigned int i = 0; i < 2; i++) {
			gpa_t gpa = DATA_GPA + i * UINT64_C(0x10000);
			const struct virtio_blk_outhdr header = {.sector = htole64(round + i)};

			ck_assert_int_eq(guest_write(rig.memory, gpa, &header, sizeof(header)),
					 0);
			fake_ring_set_desc(&rings[i], rings[i].desc_gpa, base, gpa, 16, NEXT,
					   1);
			fake_ring_set_desc(&rings[i], rings[i].desc_gpa, 1, gpa + 0x1000, 513,
					   WRITE, 0);
			fake_ring_offer(&rings[i], base);
			rig_notify(&device, i);
		}
		for (unsigned int i = 0; i < 2; i++) {
			ck_assert(rig_wait_used(&rings[i], &head, &written_bytes));
			ck_assert_uint_eq(written_bytes, 513);
			ck_assert_uint_eq(guest_u64(DATA_GPA + i * UINT64_C(0x10000) + 0x1000),
					  (round + i) * 512);
		}
	}
}
END_TEST

/* --- Other requests --- */

START_TEST(test_flush_and_identity_are_answered)
{
	char id[VIRTIO_BLK_ID_BYTES + 1] = {0};

	desc(0, HEADER_GPA, sizeof(struct virtio_blk_outhdr), NEXT);
	desc(1, STATUS_GPA, 1, WRITE);
	offer(VIRTIO_BLK_T_FLUSH, 0);
	ck_assert_uint_eq(await(), VIRTIO_BLK_S_OK);

	fill_guest(DATA_GPA, VIRTIO_BLK_ID_BYTES, 'z');
	ck_assert_uint_eq(request(VIRTIO_BLK_T_GET_ID, 0, VIRTIO_BLK_ID_BYTES, WRITE),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(last_written_bytes, VIRTIO_BLK_ID_BYTES + 1);
	ck_assert_int_eq(guest_read(rig.memory, DATA_GPA, id, VIRTIO_BLK_ID_BYTES), 0);
	ck_assert_str_eq(id, "serial");
	ck_assert_int_eq(id[VIRTIO_BLK_ID_BYTES - 1], 0);
	ck_assert_uint_eq(request_at(VIRTIO_BLK_T_GET_ID, 0, UINT64_C(1) << 60, 20, WRITE),
			  VIRTIO_BLK_S_IOERR);
}
END_TEST

static const uint32_t unknown_types[] = {
	2,	    3,		5, 9, 12, VIRTIO_BLK_T_SECURE_ERASE, VIRTIO_BLK_T_ZONE_REPORT,
	0x80000000, 0xffffffff,
};

START_TEST(test_unknown_type_is_unsupported)
{
	ck_assert_uint_eq(request(unknown_types[_i], 0, 512, WRITE), VIRTIO_BLK_S_UNSUPP);
	ck_assert_uint_eq(last_written_bytes, 0);
}
END_TEST

START_TEST(test_discard_frees_the_ranges)
{
	write_range(0, 8, 8, 0);
	write_range(1, 0, 0, 0);
	write_range(2, 32, 8, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 48, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk_u64(9 * 512), 0);
	ck_assert_uint_eq(disk_u64(33 * 512), 0);
	ck_assert_uint_eq(disk_u64(16 * 512), 16 * 512);
	ck_assert_uint_eq(disk_u64(31 * 512), 31 * 512);
	ck_assert_int_eq(lseek(disk_fd, 0, SEEK_END), DISK_BYTES);
}
END_TEST

START_TEST(test_zeroes_are_written_with_and_without_unmap)
{
	write_range(0, 3, 2, 0);
	write_range(1, 9, 1, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 32, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk_u64(3 * 512), 0);
	ck_assert_uint_eq(disk_u64(4 * 512), 0);
	ck_assert_uint_eq(disk_u64(9 * 512), 0);
	ck_assert_uint_eq(disk_u64(2 * 512), 2 * 512);
	ck_assert_uint_eq(disk_u64(5 * 512), 5 * 512);
	ck_assert_uint_eq(disk_u64(10 * 512), 10 * 512);
	ck_assert_int_eq(lseek(disk_fd, 0, SEEK_END), DISK_BYTES);
}
END_TEST

static const struct {
	uint32_t type;
	uint64_t sector;
	uint32_t n_sectors;
	uint32_t flags;
	uint32_t size_bytes; /* of the data */
	uint8_t status;
} bad_ranges[] = {
	{VIRTIO_BLK_T_DISCARD, 0, 8, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP, 16,
	 VIRTIO_BLK_S_UNSUPP},
	{VIRTIO_BLK_T_WRITE_ZEROES, 0, 8, 2, 16, VIRTIO_BLK_S_UNSUPP},
	{VIRTIO_BLK_T_DISCARD, DISK_BYTES / 512, 1, 0, 16, VIRTIO_BLK_S_IOERR},
	{VIRTIO_BLK_T_DISCARD, UINT64_MAX, 1, 0, 16, VIRTIO_BLK_S_IOERR},
	{VIRTIO_BLK_T_WRITE_ZEROES, 1, DISK_BYTES / 512, 0, 16, VIRTIO_BLK_S_IOERR},
	{VIRTIO_BLK_T_WRITE_ZEROES, 0, UINT32_MAX, 0, 16, VIRTIO_BLK_S_IOERR},
	{VIRTIO_BLK_T_DISCARD, 0, 8, 0, 15, VIRTIO_BLK_S_IOERR},
	{VIRTIO_BLK_T_DISCARD, 0, 8, 0, 0, VIRTIO_BLK_S_IOERR},
	{VIRTIO_BLK_T_DISCARD, 0, 8, 0, 17 * 16, VIRTIO_BLK_S_IOERR},
};

START_TEST(test_bad_range_is_refused)
{
	ck_assert_int_eq(guest_zero(rig.memory, DATA_GPA, 4096), 0);
	write_range(0, bad_ranges[_i].sector, bad_ranges[_i].n_sectors, bad_ranges[_i].flags);
	ck_assert_uint_eq(request(bad_ranges[_i].type, 0, bad_ranges[_i].size_bytes, 0),
			  bad_ranges[_i].status);
	ck_assert_uint_eq(disk_u64(512), 512);
}
END_TEST

/* --- Malformed chains --- */

START_TEST(test_request_without_status_stops_the_device)
{
	desc(0, HEADER_GPA, sizeof(struct virtio_blk_outhdr), 0);
	offer(VIRTIO_BLK_T_FLUSH, 0);
	ck_assert(rig_wait_status(&device, VIRTIO_CONFIG_S_NEEDS_RESET));
	/* The reset does not wait for that request. */
	rig_bring_up(&device, FLUSH, rings, 2, RINGS_GPA);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 1, 512, WRITE), VIRTIO_BLK_S_OK);
}
END_TEST

START_TEST(test_empty_chain_stops_the_device)
{
	desc(0, HEADER_GPA, 0, 0);
	offer(VIRTIO_BLK_T_FLUSH, 0);
	ck_assert(rig_wait_status(&device, VIRTIO_CONFIG_S_NEEDS_RESET));
}
END_TEST

START_TEST(test_status_outside_of_ram_stops_the_device)
{
	desc(0, HEADER_GPA, sizeof(struct virtio_blk_outhdr), NEXT);
	desc(1, UINT64_C(1) << 60, 1, WRITE);
	offer(VIRTIO_BLK_T_FLUSH, 0);
	ck_assert(rig_wait_status(&device, VIRTIO_CONFIG_S_NEEDS_RESET));
	rig_reset(&device);
}
END_TEST

START_TEST(test_short_header_is_an_error)
{
	desc(0, HEADER_GPA, sizeof(struct virtio_blk_outhdr) - 1, NEXT);
	desc(1, STATUS_GPA, 1, WRITE);
	offer(VIRTIO_BLK_T_FLUSH, 0);
	ck_assert_uint_eq(await(), VIRTIO_BLK_S_IOERR);
	desc(0, STATUS_GPA, 1, WRITE);
	offer(VIRTIO_BLK_T_FLUSH, 0);
	ck_assert_uint_eq(await(), VIRTIO_BLK_S_IOERR);
	desc(0, UINT64_C(1) << 60, sizeof(struct virtio_blk_outhdr), NEXT);
	offer(VIRTIO_BLK_T_FLUSH, 0);
	ck_assert_uint_eq(await(), VIRTIO_BLK_S_IOERR);
}
END_TEST

/* --- The device --- */

START_TEST(test_configuration_describes_the_disk)
{
	struct virtio_blk_config_space space;

	for (unsigned int i = 0; i < sizeof(space); i++)
		((uint8_t *)&space)[i] = (uint8_t)bus_read(rig.mmio, device.config_gpa + i, 1);
	ck_assert_uint_eq(space.capacity, DISK_BYTES / 512);
	ck_assert_uint_eq(space.blk_size, 512);
	ck_assert_uint_eq(space.num_queues, 2);
	ck_assert_uint_eq(space.seg_max, VIRTQ_SEGMENTS_MAX - 2);
	ck_assert_uint_ne(space.max_discard_sectors, 0);
	ck_assert_uint_eq(space.write_zeroes_may_unmap, 1);
	ck_assert_uint_eq(rig_get_features(&device) >> VIRTIO_BLK_F_RO & 1, 0);
	ck_assert_uint_eq(rig_get_features(&device) >> VIRTIO_BLK_F_DISCARD & 1, 1);
}
END_TEST

START_TEST(test_reset_waits_for_the_disk)
{
	desc(0, HEADER_GPA, sizeof(struct virtio_blk_outhdr), NEXT);
	desc(1, DATA_GPA, 0x80000, NEXT | WRITE);
	desc(2, STATUS_GPA, 1, WRITE);
	for (unsigned int i = 0; i < 50; i++) {
		offer(VIRTIO_BLK_T_IN, 0);
		rig_reset(&device);
		/* From here on the memory is the driver's: no late read may reach it. */
		fill_guest(DATA_GPA, 0x80000, 'r');
		rig_bring_up(&device, FLUSH, rings, 2, RINGS_GPA);
		desc(0, HEADER_GPA, sizeof(struct virtio_blk_outhdr), NEXT);
		desc(1, DATA_GPA, 0x80000, NEXT | WRITE);
		desc(2, STATUS_GPA, 1, WRITE);
		ck_assert_uint_eq(guest_u64(DATA_GPA + 0x7fff8), UINT64_C(0x7272727272727272));
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_read_gets_what_is_on_the_disk,
		test_write_reaches_the_disk,
		test_framing_of_a_request_is_the_drivers_choice,
		test_header_and_data_may_share_a_descriptor,
		test_empty_transfer_is_ok,
		test_data_outside_of_ram_is_an_error,
		test_file_that_has_shrunk_is_an_error,
		test_many_requests_on_all_queues_are_answered,
		test_flush_and_identity_are_answered,
		test_discard_frees_the_ranges,
		test_zeroes_are_written_with_and_without_unmap,
		test_request_without_status_stops_the_device,
		test_empty_chain_stops_the_device,
		test_status_outside_of_ram_stops_the_device,
		test_short_header_is_an_error,
		test_configuration_describes_the_disk,
		test_reset_waits_for_the_disk,
	};
	Suite *suite = suite_create("virtio_blk");
	TCase *tcase = tcase_create("virtio_blk");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, test_transfer_outside_of_the_disk_is_an_error, 0,
			    ARRAY_SIZE(outside));
	tcase_add_loop_test(tcase, test_unknown_type_is_unsupported, 0,
			    ARRAY_SIZE(unknown_types));
	tcase_add_loop_test(tcase, test_bad_range_is_refused, 0, ARRAY_SIZE(bad_ranges));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
