// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TDVF sections are 32 bytes: offset and size in the file, address and size in memory, type,
 * attributes. The header has a GUID before it. td-shim has no table of GUIDs; the four bytes
 * before the reset vector hold the header's offset from the start of the file instead.
 */
#include "boot/firmware/ovmf.h"

#include <errno.h>
#include <inttypes.h>

#include "boot/firmware/table.h"
#include "vmm/err.h"
#include "vmm/platform.h"

enum {
	TDVF_SECTION_BYTES = 32,
	TDVF_OFFSET_FROM_END = 0x20,
	RESET_BYTES = 16,
};

#define TDVF_SIGNATURE 0x46564454U /* "TDVF" */

/* Attributes of a section. */
#define ATTRIBUTE_EXTEND 0x1U /* measured */
#define ATTRIBUTE_AUG	 0x2U /* accepted by the guest, not added */

/* The lower of the two places of a TD's shared bit; private memory lies below. */
#define TDVF_GPA_END (UINT64_C(1) << 47)

static const uint8_t guid_tdx[GUID_BYTES] =
	GUID(0xe47a6535U, 0x984a, 0x4798, 0x86, 0x5e, 0x46, 0x85, 0xa7, 0xbf, 0x8e, 0xc2);
/* Lies before the header of TDVF metadata. */
static const uint8_t guid_tdvf[GUID_BYTES] =
	GUID(0xe9eaf9f3U, 0x168e, 0x44d5, 0xa8, 0xeb, 0x7f, 0x4d, 0x87, 0x38, 0xf6, 0xae);

/* Whether a section of that type has bytes in the file. */
enum tdvf_data {
	DATA_NEVER,
	DATA_ALWAYS,
	DATA_MAYBE,
};

static const struct {
	const char *name;
	enum tdvf_data data;
	uint32_t attributes; /* what it may have */
} types[TDVF_TYPE_COUNT] = {
	[TDVF_BFV] = {"BFV", DATA_ALWAYS, ATTRIBUTE_EXTEND},
	[TDVF_CFV] = {"CFV", DATA_ALWAYS, ATTRIBUTE_EXTEND},
	[TDVF_TD_HOB] = {"TD_HOB", DATA_NEVER, 0},
	[TDVF_TEMP_MEM] = {"TempMem", DATA_NEVER, 0},
	[TDVF_PERM_MEM] = {"PermMem", DATA_NEVER, ATTRIBUTE_AUG},
	[TDVF_PAYLOAD] = {"Payload", DATA_MAYBE, ATTRIBUTE_EXTEND},
	[TDVF_PAYLOAD_PARAM] = {"PayloadParam", DATA_MAYBE, ATTRIBUTE_EXTEND},
	[TDVF_TD_INFO] = {"TD_INFO", DATA_ALWAYS, 0},
	[TDVF_TD_PARAMS] = {"TD_PARAMS", DATA_MAYBE, ATTRIBUTE_EXTEND},
};

/* @section: with type, offset and size in the file, and size in memory. */
static int data_check(const struct ovmf_image *image, const struct tdvf_section *section,
		      uint64_t offset, struct err *err)
{
	const char *name = types[section->type].name;
	enum tdvf_data data = types[section->type].data;

	if (section->data_bytes ? data == DATA_NEVER : data == DATA_ALWAYS)
		return firmware_malformed(
			err, image, offset + 4,
			"TDVF section %s: raw data size 0x%" PRIx64 ", which must%s be 0", name,
			section->data_bytes, data == DATA_NEVER ? "" : " not");
	if (section->data_offset > image->size_bytes ||
	    section->data_bytes > image->size_bytes - section->data_offset)
		return firmware_malformed(
			err, image, offset,
			"TDVF section %s: data offset 0x%" PRIx64 " + raw data size 0x%" PRIx64
			" is beyond the image (0x%" PRIx64 " bytes)",
			name, section->data_offset, section->data_bytes, image->size_bytes);
	if (section->type != TDVF_TD_INFO && section->data_bytes > section->size_bytes)
		return firmware_malformed(err, image, offset + 4,
					  "TDVF section %s: raw data size 0x%" PRIx64
					  " is larger than memory data size 0x%" PRIx64,
					  name, section->data_bytes, section->size_bytes);
	return 0;
}

/* TD_INFO describes the image and has no memory. */
static int memory_check(const struct ovmf_image *image, const struct tdvf *tdvf,
			const struct tdvf_section *section, uint64_t offset, struct err *err)
{
	int ret;

	if (section->type == TDVF_TD_INFO && (section->gpa || section->size_bytes))
		return firmware_malformed(err, image, offset + 8,
					  "TDVF section TD_INFO: memory address 0x%" PRIx64
					  ", size 0x%" PRIx64 "; both must be 0",
					  section->gpa, section->size_bytes);
	if (section->type == TDVF_TD_INFO)
		return 0;
	ret = firmware_section_check(image, "TDVF section", offset + 8, section->gpa,
				     section->size_bytes, TDVF_GPA_END, err);
	for (unsigned int i = 0; !ret && i < tdvf->n_sections; i++) {
		const struct tdvf_section *other = &tdvf->sections[i];

		if (section->type == TDVF_TD_HOB && other->type == TDVF_TD_HOB)
			return firmware_malformed(err, image, offset + 24,
						  "TDVF section: a second TD_HOB");
		if (section->gpa < other->gpa + other->size_bytes &&
		    other->gpa < section->gpa + section->size_bytes)
			return firmware_malformed(err, image, offset + 8,
						  "TDVF section %s: memory address 0x%" PRIx64
						  " overlaps the section at 0x%" PRIx64,
						  types[section->type].name, section->gpa,
						  other->gpa);
	}
	return ret;
}

static int section_add(const struct ovmf_image *image, struct tdvf *tdvf, uint64_t offset,
		       struct err *err)
{
	uint32_t type = firmware_u32(image, offset + 24);
	uint32_t attributes = firmware_u32(image, offset + 28);
	struct tdvf_section section;
	int ret;

	if (type >= TDVF_TYPE_COUNT)
		return firmware_malformed(err, image, offset + 24,
					  "TDVF section: unknown type %" PRIu32, type);
	if (attributes & ~types[type].attributes)
		return firmware_malformed(err, image, offset + 28,
					  "TDVF section %s: attributes 0x%" PRIx32
					  " (0x%" PRIx32 " at most)",
					  types[type].name, attributes, types[type].attributes);
	section = (struct tdvf_section){
		.gpa = firmware_u64(image, offset + 8),
		.size_bytes = firmware_u64(image, offset + 16),
		.data_offset = firmware_u32(image, offset),
		.data_bytes = firmware_u32(image, offset + 4),
		.type = (enum tdvf_type)type,
		.measured = attributes & ATTRIBUTE_EXTEND,
		.added = type != TDVF_TD_INFO && !(attributes & ATTRIBUTE_AUG),
	};
	ret = data_check(image, &section, offset, err);
	if (!ret)
		ret = memory_check(image, tdvf, &section, offset, err);
	if (!ret)
		tdvf->sections[tdvf->n_sections++] = section;
	return ret;
}

/* Processors start there, so the host must not be able to choose what they find. */
static int reset_vector_check(const struct ovmf_image *image, const struct tdvf *tdvf,
			      struct err *err)
{
	static const struct range reset = {PLATFORM_4G - RESET_BYTES, PLATFORM_4G};

	for (unsigned int i = 0; i < tdvf->n_sections; i++) {
		const struct tdvf_section *section = &tdvf->sections[i];
		struct range data = {section->gpa, section->gpa + section->data_bytes};

		if (section->type == TDVF_BFV && section->measured && range_covers(data, reset))
			return 0;
	}
	return err_set(
		err, -ENOEXEC,
		"firmware '%s': no measured section of type BFV holds the reset vector at "
		"0xfffffff0; give an image that was built for TDX",
		image->path);
}

static int header_locate(const struct ovmf_image *image, const struct metadata_kind *kind,
			 uint64_t *ret_offset, struct err *err)
{
	struct firmware_table table;
	uint64_t offset = 0;
	int ret = firmware_table_init(&table, image, err);

	if (ret)
		return ret;
	ret = firmware_table_find(image, &table, guid_tdx, "TDX metadata block", 4, &offset,
				  err);
	if (ret > 0)
		ret = firmware_metadata_locate(image, kind, offset, &offset, err);
	else if (!ret && !table.n_entries)
		offset = firmware_u32(image, image->size_bytes - TDVF_OFFSET_FROM_END);
	if (ret < 0)
		return ret;
	if (offset < GUID_BYTES || offset > image->size_bytes ||
	    !firmware_guid_is(image, offset - GUID_BYTES, guid_tdvf))
		return err_set(err, -ENOEXEC,
			       "firmware '%s': offset 0x%" PRIx64
			       ": no TDVF metadata; give an image that was built for TDX",
			       image->path, offset);
	*ret_offset = offset;
	return 0;
}

int tdvf_parse(const struct ovmf_image *image, struct tdvf *ret_tdvf, struct err *err)
{
	static const struct metadata_kind kind = {
		.what = "TDVF metadata",
		.signature = TDVF_SIGNATURE,
		.section_bytes = TDVF_SECTION_BYTES,
	};
	struct tdvf tdvf = {0};
	unsigned int n_sections = 0;
	uint64_t offset = 0;
	int ret = firmware_check(image, err);

	if (!ret)
		ret = header_locate(image, &kind, &offset, err);
	if (!ret)
		ret = firmware_metadata_check(image, &kind, offset, &n_sections, err);
	for (unsigned int i = 0; !ret && i < n_sections; i++)
		ret = section_add(
			image, &tdvf,
			offset + METADATA_HEADER_BYTES + (uint64_t)i * TDVF_SECTION_BYTES, err);
	if (!ret)
		ret = reset_vector_check(image, &tdvf, err);
	if (!ret)
		*ret_tdvf = tdvf;
	return ret;
}
