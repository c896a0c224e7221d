/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Certificates that an SEV-SNP guest gets with its attestation reports, in the table of the
 * GHCB specification (2.3.1, "SNP Extended Guest Request").
 *
 * Who changes the key that signs reports locks the file, writes it anew in place and unlocks it
 * (Documentation/virt/kvm/x86/amd-memory-encryption.rst, KVM_SEV_SNP_ENABLE_REQ_CERTS): so it
 * is read for each request, and locked from then until KVM has the report.
 */
#ifndef VMM_CERTS_H
#define VMM_CERTS_H

#include <stddef.h>
#include <stdint.h>

#include "memory/memory.h"

enum { CERTS_MAX_BYTES = 128 << 10 };

struct certs;
struct err;
struct log;

/**
 * Are the @size_bytes bytes such a table, with all it points to? Pure.
 *
 * Returns 0; -EINVAL, -E2BIG with @err naming the entry and its cause.
 */
int certs_check(const uint8_t *bytes, size_t size_bytes, struct err *err);

/**
 * Open the file and check it.
 *
 * @path: stays as long as the result.
 * Returns 0, or -errno with @err naming the cure.
 */
int certs_open(const char *path, struct log *log, struct certs **ret_certs, struct err *err);
/* Accepts NULL. */
void certs_close(struct certs *certs);

/**
 * Write the table to [gpa, gpa + size_bytes). Any vCPU thread; any values; never blocks.
 *
 * @ret_pages: with -ENOSPC, how many would do.
 * Returns 0: the file is locked, and certs_release is due once KVM has completed the request;
 * -ENOSPC (too few pages), -EAGAIN (the file is being changed, or another processor's request
 * is under way), -EIO (not shared memory, or the file is of no more use). The guest may see a
 * part of the table on error.
 */
int certs_give(struct certs *certs, struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
	       uint64_t *ret_pages);
void certs_release(struct certs *certs);

#endif
