// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A processor in a state of somebody else's making: what vcpu_set_registers gives to KVM is
 * what the launch measures.
 */
#include "vmm/vcpu.h"

#include <errno.h>

#include "boot/measure/snp.h"
#include "tests/fake/faulty.h"
#include "tests/unit/cc_rig.h"
#include "tests/unit/igvm_writer.h"
#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/type.h"

enum { XSAVE_MXCSR = 24, XSAVE_BV = 512 };

struct rig {
	struct cc_rig cc;
	struct vcpu_env env;
	struct kvm_cpuid2 cpuid;
	struct vcpu *vcpu;
};

/* One processor, and nothing but it to measure. */
static void rig_init(struct rig *rig)
{
	*rig = (struct rig){.vcpu = NULL};
	cc_init(&rig->cc, KVM_X86_SNP_VM, true);
	ck_assert_int_eq(snp_init2(&rig->cc, 0), 0);
	ck_assert_int_eq(snp_start(&rig->cc, SNP_POLICY), 0);
	rig->env = (struct vcpu_env){.host = rig->cc.host,
				     .type = guest_type_find(GUEST_TYPE_SNP)};
	ck_assert_int_eq(vcpu_new(&rig->env, rig->cc.vm, 0, &rig->cpuid, &rig->vcpu, NULL), 0);
}

static void rig_fini(struct rig *rig)
{
	vcpu_free(rig->vcpu);
	cc_fini(&rig->cc);
}

START_TEST(test_a_state_of_coconut_is_measured_as_it_was_made)
{
	uint8_t page[GRANULE_BYTES], digest[FAKE_DIGEST_BYTES];
	struct snp_digest wanted;
	struct boot_vcpu vcpu;
	struct rig rig;
	uint64_t features;

	writer_make_vmsa(page);
	ck_assert_int_eq(vmsa_parse(page, &vcpu, &features, NULL), 0);
	snp_digest_init(&wanted);
	ck_assert_int_eq(snp_digest_page(&wanted, SNP_PAGE_VMSA, 0xfffffffff000, page), 0);
	rig_init(&rig);
	ck_assert_int_eq(vcpu_set_registers(rig.vcpu, &vcpu, NULL), 0);
	ck_assert_int_eq(snp_finish(&rig.cc), 0);
	ck_assert(fake_get_snp_digest(rig.cc.fake, digest));
	ck_assert_mem_eq(digest, wanted.bytes, sizeof(digest));
	rig_fini(&rig);
}
END_TEST

/* Nothing is called that is not needed: QEMU's reset, without state of its own. */
START_TEST(test_a_state_without_more_is_that_of_kvm)
{
	uint8_t digest[FAKE_DIGEST_BYTES];
	struct snp_digest wanted;
	struct boot_vcpu vcpu;
	struct rig rig;

	snp_vcpu_reset(&vcpu, SNP_RESET_ENTRY, 0x800f12);
	ck_assert(!vcpu.has_state);
	snp_digest_init(&wanted);
	ck_assert_int_eq(snp_digest_vcpus(&wanted, &vcpu, NULL, 1, 0), 0);
	rig_init(&rig);
	ck_assert_int_eq(vcpu_set_registers(rig.vcpu, &vcpu, NULL), 0);
	ck_assert_int_eq(snp_finish(&rig.cc), 0);
	ck_assert(fake_get_snp_digest(rig.cc.fake, digest));
	ck_assert_mem_eq(digest, wanted.bytes, sizeof(digest));
	rig_fini(&rig);
}
END_TEST

START_TEST(test_state_that_kvm_refuses_is_told)
{
	struct boot_vcpu vcpu;
	struct err err = {0};
	struct rig rig;

	snp_vcpu_reset(&vcpu, SNP_RESET_ENTRY, 0);
	vcpu.has_state = true;
	snp_state_reset(&vcpu.state);
	vcpu.state.mxcsr = 0x11f80;
	rig_init(&rig);
	ck_assert_int_eq(vcpu_set_registers(rig.vcpu, &vcpu, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "vcpu0: KVM refused its initial registers"));
	vcpu.state.mxcsr = 0x1f80;
	vcpu.state.dr6 = UINT64_C(1) << 32;
	ck_assert_int_eq(vcpu_set_registers(rig.vcpu, &vcpu, NULL), -EINVAL);
	/* Taken at first, but then there is no launch: sev_es_sync_vmsa. */
	vcpu.state.dr6 = 0;
	vcpu.state.dr7 = 0x401;
	ck_assert_int_eq(vcpu_set_registers(rig.vcpu, &vcpu, NULL), 0);
	ck_assert_int_eq(snp_finish(&rig.cc), -EINVAL);
	rig_fini(&rig);
}
END_TEST

/* The fake's own rules: copy_uabi_to_xstate, kvm_vcpu_ioctl_x86_set_debugregs. */
START_TEST(test_registers_have_their_rules)
{
	struct kvm_debugregs debugregs = {.flags = 1};
	struct kvm_xsave xsave = {0};
	struct cc_rig rig;

	snp_rig_init(&rig, true);
	ck_assert_int_eq(host_vcpu_set_debugregs(rig.host, rig.vcpus[0], &debugregs), -EINVAL);
	debugregs.flags = 0;
	ck_assert_int_eq(host_vcpu_set_debugregs(rig.host, rig.vcpus[0], &debugregs), 0);
	/* Without components nothing is looked at. */
	xsave.region[XSAVE_MXCSR / 4] = UINT32_MAX;
	ck_assert_int_eq(host_vcpu_set_xsave(rig.host, rig.vcpus[0], &xsave), 0);
	xsave.region[XSAVE_BV / 4] = 2;
	ck_assert_int_eq(host_vcpu_set_xsave(rig.host, rig.vcpus[0], &xsave), -EINVAL);
	xsave.region[XSAVE_MXCSR / 4] = 0x1f80;
	ck_assert_int_eq(host_vcpu_set_xsave(rig.host, rig.vcpus[0], &xsave), 0);
	xsave.region[XSAVE_BV / 4] = 4;
	ck_assert_int_eq(host_vcpu_set_xsave(rig.host, rig.vcpus[0], &xsave), -EINVAL);
	xsave.region[XSAVE_BV / 4] = 3;
	xsave.region[XSAVE_BV / 4 + 3] = 1;
	ck_assert_int_eq(host_vcpu_set_xsave(rig.host, rig.vcpus[0], &xsave), -EINVAL);
	xsave.region[XSAVE_BV / 4 + 3] = 0;
	ck_assert_int_eq(snp_finish(&rig), 0);
	ck_assert_int_eq(host_vcpu_set_xsave(rig.host, rig.vcpus[0], &xsave), -EINVAL);
	ck_assert_int_eq(host_vcpu_set_debugregs(rig.host, rig.vcpus[0], &debugregs), -EINVAL);
	cc_fini(&rig);
}
END_TEST

/* Each call that fails is told, and none after it is made. */
START_TEST(test_every_call_may_fail)
{
	struct boot_vcpu vcpu;
	unsigned int n = 0;
	struct rig rig;
	int ret;

	snp_vcpu_reset(&vcpu, SNP_RESET_ENTRY, 0);
	vcpu.has_state = true;
	snp_state_reset(&vcpu.state);
	rig_init(&rig);
	do {
		struct faulty *faulty = faulty_new(rig.cc.host);
		struct err err = {0};

		n++;
		rig.env.host = faulty_host(faulty);
		faulty_arm(faulty, (struct fault){.nth = n, .errnum = EIO});
		ret = vcpu_set_registers(rig.vcpu, &vcpu, &err);
		ck_assert_int_eq(ret, faulty_count_fired(faulty) ? -EIO : 0);
		ck_assert_int_eq(err.code, ret);
		ck_assert_uint_eq(faulty_count_calls(faulty), ret ? n : n - 1);
		rig.env.host = rig.cc.host;
		faulty_free(faulty);
	} while (ret);
	/* Two for control registers, general ones, and three for the state. */
	ck_assert_uint_eq(n - 1, 6);
	rig_fini(&rig);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_state_of_coconut_is_measured_as_it_was_made,
		test_a_state_without_more_is_that_of_kvm,
		test_state_that_kvm_refuses_is_told,
		test_registers_have_their_rules,
		test_every_call_may_fail,
	};

	return unit_run(unit_suite("vcpu_registers", tests, ARRAY_SIZE(tests)));
}
