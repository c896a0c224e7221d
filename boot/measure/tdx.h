/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The measurement (MRTD) that the TDX module makes of a TD, page by page. Of a whole launch:
 * launch_digest_tdx.
 */
#ifndef BOOT_MEASURE_TDX_H
#define BOOT_MEASURE_TDX_H

#include <stdint.h>

#include "vmm/range.h"

enum { MRTD_BYTES = 48 /* SHA-384 */ };

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

/* TDH.MR.FINALIZE: nothing but mrtd_fini may follow. Returns 0 or -ENOMEM. */
int mrtd_finish(struct mrtd *mrtd, uint8_t ret_mrtd[MRTD_BYTES]);

#endif
