// SPDX-License-Identifier: GPL-2.0-or-later
/* A launch as a whole, measured as it will be by those who measure it page by page. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "boot/launch.h"
#include "boot/measure/snp.h"
#include "boot/measure/tdx.h"
#include "memory/memory.h"
#include "vmm/err.h"

static_assert((int)SNP_DIGEST_BYTES == LAUNCH_DIGEST_BYTES &&
		      (int)MRTD_BYTES == LAUNCH_DIGEST_BYTES,
	      "both are SHA-384");

/* What becomes of a piece. */
static const struct {
	enum snp_page_type snp;
	bool in_td;	  /* can be a page of a TD */
	bool is_extended; /* there: its contents are measured */
} kinds[LAUNCH_KIND_COUNT] = {
	[LAUNCH_MEASURED] = {SNP_PAGE_NORMAL, true, true},
	[LAUNCH_ZERO] = {SNP_PAGE_ZERO, true, true},
	[LAUNCH_UNMEASURED] = {SNP_PAGE_UNMEASURED, true, false},
	[LAUNCH_SECRETS] = {SNP_PAGE_SECRETS, false, false},
	[LAUNCH_CPUID] = {SNP_PAGE_CPUID, false, false},
};

uint8_t launch_get_snp_type(enum launch_kind kind)
{
	return kinds[kind].snp;
}

bool launch_is_extended(enum launch_kind kind)
{
	return kinds[kind].is_extended;
}

/* --- SEV-SNP --- */

static int digest_piece(struct snp_digest *digest, struct guest_memory *memory,
			const struct launch_piece *piece)
{
	enum snp_page_type type = kinds[piece->kind].snp;
	bool has_contents = type == SNP_PAGE_NORMAL;
	uint8_t page[GRANULE_BYTES];
	int ret = 0;

	for (gpa_t gpa = piece->gpa.start; gpa < piece->gpa.end && !ret; gpa += GRANULE_BYTES) {
		if (has_contents)
			ret = guest_read(memory, gpa, page, sizeof(page));
		if (!ret)
			ret = snp_digest_page(digest, type, gpa, has_contents ? page : NULL);
	}
	return ret;
}

static void vcpu_get(const struct launch *launch, const struct launch_vcpus *vcpus,
		     bool is_first, struct boot_vcpu *ret_vcpu)
{
	boot_entry_get_vcpu(vcpus->entry, is_first, vcpus->signature, ret_vcpu);
	snp_vcpu_set_profile(ret_vcpu, launch->profile, is_first);
}

int launch_digest_snp(struct guest_memory *memory, const struct launch *launch,
		      const struct launch_vcpus *vcpus, uint8_t ret_digest[LAUNCH_DIGEST_BYTES])
{
	struct boot_vcpu first, other;
	struct snp_digest digest;
	int ret = 0;

	snp_digest_init(&digest);
	for (size_t i = 0; i < launch->n_pieces && !ret; i++)
		ret = digest_piece(&digest, memory, &launch->pieces[i]);
	if (ret)
		return ret;
	vcpu_get(launch, vcpus, true, &first);
	vcpu_get(launch, vcpus, false, &other);
	ret = snp_digest_vcpus(&digest, &first, &other, vcpus->n_vcpus, vcpus->features);
	if (!ret)
		memcpy(ret_digest, digest.bytes, LAUNCH_DIGEST_BYTES);
	return ret;
}

/* --- TDX --- */

static int extend_page(struct mrtd *mrtd, struct guest_memory *memory, gpa_t gpa)
{
	uint8_t page[GRANULE_BYTES];
	int ret = guest_read(memory, gpa, page, sizeof(page));

	return ret ? ret : mrtd_extend_page(mrtd, gpa, page);
}

static int measure_piece(struct mrtd *mrtd, struct guest_memory *memory,
			 const struct launch_piece *piece, enum launch_order order)
{
	bool is_extended = kinds[piece->kind].is_extended;
	struct range gpa = piece->gpa;
	int ret = kinds[piece->kind].in_td ? 0 : -EINVAL;

	for (gpa_t page = gpa.start; page < gpa.end && !ret; page += GRANULE_BYTES) {
		ret = mrtd_add_page(mrtd, page);
		if (!ret && is_extended && order == LAUNCH_SINGLE_PASS)
			ret = extend_page(mrtd, memory, page);
	}
	if (!is_extended || order == LAUNCH_SINGLE_PASS)
		return ret;
	for (gpa_t page = gpa.start; page < gpa.end && !ret; page += GRANULE_BYTES)
		ret = extend_page(mrtd, memory, page);
	return ret;
}

int launch_digest_tdx(struct guest_memory *memory, const struct launch *launch,
		      enum launch_order order, uint8_t ret_mrtd[LAUNCH_DIGEST_BYTES])
{
	_cleanup_mrtd_ struct mrtd mrtd = {0};
	int ret = mrtd_init(&mrtd);

	for (size_t i = 0; i < launch->n_pieces && !ret; i++)
		ret = measure_piece(&mrtd, memory, &launch->pieces[i], order);
	if (!ret)
		ret = mrtd_finish(&mrtd, ret_mrtd);
	return ret;
}
