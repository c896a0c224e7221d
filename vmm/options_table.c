// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/options.h"

#include <assert.h>

#include "devices/devices.h"
#include "vmm/platform.h"

/* The offset of a member, only if it has the type that the option's kind writes. */
/* clang-format off */
#define FIELD(type, object, member) \
	_Generic(((object *)0)->member, type : offsetof(object, member)) /* NOLINT */
/* clang-format on */
#define UINT(member)   FIELD(unsigned int, struct config, member)
#define SIZE(member)   FIELD(uint64_t, struct config, member)
#define BOOL(member)   FIELD(bool, struct config, member)
#define STRING(member) FIELD(char *, struct config, member)
#define BYTES(member)  FIELD(uint8_t *, struct config, member)

enum {
	VERBOSITY_MAX = 2,
	DISK_QUEUES_MAX = 16,
};

/* Far above what any processor addresses; the exact limit is known when the VM is built. */
#define MEMORY_MAX_BYTES (1024 * TIB)

static const char *const type_words[] = {
	[GUEST_TYPE_PLAIN] = "plain",
	[GUEST_TYPE_SW] = "sw",
	[GUEST_TYPE_SNP] = "snp",
	[GUEST_TYPE_TDX] = "tdx",
	NULL,
};

static const char *const backing_words[] = {
	[BACKING_CHOICE_AUTO] = "auto",
	[BACKING_CHOICE_INPLACE] = "inplace",
	[BACKING_CHOICE_PAIRED] = "paired",
	NULL,
};

static const char *const dma_words[] = {
	[DMA_CUT] = "cut",
	[DMA_HUGE] = "huge",
	NULL,
};

static const char *const hw_words[] = {
	[BOOT_HW_ACPI] = "acpi",
	[BOOT_HW_FDT] = "fdt",
	NULL,
};

static const char *const reboot_words[] = {
	[REBOOT_RESTART] = "restart",
	[REBOOT_EXIT] = "exit",
	NULL,
};

static const char *const console_words[] = {
	[CONSOLE_SERIAL] = "serial",
	[CONSOLE_VIRTIO] = "virtio",
	[CONSOLE_NONE] = "none",
	NULL,
};

static const char *const control_words[] = {
	[CONTROL_OFF] = "off",
	[CONTROL_AUTO] = "auto",
	[CONTROL_ON] = "on",
	NULL,
};

static const char *const sandbox_words[] = {
	[SANDBOX_ON] = "on",
	[SANDBOX_LOG] = "log",
	[SANDBOX_OFF] = "off",
	NULL,
};

static const struct option vm_options[] = {
	{
		.key = "name",
		.kind = OPTION_NAME,
		.argument = "NAME",
		.help = "Name of the VM, for `alcove ps` and its like; if not given, that of "
			"the config file and the number of the process, vm-1234",
		.offset = STRING(name),
	},
	{
		.key = "control",
		.kind = OPTION_CHOICE,
		.fallback = "auto",
		.help = "Listen for `alcove ps` and its like: never, where there is a place "
			"for the socket, or else not run",
		.words = control_words,
		.offset = UINT(control),
	},
	{
		.key = "type",
		.kind = OPTION_CHOICE,
		.fallback = "plain",
		.help = "Kind of guest: plain shares all of its memory with the host; snp and "
			"tdx are protected by the processor; sw is as they are, but not "
			"protected",
		.words = type_words,
		.offset = UINT(type),
	},
	{
		.key = "cpus",
		.kind = OPTION_UINT,
		.argument = "N",
		.fallback = "1",
		.help = "Number of virtual processors",
		.min = 1,
		.max = PLATFORM_VCPUS_MAX,
		.offset = UINT(n_vcpus),
	},
	{
		.key = "memory",
		.kind = OPTION_SIZE,
		.argument = "SIZE",
		.fallback = "512M",
		.help = "Guest memory, a multiple of 4K",
		.min = LAYOUT_RAM_BYTES_MIN,
		.max = MEMORY_MAX_BYTES,
		.offset = SIZE(memory_bytes),
	},
	{
		.key = "private",
		.kind = OPTION_BOOL,
		.fallback = "off",
		.help = "All memory is private when the guest starts, which its kernel must "
			"know; that of snp and tdx always is. With sw: for tests",
		.offset = BOOL(starts_private),
	},
	{
		.key = "backing",
		.kind = OPTION_CHOICE,
		.fallback = "auto",
		.help = "Where private memory is: in the same pages, or in a second set; also "
			"behind the size, --memory=2G,backing=paired",
		.words = backing_words,
		.offset = UINT(backing),
	},
	{
		.key = "dma",
		.kind = OPTION_CHOICE,
		.fallback = "cut",
		.help = "Memory of assigned devices: cut lets any page be made private, huge "
			"has large entries in the IOMMU and refuses parts of them",
		.words = dma_words,
		.offset = UINT(dma),
	},
	{
		.key = "hotplug-ports",
		.kind = OPTION_UINT,
		.argument = "N",
		.fallback = "0",
		.help = "Slots for devices of the host that come while the guest runs, at most "
			"8",
		.max = PCI_PORTS_MAX,
		.offset = UINT(n_hotplug_ports),
	},
	{
		.key = "hw",
		.kind = OPTION_CHOICE,
		.fallback = "acpi",
		.help = "How the guest learns of its hardware: ACPI tables or a device tree",
		.words = hw_words,
		.offset = UINT(hw),
	},
	{
		.key = "on-reboot",
		.kind = OPTION_CHOICE,
		.fallback = "restart",
		.help = "When the guest resets itself: build the VM anew, or end with status "
			"204",
		.words = reboot_words,
		.offset = UINT(on_reboot),
	},
	{
		.key = "time-limit",
		.kind = OPTION_UINT,
		.argument = "SECONDS",
		.fallback = "0",
		.help = "End with status 206 after so many seconds; 0 is never",
		.max = UINT32_MAX,
		.offset = UINT(time_limit_s),
	},
	{
		.key = "trace",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "File that gets a line for each conversion of memory",
		.offset = STRING(trace),
	},
	{
		.key = "verbosity",
		.kind = OPTION_UINT,
		.argument = "N",
		.fallback = "0",
		.help = "0: errors and warnings, 1: what happens, 2: every exit of note",
		.max = VERBOSITY_MAX,
		.offset = UINT(verbosity),
	},
	{.key = NULL},
};

static const struct option boot_options[] = {
	{
		.key = "firmware",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "UEFI firmware, such as OVMF.fd; it starts the kernel, if one is given",
		.offset = STRING(firmware),
	},
	{
		.key = "igvm",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "IGVM file with all that the guest starts with, in place of kernel and "
			"firmware",
		.offset = STRING(igvm),
	},
	{
		.key = "kernel",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "Linux bzImage, or ELF file with a PVH entry; required without "
			"firmware",
		.offset = STRING(kernel),
	},
	{
		.key = "initrd",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "Initial RAM disk",
		.offset = STRING(initrd),
	},
	{
		.key = "cmdline",
		.kind = OPTION_TEXT,
		.argument = "TEXT",
		.fallback = "",
		.help = "Kernel command line",
		.offset = STRING(cmdline),
	},
	{.key = NULL},
};

static const struct option snp_options[] = {
	{
		.key = "policy",
		.kind = OPTION_BITS,
		.argument = "BITS",
		.fallback = "0x30000",
		.help = "Guest policy, as the SEV-SNP firmware ABI has it: 0x30000 allows SMT, "
			"but no debugging and no migration",
		.offset = SIZE(snp_policy),
	},
	{
		.key = "host-data",
		.kind = OPTION_BYTES,
		.argument = "HEX",
		.help = "32 bytes for the guest's attestation reports",
		.max = CONFIG_HOST_DATA_BYTES,
		.offset = BYTES(snp_host_data),
	},
	{
		.key = "id-block",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "ID block (96 bytes): the launch the owner expects, see `alcove "
			"measure`",
		.offset = STRING(snp_id_block),
	},
	{
		.key = "id-auth",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "Signatures and keys of the ID block (4096 bytes)",
		.offset = STRING(snp_id_auth),
	},
	{
		.key = "certs",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "Certificates that the guest gets with its attestation reports, in the "
			"table of the GHCB specification",
		.offset = STRING(snp_certs),
	},
	{.key = NULL},
};

static const struct option tdx_options[] = {
	{
		.key = "mrconfigid",
		.kind = OPTION_BYTES,
		.argument = "HEX",
		.help = "48 bytes for the TD's report: what it is configured with",
		.max = CONFIG_TDX_ID_BYTES,
		.offset = BYTES(tdx_config_id),
	},
	{
		.key = "mrowner",
		.kind = OPTION_BYTES,
		.argument = "HEX",
		.help = "48 bytes for the TD's report: who owns it",
		.max = CONFIG_TDX_ID_BYTES,
		.offset = BYTES(tdx_owner),
	},
	{
		.key = "mrownerconfig",
		.kind = OPTION_BYTES,
		.argument = "HEX",
		.help = "48 bytes for the TD's report: the owner's configuration of it",
		.max = CONFIG_TDX_ID_BYTES,
		.offset = BYTES(tdx_owner_config),
	},
	{
		.key = "quote-socket",
		.kind = OPTION_TEXT,
		.argument = "ADDRESS",
		.help = "Quote generation service of the host: unix:PATH or vsock:CID:PORT; "
			"without it the guest gets no quotes",
		.offset = STRING(tdx_quote_socket),
	},
	{.key = NULL},
};

static const struct option disk_options[] = {
	{
		.key = "path",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "Raw image or block device; required",
		.offset = FIELD(char *, struct disk_config, path),
	},
	{
		.key = "readonly",
		.kind = OPTION_BOOL,
		.fallback = "off",
		.help = "Refuse writes of the guest",
		.offset = FIELD(bool, struct disk_config, readonly),
	},
	{
		.key = "direct",
		.kind = OPTION_BOOL,
		.fallback = "off",
		.help = "Bypass the host's page cache",
		.offset = FIELD(bool, struct disk_config, direct),
	},
	{
		.key = "serial",
		.kind = OPTION_NAME,
		.argument = "NAME",
		.help = "Serial number that the guest sees, at most 20 bytes; the disk's name "
			"if not given",
		.offset = FIELD(char *, struct disk_config, serial),
	},
	{
		.key = "queues",
		.kind = OPTION_UINT,
		.argument = "N",
		.fallback = "0",
		.help = "Request queues; 0 is one per virtual processor, at most 4",
		.max = DISK_QUEUES_MAX,
		.offset = FIELD(unsigned int, struct disk_config, n_queues),
	},
	{.key = NULL},
};

static const struct option_list disk_list = {
	.items_offset = offsetof(struct config, disks),
	.count_offset = UINT(n_disks),
	.item_bytes = sizeof(struct disk_config),
	.items_max = CONFIG_DISKS_MAX,
};
static_assert(offsetof(struct disk_config, name) == 0, "options find items by name");

static const struct option device_options[] = {
	{
		.key = "host",
		.kind = OPTION_TEXT,
		.argument = "ADDRESS",
		.help = "Its PCI address on the host, 0000:01:00.0; bound to vfio-pci, see "
			"`alcove device`; required",
		.offset = FIELD(char *, struct device_config, host),
	},
	{.key = NULL},
};

static const struct option_list device_list = {
	.items_offset = offsetof(struct config, devices),
	.count_offset = UINT(n_devices),
	.item_bytes = sizeof(struct device_config),
	.items_max = CONFIG_DEVICES_MAX,
};
static_assert(offsetof(struct device_config, name) == 0, "options find items by name");

static const struct option console_options[] = {
	{
		.key = "kind",
		.kind = OPTION_CHOICE,
		.fallback = "serial",
		.help = "Device behind standard input and output",
		.words = console_words,
		.offset = UINT(console),
	},
	{
		.key = "log",
		.kind = OPTION_PATH,
		.argument = "FILE",
		.help = "File for the output of a serial port that is not the terminal's",
		.offset = STRING(serial_log),
	},
	{.key = NULL},
};

static const struct option devices_options[] = {
	{
		.key = "rng",
		.kind = OPTION_BOOL,
		.fallback = "on",
		.help = "Source of random numbers (virtio-rng)",
		.offset = BOOL(rng),
	},
	{.key = NULL},
};

static const struct option sandbox_options[] = {
	{
		.key = "mode",
		.kind = OPTION_CHOICE,
		.fallback = "on",
		.help = "Stop system calls that Alcove does not need, or let the kernel log "
			"them",
		.words = sandbox_words,
		.offset = UINT(sandbox),
	},
	{.key = NULL},
};

const struct option_section option_sections[] = {
	{.name = "vm", .help = "The machine", .options = vm_options},
	{.name = "boot", .help = "What it boots", .options = boot_options},
	{.name = "snp", .help = "A guest with SEV-SNP", .options = snp_options},
	{.name = "tdx", .help = "A guest with TDX", .options = tdx_options},
	{
		.name = "disk",
		.bare = "path",
		.list = &disk_list,
		.help = "A disk (virtio-blk); give it again for more",
		.options = disk_options,
	},
	{
		.name = "device",
		.bare = "host",
		.list = &device_list,
		.help = "A PCI device of the host, for the guest alone; give it again for more",
		.options = device_options,
	},
	{
		.name = "console",
		.bare = "kind",
		.help = "The operator's console",
		.options = console_options,
	},
	{.name = "devices", .help = "Other devices", .options = devices_options},
	{
		.name = "sandbox",
		.bare = "mode",
		.help = "What Alcove itself may do on the host",
		.options = sandbox_options,
	},
	{.name = NULL},
};
