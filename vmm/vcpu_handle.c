// SPDX-License-Identifier: GPL-2.0-or-later
/* What a vCPU's thread does about an exit. */
#include "vmm/vcpu_handle.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "devices/quote.h"
#include "memory/memory.h"
#include "vmm/certs.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/last_words.h"
#include "vmm/type.h"

enum {
	REASON_MAX_BYTES = ERR_TEXT_MAX_BYTES,
	PLACE_MAX_BYTES = 40,

	/* Faults on end, at one page, that change nothing; those of a race are few. */
	FAULTS_IN_VAIN_MAX = 1000,
};

static bool port_access(struct vcpu *vcpu, const struct exit *exit)
{
	char *data = exit->data;

	for (uint32_t i = 0; i < exit->count; i++, data += exit->size_bytes) {
		uint64_t value = 0;

		if (exit->is_write) {
			memcpy(&value, data, exit->size_bytes);
			bus_write(vcpu->env->pio, exit->address, value, exit->size_bytes);
		} else {
			value = bus_read(vcpu->env->pio, exit->address, exit->size_bytes);
			memcpy(data, &value, exit->size_bytes);
		}
	}
	return true;
}

/* KVM passes pieces of any size up to 8; the bus takes powers of two. */
static bool mmio_access(struct vcpu *vcpu, const struct exit *exit)
{
	unsigned int done_bytes = 0;

	while (done_bytes < exit->size_bytes) {
		unsigned int left_bytes = exit->size_bytes - done_bytes;
		unsigned int piece_bytes = 1u << (31 - __builtin_clz(left_bytes));
		char *data = (char *)exit->data + done_bytes;
		uint64_t address = exit->address + done_bytes;
		uint64_t value = 0;

		if (exit->is_write) {
			memcpy(&value, data, piece_bytes);
			bus_write(vcpu->env->mmio, address, value, piece_bytes);
		} else {
			value = bus_read(vcpu->env->mmio, address, piece_bytes);
			memcpy(data, &value, piece_bytes);
		}
		done_bytes += piece_bytes;
	}
	return true;
}

void vcpu_end(struct vcpu *vcpu, enum vcpu_end end, const char *reason)
{
	vcpu->env->ended(vcpu->env->machine, end, reason);
}

static void vcpu_fail(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	struct kvm_regs regs;
	char reason[REASON_MAX_BYTES];
	char place[PLACE_MAX_BYTES] = "";

	/* A confidential guest does not show its registers. */
	if (!vcpu->env->type->is_opaque &&
	    host_vcpu_get_regs(vcpu->env->host, vcpu->fd, &regs) == 0)
		snprintf(place, sizeof(place), " at rip 0x%" PRIx64, (uint64_t)regs.rip);
	snprintf(reason, sizeof(reason), "vcpu%" PRIu32 ": KVM gave up: %s (0x%" PRIx64 ")%s",
		 vcpu->id, what, detail, place);
	vcpu_end(vcpu, VCPU_FAILED, reason);
}

static bool nothing_answer(struct vcpu *vcpu, const struct exit *exit)
{
	(void)vcpu;
	(void)exit;
	return true;
}

static bool shutdown_answer(struct vcpu *vcpu, const struct exit *exit)
{
	(void)exit;
	vcpu_end(vcpu, VCPU_SHUTDOWN, "");
	return false;
}

static bool failed_answer(struct vcpu *vcpu, const struct exit *exit)
{
	vcpu_fail(vcpu, exit->what, exit->detail);
	return false;
}

static void vcpu_crash(struct vcpu *vcpu, const char *what, uint64_t detail)
{
	char reason[REASON_MAX_BYTES];

	snprintf(reason, sizeof(reason),
		 "vcpu%" PRIu32 ": the guest crashed: %s (0x%" PRIx64 ")", vcpu->id, what,
		 detail);
	vcpu_end(vcpu, VCPU_CRASHED, reason);
}

static bool crashed_answer(struct vcpu *vcpu, const struct exit *exit)
{
	vcpu_crash(vcpu, exit->what, exit->detail);
	return false;
}

static bool sev_term_answer(struct vcpu *vcpu, const struct exit *exit)
{
	const uint64_t *ghcb = exit->data;
	char reason[REASON_MAX_BYTES];

	last_words_format_sev(*ghcb, reason, sizeof(reason));
	vcpu_end(vcpu, VCPU_CRASHED, reason);
	return false;
}

/* The guest says where with its shared bit in the address, which is one of two (GPAW). */
static bool page_read(struct vcpu *vcpu, gpa_t gpa, char *page)
{
	static const gpa_t shared_bits[] = {(gpa_t)1 << 51, (gpa_t)1 << 47};

	for (size_t i = 0; i < ARRAY_SIZE(shared_bits); i++) {
		if (guest_read(vcpu->env->memory, gpa & ~shared_bits[i], page,
			       LAST_WORDS_PAGE_BYTES) == 0)
			return true;
	}
	return false;
}

static bool tdx_fatal_answer(struct vcpu *vcpu, const struct exit *exit)
{
	const uint64_t *registers = exit->data;
	char page[LAST_WORDS_PAGE_BYTES];
	char reason[REASON_MAX_BYTES];
	gpa_t gpa;
	bool has_page = last_words_has_page(registers, &gpa) && page_read(vcpu, gpa, page);

	last_words_format_tdx(registers, has_page ? page : NULL, reason, sizeof(reason));
	vcpu_end(vcpu, VCPU_CRASHED, reason);
	return false;
}

static bool tdx_info_answer(struct vcpu *vcpu, const struct exit *exit)
{
	(void)exit;
	exit_reply_tdx_info(vcpu->run, vcpu->env->quote != NULL);
	return true;
}

/* Without a service it stays at what KVM says: not supported. */
static bool tdx_quote_answer(struct vcpu *vcpu, const struct exit *exit)
{
	if (vcpu->env->quote)
		exit_reply_tdx(vcpu->run, quote_request(vcpu->env->quote, exit->address,
							exit->range_bytes));
	return true;
}

static bool tdx_notify_answer(struct vcpu *vcpu, const struct exit *exit)
{
	if (vcpu->env->quote)
		exit_reply_tdx(vcpu->run,
			       quote_set_notify(vcpu->env->quote, vcpu->id, exit->detail));
	return true;
}

/* KVM only asks when the VM has certificates. */
static bool certs_answer(struct vcpu *vcpu, const struct exit *exit)
{
	uint64_t n_pages = 0;
	int ret = -EIO;

	if (vcpu->env->certs)
		ret = certs_give(vcpu->env->certs, vcpu->env->memory, exit->address,
				 exit->range_bytes, &n_pages);
	vcpu->has_certs = ret == 0;
	exit_reply_certs(vcpu->run, -ret, n_pages);
	return true;
}

static bool hypercall_answer(struct vcpu *vcpu, const struct exit *exit)
{
	enum conversion_end end = guest_convert(
		vcpu->env->memory, exit->address, exit->range_bytes,
		exit->to_private ? SIDE_PRIVATE : SIDE_SHARED, CONVERSION_HYPERCALL);

	exit_reply_hypercall(vcpu->run, vcpu->env->type->replies[end]);
	return true;
}

/*
 * The guest touched a page on the side it is not on: a wish to convert it. When the page is
 * there already, another vCPU was faster and the access is tried again; but not for ever.
 */
static bool memory_fault_answer(struct vcpu *vcpu, const struct exit *exit)
{
	static const char *const whats[CONVERSION_END_COUNT] = {
		[CONVERSION_DONE] = "no memory for a page of the guest, gpa",
		[CONVERSION_REFUSED] = "the guest wants what cannot be converted, gpa",
		[CONVERSION_AGAIN] = "a page that the guest wants stays in use, gpa",
		[CONVERSION_BROKEN] = "a page of the guest is lost, gpa",
	};
	enum side to = exit->to_private ? SIDE_PRIVATE : SIDE_SHARED;
	bool in_vain = guest_get_side(vcpu->env->memory, exit->address) == to;
	bool can_convert = vcpu->env->type->has_private_memory;
	enum conversion_end end = CONVERSION_DONE;

	if (can_convert)
		end = guest_convert(vcpu->env->memory, exit->address, exit->range_bytes, to,
				    CONVERSION_MEMORY_FAULT);
	if (exit->address != vcpu->fault_gpa || !(in_vain || end == CONVERSION_AGAIN))
		vcpu->n_faults_in_vain = 0;
	else
		vcpu->n_faults_in_vain++;
	vcpu->fault_gpa = exit->address;
	/* It is told what is memory, and nobody else touches its own: this is its doing. */
	if (end == CONVERSION_REFUSED && vcpu->env->type->is_opaque) {
		vcpu_crash(vcpu, "it wants what cannot be converted, gpa", exit->address);
		return false;
	}
	if (!can_convert || (end != CONVERSION_DONE && end != CONVERSION_AGAIN) ||
	    vcpu->n_faults_in_vain > FAULTS_IN_VAIN_MAX) {
		vcpu_fail(vcpu, whats[end], exit->address);
		return false;
	}
	return true;
}

static bool (*const handlers[])(struct vcpu *vcpu, const struct exit *exit) = {
	[EXIT_NOTHING] = nothing_answer,     [EXIT_PORT] = port_access,
	[EXIT_MMIO] = mmio_access,	     [EXIT_SHUTDOWN] = shutdown_answer,
	[EXIT_HYPERCALL] = hypercall_answer, [EXIT_MEMORY_FAULT] = memory_fault_answer,
	[EXIT_SEV_TERM] = sev_term_answer,   [EXIT_TDX_FATAL] = tdx_fatal_answer,
	[EXIT_CERTS] = certs_answer,	     [EXIT_TDX_INFO] = tdx_info_answer,
	[EXIT_TDX_QUOTE] = tdx_quote_answer, [EXIT_TDX_NOTIFY] = tdx_notify_answer,
	[EXIT_CRASHED] = crashed_answer,     [EXIT_FAILED] = failed_answer,
};

bool vcpu_handle(struct vcpu *vcpu, const struct exit *exit)
{
	/* The guest got on. */
	if (exit->kind != EXIT_NOTHING && exit->kind != EXIT_MEMORY_FAULT)
		vcpu->n_faults_in_vain = 0;
	return handlers[exit->kind](vcpu, exit);
}
