// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests and replies as text; pure. */
#include "vmm/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/err.h"
#include "vmm/range.h"

/* The name of each command, and the member it must have; NULL: none. */
static const struct {
	const char *name;
	const char *member;
} commands[CONTROL_COMMAND_COUNT] = {
	[CONTROL_STATUS] = {"status", NULL},	 [CONTROL_STATS] = {"stats", NULL},
	[CONTROL_STOP] = {"stop", NULL},	 [CONTROL_ATTACH] = {"attach", "device"},
	[CONTROL_DETACH] = {"detach", "device"},
};

/* What we read is small: duplicates are mistakes, and depth is bounded by the size of a line.
 */
#define PARSE_FLAGS JSON_REJECT_DUPLICATES

static void json_release(json_t **value)
{
	json_decref(*value);
}

#define _cleanup_json_ __attribute__((cleanup(json_release)))

void control_prepare(void)
{
	json_object_seed(0);
}

/* --- Requests --- */

static int version_check(const json_t *object, struct err *err)
{
	const json_t *version = json_object_get(object, "version");

	if (!json_is_integer(version))
		return err_set(err, -EPROTO,
			       "request: it has no version; write \"version\": %d",
			       CONTROL_VERSION);
	if (json_integer_value(version) != CONTROL_VERSION)
		return err_set(err, -EPROTO,
			       "request: version %lld is not known; this VM speaks version %d, "
			       "use the alcove that started it",
			       (long long)json_integer_value(version), CONTROL_VERSION);
	return 0;
}

static int command_parse(const json_t *object, enum control_command *ret_command,
			 struct err *err)
{
	const char *name = json_string_value(json_object_get(object, "command"));

	if (!name)
		return err_set(err, -EINVAL,
			       "request: it has no command; write \"command\": \"status\"");
	for (unsigned int i = 0; i < CONTROL_COMMAND_COUNT; i++) {
		if (!strcmp(commands[i].name, name)) {
			*ret_command = (enum control_command)i;
			return 0;
		}
	}
	return err_set(err, -EINVAL,
		       "request: command '%.32s' is not known; use the alcove that started "
		       "this VM",
		       name);
}

static int device_parse(const json_t *object, const char *member, char *ret_device,
			struct err *err)
{
	const char *text = json_string_value(json_object_get(object, member));
	size_t bytes = text ? strlen(text) : 0;

	if (!bytes || bytes >= CONTROL_DEVICE_MAX_BYTES)
		return err_set(err, -EINVAL,
			       "request: member '%s' is missing or no text of 1 to %d bytes; "
			       "say which device",
			       member, CONTROL_DEVICE_MAX_BYTES - 1);
	memcpy(ret_device, text, bytes + 1);
	return 0;
}

int control_request_parse(const char *line, size_t bytes, struct control_request *ret_request,
			  struct err *err)
{
	struct control_request request = {0};
	const char *member = NULL;
	json_error_t json_err;
	_cleanup_json_ json_t *object = json_loadb(line, bytes, PARSE_FLAGS, &json_err);
	size_t n_members;
	int ret;

	if (!json_is_object(object))
		return err_set(err, -EINVAL,
			       "request: it is no JSON object; write one to a line");
	ret = version_check(object, err);
	if (!ret)
		ret = command_parse(object, &request.command, err);
	if (!ret) {
		member = commands[request.command].member;
		if (member)
			ret = device_parse(object, member, request.device, err);
	}
	if (ret)
		return ret;
	/* What we do not understand might change what is meant. */
	n_members = member ? 3 : 2;
	if (json_object_size(object) != n_members)
		return err_set(err, -EINVAL,
			       "request: it has members that are not known; leave them out");
	*ret_request = request;
	return 0;
}

/* @object as a line of its own; releases it. */
static char *line_format(json_t *object)
{
	size_t bytes = json_dumpb(object, NULL, 0, JSON_COMPACT);
	char *line = bytes ? malloc(bytes + 2) : NULL;

	if (line && json_dumpb(object, line, bytes, JSON_COMPACT) == bytes) {
		line[bytes] = '\n';
		line[bytes + 1] = '\0';
	} else {
		free(line);
		line = NULL;
	}
	json_decref(object);
	return line;
}

char *control_request_format(const struct control_request *request)
{
	const char *member = commands[request->command].member;
	json_t *object = json_pack("{s:i,s:s}", "version", CONTROL_VERSION, "command",
				   commands[request->command].name);

	if (object && member &&
	    json_object_set_new(object, member, json_string(request->device))) {
		json_decref(object);
		return NULL;
	}
	return line_format(object);
}

/* --- Replies --- */

char *control_reply_format(json_t *result)
{
	static const struct err no_memory = {
		.code = -ENOMEM,
		.text = "control: out of memory; free some on the host",
	};

	if (!result)
		return control_reply_format_error(&no_memory);
	return line_format(
		json_pack("{s:i,s:o}", "version", CONTROL_VERSION, "result", result));
}

char *control_reply_format_error(const struct err *err)
{
	const char *code = strerrorname_np(-err->code);
	char text[ERR_TEXT_MAX_BYTES];
	size_t n = 0;

	/* It may name a file in whatever encoding; JSON has but one. */
	for (; err->text[n]; n++)
		text[n] = (unsigned char)err->text[n] < 0x80 ? err->text[n] : '?';
	text[n] = '\0';
	return line_format(json_pack("{s:i,s:{s:s,s:s}}", "version", CONTROL_VERSION, "error",
				     "code", code ? code : "EIO", "text", text));
}

/* The number of an error's name: of those that replies have; any other is an EIO. */
static int code_parse(const char *name)
{
	enum { CODE_MAX = 133 };

	for (int code = 1; name && code <= CODE_MAX; code++) {
		const char *known = strerrorname_np(code);

		if (known && !strcmp(known, name))
			return -code;
	}
	return -EIO;
}

int control_reply_parse(const char *line, size_t bytes, json_t **ret_result, struct err *err)
{
	json_error_t json_err;
	_cleanup_json_ json_t *object = json_loadb(line, bytes, PARSE_FLAGS, &json_err);
	json_t *result = json_object_get(object, "result");
	const json_t *error = json_object_get(object, "error");
	const char *text = json_string_value(json_object_get(error, "text"));
	const char *code = json_string_value(json_object_get(error, "code"));

	if (json_is_object(result)) {
		*ret_result = json_incref(result);
		return 0;
	}
	if (text)
		return err_set(err, code_parse(code), "%s", text);
	return err_set(err, -EPROTO,
		       "it did not answer in words that are known; use the alcove that started "
		       "it");
}
