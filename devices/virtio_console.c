// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio console with one port (virtio 1.3, 5.3) at the operator's console.
 *
 * Input stays in the console until the driver has room for it; output goes to the console,
 * which never blocks and drops what nobody reads.
 */
#include "devices/devices.h"

#include <endian.h>
#include <errno.h>
#include <linux/virtio_console.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>

#include "devices/virtio.h"
#include "vmm/err.h"

enum {
	QUEUE_RECEIVE,
	QUEUE_TRANSMIT,
	N_QUEUES,
	QUEUE_SIZE = 64,
	CLASS_CODE = 0x078000, /* communication, other */
	PIECE_BYTES = 4096,
	/* Of one chain; no console takes more at once, so the rest is dropped here. */
	TRANSMIT_BYTES_MAX = 1 * MIB,
};

struct virtio_console {
	struct virtio_device device;
	struct console *console;
	struct console_user user;
};

static enum virtio_verdict console_receive(struct virtio_console *virtio_console,
					   struct virtio_queue *queue,
					   const struct virtq_chain *chain)
{
	char bytes[PIECE_BYTES];
	size_t room =
		chain->writable_bytes < sizeof(bytes) ? chain->writable_bytes : sizeof(bytes);
	size_t n_bytes = room ? console_read(virtio_console->console, bytes, room) : 0;

	if (room && !n_bytes)
		return VIRTIO_LATER;
	if (segments_write(virtio_console->device.env.memory, chain_writable(chain),
			   chain_n_writable(chain), 0, bytes, n_bytes))
		virtio_queue_break(queue);
	virtio_queue_push(queue, chain->head, (uint32_t)n_bytes);
	return VIRTIO_TAKEN;
}

static enum virtio_verdict console_transmit(struct virtio_console *virtio_console,
					    struct virtio_queue *queue,
					    const struct virtq_chain *chain)
{
	uint64_t end = chain->readable_bytes < TRANSMIT_BYTES_MAX ? chain->readable_bytes
								  : TRANSMIT_BYTES_MAX;
	char bytes[PIECE_BYTES];
	size_t piece;

	for (uint64_t offset = 0; offset < end; offset += piece) {
		piece = end - offset < sizeof(bytes) ? end - offset : sizeof(bytes);
		if (segments_read(virtio_console->device.env.memory, chain_readable(chain),
				  chain->n_readable, offset, bytes, piece)) {
			virtio_queue_break(queue);
			break;
		}
		console_write(virtio_console->console, bytes, piece);
	}
	virtio_queue_push(queue, chain->head, 0);
	return VIRTIO_TAKEN;
}

static enum virtio_verdict console_take(struct virtio_device *device,
					struct virtio_queue *queue,
					const struct virtq_chain *chain)
{
	struct virtio_console *virtio_console =
		container_of(device, struct virtio_console, device);

	return queue->index == QUEUE_RECEIVE ? console_receive(virtio_console, queue, chain)
					     : console_transmit(virtio_console, queue, chain);
}

static void console_readable(struct console_user *user)
{
	struct virtio_console *virtio_console = container_of(user, struct virtio_console, user);

	virtio_queue_resume(&virtio_console->device.queues[QUEUE_RECEIVE]);
}

/* Without the features that give its fields a meaning. */
static const struct virtio_console_config console_space;

int virtio_console_new(const struct virtio_env *env, struct console *console,
		       struct virtio_console **ret_virtio_console, struct err *err)
{
	struct virtio_console *virtio_console = calloc(1, sizeof(*virtio_console));
	const struct virtio_type type = {
		.take = console_take,
		.id = VIRTIO_ID_CONSOLE,
		.class_code = CLASS_CODE,
		.config = &console_space,
		.config_bytes = sizeof(console_space),
		.n_queues = N_QUEUES,
		.queue_size_max = QUEUE_SIZE,
	};
	int ret;

	if (!virtio_console)
		return err_set(err, -ENOMEM, "virtio console: out of memory");
	virtio_console->console = console;
	virtio_console->user.readable = console_readable;
	ret = virtio_device_init(&virtio_console->device, env, &type, err);
	if (ret) {
		err_prefix(err, "virtio console");
		free(virtio_console);
		return ret;
	}
	console_set_user(console, &virtio_console->user);
	*ret_virtio_console = virtio_console;
	return 0;
}

void virtio_console_free(struct virtio_console *virtio_console)
{
	if (!virtio_console)
		return;
	virtio_device_fini(&virtio_console->device);
	free(virtio_console);
}
