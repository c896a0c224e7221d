/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest's buffer, a loop that runs, and a quote generation service on a socket, which does as
 * it is told with each of its callers.
 */
#ifndef TESTS_UNIT_QUOTE_RIG_H
#define TESTS_UNIT_QUOTE_RIG_H

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "devices/quote.h"
#include "devices/quote_message.h"
#include "tests/fake/convertible.h"
#include "vmm/err.h"
#include "vmm/sandbox.h"

enum {
	RIG_RAM_BYTES = 16 << 20,
	RIG_REPORT_BYTES = 1024,
	RIG_BUFFER_BYTES = QUOTE_BUFFER_MAX_BYTES,
	RIG_QUOTE_BYTES = 5000,
	RIG_CALL_BYTES = QUOTE_BUFFER_MAX_BYTES + QUOTE_ENVELOPE_BYTES,
	RIG_GPA = 0x100000,
};

/* What the service does with a caller once it has the request; -1: it never looks at it. */
typedef void rig_serve_fn(int caller, const uint8_t *request, size_t n_bytes);

struct rig {
	struct convertible c;
	struct loop *loop;
	pthread_t loop_thread;
	int loop_result;
	enum sandbox_mode sandbox;
	struct msi_sink msi;
	struct quote *quote;
	char directory[32];
	char address[128];

	int listener;
	int callers[64];
	atomic_uint n_callers;
	rig_serve_fn *serve;
	bool is_deaf; /* takes callers, reads nothing */
	pthread_t service_thread;
	bool has_service;

	pthread_mutex_t lock;
	char why[256]; /* the last failure */
	unsigned int n_failures;
};

/* --- The service --- */

static inline bool rig_read(int fd, uint8_t *bytes, size_t n_bytes)
{
	for (size_t done = 0; done < n_bytes;) {
		ssize_t n = read(fd, bytes + done, n_bytes - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static inline void rig_write(int fd, const void *bytes, size_t n_bytes)
{
	for (size_t done = 0; done < n_bytes;) {
		ssize_t n = send(fd, (const char *)bytes + done, n_bytes - done, MSG_NOSIGNAL);

		if (n <= 0)
			return;
		done += (size_t)n;
	}
}

/* A reply as the service makes it; RIG_QUOTE_BYTES of @fill. */
static inline size_t rig_make_reply(uint8_t *reply, uint8_t fill)
{
	uint32_t fields[] = {
		1 | 1 << 16, 1, 24 + RIG_QUOTE_BYTES, 0, 0, RIG_QUOTE_BYTES,
	};

	reply[0] = 0;
	reply[1] = 0;
	reply[2] = (24 + RIG_QUOTE_BYTES) >> 8;
	reply[3] = (24 + RIG_QUOTE_BYTES) & 0xff;
	memcpy(reply + 4, fields, sizeof(fields));
	memset(reply + QUOTE_ENVELOPE_BYTES, fill, RIG_QUOTE_BYTES);
	return QUOTE_ENVELOPE_BYTES + RIG_QUOTE_BYTES;
}

static inline void *rig_service(void *argument)
{
	struct rig *rig = argument;
	uint8_t *request = malloc(RIG_CALL_BYTES);
	int caller;

	while ((caller = accept(rig->listener, NULL, NULL)) >= 0) {
		unsigned int n = atomic_fetch_add(&rig->n_callers, 1);
		uint64_t n_bytes;

		ck_assert_uint_lt(n, 64);
		rig->callers[n] = caller;
		if (rig->is_deaf)
			continue;
		if (!rig_read(caller, request, QUOTE_LENGTH_BYTES))
			continue;
		n_bytes = quote_message_bytes(request);
		if (n_bytes <= RIG_CALL_BYTES && rig_read(caller, request + QUOTE_LENGTH_BYTES,
							  n_bytes - QUOTE_LENGTH_BYTES))
			rig->serve(caller, request, n_bytes);
		shutdown(caller, SHUT_RDWR);
	}
	free(request);
	return NULL;
}

/* --- The rig --- */

static inline void rig_failed(void *owner, const char *why)
{
	struct rig *rig = owner;

	pthread_mutex_lock(&rig->lock);
	rig->n_failures++;
	snprintf(rig->why, sizeof(rig->why), "%s", why);
	pthread_mutex_unlock(&rig->lock);
}

/* How many requests failed so far; @why: the last of them. */
static inline unsigned int rig_count_failures(struct rig *rig, char why[256])
{
	unsigned int n;

	pthread_mutex_lock(&rig->lock);
	n = rig->n_failures;
	memcpy(why, rig->why, sizeof(rig->why));
	pthread_mutex_unlock(&rig->lock);
	return n;
}

static inline void *rig_loop(void *argument)
{
	struct rig *rig = argument;

	/* As in a machine: what it may not do ends the test. */
	ck_assert_int_eq(sandbox_enter(SANDBOX_LOOP | SANDBOX_QUOTES, rig->sandbox, NULL), 0);
	rig->loop_result = loop_run(rig->loop);
	return NULL;
}

static inline void rig_listen(struct rig *rig, int backlog)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/qgs", rig->directory);
	rig->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(rig->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(rig->listener, backlog), 0);
}

/* @serve: NULL: nobody listens. */
static inline void rig_init(struct rig *rig, rig_serve_fn *serve, uint64_t timeout_ns)
{
	struct quote_config config = {
		.address = rig->address,
		.timeout_ns = timeout_ns,
		.failed = rig_failed,
		.owner = rig,
	};
	struct err err = {0};

	*rig = (struct rig){
		.directory = "/tmp/alcove-quote-XXXXXX", .listener = -1, .serve = serve};
	pthread_mutex_init(&rig->lock, NULL);
	ck_assert_ptr_nonnull(mkdtemp(rig->directory));
	snprintf(rig->address, sizeof(rig->address), "unix:%s/qgs", rig->directory);
	convertible_init(&rig->c, BACKING_INPLACE, RIG_RAM_BYTES, true);
	rig->msi = (struct msi_sink){.host = rig->c.host, .vm = rig->c.vm};
	ck_assert_int_eq(loop_new(&rig->loop, &err), 0);
	ck_assert_int_eq(
		quote_new(rig->loop, rig->c.memory, &rig->msi, &config, &rig->quote, &err), 0);
	ck_assert_int_eq(pthread_create(&rig->loop_thread, NULL, rig_loop, rig), 0);
	if (serve)
		rig_listen(rig, 128);
}

static inline void rig_serve(struct rig *rig)
{
	ck_assert_int_eq(pthread_create(&rig->service_thread, NULL, rig_service, rig), 0);
	rig->has_service = true;
}

static inline void rig_fini(struct rig *rig)
{
	char path[64];

	loop_stop(rig->loop);
	pthread_join(rig->loop_thread, NULL);
	ck_assert_int_eq(rig->loop_result, 0);
	loop_free(rig->loop);
	quote_free(rig->quote);
	if (rig->listener >= 0)
		shutdown(rig->listener, SHUT_RDWR);
	if (rig->has_service)
		pthread_join(rig->service_thread, NULL);
	for (unsigned int i = 0; i < atomic_load(&rig->n_callers); i++)
		close(rig->callers[i]);
	if (rig->listener >= 0)
		close(rig->listener);
	convertible_check_all(&rig->c);
	convertible_fini(&rig->c);
	snprintf(path, sizeof(path), "%s/qgs", rig->directory);
	unlink(path);
	rmdir(rig->directory);
	pthread_mutex_destroy(&rig->lock);
}

/* --- The guest --- */

/* The guest shares no mapping and no lock with us: its accesses go by the file. */
static inline void rig_put(struct rig *rig, gpa_t gpa, const void *bytes, size_t n_bytes)
{
	ck_assert(fake_guest_write(rig->c.fake, gpa, bytes, n_bytes));
}

static inline void rig_get(struct rig *rig, gpa_t gpa, void *bytes, size_t n_bytes)
{
	ck_assert(fake_guest_read(rig->c.fake, gpa, bytes, n_bytes));
}

/* As Linux fills the buffer: a report. */
static inline void rig_fill(struct rig *rig, gpa_t gpa)
{
	struct quote_header header = {.version = 1, .in_bytes = RIG_REPORT_BYTES};
	uint8_t report[RIG_REPORT_BYTES];

	memset(report, 0xa5, sizeof(report));
	report[0] = 0x81;
	report[1] = 0;
	rig_put(rig, gpa, &header, sizeof(header));
	rig_put(rig, gpa + sizeof(header), report, sizeof(report));
}

static inline struct quote_header rig_header(struct rig *rig, gpa_t gpa)
{
	struct quote_header header;

	rig_get(rig, gpa, &header, sizeof(header));
	return header;
}

/* As Linux waits for it. */
static inline struct quote_header rig_wait(struct rig *rig, gpa_t gpa)
{
	struct quote_header header;

	for (int i = 0; i < 20000; i++) {
		header = rig_header(rig, gpa);
		if (header.status != QUOTE_STATUS_IN_FLIGHT)
			return header;
		usleep(1000);
	}
	ck_abort_msg("still in flight");
}

/* Ask for a quote until there is one of the slots for it. */
static inline void rig_ask(struct rig *rig, gpa_t gpa)
{
	uint64_t reply = QUOTE_REPLY_RETRY;

	rig_fill(rig, gpa);
	for (int i = 0; i < 20000 && reply == QUOTE_REPLY_RETRY; i++) {
		reply = quote_request(rig->quote, gpa, RIG_BUFFER_BYTES);
		if (reply == QUOTE_REPLY_RETRY)
			usleep(1000);
	}
	ck_assert_uint_eq(reply, QUOTE_REPLY_SUCCESS);
}

/* Is a quote of @n_bytes bytes @fill in the buffer? */
static inline void rig_check_quote(struct rig *rig, gpa_t gpa, uint8_t fill)
{
	for (size_t i = 0; i < RIG_QUOTE_BYTES; i += 8) {
		uint64_t wanted, found;

		memset(&wanted, fill, sizeof(wanted));
		rig_get(rig, gpa + QUOTE_HEADER_BYTES + i, &found, sizeof(found));
		ck_assert_uint_eq(found, wanted);
	}
}

#endif
