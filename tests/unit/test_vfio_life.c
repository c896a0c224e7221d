// SPDX-License-Identifier: GPL-2.0-or-later
/* The life of assigned devices: resets, events, refusals, failures, and leaving nothing behind.
 */
#include <errno.h>

#include "tests/unit/vfio_rig.h"

/* --- Resets --- */

START_TEST(test_device_is_reset_before_and_after)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	ck_assert_uint_eq(fake_device_count_resets(rig.nvme), 1);
	rig_stop(&rig);
	ck_assert_uint_eq(fake_device_count_resets(rig.nvme), 2);
	ck_assert_uint_eq(rig.n_warnings, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_without_own_reset_the_bus_is_reset)
{
	struct vfio_rig rig;

	rig_init(&rig);
	fake_device_traits(rig.nvme)->no_reset = true;
	fake_device_traits(rig.nvme)->neighbour = TWIN;
	ck_assert_int_eq(rig_start(&rig), 0);
	ck_assert_uint_eq(fake_device_count_resets(rig.nvme), 1);
	ck_assert_uint_eq(rig.n_warnings, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_reset_that_would_hit_others_is_left_out_and_told)
{
	struct vfio_rig rig;
	struct vfio_device *twin;

	rig_init(&rig);
	fake_device_traits(rig.nvme)->no_reset = true;
	fake_device_traits(rig.nvme)->shares_bus = true;
	ck_assert_int_eq(rig_start(&rig), 0);
	ck_assert_uint_eq(fake_device_count_resets(rig.nvme), 0);
	ck_assert_ptr_nonnull(
		strstr(rig.warning, "device 'disk' (" NVME "): it was not reset"));
	ck_assert_ptr_nonnull(strstr(rig.warning, "somebody else"));
	/* A neighbour that comes later must not reset what the guest uses. */
	fake_device_traits(rig.twin)->no_reset = true;
	fake_device_traits(rig.twin)->neighbour = NVME;
	ck_assert_int_eq(vfio_device_new(rig.vfio, "twin", TWIN, &twin, &rig.err), 0);
	vfio_start(rig.vfio);
	ck_assert_uint_eq(fake_device_count_resets(rig.twin), 0);
	ck_assert_ptr_nonnull(strstr(rig.warning, "in use by this guest"));
	/* At the end both go, so it can be. */
	rig_stop(&rig);
	ck_assert_uint_eq(fake_device_count_resets(rig.twin), 1);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_busy_reset_is_tried_again_for_a_while)
{
	struct vfio_rig rig;
	uint64_t before;

	rig_init(&rig);
	fake_device_traits(rig.nvme)->reset_error = -EAGAIN;
	fake_device_traits(rig.nvme)->no_hot_reset = true;
	before = host_clock_now_ns(rig.host);
	ck_assert_int_eq(rig_start(&rig), 0);
	ck_assert_uint_ge(host_clock_now_ns(rig.host) - before, 400000000);
	ck_assert_ptr_nonnull(strstr(rig.warning, "cannot be reset"));
	rig_fini(&rig);
}
END_TEST

/* --- Events --- */

START_TEST(test_failed_hardware_ends_it_with_a_reason)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	ck_assert(fake_device_raise(rig.nvme, VFIO_PCI_ERR_IRQ_INDEX, 0));
	ck_assert_int_eq(loop_run(rig.loop), 0);
	ck_assert_ptr_nonnull(strstr(rig.lost, "device 'disk' (" NVME "): the hardware"));
	rig_fini(&rig);
}
END_TEST

START_TEST(test_host_that_wants_it_back_is_told_about)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	ck_assert(fake_device_raise(rig.nvme, VFIO_PCI_REQ_IRQ_INDEX, 0));
	ck_assert_int_eq(loop_run(rig.loop), 0);
	ck_assert_ptr_nonnull(strstr(rig.lost, "the host takes it back"));
	rig_fini(&rig);
}
END_TEST

/* --- Refusals --- */

START_TEST(test_each_refusal_names_device_cause_and_cure)
{
	static const struct {
		int error;
		const char *text;
	} cases[] = {
		{-EPERM, "does not remap interrupts"},
		{-EBUSY, "is in use by another program"},
		{-EINVAL, "another program has it open"},
		{-ENODEV, "no IOMMU stands before it"},
		{-ENOMEM, "Cannot allocate memory"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct vfio_rig rig;

		rig_init(&rig);
		fake_device_traits(rig.nvme)->bind_error = cases[i].error;
		ck_assert_int_eq(rig_start(&rig), cases[i].error);
		ck_assert_ptr_nonnull(strstr(rig.err.text, "device 'disk' (" NVME "): "));
		ck_assert_msg(strstr(rig.err.text, cases[i].text), "%s", rig.err.text);
		rig_fini(&rig);
	}
}
END_TEST

START_TEST(test_device_that_is_not_there_or_not_ready_is_refused)
{
	struct vfio_rig rig;

	rig_init(&rig);
	tree_set_driver(&rig.tree, NVME, "nvme");
	ck_assert_int_eq(rig_start(&rig), -EBUSY);
	ck_assert_ptr_nonnull(strstr(rig.err.text, "run `alcove device bind " NVME "`"));
	ck_assert_int_eq(
		vfio_device_new(rig.vfio, "ghost", "0000:77:00.0", &rig.device, &rig.err),
		-ENOENT);
	ck_assert_ptr_nonnull(
		strstr(rig.err.text, "device 'ghost': the host has no PCI device"));
	rig_fini(&rig);
}
END_TEST

START_TEST(test_same_device_twice_is_refused)
{
	struct vfio_rig rig;
	struct vfio_device *again;

	rig_init_on(&rig);
	ck_assert_int_lt(vfio_device_new(rig.vfio, "again", NVME, &again, &rig.err), 0);
	rig_fini(&rig);
}
END_TEST

/* --- Failures and ends --- */

START_TEST(test_several_devices_share_a_vm)
{
	struct vfio_rig rig;
	struct vfio_device *twin;

	rig_init_on(&rig);
	ck_assert_int_eq(vfio_device_new(rig.vfio, "twin", TWIN, &twin, &rig.err), 0);
	vfio_start(rig.vfio);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	config_set(&rig, 0x8000 + PCI_COMMAND, COMMAND, 2);
	ck_assert_int_eq(fake_try_guest(rig.fake, bar_gpa(&rig, 0)), FAKE_ACCESS_OK);
	vfio_device_free(rig.device);
	ck_assert(!fake_device_is_open(rig.nvme));
	ck_assert(fake_device_is_open(rig.twin));
	rig_fini(&rig);
}
END_TEST

/* The fake kernel aborts when a file, a mapping or a slot is left; then it can be had again. */
START_TEST(test_failure_of_any_call_leaves_nothing_behind)
{
	unsigned int nth = 0, n_fired;

	do {
		struct vfio_rig rig;

		rig_init(&rig);
		faulty_arm(rig.faulty, (struct fault){.nth = ++nth});
		if (rig_start(&rig))
			ck_assert_str_ne(rig.err.text, "");
		n_fired = faulty_count_fired(rig.faulty);
		faulty_arm(rig.faulty, (struct fault){0});
		vfio_free(rig.vfio);
		rig.vfio = NULL;
		ck_assert(!fake_device_is_open(rig.nvme));
		rig_fini(&rig);
	} while (n_fired);
	ck_assert_uint_gt(nth, 30);
}
END_TEST

/* A guest that drives it while any call fails. */
START_TEST(test_failure_while_the_guest_runs_is_survived)
{
	unsigned int nth = 0, n_fired;

	do {
		struct vfio_rig rig;

		rig_init_on(&rig);
		faulty_arm(rig.faulty, (struct fault){.nth = ++nth});
		config_set(&rig, PCI_COMMAND, COMMAND, 2);
		config_set(&rig, FAKE_DEVICE_MSIX + PCI_MSIX_FLAGS, PCI_MSIX_FLAGS_ENABLE, 2);
		bus_write(rig.mmio, bar_gpa(&rig, 0) + FAKE_DEVICE_TABLE + 12, 0, 4);
		config_set(&rig, FAKE_DEVICE_VENDOR + 4, 1, 4);
		config_get(&rig, FAKE_DEVICE_VENDOR + 4, 4);
		config_set(&rig, FAKE_DEVICE_PM + PCI_PM_CTRL, 3, 2);
		config_set(&rig, FAKE_DEVICE_PM + PCI_PM_CTRL, 0, 2);
		config_set(&rig, PCI_COMMAND, 0, 2);
		config_set(&rig, PCI_COMMAND, COMMAND, 2);
		n_fired = faulty_count_fired(rig.faulty);
		faulty_arm(rig.faulty, (struct fault){0});
		rig_fini(&rig);
	} while (n_fired);
	ck_assert_uint_gt(nth, 5);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_device_is_reset_before_and_after,
		test_without_own_reset_the_bus_is_reset,
		test_reset_that_would_hit_others_is_left_out_and_told,
		test_busy_reset_is_tried_again_for_a_while,
		test_failed_hardware_ends_it_with_a_reason,
		test_host_that_wants_it_back_is_told_about,
		test_each_refusal_names_device_cause_and_cure,
		test_device_that_is_not_there_or_not_ready_is_refused,
		test_same_device_twice_is_refused,
		test_several_devices_share_a_vm,
		test_failure_of_any_call_leaves_nothing_behind,
		test_failure_while_the_guest_runs_is_survived,
	};

	return unit_run(unit_suite("vfio_life", tests, ARRAY_SIZE(tests)));
}
