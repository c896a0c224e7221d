/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What firmware of the OVMF family says about its own launch: the table of GUIDs at its end,
 * the memory it wants for SEV-SNP, and its TDVF sections for TDX (td-shim has those, too).
 *
 * Everything here is pure: bytes of a file in, checked values out. Nothing of the file is
 * trusted.
 */
#ifndef BOOT_FIRMWARE_OVMF_H
#define BOOT_FIRMWARE_OVMF_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/range.h"

struct err;

enum {
	OVMF_SECTIONS_MAX = 64, /* of either kind */
	OVMF_IMAGE_MAX_BYTES = 16 << 20,
};

/* A firmware file, read into memory; the caller keeps path and bytes. */
struct ovmf_image {
	const char *path; /* for messages */
	const uint8_t *bytes;
	uint64_t size_bytes;
};

/* Firmware ends at 4 GiB. @image: accepted by one of the parsers below. */
gpa_t ovmf_image_gpa(const struct ovmf_image *image);

/* Types of SNP sections, as in the file. */
enum ovmf_snp_type {
	OVMF_SNP_MEMORY = 1,	/* zeroes that the guest finds validated */
	OVMF_SNP_SECRETS = 2,	/* one page, filled by the secure processor */
	OVMF_SNP_CPUID = 3,	/* one page */
	OVMF_SNP_SVSM_CAA = 4,	/* zeroes, unless there is an SVSM */
	OVMF_SNP_HASHES = 0x10, /* one page that holds the hash table of measured direct boot */
};

struct ovmf_snp_section {
	gpa_t gpa;	     /* page aligned */
	uint64_t size_bytes; /* pages, at least one; ends below the image */
	enum ovmf_snp_type type;
};

struct ovmf_snp {
	struct ovmf_snp_section sections[OVMF_SECTIONS_MAX]; /* in the file's order; disjoint */
	unsigned int n_sections;			     /* at least 1 */
	uint32_t ap_entry;    /* real-mode address where other processors start; 0: none */
	struct range secrets; /* for injected secrets (not SNP's page); empty: none */
	struct range
		hash_table; /* lies in the section of type HASHES; empty: no such section */
};

/**
 * Understand firmware for a guest with SEV-SNP.
 *
 * Returns 0, or -ENOEXEC (malformed, or without SNP metadata) with @err naming file, offset and
 * field.
 * Source: edk2 OvmfPkg/ResetVector/Ia16/ResetVectorVtf0.asm, X64/OvmfSevMetadata.asm.
 */
int ovmf_parse_snp(const struct ovmf_image *image, struct ovmf_snp *ret_snp, struct err *err);

/* Types of TDVF sections, as in the file. */
enum tdvf_type {
	TDVF_BFV = 0,	 /* code */
	TDVF_CFV = 1,	 /* variables */
	TDVF_TD_HOB = 2, /* filled by us */
	TDVF_TEMP_MEM = 3,
	TDVF_PERM_MEM = 4,	/* accepted by the guest, never added */
	TDVF_PAYLOAD = 5,	/* a kernel, of the file or ours */
	TDVF_PAYLOAD_PARAM = 6, /* its command line, idem */
	TDVF_TD_INFO = 7,	/* description of the image, no memory */
	TDVF_TD_PARAMS = 8,
	TDVF_TYPE_COUNT,
};

struct tdvf_section {
	gpa_t gpa;	      /* page aligned */
	uint64_t size_bytes;  /* pages, at least one, but for TD_INFO: 0 */
	uint64_t data_offset; /* in the file */
	uint64_t data_bytes;  /* at most size_bytes but for TD_INFO; what lacks is zeroes */
	enum tdvf_type type;
	bool measured; /* its contents are part of MRTD */
	bool added;    /* part of the launch; false: the guest accepts it */
};

struct tdvf {
	struct tdvf_section sections[OVMF_SECTIONS_MAX]; /* in the file's order; disjoint */
	unsigned int n_sections;			 /* at least 1 */
};

/**
 * Understand firmware for a guest with TDX.
 *
 * A section of type BFV, with bytes of the file and measured, holds the last 16 bytes below 4
 * GiB, where processors start; there is one TD_HOB at most. Returns as ovmf_parse_snp. Source:
 * Intel, TDX Virtual Firmware Design Guide, 11; td-shim, doc/tdshim_spec.md.
 */
int tdvf_parse(const struct ovmf_image *image, struct tdvf *ret_tdvf, struct err *err);

#endif
