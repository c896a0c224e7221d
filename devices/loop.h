/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the loop. */
#ifndef DEVICES_LOOP_H
#define DEVICES_LOOP_H

#include "devices/devices.h"

/* Submit @op, which is not in flight, to do what @request says. */
void loop_queue_op(struct loop *loop, struct loop_op *op, const struct loop_request *request);

/*
 * Let the kernel refuse all operations but those of the loop: the sandbox does not see what a
 * ring is asked for, and a ring can open files and sockets. The ring is still disabled.
 *
 * Returns 0 or -errno.
 */
int loop_restrict_ring(int ring_fd);

#endif
