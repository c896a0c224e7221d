// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/firmware/table.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "boot/bytes.h"
#include "vmm/err.h"
#include "vmm/platform.h"

enum {
	TRAILER_BYTES = 2 + GUID_BYTES, /* length and GUID of an entry */
	RESET_VECTOR_BYTES = 0x20,
	METADATA_VERSION = 1,
};

static const uint8_t guid_footer[GUID_BYTES] =
	GUID(0x96b582deU, 0x1fb2, 0x45f7, 0xba, 0xea, 0xa3, 0x66, 0xc5, 0x5a, 0x08, 0x2d);

gpa_t ovmf_image_gpa(const struct ovmf_image *image)
{
	return PLATFORM_4G - image->size_bytes;
}

int firmware_malformed(struct err *err, const struct ovmf_image *image, uint64_t offset,
		       const char *fmt, ...)
{
	char text[256];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return err_set(err, -ENOEXEC, "firmware '%s': offset 0x%" PRIx64 ": %s", image->path,
		       offset, text);
}

uint32_t firmware_u32(const struct ovmf_image *image, uint64_t offset)
{
	return bytes_get_u32(image->bytes, offset);
}

uint64_t firmware_u64(const struct ovmf_image *image, uint64_t offset)
{
	return bytes_get_u64(image->bytes, offset);
}

bool firmware_guid_is(const struct ovmf_image *image, uint64_t offset,
		      const uint8_t guid[GUID_BYTES])
{
	return memcmp(image->bytes + offset, guid, GUID_BYTES) == 0;
}

int firmware_check(const struct ovmf_image *image, struct err *err)
{
	if (image->size_bytes && image->size_bytes <= OVMF_IMAGE_MAX_BYTES &&
	    is_aligned(image->size_bytes, GRANULE_BYTES))
		return 0;
	return err_set(err, -ENOEXEC,
		       "firmware '%s': a size of %" PRIu64
		       " bytes; firmware has whole pages, 4 KiB to 16 MiB",
		       image->path, image->size_bytes);
}

static int table_add(const struct ovmf_image *image, struct firmware_table *table,
		     uint64_t start, uint64_t end, struct err *err)
{
	uint64_t guid_offset = end - GUID_BYTES;

	for (unsigned int i = 0; i < table->n_entries; i++)
		if (firmware_guid_is(image, table->entries[i].guid_offset,
				     image->bytes + guid_offset))
			return firmware_malformed(err, image, guid_offset,
						  "GUID table: the GUID at 0x%" PRIx64
						  " comes again",
						  table->entries[i].guid_offset);
	if (table->n_entries == TABLE_ENTRIES_MAX)
		return firmware_malformed(err, image, guid_offset,
					  "GUID table: more than %u entries",
					  TABLE_ENTRIES_MAX);
	table->entries[table->n_entries++] = (struct firmware_table_entry){
		.guid_offset = guid_offset,
		.data_offset = start,
		.data_bytes = end - start - TRAILER_BYTES,
	};
	return 0;
}

int firmware_table_init(struct firmware_table *ret_table, const struct ovmf_image *image,
			struct err *err)
{
	uint64_t footer_end = image->size_bytes - RESET_VECTOR_BYTES;
	uint64_t end = footer_end - TRAILER_BYTES;
	uint64_t length = bytes_get_u16(image->bytes, end);
	uint64_t start;
	int ret = 0;

	ret_table->n_entries = 0;
	if (!firmware_guid_is(image, footer_end - GUID_BYTES, guid_footer))
		return 0;
	if (length < TRAILER_BYTES || length > footer_end)
		return firmware_malformed(err, image, end,
					  "GUID table: length %" PRIu64 " (%u to %" PRIu64 ")",
					  length, TRAILER_BYTES, footer_end);

	start = footer_end - length;
	while (!ret && end > start) {
		uint64_t left = end - start;

		if (left < TRAILER_BYTES)
			return firmware_malformed(
				err, image, start,
				"GUID table: %" PRIu64 " bytes before its first entry", left);
		length = bytes_get_u16(image->bytes, end - TRAILER_BYTES);
		if (length < TRAILER_BYTES || length > left)
			return firmware_malformed(err, image, end - TRAILER_BYTES,
						  "GUID table: entry of %" PRIu64
						  " bytes (%u to %" PRIu64 ")",
						  length, TRAILER_BYTES, left);
		ret = table_add(image, ret_table, end - length, end, err);
		end -= length;
	}
	return ret;
}

int firmware_table_find(const struct ovmf_image *image, const struct firmware_table *table,
			const uint8_t guid[GUID_BYTES], const char *what, uint64_t data_bytes,
			uint64_t *ret_offset, struct err *err)
{
	for (unsigned int i = 0; i < table->n_entries; i++) {
		const struct firmware_table_entry *entry = &table->entries[i];

		if (!firmware_guid_is(image, entry->guid_offset, guid))
			continue;
		if (entry->data_bytes != data_bytes)
			return firmware_malformed(err, image, entry->data_offset,
						  "%s has %" PRIu64 " bytes, not %" PRIu64,
						  what, entry->data_bytes, data_bytes);
		*ret_offset = entry->data_offset;
		return 1;
	}
	return 0;
}

/* --- Metadata --- */

int firmware_metadata_locate(const struct ovmf_image *image, const struct metadata_kind *kind,
			     uint64_t offset, uint64_t *ret_offset, struct err *err)
{
	uint32_t distance = firmware_u32(image, offset);

	if (distance > image->size_bytes)
		return firmware_malformed(err, image, offset,
					  "%s: 0x%" PRIx32 " bytes before the end of 0x%" PRIx64
					  " bytes",
					  kind->what, distance, image->size_bytes);
	*ret_offset = image->size_bytes - distance;
	return 0;
}

int firmware_metadata_check(const struct ovmf_image *image, const struct metadata_kind *kind,
			    uint64_t offset, unsigned int *ret_n_sections, struct err *err)
{
	uint32_t length, version, n_sections;

	if (offset > image->size_bytes || image->size_bytes - offset < METADATA_HEADER_BYTES)
		return firmware_malformed(err, image, offset,
					  "%s: header is outside the image (0x%" PRIx64
					  " bytes)",
					  kind->what, image->size_bytes);
	if (firmware_u32(image, offset) != kind->signature)
		return firmware_malformed(
			err, image, offset, "%s: signature 0x%08" PRIx32 ", not 0x%08" PRIx32,
			kind->what, firmware_u32(image, offset), kind->signature);

	length = firmware_u32(image, offset + 4);
	version = firmware_u32(image, offset + 8);
	n_sections = firmware_u32(image, offset + 12);
	if (version != METADATA_VERSION)
		return firmware_malformed(err, image, offset + 8,
					  "%s: version %" PRIu32 ", not %u", kind->what,
					  version, METADATA_VERSION);
	if (!n_sections || n_sections > OVMF_SECTIONS_MAX)
		return firmware_malformed(err, image, offset + 12,
					  "%s: %" PRIu32 " sections (1 to %u)", kind->what,
					  n_sections, OVMF_SECTIONS_MAX);
	if (length != METADATA_HEADER_BYTES + n_sections * kind->section_bytes ||
	    length > image->size_bytes - offset)
		return firmware_malformed(err, image, offset + 4,
					  "%s: length %" PRIu32 " for %" PRIu32
					  " sections in 0x%" PRIx64 " bytes",
					  kind->what, length, n_sections,
					  image->size_bytes - offset);
	*ret_n_sections = n_sections;
	return 0;
}

int firmware_section_check(const struct ovmf_image *image, const char *what, uint64_t offset,
			   uint64_t gpa, uint64_t size_bytes, uint64_t end, struct err *err)
{
	struct range range;

	if (!is_aligned(gpa, GRANULE_BYTES) || !is_aligned(size_bytes, GRANULE_BYTES) ||
	    !size_bytes)
		return firmware_malformed(err, image, offset,
					  "%s: address 0x%" PRIx64 ", size 0x%" PRIx64
					  ": no whole pages",
					  what, gpa, size_bytes);
	if (!range_init(&range, gpa, size_bytes) || range.end > end)
		return firmware_malformed(err, image, offset,
					  "%s: address 0x%" PRIx64 ", size 0x%" PRIx64
					  ": ends beyond 0x%" PRIx64,
					  what, gpa, size_bytes, end);
	return 0;
}
