// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's debug console: a byte written is a byte of the log, a read says that it is there. What
 * is not ASCII is shown as '?': there are terminals that take orders of such bytes.
 * OVMF writes nothing when it reads something else, which is much faster.
 *
 * Source: QEMU, hw/char/debugcon.c; edk2, OvmfPkg/Library/PlatformDebugLibIoPort.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "devices/devices.h"
#include "devices/firmware.h"
#include "vmm/cleanup.h"
#include "vmm/platform.h"

enum {
	DEBUG_PORT_MAGIC = 0xe9,
	LINE_MAX_BYTES = 256, /* with the terminating zero */
};

struct debug_port {
	struct bus *pio;
	struct debug_port_user *user;
	pthread_mutex_t lock; /* guards what follows; held while the user is called */
	char line[LINE_MAX_BYTES];
	unsigned int n_bytes;
};

static void flush_locked(struct debug_port *port)
{
	port->line[port->n_bytes] = 0;
	port->n_bytes = 0;
	port->user->line(port->user, port->line);
}

static uint64_t port_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	(void)owner;
	(void)offset;
	(void)size_bytes;
	return DEBUG_PORT_MAGIC;
}

static void port_write(void *owner, uint64_t offset, uint64_t value, unsigned int size_bytes)
{
	struct debug_port *port = owner;
	char byte = (char)(value < 0x80 ? value : '?');

	(void)offset;
	(void)size_bytes;
	if (byte == '\r' || byte == 0)
		return;
	WITH_LOCK(&port->lock);
	if (byte != '\n')
		port->line[port->n_bytes++] = byte;
	if (byte == '\n' || port->n_bytes == LINE_MAX_BYTES - 1)
		flush_locked(port);
}

int debug_port_new(struct bus *pio, struct debug_port_user *user, struct debug_port **ret_port)
{
	static const struct range ports = {PLATFORM_DEBUG_PORT, PLATFORM_DEBUG_PORT + 1};
	static const struct bus_ops ops = {.read = port_read, .write = port_write};
	struct debug_port *port = calloc(1, sizeof(*port));
	int err;

	if (!port)
		return -ENOMEM;
	port->pio = pio;
	port->user = user;
	pthread_mutex_init(&port->lock, NULL);
	err = bus_add(pio, ports, &ops, port);
	if (err) {
		pthread_mutex_destroy(&port->lock);
		free(port);
		return err;
	}
	*ret_port = port;
	return 0;
}

void debug_port_free(struct debug_port *port)
{
	if (!port)
		return;

	bus_remove(port->pio, PLATFORM_DEBUG_PORT);
	if (port->n_bytes)
		flush_locked(port);
	pthread_mutex_destroy(&port->lock);
	free(port);
}
