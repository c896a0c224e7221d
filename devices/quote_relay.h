/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of struct quote: one request on its way to the service and back. */
#ifndef DEVICES_QUOTE_RELAY_H
#define DEVICES_QUOTE_RELAY_H

#include <pthread.h>

#include "devices/quote.h"
#include "devices/quote_message.h"
#include "devices/quote_socket.h"

enum quote_state {
	QUOTE_CONNECTING,
	QUOTE_SENDING,
	QUOTE_RECEIVING,
	QUOTE_ENDING, /* the guest knows; operations are being cancelled */
};

/* Of quote->lock: the first two. While taken and not waiting, the rest is the loop's alone. */
struct quote_slot {
	bool is_taken;
	bool is_waiting; /* for the loop to begin with it */
	struct quote *quote;
	enum quote_state state;
	gpa_t gpa;
	uint64_t size_bytes; /* of the guest's buffer */
	bool is_message;     /* the guest's form, see quote_message.h */
	/*
	 * What is sent, then what is received: room for an envelope and for as much as there
	 * is behind the header of the guest's buffer.
	 */
	uint8_t *bytes;
	size_t start, end; /* of what is to be sent or received */
	int fd;		   /* -1: none */
	struct loop_op io; /* the socket, or a pause before it is tried again */
	struct loop_op timeout;
	bool has_io, has_timeout; /* in flight */
};

struct quote {
	struct loop *loop;
	struct guest_memory *memory;
	struct msi_sink msi;
	struct quote_config config;
	struct quote_address address;
	struct loop_post post; /* slots are waiting */

	pthread_mutex_t lock; /* guards what follows; see struct quote_slot */
	struct quote_slot slots[QUOTE_IN_FLIGHT_MAX];
	bool has_notify;
	uint32_t notify_apic_id;
	uint8_t notify_vector;
};

/* Begin with a slot that was waiting. On the loop's thread. */
void quote_relay_start(struct quote_slot *slot);

/* Forget what the slot holds; it is free then. No operation of it is in flight. */
void quote_slot_clear(struct quote_slot *slot);

#endif
