// SPDX-License-Identifier: GPL-2.0-or-later
#include "memory/sides.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "vmm/err.h"

#define BLOCK_BYTES (2 * MIB)

enum {
	PAGES_PER_BLOCK = 512,
	BITS_PER_PAGE = 2,
	PAGES_PER_WORD = 64 / BITS_PER_PAGE,
	WORDS_PER_LEAF = PAGES_PER_BLOCK / PAGES_PER_WORD,
	SIDE_MASK = 3,
};

/* Two bits per page; words change atomically, because two conversions can share one. */
struct leaf {
	_Atomic uint64_t words[WORDS_PER_LEAF];
};

/*
 * A block: a pointer to a leaf (its two low bits are clear), or a side shifted up by two with
 * bit 0 set.
 */
typedef _Atomic uintptr_t block_t;

struct sides_ram {
	struct range gpa;
	block_t *blocks;
	size_t n_blocks;
};

struct sides {
	struct sides_ram ram[LAYOUT_MEMORY_RANGES_MAX];
	unsigned int n_ram;
	atomic_uint_fast64_t n_leaves;
};

static uintptr_t block_of_side(enum side side)
{
	return (uintptr_t)side << 2 | 1;
}

/* NULL when all pages of the block are on one side. */
static struct leaf *block_leaf(uintptr_t block)
{
	union {
		uintptr_t block;
		struct leaf *leaf;
	} word = {.block = block};

	return block & 1 ? NULL : word.leaf;
}

static enum side block_side(uintptr_t block)
{
	return (enum side)(block >> 2);
}

/* The same two bits in every page of a word. */
static uint64_t word_of_side(enum side side)
{
	return (uint64_t)side * UINT64_C(0x5555555555555555);
}

static void sides_ram_init(struct sides_ram *ram, enum side side)
{
	for (size_t i = 0; i < ram->n_blocks; i++)
		atomic_init(&ram->blocks[i], block_of_side(side));
}

int sides_new(const struct range *memory, unsigned int n_ranges, enum side side,
	      struct sides **ret_sides)
{
	struct sides *sides = calloc(1, sizeof(*sides));

	ASSERT(n_ranges <= LAYOUT_MEMORY_RANGES_MAX);
	if (!sides)
		return -ENOMEM;
	for (unsigned int i = 0; i < n_ranges; i++) {
		struct sides_ram *ram = &sides->ram[i];

		ram->gpa = memory[i];
		ram->n_blocks = align_up(range_size(ram->gpa), BLOCK_BYTES) / BLOCK_BYTES;
		ram->blocks = calloc(ram->n_blocks, sizeof(ram->blocks[0]));
		sides->n_ram++;
		if (!ram->blocks) {
			sides_free(sides);
			return -ENOMEM;
		}
		sides_ram_init(ram, side);
	}
	*ret_sides = sides;
	return 0;
}

void sides_free(struct sides *sides)
{
	if (!sides)
		return;
	for (unsigned int i = 0; i < sides->n_ram; i++) {
		struct sides_ram *ram = &sides->ram[i];

		for (size_t b = 0; ram->blocks && b < ram->n_blocks; b++)
			free(block_leaf(atomic_load(&ram->blocks[b])));
		free(ram->blocks);
	}
	free(sides);
}

static const struct sides_ram *sides_find_ram(const struct sides *sides, gpa_t gpa)
{
	for (unsigned int i = 0; i < sides->n_ram; i++) {
		if (range_contains(sides->ram[i].gpa, gpa))
			return &sides->ram[i];
	}
	err_assert_failed("gpa is RAM", __FILE__, __LINE__);
}

static enum side leaf_get(const struct leaf *leaf, size_t page)
{
	uint64_t word =
		atomic_load_explicit(&leaf->words[page / PAGES_PER_WORD], memory_order_acquire);

	return (enum side)(word >> page % PAGES_PER_WORD * BITS_PER_PAGE & SIDE_MASK);
}

/* The pages of a word that @mask covers; the others may change meanwhile. */
static void word_set_part(_Atomic uint64_t *word, uint64_t mask, enum side side)
{
	uint64_t old = atomic_load_explicit(word, memory_order_relaxed);

	while (!atomic_compare_exchange_weak_explicit(
		word, &old, (old & ~mask) | (word_of_side(side) & mask), memory_order_acq_rel,
		memory_order_relaxed))
		;
}

/* Pages [first, end) of a leaf. */
static void leaf_set(struct leaf *leaf, size_t first, size_t end, enum side side)
{
	while (first < end) {
		_Atomic uint64_t *word = &leaf->words[first / PAGES_PER_WORD];
		size_t page = first % PAGES_PER_WORD;
		size_t n = PAGES_PER_WORD - page;

		if (n > end - first)
			n = end - first;
		if (n == PAGES_PER_WORD)
			atomic_store_explicit(word, word_of_side(side), memory_order_release);
		else
			word_set_part(word,
				      ((UINT64_C(1) << n * BITS_PER_PAGE) - 1)
					      << page * BITS_PER_PAGE,
				      side);
		first += n;
	}
}

enum side sides_get(const struct sides *sides, gpa_t gpa)
{
	const struct sides_ram *ram = sides_find_ram(sides, gpa);
	uint64_t offset = gpa - ram->gpa.start;
	uintptr_t block =
		atomic_load_explicit(&ram->blocks[offset / BLOCK_BYTES], memory_order_acquire);
	const struct leaf *leaf = block_leaf(block);

	return leaf ? leaf_get(leaf, offset % BLOCK_BYTES / GRANULE_BYTES) : block_side(block);
}

/* The first page in [page, end) of the leaf that is not on @side. */
static size_t leaf_find_other(const struct leaf *leaf, size_t page, size_t end, enum side side)
{
	while (page < end) {
		bool is_word = page % PAGES_PER_WORD == 0 && end - page >= PAGES_PER_WORD;

		if (is_word && atomic_load_explicit(&leaf->words[page / PAGES_PER_WORD],
						    memory_order_acquire) == word_of_side(side))
			page += PAGES_PER_WORD;
		else if (leaf_get(leaf, page) == side)
			page++;
		else
			break;
	}
	return page;
}

gpa_t sides_find_end(const struct sides *sides, gpa_t gpa, gpa_t end, enum side *ret_side)
{
	const struct sides_ram *ram = sides_find_ram(sides, gpa);
	enum side side = sides_get(sides, gpa);

	*ret_side = side;
	while (gpa < end) {
		uint64_t offset = gpa - ram->gpa.start;
		uint64_t block_end =
			ram->gpa.start + align_down(offset, BLOCK_BYTES) + BLOCK_BYTES;
		gpa_t stop = block_end < end ? block_end : end;
		uintptr_t block = atomic_load_explicit(&ram->blocks[offset / BLOCK_BYTES],
						       memory_order_acquire);
		const struct leaf *leaf = block_leaf(block);
		size_t first = offset % BLOCK_BYTES / GRANULE_BYTES;
		size_t last = first + (stop - gpa) / GRANULE_BYTES;
		size_t other;

		if (!leaf && block_side(block) != side)
			break;
		other = leaf ? leaf_find_other(leaf, first, last, side) : last;
		gpa += (other - first) * GRANULE_BYTES;
		if (other != last)
			break;
	}
	return gpa;
}

/* Turn a uniform block into a leaf; others may do the same at the same time. */
static int block_split(struct sides *sides, block_t *block)
{
	uintptr_t old = atomic_load_explicit(block, memory_order_acquire);
	struct leaf *leaf;

	if (block_leaf(old))
		return 0;
	leaf = malloc(sizeof(*leaf));
	if (!leaf)
		return -ENOMEM;
	do {
		for (size_t i = 0; i < WORDS_PER_LEAF; i++)
			atomic_init(&leaf->words[i], word_of_side(block_side(old)));
		if (atomic_compare_exchange_strong(block, &old, (uintptr_t)leaf)) {
			atomic_fetch_add(&sides->n_leaves, 1);
			return 0;
		}
	} while (!block_leaf(old));
	free(leaf);
	return 0;
}

int sides_reserve(struct sides *sides, struct range gpa)
{
	const struct sides_ram *ram = sides_find_ram(sides, gpa.start);
	uint64_t first = gpa.start - ram->gpa.start;
	uint64_t end = gpa.end - ram->gpa.start;
	int ret = 0;

	/* Only the blocks at both ends can be covered in part. */
	if (!is_aligned(first, BLOCK_BYTES))
		ret = block_split(sides, &ram->blocks[first / BLOCK_BYTES]);
	if (!ret && !is_aligned(end, BLOCK_BYTES))
		ret = block_split(sides, &ram->blocks[end / BLOCK_BYTES]);
	return ret;
}

void sides_set(struct sides *sides, struct range gpa, enum side side)
{
	const struct sides_ram *ram = sides_find_ram(sides, gpa.start);
	uint64_t offset = gpa.start - ram->gpa.start;
	uint64_t end = gpa.end - ram->gpa.start;

	while (offset < end) {
		uint64_t block_end = align_down(offset, BLOCK_BYTES) + BLOCK_BYTES;
		uint64_t stop = block_end < end ? block_end : end;
		block_t *block = &ram->blocks[offset / BLOCK_BYTES];
		struct leaf *leaf =
			block_leaf(atomic_load_explicit(block, memory_order_acquire));

		if (leaf) {
			leaf_set(leaf, offset % BLOCK_BYTES / GRANULE_BYTES,
				 (offset % BLOCK_BYTES + stop - offset) / GRANULE_BYTES, side);
		} else {
			/* All of the block, or all of what RAM has of the last one. */
			ASSERT(is_aligned(offset, BLOCK_BYTES));
			ASSERT(stop == block_end || stop == range_size(ram->gpa));
			atomic_store_explicit(block, block_of_side(side), memory_order_release);
		}
		offset = stop;
	}
}

uint64_t sides_count_bytes(const struct sides *sides)
{
	uint64_t bytes = sizeof(*sides) + atomic_load(&sides->n_leaves) * sizeof(struct leaf);

	for (unsigned int i = 0; i < sides->n_ram; i++)
		bytes += sides->ram[i].n_blocks * sizeof(block_t);
	return bytes;
}
