// SPDX-License-Identifier: GPL-2.0-or-later
/* Fields of the headers of IGVM files, and what is said about those that are wrong. */
#include "boot/igvm/file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "boot/bytes.h"
#include "vmm/err.h"

int igvm_malformed(struct err *err, const struct igvm_file *file, uint64_t offset,
		   const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_set(err, -ENOEXEC, "igvm '%s': offset 0x%" PRIx64 ": %s", file->path, offset,
		       text);
}

int igvm_field_malformed(const struct igvm_parser *parser, const struct igvm_header *header,
			 uint32_t field, const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return igvm_malformed(parser->err, &parser->igvm->file, header->offset + field,
			      "%s: %s", header->kind->name, text);
}

uint16_t igvm_u16(const struct igvm_file *file, uint64_t offset)
{
	return bytes_get_u16(file->bytes, offset);
}

uint32_t igvm_u32(const struct igvm_file *file, uint64_t offset)
{
	return bytes_get_u32(file->bytes, offset);
}

uint64_t igvm_u64(const struct igvm_file *file, uint64_t offset)
{
	return bytes_get_u64(file->bytes, offset);
}

uint8_t igvm_field8(const struct igvm_parser *parser, const struct igvm_header *header,
		    uint32_t field)
{
	ASSERT(field + sizeof(uint8_t) <= header->length_bytes);
	return parser->igvm->file.bytes[header->offset + field];
}

uint16_t igvm_field16(const struct igvm_parser *parser, const struct igvm_header *header,
		      uint32_t field)
{
	ASSERT(field + sizeof(uint16_t) <= header->length_bytes);
	return igvm_u16(&parser->igvm->file, header->offset + field);
}

uint32_t igvm_field32(const struct igvm_parser *parser, const struct igvm_header *header,
		      uint32_t field)
{
	ASSERT(field + sizeof(uint32_t) <= header->length_bytes);
	return igvm_u32(&parser->igvm->file, header->offset + field);
}

uint64_t igvm_field64(const struct igvm_parser *parser, const struct igvm_header *header,
		      uint32_t field)
{
	ASSERT(field + sizeof(uint64_t) <= header->length_bytes);
	return igvm_u64(&parser->igvm->file, header->offset + field);
}

int igvm_field_check_zero(const struct igvm_parser *parser, const struct igvm_header *header,
			  uint32_t field, uint32_t bits)
{
	uint32_t set = igvm_field32(parser, header, field) & bits;

	if (!set)
		return 0;
	return igvm_field_malformed(parser, header, field,
				    "bits 0x%" PRIx32 " are set that are reserved", set);
}

int igvm_add_range(struct igvm_parser *parser, const struct igvm_header *header, uint32_t field,
		   gpa_t gpa, uint64_t size_bytes)
{
	struct igvm *igvm = parser->igvm;
	struct range range;

	if (!is_aligned(gpa | size_bytes, GRANULE_BYTES) ||
	    !range_init(&range, gpa, size_bytes) ||
	    range.end > UINT64_C(1) << IGVM_GPA_BITS_MAX)
		return igvm_field_malformed(parser, header, field,
					    "address 0x%" PRIx64 ", size 0x%" PRIx64
					    ": no whole pages below 2^%d",
					    gpa, size_bytes, IGVM_GPA_BITS_MAX);
	if (!size_bytes)
		return 0;
	if (igvm->n_ranges == IGVM_RANGES_MAX)
		return igvm_field_malformed(parser, header, field,
					    "more than %d ranges of memory", IGVM_RANGES_MAX);
	igvm->ranges[igvm->n_ranges++] = (struct igvm_range){
		.gpa = range,
		.header_offset = (uint32_t)header->offset,
	};
	return 0;
}
