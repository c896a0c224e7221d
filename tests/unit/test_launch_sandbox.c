// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Machines of type snp and tdx in the sandbox, which ends a process that goes beyond its rules:
 * files that are read again in each life, digests, threads. What the door to the kernel itself
 * calls is in test_sandbox.c.
 */
#include <sys/syscall.h>
#include <sys/wait.h>

#include "tests/unit/cc_boots.h"
#include "tests/unit/unit.h"

static const struct {
	enum guest_type type;
	enum cc_boot boot;
} launches[] = {
	{GUEST_TYPE_SNP, CC_BOOT_STUB},	     {GUEST_TYPE_SNP, CC_BOOT_FIRMWARE},
	{GUEST_TYPE_SNP, CC_BOOT_HASHES},    {GUEST_TYPE_SNP, CC_BOOT_IGVM},
	{GUEST_TYPE_SNP, CC_BOOT_IGVM_SVSM}, {GUEST_TYPE_TDX, CC_BOOT_STUB},
	{GUEST_TYPE_TDX, CC_BOOT_FIRMWARE},  {GUEST_TYPE_TDX, CC_BOOT_IGVM},
};

/* In a child: what its machine may not do, nobody may after it. */
static int run_in_child(struct fixture *fixture)
{
	pid_t child = fork();
	int status;

	ck_assert_int_ge(child, 0);
	if (!child)
		syscall(SYS_exit_group, fixture_run(fixture));
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

START_TEST(test_launch_stays_within_the_rules)
{
	struct cc_boot_files files;
	struct fixture fixture;

	fixture_init(&fixture, launches[_i].type, false);
	cc_boot_init(&files, &fixture, launches[_i].boot);
	fixture.config.sandbox = SANDBOX_ON;
	ck_assert_int_eq(run_in_child(&fixture), GUEST_STATUS);
	cc_boot_fini(&files);
	fixture_fini(&fixture);
}
END_TEST

/* Resets itself by the keyboard controller, once. */
static int guest_reset(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct fixture *fixture = guest;

	if (vcpu_id != 0 || fixture->n_runs)
		return vcpu_id ? guest_wait(run) : guest_leave(run);
	fixture->n_runs++;
	guest_leave(run);
	run->io.port = PLATFORM_KBD_RESET_PORT;
	((uint8_t *)run)[run->io.data_offset] = 0xfe;
	return 0;
}

START_TEST(test_another_life_stays_within_the_rules)
{
	struct cc_boot_files files;
	struct fixture fixture;

	fixture_init(&fixture, launches[_i].type, false);
	cc_boot_init(&files, &fixture, launches[_i].boot);
	fixture.config.sandbox = SANDBOX_ON;
	fixture.config.on_reboot = REBOOT_RESTART;
	fake_set_guest(fixture.fake, guest_reset, &fixture);
	ck_assert_int_eq(run_in_child(&fixture), GUEST_STATUS);
	fixture.config.on_reboot = REBOOT_EXIT;
	ck_assert_int_eq(run_in_child(&fixture), EXIT_STATUS_RESET);
	cc_boot_fini(&files);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("launch_sandbox");
	TCase *tcase = tcase_create("launches");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_launch_stays_within_the_rules, 0, ARRAY_SIZE(launches));
	tcase_add_loop_test(tcase, test_another_life_stays_within_the_rules, 0,
			    ARRAY_SIZE(launches));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
