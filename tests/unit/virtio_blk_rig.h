/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of virtio disks share: a file in a disk in a rig, and a driver for it. */
#ifndef TESTS_UNIT_VIRTIO_BLK_RIG_H
#define TESTS_UNIT_VIRTIO_BLK_RIG_H

#include <endian.h>
#include <fcntl.h>
#include <linux/virtio_ring.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "devices/virtio_blk.h"
#include "tests/fake/rig.h"
#include "tests/unit/unit.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	RINGS_GPA = 0x10000,
	HEADER_GPA = 0x100000,
	STATUS_GPA = 0x108000,
	DATA_GPA = 0x110000,
	DISK_BYTES = 1 << 20,
	UNANSWERED = 0xee,
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
};

#define FLUSH (UINT64_C(1) << VIRTIO_BLK_F_FLUSH)

static char path[32];
static int disk_fd;
static struct rig rig;
static struct virtio_blk *blk;
static struct rig_device device;
static struct fake_ring rings[2];
static struct err err;

static inline void setup_file(void)
{
	snprintf(path, sizeof(path), "/tmp/alcove-test-XXXXXX");
	disk_fd = mkstemp(path);
	ck_assert_int_ge(disk_fd, 0);
	ck_assert_int_eq(ftruncate(disk_fd, DISK_BYTES), 0);
	for (off_t at = 0; at < DISK_BYTES; at += 512)
		ck_assert_int_eq(pwrite(disk_fd, &at, sizeof(at), at), sizeof(at));
	rig_init(&rig);
	err = (struct err){0};
}

static inline void teardown(void)
{
	rig_stop(&rig);
	virtio_blk_free(blk);
	rig_fini(&rig);
	close(disk_fd);
	unlink(path);
}

static inline void plug(const struct virtio_blk_config *config, uint64_t features)
{
	ck_assert_msg(virtio_blk_new(&rig.env, config, &blk, &err) == 0, "%s", err.text);
	rig_start(&rig);
	rig_probe(&device, &rig, 1);
	rig_bring_up(&device, features, rings, config->n_queues, RINGS_GPA);
}

/* Write the header; offer the chain that starts at number 0. */
static inline void offer(uint32_t type, uint64_t sector)
{
	const struct virtio_blk_outhdr header = {
		.type = htole32(type),
		.sector = htole64(sector),
	};
	const uint8_t status = UNANSWERED;

	ck_assert_int_eq(guest_write(rig.memory, HEADER_GPA, &header, sizeof(header)), 0);
	ck_assert_int_eq(guest_write(rig.memory, STATUS_GPA, &status, sizeof(status)), 0);
	fake_ring_offer(&rings[0], 0);
	rig_notify(&device, 0);
}

static inline void desc(unsigned int index, gpa_t gpa, uint32_t size_bytes, uint16_t flags)
{
	fake_ring_set_desc(&rings[0], rings[0].desc_gpa, index, gpa, size_bytes, flags,
			   index + 1);
}

static inline uint8_t get_status(void)
{
	uint8_t status = 0;

	ck_assert_int_eq(guest_read(rig.memory, STATUS_GPA, &status, sizeof(status)), 0);
	return status;
}

static uint32_t last_written_bytes;

/* The answer to what has been offered. */
static inline uint8_t await(void)
{
	uint32_t head;

	ck_assert(rig_wait_used(&rings[0], &head, &last_written_bytes));
	return get_status();
}

/* A request with one piece of data at @gpa. @flags: WRITE when the device fills it. */
static inline uint8_t request_at(uint32_t type, uint64_t sector, gpa_t gpa, uint32_t size_bytes,
				 uint16_t flags)
{
	desc(0, HEADER_GPA, sizeof(struct virtio_blk_outhdr), NEXT);
	desc(1, gpa, size_bytes, NEXT | flags);
	desc(2, STATUS_GPA, 1, WRITE);
	offer(type, sector);
	return await();
}

static inline uint8_t request(uint32_t type, uint64_t sector, uint32_t size_bytes,
			      uint16_t flags)
{
	return request_at(type, sector, DATA_GPA, size_bytes, flags);
}

static inline uint64_t guest_u64(gpa_t gpa)
{
	uint64_t value = 0;

	ck_assert_int_eq(guest_read(rig.memory, gpa, &value, sizeof(value)), 0);
	return value;
}

static inline uint64_t disk_u64(off_t offset)
{
	uint64_t value = 0;

	ck_assert_int_eq(pread(disk_fd, &value, sizeof(value), offset), sizeof(value));
	return value;
}

static inline void fill_guest(gpa_t gpa, size_t size_bytes, char byte)
{
	_cleanup_free_ char *bytes = malloc(size_bytes);

	memset(bytes, byte, size_bytes);
	ck_assert_int_eq(guest_write(rig.memory, gpa, bytes, size_bytes), 0);
}

static inline void write_range(unsigned int index, uint64_t sector, uint32_t n_sectors,
			       uint32_t flags)
{
	const struct virtio_blk_discard_write_zeroes range = {
		.sector = htole64(sector),
		.num_sectors = htole32(n_sectors),
		.flags = htole32(flags),
	};

	ck_assert_int_eq(guest_write(rig.memory, DATA_GPA + index * sizeof(range), &range,
				     sizeof(range)),
			 0);
}

#endif
