// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sections for SEV-SNP are 12 bytes: address, size, type.
 */
#include "boot/firmware/ovmf.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot/firmware/table.h"
#include "vmm/err.h"

enum {
	SNP_SECTION_BYTES = 12,
	HASH_TABLE_BYTES = 176, /* what boot/measure/snp.c puts there */
};

#define SNP_SIGNATURE 0x56455341U /* "ASEV" */
#define NOWHERE	      UINT64_MAX

static const uint8_t guid_ap_entry[GUID_BYTES] =
	GUID(0x00f771deU, 0x1a7e, 0x4fcb, 0x89, 0x0e, 0x68, 0xc7, 0x7e, 0x2f, 0xb4, 0x4e);
static const uint8_t guid_secrets[GUID_BYTES] =
	GUID(0x4c2eb361U, 0x7d9b, 0x4cc3, 0x80, 0x81, 0x12, 0x7c, 0x90, 0xd3, 0xd2, 0x94);
static const uint8_t guid_hash_table[GUID_BYTES] =
	GUID(0x7255371fU, 0x3a3b, 0x4b04, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54);
static const uint8_t guid_snp[GUID_BYTES] =
	GUID(0xdc886566U, 0x984a, 0x4798, 0xa7, 0x5e, 0x55, 0x85, 0xa7, 0xbf, 0x67, 0xcc);

static bool snp_type_is_known(uint32_t type)
{
	return (type >= OVMF_SNP_MEMORY && type <= OVMF_SNP_SVSM_CAA) ||
	       type == OVMF_SNP_HASHES;
}

/* Of these there is one page in a guest. */
static bool snp_type_is_single(uint32_t type)
{
	return type == OVMF_SNP_SECRETS || type == OVMF_SNP_CPUID || type == OVMF_SNP_HASHES;
}

static int snp_section_add(const struct ovmf_image *image, struct ovmf_snp *snp,
			   uint64_t offset, struct err *err)
{
	uint64_t gpa = firmware_u32(image, offset);
	uint64_t size_bytes = firmware_u32(image, offset + 4);
	uint32_t type = firmware_u32(image, offset + 8);
	int ret;

	if (!snp_type_is_known(type))
		return firmware_malformed(err, image, offset + 8,
					  "SNP section: unknown type %" PRIu32, type);
	ret = firmware_section_check(image, "SNP section", offset, gpa, size_bytes,
				     ovmf_image_gpa(image), err);
	if (ret)
		return ret;
	if (snp_type_is_single(type) && size_bytes != GRANULE_BYTES)
		return firmware_malformed(err, image, offset + 4,
					  "SNP section: size 0x%" PRIx64 " for type %" PRIu32
					  ", which has one page",
					  size_bytes, type);
	for (unsigned int i = 0; i < snp->n_sections; i++) {
		const struct ovmf_snp_section *other = &snp->sections[i];

		if (gpa < other->gpa + other->size_bytes && other->gpa < gpa + size_bytes)
			return firmware_malformed(err, image, offset,
						  "SNP section: address 0x%" PRIx64
						  " overlaps the section at 0x%" PRIx64,
						  gpa, other->gpa);
		if (type == other->type && snp_type_is_single(type))
			return firmware_malformed(err, image, offset + 8,
						  "SNP section: a second one of type %" PRIu32,
						  type);
	}
	snp->sections[snp->n_sections++] = (struct ovmf_snp_section){
		.gpa = gpa,
		.size_bytes = size_bytes,
		.type = (enum ovmf_snp_type)type,
	};
	return 0;
}

/* The table's page is what is launched, so the table must lie in it. */
static int snp_hash_table_check(const struct ovmf_image *image, struct ovmf_snp *snp,
				uint64_t offset, struct err *err)
{
	for (unsigned int i = 0; i < snp->n_sections; i++) {
		const struct ovmf_snp_section *section = &snp->sections[i];
		struct range page = {section->gpa, section->gpa + section->size_bytes};

		if (section->type != OVMF_SNP_HASHES)
			continue;
		if (offset == NOWHERE)
			return err_set(err, -ENOEXEC,
				       "firmware '%s': a page for hashes at 0x%" PRIx64
				       ", but no entry in the GUID table that says where in it",
				       image->path, section->gpa);
		if (!range_covers(page, snp->hash_table) ||
		    range_size(snp->hash_table) < HASH_TABLE_BYTES)
			return firmware_malformed(
				err, image, offset,
				"hash table: 0x%" PRIx64 "..0x%" PRIx64
				" has less than %u bytes, or is not in its page at 0x%" PRIx64,
				snp->hash_table.start, snp->hash_table.end, HASH_TABLE_BYTES,
				section->gpa);
		return 0;
	}
	/* OVMF without that page has the entry all the same, for guests of SEV. */
	snp->hash_table = (struct range){0};
	return 0;
}

/* An entry that holds an address and a size. Returns as firmware_table_find. */
static int table_find_range(const struct ovmf_image *image, const struct firmware_table *table,
			    const uint8_t guid[GUID_BYTES], const char *what,
			    struct range *ret_range, uint64_t *ret_offset, struct err *err)
{
	int ret = firmware_table_find(image, table, guid, what, 8, ret_offset, err);

	if (ret > 0) {
		uint64_t start = firmware_u32(image, *ret_offset);

		*ret_range =
			(struct range){start, start + firmware_u32(image, *ret_offset + 4)};
	}
	return ret;
}

static int snp_parse_entries(const struct ovmf_image *image, const struct firmware_table *table,
			     struct ovmf_snp *snp, uint64_t *ret_hash_offset, struct err *err)
{
	uint64_t offset;
	int ret = firmware_table_find(image, table, guid_ap_entry, "SEV-ES reset block", 4,
				      &offset, err);

	if (ret > 0)
		snp->ap_entry = firmware_u32(image, offset);
	if (ret >= 0)
		ret = table_find_range(image, table, guid_secrets, "SEV secret block",
				       &snp->secrets, &offset, err);
	if (ret >= 0)
		ret = table_find_range(image, table, guid_hash_table, "SEV hash table block",
				       &snp->hash_table, ret_hash_offset, err);
	return ret < 0 ? ret : 0;
}

int ovmf_parse_snp(const struct ovmf_image *image, struct ovmf_snp *ret_snp, struct err *err)
{
	static const struct metadata_kind kind = {
		.what = "SNP metadata",
		.signature = SNP_SIGNATURE,
		.section_bytes = SNP_SECTION_BYTES,
	};
	struct ovmf_snp snp = {0};
	uint64_t offset, hash_offset = NOWHERE;
	unsigned int n_sections = 0;
	struct firmware_table table;
	int ret = firmware_check(image, err);

	if (!ret)
		ret = firmware_table_init(&table, image, err);
	if (ret)
		return ret;
	ret = firmware_table_find(image, &table, guid_snp, "SEV metadata block", 4, &offset,
				  err);
	if (!ret)
		return err_set(
			err, -ENOEXEC,
			"firmware '%s': no SEV metadata in its GUID table; give OVMF that was "
			"built for SEV-SNP",
			image->path);
	if (ret > 0)
		ret = snp_parse_entries(image, &table, &snp, &hash_offset, err);
	if (ret)
		return ret;

	ret = firmware_metadata_locate(image, &kind, offset, &offset, err);
	if (!ret)
		ret = firmware_metadata_check(image, &kind, offset, &n_sections, err);
	for (unsigned int i = 0; !ret && i < n_sections; i++)
		ret = snp_section_add(
			image, &snp,
			offset + METADATA_HEADER_BYTES + (uint64_t)i * SNP_SECTION_BYTES, err);
	if (!ret)
		ret = snp_hash_table_check(image, &snp, hash_offset, err);
	if (!ret)
		*ret_snp = snp;
	return ret;
}
