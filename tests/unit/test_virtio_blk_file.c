// SPDX-License-Identifier: GPL-2.0-or-later
/* Which files make a virtio disk, and of which kind. */
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "tests/unit/virtio_blk_rig.h"

/* --- Kinds of disks --- */

START_TEST(test_read_only_disk_cannot_be_changed)
{
	ck_assert_int_eq(fchmod(disk_fd, 0400), 0);
	plug(&(struct virtio_blk_config){.path = path, .readonly = true, .n_queues = 1}, FLUSH);
	ck_assert_uint_eq(rig_get_features(&device) >> VIRTIO_BLK_F_RO & 1, 1);
	ck_assert_uint_eq(rig_get_features(&device) >> VIRTIO_BLK_F_DISCARD & 1, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 1, 512, 0), VIRTIO_BLK_S_IOERR);
	write_range(0, 0, 8, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_DISCARD, 0, 16, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), VIRTIO_BLK_S_IOERR);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_IN, 1, 512, WRITE), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk_u64(512), 512);
}
END_TEST

START_TEST(test_driver_without_flush_gets_durable_writes)
{
	plug(&(struct virtio_blk_config){.path = path, .n_queues = 1}, 0);
	fill_guest(DATA_GPA, 512, 'd');
	ck_assert_uint_eq(request(VIRTIO_BLK_T_OUT, 1, 512, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk_u64(512), UINT64_C(0x6464646464646464));
}
END_TEST

/* Direct I/O with what O_DIRECT takes and what it does not: memory, length and place odd. */
static const struct {
	uint64_t sector;
	uint32_t size_bytes;
	unsigned int gpa_offset;
} direct[] = {
	{8, 8192, 0}, {8, 4096, 1}, {8, 4096, 512}, {1, 512, 0}, {9, 1536, 3}, {0, 0x10000, 0},
};

START_TEST(test_direct_disk_takes_any_alignment)
{
	gpa_t gpa = DATA_GPA + direct[_i].gpa_offset;
	uint64_t sector = direct[_i].sector;
	uint32_t size_bytes = direct[_i].size_bytes;
	off_t end = (off_t)sector * 512 + size_bytes;

	plug(&(struct virtio_blk_config){.path = path, .direct = true, .n_queues = 1}, FLUSH);
	ck_assert_uint_eq(request_at(VIRTIO_BLK_T_IN, sector, gpa, size_bytes, WRITE),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(guest_u64(gpa + size_bytes - 512), (uint64_t)end - 512);
	fill_guest(gpa, size_bytes, 'e');
	ck_assert_uint_eq(request_at(VIRTIO_BLK_T_OUT, sector, gpa, size_bytes, 0),
			  VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk_u64((off_t)sector * 512), UINT64_C(0x6565656565656565));
	ck_assert_uint_eq(disk_u64(end - 8), UINT64_C(0x6565656565656565));
	ck_assert_uint_eq(disk_u64(end), (uint64_t)end);
	write_range(0, sector, size_bytes / 512, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 0), VIRTIO_BLK_S_OK);
	ck_assert_uint_eq(disk_u64(end - 512), 0);
	ck_assert_uint_eq(disk_u64(end), (uint64_t)end);
}
END_TEST

START_TEST(test_misaligned_writes_among_direct_ones_lose_nothing)
{
	enum { N = 5, ROUNDS = 100 };
	uint32_t head, written_bytes;

	plug(&(struct virtio_blk_config){.path = path, .direct = true, .n_queues = 1}, FLUSH);
	fill_guest(DATA_GPA, 0x2000, 'm');
	/* Sector by sector of the same page, from memory that is aligned and memory that is
	 * not. */
	for (unsigned int round = 0; round < ROUNDS; round++) {
		for (unsigned int i = 0; i < N; i++) {
			gpa_t gpa = HEADER_GPA + i * UINT64_C(0x40);
			const struct virtio_blk_outhdr header = {
				.type = htole32(VIRTIO_BLK_T_OUT),
				.sector = htole64(round * 8 + i),
			};

			ck_assert_int_eq(guest_write(rig.memory, gpa, &header, sizeof(header)),
					 0);
			fake_ring_set_desc(&rings[0], rings[0].desc_gpa, 3 * i, gpa, 16, NEXT,
					   3 * i + 1);
			fake_ring_set_desc(&rings[0], rings[0].desc_gpa, 3 * i + 1,
					   DATA_GPA + (i % 2), 512, NEXT, 3 * i + 2);
			fake_ring_set_desc(&rings[0], rings[0].desc_gpa, 3 * i + 2, gpa + 0x20,
					   1, WRITE, 0);
			fake_ring_offer(&rings[0], 3 * i);
		}
		rig_notify(&device, 0);
		for (unsigned int i = 0; i < N; i++)
			ck_assert(rig_wait_used(&rings[0], &head, &written_bytes));
		for (unsigned int i = 0; i < N; i++) {
			uint8_t status = UNANSWERED;

			ck_assert_int_eq(guest_read(rig.memory, HEADER_GPA + i * 0x40 + 0x20,
						    &status, 1),
					 0);
			ck_assert_uint_eq(status, VIRTIO_BLK_S_OK);
			ck_assert_uint_eq(disk_u64((off_t)(round * 8 + i) * 512),
					  UINT64_C(0x6d6d6d6d6d6d6d6d));
		}
		ck_assert_uint_eq(disk_u64((off_t)(round * 8 + N) * 512),
				  (round * 8 + N) * 512);
	}
}
END_TEST

/* tmpfs cannot make zeroes in place: they are written. */
START_TEST(test_zeroes_are_written_where_the_file_system_makes_none)
{
	int fd = memfd_create("disk", MFD_CLOEXEC);
	char name[32];

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 4 * DISK_BYTES), 0);
	for (off_t at = 0; at < 4 * DISK_BYTES; at += 512)
		ck_assert_int_eq(pwrite(fd, "x", 1, at), 1);
	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	plug(&(struct virtio_blk_config){.path = name, .n_queues = 1}, FLUSH);
	write_range(0, 1, 2 * DISK_BYTES / 512 + 1, 0);
	write_range(1, 8000, 1, 0);
	ck_assert_uint_eq(request(VIRTIO_BLK_T_WRITE_ZEROES, 0, 32, 0), VIRTIO_BLK_S_OK);
	for (off_t at = 0; at < 4 * DISK_BYTES; at += 512) {
		off_t sector = at / 512;
		bool zero =
			(sector >= 1 && sector < 2 * DISK_BYTES / 512 + 2) || sector == 8000;
		char byte = 0;

		ck_assert_int_eq(pread(fd, &byte, 1, at), 1);
		ck_assert_int_eq(byte, zero ? 0 : 'x');
	}
	close(fd);
}
END_TEST

/* --- What is wrong with a disk is told at start --- */

static void assert_refused(const struct virtio_blk_config *config, int code, const char *words)
{
	ck_assert_int_eq(virtio_blk_new(&rig.env, config, &blk, &err), code);
	ck_assert_ptr_null(blk);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(strstr(err.text, config->path) && strstr(err.text, words), "%s",
		      err.text);
}

START_TEST(test_missing_file_is_named)
{
	assert_refused(&(struct virtio_blk_config){.path = "/nonexistent/x", .n_queues = 1},
		       -ENOENT, "No such file");
}
END_TEST

START_TEST(test_directory_and_device_are_no_disks)
{
	assert_refused(&(struct virtio_blk_config){.path = "/tmp", .n_queues = 1}, -EISDIR,
		       "a directory");
	assert_refused(&(struct virtio_blk_config){.path = "/dev/null", .n_queues = 1}, -EINVAL,
		       "a character device");
}
END_TEST

START_TEST(test_odd_size_is_told_with_its_cure)
{
	ck_assert_int_eq(ftruncate(disk_fd, 1000), 0);
	assert_refused(&(struct virtio_blk_config){.path = path, .n_queues = 1}, -EINVAL,
		       "truncate -s %512");
	ck_assert_int_eq(ftruncate(disk_fd, 0), 0);
	assert_refused(&(struct virtio_blk_config){.path = path, .n_queues = 1}, -EINVAL,
		       "empty");
}
END_TEST

START_TEST(test_disk_is_open_for_one_writer_or_many_readers)
{
	const struct virtio_blk_config writer = {.path = path, .n_queues = 1};
	const struct virtio_blk_config reader = {.path = path, .readonly = true, .n_queues = 1};
	struct virtio_blk *first = NULL, *second = NULL;

	ck_assert_int_eq(virtio_blk_new(&rig.env, &writer, &first, &err), 0);
	assert_refused(&writer, -EBUSY, "in use by another");
	assert_refused(&reader, -EBUSY, "in use by another");
	virtio_blk_free(first);
	ck_assert_int_eq(virtio_blk_new(&rig.env, &reader, &first, &err), 0);
	ck_assert_int_eq(virtio_blk_new(&rig.env, &reader, &second, &err), 0);
	assert_refused(&writer, -EBUSY, "in use by another");
	virtio_blk_free(second);
	virtio_blk_free(first);
}
END_TEST

START_TEST(test_full_bus_is_told)
{
	const struct virtio_blk_config reader = {.path = path, .readonly = true, .n_queues = 1};
	struct virtio_blk *disks[40];
	unsigned int n = 0;

	while (!virtio_blk_new(&rig.env, &reader, &disks[n], &err))
		n++;
	ck_assert_int_eq(err.code, -ENOSPC);
	ck_assert_msg(strstr(err.text, path) && strstr(err.text, "no PCI slot"), "%s",
		      err.text);
	while (n)
		virtio_blk_free(disks[--n]);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_read_only_disk_cannot_be_changed,
		test_driver_without_flush_gets_durable_writes,
		test_misaligned_writes_among_direct_ones_lose_nothing,
		test_zeroes_are_written_where_the_file_system_makes_none,
		test_missing_file_is_named,
		test_directory_and_device_are_no_disks,
		test_odd_size_is_told_with_its_cure,
		test_disk_is_open_for_one_writer_or_many_readers,
		test_full_bus_is_told,
	};
	Suite *suite = suite_create("virtio_blk_file");
	TCase *tcase = tcase_create("virtio_blk_file");

	tcase_add_checked_fixture(tcase, setup_file, teardown);
	tcase_set_timeout(tcase, 30);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, test_direct_disk_takes_any_alignment, 0, ARRAY_SIZE(direct));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
