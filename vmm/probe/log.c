// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The kernel log: what the kernel said when it looked at SNP and TDX itself. Messages are those
 * of Linux 7.3: arch/x86/virt/svm/sev.c, drivers/iommu/amd/init.c,
 * drivers/crypto/ccp/sev-dev.c, arch/x86/kvm/svm/sev.c; arch/x86/virt/vmx/tdx/tdx.c,
 * arch/x86/kvm/vmx/tdx.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/probe/check.h"
#include "vmm/range.h"

enum {
	LOG_BYTES_MAX = 16 << 20,
	LOG_LINE_BYTES = 512,
};

struct message {
	const char *text;
	const char *cure; /* NULL: good news */
};

#define CURE_RMP      "set SNP memory (RMP table) coverage on, for all memory, in the firmware"
#define CURE_PLATFORM "update the platform's firmware"
#define CURE_SPLIT    "reserve less, or in larger pieces: take memory maps (memmap=, mem=) away"

static const struct message snp_messages[] = {
	{"IOMMU SNP support enabled", NULL},
	{"SEV-SNP API:", NULL},
	{"SEV-SNP enabled (ASIDs", NULL},
	{"SNP: IOMMU disabled",
	 "boot without iommu=off and amd_iommu=off; turn the IOMMU on in the firmware"},
	{"SNP: IOMMU configured in passthrough mode",
	 "boot without iommu=pt, or with iommu.passthrough=0"},
	{"SNP: IOMMU is configured with V2 page table mode", "boot without amd_iommu=pgtbl_v2"},
	{"SNP: IOMMU SNP feature not enabled",
	 "turn SEV-SNP support of the IOMMU on in the firmware"},
	{"SNP: RMP initialization failed", CURE_RMP},
	{"Memory for the RMP table has not been reserved by BIOS", CURE_RMP},
	{"Memory reserved for the RMP table does not cover full system RAM", CURE_RMP},
	{"Segmented RMP does not cover full system RAM", CURE_RMP},
	{"RMP configuration not valid", CURE_RMP},
	{"SNP init failed: not all CPUs online",
	 "boot without maxcpus= and put all processors online before kvm_amd is loaded"},
	{"SNP_INIT_EX failed", CURE_PLATFORM},
	{"SNP_INIT failed", CURE_PLATFORM},
	{"SNP_DF_FLUSH failed", CURE_PLATFORM},
	{"SNP PLATFORM_STATUS command failed", CURE_PLATFORM},
	{"sev initialization failed", CURE_PLATFORM},
	{"SEV-SNP unusable (ASIDs",
	 "let ciphertext_hiding_asids of kvm_amd leave some, and see the firmware's limit"},
	{"SEV-SNP disabled (ASIDs", "mend what else fails, then load kvm_amd again"},
	{NULL, NULL},
};

static const struct message tdx_messages[] = {
	{"virt/tdx: BIOS enabled: private KeyID range", NULL},
	{"virt/tdx: TDX-Module initialized", NULL},
	{"KB allocated for PAMT", NULL},
	{"initialization failed: too few private KeyIDs",
	 "give TDX two keys or more in the firmware (TME-MT/TDX key split)"},
	{"initialization failed: Hibernation support is enabled", "boot with nohibernate"},
	{"virt/tdx: module not loaded",
	 "turn the TDX SEAM loader on in the firmware, and update it"},
	{"frame pointer (RBP) clobber bug present", "update the TDX module"},
	{"TDMRs exhausted", CURE_SPLIT},
	{"reserved areas exhausted", CURE_SPLIT},
	{"TDX not supported by the host platform", "turn TDX on in the firmware"},
	{"XSAVE is required for TDX", "boot without noxsave"},
	{"MOVDIR64B is required for TDX", "boot without clearcpuid= of it"},
	{"Self-snoop is required for TDX", "boot without clearcpuid= of it"},
	{"TDX-Module initialization failed", "update the TDX module; see the lines before"},
	{"EPT is required for TDX", "load kvm_intel with ept=1"},
	{"TDP MMU and MMIO caching and EPT A/D bit is required for TDX",
	 "load kvm with tdp_mmu=1 mmio_caching=1, and kvm_intel with eptad=1"},
	{"APICv is required for TDX", "load kvm_intel with enable_apicv=1"},
	{"Disable TDX: MAX_VCPU_PER_TD", "update the TDX module"},
	{NULL, NULL},
};

static const struct message *const messages_of[GUEST_TYPE_COUNT] = {
	[GUEST_TYPE_SNP] = snp_messages,
	[GUEST_TYPE_TDX] = tdx_messages,
};

/* --- Reading --- */

/* Lines of /dev/kmsg: "6,339,5140900,-;text", and of a plain file. */
struct log {
	int fd;
	size_t used;
	size_t total_bytes;
	char buffer[8192]; /* a read of /dev/kmsg gets one record, of at most 8 KiB */
};

static void line_set(char *line, const char *text, size_t text_bytes)
{
	const char *body = memchr(text, ';', text_bytes);
	size_t skip = body ? (size_t)(body - text) + 1 : 0;
	size_t bytes = text_bytes - skip;

	if (bytes >= LOG_LINE_BYTES)
		bytes = LOG_LINE_BYTES - 1;
	memcpy(line, text + skip, bytes);
	line[bytes] = '\0';
}

/* The next line into @line. Returns 1; 0 at the end, which may be that of patience; -errno. */
static int log_next(struct log *log, char line[LOG_LINE_BYTES])
{
	for (;;) {
		char *end = memchr(log->buffer, '\n', log->used);
		size_t bytes = end ? (size_t)(end - log->buffer) : log->used;
		ssize_t got;

		if (end || log->used == sizeof(log->buffer)) {
			line_set(line, log->buffer, bytes);
			bytes += end != NULL;
			log->used -= bytes;
			memmove(log->buffer, log->buffer + bytes, log->used);
			return 1;
		}
		/* /dev/kmsg refuses a read that is smaller than the record. */
		if (log->total_bytes >= LOG_BYTES_MAX)
			return 0;
		got = read(log->fd, log->buffer + log->used, sizeof(log->buffer) - log->used);
		if (got == 0 || (got < 0 && errno == EAGAIN))
			return 0;
		/* EPIPE: records were overwritten meanwhile; the next read gets the oldest. */
		if (got < 0 && errno != EINTR && errno != EPIPE)
			return -errno;
		log->total_bytes += got > 0 ? (size_t)got : 1;
		log->used += got > 0 ? (size_t)got : 0;
	}
}

/* --- The check --- */

/* Each is said once, even if modules were loaded again and again. */
static void line_match(struct probe *probe, const char *path, const struct message *messages,
		       bool *seen, const char *line)
{
	for (size_t i = 0; messages[i].text; i++) {
		if (seen[i] || !strstr(line, messages[i].text))
			continue;
		seen[i] = true;
		probe_say(probe, messages[i].cure ? PROBE_FAIL : PROBE_OK, path,
			  messages[i].cure, "%s", line);
	}
}

static void look_log(struct probe *probe, int type)
{
	char path[HOST_PCI_PATH_BYTES], line[LOG_LINE_BYTES];
	bool seen[ARRAY_SIZE(snp_messages) + ARRAY_SIZE(tdx_messages)] = {false};
	unsigned int n_before = probe->n_lines;
	struct log log = {.fd = -1};
	_cleanup_close_ int fd = -1;
	int more;

	probe_path(path, probe->question.paths.dev, "kmsg");
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	log.fd = fd;
	more = fd < 0 ? -errno : log_next(&log, line);
	for (; more > 0; more = log_next(&log, line))
		line_match(probe, path, messages_of[type], seen, line);
	if (more < 0)
		probe_say(probe, PROBE_UNKNOWN, path,
			  probe_cure_access(more, "use a kernel with CONFIG_PRINTK"), "%s",
			  err_describe(more));
	else if (probe->n_lines == n_before)
		probe_say(probe, PROBE_UNKNOWN, path,
			  "look into the log of the boot; the kernel's own may have lost it",
			  "no message of it");
}

const struct probe_check probe_checks_log[] = {
	{.name = "snp.log",
	 .subjects = PROBE_BIT(GUEST_TYPE_SNP),
	 .weight = PROBE_HINT,
	 .vendor = PROBE_CPU_AMD,
	 .look = look_log,
	 .argument = GUEST_TYPE_SNP},
	{.name = "tdx.log",
	 .subjects = PROBE_BIT(GUEST_TYPE_TDX),
	 .weight = PROBE_HINT,
	 .vendor = PROBE_CPU_INTEL,
	 .look = look_log,
	 .argument = GUEST_TYPE_TDX},
	{.name = NULL},
};
