// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Directives of IGVM files: what is loaded, and in which order.
 *
 * A parameter is written into an area, which later gets an address; so parameters wait until
 * their area is inserted. An area that never is (its platform is another one) takes them along.
 */
#include "boot/igvm/file.h"

#include <errno.h>
#include <inttypes.h>

#include "vmm/err.h"

/* KVM's own place for the state of a processor, whatever the file says. */
#define SNP_CONTEXT_GPA UINT64_C(0xfffffffff000)

/* --- Pieces --- */

/* Is there @size_bytes of data at @data_offset? @field: of data_offset in the body. */
static int data_check(const struct igvm_parser *parser, const struct igvm_header *header,
		      uint32_t field, uint32_t data_offset, uint64_t size_bytes)
{
	uint64_t end = parser->igvm->file.size_bytes;

	if (data_offset >= parser->data_start && data_offset <= end &&
	    end - data_offset >= size_bytes)
		return 0;
	return igvm_field_malformed(
		parser, header, field,
		"0x%" PRIx64 " bytes of data at 0x%" PRIx32
		", which are not between the headers and the end (0x%" PRIx64 " to 0x%" PRIx64
		")",
		size_bytes, data_offset, parser->data_start, end);
}

/* @field: of the address in the body. */
static int piece_add(struct igvm_parser *parser, const struct igvm_header *header,
		     uint32_t field, const struct igvm_piece *piece)
{
	struct igvm *igvm = parser->igvm;
	struct range range;

	if (!is_aligned(piece->gpa, GRANULE_BYTES) ||
	    !range_init(&range, piece->gpa, piece->size_bytes) ||
	    range.end > UINT64_C(1) << IGVM_GPA_BITS_MAX)
		return igvm_field_malformed(parser, header, field,
					    "address 0x%" PRIx64 ", size 0x%" PRIx64
					    ": no whole pages below 2^%d",
					    piece->gpa, piece->size_bytes, IGVM_GPA_BITS_MAX);
	if (igvm->platform == IGVM_SNP && igvm->context_offset)
		return igvm_field_malformed(parser, header, field,
					    "address 0x%" PRIx64
					    " comes after VP_CONTEXT, which KVM measures last",
					    piece->gpa);
	igvm->pieces[igvm->n_pieces] = *piece;
	igvm->pieces[igvm->n_pieces].header_offset = (uint32_t)header->offset;
	igvm->n_pieces++;
	return 0;
}

/* Fields of PAGE_DATA. */
enum {
	PAGE_GPA = 0,
	PAGE_DATA_OFFSET = 12,
	PAGE_FLAGS = 16,
	PAGE_TYPE = 20,
	PAGE_RESERVED = 22,
};

enum {
	PAGE_FLAG_2M = 1 << 0,
	PAGE_FLAG_UNMEASURED = 1 << 1,
	PAGE_FLAG_SHARED = 1 << 2,
};

#define PAGE_FLAGS_RESERVED 0xfffffff8U

enum {
	PAGE_TYPE_NORMAL,
	PAGE_TYPE_SECRETS,
	PAGE_TYPE_CPUID,
	PAGE_TYPE_CPUID_XF,
	PAGE_TYPE_COUNT,
};

static int page_check_flags(const struct igvm_parser *parser, const struct igvm_header *header)
{
	uint32_t flags = igvm_field32(parser, header, PAGE_FLAGS);
	int ret = igvm_field_check_zero(parser, header, PAGE_FLAGS, PAGE_FLAGS_RESERVED);

	if (!ret && flags & PAGE_FLAG_2M)
		return igvm_field_malformed(parser, header, PAGE_FLAGS,
					    "a page of 2 MiB; only 4 KiB are supported");
	if (!ret && flags & PAGE_FLAG_SHARED)
		return igvm_field_malformed(
			parser, header, PAGE_FLAGS,
			"a page that is shared at the start, which is not supported");
	if (!ret && igvm_field16(parser, header, PAGE_RESERVED))
		return igvm_field_malformed(parser, header, PAGE_RESERVED,
					    "reserved, but 0x%x, not 0",
					    igvm_field16(parser, header, PAGE_RESERVED));
	return ret;
}

static int page_get_kind(const struct igvm_parser *parser, const struct igvm_header *header,
			 enum igvm_kind *ret_kind)
{
	uint32_t flags = igvm_field32(parser, header, PAGE_FLAGS);
	uint16_t type = igvm_field16(parser, header, PAGE_TYPE);
	bool is_snp = parser->igvm->platform == IGVM_SNP;

	if (type >= PAGE_TYPE_COUNT)
		return igvm_field_malformed(parser, header, PAGE_TYPE, "unknown data type %u",
					    type);
	if (type != PAGE_TYPE_NORMAL && !is_snp)
		return igvm_field_malformed(parser, header, PAGE_TYPE,
					    "data type %u, which only SEV_SNP has", type);
	if (type == PAGE_TYPE_SECRETS)
		*ret_kind = IGVM_SECRETS;
	else if (type != PAGE_TYPE_NORMAL)
		*ret_kind = IGVM_CPUID;
	else if (flags & PAGE_FLAG_UNMEASURED)
		*ret_kind = IGVM_UNMEASURED;
	else if (is_snp && !igvm_field32(parser, header, PAGE_DATA_OFFSET))
		*ret_kind = IGVM_ZERO;
	else
		*ret_kind = IGVM_MEASURED;
	return 0;
}

static int take_page(struct igvm_parser *parser, const struct igvm_header *header)
{
	struct igvm_piece piece = {
		.gpa = igvm_field64(parser, header, PAGE_GPA),
		.size_bytes = GRANULE_BYTES,
		.data_offset = igvm_field32(parser, header, PAGE_DATA_OFFSET),
	};
	int ret = page_check_flags(parser, header);

	if (!ret)
		ret = page_get_kind(parser, header, &piece.kind);
	if (!ret && piece.data_offset)
		ret = data_check(parser, header, PAGE_DATA_OFFSET, piece.data_offset,
				 GRANULE_BYTES);
	return ret ? ret : piece_add(parser, header, PAGE_GPA, &piece);
}

/* --- Parameters --- */

static struct igvm_area *area_find(struct igvm_parser *parser, uint32_t index)
{
	for (unsigned int i = 0; i < parser->n_areas; i++)
		if (parser->areas[i].index == index)
			return &parser->areas[i];
	return NULL;
}

static int take_area(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_BYTES = 0, FIELD_INDEX = 8, FIELD_DATA_OFFSET = 12 };
	uint64_t size_bytes = igvm_field64(parser, header, FIELD_BYTES);
	uint32_t index = igvm_field32(parser, header, FIELD_INDEX);
	uint32_t data_offset = igvm_field32(parser, header, FIELD_DATA_OFFSET);
	int ret;

	if (area_find(parser, index))
		return igvm_field_malformed(parser, header, FIELD_INDEX,
					    "area %" PRIu32 " comes again", index);
	if (parser->n_areas == IGVM_AREAS_MAX)
		return igvm_field_malformed(parser, header, FIELD_INDEX, "more than %d areas",
					    IGVM_AREAS_MAX);
	if (!size_bytes || !is_aligned(size_bytes, GRANULE_BYTES))
		return igvm_field_malformed(parser, header, FIELD_BYTES,
					    "0x%" PRIx64 " bytes are no whole pages",
					    size_bytes);
	if (data_offset) {
		ret = data_check(parser, header, FIELD_DATA_OFFSET, data_offset, size_bytes);
		if (ret)
			return ret;
	}
	parser->areas[parser->n_areas++] = (struct igvm_area){
		.index = index,
		.data_offset = data_offset,
		.size_bytes = size_bytes,
	};
	return 0;
}

/* Returns the area that a header's field names, or NULL with parser->err set. */
static struct igvm_area *area_use(struct igvm_parser *parser, const struct igvm_header *header,
				  uint32_t field)
{
	uint32_t index = igvm_field32(parser, header, field);
	struct igvm_area *area = area_find(parser, index);

	if (area && !area->is_used_up)
		return area;
	igvm_field_malformed(parser, header, field, "area %" PRIu32 " %s", index,
			     area ? "was inserted before" : "is not declared before");
	return NULL;
}

static int take_parameter(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_INDEX = 0, FIELD_OFFSET = 4 };
	const struct igvm_area *area = area_use(parser, header, FIELD_INDEX);
	uint32_t offset = igvm_field32(parser, header, FIELD_OFFSET);

	if (!area)
		return -ENOEXEC;
	if (offset >= area->size_bytes)
		return igvm_field_malformed(parser, header, FIELD_OFFSET,
					    "0x%" PRIx32 " is beyond area %" PRIu32
					    " (0x%" PRIx64 " bytes)",
					    offset, area->index, area->size_bytes);
	if (parser->n_pending == IGVM_PARAMETERS_MAX)
		return igvm_field_malformed(parser, header, FIELD_INDEX,
					    "more than %d parameters", IGVM_PARAMETERS_MAX);
	parser->pending[parser->n_pending++] = (struct igvm_pending){
		.area = area->index,
		.parameter = {.type = header->kind->parameter,
			      .header_offset = (uint32_t)header->offset,
			      .gpa = offset,
			      .room_bytes = area->size_bytes - offset},
	};
	return 0;
}

static int take_insert(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_GPA = 0, FIELD_INDEX = 12 };
	struct igvm_area *area = area_use(parser, header, FIELD_INDEX);
	struct igvm *igvm = parser->igvm;
	struct igvm_piece piece;
	int ret;

	if (!area)
		return -ENOEXEC;
	piece = (struct igvm_piece){
		.gpa = igvm_field64(parser, header, FIELD_GPA),
		.size_bytes = area->size_bytes,
		.data_offset = area->data_offset,
		.kind = IGVM_AREA,
	};
	ret = piece_add(parser, header, FIELD_GPA, &piece);
	if (ret)
		return ret;
	area->is_used_up = true;
	for (unsigned int i = 0; i < parser->n_pending; i++) {
		struct igvm_parameter parameter = parser->pending[i].parameter;

		if (parser->pending[i].area != area->index)
			continue;
		parameter.gpa += piece.gpa;
		/* There are as many as pending ones at most. */
		igvm->parameters[igvm->n_parameters++] = parameter;
	}
	return 0;
}

/* --- The rest --- */

static int take_context(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_GPA = 0, FIELD_DATA_OFFSET = 12, FIELD_INDEX = 16, FIELD_RESERVED = 18 };
	struct igvm *igvm = parser->igvm;
	gpa_t wanted = igvm->platform == IGVM_SNP ? SNP_CONTEXT_GPA : 0;
	gpa_t gpa = igvm_field64(parser, header, FIELD_GPA);
	uint16_t index = igvm_field16(parser, header, FIELD_INDEX);
	uint32_t data_offset = igvm_field32(parser, header, FIELD_DATA_OFFSET);
	int ret;

	if (igvm->platform == IGVM_TDX)
		return igvm_field_malformed(parser, header, FIELD_GPA,
					    "processors of TDX have the state of their reset");
	if (index || igvm->context_offset)
		return igvm_field_malformed(parser, header, FIELD_INDEX,
					    "processor %u%s; only the first can be given a "
					    "state, once",
					    index, index ? "" : " again");
	if (gpa != wanted)
		return igvm_field_malformed(parser, header, FIELD_GPA,
					    "address 0x%" PRIx64 ", not 0x%" PRIx64 "%s", gpa,
					    wanted, wanted ? ", where KVM has it" : "");
	if (igvm_field16(parser, header, FIELD_RESERVED))
		return igvm_field_malformed(parser, header, FIELD_RESERVED,
					    "reserved, but 0x%x, not 0",
					    igvm_field16(parser, header, FIELD_RESERVED));
	ret = data_check(parser, header, FIELD_DATA_OFFSET, data_offset, GRANULE_BYTES);
	if (!ret)
		igvm->context_offset = data_offset;
	return ret;
}

static int take_memory(struct igvm_parser *parser, const struct igvm_header *header)
{
	enum { FIELD_GPA = 0, FIELD_BYTES = 12 };

	return igvm_add_range(parser, header, FIELD_GPA,
			      igvm_field64(parser, header, FIELD_GPA),
			      igvm_field32(parser, header, FIELD_BYTES));
}

const struct igvm_header_kind igvm_directives[] = {
	{0x301, 16, -1, "PARAMETER_AREA", take_area, 0},
	{0x302, 24, 8, "PAGE_DATA", take_page, 0},
	{0x303, 16, 8, "PARAMETER_INSERT", take_insert, 0},
	{0x304, 20, 8, "VP_CONTEXT", take_context, 0},
	{0x305, 24, 8, "REQUIRED_MEMORY", take_memory, 0},
	{0x307, 8, -1, "VP_COUNT_PARAMETER", take_parameter, IGVM_VP_COUNT},
	{0x308, 8, -1, "SRAT", take_parameter, IGVM_SRAT},
	{0x309, 8, -1, "MADT", take_parameter, IGVM_MADT},
	{0x30a, 8, -1, "MMIO_RANGES", take_parameter, IGVM_MMIO_RANGES},
	{0x30b, 696, 0, "SNP_ID_BLOCK", igvm_take_snp_id, 0},
	{0x30c, 8, -1, "MEMORY_MAP", take_parameter, IGVM_MEMORY_MAP},
	/* Nothing is reported to us there; but the guest may touch it. */
	{0x30d, 16, 8, "ERROR_RANGE", take_memory, 0},
	{0x30e, 8, -1, "COMMAND_LINE", take_parameter, IGVM_COMMAND_LINE},
	{0x30f, 8, -1, "SLIT", take_parameter, IGVM_SLIT},
	{0x310, 8, -1, "PPTT", take_parameter, IGVM_PPTT},
	{0x311, 0, -1, "VBS_MEASUREMENT", NULL, 0}, /* of another platform */
	{0x312, 8, -1, "DEVICE_TREE", take_parameter, IGVM_DEVICE_TREE},
	{0x313, 8, -1, "ENVIRONMENT_INFO", take_parameter, IGVM_ENVIRONMENT_INFO},
};

const size_t igvm_n_directives = ARRAY_SIZE(igvm_directives);
