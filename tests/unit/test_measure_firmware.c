// SPDX-License-Identifier: GPL-2.0-or-later
/* `alcove measure` of firmware: whole reports, and digests that others computed. */
#include "tests/unit/firmware.h"
#include "tests/unit/igvm_files.h"
#include "tests/unit/measure_rig.h"

#define AMDSEV "--firmware=tests/unit/vectors/ovmf_AmdSev_suffix.bin --memory=64M --type=snp "

/*
 * Of the image in tests/unit/vectors. The first two are published (see test_measure_snp.c), the
 * others were computed by a program that was written for this and has those two as well.
 */
static const struct {
	const char *options, *wanted;
} firmwares[] = {
	{AMDSEV "--vcpu-model=EPYC-v4",
	 "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ec"
	 "abe033c48dd6f6db5d6d76e7c5df632d"},
	{AMDSEV "--vcpu-model=EPYC-v4 --features=0x20",
	 "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf"
	 "281a9278a4a2ebe0eed9f22adbcd0e2b"},
	{AMDSEV "--vcpu-model=0x800f12 --cpus=4",
	 "49a5df7673889babb3ee480795e1be1571b812264c2c7cc3ac6f92298a2f8683"
	 "d8c691b26d8114dd6afbd324c2150ae1"},
	{AMDSEV "--profile=ec2 --cpus=4",
	 "c1cdb69c9791afdefe6547b39179f47150788b8363b1a7b84d3ea5fbf649c0d7"
	 "76c8daf76a9be803f4eef483d3e06846"},
	{AMDSEV "--profile=gce --cpus=4",
	 "ab17e200d6da7d23077e0daa1a969a5dd2901386483eaba0bd14c9b147d0b638"
	 "77e65c794eeef634be92769acae79397"},
};

START_TEST(test_firmware_has_the_digest_that_others_computed)
{
	_cleanup_free_ char *line = NULL;
	struct fixture fixture;
	json_t *report;

	fixture_init(&fixture);
	ck_assert_int_gt(asprintf(&line, "%s --json", firmwares[_i].options), 0);
	ck_assert_int_eq(run_options(&fixture, line), EXIT_STATUS_OK);
	report = json_load_file(fixture.out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(report, "digest")),
			 firmwares[_i].wanted);
	json_decref(report);
	fixture_fini(&fixture);
}
END_TEST

static void check_golden(const struct fixture *fixture, const char *path)
{
	char found[8192], wanted[8192];
	FILE *file = fopen(fixture->out, "re");

	ck_assert_ptr_nonnull(file);
	found[fread(found, 1, sizeof(found) - 1, file)] = '\0';
	fclose(file);
	file = fopen(path, "re");
	ck_assert_ptr_nonnull(file);
	wanted[fread(wanted, 1, sizeof(wanted) - 1, file)] = '\0';
	fclose(file);
	ck_assert_str_eq(found, wanted);
}

/* All of what is said, letter by letter; for TDX of small firmware (tests/unit/firmware.h). */
static const struct {
	const char *options, *path;
} goldens[] = {
	{AMDSEV "--vcpu-model=EPYC-v4 --cpus=2 -v", "tests/unit/golden/measure-snp.txt"},
	{AMDSEV "--vcpu-model=EPYC-v4 --cpus=2 --json", "tests/unit/golden/measure-snp.json"},
	{"--type=tdx --memory=64M -v", "tests/unit/golden/measure-tdx.txt"},
	{"--type=tdx --memory=64M --mrtd-order=two --json",
	 "tests/unit/golden/measure-tdx.json"},
};

START_TEST(test_all_that_is_said_is_as_it_was)
{
	_cleanup_free_ char *line = NULL;
	struct firmware firmware;
	struct fixture fixture;
	struct scratch file;

	fixture_init(&fixture);
	firmware_make(&firmware);
	scratch_init(&file, "td", (const char *)firmware.bytes, sizeof(firmware.bytes));
	ck_assert_int_gt(asprintf(&line, "--firmware=%s %s", file.path, goldens[_i].options),
			 0);
	ck_assert_int_eq(run_options(&fixture, line), EXIT_STATUS_OK);
	check_golden(&fixture, goldens[_i].path);
	scratch_fini(&file);
	fixture_fini(&fixture);
}
END_TEST

/* After a reset, processors have their model in a register. */
START_TEST(test_firmware_needs_the_model_of_processors)
{
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert_int_eq(run_options(&fixture, AMDSEV), EXIT_STATUS_SETUP);
	ck_assert_int_eq(run_options(&fixture, AMDSEV "--vcpu-model=host"), EXIT_STATUS_OK);
	fixture_fini(&fixture);
}
END_TEST

/* IGVM files; their digests were computed from what igvm_file_* say (see test_igvm_load.c). */
static const struct {
	bool is_coconut;
	const char *options, *wanted, *id_block;
} igvms[] = {
	{true, "--type=snp",
	 "067d6632e06028a787d83975afa0ba35832667e51379e97c5cecc3c069c6e3d5"
	 "700265706b8e3d952f2613762e6a791b",
	 "of another launch"},
	{false, "--type=tdx",
	 "2971c0504499f3dd01871966c90cf5401462fdc08dbae763979810d0bbf0fedb"
	 "1654cc83f0b6403d83536dbd6bba52f2",
	 NULL},
};

START_TEST(test_igvm_files_have_the_digest_of_their_description)
{
	static struct igvm_writer writer;
	_cleanup_free_ char *line = NULL;
	const char *id_block;
	struct fixture fixture;
	struct scratch file;
	struct coconut at;
	json_t *report;

	fixture_init(&fixture);
	if (igvms[_i].is_coconut)
		igvm_file_coconut(&writer, &at);
	else
		igvm_file_stage0(&writer);
	scratch_init(&file, "igvm", (const char *)writer.file.bytes,
		     (size_t)writer.file.size_bytes);
	ck_assert_int_gt(asprintf(&line, "--igvm=%s --memory=32M --json %s", file.path,
				  igvms[_i].options),
			 0);
	ck_assert_int_eq(run_options(&fixture, line), EXIT_STATUS_OK);
	report = json_load_file(fixture.out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_str_eq(json_string_value(json_object_get(report, "digest")),
			 igvms[_i].wanted);
	id_block = json_string_value(json_object_get(report, "id_block"));
	ck_assert_pstr_eq(id_block, igvms[_i].id_block);
	json_decref(report);
	scratch_fini(&file);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("measure_firmware");
	TCase *tcase = tcase_create("measure_firmware");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, test_firmware_has_the_digest_that_others_computed, 0,
			    ARRAY_SIZE(firmwares));
	tcase_add_loop_test(tcase, test_all_that_is_said_is_as_it_was, 0, ARRAY_SIZE(goldens));
	tcase_add_test(tcase, test_firmware_needs_the_model_of_processors);
	tcase_add_loop_test(tcase, test_igvm_files_have_the_digest_of_their_description, 0,
			    ARRAY_SIZE(igvms));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
