// SPDX-License-Identifier: GPL-2.0-or-later
/* The preflight on machines made of files, of CPUID values and of the fake kernel. */
#include "vmm/probe/probe.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake.h"
#include "tests/unit/probe_rig.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/range.h"

#define BIT(subject) (1u << (subject))

/* --- Machines --- */

START_TEST(test_machine_without_anything_is_told_what_it_lacks)
{
	struct probe_rig rig;

	rig_init(&rig, RIG_BARE);
	rig_probe(&rig);
	ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_FAIL);
	for (unsigned int i = 0; i < GUEST_TYPE_COUNT; i++)
		ck_assert_int_eq(probe_judge(rig.probe, i), PROBE_FAIL);
	rig_expect(&rig, "kvm", PROBE_FAIL, "No such file", "load kvm_amd or kvm_intel");
	rig_expect_golden(&rig, "bare");
	rig_fini(&rig);
}
END_TEST

START_TEST(test_snp_machine_is_ok)
{
	struct probe_rig rig;

	rig_init(&rig, RIG_SNP);
	rig.question.subjects = BIT(GUEST_TYPE_SNP);
	rig_probe(&rig);
	ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_OK);
	ck_assert_uint_eq(rig_count(&rig, PROBE_FAIL), 1); /* one of the two backings */
	ck_assert_uint_eq(rig_count(&rig, PROBE_UNKNOWN), 0);
	rig_expect_golden(&rig, "snp");
	rig_fini(&rig);
}
END_TEST

START_TEST(test_tdx_machine_is_ok)
{
	struct probe_rig rig;

	rig_init(&rig, RIG_TDX);
	rig.question.subjects = BIT(GUEST_TYPE_TDX);
	rig_probe(&rig);
	ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_OK);
	ck_assert_uint_eq(rig_count(&rig, PROBE_FAIL), 1);
	ck_assert_uint_eq(rig_count(&rig, PROBE_UNKNOWN), 0);
	rig_expect_golden(&rig, "tdx");
	rig_fini(&rig);
}
END_TEST

/* Nothing in particular: what there is counts, not what could be. */
START_TEST(test_survey_is_ok_when_some_type_is)
{
	struct probe_rig rig;

	rig_init(&rig, RIG_SNP);
	rig_probe(&rig);
	ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_OK);
	ck_assert_int_eq(probe_judge(rig.probe, GUEST_TYPE_PLAIN), PROBE_OK);
	ck_assert_int_eq(probe_judge(rig.probe, GUEST_TYPE_SW), PROBE_OK);
	ck_assert_int_eq(probe_judge(rig.probe, GUEST_TYPE_TDX), PROBE_FAIL);
	rig_expect(&rig, "tdx.cpu", PROBE_FAIL, "AuthenticAMD", "Intel");
	rig_fini(&rig);
}
END_TEST

/* --- One fault at a time --- */

struct fault {
	const char *what; /* a shell command in the tree; NULL: none */
	void (*traits)(struct fake_traits *traits);
	void (*cpu)(struct probe_cpu *cpu);
	const char *check;
	enum probe_verdict verdict; /* of the line */
	const char *found;
	const char *cure;
	enum probe_verdict judged; /* of the type */
};

static void expect_fault(enum rig_machine machine, enum guest_type type,
			 const struct fault *fault)
{
	struct probe_rig rig;

	rig_init(&rig, machine);
	rig.question.subjects = BIT(type);
	if (fault->traits)
		fault->traits(fake_traits(rig.fake));
	if (fault->cpu)
		fault->cpu(&rig.question.cpu);
	if (fault->what)
		tree_run("cd %s && %s", rig.tree.directory, fault->what);
	rig_probe(&rig);
	rig_expect(&rig, fault->check, fault->verdict, fault->found, fault->cure);
	ck_assert_msg(probe_judge_all(rig.probe) == fault->judged, "%s: judged %d",
		      fault->check, probe_judge_all(rig.probe));
	rig_fini(&rig);
}

static void no_snp(struct fake_traits *traits)
{
	traits->has_snp = false;
}

static void no_sev_device(struct fake_traits *traits)
{
	traits->snp.no_device = true;
}

static void old_firmware(struct fake_traits *traits)
{
	traits->snp.api_minor = 50;
}

static void uninitialized(struct fake_traits *traits)
{
	traits->snp.is_uninitialized = true;
}

static void refused_status(struct fake_traits *traits)
{
	traits->snp.status_refusal = 0x15;
}

static void no_certificates(struct fake_traits *traits)
{
	traits->snp.no_req_certs = true;
}

static void no_policy(struct fake_traits *traits)
{
	traits->snp.policy_bits = 0;
}

static void no_guest_memfd(struct fake_traits *traits)
{
	traits->no_guest_memfd = true;
}

static void no_snp_cpu(struct probe_cpu *cpu)
{
	cpu->sev.eax &= ~(1u << 4);
}

static void no_asids(struct probe_cpu *cpu)
{
	cpu->sev.edx = 1;
}

static const struct fault snp_faults[] = {
	{.traits = no_snp,
	 .check = "snp.kvm",
	 .verdict = PROBE_FAIL,
	 .found = "0x3, without type snp",
	 .cure = "load kvm_amd",
	 .judged = PROBE_FAIL},
	{.cpu = no_snp_cpu,
	 .check = "snp.cpu",
	 .verdict = PROBE_FAIL,
	 .found = "no SEV-SNP",
	 .cure = "EPYC",
	 .judged = PROBE_FAIL},
	{.cpu = no_asids,
	 .check = "snp.asids",
	 .verdict = PROBE_FAIL,
	 .found = "of 509 ASIDs none",
	 .cure = "2 or more in the firmware",
	 .judged = PROBE_FAIL},
	{.what = "sed -i 's/ sev_snp//' proc/cpuinfo",
	 .check = "snp.cpuinfo",
	 .verdict = PROBE_FAIL,
	 .found = "no sev_snp",
	 .cure = "RMP table",
	 .judged = PROBE_OK},
	{.what = "echo N >sys/module/kvm_amd/parameters/sev_snp",
	 .check = "snp.parameters",
	 .verdict = PROBE_FAIL,
	 .found = "N",
	 .cure = "sev_snp=1",
	 .judged = PROBE_OK},
	{.what = "echo 0 >sys/module/kvm_amd/parameters/nrips",
	 .check = "snp.parameters",
	 .verdict = PROBE_FAIL,
	 .found = "0",
	 .cure = "nrips=1",
	 .judged = PROBE_OK},
	{.what = "rm sys/module/kvm_amd/parameters/npt",
	 .check = "snp.parameters",
	 .verdict = PROBE_UNKNOWN,
	 .found = "No such file",
	 .cure = "load the module",
	 .judged = PROBE_OK},
	{.what = "echo 'quiet iommu=pt' >proc/cmdline",
	 .check = "snp.iommu",
	 .verdict = PROBE_FAIL,
	 .found = "iommu=pt",
	 .cure = "boot without iommu=pt",
	 .judged = PROBE_OK},
	{.what = "echo 0-6 >sys/devices/system/cpu/online",
	 .check = "snp.cpus",
	 .verdict = PROBE_FAIL,
	 .found = "0-6 of 0-7",
	 .cure = "maxcpus=",
	 .judged = PROBE_OK},
	{.traits = no_sev_device,
	 .check = "snp.firmware",
	 .verdict = PROBE_FAIL,
	 .found = "No such file",
	 .cure = "load ccp",
	 .judged = PROBE_FAIL},
	{.traits = old_firmware,
	 .check = "snp.firmware",
	 .verdict = PROBE_FAIL,
	 .found = "API 1.50",
	 .cure = "1.51 or newer",
	 .judged = PROBE_FAIL},
	{.traits = uninitialized,
	 .check = "snp.firmware",
	 .verdict = PROBE_FAIL,
	 .found = "RMP table not initialized",
	 .cure = "load kvm_amd again",
	 .judged = PROBE_FAIL},
	{.traits = refused_status,
	 .check = "snp.firmware",
	 .verdict = PROBE_FAIL,
	 .found = "firmware status 0x15; SEV API 1.55",
	 .cure = "update",
	 .judged = PROBE_FAIL},
	{.traits = no_certificates,
	 .check = "snp.attributes",
	 .verdict = PROBE_UNKNOWN,
	 .found = "No such device or address",
	 .cure = "--certs",
	 .judged = PROBE_OK},
	{.traits = no_policy,
	 .check = "snp.attributes",
	 .verdict = PROBE_FAIL,
	 .found = "0x0",
	 .cure = "older kernels",
	 .judged = PROBE_OK},
	{.what = "echo 'sev_es 99' >sys/fs/cgroup/misc.current",
	 .check = "snp.limit",
	 .verdict = PROBE_FAIL,
	 .found = "sev_es: 99, all in use",
	 .cure = "end another guest",
	 .judged = PROBE_FAIL},
	{.what = "echo 'sev_es 2' | tee sys/fs/cgroup/vms/misc.max "
		 ">sys/fs/cgroup/vms/misc.current",
	 .check = "snp.limit",
	 .verdict = PROBE_FAIL,
	 .found = "sev_es: 2, 2 in use",
	 .cure = "misc.max",
	 .judged = PROBE_FAIL},
	{.what = "echo 'sev_es 0' >sys/fs/cgroup/vms/misc.max; mkdir sys/fs/cgroup/vms/one; "
		 "echo 0::/vms/one >proc/self/cgroup",
	 .check = "snp.limit",
	 .verdict = PROBE_FAIL,
	 .found = "sev_es: 0, 0 in use",
	 .cure = "misc.max",
	 .judged = PROBE_FAIL},
	{.what = "printf 'sev max\\nsev_es 0\\n' >sys/fs/cgroup/vms/misc.max",
	 .check = "snp.limit",
	 .verdict = PROBE_FAIL,
	 .found = "sev_es: 0",
	 .cure = "misc.max",
	 .judged = PROBE_FAIL},
	{.what = "rm sys/fs/cgroup/misc.*",
	 .check = "snp.limit",
	 .verdict = PROBE_UNKNOWN,
	 .found = "says nothing of sev_es",
	 .cure = "CONFIG_CGROUP_MISC",
	 .judged = PROBE_OK},
	{.traits = no_guest_memfd,
	 .check = "kvm.capability",
	 .verdict = PROBE_FAIL,
	 .found = "0",
	 .cure = "CONFIG_KVM_GUEST_MEMFD",
	 .judged = PROBE_FAIL},
	{.what = "echo '3,9,9,-;SEV-SNP: Memory for the RMP table has not been "
		 "reserved by BIOS' >>dev/kmsg",
	 .check = "snp.log",
	 .verdict = PROBE_FAIL,
	 .found = "has not been reserved by BIOS",
	 .cure = "RMP table) coverage",
	 .judged = PROBE_OK},
	{.what = "echo '4,9,9,-;AMD-Vi: SNP: IOMMU configured in passthrough mode, SNP "
		 "cannot be supported.' >>dev/kmsg",
	 .check = "snp.log",
	 .verdict = PROBE_FAIL,
	 .found = "passthrough mode",
	 .cure = "iommu.passthrough=0",
	 .judged = PROBE_OK},
	{.what = "echo '6,1,1,-;nothing' >dev/kmsg",
	 .check = "snp.log",
	 .verdict = PROBE_UNKNOWN,
	 .found = "no message",
	 .cure = "log of the boot",
	 .judged = PROBE_OK},
};

START_TEST(test_each_fault_of_an_snp_machine_is_named)
{
	for (size_t i = 0; i < ARRAY_SIZE(snp_faults); i++)
		expect_fault(RIG_SNP, GUEST_TYPE_SNP, &snp_faults[i]);
}
END_TEST

static void no_tdx(struct fake_traits *traits)
{
	traits->has_tdx = false;
}

static void no_movdir(struct probe_cpu *cpu)
{
	cpu->structured.ecx = 0;
}

static const struct fault tdx_faults[] = {
	{.traits = no_tdx,
	 .check = "tdx.kvm",
	 .verdict = PROBE_FAIL,
	 .found = "0x3, without type tdx",
	 .cure = "boot again",
	 .judged = PROBE_FAIL},
	{.cpu = no_movdir,
	 .check = "tdx.cpu",
	 .verdict = PROBE_FAIL,
	 .found = "no MOVDIR64B",
	 .cure = "Xeon",
	 .judged = PROBE_FAIL},
	{.what = "sed -i 's/ tdx_host_platform//' proc/cpuinfo",
	 .check = "tdx.cpuinfo",
	 .verdict = PROBE_FAIL,
	 .found = "no tdx_host_platform",
	 .cure = "firmware",
	 .judged = PROBE_OK},
	{.what = "sed -i 's/^bugs.*/& tdx_pw_mce/' proc/cpuinfo",
	 .check = "tdx.cpuinfo",
	 .verdict = PROBE_OK,
	 .found = "no kexec",
	 .cure = "",
	 .judged = PROBE_OK},
	{.what = "rm dev/cpu/0/msr",
	 .check = "tdx.keys",
	 .verdict = PROBE_UNKNOWN,
	 .found = "No such file",
	 .cure = "modprobe msr",
	 .judged = PROBE_OK},
	{.what = "head -c 139 /dev/zero >dev/cpu/0/msr; printf '\\001\\0\\0\\0' "
		 ">>dev/cpu/0/msr",
	 .check = "tdx.keys",
	 .verdict = PROBE_FAIL,
	 .found = "1 private keys",
	 .cure = "two keys",
	 .judged = PROBE_OK},
	{.what = ": >dev/cpu/0/msr",
	 .check = "tdx.keys",
	 .verdict = PROBE_FAIL,
	 .found = "not there",
	 .cure = "firmware",
	 .judged = PROBE_OK},
	{.what = "rm sys/devices/faux/tdx_host/version",
	 .check = "tdx.module",
	 .verdict = PROBE_UNKNOWN,
	 .found = "No such file",
	 .cure = "load tdx_host",
	 .judged = PROBE_OK},
	{.what = "echo N >sys/module/kvm_intel/parameters/enable_apicv",
	 .check = "tdx.parameters",
	 .verdict = PROBE_FAIL,
	 .found = "N",
	 .cure = "enable_apicv=1",
	 .judged = PROBE_OK},
	{.what = "echo 'freeze mem disk' >sys/power/state",
	 .check = "tdx.hibernation",
	 .verdict = PROBE_FAIL,
	 .found = "can hibernate",
	 .cure = "nohibernate",
	 .judged = PROBE_OK},
	{.what = "echo 0-3 >sys/devices/system/cpu/online",
	 .check = "tdx.cpus",
	 .verdict = PROBE_FAIL,
	 .found = "0-3 of 0-7",
	 .cure = "each package",
	 .judged = PROBE_OK},
	{.what = "echo 'tdx 30' >sys/fs/cgroup/misc.current",
	 .check = "tdx.limit",
	 .verdict = PROBE_FAIL,
	 .found = "tdx: 30, all in use",
	 .cure = "more keys",
	 .judged = PROBE_FAIL},
	{.what = "echo '3,1,1,-;virt/tdx: initialization failed: Hibernation support "
		 "is "
		 "enabled' >>dev/kmsg",
	 .check = "tdx.log",
	 .verdict = PROBE_FAIL,
	 .found = "Hibernation",
	 .cure = "nohibernate",
	 .judged = PROBE_OK},
	{.what = "echo '3,1,1,-;virt/tdx: module not loaded' >>dev/kmsg",
	 .check = "tdx.log",
	 .verdict = PROBE_FAIL,
	 .found = "module not loaded",
	 .cure = "SEAM loader",
	 .judged = PROBE_OK},
	{.what = "rm dev/kmsg",
	 .check = "tdx.log",
	 .verdict = PROBE_UNKNOWN,
	 .found = "No such file",
	 .cure = "CONFIG_PRINTK",
	 .judged = PROBE_OK},
};

START_TEST(test_each_fault_of_a_tdx_machine_is_named)
{
	for (size_t i = 0; i < ARRAY_SIZE(tdx_faults); i++)
		expect_fault(RIG_TDX, GUEST_TYPE_TDX, &tdx_faults[i]);
}
END_TEST

/* --- What files may say --- */

/* Of any length, and with any bytes: bounded, and printable. */
START_TEST(test_odd_files_do_no_harm)
{
	static const char *const files[] = {"proc/cpuinfo",
					    "proc/cmdline",
					    "dev/kmsg",
					    "sys/fs/cgroup/misc.capacity",
					    "proc/self/cgroup",
					    "sys/devices/system/cpu/online",
					    "sys/module/kvm_amd/parameters/sev",
					    "sys/fs/cgroup/misc.current"};
	static const char *const contents[] = {
		"head -c 100000 /dev/zero",
		"yes 'sev_es SEV-SNP API: \\377' | head -c 100000",
		"head -c 100000 /dev/urandom",
		"printf 'sev_es'",
		"printf '\\n\\n'",
		"true"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		for (size_t k = 0; k < ARRAY_SIZE(contents); k++) {
			struct probe_rig rig;

			rig_init(&rig, RIG_SNP);
			rig.question.subjects = BIT(GUEST_TYPE_SNP);
			tree_run("cd %s && %s >%s", rig.tree.directory, contents[k], files[i]);
			rig_probe(&rig);
			for (unsigned int n = 0; n < rig.probe->n_lines; n++) {
				const char *found = rig.probe->lines[n].found;

				for (; *found; found++)
					ck_assert(*found >= 0x20 && *found < 0x7f);
			}
			rig_fini(&rig);
		}
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_machine_without_anything_is_told_what_it_lacks,
		test_snp_machine_is_ok,
		test_tdx_machine_is_ok,
		test_survey_is_ok_when_some_type_is,
		test_each_fault_of_an_snp_machine_is_named,
		test_each_fault_of_a_tdx_machine_is_named,
		test_odd_files_do_no_harm,
	};

	return unit_run(unit_suite_slow("probe", tests, ARRAY_SIZE(tests), 60));
}
