// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any buffer of a guest that asks for a quote, and any reply of the service to it.
 *
 * Input: struct script, then script.buffer_bytes for the start of the buffer; the rest is the
 * reply, which comes in pieces. What is accepted must end, with a status that a guest knows;
 * only the buffer may be written, and a quote in it is what the service sent.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "devices/quote.h"
#include "devices/quote_message.h"
#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "vmm/err.h"
#include "vmm/host.h"

enum {
	BUFFER_GPA = 0x100000,
	SHOWN_BYTES = 0x8000, /* of memory, from the buffer on, that is looked at */
};

struct script {
	uint16_t kind; /* 1: any size, 2: any address, 4: no version in the header */
	uint16_t buffer_bytes;
	uint16_t piece_bytes; /* of the reply */
	uint16_t n_pages;     /* mod 4, plus 1 */
	uint32_t in_bytes;    /* 0: what the buffer says */
	uint64_t gpa;
	uint64_t size_bytes;
} __attribute__((packed));

static struct guest_memory *memory;
static struct loop *loop;
static struct quote *quote;
static int listener;

static void *loop_thread(void *unused)
{
	ASSERT(loop_run(loop) == 0);
	return unused;
}

static void make_service(char *path, size_t path_bytes)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int ret;

	snprintf(address.sun_path, sizeof(address.sun_path), "/tmp/alcove-fuzz-quote-%d",
		 getpid());
	unlink(address.sun_path);
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ret = bind(listener, (struct sockaddr *)&address, sizeof(address));
	ASSERT(ret == 0);
	ret = listen(listener, 16);
	ASSERT(ret == 0);
	snprintf(path, path_bytes, "unix:%s", address.sun_path);
}

static void remove_service(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/tmp/alcove-fuzz-quote-%d", getpid());
	unlink(path);
}

static void make_all(void)
{
	char address[128];
	struct quote_config config = {.address = address, .timeout_ns = QUOTE_TIMEOUT_NS};
	struct layout layout;
	struct fake *fake = fake_new();
	int vm = host_vm_create(fake_host(fake), KVM_X86_DEFAULT_VM);
	struct msi_sink msi = {.host = fake_host(fake), .vm = vm};
	pthread_t thread;
	int ret = layout_init(&layout, LAYOUT_RAM_BYTES_MIN, 40, NULL);

	ASSERT(ret == 0);
	ret = guest_memory_new(fake_host(fake), vm, &layout, BACKING_PLAIN, &memory, NULL);
	ASSERT(ret == 0);
	signal(SIGPIPE, SIG_IGN);
	make_service(address, sizeof(address));
	atexit(remove_service);
	ret = loop_new(&loop, NULL);
	ASSERT(ret == 0);
	ret = quote_new(loop, memory, &msi, &config, &quote, NULL);
	ASSERT(ret == 0);
	ret = pthread_create(&thread, NULL, loop_thread, NULL);
	ASSERT(ret == 0);
}

static bool read_all(int fd, uint8_t *bytes, size_t n_bytes)
{
	for (size_t done = 0; done < n_bytes;) {
		ssize_t n = read(fd, bytes + done, n_bytes - done);

		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

/* The service: takes a whole request, which is well formed, and says @reply. */
static void serve(const uint8_t *reply, size_t reply_bytes, size_t piece_bytes)
{
	static uint8_t request[QUOTE_BUFFER_MAX_BYTES + QUOTE_ENVELOPE_BYTES];
	int fd = accept(listener, NULL, NULL);
	uint64_t n_bytes;

	ASSERT(fd >= 0);
	ASSERT(read_all(fd, request, QUOTE_LENGTH_BYTES));
	n_bytes = quote_message_bytes(request);
	ASSERT(n_bytes > QUOTE_ENVELOPE_BYTES - 1 && n_bytes <= sizeof(request));
	ASSERT(read_all(fd, request + QUOTE_LENGTH_BYTES, n_bytes - QUOTE_LENGTH_BYTES));
	ASSERT(quote_is_message(request, (uint32_t)n_bytes));
	while (reply_bytes) {
		size_t n = piece_bytes && piece_bytes < reply_bytes ? piece_bytes : reply_bytes;

		if (write(fd, reply, n) != (ssize_t)n)
			break;
		reply += n;
		reply_bytes -= n;
	}
	close(fd);
}

static struct quote_header wait_for_end(void)
{
	struct quote_header header;
	int ret;

	do {
		ret = guest_read(memory, BUFFER_GPA, &header, sizeof(header));
		ASSERT(ret == 0);
	} while (header.status == QUOTE_STATUS_IN_FLIGHT);
	return header;
}

static void check_end(const struct script *script, bool is_message, const uint8_t *reply,
		      size_t reply_bytes)
{
	static uint8_t shown[SHOWN_BYTES];
	uint64_t size_bytes = (script->n_pages % 4 + 1) * GRANULE_BYTES;
	struct quote_header header = wait_for_end();
	size_t skipped_bytes = is_message ? 0 : QUOTE_ENVELOPE_BYTES;
	int ret = guest_read(memory, BUFFER_GPA, shown, sizeof(shown));

	ASSERT(ret == 0);
	for (size_t i = size_bytes; i < sizeof(shown); i++)
		ASSERT(shown[i] == 0x5a);
	ASSERT(header.out_bytes <= size_bytes - QUOTE_HEADER_BYTES);
	if (header.status != QUOTE_STATUS_SUCCESS) {
		ASSERT(header.status == QUOTE_STATUS_ERROR && header.out_bytes == 0);
		return;
	}
	ASSERT(header.out_bytes > 0 && header.out_bytes + skipped_bytes <= reply_bytes);
	ASSERT(quote_message_bytes(reply) == header.out_bytes + skipped_bytes);
	ASSERT(!memcmp(shown + QUOTE_HEADER_BYTES, reply + skipped_bytes, header.out_bytes));
}

static void fill_memory(const struct script *script, const uint8_t *data)
{
	static uint8_t bytes[SHOWN_BYTES];
	struct quote_header header;
	int ret;

	memset(bytes, 0x5a, sizeof(bytes));
	memcpy(bytes, data, script->buffer_bytes);
	memcpy(&header, bytes, sizeof(header));
	if (!(script->kind & 4))
		header.version = 1;
	/* Left by a guest, it would look as if it never ended. */
	header.status = 0;
	if (script->in_bytes)
		header.in_bytes = script->in_bytes;
	memcpy(bytes, &header, sizeof(header));
	ret = guest_write(memory, BUFFER_GPA, bytes, sizeof(bytes));
	ASSERT(ret == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	static uint8_t before[SHOWN_BYTES], after[SHOWN_BYTES];
	struct script script;
	struct quote_header header;
	uint64_t reply, size_bytes;
	gpa_t gpa = BUFFER_GPA;
	bool is_message;

	if (!memory)
		make_all();
	if (data_bytes < sizeof(script))
		return 0;
	memcpy(&script, data, sizeof(script));
	data += sizeof(script);
	data_bytes -= sizeof(script);
	if (script.buffer_bytes > data_bytes || script.buffer_bytes > SHOWN_BYTES)
		return 0;
	fill_memory(&script, data);
	data += script.buffer_bytes;
	data_bytes -= script.buffer_bytes;
	guest_read(memory, BUFFER_GPA, before, sizeof(before));
	memcpy(&header, before, sizeof(header));
	is_message = header.in_bytes <= SHOWN_BYTES - QUOTE_HEADER_BYTES &&
		     quote_is_message(before + QUOTE_HEADER_BYTES, header.in_bytes);

	size_bytes = (script.n_pages % 4 + 1) * GRANULE_BYTES;
	if (script.kind & 1)
		size_bytes = script.size_bytes;
	if (script.kind & 2)
		gpa = script.gpa;
	/* What is accepted elsewhere would have to be looked at there. */
	if (script.kind & 3 && gpa < LAYOUT_RAM_BYTES_MIN && size_bytes <= SHOWN_BYTES &&
	    is_aligned(gpa | size_bytes, GRANULE_BYTES))
		return 0;
	reply = quote_request(quote, gpa, size_bytes);
	if (reply == QUOTE_REPLY_SUCCESS) {
		serve(data, data_bytes, script.piece_bytes);
		check_end(&script, is_message, data, data_bytes);
		return 0;
	}
	ASSERT(reply == QUOTE_REPLY_RETRY || reply == QUOTE_REPLY_INVALID_OPERAND ||
	       reply == QUOTE_REPLY_ALIGN_ERROR);
	guest_read(memory, BUFFER_GPA, after, sizeof(after));
	ASSERT(!memcmp(before, after, sizeof(after)));
	return 0;
}
