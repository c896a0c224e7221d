/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the parsers of SNP and of TDVF metadata share; private to them.
 *
 * The table of GUIDs is read backwards, from a footer 32 bytes before the end of the image (the
 * reset vector is behind it). Each entry is its data, then the length of the whole entry in 16
 * bits, then its GUID; the footer looks the same and holds the length of the whole table.
 *
 * Metadata is a header of 16 bytes with a signature, its length, a version and how many
 * sections follow it. The table has its distance from the end of the image.
 */
#ifndef BOOT_FIRMWARE_TABLE_H
#define BOOT_FIRMWARE_TABLE_H

#include "boot/firmware/ovmf.h"

enum {
	GUID_BYTES = 16,
	TABLE_ENTRIES_MAX = 64,
	METADATA_HEADER_BYTES = 16,
};

/* A GUID as it lies in memory: its first three parts are little-endian. */
#define GUID(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                                         \
	{                                                                                     \
		(a) & 0xff, (a) >> 8 & 0xff, (a) >> 16 & 0xff, (a) >> 24, (b)&0xff, (b) >> 8, \
			(c)&0xff, (c) >> 8, d0, d1, d2, d3, d4, d5, d6, d7                    \
	}

struct firmware_table_entry {
	uint64_t guid_offset;
	uint64_t data_offset;
	uint64_t data_bytes;
};

struct firmware_table {
	struct firmware_table_entry entries[TABLE_ENTRIES_MAX];
	unsigned int n_entries;
};

/* One kind of metadata. */
struct metadata_kind {
	const char *what; /* for messages */
	uint32_t signature;
	uint32_t section_bytes;
};

/**
 * A failure at @offset in the file: "firmware 'PATH': offset 0xN: ...".
 *
 * Returns -ENOEXEC.
 */
int firmware_malformed(struct err *err, const struct ovmf_image *image, uint64_t offset,
		       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The callers have checked that the bytes are there. */
uint32_t firmware_u32(const struct ovmf_image *image, uint64_t offset);
uint64_t firmware_u64(const struct ovmf_image *image, uint64_t offset);
bool firmware_guid_is(const struct ovmf_image *image, uint64_t offset,
		      const uint8_t guid[GUID_BYTES]);

/* Has the image a size that firmware has? Returns 0 or -ENOEXEC with @err set. */
int firmware_check(const struct ovmf_image *image, struct err *err);

/**
 * Read the table of GUIDs. An image without one has no entries; that is no error.
 *
 * @image: accepted by firmware_check.
 * Returns 0 or -ENOEXEC with @err set; the table is undefined then.
 */
int firmware_table_init(struct firmware_table *ret_table, const struct ovmf_image *image,
			struct err *err);

/**
 * Find an entry.
 *
 * @what: its name, for messages. @data_bytes: how many bytes of data it must have.
 * Returns 1 with the offset of its data, 0 when there is no such entry, or -ENOEXEC with @err
 * set.
 */
int firmware_table_find(const struct ovmf_image *image, const struct firmware_table *table,
			const uint8_t guid[GUID_BYTES], const char *what, uint64_t data_bytes,
			uint64_t *ret_offset, struct err *err);

/**
 * Find the header of metadata.
 *
 * @offset: of the four bytes that hold its distance from the end of the image.
 * Returns 0 with the header's offset, not beyond the end, or -ENOEXEC with @err set.
 */
int firmware_metadata_locate(const struct ovmf_image *image, const struct metadata_kind *kind,
			     uint64_t offset, uint64_t *ret_offset, struct err *err);

/**
 * Check a header.
 *
 * @offset: any value.
 * Returns 0 with the number of sections, which follow the header and lie in the image; or
 * -ENOEXEC with @err set.
 */
int firmware_metadata_check(const struct ovmf_image *image, const struct metadata_kind *kind,
			    uint64_t offset, unsigned int *ret_n_sections, struct err *err);

/**
 * Check that a section has whole pages, at least one, below @end.
 *
 * @offset: of the section in the file, for the message.
 * Returns 0, or -ENOEXEC with @err set.
 */
int firmware_section_check(const struct ovmf_image *image, const char *what, uint64_t offset,
			   uint64_t gpa, uint64_t size_bytes, uint64_t end, struct err *err);

#endif
