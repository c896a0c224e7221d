/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small firmware for tests: right in every field, so that a test can break one. */
#ifndef TESTS_UNIT_FIRMWARE_H
#define TESTS_UNIT_FIRMWARE_H

#include <stdio.h>
#include <string.h>

#include "boot/firmware/ovmf.h"
#include "tests/unit/unit.h"

enum {
	FIRMWARE_BYTES = 16 << 10,
	FIRMWARE_TDVF = 0x2010, /* the GUID is before it */
	FIRMWARE_SNP = 0x3000,
	FIRMWARE_FOOTER = FIRMWARE_BYTES - 0x20 - 18,
	/* Entries, from the footer down: where their data is. */
	FIRMWARE_AP_ENTRY = FIRMWARE_FOOTER - 22,
	FIRMWARE_SECRETS = FIRMWARE_AP_ENTRY - 26,
	FIRMWARE_HASHES = FIRMWARE_SECRETS - 26,
	FIRMWARE_SNP_ENTRY = FIRMWARE_HASHES - 22,
	FIRMWARE_TDX_ENTRY = FIRMWARE_SNP_ENTRY - 22,
};

struct firmware {
	uint8_t bytes[FIRMWARE_BYTES];
	struct ovmf_image image;
};

/* In order, the sections of SNP metadata: address, size, type. */
static const uint32_t firmware_snp_sections[][3] = {
	{0x800000, 0x9000, 1}, {0x80d000, 0x1000, 2},  {0x80e000, 0x1000, 3},
	{0x80f000, 0x1000, 4}, {0x810000, 0x1000, 16},
};

/* Those of TDVF: offset and size in the file, low halves of address and size, type, attributes.
 */
static const uint32_t firmware_tdvf_sections[][6] = {
	{0x1000, 0x3000, 0xffffd000, 0x3000, 0, 1},
	{0, 0x1000, 0xffffc000, 0x1000, 1, 0},
	{0, 0, 0x809000, 0x2000, 2, 0},
	{0, 0, 0x80b000, 0x2000, 3, 0},
	{0, 0, 0x1000000, 0x100000, 4, 2},
	{0x1000, 0x10, 0, 0, 7, 0},
};

static inline void firmware_put16(struct firmware *firmware, unsigned int offset,
				  uint16_t value)
{
	memcpy(firmware->bytes + offset, &value, sizeof(value));
}

static inline void firmware_put32(struct firmware *firmware, unsigned int offset,
				  uint32_t value)
{
	memcpy(firmware->bytes + offset, &value, sizeof(value));
}

/* The length and GUID behind @data_bytes of data at @offset. */
static inline void firmware_put_trailer(struct firmware *firmware, unsigned int offset,
					unsigned int data_bytes, uint16_t length,
					const char *guid)
{
	firmware_put16(firmware, offset + data_bytes, length);
	memcpy(firmware->bytes + offset + data_bytes + 2, guid, 16);
}

static inline void firmware_put_header(struct firmware *firmware, unsigned int offset,
				       const char *signature, uint32_t n_sections,
				       uint32_t section_bytes)
{
	memcpy(firmware->bytes + offset, signature, 4);
	firmware_put32(firmware, offset + 4, 16 + n_sections * section_bytes);
	firmware_put32(firmware, offset + 8, 1);
	firmware_put32(firmware, offset + 12, n_sections);
}

static inline void firmware_put_table(struct firmware *firmware)
{
	firmware_put_trailer(
		firmware, FIRMWARE_FOOTER, 0, 18 + 22 + 26 + 26 + 22 + 22,
		"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d");
	firmware_put32(firmware, FIRMWARE_AP_ENTRY, 0x80b004);
	firmware_put_trailer(
		firmware, FIRMWARE_AP_ENTRY, 4, 22,
		"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e");
	firmware_put32(firmware, FIRMWARE_SECRETS, 0x810000);
	firmware_put32(firmware, FIRMWARE_SECRETS + 4, 0xc00);
	firmware_put_trailer(
		firmware, FIRMWARE_SECRETS, 8, 26,
		"\x61\xb3\x2e\x4c\x9b\x7d\xc3\x4c\x80\x81\x12\x7c\x90\xd3\xd2\x94");
	firmware_put32(firmware, FIRMWARE_HASHES, 0x810c00);
	firmware_put32(firmware, FIRMWARE_HASHES + 4, 0x400);
	firmware_put_trailer(
		firmware, FIRMWARE_HASHES, 8, 26,
		"\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54");
	firmware_put32(firmware, FIRMWARE_SNP_ENTRY, FIRMWARE_BYTES - FIRMWARE_SNP);
	firmware_put_trailer(
		firmware, FIRMWARE_SNP_ENTRY, 4, 22,
		"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc");
	firmware_put32(firmware, FIRMWARE_TDX_ENTRY, FIRMWARE_BYTES - FIRMWARE_TDVF);
	firmware_put_trailer(
		firmware, FIRMWARE_TDX_ENTRY, 4, 22,
		"\x35\x65\x7a\xe4\x4a\x98\x98\x47\x86\x5e\x46\x85\xa7\xbf\x8e\xc2");
}

static inline void firmware_make(struct firmware *firmware)
{
	for (unsigned int i = 0; i < FIRMWARE_BYTES; i++)
		firmware->bytes[i] = (uint8_t)(i >> 12);
	firmware->image = (struct ovmf_image){
		.path = "fw",
		.bytes = firmware->bytes,
		.size_bytes = FIRMWARE_BYTES,
	};
	firmware_put_table(firmware);
	firmware_put_header(firmware, FIRMWARE_SNP, "ASEV", ARRAY_SIZE(firmware_snp_sections),
			    12);
	memcpy(firmware->bytes + FIRMWARE_SNP + 16, firmware_snp_sections,
	       sizeof(firmware_snp_sections));
	memcpy(firmware->bytes + FIRMWARE_TDVF - 16,
	       "\xf3\xf9\xea\xe9\x8e\x16\xd5\x44\xa8\xeb\x7f\x4d\x87\x38\xf6\xae", 16);
	firmware_put_header(firmware, FIRMWARE_TDVF, "TDVF", ARRAY_SIZE(firmware_tdvf_sections),
			    32);
	for (unsigned int i = 0; i < ARRAY_SIZE(firmware_tdvf_sections); i++) {
		static const unsigned int offsets[] = {0, 4, 8, 16, 24, 28};

		memset(firmware->bytes + FIRMWARE_TDVF + 16 + i * 32, 0, 32);
		for (unsigned int k = 0; k < ARRAY_SIZE(offsets); k++)
			firmware_put32(firmware, FIRMWARE_TDVF + 16 + i * 32 + offsets[k],
				       firmware_tdvf_sections[i][k]);
	}
}

/* The end of a real image; see tests/unit/vectors/README.md. */
static inline void firmware_read_suffix(uint8_t ret_bytes[4096], struct ovmf_image *ret_image)
{
	static const char path[] = "tests/unit/vectors/ovmf_AmdSev_suffix.bin";
	FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(ret_bytes, 1, 4096, file), 4096);
	fclose(file);
	*ret_image = (struct ovmf_image){.path = path, .bytes = ret_bytes, .size_bytes = 4096};
}

#endif
