// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole machines on the fake kernel; the guest is a function that leaves by one exit after
 * another. */
#include "vmm/machine.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/fake/fake.h"
#include "tests/fake/faulty.h"
#include "tests/unit/unit.h"
#include "vmm/cleanup.h"
#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/platform.h"

/* An ELF kernel that never runs: a PVH note and one segment at 1 MiB. */
struct tiny_kernel {
	Elf64_Ehdr header;
	Elf64_Phdr segments[2];
	Elf64_Nhdr note;
	char note_name[4];
	uint32_t note_entry;
	unsigned char code[16];
};

static const struct tiny_kernel tiny_kernel = {
	.header = {.e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB,
			       EV_CURRENT},
		   .e_type = ET_EXEC,
		   .e_machine = EM_X86_64,
		   .e_version = EV_CURRENT,
		   .e_entry = 0x100000,
		   .e_phoff = offsetof(struct tiny_kernel, segments),
		   .e_ehsize = sizeof(Elf64_Ehdr),
		   .e_phentsize = sizeof(Elf64_Phdr),
		   .e_phnum = 2},
	.segments = {{.p_type = PT_LOAD,
		      .p_flags = PF_R | PF_X,
		      .p_offset = offsetof(struct tiny_kernel, code),
		      .p_vaddr = 0x100000,
		      .p_paddr = 0x100000,
		      .p_filesz = 16,
		      .p_memsz = 4096,
		      .p_align = 1},
		     {.p_type = PT_NOTE,
		      .p_offset = offsetof(struct tiny_kernel, note),
		      .p_filesz = 20,
		      .p_memsz = 20,
		      .p_align = 4}},
	.note = {.n_namesz = 4, .n_descsz = 4, .n_type = 18},
	.note_name = "Xen",
	.note_entry = 0x100000,
};

/*
 * What processor 0 does: leave by each of these in turn, for ever by the last. KVM_EXIT_INTR is
 * to stay until it is called out.
 */
struct script {
	const struct kvm_run *exits;
	size_t n_exits;
	atomic_size_t next;
};

static int wait_for_stop(struct kvm_run *run)
{
	while (!__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST))
		usleep(100);
	return -EINTR;
}

static int script_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct script *script = guest;
	size_t next;

	/* The others wait for a start-up IPI that never comes. */
	if (vcpu_id != 0)
		return wait_for_stop(run);
	next = atomic_fetch_add(&script->next, 1);
	if (next >= script->n_exits)
		next = script->n_exits - 1;
	run->exit_reason = script->exits[next].exit_reason;
	switch (run->exit_reason) {
	case KVM_EXIT_INTR:
		/*
		 * Time for the life to end by the exit before. If that came first, this is
		 * the next life, which nobody stops: go on.
		 */
		for (int i = 0;
		     i < 5000 && !__atomic_load_n(&run->immediate_exit, __ATOMIC_SEQ_CST); i++)
			usleep(100);
		return -EINTR;
	case KVM_EXIT_IO:
		run->io = script->exits[next].io;
		run->io.data_offset = sizeof(*run);
		/* The value to write stands where the script has its offset. */
		memcpy((char *)run + sizeof(*run), &script->exits[next].io.data_offset, 4);
		break;
	default:
		memcpy(run->padding, script->exits[next].padding, sizeof(run->padding));
		break;
	}
	usleep(100);
	return 0;
}

#define PORT_WRITE(port_, value_)                    \
	{                                            \
		.exit_reason = KVM_EXIT_IO,          \
		.io = {.direction = KVM_EXIT_IO_OUT, \
		       .size = 1,                    \
		       .port = (port_),              \
		       .count = 1,                   \
		       .data_offset = (value_),      \
		}                                    \
	}

struct fixture {
	struct fake *fake;
	struct faulty *faulty;
	struct script script;
	struct config config;
	char kernel_path[64];
};

static void fixture_init(struct fixture *fixture, const struct kvm_run *exits, size_t n_exits)
{
	static char cmdline[] = "";

	*fixture = (struct fixture){
		.fake = fake_new(),
		.script = {.exits = exits, .n_exits = n_exits},
		.kernel_path = "/tmp/alcove-test-kernel-XXXXXX",
		.config = {.n_vcpus = 2,
			   .memory_bytes = 64 * MIB,
			   .console = CONSOLE_NONE,
			   .rng = true,
			   .sandbox = SANDBOX_OFF},
	};
	int fd = mkstemp(fixture->kernel_path);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, &tiny_kernel, sizeof(tiny_kernel)), sizeof(tiny_kernel));
	close(fd);
	fixture->config.kernel = fixture->kernel_path;
	fixture->config.cmdline = cmdline;
	fixture->faulty = faulty_new(fake_host(fixture->fake));
	fake_set_guest(fixture->fake, script_run, &fixture->script);
}

static enum exit_status fixture_run(struct fixture *fixture)
{
	return machine_run(faulty_host(fixture->faulty), &fixture->config);
}

static void fixture_fini(struct fixture *fixture)
{
	unlink(fixture->kernel_path);
	faulty_free(fixture->faulty);
	fake_free(fixture->fake);
}

static enum exit_status run_exits(const struct kvm_run *exits, size_t n_exits)
{
	struct fixture fixture;
	enum exit_status status;

	fixture_init(&fixture, exits, n_exits);
	fixture.config.on_reboot = REBOOT_EXIT;
	status = fixture_run(&fixture);
	fixture_fini(&fixture);
	return status;
}

START_TEST(test_each_end_has_its_exit_status)
{
	static const struct {
		struct kvm_run exit;
		enum exit_status status;
	} cases[] = {
		{PORT_WRITE(PLATFORM_POWER_PORT,
			    PLATFORM_POWER_SLP_TYP_S5 << 2 | PLATFORM_POWER_SLP_EN),
		 EXIT_STATUS_OK},
		{PORT_WRITE(PLATFORM_POWER_PORT + PLATFORM_POWER_RESET,
			    PLATFORM_POWER_RESET_VALUE),
		 EXIT_STATUS_RESET},
		{PORT_WRITE(PLATFORM_KBD_RESET_PORT, 0xfe), EXIT_STATUS_RESET},
		{PORT_WRITE(PLATFORM_PVPANIC_PORT, 1), EXIT_STATUS_PANIC},
		{PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 0), EXIT_STATUS_OK},
		{PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 42), (enum exit_status)42},
		{PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 199), EXIT_STATUS_GUEST_MAX},
		{PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 202), EXIT_STATUS_GUEST_MAX},
		{{.exit_reason = KVM_EXIT_SHUTDOWN}, EXIT_STATUS_SHUTDOWN},
		{{.exit_reason = KVM_EXIT_SYSTEM_EVENT,
		  .system_event = {.type = KVM_SYSTEM_EVENT_SEV_TERM, .ndata = 1}},
		 EXIT_STATUS_PANIC},
		{{.exit_reason = KVM_EXIT_SYSTEM_EVENT,
		  .system_event = {.type = KVM_SYSTEM_EVENT_CRASH, .ndata = 0}},
		 EXIT_STATUS_INTERNAL},
		{{.exit_reason = KVM_EXIT_INTERNAL_ERROR}, EXIT_STATUS_INTERNAL},
		{{.exit_reason = KVM_EXIT_FAIL_ENTRY}, EXIT_STATUS_INTERNAL},
		{{.exit_reason = 4711}, EXIT_STATUS_INTERNAL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		ck_assert_int_eq(run_exits(&cases[i].exit, 1), cases[i].status);
}
END_TEST

START_TEST(test_access_to_nothing_is_harmless)
{
	static const struct kvm_run exits[] = {
		PORT_WRITE(0x1234, 1),
		{.exit_reason = KVM_EXIT_IO,
		 .io = {.direction = KVM_EXIT_IO_IN, .size = 4, .port = 0xffff, .count = 1}},
		{.exit_reason = KVM_EXIT_MMIO, .mmio = {.phys_addr = UINT64_MAX - 2, .len = 7}},
		{.exit_reason = KVM_EXIT_MMIO,
		 .mmio = {.phys_addr = PLATFORM_ECAM_GPA + 3, .len = 8, .is_write = 1}},
		{.exit_reason = KVM_EXIT_MMIO,
		 .mmio = {.phys_addr = PLATFORM_IOAPIC_GPA, .len = 3}},
		PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 7),
	};

	ck_assert_int_eq(run_exits(exits, ARRAY_SIZE(exits)), 7);
}
END_TEST

START_TEST(test_reset_builds_the_machine_anew)
{
	static const struct kvm_run exits[] = {
		PORT_WRITE(PLATFORM_KBD_RESET_PORT, 0xfe),
		PORT_WRITE(PLATFORM_KBD_RESET_PORT, 0xfe),
		PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 3),
	};
	struct fixture fixture;

	fixture_init(&fixture, exits, ARRAY_SIZE(exits));
	ck_assert_int_eq(fixture_run(&fixture), 3);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_log_of_the_serial_port_outlives_a_reset)
{
	static const struct kvm_run exits[] = {
		PORT_WRITE(PLATFORM_SERIAL_PORT, 'a'),
		PORT_WRITE(PLATFORM_KBD_RESET_PORT, 0xfe),
		{.exit_reason = KVM_EXIT_INTR},
		PORT_WRITE(PLATFORM_SERIAL_PORT, 'b'),
		PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 3),
	};
	char path[] = "/tmp/alcove-test-log-XXXXXX";
	int fd = mkstemp(path);
	struct fixture fixture;
	char bytes[8];

	ck_assert_int_eq(write(fd, "old", 3), 3);
	fixture_init(&fixture, exits, ARRAY_SIZE(exits));
	fixture.config.serial_log = path;
	ck_assert_int_eq(fixture_run(&fixture), 3);
	ck_assert_int_eq(pread(fd, bytes, sizeof(bytes), 0), 2);
	ck_assert_mem_eq(bytes, "ab", 2);
	fixture_fini(&fixture);
	unlink(path);
	close(fd);
}
END_TEST

START_TEST(test_time_limit_ends_a_guest_that_does_not)
{
	static const struct kvm_run idle = PORT_WRITE(0x80, 0);
	struct fixture fixture;

	fixture_init(&fixture, &idle, 1);
	fixture.config.time_limit_s = 1;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_TIME_LIMIT);
	fixture_fini(&fixture);
}
END_TEST

static void *signal_later(void *unused)
{
	(void)unused;
	usleep(200000);
	kill(getpid(), SIGTERM);
	return NULL;
}

START_TEST(test_signal_stops_the_machine)
{
	static const struct kvm_run idle = PORT_WRITE(0x80, 0);
	struct fixture fixture;
	sigset_t term;
	pthread_t sender;

	/* Blocked here, so that it is the machine's to take whichever thread it is sent to. */
	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	pthread_sigmask(SIG_BLOCK, &term, NULL);
	fixture_init(&fixture, &idle, 1);
	ck_assert_int_eq(pthread_create(&sender, NULL, signal_later, NULL), 0);
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_STOPPED);
	pthread_join(sender, NULL);
	fixture_fini(&fixture);
}
END_TEST

static void *hang_up_later(void *unused)
{
	sigset_t hup;

	(void)unused;
	/* Else it would be ignored here. */
	sigemptyset(&hup);
	sigaddset(&hup, SIGHUP);
	pthread_sigmask(SIG_BLOCK, &hup, NULL);
	usleep(200000);
	kill(getpid(), SIGHUP);
	return NULL;
}

/* As under nohup. */
START_TEST(test_signal_that_was_ignored_stops_nothing)
{
	static const struct kvm_run idle = PORT_WRITE(0x80, 0);
	struct fixture fixture;
	pthread_t sender;

	signal(SIGHUP, SIG_IGN);
	fixture_init(&fixture, &idle, 1);
	fixture.config.time_limit_s = 1;
	ck_assert_int_eq(pthread_create(&sender, NULL, hang_up_later, NULL), 0);
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_TIME_LIMIT);
	pthread_join(sender, NULL);
	fixture_fini(&fixture);
}
END_TEST

/* The guest asks to be stopped once more when it is called out for the last time. */
static int signal_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	(void)guest;
	if (vcpu_id == 0) {
		kill(getpid(), SIGTERM);
		wait_for_stop(run);
		kill(getpid(), SIGTERM);
	}
	return wait_for_stop(run);
}

/* timeout(1) sends it to the child and then to the group. */
START_TEST(test_second_signal_does_not_kill)
{
	struct fixture fixture;

	fixture_init(&fixture, NULL, 0);
	fake_set_guest(fixture.fake, signal_run, NULL);
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_STOPPED);
	fixture_fini(&fixture);
}
END_TEST

/* The fake aborts on whatever is left behind. */
START_TEST(test_failure_of_any_call_ends_in_an_error_and_leaves_nothing)
{
	static const int errnums[] = {ENOMEM, EINVAL, EIO};
	static const struct kvm_run exit = PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 3);

	for (size_t e = 0; e < ARRAY_SIZE(errnums); e++) {
		unsigned int nth = 0;
		bool has_failed;

		do {
			struct fixture fixture;
			enum exit_status status;

			fixture_init(&fixture, &exit, 1);
			faulty_arm(fixture.faulty,
				   (struct fault){.nth = ++nth, .errnum = errnums[e]});
			status = fixture_run(&fixture);
			has_failed = faulty_count_fired(fixture.faulty);
			ck_assert(has_failed || status == 3);
			/* A capability that cannot be asked for is one that is not there. */
			ck_assert(status == 3 || status == EXIT_STATUS_SETUP ||
				  status == EXIT_STATUS_INTERNAL);
			fixture_fini(&fixture);
		} while (has_failed);
		ck_assert_uint_gt(nth, 15);
	}
}
END_TEST

START_TEST(test_kernel_without_guest_memfd_is_a_setup_error)
{
	static const struct kvm_run exit = PORT_WRITE(PLATFORM_DEBUG_EXIT_PORT, 3);
	struct fixture fixture;

	fixture_init(&fixture, &exit, 1);
	fake_traits(fixture.fake)->no_guest_memfd = true;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	fixture_fini(&fixture);
}
END_TEST

/* Takes the ring away from the loop, and then wakes it all the time. */
static int sabotage_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	static const struct kvm_run output = PORT_WRITE(PLATFORM_SERIAL_PORT, 'x');
	atomic_uint *n_calls = guest;
	char path[32], target[64];
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	(void)vcpu_id;
	for (int fd = 0; fd < 64; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		memset(target, 0, sizeof(target));
		if (readlink(path, target, sizeof(target) - 1) > 0 &&
		    !strcmp(target, "anon_inode:[io_uring]"))
			dup2(null_fd, fd);
	}
	close(null_fd);
	atomic_fetch_add(n_calls, 1);
	run->exit_reason = KVM_EXIT_IO;
	run->io = output.io;
	run->io.data_offset = sizeof(*run);
	memcpy((char *)run + sizeof(*run), "x", 1);
	usleep(100);
	return 0;
}

/* In a child of its own: what stays behind then is meant to. */
static void run_sabotaged(int stderr_fd)
{
	atomic_uint n_calls = 0;
	unsigned int n_before;
	struct fixture fixture;
	enum exit_status status;

	dup2(stderr_fd, STDERR_FILENO);
	fixture_init(&fixture, NULL, 0);
	fixture.config.serial_log = (char[]){"/dev/null"};
	fake_set_guest(fixture.fake, sabotage_run, &n_calls);
	status = fixture_run(&fixture);
	unlink(fixture.kernel_path);
	n_before = atomic_load(&n_calls);
	usleep(50000);
	_exit(atomic_load(&n_calls) == n_before ? (int)status : 99);
}

START_TEST(test_loop_that_fails_ends_the_machine_and_says_so)
{
	char said[256] = "";
	int fds[2];
	int status;
	pid_t pid;

	ck_assert_int_eq(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0)
		run_sabotaged(fds[1]);
	close(fds[1]);
	ck_assert_int_gt(read(fds[0], said, sizeof(said) - 1), 0);
	close(fds[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), EXIT_STATUS_INTERNAL);
	ck_assert_msg(strstr(said, "io_uring failed"), "%s", said);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_each_end_has_its_exit_status,
		test_access_to_nothing_is_harmless,
		test_reset_builds_the_machine_anew,
		test_log_of_the_serial_port_outlives_a_reset,
		test_time_limit_ends_a_guest_that_does_not,
		test_signal_stops_the_machine,
		test_signal_that_was_ignored_stops_nothing,
		test_second_signal_does_not_kill,
		test_failure_of_any_call_ends_in_an_error_and_leaves_nothing,
		test_kernel_without_guest_memfd_is_a_setup_error,
		test_loop_that_fails_ends_the_machine_and_says_so,
	};

	return unit_run(unit_suite("machine", tests, ARRAY_SIZE(tests)));
}
