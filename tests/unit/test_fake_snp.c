// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake kernel's SEV-SNP keeps the rules of Linux 7.3, arch/x86/kvm/svm/sev.c; tests name
 * the function a rule is from.
 */
#include <errno.h>
#include <linux/kvm_para.h>

#include "boot/measure_snp.h"
#include "tests/unit/cc_rig.h"

/* The digest of the launch below: two pages of bytes, one without, the vCPUs as made. */
static void expect_digest(struct cc_rig *rig, uint8_t ret_digest[FAKE_DIGEST_BYTES])
{
	struct snp_digest digest;
	struct boot_vcpu vcpu = {0};

	snp_digest_init(&digest);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_NORMAL, CC_GPA + i * CC_PAGE,
						 (uint8_t *)rig->pages + i * CC_PAGE),
				 0);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_ZERO, CC_GPA + 2 * CC_PAGE, NULL),
			 0);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_SECRETS, CC_GPA + 3 * CC_PAGE, NULL),
			 0);
	ck_assert_int_eq(host_vcpu_get_regs(rig->host, rig->vcpus[0], &vcpu.regs), 0);
	ck_assert_int_eq(host_vcpu_get_sregs(rig->host, rig->vcpus[0], &vcpu.sregs), 0);
	ck_assert_int_eq(snp_digest_vcpus(&digest, &vcpu, &vcpu, 2, 0), 0);
	memcpy(ret_digest, digest.bytes, FAKE_DIGEST_BYTES);
}

static const char *source_of(const struct cc_rig *rig, unsigned int page)
{
	return fake_traits(rig->fake)->in_place ? NULL : rig->pages + page * CC_PAGE;
}

START_TEST(test_launch_is_measured_and_out_of_reach)
{
	for (unsigned int in_place = 0; in_place < 2; in_place++) {
		uint8_t expected[FAKE_DIGEST_BYTES], digest[FAKE_DIGEST_BYTES], page[CC_PAGE];
		struct cc_rig rig;
		struct kvm_regs regs;

		snp_rig_init(&rig, in_place);
		expect_digest(&rig, expected);
		ck_assert(!fake_get_snp_digest(rig.fake, digest));
		ck_assert_int_eq(snp_update(&rig, KVM_SEV_SNP_PAGE_TYPE_NORMAL, CC_GPA,
					    source_of(&rig, 0), 2 * CC_PAGE),
				 0);
		ck_assert_int_eq(snp_update(&rig, KVM_SEV_SNP_PAGE_TYPE_ZERO,
					    CC_GPA + 2 * CC_PAGE, NULL, CC_PAGE),
				 0);
		ck_assert_int_eq(snp_update(&rig, KVM_SEV_SNP_PAGE_TYPE_SECRETS,
					    CC_GPA + 3 * CC_PAGE, source_of(&rig, 3), CC_PAGE),
				 0);
		ck_assert_int_eq(snp_finish(&rig), 0);
		ck_assert(fake_get_snp_digest(rig.fake, digest));
		ck_assert_mem_eq(digest, expected, sizeof(digest));
		ck_assert(fake_guest_read(rig.fake, CC_GPA + CC_PAGE, page, sizeof(page)));
		ck_assert_mem_eq(page, rig.pages + CC_PAGE, sizeof(page));
		ck_assert_int_eq(host_vcpu_get_regs(rig.host, rig.vcpus[1], &regs), -EINVAL);
		ck_assert_int_eq(host_vcpu_set_regs(rig.host, rig.vcpus[1], &regs), -EINVAL);
		ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
		ck_assert_uint_eq(rig.runs[0]->exit_reason, KVM_EXIT_HLT);
		cc_fini(&rig);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_launch_is_measured_and_out_of_reach,
	};

	return unit_run(unit_suite("fake_snp", tests, ARRAY_SIZE(tests)));
}
