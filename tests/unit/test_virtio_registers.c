// SPDX-License-Identifier: GPL-2.0-or-later
/* The common configuration of a virtio device: features, status, queues. */
#include "tests/unit/virtio_probe.h"

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

int main(void)
{
	const TTest *tests[] = {
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
	};
	Suite *suite = suite_create("virtio_registers");
	TCase *tcase = tcase_create("virtio_registers");

	tcase_add_checked_fixture(tcase, setup, teardown);
	for (size_t i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tcase, tests[i]);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
