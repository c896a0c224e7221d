// SPDX-License-Identifier: GPL-2.0-or-later
/* What the machine of a config file needs of this host, and of the files it names. */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "boot/boot.h"
#include "boot/firmware/firmware.h"
#include "devices/devices.h"
#include "vmm/certs.h"
#include "vmm/cleanup.h"
#include "vmm/host.h"
#include "vmm/host_cc.h"
#include "vmm/load.h"
#include "vmm/probe/check.h"
#include "vmm/range.h"
#include "vmm/snp_file.h"
#include "vmm/snp_terms.h"
#include "vmm/type.h"
#include "vmm/value.h"

#define UNIX_PREFIX "unix:"

enum {
	MEMINFO_BYTES = 4096,
	MEMORY_SPARE_PERCENT = 1, /* Alcove and the kernel's tables for the guest */
	PROTOCOL_MINOR_MASK = 0xff,
	SNP_POLICY_SMT = 1 << 16,
};

/* --- Memory --- */

/* Private pages can be neither moved nor swapped out, so all of it has to be there. */
static void say_memory(struct probe *probe, const char *path, uint64_t has_bytes)
{
	uint64_t needs_bytes = probe->question.config->memory_bytes;

	needs_bytes += needs_bytes / 100 * MEMORY_SPARE_PERCENT;
	if (has_bytes >= needs_bytes)
		probe_say(probe, PROBE_OK, path, NULL, "%" PRIu64 " MiB, %" PRIu64 " needed",
			  has_bytes / MIB, needs_bytes / MIB);
	else
		probe_say(probe, PROBE_FAIL, path,
			  "give the guest less memory, or free some of the host's",
			  "%" PRIu64 " MiB, %" PRIu64 " needed", has_bytes / MIB,
			  needs_bytes / MIB);
}

static void look_memory(struct probe *probe, int argument)
{
	char path[HOST_PCI_PATH_BYTES], text[MEMINFO_BYTES];
	uint64_t available_kib, limit_bytes;
	int ret;

	(void)argument;
	probe_path(path, probe->question.paths.proc, "meminfo");
	ret = probe_read(path, text, sizeof(text));
	if (ret >= 0 && probe_find_number(text, "MemAvailable", &available_kib) &&
	    available_kib < UINT64_MAX / KIB)
		say_memory(probe, path, available_kib * KIB);
	else
		probe_say(probe, PROBE_UNKNOWN, path, "mount proc at /proc", "%s",
			  ret < 0 ? err_describe(ret) : "no MemAvailable");
	if (probe_find_memory_limit(probe, &limit_bytes, path))
		say_memory(probe, path, limit_bytes);
}

/* --- Processors, backing --- */

static void look_vcpus(struct probe *probe, int argument)
{
	const struct config *config = probe->question.config;
	int vm = probe->vms[config->type];
	int max;

	(void)argument;
	if (vm < 0) {
		probe_say(probe, PROBE_UNKNOWN, "KVM_CAP_MAX_VCPUS",
			  "it takes a host that can make a guest of this type",
			  "there is no VM of type %s", guest_type_find(config->type)->name);
		return;
	}
	max = host_kvm_check_extension(probe->question.host, vm, KVM_CAP_MAX_VCPUS);
	if (max >= 0 && config->n_vcpus <= (unsigned int)max)
		probe_say(probe, PROBE_OK, "KVM_CAP_MAX_VCPUS", NULL, "%u of %d",
			  config->n_vcpus, max);
	else
		probe_say(probe, PROBE_FAIL, "KVM_CAP_MAX_VCPUS", "give the guest fewer cpus",
			  "%u, but KVM allows %d", config->n_vcpus, max);
}

/* One that was asked for by name. */
static void look_backing(struct probe *probe, int argument)
{
	const struct config *config = probe->question.config;
	enum backing backing =
		config->backing == BACKING_CHOICE_INPLACE ? BACKING_INPLACE : BACKING_PAIRED;
	const char *name = backing == BACKING_INPLACE ? "inplace" : "paired";
	int vm = probe->vms[config->type];
	struct err err = {0};
	int ret;

	(void)argument;
	if (config->backing == BACKING_CHOICE_AUTO ||
	    !guest_type_find(config->type)->has_private_memory || vm < 0)
		return;
	ret = backing_try(probe->question.host, vm, backing, &err);
	if (ret)
		probe_say_err(probe, ret == -EOPNOTSUPP ? PROBE_FAIL : PROBE_UNKNOWN, "memory",
			      "leave backing out", &err);
	else
		probe_say(probe, PROBE_OK, "memory", NULL, "backing %s", name);
}

/* --- Files --- */

static void look_kernel(struct probe *probe, int argument)
{
	const struct config *config = probe->question.config;
	struct boot_kernel kernel;
	struct err err = {0};
	char looked_at[PROBE_TEXT_BYTES];

	(void)argument;
	if (!config->kernel)
		return;
	snprintf(looked_at, sizeof(looked_at), "kernel '%s'", config->kernel);
	if (boot_inspect_kernel(config->kernel, &kernel, &err))
		probe_say_err(probe, PROBE_FAIL, looked_at,
			      "name a kernel that this user can read", &err);
	else if (kernel.mode == BOOT_MODE_LONG64)
		probe_say(probe, PROBE_OK, looked_at, NULL,
			  "64-bit bzImage, boot protocol %u.%02u", kernel.protocol >> 8,
			  kernel.protocol & PROTOCOL_MINOR_MASK);
	else if (guest_type_find(config->type)->is_opaque)
		probe_say(probe, PROBE_FAIL, looked_at, "give the bzImage",
			  "ELF, which a guest of type %s cannot be started with",
			  guest_type_find(config->type)->name);
	else
		probe_say(probe, PROBE_OK, looked_at, NULL, "ELF with a PVH entry");
}

/* A file was opened as a machine opens it: what came of it. @looked_at: as @err begins. */
static void say_opened(struct probe *probe, const char *looked_at, int ret,
		       const struct err *err)
{
	if (ret)
		probe_say_err(probe, PROBE_FAIL, looked_at, "mend its path", err);
	else
		probe_say(probe, PROBE_OK, looked_at, NULL, "can be used");
}

/* Of types that ask nothing more of it. */
static void look_plain_firmware(struct probe *probe, const char *path)
{
	char looked_at[PROBE_TEXT_BYTES];
	uint64_t size_bytes;
	struct err err = {0};

	snprintf(looked_at, sizeof(looked_at), "firmware '%s'", path);
	say_opened(probe, looked_at, firmware_get_size(path, &size_bytes, &err), &err);
}

/* Has it what a launch of this type needs? */
static void look_firmware(struct probe *probe, int argument)
{
	static const struct {
		enum boot_firmware kind;
		const char *found;
		const char *cure;
	} kinds[GUEST_TYPE_COUNT] = {
		[GUEST_TYPE_SNP] = {BOOT_FIRMWARE_SNP, "has SEV-SNP metadata",
				    "give an OVMF image for SEV-SNP (OVMF.amdsev.fd)"},
		[GUEST_TYPE_TDX] =
			{BOOT_FIRMWARE_TDX, "has TDVF sections",
			 "give an OVMF image for TDX (OVMF.inteltdx.fd), or td-shim"},
	};
	const struct config *config = probe->question.config;
	char looked_at[PROBE_TEXT_BYTES];
	struct err err = {0};

	(void)argument;
	if (!config->firmware)
		return;
	if (!kinds[config->type].found) {
		look_plain_firmware(probe, config->firmware);
		return;
	}
	snprintf(looked_at, sizeof(looked_at), "firmware '%s'", config->firmware);
	if (boot_inspect_firmware(config->firmware, kinds[config->type].kind, &err))
		probe_say_err(probe, PROBE_FAIL, looked_at, kinds[config->type].cure, &err);
	else
		probe_say(probe, PROBE_OK, looked_at, NULL, "%s", kinds[config->type].found);
}

/* Is there a guest of this type in it? */
static void look_igvm(struct probe *probe, int argument)
{
	const struct config *config = probe->question.config;
	const struct guest_type_ops *type = guest_type_find(config->type);
	struct firmware_terms terms;
	char looked_at[PROBE_TEXT_BYTES];
	struct err err = {0};

	(void)argument;
	if (!config->igvm)
		return;
	snprintf(looked_at, sizeof(looked_at), "igvm '%s'", config->igvm);
	if (firmware_inspect_igvm(config->igvm, type->guard, &terms, &err))
		probe_say_err(probe, PROBE_FAIL, looked_at,
			      "give a file that was made for such guests", &err);
	else
		probe_say(probe, PROBE_OK, looked_at, NULL, "has a guest of type %s",
			  type->name);
}

static void look_initrd(struct probe *probe, const char *path)
{
	char looked_at[PROBE_TEXT_BYTES];
	struct err err = {0};

	snprintf(looked_at, sizeof(looked_at), "initrd '%s'", path);
	say_opened(probe, looked_at, boot_inspect_initrd(path, &err), &err);
}

static void look_certs(struct probe *probe, const char *path)
{
	char looked_at[PROBE_TEXT_BYTES];
	struct certs *certs = NULL;
	struct err err = {0};

	snprintf(looked_at, sizeof(looked_at), "certificates '%s'", path);
	say_opened(probe, looked_at, certs_open(path, NULL, &certs, &err), &err);
	certs_close(certs);
}

static void look_id(struct probe *probe, const struct config *config)
{
	char looked_at[PROBE_TEXT_BYTES];
	struct err err = {0};
	struct snp_id id;

	snprintf(looked_at, sizeof(looked_at), "ID block '%s'", config->snp_id_block);
	say_opened(probe, looked_at,
		   snp_id_read(&id, config->snp_id_block, config->snp_id_auth, &err), &err);
}

/* Locks it for the moment, so one that a machine has is seen to be in use. */
static void look_disk(struct probe *probe, const struct disk_config *disk)
{
	const struct virtio_blk_config wanted = {
		.path = disk->path,
		.readonly = disk->readonly,
		.direct = disk->direct,
	};
	char looked_at[PROBE_TEXT_BYTES];
	struct err err = {0};
	int ret = virtio_blk_inspect(&wanted, &err);

	snprintf(looked_at, sizeof(looked_at), "disk '%s'", disk->path);
	if (ret)
		probe_say_err(probe, PROBE_FAIL, looked_at, "mend its path", &err);
	else
		probe_say(probe, PROBE_OK, looked_at, NULL,
			  disk->readonly ? "can be read" : "can be read and written");
}

static void look_files(struct probe *probe, int argument)
{
	const struct config *config = probe->question.config;

	(void)argument;
	if (config->initrd)
		look_initrd(probe, config->initrd);
	if (config->snp_certs)
		look_certs(probe, config->snp_certs);
	if (config->snp_id_block)
		look_id(probe, config);
	for (unsigned int i = 0; i < config->n_disks; i++)
		look_disk(probe, &config->disks[i]);
}

/* --- What only some hosts can do for an SNP guest --- */

/* Is SMT on? 1, 0; -errno: not known. */
static int smt_read(const struct probe *probe)
{
	char path[HOST_PCI_PATH_BYTES], value[8];
	int ret;

	probe_path(path, probe->question.paths.sysfs, "devices/system/cpu/smt/active");
	ret = probe_read(path, value, sizeof(value));
	return ret < 0 ? ret : value[0] == '1';
}

static void look_certs_request(struct probe *probe)
{
	static const char name[] = "KVM_X86_SEV_SNP_REQ_CERTS";
	uint64_t unused;

	if (host_cc_get_attr(probe->question.host, KVM_X86_GRP_SEV, KVM_X86_SEV_SNP_REQ_CERTS,
			     &unused))
		probe_say(probe, PROBE_FAIL, name, "leave certs out, or use a newer kernel",
			  "this kernel does not ask for certificates");
	else
		probe_say(probe, PROBE_OK, name, NULL, "the kernel asks for certificates");
}

static void look_snp(struct probe *probe, int argument)
{
	const struct config *config = probe->question.config;
	struct load_terms terms;
	struct err err = {0};

	(void)argument;
	/* Without KVM, or with a file that is no good, more has been said. */
	if (config->type != GUEST_TYPE_SNP || !probe->question.host ||
	    load_get_terms(config, &terms, &err))
		return;
	if (snp_terms_check(probe->question.host, &terms, &err))
		probe_say_err(probe, PROBE_FAIL, "snp", "change the policy", &err);
	else if (!(terms.policy & SNP_POLICY_SMT) && smt_read(probe) > 0)
		probe_say(probe, PROBE_FAIL, "snp",
			  "boot with nosmt, or allow SMT: add 0x10000 to the policy",
			  "policy 0x%" PRIx64 " forbids SMT, which is on", terms.policy);
	else
		probe_say(probe, PROBE_OK, "snp", NULL, "policy 0x%" PRIx64, terms.policy);
	if (config->snp_certs)
		look_certs_request(probe);
}

/* Does somebody listen? Returns 0 or -errno. */
static int socket_try(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)))
		return -errno;
	return 0;
}

/* Who makes quotes of a TDX guest. */
static void look_quotes(struct probe *probe, int argument)
{
	const char *address = probe->question.config->tdx_quote_socket;
	char looked_at[PROBE_TEXT_BYTES];
	int ret;

	(void)argument;
	if (!address)
		return;
	snprintf(looked_at, sizeof(looked_at), "quote socket '%s'", address);
	if (strncmp(address, UNIX_PREFIX, strlen(UNIX_PREFIX)) != 0) {
		probe_say(probe, PROBE_UNKNOWN, looked_at,
			  "see that the quote generation service (qgsd) listens there",
			  "not tried");
		return;
	}
	ret = socket_try(address + strlen(UNIX_PREFIX));
	if (!ret)
		probe_say(probe, PROBE_OK, looked_at, NULL, "somebody listens");
	else
		probe_say(probe, PROBE_FAIL, looked_at,
			  "start the quote generation service (qgsd), and let this user have "
			  "its socket",
			  "%s", err_describe(ret));
}

#define ROW(row_name, row_weight, row_look)                                      \
	{                                                                        \
		.name = "config." row_name, .subjects = PROBE_BIT(PROBE_CONFIG), \
		.weight = (row_weight), .look = (row_look)                       \
	}

const struct probe_check probe_checks_config[] = {
	ROW("memory", PROBE_MUST, look_memory),	    ROW("vcpus", PROBE_MUST, look_vcpus),
	ROW("backing", PROBE_MUST, look_backing),   ROW("kernel", PROBE_MUST, look_kernel),
	ROW("firmware", PROBE_MUST, look_firmware), ROW("igvm", PROBE_MUST, look_igvm),
	ROW("files", PROBE_MUST, look_files),	    ROW("snp", PROBE_MUST, look_snp),
	ROW("quotes", PROBE_LIMIT, look_quotes),    {.name = NULL},
};
