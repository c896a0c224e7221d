// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A request on its way: connect, send, receive, tell the guest. All of it on the loop's thread;
 * a slot has one operation on its socket at a time, and one for the time it has in all.
 *
 * Each request has a connection of its own, which the service closes after its reply.
 */
#include "devices/quote_relay.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory/memory.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/platform.h"

enum {
	/* Before a service that has too many callers is tried again. */
	PAUSE_NS = 20 * 1000 * 1000,
	WHY_MAX_BYTES = 160,
	MSI_DEST_SHIFT = 12,
	MSI_DEST_LOW = 0xff,
	MSI_DEST_HIGH_SHIFT = 32, /* KVM_X2APIC_API_USE_32BIT_IDS: bits 31:8, in place */
};

void quote_slot_clear(struct quote_slot *slot)
{
	cleanup_close(&slot->fd);
	slot->fd = -1;
	free(take_pointer(slot->bytes));
	slot->is_taken = false;
}

/* --- The end of a request --- */

static void notify(struct quote *quote)
{
	uint64_t address = PLATFORM_LAPIC_GPA;
	uint32_t apic_id;
	uint8_t vector;

	pthread_mutex_lock(&quote->lock);
	apic_id = quote->notify_apic_id;
	vector = quote->has_notify ? quote->notify_vector : 0;
	pthread_mutex_unlock(&quote->lock);
	if (!vector)
		return;
	address |= (uint64_t)(apic_id & MSI_DEST_LOW) << MSI_DEST_SHIFT;
	address |= (uint64_t)(apic_id & ~(uint32_t)MSI_DEST_LOW) << MSI_DEST_HIGH_SHIFT;
	host_vm_signal_msi(quote->msi.host, quote->msi.vm, address, vector);
}

/*
 * Write the outcome, the status last. A buffer that the guest has made private meanwhile is no
 * business of ours any more.
 */
static void answer(struct quote_slot *slot, uint64_t status, const uint8_t *data,
		   uint32_t n_bytes)
{
	struct borrow borrow = {0};
	struct iovec iov;
	char *buffer;

	if (guest_borrow(slot->quote->memory, slot->gpa, slot->size_bytes, &borrow, &iov))
		return;
	buffer = iov.iov_base;
	if (n_bytes)
		memcpy(buffer + QUOTE_HEADER_BYTES, data, n_bytes);
	memcpy(buffer + offsetof(struct quote_header, out_bytes), &n_bytes, sizeof(n_bytes));
	__atomic_store_n((uint64_t *)(void *)(buffer + offsetof(struct quote_header, status)),
			 status, __ATOMIC_RELEASE);
	guest_return(slot->quote->memory, &borrow);
}

/* The slot is free when the last of its operations is back. */
static void retire(struct quote_slot *slot)
{
	if (slot->has_io || slot->has_timeout)
		return;
	WITH_LOCK(&slot->quote->lock);
	quote_slot_clear(slot);
}

static void finish(struct quote_slot *slot, uint64_t status, const uint8_t *data,
		   uint32_t n_bytes)
{
	answer(slot, status, data, n_bytes);
	notify(slot->quote);
	slot->state = QUOTE_ENDING;
	if (slot->has_io)
		loop_cancel(slot->quote->loop, &slot->io);
	if (slot->has_timeout)
		loop_cancel(slot->quote->loop, &slot->timeout);
	retire(slot);
}

static void fail(struct quote_slot *slot, uint64_t status, const char *what, int code)
{
	struct quote *quote = slot->quote;
	char why[WHY_MAX_BYTES];

	if (quote->config.failed) {
		snprintf(why, sizeof(why), "quotes: %s%s%s", what, code ? ": " : "",
			 code ? err_describe(code) : "");
		quote->config.failed(quote->config.owner, why);
	}
	finish(slot, status, NULL, 0);
}

/* --- The way there --- */

static void wait_for(struct quote_slot *slot, unsigned int events)
{
	slot->has_io = true;
	loop_poll(slot->quote->loop, &slot->io, slot->fd, events);
}

static void connect_service(struct quote_slot *slot)
{
	int fd = quote_socket_open(&slot->quote->address);

	if (fd == -EAGAIN) {
		slot->has_io = true;
		loop_timer(slot->quote->loop, &slot->io, PAUSE_NS);
	} else if (fd < 0) {
		fail(slot, QUOTE_STATUS_UNAVAILABLE, "cannot reach the service", fd);
	} else {
		slot->fd = fd;
		wait_for(slot, POLLOUT);
	}
}

/* More than fits is found out before it is received. */
static void receive_length(struct quote_slot *slot)
{
	uint64_t room_bytes = slot->size_bytes - QUOTE_HEADER_BYTES;
	uint64_t n_bytes = quote_message_bytes(slot->bytes);

	if (!slot->is_message)
		room_bytes += QUOTE_ENVELOPE_BYTES;
	if (n_bytes > QUOTE_LENGTH_BYTES && n_bytes <= room_bytes) {
		slot->end = n_bytes;
		wait_for(slot, POLLIN);
		return;
	}
	fail(slot, QUOTE_STATUS_ERROR,
	     "the service sends nothing, or more than the guest has room for", 0);
}

static void receive_end(struct quote_slot *slot)
{
	const uint8_t *quote = slot->bytes;
	uint32_t n_bytes = (uint32_t)slot->end;
	char what[WHY_MAX_BYTES];
	uint32_t error = 0;

	/* Who speaks the service's language gets its errors, too. */
	if (!slot->is_message)
		quote = quote_find(slot->bytes, slot->end, &n_bytes, &error);
	if (quote) {
		finish(slot, QUOTE_STATUS_SUCCESS, quote, n_bytes);
		return;
	}
	if (error)
		snprintf(what, sizeof(what), "the service says error 0x%" PRIx32, error);
	else
		snprintf(what, sizeof(what), "the service sends something else");
	fail(slot, QUOTE_STATUS_ERROR, what, 0);
}

static void receive(struct quote_slot *slot)
{
	ssize_t n =
		quote_socket_read(slot->fd, slot->bytes + slot->start, slot->end - slot->start);

	if (n == 0) {
		fail(slot, QUOTE_STATUS_ERROR, "the service left without a reply", 0);
		return;
	}
	if (n < 0 && n != -EAGAIN && n != -EINTR) {
		fail(slot, QUOTE_STATUS_ERROR, "no reply", (int)n);
		return;
	}
	if (n > 0)
		slot->start += (size_t)n;
	if (slot->start < slot->end)
		wait_for(slot, POLLIN);
	else if (slot->end == QUOTE_LENGTH_BYTES)
		receive_length(slot);
	else
		receive_end(slot);
}

static void send_request(struct quote_slot *slot)
{
	ssize_t n = quote_socket_write(slot->fd, slot->bytes + slot->start,
				       slot->end - slot->start);

	if (n < 0 && n != -EAGAIN && n != -EINTR) {
		/* A connection that came to nothing may only be seen now. */
		fail(slot,
		     slot->state == QUOTE_CONNECTING ? QUOTE_STATUS_UNAVAILABLE
						     : QUOTE_STATUS_ERROR,
		     "the service takes no request", (int)n);
		return;
	}
	slot->state = QUOTE_SENDING;
	if (n > 0)
		slot->start += (size_t)n;
	if (slot->start < slot->end) {
		wait_for(slot, POLLOUT);
		return;
	}
	slot->state = QUOTE_RECEIVING;
	slot->start = 0;
	slot->end = QUOTE_LENGTH_BYTES;
	wait_for(slot, POLLIN);
}

static void io_done(struct loop_op *op, int result)
{
	struct quote_slot *slot = container_of(op, struct quote_slot, io);

	slot->has_io = false;
	if (slot->state == QUOTE_ENDING) {
		retire(slot);
	} else if (result == -ECANCELED) {
		return; /* the loop ends, and nobody is left to be told */
	} else if (slot->state == QUOTE_CONNECTING && slot->fd < 0) {
		connect_service(slot);
	} else if (result < 0) {
		fail(slot, QUOTE_STATUS_ERROR, "cannot wait for the service", result);
	} else if (slot->state == QUOTE_CONNECTING && result & (POLLERR | POLLHUP)) {
		fail(slot, QUOTE_STATUS_UNAVAILABLE, "the service does not answer", 0);
	} else if (slot->state == QUOTE_RECEIVING) {
		receive(slot);
	} else {
		send_request(slot);
	}
}

static void timeout_done(struct loop_op *op, int result)
{
	struct quote_slot *slot = container_of(op, struct quote_slot, timeout);

	slot->has_timeout = false;
	if (slot->state == QUOTE_ENDING)
		retire(slot);
	else if (result != -ECANCELED)
		fail(slot, QUOTE_STATUS_ERROR, "the service takes too long", 0);
}

void quote_relay_start(struct quote_slot *slot)
{
	slot->state = QUOTE_CONNECTING;
	slot->io.done = io_done;
	slot->timeout.done = timeout_done;
	slot->has_timeout = true;
	loop_timer(slot->quote->loop, &slot->timeout, slot->quote->config.timeout_ns);
	connect_service(slot);
}
