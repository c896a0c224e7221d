// SPDX-License-Identifier: GPL-2.0-or-later
#include "devices/quote_message.h"

#include <assert.h>
#include <string.h>

enum {
	BUFFER_VERSION = 1,

	/* Of messages. A minor version adds nothing to those that are used here. */
	MESSAGE_MAJOR = 1,
	MESSAGE_MINOR = 1,
	MESSAGE_GET_QUOTE = 0,
	MESSAGE_QUOTE = 1,
};

/* GET_QUOTE: sizes of report and list of key ids; QUOTE: of the chosen id, and of the quote. */
struct message {
	uint16_t major;
	uint16_t minor;
	uint32_t type;
	uint32_t size_bytes; /* all of it, without the length in front */
	uint32_t error;
	uint32_t sizes[2];
};

static_assert(sizeof(struct quote_header) == QUOTE_HEADER_BYTES, "as in the guest's buffer");
static_assert(QUOTE_LENGTH_BYTES + sizeof(struct message) == QUOTE_ENVELOPE_BYTES,
	      "as on the wire");

bool quote_header_is_request(const struct quote_header *header, uint64_t size_bytes)
{
	return size_bytes > QUOTE_HEADER_BYTES && header->version == BUFFER_VERSION &&
	       header->in_bytes > 0 && header->in_bytes <= size_bytes - QUOTE_HEADER_BYTES;
}

uint64_t quote_message_bytes(const uint8_t length[QUOTE_LENGTH_BYTES])
{
	return (uint64_t)QUOTE_LENGTH_BYTES + ((uint32_t)length[0] << 24 |
					       (uint32_t)length[1] << 16 |
					       (uint32_t)length[2] << 8 | length[3]);
}

bool quote_is_message(const uint8_t *in, uint32_t in_bytes)
{
	struct message message;

	if (in_bytes < QUOTE_ENVELOPE_BYTES || quote_message_bytes(in) != in_bytes)
		return false;
	memcpy(&message, in + QUOTE_LENGTH_BYTES, sizeof(message));
	return message.major == MESSAGE_MAJOR && message.type == MESSAGE_GET_QUOTE &&
	       message.size_bytes == in_bytes - QUOTE_LENGTH_BYTES;
}

void quote_make_envelope(uint8_t envelope[QUOTE_ENVELOPE_BYTES], uint32_t report_bytes)
{
	struct message message = {
		.major = MESSAGE_MAJOR,
		.minor = MESSAGE_MINOR,
		.type = MESSAGE_GET_QUOTE,
		.size_bytes = (uint32_t)sizeof(message) + report_bytes,
		.sizes = {report_bytes, 0},
	};

	for (unsigned int i = 0; i < QUOTE_LENGTH_BYTES; i++)
		envelope[i] = (uint8_t)(message.size_bytes >> (24 - 8 * i));
	memcpy(envelope + QUOTE_LENGTH_BYTES, &message, sizeof(message));
}

const uint8_t *quote_find(const uint8_t *bytes, size_t n_bytes, uint32_t *ret_quote_bytes,
			  uint32_t *ret_error)
{
	const size_t head_bytes = offsetof(struct message, sizes);
	struct message message = {0};
	size_t left_bytes;

	*ret_error = 0;
	if (n_bytes < QUOTE_LENGTH_BYTES + head_bytes)
		return NULL;
	left_bytes = n_bytes - QUOTE_LENGTH_BYTES;
	memcpy(&message, bytes + QUOTE_LENGTH_BYTES,
	       left_bytes < sizeof(message) ? left_bytes : sizeof(message));
	if (message.major != MESSAGE_MAJOR || message.type != MESSAGE_QUOTE ||
	    message.size_bytes != left_bytes)
		return NULL;
	*ret_error = message.error;
	/* No list of ids was sent, so none is chosen. */
	if (message.error || left_bytes <= sizeof(message) || message.sizes[0] ||
	    message.sizes[1] != left_bytes - sizeof(message))
		return NULL;
	*ret_quote_bytes = message.sizes[1];
	return bytes + QUOTE_ENVELOPE_BYTES;
}
