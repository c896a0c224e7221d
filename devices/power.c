// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The registers by which a guest says how it ended: ACPI sleep control and reset (as ports and
 * as a page, for guests with a device tree), the reset pulse of a keyboard controller, pvpanic
 * (idem) and a debug-exit port. None has any state.
 */
#include "devices/devices.h"

#include <errno.h>
#include <misc/pvpanic.h>
#include <stdlib.h>

#include "vmm/platform.h"

enum {
	KBD_PULSE_RESET = 0xfe,
	SLP_TYP_SHIFT = 2, /* of sleep control, ACPI 6.5, 4.8.3.7 */
	SLP_TYP_MASK = 7,
	EXIT_CODE_MAX = 255,
};

struct power {
	struct bus *pio;
	struct bus *mmio;
	struct machine_sink sink;
};

static void power_raise(struct power *power, enum machine_event event, unsigned int code)
{
	power->sink.raise(power->sink.machine, event, code);
}

static uint64_t read_zero(void *owner, uint64_t offset, unsigned int size_bytes)
{
	(void)owner;
	(void)offset;
	(void)size_bytes;
	return 0;
}

static void registers_write_byte(struct power *power, uint64_t offset, uint8_t value)
{
	unsigned int sleep_type = value >> SLP_TYP_SHIFT & SLP_TYP_MASK;

	if (offset == PLATFORM_POWER_SLEEP_CONTROL && value & PLATFORM_POWER_SLP_EN &&
	    sleep_type == PLATFORM_POWER_SLP_TYP_S5)
		power_raise(power, MACHINE_POWER_OFF, 0);
	else if (offset == PLATFORM_POWER_RESET && value == PLATFORM_POWER_RESET_VALUE)
		power_raise(power, MACHINE_RESET, 0);
}

/* A wide write is one to each byte: drivers for registers of a device tree write 32 bits. */
static void registers_write(void *owner, uint64_t offset, uint64_t value,
			    unsigned int size_bytes)
{
	for (unsigned int i = 0; i < size_bytes; i++)
		registers_write_byte(owner, offset + i, (uint8_t)(value >> 8 * i));
}

/* Reads as zero: its input buffer is always empty, so nobody waits for it. */
static void kbd_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	(void)offset;
	(void)size_bytes;
	if (value == KBD_PULSE_RESET)
		power_raise(owner, MACHINE_RESET, 0);
}

static uint64_t pvpanic_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	(void)owner;
	(void)size_bytes;
	return offset == 0 ? PVPANIC_PANICKED | PVPANIC_CRASH_LOADED : 0;
}

/* A guest with a crash kernel loaded goes on by itself. */
static void pvpanic_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	(void)size_bytes;
	if (offset == 0 && value & PVPANIC_PANICKED)
		power_raise(owner, MACHINE_PANIC, 0);
}

static void exit_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	(void)size_bytes;
	if (offset == 0)
		power_raise(owner, MACHINE_EXIT,
			    value < EXIT_CODE_MAX ? (unsigned int)value : EXIT_CODE_MAX);
}

struct power_range {
	struct range range;
	struct bus_ops ops;
	bool is_mmio;
};

static const struct power_range ranges[] = {
	{
		.range = {PLATFORM_POWER_PORT, PLATFORM_POWER_PORT + PLATFORM_POWER_PORTS},
		.ops = {.read = read_zero, .write = registers_write},
	},
	{
		.range = {PLATFORM_POWER_GPA, PLATFORM_POWER_GPA + PLATFORM_POWER_BYTES},
		.ops = {.read = read_zero, .write = registers_write},
		.is_mmio = true,
	},
	{
		.range = {PLATFORM_KBD_RESET_PORT, PLATFORM_KBD_RESET_PORT + 1},
		.ops = {.read = read_zero, .write = kbd_write},
	},
	{
		.range = {PLATFORM_PVPANIC_PORT, PLATFORM_PVPANIC_PORT + 1},
		.ops = {.read = pvpanic_read, .write = pvpanic_write},
	},
	{
		.range = {PLATFORM_PVPANIC_GPA, PLATFORM_PVPANIC_GPA + PLATFORM_PVPANIC_BYTES},
		.ops = {.read = pvpanic_read, .write = pvpanic_write},
		.is_mmio = true,
	},
	{
		.range = {PLATFORM_DEBUG_EXIT_PORT,
			  PLATFORM_DEBUG_EXIT_PORT + PLATFORM_DEBUG_EXIT_PORTS},
		.ops = {.read = read_zero, .write = exit_write},
	},
};

static struct bus *power_bus(const struct power *power, const struct power_range *range)
{
	return range->is_mmio ? power->mmio : power->pio;
}

static void remove_ranges(struct power *power, size_t n_ranges)
{
	for (size_t i = 0; i < n_ranges; i++)
		bus_remove(power_bus(power, &ranges[i]), ranges[i].range.start);
}

static int add_ranges(struct power *power)
{
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		int err = bus_add(power_bus(power, &ranges[i]), ranges[i].range, &ranges[i].ops,
				  power);

		if (err) {
			remove_ranges(power, i);
			return err;
		}
	}
	return 0;
}

int power_new(struct bus *pio, struct bus *mmio, const struct machine_sink *sink,
	      struct power **ret_power)
{
	struct power *power = malloc(sizeof(*power));
	int err;

	if (!power)
		return -ENOMEM;
	*power = (struct power){.pio = pio, .mmio = mmio, .sink = *sink};
	err = add_ranges(power);
	if (err) {
		free(power);
		return err;
	}
	*ret_power = power;
	return 0;
}

void power_free(struct power *power)
{
	if (!power)
		return;

	remove_ranges(power, ARRAY_SIZE(ranges));
	free(power);
}
