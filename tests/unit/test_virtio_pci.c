// SPDX-License-Identifier: GPL-2.0-or-later
/* The transport, with a device type of the test's own behind it. */
#include "devices/virtio.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <linux/virtio_ring.h>
#include <stdatomic.h>
#include <string.h>

#include "tests/fake/rig.h"
#include "tests/unit/unit.h"

enum {
	RINGS_GPA = 0x10000,
	DATA_GPA = 0x100000,
	N_QUEUES = 3,
	QUEUE_SIZE_MAX = 64,
	BEYOND_COMMON = sizeof(struct virtio_pci_common_cfg),
	HELD_MAX = 64,
	ACKNOWLEDGE = VIRTIO_CONFIG_S_ACKNOWLEDGE,
	DRIVER = VIRTIO_CONFIG_S_DRIVER,
	FEATURES_OK = VIRTIO_CONFIG_S_FEATURES_OK,
	DRIVER_OK = VIRTIO_CONFIG_S_DRIVER_OK,
	NEEDS_RESET = VIRTIO_CONFIG_S_NEEDS_RESET,
};

#define VERSION_1	(UINT64_C(1) << VIRTIO_F_VERSION_1)
#define ACCESS_PLATFORM (UINT64_C(1) << VIRTIO_F_ACCESS_PLATFORM)
#define TYPE_FEATURE	(UINT64_C(1) << 5)

/* What the device does with chains. */
enum mode {
	ANSWER, /* at once */
	HOLD,	/* until the test lets go */
	REFUSE, /* leave them in the ring until the test lets go */
};

struct probe {
	struct virtio_device device;
	_Atomic enum mode mode;
	atomic_uint n_taken;
	struct loop_post let_go;
	/* Of the loop's thread. */
	struct virtio_queue *held_queue;
	uint16_t held[HELD_MAX];
	unsigned int n_held;
};

static struct rig rig;
static struct probe probe;
static struct rig_device device;
static struct fake_ring rings[N_QUEUES];
static const char config[] = {1, 2, 3, 4, 5};

static enum virtio_verdict probe_take(struct virtio_device *virtio, struct virtio_queue *queue,
				      const struct virtq_chain *chain)
{
	(void)virtio;
	probe.held_queue = queue;
	if (probe.mode == REFUSE)
		return VIRTIO_LATER;
	probe.n_taken++;
	if (probe.mode == HOLD)
		probe.held[probe.n_held++] = chain->head;
	else
		virtio_queue_push(queue, chain->head, 5);
	return VIRTIO_TAKEN;
}

static void probe_let_go(struct loop_post *post)
{
	(void)post;
	probe.mode = ANSWER;
	while (probe.n_held)
		virtio_queue_push(probe.held_queue, probe.held[--probe.n_held], 6);
	if (probe.held_queue)
		virtio_queue_resume(probe.held_queue);
}

static const struct virtio_device_ops probe_ops = {.take = probe_take};

static void setup(void)
{
	static const struct virtio_type type = {
		.ops = &probe_ops,
		.id = 42,
		.class_code = 0x123456,
		.features = TYPE_FEATURE,
		.config = config,
		.config_bytes = sizeof(config),
		.n_queues = N_QUEUES,
		.queue_size_max = QUEUE_SIZE_MAX,
	};

	rig_init(&rig);
	probe = (struct probe){.let_go = {.fn = probe_let_go}};
	ck_assert_int_eq(virtio_device_init(&probe.device, &rig.env, &type, NULL), 0);
	rig_start(&rig);
	rig_probe(&device, &rig, 1);
}

static void teardown(void)
{
	rig_stop(&rig);
	virtio_device_fini(&probe.device);
	rig_fini(&rig);
}

static void bring_up(void)
{
	rig_bring_up(&device, 0, rings, N_QUEUES, RINGS_GPA);
}

static void offer(unsigned int index, uint16_t head)
{
	fake_ring_set_desc(&rings[index], rings[index].desc_gpa, head, DATA_GPA, 64,
			   VRING_DESC_F_WRITE, 0);
	fake_ring_offer(&rings[index], head);
}

static void assert_answered(unsigned int index, uint32_t head, uint32_t written_bytes)
{
	uint32_t got_head, got_bytes;

	ck_assert(rig_wait_used(&rings[index], &got_head, &got_bytes));
	ck_assert_uint_eq(got_head, head);
	ck_assert_uint_eq(got_bytes, written_bytes);
}

static void wait_taken(unsigned int n)
{
	for (unsigned int n_ms = 0; probe.n_taken < n && n_ms < 10000; n_ms++)
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	ck_assert_uint_eq(probe.n_taken, n);
}

struct settle {
	struct loop_post post;
	atomic_bool done;
};

static void settle_done(struct loop_post *post)
{
	container_of(post, struct settle, post)->done = true;
}

/* All that was asked of the loop before has happened, and what that asked in turn. */
static void settle(void)
{
	for (unsigned int i = 0; i < 3; i++) {
		struct settle wait = {.post = {.fn = settle_done}};

		loop_post(rig.loop, &wait.post);
		while (!wait.done)
			nanosleep(&(struct timespec){.tv_nsec = 100000}, NULL);
	}
}

static uint64_t get_status(void)
{
	return rig_read(&device, VIRTIO_PCI_COMMON_STATUS, 1);
}

/* --- Discovery --- */

START_TEST(test_function_is_a_modern_virtio_device)
{
	ck_assert_uint_eq(rig_read_config(&rig, 1, PCI_VENDOR_ID, 2), 0x1af4);
	ck_assert_uint_eq(rig_read_config(&rig, 1, PCI_DEVICE_ID, 2), 0x1040 + 42);
	ck_assert_uint_ge(rig_read_config(&rig, 1, PCI_REVISION_ID, 1), 1);
	ck_assert_uint_eq(rig_read_config(&rig, 1, PCI_CLASS_REVISION, 4) >> 8, 0x123456);
	ck_assert_uint_ge(rig_read_config(&rig, 1, PCI_SUBSYSTEM_ID, 2), 0x40);
	ck_assert_uint_eq(rig_read_config(&rig, 1, PCI_INTERRUPT_PIN, 1), 0);
}
END_TEST

START_TEST(test_capabilities_name_structures_of_the_bar)
{
	ck_assert_uint_eq(device.common_gpa, device.bar_gpa);
	ck_assert_uint_eq(device.isr_gpa, device.bar_gpa + 0x1000);
	ck_assert_uint_eq(device.config_gpa, device.bar_gpa + 0x2000);
	ck_assert_uint_eq(device.notify_gpa, device.bar_gpa + 0x3000);
	ck_assert_uint_eq(device.notify_step_bytes, 4);
	ck_assert_uint_ne(device.window_offset, 0);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_NUMQ, 2), N_QUEUES);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_CFGGENERATION, 1), 0);
}
END_TEST

START_TEST(test_device_configuration_ends_in_zeroes)
{
	ck_assert_uint_eq(bus_read(rig.mmio, device.config_gpa, 4), 0x04030201);
	ck_assert_uint_eq(bus_read(rig.mmio, device.config_gpa + 3, 4), 0x0504);
	ck_assert_uint_eq(bus_read(rig.mmio, device.config_gpa + 5, 8), 0);
	bus_write(rig.mmio, device.config_gpa, 0, 4);
	ck_assert_uint_eq(bus_read(rig.mmio, device.config_gpa, 1), 1);
}
END_TEST

/* --- Features and status --- */

START_TEST(test_features_are_those_of_type_and_transport)
{
	uint64_t features = rig_get_features(&device);

	ck_assert_uint_eq(features, TYPE_FEATURE | VERSION_1 | ACCESS_PLATFORM |
					    UINT64_C(1) << VIRTIO_RING_F_EVENT_IDX |
					    UINT64_C(1) << VIRTIO_RING_F_INDIRECT_DESC);
	rig_write(&device, VIRTIO_PCI_COMMON_DFSELECT, 2, 4);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_DF, 4), 0);
}
END_TEST

START_TEST(test_unacceptable_features_are_not_ok)
{
	ck_assert(!rig_negotiate(&device, 0));
	ck_assert(!rig_negotiate(&device, TYPE_FEATURE | ACCESS_PLATFORM));
	ck_assert(!rig_negotiate(&device, VERSION_1 | UINT64_C(1) << 6));
	ck_assert(!rig_negotiate(&device, VERSION_1 | UINT64_C(1) << VIRTIO_F_RING_PACKED));
	ck_assert(rig_negotiate(&device, VERSION_1));
	ck_assert(rig_negotiate(&device, VERSION_1 | ACCESS_PLATFORM | TYPE_FEATURE));
}
END_TEST

START_TEST(test_features_are_final_once_ok)
{
	ck_assert(rig_negotiate(&device, VERSION_1));
	rig_write(&device, VIRTIO_PCI_COMMON_GFSELECT, 0, 4);
	rig_write(&device, VIRTIO_PCI_COMMON_GF, TYPE_FEATURE, 4);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_GF, 4), 0);
}
END_TEST

START_TEST(test_status_bits_come_in_order_and_stay)
{
	rig_write(&device, VIRTIO_PCI_COMMON_STATUS, DRIVER, 1);
	ck_assert_uint_eq(get_status(), 0);
	rig_write(&device, VIRTIO_PCI_COMMON_STATUS, ACKNOWLEDGE | DRIVER | DRIVER_OK, 1);
	ck_assert_uint_eq(get_status(), ACKNOWLEDGE | DRIVER);
	rig_write(&device, VIRTIO_PCI_COMMON_STATUS, VIRTIO_CONFIG_S_FAILED, 1);
	ck_assert_uint_eq(get_status(), ACKNOWLEDGE | DRIVER | VIRTIO_CONFIG_S_FAILED);
	/* The device's own bit is not the driver's to set. */
	rig_write(&device, VIRTIO_PCI_COMMON_STATUS, 0xff, 1);
	ck_assert_uint_eq(get_status() & (NEEDS_RESET | DRIVER_OK), 0);
}
END_TEST

START_TEST(test_reset_before_driver_ok_is_immediate)
{
	ck_assert(rig_negotiate(&device, VERSION_1));
	rig_write(&device, VIRTIO_PCI_COMMON_MSIX, 0, 2);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_SIZE, 16, 2);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	rig_write(&device, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	ck_assert_uint_eq(get_status(), 0);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_SELECT, 2), 0);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_SIZE, 2), QUEUE_SIZE_MAX);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
}
END_TEST

/* --- Queue registers --- */

START_TEST(test_queue_size_is_a_power_of_two_up_to_the_limit)
{
	static const uint16_t refused[] = {0, 3, 48, QUEUE_SIZE_MAX * 2, 0x8000};

	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_SIZE, 2), QUEUE_SIZE_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		rig_write(&device, VIRTIO_PCI_COMMON_Q_SIZE, refused[i], 2);
		ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_SIZE, 2),
				  QUEUE_SIZE_MAX);
	}
	rig_write(&device, VIRTIO_PCI_COMMON_Q_SIZE, 1, 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_SIZE, 2), 1);
}
END_TEST

START_TEST(test_queue_that_does_not_exist_has_size_zero)
{
	static const unsigned int fields[] = {
		VIRTIO_PCI_COMMON_Q_SIZE,   VIRTIO_PCI_COMMON_Q_ENABLE,
		VIRTIO_PCI_COMMON_Q_NOFF,   VIRTIO_PCI_COMMON_Q_DESCLO,
		VIRTIO_PCI_COMMON_Q_DESCHI, VIRTIO_PCI_COMMON_Q_USEDHI,
	};

	rig_write(&device, VIRTIO_PCI_COMMON_Q_SELECT, N_QUEUES, 2);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		rig_write(&device, fields[i], 1, 2);
		ck_assert_uint_eq(rig_read(&device, fields[i], 2), 0);
	}
	rig_write(&device, VIRTIO_PCI_COMMON_Q_MSIX, 0, 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
}
END_TEST

START_TEST(test_enabled_queue_stays_where_it_is)
{
	ck_assert(rig_negotiate(&device, VERSION_1));
	rig_add_queue(&device, 2, &rings[2], RINGS_GPA, 16);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_SIZE, 8, 2);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_DESCLO, 0, 4);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_ENABLE, 0, 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_SIZE, 2), 16);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_DESCLO, 4), RINGS_GPA);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_NOFF, 2), 2);
}
END_TEST

START_TEST(test_queue_cannot_be_enabled_after_driver_ok)
{
	rig_bring_up(&device, 0, rings, 1, RINGS_GPA);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_SELECT, 1, 2);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	rig_notify(&device, 1);
	offer(0, 0);
	rig_notify(&device, 0);
	assert_answered(0, 0, 5);
	ck_assert_uint_eq(probe.n_taken, 1);
}
END_TEST

START_TEST(test_vector_that_does_not_exist_reads_back_as_none)
{
	rig_write(&device, VIRTIO_PCI_COMMON_MSIX, N_QUEUES, 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_MSIX, 2), N_QUEUES);
	rig_write(&device, VIRTIO_PCI_COMMON_MSIX, N_QUEUES + 1, 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_MSIX, 0x1000, 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_MSIX, 2), VIRTIO_MSI_NO_VECTOR);
}
END_TEST

START_TEST(test_write_reaches_the_fields_it_covers)
{
	/* Two halves at once. */
	rig_write(&device, VIRTIO_PCI_COMMON_Q_USEDLO, UINT64_C(0x123456789abcdef0), 8);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_USEDLO, 8),
			  UINT64_C(0x123456789abcdef0));
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_USEDHI, 4), 0x12345678);
	/* A part of one: nothing. */
	rig_write(&device, VIRTIO_PCI_COMMON_Q_USEDLO, 0, 2);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_USEDHI, 0, 1);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_USEDLO, 8),
			  UINT64_C(0x123456789abcdef0));
	/* Status, generation and queue_select. */
	rig_write(&device, VIRTIO_PCI_COMMON_STATUS, 0x0002ff01, 4);
	ck_assert_uint_eq(get_status(), ACKNOWLEDGE);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_SELECT, 2), 2);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_STATUS, 4), 0x00020001);
	/* Read-only fields, and what is behind the last. */
	rig_write(&device, VIRTIO_PCI_COMMON_NUMQ, 9, 2);
	rig_write(&device, BEYOND_COMMON, 1, 8);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_NUMQ, 2), N_QUEUES);
	ck_assert_uint_eq(rig_read(&device, BEYOND_COMMON, 8), 0);
}
END_TEST

/* --- Notifications, interrupts --- */

START_TEST(test_chains_are_answered_with_one_interrupt)
{
	bring_up();
	for (uint16_t head = 0; head < 4; head++)
		offer(1, head);
	rig_notify(&device, 1);
	for (uint16_t head = 0; head < 4; head++)
		assert_answered(1, head, 5);
	ck_assert(rig_wait_msis(&rig, 1, 1));
}
END_TEST

START_TEST(test_chains_offered_before_driver_ok_are_served)
{
	ck_assert(rig_negotiate(&device, VERSION_1));
	rig_add_queue(&device, 0, &rings[0], RINGS_GPA, 16);
	offer(0, 3);
	rig_notify(&device, 0);
	settle();
	ck_assert_uint_eq(probe.n_taken, 0);
	rig_set_driver_ok(&device);
	assert_answered(0, 3, 5);
}
END_TEST

START_TEST(test_notification_without_eventfd_is_served)
{
	bring_up();
	offer(0, 0);
	bus_write(rig.mmio, device.notify_gpa, 0, 2);
	assert_answered(0, 0, 5);
	/* Behind the last queue. */
	bus_write(rig.mmio, device.notify_gpa + N_QUEUES * device.notify_step_bytes, 0, 2);
}
END_TEST

START_TEST(test_eventfds_follow_the_bar)
{
	gpa_t moved = device.bar_gpa + 0x100000;

	ck_assert_uint_eq(fake_count_ioeventfds(rig.fake), N_QUEUES);
	rig_write_config(&rig, 1, PCI_BASE_ADDRESS_0, (uint32_t)moved, 4);
	ck_assert_uint_eq(fake_count_ioeventfds(rig.fake), N_QUEUES);
	ck_assert(!fake_write_gpa(rig.fake, device.notify_gpa, 2, 0));
	ck_assert(fake_write_gpa(rig.fake, moved + 0x3000, 2, 0));
	rig_write_config(&rig, 1, PCI_COMMAND, 0, 2);
	ck_assert_uint_eq(fake_count_ioeventfds(rig.fake), 0);
}
END_TEST

START_TEST(test_device_without_room_for_eventfds_works)
{
	rig_write_config(&rig, 1, PCI_COMMAND, 0, 2);
	fake_fail_call(rig.fake, 1, ENOSPC);
	rig_probe(&device, &rig, 1);
	ck_assert(fake_has_failed(rig.fake));
	ck_assert_uint_eq(fake_count_ioeventfds(rig.fake), N_QUEUES - 1);
	bring_up();
	offer(0, 0);
	rig_notify(&device, 0);
	assert_answered(0, 0, 5);
	rig_write_config(&rig, 1, PCI_COMMAND, 0, 2);
	ck_assert_uint_eq(fake_count_ioeventfds(rig.fake), 0);
}
END_TEST

START_TEST(test_queue_without_vector_shows_in_the_isr)
{
	bring_up();
	rig_write(&device, VIRTIO_PCI_COMMON_Q_SELECT, 0, 2);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_MSIX, VIRTIO_MSI_NO_VECTOR, 2);
	offer(0, 0);
	rig_notify(&device, 0);
	assert_answered(0, 0, 5);
	settle();
	ck_assert_uint_eq(bus_read(rig.mmio, device.isr_gpa, 1), 1);
	ck_assert_uint_eq(bus_read(rig.mmio, device.isr_gpa, 1), 0);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
}
END_TEST

START_TEST(test_refused_chain_waits_for_the_device)
{
	bring_up();
	probe.mode = REFUSE;
	offer(0, 7);
	rig_notify(&device, 0);
	settle();
	ck_assert_uint_eq(probe.n_taken, 0);
	loop_post(rig.loop, &probe.let_go);
	assert_answered(0, 7, 5);
}
END_TEST

START_TEST(test_device_that_is_no_bus_master_touches_nothing)
{
	uint32_t head, written_bytes;

	bring_up();
	rig_write_config(&rig, 1, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	offer(0, 0);
	rig_notify(&device, 0);
	settle();
	ck_assert_uint_eq(probe.n_taken, 0);

	rig_write_config(&rig, 1, PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	probe.mode = HOLD;
	rig_notify(&device, 0);
	wait_taken(1);
	rig_write_config(&rig, 1, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	loop_post(rig.loop, &probe.let_go);
	settle();
	ck_assert(!fake_ring_take(&rings[0], &head, &written_bytes));
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
}
END_TEST

/* --- Failure and reset --- */

START_TEST(test_broken_ring_stops_the_device_until_reset)
{
	uint32_t head, written_bytes;

	bring_up();
	rig_write(&device, VIRTIO_PCI_COMMON_MSIX, N_QUEUES, 2);
	fake_ring_offer(&rings[0], 16);
	rig_notify(&device, 0);
	ck_assert(rig_wait_status(&device, NEEDS_RESET));
	ck_assert(rig_wait_msis(&rig, N_QUEUES, 1));
	ck_assert_uint_eq(bus_read(rig.mmio, device.isr_gpa, 1), VIRTIO_PCI_ISR_CONFIG);
	offer(1, 0);
	rig_notify(&device, 1);
	settle();
	ck_assert(!fake_ring_take(&rings[1], &head, &written_bytes));

	bring_up();
	ck_assert_uint_eq(get_status() & NEEDS_RESET, 0);
	offer(0, 0);
	rig_notify(&device, 0);
	assert_answered(0, 0, 5);
}
END_TEST

START_TEST(test_misplaced_ring_stops_the_device)
{
	ck_assert(rig_negotiate(&device, VERSION_1));
	rig_write(&device, VIRTIO_PCI_COMMON_Q_DESCLO, 1, 4);
	rig_write(&device, VIRTIO_PCI_COMMON_Q_ENABLE, 1, 2);
	rig_set_driver_ok(&device);
	ck_assert(rig_wait_status(&device, NEEDS_RESET));
}
END_TEST

START_TEST(test_reset_waits_for_chains_under_way)
{
	uint32_t head, written_bytes;

	bring_up();
	probe.mode = HOLD;
	offer(0, 0);
	offer(0, 1);
	rig_notify(&device, 0);
	wait_taken(2);
	rig_write(&device, VIRTIO_PCI_COMMON_STATUS, 0, 1);
	settle();
	ck_assert_uint_ne(get_status(), 0);
	/* Nothing can be written meanwhile. */
	rig_write(&device, VIRTIO_PCI_COMMON_Q_SELECT, 7, 2);
	ck_assert_uint_ne(rig_read(&device, VIRTIO_PCI_COMMON_Q_SELECT, 2), 7);

	loop_post(rig.loop, &probe.let_go);
	rig_reset(&device);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_Q_SELECT, 2), 0);
	ck_assert(!fake_ring_take(&rings[0], &head, &written_bytes));
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	bring_up();
	offer(0, 0);
	rig_notify(&device, 0);
	assert_answered(0, 0, 5);
}
END_TEST

START_TEST(test_reset_right_after_driver_ok_ends_in_zero)
{
	for (unsigned int i = 0; i < 100; i++) {
		bring_up();
		offer(0, 0);
		rig_notify(&device, 0);
		rig_reset(&device);
	}
	ck_assert_uint_eq(get_status(), 0);
}
END_TEST

/* --- The window in configuration space --- */

static void set_window(uint32_t bar, uint32_t offset, uint32_t size_bytes)
{
	unsigned int at = device.window_offset;

	rig_write_config(&rig, 1, at + VIRTIO_PCI_CAP_BAR, bar, 1);
	rig_write_config(&rig, 1, at + VIRTIO_PCI_CAP_OFFSET, offset, 4);
	rig_write_config(&rig, 1, at + VIRTIO_PCI_CAP_LENGTH, size_bytes, 4);
}

START_TEST(test_window_reaches_the_bar)
{
	unsigned int at = device.window_offset, data = at + sizeof(struct virtio_pci_cap);

	set_window(0, VIRTIO_PCI_COMMON_NUMQ, 2);
	ck_assert_uint_eq(rig_read_config(&rig, 1, at + VIRTIO_PCI_CAP_OFFSET, 4),
			  VIRTIO_PCI_COMMON_NUMQ);
	ck_assert_uint_eq(rig_read_config(&rig, 1, data, 2), N_QUEUES);
	set_window(0, VIRTIO_PCI_COMMON_STATUS, 1);
	rig_write_config(&rig, 1, data, ACKNOWLEDGE, 1);
	ck_assert_uint_eq(get_status(), ACKNOWLEDGE);
	ck_assert_uint_eq(rig_read_config(&rig, 1, data, 1), ACKNOWLEDGE);

	bring_up();
	offer(1, 2);
	set_window(0, 0x3000 + 4, 2);
	rig_write_config(&rig, 1, data, 1, 2);
	assert_answered(1, 2, 5);
}
END_TEST

static const struct {
	uint32_t bar, offset, size_bytes;
} bad_windows[] = {
	{2, 0, 4}, {6, 0, 4}, {0, 0x4000, 4}, {0, 0x3ffe, 4}, {0, UINT32_MAX, 1},
	{0, 1, 2}, {0, 0, 0}, {0, 0, 3},      {0, 0, 8},      {0, 0, UINT32_MAX},
};

START_TEST(test_window_elsewhere_shows_nothing)
{
	unsigned int data = device.window_offset + sizeof(struct virtio_pci_cap);

	set_window(bad_windows[_i].bar, bad_windows[_i].offset, bad_windows[_i].size_bytes);
	rig_write_config(&rig, 1, data, UINT32_MAX, 4);
	ck_assert_uint_eq(rig_read_config(&rig, 1, data, 4), 0);
	ck_assert_uint_eq(rig_read(&device, VIRTIO_PCI_COMMON_DFSELECT, 4), 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_function_is_a_modern_virtio_device,
		test_capabilities_name_structures_of_the_bar,
		test_device_configuration_ends_in_zeroes,
		test_features_are_those_of_type_and_transport,
		test_unacceptable_features_are_not_ok,
		test_features_are_final_once_ok,
		test_status_bits_come_in_order_and_stay,
		test_reset_before_driver_ok_is_immediate,
		test_queue_size_is_a_power_of_two_up_to_the_limit,
		test_queue_that_does_not_exist_has_size_zero,
		test_enabled_queue_stays_where_it_is,
		test_queue_cannot_be_enabled_after_driver_ok,
		test_vector_that_does_not_exist_reads_back_as_none,
		test_write_reaches_the_fields_it_covers,
		test_chains_are_answered_with_one_interrupt,
		test_chains_offered_before_driver_ok_are_served,
		test_notification_without_eventfd_is_served,
		test_eventfds_follow_the_bar,
		test_device_without_room_for_eventfds_works,
		test_queue_without_vector_shows_in_the_isr,
		test_refused_chain_waits_for_the_device,
		test_device_that_is_no_bus_master_touches_nothing,
		test_broken_ring_stops_the_device_until_reset,
		test_misplaced_ring_stops_the_device,
		test_reset_waits_for_chains_under_way,
		test_reset_right_after_driver_ok_ends_in_zero,
		test_window_reaches_the_bar,
	};
	Suite *suite = suite_create("virtio_pci");
	TCase *tcase = tcase_create("virtio_pci");

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	tcase_add_loop_test(tcase, test_window_elsewhere_shows_nothing, 0,
			    ARRAY_SIZE(bad_windows));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
