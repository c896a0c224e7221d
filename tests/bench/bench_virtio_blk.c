// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bench_virtio_blk [SECONDS]: random reads of 4 KiB from a disk in memory, by one queue.
 *
 * The guest is this program, on a fake kernel: what is measured is the device and its loop, no
 * exits and no interrupts. Prints, for several numbers of requests in flight, reads per second
 * and how many notifications each took.
 */
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "devices/virtio_blk.h"
#include "tests/fake/rig.h"
#include "vmm/err.h"
#include "vmm/host.h"

enum {
	DISK_BYTES = 64 << 20,
	BLOCK_BYTES = 4096,
	RING_SIZE = 256,
	SLOTS_MAX = RING_SIZE / 3, /* header, data, status */
	RING_GPA = 0x10000,
	HEADERS_GPA = 0x100000,
	DATA_GPA = 0x200000,
};

static struct rig rig;
static struct rig_device device;
static struct fake_ring ring;
static uint64_t n_kicks;

static double now_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void describe(unsigned int slot)
{
	gpa_t header = HEADERS_GPA + slot * UINT64_C(64);
	unsigned int first = 3 * slot;

	fake_ring_set_desc(&ring, ring.desc_gpa, first, header, 16, VRING_DESC_F_NEXT,
			   first + 1);
	fake_ring_set_desc(&ring, ring.desc_gpa, first + 1, DATA_GPA + slot * UINT64_C(4096),
			   BLOCK_BYTES, VRING_DESC_F_NEXT | VRING_DESC_F_WRITE, first + 2);
	fake_ring_set_desc(&ring, ring.desc_gpa, first + 2, header + 32, 1, VRING_DESC_F_WRITE,
			   0);
}

static void offer(unsigned int slot)
{
	uint64_t block = (uint64_t)random() % (DISK_BYTES / BLOCK_BYTES);
	const struct virtio_blk_outhdr header = {.sector = htole64(block * BLOCK_BYTES / 512)};

	guest_write(rig.memory, HEADERS_GPA + slot * UINT64_C(64), &header, sizeof(header));
	fake_ring_offer(&ring, 3 * slot);
	/* The device asks for a notification of one entry. */
	if (fake_ring_get_avail_event(&ring) == (uint16_t)(ring.n_offered - 1)) {
		n_kicks++;
		rig_notify(&device, 0);
	}
}

static void measure(unsigned int depth, double seconds)
{
	uint64_t n_done = 0, kicks_before = n_kicks;
	double start = now_s(), end;
	uint32_t head, written_bytes;

	for (unsigned int slot = 0; slot < depth; slot++)
		offer(slot);
	while ((end = now_s()) < start + seconds) {
		while (fake_ring_take(&ring, &head, &written_bytes)) {
			n_done++;
			offer(head / 3);
		}
	}
	for (unsigned int left = depth; left;)
		left -= fake_ring_take(&ring, &head, &written_bytes);
	printf("%3u in flight: %8.0f reads/s, %.2f notifications each\n", depth,
	       (double)n_done / (end - start),
	       (double)(n_kicks - kicks_before) / (double)n_done);
}

int main(int argc, char **argv)
{
	static const unsigned int depths[] = {1, 4, 16, 64};
	double seconds = argc > 1 ? strtod(argv[1], NULL) : 2;
	int fd = memfd_create("disk", MFD_CLOEXEC);
	struct virtio_blk *blk;
	struct err err;
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (ftruncate(fd, DISK_BYTES)) {
		perror("disk");
		return 1;
	}
	rig_init(&rig);
	if (virtio_blk_new(&rig.env, &(struct virtio_blk_config){.path = path, .n_queues = 1},
			   &blk, &err)) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	rig_start(&rig);
	rig_probe(&device, &rig, 1);
	ASSERT(rig_negotiate(&device, UINT64_C(1) << VIRTIO_F_VERSION_1 |
					      UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX));
	rig_add_queue(&device, 0, &ring, RING_GPA, RING_SIZE);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_MSIX, VIRTIO_MSI_NO_VECTOR, 2);
	rig_set_driver_ok(&device);
	for (unsigned int slot = 0; slot < SLOTS_MAX; slot++)
		describe(slot);
	for (size_t i = 0; i < ARRAY_SIZE(depths); i++)
		measure(depths[i], seconds);
	rig_stop(&rig);
	virtio_blk_free(blk);
	rig_fini(&rig);
	close(fd);
	return 0;
}
