// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The part of RAM that the mover takes:
 *
 *   a page	private: gets a copy of the next one, in which the mover ends
 *   a page	code, and what it works by (mover_page.h)
 *   the rest	copies of all pieces, in their order
 *
 * The first page stays as the mover leaves it; for the kernel it is free memory.
 */
#include "boot/boot.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "boot/launch.h"
#include "boot/mover_page.h"
#include "boot/place.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

/* mover_code.S */
extern const char mover_code[], mover_code_long[], mover_code_end[];

enum {
	PIECES_MAX = (GRANULE_BYTES - MOVER_PIECES) / MOVER_PIECE_BYTES,
	BOUNCE_BYTES = 64 << 10,
	WORD_BYTES = sizeof(uint32_t),
};

struct mover_piece {
	uint32_t from;
	uint32_t to;
	uint32_t n_words;
};

/* Little endian, like all of x86. */
struct mover_page {
	char code[MOVER_CODE_BYTES];
	uint32_t n_pieces;
	uint32_t page_copy;
	uint32_t hide_gpa;
	uint32_t hide_pages;
	uint32_t rip;
	uint32_t rsi;
	uint32_t rbx;
	uint32_t cr3;
	uint32_t far_address;
	uint32_t far_selector;
	struct mover_piece pieces[PIECES_MAX];
	uint32_t unused;
};

_Static_assert(offsetof(struct mover_page, n_pieces) == MOVER_N_PIECES, "mover_page.h");
_Static_assert(offsetof(struct mover_page, page_copy) == MOVER_PAGE_COPY, "mover_page.h");
_Static_assert(offsetof(struct mover_page, hide_gpa) == MOVER_HIDE_GPA, "mover_page.h");
_Static_assert(offsetof(struct mover_page, hide_pages) == MOVER_HIDE_PAGES, "mover_page.h");
_Static_assert(offsetof(struct mover_page, rip) == MOVER_RIP, "mover_page.h");
_Static_assert(offsetof(struct mover_page, rsi) == MOVER_RSI, "mover_page.h");
_Static_assert(offsetof(struct mover_page, rbx) == MOVER_RBX, "mover_page.h");
_Static_assert(offsetof(struct mover_page, cr3) == MOVER_CR3, "mover_page.h");
_Static_assert(offsetof(struct mover_page, far_address) == MOVER_FAR, "mover_page.h");
_Static_assert(offsetof(struct mover_page, pieces) == MOVER_PIECES, "mover_page.h");
_Static_assert(offsetof(struct mover_piece, from) == MOVER_PIECE_FROM, "mover_page.h");
_Static_assert(offsetof(struct mover_piece, to) == MOVER_PIECE_TO, "mover_page.h");
_Static_assert(offsetof(struct mover_piece, n_words) == MOVER_PIECE_WORDS, "mover_page.h");
_Static_assert(sizeof(struct mover_piece) == MOVER_PIECE_BYTES, "mover_page.h");
_Static_assert(sizeof(struct mover_page) == GRANULE_BYTES, "one page");

/* The highest place for @size_bytes in RAM below 4 GiB, and above 1 MiB, beside all pieces. */
static int find_room(const struct layout *layout, const struct launch *launch,
		     uint64_t size_bytes, struct range *ret_gpa, struct err *err)
{
	uint64_t end = layout->ram[0].end;

	for (size_t i = launch->n_pieces;; i--) {
		uint64_t start = i ? launch->pieces[i - 1].gpa.end : 0;

		if (start < PLACE_HIGH_RAM_GPA)
			start = PLACE_HIGH_RAM_GPA;
		if (end >= start && end - start >= size_bytes) {
			*ret_gpa = (struct range){.start = end - size_bytes, .end = end};
			return 0;
		}
		if (i == 0)
			break;
		end = launch->pieces[i - 1].gpa.start;
	}
	return err_set(
		err, -ENOSPC,
		"memory: no room for a second copy of what the guest starts with (%" PRIu64
		" KiB) below 4 GiB; give the guest more memory",
		size_bytes / KIB);
}

static int memory_copy(struct guest_memory *memory, struct range from, gpa_t to,
		       struct err *err)
{
	_cleanup_free_ char *bounce = malloc(BOUNCE_BYTES);
	int ret = bounce ? 0 : -ENOMEM;

	while (!range_is_empty(from) && !ret) {
		uint64_t left_bytes = range_size(from);
		size_t size_bytes = left_bytes < BOUNCE_BYTES ? left_bytes : BOUNCE_BYTES;

		ret = guest_read(memory, from.start, bounce, size_bytes);
		if (!ret)
			ret = guest_write(memory, to, bounce, size_bytes);
		from.start += size_bytes;
		to += size_bytes;
	}
	return ret ? err_set(err, ret, "memory: cannot copy what the guest starts with: %s",
			     err_describe(ret))
		   : 0;
}

static void page_add(struct mover_page *page, gpa_t from, struct range to)
{
	page->pieces[page->n_pieces++] = (struct mover_piece){
		.from = (uint32_t)from,
		.to = (uint32_t)to.start,
		.n_words = (uint32_t)(range_size(to) / WORD_BYTES),
	};
}

/* @gpa: all that the mover takes. */
static void page_init(struct mover_page *ret_page, struct range gpa,
		      const struct boot_entry *entry)
{
	uint32_t copy = (uint32_t)gpa.start;

	*ret_page = (struct mover_page){
		.page_copy = copy,
		.hide_gpa = copy + (uint32_t)GRANULE_BYTES,
		.hide_pages = (uint32_t)(range_size(gpa) / GRANULE_BYTES) - 1,
		.rip = (uint32_t)entry->rip,
		.rsi = (uint32_t)entry->rsi,
		.rbx = (uint32_t)entry->rbx,
		.cr3 = (uint32_t)entry->cr3,
		.far_address = copy + (uint32_t)(mover_code_long - mover_code),
		.far_selector = BOOT_CODE_SELECTOR,
	};
	ASSERT(mover_code_end - mover_code <= MOVER_CODE_BYTES);
	memcpy(ret_page->code, mover_code, (size_t)(mover_code_end - mover_code));
}

static int check_arguments(const struct launch *launch, const struct boot_entry *entry,
			   struct err *err)
{
	if (entry->mode != BOOT_MODE_LONG64 && entry->mode != BOOT_MODE_PVH32)
		return err_set(
			err, -EOPNOTSUPP,
			"memory: with two backings, only a guest that starts with a kernel "
			"can have all of it private from the start");
	ASSERT(launch->n_pieces > 0);
	/* One is for the mover's page. */
	if (launch->n_pieces >= PIECES_MAX)
		return err_set(err, -E2BIG, "memory: the kernel is in more than %d pieces",
			       PIECES_MAX - 1);
	return 0;
}

int boot_move(struct guest_memory *memory, const struct layout *layout, struct launch *launch,
	      struct boot_entry *entry, struct err *err)
{
	struct mover_page page;
	struct range gpa = {0}, shared;
	gpa_t next;
	uint64_t size_bytes = 2 * GRANULE_BYTES;
	int ret = check_arguments(launch, entry, err);

	for (size_t i = 0; i < launch->n_pieces; i++)
		size_bytes += range_size(launch->pieces[i].gpa);
	if (!ret)
		ret = find_room(layout, launch, size_bytes, &gpa, err);
	if (ret)
		return ret;
	page_init(&page, gpa, entry);
	shared = (struct range){.start = gpa.start + GRANULE_BYTES, .end = gpa.end};
	next = shared.start + GRANULE_BYTES;
	for (size_t i = 0; i < launch->n_pieces && !ret; i++) {
		ret = memory_copy(memory, launch->pieces[i].gpa, next, err);
		page_add(&page, next, launch->pieces[i].gpa);
		next += range_size(launch->pieces[i].gpa);
	}
	if (ret)
		return ret;
	page_add(&page, shared.start, (struct range){.start = gpa.start, .end = shared.start});
	ret = guest_write(memory, shared.start, &page, sizeof(page));
	if (ret)
		return err_set(err, ret, "memory: cannot write the code that copies: %s",
			       err_describe(ret));

	launch->pieces[0] = (struct launch_piece){.gpa = shared, .kind = LAUNCH_UNMEASURED};
	launch->n_pieces = 1;
	*entry = (struct boot_entry){
		.mode = BOOT_MODE_PVH32,
		.rip = shared.start,
		.rbx = shared.start,
		.gdt = entry->gdt,
	};
	return 0;
}
