// SPDX-License-Identifier: GPL-2.0-or-later
/* `alcove measure`: that it says what a launch measures, and of what it says that. */
#include "vmm/measure.h"

#include <errno.h>
#include <jansson.h>
#include <sys/stat.h>

#include "tests/fake/fake.h"
#include "tests/fake/fake_cc.h"
#include "tests/unit/images.h"
#include "tests/unit/scratch.h"
#include "vmm/cli.h"
#include "vmm/config.h"
#include "vmm/cpuid.h"
#include "vmm/err.h"
#include "vmm/machine.h"
#include "vmm/platform.h"

enum {
	GUEST_STATUS = 33,
	WORDS_MAX = 24,
	DIGEST_TEXT_BYTES = 2 * LAUNCH_DIGEST_BYTES,
};

/* Two files to boot, and one for output. */
struct fixture {
	struct scratch kernel, initrd;
	char out[128];
};

static void fixture_init(struct fixture *fixture)
{
	struct image image;

	bzimage_make(&image);
	scratch_init(&fixture->kernel, "kernel", (const char *)image.bytes, image.size_bytes);
	scratch_init(&fixture->initrd, "initrd", "any bytes will do", 17);
	snprintf(fixture->out, sizeof(fixture->out), "%s/out", fixture->kernel.directory);
}

static void fixture_fini(const struct fixture *fixture)
{
	unlink(fixture->out);
	scratch_fini(&fixture->kernel);
	scratch_fini(&fixture->initrd);
}

/* The kernel, the initrd: with one byte changed. */
static void change_byte(const struct scratch *scratch, long offset)
{
	FILE *file = fopen(scratch->path, "r+e");

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fseek(file, offset, SEEK_SET), 0);
	ck_assert_int_eq(fputc(0x17, file), 0x17);
	ck_assert_int_eq(fclose(file), 0);
}

/* --- The program --- */

/* `alcove measure` with kernel and @options, in one string with blanks. Its status. */
static int run(const struct fixture *fixture, const char *options)
{
	char *words[WORDS_MAX] = {(char[]){"alcove"}, (char[]){"measure"}};
	_cleanup_free_ char *text = NULL;
	unsigned int n_words = 2;
	int status, out;

	ck_assert_int_gt(asprintf(&text, "--kernel=%s %s", fixture->kernel.path, options), 0);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		ck_assert_uint_lt(n_words, WORDS_MAX - 1);
		words[n_words++] = word;
	}
	fflush(stdout);
	fflush(stderr);
	out = dup(STDOUT_FILENO);
	ck_assert_ptr_nonnull(freopen(fixture->out, "we", stdout));
	status = cli_main(words);
	fflush(stdout);
	ck_assert_int_eq(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
	close(out);
	return status;
}

/* What it says with --json; free with json_decref. */
static json_t *run_json(const struct fixture *fixture, const char *options)
{
	_cleanup_free_ char *with_json = NULL;
	json_t *report;

	ck_assert_int_gt(asprintf(&with_json, "--json %s", options), 0);
	ck_assert_int_eq(run(fixture, with_json), EXIT_STATUS_OK);
	report = json_load_file(fixture->out, JSON_REJECT_DUPLICATES, NULL);
	ck_assert_ptr_nonnull(report);
	return report;
}

static void run_digest(const struct fixture *fixture, const char *options,
		       char ret_text[DIGEST_TEXT_BYTES + 1])
{
	json_t *report = run_json(fixture, options);
	const char *digest = json_string_value(json_object_get(report, "digest"));

	ck_assert_ptr_nonnull(digest);
	ck_assert_uint_eq(strlen(digest), DIGEST_TEXT_BYTES);
	memcpy(ret_text, digest, DIGEST_TEXT_BYTES + 1);
	json_decref(report);
}

#define SNP "--type=snp --memory=64M --cmdline=quiet --vcpu-model=EPYC-Milan "
#define TDX "--type=tdx --memory=64M --cmdline=quiet "

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
	{"--type=tdx --id-key=x --id-block-out=x --id-auth-out=x", EXIT_STATUS_USAGE,
	 "--id-key: only SEV-SNP guests have an ID block; leave it out"},
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

/* What the fake's processor has to say about a launch. */
static void request_fill(struct fake *fake, struct measure_request *request, char model[16])
{
	struct host *host = fake_host(fake);
	int vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	struct kvm_cpuid2 *cpuid = NULL;
	struct kvm_cpuid_entry2 *leaf;

	ck_assert_int_ge(vm, 0);
	ck_assert_int_eq(cpuid_new(host, vm, &cpuid, NULL), 0);
	snprintf(model, 16, "0x%x", cpuid_signature(cpuid));
	leaf = cpuid_find(cpuid, 0x8000001f, 0);
	*request = (struct measure_request){
		.vcpu_model = model,
		.c_bit = leaf ? leaf->ebx & 0x3f : 0,
		.gpa_bits = 48,
	};
	free(cpuid);
	host_close(host, vm);
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
	tcase_add_test(tcase, test_id_block_is_of_this_launch);
	tcase_add_loop_test(tcase, test_launch_has_the_digest_that_was_told_before, 0,
			    ARRAY_SIZE(launches));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
