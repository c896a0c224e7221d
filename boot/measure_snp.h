/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launch of an SEV-SNP guest as a list of pages, and the digest that the secure processor
 * makes of it: the same list is launched and measured.
 *
 *     snp_plan_ovmf(&plan, ...);			what is loaded, in order
 *     snp_digest_init(&digest);
 *     snp_digest_plan(&digest, &plan);			KVM_SEV_SNP_LAUNCH_UPDATE
 *     snp_digest_vcpus(&digest, &bsp, &ap, n, ...);	KVM_SEV_SNP_LAUNCH_FINISH
 *
 * Policy, host data, ID block and the contents of secrets and CPUID pages are not part of it.
 */
#ifndef BOOT_MEASURE_SNP_H
#define BOOT_MEASURE_SNP_H

#include <stddef.h>
#include <stdint.h>

#include "boot/firmware_ovmf.h"
#include "boot/vmsa.h"

enum {
	SNP_DIGEST_BYTES = 48, /* SHA-384 */
	SNP_HASH_BYTES = 32,   /* SHA-256 */
	SNP_PIECES_MAX = OVMF_SECTIONS_MAX + 1,
};

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

/* Pages of one type, side by side. */
struct snp_piece {
	gpa_t gpa;	     /* page aligned */
	uint64_t size_bytes; /* pages, at least one */
	enum snp_page_type type;
	const uint8_t *bytes; /* size_bytes of them for NORMAL; NULL otherwise */
};

/* In the order of the launch. Points into itself and into the image: neither may move. */
struct snp_plan {
	struct snp_piece pieces[SNP_PIECES_MAX];
	unsigned int n_pieces;
	uint8_t hash_page[GRANULE_BYTES];
};

/* SHA-256 of what measured direct boot hands to the firmware. */
struct snp_boot_hashes {
	uint8_t cmdline[SNP_HASH_BYTES]; /* with the terminating zero */
	uint8_t initrd[SNP_HASH_BYTES];	 /* of nothing when there is none */
	uint8_t kernel[SNP_HASH_BYTES];	 /* of the unchanged file */
};

/**
 * Hash kernel, initrd and command line.
 *
 * @initrd: may be NULL with @initrd_bytes 0. @cmdline: never NULL, "" for none.
 * Returns 0 or -ENOMEM.
 */
int snp_boot_hashes_init(struct snp_boot_hashes *ret_hashes, const void *kernel,
			 size_t kernel_bytes, const void *initrd, size_t initrd_bytes,
			 const char *cmdline);

/**
 * The launch of a guest with OVMF, in QEMU's order: the image, then the sections of its
 * metadata.
 *
 * @snp: what ovmf_parse_snp said of @image.
 * @hashes: NULL for a guest that boots from its disks.
 * Returns 0; -EINVAL (hashes, but firmware that would not check them), with @err set.
 * Source: QEMU target/i386/sev.c, hw/i386/x86.c; edk2 OvmfPkg/AmdSev/BlobVerifierLibSevHashes.
 */
int snp_plan_ovmf(struct snp_plan *ret_plan, const struct ovmf_image *image,
		  const struct ovmf_snp *snp, const struct snp_boot_hashes *hashes,
		  struct err *err);

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

/* Add all pages of a plan. Returns 0, or -ENOMEM with the digest undefined. */
int snp_digest_plan(struct snp_digest *digest, const struct snp_plan *plan);

/**
 * Add the processors, as the end of a launch does: @bsp and n_vcpus - 1 times @ap.
 *
 * @n_vcpus: at least 1. @features: see vmsa_init.
 * Returns 0, or -ENOMEM with the digest undefined.
 */
int snp_digest_vcpus(struct snp_digest *digest, const struct boot_vcpu *bsp,
		     const struct boot_vcpu *ap, unsigned int n_vcpus, uint64_t features);

#endif
