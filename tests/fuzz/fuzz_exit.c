// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Anything that KVM_RUN can leave behind, as a guest would have it: what is decoded lies inside
 * of the vCPU's area, what ends the machine has words that a terminal can show, and a reply is
 * one that KVM takes.
 *
 * Input: struct script, then the bytes of the area.
 */
#include <errno.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <string.h>

#include "vmm/err.h"
#include "vmm/exit.h"
#include "vmm/last_words.h"
#include "vmm/range.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

enum { AREA_BYTES = 3 * 4096 };

struct script {
	uint8_t error;	  /* of KVM_RUN, an index; 0: none */
	uint8_t kvm_type; /* mod 6 */
	uint8_t reply;
	uint8_t reason; /* 255: what the area says */
} __attribute__((packed));

static union area {
	struct kvm_run run;
	char bytes[AREA_BYTES];
} area;

static const int errors[] = {0, EINTR, EAGAIN, EFAULT, EHWPOISON, EIO, EINVAL, ENOMEM};
static const int cert_errors[] = {0, ENOSPC, EAGAIN, EIO};

static void check_line(const char *line, size_t size_bytes)
{
	ASSERT(memchr(line, '\0', size_bytes));
	for (; *line; line++)
		ASSERT((unsigned char)*line >= 0x20 && (unsigned char)*line < 0x7f);
}

static void check_last_words(const struct exit *exit, const uint8_t *data, size_t data_bytes)
{
	char line[512], page[LAST_WORDS_PAGE_BYTES] = "";
	uint64_t gpa;

	ASSERT(exit->data);
	if (exit->kind == EXIT_SEV_TERM) {
		last_words_format_sev(*(uint64_t *)exit->data, line, sizeof(line));
	} else {
		bool has_page = last_words_has_page(exit->data, &gpa);

		memcpy(page, data, data_bytes < sizeof(page) ? data_bytes : sizeof(page));
		last_words_format_tdx(exit->data, has_page && data_bytes % 2 ? page : NULL,
				      line, 1 + data_bytes % sizeof(line));
	}
	check_line(line, sizeof(line));
}

static void reply(const struct exit *exit, unsigned int choice)
{
	struct kvm_run *run = &area.run;

	switch (exit->kind) {
	case EXIT_HYPERCALL:
		exit_reply_hypercall(run, choice);
		ASSERT(run->hypercall.ret == choice);
		break;
	case EXIT_CERTS:
		exit_reply_certs(run, cert_errors[choice % ARRAY_SIZE(cert_errors)], choice);
		ASSERT(run->snp_req_certs.ret <= ENOSPC);
		break;
	case EXIT_TDX_INFO:
		exit_reply_tdx_info(run, choice % 2);
		ASSERT(!(run->tdx.get_tdvmcall_info.r11 & ~2ull));
		break;
	case EXIT_TDX_QUOTE:
	case EXIT_TDX_NOTIFY:
		exit_reply_tdx(run, choice);
		ASSERT(run->tdx.get_quote.ret == choice);
		break;
	default:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	struct script script;
	struct exit exit;
	int ret;

	if (data_bytes < sizeof(script) || data_bytes > sizeof(script) + AREA_BYTES)
		return 0;
	memcpy(&script, data, sizeof(script));
	data += sizeof(script);
	data_bytes -= sizeof(script);
	memset(&area, 0, sizeof(area));
	memcpy(&area, data, data_bytes);
	if (script.reason != 255)
		area.run.exit_reason = script.reason % 64;
	ret = -errors[script.error % ARRAY_SIZE(errors)];
	exit = exit_decode(&area.run, sizeof(area), ret, script.kvm_type % 6);

	ASSERT(exit.kind <= EXIT_FAILED);
	ASSERT((exit.kind == EXIT_FAILED || exit.kind == EXIT_CRASHED) == (exit.what != NULL));
	if (exit.data) {
		const char *start = exit.data;
		uint64_t bytes = (uint64_t)exit.count * exit.size_bytes;

		ASSERT(start >= area.bytes && start <= area.bytes + sizeof(area));
		ASSERT(bytes <= (uint64_t)(area.bytes + sizeof(area) - start));
	}
	if (exit.kind == EXIT_SEV_TERM || exit.kind == EXIT_TDX_FATAL)
		check_last_words(&exit, data, data_bytes);
	if (exit.what)
		check_line(exit.what, SIZE_MAX);
	reply(&exit, script.reply);
	return 0;
}
