// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as firmware: what is accepted can be launched from that very file, what is refused
 * is refused with one line that names it.
 *
 * Inputs are padded in front to whole pages, because what is read first is at the end.
 */
#include "boot/firmware_ovmf.h"

#include <stdlib.h>
#include <string.h>

#include "boot/measure_snp.h"
#include "boot/measure_tdx.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

/* More than that is hashed too slowly, and says nothing new. */
#define MEASURE_MAX_BYTES (64 * KIB)

static void check_refusal(int result, const struct err *err)
{
	ASSERT(result < 0 && result == err->code);
	ASSERT(strncmp(err->text, "firmware 'fuzz': ", 17) == 0);
	for (const char *c = err->text; *c; c++)
		ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
}

static void check_snp(const struct ovmf_image *image, const struct ovmf_snp *snp)
{
	struct snp_boot_hashes hashes = {0};
	uint64_t total_bytes = image->size_bytes;
	struct snp_digest digest;
	struct snp_plan plan;
	int ret;

	ASSERT(snp->n_sections > 0 && snp->n_sections <= OVMF_SECTIONS_MAX);
	for (unsigned int i = 0; i < snp->n_sections; i++) {
		struct range room = {0, ovmf_image_gpa(image)}, range;

		ASSERT(range_init(&range, snp->sections[i].gpa, snp->sections[i].size_bytes));
		ASSERT(!range_is_empty(range) && range_covers(room, range));
		ASSERT(is_aligned(range.start | range.end, GRANULE_BYTES));
		total_bytes += range_size(range);
	}
	ret = snp_plan_ovmf(&plan, image, snp, &hashes, NULL);
	ASSERT((ret == 0) == !range_is_empty(snp->hash_table));
	if (ret)
		ASSERT(snp_plan_ovmf(&plan, image, snp, NULL, NULL) == 0);
	snp_digest_init(&digest);
	if (total_bytes <= MEASURE_MAX_BYTES)
		ASSERT(snp_digest_plan(&digest, &plan) == 0);
}

static void check_tdvf(const struct ovmf_image *image, const struct tdvf *tdvf)
{
	uint8_t mrtd[MRTD_BYTES];
	uint64_t total_bytes = 0;
	struct tdx_plan plan;

	ASSERT(tdvf->n_sections > 0 && tdvf->n_sections <= OVMF_SECTIONS_MAX);
	tdx_plan_tdvf(&plan, image, tdvf);
	for (unsigned int i = 0; i < plan.n_pieces; i++) {
		const struct tdx_piece *piece = &plan.pieces[i];
		struct range range;

		ASSERT(range_init(&range, piece->gpa, piece->size_bytes));
		ASSERT(!range_is_empty(range) && range.end <= UINT64_C(1) << 47);
		ASSERT(is_aligned(range.start | range.end, GRANULE_BYTES));
		ASSERT(piece->data_bytes <= piece->size_bytes);
		ASSERT(piece->data_bytes <= image->size_bytes);
		total_bytes += piece->size_bytes;
	}
	if (total_bytes <= MEASURE_MAX_BYTES)
		ASSERT(tdx_measure(&plan, MRTD_TWO_PASS, mrtd) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	size_t size_bytes = align_up(data_bytes ? data_bytes : 1, GRANULE_BYTES);
	_cleanup_free_ uint8_t *bytes = calloc(1, size_bytes);
	struct ovmf_image image = {.path = "fuzz", .bytes = bytes, .size_bytes = size_bytes};
	struct err err = {0};
	struct ovmf_snp snp;
	struct tdvf tdvf;
	int ret;

	ASSERT(bytes);
	if (data_bytes)
		memcpy(bytes + size_bytes - data_bytes, data, data_bytes);
	ret = ovmf_parse_snp(&image, &snp, &err);
	if (ret)
		check_refusal(ret, &err);
	else
		check_snp(&image, &snp);
	err = (struct err){0};
	ret = tdvf_parse(&image, &tdvf, &err);
	if (ret)
		check_refusal(ret, &err);
	else
		check_tdvf(&image, &tdvf);
	return 0;
}
