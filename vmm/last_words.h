/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a confidential guest says when it ends itself, as one line: the guest chose every byte
 * of it, so what is not printable is escaped. Pure.
 */
#ifndef VMM_LAST_WORDS_H
#define VMM_LAST_WORDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	/* Of KVM_SYSTEM_EVENT_TDX_FATAL: rax, rcx, rdx, rbx, rsp, rbp, rsi, rdi, r8..r15. */
	LAST_WORDS_REGISTERS = 16,
	LAST_WORDS_PAGE_BYTES = 4096,
};

/**
 * Of an SEV-SNP guest.
 *
 * @ghcb: its GHCB MSR: a termination request (GHCB specification 2.3.1), or the address of the
 * GHCB by which it asked for that.
 * @size_bytes: of @line; what does not fit is cut.
 */
void last_words_format_sev(uint64_t ghcb, char *line, size_t size_bytes);

/**
 * Does a TD have more to say, in a page of its memory?
 *
 * @ret_gpa: as the guest wrote it, its shared bit included.
 */
bool last_words_has_page(const uint64_t *registers, uint64_t *ret_gpa);

/**
 * Of a TD (GHCI specification, ReportFatalError).
 *
 * @page: LAST_WORDS_PAGE_BYTES, or NULL: none, or it cannot be read.
 */
void last_words_format_tdx(const uint64_t *registers, const char *page, char *line,
			   size_t size_bytes);

#endif
