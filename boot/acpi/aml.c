// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/acpi/aml.h"

#include <string.h>

#include "vmm/err.h"

#define AML_ZERO	 0x00
#define AML_ONE		 0x01
#define AML_NAME	 0x08
#define AML_BYTE	 0x0a
#define AML_WORD	 0x0b
#define AML_DWORD	 0x0c
#define AML_STRING	 0x0d
#define AML_QWORD	 0x0e
#define AML_SCOPE	 0x10
#define AML_BUFFER	 0x11
#define AML_PACKAGE	 0x12
#define AML_METHOD	 0x14
#define AML_EXT		 0x5b
#define AML_EXT_DEVICE	 0x82
#define AML_ARG0	 0x68
#define AML_IF		 0xa0

#define AML_NAME_BYTES	 4
#define AML_LENGTH_LIMIT (UINT32_C(1) << 28)

void aml_init(struct aml *aml, void *buffer, size_t room_bytes)
{
	*aml = (struct aml){.bytes = buffer, .room_bytes = room_bytes};
}

void aml_put_bytes(struct aml *aml, const void *bytes, size_t size_bytes)
{
	if (aml->is_full || size_bytes > aml->room_bytes - aml->used_bytes) {
		aml->is_full = true;
		return;
	}
	memcpy(aml->bytes + aml->used_bytes, bytes, size_bytes);
	aml->used_bytes += size_bytes;
}

static void put_u8(struct aml *aml, unsigned int value)
{
	uint8_t byte = (uint8_t)value;

	aml_put_bytes(aml, &byte, sizeof(byte));
}

/* Put bytes in at @position, before what is there. */
static void insert_bytes(struct aml *aml, size_t position, const void *bytes, size_t size_bytes)
{
	size_t moved_bytes = aml->used_bytes - position;

	aml_put_bytes(aml, bytes, size_bytes); /* makes room, or says that there is none */
	if (aml->is_full)
		return;
	memmove(aml->bytes + position + size_bytes, aml->bytes + position, moved_bytes);
	memcpy(aml->bytes + position, bytes, size_bytes);
}

/* A name segment: padded with underscores; '\' in front for the root (20.2.2). */
static void put_name(struct aml *aml, const char *name)
{
	char segment[AML_NAME_BYTES] = {'_', '_', '_', '_'};
	size_t length;

	if (*name == '\\') {
		put_u8(aml, '\\');
		name++;
	}
	length = strlen(name);
	ASSERT(length > 0);
	ASSERT(length <= AML_NAME_BYTES);
	memcpy(segment, name, length);
	aml_put_bytes(aml, segment, sizeof(segment));
}

/*
 * PkgLength counts itself (20.2.4): up to 63 in one byte; else the low nibble of the first byte
 * holds the lowest four bits, its top two the number of bytes that follow.
 */
static size_t length_encode(size_t content_bytes, uint8_t ret_bytes[4])
{
	static const size_t limits[] = {1 << 6, 1 << 12, 1 << 20};
	size_t n = 1, value;

	while (n < 4 && content_bytes + n >= limits[n - 1])
		n++;
	value = content_bytes + n;
	if (n == 1) {
		ret_bytes[0] = (uint8_t)value;
		return n;
	}
	ret_bytes[0] = (uint8_t)((n - 1) << 6 | (value & 0xf));
	for (size_t i = 1; i < n; i++)
		ret_bytes[i] = (uint8_t)(value >> (4 + 8 * (i - 1)));
	return n;
}

void aml_end(struct aml *aml, size_t mark)
{
	uint8_t length[4];
	size_t content_bytes = aml->used_bytes - mark;

	if (aml->is_full)
		return;
	ASSERT(content_bytes < AML_LENGTH_LIMIT - sizeof(length));
	insert_bytes(aml, mark, length, length_encode(content_bytes, length));
}

size_t aml_begin_scope(struct aml *aml, const char *name)
{
	size_t mark;

	put_u8(aml, AML_SCOPE);
	mark = aml->used_bytes;
	put_name(aml, name);
	return mark;
}

size_t aml_begin_device(struct aml *aml, const char *name)
{
	size_t mark;

	put_u8(aml, AML_EXT);
	put_u8(aml, AML_EXT_DEVICE);
	mark = aml->used_bytes;
	put_name(aml, name);
	return mark;
}

size_t aml_begin_method(struct aml *aml, const char *name, unsigned int n_arguments)
{
	size_t mark;

	ASSERT(n_arguments <= 7);
	put_u8(aml, AML_METHOD);
	mark = aml->used_bytes;
	put_name(aml, name);
	put_u8(aml, n_arguments); /* not serialized */
	return mark;
}

size_t aml_begin_package(struct aml *aml, unsigned int n_elements)
{
	size_t mark;

	ASSERT(n_elements <= UINT8_MAX);
	put_u8(aml, AML_PACKAGE);
	mark = aml->used_bytes;
	put_u8(aml, n_elements);
	return mark;
}

size_t aml_begin_if(struct aml *aml)
{
	put_u8(aml, AML_IF);
	return aml->used_bytes;
}

void aml_name(struct aml *aml, const char *name)
{
	put_u8(aml, AML_NAME);
	put_name(aml, name);
}

void aml_string(struct aml *aml, const char *text)
{
	put_u8(aml, AML_STRING);
	aml_put_bytes(aml, text, strlen(text) + 1);
}

/* The shortest form, as compilers choose it. */
static size_t integer_encode(uint64_t value, uint8_t ret_bytes[9])
{
	static const struct {
		uint64_t max;
		uint8_t prefix;
		uint8_t size_bytes;
	} forms[] = {
		{UINT8_MAX, AML_BYTE, 1},
		{UINT16_MAX, AML_WORD, 2},
		{UINT32_MAX, AML_DWORD, 4},
		{UINT64_MAX, AML_QWORD, 8},
	};
	unsigned int i = 0;

	if (value <= 1) {
		ret_bytes[0] = value ? AML_ONE : AML_ZERO;
		return 1;
	}
	while (value > forms[i].max)
		i++;
	ret_bytes[0] = forms[i].prefix;
	for (unsigned int j = 0; j < forms[i].size_bytes; j++)
		ret_bytes[1 + j] = (uint8_t)(value >> (8 * j));
	return 1 + (size_t)forms[i].size_bytes;
}

void aml_integer(struct aml *aml, uint64_t value)
{
	uint8_t bytes[9];

	aml_put_bytes(aml, bytes, integer_encode(value, bytes));
}

static unsigned int hex_digit(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *digit = c ? strchr(digits, c) : NULL;

	ASSERT(digit);
	return (unsigned int)(digit - digits) % 16;
}

/* Three letters of five bits, four hexadecimal digits; stored with its most significant byte
 * first. */
void aml_eisa_id(struct aml *aml, const char *id)
{
	uint8_t bytes[5] = {AML_DWORD};
	uint32_t value = 0;

	ASSERT(strlen(id) == 7);
	for (unsigned int i = 0; i < 3; i++)
		value = value << 5 | ((unsigned int)(id[i] - '@') & 0x1f);
	for (unsigned int i = 3; i < 7; i++)
		value = value << 4 | hex_digit(id[i]);
	for (unsigned int i = 0; i < sizeof(value); i++)
		bytes[1 + i] = (uint8_t)(value >> (24 - 8 * i));
	aml_put_bytes(aml, bytes, sizeof(bytes));
}

void aml_buffer(struct aml *aml, const void *bytes, size_t size_bytes)
{
	size_t mark;

	put_u8(aml, AML_BUFFER);
	mark = aml->used_bytes;
	aml_integer(aml, size_bytes);
	aml_put_bytes(aml, bytes, size_bytes);
	aml_end(aml, mark);
}

/* The first three fields are little endian (19.6.142, ToUUID). */
void aml_uuid(struct aml *aml, const char *text)
{
	static const uint8_t places[16] = {3, 2, 1,  0,	 5,  4,	 7,  6,
					   8, 9, 10, 11, 12, 13, 14, 15};
	uint8_t bytes[16];

	ASSERT(strlen(text) == 36);
	for (unsigned int i = 0; i < sizeof(bytes); i++) {
		text += *text == '-';
		bytes[places[i]] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
		text += 2;
	}
	aml_buffer(aml, bytes, sizeof(bytes));
}

void aml_reference(struct aml *aml, const char *name)
{
	put_name(aml, name);
}

void aml_argument(struct aml *aml, unsigned int index)
{
	ASSERT(index <= 6);
	put_u8(aml, AML_ARG0 + index);
}

void aml_op(struct aml *aml, enum aml_op op)
{
	put_u8(aml, op);
}

size_t aml_begin_resources(struct aml *aml)
{
	put_u8(aml, AML_BUFFER);
	return aml->used_bytes;
}

void aml_end_resources(struct aml *aml, size_t mark)
{
	/* An end tag whose checksum is 0 is taken as right (6.4.2.9). */
	static const uint8_t end_tag[] = {0x79, 0x00};
	uint8_t size[9];

	aml_put_bytes(aml, end_tag, sizeof(end_tag));
	if (aml->is_full)
		return;
	insert_bytes(aml, mark, size, integer_encode(aml->used_bytes - mark, size));
	aml_end(aml, mark);
}
