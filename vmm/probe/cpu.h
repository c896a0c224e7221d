/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What CPUID says, as plain values, so that tests can be other machines. */
#ifndef VMM_PROBE_CPU_H
#define VMM_PROBE_CPU_H

#include <stdint.h>

#define PROBE_CPU_AMD	"AuthenticAMD"
#define PROBE_CPU_INTEL "GenuineIntel"

struct probe_cpu_leaf {
	uint32_t eax, ebx, ecx, edx;
};

/* Leaves that the processor lacks are zero. */
struct probe_cpu {
	char vendor[13];
	struct probe_cpu_leaf features;	  /* 1 */
	struct probe_cpu_leaf structured; /* 7, 0 */
	struct probe_cpu_leaf sev;	  /* 0x8000001f */
};

/* The processor this runs on. */
void probe_cpu_read(struct probe_cpu *ret_cpu);

#endif
