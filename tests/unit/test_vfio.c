// SPDX-License-Identifier: GPL-2.0-or-later
/* Assigned devices as the guest sees them: configuration space and BARs. */
#include "devices/vfio.h"
#include "tests/unit/vfio_rig.h"

/* --- Configuration space --- */

START_TEST(test_guest_sees_the_device_without_its_level_interrupt)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	ck_assert_uint_eq(config_get(&rig, PCI_VENDOR_ID, 4), 0x00101b36);
	ck_assert_uint_eq(config_get(&rig, PCI_CLASS_REVISION, 4), 0x01080202);
	ck_assert_uint_eq(config_get(&rig, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x11001af4);
	ck_assert_uint_eq(config_get(&rig, PCI_HEADER_TYPE, 1), 0);
	ck_assert_uint_eq(config_get(&rig, PCI_INTERRUPT_PIN, 1), 0);
	ck_assert_uint_eq(config_get(&rig, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_capabilities_are_listed_as_the_device_has_them)
{
	static const uint8_t expected[][2] = {
		{FAKE_DEVICE_PM, PCI_CAP_ID_PM},       {FAKE_DEVICE_MSI, PCI_CAP_ID_MSI},
		{FAKE_DEVICE_EXPRESS, PCI_CAP_ID_EXP}, {FAKE_DEVICE_MSIX, PCI_CAP_ID_MSIX},
		{FAKE_DEVICE_VENDOR, PCI_CAP_ID_VNDR},
	};
	struct vfio_rig rig;
	unsigned int at;

	rig_init_on(&rig);
	at = config_get(&rig, PCI_CAPABILITY_LIST, 1);
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		ck_assert_uint_eq(at, expected[i][0]);
		ck_assert_uint_eq(config_get(&rig, at, 1), expected[i][1]);
		at = config_get(&rig, at + 1, 1);
	}
	ck_assert_uint_eq(at, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_endpoint_without_a_port_has_no_link)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_EXPRESS + PCI_EXP_FLAGS, 2),
			  PCI_EXP_TYPE_RC_END << 4 | 2);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_EXPRESS + PCI_EXP_LNKCAP, 4), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_extended_capabilities_that_are_not_safe_are_hidden)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	/* The first is ATS: a place holder that leads on. */
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_ATS, 4), FAKE_DEVICE_AER << 20);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_AER, 4),
			  PCI_EXT_CAP_ID_ERR | 2 << 16 | FAKE_DEVICE_DSN << 20);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_DSN, 4), PCI_EXT_CAP_ID_DSN | 1 << 16);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_what_is_not_ours_is_read_and_written_in_the_device)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	config_set(&rig, FAKE_DEVICE_VENDOR + 4, 0x12345678, 4);
	ck_assert_uint_eq(hardware_get(rig.nvme, FAKE_DEVICE_VENDOR + 4), 0x12345678);
	config_set(&rig, FAKE_DEVICE_AER + 8, 0xab, 1);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_AER + 8, 1), 0xab);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_list_that_runs_in_a_circle_ends)
{
	struct vfio_rig rig;

	rig_init(&rig);
	fake_device_config(rig.nvme)[FAKE_DEVICE_VENDOR + 1] = FAKE_DEVICE_PM;
	ck_assert_int_eq(rig_start(&rig), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_bus_mastering_is_off_until_the_guest_turns_it_on)
{
	struct vfio_rig rig;

	rig_init(&rig);
	fake_device_config(rig.nvme)[PCI_COMMAND] = COMMAND;
	ck_assert_int_eq(rig_start(&rig), 0);
	ck_assert_uint_eq(hardware_get(rig.nvme, PCI_COMMAND) & 0xffff, 0);
	config_set(&rig, PCI_COMMAND, PCI_COMMAND_MASTER | PCI_COMMAND_INTX_DISABLE, 2);
	ck_assert_uint_eq(hardware_get(rig.nvme, PCI_COMMAND) & 0xffff, PCI_COMMAND_MASTER);
	rig_stop(&rig);
	ck_assert_uint_eq(hardware_get(rig.nvme, PCI_COMMAND) & 0xffff, 0);
	rig.loop = NULL;
	rig_fini(&rig);
}
END_TEST

/* --- BARs --- */

START_TEST(test_bars_have_their_sizes_and_ports_are_left_out)
{
	static const struct {
		unsigned int offset;
		uint32_t mask;
	} bars[] = {
		{PCI_BASE_ADDRESS_0, 0xffffc004}, {PCI_BASE_ADDRESS_1, 0xffffffff},
		{PCI_BASE_ADDRESS_2, 0xfffff000}, {PCI_BASE_ADDRESS_3, 0xffffff08},
		{PCI_BASE_ADDRESS_4, 0},	  {PCI_BASE_ADDRESS_5, 0},
		{PCI_ROM_ADDRESS, 0xffffe001},
	};
	struct vfio_rig rig;

	rig_init_on(&rig);
	for (size_t i = 0; i < ARRAY_SIZE(bars); i++) {
		config_set(&rig, bars[i].offset, UINT32_MAX, 4);
		ck_assert_uint_eq(config_get(&rig, bars[i].offset, 4), bars[i].mask);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(test_decoded_bar_is_in_memslots_but_for_its_msix_pages)
{
	struct vfio_rig rig;
	uint64_t gpa;

	rig_init_on(&rig);
	gpa = bar_gpa(&rig, 0);
	ck_assert_int_eq(fake_try_guest(rig.fake, gpa), FAKE_ACCESS_MMIO);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	ck_assert_int_eq(fake_try_guest(rig.fake, gpa), FAKE_ACCESS_OK);
	ck_assert_int_eq(fake_try_guest(rig.fake, gpa + 0x1000), FAKE_ACCESS_OK);
	ck_assert_int_eq(fake_try_guest(rig.fake, gpa + FAKE_DEVICE_TABLE), FAKE_ACCESS_MMIO);
	ck_assert_int_eq(fake_try_guest(rig.fake, gpa + FAKE_DEVICE_PENDING), FAKE_ACCESS_MMIO);
	ck_assert_int_eq(fake_try_guest(rig.fake, bar_gpa(&rig, 2)), FAKE_ACCESS_OK);
	ck_assert_int_eq(fake_try_guest(rig.fake, bar_gpa(&rig, 3)), FAKE_ACCESS_MMIO);
	config_set(&rig, PCI_COMMAND, PCI_COMMAND_MASTER, 2);
	ck_assert_int_eq(fake_try_guest(rig.fake, gpa), FAKE_ACCESS_MMIO);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_moved_bar_takes_its_memslots_along)
{
	struct vfio_rig rig;
	uint64_t old, new = PLATFORM_MMIO32_GPA + 16 * MIB;

	rig_init_on(&rig);
	old = bar_gpa(&rig, 0);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	config_set(&rig, PCI_BASE_ADDRESS_0, (uint32_t) new, 4);
	ck_assert_int_eq(fake_try_guest(rig.fake, old), FAKE_ACCESS_MMIO);
	ck_assert_int_eq(fake_try_guest(rig.fake, new), FAKE_ACCESS_OK);
	/* Nowhere: it is not decoded. */
	config_set(&rig, PCI_BASE_ADDRESS_1, 0xffffffff, 4);
	ck_assert_int_eq(fake_try_guest(rig.fake, new), FAKE_ACCESS_MMIO);
	ck_assert_uint_eq(bus_read(rig.mmio, new, 4), 0xffffffff);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_what_is_not_mapped_reaches_the_registers)
{
	struct vfio_rig rig;
	uint64_t gpa;

	rig_init_on(&rig);
	gpa = bar_gpa(&rig, 3);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa, 4), 0xffffffff);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	bus_write(rig.mmio, gpa + 8, 0x12345678, 4);
	ck_assert_uint_eq(fake_device_get(rig.nvme, 3, 8), 0x12345678);
	fake_device_set(rig.nvme, 3, 0xfc, 0xcafe);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa + 0xfc, 4), 0xcafe);
	/* Behind the table, on its page. */
	gpa = bar_gpa(&rig, 0) + FAKE_DEVICE_TABLE + 16 * FAKE_DEVICE_VECTORS;
	bus_write(rig.mmio, gpa, 42, 4);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa, 4), 42);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_rom_is_read_through_the_file)
{
	struct vfio_rig rig;
	uint64_t gpa;

	rig_init_on(&rig);
	fake_device_set(rig.nvme, VFIO_PCI_ROM_REGION_INDEX, 0, 0xaa55);
	gpa = config_get(&rig, PCI_ROM_ADDRESS, 4);
	config_set(&rig, PCI_ROM_ADDRESS, (uint32_t)gpa | PCI_ROM_ADDRESS_ENABLE, 4);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa, 2), 0xaa55);
	bus_write(rig.mmio, gpa, 0, 4);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa, 2), 0xaa55);
	rig_fini(&rig);
}
END_TEST

/* The fake kernel aborts when a memslot shows a BAR of a device that sleeps. */
START_TEST(test_sleeping_device_has_no_memslots)
{
	struct vfio_rig rig;
	uint64_t gpa;

	rig_init_on(&rig);
	gpa = bar_gpa(&rig, 0);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	config_set(&rig, FAKE_DEVICE_PM + PCI_PM_CTRL, 3, 2);
	ck_assert_uint_eq(hardware_get(rig.nvme, FAKE_DEVICE_PM + PCI_PM_CTRL) & 3, 3);
	ck_assert_int_eq(fake_try_guest(rig.fake, gpa), FAKE_ACCESS_MMIO);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa, 4), 0xffffffff);
	config_set(&rig, FAKE_DEVICE_PM + PCI_PM_CTRL, 0, 2);
	ck_assert_uint_eq(hardware_get(rig.nvme, FAKE_DEVICE_PM + PCI_PM_CTRL) & 3, 0);
	ck_assert_int_eq(fake_try_guest(rig.fake, gpa), FAKE_ACCESS_OK);
	rig_fini(&rig);
}
END_TEST

/* The kernel listens to either. */
START_TEST(test_second_power_capability_puts_nothing_to_sleep)
{
	struct vfio_rig rig;
	uint8_t *config;

	rig_init(&rig);
	config = fake_device_config(rig.nvme);
	config[FAKE_DEVICE_VENDOR] = PCI_CAP_ID_PM;
	ck_assert_int_eq(rig_start(&rig), 0);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_MSIX + PCI_CAP_LIST_NEXT, 1), 0);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	config_set(&rig, FAKE_DEVICE_PM + PCI_PM_CTRL, 3, 2);
	ck_assert_int_ne(fake_try_guest(rig.fake, bar_gpa(&rig, 0)), FAKE_ACCESS_OK);
	config_set(&rig, FAKE_DEVICE_PM + PCI_PM_CTRL, 0, 2);
	ck_assert_int_eq(fake_try_guest(rig.fake, bar_gpa(&rig, 0)), FAKE_ACCESS_OK);
	config_set(&rig, FAKE_DEVICE_VENDOR + PCI_PM_CTRL, 3, 4);
	ck_assert_uint_eq(hardware_get(rig.nvme, FAKE_DEVICE_VENDOR + PCI_PM_CTRL), 0);
	ck_assert_int_eq(fake_try_guest(rig.fake, bar_gpa(&rig, 0)), FAKE_ACCESS_OK);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_holes_leave_whole_pages)
{
	static const struct {
		uint64_t size_bytes;
		struct range holes[2];
		unsigned int n_areas;
		struct range areas[3];
	} cases[] = {
		{0x4000, {{0x2000, 0x2080}, {0x3000, 0x3008}}, 1, {{0, 0x2000}}},
		{0x4000, {{0x3000, 0x3008}, {0, 0x80}}, 1, {{0x1000, 0x3000}}},
		{0x10000,
		 {{0x5ff0, 0x6010}, {0x1000, 0x1008}},
		 3,
		 {{0, 0x1000}, {0x2000, 0x5000}, {0x7000, 0x10000}}},
		{0x1000, {{0, 0x10}, {0x800, 0x808}}, 0, {{0}}},
		{0x800, {{0x10000, 0x10001}, {0x10000, 0x10001}}, 0, {{0}}},
		{0x3000, {{0x10000, 0x10001}, {0x10000, 0x10001}}, 1, {{0, 0x3000}}},
	};
	struct range areas[3];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		unsigned int n = vfio_bar_cut(cases[i].size_bytes, cases[i].holes, 2, areas);

		ck_assert_uint_eq(n, cases[i].n_areas);
		for (unsigned int k = 0; k < n; k++) {
			ck_assert_uint_eq(areas[k].start, cases[i].areas[k].start);
			ck_assert_uint_eq(areas[k].end, cases[i].areas[k].end);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_guest_sees_the_device_without_its_level_interrupt,
		test_capabilities_are_listed_as_the_device_has_them,
		test_endpoint_without_a_port_has_no_link,
		test_extended_capabilities_that_are_not_safe_are_hidden,
		test_what_is_not_ours_is_read_and_written_in_the_device,
		test_list_that_runs_in_a_circle_ends,
		test_bus_mastering_is_off_until_the_guest_turns_it_on,
		test_bars_have_their_sizes_and_ports_are_left_out,
		test_decoded_bar_is_in_memslots_but_for_its_msix_pages,
		test_moved_bar_takes_its_memslots_along,
		test_what_is_not_mapped_reaches_the_registers,
		test_rom_is_read_through_the_file,
		test_sleeping_device_has_no_memslots,
		test_second_power_capability_puts_nothing_to_sleep,
		test_holes_leave_whole_pages,
	};

	return unit_run(unit_suite("vfio", tests, ARRAY_SIZE(tests)));
}
