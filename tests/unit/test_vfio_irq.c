// SPDX-License-Identifier: GPL-2.0-or-later
/* Interrupts of assigned devices: MSI-X, MSI, and the routes they take. */
#include "tests/unit/vfio_rig.h"

#define MSIX VFIO_PCI_MSIX_IRQ_INDEX
#define MSI  VFIO_PCI_MSI_IRQ_INDEX

static void msix_control(struct vfio_rig *rig, uint32_t control)
{
	config_set(rig, FAKE_DEVICE_MSIX + PCI_MSIX_FLAGS, control, 2);
}

static void set_entry(struct vfio_rig *rig, unsigned int vector, uint64_t address,
		      uint32_t data, uint32_t control)
{
	uint64_t at = bar_gpa(rig, 0) + FAKE_DEVICE_TABLE + 16ul * vector;

	bus_write(rig->mmio, at, address, 8);
	bus_write(rig->mmio, at + 8, data, 4);
	bus_write(rig->mmio, at + 12, control, 4);
}

static uint64_t get_pending(struct vfio_rig *rig)
{
	return bus_read(rig->mmio, bar_gpa(rig, 0) + FAKE_DEVICE_PENDING, 8);
}

/* A running device, MSI-X on, as Linux leaves it: all vectors masked. */
static void rig_init_msix(struct vfio_rig *rig)
{
	rig_init_on(rig);
	config_set(rig, PCI_COMMAND, COMMAND, 2);
	msix_control(rig, PCI_MSIX_FLAGS_ENABLE);
}

static void expect_msi(struct vfio_rig *rig, size_t n, uint32_t data)
{
	ck_assert_uint_eq(fake_count_msis(rig->fake), n);
	ck_assert_uint_eq(fake_get_msi(rig->fake, n - 1).data, data);
}

START_TEST(test_unmasked_vector_sends_what_the_guest_wrote)
{
	struct vfio_rig rig;

	rig_init_msix(&rig);
	set_entry(&rig, 3, 0xfee01000, 0x4123, 0);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 3));
	expect_msi(&rig, 1, 0x4123);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 0).address, 0xfee01000);
	/* A new message for the same vector, as on another processor. */
	set_entry(&rig, 3, 0xfee02000, 0x4124, 1);
	set_entry(&rig, 3, 0xfee02000, 0x4124, 0);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 3));
	expect_msi(&rig, 2, 0x4124);
	ck_assert_uint_eq(fake_count_irqfds(rig.fake), 1);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_table_and_control_read_back)
{
	struct vfio_rig rig;
	uint64_t table;

	rig_init_on(&rig);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	table = bar_gpa(&rig, 0) + FAKE_DEVICE_TABLE;
	ck_assert_uint_eq(bus_read(rig.mmio, table + 12, 4), 1);
	set_entry(&rig, 1, 0x1122334455667788, 0x99aabbcc, 1);
	ck_assert_uint_eq(bus_read(rig.mmio, table + 16, 8), 0x1122334455667788);
	ck_assert_uint_eq(bus_read(rig.mmio, table + 24, 4), 0x99aabbcc);
	msix_control(&rig, 0xffff);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_MSIX + PCI_MSIX_FLAGS, 2),
			  0xc000 | (FAKE_DEVICE_VECTORS - 1));
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_MSIX + PCI_MSIX_TABLE, 4),
			  FAKE_DEVICE_TABLE);
	/* Half in the table, half out. */
	ck_assert_uint_eq(bus_read(rig.mmio, table + 16 * FAKE_DEVICE_VECTORS - 4, 8),
			  UINT64_MAX);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_vectors_come_while_others_run)
{
	struct vfio_rig rig;

	rig_init_msix(&rig);
	for (unsigned int i = 0; i < FAKE_DEVICE_VECTORS; i++) {
		set_entry(&rig, i, 0xfee00000, 0x40 + i, 0);
		for (unsigned int k = 0; k <= i; k++)
			ck_assert(fake_device_raise(rig.nvme, MSIX, k));
		ck_assert_uint_eq(fake_get_msi(rig.fake, fake_count_msis(rig.fake) - 1).data,
				  0x40 + i);
	}
	rig_fini(&rig);
}
END_TEST

START_TEST(test_vectors_come_also_where_they_cannot_be_added)
{
	struct vfio_rig rig;

	rig_init(&rig);
	fake_device_traits(rig.nvme)->is_fixed = true;
	ck_assert_int_eq(rig_start(&rig), 0);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	msix_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	set_entry(&rig, 7, 0xfee00000, 0x77, 0);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 7));
	expect_msi(&rig, 1, 0x77);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_masked_vector_waits_and_is_delivered_once)
{
	struct vfio_rig rig;

	rig_init_msix(&rig);
	set_entry(&rig, 2, 0xfee00000, 0x42, 0);
	set_entry(&rig, 2, 0xfee00000, 0x42, 1);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 2));
	ck_assert(fake_device_raise(rig.nvme, MSIX, 2));
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	ck_assert_uint_eq(get_pending(&rig), 1 << 2);
	set_entry(&rig, 2, 0xfee00000, 0x42, 0);
	expect_msi(&rig, 1, 0x42);
	ck_assert_uint_eq(get_pending(&rig), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_function_mask_holds_all_back)
{
	struct vfio_rig rig;

	rig_init_msix(&rig);
	set_entry(&rig, 0, 0xfee00000, 0x40, 0);
	set_entry(&rig, 1, 0xfee00000, 0x41, 0);
	msix_control(&rig, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 0));
	ck_assert(fake_device_raise(rig.nvme, MSIX, 1));
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	ck_assert_uint_eq(get_pending(&rig), 3);
	msix_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 2);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_disabled_function_forgets)
{
	struct vfio_rig rig;

	rig_init_msix(&rig);
	set_entry(&rig, 0, 0xfee00000, 0x40, 0);
	set_entry(&rig, 1, 0xfee00000, 0x41, 0);
	set_entry(&rig, 1, 0xfee00000, 0x41, 1);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 1));
	msix_control(&rig, 0);
	ck_assert_uint_eq(fake_count_irqfds(rig.fake), 0);
	ck_assert(!fake_device_raise(rig.nvme, MSIX, 0));
	msix_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	ck_assert_uint_eq(get_pending(&rig), 0);
	/* The table is as it was: vector 0 is not masked. */
	ck_assert(fake_device_raise(rig.nvme, MSIX, 0));
	expect_msi(&rig, 1, 0x40);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_nonsense_of_the_guest_is_its_own_loss)
{
	struct vfio_rig rig;

	rig_init_msix(&rig);
	set_entry(&rig, 1, 0xfee00000, 0x41, 0);
	/* KVM refuses an address like this one. */
	set_entry(&rig, 2, UINT64_C(0xff) << 32 | 0xfee00000, 0x42, 0);
	ck_assert_uint_ge(rig.n_warnings, 1);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 1));
	expect_msi(&rig, 1, 0x41);
	set_entry(&rig, 2, 0xfee00000, 0x42, 0);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 2));
	expect_msi(&rig, 2, 0x42);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_host_short_of_vectors_gives_what_it_has)
{
	struct vfio_rig rig;

	rig_init(&rig);
	fake_device_traits(rig.nvme)->is_fixed = true;
	fake_device_traits(rig.nvme)->vectors = 2;
	ck_assert_int_eq(rig_start(&rig), 0);
	config_set(&rig, PCI_COMMAND, COMMAND, 2);
	msix_control(&rig, PCI_MSIX_FLAGS_ENABLE);
	ck_assert_ptr_nonnull(strstr(rig.warning, "only 2 of 8 interrupts"));
	set_entry(&rig, 1, 0xfee00000, 0x41, 0);
	set_entry(&rig, 2, 0xfee00000, 0x42, 0);
	ck_assert(fake_device_raise(rig.nvme, MSIX, 1));
	ck_assert(!fake_device_raise(rig.nvme, MSIX, 2));
	rig_fini(&rig);
}
END_TEST

/* --- MSI --- */

static void msi_set(struct vfio_rig *rig, unsigned int log2_vectors, uint32_t data, bool on)
{
	config_set(rig, FAKE_DEVICE_MSI + PCI_MSI_ADDRESS_LO, 0xfee03000, 4);
	config_set(rig, FAKE_DEVICE_MSI + PCI_MSI_DATA_64, data, 2);
	config_set(rig, FAKE_DEVICE_MSI + PCI_MSI_FLAGS,
		   log2_vectors << 4 | (on ? PCI_MSI_FLAGS_ENABLE : 0), 2);
}

START_TEST(test_msi_vectors_count_in_the_data)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	msi_set(&rig, 2, 0x4051, true);
	for (unsigned int i = 0; i < 4; i++) {
		ck_assert(fake_device_raise(rig.nvme, MSI, i));
		expect_msi(&rig, i + 1, 0x4050 + i);
	}
	msi_set(&rig, 0, 0x4051, true);
	ck_assert(!fake_device_raise(rig.nvme, MSI, 1));
	ck_assert(fake_device_raise(rig.nvme, MSI, 0));
	expect_msi(&rig, 5, 0x4051);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_msi_mask_and_pending_bits)
{
	const unsigned int mask = FAKE_DEVICE_MSI + PCI_MSI_MASK_64;
	struct vfio_rig rig;

	rig_init_on(&rig);
	msi_set(&rig, 1, 0x60, true);
	config_set(&rig, mask, 2, 4);
	ck_assert(fake_device_raise(rig.nvme, MSI, 1));
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	ck_assert_uint_eq(config_get(&rig, mask + 4, 4), 2);
	ck_assert_uint_eq(config_get(&rig, mask + 4, 1), 2);
	config_set(&rig, mask, 0, 4);
	expect_msi(&rig, 1, 0x61);
	ck_assert_uint_eq(config_get(&rig, mask + 4, 4), 0);
	msi_set(&rig, 1, 0x60, false);
	ck_assert_uint_eq(fake_count_irqfds(rig.fake), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_msi_capability_keeps_what_is_not_the_guests)
{
	struct vfio_rig rig;

	rig_init_on(&rig);
	config_set(&rig, FAKE_DEVICE_MSI, 0, 4);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_MSI, 4),
			  PCI_CAP_ID_MSI | FAKE_DEVICE_EXPRESS << 8 |
				  (PCI_MSI_FLAGS_64BIT | PCI_MSI_FLAGS_MASKBIT | 2 << 1) << 16);
	config_set(&rig, FAKE_DEVICE_MSI + PCI_MSI_ADDRESS_LO, UINT32_MAX, 4);
	ck_assert_uint_eq(config_get(&rig, FAKE_DEVICE_MSI + PCI_MSI_ADDRESS_LO, 4),
			  0xfffffffc);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_one_kind_of_message_at_a_time)
{
	struct vfio_rig rig;

	rig_init_msix(&rig);
	msi_set(&rig, 0, 0x60, true);
	ck_assert_ptr_nonnull(strstr(rig.warning, "no interrupts"));
	msi_set(&rig, 0, 0x60, false);
	msix_control(&rig, 0);
	msi_set(&rig, 0, 0x60, true);
	ck_assert(fake_device_raise(rig.nvme, MSI, 0));
	expect_msi(&rig, 1, 0x60);
	rig_fini(&rig);
}
END_TEST

/* --- Routes --- */

START_TEST(test_routes_are_used_again_and_end_somewhere)
{
	struct fake *fake = fake_new();
	struct host *host = fake_host(fake);
	int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	struct msi_routes *routes;
	uint32_t gsi[100], again;

	ck_assert_int_eq(msi_routes_new(host, vm, &routes), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(gsi); i++) {
		ck_assert_int_eq(msi_routes_add(routes, 0xfee00000, i, &gsi[i]), 0);
		ck_assert_uint_eq(gsi[i], PLATFORM_IOAPIC_PINS + i);
	}
	ck_assert_int_eq(msi_routes_set(routes, gsi[5], 0xfee00000, 7), 0);
	ck_assert_int_lt(msi_routes_set(routes, gsi[5], UINT64_C(1) << 32, 7), 0);
	msi_routes_remove(routes, gsi[9]);
	ck_assert_int_eq(msi_routes_add(routes, 0xfee00000, 0, &again), 0);
	ck_assert_uint_eq(again, gsi[9]);
	for (unsigned int i = 0; i < ARRAY_SIZE(gsi); i++)
		msi_routes_remove(routes, gsi[i]);
	msi_routes_free(routes);
	host_close(host, vm);
	fake_free(fake);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_unmasked_vector_sends_what_the_guest_wrote,
		test_table_and_control_read_back,
		test_vectors_come_while_others_run,
		test_vectors_come_also_where_they_cannot_be_added,
		test_masked_vector_waits_and_is_delivered_once,
		test_function_mask_holds_all_back,
		test_disabled_function_forgets,
		test_nonsense_of_the_guest_is_its_own_loss,
		test_host_short_of_vectors_gives_what_it_has,
		test_msi_vectors_count_in_the_data,
		test_msi_mask_and_pending_bits,
		test_msi_capability_keeps_what_is_not_the_guests,
		test_one_kind_of_message_at_a_time,
		test_routes_are_used_again_and_end_somewhere,
	};

	return unit_run(unit_suite("vfio_irq", tests, ARRAY_SIZE(tests)));
}
