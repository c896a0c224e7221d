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
#include "boot/firmware.h"
#include "vmm/cleanup.h"
#include "vmm/host.h"
#include "vmm/probe_check.h"
#include "vmm/range.h"
#include "vmm/type.h"
#include "vmm/value.h"

#define UNIX_PREFIX "unix:"

enum {
	MEMINFO_BYTES = 4096,
	MEMORY_SPARE_PERCENT = 1, /* Alcove and the kernel's tables for the guest */
	PROTOCOL_MINOR_MASK = 0xff,
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

static void look_file(struct probe *probe, const char *what, const char *path, bool writes)
{
	char looked_at[PROBE_TEXT_BYTES];
	int ret;

	if (!path)
		return;
	snprintf(looked_at, sizeof(looked_at), "%s '%s'", what, path);
	ret = probe_open(path, writes);
	if (!ret)
		probe_say(probe, PROBE_OK, looked_at, NULL,
			  writes ? "can be read and written" : "can be read");
	else
		probe_say(probe, PROBE_FAIL, looked_at,
			  ret == -EACCES || ret == -EROFS
				  ? "let this user have it, or a disk be readonly=on"
				  : "mend its path",
			  "%s", err_describe(ret));
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
	if (!config->firmware || !kinds[config->type].found) {
		look_file(probe, "firmware", config->firmware, false);
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

static void look_files(struct probe *probe, int argument)
{
	const struct config *config = probe->question.config;

	(void)argument;
	look_file(probe, "initrd", config->initrd, false);
	look_file(probe, "snp-certs", config->snp_certs, false);
	look_file(probe, "snp-id-block", config->snp_id_block, false);
	look_file(probe, "snp-id-auth", config->snp_id_auth, false);
	for (unsigned int i = 0; i < config->n_disks; i++)
		look_file(probe, "disk", config->disks[i].path, !config->disks[i].readonly);
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
	ROW("memory", PROBE_MUST, look_memory),
	ROW("vcpus", PROBE_MUST, look_vcpus),
	ROW("backing", PROBE_MUST, look_backing),
	ROW("kernel", PROBE_MUST, look_kernel),
	ROW("firmware", PROBE_MUST, look_firmware),
	ROW("igvm", PROBE_MUST, look_igvm),
	ROW("files", PROBE_MUST, look_files),
	ROW("quotes", PROBE_LIMIT, look_quotes),
	{.name = NULL},
};
