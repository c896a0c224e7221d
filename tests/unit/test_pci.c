// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "tests/unit/pci_rig.h"

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

int main(void)
{
	const TTest *const tests[] = {
		test_host_bridge_is_found_by_both_mechanisms,
		test_absent_function_reads_all_ones,
		test_access_across_dwords_reads_all_ones,
		test_conf_address_takes_dwords_only,
		test_identity_is_read_only,
		test_bus_mastering_is_what_the_guest_set,
		test_capabilities_are_chained_in_order,
		test_window_gets_its_bytes_and_no_others,
		test_capability_that_does_not_fit_is_refused,
		test_slots_run_out_and_come_back,
	};

	return unit_run(unit_suite("pci", tests, ARRAY_SIZE(tests)));
}
