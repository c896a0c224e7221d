// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <string.h>
#include <unistd.h>

#include "devices/devices.h"
#include "tests/fake/rig.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

enum {
	RINGS_GPA = 0x10000,
	DATA_GPA = 0x100000,
	RECEIVE = 0,
	TRANSMIT = 1,
	NEXT = VRING_DESC_F_NEXT,
	WRITE = VRING_DESC_F_WRITE,
};

static struct rig rig;
static struct console *console;
static struct virtio_console *virtio_console;
static struct rig_device device;
static struct fake_ring rings[2];
static int input[2], output[2]; /* pipes: [0] is read, [1] written */

static void no_event(void *machine, enum machine_event event, unsigned int code)
{
	(void)machine;
	ck_abort_msg("event %d, %u", (int)event, code);
}

static const struct machine_sink sink = {.raise = no_event};

static void setup(void)
{
	struct err err = {0};

	rig_init(&rig);
	ck_assert_int_eq(pipe2(input, O_CLOEXEC), 0);
	ck_assert_int_eq(pipe2(output, O_CLOEXEC), 0);
	ck_assert_int_eq(console_new(rig.loop, input[0], output[1], false, &sink, &console), 0);
	ck_assert_msg(virtio_console_new(&rig.env, console, &virtio_console, &err) == 0, "%s",
		      err.text);
	rig_start(&rig);
	rig_probe(&device, &rig, 1);
}

static void teardown(void)
{
	rig_stop(&rig);
	virtio_console_free(virtio_console);
	console_free(console);
	rig_fini(&rig);
	for (unsigned int i = 0; i < 2; i++) {
		close(input[i]);
		close(output[i]);
	}
}

static void bring_up(void)
{
	rig_bring_up(&device, 0, rings, 2, RINGS_GPA);
}

static void desc(unsigned int queue, unsigned int index, gpa_t gpa, uint32_t size_bytes,
		 uint16_t flags)
{
	fake_ring_set_desc(&rings[queue], rings[queue].desc_gpa, index, gpa, size_bytes, flags,
			   index + 1);
}

static void offer(unsigned int queue, unsigned int head)
{
	fake_ring_offer(&rings[queue], head);
	rig_notify(&device, queue);
}

static uint32_t await(unsigned int queue)
{
	uint32_t head, written_bytes;

	ck_assert(rig_wait_used(&rings[queue], &head, &written_bytes));
	return written_bytes;
}

static void assert_output(const char *text)
{
	char got[64] = {0};
	size_t n = 0;

	while (n < strlen(text)) {
		ssize_t piece = read(output[0], got + n, strlen(text) - n);

		ck_assert_int_gt(piece, 0);
		n += (size_t)piece;
	}
	ck_assert_str_eq(got, text);
}

START_TEST(test_output_of_the_guest_reaches_the_operator)
{
	bring_up();
	ck_assert_int_eq(guest_write(rig.memory, DATA_GPA, "hello world", 11), 0);
	desc(TRANSMIT, 0, DATA_GPA, 6, NEXT);
	desc(TRANSMIT, 1, DATA_GPA + 6, 5, 0);
	offer(TRANSMIT, 0);
	ck_assert_uint_eq(await(TRANSMIT), 0);
	assert_output("hello world");
}
END_TEST

START_TEST(test_chain_that_never_ends_is_cut)
{
	bring_up();
	for (unsigned int i = 0; i < 16; i++)
		desc(TRANSMIT, i, 0, 8 * MIB, i < 15 ? NEXT : 0);
	offer(TRANSMIT, 0);
	ck_assert_uint_eq(await(TRANSMIT), 0);
	desc(TRANSMIT, 0, DATA_GPA, 1, 0);
	offer(TRANSMIT, 0);
	ck_assert_uint_eq(await(TRANSMIT), 0);
}
END_TEST

START_TEST(test_input_waits_for_the_driver)
{
	char got[8] = {0};

	ck_assert_int_eq(write(input[1], "abcde", 5), 5);
	bring_up();
	desc(RECEIVE, 0, DATA_GPA, 2, WRITE);
	desc(RECEIVE, 1, DATA_GPA + 0x100, 64, WRITE);
	offer(RECEIVE, 0);
	ck_assert_uint_eq(await(RECEIVE), 2);
	offer(RECEIVE, 1);
	ck_assert_uint_eq(await(RECEIVE), 3);
	ck_assert_int_eq(guest_read(rig.memory, DATA_GPA, got, 2), 0);
	ck_assert_int_eq(guest_read(rig.memory, DATA_GPA + 0x100, got + 2, 3), 0);
	ck_assert_str_eq(got, "abcde");
}
END_TEST

START_TEST(test_buffers_of_the_driver_wait_for_input)
{
	uint32_t head, written_bytes;
	char got[8] = {0};

	bring_up();
	desc(RECEIVE, 0, DATA_GPA, 1, WRITE | NEXT);
	desc(RECEIVE, 1, DATA_GPA + 0x100, 64, WRITE);
	offer(RECEIVE, 0);
	usleep(10000);
	ck_assert(!fake_ring_take(&rings[RECEIVE], &head, &written_bytes));
	ck_assert_int_eq(write(input[1], "xyz", 3), 3);
	ck_assert_uint_eq(await(RECEIVE), 3);
	ck_assert_int_eq(guest_read(rig.memory, DATA_GPA, got, 1), 0);
	ck_assert_int_eq(guest_read(rig.memory, DATA_GPA + 0x100, got + 1, 2), 0);
	ck_assert_str_eq(got, "xyz");
}
END_TEST

START_TEST(test_buffer_without_room_comes_back_empty)
{
	bring_up();
	desc(RECEIVE, 0, DATA_GPA, 8, 0);
	offer(RECEIVE, 0);
	ck_assert_uint_eq(await(RECEIVE), 0);
}
END_TEST

START_TEST(test_reset_leaves_input_to_the_next_driver)
{
	bring_up();
	desc(RECEIVE, 0, DATA_GPA, 8, WRITE);
	offer(RECEIVE, 0);
	usleep(1000);
	rig_reset(&device);
	ck_assert_int_eq(write(input[1], "n", 1), 1);
	bring_up();
	desc(RECEIVE, 0, DATA_GPA, 8, WRITE);
	offer(RECEIVE, 0);
	ck_assert_uint_eq(await(RECEIVE), 1);
}
END_TEST

START_TEST(test_memory_outside_of_ram_stops_the_device)
{
	bring_up();
	desc(TRANSMIT, 0, UINT64_C(1) << 60, 8, 0);
	offer(TRANSMIT, 0);
	ck_assert(rig_wait_status(&device, VIRTIO_CONFIG_S_NEEDS_RESET));
	bring_up();
	ck_assert_int_eq(write(input[1], "lost", 4), 4);
	desc(RECEIVE, 0, UINT64_C(1) << 60, 8, WRITE);
	offer(RECEIVE, 0);
	ck_assert(rig_wait_status(&device, VIRTIO_CONFIG_S_NEEDS_RESET));
	rig_reset(&device);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_output_of_the_guest_reaches_the_operator,
		test_chain_that_never_ends_is_cut,
		test_input_waits_for_the_driver,
		test_buffers_of_the_driver_wait_for_input,
		test_buffer_without_room_comes_back_empty,
		test_reset_leaves_input_to_the_next_driver,
		test_memory_outside_of_ram_stops_the_device,
	};
	Suite *suite = suite_create("virtio_console");
	TCase *tcase = tcase_create("virtio_console");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_set_timeout(tcase, 30);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
