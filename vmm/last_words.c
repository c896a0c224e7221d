// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/last_words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "boot/boot.h"
#include "vmm/range.h"

/* The order of KVM's registers (asm/kvm_vcpu_regs.h), those that matter. */
enum {
	REGISTER_RDX = 2,
	REGISTER_RBX = 3,
	REGISTER_RSI = 6,
	REGISTER_RDI = 7,
	REGISTER_R8 = 8,
	REGISTER_R9 = 9,
	REGISTER_R12 = 12,
	REGISTER_R13 = 13,
	REGISTER_R14 = 14,
	REGISTER_R15 = 15,

	ESCAPE_BYTES = 4, /* \xNN */
};

#define TDX_HAS_PAGE (UINT64_C(1) << 63)

/* GHCB specification 2.3.1: GHCBInfo in bits 11:0, reason set in 15:12, reason in 23:16. */
enum {
	GHCB_INFO_MASK = 0xfff,
	GHCB_INFO_TERMINATE = 0x100,
};

/* Those of the specification, and of Linux (arch/x86/include/asm/sev-common.h). */
static const char *const reasons_general[] = {
	"no reason given",
	"the host speaks no GHCB protocol that it knows",
	"the host lacks a feature of SEV-SNP that it needs",
};

static const char *const reasons_linux[] = {
	"the host did not register its GHCB",
	"the host did not change the state of a page",
	"a page could not be validated",
	"it does not run at VMPL 0",
	"its CPUID table is not valid",
	"the host did not answer for CPUID",
	"its secrets page is not valid",
	"there is no SVSM",
	"there is an SVSM, but at VMPL 0",
	"the calling area of the SVSM is not aligned",
	"Secure TSC could not be set up",
	"the calling area of the SVSM could not be moved",
	"Secure AVIC failed",
};

static const struct {
	const char *const *reasons;
	size_t n_reasons;
} sets[] = {
	{reasons_general, ARRAY_SIZE(reasons_general)},
	{reasons_linux, ARRAY_SIZE(reasons_linux)},
};

void last_words_format_sev(uint64_t ghcb, char *line, size_t size_bytes)
{
	unsigned int set = ghcb >> 12 & 0xf;
	unsigned int reason = ghcb >> 16 & 0xff;
	const char *words = "a reason of its own";

	if ((ghcb & GHCB_INFO_MASK) != GHCB_INFO_TERMINATE) {
		snprintf(line, size_bytes,
			 "the guest ended itself by its GHCB; the host's kernel log has the "
			 "reason");
		return;
	}
	if (set < ARRAY_SIZE(sets) && reason < sets[set].n_reasons)
		words = sets[set].reasons[reason];
	if (set == BOOT_STUB_REASON_SET)
		words = boot_stub_describe(reason);
	snprintf(line, size_bytes, "the guest ended itself: %s (reason set %u, reason %u)",
		 words, set, reason);
}

bool last_words_has_page(const uint64_t *registers, uint64_t *ret_gpa)
{
	if (!(registers[REGISTER_R12] & TDX_HAS_PAGE))
		return false;
	*ret_gpa = registers[REGISTER_R13];
	return true;
}

/* Appends @text up to its NUL, at most @n_bytes, as far as there is room for whole escapes. */
static size_t text_append(char *line, size_t used, size_t size_bytes, const char *text,
			  size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes && text[i]; i++) {
		unsigned char c = (unsigned char)text[i];
		bool is_plain = c >= 0x20 && c < 0x7f && c != '\\' && c != '"';

		if (used + (is_plain ? 1 : ESCAPE_BYTES) >= size_bytes)
			break;
		if (is_plain)
			line[used++] = (char)c;
		else
			used += (size_t)snprintf(line + used, size_bytes - used, "\\x%02x", c);
	}
	line[used] = '\0';
	return used;
}

void last_words_format_tdx(const uint64_t *registers, const char *page, char *line,
			   size_t size_bytes)
{
	/* Eight bytes each, the first in the lowest. */
	static const unsigned int order[] = {
		REGISTER_R14, REGISTER_R15, REGISTER_RBX, REGISTER_RDI,
		REGISTER_RSI, REGISTER_R8,  REGISTER_R9,  REGISTER_RDX,
	};
	char message[sizeof(uint64_t) * ARRAY_SIZE(order)];
	uint64_t gpa;
	int n;
	size_t used;

	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		memcpy(message + i * sizeof(uint64_t), &registers[order[i]], sizeof(uint64_t));
	n = snprintf(line, size_bytes, "the guest ended itself with error 0x%" PRIx64,
		     registers[REGISTER_R12] & ~TDX_HAS_PAGE);
	if (n < 0 || (size_t)n + 8 >= size_bytes)
		return;
	used = (size_t)n;
	if (message[0]) {
		used = text_append(line, used, size_bytes - 1, ": ", 2);
		used = text_append(line, used, size_bytes - 1, message, sizeof(message));
	}
	if (page) {
		used = text_append(line, used, size_bytes - 1, ": ", 2);
		text_append(line, used, size_bytes - 1, page, LAST_WORDS_PAGE_BYTES);
	} else if (last_words_has_page(registers, &gpa)) {
		snprintf(line + used, size_bytes - used,
			 ", and more at gpa 0x%" PRIx64 ", which is not shared", gpa);
	}
}
