/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values as people write them. Each function takes the whole text or refuses it, with @err
 * saying what was wrong with it and what to write; nothing is written to ret_ on error.
 */
#ifndef VMM_VALUE_H
#define VMM_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

/* Decimal digits; min..max inclusive. Returns 0, -EINVAL, -ERANGE. */
int value_parse_uint(const char *text, uint64_t min, uint64_t max, unsigned int *ret_value,
		     struct err *err);

/* Decimal digits and a unit K, M, G or T (powers of 1024). Returns 0, -EINVAL, -ERANGE. */
int value_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
		     struct err *err);

/* on, yes, true; off, no, false. Returns 0, -EINVAL. */
int value_parse_bool(const char *text, bool *ret_value, struct err *err);

/* Hexadecimal digits after 0x, or decimal ones. Returns 0, -EINVAL, -ERANGE (over 64 bits). */
int value_parse_bits(const char *text, uint64_t *ret_value, struct err *err);

/* Two hexadecimal digits for each of @n_bytes. Returns 0, -EINVAL. */
int value_parse_bytes(const char *text, uint8_t *ret_bytes, size_t n_bytes, struct err *err);

/* One of @words (NULL-terminated); the result is its index. Returns 0, -EINVAL. */
int value_parse_choice(const char *text, const char *const *words, unsigned int *ret_index,
		       struct err *err);

/* What names things: letters, digits, '.', '_', '-', shorter than CONFIG_NAME_MAX_BYTES. */
int value_check_name(const char *text, struct err *err);

/* The largest unit that divides @bytes, "2G"; at least @size_bytes = 24 bytes of @buffer. */
const char *value_format_size(uint64_t bytes, char *buffer, size_t size_bytes);

#endif
