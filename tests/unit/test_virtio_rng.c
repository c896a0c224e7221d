// SPDX-License-Identifier: GPL-2.0-or-later
#include "devices/virtio.h"

#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "tests/fake/rig.h"
#include "tests/unit/unit.h"

enum {
	RINGS_GPA = 0x10000,
	DATA_GPA = 0x100000,
	WRITE = VRING_DESC_F_WRITE,
};

static struct rig rig;
static struct virtio_rng *rng;
static struct rig_device device;
static struct fake_ring ring;

static void setup(void)
{
	rig_init(&rig);
	ck_assert_int_eq(virtio_rng_new(&rig.env, &rng, NULL), 0);
	rig_start(&rig);
	rig_probe(&device, &rig, 1);
	rig_bring_up(&device, 0, &ring, 1, RINGS_GPA);
}

static void teardown(void)
{
	rig_stop(&rig);
	virtio_rng_free(rng);
	rig_fini(&rig);
}

static uint32_t ask(gpa_t gpa, uint32_t size_bytes, uint16_t flags)
{
	uint32_t head, written_bytes;

	fake_ring_set_desc(&ring, ring.desc_gpa, 0, gpa, size_bytes, flags, 0);
	fake_ring_offer(&ring, 0);
	rig_notify(&device, 0);
	ck_assert(rig_wait_used(&ring, &head, &written_bytes));
	return written_bytes;
}

START_TEST(test_buffer_is_filled_with_bytes_of_the_host)
{
	unsigned char bytes[65] = {0}, expected[64];

	ck_assert_uint_eq(ask(DATA_GPA, 64, WRITE), 64);
	ck_assert_int_eq(guest_read(rig.memory, DATA_GPA, bytes, sizeof(bytes)), 0);
	for (size_t i = 0; i < sizeof(expected); i++)
		expected[i] = (unsigned char)(i * 167 + 13);
	ck_assert_mem_eq(bytes, expected, sizeof(expected));
	ck_assert_uint_eq(bytes[64], 0);
	ck_assert(rig_wait_msis(&rig, 0, 1));
}
END_TEST

START_TEST(test_large_buffer_is_filled_in_part)
{
	ck_assert_uint_eq(ask(DATA_GPA, 1 * MIB, WRITE), 4096);
}
END_TEST

START_TEST(test_buffer_without_room_is_answered_with_nothing)
{
	ck_assert_uint_eq(ask(DATA_GPA, 64, 0), 0);
	ck_assert_uint_eq(ask(DATA_GPA, 64, WRITE), 64);
}
END_TEST

START_TEST(test_host_without_random_bytes_is_answered_with_nothing)
{
	/* The next call that can fail is for random bytes: no MSI is sent before. */
	faulty_arm(rig.faulty, (struct fault){.nth = 1, .errnum = EAGAIN});
	ck_assert_uint_eq(ask(DATA_GPA, 64, WRITE), 0);
	ck_assert_uint_eq(ask(DATA_GPA, 64, WRITE), 64);
}
END_TEST

START_TEST(test_buffer_outside_of_ram_stops_the_device)
{
	fake_ring_set_desc(&ring, ring.desc_gpa, 0, UINT64_C(1) << 50, 64, WRITE, 0);
	fake_ring_offer(&ring, 0);
	rig_notify(&device, 0);
	ck_assert(rig_wait_status(&device, VIRTIO_CONFIG_S_NEEDS_RESET));

	rig_bring_up(&device, 0, &ring, 1, RINGS_GPA);
	ck_assert_uint_eq(ask(DATA_GPA, 64, WRITE), 64);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_buffer_is_filled_with_bytes_of_the_host,
		test_large_buffer_is_filled_in_part,
		test_buffer_without_room_is_answered_with_nothing,
		test_host_without_random_bytes_is_answered_with_nothing,
		test_buffer_outside_of_ram_stops_the_device,
	};
	Suite *suite = suite_create("virtio_rng");
	TCase *tcase = tcase_create("virtio_rng");

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
