// SPDX-License-Identifier: GPL-2.0-or-later
/* `alcove measure`: on what digests depend, what is reported, what is refused. */
#include "tests/unit/measure_rig.h"

/* Each makes another digest than the line without it. */
static const struct {
	const char *base, *change;
} changes[] = {
	{SNP, "--cmdline=quietly"}, {TDX, "--cmdline=quietly"}, {SNP, "--cpus=2"},
	{TDX, "--cpus=2"},	    {SNP, "--memory=80M"},	{TDX, "--memory=80M"},
	{SNP, "--hw=fdt"},	    {TDX, "--hw=fdt"},		{SNP, "--c-bit=47"},
	{TDX, "--mrtd-order=two"},  {SNP, "--features=0x20"},	{SNP, "--c-bit=48"},
	{SNP, "--type=tdx"},
};

START_TEST(test_digest_depends_on_all_that_is_launched)
{
	char base[DIGEST_TEXT_BYTES + 1], changed[DIGEST_TEXT_BYTES + 1];
	_cleanup_free_ char *line = NULL;
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert_int_gt(asprintf(&line, "%s%s", changes[_i].base, changes[_i].change), 0);
	run_digest(&fixture, changes[_i].base, base);
	run_digest(&fixture, line, changed);
	ck_assert_str_ne(base, changed);
	fixture_fini(&fixture);
}
END_TEST

static const char *const bases[] = {SNP, TDX};

START_TEST(test_digest_depends_on_every_byte_of_the_files)
{
	char none[DIGEST_TEXT_BYTES + 1], one[DIGEST_TEXT_BYTES + 1];
	char other[DIGEST_TEXT_BYTES + 1], last[DIGEST_TEXT_BYTES + 1];
	_cleanup_free_ char *line = NULL;
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert_int_gt(asprintf(&line, "%s--initrd=%s", bases[_i], fixture.initrd.path), 0);
	run_digest(&fixture, bases[_i], none);
	run_digest(&fixture, line, one);
	ck_assert_str_ne(none, one);
	change_byte(&fixture.initrd, 16);
	run_digest(&fixture, line, other);
	ck_assert_str_ne(one, other);
	change_byte(&fixture.kernel, BZIMAGE_KERNEL_OFFSET + BZIMAGE_KERNEL_BYTES - 1);
	run_digest(&fixture, line, last);
	ck_assert_str_ne(other, last);
	fixture_fini(&fixture);
}
END_TEST

/* None of these is launched. */
static const struct {
	const char *base, *change;
} others[] = {
	{SNP, "--policy=0xb0000"},
	{SNP, "--host-data=0123456789012345678901234567890123456789012345678901234567890123"},
	{SNP, "--vcpu-model=EPYC-Genoa"}, /* the stub starts all processors */
	{SNP, "--vcpu-model=0x1234"},
	{SNP, "--gpa-bits=40"},
	{SNP, "--name=other"},
	{SNP, "--rng=off"},
	{TDX, "--gpa-bits=52"},
	{TDX, "--mrconfigid=0123456789012345678901234567890123456789012345678901234567890123"
	      "45678901234567890123456789012345"},
	{TDX, "--c-bit=47"},
	{TDX, "--vcpu-model=EPYC"},
};

START_TEST(test_digest_depends_on_nothing_else)
{
	char base[DIGEST_TEXT_BYTES + 1], changed[DIGEST_TEXT_BYTES + 1];
	_cleanup_free_ char *line = NULL;
	struct fixture fixture;

	fixture_init(&fixture);
	ck_assert_int_gt(asprintf(&line, "%s%s", others[_i].base, others[_i].change), 0);
	run_digest(&fixture, others[_i].base, base);
	run_digest(&fixture, line, changed);
	ck_assert_str_eq(base, changed);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_report_says_what_is_launched)
{
	uint64_t launch_bytes = 0, n_pages = 0;
	const json_t *value;
	struct fixture fixture;
	const char *key;
	json_t *report;
	size_t i;

	fixture_init(&fixture);
	report = run_json(&fixture, SNP "--cpus=4 --features=0x20");
	ck_assert_str_eq(json_string_value(json_object_get(report, "type")), "snp");
	ck_assert_str_eq(json_string_value(json_object_get(report, "vcpu_signature")),
			 "0xa00f11");
	ck_assert_str_eq(json_string_value(json_object_get(report, "vmsa_features")), "0x21");
	ck_assert_str_eq(json_string_value(json_object_get(report, "profile")), "qemu");
	ck_assert_str_eq(json_string_value(json_object_get(report, "policy")), "0x30000");
	ck_assert_int_eq(json_integer_value(json_object_get(report, "vcpus")), 4);
	json_array_foreach(json_object_get(report, "pieces"), i, value) launch_bytes +=
		(uint64_t)json_integer_value(json_object_get(value, "bytes"));
	ck_assert_uint_gt(launch_bytes, 0);
	ck_assert_int_eq(json_integer_value(json_object_get(report, "launch_bytes")),
			 (json_int_t)launch_bytes);
	json_object_foreach(json_object_get(report, "pages"), key, value) n_pages +=
		(uint64_t)json_integer_value(value);
	ck_assert_uint_eq(n_pages, launch_bytes / GRANULE_BYTES);
	json_decref(report);

	report = run_json(&fixture, TDX "--mrtd-order=two");
	ck_assert_str_eq(json_string_value(json_object_get(report, "type")), "tdx");
	ck_assert_str_eq(json_string_value(json_object_get(report, "mrtd_order")), "two");
	ck_assert_ptr_null(json_object_get(report, "policy"));
	json_decref(report);
	fixture_fini(&fixture);
}
END_TEST

/* The text has the same digest, and with -v the pieces. */
START_TEST(test_text_says_the_same)
{
	char digest[DIGEST_TEXT_BYTES + 1], line[256];
	bool has_digest = false, has_piece = false;
	struct fixture fixture;
	FILE *out;

	fixture_init(&fixture);
	run_digest(&fixture, SNP, digest);
	ck_assert_int_eq(run(&fixture, SNP "-v"), EXIT_STATUS_OK);
	out = fopen(fixture.out, "re");
	ck_assert_ptr_nonnull(out);
	while (fgets(line, sizeof(line), out)) {
		has_digest |= !strncmp(line, "digest ", 7) && strstr(line, digest);
		has_piece |= !strcmp(line, "piece 0x000010000..0x000011000 measured\n");
	}
	fclose(out);
	ck_assert(has_digest && has_piece);
	fixture_fini(&fixture);
}
END_TEST

/* --- Refusals --- */

static const struct {
	const char *options;
	int status;
	const char *message;
} refusals[] = {
	{"", EXIT_STATUS_SETUP,
	 "type 'plain': nothing of such a guest is measured; give --type=snp or --type=tdx"},
	{"--type=sw", EXIT_STATUS_SETUP,
	 "type 'sw': nothing of such a guest is measured; give --type=snp or --type=tdx"},
	{"--type=snp --vcpu-model=Pentium", EXIT_STATUS_SETUP,
	 "--vcpu-model: 'Pentium' is not known; write host, a model of QEMU as EPYC-Milan, or "
	 "what CPUID leaf 1 has in eax as 0xa00f11"},
	{"--type=snp --vcpu-model=0x100000000", EXIT_STATUS_SETUP,
	 "--vcpu-model: '0x100000000' is not known; write host, a model of QEMU as EPYC-Milan, "
	 "or what CPUID leaf 1 has in eax as 0xa00f11"},
	{"--type=snp --profile=ec2", EXIT_STATUS_SETUP,
	 "--profile: others do not start a guest at an entry of its own; leave it out, or give "
	 "firmware"},
	{"--type=snp --c-bit=31", EXIT_STATUS_USAGE,
	 "--c-bit: 31 is out of range; write 32 to 62"},
	{"--type=snp --id-block-out=x", EXIT_STATUS_USAGE,
	 "--id-key: without that key there is no ID block; add it, or leave --author-key, "
	 "--id-block-out and --id-auth-out out"},
	{"--type=snp --id-key=x", EXIT_STATUS_USAGE,
	 "--id-key: an ID block and its signatures belong together; give both "
	 "--id-block-out=FILE and --id-auth-out=FILE"},
	{"--type=snp --id-key=x --id-block-out=y --id-auth-out=y", EXIT_STATUS_USAGE,
	 "--id-auth-out: 'y' is where the ID block goes; name another file"},
	{"--type=tdx --id-key=x --id-block-out=x --id-auth-out=z", EXIT_STATUS_USAGE,
	 "--id-key: only SEV-SNP guests have an ID block; leave it out"},
	{"--profil=ec2", EXIT_STATUS_USAGE,
	 "--profil: unknown option; did you mean --profile?"},
	{"--cpu=2", EXIT_STATUS_USAGE, "--cpu: unknown option; did you mean --cpus?"},
	{"--type=tdx one two", EXIT_STATUS_USAGE,
	 "'two': second config file after 'one'; leave one out"},
};

START_TEST(test_what_cannot_be_measured_is_refused)
{
	struct fixture fixture;
	char line[512] = "";
	char path[160];
	FILE *log;

	fixture_init(&fixture);
	snprintf(path, sizeof(path), "%s/err", fixture.initrd.directory);
	ck_assert_ptr_nonnull(freopen(path, "we", stderr));
	ck_assert_int_eq(run(&fixture, refusals[_i].options), refusals[_i].status);
	fflush(stderr);
	log = fopen(path, "re");
	ck_assert_ptr_nonnull(log);
	ck_assert_ptr_nonnull(fgets(line, sizeof(line), log));
	line[strcspn(line, "\n")] = '\0';
	ck_assert_ptr_null(fgets(line + 500, 12, log));
	fclose(log);
	unlink(path);
	ck_assert_int_eq(strncmp(line, "alcove: ", 8), 0);
	ck_assert_str_eq(line + 8, refusals[_i].message);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("measure");
	TCase *tcase = tcase_create("measure");

	tcase_set_timeout(tcase, 30);
	tcase_add_loop_test(tcase, test_digest_depends_on_all_that_is_launched, 0,
			    ARRAY_SIZE(changes));
	tcase_add_loop_test(tcase, test_digest_depends_on_every_byte_of_the_files, 0,
			    ARRAY_SIZE(bases));
	tcase_add_loop_test(tcase, test_digest_depends_on_nothing_else, 0, ARRAY_SIZE(others));
	tcase_add_test(tcase, test_report_says_what_is_launched);
	tcase_add_test(tcase, test_text_says_the_same);
	tcase_add_loop_test(tcase, test_what_cannot_be_measured_is_refused, 0,
			    ARRAY_SIZE(refusals));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
