// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/probe/cpu.h"

#include <cpuid.h>
#include <string.h>

/* __get_cpuid_count knows which leaves there are. */
static void leaf_read(uint32_t function, struct probe_cpu_leaf *leaf)
{
	if (!__get_cpuid_count(function, 0, &leaf->eax, &leaf->ebx, &leaf->ecx, &leaf->edx))
		*leaf = (struct probe_cpu_leaf){0};
}

void probe_cpu_read(struct probe_cpu *ret_cpu)
{
	struct probe_cpu cpu = {.vendor = ""};
	struct probe_cpu_leaf first;

	leaf_read(0, &first);
	memcpy(cpu.vendor, &first.ebx, 4);
	memcpy(cpu.vendor + 4, &first.edx, 4);
	memcpy(cpu.vendor + 8, &first.ecx, 4);
	leaf_read(1, &cpu.features);
	leaf_read(7, &cpu.structured);
	leaf_read(0x8000001f, &cpu.sev);
	*ret_cpu = cpu;
}
