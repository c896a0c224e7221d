// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds of BAR, extended configuration space, and devices that look after parts of it. */
#include <string.h>

#include "tests/unit/pci_rig.h"

#define PREFETCH (PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH)

/* A device that has a BAR of each kind, and writes down what it is told. */
struct kinds {
	struct tagged tagged;
	unsigned int slot;
	uint16_t command;
	unsigned int n_applied;
	gpa_t gpa_when_applied;
	uint32_t window[1];
};

static void kinds_apply(void *owner, uint16_t command)
{
	struct kinds *kinds = owner;

	kinds->command = command;
	kinds->gpa_when_applied = kinds->tagged.gpa;
	kinds->n_applied++;
}

static const struct pci_device_ops kinds_ops = {.apply = kinds_apply};

static uint32_t kinds_read(void *owner, unsigned int offset, unsigned int size_bytes)
{
	const struct kinds *kinds = owner;
	uint32_t value = 0;

	memcpy(&value, (const uint8_t *)kinds->window + offset - 0xffc, size_bytes);
	return value;
}

/* Its first byte puts the device to sleep. */
static void kinds_write(void *owner, unsigned int offset, uint32_t value,
			unsigned int size_bytes)
{
	struct kinds *kinds = owner;

	memcpy((uint8_t *)kinds->window + offset - 0xffc, &value, size_bytes);
	pci_device_set_asleep(kinds->tagged.device, kinds->window[0] & 0xff);
}

static const struct pci_config_ops window_ops = {.read = kinds_read, .write = kinds_write};

static void plug_kinds(struct rig *rig, struct kinds *kinds)
{
	static const struct pci_bar_ops silent = {
		.access = {.read = tagged_read, .write = tagged_write},
	};
	struct tagged *tagged = &kinds->tagged;
	int slot;

	*kinds = (struct kinds){.tagged = {.tag = 0x100, .gpa = PCI_BAR_UNMAPPED}};
	ck_assert_int_eq(pci_device_new(&info, &tagged->device), 0);
	pci_device_extend_config(tagged->device);
	pci_device_set_ops(tagged->device, &kinds_ops, kinds);
	ck_assert_int_eq(
		pci_device_add_window(tagged->device, 0xffc, 0x1000, &window_ops, kinds), 0);
	pci_device_add_bar(tagged->device, 0, 64 * KIB, 0, &tagged_ops, tagged);
	pci_device_add_bar(tagged->device, 1, 8 * GIB, PREFETCH, &silent, tagged);
	pci_device_add_bar(tagged->device, 3, 16, 0, &silent, tagged);
	pci_device_add_bar(tagged->device, 5, 256, PCI_BASE_ADDRESS_MEM_PREFETCH, &silent,
			   tagged);
	pci_device_add_bar(tagged->device, PCI_ROM_BAR, 64 * KIB, 0, &silent, tagged);
	slot = pci_host_add(rig->host, tagged->device);
	ck_assert_int_gt(slot, 0);
	kinds->slot = (unsigned int)slot;
}

static uint64_t size_bar(struct rig *rig, unsigned int slot, unsigned int offset)
{
	uint64_t before = read_ecam(rig, slot, offset, 4);
	uint64_t mask;

	write_ecam(rig, slot, offset, UINT32_MAX, 4);
	mask = read_ecam(rig, slot, offset, 4);
	write_ecam(rig, slot, offset, before, 4);
	ck_assert_uint_eq(read_ecam(rig, slot, offset, 4), before);
	return mask;
}

START_TEST(test_each_kind_of_bar_tells_size_and_kind)
{
	static const struct {
		unsigned int offset;
		uint32_t mask;
	} bars[] = {
		{PCI_BASE_ADDRESS_0, 0xffff0000}, {PCI_BASE_ADDRESS_1, 0x0000000c},
		{PCI_BASE_ADDRESS_2, 0xfffffffe}, {PCI_BASE_ADDRESS_3, 0xfffffff0},
		{PCI_BASE_ADDRESS_4, 0},	  {PCI_BASE_ADDRESS_5, 0xffffff08},
		{PCI_ROM_ADDRESS, 0xffff0001},
	};
	struct rig rig = make_rig();
	struct kinds kinds;

	plug_kinds(&rig, &kinds);
	for (size_t i = 0; i < ARRAY_SIZE(bars); i++)
		ck_assert_uint_eq(size_bar(&rig, kinds.slot, bars[i].offset), bars[i].mask);
	pci_device_free(kinds.tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_bars_of_32_bits_start_below_4_gib_and_large_ones_above)
{
	struct rig rig = make_rig();
	struct kinds kinds;
	uint64_t low;

	plug_kinds(&rig, &kinds);
	ck_assert_uint_eq(read_ecam(&rig, kinds.slot, PCI_BASE_ADDRESS_0, 4), MMIO32);
	ck_assert_uint_eq(get_bar(&rig, kinds.slot, 1), align_up(MMIO64, 8 * GIB));
	low = read_ecam(&rig, kinds.slot, PCI_BASE_ADDRESS_3, 4);
	ck_assert_uint_eq(low, MMIO32 + 64 * KIB);
	low = read_ecam(&rig, kinds.slot, PCI_BASE_ADDRESS_5, 4);
	ck_assert_uint_eq(low, (MMIO32 + 68 * KIB) | PCI_BASE_ADDRESS_MEM_PREFETCH);
	low = read_ecam(&rig, kinds.slot, PCI_ROM_ADDRESS, 4);
	ck_assert_uint_eq(low, MMIO32 + 128 * KIB);
	pci_device_free(kinds.tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_rom_answers_while_it_and_memory_are_on)
{
	struct rig rig = make_rig();
	struct kinds kinds;
	uint64_t rom;

	plug_kinds(&rig, &kinds);
	rom = read_ecam(&rig, kinds.slot, PCI_ROM_ADDRESS, 4);
	write_ecam(&rig, kinds.slot, PCI_COMMAND, COMMAND, 2);
	ck_assert_uint_eq(bus_read(rig.mmio, rom, 4), 0xffffffff);
	write_ecam(&rig, kinds.slot, PCI_ROM_ADDRESS, rom | PCI_ROM_ADDRESS_ENABLE, 4);
	ck_assert_uint_eq(bus_read(rig.mmio, rom, 4), 0x100);
	write_ecam(&rig, kinds.slot, PCI_COMMAND, 0, 2);
	ck_assert_uint_eq(bus_read(rig.mmio, rom, 4), 0xffffffff);
	pci_device_free(kinds.tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_device_hears_of_commands_between_leaving_and_coming)
{
	struct rig rig = make_rig();
	struct kinds kinds;

	plug_kinds(&rig, &kinds);
	write_ecam(&rig, kinds.slot, PCI_COMMAND, COMMAND, 2);
	ck_assert_uint_eq(kinds.command, COMMAND);
	ck_assert_uint_eq(kinds.gpa_when_applied, PCI_BAR_UNMAPPED);
	ck_assert_uint_eq(kinds.tagged.gpa, MMIO32);
	write_ecam(&rig, kinds.slot, PCI_COMMAND, PCI_COMMAND_MASTER, 2);
	ck_assert_uint_eq(kinds.command, PCI_COMMAND_MASTER);
	ck_assert_uint_eq(kinds.gpa_when_applied, PCI_BAR_UNMAPPED);
	ck_assert_uint_eq(kinds.n_applied, 2);
	pci_device_free(kinds.tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_sleeping_device_decodes_nothing)
{
	struct rig rig = make_rig();
	struct kinds kinds;

	plug_kinds(&rig, &kinds);
	write_ecam(&rig, kinds.slot, PCI_COMMAND, COMMAND, 2);
	write_ecam(&rig, kinds.slot, 0xffc, 0xabcd01, 4);
	ck_assert_uint_eq(read_ecam(&rig, kinds.slot, 0xffd, 1), 0xcd);
	ck_assert_uint_eq(kinds.tagged.gpa, PCI_BAR_UNMAPPED);
	ck_assert_uint_eq(kinds.n_applied, 2);
	write_ecam(&rig, kinds.slot, 0xffc, 0, 1);
	ck_assert_uint_eq(kinds.tagged.gpa, MMIO32);
	ck_assert_uint_eq(kinds.n_applied, 3);
	pci_device_free(kinds.tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_extended_space_is_there_only_if_the_device_has_it)
{
	struct rig rig = make_rig();
	struct kinds kinds;
	struct tagged plain;
	unsigned int slot = plug(&rig, &plain, 0, 4096);

	plug_kinds(&rig, &kinds);
	ck_assert_uint_eq(read_ecam(&rig, slot, 0x100, 4), 0xffffffff);
	ck_assert_uint_eq(read_ecam(&rig, kinds.slot, 0x100, 4), 0);
	pci_device_free(plain.device);
	pci_device_free(kinds.tagged.device);
	free_rig(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_each_kind_of_bar_tells_size_and_kind,
		test_bars_of_32_bits_start_below_4_gib_and_large_ones_above,
		test_rom_answers_while_it_and_memory_are_on,
		test_device_hears_of_commands_between_leaving_and_coming,
		test_sleeping_device_decodes_nothing,
		test_extended_space_is_there_only_if_the_device_has_it,
	};

	return unit_run(unit_suite("pci_kinds", tests, ARRAY_SIZE(tests)));
}
