/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whole IGVM files as tools make them; COCONUT-SVSM's igvmbuilder, Oak's stage0, igvm-wrap. */
#ifndef TESTS_UNIT_IGVM_FILES_H
#define TESTS_UNIT_IGVM_FILES_H

#include "tests/unit/igvm_writer.h"

/* Where the parts of igvm_file_coconut are: bodies of headers. */
struct coconut {
	uint32_t platform, policy, required, area, vp_count, environment, madt, memory_map;
	uint32_t insert, page, zero, cpuid, secrets, unmeasured, id, context;
};

/*
 * Areas of host parameters first, then pages, at last the state of the processor. The native
 * and TDX platforms share some of the pages.
 */
static inline void igvm_file_coconut(struct igvm_writer *writer, struct coconut *ret_at)
{
	const uint32_t snp = WRITER_SNP, all = WRITER_ALL;
	uint8_t vmsa[GRANULE_BYTES];

	writer_init(writer, 1);
	ret_at->platform = writer_add_platform(writer, snp, IGVM_SNP);
	writer_add_platform(writer, WRITER_TDX, IGVM_TDX);
	writer_add_platform(writer, WRITER_NATIVE, IGVM_NATIVE);
	ret_at->policy = writer_add_policy(writer, snp, 0x30000);
	ret_at->required = writer_add_range(writer, 0x305, all, 0x900000, 0x100000);
	writer_add_area(writer, 1, 0x1000, 0);
	writer_add_area(writer, 2, 0x2000, 0);
	ret_at->area = writer_add_area(writer, 0, 0x1000, 0);
	ret_at->vp_count = writer_add_parameter(writer, 0x307, 0, 0);
	ret_at->environment = writer_add_parameter(writer, 0x313, 0, 4);
	ret_at->madt = writer_add_parameter(writer, 0x309, 2, 0);
	ret_at->memory_map = writer_add_parameter(writer, 0x30c, 1, 0);
	writer_add_insert(writer, all, 0x813000, 1);
	writer_add_insert(writer, all, 0x811000, 2);
	ret_at->insert = writer_add_insert(writer, all, 0x810000, 0);
	ret_at->id = writer_add_id(writer, snp, true);
	ret_at->page = writer_add_page(writer, all, 0x800000, 0x11, 0, 0);
	writer_add_page(writer, all, 0x801000, 0x22, 0, 0);
	ret_at->zero = writer_add_page(writer, all, 0x802000, -1, 0, 0);
	writer_add_page(writer, all, 0x803000, -1, 0, 0);
	ret_at->unmeasured = writer_add_page(writer, all, 0x804000, 0x33, 2, 0);
	ret_at->cpuid = writer_add_page(writer, snp, 0x806000, 0x44, 0, 2);
	ret_at->secrets = writer_add_page(writer, snp, 0x807000, -1, 0, 1);
	writer_add_page(writer, WRITER_TDX, 0xfffff000, 0x90, 0, 0);
	writer_make_vmsa(vmsa);
	ret_at->context = writer_add_context(writer, snp, UINT64_C(0xfffffffff000), vmsa);
	writer_end(writer);
}

/* Firmware below 4 GiB for SNP and TDX; processors start at their reset vector. */
static inline void igvm_file_stage0(struct igvm_writer *writer)
{
	const uint32_t both = WRITER_SNP | WRITER_TDX;

	writer_init(writer, 2);
	writer_add_platform(writer, WRITER_SNP, IGVM_SNP);
	writer_add_platform(writer, WRITER_TDX, IGVM_TDX);
	writer_add_policy(writer, WRITER_SNP, 0x30000);
	writer_add_policy(writer, WRITER_TDX, 2);
	writer_add_page(writer, both, 0xffffe000, 0x51, 0, 0);
	writer_add_page(writer, both, 0xfffff000, 0x52, 0, 0);
	writer_add_page(writer, WRITER_SNP, 0x1000, -1, 0, 1);
	writer_add_page(writer, WRITER_SNP, 0x2000, -1, 0, 2);
	writer_add_page(writer, WRITER_TDX, 0x3000, -1, 2, 0);
	writer_end(writer);
}

/* A wrapped kernel without isolation, with all that a host can tell. */
static inline void igvm_file_native(struct igvm_writer *writer)
{
	static const uint32_t parameters[] = {0x307, 0x308, 0x309, 0x30a, 0x30c,
					      0x30e, 0x30f, 0x310, 0x312, 0x313};
	uint8_t initial[GRANULE_BYTES];
	uint32_t data;

	memset(initial, 0x77, sizeof(initial));
	writer_init(writer, 2);
	writer_add_platform(writer, WRITER_NATIVE, IGVM_NATIVE);
	data = writer_add_data(writer, initial, sizeof(initial));
	for (uint32_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		bool has_data = parameters[i] == 0x30a;

		writer_add_area(writer, i, has_data ? 0x1000 : 0x4000, has_data ? data : 0);
		writer_add_parameter(writer, parameters[i], i, i * 8);
		writer_add_insert(writer, WRITER_NATIVE, 0x100000 + i * 0x4000, i);
	}
	writer_add_page(writer, WRITER_NATIVE, 0x200000, 0xcc, 0, 0);
	writer_add_range(writer, 0x30d, WRITER_NATIVE, 0x300000, 0x2000);
	writer_end(writer);
}

#endif
