// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/range.h"

static void text_clean(char *text)
{
	for (; *text; text++) {
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
	}
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;

	ASSERT(code < 0);
	if (!err)
		return code;

	err->code = code;
	va_start(ap, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	text_clean(err->text);
	return code;
}

int err_prefix(struct err *err, const char *fmt, ...)
{
	char prefixed[ERR_TEXT_MAX_BYTES];
	va_list ap;
	int used;

	if (!err)
		return 0;
	if (!err->text[0])
		return err->code;

	va_start(ap, fmt);
	used = vsnprintf(prefixed, sizeof(prefixed) - 2, fmt, ap);
	va_end(ap);
	if (used < 0 || (size_t)used >= sizeof(prefixed) - 2)
		return err->code;

	/* What does not fit is cut at the end; the front of a message says which object. */
	memcpy(prefixed + used, ": ", 2);
	used += 2;
	memcpy(prefixed + used, err->text, sizeof(prefixed) - (size_t)used);
	prefixed[sizeof(prefixed) - 1] = '\0';
	memcpy(err->text, prefixed, sizeof(prefixed));
	text_clean(err->text);
	return err->code;
}

const char *err_describe(int code)
{
	const char *words = strerrordesc_np(code < 0 ? -code : code);

	return words ? words : "unknown error";
}

_Noreturn void err_assert_failed(const char *condition, const char *file, int line)
{
	fprintf(stderr, "alcove: bug: %s:%d: assertion '%s' failed; please report it\r\n", file,
		line, condition);
	abort();
}
