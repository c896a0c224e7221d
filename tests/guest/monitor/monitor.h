/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A monitor that plays the processor and the firmware of an SEV-SNP guest or a TD, so that the
 * boot stub runs for real on a processor that knows neither: it loads what would be launched,
 * starts the stub as it would be started, performs the instructions that trap, and judges them.
 *
 * It is firmware of a plain guest, the last MiB below 4 GiB; in front of it in the image lies
 * what is to be launched. pack.c makes the image and says what is to go wrong.
 */
#ifndef TESTS_GUEST_MONITOR_MONITOR_H
#define TESTS_GUEST_MONITOR_MONITOR_H

#define MONITOR_GPA   0xfff00000
#define MONITOR_BYTES 0x100000
#define MONITOR_CPUS  16

/* Descriptors: 64-bit code and data where the stub has them, too. */
#define MONITOR_CODE32	       0x08
#define MONITOR_CODE64	       0x10
#define MONITOR_DATA	       0x18
#define MONITOR_TSS	       0x20 /* of the first processor, then every 16 bytes */

#define MONITOR_TRAMPOLINE_GPA 0x9e000
#define MONITOR_STACK_BYTES    0x1000

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#define MONITOR_MAGIC	   UINT64_C(0x524f54494e4f4d41) /* "AMONITOR" */
#define MONITOR_PIECES_MAX 40
#define MONITOR_RAM_MAX	   4
#define MONITOR_RAM_END	   (UINT64_C(6) << 30) /* as far as the books go */

/* What the processor or its firmware answers from call number inject_at (from 1) on. */
enum monitor_inject {
	INJECT_NONE,
	INJECT_NO_CHANGE,  /* validated or accepted before */
	INJECT_ERROR,	   /* an error */
	INJECT_MISMATCH,   /* of sizes, also to small pages */
	INJECT_BUSY,	   /* TDX: three times busy, then it works */
	INJECT_INFO_ERROR, /* TDG.VP.INFO fails */
	INJECT_INFO_WIDTH, /* it says 50 bits of address */
	INJECT_INFO_VCPUS, /* it says one processor more */
	INJECT_OTHER_RUNS, /* SNP: the host runs a second processor in the stub */
};

/* What the CPUID page is like. */
enum monitor_cpuid {
	CPUID_GOOD,
	CPUID_NO_EVICT, /* COHERENCY_SFW_NO */
	CPUID_EMPTY,
	CPUID_TOO_MANY,
	CPUID_NO_SNP,
	CPUID_OTHER_C_BIT,
	CPUID_NO_LEAF,
};

struct monitor_piece {
	uint64_t gpa;
	uint64_t n_bytes;
	uint64_t source; /* where in the image; 0: zeroes */
	uint32_t kind;	 /* enum launch_kind */
	uint32_t unused;
};

struct monitor_range {
	uint64_t start;
	uint64_t end;
};

struct monitor_config {
	uint64_t magic;
	uint32_t platform; /* STUB_PLATFORM_* */
	uint32_t n_vcpus;
	uint32_t c_bit;
	uint32_t has_large; /* large pages work; else as KVM has it: sizes never match */
	uint32_t inject;
	uint32_t inject_at;
	uint32_t cpuid;
	uint32_t late_vcpu; /* TDX: this processor starts when the kernel runs; 0: none */
	uint32_t is_short;  /* do not enter the kernel */
	uint32_t n_ram;
	uint32_t n_pieces;
	uint32_t unused;
	uint64_t rip; /* of the first processor, and of others */
	uint64_t other_rip;
	uint64_t cr3;
	uint64_t gdt;
	uint64_t kernel_entry;
	uint64_t boot_params;
	uint64_t high_gpa; /* where RAM above 4 GiB is instead; 0: in its place */
	struct monitor_range ram[MONITOR_RAM_MAX];
	struct monitor_piece pieces[MONITOR_PIECES_MAX];
};

#endif
#endif
