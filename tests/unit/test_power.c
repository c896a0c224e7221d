// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>

#include "devices/devices.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

struct rig {
	struct bus *pio;
	struct bus *mmio;
	struct machine_sink sink;
	struct power *power;
	unsigned int n_events;
	enum machine_event event;
	unsigned int code;
};

static void rig_raise(void *machine, enum machine_event event, unsigned int code)
{
	struct rig *rig = machine;

	rig->n_events++;
	rig->event = event;
	rig->code = code;
}

static void rig_init(struct rig *rig)
{
	*rig = (struct rig){.sink = {.raise = rig_raise, .machine = rig}};
	ck_assert_int_eq(bus_new(&rig->pio), 0);
	ck_assert_int_eq(bus_new(&rig->mmio), 0);
	ck_assert_int_eq(power_new(rig->pio, rig->mmio, &rig->sink, &rig->power), 0);
}

static void rig_fini(struct rig *rig)
{
	power_free(rig->power);
	bus_free(rig->pio);
	bus_free(rig->mmio);
}

/* Did exactly this happen since the last time? */
static void expect(struct rig *rig, enum machine_event event, unsigned int code)
{
	ck_assert_uint_eq(rig->n_events, 1);
	ck_assert_int_eq(rig->event, event);
	ck_assert_uint_eq(rig->code, code);
	rig->n_events = 0;
}

START_TEST(test_sleep_control_turns_the_machine_off)
{
	struct rig rig;

	rig_init(&rig);
	bus_write(rig.pio, PLATFORM_POWER_PORT, 0x34, 1);
	expect(&rig, MACHINE_POWER_OFF, 0);
	bus_write(rig.mmio, PLATFORM_POWER_GPA, 0x34, 1);
	expect(&rig, MACHINE_POWER_OFF, 0);
	bus_write(rig.mmio, PLATFORM_POWER_GPA, 0x34, 2);
	expect(&rig, MACHINE_POWER_OFF, 0);
	bus_write(rig.mmio, PLATFORM_POWER_GPA, 0x34, 4);
	expect(&rig, MACHINE_POWER_OFF, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_other_sleep_states_are_ignored)
{
	struct rig rig;

	rig_init(&rig);
	for (unsigned int value = 0; value < 256; value++) {
		/* Everything but SLP_EN with type 5, whatever the reserved bits. */
		if ((value & 0x3c) != 0x34)
			bus_write(rig.pio, PLATFORM_POWER_PORT, value, 1);
	}
	bus_write(rig.pio, PLATFORM_POWER_PORT + 1, 0x34, 1);
	bus_write(rig.pio, PLATFORM_POWER_PORT + 3, 0x34, 1);
	bus_write(rig.mmio, PLATFORM_POWER_GPA + 4, 0x34, 4);
	ck_assert_uint_eq(rig.n_events, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_reset_register_resets)
{
	struct rig rig;

	rig_init(&rig);
	bus_write(rig.pio, PLATFORM_POWER_PORT + PLATFORM_POWER_RESET, 1, 1);
	expect(&rig, MACHINE_RESET, 0);
	bus_write(rig.mmio, PLATFORM_POWER_GPA, 0x00010000, 4);
	expect(&rig, MACHINE_RESET, 0);
	bus_write(rig.pio, PLATFORM_POWER_PORT + PLATFORM_POWER_RESET, 2, 1);
	ck_assert_uint_eq(rig.n_events, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_power_registers_read_zero)
{
	struct rig rig;

	rig_init(&rig);
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_POWER_PORT, 4), 0);
	ck_assert_uint_eq(bus_read(rig.mmio, PLATFORM_POWER_GPA, 4), 0);
	ck_assert_uint_eq(bus_read(rig.mmio, PLATFORM_POWER_GPA + 0xff8, 8), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_keyboard_controller_resets_and_is_never_busy)
{
	struct rig rig;

	rig_init(&rig);
	ck_assert_uint_eq(bus_read(rig.pio, 0x64, 1), 0);
	bus_write(rig.pio, 0x64, 0xd1, 1);
	ck_assert_uint_eq(rig.n_events, 0);
	bus_write(rig.pio, 0x64, 0xfe, 1);
	expect(&rig, MACHINE_RESET, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_pvpanic_tells_of_a_crash)
{
	struct rig rig;

	rig_init(&rig);
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_PVPANIC_PORT, 1), 3);
	ck_assert_uint_eq(bus_read(rig.mmio, PLATFORM_PVPANIC_GPA, 1), 3);
	bus_write(rig.pio, PLATFORM_PVPANIC_PORT, 1, 1);
	expect(&rig, MACHINE_PANIC, 0);
	bus_write(rig.mmio, PLATFORM_PVPANIC_GPA, 1, 1);
	expect(&rig, MACHINE_PANIC, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_guest_with_a_crash_kernel_goes_on)
{
	struct rig rig;

	rig_init(&rig);
	bus_write(rig.pio, PLATFORM_PVPANIC_PORT, 2, 1);
	bus_write(rig.mmio, PLATFORM_PVPANIC_GPA, 2, 1);
	bus_write(rig.mmio, PLATFORM_PVPANIC_GPA + 4, 1, 1);
	ck_assert_uint_eq(rig.n_events, 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_exit_port_passes_the_code_on)
{
	struct rig rig;

	rig_init(&rig);
	bus_write(rig.pio, PLATFORM_DEBUG_EXIT_PORT, 0, 1);
	expect(&rig, MACHINE_EXIT, 0);
	bus_write(rig.pio, PLATFORM_DEBUG_EXIT_PORT, 255, 1);
	expect(&rig, MACHINE_EXIT, 255);
	bus_write(rig.pio, PLATFORM_DEBUG_EXIT_PORT, 42, 4);
	expect(&rig, MACHINE_EXIT, 42);
	bus_write(rig.pio, PLATFORM_DEBUG_EXIT_PORT, 256, 2);
	expect(&rig, MACHINE_EXIT, 255);
	bus_write(rig.pio, PLATFORM_DEBUG_EXIT_PORT, UINT32_MAX, 4);
	expect(&rig, MACHINE_EXIT, 255);
	bus_write(rig.pio, PLATFORM_DEBUG_EXIT_PORT + 1, 1, 1);
	ck_assert_uint_eq(rig.n_events, 0);
	rig_fini(&rig);
}
END_TEST

static uint64_t no_read(void *device, uint64_t offset, unsigned int size_bytes)
{
	(void)device;
	(void)offset;
	(void)size_bytes;
	return 0;
}

START_TEST(test_taken_address_is_refused_and_nothing_stays_behind)
{
	static const struct bus_ops ops = {.read = no_read};
	const struct range taken = {PLATFORM_PVPANIC_GPA, PLATFORM_PVPANIC_GPA + 1};
	struct power *power = NULL;
	struct rig rig;

	rig_init(&rig);
	power_free(rig.power);
	ck_assert_int_eq(bus_add(rig.mmio, taken, &ops, NULL), 0);
	ck_assert_int_eq(power_new(rig.pio, rig.mmio, &rig.sink, &power), -EEXIST);
	ck_assert_ptr_null(power);
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_POWER_PORT, 1), 0xff);
	ck_assert_uint_eq(bus_read(rig.mmio, PLATFORM_POWER_GPA, 1), 0xff);
	bus_remove(rig.mmio, taken.start);
	ck_assert_int_eq(power_new(rig.pio, rig.mmio, &rig.sink, &rig.power), 0);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_sleep_control_turns_the_machine_off,
		test_other_sleep_states_are_ignored,
		test_reset_register_resets,
		test_power_registers_read_zero,
		test_keyboard_controller_resets_and_is_never_busy,
		test_pvpanic_tells_of_a_crash,
		test_guest_with_a_crash_kernel_goes_on,
		test_exit_port_passes_the_code_on,
		test_taken_address_is_refused_and_nothing_stays_behind,
	};

	return unit_run(unit_suite("power", tests, ARRAY_SIZE(tests)));
}
