// SPDX-License-Identifier: GPL-2.0-or-later
/* Lines on the serial port, and the end of the machine by its debug-exit port. */
#include <stdarg.h>

#include "tests/guest/monitor/internal.h"

#define SERIAL_PORT	0x3f8
#define DEBUG_EXIT_PORT 0xf4

enum { STATUS_WRONG = 1 };

static uint32_t lock;

static void out8(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static void put_text(const char *text)
{
	for (; *text; text++)
		out8(SERIAL_PORT, (uint8_t)*text);
}

static void put_number(uint64_t value, unsigned int base)
{
	char text[24];
	unsigned int i = sizeof(text);

	text[--i] = 0;
	do {
		text[--i] = "0123456789abcdef"[value % base];
		value /= base;
	} while (value);
	put_text(text + i);
}

/* %s, %lu and %lx are all there is. */
static void print_list(const char *format, va_list arguments)
{
	char one[2] = "";

	for (; *format; format++) {
		if (*format != '%') {
			one[0] = *format;
			put_text(one);
			continue;
		}
		format++;
		if (*format == 's') {
			put_text(va_arg(arguments, const char *));
			continue;
		}
		format++;
		put_number(va_arg(arguments, unsigned long), *format == 'x' ? 16 : 10);
	}
	put_text("\n");
}

static void lock_take(void)
{
	while (__atomic_exchange_n(&lock, 1, __ATOMIC_ACQUIRE))
		__builtin_ia32_pause();
}

void print(const char *format, ...)
{
	va_list arguments;

	lock_take();
	va_start(arguments, format);
	print_list(format, arguments);
	va_end(arguments);
	__atomic_store_n(&lock, 0, __ATOMIC_RELEASE);
}

_Noreturn void machine_end(uint8_t status)
{
	out8(DEBUG_EXIT_PORT, status);
	stop();
}

_Noreturn void verdict_wrong(const char *format, ...)
{
	va_list arguments;

	lock_take();
	put_text("MONITOR wrong: ");
	va_start(arguments, format);
	print_list(format, arguments);
	va_end(arguments);
	machine_end(STATUS_WRONG);
}
