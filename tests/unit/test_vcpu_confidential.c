// SPDX-License-Identifier: GPL-2.0-or-later
/* What a vCPU's thread answers when an SEV-SNP guest or a TD leaves, on the fake kernel. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <semaphore.h>

#include "devices/quote.h"
#include "devices/quote_message.h"
#include "tests/unit/certs_rig.h"
#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "tests/unit/vcpu_rig.h"
#include "vmm/certs.h"

#define PAGE GRANULE_BYTES

/* --- Guests that end --- */

static int leave_by_event(struct kvm_run *run, uint32_t type, uint32_t n_data)
{
	run->exit_reason = KVM_EXIT_SYSTEM_EVENT;
	memset(&run->system_event, 0, sizeof(run->system_event));
	run->system_event.type = type;
	run->system_event.ndata = n_data;
	return 0;
}

static int terminate_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	(void)guest;
	(void)vcpu_id;
	leave_by_event(run, KVM_SYSTEM_EVENT_SEV_TERM, 1);
	run->system_event.data[0] = 0x21100;
	return 0;
}

static int fatal_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	(void)guest;
	(void)vcpu_id;
	leave_by_event(run, KVM_SYSTEM_EVENT_TDX_FATAL, 16);
	memcpy(&run->system_event.data[14], "no\tway", 6);
	return 0;
}

/* And more in a page, at an address with the shared bit of either width. */
static int fatal_page_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;

	(void)vcpu_id;
	leave_by_event(run, KVM_SYSTEM_EVENT_TDX_FATAL, 16);
	run->system_event.data[12] = 1ull << 63 | 5;
	run->system_event.data[13] = rig->replies[0];
	return 0;
}

/* KVM says only that it is over, and leaves the reason as it was. */
static int error_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;

	(void)vcpu_id;
	(void)run;
	return -(int)rig->replies[0];
}

START_TEST(test_guests_that_end_themselves)
{
	static const gpa_t shared_bits[] = {0, 1ull << 47, 1ull << 51};
	struct rig rig;

	rig_init(&rig, GUEST_TYPE_SNP);
	rig_go(&rig, terminate_run);
	ck_assert_int_eq(rig.end, VCPU_CRASHED);
	ck_assert_msg(strstr(rig.reason, "could not be validated"), "%s", rig.reason);
	rig_fini(&rig);

	rig_init(&rig, GUEST_TYPE_TDX);
	rig_go(&rig, fatal_run);
	ck_assert_int_eq(rig.end, VCPU_CRASHED);
	ck_assert_msg(strstr(rig.reason, "error 0x0: no\\x09way"), "%s", rig.reason);
	for (size_t i = 0; i < ARRAY_SIZE(shared_bits); i++) {
		rig.replies[0] = 0x5000 | shared_bits[i];
		guest_write(rig.c.memory, 0x5000, "a page", 7);
		rig_go(&rig, fatal_page_run);
		ck_assert_msg(strstr(rig.reason, "error 0x5: a page"), "%s", rig.reason);
	}
	rig.replies[0] = RIG_RAM_BYTES - 8;
	rig_go(&rig, fatal_page_run);
	ck_assert_msg(strstr(rig.reason, "0xfffff8, which is not shared"), "%s", rig.reason);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_guests_that_kvm_gives_up)
{
	static const struct {
		enum guest_type type;
		int error;
		enum vcpu_end end;
		const char *why;
	} cases[] = {
		{GUEST_TYPE_TDX, EIO, VCPU_CRASHED, "it had not accepted"},
		{GUEST_TYPE_SNP, EINVAL, VCPU_CRASHED, "VMSA"},
		{GUEST_TYPE_SNP, EIO, VCPU_CRASHED, "guest request"},
		{GUEST_TYPE_SW, EIO, VCPU_FAILED, "KVM gave up"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rig rig;

		rig_init(&rig, cases[i].type);
		rig.replies[0] = (uint64_t)cases[i].error;
		rig_go(&rig, error_run);
		ck_assert_int_eq(rig.end, cases[i].end);
		ck_assert_msg(strstr(rig.reason, cases[i].why), "%s", rig.reason);
		rig_fini(&rig);
	}
}
END_TEST

/* A fault, and then an error that leaves the reason of the fault where it is. */
static int stale_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;

	(void)vcpu_id;
	if (rig->n_exits++)
		return -EFAULT;
	run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	run->memory_fault.flags = KVM_MEMORY_EXIT_FLAG_PRIVATE;
	run->memory_fault.gpa = PAGE;
	run->memory_fault.size = PAGE;
	return -EFAULT;
}

START_TEST(test_reason_of_the_exit_before_is_not_taken_again)
{
	struct rig rig;

	rig_init(&rig, GUEST_TYPE_SNP);
	rig_go(&rig, stale_run);
	ck_assert_int_eq(rig.end, VCPU_FAILED);
	ck_assert_uint_eq(rig.n_exits, 2);
	ck_assert_msg(strstr(rig.reason, "Bad address"), "%s", rig.reason);
	rig_fini(&rig);
}
END_TEST

static int hidden_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs)
{
	(void)host;
	(void)vcpu;
	(void)ret_regs;
	ck_abort_msg("asked for the registers of a guest that hides them");
}

START_TEST(test_registers_that_nobody_may_see_are_not_asked_for)
{
	const struct host_ops *shown;
	struct host_ops hidden;
	struct rig rig;

	rig_init(&rig, GUEST_TYPE_SW);
	rig.replies[0] = ENOMEM;
	rig_go(&rig, error_run);
	ck_assert_msg(strstr(rig.reason, " at rip 0x"), "%s", rig.reason);
	rig_fini(&rig);

	rig_init(&rig, GUEST_TYPE_SNP);
	rig.replies[0] = ENOMEM;
	shown = rig.c.host->ops;
	hidden = *shown;
	hidden.vcpu_get_regs = hidden_get_regs;
	rig.c.host->ops = &hidden;
	rig_go(&rig, error_run);
	rig.c.host->ops = shown;
	ck_assert_msg(strstr(rig.reason, "Cannot allocate memory (0xc)") &&
			      !strstr(rig.reason, "rip"),
		      "%s", rig.reason);
	rig_fini(&rig);
}
END_TEST

/* --- TDVMCALLs --- */

static const struct {
	uint64_t nr, in[2], preset;
} calls[] = {
	{0x10000, {1}, 0},					 /* GetTdVmCallInfo */
	{0x10002, {0x100000, 0x20000}, QUOTE_REPLY_UNSUPPORTED}, /* GetQuote */
	{0x10004, {80}, QUOTE_REPLY_UNSUPPORTED},		 /* SetupEventNotifyInterrupt */
	{0x4711, {80}, QUOTE_REPLY_UNSUPPORTED},
};

static int call_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;
	unsigned int n = rig->n_exits++;

	(void)vcpu_id;
	if (n)
		rig->replies[n - 1] = run->tdx.unknown.ret;
	if (n == 1)
		rig->replies[7] = run->tdx.get_tdvmcall_info.r11;
	if (n == ARRAY_SIZE(calls))
		return leave_by_shutdown(run);
	run->exit_reason = KVM_EXIT_TDX;
	memset(&run->tdx, 0, sizeof(run->tdx));
	run->tdx.nr = calls[n].nr;
	run->tdx.unknown.ret = calls[n].preset;
	memcpy(run->tdx.unknown.data, calls[n].in, sizeof(calls[n].in));
	return 0;
}

START_TEST(test_td_without_a_service_is_told_so)
{
	struct rig rig;

	rig_init(&rig, GUEST_TYPE_TDX);
	rig_go(&rig, call_run);
	ck_assert_int_eq(rig.end, VCPU_SHUTDOWN);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		ck_assert_uint_eq(rig.replies[i], calls[i].preset);
	ck_assert_uint_eq(rig.replies[7], 0);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_td_with_a_service_is_served)
{
	struct quote_config config = {.address = "unix:/nowhere", .timeout_ns = 1000000000};
	struct quote_header header = {.version = 1, .in_bytes = 1024};
	struct loop *loop;
	struct msi_sink msi;
	struct rig rig;

	rig_init(&rig, GUEST_TYPE_TDX);
	msi = (struct msi_sink){.host = rig.c.host, .vm = rig.c.vm};
	ck_assert_int_eq(loop_new(&loop, NULL), 0);
	ck_assert_int_eq(quote_new(loop, rig.c.memory, &msi, &config, &rig.env.quote, NULL), 0);
	guest_write(rig.c.memory, 0x100000, &header, sizeof(header));
	rig_go(&rig, call_run);
	for (size_t i = 0; i < 3; i++)
		ck_assert_uint_eq(rig.replies[i], QUOTE_REPLY_SUCCESS);
	ck_assert_uint_eq(rig.replies[3], QUOTE_REPLY_UNSUPPORTED);
	ck_assert_uint_eq(rig.replies[7], 2);
	/* The vCPU waited for nobody: no loop has run. */
	guest_read(rig.c.memory, 0x100000, &header, sizeof(header));
	ck_assert_uint_eq(header.status, QUOTE_STATUS_IN_FLIGHT);
	loop_free(loop);
	quote_free(rig.env.quote);
	rig_fini(&rig);
}
END_TEST

/* --- Certificates --- */

/* Who changes keys, and what it saw while KVM completed a request. */
static int tool = -1;
static unsigned int n_completions, n_locked;
static const struct host_ops *inner_ops;
static struct kvm_run *run_area;

static bool tool_is_locked_out(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (fcntl(tool, F_OFD_SETLK, &lock))
		return true;
	lock.l_type = F_UNLCK;
	ck_assert_int_eq(fcntl(tool, F_OFD_SETLK, &lock), 0);
	return false;
}

static int watched_run(struct host *host, int vcpu)
{
	if (run_area && run_area->immediate_exit) {
		n_completions++;
		n_locked += tool_is_locked_out();
	}
	return inner_ops->vcpu_run(host, vcpu);
}

static const struct {
	uint64_t gpa, n_pages, ret;
} requests[] = {
	{0x100000, 0, ENOSPC},	 {0x100000, 4, 0}, {0x100000, 1ull << 52, EIO},
	{RIG_RAM_BYTES, 2, EIO}, {0x200000, 2, 0},
};

static int request_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;
	unsigned int n = rig->n_exits++;

	(void)vcpu_id;
	run_area = run;
	if (n) {
		rig->replies[n - 1] = run->snp_req_certs.ret;
		ck_assert(run->snp_req_certs.ret != ENOSPC || run->snp_req_certs.npages == 2);
		ck_assert(!tool_is_locked_out());
	}
	if (n == ARRAY_SIZE(requests))
		return leave_by_shutdown(run);
	run->exit_reason = KVM_EXIT_SNP_REQ_CERTS;
	run->snp_req_certs.gpa = requests[n].gpa;
	run->snp_req_certs.npages = requests[n].n_pages;
	run->snp_req_certs.ret = 0;
	return 0;
}

START_TEST(test_certificates_stay_locked_until_kvm_is_done)
{
	uint8_t table[8192];
	size_t bytes = certs_make(table, 3, 1500, 7);
	struct host_ops ops;
	struct scratch file;
	struct rig rig;

	scratch_init(&file, "certs", (char *)table, bytes);
	tool = open(file.path, O_RDWR | O_CLOEXEC);
	rig_init(&rig, GUEST_TYPE_SNP);
	inner_ops = rig.c.host->ops;
	ops = *inner_ops;
	ops.vcpu_run = watched_run;
	rig.c.host->ops = &ops;
	ck_assert_int_eq(certs_open(file.path, &rig.log, &rig.env.certs, NULL), 0);
	rig_go(&rig, request_run);
	ck_assert_int_eq(rig.end, VCPU_SHUTDOWN);
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		ck_assert_uint_eq(rig.replies[i], requests[i].ret);
	/* Those that got them. */
	ck_assert_uint_eq(n_completions, 2);
	ck_assert_uint_eq(n_locked, 2);
	ck_assert(!tool_is_locked_out());
	certs_close(rig.env.certs);
	rig.c.host->ops = inner_ops;
	rig_fini(&rig);
	close(tool);
	scratch_fini(&file);
}
END_TEST

/* The thread is told to stop before it comes back. */
static sem_t is_in_guest, is_stopped;

static int request_once_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	(void)guest;
	(void)vcpu_id;
	sem_post(&is_in_guest);
	while (sem_wait(&is_stopped)) /* the signal that stops it */
		;
	run->exit_reason = KVM_EXIT_SNP_REQ_CERTS;
	run->snp_req_certs.gpa = 0x100000;
	run->snp_req_certs.npages = 2;
	return 0;
}

START_TEST(test_thread_that_is_stopped_keeps_no_lock)
{
	uint8_t table[8192];
	size_t bytes = certs_make(table, 3, 1500, 7);
	struct scratch file;
	struct err err = {0};
	struct rig rig;

	scratch_init(&file, "certs", (char *)table, bytes);
	tool = open(file.path, O_RDWR | O_CLOEXEC);
	rig_init(&rig, GUEST_TYPE_SNP);
	ck_assert_int_eq(certs_open(file.path, &rig.log, &rig.env.certs, NULL), 0);
	fake_set_guest(rig.c.fake, request_once_run, &rig);
	ck_assert_int_eq(vcpu_new(&rig.env, rig.c.vm, 0, &rig.cpuid, &rig.vcpu, &err), 0);
	sem_init(&is_in_guest, 0, 0);
	sem_init(&is_stopped, 0, 0);
	ck_assert_int_eq(vcpu_start(rig.vcpu, &err), 0);
	while (sem_wait(&is_in_guest))
		;
	vcpu_stop(rig.vcpu);
	sem_post(&is_stopped);
	vcpu_free(rig.vcpu);
	ck_assert(!rig.has_ended);
	ck_assert(!tool_is_locked_out());
	certs_close(rig.env.certs);
	rig_fini(&rig);
	close(tool);
	scratch_fini(&file);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_guests_that_end_themselves,
		test_guests_that_kvm_gives_up,
		test_reason_of_the_exit_before_is_not_taken_again,
		test_registers_that_nobody_may_see_are_not_asked_for,
		test_td_without_a_service_is_told_so,
		test_td_with_a_service_is_served,
		test_certificates_stay_locked_until_kvm_is_done,
		test_thread_that_is_stopped_keeps_no_lock,
	};

	return unit_run(unit_suite("vcpu confidential", tests, ARRAY_SIZE(tests)));
}
