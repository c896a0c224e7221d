// SPDX-License-Identifier: GPL-2.0-or-later
/* The slot of a root port: devices come and go. */
#include <errno.h>

#include "tests/unit/port_rig.h"

#define CHANGED (PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC)

/* --- The machine of states --- */

START_TEST(test_only_unplugging_empties_the_slot)
{
	for (unsigned int state = 0; state < PCI_SLOT_STATES; state++) {
		for (unsigned int event = 0; event < PCI_SLOT_EVENTS; event++) {
			struct pci_slot_step step = pci_slot_next(state, event);

			if (event == PCI_SLOT_UNPLUG)
				ck_assert_int_eq(step.to, PCI_SLOT_EMPTY);
			else if (state != PCI_SLOT_EMPTY)
				ck_assert_int_ne(step.to, PCI_SLOT_EMPTY);
			else if (event != PCI_SLOT_PLUG)
				ck_assert_int_eq(step.to, PCI_SLOT_EMPTY);
		}
	}
}
END_TEST

START_TEST(test_release_and_press_come_once)
{
	for (unsigned int state = 0; state < PCI_SLOT_STATES; state++) {
		for (unsigned int event = 0; event < PCI_SLOT_EVENTS; event++) {
			struct pci_slot_step step = pci_slot_next(state, event);

			ck_assert_int_eq(step.release, step.to == PCI_SLOT_RELEASED &&
							       state != PCI_SLOT_RELEASED);
			ck_assert_int_eq(step.press, step.to == PCI_SLOT_PRESSED &&
							     state != PCI_SLOT_PRESSED);
			/* An end is always in reach. */
			if (state != PCI_SLOT_EMPTY && event == PCI_SLOT_SHOW_OFF)
				ck_assert_int_eq(step.to, PCI_SLOT_RELEASED);
		}
	}
}
END_TEST

/* --- With a guest --- */

START_TEST(test_device_that_comes_is_announced)
{
	struct port_rig rig;
	struct tagged tagged, second;

	port_rig_init(&rig);
	start_driver(&rig);
	ck_assert_uint_eq(rig.n_msis, 0);
	plug_in(&rig, &tagged);
	ck_assert_uint_eq(rig.n_msis, 1);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_SLTSTA), PCI_EXP_SLTSTA_PDS | CHANGED);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_LNKSTA), 0x2104);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_SLTCTL) & PCI_EXP_SLTCTL_PIC,
			  PCI_EXP_SLTCTL_PWR_IND_OFF);
	tagged_new(&second, 4 * KIB, PCI_BASE_ADDRESS_MEM_TYPE_64);
	ck_assert_int_eq(pci_port_plug(rig.port, second.device, &rig.user), -EBUSY);
	pci_device_free(second.device);
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_events_are_cleared_one_by_one_and_signalled_together)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	start_driver(&rig);
	plug_in(&rig, &tagged);
	express_set(&rig, PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDC);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_SLTSTA),
			  PCI_EXP_SLTSTA_PDS | PCI_EXP_SLTSTA_DLLSC);
	/* One is still shown: no message for the next. */
	pci_device_free(tagged.device);
	ck_assert_uint_eq(rig.n_msis, 1);
	ck_assert_uint_eq(take_events(&rig), CHANGED);
	plug_in(&rig, &tagged);
	ck_assert_uint_eq(rig.n_msis, 2);
	/* Turned off and on again, the same event is signalled again. */
	port_set(&rig, EXPRESS + PCI_EXP_SLTCTL, 0, 1);
	port_set(&rig, EXPRESS + PCI_EXP_SLTCTL, 0xff & SLOT_ENABLES, 1);
	ck_assert_uint_eq(rig.n_msis, 3);
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_button_is_pressed_and_the_guest_lets_go)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	start_driver(&rig);
	plug_in(&rig, &tagged);
	take_into_use(&rig);
	ck_assert_uint_eq(rig.n_msis, 1);
	ck_assert(!pci_port_ask(rig.port));
	ck_assert_uint_eq(rig.n_msis, 2);
	ck_assert_uint_eq(take_events(&rig), PCI_EXP_SLTSTA_ABP);
	/* Asking again would call it off. */
	ck_assert(!pci_port_ask(rig.port));
	ck_assert_uint_eq(take_events(&rig), 0);
	show(&rig, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	ck_assert_uint_eq(rig.n_released, 0);
	show(&rig, PCI_EXP_SLTCTL_PWR_IND_OFF);
	ck_assert_uint_eq(rig.n_released, 1);
	show(&rig, PCI_EXP_SLTCTL_PWR_IND_ON);
	show(&rig, PCI_EXP_SLTCTL_PWR_IND_OFF);
	ck_assert_uint_eq(rig.n_released, 1);
	ck_assert(pci_port_ask(rig.port));
	pci_device_free(tagged.device);
	ck_assert_uint_eq(take_events(&rig), CHANGED);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_SLTSTA), 0);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_LNKSTA), 0);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_button_waits_for_a_guest_that_is_turning_it_on)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	start_driver(&rig);
	plug_in(&rig, &tagged);
	take_events(&rig);
	show(&rig, PCI_EXP_SLTCTL_PWR_IND_BLINK);
	ck_assert(!pci_port_ask(rig.port));
	ck_assert_uint_eq(take_events(&rig), 0);
	show(&rig, PCI_EXP_SLTCTL_PWR_IND_ON);
	ck_assert_uint_eq(take_events(&rig), PCI_EXP_SLTSTA_ABP);
	show(&rig, PCI_EXP_SLTCTL_PWR_IND_OFF);
	ck_assert_uint_eq(rig.n_released, 1);
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_guest_lets_go_by_itself)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	start_driver(&rig);
	plug_in(&rig, &tagged);
	take_into_use(&rig);
	show(&rig, PCI_EXP_SLTCTL_PWR_IND_OFF);
	ck_assert_uint_eq(rig.n_released, 1);
	pci_device_free(tagged.device);
	/* And takes the next one. */
	plug_in(&rig, &tagged);
	take_into_use(&rig);
	ck_assert_uint_eq(rig.n_released, 1);
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_guest_without_hot_plug_is_not_waited_for)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	plug_in(&rig, &tagged);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_SLTCTL), PCI_EXP_SLTCTL_PWR_IND_ON);
	ck_assert(pci_port_ask(rig.port));
	ck_assert_uint_eq(rig.n_released, 0);
	pci_device_free(tagged.device);
	ck_assert_uint_eq(rig.n_msis, 0);

	/* A driver that starts later finds it in use. */
	plug_in(&rig, &tagged);
	start_driver(&rig);
	ck_assert(!pci_port_ask(rig.port));
	ck_assert_uint_eq(take_events(&rig), PCI_EXP_SLTSTA_ABP);
	/* When that driver goes, nobody is left to wait for. */
	express_set(&rig, PCI_EXP_SLTCTL, PCI_EXP_SLTCTL_PWR_IND_ON);
	ck_assert(pci_port_ask(rig.port));
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_surprise_takes_bars_off_the_bus_and_is_told)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	start_driver(&rig);
	plug_in(&rig, &tagged);
	take_into_use(&rig);
	bus_write(rig.pci.mmio, config_at(PORT_BUS, 0, PCI_COMMAND), COMMAND, 2);
	ck_assert_uint_eq(tagged.gpa, 0xde000000);
	pci_device_free(tagged.device);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	ck_assert_uint_eq(bus_read(rig.pci.mmio, 0xde000000, 4), UINT32_MAX);
	ck_assert_uint_eq(bus_read(rig.pci.mmio, config_at(PORT_BUS, 0, 0), 4), UINT32_MAX);
	ck_assert_uint_eq(rig.n_msis, 2);
	ck_assert_uint_eq(take_events(&rig), CHANGED);
	ck_assert_uint_eq(rig.n_released, 0);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_indicator_without_a_device_means_nothing)
{
	struct port_rig rig;

	port_rig_init(&rig);
	start_driver(&rig);
	for (unsigned int value = 0; value <= UINT16_MAX; value += 0x51)
		express_set(&rig, PCI_EXP_SLTCTL, (uint16_t)value);
	ck_assert_uint_eq(rig.n_released, 0);
	port_rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_only_unplugging_empties_the_slot,
		test_release_and_press_come_once,
		test_device_that_comes_is_announced,
		test_events_are_cleared_one_by_one_and_signalled_together,
		test_button_is_pressed_and_the_guest_lets_go,
		test_button_waits_for_a_guest_that_is_turning_it_on,
		test_guest_lets_go_by_itself,
		test_guest_without_hot_plug_is_not_waited_for,
		test_surprise_takes_bars_off_the_bus_and_is_told,
		test_indicator_without_a_device_means_nothing,
	};

	return unit_run(unit_suite("pci_slot", tests, ARRAY_SIZE(tests)));
}
