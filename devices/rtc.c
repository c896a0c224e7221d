// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The date for firmware that insists on finding a clock: an MC146818 in BCD, 24 hours. What is
 * written is ignored, but for the index; its memory reads as zero.
 *
 * Source: Motorola MC146818 datasheet; edk2, PcAtChipsetPkg/PcatRealTimeClockRuntimeDxe.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "devices/devices.h"
#include "devices/firmware.h"
#include "vmm/host.h"
#include "vmm/platform.h"

enum {
	INDEX_OFFSET = 0,
	DATA_OFFSET = 1,
	INDEX_MASK = 0x7f, /* the other bit masks NMIs */

	REGISTER_SECONDS = 0,
	REGISTER_MINUTES = 2,
	REGISTER_HOURS = 4,
	REGISTER_WEEKDAY = 6,
	REGISTER_DAY = 7,
	REGISTER_MONTH = 8,
	REGISTER_YEAR = 9,
	REGISTER_A = 10,
	REGISTER_B = 11,
	REGISTER_D = 13,
	REGISTER_CENTURY = 0x32,

	A_32768_HZ = 0x26, /* no update in progress */
	B_24_HOURS = 0x02,
	D_VALID = 0x80,

	DAY_S = 24 * 60 * 60,
	THURSDAY = 4, /* which 1970 began with */
	YEAR_LAST = 2999,
};

#define NS_PER_S UINT64_C(1000000000)

struct rtc {
	struct bus *pio;
	struct host *host;
	uint64_t unix_s; /* when the host's clock showed @since_ns */
	uint64_t since_ns;
	_Atomic uint8_t index;
};

static uint8_t bcd(unsigned int value)
{
	return (uint8_t)(value / 10 << 4 | value % 10);
}

struct date {
	unsigned int year;
	unsigned int month; /* 1 is January */
	unsigned int day;   /* of the month, from 1 on */
};

static bool is_leap(unsigned int year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static unsigned int month_days(unsigned int year, unsigned int month)
{
	static const uint8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

	return days[month - 1] + (month == 2 && is_leap(year) ? 1u : 0u);
}

/*
 * gmtime_r would do, but the one of glibc opens the file of the time zone, which the sandbox
 * of a vCPU does not allow. @days: since 1970; up to YEAR_LAST, which bounds the loop.
 */
static struct date date_of(uint64_t days)
{
	struct date date = {.year = 1970, .month = 1};

	while (date.year < YEAR_LAST && days >= (is_leap(date.year) ? 366u : 365u)) {
		days -= is_leap(date.year) ? 366 : 365;
		date.year++;
	}
	while (date.month < 12 && days >= month_days(date.year, date.month))
		days -= month_days(date.year, date.month++);
	date.day = days < 31 ? (unsigned int)days + 1 : 31;
	return date;
}

static uint8_t register_get(const struct rtc *rtc, uint8_t index)
{
	uint64_t now_s =
		rtc->unix_s + (host_clock_now_ns(rtc->host) - rtc->since_ns) / NS_PER_S;
	struct date date = date_of(now_s / DAY_S);
	unsigned int second = (unsigned int)(now_s % DAY_S);

	switch (index) {
	case REGISTER_SECONDS:
		return bcd(second % 60);
	case REGISTER_MINUTES:
		return bcd(second / 60 % 60);
	case REGISTER_HOURS:
		return bcd(second / 3600);
	case REGISTER_WEEKDAY:
		return bcd((unsigned int)((now_s / DAY_S + THURSDAY) % 7 + 1));
	case REGISTER_DAY:
		return bcd(date.day);
	case REGISTER_MONTH:
		return bcd(date.month);
	case REGISTER_YEAR:
		return bcd(date.year % 100);
	case REGISTER_CENTURY:
		return bcd(date.year / 100);
	case REGISTER_A:
		return A_32768_HZ;
	case REGISTER_B:
		return B_24_HOURS;
	case REGISTER_D:
		return D_VALID;
	default:
		return 0;
	}
}

static uint64_t rtc_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct rtc *rtc = owner;

	if (size_bytes != 1)
		return UINT64_MAX;
	if (offset == INDEX_OFFSET)
		return rtc->index;
	return register_get(rtc, rtc->index);
}

static void rtc_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct rtc *rtc = owner;

	if (offset == INDEX_OFFSET && size_bytes == 1)
		rtc->index = value & INDEX_MASK;
}

int rtc_new(struct bus *pio, struct host *host, uint64_t unix_s, struct rtc **ret_rtc)
{
	static const struct range ports = {
		.start = PLATFORM_RTC_PORT,
		.end = PLATFORM_RTC_PORT + PLATFORM_RTC_PORTS,
	};
	static const struct bus_ops ops = {.read = rtc_read, .write = rtc_write};
	struct rtc *rtc = calloc(1, sizeof(*rtc));
	int err;

	if (!rtc)
		return -ENOMEM;
	rtc->pio = pio;
	rtc->host = host;
	rtc->unix_s = unix_s;
	rtc->since_ns = host_clock_now_ns(host);
	err = bus_add(pio, ports, &ops, rtc);
	if (err) {
		free(rtc);
		return err;
	}
	*ret_rtc = rtc;
	return 0;
}

void rtc_free(struct rtc *rtc)
{
	if (!rtc)
		return;

	bus_remove(rtc->pio, PLATFORM_RTC_PORT);
	free(rtc);
}
