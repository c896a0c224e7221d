// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake kernel's TDX keeps the rules of Linux 7.3, arch/x86/kvm/vmx/tdx.c, for the pages of
 * a launch and its end; tests name the function a rule is from.
 */
#include <errno.h>

#include "boot/measure/tdx.h"
#include "tests/unit/cc_rig.h"

static const char *source_of(const struct cc_rig *rig, unsigned int page)
{
	return fake_traits(rig->fake)->in_place ? NULL : rig->pages + page * CC_PAGE;
}

static int finalize(struct cc_rig *rig)
{
	return host_tdx_finalize_vm(rig->host, rig->vm, &rig->module);
}

/* tdx_gmem_post_populate: each page is added, then measured. */
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
		ck_assert_int_eq(finalize(&rig), 0);
		ck_assert_int_eq(mrtd_init(&mrtd), 0);
		for (unsigned int i = 0; i < 3; i++) {
			const uint8_t *bytes = (uint8_t *)rig.pages + i * CC_PAGE;
			gpa_t gpa = CC_GPA + i * CC_PAGE;

			ck_assert_int_eq(mrtd_add_page(&mrtd, gpa), 0);
			ck_assert_int_eq(i < 2 ? mrtd_extend_page(&mrtd, gpa, bytes) : 0, 0);
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

/* --- KVM_TDX_INIT_MEM_REGION --- */

/* tdx_vcpu_init_mem_region, before any page. */
START_TEST(test_region_checks_its_arguments)
{
	const gpa_t shared = UINT64_C(1) << 47;
	struct cc_rig rig;

	td_rig_init(&rig, false);
	ck_assert_int_eq(td_add(&rig, CC_GPA, NULL, 1, true), -EINVAL);
	ck_assert_int_eq(td_add(&rig, CC_GPA, rig.pages + 1, 1, true), -EINVAL);
	ck_assert_int_eq(td_add(&rig, CC_GPA + 1, rig.pages, 1, true), -EINVAL);
	ck_assert_int_eq(td_add(&rig, CC_GPA, rig.pages, 0, true), -EINVAL);
	ck_assert_int_eq(td_add(&rig, CC_GPA, rig.pages, UINT64_MAX / CC_PAGE, true), -EINVAL);
	ck_assert_int_eq(td_add(&rig, CC_GPA, rig.pages, UINT64_MAX, true), -EINVAL);
	ck_assert_int_eq(td_add(&rig, shared | CC_GPA, rig.pages, 1, true), -EINVAL);
	ck_assert_int_eq(td_add(&rig, shared - CC_PAGE, rig.pages, 2, true), -EINVAL);
	ck_assert_int_eq(td_add(&rig, 0, rig.pages, 1, true), -EINVAL); /* no slot */
	ck_assert_int_eq(finalize(&rig), 0);
	ck_assert_int_eq(td_add(&rig, CC_GPA, rig.pages, 1, true), -EINVAL);
	cc_fini(&rig);
}
END_TEST

START_TEST(test_region_needs_a_vcpu_that_is_initialized)
{
	union td_init init;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	td_init_fill(&init);
	ck_assert_int_eq(td_init_vm(&rig, &init), 0);
	cc_add_memory(&rig);
	cc_add_vcpu(&rig);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, true), 0);
	ck_assert_int_eq(td_add(&rig, CC_GPA, rig.pages, 1, true), -EINVAL);
	ck_assert_int_eq(td_init_vcpu(&rig, 0), 0);
	ck_assert_int_eq(td_add(&rig, CC_GPA, rig.pages, 1, true), 0);
	cc_fini(&rig);
}
END_TEST

/* kvm_gmem_populate, kvm_tdp_mmu_map_private_pfn. */
START_TEST(test_page_says_why_it_fails)
{
	struct cc_rig rig;

	td_rig_init(&rig, true);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, false), 0);
	ck_assert_int_eq(td_add(&rig, CC_GPA, NULL, 1, true), -EINVAL);
	/* A private page cannot be a source, not even its own. */
	ck_assert_int_eq(td_add(&rig, CC_GPA + CC_PAGE, rig.hva + CC_PAGE, 1, true), -EFAULT);
	ck_assert_int_eq(td_add(&rig, CC_GPA + CC_PAGE, NULL, 1, true), 0);
	ck_assert_int_eq(td_add(&rig, CC_GPA + CC_PAGE, NULL, 1, true), -EIO);
	/* Taken out of the secure EPT, it may be added again; its contents are gone. */
	ck_assert_int_eq(cc_convert(&rig, CC_GPA + CC_PAGE, CC_PAGE, false), 0);
	ck_assert_mem_ne(rig.hva + CC_PAGE, rig.pages + CC_PAGE, CC_PAGE);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA + CC_PAGE, CC_PAGE, true), 0);
	ck_assert_int_eq(td_add(&rig, CC_GPA + CC_PAGE, NULL, 1, true), 0);
	cc_fini(&rig);
}
END_TEST

/* Two backings: attribute, discard and deleted slot each take it out of the secure EPT. */
START_TEST(test_page_leaves_the_secure_ept)
{
	struct kvm_userspace_memory_region2 none = {0};
	struct cc_rig rig;

	td_rig_init(&rig, false);
	ck_assert_int_eq(td_add(&rig, CC_GPA, rig.pages, 3, true), 0);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, false), 0);
	ck_assert(!fake_is_assigned(rig.fake, CC_GPA));
	ck_assert_int_eq(host_mem_discard(rig.host, rig.gmem, (struct range){0, CC_PAGE}), 0);
	ck_assert(fake_is_assigned(rig.fake, CC_GPA + CC_PAGE));
	ck_assert_int_eq(host_vm_set_memory_region(rig.host, rig.vm, &none), 0);
	ck_assert(!fake_is_assigned(rig.fake, CC_GPA + CC_PAGE));
	cc_fini(&rig);
}
END_TEST

/* tdx_vcpu_init_mem_region: progress is written back, also with an error. */
START_TEST(test_progress_is_written_back)
{
	struct kvm_tdx_init_mem_region region;
	struct cc_rig rig;

	td_rig_init(&rig, false);
	region = (struct kvm_tdx_init_mem_region){
		.source_addr = (uintptr_t)rig.pages, .gpa = CC_GPA, .nr_pages = 4};
	fake_traits(rig.fake)->pages_per_call = 2;
	ck_assert_int_eq(
		host_tdx_init_mem_region(rig.host, rig.vcpus[1], &region, true, &rig.module),
		-EINTR);
	ck_assert_uint_eq(region.gpa, CC_GPA + 2 * CC_PAGE);
	ck_assert_uint_eq(region.source_addr, (uintptr_t)rig.pages + 2 * CC_PAGE);
	ck_assert_uint_eq(region.nr_pages, 2);
	fake_traits(rig.fake)->pages_per_call = 0;
	ck_assert_int_eq(cc_convert(&rig, CC_GPA + 3 * CC_PAGE, CC_PAGE, false), 0);
	ck_assert_int_eq(
		host_tdx_init_mem_region(rig.host, rig.vcpus[1], &region, true, &rig.module),
		-EINVAL);
	ck_assert_uint_eq(region.nr_pages, 1);
	cc_fini(&rig);
}
END_TEST

/* --- KVM_TDX_FINALIZE_VM --- */

/* tdx_td_finalize. */
START_TEST(test_finalize_comes_once)
{
	union td_init init;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_TDX_VM, false);
	ck_assert_int_eq(finalize(&rig), -EINVAL);
	td_init_fill(&init);
	cc_fini(&rig);
	td_rig_init(&rig, false);
	ck_assert_int_eq(finalize(&rig), 0);
	ck_assert_int_eq(finalize(&rig), -EINVAL);
	fake_kill_vms(rig.fake);
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), -EIO);
	ck_assert_int_eq(finalize(&rig), -EIO);
	cc_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_launch_is_measured,
		test_region_checks_its_arguments,
		test_region_needs_a_vcpu_that_is_initialized,
		test_page_says_why_it_fails,
		test_page_leaves_the_secure_ept,
		test_progress_is_written_back,
		test_finalize_comes_once,
	};

	return unit_run(unit_suite("fake_tdx_pages", tests, ARRAY_SIZE(tests)));
}
