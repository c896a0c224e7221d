// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All that a machine of type snp or tdx asks of the kernel, from the VM to its end, against
 * lines that were written by hand from the documentation of KVM; tests/unit/golden/launch-*.txt
 * say where each comes from.
 */
#include "tests/fake/trace.h"
#include "tests/unit/cc_boots.h"
#include "tests/unit/trace_text.h"

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

static void launch_as_written(unsigned int index, bool in_place)
{
	struct cc_boot_files files;
	struct fixture fixture;
	struct trace *trace;
	char path[64];
	char *text;

	fixture_init(&fixture, sequences[index].type, in_place);
	fixture.config.n_vcpus = 2;
	cc_boot_init(&files, &fixture, sequences[index].boot);
	trace = trace_new(fake_host(fixture.fake));
	ck_assert_int_eq(machine_run(trace_host(trace), &fixture.config), GUEST_STATUS);
	text = trace_write(trace);
	snprintf(path, sizeof(path), "tests/unit/golden/launch-%s.txt", sequences[index].file);
	golden_expect(path, in_place ? "inplace" : "paired", text);
	free(text);
	trace_free(trace);
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

int main(void)
{
	Suite *suite = suite_create("launch_golden");
	TCase *tcase = tcase_create("launch_golden");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_launch_in_place_is_as_written, 0,
			    ARRAY_SIZE(sequences));
	tcase_add_loop_test(tcase, test_launch_from_a_buffer_is_as_written, 0,
			    ARRAY_SIZE(sequences));
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
