// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake kernel's TDX keeps the rules of Linux 7.3, arch/x86/kvm/vmx/tdx.c; tests name the
 * function a rule is from.
 */
#include <errno.h>

#include "boot/measure_tdx.h"
#include "tests/unit/cc_rig.h"

static const char *source_of(const struct cc_rig *rig, unsigned int page)
{
	return fake_traits(rig->fake)->in_place ? NULL : rig->pages + page * CC_PAGE;
}

START_TEST(test_launch_is_measured)
{
	for (unsigned int in_place = 0; in_place < 2; in_place++) {
		uint8_t expected[FAKE_DIGEST_BYTES], found[FAKE_DIGEST_BYTES], page[CC_PAGE];
		_cleanup_mrtd_ struct mrtd mrtd = {0};
		struct cc_rig rig;

		td_rig_init(&rig, in_place);
		ck_assert(!fake_get_mrtd(rig.fake, found));
		ck_assert_int_eq(td_add(&rig, CC_GPA, source_of(&rig, 0), 2, true), 0);
		ck_assert_int_eq(
			td_add(&rig, CC_GPA + 2 * CC_PAGE, source_of(&rig, 2), 1, false), 0);
		ck_assert_int_eq(host_tdx_finalize_vm(rig.host, rig.vm, &rig.module), 0);
		ck_assert_int_eq(mrtd_init(&mrtd), 0);
		for (unsigned int i = 0; i < 3; i++) {
			ck_assert_int_eq(mrtd_add_page(&mrtd, CC_GPA + i * CC_PAGE), 0);
			if (i < 2)
				ck_assert_int_eq(
					mrtd_extend_page(&mrtd, CC_GPA + i * CC_PAGE,
							 (uint8_t *)rig.pages + i * CC_PAGE),
					0);
		}
		ck_assert_int_eq(mrtd_finish(&mrtd, expected), 0);
		ck_assert(fake_get_mrtd(rig.fake, found));
		ck_assert_mem_eq(found, expected, sizeof(found));
		ck_assert(fake_guest_read(rig.fake, CC_GPA + 2 * CC_PAGE, page, sizeof(page)));
		ck_assert_mem_eq(page, rig.pages + 2 * CC_PAGE, sizeof(page));
		ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[1]), 0);
		cc_fini(&rig);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_launch_is_measured,
	};

	return unit_run(unit_suite("fake_tdx", tests, ARRAY_SIZE(tests)));
}
