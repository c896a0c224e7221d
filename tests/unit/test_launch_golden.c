// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All that a machine of type snp or tdx asks of the kernel, from the VM to its end, against
 * lines that were written by hand from the documentation of KVM; tests/unit/golden/launch-*.txt
 * say where each comes from.
 */
#include <openssl/evp.h>

#include "boot/file.h"
#include "tests/fake/trace.h"
#include "tests/unit/cc_boots.h"
#include "tests/unit/certs_rig.h"
#include "tests/unit/trace_text.h"
#include "vmm/cleanup.h"

static const struct {
	enum guest_type type;
	enum cc_boot boot;
	const char *file;
} sequences[] = {
	{GUEST_TYPE_SNP, CC_BOOT_STUB, "snp-stub"},
	{GUEST_TYPE_SNP, CC_BOOT_FIRMWARE, "snp-firmware"},
	{GUEST_TYPE_SNP, CC_BOOT_IGVM, "snp-igvm"},
	{GUEST_TYPE_TDX, CC_BOOT_STUB, "tdx-stub"},
	{GUEST_TYPE_TDX, CC_BOOT_FIRMWARE, "tdx-firmware"},
	{GUEST_TYPE_TDX, CC_BOOT_IGVM, "tdx-igvm"},
};

/* Built by others: tests/lab/fetch firmware. Lines were written for images of these hashes. */
static const struct {
	enum guest_type type;
	const char *path, *file, *sha256;
} images[] = {
	{GUEST_TYPE_SNP, "build/firmware/OVMF.amdsev.fd", "snp-amdsev",
	 "3e4fd0b3fe3b2dbe481c3d9e99418a034174f26cbe1f55aa212b0f18c12d2d6f"},
	{GUEST_TYPE_TDX, "build/firmware/OVMF.inteltdx.ms.fd", "tdx-inteltdx",
	 "a265075b4147a096109e501e76196df1ec8a18659c26f7401492c597ec88f312"},
};

/* NULL: it is that image. */
static const char *image_find_excuse(int index)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	uint8_t hash[32];
	char text[65];
	size_t n_bytes;

	if (access(images[index].path, R_OK))
		return "tests/lab/fetch firmware";
	if (image_file_read_all("image", images[index].path, 16 << 20, &bytes, &n_bytes,
				NULL) ||
	    EVP_Digest(bytes, n_bytes, hash, NULL, EVP_sha256(), NULL) != 1)
		return "an image that can be read";
	for (size_t i = 0; i < sizeof(hash); i++)
		snprintf(text + 2 * i, 3, "%02x", hash[i]);
	return strcmp(text, images[index].sha256) ? "the image that the lines are for" : NULL;
}

static void trace_expect(struct fixture *fixture, const char *file, bool in_place)
{
	struct trace *trace = trace_new(fake_host(fixture->fake));
	char path[64];
	char *text;

	ck_assert_int_eq(machine_run(trace_host(trace), &fixture->config), GUEST_STATUS);
	text = trace_write(trace);
	snprintf(path, sizeof(path), "tests/unit/golden/launch-%s.txt", file);
	golden_expect(path, in_place ? "inplace" : "paired", text);
	free(text);
	trace_free(trace);
}

static void launch_as_written(unsigned int index, bool in_place)
{
	struct cc_boot_files files;
	struct fixture fixture;

	fixture_init(&fixture, sequences[index].type, in_place);
	fixture.config.n_vcpus = 2;
	cc_boot_init(&files, &fixture, sequences[index].boot);
	trace_expect(&fixture, sequences[index].file, in_place);
	cc_boot_fini(&files);
	fixture_fini(&fixture);
}

START_TEST(test_launch_in_place_is_as_written)
{
	launch_as_written((unsigned int)_i, true);
}
END_TEST

START_TEST(test_launch_from_a_buffer_is_as_written)
{
	launch_as_written((unsigned int)_i, false);
}
END_TEST

START_TEST(test_launch_of_firmware_of_others_is_as_written)
{
	char path[64];

	for (int in_place = 0; in_place < 2; in_place++) {
		struct fixture fixture;

		fixture_init(&fixture, images[_i].type, in_place);
		snprintf(path, sizeof(path), "%s", images[_i].path);
		fixture.config.n_vcpus = 2;
		fixture.config.kernel = NULL;
		fixture.config.firmware = path;
		trace_expect(&fixture, images[_i].file, in_place);
		fixture_fini(&fixture);
	}
}
END_TEST

/* KVM takes it after KVM_SEV_INIT2 and before there is a vCPU (snp_enable_certs). */
START_TEST(test_certificates_are_asked_for_before_processors)
{
	static const char *const calls[] = {"snp_init vm0", "snp_enable_certs vm0\n",
					    "snp_launch_start vm0", "vcpu_create vm0"};
	uint8_t table[4096];
	size_t n_bytes = certs_make(table, 2, 1000, 0x33);
	struct fixture fixture;
	struct trace *trace;
	char path[64];
	char *text;
	const char *at;
	int fd;

	fixture_init(&fixture, GUEST_TYPE_SNP, _i);
	image_write(table, n_bytes, &fd, path);
	fixture.config.snp_certs = path;
	trace = trace_new(fake_host(fixture.fake));
	ck_assert_int_eq(machine_run(trace_host(trace), &fixture.config), GUEST_STATUS);
	text = trace_write(trace);
	at = text;
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		at = strstr(at, calls[i]);
		ck_assert_msg(at, "%s: %s", calls[i], text);
	}
	free(text);
	trace_free(trace);
	close(fd);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("launch_golden");
	TCase *tcase = tcase_create("launch_golden");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_launch_in_place_is_as_written, 0,
			    ARRAY_SIZE(sequences));
	tcase_add_loop_test(tcase, test_launch_from_a_buffer_is_as_written, 0,
			    ARRAY_SIZE(sequences));
	tcase_add_loop_test(tcase, test_certificates_are_asked_for_before_processors, 0, 2);
	for (int i = 0; i < (int)ARRAY_SIZE(images); i++) {
		const char *excuse = image_find_excuse(i);

		if (excuse)
			unit_skip(images[i].file, excuse);
		else
			tcase_add_loop_test(tcase,
					    test_launch_of_firmware_of_others_is_as_written, i,
					    i + 1);
	}
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
