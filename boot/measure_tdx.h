/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The launch of a TD as a list of pages, and the measurement (MRTD) that the TDX module makes
 * of it: the same list is launched and measured.
 *
 * Attributes, XFAM, MRCONFIGID and its like are fields of their own in a TD's report, not part
 * of MRTD; what is added but not measured is there with its addresses only.
 */
#ifndef BOOT_MEASURE_TDX_H
#define BOOT_MEASURE_TDX_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/firmware_ovmf.h"

enum { MRTD_BYTES = 48 /* SHA-384 */ };

/*
 * KVM adds a page and measures it before it goes on to the next one. Kernels before TDX was in
 * mainline added all pages of a section first; published values may be of either kind.
 */
enum mrtd_order {
	MRTD_SINGLE_PASS,
	MRTD_TWO_PASS,
};

/* Pages side by side: bytes, then zeroes. */
struct tdx_piece {
	gpa_t gpa;	      /* page aligned */
	uint64_t size_bytes;  /* pages, at least one */
	const uint8_t *bytes; /* may be NULL when data_bytes is 0 */
	uint64_t data_bytes;  /* at most size_bytes */
	enum tdvf_type type;  /* whoever launches puts contents into TD_HOB, and payloads */
	bool measured;
};

/* In the order of the launch. Points into the image. */
struct tdx_plan {
	struct tdx_piece pieces[OVMF_SECTIONS_MAX];
	unsigned int n_pieces;
};

/* The launch of a TD with TDVF or td-shim. @tdvf: what tdvf_parse said of @image. */
void tdx_plan_tdvf(struct tdx_plan *ret_plan, const struct ovmf_image *image,
		   const struct tdvf *tdvf);

/* A measurement under way. */
struct mrtd {
	struct evp_md_ctx_st *sha384; /* NULL before mrtd_init and after mrtd_fini */
};

/* Returns 0 or -ENOMEM. Release with mrtd_fini. */
int mrtd_init(struct mrtd *ret_mrtd);

/* Accepts a zeroed struct. */
void mrtd_fini(struct mrtd *mrtd);

#define _cleanup_mrtd_ __attribute__((cleanup(mrtd_fini)))

/**
 * TDH.MEM.PAGE.ADD of one page.
 *
 * Returns 0, or -ENOMEM with the measurement undefined.
 * Source: Intel TDX Module Base Specification, 12.2 "MRTD: Build-Time Measurement Register";
 * td-shim td-shim-tools.
 */
int mrtd_add_page(struct mrtd *mrtd, gpa_t gpa);

/* TDH.MR.EXTEND of all 16 chunks of one page of 4096 bytes. Returns as mrtd_add_page. */
int mrtd_extend_page(struct mrtd *mrtd, gpa_t gpa, const uint8_t *contents);

/* All pages of one piece. Returns as mrtd_add_page. */
int mrtd_add_piece(struct mrtd *mrtd, const struct tdx_piece *piece, enum mrtd_order order);

/* TDH.MR.FINALIZE: nothing but mrtd_fini may follow. Returns 0 or -ENOMEM. */
int mrtd_finish(struct mrtd *mrtd, uint8_t ret_mrtd[MRTD_BYTES]);

/* The measurement of a whole plan. Returns 0 or -ENOMEM. */
int tdx_measure(const struct tdx_plan *plan, enum mrtd_order order,
		uint8_t ret_mrtd[MRTD_BYTES]);

#endif
