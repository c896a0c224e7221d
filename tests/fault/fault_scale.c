// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest of 4 TiB: what Alcove's map of it weighs, and what a conversion costs, when all
 * pages of a block are on one side and when no block is like that.
 *
 * Memory is bounded; times are told, and include the fake kernel's.
 */
#include <stdio.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "memory/ram.h"
#include "tests/fake/convertible.h"
#include "tests/unit/unit.h"

#define RAM_BYTES   (4 * TIB)
#define BLOCK_BYTES (2 * MIB)
#define PAGE	    GRANULE_BYTES

/* What the map promises (memory/sides.h), and that of areas as well. */
#define UNIFORM_BYTES_MAX (RAM_BYTES / BLOCK_BYTES * 8 + 4 * KIB)
#define WORST_BYTES_MAX	  (RAM_BYTES / 14000)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* There and back, of ranges one after the other below the top of RAM. */
static void tell_cost(struct convertible *c, const char *what, uint64_t size_bytes,
		      unsigned int n)
{
	const struct range *top = &c->layout.ram[c->layout.n_ram - 1];
	uint64_t took_ns[SIDE_COUNT];

	for (unsigned int step = 0; step < 2; step++) {
		enum side to = step ? SIDE_SHARED : SIDE_PRIVATE;

		took_ns[to] = now_ns();
		for (unsigned int i = 1; i <= n; i++)
			ck_assert_int_eq(convertible_convert(c, top->end - i * size_bytes,
							     size_bytes, to),
					 CONVERSION_DONE);
		took_ns[to] = (now_ns() - took_ns[to]) / n;
	}
	dprintf(STDOUT_FILENO, "# %s: %7ju KiB: %ju ns to private, %ju ns to shared\n", what,
		(uintmax_t)(size_bytes / KIB), (uintmax_t)took_ns[SIDE_PRIVATE],
		(uintmax_t)took_ns[SIDE_SHARED]);
}

static void tell_costs(struct convertible *c, const char *what)
{
	tell_cost(c, what, PAGE, 1000);
	tell_cost(c, what, BLOCK_BYTES, 200);
	tell_cost(c, what, GIB, 20);
	dprintf(STDOUT_FILENO, "# %s: the map takes %ju KiB\n", what,
		(uintmax_t)(sides_count_bytes(c->memory->sides) / KIB));
}

/* One private page in every block of RAM. */
static uint64_t fragment(struct convertible *c)
{
	uint64_t n = 0;

	for (unsigned int i = 0; i < c->layout.n_ram; i++) {
		struct range ram = c->layout.ram[i];

		for (gpa_t gpa = ram.start; gpa < ram.end; gpa += BLOCK_BYTES, n++) {
			if (convertible_convert(c, gpa, PAGE, SIDE_PRIVATE) != CONVERSION_DONE)
				ck_abort_msg("gpa 0x%jx", (uintmax_t)gpa);
		}
	}
	return n;
}

START_TEST(test_map_of_4_tib_stays_within_its_bound)
{
	struct convertible c;
	uint64_t n, start_ns;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, false);
	ck_assert_uint_le(sides_count_bytes(c.memory->sides), UNIFORM_BYTES_MAX);
	tell_costs(&c, "uniform");
	start_ns = now_ns();
	n = fragment(&c);
	dprintf(STDOUT_FILENO, "# worst: %ju conversions made every block mixed, %ju ns each\n",
		(uintmax_t)n, (uintmax_t)((now_ns() - start_ns) / (RAM_BYTES / BLOCK_BYTES)));
	ck_assert_uint_eq(n, RAM_BYTES / BLOCK_BYTES);
	ck_assert_uint_le(sides_count_bytes(c.memory->sides), WORST_BYTES_MAX);
	tell_costs(&c, "worst");
	ck_assert_uint_le(sides_count_bytes(c.memory->sides), WORST_BYTES_MAX);
	convertible_check_all(&c);
	convertible_fini(&c);
}
END_TEST

static void tell_areas(struct convertible *c, const char *what)
{
	dprintf(STDOUT_FILENO, "# %s: %ju areas, whose map takes %ju KiB\n", what,
		(uintmax_t)guest_get_dma_stats(c->memory).n_areas,
		(uintmax_t)(areas_count_bytes(c->memory->dma->areas) / KIB));
}

START_TEST(test_areas_of_4_tib_stay_within_their_bound)
{
	struct convertible c;
	uint64_t start_ns, n_blocks = RAM_BYTES / BLOCK_BYTES;
	int device;

	convertible_init(&c, BACKING_INPLACE, RAM_BYTES, false);
	fake_traits(c.fake)->iova_end = UINT64_C(1) << 52;
	ck_assert_int_eq(convertible_attach(&c, DMA_CUT, false, &device), 0);
	/* As many as there are ranges of RAM. */
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 3);
	ck_assert_uint_eq(fake_count_pinned_bytes(c.fake), RAM_BYTES);
	ck_assert_uint_le(areas_count_bytes(c.memory->dma->areas), UNIFORM_BYTES_MAX);
	tell_costs(&c, "uniform, with a device");
	start_ns = now_ns();
	fragment(&c);
	dprintf(STDOUT_FILENO, "# a device: %ju cuts, %ju ns each\n", (uintmax_t)n_blocks,
		(uintmax_t)((now_ns() - start_ns) / n_blocks));
	tell_areas(&c, "worst, with a device");
	ck_assert_uint_ge(guest_get_dma_stats(c.memory).n_areas, n_blocks);
	ck_assert_uint_le(areas_count_bytes(c.memory->dma->areas), WORST_BYTES_MAX);
	convertible_check_all(&c);
	convertible_detach(&c, device);
	convertible_fini(&c);
}
END_TEST

START_TEST(test_every_page_an_area_takes_no_more_room_than_every_block)
{
	struct convertible c;
	int device;

	convertible_init(&c, BACKING_INPLACE, 64 * MIB, false);
	ck_assert_int_eq(convertible_attach(&c, DMA_CUT, false, &device), 0);
	for (gpa_t gpa = 0; gpa < 64 * MIB; gpa += PAGE) {
		convertible_convert(&c, gpa, PAGE, SIDE_PRIVATE);
		convertible_convert(&c, gpa, PAGE, SIDE_SHARED);
	}
	tell_areas(&c, "a page each");
	ck_assert_uint_eq(guest_get_dma_stats(c.memory).n_areas, 64 * MIB / PAGE);
	ck_assert_uint_le(areas_count_bytes(c.memory->dma->areas),
			  64 * MIB / BLOCK_BYTES * 144 + 4 * KIB);
	convertible_check_all(&c);
	convertible_detach(&c, device);
	convertible_fini(&c);
}
END_TEST

/* Thread sanitizers keep most of the address space for themselves. */
static bool has_room(void)
{
	void *hva = mmap(NULL, RAM_BYTES, PROT_NONE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (hva == MAP_FAILED)
		return false;
	munmap(hva, RAM_BYTES);
	return true;
}

int main(void)
{
	const TTest *tests[] = {
		test_every_page_an_area_takes_no_more_room_than_every_block,
		test_map_of_4_tib_stays_within_its_bound,
		test_areas_of_4_tib_stay_within_their_bound,
	};
	size_t n_tests = ARRAY_SIZE(tests);

	if (!has_room()) {
		unit_skip("map of 4 TiB stays within its bound",
			  "the address space has no room for it");
		printf("1..0\n");
		return 0;
	}
	return unit_run(unit_suite_slow("fault scale", tests, n_tests, 100));
}
