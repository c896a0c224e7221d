/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine for the preflight to look at: files in a directory, values of CPUID, and the fake
 * kernel as its KVM.
 *
 * Golden reports are in tests/unit/golden; GOLDEN=write in the environment writes them anew.
 */
#ifndef TESTS_UNIT_PROBE_RIG_H
#define TESTS_UNIT_PROBE_RIG_H

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake.h"
#include "tests/unit/host_tree.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/probe/probe.h"
#include "vmm/probe/print.h"

enum rig_machine {
	RIG_BARE, /* no KVM, an empty /sys, an unknown processor */
	RIG_SNP,
	RIG_TDX,
};

struct probe_rig {
	struct host_tree tree;
	struct fake *fake; /* NULL: there is no KVM */
	struct probe_question question;
	struct probe *probe;
};

static inline void rig_make_common(const struct host_tree *tree)
{
	tree_run("cd %s && mkdir -p sys/module/kvm/parameters sys/devices/system/cpu "
		 "sys/fs/cgroup/vms proc/self && "
		 "echo 0-7 | tee sys/devices/system/cpu/present >sys/devices/system/cpu/online",
		 tree->directory);
	tree_run("cd %s && echo 'quiet console=ttyS0' >proc/cmdline && "
		 "echo 0::/vms >proc/self/cgroup && "
		 "echo Y | tee sys/module/kvm/parameters/tdp_mmu "
		 ">sys/module/kvm/parameters/mmio_caching && "
		 "printf 'MemTotal: 8388608 kB\\nMemAvailable: 4194304 kB\\n' >proc/meminfo",
		 tree->directory);
}

static inline void rig_make_snp(struct probe_rig *rig)
{
	const char *directory = rig->tree.directory;

	rig->question.cpu = (struct probe_cpu){
		.vendor = PROBE_CPU_AMD,
		.sev = {.eax = 0x1fdbf, .ebx = 0x4173, .ecx = 509, .edx = 100},
	};
	fake_traits(rig->fake)->has_snp = true;
	tree_run(
		"cd %s && mkdir -p sys/module/kvm_amd/parameters && "
		"for name in npt sev sev_es sev_snp; do "
		"echo Y >sys/module/kvm_amd/parameters/$name; done; "
		"for name in nrips lbrv; do echo 1 >sys/module/kvm_amd/parameters/$name; done; "
		"echo 0 >sys/module/kvm_amd/parameters/ciphertext_hiding_asids",
		directory);
	tree_run("cd %s && printf 'processor\\t: 0\\nflags\\t\\t: fpu sev sev_es sev_snp "
		 "debug_swap"
		 "\\nbugs\\t\\t: spectre_v1\\n' >proc/cpuinfo; "
		 "printf 'sev 410\\nsev_es 99\\n' >sys/fs/cgroup/misc.capacity; "
		 "printf 'sev 0\\nsev_es 3\\n' >sys/fs/cgroup/misc.current; "
		 "printf 'sev max\\nsev_es max\\n' >sys/fs/cgroup/vms/misc.max",
		 directory);
	tree_run("cd %s && printf '6,1,1,-;Linux version 7.3\\n"
		 "6,2,2,-;AMD-Vi: IOMMU SNP support enabled.\\n SUBSYSTEM=pci\\n"
		 "6,3,3,-;ccp 0000:22:00.1: SEV-SNP API:1.55 build:37\\n"
		 "6,4,4,-;kvm_amd: SEV-SNP enabled (ASIDs 1 - 99)\\n' >dev/kmsg",
		 directory);
}

static inline void rig_make_tdx(struct probe_rig *rig)
{
	const char *directory = rig->tree.directory;

	rig->question.cpu = (struct probe_cpu){
		.vendor = PROBE_CPU_INTEL,
		.features = {.ecx = 1u << 26, .edx = 1u << 27},
		.structured = {.ecx = 1u << 28},
	};
	fake_traits(rig->fake)->has_tdx = true;
	tree_run("cd %s && mkdir -p sys/module/kvm_intel/parameters "
		 "sys/devices/faux/tdx_host dev/cpu/0 sys/power && "
		 "for name in ept eptad enable_apicv tdx; do "
		 "echo Y >sys/module/kvm_intel/parameters/$name; done; "
		 "echo 'freeze mem' >sys/power/state",
		 directory);
	tree_run("cd %s && printf 'processor\\t: 0\\nflags\\t\\t: fpu tdx_host_platform "
		 "movdir64b"
		 "\\nbugs\\t\\t: spectre_v1\\n' >proc/cpuinfo; "
		 "echo 'tdx 30' >sys/fs/cgroup/misc.capacity; "
		 "echo 'tdx 2' >sys/fs/cgroup/misc.current; "
		 "echo 'tdx max' >sys/fs/cgroup/vms/misc.max",
		 directory);
	/* MSR 0x87: 64 keys of MKTME, 31 private ones. */
	tree_run("cd %s && head -c 135 /dev/zero >dev/cpu/0/msr && "
		 "printf '\\100\\0\\0\\0\\037\\0\\0\\0' >>dev/cpu/0/msr; "
		 "cd sys/devices/faux/tdx_host && echo 1.5.24 >version && "
		 "echo 1.5.18 >seamldr_version && echo 14 >num_remaining_updates",
		 directory);
	tree_run("cd %s && printf '6,1,1,-;Linux version 7.3\\n"
		 "6,2,2,-;virt/tdx: BIOS enabled: private KeyID range [65, 96)\\n"
		 "6,3,3,-;virt/tdx: 1050644 KB allocated for PAMT\\n"
		 "6,4,4,-;virt/tdx: TDX-Module initialized\\n' >dev/kmsg",
		 directory);
}

static inline void rig_init(struct probe_rig *rig, enum rig_machine machine)
{
	*rig = (struct probe_rig){.fake = NULL};
	tree_init(&rig->tree);
	rig->question.paths = rig->tree.paths;
	if (machine == RIG_BARE) {
		rig->question.cpu = (struct probe_cpu){.vendor = "CentaurHauls"};
		err_set(&rig->question.host_err, -ENOENT,
			"/dev/kvm: No such file or directory; load kvm_amd or kvm_intel, or "
			"turn "
			"virtualization on in the firmware");
		tree_run("rm -r %s/bus %s/iommu", rig->tree.sysfs, rig->tree.dev);
		return;
	}
	rig->fake = fake_new();
	rig->question.host = fake_host(rig->fake);
	rig_make_common(&rig->tree);
	if (machine == RIG_SNP)
		rig_make_snp(rig);
	else
		rig_make_tdx(rig);
}

static inline void rig_fini(struct probe_rig *rig)
{
	probe_free(rig->probe);
	if (rig->fake)
		fake_free(rig->fake);
	tree_fini(&rig->tree);
}

static inline void rig_probe(struct probe_rig *rig)
{
	ck_assert_int_eq(probe_new(&rig->question, &rig->probe), 0);
}

static inline unsigned int rig_count(const struct probe_rig *rig, enum probe_verdict verdict)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < rig->probe->n_lines; i++)
		n += rig->probe->lines[i].verdict == verdict;
	return n;
}

/* There is a line of @check with this verdict that has these words. */
static inline void rig_expect(const struct probe_rig *rig, const char *check,
			      enum probe_verdict verdict, const char *found, const char *cure)
{
	for (unsigned int i = 0; i < rig->probe->n_lines; i++) {
		const struct probe_line *line = &rig->probe->lines[i];

		if (!strcmp(line->check->name, check) && line->verdict == verdict &&
		    strstr(line->found, found) && strstr(line->cure, cure))
			return;
	}
	probe_print(stderr, rig->probe);
	ck_abort_msg("no line of %s, verdict %d: '%s' -> '%s'", check, verdict, found, cure);
}

/* --- Golden reports --- */

/* The report, with the name of the directory taken out. */
static inline char *rig_print(const struct probe_rig *rig, bool is_json)
{
	size_t bytes = 0, length = strlen(rig->tree.directory);
	char *text = NULL, *found;
	FILE *out = open_memstream(&text, &bytes);

	ck_assert_ptr_nonnull(out);
	if (is_json)
		ck_assert_int_eq(probe_print_json(out, rig->probe), 0);
	else
		probe_print(out, rig->probe);
	fclose(out);
	while ((found = strstr(text, rig->tree.directory)))
		memmove(found, found + length, strlen(found + length) + 1);
	return text;
}

static inline void rig_expect_file(const char *path, const char *text)
{
	_cleanup_free_ char *golden = calloc(1, strlen(text) + 2);
	const char *wish = getenv("GOLDEN");
	bool writes = wish && !strcmp(wish, "write");
	FILE *file = fopen(path, writes ? "we" : "re");

	ck_assert_msg(file, "%s", path);
	ck_assert_ptr_nonnull(golden);
	if (writes)
		fputs(text, file);
	else
		ck_assert_uint_le(fread(golden, 1, strlen(text) + 1, file), strlen(text) + 1);
	fclose(file);
	if (!writes)
		ck_assert_str_eq(golden, text);
}

static inline void rig_expect_golden(const struct probe_rig *rig, const char *name)
{
	for (unsigned int is_json = 0; is_json < 2; is_json++) {
		_cleanup_free_ char *text = rig_print(rig, is_json);
		char path[128];

		snprintf(path, sizeof(path), "tests/unit/golden/probe-%s.%s", name,
			 is_json ? "json" : "txt");
		rig_expect_file(path, text);
	}
}

static inline void rig_write_file(const char *path, const void *bytes, size_t size_bytes)
{
	FILE *file = fopen(path, "we");

	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(bytes, 1, size_bytes, file), size_bytes);
	fclose(file);
}

#endif
