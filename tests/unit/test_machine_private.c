// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Machines on the fake kernel whose memory is private when they start. The guest is a function
 * that looks at its memory; with two backings it first does what the mover's code would.
 */
#include "vmm/machine.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <string.h>
#include <unistd.h>

#include "boot/mover_page.h"
#include "boot/place.h"
#include "tests/fake/fake.h"
#include "tests/fake/faulty.h"
#include "tests/unit/images.h"
#include "tests/unit/unit.h"
#include "vmm/config.h"
#include "vmm/platform.h"

enum {
	PAGE = 4096,
	GOOD = 3, /* exit codes of the guest */
	BAD = 4,
	N_VCPUS = 2,
};

#define RAM_BYTES (64 * MIB)

struct guest {
	struct fake *fake;
	struct range shared; /* what is, at the start */
	uint64_t n_shared_pages;
	unsigned int n_exits;
	bool is_good;
	const char *command_line;
};

/* KVM's reply to the hypercall is in the exit that asked for it. */
static int convert(struct range gpa, struct kvm_run *run)
{
	run->exit_reason = KVM_EXIT_HYPERCALL;
	run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = gpa.start;
	run->hypercall.args[1] = range_size(gpa) / PAGE;
	run->hypercall.args[2] = KVM_MAP_GPA_RANGE_ENCRYPTED;
	return 0;
}

static int finish(bool is_good, struct kvm_run *run)
{
	uint8_t code = is_good ? GOOD : BAD;

	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = KVM_EXIT_IO_OUT;
	run->io.size = 1;
	run->io.port = PLATFORM_DEBUG_EXIT_PORT;
	run->io.count = 1;
	run->io.data_offset = sizeof(*run);
	memcpy((char *)run + sizeof(*run), &code, 1);
	usleep(1000);
	return 0;
}

static void find_shared(struct guest *guest)
{
	for (gpa_t gpa = 0; gpa < RAM_BYTES; gpa += PAGE) {
		if (fake_is_private(guest->fake, gpa))
			continue;
		if (guest->n_shared_pages++ == 0)
			guest->shared.start = gpa;
		guest->shared.end = gpa + PAGE;
	}
}

static uint32_t word(struct guest *guest, gpa_t gpa)
{
	uint32_t value = 0;

	guest->is_good &= fake_guest_read(guest->fake, gpa, &value, sizeof(value));
	return value;
}

static void copy_piece(struct guest *guest, gpa_t piece)
{
	gpa_t from = word(guest, piece + MOVER_PIECE_FROM);
	gpa_t to = word(guest, piece + MOVER_PIECE_TO);
	uint64_t size_bytes = (uint64_t)4 * word(guest, piece + MOVER_PIECE_WORDS);
	char page[PAGE];

	guest->is_good &= range_covers(guest->shared, (struct range){from, from + size_bytes});
	for (uint64_t at = 0; at < size_bytes && guest->is_good; at += PAGE) {
		guest->is_good &= fake_is_private(guest->fake, to + at);
		guest->is_good &= fake_guest_read(guest->fake, from + at, page, PAGE);
		guest->is_good &= fake_guest_write(guest->fake, to + at, page, PAGE);
	}
}

static void move(struct guest *guest)
{
	gpa_t page = guest->shared.start;
	uint32_t n_pieces = word(guest, page + MOVER_N_PIECES);

	guest->is_good &= n_pieces > 1 && n_pieces < 20;
	guest->is_good &= range_size(guest->shared) == guest->n_shared_pages * PAGE;
	for (uint32_t i = 0; i < n_pieces && guest->is_good; i++)
		copy_piece(guest, page + MOVER_PIECES + i * (gpa_t)MOVER_PIECE_BYTES);
	guest->is_good &= word(guest, page + MOVER_HIDE_GPA) == page;
	guest->is_good &= word(guest, page + MOVER_HIDE_PAGES) == guest->n_shared_pages;
}

/* All is private, and what the guest starts with is there. */
static void check_memory(struct guest *guest)
{
	char command_line[32] = "";

	for (gpa_t gpa = 0; gpa < RAM_BYTES; gpa += PAGE)
		guest->is_good &= fake_is_private(guest->fake, gpa);
	guest->is_good &= fake_guest_read(guest->fake, PLACE_CMDLINE_GPA, command_line,
					  sizeof(command_line));
	guest->is_good &= strcmp(command_line, guest->command_line) == 0;
	/* struct hvm_start_info, XEN_HVM_START_MAGIC_VALUE */
	guest->is_good &= word(guest, PLACE_PARAMS_GPA) == 0x336ec578;
}

static void check_features(struct guest *guest)
{
	static const unsigned int gone[] = {
		KVM_FEATURE_CLOCKSOURCE, KVM_FEATURE_CLOCKSOURCE2, KVM_FEATURE_ASYNC_PF,
		KVM_FEATURE_STEAL_TIME,	 KVM_FEATURE_PV_EOI,
	};

	for (unsigned int id = 0; id < N_VCPUS; id++) {
		for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
			guest->is_good &= !fake_does_feature(guest->fake, id, gone[i]);
		guest->is_good &=
			fake_does_feature(guest->fake, id, KVM_FEATURE_HC_MAP_GPA_RANGE);
	}
}

static int guest_run(void *opaque, unsigned int vcpu_id, struct kvm_run *run)
{
	struct guest *guest = opaque;

	while (vcpu_id != 0) {
		if (__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST))
			return -EINTR;
		usleep(100);
	}
	if (guest->n_exits++ == 0) {
		find_shared(guest);
		if (guest->n_shared_pages) {
			move(guest);
			return convert(guest->shared, run);
		}
	} else if (guest->n_shared_pages && guest->n_exits == 2) {
		guest->is_good &= run->hypercall.ret == 0;
	}
	check_memory(guest);
	check_features(guest);
	return finish(guest->is_good, run);
}

struct fixture {
	struct fake *fake;
	struct faulty *faulty;
	struct guest guest;
	struct config config;
	int kernel_fd;
	char kernel_path[64];
	char command_line[32];
};

static void fixture_init(struct fixture *fixture, bool in_place)
{
	struct image image;

	*fixture = (struct fixture){
		.fake = fake_new(),
		.command_line = "all of it is private",
		.config = {.type = GUEST_TYPE_SW,
			   .starts_private = true,
			   .n_vcpus = N_VCPUS,
			   .memory_bytes = RAM_BYTES,
			   .console = CONSOLE_NONE,
			   .cmdline = fixture->command_line,
			   .sandbox = SANDBOX_OFF},
	};
	elf_make(&image);
	image_write(image.bytes, image.size_bytes, &fixture->kernel_fd, fixture->kernel_path);
	fixture->config.kernel = fixture->kernel_path;
	fixture->guest = (struct guest){
		.fake = fixture->fake,
		.is_good = true,
		.command_line = fixture->config.cmdline,
	};
	fixture->faulty = faulty_new(fake_host(fixture->fake));
	fake_traits(fixture->fake)->in_place = in_place;
	fake_set_guest(fixture->fake, guest_run, &fixture->guest);
}

static void fixture_fini(struct fixture *fixture)
{
	close(fixture->kernel_fd);
	faulty_free(fixture->faulty);
	fake_free(fixture->fake);
}

static enum exit_status fixture_run(struct fixture *fixture)
{
	return machine_run(faulty_host(fixture->faulty), &fixture->config);
}

START_TEST(test_all_memory_is_private_and_contents_are_there)
{
	for (int in_place = 0; in_place < 2; in_place++) {
		struct fixture fixture;

		fixture_init(&fixture, in_place);
		ck_assert_int_eq(fixture_run(&fixture), GOOD);
		/* In place, nothing has to be shared for that. */
		ck_assert_int_eq(fixture.guest.n_shared_pages == 0, in_place);
		fixture_fini(&fixture);
	}
}
END_TEST

/* The same guest does not take other memory for private memory. */
START_TEST(test_memory_starts_shared_unless_asked_for)
{
	struct fixture fixture;

	fixture_init(&fixture, true);
	fixture.config.starts_private = false;
	ck_assert_int_eq(fixture_run(&fixture), BAD);
	ck_assert_uint_eq(fixture.guest.n_shared_pages, RAM_BYTES / PAGE);
	fixture_fini(&fixture);
}
END_TEST

static int feature_run(void *fake, unsigned int vcpu_id, struct kvm_run *run)
{
	return finish(vcpu_id == 0 && fake_does_feature(fake, 0, KVM_FEATURE_CLOCKSOURCE2),
		      run);
}

START_TEST(test_a_guest_whose_memory_starts_shared_keeps_the_clock)
{
	struct fixture fixture;

	fixture_init(&fixture, true);
	fixture.config.n_vcpus = 1;
	fixture.config.starts_private = false;
	fake_set_guest(fixture.fake, feature_run, fixture.fake);
	ck_assert_int_eq(fixture_run(&fixture), GOOD);
	fixture_fini(&fixture);
}
END_TEST

/* The fake aborts on whatever is left behind. */
START_TEST(test_failure_of_any_call_ends_in_an_error_and_leaves_nothing)
{
	for (int in_place = 0; in_place < 2; in_place++) {
		unsigned int nth = 0;
		bool has_failed;

		do {
			struct fixture fixture;
			enum exit_status status;

			fixture_init(&fixture, in_place);
			faulty_arm(fixture.faulty,
				   (struct fault){.nth = ++nth, .errnum = ENOMEM});
			status = fixture_run(&fixture);
			has_failed = faulty_count_fired(fixture.faulty);
			ck_assert(has_failed || status == (enum exit_status)GOOD);
			ck_assert(status == (enum exit_status)GOOD ||
				  status == (enum exit_status)BAD ||
				  status == EXIT_STATUS_SETUP ||
				  status == EXIT_STATUS_INTERNAL);
			fixture_fini(&fixture);
		} while (has_failed);
		ck_assert_uint_gt(nth, 15);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_all_memory_is_private_and_contents_are_there,
		test_memory_starts_shared_unless_asked_for,
		test_a_guest_whose_memory_starts_shared_keeps_the_clock,
		test_failure_of_any_call_ends_in_an_error_and_leaves_nothing,
	};

	return unit_run(unit_suite("machine_private", tests, ARRAY_SIZE(tests)));
}
