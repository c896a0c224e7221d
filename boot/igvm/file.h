/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the IGVM parser: fields of headers, and what each header adds. */
#ifndef BOOT_IGVM_FILE_H
#define BOOT_IGVM_FILE_H

#include "boot/igvm/igvm.h"

enum {
	IGVM_HEADER_BYTES = 8, /* type and length, before what a variable header holds */
	IGVM_AREAS_MAX = 64,
	IGVM_GPA_BITS_MAX = 52,
};

/* A variable header. Its body lies in the file: length_bytes from offset on. */
struct igvm_header {
	uint32_t type;
	uint32_t length_bytes;
	uint64_t offset; /* of the body, in the file */
	const struct igvm_header_kind *kind;
};

/* A parameter area that may not be in guest memory yet. */
struct igvm_area {
	uint32_t index;
	uint32_t data_offset;
	uint64_t size_bytes;
	bool is_used_up; /* inserted: the index is of no more use */
};

/* A parameter until its area has an address. */
struct igvm_pending {
	struct igvm_parameter parameter; /* gpa: offset in the area */
	uint32_t area;
};

struct igvm_parser {
	struct igvm *igvm;
	struct err *err;
	uint64_t data_start; /* where headers end */
	uint32_t mask;	     /* of our platform; 0: not seen yet */
	uint32_t masks_seen; /* of all platforms */
	uint32_t types_seen; /* platforms below 32, a bit each */
	struct igvm_area areas[IGVM_AREAS_MAX];
	unsigned int n_areas;
	struct igvm_pending pending[IGVM_PARAMETERS_MAX];
	unsigned int n_pending;
};

/* One kind of header. */
struct igvm_header_kind {
	uint32_t type;
	uint32_t length_bytes; /* that it must have, when something is done with it */
	int mask_offset; /* of the compatibility mask in the body; -1: for all platforms */
	const char *name;
	/* Returns 0, or -ENOEXEC with parser->err set. NULL: nothing to do. */
	int (*take)(struct igvm_parser *parser, const struct igvm_header *header);
	enum igvm_parameter_type parameter; /* of those that are one */
};

/* Kinds that are directives, by type. */
extern const struct igvm_header_kind igvm_directives[];
extern const size_t igvm_n_directives;

/**
 * A failure at @offset in the file: "igvm 'PATH': offset 0xN: ...".
 *
 * Returns -ENOEXEC.
 */
int igvm_malformed(struct err *err, const struct igvm_file *file, uint64_t offset,
		   const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The same for the field at @field in a header's body; the header's name is put before. */
int igvm_field_malformed(const struct igvm_parser *parser, const struct igvm_header *header,
			 uint32_t field, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The callers have checked that the bytes are there. */
uint16_t igvm_u16(const struct igvm_file *file, uint64_t offset);
uint32_t igvm_u32(const struct igvm_file *file, uint64_t offset);
uint64_t igvm_u64(const struct igvm_file *file, uint64_t offset);

/* Fields of a header's body. */
uint8_t igvm_field8(const struct igvm_parser *parser, const struct igvm_header *header,
		    uint32_t field);
uint16_t igvm_field16(const struct igvm_parser *parser, const struct igvm_header *header,
		      uint32_t field);
uint32_t igvm_field32(const struct igvm_parser *parser, const struct igvm_header *header,
		      uint32_t field);
uint64_t igvm_field64(const struct igvm_parser *parser, const struct igvm_header *header,
		      uint32_t field);

/**
 * Are those of @bits in a 32-bit field zero that have to be?
 *
 * Returns 0, or -ENOEXEC with parser->err set.
 */
int igvm_field_check_zero(const struct igvm_parser *parser, const struct igvm_header *header,
			  uint32_t field, uint32_t bits);

/**
 * Add memory that there must be; none of 0 bytes.
 *
 * @field: of @gpa in the body.
 * Returns 0, or -ENOEXEC with parser->err set.
 */
int igvm_add_range(struct igvm_parser *parser, const struct igvm_header *header, uint32_t field,
		   gpa_t gpa, uint64_t size_bytes);

/* Every check that needs all of the file. Returns 0; -ENOEXEC with @err set; -ENOMEM. */
int igvm_check(const struct igvm *igvm, struct err *err);

/* The ID block of a header of that type. Returns 0, or -ENOEXEC with parser->err set. */
int igvm_take_snp_id(struct igvm_parser *parser, const struct igvm_header *header);

#endif
