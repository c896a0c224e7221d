// SPDX-License-Identifier: GPL-2.0-or-later
/* What the kernel's log tells, what a user may not see, and calls that fail. */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/fake/faulty.h"
#include "tests/unit/probe_rig.h"
#include "tests/unit/unit.h"
#include "vmm/probe/probe.h"
#include "vmm/range.h"

enum { NOBODY = 65534 };

/* As Linux 7.3 prints them. */
static const struct {
	enum rig_machine machine;
	const char *text;
} messages[] = {
	{RIG_SNP, "AMD-Vi: SNP: IOMMU disabled, SNP cannot be supported."},
	{RIG_SNP, "AMD-Vi: SNP: IOMMU is configured with V2 page table mode, SNP cannot be "
		  "supported."},
	{RIG_SNP, "AMD-Vi: SNP: IOMMU SNP feature not enabled, SNP cannot be supported."},
	{RIG_SNP, "AMD-Vi: SNP: RMP initialization failed, SNP cannot be supported."},
	{RIG_SNP, "SEV-SNP: Memory reserved for the RMP table does not cover full system RAM "
		  "(expected 0x10 got 0x8)"},
	{RIG_SNP, "SEV-SNP: Segmented RMP does not cover full system RAM (expected 0x10 got "
		  "0x8)"},
	{RIG_SNP, "SEV-SNP: RMP configuration not valid: base=0x10, end=0x0"},
	{RIG_SNP, "SEV-SNP: SNP init failed: not all CPUs online. (0-6 online <-> 0-7 present "
		  "masks)."},
	{RIG_SNP, "ccp 0000:22:00.1: SEV-SNP: SNP_INIT_EX failed rc -5, error 0x21"},
	{RIG_SNP, "ccp 0000:22:00.1: SEV-SNP: SNP_INIT failed rc -5, error 0x21"},
	{RIG_SNP, "ccp 0000:22:00.1: SEV-SNP: SNP_DF_FLUSH failed rc -5, error 0x21"},
	{RIG_SNP,
	 "ccp 0000:22:00.1: SNP PLATFORM_STATUS command failed, ret = -5, error = 0x1"},
	{RIG_SNP, "ccp 0000:22:00.1: sev initialization failed"},
	{RIG_SNP, "kvm_amd: SEV-SNP unusable (ASIDs 1 - 99)"},
	{RIG_SNP, "kvm_amd: SEV-SNP disabled (ASIDs 0 - 0)"},
	{RIG_TDX, "virt/tdx: initialization failed: too few private KeyIDs available."},
	{RIG_TDX, "virt/tdx: frame pointer (RBP) clobber bug present, upgrade TDX module"},
	{RIG_TDX, "virt/tdx: initialization failed: TDMRs exhausted."},
	{RIG_TDX, "virt/tdx: initialization failed: TDMR [0x0, 0x40000000): reserved areas "
		  "exhausted."},
	{RIG_TDX, "virt/tdx: TDX not supported by the host platform"},
	{RIG_TDX, "virt/tdx: XSAVE is required for TDX"},
	{RIG_TDX, "virt/tdx: MOVDIR64B is required for TDX"},
	{RIG_TDX, "virt/tdx: Self-snoop is required for TDX"},
	{RIG_TDX, "virt/tdx: TDX-Module initialization failed (-5)"},
	{RIG_TDX, "kvm_intel: EPT is required for TDX"},
	{RIG_TDX, "kvm_intel: TDP MMU and MMIO caching and EPT A/D bit is required for TDX"},
	{RIG_TDX, "kvm_intel: APICv is required for TDX"},
	{RIG_TDX, "kvm_intel: tdx: OSXSAVE is required for TDX"},
	{RIG_TDX, "kvm_intel: Disable TDX: MAX_VCPU_PER_TD (64) smaller than number of logical "
		  "CPUs (128)."},
};

START_TEST(test_each_message_of_the_kernel_is_explained)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		bool is_snp = messages[i].machine == RIG_SNP;
		struct probe_rig rig;
		char path[160], text[256];

		rig_init(&rig, messages[i].machine);
		rig.question.subjects = 1u << (is_snp ? GUEST_TYPE_SNP : GUEST_TYPE_TDX);
		snprintf(path, sizeof(path), "%s/kmsg", rig.tree.dev);
		snprintf(text, sizeof(text), "3,1,1,-;%s\n", messages[i].text);
		rig_write_file(path, text, strlen(text));
		rig_probe(&rig);
		rig_expect(&rig, is_snp ? "snp.log" : "tdx.log", PROBE_FAIL, messages[i].text,
			   "");
		rig_fini(&rig);
	}
}
END_TEST

/* --- A user without rights --- */

/* As another user, if this one is root; files of mode 0 are closed to either. */
static void rig_probe_as_nobody(struct probe_rig *rig)
{
	bool is_root = geteuid() == 0;

	ck_assert_int_eq(chmod(rig->tree.directory, 0755), 0);
	if (is_root)
		ck_assert_int_eq(seteuid(NOBODY), 0);
	rig_probe(rig);
	if (is_root)
		ck_assert_int_eq(seteuid(0), 0);
}

START_TEST(test_user_without_rights_is_told_what_needs_root)
{
	struct probe_rig rig;

	rig_init(&rig, RIG_TDX);
	rig.question.subjects = 1u << GUEST_TYPE_TDX;
	tree_run("cd %s && chmod 0 dev/kmsg dev/cpu/0/msr "
		 "sys/devices/faux/tdx_host/seamldr_version",
		 rig.tree.directory);
	rig_probe_as_nobody(&rig);
	rig_expect(&rig, "tdx.log", PROBE_UNKNOWN, "Permission denied", "run as root");
	rig_expect(&rig, "tdx.keys", PROBE_UNKNOWN, "Permission denied", "run as root");
	rig_expect(&rig, "tdx.module", PROBE_UNKNOWN, "Permission denied", "run as root");
	rig_expect(&rig, "tdx.module", PROBE_OK, "1.5.24", "");
	/* That KVM offers TDs is enough. */
	ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_OK);
	rig_fini(&rig);
}
END_TEST

/* What a launch needs is a failure for who has it not, not a thing unknown. */
START_TEST(test_secure_processor_that_is_closed_is_a_failure)
{
	struct probe_rig rig;
	struct faulty *faulty;

	rig_init(&rig, RIG_SNP);
	rig.question.subjects = 1u << GUEST_TYPE_SNP;
	faulty = faulty_new(fake_host(rig.fake));
	rig.question.host = faulty_host(faulty);
	for (unsigned int nth = 1; !rig.probe; nth++) {
		const char *verb;
		unsigned int n;

		faulty_arm(faulty, (struct fault){.nth = nth, .errnum = EACCES});
		rig_probe(&rig);
		verb = faulty_get_verb(faulty, &n);
		ck_assert_ptr_nonnull(verb);
		if (strcmp(verb, "sev_open") != 0) {
			probe_free(rig.probe);
			rig.probe = NULL;
		}
	}
	rig_expect(&rig, "snp.firmware", PROBE_FAIL, "Permission denied", "run as root");
	ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_FAIL);
	faulty_free(faulty);
	rig_fini(&rig);
}
END_TEST

START_TEST(test_failed_calls_end_in_a_report)
{
	static const enum rig_machine machines[] = {RIG_SNP, RIG_TDX};

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		struct probe_rig rig;
		struct faulty *faulty;
		unsigned int fired = 1;

		rig_init(&rig, machines[i]);
		faulty = faulty_new(fake_host(rig.fake));
		rig.question.host = faulty_host(faulty);
		for (unsigned int nth = 1; fired; nth++) {
			faulty_arm(faulty, (struct fault){.nth = nth, .for_ever = nth % 2});
			rig_probe(&rig);
			fired = faulty_count_fired(faulty);
			probe_free(rig.probe);
			rig.probe = NULL;
			ck_assert_uint_lt(nth, 500);
		}
		faulty_free(faulty);
		rig_fini(&rig);
	}
}
END_TEST
int main(void)
{
	const TTest *const tests[] = {
		test_each_message_of_the_kernel_is_explained,
		test_user_without_rights_is_told_what_needs_root,
		test_secure_processor_that_is_closed_is_a_failure,
		test_failed_calls_end_in_a_report,
	};

	return unit_run(unit_suite_slow("probe host", tests, ARRAY_SIZE(tests), 60));
}
