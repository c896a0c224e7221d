// SPDX-License-Identifier: GPL-2.0-or-later
#include <pthread.h>

#include "tests/unit/pci_rig.h"

START_TEST(test_sizing_a_bar_tells_its_size)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0, 16 * KIB);
	uint64_t start = get_bar(&rig, slot, 0);

	set_bar(&rig, slot, 0, UINT64_MAX);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_BASE_ADDRESS_0, 4), 0xffffc004);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_BASE_ADDRESS_1, 4), 0xffffffff);
	set_bar(&rig, slot, 0, start);
	ck_assert_uint_eq(get_bar(&rig, slot, 0), start);
	pci_device_free(tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_bars_start_disjoint_and_aligned_in_the_windows)
{
	struct rig rig = make_rig();
	struct tagged small, middle, large;
	unsigned int slots[] = {
		plug(&rig, &small, 0, 4 * KIB),
		plug(&rig, &middle, 0, 256 * MIB),
		plug(&rig, &large, 0, 1 * GIB),
	};

	ck_assert_uint_eq(get_bar(&rig, slots[0], 0), MMIO32);
	ck_assert_uint_eq(get_bar(&rig, slots[1], 0), MMIO32 + 256 * MIB);
	ck_assert_uint_eq(get_bar(&rig, slots[2], 0), MMIO64);
	pci_device_free(small.device);
	pci_device_free(middle.device);
	pci_device_free(large.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_bar_is_decoded_while_memory_is_on)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0x100, 4096);
	uint64_t gpa = get_bar(&rig, slot, 0);

	ck_assert_uint_eq(bus_read(rig.mmio, gpa, 4), 0xffffffff);
	write_ecam(&rig, slot, PCI_COMMAND, PCI_COMMAND_MEMORY, 1);
	ck_assert_uint_eq(tagged.gpa, gpa);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa + 4, 4), 0x104);
	bus_write(rig.mmio, gpa + 4092, 42, 4);
	ck_assert_uint_eq(atomic_load(&tagged.written), 42);
	write_ecam(&rig, slot, PCI_COMMAND, 0, 2);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa, 4), 0xffffffff);
	ck_assert_uint_eq(tagged.n_moves, 2);
	pci_device_free(tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_moved_bar_answers_at_its_new_place_only)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0x100, 4096);
	uint64_t old = get_bar(&rig, slot, 0);
	uint64_t new = MMIO64 + 5 * GIB;

	write_ecam(&rig, slot, PCI_COMMAND, COMMAND, 2);
	set_bar(&rig, slot, 0, new);
	ck_assert_uint_eq(tagged.gpa, new);
	ck_assert_uint_eq(bus_read(rig.mmio, new, 4), 0x100);
	ck_assert_uint_eq(bus_read(rig.mmio, old, 4), 0xffffffff);
	pci_device_free(tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_bar_outside_the_windows_is_not_decoded)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0x100, 1 * MIB);
	uint64_t good = get_bar(&rig, slot, 0);
	const uint64_t bad[] = {
		0,
		16 * MIB,
		ECAM,
		ECAM + PLATFORM_ECAM_BYTES - MIB,
		PLATFORM_IOAPIC_GPA,
		PLATFORM_LAPIC_GPA,
		PLATFORM_4G - MIB,
		MMIO64 + 16 * GIB,
		UINT64_MAX - MIB + 1,
	};

	write_ecam(&rig, slot, PCI_COMMAND, COMMAND, 2);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		set_bar(&rig, slot, 0, bad[i]);
		ck_assert_uint_eq(get_bar(&rig, slot, 0), bad[i]);
		ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
		ck_assert_uint_eq(read_ecam(&rig, 0, PCI_VENDOR_ID, 4), 0x00081b36);
		set_bar(&rig, slot, 0, good);
		ck_assert_uint_eq(tagged.gpa, good);
	}
	pci_device_free(tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_overlapping_bar_comes_on_when_there_is_room)
{
	struct rig rig = make_rig();
	struct tagged first, second;
	unsigned int first_slot = plug(&rig, &first, 0x1000, 4096);
	unsigned int second_slot = plug(&rig, &second, 0x2000, 64 * KIB);
	uint64_t gpa = MMIO32 + MIB;

	set_bar(&rig, second_slot, 0, gpa);
	set_bar(&rig, first_slot, 0, gpa + 4096);
	write_ecam(&rig, second_slot, PCI_COMMAND, COMMAND, 2);
	write_ecam(&rig, first_slot, PCI_COMMAND, COMMAND, 2);
	ck_assert_uint_eq(second.gpa, gpa);
	ck_assert_uint_eq(first.gpa, PCI_BAR_UNMAPPED);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa + 4096, 4), 0x3000);
	write_ecam(&rig, second_slot, PCI_COMMAND, 0, 2);
	ck_assert_uint_eq(first.gpa, gpa + 4096);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa + 4096, 4), 0x1000);
	pci_device_free(first.device);
	pci_device_free(second.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_freed_device_leaves_the_bus)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0, 4096);
	uint64_t gpa = get_bar(&rig, slot, 0);

	write_ecam(&rig, slot, PCI_COMMAND, COMMAND, 2);
	ck_assert_uint_eq(tagged.gpa, gpa);
	pci_device_free(tagged.device);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	ck_assert_uint_eq(bus_read(rig.mmio, gpa, 4), 0xffffffff);
	free_rig(&rig);
}
END_TEST

START_TEST(test_device_may_outlive_its_host)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0, 4096);

	write_ecam(&rig, slot, PCI_COMMAND, COMMAND, 2);
	free_rig(&rig);
	ck_assert_uint_eq(tagged.gpa, PCI_BAR_UNMAPPED);
	pci_device_free(tagged.device);
}
END_TEST

struct mover {
	struct rig *rig;
	uint64_t places[2];
	atomic_bool stop;
};

static void *access_bar(void *argument)
{
	struct mover *mover = argument;

	for (unsigned int i = 0; !atomic_load(&mover->stop); i++) {
		uint64_t value = bus_read(mover->rig->mmio, mover->places[i % 2], 4);

		ck_assert(value == 0x100 || value == 0xffffffff);
		bus_write(mover->rig->mmio, mover->places[i % 2], i, 4);
	}
	return NULL;
}

START_TEST(test_bar_moves_while_others_use_it)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0x100, 4096);
	struct mover mover = {
		.rig = &rig,
		.places = {MMIO32 + MIB, MMIO64 + MIB},
	};
	pthread_t users[3];

	write_ecam(&rig, slot, PCI_COMMAND, COMMAND, 2);
	for (size_t i = 0; i < 3; i++)
		ck_assert_int_eq(pthread_create(&users[i], NULL, access_bar, &mover), 0);
	for (unsigned int i = 0; i < 2000; i++)
		set_bar(&rig, slot, 0, mover.places[i % 2]);
	atomic_store(&mover.stop, true);
	for (size_t i = 0; i < 3; i++)
		pthread_join(users[i], NULL);
	ck_assert_uint_eq(tagged.gpa, mover.places[1]);
	pci_device_free(tagged.device);
	free_rig(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_sizing_a_bar_tells_its_size,
		test_bars_start_disjoint_and_aligned_in_the_windows,
		test_bar_is_decoded_while_memory_is_on,
		test_moved_bar_answers_at_its_new_place_only,
		test_bar_outside_the_windows_is_not_decoded,
		test_overlapping_bar_comes_on_when_there_is_room,
		test_freed_device_leaves_the_bus,
		test_device_may_outlive_its_host,
		test_bar_moves_while_others_use_it,
	};

	return unit_run(unit_suite("pci_bar", tests, ARRAY_SIZE(tests)));
}
