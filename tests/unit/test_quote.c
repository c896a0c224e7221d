// SPDX-License-Identifier: GPL-2.0-or-later
/* Quotes of a TD, with services that behave and others that do not. */
#include "tests/unit/quote_rig.h"
#include "tests/unit/unit.h"

static char why[256]; /* a request failed */

#define LONG_NS	 (UINT64_C(60) * 1000000000)
#define SHORT_NS (UINT64_C(200) * 1000000)

static void serve_well(int caller, const uint8_t *request, size_t n_bytes)
{
	static uint8_t reply[RIG_CALL_BYTES];
	uint32_t fields[6];

	/* As the service of DCAP has it. */
	memcpy(fields, request + QUOTE_LENGTH_BYTES, sizeof(fields));
	ck_assert_uint_eq(n_bytes, QUOTE_ENVELOPE_BYTES + RIG_REPORT_BYTES);
	ck_assert_uint_eq(fields[0], 0x10001); /* versions */
	ck_assert_uint_eq(fields[1], 0);       /* GET_QUOTE_REQ */
	ck_assert_uint_eq(fields[2], n_bytes - QUOTE_LENGTH_BYTES);
	ck_assert_uint_eq(fields[3], 0);
	ck_assert_uint_eq(fields[4], RIG_REPORT_BYTES);
	ck_assert_uint_eq(fields[5], 0);
	ck_assert_uint_eq(request[QUOTE_ENVELOPE_BYTES], 0x81);
	ck_assert_uint_eq(request[n_bytes - 1], 0xa5);
	rig_write(caller, reply, rig_make_reply(reply, 0x42));
}

START_TEST(test_report_becomes_a_quote)
{
	struct rig rig;
	struct quote_header header;

	rig_init(&rig, serve_well, LONG_NS);
	rig_serve(&rig);
	rig_ask(&rig, RIG_GPA);
	header = rig_wait(&rig, RIG_GPA);
	ck_assert_uint_eq(header.status, QUOTE_STATUS_SUCCESS);
	ck_assert_uint_eq(header.version, 1);
	ck_assert_uint_eq(header.in_bytes, RIG_REPORT_BYTES);
	ck_assert_uint_eq(header.out_bytes, RIG_QUOTE_BYTES);
	rig_check_quote(&rig, RIG_GPA, 0x42);
	ck_assert_uint_eq(rig_count_failures(&rig, why), 0);
	/* Nobody asked for an interrupt. */
	ck_assert_uint_eq(fake_count_msis(rig.c.fake), 0);
	rig_fini(&rig);
}
END_TEST

static void serve_echo(int caller, const uint8_t *request, size_t n_bytes)
{
	rig_write(caller, request, n_bytes);
}

START_TEST(test_message_of_the_guest_is_passed_on_as_it_is)
{
	struct rig rig;
	struct quote_header header = {.version = 1,
				      .in_bytes = QUOTE_ENVELOPE_BYTES + RIG_REPORT_BYTES};
	uint8_t message[QUOTE_ENVELOPE_BYTES + RIG_REPORT_BYTES];
	uint8_t reply[sizeof(message)];

	memset(message, 0x77, sizeof(message));
	quote_make_envelope(message, RIG_REPORT_BYTES);
	rig_init(&rig, serve_echo, LONG_NS);
	rig_serve(&rig);
	rig_put(&rig, RIG_GPA, &header, sizeof(header));
	rig_put(&rig, RIG_GPA + sizeof(header), message, sizeof(message));
	ck_assert_uint_eq(quote_request(rig.quote, RIG_GPA, 0x4000), QUOTE_REPLY_SUCCESS);
	header = rig_wait(&rig, RIG_GPA);
	ck_assert_uint_eq(header.status, QUOTE_STATUS_SUCCESS);
	ck_assert_uint_eq(header.out_bytes, sizeof(message));
	rig_get(&rig, RIG_GPA + sizeof(header), reply, sizeof(reply));
	ck_assert_mem_eq(reply, message, sizeof(message));
	rig_fini(&rig);
}
END_TEST

START_TEST(test_bad_buffers_are_refused_at_once)
{
	static const struct {
		gpa_t gpa;
		uint64_t size_bytes, reply;
	} cases[] = {
		{RIG_GPA, 0, QUOTE_REPLY_INVALID_OPERAND},
		{RIG_GPA + 8, 0, QUOTE_REPLY_INVALID_OPERAND},
		{RIG_GPA + 8, 0x1000, QUOTE_REPLY_ALIGN_ERROR},
		{RIG_GPA, 0x1001, QUOTE_REPLY_ALIGN_ERROR},
		{RIG_GPA, UINT64_MAX, QUOTE_REPLY_ALIGN_ERROR},
		{RIG_GPA, 0x21000, QUOTE_REPLY_INVALID_OPERAND},
		{RIG_GPA, UINT64_MAX - 0xfff, QUOTE_REPLY_INVALID_OPERAND},
		{RIG_RAM_BYTES, 0x1000, QUOTE_REPLY_INVALID_OPERAND},
		{RIG_RAM_BYTES - 0x1000, 0x2000, QUOTE_REPLY_INVALID_OPERAND},
		{UINT64_MAX - 0xfff, 0x2000, QUOTE_REPLY_INVALID_OPERAND},
		{RIG_GPA, 0x1000, QUOTE_REPLY_SUCCESS},
	};
	static const struct {
		struct quote_header header;
		uint64_t reply;
	} headers[] = {
		{{0}, QUOTE_REPLY_INVALID_OPERAND},
		{{.version = 1}, QUOTE_REPLY_INVALID_OPERAND},
		{{.version = 2, .in_bytes = 1024}, QUOTE_REPLY_INVALID_OPERAND},
		{{.version = 1, .in_bytes = 4096 - 23}, QUOTE_REPLY_INVALID_OPERAND},
		{{.version = 1, .in_bytes = UINT32_MAX}, QUOTE_REPLY_INVALID_OPERAND},
		{{.version = 1, .in_bytes = 4096 - 24}, QUOTE_REPLY_SUCCESS},
		{{.version = 1, .in_bytes = 1}, QUOTE_REPLY_SUCCESS},
	};
	struct rig rig;

	rig_init(&rig, NULL, LONG_NS);
	rig_fill(&rig, RIG_GPA);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_msg(quote_request(rig.quote, cases[i].gpa, cases[i].size_bytes) ==
				      cases[i].reply,
			      "case %zu", i);
	for (size_t i = 0; i < ARRAY_SIZE(headers); i++) {
		struct quote_header after;

		rig_put(&rig, 0x8000, &headers[i].header, sizeof(after));
		ck_assert_uint_eq(quote_request(rig.quote, 0x8000, 0x1000), headers[i].reply);
		after = rig_wait(&rig, 0x8000);
		if (headers[i].reply == QUOTE_REPLY_SUCCESS)
			ck_assert_uint_eq(after.status, QUOTE_STATUS_UNAVAILABLE);
		else
			ck_assert_mem_eq(&after, &headers[i].header, sizeof(after));
	}
	/* One page of it is private. */
	convertible_convert(&rig.c, RIG_GPA + 0x3000, 0x1000, SIDE_PRIVATE);
	ck_assert_uint_eq(quote_request(rig.quote, RIG_GPA, 0x4000),
			  QUOTE_REPLY_INVALID_OPERAND);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_without_a_service_the_guest_is_told)
{
	struct rig rig;

	rig_init(&rig, NULL, LONG_NS);
	rig_ask(&rig, RIG_GPA);
	ck_assert_uint_eq(rig_wait(&rig, RIG_GPA).status, QUOTE_STATUS_UNAVAILABLE);
	rig_count_failures(&rig, why);
	ck_assert_msg(strstr(why, "No such file"), "%s", why);
	/* A socket that nobody listens at any more. */
	rig_listen(&rig, 1);
	close(rig.listener);
	rig.listener = -1;
	rig_ask(&rig, RIG_GPA);
	ck_assert_uint_eq(rig_wait(&rig, RIG_GPA).status, QUOTE_STATUS_UNAVAILABLE);
	rig_fini(&rig);
}
END_TEST

/* Whether this host has vsock or not: nobody listens there, and nothing hangs. */
START_TEST(test_service_behind_vsock_that_is_not_there)
{
	struct rig rig;
	struct quote_config config = {.address = "vsock:1:4294967294",
				      .timeout_ns = LONG_NS,
				      .failed = rig_failed,
				      .owner = &rig};

	rig_init(&rig, NULL, LONG_NS);
	quote_free(rig.quote);
	ck_assert_int_eq(quote_new(rig.loop, rig.c.memory, &rig.msi, &config, &rig.quote, NULL),
			 0);
	rig_ask(&rig, RIG_GPA);
	ck_assert_uint_eq(rig_wait(&rig, RIG_GPA).status, QUOTE_STATUS_UNAVAILABLE);
	rig_fini(&rig);
}
END_TEST

/* --- Services that do not behave --- */

static void serve_nothing(int caller, const uint8_t *request, size_t n_bytes)
{
	(void)caller;
	(void)request;
	(void)n_bytes;
}

static void serve_garbage(int caller, const uint8_t *request, size_t n_bytes)
{
	uint8_t garbage[64];

	(void)request;
	(void)n_bytes;
	memset(garbage, 0xee, sizeof(garbage));
	garbage[0] = garbage[1] = garbage[2] = 0;
	garbage[3] = 60;
	rig_write(caller, garbage, sizeof(garbage));
}

static void serve_too_much(int caller, const uint8_t *request, size_t n_bytes)
{
	uint8_t much[4096] = {0xff, 0xff, 0xff, 0xff};

	(void)request;
	(void)n_bytes;
	for (int i = 0; i < 100; i++)
		rig_write(caller, much, sizeof(much));
}

static void serve_empty(int caller, const uint8_t *request, size_t n_bytes)
{
	(void)request;
	(void)n_bytes;
	rig_write(caller, "\0\0\0\0", 4);
}

static void serve_half(int caller, const uint8_t *request, size_t n_bytes)
{
	static uint8_t reply[RIG_CALL_BYTES];

	(void)request;
	(void)n_bytes;
	rig_write(caller, reply, rig_make_reply(reply, 1) / 2);
}

/* One field at a time is wrong, and the caller after it gets the next. */
static atomic_uint n_wrong;
enum { WRONG_FIELDS = 6 };

static void serve_wrong_field(int caller, const uint8_t *request, size_t n_bytes)
{
	static uint8_t reply[RIG_CALL_BYTES];
	size_t reply_bytes = rig_make_reply(reply, 1);

	(void)request;
	(void)n_bytes;
	reply[QUOTE_LENGTH_BYTES +
	      sizeof(uint32_t) * (atomic_fetch_add(&n_wrong, 1) % WRONG_FIELDS)] ^= 6;
	rig_write(caller, reply, reply_bytes);
}

START_TEST(test_services_that_do_not_behave)
{
	static const struct {
		rig_serve_fn *serve;
		const char *why;
	} cases[] = {
		{serve_nothing, "left without a reply"},
		{serve_garbage, "something else"},
		{serve_too_much, "more than the guest has room for"},
		{serve_empty, "sends nothing"},
		{serve_half, "left without a reply"},
		{serve_echo, "something else"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig rig;

		rig_init(&rig, cases[i].serve, LONG_NS);
		rig_serve(&rig);
		rig_ask(&rig, RIG_GPA);
		ck_assert_uint_eq(rig_wait(&rig, RIG_GPA).status, QUOTE_STATUS_ERROR);
		ck_assert_uint_eq(rig_header(&rig, RIG_GPA).out_bytes, 0);
		rig_count_failures(&rig, why);
		ck_assert_msg(strstr(why, cases[i].why), "%zu: %s", i, why);
		rig_fini(&rig);
	}
}
END_TEST

START_TEST(test_each_field_of_a_reply_counts)
{
	struct rig rig;

	rig_init(&rig, serve_wrong_field, LONG_NS);
	rig_serve(&rig);
	for (int i = 0; i < WRONG_FIELDS; i++) {
		rig_ask(&rig, RIG_GPA);
		ck_assert_uint_eq(rig_wait(&rig, RIG_GPA).status, QUOTE_STATUS_ERROR);
	}
	ck_assert_uint_eq(rig_count_failures(&rig, why), WRONG_FIELDS);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_service_that_takes_too_long)
{
	struct rig rig;

	rig_init(&rig, serve_well, SHORT_NS);
	rig.is_deaf = true;
	rig_serve(&rig);
	rig_ask(&rig, RIG_GPA);
	ck_assert_uint_eq(rig_wait(&rig, RIG_GPA).status, QUOTE_STATUS_ERROR);
	rig_fini(&rig);

	/* And one that does not even take callers. */
	rig_init(&rig, serve_well, SHORT_NS);
	for (gpa_t gpa = 0; gpa < 16 * RIG_BUFFER_BYTES; gpa += RIG_BUFFER_BYTES)
		rig_ask(&rig, gpa);
	for (gpa_t gpa = 0; gpa < 16 * RIG_BUFFER_BYTES; gpa += RIG_BUFFER_BYTES)
		ck_assert_uint_eq(rig_wait(&rig, gpa).status, QUOTE_STATUS_ERROR);
	rig_fini(&rig);
}
END_TEST

/* A byte, and a pause, and so on: its length in two pieces, too. */
static void serve_slowly(int caller, const uint8_t *request, size_t n_bytes)
{
	static uint8_t reply[RIG_CALL_BYTES];
	size_t reply_bytes = rig_make_reply(reply, 9);

	(void)request;
	(void)n_bytes;
	for (size_t i = 0; i < 40; i++) {
		rig_write(caller, reply + i, 1);
		usleep(1000);
	}
	rig_write(caller, reply + 40, reply_bytes - 40);
}

START_TEST(test_slow_service_is_waited_for)
{
	struct rig rig;

	rig_init(&rig, serve_slowly, LONG_NS);
	rig_serve(&rig);
	rig_ask(&rig, RIG_GPA);
	ck_assert_uint_eq(rig_wait(&rig, RIG_GPA).status, QUOTE_STATUS_SUCCESS);
	rig_check_quote(&rig, RIG_GPA, 9);
	rig_fini(&rig);
}
END_TEST

/* --- Many, and ends --- */

START_TEST(test_more_than_are_in_flight_are_told_to_try_again)
{
	struct rig rig;
	unsigned int n_retries = 0;

	rig_init(&rig, serve_well, LONG_NS);
	for (unsigned int i = 0; i < 40; i++) {
		gpa_t gpa = (gpa_t)i * RIG_BUFFER_BYTES;
		uint64_t reply;

		rig_fill(&rig, gpa);
		reply = quote_request(rig.quote, gpa, RIG_BUFFER_BYTES);
		n_retries += reply == QUOTE_REPLY_RETRY;
		ck_assert(reply == QUOTE_REPLY_RETRY || reply == QUOTE_REPLY_SUCCESS);
		ck_assert_uint_eq(rig_header(&rig, gpa).status,
				  reply ? 0 : QUOTE_STATUS_IN_FLIGHT);
	}
	ck_assert_uint_eq(n_retries, 40 - QUOTE_IN_FLIGHT_MAX);
	rig_serve(&rig);
	for (unsigned int i = 0; i < QUOTE_IN_FLIGHT_MAX; i++)
		ck_assert_uint_eq(rig_wait(&rig, (gpa_t)i * RIG_BUFFER_BYTES).status,
				  QUOTE_STATUS_SUCCESS);
	/* All slots are free again. */
	for (unsigned int i = 0; i < QUOTE_IN_FLIGHT_MAX; i++)
		rig_ask(&rig, (gpa_t)i * RIG_BUFFER_BYTES);
	for (unsigned int i = 0; i < QUOTE_IN_FLIGHT_MAX; i++)
		ck_assert_uint_eq(rig_wait(&rig, (gpa_t)i * RIG_BUFFER_BYTES).status,
				  QUOTE_STATUS_SUCCESS);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_service_that_takes_one_caller_at_a_time_gets_all)
{
	struct rig rig;

	rig_init(&rig, NULL, LONG_NS);
	rig.serve = serve_well;
	rig_listen(&rig, 0);
	for (unsigned int i = 0; i < QUOTE_IN_FLIGHT_MAX; i++)
		rig_ask(&rig, (gpa_t)i * RIG_BUFFER_BYTES);
	usleep(50000);
	rig_serve(&rig);
	for (unsigned int i = 0; i < QUOTE_IN_FLIGHT_MAX; i++)
		ck_assert_uint_eq(rig_wait(&rig, (gpa_t)i * RIG_BUFFER_BYTES).status,
				  QUOTE_STATUS_SUCCESS);
	ck_assert_uint_eq(rig_count_failures(&rig, why), 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_machine_may_end_with_requests_in_flight)
{
	/* Waiting for the loop, for the socket, for a reply. */
	for (int i = 0; i < 3; i++) {
		struct rig rig;

		rig_init(&rig, i ? serve_well : NULL, LONG_NS);
		rig.serve = serve_well;
		rig.is_deaf = true;
		if (i == 2)
			rig_serve(&rig);
		for (unsigned int n = 0; n < QUOTE_IN_FLIGHT_MAX; n++)
			rig_ask(&rig, (gpa_t)n * RIG_BUFFER_BYTES);
		while (i == 2 && atomic_load(&rig.n_callers) < QUOTE_IN_FLIGHT_MAX)
			usleep(1000);
		rig_fini(&rig);
	}
}
END_TEST

START_TEST(test_buffer_that_turns_private_meanwhile_is_left_alone)
{
	struct rig rig;

	rig_init(&rig, serve_well, LONG_NS);
	rig_ask(&rig, RIG_GPA);
	/* A borrow would keep it: nothing is held while the service thinks. */
	ck_assert_int_eq(convertible_convert(&rig.c, RIG_GPA, GRANULE_BYTES, SIDE_PRIVATE),
			 CONVERSION_DONE);
	ck_assert_uint_eq(quote_set_notify(rig.quote, 0, 80), QUOTE_REPLY_SUCCESS);
	rig_serve(&rig);
	while (fake_count_msis(rig.c.fake) == 0)
		usleep(1000);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_interrupt_comes_after_the_status)
{
	static const uint64_t bad[] = {0, 31, 256, UINT64_MAX, 1ull << 32 | 80};
	struct fake_msi msi;
	struct rig rig;

	rig_init(&rig, serve_well, LONG_NS);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert_uint_eq(quote_set_notify(rig.quote, 1, bad[i]),
				  QUOTE_REPLY_INVALID_OPERAND);
	ck_assert_uint_eq(quote_set_notify(rig.quote, 3, 200), QUOTE_REPLY_SUCCESS);
	ck_assert_uint_eq(quote_set_notify(rig.quote, 0x102, 77), QUOTE_REPLY_SUCCESS);
	rig_serve(&rig);
	rig_ask(&rig, RIG_GPA);
	while (fake_count_msis(rig.c.fake) == 0)
		usleep(1000);
	ck_assert_uint_eq(rig_header(&rig, RIG_GPA).status, QUOTE_STATUS_SUCCESS);
	msi = fake_get_msi(rig.c.fake, 0);
	ck_assert_uint_eq(msi.address, 0x00000100fee02000);
	ck_assert_uint_eq(msi.data, 77);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_report_becomes_a_quote,
		test_message_of_the_guest_is_passed_on_as_it_is,
		test_bad_buffers_are_refused_at_once,
		test_without_a_service_the_guest_is_told,
		test_service_behind_vsock_that_is_not_there,
		test_services_that_do_not_behave,
		test_each_field_of_a_reply_counts,
		test_service_that_takes_too_long,
		test_slow_service_is_waited_for,
		test_more_than_are_in_flight_are_told_to_try_again,
		test_service_that_takes_one_caller_at_a_time_gets_all,
		test_machine_may_end_with_requests_in_flight,
		test_buffer_that_turns_private_meanwhile_is_left_alone,
		test_interrupt_comes_after_the_status,
	};

	return unit_run(unit_suite_slow("quote", tests, ARRAY_SIZE(tests), 60));
}
