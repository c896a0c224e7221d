/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Quotes of a TD: what the guest wants signed goes to the quote generation service (QGS) of the
 * host, and what comes back goes into the guest's buffer. A public header of its own beside
 * devices.h: only TDs need it.
 *
 * The vCPU that asks never waits: the loop talks to the service, and the guest looks at the
 * status in its buffer, or is told by interrupt. Source: GHCI specification, GetQuote and
 * SetupEventNotifyInterrupt.
 */
#ifndef DEVICES_QUOTE_H
#define DEVICES_QUOTE_H

#include <stdint.h>

#include "devices/devices.h"

/* What TDG.VP.VMCALL returns in R10. */
#define QUOTE_REPLY_SUCCESS	    UINT64_C(0)
#define QUOTE_REPLY_RETRY	    UINT64_C(1)
#define QUOTE_REPLY_INVALID_OPERAND UINT64_C(0x8000000000000000)
#define QUOTE_REPLY_ALIGN_ERROR	    UINT64_C(0x8000000000000002)
#define QUOTE_REPLY_UNSUPPORTED	    UINT64_C(0x8000000000000003)

enum {
	QUOTE_BUFFER_MAX_BYTES = 128 << 10,
	QUOTE_IN_FLIGHT_MAX = 16,
};

/* The most time a request may take. */
#define QUOTE_TIMEOUT_NS (UINT64_C(30) * 1000000000)

struct quote_config {
	const char *address; /* unix:PATH or vsock:CID:PORT */
	uint64_t timeout_ns;
	/* Why a request failed, one line; on the loop's thread. */
	void (*failed)(void *owner, const char *why);
	void *owner;
};

struct quote;

/* Returns 0, or -EINVAL with @err: no such address. */
int quote_check_address(const char *address, struct err *err);

/* Connects to nothing yet. Returns 0, -EINVAL (address), -ENOMEM, with @err. */
int quote_new(struct loop *loop, struct guest_memory *memory, const struct msi_sink *msi,
	      const struct quote_config *config, struct quote **ret_quote, struct err *err);

/* After loop_run. Requests in flight are forgotten, as is their guest. Accepts NULL. */
void quote_free(struct quote *quote);

/**
 * GetQuote: sign what is in [gpa, gpa + size_bytes). Any vCPU thread; any values.
 *
 * Returns what the guest is to be told: SUCCESS (begun; the rest is in the buffer's status),
 * RETRY (too many in flight, no memory, or the buffer is being converted), ALIGN_ERROR,
 * INVALID_OPERAND (empty, too large, not shared memory, or no request in it); but for SUCCESS
 * the buffer is as it was.
 */
uint64_t quote_request(struct quote *quote, gpa_t gpa, uint64_t size_bytes);

/**
 * SetupEventNotifyInterrupt: from now on, tell of the end of each request by interrupt. Any
 * vCPU thread.
 *
 * Returns SUCCESS, INVALID_OPERAND (no vector of an external interrupt).
 */
uint64_t quote_set_notify(struct quote *quote, uint32_t apic_id, uint64_t vector);

#endif
