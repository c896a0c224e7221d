/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that is nothing but memory, to be launched and measured. */
#ifndef TESTS_UNIT_OFFLINE_H
#define TESTS_UNIT_OFFLINE_H

#include <stdio.h>

#include "boot/boot.h"
#include "boot/launch.h"
#include "tests/unit/unit.h"
#include "vmm/host_offline.h"

#define OFFLINE_RAM_BYTES (16 * MIB)

enum { LAUNCH_DIGEST_TEXT_BYTES = 2 * LAUNCH_DIGEST_BYTES + 1 };

struct offline {
	struct host host;
	struct layout layout;
	struct guest_memory *memory;
	struct launch launch;
};

/* @firmware_bytes: of memory below 4 GiB; 0: none. */
static inline void offline_init_large(struct offline *offline, uint64_t ram_bytes,
				      uint64_t firmware_bytes)
{
	*offline = (struct offline){.memory = NULL};
	host_offline_init(&offline->host);
	ck_assert_int_eq(layout_init(&offline->layout, ram_bytes, 46, NULL), 0);
	if (firmware_bytes)
		layout_add_firmware(&offline->layout, firmware_bytes);
	ck_assert_int_eq(guest_memory_new(&offline->host, HOST_OFFLINE_VM, &offline->layout,
					  BACKING_PLAIN, &offline->memory, NULL),
			 0);
}

static inline void offline_init(struct offline *offline, uint64_t firmware_bytes)
{
	offline_init_large(offline, OFFLINE_RAM_BYTES, firmware_bytes);
}

static inline void offline_add(struct offline *offline, struct range gpa, enum launch_kind kind)
{
	ck_assert_int_eq(launch_add(&offline->launch, gpa.start, range_size(gpa), kind), 0);
}

static inline void offline_fini(struct offline *offline)
{
	launch_fini(&offline->launch);
	guest_memory_free(offline->memory);
}

static inline const char *digest_format(const uint8_t digest[LAUNCH_DIGEST_BYTES],
					char ret_text[LAUNCH_DIGEST_TEXT_BYTES])
{
	for (size_t i = 0; i < LAUNCH_DIGEST_BYTES; i++)
		snprintf(ret_text + 2 * i, 3, "%02x", digest[i]);
	return ret_text;
}

#endif
