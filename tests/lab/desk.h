/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sequences of calls to iommufd are made of: each step prints one line. */
#ifndef TESTS_LAB_DESK_H
#define TESTS_LAB_DESK_H

#include "tests/lab/bench.h"
#include "tests/lab/plug.h"

enum { DESK_PAGES = 16 };

/* An IOAS, a device and some memory of a memfd. */
struct desk {
	struct plug *plug;
	struct host *host;
	const char *name;
	int iommu;
	uint32_t ioas;
	int file;
	char *hva;
};

/* What a page begins with. */
uint64_t desk_value(uint64_t page);

/* The device is not attached yet; in the end it is detached, if that is to be done. */
void desk_start(struct desk *desk, struct plug *plug, const char *name);
void desk_end(struct desk *desk);

void desk_attach(struct desk *desk);

/* Addresses of pages of the desk's memory; what is mapped is mapped at its own place. */
struct range desk_iova(uint64_t first, uint64_t end);
void desk_map(struct desk *desk, uint64_t first, uint64_t end);
void desk_map_scratch(struct desk *desk);
void desk_unmap(struct desk *desk, uint64_t first, uint64_t end);
void desk_cut(struct desk *desk, uint64_t first, uint64_t end);

/* Options, and what can be mapped. */
void desk_set_huge(struct desk *desk, uint64_t value);
void desk_set_compat(struct desk *desk);
void desk_show_ranges(struct desk *desk);

/* Which pages the device reaches. */
void desk_look(struct desk *desk);

/* Where areas begin, and their lengths; they are gone then. */
void desk_tell_areas(struct desk *desk);

#endif
