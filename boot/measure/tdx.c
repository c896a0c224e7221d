// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * MRTD is the SHA-384 of a stream of records of 128 bytes: a name, at byte 16 an address,
 * zeroes. A record of MR.EXTEND is followed by the 256 bytes it measures.
 */
#include "boot/measure/tdx.h"

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

int mrtd_finish(struct mrtd *mrtd, uint8_t ret_mrtd[MRTD_BYTES])
{
	return EVP_DigestFinal_ex(mrtd->sha384, ret_mrtd, NULL) == 1 ? 0 : -ENOMEM;
}
