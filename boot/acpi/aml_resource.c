// SPDX-License-Identifier: GPL-2.0-or-later
/* Resource descriptors: what stands in a resource template. Source: ACPI 6.5, 6.4. */
#include "boot/acpi/aml.h"

#define IO_DECODE16	   0x01
#define MEMORY_WRITABLE	   0x01
#define INTERRUPT_CONSUMER 0x01
#define INTERRUPT_EDGE	   0x02 /* active high and exclusive are 0 */
#define WINDOW_FIXED	   0x0c /* minimum and maximum are fixed; decoding is positive */

enum window_type {
	WINDOW_MEMORY = 0,
	WINDOW_BUS = 2,
};

/* 6.4.2.5 */
struct resource_io {
	uint8_t tag;
	uint8_t information;
	uint16_t minimum;
	uint16_t maximum;
	uint8_t alignment;
	uint8_t n_ports;
} __attribute__((packed));

/* 6.4.3.4 */
struct resource_memory32 {
	uint8_t tag;
	uint16_t length;
	uint8_t information;
	uint32_t start;
	uint32_t size_bytes;
} __attribute__((packed));

/* 6.4.3.6 */
struct resource_interrupt {
	uint8_t tag;
	uint16_t length;
	uint8_t flags;
	uint8_t n_interrupts;
	uint32_t interrupt;
} __attribute__((packed));

/* What address space descriptors have in common, 6.4.3.5. */
struct resource_window {
	uint8_t tag;
	uint16_t length;
	uint8_t type;
	uint8_t flags;
	uint8_t type_flags;
} __attribute__((packed));

struct resource_window16 {
	struct resource_window window;
	uint16_t granularity, minimum, maximum, translation, length;
} __attribute__((packed));

struct resource_window32 {
	struct resource_window window;
	uint32_t granularity, minimum, maximum, translation, length;
} __attribute__((packed));

struct resource_window64 {
	struct resource_window window;
	uint64_t granularity, minimum, maximum, translation, length;
} __attribute__((packed));

/* The length field of a large descriptor does not count the tag and itself. */
#define LARGE_LENGTH(type) ((uint16_t)(sizeof(type) - 3))

void aml_resource_io(struct aml *aml, uint16_t port, uint8_t n_ports)
{
	const struct resource_io io = {
		.tag = 0x47,
		.information = IO_DECODE16,
		.minimum = port,
		.maximum = port,
		.alignment = 1,
		.n_ports = n_ports,
	};

	aml_put_bytes(aml, &io, sizeof(io));
}

void aml_resource_interrupt(struct aml *aml, uint32_t gsi)
{
	const struct resource_interrupt interrupt = {
		.tag = 0x89,
		.length = LARGE_LENGTH(struct resource_interrupt),
		.flags = INTERRUPT_CONSUMER | INTERRUPT_EDGE,
		.n_interrupts = 1,
		.interrupt = gsi,
	};

	aml_put_bytes(aml, &interrupt, sizeof(interrupt));
}

void aml_resource_memory32(struct aml *aml, uint32_t start, uint32_t size_bytes)
{
	const struct resource_memory32 memory = {
		.tag = 0x86,
		.length = LARGE_LENGTH(struct resource_memory32),
		.information = MEMORY_WRITABLE,
		.start = start,
		.size_bytes = size_bytes,
	};

	aml_put_bytes(aml, &memory, sizeof(memory));
}

void aml_resource_bus_window(struct aml *aml, uint16_t first, uint16_t last)
{
	const struct resource_window16 window = {
		.window =
			{
				.tag = 0x88,
				.length = LARGE_LENGTH(struct resource_window16),
				.type = WINDOW_BUS,
				.flags = WINDOW_FIXED,
			},
		.minimum = first,
		.maximum = last,
		.length = (uint16_t)(last - first + 1),
	};

	aml_put_bytes(aml, &window, sizeof(window));
}

void aml_resource_memory32_window(struct aml *aml, uint32_t start, uint32_t last)
{
	const struct resource_window32 window = {
		.window =
			{
				.tag = 0x87,
				.length = LARGE_LENGTH(struct resource_window32),
				.type = WINDOW_MEMORY,
				.flags = WINDOW_FIXED,
				.type_flags = MEMORY_WRITABLE,
			},
		.minimum = start,
		.maximum = last,
		.length = last - start + 1,
	};

	aml_put_bytes(aml, &window, sizeof(window));
}

void aml_resource_memory64_window(struct aml *aml, uint64_t start, uint64_t last)
{
	const struct resource_window64 window = {
		.window =
			{
				.tag = 0x8a,
				.length = LARGE_LENGTH(struct resource_window64),
				.type = WINDOW_MEMORY,
				.flags = WINDOW_FIXED,
				.type_flags = MEMORY_WRITABLE,
			},
		.minimum = start,
		.maximum = last,
		.length = last - start + 1,
	};

	aml_put_bytes(aml, &window, sizeof(window));
}
