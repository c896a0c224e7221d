// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A 16550A as PCs have it: one interrupt line, gated by OUT2, into an edge-triggered pin.
 *
 * Transmission takes no time. Reception is flow-controlled: the operator's end sends only while
 * the guest asserts RTS or, as Linux does on its console, has FIFO and receive interrupt on. So
 * what is typed or piped in before a driver is there waits in the console, and is not lost
 * while the driver probes and clears.
 *
 * The interrupt line is computed after every change, and each rise is a pulse on the pin. That
 * is all an edge-triggered driver can rely on with real hardware, too: it reads IIR until
 * nothing is pending, and that is when the line is low.
 */
#include "devices/devices.h"

#include <errno.h>
#include <linux/serial_reg.h>
#include <pthread.h>
#include <stdlib.h>

#include "vmm/cleanup.h"
#include "vmm/platform.h"

enum {
	FIFO_BYTES = 16,
	IER_WRITABLE = UART_IER_RDI | UART_IER_THRI | UART_IER_RLSI | UART_IER_MSI,
	MCR_WRITABLE =
		UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT1 | UART_MCR_OUT2 | UART_MCR_LOOP,
	MSR_LINES = UART_MSR_DCD | UART_MSR_RI | UART_MSR_DSR | UART_MSR_CTS,
	MSR_DELTA_SHIFT = 4, /* from a line to its delta bit */
	IIR_TIMEOUT = 0x0c,
	IIR_FIFO = 0xc0,
};

struct serial {
	struct bus *pio;
	struct ioapic *ioapic;
	struct console *console; /* NULL: none */
	struct console_user user;

	pthread_mutex_t lock; /* guards what follows; that of the console comes after it */
	uint8_t ier;
	uint8_t fcr;
	uint8_t lcr;
	uint8_t mcr;
	uint8_t scratch;
	uint8_t divisor[2];
	uint8_t msr_deltas;
	bool overrun;
	bool transmitter_pending; /* an empty transmitter not yet told by IIR */
	bool line;		  /* the level of the interrupt pin */
	uint8_t fifo[FIFO_BYTES];
	unsigned int fifo_first;
	unsigned int n_fifo;
};

static unsigned int fifo_depth(const struct serial *serial)
{
	return serial->fcr & UART_FCR_ENABLE_FIFO ? FIFO_BYTES : 1;
}

static void fifo_clear(struct serial *serial)
{
	serial->n_fifo = 0;
	serial->fifo_first = 0;
}

/* A byte arrives. One that finds no room is lost, as the status will say. */
static void fifo_put(struct serial *serial, uint8_t byte)
{
	if (serial->n_fifo == fifo_depth(serial)) {
		serial->overrun = true;
		return;
	}
	serial->fifo[(serial->fifo_first + serial->n_fifo) % FIFO_BYTES] = byte;
	serial->n_fifo++;
}

static uint8_t fifo_get(struct serial *serial)
{
	uint8_t byte = serial->fifo[serial->fifo_first];

	if (serial->n_fifo == 0)
		return 0;
	serial->fifo_first = (serial->fifo_first + 1) % FIFO_BYTES;
	serial->n_fifo--;
	return byte;
}

static bool is_ready_to_receive(const struct serial *serial)
{
	bool driven = serial->ier & UART_IER_RDI && serial->fcr & UART_FCR_ENABLE_FIFO;

	return !(serial->mcr & UART_MCR_LOOP) && (driven || serial->mcr & UART_MCR_RTS);
}

/*
 * Let the operator's end send, but only into an empty FIFO: so the line falls and rises every
 * few bytes, and a driver that gives up in the middle of a long stream is called again.
 */
static void receive_locked(struct serial *serial)
{
	uint8_t bytes[FIFO_BYTES];
	size_t n_bytes;

	if (!serial->console || !is_ready_to_receive(serial) || serial->n_fifo)
		return;
	n_bytes = console_read(serial->console, bytes, fifo_depth(serial));
	for (size_t i = 0; i < n_bytes; i++)
		fifo_put(serial, bytes[i]);
}

/* --- Interrupts --- */

static unsigned int fifo_trigger(const struct serial *serial)
{
	static const uint8_t levels[] = {1, 4, 8, 14};

	return serial->fcr & UART_FCR_ENABLE_FIFO ? levels[serial->fcr >> 6] : 1;
}

/* The most urgent interrupt that is enabled and pending, as IIR names it. */
static uint8_t interrupt_id(const struct serial *serial)
{
	if (serial->ier & UART_IER_RLSI && serial->overrun)
		return UART_IIR_RLSI;
	/* Below the trigger level the FIFO waits for more, but not long; here, not at all. */
	if (serial->ier & UART_IER_RDI && serial->n_fifo)
		return serial->n_fifo >= fifo_trigger(serial) ? UART_IIR_RDI : IIR_TIMEOUT;
	if (serial->ier & UART_IER_THRI && serial->transmitter_pending)
		return UART_IIR_THRI;
	if (serial->ier & UART_IER_MSI && serial->msr_deltas)
		return UART_IIR_MSI;
	return UART_IIR_NO_INT;
}

/* Compute the line. True when it rose. */
static bool line_update_locked(struct serial *serial)
{
	bool was = serial->line;

	/* Loopback disconnects OUT2. */
	serial->line = interrupt_id(serial) != UART_IIR_NO_INT &&
		       (serial->mcr & (UART_MCR_OUT2 | UART_MCR_LOOP)) == UART_MCR_OUT2;
	return serial->line && !was;
}

/* --- Registers --- */

/* The modem's lines; in loopback, our own. */
static uint8_t msr_lines(const struct serial *serial)
{
	static const struct {
		uint8_t mcr;
		uint8_t msr;
	} loops[] = {
		{UART_MCR_DTR, UART_MSR_DSR},
		{UART_MCR_RTS, UART_MSR_CTS},
		{UART_MCR_OUT1, UART_MSR_RI},
		{UART_MCR_OUT2, UART_MSR_DCD},
	};
	uint8_t lines = 0;

	if (!(serial->mcr & UART_MCR_LOOP))
		return UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS;
	for (size_t i = 0; i < ARRAY_SIZE(loops); i++) {
		if (serial->mcr & loops[i].mcr)
			lines |= loops[i].msr;
	}
	return lines;
}

static void write_mcr(struct serial *serial, uint8_t value)
{
	uint8_t before = msr_lines(serial);
	uint8_t changed;

	serial->mcr = value & MCR_WRITABLE;
	changed = before ^ msr_lines(serial);
	/* Of RI, only the trailing edge counts. */
	if (!(before & UART_MSR_RI))
		changed &= (uint8_t)~UART_MSR_RI;
	serial->msr_deltas |= (uint8_t)(changed >> MSR_DELTA_SHIFT);
}

static void write_ier(struct serial *serial, uint8_t value)
{
	uint8_t risen = (uint8_t)(value & ~serial->ier);

	serial->ier = value & IER_WRITABLE;
	/* The transmitter is empty, and who asks to be told is told. */
	if (risen & UART_IER_THRI)
		serial->transmitter_pending = true;
}

static void write_fcr(struct serial *serial, uint8_t value)
{
	if ((value ^ serial->fcr) & UART_FCR_ENABLE_FIFO || value & UART_FCR_CLEAR_RCVR)
		fifo_clear(serial);
	/* The other bits count only along with this one. */
	serial->fcr = value & UART_FCR_ENABLE_FIFO
			      ? value & (UART_FCR_ENABLE_FIFO | UART_FCR_TRIGGER_MASK)
			      : 0;
}

/* The transmitter is empty again at once. */
static void write_data(struct serial *serial, uint8_t byte)
{
	if (serial->mcr & UART_MCR_LOOP)
		fifo_put(serial, byte);
	else if (serial->console)
		console_write(serial->console, &byte, 1);
	serial->transmitter_pending = true;
}

static uint8_t read_iir(struct serial *serial)
{
	uint8_t id = interrupt_id(serial);

	if (id == UART_IIR_THRI)
		serial->transmitter_pending = false;
	return id | (serial->fcr & UART_FCR_ENABLE_FIFO ? IIR_FIFO : 0);
}

static uint8_t read_lsr(struct serial *serial)
{
	uint8_t lsr = UART_LSR_THRE | UART_LSR_TEMT;

	if (serial->n_fifo)
		lsr |= UART_LSR_DR;
	if (serial->overrun)
		lsr |= UART_LSR_OE;
	serial->overrun = false;
	return lsr;
}

static uint8_t read_msr(struct serial *serial)
{
	uint8_t msr = msr_lines(serial) | serial->msr_deltas;

	serial->msr_deltas = 0;
	return msr;
}

static uint8_t read_register(struct serial *serial, uint64_t offset)
{
	if (serial->lcr & UART_LCR_DLAB && offset <= UART_DLM)
		return serial->divisor[offset];

	switch (offset) {
	case UART_RX:
		return fifo_get(serial);
	case UART_IER:
		return serial->ier;
	case UART_IIR:
		return read_iir(serial);
	case UART_LCR:
		return serial->lcr;
	case UART_MCR:
		return serial->mcr;
	case UART_LSR:
		return read_lsr(serial);
	case UART_MSR:
		return read_msr(serial);
	default:
		return serial->scratch;
	}
}

static void write_register(struct serial *serial, uint64_t offset, uint8_t value)
{
	if (serial->lcr & UART_LCR_DLAB && offset <= UART_DLM) {
		serial->divisor[offset] = value;
		return;
	}

	switch (offset) {
	case UART_TX:
		write_data(serial, value);
		break;
	case UART_IER:
		write_ier(serial, value);
		break;
	case UART_FCR:
		write_fcr(serial, value);
		break;
	case UART_LCR:
		serial->lcr = value;
		break;
	case UART_MCR:
		write_mcr(serial, value);
		break;
	case UART_SCR:
		serial->scratch = value;
		break;
	default: /* status registers are read-only */
		break;
	}
}

/* --- Entries --- */

/*
 * After every change: let the line fall before new bytes raise it again. True when it rose: the
 * caller owes the pin a pulse, without the lock.
 */
static bool settle_locked(struct serial *serial)
{
	bool rose = line_update_locked(serial);

	receive_locked(serial);
	return line_update_locked(serial) || rose;
}

static bool serial_read_byte(struct serial *serial, uint64_t offset, uint8_t *ret_value)
{
	WITH_LOCK(&serial->lock);
	*ret_value = read_register(serial, offset);
	return settle_locked(serial);
}

static bool serial_write_byte(struct serial *serial, uint64_t offset, uint8_t value)
{
	WITH_LOCK(&serial->lock);
	write_register(serial, offset, value);
	return settle_locked(serial);
}

static bool serial_receive(struct serial *serial)
{
	WITH_LOCK(&serial->lock);
	return settle_locked(serial);
}

static void pulse_if(struct serial *serial, bool rose)
{
	if (rose)
		ioapic_pulse(serial->ioapic, PLATFORM_SERIAL_GSI);
}

/* The chip has eight data lines: a wide access is one to each of its bytes. */
static uint64_t serial_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct serial *serial = owner;
	uint64_t value = 0;

	for (unsigned int i = 0; i < size_bytes; i++) {
		uint8_t byte;

		pulse_if(serial, serial_read_byte(serial, offset + i, &byte));
		value |= (uint64_t)byte << 8 * i;
	}
	return value;
}

static void serial_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct serial *serial = owner;

	for (unsigned int i = 0; i < size_bytes; i++) {
		uint8_t byte = (uint8_t)(value >> 8 * i);

		pulse_if(serial, serial_write_byte(serial, offset + i, byte));
	}
}

static const struct bus_ops serial_ops = {.read = serial_read, .write = serial_write};

static void serial_readable(struct console_user *user)
{
	struct serial *serial = container_of(user, struct serial, user);

	pulse_if(serial, serial_receive(serial));
}

int serial_new(struct bus *pio, struct ioapic *ioapic, struct console *console,
	       struct serial **ret_serial)
{
	static const struct range ports = {
		.start = PLATFORM_SERIAL_PORT,
		.end = PLATFORM_SERIAL_PORT + PLATFORM_SERIAL_PORTS,
	};
	struct serial *serial = malloc(sizeof(*serial));
	int err;

	if (!serial)
		return -ENOMEM;
	*serial = (struct serial){
		.pio = pio,
		.ioapic = ioapic,
		.console = console,
		.user.readable = serial_readable,
	};
	pthread_mutex_init(&serial->lock, NULL);
	err = bus_add(pio, ports, &serial_ops, serial);
	if (err) {
		pthread_mutex_destroy(&serial->lock);
		free(serial);
		return err;
	}
	if (console)
		console_set_user(console, &serial->user);
	*ret_serial = serial;
	return 0;
}

void serial_free(struct serial *serial)
{
	if (!serial)
		return;

	bus_remove(serial->pio, PLATFORM_SERIAL_PORT);
	pthread_mutex_destroy(&serial->lock);
	free(serial);
}
