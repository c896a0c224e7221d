/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a user can ask for: one VM, as plain values. Filled by vmm/options.c from one table. */
#ifndef VMM_CONFIG_H
#define VMM_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/boot.h"
#include "memory/memory.h"

enum guest_type {
	GUEST_TYPE_PLAIN, /* default VM; all RAM shared, in mmap-able guest_memfd */
	GUEST_TYPE_SW,	/* KVM_X86_SW_PROTECTED_VM: converts memory as an SNP or TDX guest does
			 */
	GUEST_TYPE_SNP, /* KVM_X86_SNP_VM: AMD SEV-SNP */
	GUEST_TYPE_TDX, /* KVM_X86_TDX_VM: Intel TDX */
	GUEST_TYPE_COUNT,
};

/* How private memory is backed; see enum backing. */
enum backing_choice {
	BACKING_CHOICE_AUTO, /* what the kernel can do; in place if it can */
	BACKING_CHOICE_INPLACE,
	BACKING_CHOICE_PAIRED,
};

enum reboot_action {
	REBOOT_RESTART, /* build the VM anew */
	REBOOT_EXIT,	/* end with EXIT_RESET */
};

enum sandbox_mode {
	SANDBOX_ON,
	SANDBOX_LOG, /* forbidden system calls are logged by the kernel, not stopped */
	SANDBOX_OFF,
};

/* Does the VM listen for `alcove ps`, `stats`, `stop`, `attach` and `detach`? */
enum control_mode {
	CONTROL_OFF,
	CONTROL_AUTO, /* where there is a place for that */
	CONTROL_ON,   /* or does not start */
};

enum console_kind {
	CONSOLE_SERIAL, /* stdio is the 16550A */
	CONSOLE_VIRTIO, /* stdio is the virtio console; until then the 16550A's output too */
	CONSOLE_NONE,
};

enum {
	CONFIG_DISKS_MAX = 16,
	CONFIG_DEVICES_MAX = 16,
	CONFIG_NAME_MAX_BYTES = 64,
	CONFIG_HOST_DATA_BYTES = 32,
	CONFIG_TDX_ID_BYTES = 48,
};

struct disk_config {
	char name[CONFIG_NAME_MAX_BYTES];
	char *path;
	char *serial; /* NULL: the name */
	bool readonly;
	bool direct;
	unsigned int n_queues; /* 0: one per vCPU, at most 4 */
};

/* A device of the host for the guest. */
struct device_config {
	char name[CONFIG_NAME_MAX_BYTES];
	char *host; /* its PCI address there */
};

struct config {
	char *name; /* NULL: none, and no control */
	enum control_mode control;
	enum guest_type type;
	unsigned int n_vcpus;
	uint64_t memory_bytes;
	bool starts_private; /* sw: all memory is, as that of snp and tdx always */
	enum backing_choice backing;
	enum boot_hw hw;
	char *firmware; /* NULL: none, the kernel is started directly */
	char *kernel;	/* NULL: none, if there is firmware */
	char *igvm;	/* NULL: none; starts the guest in place of kernel and firmware */
	char *initrd;	/* NULL: none */
	char *cmdline;
	uint64_t snp_policy;
	uint8_t snp_host_data[CONFIG_HOST_DATA_BYTES];
	char *snp_id_block; /* NULL: none; a file of 96 bytes, and its signatures of 4096 */
	char *snp_id_auth;
	uint8_t tdx_config_id[CONFIG_TDX_ID_BYTES];
	uint8_t tdx_owner[CONFIG_TDX_ID_BYTES];
	uint8_t tdx_owner_config[CONFIG_TDX_ID_BYTES];
	char *snp_certs;	/* NULL: none; certificates for reports of an SNP guest */
	char *tdx_quote_socket; /* NULL: none; where quotes of a TDX guest are made */
	struct disk_config disks[CONFIG_DISKS_MAX];
	unsigned int n_disks;
	struct device_config devices[CONFIG_DEVICES_MAX];
	unsigned int n_devices;
	enum dma_mode dma;
	unsigned int n_hotplug_ports;
	enum console_kind console;
	char *serial_log; /* NULL: none; where the 16550A's output goes unless it is stdio */
	bool rng;
	enum reboot_action on_reboot;
	unsigned int time_limit_s; /* 0: none */
	char *trace;		   /* NULL: none; a file that gets a line per conversion */
	enum sandbox_mode sandbox;
	unsigned int
		verbosity; /* 0: errors and warnings, 1: what happens, 2: every exit of note */
};

/* Frees strings; accepts a zeroed config. */
void config_fini(struct config *config);

#endif
