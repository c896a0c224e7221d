// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The fake kernel's SEV-SNP keeps the rules of Linux 7.3, arch/x86/kvm/svm/sev.c, from the end
 * of a launch on; tests name the function a rule is from.
 */
#include <errno.h>

#include "boot/measure/snp.h"
#include "boot/measure/vmsa.h"
#include "tests/unit/cc_rig.h"
#include "tests/unit/id_block.h"

#define NORMAL	  KVM_SEV_SNP_PAGE_TYPE_NORMAL
#define ZERO	  KVM_SEV_SNP_PAGE_TYPE_ZERO
#define SECRETS	  KVM_SEV_SNP_PAGE_TYPE_SECRETS
#define START_RIP UINT64_C(0x1234)

/* Registers of their own for both: the processors are measured in the order they were made. */
static void expect_digest(struct cc_rig *rig, uint8_t ret_digest[FAKE_DIGEST_BYTES])
{
	const uint8_t *pages = (const uint8_t *)rig->pages;
	struct snp_digest digest;
	struct boot_vcpu vcpus[2] = {0};

	snp_digest_init(&digest);
	for (unsigned int i = 0; i < 2; i++)
		ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_NORMAL, CC_GPA + i * CC_PAGE,
						 pages + i * CC_PAGE),
				 0);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_ZERO, CC_GPA + 2 * CC_PAGE, NULL),
			 0);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_SECRETS, CC_GPA + 3 * CC_PAGE, NULL),
			 0);
	for (unsigned int i = 0; i < 2; i++) {
		struct boot_vcpu *vcpu = &vcpus[i];

		ck_assert_int_eq(host_vcpu_get_regs(rig->host, rig->vcpus[i], &vcpu->regs), 0);
		ck_assert_int_eq(host_vcpu_get_sregs(rig->host, rig->vcpus[i], &vcpu->sregs),
				 0);
		vcpu->regs.rip = START_RIP + i;
		ck_assert_int_eq(host_vcpu_set_regs(rig->host, rig->vcpus[i], &vcpu->regs), 0);
	}
	ck_assert_int_eq(snp_digest_vcpus(&digest, &vcpus[0], &vcpus[1], 2, 0), 0);
	memcpy(ret_digest, digest.bytes, FAKE_DIGEST_BYTES);
}

static void update_all(struct cc_rig *rig)
{
	bool in_place = fake_traits(rig->fake)->in_place;

	ck_assert_int_eq(
		snp_update(rig, NORMAL, CC_GPA, in_place ? NULL : rig->pages, 2 * CC_PAGE), 0);
	ck_assert_int_eq(snp_update(rig, ZERO, CC_GPA + 2 * CC_PAGE, NULL, CC_PAGE), 0);
	ck_assert_int_eq(snp_update(rig, SECRETS, CC_GPA + 3 * CC_PAGE,
				    in_place ? NULL : rig->pages, CC_PAGE),
			 0);
}

/* snp_launch_update_vmsa, kvm_arch_vcpu_ioctl_get_regs and its like. */
START_TEST(test_launch_is_measured_and_out_of_reach)
{
	for (unsigned int in_place = 0; in_place < 2; in_place++) {
		uint8_t expected[FAKE_DIGEST_BYTES], digest[FAKE_DIGEST_BYTES], page[CC_PAGE];
		struct kvm_sregs sregs = {0};
		struct kvm_regs regs = {0};
		struct cc_rig rig;

		snp_rig_init(&rig, in_place);
		expect_digest(&rig, expected);
		update_all(&rig);
		ck_assert(!fake_get_snp_digest(rig.fake, digest));
		ck_assert_int_eq(snp_finish(&rig), 0);
		ck_assert(fake_get_snp_digest(rig.fake, digest));
		ck_assert_mem_eq(digest, expected, sizeof(digest));
		ck_assert(fake_guest_read(rig.fake, CC_GPA + CC_PAGE, page, sizeof(page)));
		ck_assert_mem_eq(page, rig.pages + CC_PAGE, sizeof(page));
		ck_assert_int_eq(host_vcpu_get_regs(rig.host, rig.vcpus[1], &regs), -EINVAL);
		ck_assert_int_eq(host_vcpu_set_regs(rig.host, rig.vcpus[1], &regs), -EINVAL);
		ck_assert_int_eq(host_vcpu_get_sregs(rig.host, rig.vcpus[1], &sregs), -EINVAL);
		ck_assert_int_eq(host_vcpu_set_sregs(rig.host, rig.vcpus[1], &sregs), -EINVAL);
		ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
		ck_assert_uint_eq(rig.runs[0]->exit_reason, KVM_EXIT_HLT);
		cc_fini(&rig);
	}
}
END_TEST

static void finish_is(struct cc_rig *rig, const struct kvm_sev_snp_launch_finish *finish,
		      int result, uint32_t firmware)
{
	ck_assert_int_eq(
		host_snp_launch_finish(rig->host, rig->vm, rig->sev, finish, &rig->firmware),
		result);
	ck_assert_uint_eq(rig->firmware, firmware);
}

/* snp_launch_finish. */
START_TEST(test_finish_has_its_time)
{
	const struct kvm_sev_snp_launch_finish good = {0}, flags = {.flags = 1};
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	finish_is(&rig, &good, -ENOTTY, 0);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	finish_is(&rig, &good, -EINVAL, 0);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), 0);
	finish_is(&rig, &flags, -EINVAL, 0);
	finish_is(&rig, &good, 0, 0);
	/* Without vCPUs it is firmware that refuses. */
	finish_is(&rig, &good, -EIO, SEV_RET_INVALID_GUEST_STATE);
	cc_fini(&rig);
}
END_TEST

/* sev_es_sync_vmsa: guest_state_protected. */
START_TEST(test_finish_is_not_repeated)
{
	const struct kvm_sev_snp_launch_finish finish = {0};
	struct cc_rig rig;

	snp_rig_init(&rig, false);
	fake_traits(rig.fake)->snp.bad_command = fake_count_snp_commands(rig.fake) + 3;
	fake_traits(rig.fake)->snp.bad_status = SEV_RET_RESOURCE_LIMIT;
	finish_is(&rig, &finish, -EIO, SEV_RET_RESOURCE_LIMIT);
	finish_is(&rig, &finish, -EINVAL, 0);
	cc_fini(&rig);
}
END_TEST

/* The firmware's states: GSTATE_RUNNING. */
START_TEST(test_no_page_comes_after_the_end)
{
	struct cc_rig rig;

	snp_rig_init(&rig, false);
	ck_assert_int_eq(snp_finish(&rig), 0);
	ck_assert_int_eq(snp_update(&rig, ZERO, CC_GPA, NULL, CC_PAGE), -EIO);
	ck_assert_uint_eq(rig.firmware, SEV_RET_INVALID_GUEST_STATE);
	cc_fini(&rig);
}
END_TEST

START_TEST(test_launch_says_what_it_was_given)
{
	struct kvm_sev_snp_launch_finish finish = {.vcek_disabled = 1, .auth_key_en = 1};
	struct fake_snp_launch launch;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(snp_init2(&rig, 1u << 9), 0);
	ck_assert_int_eq(host_snp_enable_certs(rig.host, rig.vm, rig.sev, &rig.firmware), 0);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY | 1u << 19), 0);
	cc_add_vcpu(&rig);
	memset(finish.host_data, 0x77, sizeof(finish.host_data));
	finish_is(&rig, &finish, 0, 0);
	ck_assert(fake_get_snp_launch(rig.fake, &launch));
	ck_assert_uint_eq(launch.policy, SNP_POLICY | 1u << 19);
	ck_assert_uint_eq(launch.vmsa_features, 1u << 9 | 1);
	ck_assert_mem_eq(launch.host_data, finish.host_data, sizeof(launch.host_data));
	ck_assert(launch.has_req_certs && launch.is_vcek_disabled);
	/* Without a block there is nobody's signature. */
	ck_assert(!launch.has_id_block && !launch.has_author_key);
	ck_assert_uint_eq(launch.n_vcpus, 1);
	cc_fini(&rig);
}
END_TEST

/* snp_launch_finish, psp_copy_user_blob. */
static void try_id_block(const struct id_block_pair *pair, bool has_author, int result,
			 uint32_t firmware)
{
	struct kvm_sev_snp_launch_finish finish = {
		.id_block_en = 1,
		.auth_key_en = has_author,
		.id_block_uaddr = (uintptr_t)pair->block,
		.id_auth_uaddr = (uintptr_t)pair->auth,
	};
	struct fake_snp_launch launch;
	struct cc_rig rig;

	snp_rig_init(&rig, false);
	finish_is(&rig, &finish, result, firmware);
	ck_assert(fake_get_snp_launch(rig.fake, &launch) == !result);
	ck_assert(launch.has_id_block == !result);
	ck_assert(launch.has_author_key == (has_author && !result));
	cc_fini(&rig);
}

/* The digest of a guest that is nothing but two processors. */
static void launch_empty(uint8_t ret_digest[FAKE_DIGEST_BYTES])
{
	struct cc_rig rig;

	snp_rig_init(&rig, false);
	ck_assert_int_eq(snp_finish(&rig), 0);
	ck_assert(fake_get_snp_digest(rig.fake, ret_digest));
	cc_fini(&rig);
}

START_TEST(test_id_block_is_checked)
{
	uint8_t digest[FAKE_DIGEST_BYTES];
	struct id_block_pair good, bad;

	launch_empty(digest);
	id_block_make(&good, digest, SNP_POLICY);
	try_id_block(&good, false, 0, 0);
	try_id_block(&good, true, 0, 0);
	id_block_make(&bad, digest, SNP_POLICY | 1u << 19);
	try_id_block(&bad, true, -EIO, SEV_RET_POLICY_FAILURE);
	digest[47] ^= 1;
	id_block_make(&bad, digest, SNP_POLICY);
	try_id_block(&bad, true, -EIO, SEV_RET_BAD_MEASUREMENT);
	bad = good;
	bad.block[0x30] ^= 1; /* the family */
	try_id_block(&bad, false, -EIO, SEV_RET_BAD_SIGNATURE);
	bad = good;
	bad.auth[ID_AUTH_KEY_SIGNATURE] ^= 1;
	try_id_block(&bad, false, 0, 0);
	try_id_block(&bad, true, -EIO, SEV_RET_BAD_SIGNATURE);
	bad = good;
	bad.auth[ID_AUTH_ID_KEY + 4] ^= 1; /* no point of the curve */
	try_id_block(&bad, false, -EIO, SEV_RET_BAD_SIGNATURE);
	bad.auth[ID_AUTH_ID_KEY] = 1;
	try_id_block(&bad, false, -EIO, SEV_RET_BAD_SIGNATURE);
	bad = good;
	bad.auth[0] = 2;
	try_id_block(&bad, false, -EIO, SEV_RET_INVALID_PARAM);
}
END_TEST

START_TEST(test_id_block_has_to_be_there)
{
	struct kvm_sev_snp_launch_finish finish = {.id_block_en = 1};
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), 0);
	finish_is(&rig, &finish, -EINVAL, 0);
	finish.id_block_uaddr = finish.id_auth_uaddr = CC_PAGE;
	finish_is(&rig, &finish, -EFAULT, 0);
	cc_fini(&rig);
}
END_TEST

/* --- After the launch --- */

/* VMRUN without a save area that firmware has seen; kvm_sync_valid_fields. */
START_TEST(test_only_what_was_launched_runs)
{
	struct cc_rig rig;
	struct kvm_run *run;
	size_t run_bytes;
	int late;

	snp_rig_init(&rig, false);
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
	ck_assert_uint_eq(rig.runs[0]->exit_reason, KVM_EXIT_FAIL_ENTRY);
	ck_assert_int_eq(snp_finish(&rig), 0);
	late = host_vcpu_create(rig.host, rig.vm, 9, &run, &run_bytes);
	ck_assert_int_ge(late, 0);
	ck_assert_int_eq(host_vcpu_run(rig.host, late), 0);
	ck_assert_uint_eq(run->exit_reason, KVM_EXIT_FAIL_ENTRY);
	rig.runs[0]->kvm_valid_regs = KVM_SYNC_X86_REGS;
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), -EINVAL);
	rig.runs[0]->kvm_valid_regs = 0;
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
	ck_assert_uint_eq(rig.runs[0]->exit_reason, KVM_EXIT_HLT);
	host_vcpu_close(rig.host, late, run);
	cc_fini(&rig);
}
END_TEST

/* What the guest of the next test does: one exit after the other. */
static int exit_by_number(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	(void)vcpu_id;
	run->exit_reason = *(uint32_t *)guest;
	return 0;
}

/* snp_complete_psc_msr, snp_complete_one_psc, snp_complete_req_certs. */
START_TEST(test_exits_are_answered_with_what_kvm_knows)
{
	static const uint64_t hypercall[] = {0, EINVAL, EAGAIN},
			      certs[] = {0, ENOSPC, EAGAIN, EIO};
	const struct kvm_enable_cap cap = {.cap = KVM_CAP_EXIT_HYPERCALL, .args = {1u << 12}};
	uint32_t exit_reason = KVM_EXIT_HYPERCALL;
	struct cc_rig rig;

	cc_init(&rig, KVM_X86_SNP_VM, false);
	ck_assert_int_eq(host_vm_enable_cap(rig.host, rig.vm, &cap), 0);
	ck_assert_int_eq(snp_init2(&rig, 0), 0);
	ck_assert_int_eq(host_snp_enable_certs(rig.host, rig.vm, rig.sev, &rig.firmware), 0);
	ck_assert_int_eq(snp_start(&rig, SNP_POLICY), 0);
	cc_add_vcpu(&rig);
	ck_assert_int_eq(snp_finish(&rig), 0);
	fake_set_guest(rig.fake, exit_by_number, &exit_reason);
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(hypercall); i++) {
		rig.runs[0]->hypercall.ret = hypercall[i];
		ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
	}
	rig.runs[0]->hypercall.ret = EIO;
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), -EINVAL);
	exit_reason = KVM_EXIT_SNP_REQ_CERTS;
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(certs); i++) {
		rig.runs[0]->snp_req_certs.ret = certs[i];
		ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
	}
	/* The answer is taken also by a run that comes back at once. */
	rig.runs[0]->snp_req_certs.ret = 0;
	rig.runs[0]->immediate_exit = 1;
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), -EINTR);
	rig.runs[0]->snp_req_certs.ret = EINVAL;
	rig.runs[0]->immediate_exit = 0;
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), 0);
	rig.runs[0]->snp_req_certs.ret = EINVAL;
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* sev_es_prevent_msr_access. */
START_TEST(test_msrs_in_the_save_area_cannot_be_set)
{
	struct {
		struct kvm_msrs msrs;
		struct kvm_msr_entry entries[2];
	} msrs = {.msrs.nmsrs = 2, .entries = {{.index = 0x1a0}, {.index = 0xc0000081}}};
	struct cc_rig rig;

	snp_rig_init(&rig, false);
	ck_assert_int_eq(host_vcpu_set_msrs(rig.host, rig.vcpus[0], &msrs.msrs), 2);
	ck_assert_int_eq(snp_finish(&rig), 0);
	ck_assert_int_eq(host_vcpu_set_msrs(rig.host, rig.vcpus[0], &msrs.msrs), 1);
	cc_fini(&rig);
}
END_TEST

/* kvm_is_valid_sregs: kvm_vcpu_is_legal_cr3. */
START_TEST(test_c_bit_is_known_by_cpuid)
{
	struct {
		struct kvm_cpuid2 cpuid;
		struct kvm_cpuid_entry2 entry;
	} cpuid = {.cpuid.nent = 1, .entry.function = 0x8000001f};
	struct kvm_sregs sregs;
	struct cc_rig rig;

	snp_rig_init(&rig, false);
	ck_assert_int_eq(host_vcpu_get_sregs(rig.host, rig.vcpus[0], &sregs), 0);
	sregs.cr0 = 0x80000011;
	sregs.cr4 = 0x20;
	sregs.cr3 = UINT64_C(1) << 51 | 0x1000;
	sregs.efer = 0x500;
	ck_assert_int_eq(host_vcpu_set_sregs(rig.host, rig.vcpus[0], &sregs), -EINVAL);
	ck_assert_int_eq(host_vcpu_set_cpuid(rig.host, rig.vcpus[0], &cpuid.cpuid), 0);
	ck_assert_int_eq(host_vcpu_set_sregs(rig.host, rig.vcpus[0], &sregs), 0);
	cc_fini(&rig);
}
END_TEST

/* kvm_vm_ioctl, kvm_vcpu_ioctl: kvm->vm_dead. */
START_TEST(test_dead_vm_answers_nothing)
{
	struct cc_rig rig;
	struct kvm_regs regs;

	snp_rig_init(&rig, false);
	fake_kill_vms(rig.fake);
	ck_assert_int_eq(host_vcpu_run(rig.host, rig.vcpus[0]), -EIO);
	ck_assert_int_eq(host_vcpu_get_regs(rig.host, rig.vcpus[0], &regs), -EIO);
	ck_assert_int_eq(snp_update(&rig, ZERO, CC_GPA, NULL, CC_PAGE), -EIO);
	ck_assert_int_eq(snp_finish(&rig), -EIO);
	ck_assert_int_eq(cc_convert(&rig, CC_GPA, CC_PAGE, false), -EIO);
	cc_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_launch_is_measured_and_out_of_reach,
		test_finish_has_its_time,
		test_finish_is_not_repeated,
		test_no_page_comes_after_the_end,
		test_launch_says_what_it_was_given,
		test_id_block_is_checked,
		test_id_block_has_to_be_there,
		test_only_what_was_launched_runs,
		test_exits_are_answered_with_what_kvm_knows,
		test_msrs_in_the_save_area_cannot_be_set,
		test_c_bit_is_known_by_cpuid,
		test_dead_vm_answers_nothing,
	};

	return unit_run(unit_suite("fake_snp_end", tests, ARRAY_SIZE(tests)));
}
