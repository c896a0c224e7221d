// SPDX-License-Identifier: GPL-2.0-or-later
/* Root ports: what they say they are, and what they forward. */
#include <errno.h>

#include "tests/unit/port_rig.h"

/* The device behind the port, wherever the guest has put that bus. */
static uint32_t behind_get(struct port_rig *rig, unsigned int bus, unsigned int offset)
{
	return (uint32_t)bus_read(rig->pci.mmio, config_at(bus, 0, offset), 4);
}

static void behind_set(struct port_rig *rig, unsigned int offset, uint32_t value)
{
	bus_write(rig->pci.mmio, config_at(PORT_BUS, 0, offset), value, 4);
}

static uint64_t behind_bar(struct port_rig *rig)
{
	uint64_t high = behind_get(rig, PORT_BUS, PCI_BASE_ADDRESS_1);

	return high << 32 | (behind_get(rig, PORT_BUS, PCI_BASE_ADDRESS_0) & ~0xfu);
}

START_TEST(test_port_says_what_it_is)
{
	struct port_rig rig;

	port_rig_init(&rig);
	ck_assert_uint_eq(port_get(&rig, PCI_VENDOR_ID, 4), 0x000c1b36);
	ck_assert_uint_eq(port_get(&rig, PCI_CLASS_DEVICE, 2), 0x0604);
	ck_assert_uint_eq(port_get(&rig, PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_BRIDGE);
	ck_assert_uint_eq(port_get(&rig, PCI_CAPABILITY_LIST, 1), EXPRESS);
	ck_assert_uint_eq(port_get(&rig, EXPRESS, 1), PCI_CAP_ID_EXP);
	ck_assert_uint_eq(port_get(&rig, EXPRESS + PCI_CAP_LIST_NEXT, 1), MSIX);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_FLAGS), 0x0142);
	ck_assert_uint_eq(port_get(&rig, EXPRESS + PCI_EXP_SLTCAP, 4), 0x000c0071);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_SLTSTA), 0);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_SLTCTL), PCI_EXP_SLTCTL_PWR_IND_OFF);
	ck_assert_uint_eq(express_get(&rig, PCI_EXP_LNKSTA), 0);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_port_starts_with_a_bus_and_windows)
{
	struct port_rig rig;

	port_rig_init(&rig);
	ck_assert_uint_eq(port_get(&rig, PCI_PRIMARY_BUS, 4), 0x00010100);
	ck_assert_uint_eq(port_get(&rig, PCI_MEMORY_BASE, 4), 0xdff0de00);
	ck_assert_uint_eq(port_get(&rig, PCI_PREF_MEMORY_BASE, 4), 0xfff10001);
	ck_assert_uint_eq(port_get(&rig, PCI_PREF_BASE_UPPER32, 4), 4);
	ck_assert_uint_eq(port_get(&rig, PCI_PREF_LIMIT_UPPER32, 4), 4);
	/* No window for ports. */
	port_set(&rig, PCI_IO_BASE, 0xe0f0, 2);
	ck_assert_uint_eq(port_get(&rig, PCI_IO_BASE, 2), 0);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_device_answers_on_its_bus_and_no_other)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	ck_assert_uint_eq(behind_get(&rig, PORT_BUS, 0), UINT32_MAX);
	plug_in(&rig, &tagged);
	ck_assert_uint_eq(behind_get(&rig, PORT_BUS, 0), 0x10421af4);
	ck_assert_uint_eq(bus_read(rig.pci.mmio, config_at(PORT_BUS, 1, 0), 4), UINT32_MAX);
	ck_assert_uint_eq(bus_read(rig.pci.mmio, config_at(PORT_BUS, 0, 0x1000), 4),
			  UINT32_MAX);
	ck_assert_uint_eq(bus_read(rig.pci.mmio, config_at(0, 2, 0), 4), UINT32_MAX);
	bus_write(rig.pci.pio, 0xcf8, 0x80010000, 4);
	ck_assert_uint_eq(bus_read(rig.pci.pio, 0xcfc, 4), 0x10421af4);

	/* The guest moves it to bus 0x20. */
	port_set(&rig, PCI_PRIMARY_BUS, 0x00ff2000, 4);
	ck_assert_uint_eq(behind_get(&rig, 0x20, 0), 0x10421af4);
	ck_assert_uint_eq(behind_get(&rig, 0x21, 0), UINT32_MAX);
	ck_assert_uint_eq(behind_get(&rig, PORT_BUS, 0), UINT32_MAX);
	/* A range of buses that is empty, and none at all. */
	port_set(&rig, PCI_PRIMARY_BUS, 0x001f2000, 4);
	ck_assert_uint_eq(behind_get(&rig, 0x20, 0), UINT32_MAX);
	port_set(&rig, PCI_PRIMARY_BUS, 0, 4);
	ck_assert_uint_eq(behind_get(&rig, 0, 0), 0x00081b36);
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_of_ports_with_the_same_bus_one_answers)
{
	struct port_rig rig;
	struct msi_sink sink = {.host = &rig.host};
	struct pci_port *second;
	struct tagged tagged;

	port_rig_init(&rig);
	ck_assert_int_eq(pci_host_add_port(rig.pci.host, &sink, &second), 0);
	tagged_new(&tagged, 4 * KIB, PCI_BASE_ADDRESS_MEM_TYPE_64);
	ck_assert_int_eq(pci_port_plug(second, tagged.device, &rig.user), 0);
	ck_assert_uint_eq(behind_get(&rig, 2, 0), 0x10421af4);
	write_ecam(&rig.pci, 2, PCI_SECONDARY_BUS, 1, 1);
	ck_assert_uint_eq(behind_get(&rig, 1, 0), UINT32_MAX);
	port_set(&rig, PCI_SECONDARY_BUS, 0, 1);
	ck_assert_uint_eq(behind_get(&rig, 1, 0), 0x10421af4);
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_bars_start_in_the_windows_of_the_port)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	plug_in(&rig, &tagged);
	ck_assert_uint_eq(behind_bar(&rig), 0xde000000);
	pci_device_free(tagged.device);
	tagged_new(&tagged, 64 * MIB,
		   PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH);
	ck_assert_int_eq(pci_port_plug(rig.port, tagged.device, &rig.user), 0);
	ck_assert_uint_eq(behind_bar(&rig), MMIO64 + 12 * GIB);
	pci_device_free(tagged.device);
	/* What does not fit waits for a guest that knows better. */
	tagged_new(&tagged, 64 * MIB, PCI_BASE_ADDRESS_MEM_TYPE_64);
	ck_assert_int_eq(pci_port_plug(rig.port, tagged.device, &rig.user), 0);
	ck_assert_uint_eq(behind_bar(&rig), 0);
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_bar_is_reached_through_an_open_window_only)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	plug_in(&rig, &tagged);
	behind_set(&rig, PCI_COMMAND, PCI_COMMAND_MEMORY);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	port_set(&rig, PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	ck_assert_uint_eq(tagged.gpa, 0xde000000);
	ck_assert_uint_eq(bus_read(rig.pci.mmio, 0xde000004, 4), 0x104);
	/* The window leaves, and comes back by the other one. */
	port_set(&rig, PCI_MEMORY_BASE, 0xdff0de10, 4);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	port_set(&rig, PCI_PREF_MEMORY_BASE, 0xde00de00, 4);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	port_set(&rig, PCI_PREF_BASE_UPPER32, 0, 4);
	port_set(&rig, PCI_PREF_LIMIT_UPPER32, 0, 4);
	ck_assert_uint_eq(tagged.gpa, 0xde000000);
	/* Upside down it is closed. */
	port_set(&rig, PCI_PREF_MEMORY_LIMIT, 0xddf0, 2);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	/* All of memory, to its very end: not beyond what the root has. */
	port_set(&rig, PCI_MEMORY_BASE, 0xfff00000, 4);
	ck_assert_uint_eq(tagged.gpa, 0xde000000);
	behind_set(&rig, PCI_BASE_ADDRESS_0, 0x1000);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

START_TEST(test_ports_run_out)
{
	struct port_rig rig;
	struct msi_sink sink = {.host = &rig.host};
	struct pci_port *port;

	port_rig_init(&rig);
	/* Of 16 GiB for large BARs each takes 4. */
	for (unsigned int i = 1; i < 4; i++)
		ck_assert_int_eq(pci_host_add_port(rig.pci.host, &sink, &port), 0);
	ck_assert_int_eq(pci_host_add_port(rig.pci.host, &sink, &port), -ENOSPC);
	ck_assert_uint_eq(read_ecam(&rig.pci, 5, 0, 4), UINT32_MAX);
	ck_assert_uint_eq(read_ecam(&rig.pci, 4, PCI_PRIMARY_BUS, 4), 0x00040400);
	port_rig_fini(&rig);
}
END_TEST

/* Nothing but what the specification lets software write. */
START_TEST(test_hostile_writes_change_what_may_change)
{
	struct port_rig rig;
	struct tagged tagged;

	port_rig_init(&rig);
	plug_in(&rig, &tagged);
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int offset = 0; offset < 4096; offset += 4)
			port_set(&rig, offset, round ? 0 : UINT32_MAX, 4);
		ck_assert_uint_eq(port_get(&rig, PCI_VENDOR_ID, 4), 0x000c1b36);
		ck_assert_uint_eq(port_get(&rig, PCI_CLASS_DEVICE, 2), 0x0604);
		ck_assert_uint_eq(port_get(&rig, PCI_HEADER_TYPE, 1), PCI_HEADER_TYPE_BRIDGE);
		ck_assert_uint_eq(port_get(&rig, PCI_CAPABILITY_LIST, 4), EXPRESS);
		ck_assert_uint_eq(port_get(&rig, PCI_IO_BASE, 2), 0);
		ck_assert_uint_eq(express_get(&rig, PCI_EXP_FLAGS), 0x0142);
		ck_assert_uint_eq(port_get(&rig, EXPRESS + PCI_EXP_SLTCAP, 4), 0x000c0071);
		ck_assert_uint_eq(express_get(&rig, PCI_EXP_SLTSTA), PCI_EXP_SLTSTA_PDS);
		ck_assert_uint_eq(express_get(&rig, PCI_EXP_LNKSTA), 0x2104);
		ck_assert_uint_eq(port_get(&rig, PCI_BRIDGE_CONTROL, 2), round ? 0 : 3);
		ck_assert_uint_eq(port_get(&rig, 0x100, 4), 0);
	}
	pci_device_free(tagged.device);
	port_rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_port_says_what_it_is,
		test_port_starts_with_a_bus_and_windows,
		test_device_answers_on_its_bus_and_no_other,
		test_of_ports_with_the_same_bus_one_answers,
		test_bars_start_in_the_windows_of_the_port,
		test_bar_is_reached_through_an_open_window_only,
		test_ports_run_out,
		test_hostile_writes_change_what_may_change,
	};

	return unit_run(unit_suite("pci_port", tests, ARRAY_SIZE(tests)));
}
