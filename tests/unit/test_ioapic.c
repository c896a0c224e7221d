// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "devices/devices.h"
#include "tests/fake/fake.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

#define MASKED UINT32_C(0x10000)

struct rig {
	struct fake *fake;
	struct bus *mmio;
	struct ioapic *ioapic;
	struct msi_sink sink;
};

static struct rig make_rig(void)
{
	struct rig rig = {.fake = fake_new()};

	rig.sink.host = fake_host(rig.fake);
	rig.sink.vm = host_vm_create(rig.sink.host, 0);
	ck_assert_int_eq(bus_new(&rig.mmio), 0);
	ck_assert_int_eq(ioapic_new(rig.mmio, &rig.sink, &rig.ioapic), 0);
	return rig;
}

static void free_rig(struct rig *rig)
{
	ioapic_free(rig->ioapic);
	bus_free(rig->mmio);
	host_close(rig->sink.host, rig->sink.vm);
	fake_free(rig->fake);
}

static uint32_t get(struct rig *rig, uint8_t index)
{
	bus_write(rig->mmio, PLATFORM_IOAPIC_GPA, index, 4);
	return (uint32_t)bus_read(rig->mmio, PLATFORM_IOAPIC_GPA + 0x10, 4);
}

static void set(struct rig *rig, uint8_t index, uint32_t value)
{
	bus_write(rig->mmio, PLATFORM_IOAPIC_GPA, index, 4);
	bus_write(rig->mmio, PLATFORM_IOAPIC_GPA + 0x10, value, 4);
}

START_TEST(test_version_tells_24_pins)
{
	struct rig rig = make_rig();

	ck_assert_uint_eq(get(&rig, 1), 0x00170011);
	set(&rig, 1, 0);
	ck_assert_uint_eq(get(&rig, 1), 0x00170011);
	free_rig(&rig);
}
END_TEST

START_TEST(test_id_is_four_bits)
{
	struct rig rig = make_rig();

	ck_assert_uint_eq(get(&rig, 0), PLATFORM_IOAPIC_ID << 24);
	set(&rig, 0, UINT32_MAX);
	ck_assert_uint_eq(get(&rig, 0), 0x0f000000);
	ck_assert_uint_eq(get(&rig, 2), 0x0f000000);
	free_rig(&rig);
}
END_TEST

START_TEST(test_pins_start_masked)
{
	struct rig rig = make_rig();

	for (unsigned int pin = 0; pin < PLATFORM_IOAPIC_PINS; pin++) {
		ck_assert_uint_eq(get(&rig, (uint8_t)(0x10 + 2 * pin)), MASKED);
		ck_assert_uint_eq(get(&rig, (uint8_t)(0x11 + 2 * pin)), 0);
		ioapic_pulse(rig.ioapic, pin);
	}
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	free_rig(&rig);
}
END_TEST

START_TEST(test_entry_keeps_writable_bits_only)
{
	struct rig rig = make_rig();

	set(&rig, 0x3e, UINT32_MAX);
	set(&rig, 0x3f, UINT32_MAX);
	ck_assert_uint_eq(get(&rig, 0x3e), 0x0001afff);
	ck_assert_uint_eq(get(&rig, 0x3f), 0xff000000);
	ck_assert_uint_eq(get(&rig, 0x3d), 0);
	free_rig(&rig);
}
END_TEST

START_TEST(test_registers_that_do_not_exist_read_zero)
{
	struct rig rig = make_rig();

	set(&rig, 0x40, UINT32_MAX);
	ck_assert_uint_eq(get(&rig, 0x40), 0);
	ck_assert_uint_eq(get(&rig, 0xff), 0);
	ck_assert_uint_eq(get(&rig, 3), 0);
	bus_write(rig.mmio, PLATFORM_IOAPIC_GPA + 0x20, UINT32_MAX, 4);
	ck_assert_uint_eq(bus_read(rig.mmio, PLATFORM_IOAPIC_GPA + 0x20, 4), 0);
	ck_assert_uint_eq(bus_read(rig.mmio, PLATFORM_IOAPIC_GPA + 0xffc, 4), 0);
	free_rig(&rig);
}
END_TEST

START_TEST(test_pulse_sends_what_the_entry_says)
{
	struct rig rig = make_rig();

	/* Vector 0x31, lowest priority, logical, level: the trigger mode is not passed on. */
	set(&rig, 0x19, 0x5a000000);
	set(&rig, 0x18, 0x8931);
	ioapic_pulse(rig.ioapic, 4);
	set(&rig, 0x18, 0x32);
	ioapic_pulse(rig.ioapic, 4);
	ioapic_pulse(rig.ioapic, 5);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 2);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 0).address, 0xfee5a004);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 0).data, 0x131);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 1).address, 0xfee5a000);
	ck_assert_uint_eq(fake_get_msi(rig.fake, 1).data, 0x32);
	free_rig(&rig);
}
END_TEST

START_TEST(test_edge_on_a_masked_pin_is_lost)
{
	struct rig rig = make_rig();

	set(&rig, 0x18, MASKED | 0x31);
	ioapic_pulse(rig.ioapic, 4);
	set(&rig, 0x18, 0x31);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	ioapic_pulse(rig.ioapic, 4);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 1);
	free_rig(&rig);
}
END_TEST

START_TEST(test_taken_address_is_refused)
{
	struct rig rig = make_rig();
	struct ioapic *other = NULL;

	ck_assert_int_eq(ioapic_new(rig.mmio, &rig.sink, &other), -EEXIST);
	ck_assert_ptr_null(other);
	free_rig(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_version_tells_24_pins,
		test_id_is_four_bits,
		test_pins_start_masked,
		test_entry_keeps_writable_bits_only,
		test_registers_that_do_not_exist_read_zero,
		test_pulse_sends_what_the_entry_says,
		test_edge_on_a_masked_pin_is_lost,
		test_taken_address_is_refused,
	};

	return unit_run(unit_suite("ioapic", tests, ARRAY_SIZE(tests)));
}
