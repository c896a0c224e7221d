// SPDX-License-Identifier: GPL-2.0-or-later
#include <fcntl.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "devices/devices.h"
#include "tests/fake/fake.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/platform.h"

#define MCR_OPEN (UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2)

/* A serial line whose pin is unmasked, between a pipe and a file. */
struct rig {
	struct fake *fake;
	struct bus *pio;
	struct bus *mmio;
	struct msi_sink msi;
	struct machine_sink sink;
	struct ioapic *ioapic;
	struct loop *loop;
	struct console *console;
	struct serial *serial;
	pthread_t thread;
	int input[2];
	int output;
};

static void ignore_event(void *machine, enum machine_event event, unsigned int code)
{
	(void)machine;
	(void)event;
	(void)code;
}

static void *run_loop(void *argument)
{
	ck_assert_int_eq(loop_run(argument), 0);
	return NULL;
}

static void rig_init(struct rig *rig)
{
	struct err err = {0};

	*rig = (struct rig){.fake = fake_new(), .sink.raise = ignore_event};
	rig->msi.host = fake_host(rig->fake);
	rig->msi.vm = host_vm_create(rig->msi.host, 0);
	ck_assert_int_eq(bus_new(&rig->pio), 0);
	ck_assert_int_eq(bus_new(&rig->mmio), 0);
	ck_assert_int_eq(ioapic_new(rig->mmio, &rig->msi, &rig->ioapic), 0);
	bus_write(rig->mmio, PLATFORM_IOAPIC_GPA, 0x10 + 2 * PLATFORM_SERIAL_GSI, 4);
	bus_write(rig->mmio, PLATFORM_IOAPIC_GPA + 0x10, 0x34, 4);

	ck_assert_int_eq(pipe2(rig->input, O_CLOEXEC), 0);
	rig->output = memfd_create("output", MFD_CLOEXEC);
	ck_assert_msg(loop_new(&rig->loop, &err) == 0, "%s", err.text);
	ck_assert_int_eq(console_new(rig->loop, rig->input[0], rig->output, false, &rig->sink,
				     &rig->console),
			 0);
	ck_assert_int_eq(serial_new(rig->pio, rig->ioapic, rig->console, &rig->serial), 0);
	ck_assert_int_eq(pthread_create(&rig->thread, NULL, run_loop, rig->loop), 0);
}

/* The output is complete after this. */
static void rig_stop(struct rig *rig)
{
	loop_stop(rig->loop);
	pthread_join(rig->thread, NULL);
	serial_free(rig->serial);
	console_free(rig->console);
}

static void rig_fini(struct rig *rig)
{
	loop_free(rig->loop);
	ioapic_free(rig->ioapic);
	bus_free(rig->mmio);
	bus_free(rig->pio);
	host_close(rig->msi.host, rig->msi.vm);
	fake_free(rig->fake);
	close(rig->input[0]);
	close(rig->input[1]);
	close(rig->output);
}

static uint8_t in(struct rig *rig, unsigned int offset)
{
	return (uint8_t)bus_read(rig->pio, PLATFORM_SERIAL_PORT + offset, 1);
}

static void out(struct rig *rig, unsigned int offset, uint8_t value)
{
	bus_write(rig->pio, PLATFORM_SERIAL_PORT + offset, value, 1);
}

static void type(struct rig *rig, const char *text)
{
	ck_assert_int_eq(write(rig->input[1], text, strlen(text)), (ssize_t)strlen(text));
}

static void wait_for_data(struct rig *rig)
{
	while (!(in(rig, UART_LSR) & UART_LSR_DR))
		usleep(100);
}

/* The steps by which Linux tells UARTs apart (8250_port.c, autoconfig). */
START_TEST(test_is_detected_as_16550a)
{
	struct rig rig;

	rig_init(&rig);
	out(&rig, UART_IER, 0);
	ck_assert_uint_eq(in(&rig, UART_IER), 0);
	out(&rig, UART_IER, 0x0f);
	ck_assert_uint_eq(in(&rig, UART_IER), 0x0f);
	out(&rig, UART_IER, 0);
	out(&rig, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	ck_assert_uint_eq(in(&rig, UART_MSR) & 0xf0, UART_MSR_DCD | UART_MSR_CTS);
	out(&rig, UART_MCR, 0);

	out(&rig, UART_LCR, UART_LCR_CONF_MODE_B);
	out(&rig, UART_EFR, 0);
	out(&rig, UART_LCR, 0);
	out(&rig, UART_FCR, UART_FCR_ENABLE_FIFO);
	ck_assert_uint_eq(in(&rig, UART_IIR) >> 6, 3);

	/* No EFR behind DLAB (16650), no sleep bit (XScale), no 64-byte FIFO (16750). */
	out(&rig, UART_LCR, UART_LCR_CONF_MODE_A);
	ck_assert_uint_ne(in(&rig, UART_EFR), 0);
	out(&rig, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR7_64BYTE);
	ck_assert_uint_eq(in(&rig, UART_IIR) >> 5, 6);
	out(&rig, UART_LCR, UART_LCR_CONF_MODE_B);
	ck_assert_uint_ne(in(&rig, UART_EFR), 0);
	out(&rig, UART_LCR, 0);
	out(&rig, UART_IER, UART_IER_UUE);
	ck_assert_uint_eq(in(&rig, UART_IER), 0);

	out(&rig, UART_SCR, 0xa5);
	ck_assert_uint_eq(in(&rig, UART_SCR), 0xa5);
	ck_assert_uint_ne(in(&rig, UART_LSR), 0xff);
	rig_stop(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_divisor_is_behind_dlab)
{
	struct rig rig;

	rig_init(&rig);
	out(&rig, UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
	out(&rig, UART_DLL, 0x01);
	out(&rig, UART_DLM, 0x02);
	ck_assert_uint_eq(bus_read(rig.pio, PLATFORM_SERIAL_PORT, 2), 0x0201);
	out(&rig, UART_LCR, UART_LCR_WLEN8);
	ck_assert_uint_eq(in(&rig, UART_IER), 0);
	ck_assert_uint_eq(in(&rig, UART_LCR), UART_LCR_WLEN8);
	rig_stop(&rig);
	ck_assert_int_eq(lseek(rig.output, 0, SEEK_END), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_written_bytes_come_out)
{
	struct rig rig;
	char text[6] = {0};

	rig_init(&rig);
	for (const char *byte = "hello"; *byte; byte++) {
		ck_assert_uint_eq(in(&rig, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
		out(&rig, UART_TX, (uint8_t)*byte);
	}
	rig_stop(&rig);
	ck_assert_int_eq(pread(rig.output, text, 6, 0), 5);
	ck_assert_str_eq(text, "hello");
	rig_fini(&rig);
}
END_TEST

START_TEST(test_enabling_the_transmit_interrupt_raises_it)
{
	struct rig rig;

	rig_init(&rig);
	out(&rig, UART_MCR, MCR_OPEN);
	ck_assert_uint_eq(in(&rig, UART_IIR), UART_IIR_NO_INT);
	for (unsigned int round = 1; round <= 3; round++) {
		out(&rig, UART_IER, UART_IER_THRI);
		ck_assert_uint_eq(fake_count_msis(rig.fake), round);
		ck_assert_uint_eq(in(&rig, UART_IIR), UART_IIR_THRI);
		ck_assert_uint_eq(in(&rig, UART_IIR), UART_IIR_NO_INT);
		out(&rig, UART_IER, 0);
	}
	ck_assert_uint_eq(fake_get_msi(rig.fake, 0).data, 0x34);
	rig_stop(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_transmit_interrupt_comes_once_for_a_burst)
{
	struct rig rig;

	rig_init(&rig);
	out(&rig, UART_MCR, MCR_OPEN);
	out(&rig, UART_IER, UART_IER_THRI);
	ck_assert_uint_eq(in(&rig, UART_IIR), UART_IIR_THRI);
	for (unsigned int i = 0; i < 16; i++)
		out(&rig, UART_TX, 'x');
	ck_assert_uint_eq(fake_count_msis(rig.fake), 2);
	ck_assert_uint_eq(in(&rig, UART_IIR), UART_IIR_THRI);
	out(&rig, UART_TX, 'x');
	ck_assert_uint_eq(fake_count_msis(rig.fake), 3);
	rig_stop(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_out2_gates_the_line)
{
	struct rig rig;

	rig_init(&rig);
	out(&rig, UART_IER, UART_IER_THRI);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	out(&rig, UART_MCR, UART_MCR_OUT2);
	ck_assert_uint_eq(fake_count_msis(rig.fake), 1);
	rig_stop(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_input_raises_the_receive_interrupt)
{
	struct rig rig;

	rig_init(&rig);
	out(&rig, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
	out(&rig, UART_MCR, MCR_OPEN);
	out(&rig, UART_IER, UART_IER_RDI);
	type(&rig, "ab");
	wait_for_data(&rig);
	ck_assert_uint_ge(fake_count_msis(rig.fake), 1);
	ck_assert_uint_eq(in(&rig, UART_IIR), 0xcc);
	ck_assert_uint_eq(in(&rig, UART_RX), 'a');
	wait_for_data(&rig);
	ck_assert_uint_eq(in(&rig, UART_RX), 'b');
	ck_assert_uint_eq(in(&rig, UART_IIR), 0xc1);
	ck_assert_uint_eq(in(&rig, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	rig_stop(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_full_fifo_is_above_the_trigger_level)
{
	struct rig rig;

	rig_init(&rig);
	type(&rig, "0123456789abcdef");
	usleep(20000);
	out(&rig, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_14);
	out(&rig, UART_IER, UART_IER_RDI);
	wait_for_data(&rig);
	ck_assert_uint_eq(in(&rig, UART_IIR), 0xc4);
	in(&rig, UART_RX);
	in(&rig, UART_RX);
	ck_assert_uint_eq(in(&rig, UART_IIR), 0xc4);
	in(&rig, UART_RX);
	ck_assert_uint_eq(in(&rig, UART_IIR), 0xcc);
	rig_stop(&rig);
	rig_fini(&rig);
}
END_TEST

/* The writes and careless reads by which Linux 7.3 probes and opens its console. */
START_TEST(test_input_before_the_driver_is_not_lost)
{
	static const struct {
		uint8_t offset;
		uint8_t value;
	} writes[] = {
		{UART_IER, 0x00}, {UART_IER, 0x0f}, {UART_IER, 0x00}, {UART_FCR, 0x01},
		{UART_MCR, 0x01}, {UART_FCR, 0x07}, {UART_FCR, 0x00}, {UART_IER, 0x02},
		{UART_IER, 0x00}, {UART_MCR, 0x09}, {UART_IER, 0x05}, {UART_IER, 0x00},
		{UART_FCR, 0x01}, {UART_FCR, 0x81},
	};
	struct rig rig;

	rig_init(&rig);
	type(&rig, "typed ahead");
	usleep(20000);
	for (size_t i = 0; i < ARRAY_SIZE(writes); i++) {
		out(&rig, writes[i].offset, writes[i].value);
		ck_assert_uint_eq(in(&rig, UART_LSR) & UART_LSR_DR, 0);
		ck_assert_uint_eq(in(&rig, UART_RX), 0);
	}
	out(&rig, UART_IER, UART_IER_RDI);
	for (const char *byte = "typed ahead"; *byte; byte++) {
		wait_for_data(&rig);
		ck_assert_uint_eq(in(&rig, UART_RX), (uint8_t)*byte);
	}
	rig_stop(&rig);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_loopback_returns_bytes_and_overruns)
{
	struct rig rig;
	uint8_t lsr;

	rig_init(&rig);
	out(&rig, UART_FCR, UART_FCR_ENABLE_FIFO);
	out(&rig, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2);
	out(&rig, UART_IER, UART_IER_RLSI | UART_IER_RDI);
	for (uint8_t i = 0; i < 17; i++)
		out(&rig, UART_TX, i);
	ck_assert_uint_eq(in(&rig, UART_IIR), 0xc6);
	lsr = in(&rig, UART_LSR);
	ck_assert_uint_eq(lsr, UART_LSR_THRE | UART_LSR_TEMT | UART_LSR_DR | UART_LSR_OE);
	ck_assert_uint_eq(in(&rig, UART_LSR) & UART_LSR_OE, 0);
	for (uint8_t i = 0; i < 16; i++)
		ck_assert_uint_eq(in(&rig, UART_RX), i);
	ck_assert_uint_eq(in(&rig, UART_LSR) & UART_LSR_DR, 0);
	out(&rig, UART_TX, 'x');
	out(&rig, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
	ck_assert_uint_eq(in(&rig, UART_LSR) & UART_LSR_DR, 0);
	/* Loopback disconnects the line. */
	ck_assert_uint_eq(fake_count_msis(rig.fake), 0);
	rig_stop(&rig);
	ck_assert_int_eq(lseek(rig.output, 0, SEEK_END), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_modem_lines_that_change_are_told)
{
	struct rig rig;

	rig_init(&rig);
	ck_assert_uint_eq(in(&rig, UART_MSR), UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS);
	out(&rig, UART_IER, UART_IER_MSI);
	out(&rig, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1);
	ck_assert_uint_eq(in(&rig, UART_IIR), UART_IIR_MSI);
	ck_assert_uint_eq(in(&rig, UART_MSR),
			  UART_MSR_RI | UART_MSR_DDCD | UART_MSR_DDSR | UART_MSR_DCTS);
	ck_assert_uint_eq(in(&rig, UART_IIR), UART_IIR_NO_INT);
	ck_assert_uint_eq(in(&rig, UART_MSR), UART_MSR_RI);
	out(&rig, UART_MCR, UART_MCR_LOOP);
	ck_assert_uint_eq(in(&rig, UART_MSR), UART_MSR_TERI);
	rig_stop(&rig);
	rig_fini(&rig);
}
END_TEST

/* A guest whose interrupt handler does what Linux does, and nothing without an interrupt. */
static size_t drain(struct rig *rig, char *buffer)
{
	size_t n = 0;

	while (!(in(rig, UART_IIR) & UART_IIR_NO_INT)) {
		while (in(rig, UART_LSR) & UART_LSR_DR)
			buffer[n++] = (char)in(rig, UART_RX);
	}
	return n;
}

START_TEST(test_interrupts_alone_get_all_input_through)
{
	enum { BYTES = 60000 };
	struct rig rig;
	char *sent = malloc(BYTES), *got = malloc(BYTES);
	size_t n_got = 0, n_sent = 0, n_seen = 0;

	for (size_t i = 0; i < BYTES; i++)
		sent[i] = (char)(i * 7 % 251);
	rig_init(&rig);
	out(&rig, UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_8);
	out(&rig, UART_MCR, MCR_OPEN);
	out(&rig, UART_IER, UART_IER_RDI);
	while (n_got < BYTES) {
		size_t n_msis = fake_count_msis(rig.fake);

		if (n_sent < BYTES) {
			size_t n = 1 + n_sent % 37;

			n = n < BYTES - n_sent ? n : BYTES - n_sent;
			ck_assert_int_eq(write(rig.input[1], sent + n_sent, n), (ssize_t)n);
			n_sent += n;
		}
		/* Edges that come while we look are seen in the next round. */
		if (n_msis != n_seen)
			n_got += drain(&rig, got + n_got);
		n_seen = n_msis;
	}
	ck_assert_mem_eq(got, sent, BYTES);
	rig_stop(&rig);
	rig_fini(&rig);
	free(sent);
	free(got);
}
END_TEST

/* Two CPUs write, one reads: for the thread sanitizer. */
static void *write_storm(void *argument)
{
	struct rig *rig = argument;

	for (unsigned int i = 0; i < 2000; i++) {
		out(rig, UART_TX, 'x');
		out(rig, UART_IER, i % 16);
		in(rig, UART_IIR);
	}
	return NULL;
}

START_TEST(test_several_cpus_may_use_it_at_once)
{
	struct rig rig;
	pthread_t writers[2];

	rig_init(&rig);
	out(&rig, UART_MCR, MCR_OPEN);
	for (size_t i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&writers[i], NULL, write_storm, &rig), 0);
	for (unsigned int i = 0; i < 500; i++) {
		type(&rig, "y");
		in(&rig, UART_RX);
	}
	for (size_t i = 0; i < 2; i++)
		pthread_join(writers[i], NULL);
	rig_stop(&rig);
	ck_assert_int_eq(lseek(rig.output, 0, SEEK_END), 4000);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_line_without_console_drops_output)
{
	struct rig rig;
	struct serial *serial;

	rig_init(&rig);
	serial_free(rig.serial);
	ck_assert_int_eq(serial_new(rig.pio, rig.ioapic, NULL, &serial), 0);
	out(&rig, UART_MCR, MCR_OPEN);
	out(&rig, UART_TX, 'x');
	ck_assert_uint_eq(in(&rig, UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
	rig.serial = serial;
	rig_stop(&rig);
	ck_assert_int_eq(lseek(rig.output, 0, SEEK_END), 0);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_is_detected_as_16550a,
		test_divisor_is_behind_dlab,
		test_written_bytes_come_out,
		test_enabling_the_transmit_interrupt_raises_it,
		test_transmit_interrupt_comes_once_for_a_burst,
		test_out2_gates_the_line,
		test_input_raises_the_receive_interrupt,
		test_full_fifo_is_above_the_trigger_level,
		test_input_before_the_driver_is_not_lost,
		test_loopback_returns_bytes_and_overruns,
		test_modem_lines_that_change_are_told,
		test_interrupts_alone_get_all_input_through,
		test_several_cpus_may_use_it_at_once,
		test_line_without_console_drops_output,
	};

	return unit_run(unit_suite("serial", tests, ARRAY_SIZE(tests)));
}
