// SPDX-License-Identifier: GPL-2.0-or-later
/* Operations of the loop in the terms of io_uring. */
#include "devices/loop.h"

#include <assert.h>
#include <liburing.h>

int loop_restrict_ring(int ring_fd)
{
	static const uint8_t opcodes[] = {
		IORING_OP_READV,	IORING_OP_WRITEV,   IORING_OP_FSYNC,
		IORING_OP_FALLOCATE,	IORING_OP_POLL_ADD, IORING_OP_TIMEOUT,
		IORING_OP_ASYNC_CANCEL,
	};
	struct io_uring_restriction restrictions[ARRAY_SIZE(opcodes) + 1] = {
		{.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_ASYNC},
	};

	for (size_t i = 0; i < ARRAY_SIZE(opcodes); i++)
		restrictions[i + 1] = (struct io_uring_restriction){
			.opcode = IORING_RESTRICTION_SQE_OP,
			.sqe_op = opcodes[i],
		};
	return io_uring_register((unsigned int)ring_fd, IORING_REGISTER_RESTRICTIONS,
				 restrictions, ARRAY_SIZE(restrictions));
}

void loop_readv(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
		unsigned int n_iov, uint64_t offset)
{
	struct loop_request request = {
		.opcode = IORING_OP_READV,
		.fd = fd,
		.address = (uintptr_t)iov,
		.length = n_iov,
		.offset = offset,
	};

	loop_queue_op(loop, op, &request);
}

void loop_writev(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
		 unsigned int n_iov, uint64_t offset)
{
	struct loop_request request = {
		.opcode = IORING_OP_WRITEV,
		.fd = fd,
		.address = (uintptr_t)iov,
		.length = n_iov,
		.offset = offset,
	};

	loop_queue_op(loop, op, &request);
}

void loop_fdatasync(struct loop *loop, struct loop_op *op, int fd)
{
	struct loop_request request = {
		.opcode = IORING_OP_FSYNC,
		.fd = fd,
		.flags = IORING_FSYNC_DATASYNC,
	};

	loop_queue_op(loop, op, &request);
}

void loop_fallocate(struct loop *loop, struct loop_op *op, int fd, int mode, uint64_t offset,
		    uint64_t size_bytes)
{
	struct loop_request request = {
		.opcode = IORING_OP_FALLOCATE,
		.fd = fd,
		.address = size_bytes,
		.length = (uint32_t)mode,
		.offset = offset,
	};

	loop_queue_op(loop, op, &request);
}

void loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned int events)
{
	struct loop_request request = {
		.opcode = IORING_OP_POLL_ADD,
		.fd = fd,
		.flags = events,
	};

	loop_queue_op(loop, op, &request);
}

void loop_timer(struct loop *loop, struct loop_op *op, uint64_t after_ns)
{
	struct loop_request request = {
		.opcode = IORING_OP_TIMEOUT,
		.fd = -1,
		.address = (uintptr_t)&op->request.after,
		.length = 1,
		.after =
			{
				.tv_sec = (time_t)(after_ns / 1000000000),
				.tv_nsec = (long)(after_ns % 1000000000),
			},
	};

	static_assert(sizeof(request.after) == sizeof(struct __kernel_timespec),
		      "the kernel reads a struct timespec");
	loop_queue_op(loop, op, &request);
}
