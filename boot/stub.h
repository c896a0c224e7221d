/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The boot stub of SEV-SNP and TDX guests: the first code such a guest runs, and all there is
 * between the launch and the kernel's 64-bit entry. boot/stub/ is the code, boot/stub_load.c
 * puts it into guest memory; this is what both agree on.
 *
 * It lives in the firmware range, the last 64 KiB below 4 GiB, which is private memory that the
 * guest's memory map calls ACPI NVS. What lies there stays in place for as long as the guest
 * runs: processors that were not started yet wait in it.
 *
 *   0xffff0000   SECRETS page (SNP), else zeroes
 *   0xffff1000   CPUID page (SNP), else zeroes
 *   0xffff2000   page tables: the first 4 GiB one to one
 *   0xffff8000   state and stacks, launched as zeroes
 *   0xffffa000   mailbox for starting processors, launched as zeroes
 *   0xffffb000   parameters, measured
 *   0xffffc000   the stub; a TD starts at its last 16 bytes
 */
#ifndef BOOT_STUB_H
#define BOOT_STUB_H

#define STUB_FIRMWARE_GPA   0xffff0000
#define STUB_FIRMWARE_BYTES 0x10000
#define STUB_SECRETS_GPA    0xffff0000
#define STUB_CPUID_GPA	    0xffff1000
#define STUB_TABLES_GPA	    0xffff2000
#define STUB_STATE_GPA	    0xffff8000
#define STUB_STATE_BYTES    0x2000
#define STUB_MAILBOX_GPA    0xffffa000
#define STUB_PARAMS_GPA	    0xffffb000
#define STUB_IMAGE_GPA	    0xffffc000
#define STUB_IMAGE_BYTES    0x4000

/* Where processors of an SNP guest start: the boot processor, and all others. */
#define STUB_SNP_ENTRY	     STUB_IMAGE_GPA
#define STUB_SNP_OTHER_ENTRY (STUB_IMAGE_GPA + 0x10)
/* The stub's descriptor table: null, null, 64-bit code, data. */
#define STUB_GDT_GPA	    (STUB_IMAGE_GPA + 0x20)
#define STUB_GDT_BYTES	    0x20

#define STUB_STACK_BYTES    0x600 /* of the boot processor, at the end of the state pages */
#define STUB_HELPER_BYTES   0x200 /* of each other processor that accepts memory, below it */
#define STUB_HELPERS	    12	  /* how many do */

#define STUB_PARAMS_MAGIC   0x42555453434f4c41 /* "ALOCSTUB" */
#define STUB_PARAMS_VERSION 1

#define STUB_PLATFORM_SNP   1
#define STUB_PLATFORM_TDX   2

#define STUB_RANGES_MAX	    64
#define STUB_VCPUS_MAX	    255

/* Offsets of what the entry code reads. */
#define STUB_PARAMS_ENTRY 0x18
#define STUB_PARAMS_BOOT  0x20

/*
 * Why the stub gave up: on SNP the reason code of a GHCB termination request whose reason set
 * is STUB_SNP_REASON_SET (GHCB specification, 2.3.1), on TDX R12 of ReportFatalError beside a
 * text.
 */
#define STUB_SNP_REASON_SET  0xa

#define STUB_FAULT_OTHER_RAN 22 /* assembly needs this one: STUB_OTHER_RAN */

#ifndef __ASSEMBLER__

#include <stdint.h>

enum stub_fault {
	STUB_OK,
	STUB_BAD_MAGIC,
	STUB_BAD_VERSION,
	STUB_BAD_PLATFORM,
	STUB_BAD_VCPUS,
	STUB_BAD_C_BIT,
	STUB_BAD_ENTRY,
	STUB_BAD_BOOT_PARAMS,
	STUB_BAD_MAILBOX,
	STUB_BAD_RESERVED,
	STUB_BAD_COUNT,	   /* of ranges */
	STUB_BAD_ALIGN,	   /* a range is empty or not of whole pages */
	STUB_BAD_ORDER,	   /* ranges overlap, or do not ascend */
	STUB_BAD_LIMIT,	   /* a range reaches into the hole below 4 GiB, or past all memory */
	STUB_BAD_LAUNCHED, /* a range has a page that was launched */
	STUB_BAD_CPUID,	   /* the CPUID page cannot be true */
	STUB_VALIDATE,	   /* PVALIDATE: an error */
	STUB_NO_CHANGE,	   /* PVALIDATE: validated before */
	STUB_VP_INFO,	   /* TDG.VP.INFO: an error, or an address width that does not exist */
	STUB_OTHER_VCPUS,  /* the TD has another number of processors than was measured */
	STUB_ACCEPT,	   /* TDG.MEM.PAGE.ACCEPT: an error */
	STUB_ACCEPTED,	   /* TDG.MEM.PAGE.ACCEPT: accepted before */
	STUB_OTHER_RAN =
		STUB_FAULT_OTHER_RAN, /* SNP: a processor that the guest did not start */
	STUB_FAULT_COUNT,
};

/* Whole pages; end exclusive. */
struct stub_range {
	uint64_t start;
	uint64_t end;
};

/* The parameter page; the rest of it is zero. */
struct stub_params {
	uint64_t magic;
	uint32_t version;
	uint32_t platform;
	uint32_t n_vcpus;
	uint32_t c_bit; /* SNP: the position of the C-bit; TDX: 0 */
	uint64_t entry; /* of the kernel, 64-bit */
	uint64_t boot_params;
	uint64_t mailbox;
	uint32_t n_ranges;
	uint32_t reserved;
	/* All RAM that was not launched: to be validated or accepted. */
	struct stub_range ranges[STUB_RANGES_MAX];
};

#endif
#endif
