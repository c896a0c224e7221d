// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The frame of an IGVM file: fixed header, the walk over variable headers, and those that come
 * first. Headers: three sections, never back to an earlier one.
 *
 *   platform        which platforms the file is for, a bit of the compatibility mask each
 *   initialization  policies, relocation
 *   directives      what is loaded, in this order: boot/igvm/directive.c
 */
#include "boot/igvm/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/err.h"

#define IGVM_MAGIC	0x4d564749U /* "IGVM" */
#define TYPE_OPTIONAL	0x80000000U
#define CRC32_POLYNOME	0xedb88320U /* of zlib and Ethernet, reflected */
#define TDX_BOUNDARY_48 (UINT64_C(1) << 47)
#define TDX_BOUNDARY_52 (UINT64_C(1) << 51)

enum {
	FIXED_VERSION = 4,
	FIXED_OFFSET = 8, /* of variable headers */
	FIXED_SIZE = 12,  /* idem */
	FIXED_TOTAL = 16,
	FIXED_CHECKSUM = 20,
	FIXED_BYTES = 24,
	FIXED_ARCHITECTURE = 24, /* version 2 */
	FIXED_PAGE_SIZE = 28,
	FIXED_2_BYTES = 32,
	PLATFORM_VERSION = 1,
	PLATFORM_TYPES = 32, /* that are remembered */
};

/* --- Fixed header --- */

/* @crc: UINT32_MAX at first; the complement of what is returned at last. */
static uint32_t crc32_add(uint32_t crc, const uint8_t *bytes, uint64_t size_bytes)
{
	for (uint64_t i = 0; i < size_bytes; i++) {
		crc ^= bytes[i];
		for (unsigned int bit = 0; bit < 8; bit++)
			crc = crc >> 1 ^ (crc & 1 ? CRC32_POLYNOME : 0);
	}
	return crc;
}

/* Of both headers, as if the checksum were zero. */
static uint32_t file_checksum(const struct igvm_file *file, uint32_t fixed_bytes)
{
	uint8_t fixed[FIXED_2_BYTES];
	uint32_t crc;

	memcpy(fixed, file->bytes, fixed_bytes);
	memset(fixed + FIXED_CHECKSUM, 0, 4);
	crc = crc32_add(UINT32_MAX, fixed, fixed_bytes);
	return ~crc32_add(crc, file->bytes + igvm_u32(file, FIXED_OFFSET),
			  igvm_u32(file, FIXED_SIZE));
}

/* Returns how long the fixed header is, or -ENOEXEC. */
static int fixed_check_version(const struct igvm_file *file, struct err *err)
{
	uint32_t version;

	if (file->size_bytes < FIXED_BYTES)
		return igvm_malformed(err, file, file->size_bytes,
				      "fixed header: ends after %" PRIu64 " bytes, not %d",
				      file->size_bytes, FIXED_BYTES);
	if (igvm_u32(file, 0) != IGVM_MAGIC)
		return igvm_malformed(err, file, 0,
				      "fixed header: magic 0x%08" PRIx32 ", not \"IGVM\"",
				      igvm_u32(file, 0));
	version = igvm_u32(file, FIXED_VERSION);
	if (version == 1)
		return FIXED_BYTES;
	if (version != 2)
		return igvm_malformed(err, file, FIXED_VERSION,
				      "fixed header: version %" PRIu32 ", not 1 or 2", version);
	if (file->size_bytes < FIXED_2_BYTES)
		return igvm_malformed(err, file, file->size_bytes,
				      "fixed header: ends after %" PRIu64 " bytes, not %d",
				      file->size_bytes, FIXED_2_BYTES);
	if (igvm_u32(file, FIXED_ARCHITECTURE) != 0)
		return igvm_malformed(err, file, FIXED_ARCHITECTURE,
				      "fixed header: architecture %" PRIu32 ", not 0 (x86-64)",
				      igvm_u32(file, FIXED_ARCHITECTURE));
	if (igvm_u32(file, FIXED_PAGE_SIZE) != GRANULE_BYTES)
		return igvm_malformed(err, file, FIXED_PAGE_SIZE,
				      "fixed header: pages of %" PRIu32 " bytes, not 4096",
				      igvm_u32(file, FIXED_PAGE_SIZE));
	return FIXED_2_BYTES;
}

/* Returns 0 with the range of variable headers. */
static int fixed_check(const struct igvm_file *file, struct range *ret_headers, struct err *err)
{
	int fixed_bytes = fixed_check_version(file, err);
	uint32_t offset, checksum;
	struct range headers;

	if (fixed_bytes < 0)
		return fixed_bytes;
	if (igvm_u32(file, FIXED_TOTAL) != file->size_bytes)
		return igvm_malformed(err, file, FIXED_TOTAL,
				      "fixed header: a file of %" PRIu32
				      " bytes, but it has %" PRIu64,
				      igvm_u32(file, FIXED_TOTAL), file->size_bytes);
	offset = igvm_u32(file, FIXED_OFFSET);
	if (offset < (uint32_t)fixed_bytes || !is_aligned(offset, 8))
		return igvm_malformed(err, file, FIXED_OFFSET,
				      "fixed header: variable headers at 0x%" PRIx32
				      ", which is inside of it or no multiple of 8",
				      offset);
	headers = (struct range){offset, (uint64_t)offset + igvm_u32(file, FIXED_SIZE)};
	if (headers.end > file->size_bytes)
		return igvm_malformed(err, file, FIXED_SIZE,
				      "fixed header: variable headers end at 0x%" PRIx64
				      ", after the file (0x%" PRIx64 " bytes)",
				      headers.end, file->size_bytes);
	checksum = file_checksum(file, (uint32_t)fixed_bytes);
	if (checksum != igvm_u32(file, FIXED_CHECKSUM))
		return igvm_malformed(err, file, FIXED_CHECKSUM,
				      "fixed header: checksum 0x%08" PRIx32
				      ", but that of the headers is 0x%08" PRIx32,
				      igvm_u32(file, FIXED_CHECKSUM), checksum);
	*ret_headers = headers;
	return 0;
}

/* --- Platforms --- */

static const char *platform_name(uint32_t type)
{
	static const char *const names[] = {"NATIVE", "VSM",	"SEV_SNP", "TDX",
					    "SEV",    "SEV_ES", "CCA"};

	return type < ARRAY_SIZE(names) ? names[type] : "unknown";
}

static int check_boundary(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_BOUNDARY = 8 };
	uint64_t boundary = igvm_field64(parser, header, FIELD_BOUNDARY);

	parser->igvm->shared_gpa_boundary = boundary;
	if (!boundary || (parser->igvm->platform == IGVM_TDX &&
			  (boundary == TDX_BOUNDARY_48 || boundary == TDX_BOUNDARY_52)))
		return 0;
	return igvm_field_malformed(parser, header, FIELD_BOUNDARY,
				    "shared memory from 0x%" PRIx64
				    " on, which KVM does not have for %s",
				    boundary, platform_name(parser->igvm->platform));
}

static int take_platform(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_MASK = 0, FIELD_TYPE = 5, FIELD_VERSION = 6 };
	uint32_t mask = igvm_field32(parser, header, FIELD_MASK);
	uint32_t type = igvm_field8(parser, header, FIELD_TYPE);
	uint16_t version = igvm_field16(parser, header, FIELD_VERSION);

	if (!mask || mask & (mask - 1) || mask & parser->masks_seen)
		return igvm_field_malformed(
			parser, header, FIELD_MASK,
			"compatibility mask 0x%" PRIx32 " is not one bit of its own", mask);
	parser->masks_seen |= mask;
	if (type < PLATFORM_TYPES && parser->types_seen & UINT32_C(1) << type)
		return igvm_field_malformed(parser, header, FIELD_TYPE,
					    "platform %s comes again", platform_name(type));
	if (type < PLATFORM_TYPES)
		parser->types_seen |= UINT32_C(1) << type;
	if (type != (uint32_t)parser->igvm->platform)
		return 0;
	if (version != PLATFORM_VERSION)
		return igvm_field_malformed(parser, header, FIELD_VERSION,
					    "version %u of platform %s, not %d", version,
					    platform_name(type), PLATFORM_VERSION);
	parser->mask = mask;
	return check_boundary(parser, header);
}

/* --- Initialization --- */

static int take_policy(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_POLICY = 0, FIELD_RESERVED = 12 };
	int ret = igvm_field_check_zero(parser, header, FIELD_RESERVED, UINT32_MAX);

	if (ret)
		return ret;
	if (parser->igvm->has_policy)
		return igvm_field_malformed(parser, header, FIELD_POLICY,
					    "a second one for this platform");
	parser->igvm->has_policy = true;
	parser->igvm->policy = igvm_field64(parser, header, FIELD_POLICY);
	return 0;
}

/* It stays where it is; that is allowed when the bounds allow it. */
static int take_region(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_GPA = 16, FIELD_SIZE = 24, FIELD_MIN = 32, FIELD_MAX = 40 };
	gpa_t gpa = igvm_field64(parser, header, FIELD_GPA);
	uint64_t size_bytes = igvm_field64(parser, header, FIELD_SIZE);
	int ret = igvm_add_range(parser, header, FIELD_GPA, gpa, size_bytes);

	if (ret)
		return ret;
	if (gpa < igvm_field64(parser, header, FIELD_MIN) ||
	    gpa + size_bytes > igvm_field64(parser, header, FIELD_MAX))
		return igvm_field_malformed(parser, header, FIELD_GPA,
					    "address 0x%" PRIx64
					    " has to be relocated, which Alcove does not do",
					    gpa);
	return 0;
}

/* Where page tables are that would have to change with a relocation. */
static int take_page_table_region(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_GPA = 8, FIELD_SIZE = 16 };

	return igvm_add_range(parser, header, FIELD_GPA,
			      igvm_field64(parser, header, FIELD_GPA),
			      igvm_field64(parser, header, FIELD_SIZE));
}

static const struct igvm_header_kind first_kinds[] = {
	{0x001, 16, -1, "SUPPORTED_PLATFORM", take_platform, 0},
	{0x101, 16, 8, "GUEST_POLICY", take_policy, 0},
	{0x102, 48, 0, "RELOCATABLE_REGION", take_region, 0},
	{0x103, 32, 0, "PAGE_TABLE_RELOCATION", take_page_table_region, 0},
	/* Reference values for whoever verifies a report. */
	{0x104, 0, -1, "CORIM_DOCUMENT", NULL, 0},
	{0x105, 0, -1, "CORIM_SIGNATURE", NULL, 0},
};

/* --- The walk --- */

static const struct igvm_header_kind *kind_find(const struct igvm_header_kind *kinds,
						size_t n_kinds, uint32_t type)
{
	for (size_t i = 0; i < n_kinds; i++)
		if (kinds[i].type == type)
			return &kinds[i];
	return NULL;
}

/* 0 platform, 1 initialization, 2 directives; -1 none of them. */
static int section_of(uint32_t type)
{
	static const struct {
		uint32_t first, last;
	} sections[] = {{0x001, 0x100}, {0x101, 0x200}, {0x301, 0x400}};

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (type >= sections[i].first && type <= sections[i].last)
			return (int)i;
	return -1;
}

static int header_take(struct igvm_parser *parser, const struct igvm_header_kind *kind,
		       struct igvm_header *header)
{
	header->kind = kind;
	if (!kind->take)
		return 0;
	if (header->length_bytes != kind->length_bytes)
		return igvm_malformed(parser->err, &parser->igvm->file, header->offset - 4,
				      "%s: length %" PRIu32 ", not %" PRIu32, kind->name,
				      header->length_bytes, kind->length_bytes);
	if (kind->mask_offset >= 0 &&
	    !(igvm_field32(parser, header, (uint32_t)kind->mask_offset) & parser->mask))
		return 0;
	return kind->take(parser, header);
}

/* The header at @offset, all of which lies in the headers. Returns 0 and where it ends. */
static int header_read(const struct igvm_parser *parser, uint64_t offset,
		       struct igvm_header *ret_header, uint64_t *ret_end)
{
	const struct igvm_file *file = &parser->igvm->file;
	uint64_t left_bytes = parser->data_start - offset;
	uint64_t end;

	if (left_bytes < IGVM_HEADER_BYTES)
		return igvm_malformed(parser->err, file, offset,
				      "variable header: %" PRIu64
				      " bytes are left, not %d for type and length",
				      left_bytes, IGVM_HEADER_BYTES);
	*ret_header = (struct igvm_header){
		.type = igvm_u32(file, offset),
		.length_bytes = igvm_u32(file, offset + 4),
		.offset = offset + IGVM_HEADER_BYTES,
	};
	end = align_up(ret_header->offset + ret_header->length_bytes, 8);
	if (end > parser->data_start)
		return igvm_malformed(parser->err, file, offset + 4,
				      "variable header of type 0x%" PRIx32 ": length %" PRIu32
				      " exceeds the headers, which end at 0x%" PRIx64,
				      ret_header->type, ret_header->length_bytes,
				      parser->data_start);
	for (uint64_t i = ret_header->offset + ret_header->length_bytes; i < end; i++)
		if (file->bytes[i])
			return igvm_malformed(parser->err, file, i,
					      "variable header of type 0x%" PRIx32
					      ": padding is not zero",
					      ret_header->type);
	*ret_end = end;
	return 0;
}

static int platform_check(const struct igvm_parser *parser, uint64_t offset)
{
	if (parser->mask)
		return 0;
	return igvm_malformed(parser->err, &parser->igvm->file, offset,
			      "no SUPPORTED_PLATFORM header for %s; give a file made for it",
			      platform_name(parser->igvm->platform));
}

static int headers_walk(struct igvm_parser *parser, struct range headers)
{
	uint64_t offset = headers.start;
	int section = 0;
	int ret = 0;

	while (!ret && offset < headers.end) {
		const struct igvm_header_kind *kind;
		uint64_t start = offset;
		struct igvm_header header = {0};

		ret = header_read(parser, start, &header, &offset);
		if (ret || header.type & TYPE_OPTIONAL)
			continue;
		kind = section_of(header.type) == 2
			       ? kind_find(igvm_directives, igvm_n_directives, header.type)
			       : kind_find(first_kinds, ARRAY_SIZE(first_kinds), header.type);
		if (!kind)
			return igvm_malformed(parser->err, &parser->igvm->file, start,
					      "variable header: unknown type 0x%" PRIx32,
					      header.type);
		if (section_of(header.type) < section)
			return igvm_malformed(parser->err, &parser->igvm->file, start,
					      "%s: comes after headers of a later section",
					      kind->name);
		section = section_of(header.type);
		ret = section ? platform_check(parser, start) : 0;
		if (!ret)
			ret = header_take(parser, kind, &header);
	}
	return ret ? ret : platform_check(parser, headers.end);
}

int igvm_parse(struct igvm *ret_igvm, const struct igvm_file *file, enum igvm_platform platform,
	       struct err *err)
{
	/* Of those headers that add a piece, type and length included. */
	enum { PIECE_HEADER_BYTES_MIN = 24 };
	struct igvm igvm = {.file = *file, .platform = platform};
	struct igvm_parser parser = {.igvm = &igvm, .err = err};
	struct range headers = {0};
	int ret = fixed_check(file, &headers, err);

	if (ret)
		return ret;
	parser.data_start = headers.end;
	igvm.pieces = calloc(range_size(headers) / PIECE_HEADER_BYTES_MIN + 1,
			     sizeof(igvm.pieces[0]));
	if (!igvm.pieces)
		return err_set(err, -ENOMEM, "igvm '%s': no memory for its headers",
			       file->path);
	ret = headers_walk(&parser, headers);
	if (!ret)
		ret = igvm_check(&igvm, err);
	if (ret) {
		igvm_fini(&igvm);
		return ret;
	}
	*ret_igvm = igvm;
	return 0;
}

void igvm_fini(struct igvm *igvm)
{
	free(igvm->pieces);
	igvm->pieces = NULL;
	igvm->n_pieces = 0;
}
