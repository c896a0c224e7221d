// SPDX-License-Identifier: GPL-2.0-or-later
/* What can be said of an IGVM file only when all of its headers are known. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "boot/igvm/file.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/platform.h"

/* Where processors of a TD start: the last page below 4 GiB. */
#define RESET_PAGE_GPA (PLATFORM_4G - GRANULE_BYTES)

/* Devices of the machine are below. */
#define FIRMWARE_GPA_MIN (PLATFORM_4G - 16 * MIB)

/* igvm_get_td_attributes: bits of TdxPolicy, and of the attributes. */
#define TD_POLICY_DEBUG		  UINT64_C(1)
#define TD_POLICY_SEPT_VE_DISABLE UINT64_C(2)
#define TD_DEBUG		  UINT64_C(1)
#define TD_SEPT_VE_DISABLE	  (UINT64_C(1) << 28)

#define SNP_POLICY_ONE		  (UINT64_C(1) << 17)

static struct range piece_range(const struct igvm_piece *piece)
{
	return (struct range){piece->gpa, piece->gpa + piece->size_bytes};
}

static int compare_pieces(const void *a, const void *b)
{
	const struct igvm_piece *const *left = a, *const *right = b;

	return ((*left)->gpa > (*right)->gpa) - ((*left)->gpa < (*right)->gpa);
}

/* Secure processor and TDX module take a page once. */
static int check_disjoint(const struct igvm *igvm, struct err *err)
{
	_cleanup_free_ const struct igvm_piece **sorted =
		calloc(igvm->n_pieces, sizeof(struct igvm_piece *));

	if (!sorted)
		return err_set(err, -ENOMEM, "igvm '%s': no memory for its headers",
			       igvm->file.path);
	for (size_t i = 0; i < igvm->n_pieces; i++)
		sorted[i] = &igvm->pieces[i];
	qsort(sorted, igvm->n_pieces, sizeof(struct igvm_piece *), compare_pieces);
	for (size_t i = 1; i < igvm->n_pieces; i++) {
		const struct igvm_piece *first = sorted[i - 1], *second = sorted[i];

		if (!range_overlaps(piece_range(first), piece_range(second)))
			continue;
		if (first->header_offset > second->header_offset) {
			first = sorted[i];
			second = sorted[i - 1];
		}
		return igvm_malformed(err, &igvm->file, second->header_offset,
				      "address 0x%" PRIx64
				      ": overlaps what is loaded to 0x%" PRIx64
				      " by the header at 0x%" PRIx32,
				      second->gpa, first->gpa, first->header_offset);
	}
	return 0;
}

static int check_reset_page(const struct igvm *igvm, struct err *err)
{
	for (size_t i = 0; i < igvm->n_pieces; i++)
		if (igvm->pieces[i].kind == IGVM_MEASURED &&
		    igvm->pieces[i].gpa == RESET_PAGE_GPA)
			return 0;
	return err_set(err, -ENOEXEC,
		       "igvm '%s': no measured page at 0x%" PRIx64
		       ", where processors of TDX start",
		       igvm->file.path, RESET_PAGE_GPA);
}

int igvm_check(const struct igvm *igvm, struct err *err)
{
	int ret;

	if (!igvm->n_pieces)
		return err_set(err, -ENOEXEC, "igvm '%s': loads nothing on this platform",
			       igvm->file.path);
	if (igvm->platform == IGVM_SNP && igvm->has_policy && !(igvm->policy & SNP_POLICY_ONE))
		return err_set(err, -ENOEXEC,
			       "igvm '%s': GUEST_POLICY: 0x%" PRIx64
			       " is no policy of SEV_SNP; bit 17 is to be one",
			       igvm->file.path, igvm->policy);
	if (igvm->platform == IGVM_TDX) {
		ret = check_reset_page(igvm, err);
		if (ret)
			return ret;
	}
	return check_disjoint(igvm, err);
}

/* --- Firmware --- */

/* Lower @start to where @gpa starts, if that is below 4 GiB and not in low RAM. */
static int firmware_add(const struct igvm *igvm, struct range gpa, uint32_t header_offset,
			gpa_t *start, struct err *err)
{
	const struct range firmware = {FIRMWARE_GPA_MIN, PLATFORM_4G};

	if (gpa.end <= PLATFORM_HOLE_GPA || gpa.start >= PLATFORM_4G)
		return 0;
	if (!range_covers(firmware, gpa))
		return igvm_malformed(err, &igvm->file, header_offset,
				      "0x%" PRIx64 " to 0x%" PRIx64
				      " is where devices are; low RAM ends at 0x%" PRIx64
				      ", memory for firmware begins at 0x%" PRIx64,
				      gpa.start, gpa.end, PLATFORM_HOLE_GPA, FIRMWARE_GPA_MIN);
	if (gpa.start < *start)
		*start = gpa.start;
	return 0;
}

int igvm_get_firmware_bytes(const struct igvm *igvm, uint64_t *ret_bytes, struct err *err)
{
	gpa_t start = PLATFORM_4G;
	int ret = 0;

	for (size_t i = 0; i < igvm->n_pieces && !ret; i++)
		ret = firmware_add(igvm, piece_range(&igvm->pieces[i]),
				   igvm->pieces[i].header_offset, &start, err);
	for (unsigned int i = 0; i < igvm->n_ranges && !ret; i++)
		ret = firmware_add(igvm, igvm->ranges[i].gpa, igvm->ranges[i].header_offset,
				   &start, err);
	if (!ret)
		*ret_bytes = PLATFORM_4G - start;
	return ret;
}

int igvm_get_td_attributes(const struct igvm *igvm, uint64_t *ret_attributes, struct err *err)
{
	uint64_t unknown = igvm->policy & ~(TD_POLICY_DEBUG | TD_POLICY_SEPT_VE_DISABLE);

	if (unknown)
		return err_set(err, -ENOEXEC,
			       "igvm '%s': GUEST_POLICY: unknown bits 0x%" PRIx64 " for TDX",
			       igvm->file.path, unknown);
	*ret_attributes = (igvm->policy & TD_POLICY_DEBUG ? TD_DEBUG : 0) |
			  (igvm->policy & TD_POLICY_SEPT_VE_DISABLE ? TD_SEPT_VE_DISABLE : 0);
	return 0;
}
