// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TDX on this host. Only KVM's own list of types is a sufficient test (tdx.kvm); the lines here
 * say why it has no TDX, and what else a launch needs.
 *
 * Sources: arch/x86/virt/vmx/tdx/tdx.c, tdx_init and tdx_enable; arch/x86/kvm/vmx/tdx.c,
 * tdx_hardware_setup; drivers/virt/coco/tdx-host; Intel SDM vol. 4, IA32_MKTME_KEYID_
 * PARTITIONING.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/probe/check.h"
#include "vmm/range.h"

#define CURE_SERVER "use an Intel Xeon processor with TDX (5th generation or newer)"
#define CURE_FIRMWARE                                                                   \
	"turn TME, TME-MT, TDX and SEAM loader on in the firmware; boot a kernel with " \
	"CONFIG_INTEL_TDX_HOST"

enum {
	MSR_KEYID_PARTITIONING = 0x87,
	KEYIDS_MIN = 2, /* one is the TDX module's own */
	LEAF1_ECX_XSAVE = 1 << 26,
	LEAF1_EDX_SELF_SNOOP = 1 << 27,
	LEAF7_ECX_MOVDIR64B = 1 << 28,
};

static void look_cpu(struct probe *probe, int argument)
{
	const struct probe_cpu *cpu = &probe->question.cpu;
	const struct {
		uint32_t has;
		const char *name;
	} needed[] = {
		{cpu->features.ecx & LEAF1_ECX_XSAVE, "XSAVE"},
		{cpu->features.edx & LEAF1_EDX_SELF_SNOOP, "self-snoop"},
		{cpu->structured.ecx & LEAF7_ECX_MOVDIR64B, "MOVDIR64B"},
	};

	(void)argument;
	if (strcmp(cpu->vendor, PROBE_CPU_INTEL) != 0) {
		probe_say(probe, PROBE_FAIL, "CPUID 0", CURE_SERVER, "%s, not %s", cpu->vendor,
			  PROBE_CPU_INTEL);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		if (needed[i].has)
			continue;
		probe_say(probe, PROBE_FAIL, "CPUID 1, 7", CURE_SERVER,
			  "the processor has no %s", needed[i].name);
		return;
	}
	probe_say(probe, PROBE_OK, "CPUID 1, 7", NULL, "XSAVE, self-snoop, MOVDIR64B");
}

static void look_cpuinfo(struct probe *probe, int argument)
{
	char path[HOST_PCI_PATH_BYTES];

	(void)argument;
	probe_look_flag(probe, "tdx_host_platform", "TDX", CURE_FIRMWARE);
	probe_path(path, probe->question.paths.proc, "cpuinfo");
	if (probe_cpuinfo_has(probe, "bugs", "tdx_pw_mce") > 0)
		probe_say(probe, PROBE_OK, path, NULL,
			  "tdx_pw_mce: no kexec of the host while TDX is on");
}

/* MSRs are for root, and for those who loaded the msr driver. */
static void look_keys(struct probe *probe, int argument)
{
	char path[HOST_PCI_PATH_BYTES];
	_cleanup_close_ int fd = -1;
	uint64_t value = 0;
	uint32_t n_keys;

	(void)argument;
	probe_path(path, probe->question.paths.dev, "cpu/0/msr");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		probe_say(probe, PROBE_UNKNOWN, path,
			  probe_cure_access(-errno, "run modprobe msr, and this as root"), "%s",
			  err_describe(errno));
		return;
	}
	if (pread(fd, &value, sizeof(value), MSR_KEYID_PARTITIONING) != sizeof(value)) {
		probe_say(probe, PROBE_FAIL, path, CURE_FIRMWARE,
			  "MSR 0x%x: not there, so no private keys", MSR_KEYID_PARTITIONING);
		return;
	}
	n_keys = (uint32_t)(value >> 32);
	if (n_keys >= KEYIDS_MIN)
		probe_say(probe, PROBE_OK, path, NULL, "MSR 0x%x: %u private keys",
			  MSR_KEYID_PARTITIONING, n_keys);
	else
		probe_say(probe, PROBE_FAIL, path,
			  "give TDX two keys or more in the firmware (TME-MT/TDX key split)",
			  "MSR 0x%x: %u private keys", MSR_KEYID_PARTITIONING, n_keys);
}

static void look_module(struct probe *probe, int argument)
{
	static const char *const files[] = {"version", "seamldr_version",
					    "num_remaining_updates"};
	char path[HOST_PCI_PATH_BYTES], value[64];

	(void)argument;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		int ret;

		probe_path(path, probe->question.paths.sysfs, "devices/faux/tdx_host/%s",
			   files[i]);
		ret = probe_read(path, value, sizeof(value));
		value[strcspn(value, "\n")] = '\0';
		if (ret >= 0)
			probe_say(probe, PROBE_OK, path, NULL, "%s", value);
		else
			probe_say(probe, PROBE_UNKNOWN, path,
				  probe_cure_access(ret,
						    "load tdx_host, or see the kernel log: "
						    "older kernels and modules tell "
						    "it there or not at all"),
				  "%s", err_describe(ret));
	}
}

static void look_parameters(struct probe *probe, int argument)
{
	static const struct probe_parameter parameters[] = {
		{"kvm_intel", "ept", "load kvm_intel with ept=1"},
		{"kvm_intel", "eptad", "load kvm_intel with eptad=1"},
		{"kvm_intel", "enable_apicv", "load kvm_intel with enable_apicv=1"},
		{"kvm", "tdp_mmu", "load kvm with tdp_mmu=1"},
		{"kvm", "mmio_caching", "load kvm with mmio_caching=1"},
		{"kvm_intel", "tdx",
		 "load kvm_intel with tdx=1 after mending what else fails; the value is what "
		 "came of it"},
	};

	(void)argument;
	probe_look_parameters(probe, parameters, ARRAY_SIZE(parameters));
}

/* The kernel refuses TDX while it could hibernate. */
static void look_hibernation(struct probe *probe, int argument)
{
	char path[HOST_PCI_PATH_BYTES], text[64];
	int ret;

	(void)argument;
	probe_path(path, probe->question.paths.sysfs, "power/state");
	ret = probe_read(path, text, sizeof(text));
	if (ret == -ENOENT)
		probe_say(probe, PROBE_OK, path, NULL, "none: the kernel cannot sleep");
	else if (ret < 0)
		probe_say(probe, PROBE_UNKNOWN, path, probe_cure_access(ret, "mount sysfs"),
			  "%s", err_describe(ret));
	else if (probe_has_word(text, "disk"))
		probe_say(probe, PROBE_FAIL, path, "boot with nohibernate",
			  "the kernel can hibernate");
	else
		probe_say(probe, PROBE_OK, path, NULL, "no hibernation");
}

static void look_cpus(struct probe *probe, int argument)
{
	(void)argument;
	probe_look_cpus(probe, "put a processor of each package online: a TD cannot be made "
			       "otherwise");
}

static void look_limit(struct probe *probe, int argument)
{
	(void)argument;
	probe_look_misc(probe, "tdx",
			"end another guest, or give TDX more keys in the firmware");
}

#define ROW(row_name, row_weight, row_look)                                           \
	{                                                                             \
		.name = "tdx." row_name, .subjects = PROBE_BIT(GUEST_TYPE_TDX),       \
		.weight = (row_weight), .vendor = PROBE_CPU_INTEL, .look = (row_look) \
	}

const struct probe_check probe_checks_tdx[] = {
	{.name = "tdx.cpu", .subjects = PROBE_BIT(GUEST_TYPE_TDX), .look = look_cpu},
	ROW("cpuinfo", PROBE_HINT, look_cpuinfo),
	ROW("keys", PROBE_HINT, look_keys),
	ROW("module", PROBE_HINT, look_module),
	ROW("parameters", PROBE_HINT, look_parameters),
	ROW("hibernation", PROBE_HINT, look_hibernation),
	ROW("cpus", PROBE_HINT, look_cpus),
	ROW("limit", PROBE_LIMIT, look_limit),
	{.name = NULL},
};
