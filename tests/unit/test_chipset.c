// SPDX-License-Identifier: GPL-2.0-or-later
/* The registers that OVMF looks at, as it looks at them; clock and debug port. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <string.h>

#include "devices/firmware.h"
#include "tests/fake/fake.h"
#include "tests/unit/pci_rig.h"
#include "vmm/host.h"

#define PM1_CONTROL (PLATFORM_PM_PORT + 4)
#define PM_TIMER    (PLATFORM_PM_PORT + 8)
#define ICH9	    31

struct events {
	unsigned int n;
	enum machine_event last;
};

static void count_event(void *machine, enum machine_event event, unsigned int code)
{
	struct events *events = machine;

	ck_assert_uint_eq(code, 0);
	events->n++;
	events->last = event;
}

static struct chipset *make_chipset(struct rig *rig, struct fake *fake, struct events *events)
{
	const struct machine_sink sink = {.raise = count_event, .machine = events};
	struct chipset *chipset;

	ck_assert_int_eq(chipset_new(rig->pio, rig->host, fake_host(fake), &sink, &chipset), 0);
	return chipset;
}

START_TEST(test_firmware_recognizes_the_host_bridge)
{
	struct fake *fake = fake_new();
	struct events events = {0};
	struct rig rig = make_rig();
	struct chipset *chipset = make_chipset(&rig, fake, &events);

	ck_assert_uint_eq(read_ecam(&rig, 0, PCI_VENDOR_ID, 4), 0x29c08086);
	/* It writes where ECAM is to be, and finds it there: enabled, 256 buses. */
	write_ecam(&rig, 0, 0x60, 0, 4);
	write_ecam(&rig, 0, 0x64, 0, 4);
	write_ecam(&rig, 0, 0x60, 0xb0000001, 4);
	ck_assert_uint_eq(read_ecam(&rig, 0, 0x60, 4), ECAM | 1);
	ck_assert_uint_eq(read_ecam(&rig, 0, 0x64, 4), 0);
	chipset_free(chipset);
	free_rig(&rig);
	fake_free(fake);
}
END_TEST

START_TEST(test_power_management_ports_are_where_firmware_expects_them)
{
	struct fake *fake = fake_new();
	struct events events = {0};
	struct rig rig = make_rig();
	struct chipset *chipset = make_chipset(&rig, fake, &events);

	ck_assert_uint_eq(read_ecam(&rig, ICH9, PCI_VENDOR_ID, 4), 0x29188086);
	ck_assert_uint_eq(read_ecam(&rig, ICH9, PCI_CLASS_REVISION, 4) >> 8, 0x060100);
	write_ecam(&rig, ICH9, 0x40, 0xb000, 4);
	write_ecam(&rig, ICH9, 0x44, 0, 1);
	ck_assert_uint_eq(read_ecam(&rig, ICH9, 0x40, 4), 0x601);
	write_ecam(&rig, ICH9, PCI_COMMAND, PCI_COMMAND_IO, 2);
	ck_assert_uint_eq(read_ecam(&rig, ICH9, PCI_COMMAND, 2), PCI_COMMAND_IO);
	ck_assert_uint_eq(read_ecam(&rig, ICH9, 0x44, 1), 0x80);
	chipset_free(chipset);
	/* Its slot and its ports are free again. */
	ck_assert_uint_eq(read_ecam(&rig, ICH9, PCI_VENDOR_ID, 4), UINT32_MAX);
	ck_assert_uint_eq(bus_read(rig.pio, PM_TIMER, 4), UINT32_MAX);
	chipset = make_chipset(&rig, fake, &events);
	chipset_free(chipset);
	free_rig(&rig);
	fake_free(fake);
}
END_TEST

START_TEST(test_soft_off_turns_the_machine_off_and_nothing_else_does)
{
	struct fake *fake = fake_new();
	struct events events = {0};
	struct rig rig = make_rig();
	struct chipset *chipset = make_chipset(&rig, fake, &events);

	bus_write(rig.pio, PM1_CONTROL, 0, 2);
	bus_write(rig.pio, PM1_CONTROL, 1 << 13 | 1 << 10, 2);
	bus_write(rig.pio, PM1_CONTROL, 1 << 5, 1);
	bus_write(rig.pio, PM1_CONTROL + 1, 1 << 5, 1);
	ck_assert_uint_eq(events.n, 0);
	bus_write(rig.pio, PM1_CONTROL, bus_read(rig.pio, PM1_CONTROL, 2) | 1 << 13, 2);
	ck_assert_uint_eq(events.n, 1);
	ck_assert_int_eq(events.last, MACHINE_POWER_OFF);
	chipset_free(chipset);
	free_rig(&rig);
	fake_free(fake);
}
END_TEST

START_TEST(test_timer_counts_3579545_times_a_second_in_24_bits)
{
	struct fake *fake = fake_new();
	struct host *host = fake_host(fake);
	struct events events = {0};
	struct rig rig = make_rig();
	struct chipset *chipset = make_chipset(&rig, fake, &events);
	uint64_t before = bus_read(rig.pio, PM_TIMER, 4);

	host_clock_sleep_ns(host, 1000000000);
	ck_assert_uint_eq((bus_read(rig.pio, PM_TIMER, 4) - before) & 0xffffff, 3579545);
	/* Far enough for a product in 64 bits to overflow. */
	host_clock_sleep_ns(host, UINT64_C(1000000000) * 1000000);
	ck_assert_uint_le(bus_read(rig.pio, PM_TIMER, 4), 0xffffff);
	ck_assert_uint_eq((bus_read(rig.pio, PM_TIMER, 4) - before) & 0xffffff,
			  UINT64_C(3579545) * 1000001 & 0xffffff);
	bus_write(rig.pio, PM_TIMER, 0, 4);
	ck_assert_uint_eq(bus_read(rig.pio, PM_TIMER + 2, 1),
			  bus_read(rig.pio, PM_TIMER, 4) >> 16);
	chipset_free(chipset);
	free_rig(&rig);
	fake_free(fake);
}
END_TEST

START_TEST(test_taken_ports_are_refused_and_nothing_stays_behind)
{
	const struct machine_sink sink = {.raise = count_event};
	struct fake *fake = fake_new();
	struct events events = {0};
	struct rig rig = make_rig();
	struct chipset *chipset = make_chipset(&rig, fake, &events);
	struct chipset *second = NULL;

	ck_assert_int_eq(chipset_new(rig.pio, rig.host, fake_host(fake), &sink, &second),
			 -ENOSPC);
	ck_assert_ptr_null(second);
	ck_assert_uint_eq(read_ecam(&rig, ICH9, PCI_VENDOR_ID, 4), 0x29188086);
	chipset_free(chipset);
	free_rig(&rig);
	fake_free(fake);
}
END_TEST

/* --- Clock --- */

static unsigned int read_rtc(struct bus *pio, unsigned int index)
{
	bus_write(pio, PLATFORM_RTC_PORT, index | 0x80, 1);
	return (unsigned int)bus_read(pio, PLATFORM_RTC_PORT + 1, 1);
}

static void expect_date(uint64_t unix_s, uint64_t later_ns, const unsigned int date[8])
{
	static const uint8_t indices[8] = {0x32, 9, 8, 7, 6, 4, 2, 0};
	struct fake *fake = fake_new();
	struct bus *pio;
	struct rtc *rtc;

	ck_assert_int_eq(bus_new(&pio), 0);
	ck_assert_int_eq(rtc_new(pio, fake_host(fake), unix_s, &rtc), 0);
	host_clock_sleep_ns(fake_host(fake), later_ns);
	for (unsigned int i = 0; i < 8; i++)
		ck_assert_uint_eq(read_rtc(pio, indices[i]), date[i]);
	rtc_free(rtc);
	bus_free(pio);
	fake_free(fake);
}

START_TEST(test_clock_shows_the_date_in_bcd)
{
	/* Century, year, month, day, weekday (1 is Sunday), hour, minute, second. */
	expect_date(0, 0, (unsigned int[]){0x19, 0x70, 1, 1, 5, 0, 0, 0});
	expect_date(1709164799, 0, (unsigned int[]){0x20, 0x24, 2, 0x28, 4, 0x23, 0x59, 0x59});
	expect_date(1709164799, 1000000000, (unsigned int[]){0x20, 0x24, 2, 0x29, 5, 0, 0, 0});
	expect_date(4102444799, 0,
		    (unsigned int[]){0x20, 0x99, 0x12, 0x31, 5, 0x23, 0x59, 0x59});
	expect_date(4107542400, 0, (unsigned int[]){0x21, 0, 3, 1, 2, 0, 0, 0});
	/* Far beyond what it can show. */
	expect_date(UINT64_C(86400) << 40, 0,
		    (unsigned int[]){0x29, 0x99, 0x12, 0x31, 7, 0, 0, 0});
}
END_TEST

START_TEST(test_clock_is_valid_and_cannot_be_set)
{
	struct fake *fake = fake_new();
	struct bus *pio;
	struct rtc *rtc, *second;

	ck_assert_int_eq(bus_new(&pio), 0);
	ck_assert_int_eq(rtc_new(pio, fake_host(fake), 60, &rtc), 0);
	ck_assert_int_eq(rtc_new(pio, fake_host(fake), 60, &second), -EEXIST);
	ck_assert_uint_eq(read_rtc(pio, 10) & 0x80, 0);
	ck_assert_uint_eq(read_rtc(pio, 11), 2);
	ck_assert_uint_eq(read_rtc(pio, 12), 0);
	ck_assert_uint_eq(read_rtc(pio, 13), 0x80);
	ck_assert_uint_eq(read_rtc(pio, 2), 1);
	bus_write(pio, PLATFORM_RTC_PORT + 1, 0x33, 1);
	ck_assert_uint_eq(read_rtc(pio, 2), 1);
	for (unsigned int index = 14; index < 128; index++)
		ck_assert_uint_eq(read_rtc(pio, index), index == 0x32 ? 0x19 : 0);
	ck_assert_uint_eq(bus_read(pio, PLATFORM_RTC_PORT, 1), 127);
	ck_assert_uint_eq(bus_read(pio, PLATFORM_RTC_PORT, 2), 0xffff);
	rtc_free(rtc);
	bus_free(pio);
	fake_free(fake);
}
END_TEST

/* --- Debug port --- */

struct listener {
	struct debug_port_user user;
	unsigned int n_lines;
	char last[512];
};

static void hear(struct debug_port_user *user, const char *text)
{
	struct listener *listener = container_of(user, struct listener, user);

	listener->n_lines++;
	snprintf(listener->last, sizeof(listener->last), "%s", text);
}

static void say(struct bus *pio, const char *text)
{
	for (; *text; text++)
		bus_write(pio, PLATFORM_DEBUG_PORT, (uint8_t)*text, 1);
}

START_TEST(test_debug_port_passes_lines_on)
{
	struct listener listener = {.user = {.line = hear}};
	struct debug_port *port, *second;
	struct bus *pio;

	ck_assert_int_eq(bus_new(&pio), 0);
	ck_assert_int_eq(debug_port_new(pio, &listener.user, &port), 0);
	ck_assert_int_eq(debug_port_new(pio, &listener.user, &second), -EEXIST);
	ck_assert_uint_eq(bus_read(pio, PLATFORM_DEBUG_PORT, 1), 0xe9);
	say(pio, "SecCoreStartup");
	ck_assert_uint_eq(listener.n_lines, 0);
	say(pio, "\r\n");
	ck_assert_uint_eq(listener.n_lines, 1);
	ck_assert_str_eq(listener.last, "SecCoreStartup");
	say(pio, "a\xc2\x9b"
		 "b\xff\n");
	ck_assert_str_eq(listener.last, "a??b?");
	for (unsigned int i = 0; i < 256; i++)
		say(pio, "x");
	ck_assert_uint_eq(listener.n_lines, 3);
	ck_assert_uint_eq(strlen(listener.last), 255);
	/* What is left is not lost. */
	debug_port_free(port);
	ck_assert_uint_eq(listener.n_lines, 4);
	ck_assert_str_eq(listener.last, "x");
	bus_free(pio);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_firmware_recognizes_the_host_bridge,
		test_power_management_ports_are_where_firmware_expects_them,
		test_soft_off_turns_the_machine_off_and_nothing_else_does,
		test_timer_counts_3579545_times_a_second_in_24_bits,
		test_taken_ports_are_refused_and_nothing_stays_behind,
		test_clock_shows_the_date_in_bcd,
		test_clock_is_valid_and_cannot_be_set,
		test_debug_port_passes_lines_on,
	};

	return unit_run(unit_suite("chipset", tests, ARRAY_SIZE(tests)));
}
