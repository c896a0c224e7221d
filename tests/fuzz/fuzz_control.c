// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A line of a client of the control socket, and the same as a reply of a VM.
 *
 * A request that is taken says the same when it is said again; one that is refused is refused
 * with one line that says why, which goes through a reply unharmed.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/control/control.h"
#include "vmm/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static void check_refusal(int result, const struct err *err)
{
	_cleanup_free_ char *line = control_reply_format_error(err);
	struct err said = {0};
	json_t *none = NULL;

	ASSERT(result < 0 && result == err->code);
	ASSERT(err->text[0]);
	for (const char *c = err->text; *c; c++)
		ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
	ASSERT(line);
	ASSERT(control_reply_parse(line, strlen(line), &none, &said) == result);
}

static void check_request(const struct control_request *request)
{
	_cleanup_free_ char *line = control_request_format(request);
	struct control_request again = {0};
	struct err err = {0};

	ASSERT(request->command < CONTROL_COMMAND_COUNT);
	ASSERT(memchr(request->device, '\0', sizeof(request->device)));
	ASSERT(line);
	ASSERT(control_request_parse(line, strlen(line) - 1, &again, &err) == 0);
	ASSERT(again.command == request->command);
	ASSERT(!strcmp(again.device, request->device));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	struct control_request request = {0};
	const char *line = (const char *)data;
	struct err err = {0};
	json_t *result = NULL;
	int ret;

	if (data_bytes >= CONTROL_REQUEST_MAX_BYTES)
		return 0;
	ret = control_request_parse(line, data_bytes, &request, &err);
	if (ret)
		check_refusal(ret, &err);
	else
		check_request(&request);
	if (control_reply_parse(line, data_bytes, &result, &err) == 0)
		json_decref(result);
	return 0;
}
