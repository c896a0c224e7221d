// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A processor of a TD waits in the mailbox's loop while others are started: the stub's own code
 * runs here instruction by instruction (RFLAGS.TF), and the mailbox changes between any two.
 */
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "boot/stub.h"
#include "tests/unit/unit.h"
#include "vmm/range.h"

/* boot/stub_image.S */
extern const uint8_t stub_image[];
extern const uint8_t stub_image_end[];

enum {
	RFLAGS_TF = 0x100,
	COMMAND_WAKE = 1,
	OTHER = 1,
	OURS = 13,
	STEPS = 12, /* more than two rounds of the loop */
	STEPS_MAX = 200,
};

#define VECTOR_OTHER UINT64_C(0x2000)
#define VECTOR_OURS  UINT64_C(0x3000)

/* ACPI 6.5, 5.2.12.19 */
struct mailbox {
	uint16_t command;
	uint16_t reserved;
	uint32_t apic_id;
	uint64_t vector;
};

/* The handlers have no other way to know. */
static struct {
	volatile struct mailbox *mailbox;
	sigjmp_buf back;
	uint64_t loop;
	unsigned int n_steps;
	unsigned int step_cleared, step_written; /* when the mailbox changes */
	uint64_t left_to;			 /* 0: it did not leave the loop */
} run;

static void handle_start(int number, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)number;
	(void)info;
	registers[REG_RIP] = (greg_t)run.loop;
	registers[REG_RBP] = OURS;
	registers[REG_EFL] |= RFLAGS_TF;
}

/* As Linux does it (acpi_wakeup_cpu): ID, vector, command. The ID comes long before. */
static void handle_step(int number, siginfo_t *info, void *context)
{
	uint64_t rip = (uint64_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
	volatile struct mailbox *mailbox = run.mailbox;

	(void)number;
	(void)info;
	if (rip < STUB_IMAGE_GPA || ++run.n_steps == STEPS_MAX) {
		run.left_to = rip < STUB_IMAGE_GPA ? rip : 0;
		siglongjmp(run.back, 1);
	}
	if (run.n_steps == run.step_cleared) {
		mailbox->command = 0;
		mailbox->apic_id = OURS;
	}
	if (run.n_steps == run.step_written) {
		mailbox->vector = VECTOR_OURS;
		mailbox->command = COMMAND_WAKE;
	}
}

static void loop_run(unsigned int step_cleared, unsigned int step_written)
{
	run.n_steps = 0;
	run.left_to = 0;
	run.step_cleared = step_cleared;
	run.step_written = step_written;
	if (!sigsetjmp(run.back, 1))
		raise(SIGUSR1);
}

/*
 * Memory of the guest where the stub has it, from a file: sanitizers do not let this program
 * touch such addresses. Returns a view of it at an address of their liking.
 */
static void *map(uint64_t gpa, const void *bytes, size_t size_bytes, int protection)
{
	int fd = memfd_create("guest", MFD_CLOEXEC);
	void *wanted = (void *)(uintptr_t)gpa; /* NOLINT(performance-no-int-to-ptr) */
	void *at, *view;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, (off_t)size_bytes), 0);
	if (bytes)
		ck_assert_int_eq(write(fd, bytes, size_bytes), (ssize_t)size_bytes);
	at = mmap(wanted, size_bytes, protection, MAP_SHARED | MAP_FIXED, fd, 0);
	ck_assert_ptr_eq(at, wanted);
	view = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	ck_assert_ptr_ne(view, MAP_FAILED);
	close(fd);
	return view;
}

static void stub_map(void)
{
	/* mov $STUB_MAILBOX_GPA, %ebx: how the loop begins. */
	static const uint8_t start[] = {0xbb, 0x00, 0xa0, 0xff, 0xff};
	const struct sigaction on_start = {.sa_sigaction = handle_start,
					   .sa_flags = SA_SIGINFO};
	const struct sigaction on_step = {.sa_sigaction = handle_step, .sa_flags = SA_SIGINFO};
	const uint8_t *at =
		memmem(stub_image, (size_t)(stub_image_end - stub_image), start, sizeof(start));

	ck_assert_ptr_nonnull(at);
	run.loop = STUB_IMAGE_GPA + (uint64_t)(at - stub_image);
	run.mailbox = map(STUB_MAILBOX_GPA, NULL, 0x1000, PROT_READ | PROT_WRITE);
	map(STUB_IMAGE_GPA, stub_image, STUB_IMAGE_BYTES, PROT_READ | PROT_EXEC);
	ck_assert_int_eq(sigaction(SIGUSR1, &on_start, NULL), 0);
	ck_assert_int_eq(sigaction(SIGTRAP, &on_step, NULL), 0);
}

static void mailbox_set(uint16_t command, uint32_t apic_id, uint64_t vector)
{
	volatile struct mailbox *mailbox = run.mailbox;

	mailbox->command = command;
	mailbox->apic_id = apic_id;
	mailbox->vector = vector;
}

START_TEST(test_processor_takes_only_its_own_command)
{
	stub_map();
	mailbox_set(COMMAND_WAKE, OTHER, VECTOR_OTHER);
	loop_run(0, 0);
	ck_assert_uint_eq(run.left_to, 0);
	ck_assert_uint_eq(run.mailbox->command, COMMAND_WAKE);
	mailbox_set(0, OURS, VECTOR_OURS);
	loop_run(0, 0);
	ck_assert_uint_eq(run.left_to, 0);
	mailbox_set(COMMAND_WAKE, OURS, VECTOR_OURS);
	loop_run(0, 0);
	ck_assert_uint_eq(run.left_to, VECTOR_OURS);
	ck_assert_uint_eq(run.mailbox->command, 0);
}
END_TEST

/* However slow it is: it neither goes where another was sent nor loses its own command. */
START_TEST(test_processor_that_stalls_takes_no_command_of_another)
{
	stub_map();
	for (unsigned int cleared = 1; cleared <= STEPS; cleared++) {
		for (unsigned int written = cleared; written <= cleared + STEPS; written++) {
			mailbox_set(COMMAND_WAKE, OTHER, VECTOR_OTHER);
			loop_run(cleared, written);
			ck_assert_msg(run.left_to == VECTOR_OURS,
				      "steps %u, %u: it goes to 0x%lx", cleared, written,
				      (unsigned long)run.left_to);
			ck_assert_uint_ge(run.n_steps, written);
			ck_assert_uint_eq(run.mailbox->command, 0);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_processor_takes_only_its_own_command,
		test_processor_that_stalls_takes_no_command_of_another,
	};

	return unit_run(unit_suite("stub mailbox", tests, ARRAY_SIZE(tests)));
}
