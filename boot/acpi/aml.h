/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An encoder for the little AML we need, into a buffer of fixed size.
 *
 * Nothing here fails on its own: when the buffer is full, everything that follows is dropped
 * and is_full is set. Calls nest as the language does: what is begun is ended in reverse
 * order.
 *
 * Source: ACPI 6.5, chapter 20 (encoding), 6.4 (resource data types), 19.3.4 (EISA
 * identifiers).
 */
#ifndef BOOT_AML_H
#define BOOT_AML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
	uint8_t *bytes;
	size_t room_bytes;
	size_t used_bytes;
	bool is_full; /* something was dropped */
};

void aml_init(struct aml *aml, void *buffer, size_t room_bytes);

/* --- Terms --- */

/*
 * What aml_begin_* returns is a mark, for the aml_end_* that belongs to it: where the length of
 * the term goes when it is known.
 */
size_t aml_begin_scope(struct aml *aml, const char *name);
size_t aml_begin_device(struct aml *aml, const char *name);
size_t aml_begin_method(struct aml *aml, const char *name, unsigned int n_arguments);
size_t aml_begin_package(struct aml *aml, unsigned int n_elements);
size_t aml_begin_if(struct aml *aml);
void aml_end(struct aml *aml, size_t mark);

/*
 * Name (@name, ...): the value follows.
 * @name, everywhere: one segment of one to four characters; a backslash in front is the root.
 */
void aml_name(struct aml *aml, const char *name);

/* --- Values and expressions, in the order they are evaluated --- */

void aml_string(struct aml *aml, const char *text);
void aml_integer(struct aml *aml, uint64_t value);
/* "PNP0A08" and its like, as an integer. */
void aml_eisa_id(struct aml *aml, const char *id);
void aml_buffer(struct aml *aml, const void *bytes, size_t size_bytes);
/* "33db4d5b-1ff7-401c-9657-7441c03dd766", as a buffer. */
void aml_uuid(struct aml *aml, const char *text);
/* A name that is used. */
void aml_reference(struct aml *aml, const char *name);
/* ArgX, X 0..6. */
void aml_argument(struct aml *aml, unsigned int index);

enum aml_op {
	AML_OP_OR = 0x7d,		  /* two operands and where the result goes */
	AML_OP_CREATE_DWORD_FIELD = 0x8a, /* buffer, index, name */
	AML_OP_LNOT = 0x92,		  /* one operand */
	AML_OP_LEQUAL = 0x93,		  /* two operands */
	AML_OP_RETURN = 0xa4,		  /* one operand */
};

/* An operator; what it works on follows. */
void aml_op(struct aml *aml, enum aml_op op);

/* Bytes that are encoded already. */
void aml_put_bytes(struct aml *aml, const void *bytes, size_t size_bytes);

/* --- Resource templates: the value of a _CRS --- */

size_t aml_begin_resources(struct aml *aml);
void aml_end_resources(struct aml *aml, size_t mark);

/* @n_ports: at exactly @port. */
void aml_resource_io(struct aml *aml, uint16_t port, uint8_t n_ports);
/* An edge-triggered, active-high, exclusive interrupt. */
void aml_resource_interrupt(struct aml *aml, uint32_t gsi);
/* Writable memory at a fixed place, used by the device. */
void aml_resource_memory32(struct aml *aml, uint32_t start, uint32_t size_bytes);
/* Windows that a bridge passes on; @last is inclusive. */
void aml_resource_bus_window(struct aml *aml, uint16_t first, uint16_t last);
void aml_resource_memory32_window(struct aml *aml, uint32_t start, uint32_t last);
void aml_resource_memory64_window(struct aml *aml, uint64_t start, uint64_t last);

#endif
