// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of RAM that a guest of two backings starts in when all the rest is private. */
#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "boot/boot.h"
#include "boot/launch.h"
#include "boot/mover_page.h"
#include "tests/fake/fake.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

enum {
	RAM_BYTES = 32 << 20,
	PAGE = 4096,
};

struct fixture {
	struct fake *fake;
	int vm;
	struct layout layout;
	struct guest_memory *memory;
	struct launch launch;
	struct boot_entry entry;
	struct err err;
};

static void fixture_init(struct fixture *fixture)
{
	struct host *host;

	*fixture = (struct fixture){
		.fake = fake_new(),
		.entry = {.mode = BOOT_MODE_LONG64,
			  .rip = 0x100200,
			  .rsi = 0x8000,
			  .cr3 = 0x2000,
			  .gdt = 0x1000},
	};
	host = fake_host(fixture->fake);
	fixture->vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	ck_assert_int_eq(layout_init(&fixture->layout, RAM_BYTES, 46, NULL), 0);
	ck_assert_int_eq(guest_memory_new(host, fixture->vm, &fixture->layout, BACKING_PLAIN,
					  &fixture->memory, NULL),
			 0);
}

static void fixture_fini(struct fixture *fixture)
{
	launch_fini(&fixture->launch);
	guest_memory_free(fixture->memory);
	host_close(fake_host(fixture->fake), fixture->vm);
	fake_free(fixture->fake);
}

/* A word of every page says where it is. */
static void fixture_add(struct fixture *fixture, gpa_t start, gpa_t end)
{
	ck_assert_int_eq(launch_note(&fixture->launch, start, end - start), 0);
	for (gpa_t gpa = start; gpa < end; gpa += PAGE) {
		uint64_t mark = ~gpa;

		ck_assert_int_eq(guest_write(fixture->memory, gpa + 8, &mark, sizeof(mark)), 0);
	}
}

static int fixture_move(struct fixture *fixture)
{
	return boot_move(fixture->memory, &fixture->layout, &fixture->launch, &fixture->entry,
			 &fixture->err);
}

static uint64_t read_u64(struct fixture *fixture, gpa_t gpa)
{
	uint64_t value;

	ck_assert_int_eq(guest_read(fixture->memory, gpa, &value, sizeof(value)), 0);
	return value;
}

static uint32_t read_u32(struct fixture *fixture, gpa_t gpa)
{
	uint32_t value;

	ck_assert_int_eq(guest_read(fixture->memory, gpa, &value, sizeof(value)), 0);
	return value;
}

static void check_piece(struct fixture *fixture, unsigned int index, gpa_t start, gpa_t end)
{
	struct range shared = fixture->launch.pieces[0].gpa;
	gpa_t piece = shared.start + MOVER_PIECES + index * (gpa_t)MOVER_PIECE_BYTES;
	gpa_t from = read_u32(fixture, piece + MOVER_PIECE_FROM);

	ck_assert_uint_eq(read_u32(fixture, piece + MOVER_PIECE_TO), start);
	ck_assert_uint_eq(read_u32(fixture, piece + MOVER_PIECE_WORDS), (end - start) / 4);
	ck_assert_uint_gt(from, shared.start);
	ck_assert_uint_le(from + (end - start), shared.end);
	for (gpa_t gpa = start; gpa < end; gpa += PAGE)
		ck_assert_uint_eq(read_u64(fixture, from + (gpa - start) + 8), ~gpa);
}

START_TEST(test_all_pieces_have_copies_and_the_way_on_is_told)
{
	struct fixture fixture;
	struct range shared;
	gpa_t page;

	fixture_init(&fixture);
	fixture_add(&fixture, 0x1000, 0x9000);
	fixture_add(&fixture, 0xe0000, 0x3f0000);
	fixture_add(&fixture, RAM_BYTES - 0x23000, RAM_BYTES);
	ck_assert_int_eq(fixture_move(&fixture), 0);

	ck_assert_uint_eq(fixture.launch.n_pieces, 1);
	shared = fixture.launch.pieces[0].gpa;
	page = shared.start;
	ck_assert_uint_eq(shared.end, RAM_BYTES - 0x23000);
	ck_assert_uint_eq(range_size(shared), 0x1000 + 0x8000 + 0x310000 + 0x23000);
	ck_assert_int_eq(fixture.entry.mode, BOOT_MODE_PVH32);
	ck_assert_uint_eq(fixture.entry.rip, page);
	ck_assert_uint_eq(fixture.entry.rbx, page);
	ck_assert_uint_eq(fixture.entry.gdt, 0x1000);

	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_N_PIECES), 4);
	check_piece(&fixture, 0, 0x1000, 0x9000);
	check_piece(&fixture, 1, 0xe0000, 0x3f0000);
	check_piece(&fixture, 2, RAM_BYTES - 0x23000, RAM_BYTES);
	/* The last one is the page itself. */
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_PAGE_COPY), page - PAGE);
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_PIECES + 3 * MOVER_PIECE_BYTES),
			  page);
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_PIECES + 3 * MOVER_PIECE_BYTES +
						     MOVER_PIECE_TO),
			  page - PAGE);

	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_HIDE_GPA), shared.start);
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_HIDE_PAGES),
			  range_size(shared) / PAGE);
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_RIP), 0x100200);
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_RSI), 0x8000);
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_CR3), 0x2000);
	/* By a descriptor of 64-bit code, into the copy. */
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_FAR) - (page - PAGE),
			  read_u32(&fixture, page + MOVER_FAR) % PAGE);
	ck_assert_uint_eq(read_u32(&fixture, page + MOVER_FAR + 4), BOOT_CODE_SELECTOR);
	fixture_fini(&fixture);
}
END_TEST

/* What is above 1 MiB and below @start is free. Returns as boot_move. */
static int move_below(gpa_t start, struct range *ret_shared)
{
	struct fixture fixture;
	int ret;

	fixture_init(&fixture);
	fixture_add(&fixture, 0x1000, 0x3000);
	fixture_add(&fixture, start, RAM_BYTES);
	ret = fixture_move(&fixture);
	*ret_shared = fixture.launch.pieces[0].gpa;
	fixture_fini(&fixture);
	return ret;
}

START_TEST(test_the_part_is_above_the_first_mib)
{
	struct range shared;

	/* That fits to the page. */
	ck_assert_int_eq(move_below(0x1082000, &shared), 0);
	ck_assert_uint_eq(shared.start, 0x101000);
	ck_assert_uint_eq(shared.end, 0x1082000);
	ck_assert_int_eq(move_below(0x1081000, &shared), -ENOSPC);
}
END_TEST

static void check_refusal(struct fixture *fixture, int error, const char *text)
{
	size_t n_pieces = fixture->launch.n_pieces;
	struct boot_entry entry = fixture->entry;

	ck_assert_int_eq(fixture_move(fixture), error);
	ck_assert_msg(strstr(fixture->err.text, text), "%s", fixture->err.text);
	ck_assert_uint_eq(fixture->launch.n_pieces, n_pieces);
	ck_assert_int_eq(fixture->entry.mode, entry.mode);
	ck_assert_uint_eq(fixture->entry.rip, entry.rip);
}

START_TEST(test_without_room_nothing_is_changed)
{
	struct fixture fixture;

	fixture_init(&fixture);
	fixture_add(&fixture, 0x100000, 0x1100000);
	check_refusal(&fixture, -ENOSPC, "give the guest more memory");
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_what_does_not_start_by_a_kernel_is_refused)
{
	struct fixture fixture;

	fixture_init(&fixture);
	fixture.entry.mode = BOOT_MODE_RESET;
	check_refusal(&fixture, -EOPNOTSUPP, "starts with a kernel");
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_more_pieces_than_the_page_has_room_for_are_refused)
{
	struct fixture fixture;

	fixture_init(&fixture);
	for (gpa_t i = 0; i < 295; i++)
		fixture_add(&fixture, 0x100000 + i * 0x2000, 0x101000 + i * 0x2000);
	check_refusal(&fixture, -E2BIG, "pieces");
	fixture.launch.n_pieces--;
	ck_assert_int_eq(fixture_move(&fixture), 0);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_all_pieces_have_copies_and_the_way_on_is_told,
		test_the_part_is_above_the_first_mib,
		test_without_room_nothing_is_changed,
		test_what_does_not_start_by_a_kernel_is_refused,
		test_more_pieces_than_the_page_has_room_for_are_refused,
	};

	return unit_run(unit_suite("mover", tests, ARRAY_SIZE(tests)));
}
