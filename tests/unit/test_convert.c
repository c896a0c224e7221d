// SPDX-License-Identifier: GPL-2.0-or-later
/* The arc table against a trivial world: every result at every step, no kernel. */
#include "memory/convert.h"

#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

/* What the kernel has of one page. A failed operation changes nothing. */
struct world {
	enum side attribute;
	bool is_mapped;		/* for devices */
	bool is_mapped_in_part; /* a failure left some of it mapped, some not */
	bool has_shared_half;	/* paired: memory behind each side */
	bool has_private_half;
	bool was_mapped_private; /* the sin */
	unsigned int n_waits;
};

enum { WAITS_MAX = 2 };

static struct world world_on(enum side side)
{
	return (struct world){
		.attribute = side,
		.is_mapped = side == SIDE_SHARED,
		.has_shared_half = side == SIDE_SHARED,
		.has_private_half = side == SIDE_PRIVATE,
	};
}

static void world_apply(struct world *world, enum convert_op op)
{
	switch (op) {
	case OP_DMA_UNMAP:
		world->is_mapped = false;
		world->is_mapped_in_part = false;
		break;
	case OP_SET_PRIVATE:
		world->attribute = SIDE_PRIVATE;
		world->has_private_half = true; /* the guest is quick */
		break;
	case OP_SET_SHARED:
		world->attribute = SIDE_SHARED;
		world->has_shared_half = true;
		break;
	case OP_DISCARD_SHARED:
		ck_assert_int_eq(world->attribute, SIDE_PRIVATE);
		world->has_shared_half = false;
		break;
	case OP_DISCARD_PRIVATE:
		ck_assert_int_eq(world->attribute, SIDE_SHARED);
		world->has_private_half = false;
		break;
	case OP_DMA_MAP:
		ck_assert_int_eq(world->attribute, SIDE_SHARED);
		world->is_mapped = true;
		world->is_mapped_in_part = false;
		break;
	case OP_WAIT:
	case OP_NONE:
	case OP_COUNT:
		break;
	}
	if ((world->is_mapped || world->is_mapped_in_part) && world->attribute == SIDE_PRIVATE)
		world->was_mapped_private = true;
}

/* Rules 1 to 4 of a conversion, at its end. */
static void world_check(const struct world *world, enum side from, enum side to,
			enum convert_state end)
{
	ck_assert(!world->was_mapped_private);
	switch (end) {
	case CONVERT_DONE:
		ck_assert_int_eq(world->attribute, to);
		ck_assert_int_eq(world->is_mapped, to == SIDE_SHARED);
		ck_assert(to == SIDE_SHARED ? !world->has_private_half
					    : !world->has_shared_half);
		break;
	case CONVERT_REFUSED:
	case CONVERT_AGAIN:
		ck_assert_int_eq(world->attribute, from);
		ck_assert_int_eq(world->is_mapped, from == SIDE_SHARED);
		ck_assert(!world->is_mapped_in_part);
		ck_assert_int_eq(world->has_shared_half, from == SIDE_SHARED);
		ck_assert_int_eq(world->has_private_half, from == SIDE_PRIVATE);
		break;
	default:
		ck_assert_int_eq(end, CONVERT_BROKEN);
	}
}

/* Try all results from here on; returns how many ways there are to the end. */
/* As deep as the longest conversion. NOLINTNEXTLINE(misc-no-recursion) */
static unsigned int walk(struct world world, enum side from, enum side to,
			 enum convert_state state, unsigned int depth)
{
	const struct convert_arc *arc = convert_arc(state);
	unsigned int n_ways = 0;

	ck_assert_uint_lt(depth, 16 + 2 * WAITS_MAX);
	if (convert_has_ended(state)) {
		world_check(&world, from, to, state);
		return 1;
	}
	for (unsigned int result = 0; result < RESULT_COUNT; result++) {
		struct world next = world;

		if (arc->op == OP_WAIT && result == RESULT_OK && ++next.n_waits > WAITS_MAX)
			continue;
		if (result == RESULT_OK)
			world_apply(&next, arc->op);
		else if (arc->op == OP_DMA_MAP || arc->op == OP_DMA_UNMAP)
			next.is_mapped_in_part = true;
		n_ways += walk(next, from, to, arc->next[result], depth + 1);
	}
	return n_ways;
}

START_TEST(test_every_way_of_every_failure_ends_well)
{
	unsigned int to_private = walk(world_on(SIDE_SHARED), SIDE_SHARED, SIDE_PRIVATE,
				       convert_first(SIDE_PRIVATE), 0);
	unsigned int to_shared = walk(world_on(SIDE_PRIVATE), SIDE_PRIVATE, SIDE_SHARED,
				      convert_first(SIDE_SHARED), 0);

	ck_assert_uint_gt(to_private, 20);
	ck_assert_uint_gt(to_shared, 8);
}
END_TEST

START_TEST(test_every_state_is_reached_and_named)
{
	bool is_reached[CONVERT_COUNT] = {false};

	is_reached[convert_first(SIDE_PRIVATE)] = true;
	is_reached[convert_first(SIDE_SHARED)] = true;
	for (unsigned int state = 0; state < CONVERT_COUNT; state++) {
		const struct convert_arc *arc = convert_arc((enum convert_state)state);

		for (unsigned int result = 0; result < RESULT_COUNT && arc->op; result++)
			is_reached[arc->next[result]] = true;
		ck_assert_ptr_nonnull(convert_state_name((enum convert_state)state));
	}
	for (unsigned int state = 0; state < CONVERT_COUNT; state++)
		ck_assert_msg(is_reached[state], "%s",
			      convert_state_name((enum convert_state)state));
	for (unsigned int op = 0; op < OP_COUNT; op++)
		ck_assert_ptr_nonnull(convert_op_name((enum convert_op)op));
}
END_TEST

START_TEST(test_success_takes_the_steps_in_their_order)
{
	static const enum convert_op to_private[] = {OP_DMA_UNMAP, OP_SET_PRIVATE,
						     OP_DISCARD_SHARED, OP_NONE};
	static const enum convert_op to_shared[] = {OP_SET_SHARED, OP_DMA_MAP,
						    OP_DISCARD_PRIVATE, OP_NONE};
	enum convert_state state = convert_first(SIDE_PRIVATE);

	for (size_t i = 0; i < ARRAY_SIZE(to_private); i++) {
		ck_assert_int_eq(convert_arc(state)->op, to_private[i]);
		if (!convert_has_ended(state))
			state = convert_arc(state)->next[RESULT_OK];
	}
	ck_assert_int_eq(state, CONVERT_DONE);
	state = convert_first(SIDE_SHARED);
	for (size_t i = 0; i < ARRAY_SIZE(to_shared); i++) {
		ck_assert_int_eq(convert_arc(state)->op, to_shared[i]);
		if (!convert_has_ended(state))
			state = convert_arc(state)->next[RESULT_OK];
	}
	ck_assert_int_eq(state, CONVERT_DONE);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_every_way_of_every_failure_ends_well,
		test_every_state_is_reached_and_named,
		test_success_takes_the_steps_in_their_order,
	};

	return unit_run(unit_suite("convert", tests, ARRAY_SIZE(tests)));
}
