/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of certificates. */
#ifndef TESTS_UNIT_CERTS_RIG_H
#define TESTS_UNIT_CERTS_RIG_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { CERTS_ENTRY_BYTES = 24 };

static inline void certs_put_entry(uint8_t *table, size_t index, uint32_t offset,
				   uint32_t bytes)
{
	memset(table + index * CERTS_ENTRY_BYTES, 0x63 + (int)index, 16);
	memcpy(table + index * CERTS_ENTRY_BYTES + 16, &offset, sizeof(offset));
	memcpy(table + index * CERTS_ENTRY_BYTES + 20, &bytes, sizeof(bytes));
}

/* @n certificates of @bytes each, filled with @fill, into zeroed memory. Returns its size. */
static inline size_t certs_make(uint8_t *table, size_t n, uint32_t bytes, uint8_t fill)
{
	size_t at = (n + 1) * CERTS_ENTRY_BYTES;

	memset(table, 0, at);
	for (size_t i = 0; i < n; i++, at += bytes) {
		certs_put_entry(table, i, (uint32_t)at, bytes);
		memset(table + at, fill, bytes);
	}
	return at;
}

#endif
