// SPDX-License-Identifier: GPL-2.0-or-later
/* What a vCPU's thread answers when the guest wants memory converted, on the fake kernel. */
#include "vmm/vcpu.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "tests/unit/vcpu_rig.h"

#define RAM_BYTES RIG_RAM_BYTES
#define PAGE	  GRANULE_BYTES

enum { FAULTS_MAX = 5000 };

/* Run @guest until its vCPU ends. */
static void rig_run(struct rig *rig, fake_guest_fn *guest)
{
	rig_init(rig, GUEST_TYPE_SW);
	rig_go(rig, guest);
	rig_fini(rig);
}

static int leave_by_fault(struct kvm_run *run, gpa_t gpa, uint64_t flags)
{
	run->exit_reason = KVM_EXIT_MEMORY_FAULT;
	run->memory_fault.flags = flags;
	run->memory_fault.gpa = gpa;
	run->memory_fault.size = PAGE;
	return -EFAULT;
}

static const struct {
	uint64_t gpa, n_pages, attributes, reply;
} hypercalls[] = {
	{0, 2, KVM_MAP_GPA_RANGE_ENCRYPTED, 0},
	{PAGE, 1, KVM_MAP_GPA_RANGE_DECRYPTED, 0},
	{RAM_BYTES, 1, KVM_MAP_GPA_RANGE_ENCRYPTED, (uint64_t)-KVM_EINVAL},
	{0, UINT64_MAX / PAGE, KVM_MAP_GPA_RANGE_ENCRYPTED, (uint64_t)-KVM_EINVAL},
	{0, UINT64_MAX, KVM_MAP_GPA_RANGE_ENCRYPTED, (uint64_t)-KVM_EINVAL},
	/* Pages that somebody uses. */
	{4 * PAGE, 4, KVM_MAP_GPA_RANGE_ENCRYPTED, (uint64_t)-EAGAIN},
	/* Sizes of pages are a hint, and nobody has a meaning for the bits above. */
	{8 * PAGE, 1, KVM_MAP_GPA_RANGE_ENCRYPTED | KVM_MAP_GPA_RANGE_PAGE_SZ_1G, 0},
	{9 * PAGE, 1, KVM_MAP_GPA_RANGE_ENCRYPTED | 1 << 5, 0},
};

static int ask_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;
	unsigned int n = rig->n_exits++;

	(void)vcpu_id;
	if (n)
		rig->replies[n - 1] = run->hypercall.ret;
	else
		ck_assert_int_eq(fake_pin(rig->c.fake, 5 * PAGE, 0), 0);
	if (n == ARRAY_SIZE(hypercalls)) {
		fake_unpin(rig->c.fake, 5 * PAGE);
		return leave_by_shutdown(run);
	}
	run->exit_reason = KVM_EXIT_HYPERCALL;
	run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = hypercalls[n].gpa;
	run->hypercall.args[1] = hypercalls[n].n_pages;
	run->hypercall.args[2] = hypercalls[n].attributes;
	run->hypercall.ret = 4711;
	return 0;
}

START_TEST(test_hypercalls_are_answered_as_the_guest_knows_it)
{
	struct rig rig;

	rig_run(&rig, ask_run);
	ck_assert_int_eq(rig.end, VCPU_SHUTDOWN);
	for (size_t i = 0; i < ARRAY_SIZE(hypercalls); i++)
		ck_assert_msg(rig.replies[i] == hypercalls[i].reply, "%zu: %jd", i,
			      (intmax_t)rig.replies[i]);
}
END_TEST

/* Another processor was faster, now for this page and now for that. */
static int race_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;

	(void)vcpu_id;
	if (rig->n_exits++ == FAULTS_MAX)
		return leave_by_shutdown(run);
	return leave_by_fault(run, rig->n_exits % 7 * PAGE, 0);
}

/* The same page, but the guest does something between. */
static int busy_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;

	(void)vcpu_id;
	if (rig->n_exits++ == FAULTS_MAX)
		return leave_by_shutdown(run);
	if (rig->n_exits % 2)
		return leave_by_fault(run, PAGE, 0);
	run->exit_reason = KVM_EXIT_HYPERCALL;
	run->hypercall.nr = KVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = 0;
	run->hypercall.args[1] = 1;
	run->hypercall.args[2] = KVM_MAP_GPA_RANGE_DECRYPTED;
	return 0;
}

START_TEST(test_faults_in_vain_do_not_add_up_over_a_life)
{
	struct rig rig;

	rig_run(&rig, race_run);
	ck_assert_msg(rig.end == VCPU_SHUTDOWN, "%s", rig.reason);
	rig_run(&rig, busy_run);
	ck_assert_msg(rig.end == VCPU_SHUTDOWN, "%s", rig.reason);
}
END_TEST

/* KVM has no memory for the page, though it is on the side that is asked for. */
static int fault_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;

	(void)vcpu_id;
	rig->n_exits++;
	return leave_by_fault(run, 3 * PAGE, KVM_MEMORY_EXIT_FLAG_PRIVATE);
}

START_TEST(test_fault_that_comes_again_and_again_ends_the_machine)
{
	struct rig rig;

	rig_run(&rig, fault_run);
	ck_assert_int_eq(rig.end, VCPU_FAILED);
	ck_assert_msg(strstr(rig.reason, "0x3000"), "%s", rig.reason);
	ck_assert_uint_lt(rig.n_exits, FAULTS_MAX);
}
END_TEST

/* Neither has to do with memory that KVM lacks. */
static int hole_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	(void)guest;
	(void)vcpu_id;
	return leave_by_fault(run, 3 * GIB, KVM_MEMORY_EXIT_FLAG_PRIVATE);
}

static int pinned_run(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct rig *rig = guest;

	(void)vcpu_id;
	if (!rig->n_exits++)
		ck_assert_int_eq(fake_pin(rig->c.fake, PAGE, 0), 0);
	return leave_by_fault(run, PAGE, KVM_MEMORY_EXIT_FLAG_PRIVATE);
}

START_TEST(test_fault_that_ends_the_machine_tells_why)
{
	struct rig rig;

	rig_run(&rig, hole_run);
	ck_assert_msg(strstr(rig.reason, "cannot be converted") &&
			      strstr(rig.reason, "0xc0000000"),
		      "%s", rig.reason);
	rig_run(&rig, pinned_run);
	ck_assert_msg(strstr(rig.reason, "stays in use"), "%s", rig.reason);
	rig_run(&rig, fault_run);
	ck_assert_msg(strstr(rig.reason, "no memory for a page"), "%s", rig.reason);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_hypercalls_are_answered_as_the_guest_knows_it,
		test_faults_in_vain_do_not_add_up_over_a_life,
		test_fault_that_comes_again_and_again_ends_the_machine,
		test_fault_that_ends_the_machine_tells_why,
	};

	return unit_run(unit_suite("vcpu", tests, ARRAY_SIZE(tests)));
}
