// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdatomic.h>

#include "devices/devices.h"
#include "memory/memory.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

#define ECAM	PLATFORM_ECAM_GPA
#define MMIO32	PLATFORM_MMIO32_GPA
#define MMIO64	(4 * GIB)
#define COMMAND (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

struct rig {
	struct bus *mmio;
	struct bus *pio;
	struct pci_host *host;
};

static struct rig make_rig(void)
{
	static const struct layout layout = {
		.mmio32 = {MMIO32, MMIO32 + PLATFORM_MMIO32_BYTES},
		.ecam = {ECAM, ECAM + PLATFORM_ECAM_BYTES},
		.mmio64 = {MMIO64, MMIO64 + 16 * GIB},
	};
	struct rig rig;

	ck_assert_int_eq(bus_new(&rig.mmio), 0);
	ck_assert_int_eq(bus_new(&rig.pio), 0);
	ck_assert_int_eq(pci_host_new(rig.mmio, rig.pio, &layout, &rig.host), 0);
	return rig;
}

static void free_rig(struct rig *rig)
{
	pci_host_free(rig->host);
	bus_free(rig->pio);
	bus_free(rig->mmio);
}

static uint64_t read_ecam(struct rig *rig, unsigned int slot, unsigned int offset,
			  unsigned int size_bytes)
{
	return bus_read(rig->mmio, ECAM + slot * 0x8000 + offset, size_bytes);
}

static void write_ecam(struct rig *rig, unsigned int slot, unsigned int offset, uint64_t value,
		       unsigned int size_bytes)
{
	bus_write(rig->mmio, ECAM + slot * 0x8000 + offset, value, size_bytes);
}

static void set_bar(struct rig *rig, unsigned int slot, unsigned int bar, uint64_t gpa)
{
	write_ecam(rig, slot, PCI_BASE_ADDRESS_0 + 4 * bar, (uint32_t)gpa, 4);
	write_ecam(rig, slot, PCI_BASE_ADDRESS_0 + 4 * bar + 4, gpa >> 32, 4);
}

static uint64_t get_bar(struct rig *rig, unsigned int slot, unsigned int bar)
{
	uint64_t low = read_ecam(rig, slot, PCI_BASE_ADDRESS_0 + 4 * bar, 4);
	uint64_t high = read_ecam(rig, slot, PCI_BASE_ADDRESS_0 + 4 * bar + 4, 4);

	return high << 32 | (low & ~0xfu);
}

/* A device whose BAR reads as its tag and that remembers where it was told to be. */
struct tagged {
	struct pci_device *device;
	uint64_t tag;
	atomic_uint_fast64_t written;
	gpa_t gpa;
	unsigned int n_moves;
};

static uint64_t tagged_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	const struct tagged *tagged = owner;

	(void)size_bytes;
	return tagged->tag + offset;
}

static void tagged_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct tagged *tagged = owner;

	(void)offset;
	(void)size_bytes;
	atomic_store(&tagged->written, value);
}

static void tagged_moved(void *owner, unsigned int bar, gpa_t gpa)
{
	struct tagged *tagged = owner;

	ck_assert_uint_eq(bar, 0);
	ck_assert((tagged->gpa == PCI_BAR_UNMAPPED) != (gpa == PCI_BAR_UNMAPPED));
	tagged->gpa = gpa;
	tagged->n_moves++;
}

static const struct pci_bar_ops tagged_ops = {
	.access = {.read = tagged_read, .write = tagged_write},
	.moved = tagged_moved,
};

static const struct pci_device_info info = {
	.vendor_id = 0x1af4,
	.device_id = 0x1042,
	.subsystem_vendor_id = 0x1234,
	.subsystem_id = 0x5678,
	.revision = 1,
	.class_code = 0x018000,
};

/* Plugs @tagged in with BAR 0 of @size_bytes; returns its slot. */
static unsigned int plug(struct rig *rig, struct tagged *tagged, uint64_t tag,
			 uint64_t size_bytes)
{
	int slot;

	*tagged = (struct tagged){.tag = tag, .gpa = PCI_BAR_UNMAPPED};
	ck_assert_int_eq(pci_device_new(&info, &tagged->device), 0);
	pci_device_add_bar(tagged->device, 0, size_bytes, &tagged_ops, tagged);
	slot = pci_host_add(rig->host, tagged->device);
	ck_assert_int_gt(slot, 0);
	return (unsigned int)slot;
}

START_TEST(test_host_bridge_is_found_by_both_mechanisms)
{
	struct rig rig = make_rig();

	ck_assert_uint_eq(read_ecam(&rig, 0, PCI_VENDOR_ID, 4), 0x00081b36);
	ck_assert_uint_eq(read_ecam(&rig, 0, PCI_CLASS_DEVICE, 2), 0x0600);
	bus_write(rig.pio, 0xcf8, 0x80000000, 4);
	ck_assert_uint_eq(bus_read(rig.pio, 0xcf8, 4), 0x80000000);
	ck_assert_uint_eq(bus_read(rig.pio, 0xcfc, 4), 0x00081b36);
	ck_assert_uint_eq(bus_read(rig.pio, 0xcfe, 2), 0x0008);
	free_rig(&rig);
}
END_TEST

START_TEST(test_absent_function_reads_all_ones)
{
	struct rig rig = make_rig();

	ck_assert_uint_eq(read_ecam(&rig, 1, 0, 4), 0xffffffff);
	ck_assert_uint_eq(bus_read(rig.mmio, ECAM + 0x1000, 4), 0xffffffff);
	ck_assert_uint_eq(bus_read(rig.mmio, ECAM + 0x100000, 2), 0xffff);
	ck_assert_uint_eq(bus_read(rig.mmio, ECAM + PLATFORM_ECAM_BYTES - 4, 4), 0xffffffff);
	ck_assert_uint_eq(read_ecam(&rig, 0, 0x100, 4), 0xffffffff);
	bus_write(rig.pio, 0xcf8, 0x80010000, 4);
	ck_assert_uint_eq(bus_read(rig.pio, 0xcfc, 4), 0xffffffff);
	free_rig(&rig);
}
END_TEST

START_TEST(test_access_across_dwords_reads_all_ones)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0, 4096);

	ck_assert_uint_eq(read_ecam(&rig, slot, 2, 4), 0xffffffff);
	ck_assert_uint_eq(read_ecam(&rig, slot, 0, 8), UINT64_MAX);
	write_ecam(&rig, slot, PCI_COMMAND - 1, 0x0000ffff, 4);
	write_ecam(&rig, slot, PCI_COMMAND, UINT64_MAX, 8);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_COMMAND, 2), 0);
	pci_device_free(tagged.device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_conf_address_takes_dwords_only)
{
	struct rig rig = make_rig();

	bus_write(rig.pio, 0xcf8, 0x80000000, 4);
	bus_write(rig.pio, 0xcfb, 0x01, 1);
	bus_write(rig.pio, 0xcf8, 0x1234, 2);
	ck_assert_uint_eq(bus_read(rig.pio, 0xcf8, 4), 0x80000000);
	ck_assert_uint_eq(bus_read(rig.pio, 0xcf8, 1), 0xff);
	bus_write(rig.pio, 0xcf8, 0, 4);
	ck_assert_uint_eq(bus_read(rig.pio, 0xcfc, 4), 0xffffffff);
	free_rig(&rig);
}
END_TEST

START_TEST(test_identity_is_read_only)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0, 4096);

	for (unsigned int offset = 0; offset < 256; offset += 4) {
		if (offset != PCI_BASE_ADDRESS_0 && offset != PCI_BASE_ADDRESS_1)
			write_ecam(&rig, slot, offset, UINT32_MAX, 4);
	}
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_VENDOR_ID, 4), 0x10421af4);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_CLASS_REVISION, 4), 0x01800001);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_SUBSYSTEM_VENDOR_ID, 4), 0x56781234);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_HEADER_TYPE, 1), 0);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_INTERRUPT_LINE, 2), 0x00ff);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_COMMAND, 4),
			  COMMAND | PCI_COMMAND_INTX_DISABLE);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_ROM_ADDRESS, 4), 0);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_BASE_ADDRESS_2, 4), 0);
	pci_device_free(tagged.device);
	free_rig(&rig);
}
END_TEST

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

START_TEST(test_bus_mastering_is_what_the_guest_set)
{
	struct rig rig = make_rig();
	struct tagged tagged;
	unsigned int slot = plug(&rig, &tagged, 0, 4096);

	ck_assert(!pci_device_is_master(tagged.device));
	write_ecam(&rig, slot, PCI_COMMAND, PCI_COMMAND_MASTER, 1);
	ck_assert(pci_device_is_master(tagged.device));
	write_ecam(&rig, slot, PCI_COMMAND + 1, 0xff, 1);
	ck_assert(pci_device_is_master(tagged.device));
	write_ecam(&rig, slot, PCI_COMMAND, PCI_COMMAND_MEMORY, 1);
	ck_assert(!pci_device_is_master(tagged.device));
	pci_device_free(tagged.device);
	free_rig(&rig);
}
END_TEST

/* A window that remembers its last access. */
struct window {
	unsigned int offset;
	unsigned int size_bytes;
	uint32_t value;
};

static uint32_t window_read(void *owner, unsigned int offset, unsigned int size_bytes)
{
	struct window *window = owner;

	window->offset = offset;
	window->size_bytes = size_bytes;
	return 0xa0b0c0d0;
}

static void window_write(void *owner, unsigned int offset, uint32_t value,
			 unsigned int size_bytes)
{
	struct window *window = owner;

	window->offset = offset;
	window->size_bytes = size_bytes;
	window->value = value;
}

static const struct pci_config_ops window_ops = {.read = window_read, .write = window_write};

START_TEST(test_capabilities_are_chained_in_order)
{
	struct rig rig = make_rig();
	struct pci_device *device;
	struct window window;
	int offsets[3];
	unsigned int slot;

	ck_assert_int_eq(pci_device_new(&info, &device), 0);
	offsets[0] = pci_device_add_capability(device, 0x09, "\x10hello", 6, NULL, 0, NULL);
	offsets[1] = pci_device_add_capability(device, 0x09, "\x14", 1, NULL, 0, NULL);
	offsets[2] =
		pci_device_add_capability(device, 0x05, "abcdefgh", 8, &window_ops, 4, &window);
	slot = (unsigned int)pci_host_add(rig.host, device);
	ck_assert_int_eq(offsets[0], 0x40);
	ck_assert_int_eq(offsets[1], 0x48);
	ck_assert_int_eq(offsets[2], 0x4c);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_STATUS, 2), PCI_STATUS_CAP_LIST);
	ck_assert_uint_eq(read_ecam(&rig, slot, PCI_CAPABILITY_LIST, 1), 0x40);
	ck_assert_uint_eq(read_ecam(&rig, slot, 0x40, 4), 0x68104809);
	ck_assert_uint_eq(read_ecam(&rig, slot, 0x44, 4), 0x6f6c6c65);
	ck_assert_uint_eq(read_ecam(&rig, slot, 0x48, 4), 0x00144c09);
	ck_assert_uint_eq(read_ecam(&rig, slot, 0x4c, 4), 0x62610005);
	pci_device_free(device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_window_gets_its_bytes_and_no_others)
{
	struct rig rig = make_rig();
	struct pci_device *device;
	struct window window = {0};
	unsigned int slot;

	/* id, next, 'a' are plain; the five bytes from offset 3 are the device's. */
	ck_assert_int_eq(pci_device_new(&info, &device), 0);
	ck_assert_int_eq(
		pci_device_add_capability(device, 9, "abcdef", 6, &window_ops, 3, &window),
		0x40);
	slot = (unsigned int)pci_host_add(rig.host, device);

	ck_assert_uint_eq(read_ecam(&rig, slot, 0x40, 4), 0xd0610009);
	ck_assert_uint_eq(window.offset, 3);
	ck_assert_uint_eq(window.size_bytes, 1);
	ck_assert_uint_eq(read_ecam(&rig, slot, 0x44, 4), 0xa0b0c0d0);
	ck_assert_uint_eq(window.offset, 4);
	ck_assert_uint_eq(window.size_bytes, 4);
	write_ecam(&rig, slot, 0x40, 0x11223344, 4);
	ck_assert_uint_eq(window.value, 0x11);
	ck_assert_uint_eq(window.size_bytes, 1);
	write_ecam(&rig, slot, 0x46, 0xabcd, 2);
	ck_assert_uint_eq(window.offset, 6);
	ck_assert_uint_eq(window.value, 0xabcd);
	window.size_bytes = 0;
	write_ecam(&rig, slot, 0x48, 0, 4);
	ck_assert_uint_eq(read_ecam(&rig, slot, 0x40, 2), 9);
	ck_assert_uint_eq(window.size_bytes, 0);
	pci_device_free(device);
	free_rig(&rig);
}
END_TEST

START_TEST(test_capability_that_does_not_fit_is_refused)
{
	static const uint8_t body[256];
	struct pci_device *device;

	ck_assert_int_eq(pci_device_new(&info, &device), 0);
	ck_assert_int_eq(pci_device_add_capability(device, 9, body, 191, NULL, 0, NULL),
			 -ENOSPC);
	ck_assert_int_eq(pci_device_add_capability(device, 9, body, SIZE_MAX, NULL, 0, NULL),
			 -ENOSPC);
	ck_assert_int_eq(pci_device_add_capability(device, 9, body, 190, NULL, 0, NULL), 0x40);
	ck_assert_int_eq(pci_device_add_capability(device, 9, body, 0, NULL, 0, NULL), -ENOSPC);
	pci_device_free(device);
}
END_TEST

START_TEST(test_slots_run_out_and_come_back)
{
	struct rig rig = make_rig();
	struct tagged devices[32];

	for (unsigned int i = 1; i < 32; i++)
		ck_assert_uint_eq(plug(&rig, &devices[i], i, 4096), i);
	ck_assert_int_eq(pci_device_new(&info, &devices[0].device), 0);
	ck_assert_int_eq(pci_host_add(rig.host, devices[0].device), -ENOSPC);
	pci_device_free(devices[7].device);
	ck_assert_uint_eq(read_ecam(&rig, 7, 0, 4), 0xffffffff);
	ck_assert_int_eq(pci_host_add(rig.host, devices[0].device), 7);
	pci_device_free(devices[0].device);
	for (unsigned int i = 1; i < 32; i++) {
		if (i != 7)
			pci_device_free(devices[i].device);
	}
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
		test_host_bridge_is_found_by_both_mechanisms,
		test_absent_function_reads_all_ones,
		test_access_across_dwords_reads_all_ones,
		test_conf_address_takes_dwords_only,
		test_identity_is_read_only,
		test_sizing_a_bar_tells_its_size,
		test_bars_start_disjoint_and_aligned_in_the_windows,
		test_bar_is_decoded_while_memory_is_on,
		test_moved_bar_answers_at_its_new_place_only,
		test_bar_outside_the_windows_is_not_decoded,
		test_overlapping_bar_comes_on_when_there_is_room,
		test_bus_mastering_is_what_the_guest_set,
		test_capabilities_are_chained_in_order,
		test_window_gets_its_bytes_and_no_others,
		test_capability_that_does_not_fit_is_refused,
		test_slots_run_out_and_come_back,
		test_freed_device_leaves_the_bus,
		test_device_may_outlive_its_host,
		test_bar_moves_while_others_use_it,
	};

	return unit_run(unit_suite("pci", tests, ARRAY_SIZE(tests)));
}
