// SPDX-License-Identifier: GPL-2.0-or-later
/* What is said on the control socket, without any socket. */
#include "vmm/control/control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/range.h"

static int parse(const char *line, struct control_request *request, struct err *err)
{
	return control_request_parse(line, strlen(line), request, err);
}

START_TEST(test_each_request_says_what_it_said)
{
	static const struct control_request requests[] = {
		{.command = CONTROL_STATUS},
		{.command = CONTROL_STATS},
		{.command = CONTROL_STOP},
		{.command = CONTROL_ATTACH, .device = "0000:01:00.0,name=a,,\"b\\"},
		{.command = CONTROL_DETACH, .device = "nic"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_free_ char *line = control_request_format(&requests[i]);
		struct control_request parsed;
		struct err err = {0};

		ck_assert_ptr_nonnull(line);
		ck_assert_ptr_eq(strchr(line, '\n'), line + strlen(line) - 1);
		line[strlen(line) - 1] = '\0';
		ck_assert_msg(parse(line, &parsed, &err) == 0, "%s: %s", line, err.text);
		ck_assert_int_eq(parsed.command, requests[i].command);
		ck_assert_str_eq(parsed.device, requests[i].device);
	}
}
END_TEST

START_TEST(test_malformed_requests_are_refused_by_name)
{
	static const struct {
		const char *line;
		int code;
		const char *says;
	} cases[] = {
		{"", -EINVAL, "no JSON object"},
		{"stop", -EINVAL, "no JSON object"},
		{"[]", -EINVAL, "no JSON object"},
		{"{\"version\":1,\"command\":\"stop\"", -EINVAL, "no JSON object"},
		{"{\"version\":1,\"command\":\"stop\"}}", -EINVAL, "no JSON object"},
		{"{\"version\":1,\"version\":1,\"command\":\"stop\"}", -EINVAL,
		 "no JSON object"},
		{"{\"version\":1,\"command\":\"sto\xff\"}", -EINVAL, "no JSON object"},
		{"{\"version\":1,\"command\":\"stop\\u0000\"}", -EINVAL, "no JSON object"},
		{"{\"command\":\"stop\"}", -EPROTO, "no version"},
		{"{\"version\":\"1\",\"command\":\"stop\"}", -EPROTO, "no version"},
		{"{\"version\":1.0,\"command\":\"stop\"}", -EPROTO, "no version"},
		{"{\"version\":2,\"command\":\"stop\"}", -EPROTO, "version 2 is not known"},
		{"{\"version\":1}", -EINVAL, "no command"},
		{"{\"version\":1,\"command\":7}", -EINVAL, "no command"},
		{"{\"version\":1,\"command\":\"halt\"}", -EINVAL, "'halt' is not known"},
		{"{\"version\":1,\"command\":\"stop\",\"device\":\"x\"}", -EINVAL,
		 "members that are not known"},
		{"{\"version\":1,\"command\":\"attach\"}", -EINVAL, "'device' is missing"},
		{"{\"version\":1,\"command\":\"attach\",\"device\":\"\"}", -EINVAL,
		 "'device' is missing"},
		{"{\"version\":1,\"command\":\"attach\",\"device\":[\"x\"]}", -EINVAL,
		 "'device' is missing"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct control_request request = {.command = CONTROL_COMMAND_COUNT};
		struct err err = {0};

		ck_assert_int_eq(parse(cases[i].line, &request, &err), cases[i].code);
		ck_assert_msg(strstr(err.text, cases[i].says), "%s: %s", cases[i].line,
			      err.text);
		ck_assert_int_eq(request.command, CONTROL_COMMAND_COUNT);
	}
}
END_TEST

START_TEST(test_device_has_a_longest_length)
{
	struct control_request request = {.command = CONTROL_DETACH};
	_cleanup_free_ char *line = NULL;
	struct err err = {0};

	memset(request.device, 'x', sizeof(request.device) - 1);
	line = control_request_format(&request);
	ck_assert_int_eq(control_request_parse(line, strlen(line) - 1, &request, &err), 0);
	ck_assert_uint_eq(strlen(request.device), sizeof(request.device) - 1);

	/* One more, by hand. */
	_cleanup_free_ char *longer = NULL;

	ck_assert_int_gt(asprintf(&longer,
				  "{\"version\":1,\"command\":\"detach\",\"device\":\"y%s\"}",
				  request.device),
			 0);
	ck_assert_int_eq(parse(longer, &request, &err), -EINVAL);
}
END_TEST

START_TEST(test_deep_nesting_is_refused)
{
	char line[CONTROL_REQUEST_MAX_BYTES];
	struct control_request request;
	struct err err = {0};

	memset(line, '[', sizeof(line));
	ck_assert_int_eq(control_request_parse(line, sizeof(line), &request, &err), -EINVAL);
}
END_TEST

START_TEST(test_replies_bring_results_and_errors_over)
{
	struct err said = {0}, err = {0};
	json_t *result = NULL;

	err_set(&said, -ENODEV, "device 'nic': it has gone\nto \"Mars\" \xff; look there");

	_cleanup_free_ char *good = control_reply_format(json_pack("{s:i}", "n", 7));
	_cleanup_free_ char *bad = control_reply_format_error(&said);
	_cleanup_free_ char *short_of_memory = control_reply_format(NULL);

	ck_assert_int_eq(control_reply_parse(good, strlen(good), &result, &err), 0);
	ck_assert_int_eq(json_integer_value(json_object_get(result, "n")), 7);
	json_decref(result);
	ck_assert_int_eq(control_reply_parse(bad, strlen(bad), &result, &err), -ENODEV);
	ck_assert_str_eq(err.text, "device 'nic': it has gone?to \"Mars\" ?; look there");
	ck_assert_int_eq(
		control_reply_parse(short_of_memory, strlen(short_of_memory), &result, &err),
		-ENOMEM);
}
END_TEST

START_TEST(test_what_is_no_reply_is_said_to_be_none)
{
	static const char *const lines[] = {
		"",
		"{}",
		"7",
		"{\"result\":7}",
		"{\"error\":{\"code\":\"EIO\"}}",
		"{\"error\":\"EIO\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		json_t *result = NULL;
		struct err err = {0};

		ck_assert_int_eq(control_reply_parse(lines[i], strlen(lines[i]), &result, &err),
				 -EPROTO);
		ck_assert_ptr_null(result);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_each_request_says_what_it_said,
		test_malformed_requests_are_refused_by_name,
		test_device_has_a_longest_length,
		test_deep_nesting_is_refused,
		test_replies_bring_results_and_errors_over,
		test_what_is_no_reply_is_said_to_be_none,
	};

	return unit_run(unit_suite("control", tests, ARRAY_SIZE(tests)));
}
