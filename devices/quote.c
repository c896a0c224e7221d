// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the guest asks for: checked and copied once, on the thread of its vCPU, into one of a
 * few slots. The loop takes it from there (quote_relay.c).
 */
#include "devices/quote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/quote_relay.h"
#include "memory/memory.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	VECTOR_MIN = 32,
	VECTOR_MAX = 255,
};

int quote_check_address(const char *address, struct err *err)
{
	struct quote_address ignored;

	return quote_address_parse(address, &ignored, err);
}

static void post_run(struct loop_post *post)
{
	struct quote *quote = container_of(post, struct quote, post);

	for (size_t i = 0; i < QUOTE_IN_FLIGHT_MAX; i++) {
		struct quote_slot *slot = &quote->slots[i];
		bool is_waiting;

		pthread_mutex_lock(&quote->lock);
		is_waiting = slot->is_waiting;
		slot->is_waiting = false;
		pthread_mutex_unlock(&quote->lock);
		if (is_waiting)
			quote_relay_start(slot);
	}
}

int quote_new(struct loop *loop, struct guest_memory *memory, const struct msi_sink *msi,
	      const struct quote_config *config, struct quote **ret_quote, struct err *err)
{
	struct quote *quote = calloc(1, sizeof(*quote));
	int ret;

	if (!quote)
		return err_set(err, -ENOMEM, "quotes: out of memory; free some");
	ret = quote_address_parse(config->address, &quote->address, err);
	if (ret) {
		err_prefix(err, "quotes");
		free(quote);
		return ret;
	}
	quote->loop = loop;
	quote->memory = memory;
	quote->msi = *msi;
	quote->config = *config;
	quote->post.fn = post_run;
	pthread_mutex_init(&quote->lock, NULL);
	for (size_t i = 0; i < QUOTE_IN_FLIGHT_MAX; i++) {
		quote->slots[i].quote = quote;
		quote->slots[i].fd = -1;
	}
	*ret_quote = quote;
	return 0;
}

void quote_free(struct quote *quote)
{
	if (!quote)
		return;
	for (size_t i = 0; i < QUOTE_IN_FLIGHT_MAX; i++)
		quote_slot_clear(&quote->slots[i]);
	pthread_mutex_destroy(&quote->lock);
	free(quote);
}

/* --- GetQuote --- */

/*
 * Copy the request out of the guest's buffer, which is all shared, and tell the guest that it
 * has begun: nobody but the loop writes the status from then on.
 */
static uint64_t slot_fill(struct quote_slot *slot, uint8_t *buffer)
{
	struct quote_header header;
	uint8_t *data = slot->bytes + QUOTE_ENVELOPE_BYTES;

	memcpy(&header, buffer, sizeof(header));
	if (!quote_header_is_request(&header, slot->size_bytes))
		return QUOTE_REPLY_INVALID_OPERAND;
	memcpy(data, buffer + QUOTE_HEADER_BYTES, header.in_bytes);
	slot->is_message = quote_is_message(data, header.in_bytes);
	slot->start = QUOTE_ENVELOPE_BYTES;
	slot->end = QUOTE_ENVELOPE_BYTES + header.in_bytes;
	if (!slot->is_message) {
		quote_make_envelope(slot->bytes, header.in_bytes);
		slot->start = 0;
	}
	header.status = QUOTE_STATUS_IN_FLIGHT;
	header.out_bytes = 0;
	memcpy(buffer, &header, sizeof(header));
	return QUOTE_REPLY_SUCCESS;
}

static uint64_t slot_borrow(struct quote_slot *slot)
{
	struct borrow borrow = {0};
	struct iovec iov;
	uint64_t reply;
	int ret = guest_borrow(slot->quote->memory, slot->gpa, slot->size_bytes, &borrow, &iov);

	if (ret)
		return ret == -EBUSY ? QUOTE_REPLY_RETRY : QUOTE_REPLY_INVALID_OPERAND;
	reply = slot_fill(slot, iov.iov_base);
	guest_return(slot->quote->memory, &borrow);
	return reply;
}

static struct quote_slot *slot_find_locked(struct quote *quote)
{
	for (size_t i = 0; i < QUOTE_IN_FLIGHT_MAX; i++) {
		if (!quote->slots[i].is_taken)
			return &quote->slots[i];
	}
	return NULL;
}

uint64_t quote_request(struct quote *quote, gpa_t gpa, uint64_t size_bytes)
{
	struct quote_slot *slot;
	uint64_t reply;

	if (!size_bytes)
		return QUOTE_REPLY_INVALID_OPERAND;
	if (!is_aligned(gpa, GRANULE_BYTES) || !is_aligned(size_bytes, GRANULE_BYTES))
		return QUOTE_REPLY_ALIGN_ERROR;
	if (size_bytes > QUOTE_BUFFER_MAX_BYTES)
		return QUOTE_REPLY_INVALID_OPERAND;

	WITH_LOCK(&quote->lock);
	slot = slot_find_locked(quote);
	if (!slot)
		return QUOTE_REPLY_RETRY;
	slot->gpa = gpa;
	slot->size_bytes = size_bytes;
	slot->bytes = malloc(size_bytes - QUOTE_HEADER_BYTES + QUOTE_ENVELOPE_BYTES);
	reply = slot->bytes ? slot_borrow(slot) : QUOTE_REPLY_RETRY;
	if (reply != QUOTE_REPLY_SUCCESS) {
		free(take_pointer(slot->bytes));
		return reply;
	}
	slot->is_taken = true;
	slot->is_waiting = true;
	loop_post(quote->loop, &quote->post);
	return QUOTE_REPLY_SUCCESS;
}

uint64_t quote_set_notify(struct quote *quote, uint32_t apic_id, uint64_t vector)
{
	if (vector < VECTOR_MIN || vector > VECTOR_MAX)
		return QUOTE_REPLY_INVALID_OPERAND;
	WITH_LOCK(&quote->lock);
	quote->has_notify = true;
	quote->notify_apic_id = apic_id;
	quote->notify_vector = (uint8_t)vector;
	return QUOTE_REPLY_SUCCESS;
}
