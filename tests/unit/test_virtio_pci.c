// SPDX-License-Identifier: GPL-2.0-or-later
/* The transport: discovery, notifications, interrupts, failure, reset, the window. */
#include <errno.h>
#include <linux/pci_regs.h>

#include "tests/unit/virtio_probe.h"

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

/* --- Notifications, interrupts --- */

START_TEST(test_chains_are_answered_with_one_interrupt)
{
	bring_up();
	for (unsigned int head = 0; head < 4; head++)
		offer(1, head);
	rig_notify(&device, 1);
	for (unsigned int head = 0; head < 4; head++)
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
	faulty_arm(rig.faulty, (struct fault){.nth = 1, .errnum = ENOSPC});
	rig_probe(&device, &rig, 1);
	ck_assert_uint_eq(faulty_count_fired(rig.faulty), 1);
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

START_TEST(test_refused_chain_does_not_keep_the_loop_busy)
{
	unsigned int n_asked;

	/* The smallest ring: one chain is a whole turn's work. */
	ck_assert(rig_negotiate(&device, VERSION_1));
	rig_add_queue(&device, 0, &rings[0], RINGS_GPA, 1);
	rig_set_driver_ok(&device);
	probe.mode = REFUSE;
	offer(0, 0);
	rig_notify(&device, 0);
	settle();
	n_asked = probe.n_asked;
	settle();
	ck_assert_uint_eq(probe.n_asked, n_asked);
	loop_post(rig.loop, &probe.let_go);
	assert_answered(0, 0, 5);
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
		test_chains_are_answered_with_one_interrupt,
		test_chains_offered_before_driver_ok_are_served,
		test_notification_without_eventfd_is_served,
		test_eventfds_follow_the_bar,
		test_device_without_room_for_eventfds_works,
		test_queue_without_vector_shows_in_the_isr,
		test_refused_chain_waits_for_the_device,
		test_refused_chain_does_not_keep_the_loop_busy,
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
