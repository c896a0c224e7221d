/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What firmware of the OVMF family asks of a machine before it starts at all. None of it is
 * there for a kernel that is booted directly.
 *
 * The threads are those of devices/devices.h: everything here is touched by vCPUs only.
 */
#ifndef DEVICES_FIRMWARE_H
#define DEVICES_FIRMWARE_H

#include <stddef.h>
#include <stdint.h>

struct bus;
struct guest_memory;
struct host;
struct machine_sink;
struct pci_host;

/* --- fw_cfg: named bytes for the firmware, by port and by DMA --- */

struct fw_cfg;

enum { FW_CFG_FILES_MAX = 32 };

/* Returns 0, -ENOMEM, -EEXIST (ports taken). Signature, id and directory are there already. */
int fw_cfg_new(struct bus *pio, struct guest_memory *memory, struct fw_cfg **ret_fw_cfg);
void fw_cfg_free(struct fw_cfg *fw_cfg);

/*
 * Offer bytes, which are kept and not copied, before any vCPU runs: under the well-known
 * selector @key (linux/qemu_fw_cfg.h; none of those that are there already), or as file @name.
 */
void fw_cfg_add(struct fw_cfg *fw_cfg, uint16_t key, const void *bytes, uint32_t size_bytes);
/* Returns 0, -ENOSPC (FW_CFG_FILES_MAX), -EEXIST, -ENAMETOOLONG (55 characters). */
int fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, const void *bytes,
		    uint32_t size_bytes);

/* --- The parts of a Q35 chipset that firmware looks for --- */

struct chipset;

/**
 * Make the host bridge look like a Q35, whose PCIEXBAR shows ECAM where it is, and add an ICH9
 * at 00:1f.0 with a power management timer and the register that turns the machine off.
 *
 * @host: for its clock.
 * Returns 0, -ENOMEM, -EEXIST (ports), -ENOSPC (the slot is taken). Free it before @pci.
 */
int chipset_new(struct bus *pio, struct pci_host *pci, struct host *host,
		const struct machine_sink *sink, struct chipset **ret_chipset);
void chipset_free(struct chipset *chipset);

/* --- A clock that cannot be set --- */

struct rtc;

/**
 * An MC146818 that shows the date: no alarm, no interrupt, no memory.
 *
 * @host: for its clock. @unix_s: seconds since 1970, now.
 * Returns 0, -ENOMEM, -EEXIST.
 */
int rtc_new(struct bus *pio, struct host *host, uint64_t unix_s, struct rtc **ret_rtc);
void rtc_free(struct rtc *rtc);

/* --- The port that OVMF writes its log to, if it is there --- */

struct debug_port;

struct debug_port_user {
	/* A line without its end, cut at 255 bytes. On a vCPU's thread, one at a time. */
	void (*line)(struct debug_port_user *user, const char *text);
};

/* Returns 0, -ENOMEM, -EEXIST. */
int debug_port_new(struct bus *pio, struct debug_port_user *user, struct debug_port **ret_port);
/* The line that is not complete is passed on first. */
void debug_port_free(struct debug_port *port);

#endif
