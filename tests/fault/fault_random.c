// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Operations by chance against a model that is an array: conversions, with and without
 * failures, accesses of guest, host and devices, devices that come and go, borrows, references
 * to pages.
 *
 * FAULT_SEED and FAULT_OPS in the environment repeat a run or make it longer.
 */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "memory/ram.h"
#include "tests/fake/convertible.h"
#include "tests/fault/random.h"
#include "tests/unit/unit.h"

#define RAM_BYTES (16 * MIB)
#define PAGE	  GRANULE_BYTES

enum {
	PAGES = 4096,
	BORROWS_MAX = 6,
	DEVICES_MAX = 2,
	PINS_MAX = 4,
	EPOCH_OPS = 50000, /* then another guest */
	OPS_PER_CHECK = 5000,
	RETRIES_AT_ONCE = 4, /* of the engine, before it looks at the clock */
};

struct model_page {
	enum side side;
	uint64_t value; /* what the guest reads */
	unsigned int n_borrows;
	bool is_pinned;
};

struct loan {
	bool is_out;
	struct borrow borrow;
	size_t first, end;
};

struct world {
	uint64_t random;
	struct convertible c;
	struct model_page pages[PAGES];
	struct loan loans[BORROWS_MAX];
	size_t pins[PINS_MAX];	  /* page + 1; 0: none */
	int devices[DEVICES_MAX]; /* -1: none */
	uint64_t n_values;
	size_t n_broken;
	uint64_t n_ends[CONVERSION_END_COUNT];
};

static uint64_t pick(struct world *world, uint64_t n)
{
	return random_below(&world->random, n);
}

/* As ck_assert, which tells another process of each call: too slow for millions. */
#define EXPECT(actual, expected) \
	expect_equal((int64_t)(actual), (int64_t)(expected), #actual, __LINE__)

static void expect_equal(int64_t actual, int64_t expected, const char *what, int line)
{
	if (actual != expected)
		ck_abort_msg("line %d: %s is %jd, not %jd", line, what, (intmax_t)actual,
			     (intmax_t)expected);
}

/* --- Accesses --- */

static void op_guest_write(struct world *world)
{
	size_t page = pick(world, PAGES);
	uint64_t value = ++world->n_values;

	if (world->pages[page].side == SIDE_BROKEN)
		return;
	EXPECT(fake_guest_write(world->c.fake, page * PAGE, &value, sizeof(value)), true);
	world->pages[page].value = value;
}

static void op_host_access(struct world *world)
{
	size_t page = pick(world, PAGES);
	struct model_page *model = &world->pages[page];
	int expected = model->side == SIDE_SHARED ? 0 : -EFAULT;
	uint64_t value = 0;

	EXPECT(guest_read(world->c.memory, page * PAGE, &value, 8), expected);
	if (!expected)
		EXPECT(value, model->value);
	value = ++world->n_values;
	EXPECT(guest_write(world->c.memory, page * PAGE, &value, 8), expected);
	if (!expected)
		model->value = value;
}

static void op_borrow(struct world *world)
{
	struct loan *loan = &world->loans[pick(world, BORROWS_MAX)];
	bool is_shared = true;
	struct iovec iov;
	int ret;

	if (loan->is_out) {
		guest_return(world->c.memory, &loan->borrow);
		for (size_t page = loan->first; page < loan->end; page++)
			world->pages[page].n_borrows--;
		loan->is_out = false;
		return;
	}
	loan->first = pick(world, PAGES - 16);
	loan->end = loan->first + 1 + pick(world, 16);
	for (size_t page = loan->first; page < loan->end; page++)
		is_shared = is_shared && world->pages[page].side == SIDE_SHARED;
	ret = guest_borrow(world->c.memory, loan->first * PAGE + 24,
			   (loan->end - loan->first) * PAGE - 40, &loan->borrow, &iov);
	EXPECT(ret, is_shared ? 0 : -EFAULT);
	loan->is_out = is_shared;
	for (size_t page = loan->first; page < loan->end && is_shared; page++)
		world->pages[page].n_borrows++;
}

static void op_pin(struct world *world)
{
	size_t *pin = &world->pins[pick(world, PINS_MAX)];
	size_t page = pick(world, PAGES);

	if (*pin) {
		fake_unpin(world->c.fake, (*pin - 1) * PAGE);
		world->pages[*pin - 1].is_pinned = false;
		*pin = 0;
		return;
	}
	if (world->c.backing != BACKING_INPLACE || world->pages[page].is_pinned ||
	    world->pages[page].side != SIDE_SHARED)
		return;
	EXPECT(fake_pin(world->c.fake, page * PAGE, 0), 0);
	world->pages[page].is_pinned = true;
	*pin = page + 1;
}

/* --- Devices --- */

static bool has_devices(const struct world *world)
{
	bool has = false;

	for (size_t i = 0; i < DEVICES_MAX; i++)
		has = has || world->devices[i] >= 0;
	return has;
}

static void op_device_access(struct world *world)
{
	size_t page = pick(world, PAGES);
	uint64_t value = ++world->n_values;
	bool is_reached = has_devices(world) && world->pages[page].side == SIDE_SHARED;

	if (world->pages[page].side == SIDE_BROKEN)
		return;
	EXPECT(fake_device_write(world->c.fake, page * PAGE, &value, sizeof(value)),
	       is_reached);
	if (is_reached)
		world->pages[page].value = value;
}

/* One comes, perhaps in vain, or goes. */
static void op_device(struct world *world)
{
	int *device = &world->devices[pick(world, DEVICES_MAX)];
	bool has_fault = pick(world, 2);

	if (has_fault)
		faulty_arm(world->c.faulty,
			   (struct fault){.nth = 1 + (unsigned int)pick(world, 12),
					  .which = (unsigned int)pick(world, 4),
					  .for_ever = pick(world, 2)});
	if (*device >= 0) {
		convertible_detach(&world->c, *device);
		*device = -1;
	} else if (convertible_attach(&world->c, DMA_CUT, pick(world, 2), device)) {
		EXPECT(faulty_count_fired(world->c.faulty) > 0, true);
		*device = -1;
	}
	faulty_arm(world->c.faulty, (struct fault){0});
	if (!has_devices(world))
		EXPECT(fake_count_pinned_bytes(world->c.fake), 0);
}

/* --- Conversions --- */

struct request {
	size_t first, end; /* pages */
	enum side to;
	bool has_fault;
};

static enum conversion_end model_predict(const struct world *world,
					 const struct request *request)
{
	bool is_noop = true, is_borrowed = false, is_pinned = false;

	for (size_t i = request->first; i < request->end; i++) {
		const struct model_page *page = &world->pages[i];

		if (page->side == SIDE_BROKEN)
			return CONVERSION_REFUSED;
		is_noop = is_noop && page->side == request->to;
		is_borrowed = is_borrowed || page->n_borrows;
		is_pinned = is_pinned || page->is_pinned;
	}
	if (is_noop || request->to == SIDE_SHARED)
		return CONVERSION_DONE;
	return is_borrowed || is_pinned ? CONVERSION_AGAIN : CONVERSION_DONE;
}

static void model_apply(struct world *world, const struct request *request,
			enum conversion_end end)
{
	for (size_t i = request->first; i < request->end; i++) {
		struct model_page *page = &world->pages[i];

		if (page->side == request->to)
			continue;
		if (end == CONVERSION_BROKEN) {
			world->n_broken += page->side != SIDE_BROKEN;
			page->side = SIDE_BROKEN;
		} else if (end == CONVERSION_DONE) {
			if (world->c.backing == BACKING_PAIRED)
				page->value = 0;
			page->side = request->to;
		}
	}
}

static void check_page(struct world *world, size_t i)
{
	const struct model_page *page = &world->pages[i];
	uint64_t value = 0;

	EXPECT(guest_get_side(world->c.memory, i * PAGE), page->side);
	if (page->side == SIDE_BROKEN)
		return;
	EXPECT(fake_is_private(world->c.fake, i * PAGE), page->side == SIDE_PRIVATE);
	EXPECT(fake_guest_read(world->c.fake, i * PAGE, &value, sizeof(value)), true);
	EXPECT(value, page->value);
}

static struct request request_choose(struct world *world)
{
	static const size_t sizes[] = {1, 1, 1, 4, 4, 64, 512, 1500};
	size_t size = 1 + pick(world, sizes[pick(world, ARRAY_SIZE(sizes))]);
	size_t first = pick(world, 4) ? pick(world, PAGES) : pick(world, 8) * 512;

	return (struct request){
		.first = first,
		.end = first + size < PAGES ? first + size : PAGES,
		.to = pick(world, 2) ? SIDE_PRIVATE : SIDE_SHARED,
		.has_fault = pick(world, 8) == 0,
	};
}

/* Somebody looks at a page in passing; gone after a few tries. */
static size_t pin_in_passing(struct world *world, const struct request *request)
{
	size_t page = request->first + pick(world, request->end - request->first);

	if (request->has_fault || world->c.backing != BACKING_INPLACE ||
	    world->pages[page].side != SIDE_SHARED || world->pages[page].is_pinned)
		return PAGES;
	EXPECT(fake_pin(world->c.fake, page * PAGE,
			1 + (unsigned int)pick(world, RETRIES_AT_ONCE)),
	       0);
	return page;
}

static void op_convert(struct world *world)
{
	struct request request = request_choose(world);
	enum conversion_end expected = model_predict(world, &request), end;
	size_t passing = pick(world, 16) ? PAGES : pin_in_passing(world, &request);

	if (request.has_fault)
		faulty_arm(world->c.faulty,
			   (struct fault){.nth = 1 + (unsigned int)pick(world, 6),
					  .which = (unsigned int)pick(world, 4),
					  .for_ever = pick(world, 2)});
	end = convertible_convert(&world->c, request.first * PAGE,
				  (request.end - request.first) * PAGE, request.to);
	if (passing < PAGES)
		fake_unpin(world->c.fake, passing * PAGE);
	if (!request.has_fault || !faulty_count_fired(world->c.faulty))
		EXPECT(end, expected);
	if (end == CONVERSION_BROKEN)
		EXPECT(faulty_count_fired(world->c.faulty) >= 2, true);
	if (end == CONVERSION_DONE)
		EXPECT(expected, CONVERSION_DONE);
	faulty_arm(world->c.faulty, (struct fault){0});
	world->n_ends[end]++;
	model_apply(world, &request, end);
	check_page(world, request.first);
	check_page(world, request.end - 1);
	check_page(world, request.first + pick(world, request.end - request.first));
	check_page(world, pick(world, PAGES));
}

static void op_convert_nonsense(struct world *world)
{
	enum side to = pick(world, 2) ? SIDE_PRIVATE : SIDE_SHARED;
	uint64_t calls = fake_count_conversion_calls(world->c.fake);
	gpa_t gpa = random_next(&world->random) >> pick(world, 64);
	uint64_t size_bytes = random_next(&world->random) >> pick(world, 64);

	if (is_aligned(gpa | size_bytes, PAGE))
		gpa |= 1;
	EXPECT(convertible_convert(&world->c, gpa, size_bytes, to), CONVERSION_REFUSED);
	EXPECT(convertible_convert(&world->c, (PAGES - 1) * PAGE, 2 * PAGE, to),
	       CONVERSION_REFUSED);
	EXPECT(fake_count_conversion_calls(world->c.fake), calls);
}

/* --- Guests, one after another --- */

static void world_start(struct world *world, enum backing backing)
{
	convertible_init(&world->c, backing, RAM_BYTES, true);
	world->c.memory->dma->part_bytes = 1000 * PAGE;
	/* A wait looks at the clock and finds its time over. */
	fake_traits(world->c.fake)->ns_per_look = UINT64_C(3) * 1000 * 1000 * 1000;
	for (size_t i = 0; i < PAGES; i++)
		world->pages[i] = (struct model_page){.side = SIDE_SHARED};
	world->n_broken = 0;
	for (size_t i = 0; i < DEVICES_MAX; i++)
		world->devices[i] = -1;
}

static void world_check(struct world *world)
{
	for (size_t i = 0; i < PAGES; i++)
		check_page(world, i);
	convertible_check_all(&world->c);
}

static void world_end(struct world *world)
{
	world_check(world);
	for (size_t i = 0; i < BORROWS_MAX; i++) {
		if (world->loans[i].is_out)
			guest_return(world->c.memory, &world->loans[i].borrow);
		world->loans[i].is_out = false;
	}
	for (size_t i = 0; i < PINS_MAX; i++) {
		if (world->pins[i])
			fake_unpin(world->c.fake, (world->pins[i] - 1) * PAGE);
		world->pins[i] = 0;
	}
	for (size_t i = 0; i < DEVICES_MAX; i++) {
		if (world->devices[i] >= 0)
			convertible_detach(&world->c, world->devices[i]);
	}
	convertible_fini(&world->c);
}

static void world_step(struct world *world)
{
	switch (pick(world, 18)) {
	case 16:
		op_device_access(world);
		break;
	case 17:
		if (pick(world, 20) == 0)
			op_device(world);
		break;
	case 0:
		op_borrow(world);
		break;
	case 1:
		op_pin(world);
		break;
	case 2:
	case 3:
	case 4:
		op_guest_write(world);
		break;
	case 5:
	case 6:
		op_host_access(world);
		break;
	case 7:
		op_convert_nonsense(world);
		break;
	default:
		op_convert(world);
		break;
	}
}

START_TEST(test_a_million_operations_agree_with_an_array)
{
	static struct world world;
	uint64_t seed = random_setting("FAULT_SEED", 1);
	uint64_t n_ops = random_setting("FAULT_OPS", 1000000);
	uint64_t n_guests = 1;
	uint64_t since = 0;

	dprintf(STDOUT_FILENO, "# FAULT_SEED=%ju FAULT_OPS=%ju\n", (uintmax_t)seed,
		(uintmax_t)n_ops);
	world.random = seed;
	world_start(&world, BACKING_INPLACE);
	for (uint64_t i = 0; i < n_ops; i++) {
		if (++since == EPOCH_OPS || world.n_broken > PAGES / 4) {
			world_end(&world);
			world_start(&world, n_guests++ % 2 ? BACKING_PAIRED : BACKING_INPLACE);
			since = 0;
		}
		world_step(&world);
		if (i % OPS_PER_CHECK == 0)
			world_check(&world);
	}
	world_end(&world);
	dprintf(STDOUT_FILENO,
		"# %ju operations on %ju guests; conversions: %ju done, %ju refused, %ju "
		"again, %ju broken\n",
		(uintmax_t)n_ops, (uintmax_t)n_guests, (uintmax_t)world.n_ends[CONVERSION_DONE],
		(uintmax_t)world.n_ends[CONVERSION_REFUSED],
		(uintmax_t)world.n_ends[CONVERSION_AGAIN],
		(uintmax_t)world.n_ends[CONVERSION_BROKEN]);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_million_operations_agree_with_an_array,
	};

	return unit_run(unit_suite_slow("fault random", tests, ARRAY_SIZE(tests), 110));
}
