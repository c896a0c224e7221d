// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole machines of types snp and tdx on the fake kernel, from their parts to their end. */
#include <linux/psp-sev.h>
#include <signal.h>

#include "tests/unit/cc_machine.h"
#include "tests/unit/unit.h"
#include "vmm/host_cc.h"

/* Types and backings. */
static const struct {
	enum guest_type type;
	bool in_place;
} ways[] = {
	{GUEST_TYPE_SNP, false},
	{GUEST_TYPE_SNP, true},
	{GUEST_TYPE_TDX, false},
	{GUEST_TYPE_TDX, true},
};

START_TEST(test_guest_is_launched_and_runs)
{
	struct fixture fixture;

	fixture_init(&fixture, ways[_i].type, ways[_i].in_place);
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	ck_assert_uint_gt(fixture.n_runs, 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_snp_guest_is_what_the_configuration_says)
{
	struct fake_snp_launch launch;
	struct fixture fixture;

	fixture_init(&fixture, GUEST_TYPE_SNP, _i);
	fixture.config.snp_policy = 0x30000 | 1 << 20;
	memset(fixture.config.snp_host_data, 0x5a, sizeof(fixture.config.snp_host_data));
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	ck_assert(fake_get_snp_launch(fixture.fake, &launch));
	ck_assert_uint_eq(launch.policy, fixture.config.snp_policy);
	ck_assert_mem_eq(launch.host_data, fixture.config.snp_host_data,
			 sizeof(launch.host_data));
	ck_assert_uint_eq(launch.vmsa_features, 1);
	ck_assert_uint_eq(launch.n_vcpus, 3);
	ck_assert(!launch.has_id_block && !launch.has_req_certs && !launch.is_vcek_disabled);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_td_is_what_the_configuration_says)
{
	struct fake_tdx_launch launch;
	struct fixture fixture;

	fixture_init(&fixture, GUEST_TYPE_TDX, _i);
	memset(fixture.config.tdx_config_id, 1, CONFIG_TDX_ID_BYTES);
	memset(fixture.config.tdx_owner, 2, CONFIG_TDX_ID_BYTES);
	memset(fixture.config.tdx_owner_config, 3, CONFIG_TDX_ID_BYTES);
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	ck_assert(fake_get_tdx_launch(fixture.fake, &launch));
	ck_assert_mem_eq(launch.mrconfigid, fixture.config.tdx_config_id, CONFIG_TDX_ID_BYTES);
	ck_assert_mem_eq(launch.mrowner, fixture.config.tdx_owner, CONFIG_TDX_ID_BYTES);
	ck_assert_mem_eq(launch.mrownerconfig, fixture.config.tdx_owner_config,
			 CONFIG_TDX_ID_BYTES);
	ck_assert_uint_eq(launch.attributes, 1 << 28);
	ck_assert_uint_eq(launch.gpa_bits, 48);
	ck_assert_uint_eq(launch.n_vcpus, 3);
	fixture_fini(&fixture);
}
END_TEST

/* What passes, must not end a launch. */
START_TEST(test_moments_of_weakness_are_waited_out)
{
	struct fixture fixture;

	fixture_init(&fixture, ways[_i].type, ways[_i].in_place);
	fake_traits(fixture.fake)->tdx.n_no_entropy = 20;
	fake_traits(fixture.fake)->snp.n_cpuid_rejections = 3;
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	fixture_fini(&fixture);
}
END_TEST

/* Five corrections are taken, not more: firmware that is never content ends the launch. */
START_TEST(test_firmware_corrects_cpuid_so_often_and_no_more)
{
	struct fixture fixture;

	fixture_init(&fixture, GUEST_TYPE_SNP, _i);
	fake_traits(fixture.fake)->snp.n_cpuid_rejections = 5;
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	fixture.n_runs = 0;
	fake_traits(fixture.fake)->snp.n_cpuid_rejections = 6;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	ck_assert_uint_eq(fixture.n_runs, 0);
	fixture_fini(&fixture);
}
END_TEST

/* And what does not pass ends it, with nothing left behind (the fake looks). */
START_TEST(test_firmware_that_refuses_ends_the_launch)
{
	unsigned int n_refused = 0;

	for (unsigned int nth = 1; nth < 40; nth++) {
		struct fixture fixture;
		int status;

		fixture_init(&fixture, GUEST_TYPE_SNP, _i);
		fake_traits(fixture.fake)->snp.bad_command = nth;
		fake_traits(fixture.fake)->snp.bad_status = SEV_RET_RESOURCE_LIMIT;
		status = fixture_run(&fixture);
		/*
		 * KVM does not tell of a page that failed after others of the same call; it is
		 * launched by the next. Later commands are those that take the guest down.
		 */
		n_refused += status == EXIT_STATUS_SETUP;
		ck_assert(status == EXIT_STATUS_SETUP || (status == GUEST_STATUS && nth > 3));
		ck_assert(status == GUEST_STATUS || fixture.n_runs == 0);
		fixture_fini(&fixture);
	}
	/* Three to begin, pieces, processors, the end. */
	ck_assert_uint_ge(n_refused, 3 + 8 + 3 + 1);
}
END_TEST

START_TEST(test_hosts_without_what_it_takes_are_refused)
{
	struct fixture fixture;

	fixture_init(&fixture, GUEST_TYPE_SNP, false);
	fake_traits(fixture.fake)->has_snp = false;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	fake_traits(fixture.fake)->has_snp = true;
	fake_traits(fixture.fake)->snp.no_device = true;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	fake_traits(fixture.fake)->snp.no_device = false;
	fake_traits(fixture.fake)->snp.n_asids = 0;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	fake_traits(fixture.fake)->snp.n_asids = 1;
	fixture.config.snp_policy = UINT64_C(1) << 60 | 0x20000;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	fixture.config.snp_policy = 0x10000;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	fixture.config.snp_policy = 0x30000;
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	fixture_fini(&fixture);

	fixture_init(&fixture, GUEST_TYPE_TDX, false);
	fake_traits(fixture.fake)->tdx.n_keys = 0;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	fake_traits(fixture.fake)->tdx.n_keys = 1;
	fake_traits(fixture.fake)->tdx.max_vcpus = 2;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	fixture.config.n_vcpus = 2;
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	fixture_fini(&fixture);
}
END_TEST

/* A secure processor that takes its time: somebody loses patience at the first page. */
struct slow {
	const struct host_cc_ops *ops;
	unsigned int n_calls;
};

static struct slow slow;

static int slow_launch_update(struct host *host, int vm, int sev,
			      struct kvm_sev_snp_launch_update *update, uint32_t *ret_firmware)
{
	sigset_t pending;

	if (slow.n_calls++)
		return slow.ops->snp_launch_update(host, vm, sev, update, ret_firmware);
	kill(getpid(), SIGTERM);
	/* Until the loop has it; what it does then takes no time. */
	do {
		usleep(1000);
		sigpending(&pending);
	} while (sigismember(&pending, SIGTERM));
	usleep(100 * 1000);
	return slow.ops->snp_launch_update(host, vm, sev, update, ret_firmware);
}

START_TEST(test_a_launch_can_be_given_up)
{
	static struct host_ops ops;
	static struct host_cc_ops cc;
	struct fixture fixture;
	struct host *host;

	fixture_init(&fixture, GUEST_TYPE_SNP, _i);
	host = fake_host(fixture.fake);
	ops = *host->ops;
	cc = *ops.cc;
	slow.ops = ops.cc;
	cc.snp_launch_update = slow_launch_update;
	ops.cc = &cc;
	host->ops = &ops;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_STOPPED);
	ck_assert_uint_eq(slow.n_calls, 1);
	ck_assert_uint_eq(fixture.n_runs, 0);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("type_launch");
	TCase *tcase = tcase_create("ways");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_guest_is_launched_and_runs, 0, ARRAY_SIZE(ways));
	tcase_add_loop_test(tcase, test_snp_guest_is_what_the_configuration_says, 0, 2);
	tcase_add_loop_test(tcase, test_td_is_what_the_configuration_says, 0, 2);
	tcase_add_loop_test(tcase, test_moments_of_weakness_are_waited_out, 0,
			    ARRAY_SIZE(ways));
	tcase_add_loop_test(tcase, test_firmware_corrects_cpuid_so_often_and_no_more, 0, 2);
	tcase_add_loop_test(tcase, test_firmware_that_refuses_ends_the_launch, 0, 2);
	tcase_add_loop_test(tcase, test_a_launch_can_be_given_up, 0, 2);
	tcase_add_test(tcase, test_hosts_without_what_it_takes_are_refused);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
