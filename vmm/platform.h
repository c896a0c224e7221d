/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Fixed addresses of the one machine model. The devices that live there, the tables that
 * describe them (ACPI, device tree) and the memory layout all read them here.
 */
#ifndef VMM_PLATFORM_H
#define VMM_PLATFORM_H

#include "vmm/range.h"

/* Guest-physical address space below 4 GiB, top down. RAM ends at PLATFORM_HOLE_GPA. */
#define PLATFORM_HOLE_GPA      UINT64_C(0xc0000000)
#define PLATFORM_MMIO32_GPA    UINT64_C(0xc0000000) /* 512 MiB for 32-bit BARs */
#define PLATFORM_MMIO32_BYTES  UINT64_C(0x20000000)
#define PLATFORM_ECAM_GPA      UINT64_C(0xe0000000) /* PCI segment 0, buses 0..255 */
#define PLATFORM_ECAM_BYTES    UINT64_C(0x10000000)
#define PLATFORM_IOAPIC_GPA    UINT64_C(0xfec00000)
#define PLATFORM_IOAPIC_BYTES  UINT64_C(0x1000)
#define PLATFORM_POWER_GPA     UINT64_C(0xfed80000) /* the registers of PLATFORM_POWER_PORT */
#define PLATFORM_POWER_BYTES   UINT64_C(0x1000)
#define PLATFORM_PVPANIC_GPA   UINT64_C(0xfed81000)
#define PLATFORM_PVPANIC_BYTES UINT64_C(0x1000)
#define PLATFORM_LAPIC_GPA     UINT64_C(0xfee00000)
#define PLATFORM_LAPIC_BYTES   UINT64_C(0x100000) /* MSI window: no RAM, no IOVA */
#define PLATFORM_KVM_TSS_GPA \
	UINT64_C(0xfeffd000) /* three pages (Intel without unrestricted guest) */
#define PLATFORM_KVM_IDMAP_GPA UINT64_C(0xfeffc000) /* one page, idem */
/* Above: firmware (memory/layout.c). */
#define PLATFORM_4G UINT64_C(0x100000000)

/* RAM avoids the HyperTransport range of AMD IOMMUs: 1012 GiB up to 1 TiB. */
#define PLATFORM_HT_GPA (1012 * GIB)
#define PLATFORM_HT_END (1024 * GIB)

/* I/O ports. */
#define PLATFORM_SERIAL_PORT	  0x3f8
#define PLATFORM_SERIAL_PORTS	  8
#define PLATFORM_SERIAL_GSI	  4
#define PLATFORM_KBD_RESET_PORT	  0x64 /* i8042 command register: writing 0xfe pulses reset */
#define PLATFORM_DEBUG_EXIT_PORT  0xf4
#define PLATFORM_DEBUG_EXIT_PORTS 4 /* for a write of any width at the first */
#define PLATFORM_PVPANIC_PORT	  0x505
#define PLATFORM_POWER_PORT	  0x600 /* ACPI sleep control, sleep status, reset */
#define PLATFORM_POWER_PORTS	  4
#define PLATFORM_PM_PORT	  0x600 /* of an ICH9, for firmware: from 0x604 on */
#define PLATFORM_RTC_PORT	  0x70
#define PLATFORM_RTC_PORTS	  2
#define PLATFORM_DEBUG_PORT	  0x402
#define PLATFORM_FW_CFG_PORT	  0x510
#define PLATFORM_FW_CFG_PORTS	  12
#define PLATFORM_PCI_CONF_PORT	  0xcf8 /* mechanism #1, for kernels without MCFG */
#define PLATFORM_PCI_CONF_PORTS	  8

/* Offsets and values of the power registers (ports and MMIO page alike), ACPI 6.5, 4.8.3.7. */
#define PLATFORM_POWER_SLEEP_CONTROL 0
#define PLATFORM_POWER_SLEEP_STATUS  1
#define PLATFORM_POWER_RESET	     2
#define PLATFORM_POWER_SLP_TYP_S5    5
#define PLATFORM_POWER_SLP_EN	     0x20
#define PLATFORM_POWER_RESET_VALUE   0x01

/* IOAPIC pins; all are edge-triggered, active high. */
#define PLATFORM_IOAPIC_PINS 24
#define PLATFORM_IOAPIC_ID   0

#define PLATFORM_VCPUS_MAX   255

#endif
