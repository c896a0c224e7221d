// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/pci_regs.h>

#include "devices/devices.h"
#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "tests/fake/faulty.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

enum { VECTORS = 70, CAPABILITY = 0x40 };

/* One device with MSI-X at BAR 2, decoded at @bar. */
struct rig {
	struct fake *fake;
	struct bus *mmio;
	struct bus *pio;
	struct pci_host *host;
	struct pci_device *device;
	struct faulty *faulty;
	struct msi_sink sink;
	uint64_t config;
	uint64_t bar;
};

static struct rig make_rig(unsigned int n_vectors)
{
	static const struct pci_device_info info = {.vendor_id = 0x1af4, .device_id = 0x1042};
	static const struct layout layout = {
		.mmio32 = {PLATFORM_MMIO32_GPA, PLATFORM_ECAM_GPA},
		.ecam = {PLATFORM_ECAM_GPA, PLATFORM_ECAM_GPA + PLATFORM_ECAM_BYTES},
		.mmio64 = {PLATFORM_4G, 2 * PLATFORM_4G},
	};
	struct rig rig = {.fake = fake_new()};
	int slot;

	rig.faulty = faulty_new(fake_host(rig.fake));
	rig.sink.host = faulty_host(rig.faulty);
	rig.sink.vm = host_vm_create(rig.sink.host, 0);
	ck_assert_int_ge(rig.sink.vm, 0);
	ck_assert_int_eq(bus_new(&rig.mmio), 0);
	ck_assert_int_eq(bus_new(&rig.pio), 0);
	ck_assert_int_eq(pci_host_new(rig.mmio, rig.pio, &layout, &rig.host), 0);
	ck_assert_int_eq(pci_device_new(&info, &rig.device), 0);
	ck_assert_int_eq(pci_device_add_msix(rig.device, 2, n_vectors, &rig.sink), 0);
	slot = pci_host_add(rig.host, rig.device);
	ck_assert_int_eq(slot, 1);
	rig.config = PLATFORM_ECAM_GPA + 0x8000;
	rig.bar = bus_read(rig.mmio, rig.config + PCI_BASE_ADDRESS_2, 4) & ~UINT64_C(0xf);
	bus_write(rig.mmio, rig.config + PCI_COMMAND, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER,
		  2);
	return rig;
}

static void free_rig(struct rig *rig)
{
	pci_device_free(rig->device);
	pci_host_free(rig->host);
	bus_free(rig->pio);
	bus_free(rig->mmio);
	host_close(rig->sink.host, rig->sink.vm);
	faulty_free(rig->faulty);
	fake_free(rig->fake);
}

static void set_control(struct rig *rig, uint16_t control)
{
	bus_write(rig->mmio, rig->config + CAPABILITY + PCI_MSIX_FLAGS, control, 2);
}

static void set_vector(struct rig *rig, unsigned int vector, uint64_t address, uint32_t data)
{
	bus_write(rig->mmio, rig->bar + 16 * vector, address, 8);
	bus_write(rig->mmio, rig->bar + 16 * vector + 8, data, 4);
}

static void set_mask(struct rig *rig, unsigned int vector, bool masked)
{
	bus_write(rig->mmio, rig->bar + 16 * vector + 12, masked, 4);
}

static bool is_pending(struct rig *rig, unsigned int vector)
{
	uint64_t pending = rig->bar + 16 * VECTORS + vector / 64 * 8;

	return bus_read(rig->mmio, pending, 8) >> vector % 64 & 1;
}

START_TEST(test_capability_tells_table_and_pending_bits)
{
	struct rig rig = make_rig(VECTORS);

	ck_assert_uint_eq(bus_read(rig.mmio, rig.config + CAPABILITY, 4),
			  PCI_CAP_ID_MSIX | (VECTORS - 1) << 16);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.config + CAPABILITY + PCI_MSIX_TABLE, 4), 2);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.config + CAPABILITY + PCI_MSIX_PBA, 4),
			  16 * VECTORS | 2);
	bus_write(rig.mmio, rig.config + CAPABILITY + PCI_MSIX_TABLE, UINT32_MAX, 4);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.config + CAPABILITY + PCI_MSIX_TABLE, 4), 2);
	set_control(&rig, 0xffff);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.config + CAPABILITY + PCI_MSIX_FLAGS, 2),
			  0xc000 | (VECTORS - 1));
	free_rig(&rig);
}
END_TEST

START_TEST(test_raised_vector_sends_its_message)
{
	struct rig rig = make_rig(VECTORS);

	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	set_vector(&rig, 69, 0xfee01000, 0x4041);
	set_mask(&rig, 69, false);
	pci_device_raise_msix(rig.device, 69);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 1);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 0).address, 0xfee01000);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 0).data, 0x4041);
	ck_assert(!is_pending(&rig, 69));
	free_rig(&rig);
}
END_TEST

START_TEST(test_vectors_start_masked)
{
	struct rig rig = make_rig(VECTORS);

	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	for (unsigned int vector = 0; vector < VECTORS; vector++) {
		pci_device_raise_msix(rig.device, vector);
		ck_assert(is_pending(&rig, vector));
	}
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	free_rig(&rig);
}
END_TEST

START_TEST(test_unmasking_sends_a_pending_vector_once)
{
	struct rig rig = make_rig(VECTORS);

	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	set_vector(&rig, 65, 0xfee00000, 0x31);
	pci_device_raise_msix(rig.device, 65);
	pci_device_raise_msix(rig.device, 65);
	pci_device_raise_msix(rig.device, 64);
	set_mask(&rig, 65, false);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 1);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 0).data, 0x31);
	ck_assert(!is_pending(&rig, 65));
	ck_assert(is_pending(&rig, 64));
	set_mask(&rig, 65, true);
	set_mask(&rig, 65, false);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 1);
	free_rig(&rig);
}
END_TEST

START_TEST(test_function_mask_holds_all_vectors_back)
{
	struct rig rig = make_rig(VECTORS);

	set_control(&rig, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (unsigned int vector = 0; vector < 3; vector++) {
		set_vector(&rig, vector, 0xfee00000, vector);
		set_mask(&rig, vector, vector == 1);
		pci_device_raise_msix(rig.device, vector);
	}
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 2);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 0).data, 0);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 1).data, 2);
	ck_assert(is_pending(&rig, 1));
	free_rig(&rig);
}
END_TEST

START_TEST(test_disabled_function_sends_and_keeps_nothing)
{
	struct rig rig = make_rig(VECTORS);

	set_vector(&rig, 0, 0xfee00000, 0x31);
	set_mask(&rig, 0, false);
	pci_device_raise_msix(rig.device, 0);
	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	pci_device_raise_msix(rig.device, 1);
	ck_assert(is_pending(&rig, 1));
	set_control(&rig, 0);
	ck_assert(!is_pending(&rig, 1));
	free_rig(&rig);
}
END_TEST

START_TEST(test_without_bus_mastering_nothing_is_sent)
{
	struct rig rig = make_rig(VECTORS);

	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	set_vector(&rig, 0, 0xfee00000, 0x31);
	set_mask(&rig, 0, false);
	bus_write(rig.mmio, rig.config + PCI_COMMAND, PCI_COMMAND_MEMORY, 2);
	pci_device_raise_msix(rig.device, 0);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	free_rig(&rig);
}
END_TEST

START_TEST(test_pending_bits_are_read_only)
{
	struct rig rig = make_rig(VECTORS);

	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	bus_write(rig.mmio, rig.bar + 16 * VECTORS, UINT64_MAX, 8);
	bus_write(rig.mmio, rig.bar + 16 * VECTORS - 4, UINT64_MAX, 8);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.bar + 16 * VECTORS, 8), 0);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.bar + 16 * VECTORS - 4, 4), 1);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.bar + 16 * VECTORS + 16, 8), 0);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.bar + 4096 - 8, 8), 0);
	free_rig(&rig);
}
END_TEST

START_TEST(test_largest_table_fits_its_bar)
{
	struct rig rig = make_rig(2048);
	uint64_t pending = rig.bar + 2048 * 16;

	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	pci_device_raise_msix(rig.device, 2047);
	ck_assert_uint_eq(bus_read(rig.mmio, pending + 255, 1), 0x80);
	bus_write(rig.mmio, rig.config + PCI_BASE_ADDRESS_2, UINT32_MAX, 4);
	ck_assert_uint_eq(bus_read(rig.mmio, rig.config + PCI_BASE_ADDRESS_2, 4), 0xffff0004);
	free_rig(&rig);
}
END_TEST

START_TEST(test_failing_kernel_is_no_concern_of_the_device)
{
	struct rig rig = make_rig(VECTORS);

	set_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	set_mask(&rig, 0, false);
	faulty_arm(rig.faulty, (struct fault){.nth = 1, .errnum = EINVAL});
	pci_device_raise_msix(rig.device, 0);
	ck_assert_uint_eq(faulty_count_fired(rig.faulty), 1);
	ck_assert(!is_pending(&rig, 0));
	free_rig(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_capability_tells_table_and_pending_bits,
		test_raised_vector_sends_its_message,
		test_vectors_start_masked,
		test_unmasking_sends_a_pending_vector_once,
		test_function_mask_holds_all_vectors_back,
		test_disabled_function_sends_and_keeps_nothing,
		test_without_bus_mastering_nothing_is_sent,
		test_pending_bits_are_read_only,
		test_largest_table_fits_its_bar,
		test_failing_kernel_is_no_concern_of_the_device,
	};

	return unit_run(unit_suite("msix", tests, ARRAY_SIZE(tests)));
}
