// SPDX-License-Identifier: GPL-2.0-or-later
/* What `alcove measure` says is what a launch measures, and what its ID block is for. */
#include <errno.h>

#include "tests/fake/fake.h"
#include "tests/fake/fake_cc.h"
#include "tests/unit/measure_request.h"
#include "tests/unit/measure_rig.h"
#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/platform.h"

enum { GUEST_STATUS = 33 };

/* --- ID blocks --- */

static void read_back(const char *path, uint8_t *ret_bytes, size_t n_bytes)
{
	FILE *file = fopen(path, "re");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fread(ret_bytes, 1, n_bytes, file), n_bytes);
	ck_assert_int_eq(fgetc(file), EOF);
	fclose(file);
}

/* What is signed is what is measured; test_id_block.c knows of signatures. */
START_TEST(test_id_block_is_of_this_launch)
{
	uint8_t block[ID_BLOCK_BYTES], auth[ID_AUTH_BYTES];
	char block_path[128], auth_path[128], digest[DIGEST_TEXT_BYTES + 1];
	_cleanup_free_ char *line = NULL;
	struct fixture fixture;
	json_t *report;

	fixture_init(&fixture);
	snprintf(block_path, sizeof(block_path), "%s/block", fixture.kernel.directory);
	snprintf(auth_path, sizeof(auth_path), "%s/auth", fixture.kernel.directory);
	ck_assert_int_gt(asprintf(&line,
				  SNP
				  "--id-key=tests/unit/vectors/test_id_key.pem "
				  "--author-key=tests/unit/vectors/test_auth_key.pem "
				  "--id-block-out=%s --id-auth-out=%s --policy=0xb0000 --svn=7 "
				  "--family-id=000102030405060708090a0b0c0d0e0f "
				  "--image-id=ff0102030405060708090a0b0c0d0e0f",
				  block_path, auth_path),
			 0);
	report = run_json(&fixture, line);
	ck_assert_int_eq(strncmp(json_string_value(json_object_get(report, "id_key_digest")),
				 "59fb2c686dfa4fef", 16),
			 0);
	ck_assert_int_eq(
		strncmp(json_string_value(json_object_get(report, "author_key_digest")),
			"eed81169fb0cb5e0", 16),
		0);
	read_back(block_path, block, sizeof(block));
	read_back(auth_path, auth, sizeof(auth));
	for (size_t i = 0; i < LAUNCH_DIGEST_BYTES; i++)
		snprintf(digest + 2 * i, 3, "%02x", block[i]);
	ck_assert_str_eq(digest, json_string_value(json_object_get(report, "digest")));
	ck_assert_uint_eq(block[49], 1);
	ck_assert_uint_eq(block[64], 0xff);
	ck_assert_mem_eq(block + 80, "\1\0\0\0\7\0\0\0\0\0\x0b\0\0\0\0\0", 16);
	ck_assert_mem_eq(auth, "\1\0\0\0\1\0\0\0", 8);
	json_decref(report);
	unlink(block_path);
	unlink(auth_path);
	fixture_fini(&fixture);
}
END_TEST

/* An ID block that comes with the guest is compared; one that is being made need not be there.
 */
START_TEST(test_id_block_of_the_configuration_is_compared)
{
	static const char *const wanted[] = {"of this launch", "of another launch"};
	char block_path[128], auth_path[128];
	_cleanup_free_ char *line = NULL, *sign = NULL, *other_policy = NULL;
	struct fixture fixture;
	json_t *report;

	fixture_init(&fixture);
	snprintf(block_path, sizeof(block_path), "%s/block", fixture.kernel.directory);
	snprintf(auth_path, sizeof(auth_path), "%s/auth", fixture.kernel.directory);
	ck_assert_int_gt(
		asprintf(&line, SNP "--id-block=%s --id-auth=%s ", block_path, auth_path), 0);
	ck_assert_int_gt(asprintf(&sign,
				  "%s --id-key=tests/unit/vectors/test_id_key.pem "
				  "--id-block-out=%s --id-auth-out=%s",
				  line, block_path, auth_path),
			 0);
	ck_assert_int_eq(run(&fixture, sign), EXIT_STATUS_OK);
	/* The block has a policy, too, and the firmware compares it. */
	ck_assert_int_gt(asprintf(&other_policy, "%s --policy=0xb0000", line), 0);
	report = run_json(&fixture, other_policy);
	ck_assert_str_eq(json_string_value(json_object_get(report, "id_block")), wanted[1]);
	json_decref(report);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		report = run_json(&fixture, line);

		ck_assert_str_eq(json_string_value(json_object_get(report, "id_block")),
				 wanted[i]);
		json_decref(report);
		change_byte(&fixture.kernel, BZIMAGE_KERNEL_OFFSET);
	}
	unlink(block_path);
	ck_assert_int_eq(run(&fixture, line), EXIT_STATUS_SETUP);
	unlink(auth_path);
	fixture_fini(&fixture);
}
END_TEST

/* --- The launch itself --- */

static int guest_run(void *guest, unsigned int vcpu_id, struct kvm_run *run_area)
{
	(void)guest;
	if (vcpu_id != 0) {
		while (!__atomic_load_n(&run_area->immediate_exit, __ATOMIC_SEQ_CST))
			usleep(100);
		return -EINTR;
	}
	run_area->exit_reason = KVM_EXIT_IO;
	run_area->io.direction = KVM_EXIT_IO_OUT;
	run_area->io.size = 1;
	run_area->io.port = PLATFORM_DEBUG_EXIT_PORT;
	run_area->io.count = 1;
	run_area->io.data_offset = sizeof(*run_area);
	*((char *)run_area + sizeof(*run_area)) = GUEST_STATUS;
	return 0;
}

static const struct {
	enum guest_type type;
	bool in_place;
	unsigned int n_vcpus;
	enum boot_hw hw;
} launches[] = {
	{GUEST_TYPE_SNP, false, 1, BOOT_HW_ACPI}, {GUEST_TYPE_SNP, true, 1, BOOT_HW_FDT},
	{GUEST_TYPE_SNP, false, 3, BOOT_HW_FDT},  {GUEST_TYPE_SNP, true, 3, BOOT_HW_ACPI},
	{GUEST_TYPE_TDX, false, 1, BOOT_HW_ACPI}, {GUEST_TYPE_TDX, true, 3, BOOT_HW_FDT},
	{GUEST_TYPE_TDX, false, 3, BOOT_HW_FDT},  {GUEST_TYPE_TDX, true, 1, BOOT_HW_ACPI},
};

START_TEST(test_launch_has_the_digest_that_was_told_before)
{
	struct config config = {
		.type = launches[_i].type,
		.n_vcpus = launches[_i].n_vcpus,
		.memory_bytes = 64 * MIB,
		.hw = launches[_i].hw,
		.cmdline = (char[]){"quiet"},
		.console = CONSOLE_NONE,
		.rng = true,
		.snp_policy = 0x30000,
		.sandbox = SANDBOX_OFF,
	};
	uint8_t launched[LAUNCH_DIGEST_BYTES];
	struct measurement measurement;
	struct measure_request request;
	struct fixture fixture;
	struct err err = {0};
	struct fake *fake = fake_new();
	char model[16];

	fixture_init(&fixture);
	config.kernel = fixture.kernel.path;
	config.initrd = fixture.initrd.path;
	fake_traits(fake)->has_snp = config.type == GUEST_TYPE_SNP;
	fake_traits(fake)->has_tdx = config.type == GUEST_TYPE_TDX;
	fake_traits(fake)->in_place = launches[_i].in_place;
	fake_traits(fake)->guards_private = true;
	request_fill(fake, &request, model);
	fake_set_guest(fake, guest_run, NULL);
	ck_assert_msg(measure(&config, &request, &measurement, &err) == 0, "%s", err.text);
	ck_assert_int_eq(machine_run(fake_host(fake), &config), GUEST_STATUS);
	if (config.type == GUEST_TYPE_SNP)
		ck_assert(fake_get_snp_digest(fake, launched));
	else
		ck_assert(fake_get_mrtd(fake, launched));
	ck_assert_mem_eq(measurement.digest, launched, sizeof(launched));
	measurement_fini(&measurement);
	fixture_fini(&fixture);
	fake_free(fake);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("measure_launch");
	TCase *tcase = tcase_create("measure_launch");

	tcase_set_timeout(tcase, 30);
	tcase_add_test(tcase, test_id_block_is_of_this_launch);
	tcase_add_test(tcase, test_id_block_of_the_configuration_is_compared);
	tcase_add_loop_test(tcase, test_launch_has_the_digest_that_was_told_before, 0,
			    ARRAY_SIZE(launches));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
