/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small IGVM files for tests: right in every field, so that a test can break one. */
#ifndef TESTS_UNIT_IGVM_WRITER_H
#define TESTS_UNIT_IGVM_WRITER_H

#include <string.h>

#include "boot/igvm/igvm.h"
#include "vmm/err.h"

enum {
	WRITER_BYTES = 128 << 10,
	WRITER_DATA = 8 << 10, /* headers are before, data is behind */
	WRITER_SNP = 1 << 0,   /* compatibility masks */
	WRITER_TDX = 1 << 2,
	WRITER_NATIVE = 1 << 1,
	WRITER_ALL = 7,
	/* In the fixed header. */
	WRITER_VERSION = 4,
	WRITER_HEADERS = 8,
	WRITER_HEADERS_SIZE = 12,
	WRITER_TOTAL = 16,
	WRITER_CHECKSUM = 20,
};

struct igvm_writer {
	uint8_t bytes[WRITER_BYTES];
	uint32_t fixed_bytes;
	uint32_t headers_end;
	uint32_t data_end;
	struct igvm_file file;
};

/* One that is not the parser's: by nibbles, with the table of zlib's polynomial. */
static inline uint32_t writer_crc(uint32_t crc, const uint8_t *bytes, size_t n)
{
	static const uint32_t nibbles[16] = {
		0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4,
		0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c,
		0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
	};

	for (size_t i = 0; i < n; i++) {
		crc ^= bytes[i];
		crc = crc >> 4 ^ nibbles[crc & 15];
		crc = crc >> 4 ^ nibbles[crc & 15];
	}
	return crc;
}

static inline void writer_put16(struct igvm_writer *writer, uint32_t offset, uint16_t value)
{
	memcpy(writer->bytes + offset, &value, sizeof(value));
}

static inline void writer_put32(struct igvm_writer *writer, uint32_t offset, uint32_t value)
{
	memcpy(writer->bytes + offset, &value, sizeof(value));
}

static inline void writer_put64(struct igvm_writer *writer, uint32_t offset, uint64_t value)
{
	memcpy(writer->bytes + offset, &value, sizeof(value));
}

static inline uint32_t writer_get32(const struct igvm_writer *writer, uint32_t offset)
{
	uint32_t value;

	memcpy(&value, writer->bytes + offset, sizeof(value));
	return value;
}

/* After every change of the headers. */
static inline void writer_put_checksum(struct igvm_writer *writer)
{
	uint32_t start = writer_get32(writer, WRITER_HEADERS);
	uint32_t n = writer_get32(writer, WRITER_HEADERS_SIZE);
	uint32_t crc;

	writer_put32(writer, WRITER_CHECKSUM, 0);
	if (start > WRITER_BYTES || n > WRITER_BYTES - start)
		return;
	crc = writer_crc(UINT32_MAX, writer->bytes, writer->fixed_bytes);
	writer_put32(writer, WRITER_CHECKSUM, ~writer_crc(crc, writer->bytes + start, n));
}

static inline void writer_init(struct igvm_writer *writer, unsigned int version)
{
	memset(writer, 0, sizeof(*writer));
	writer->fixed_bytes = version == 1 ? 24 : 32;
	writer->headers_end = writer->fixed_bytes;
	writer->data_end = WRITER_DATA;
	memcpy(writer->bytes, "IGVM", 4);
	writer_put32(writer, WRITER_VERSION, version);
	writer_put32(writer, WRITER_HEADERS, writer->fixed_bytes);
	if (version == 2)
		writer_put32(writer, 28, 4096);
}

static inline void writer_end(struct igvm_writer *writer)
{
	writer_put32(writer, WRITER_HEADERS_SIZE, writer->headers_end - writer->fixed_bytes);
	writer_put32(writer, WRITER_TOTAL, writer->data_end);
	writer_put_checksum(writer);
	writer->file = (struct igvm_file){
		.path = "guest.igvm",
		.bytes = writer->bytes,
		.size_bytes = writer->data_end,
	};
}

/* A header of zeroes. Returns the offset of its body. */
static inline uint32_t writer_add(struct igvm_writer *writer, uint32_t type, uint32_t n)
{
	uint32_t offset = writer->headers_end + 8;

	ASSERT(align_up(offset + n, 8) <= WRITER_DATA);
	writer_put32(writer, offset - 8, type);
	writer_put32(writer, offset - 4, n);
	writer->headers_end = (uint32_t)align_up(offset + n, 8);
	return offset;
}

/* Returns where the data is in the file. */
static inline uint32_t writer_add_data(struct igvm_writer *writer, const void *bytes,
				       uint32_t n)
{
	uint32_t offset = writer->data_end;

	ASSERT(n <= WRITER_BYTES - offset);
	memcpy(writer->bytes + offset, bytes, n);
	writer->data_end += n;
	return offset;
}

static inline uint32_t writer_add_platform(struct igvm_writer *writer, uint32_t mask,
					   enum igvm_platform platform)
{
	uint32_t body = writer_add(writer, 0x1, 16);

	writer_put32(writer, body, mask);
	writer->bytes[body + 4] = 2; /* highest VTL */
	writer->bytes[body + 5] = (uint8_t)platform;
	writer_put16(writer, body + 6, 1);
	return body;
}

static inline uint32_t writer_add_policy(struct igvm_writer *writer, uint32_t mask,
					 uint64_t policy)
{
	uint32_t body = writer_add(writer, 0x101, 16);

	writer_put64(writer, body, policy);
	writer_put32(writer, body + 8, mask);
	return body;
}

/* @fill: of all bytes; -1: no data. @flags: 2 unmeasured. @type: 1 secrets, 2 CPUID. */
static inline uint32_t writer_add_page(struct igvm_writer *writer, uint32_t mask, gpa_t gpa,
				       int fill, uint32_t flags, uint16_t type)
{
	uint32_t body = writer_add(writer, 0x302, 24);
	uint8_t page[GRANULE_BYTES];

	memset(page, fill, sizeof(page));
	writer_put64(writer, body, gpa);
	writer_put32(writer, body + 8, mask);
	if (fill >= 0)
		writer_put32(writer, body + 12, writer_add_data(writer, page, sizeof(page)));
	writer_put32(writer, body + 16, flags);
	writer_put16(writer, body + 20, type);
	return body;
}

static inline uint32_t writer_add_area(struct igvm_writer *writer, uint32_t index,
				       uint64_t size_bytes, uint32_t data_offset)
{
	uint32_t body = writer_add(writer, 0x301, 16);

	writer_put64(writer, body, size_bytes);
	writer_put32(writer, body + 8, index);
	writer_put32(writer, body + 12, data_offset);
	return body;
}

static inline uint32_t writer_add_parameter(struct igvm_writer *writer, uint32_t type,
					    uint32_t index, uint32_t offset)
{
	uint32_t body = writer_add(writer, type, 8);

	writer_put32(writer, body, index);
	writer_put32(writer, body + 4, offset);
	return body;
}

static inline uint32_t writer_add_insert(struct igvm_writer *writer, uint32_t mask, gpa_t gpa,
					 uint32_t index)
{
	uint32_t body = writer_add(writer, 0x303, 16);

	writer_put64(writer, body, gpa);
	writer_put32(writer, body + 8, mask);
	writer_put32(writer, body + 12, index);
	return body;
}

static inline uint32_t writer_add_context(struct igvm_writer *writer, uint32_t mask, gpa_t gpa,
					  const void *page)
{
	uint32_t body = writer_add(writer, 0x304, 20);

	writer_put64(writer, body, gpa);
	writer_put32(writer, body + 8, mask);
	writer_put32(writer, body + 12, writer_add_data(writer, page, GRANULE_BYTES));
	return body;
}

/* @type: 0x305 required memory (24 bytes), 0x30d error range (16). */
static inline uint32_t writer_add_range(struct igvm_writer *writer, uint32_t type,
					uint32_t mask, gpa_t gpa, uint32_t size_bytes)
{
	uint32_t body = writer_add(writer, type, type == 0x305 ? 24 : 16);

	writer_put64(writer, body, gpa);
	writer_put32(writer, body + 8, mask);
	writer_put32(writer, body + 12, size_bytes);
	return body;
}

/* An ID block, each field of bytes of its own. */
static inline uint32_t writer_add_id(struct igvm_writer *writer, uint32_t mask, bool has_author)
{
	uint32_t body = writer_add(writer, 0x30b, 696);
	static const struct {
		uint32_t offset, n;
		int fill;
	} fields[] = {{8, 48, 0xd1},   {56, 16, 0xfa},	{72, 16, 0x1a},	 {104, 72, 0xa1},
		      {176, 72, 0xa2}, {256, 72, 0xb1}, {328, 72, 0xb2}, {400, 72, 0xc1},
		      {472, 72, 0xc2}, {552, 72, 0xe1}, {624, 72, 0xe2}};
	unsigned int n_fields = has_author ? ARRAY_SIZE(fields) : 7;

	writer_put32(writer, body, mask);
	writer->bytes[body + 4] = has_author;
	for (unsigned int i = 0; i < n_fields; i++)
		memset(writer->bytes + body + fields[i].offset, fields[i].fill, fields[i].n);
	writer_put32(writer, body + 88, 1); /* version */
	writer_put32(writer, body + 92, 7); /* security version of the guest */
	writer_put32(writer, body + 96, 1); /* algorithms */
	writer_put32(writer, body + 100, 1);
	writer_put32(writer, body + 248, 2); /* curves */
	if (has_author)
		writer_put32(writer, body + 544, 2);
	return body;
}

/* The VMSA of COCONUT-SVSM: 32-bit, nothing of what KVM's reset has in registers of debugging
 * and floating point. */
static inline void writer_make_vmsa(uint8_t ret_page[GRANULE_BYTES])
{
	static const struct kvm_segment data = {.selector = 0x10,
						.limit = UINT32_MAX,
						.type = 3,
						.s = 1,
						.present = 1,
						.l = 1,
						.g = 1};
	const struct boot_vcpu vcpu = {
		.regs = {.rip = 0x800000, .rsp = 0x80ff00, .rflags = 2},
		.sregs = {.cs = {.selector = 8,
				 .limit = UINT32_MAX,
				 .type = 11,
				 .s = 1,
				 .present = 1,
				 .db = 1,
				 .g = 1},
			  .ds = data,
			  .es = data,
			  .fs = data,
			  .gs = data,
			  .ss = data,
			  .cr0 = 0x31,
			  .cr3 = 0x801000,
			  .cr4 = 0x60},
		.has_state = true,
		.state = {.pat = 0x0007040600070406},
	};

	vmsa_init(ret_page, &vcpu, 0);
}

#endif
