// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * SEV-SNP on this host. Only KVM's own list of types is a sufficient test (snp.kvm); the lines
 * here say why it has no SNP, and what else a launch needs.
 *
 * Sources: AMD APM vol. 3, Fn8000_001F; arch/x86/kvm/svm/sev.c, sev_hardware_setup;
 * drivers/crypto/ccp/sev-dev.c; linux/psp-sev.h.
 */
#include <asm/kvm.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <linux/psp-sev.h>
#include <stdio.h>
#include <string.h>

#include "vmm/host_cc.h"
#include "vmm/probe/check.h"
#include "vmm/range.h"

#define CPUID_SEV   "CPUID 0x8000001f"
#define CURE_SERVER "use an AMD EPYC 7003 or newer processor"
#define CURE_SMEE \
	"turn SMEE, SNP memory (RMP table) coverage and SEV-SNP support on in the firmware"
#define CURE_ASIDS                                                                       \
	"set the SEV-ES ASID space limit (minimum SEV non-ES ASID) to 2 or more in the " \
	"firmware"

enum {
	SEV_EAX_SEV = 1 << 1,
	SEV_EAX_ES = 1 << 3,
	SEV_EAX_SNP = 1 << 4,
	/* SNP_MIN_API_MAJOR, _MINOR of the ccp driver. */
	SNP_API_MAJOR = 1,
	SNP_API_MINOR = 51,
	/* Of SNP_PLATFORM_STATUS: SEV-SNP firmware ABI, INIT. */
	SNP_STATE_INIT = 1,
	POLICY_RESERVED_ONE = 1 << 17,
};

static void look_cpu(struct probe *probe, int argument)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} features[] = {{SEV_EAX_SEV, "SEV"}, {SEV_EAX_ES, "SEV-ES"}, {SEV_EAX_SNP, "SEV-SNP"}};
	const struct probe_cpu *cpu = &probe->question.cpu;

	(void)argument;
	if (strcmp(cpu->vendor, PROBE_CPU_AMD) != 0) {
		probe_say(probe, PROBE_FAIL, "CPUID 0", CURE_SERVER, "%s, not %s", cpu->vendor,
			  PROBE_CPU_AMD);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		if (cpu->sev.eax & features[i].bit)
			continue;
		probe_say(probe, PROBE_FAIL, CPUID_SEV, CURE_SERVER,
			  "the processor has no %s (eax 0x%x)", features[i].name, cpu->sev.eax);
		return;
	}
	probe_say(probe, PROBE_OK, CPUID_SEV, NULL,
		  "SEV, SEV-ES, SEV-SNP; C-bit %u, %u physical address bits less",
		  cpu->sev.ebx & 0x3f, cpu->sev.ebx >> 6 & 0x3f);
}

/* Those below the first of plain SEV are for SEV-ES and SNP. */
static void look_asids(struct probe *probe, int argument)
{
	const struct probe_cpu_leaf *sev = &probe->question.cpu.sev;

	(void)argument;
	if (!(sev->eax & SEV_EAX_SNP))
		return;
	if (sev->edx > 1 && sev->ecx)
		probe_say(probe, PROBE_OK, CPUID_SEV, NULL,
			  "ASIDs 1 to %u of %u are for SEV-ES and SNP", sev->edx - 1, sev->ecx);
	else
		probe_say(probe, PROBE_FAIL, CPUID_SEV, CURE_ASIDS,
			  "of %u ASIDs none is for SEV-ES and SNP", sev->ecx);
}

/* What is left of CPUID after the kernel looked at firmware and RMP. */
static void look_cpuinfo(struct probe *probe, int argument)
{
	(void)argument;
	probe_look_flag(probe, "sev_snp", "SNP", CURE_SMEE);
}

static void look_parameters(struct probe *probe, int argument)
{
	static const struct probe_parameter parameters[] = {
		{"kvm_amd", "npt", "load kvm_amd with npt=1"},
		{"kvm_amd", "nrips", "load kvm_amd with nrips=1"},
		{"kvm_amd", "lbrv", "load kvm_amd with lbrv=1"},
		{"kvm", "mmio_caching", "load kvm with mmio_caching=1"},
		{"kvm_amd", "sev", "load kvm_amd with sev=1 after mending what else fails"},
		{"kvm_amd", "sev_es",
		 "load kvm_amd with sev_es=1 after mending what else fails"},
		{"kvm_amd", "sev_snp",
		 "load kvm_amd with sev_snp=1 after mending what else fails; the value is "
		 "what came of it"},
	};

	char path[HOST_PCI_PATH_BYTES], value[32];

	(void)argument;
	probe_look_parameters(probe, parameters, ARRAY_SIZE(parameters));
	/* Any number is right, and older kernels do not have it. */
	probe_path(path, probe->question.paths.sysfs,
		   "module/kvm_amd/parameters/ciphertext_hiding_asids");
	if (probe_read(path, value, sizeof(value)) >= 0)
		probe_say(probe, PROBE_OK, path, NULL, "%.*s", (int)strcspn(value, "\n"),
			  value);
}

/* It cannot be asked whether it supports SNP; what rules that out can be seen. */
static void look_iommu(struct probe *probe, int argument)
{
	static const struct {
		const char *word;
		const char *cure;
	} words[] = {
		{"amd_iommu=off", "boot without amd_iommu=off"},
		{"iommu=off", "boot without iommu=off"},
		{"amd_iommu=pgtbl_v2", "boot without amd_iommu=pgtbl_v2"},
		{"iommu=pt", "boot without iommu=pt; only newer processors can do SNP with it"},
		{"iommu.passthrough=1",
		 "boot without iommu.passthrough=1; only newer processors can do SNP with it"},
	};
	char path[HOST_PCI_PATH_BYTES], text[4096];
	int ret;

	(void)argument;
	probe_path(path, probe->question.paths.proc, "cmdline");
	ret = probe_read(path, text, sizeof(text));
	if (ret < 0) {
		probe_say(probe, PROBE_UNKNOWN, path, "mount proc at /proc", "%s",
			  err_describe(ret));
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (!probe_has_word(text, words[i].word))
			continue;
		probe_say(probe, PROBE_FAIL, path, words[i].cure, "%s", words[i].word);
		return;
	}
	probe_say(probe, PROBE_OK, path, NULL, "nothing that turns the IOMMU off");
}

static void look_cpus(struct probe *probe, int argument)
{
	(void)argument;
	probe_look_cpus(probe, "boot without maxcpus= and put all processors online before "
			       "ccp and kvm_amd are loaded: SNP starts on all or none");
}

/* --- The secure processor --- */

static void say_status(struct probe *probe, const char *path,
		       const struct sev_user_data_snp_status *status)
{
	unsigned int api = status->api_major * 256u + status->api_minor;

	if (api < SNP_API_MAJOR * 256 + SNP_API_MINOR)
		probe_say(probe, PROBE_FAIL, path,
			  "update the platform's firmware: SNP needs 1.51 or newer",
			  "firmware API %u.%u build %u", status->api_major, status->api_minor,
			  status->build_id);
	else if (status->state != SNP_STATE_INIT || !status->is_rmp_initialized)
		probe_say(probe, PROBE_FAIL, path,
			  "load kvm_amd again; the kernel log says why it was not initialized",
			  "state %u, RMP table %sinitialized", status->state,
			  status->is_rmp_initialized ? "" : "not ");
	else
		probe_say(probe, PROBE_OK, path, NULL,
			  "API %u.%u build %u, %u guests, TCB 0x%" PRIx64 " reported 0x%" PRIx64
			  "%s%s%s%s%s",
			  status->api_major, status->api_minor, status->build_id,
			  status->guest_count, (uint64_t)status->current_tcb_version,
			  (uint64_t)status->reported_tcb_version,
			  status->mask_chip_id ? ", chip ID masked" : "",
			  status->mask_chip_key ? ", reports not signed" : "",
			  status->vlek_en ? ", VLEK" : "", status->rapl_dis ? ", RAPL off" : "",
			  status->ciphertext_hiding_en ? ", ciphertext hiding" : "");
}

/* SNP does not answer: the older part may say at least which firmware this is. */
static void say_no_status(struct probe *probe, const char *path, int sev, int error,
			  uint32_t firmware)
{
	struct sev_user_data_status status = {0};
	uint32_t unused;

	if (host_sev_get_status(probe->question.host, sev, &status, &unused))
		probe_say(probe, PROBE_FAIL, path,
			  "look for ccp in the kernel log; update the platform's firmware",
			  "SNP_PLATFORM_STATUS: %s, firmware status 0x%x", err_describe(error),
			  firmware);
	else
		probe_say(probe, PROBE_FAIL, path,
			  "update the platform's firmware, or use a kernel with SNP: 6.11 or "
			  "newer",
			  "SNP_PLATFORM_STATUS: %s, firmware status 0x%x; SEV API %u.%u build "
			  "%u",
			  err_describe(error), firmware, status.api_major, status.api_minor,
			  status.build);
}

static void look_psp(struct probe *probe, int argument)
{
	struct host *host = probe->question.host;
	struct sev_user_data_snp_status status = {0};
	char path[HOST_PCI_PATH_BYTES];
	uint32_t firmware = 0;
	int sev, ret;

	(void)argument;
	probe_path(path, probe->question.paths.dev, "sev");
	if (!host) {
		probe_say(probe, PROBE_UNKNOWN, path, "mend /dev/kvm first", "not asked");
		return;
	}
	sev = host_sev_open(host);
	if (sev == -EACCES || sev == -EPERM) {
		probe_say(probe, PROBE_FAIL, path,
			  "run as root, or give the user access: a launch opens it for writing",
			  "%s", err_describe(sev));
		return;
	}
	if (sev < 0) {
		probe_say(probe, PROBE_FAIL, path,
			  "load ccp; turn the secure processor on in the firmware", "%s",
			  err_describe(sev));
		return;
	}
	ret = host_snp_get_status(host, sev, &status, &firmware);
	if (ret)
		say_no_status(probe, path, sev, ret, firmware);
	else
		say_status(probe, path, &status);
	host_close(host, sev);
}

/* --- KVM --- */

static void look_attributes(struct probe *probe, int argument)
{
	static const struct {
		uint64_t attribute;
		const char *name;
		uint64_t needed;
		const char *cure;
	} attributes[] = {
		{KVM_X86_SEV_VMSA_FEATURES, "KVM_X86_SEV_VMSA_FEATURES", 0,
		 "use Linux 6.10 or newer, with SEV on"},
		{KVM_X86_SNP_POLICY_BITS, "KVM_X86_SNP_POLICY_BITS", POLICY_RESERVED_ONE,
		 "mend what else fails; older kernels do not tell"},
		{KVM_X86_SEV_SNP_REQ_CERTS, "KVM_X86_SEV_SNP_REQ_CERTS", 0,
		 "leave --certs out; older kernels cannot pass certificates on"},
	};

	(void)argument;
	for (size_t i = 0; i < ARRAY_SIZE(attributes) && probe->question.host; i++) {
		uint64_t value = 0;
		int ret = host_cc_get_attr(probe->question.host, KVM_X86_GRP_SEV,
					   attributes[i].attribute, &value);

		if (ret)
			probe_say(probe, PROBE_UNKNOWN, attributes[i].name, attributes[i].cure,
				  "%s", err_describe(ret));
		else if ((value & attributes[i].needed) != attributes[i].needed)
			probe_say(probe, PROBE_FAIL, attributes[i].name, attributes[i].cure,
				  "0x%" PRIx64, value);
		else
			probe_say(probe, PROBE_OK, attributes[i].name, NULL, "0x%" PRIx64,
				  value);
	}
}

static void look_limit(struct probe *probe, int argument)
{
	(void)argument;
	probe_look_misc(probe, "sev_es",
			"end another guest, or raise the SEV-ES ASID space limit in the "
			"firmware");
}

#define ROW(row_name, row_weight, row_look)                                         \
	{                                                                           \
		.name = "snp." row_name, .subjects = PROBE_BIT(GUEST_TYPE_SNP),     \
		.weight = (row_weight), .vendor = PROBE_CPU_AMD, .look = (row_look) \
	}

const struct probe_check probe_checks_snp[] = {
	{.name = "snp.cpu", .subjects = PROBE_BIT(GUEST_TYPE_SNP), .look = look_cpu},
	ROW("asids", PROBE_MUST, look_asids),
	ROW("cpuinfo", PROBE_HINT, look_cpuinfo),
	ROW("parameters", PROBE_HINT, look_parameters),
	ROW("iommu", PROBE_HINT, look_iommu),
	ROW("cpus", PROBE_HINT, look_cpus),
	ROW("firmware", PROBE_MUST, look_psp),
	ROW("attributes", PROBE_HINT, look_attributes),
	ROW("limit", PROBE_LIMIT, look_limit),
	{.name = NULL},
};
