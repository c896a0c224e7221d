// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MRTD is the SHA-384 of a stream of records of 128 bytes: a name, at byte 16 an address,
 * zeroes. A record of MR.EXTEND is followed by the 256 bytes it measures.
 */
#include "boot/measure_tdx.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

#include "vmm/err.h"

enum {
	RECORD_BYTES = 128,
	RECORD_GPA_OFFSET = 16,
	CHUNK_BYTES = 256,
};

void tdx_plan_tdvf(struct tdx_plan *ret_plan, const struct ovmf_image *image,
		   const struct tdvf *tdvf)
{
	ret_plan->n_pieces = 0;
	for (unsigned int i = 0; i < tdvf->n_sections; i++) {
		const struct tdvf_section *section = &tdvf->sections[i];

		if (!section->added)
			continue;
		ret_plan->pieces[ret_plan->n_pieces++] = (struct tdx_piece){
			.gpa = section->gpa,
			.size_bytes = section->size_bytes,
			.bytes = section->data_bytes ? image->bytes + section->data_offset
						     : NULL,
			.data_bytes = section->data_bytes,
			.type = section->type,
			.measured = section->measured,
		};
	}
}

int mrtd_init(struct mrtd *ret_mrtd)
{
	struct mrtd mrtd = {.sha384 = EVP_MD_CTX_new()};

	if (!mrtd.sha384)
		return -ENOMEM;
	if (EVP_DigestInit_ex(mrtd.sha384, EVP_sha384(), NULL) != 1) {
		mrtd_fini(&mrtd);
		return -ENOMEM;
	}
	*ret_mrtd = mrtd;
	return 0;
}

void mrtd_fini(struct mrtd *mrtd)
{
	EVP_MD_CTX_free(mrtd->sha384);
	mrtd->sha384 = NULL;
}

/* libcrypto fails for lack of memory only. */
static int update(struct mrtd *mrtd, const void *bytes, size_t size_bytes)
{
	return EVP_DigestUpdate(mrtd->sha384, bytes, size_bytes) == 1 ? 0 : -ENOMEM;
}

static int update_record(struct mrtd *mrtd, const char *name, gpa_t gpa)
{
	uint8_t record[RECORD_BYTES] = {0};

	ASSERT(strlen(name) < RECORD_GPA_OFFSET);
	snprintf((char *)record, RECORD_GPA_OFFSET, "%s", name);
	memcpy(record + RECORD_GPA_OFFSET, &gpa, sizeof(gpa));
	return update(mrtd, record, sizeof(record));
}

int mrtd_add_page(struct mrtd *mrtd, gpa_t gpa)
{
	return update_record(mrtd, "MEM.PAGE.ADD", gpa);
}

int mrtd_extend_page(struct mrtd *mrtd, gpa_t gpa, const uint8_t *contents)
{
	int ret = 0;

	for (unsigned int at = 0; !ret && at < GRANULE_BYTES; at += CHUNK_BYTES) {
		ret = update_record(mrtd, "MR.EXTEND", gpa + at);
		if (!ret)
			ret = update(mrtd, contents + at, CHUNK_BYTES);
	}
	return ret;
}

/* @at: of the page in the piece. */
static int extend_page_of(struct mrtd *mrtd, const struct tdx_piece *piece, uint64_t at)
{
	uint8_t page[GRANULE_BYTES] = {0};
	uint64_t left = piece->data_bytes > at ? piece->data_bytes - at : 0;

	if (left)
		memcpy(page, piece->bytes + at, left < sizeof(page) ? left : sizeof(page));
	return mrtd_extend_page(mrtd, piece->gpa + at, page);
}

int mrtd_add_piece(struct mrtd *mrtd, const struct tdx_piece *piece, enum mrtd_order order)
{
	bool extend_at_once = piece->measured && order == MRTD_SINGLE_PASS;
	int ret = 0;

	ASSERT(piece->data_bytes <= piece->size_bytes);
	for (uint64_t at = 0; !ret && at < piece->size_bytes; at += GRANULE_BYTES) {
		ret = mrtd_add_page(mrtd, piece->gpa + at);
		if (!ret && extend_at_once)
			ret = extend_page_of(mrtd, piece, at);
	}
	if (!piece->measured || extend_at_once)
		return ret;
	for (uint64_t at = 0; !ret && at < piece->size_bytes; at += GRANULE_BYTES)
		ret = extend_page_of(mrtd, piece, at);
	return ret;
}

int mrtd_finish(struct mrtd *mrtd, uint8_t ret_mrtd[MRTD_BYTES])
{
	return EVP_DigestFinal_ex(mrtd->sha384, ret_mrtd, NULL) == 1 ? 0 : -ENOMEM;
}

int tdx_measure(const struct tdx_plan *plan, enum mrtd_order order,
		uint8_t ret_mrtd[MRTD_BYTES])
{
	_cleanup_mrtd_ struct mrtd mrtd = {0};
	int ret = mrtd_init(&mrtd);

	for (unsigned int i = 0; !ret && i < plan->n_pieces; i++)
		ret = mrtd_add_piece(&mrtd, &plan->pieces[i], order);
	if (!ret)
		ret = mrtd_finish(&mrtd, ret_mrtd);
	return ret;
}
