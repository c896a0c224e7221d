/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Little-endian numbers of files, which may lie at any offset. The caller knows they are there.
 */
#ifndef BOOT_BYTES_H
#define BOOT_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint16_t bytes_get_u16(const uint8_t *bytes, uint64_t offset)
{
	uint16_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static inline uint32_t bytes_get_u32(const uint8_t *bytes, uint64_t offset)
{
	uint32_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

static inline uint64_t bytes_get_u64(const uint8_t *bytes, uint64_t offset)
{
	uint64_t value;

	memcpy(&value, bytes + offset, sizeof(value));
	return value;
}

#endif
