// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * virtio entropy device (virtio 1.3, 5.4): random bytes of the host.
 *
 * A request may be answered with fewer bytes than it has room for; none costs us more than a
 * page.
 */
#include "devices/devices.h"

#include <errno.h>
#include <linux/virtio_ids.h>
#include <stdlib.h>
#include <string.h>

#include "devices/virtio.h"
#include "vmm/err.h"
#include "vmm/host.h"

enum {
	QUEUE_SIZE = 64,
	CLASS_CODE = 0x00ff00, /* none of the classes */
	ANSWER_BYTES_MAX = 4096,
};

struct virtio_rng {
	struct virtio_device device;
};

static enum virtio_verdict rng_take(struct virtio_device *device, struct virtio_queue *queue,
				    const struct virtq_chain *chain)
{
	char bytes[ANSWER_BYTES_MAX];
	size_t room =
		chain->writable_bytes < sizeof(bytes) ? chain->writable_bytes : sizeof(bytes);
	ssize_t n_bytes = host_random_fill(device->env.host, bytes, room);

	/* The host has none: an empty answer, and the driver asks again. */
	if (n_bytes < 0)
		n_bytes = 0;
	if (segments_write(device->env.memory, chain_writable(chain), chain_n_writable(chain),
			   0, bytes, (size_t)n_bytes))
		virtio_queue_break(queue);
	virtio_queue_push(queue, chain->head, (uint32_t)n_bytes);
	explicit_bzero(bytes, sizeof(bytes));
	return VIRTIO_TAKEN;
}

int virtio_rng_new(const struct virtio_env *env, struct virtio_rng **ret_rng, struct err *err)
{
	struct virtio_rng *rng = calloc(1, sizeof(*rng));
	const struct virtio_type type = {
		.take = rng_take,
		.id = VIRTIO_ID_RNG,
		.class_code = CLASS_CODE,
		.n_queues = 1,
		.queue_size_max = QUEUE_SIZE,
	};
	int ret;

	if (!rng)
		return err_set(err, -ENOMEM, "virtio rng: out of memory");
	ret = virtio_device_init(&rng->device, env, &type, err);
	if (ret) {
		err_prefix(err, "virtio rng");
		free(rng);
		return ret;
	}
	*ret_rng = rng;
	return 0;
}

void virtio_rng_free(struct virtio_rng *rng)
{
	if (!rng)
		return;
	virtio_device_fini(&rng->device);
	free(rng);
}
