// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/value.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/nearest.h"
#include "vmm/range.h"

static const char unit_letters[] = "KMGT";

/* Digits from @text on, saturating at UINT64_MAX; @ret_end: what follows them. */
static uint64_t digits_parse(const char *text, const char **ret_end)
{
	uint64_t value = 0;

	for (; isdigit((unsigned char)*text); text++) {
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			value = UINT64_MAX;
	}
	*ret_end = text;
	return value;
}

int value_parse_uint(const char *text, uint64_t min, uint64_t max, unsigned int *ret_value,
		     struct err *err)
{
	const char *end;
	uint64_t value = digits_parse(text, &end);

	if (end == text || *end)
		return err_set(err, -EINVAL,
			       "'%s' is not a number; write %" PRIu64 " to %" PRIu64, text, min,
			       max);
	if (value < min || value > max)
		return err_set(err, -ERANGE,
			       "%s is out of range; write %" PRIu64 " to %" PRIu64, text, min,
			       max);
	*ret_value = (unsigned int)value;
	return 0;
}

static int digit_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	digit = (char)tolower((unsigned char)digit);
	return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

int value_parse_bits(const char *text, uint64_t *ret_value, struct err *err)
{
	bool is_hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	const char *digits = is_hex ? text + 2 : text;
	uint64_t value = 0;

	for (const char *at = digits; *at; at++) {
		int digit = digit_value(*at);

		if (digit < 0 || (digit > 9 && !is_hex))
			return err_set(err, -EINVAL, "'%s' is no number; write 0x30000", text);
		if (__builtin_mul_overflow(value, is_hex ? 16 : 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)digit, &value))
			return err_set(err, -ERANGE, "%s does not fit 64 bits", text);
	}
	if (!*digits)
		return err_set(err, -EINVAL, "'%s' is no number; write 0x30000", text);
	*ret_value = value;
	return 0;
}

int value_parse_bytes(const char *text, uint8_t *ret_bytes, size_t n_bytes, struct err *err)
{
	bool is_right = strlen(text) == 2 * n_bytes;

	for (const char *at = text; *at && is_right; at++)
		is_right = digit_value(*at) >= 0;
	if (!is_right)
		return err_set(err, -EINVAL,
			       "'%s' are not %zu bytes; write %zu hexadecimal digits", text,
			       n_bytes, 2 * n_bytes);
	for (size_t i = 0; i < n_bytes; i++) {
		unsigned int high = (unsigned int)digit_value(text[2 * i]);
		unsigned int low = (unsigned int)digit_value(text[2 * i + 1]);

		ret_bytes[i] = (uint8_t)(high << 4 | low);
	}
	return 0;
}

const char *value_format_size(uint64_t bytes, char *buffer, size_t size_bytes)
{
	unsigned int unit = 0;

	while (unit < 4 && bytes && bytes % 1024 == 0) {
		bytes /= 1024;
		unit++;
	}
	if (unit)
		snprintf(buffer, size_bytes, "%" PRIu64 "%c", bytes, unit_letters[unit - 1]);
	else
		snprintf(buffer, size_bytes, "%" PRIu64, bytes);
	return buffer;
}

int value_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *ret_bytes,
		     struct err *err)
{
	const char *end;
	const char *unit;
	char min_text[24];
	char max_text[24];
	uint64_t bytes = digits_parse(text, &end);

	if (end != text && !*end)
		return err_set(err, -EINVAL, "'%s' has no unit; add K, M, G or T", text);
	unit = *end ? strchr(unit_letters, toupper((unsigned char)*end)) : NULL;
	if (end == text || !unit || end[1])
		return err_set(err, -EINVAL,
			       "'%s' is not a size; write digits and K, M, G or T, such as 2G",
			       text);
	if (__builtin_mul_overflow(bytes, KIB << (10 * (unit - unit_letters)), &bytes))
		bytes = UINT64_MAX;
	if (bytes < min || bytes > max)
		return err_set(err, -ERANGE, "%s is out of range; write %s to %s", text,
			       value_format_size(min, min_text, sizeof(min_text)),
			       value_format_size(max, max_text, sizeof(max_text)));
	*ret_bytes = bytes;
	return 0;
}

int value_parse_bool(const char *text, bool *ret_value, struct err *err)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{"on", true},  {"off", false}, {"yes", true},
		{"no", false}, {"true", true}, {"false", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!strcmp(text, words[i].word)) {
			*ret_value = words[i].value;
			return 0;
		}
	}
	return err_set(err, -EINVAL, "'%s' is neither on nor off; write one of them", text);
}

int value_parse_choice(const char *text, const char *const *words, unsigned int *ret_index,
		       struct err *err)
{
	char list[128] = "";
	size_t used = 0;

	for (unsigned int i = 0; words[i]; i++) {
		if (!strcmp(text, words[i])) {
			*ret_index = i;
			return 0;
		}
		if (used < sizeof(list))
			used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s",
						 !i		? ""
						 : words[i + 1] ? ", "
								: " or ",
						 words[i]);
	}
	return err_set(err, -EINVAL, "'%s' is not known here; write %s", text, list);
}

int value_check_name(const char *text, struct err *err)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t bytes = strlen(text);

	if (!bytes || bytes >= CONFIG_NAME_MAX_BYTES || strspn(text, allowed) != bytes)
		return err_set(
			err, -EINVAL,
			"'%s' is not a name; use 1 to %d letters, digits, '.', '_' and '-'",
			text, CONFIG_NAME_MAX_BYTES - 1);
	return 0;
}
