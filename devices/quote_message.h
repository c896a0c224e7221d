/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a quote request: as they stand in the guest's buffer, and as the quote
 * generation service speaks. Pure.
 *
 * A buffer (GHCI specification, GetQuote) begins with a header. In front of its reply the guest
 * puts what is to be signed, in one of two forms:
 *
 * - a report, as it comes from TDG.MR.REPORT, and wants a quote back. Linux since 6.7 does so,
 *   and any other guest that goes by the specification;
 * - a message for the service, with its length in front, and wants the like back. Intel's
 *   libtdx_attest does so on kernels of Intel's own.
 *
 * The service takes and gives messages with a length of four bytes in front, most significant
 * first; all else is little endian (qgs_msg_lib.h of Intel's DCAP). A report becomes a message
 * here. The forms cannot be confused: a report begins with the bytes 0x81 0x00, which would be
 * a message of 2 GiB.
 */
#ifndef DEVICES_QUOTE_MESSAGE_H
#define DEVICES_QUOTE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QUOTE_STATUS_SUCCESS	 UINT64_C(0)
#define QUOTE_STATUS_ERROR	 UINT64_C(0x8000000000000000)
#define QUOTE_STATUS_UNAVAILABLE UINT64_C(0x8000000000000001)
#define QUOTE_STATUS_IN_FLIGHT	 UINT64_MAX

/* Of the guest's buffer; data follows. */
struct quote_header {
	uint64_t version; /* 1 */
	uint64_t status;
	uint32_t in_bytes;
	uint32_t out_bytes;
};

enum {
	QUOTE_HEADER_BYTES = 24,
	QUOTE_LENGTH_BYTES = 4, /* in front of a message */
	/* In front of a report or quote, length included. */
	QUOTE_ENVELOPE_BYTES = QUOTE_LENGTH_BYTES + 24,
};

/* Is that a request, in a buffer of @size_bytes? */
bool quote_header_is_request(const struct quote_header *header, uint64_t size_bytes);

/* What follows the header: a message that asks for a quote, of the guest's making? */
bool quote_is_message(const uint8_t *in, uint32_t in_bytes);

/* The envelope of a report of @report_bytes, which follows it. */
void quote_make_envelope(uint8_t envelope[QUOTE_ENVELOPE_BYTES], uint32_t report_bytes);

/* How much a message takes with its length, of which these are the first four bytes. */
uint64_t quote_message_bytes(const uint8_t length[QUOTE_LENGTH_BYTES]);

/**
 * The quote in a whole message of the service.
 *
 * @message: quote_message_bytes() of it.
 * Returns where it begins, NULL: there is none. @ret_error: then, the service's own number of
 * an error; 0: this is not what it should send.
 */
const uint8_t *quote_find(const uint8_t *message, size_t message_bytes,
			  uint32_t *ret_quote_bytes, uint32_t *ret_error);

#endif
