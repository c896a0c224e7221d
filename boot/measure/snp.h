/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launch digest that the secure processor makes of an SEV-SNP guest, page by page. Of a
 * whole launch: launch_digest_snp.
 */
#ifndef BOOT_MEASURE_SNP_H
#define BOOT_MEASURE_SNP_H

#include <stdint.h>

#include "boot/measure/vmsa.h"

enum { SNP_DIGEST_BYTES = 48 /* SHA-384 */ };

/* Types of pages, of the secure processor and of KVM_SEV_SNP_LAUNCH_UPDATE alike. */
enum snp_page_type {
	SNP_PAGE_NORMAL = 1,
	SNP_PAGE_VMSA = 2, /* KVM's own */
	SNP_PAGE_ZERO = 3,
	SNP_PAGE_UNMEASURED = 4,
	SNP_PAGE_SECRETS = 5,
	SNP_PAGE_CPUID = 6,
};

struct snp_digest {
	uint8_t bytes[SNP_DIGEST_BYTES];
};

/* The digest of a launch without pages. */
void snp_digest_init(struct snp_digest *ret_digest);

/**
 * Add one page.
 *
 * @contents: 4096 bytes for NORMAL and VMSA; else NULL.
 * Returns 0, or -ENOMEM with the digest unchanged.
 * Source: AMD SEV-SNP firmware ABI (56860), 8.17.2, table of PAGE_INFO; VMPL permissions are 0
 * under KVM.
 */
int snp_digest_page(struct snp_digest *digest, enum snp_page_type type, gpa_t gpa,
		    const uint8_t *contents);

/**
 * Add the processors, as the end of a launch does: @bsp and n_vcpus - 1 times @ap.
 *
 * @n_vcpus: at least 1. @features: see vmsa_init.
 * Returns 0, or -ENOMEM with the digest undefined.
 */
int snp_digest_vcpus(struct snp_digest *digest, const struct boot_vcpu *bsp,
		     const struct boot_vcpu *ap, unsigned int n_vcpus, uint64_t features);

#endif
