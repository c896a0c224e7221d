// SPDX-License-Identifier: GPL-2.0-or-later
/* Save areas that others made, as registers; what vmsa_init makes is in test_measure_snp.c. */
#include "boot/measure/vmsa.h"

#include <errno.h>
#include <string.h>

#include "tests/unit/igvm_writer.h"
#include "tests/unit/unit.h"

START_TEST(test_a_reset_comes_back_as_it_was)
{
	struct boot_vcpu wanted, vcpu;
	uint8_t page[GRANULE_BYTES];
	uint64_t features;

	snp_vcpu_reset(&wanted, SNP_RESET_ENTRY, 0x800f12);
	vmsa_init(page, &wanted, 1 << 5);
	ck_assert_int_eq(vmsa_parse(page, &vcpu, &features, NULL), 0);
	ck_assert_uint_eq(features, 1 << 5);
	ck_assert_mem_eq(&vcpu.regs, &wanted.regs, sizeof(vcpu.regs));
	ck_assert_uint_eq(vcpu.sregs.cs.base, 0xffff0000);
	ck_assert_uint_eq(vcpu.sregs.cs.selector, 0xf000);
	ck_assert_uint_eq(vcpu.sregs.tr.type, 11);
	ck_assert_uint_eq(vcpu.sregs.cr0, 0x10);
	ck_assert_uint_eq(vcpu.sregs.efer, 0);
	ck_assert_uint_eq(vcpu.state.dr6, 0xffff0ff0);
	ck_assert_uint_eq(vcpu.state.dr7, 0x400);
	ck_assert_uint_eq(vcpu.state.pat, 0x0007040600070406);
	ck_assert_uint_eq(vcpu.state.mxcsr, 0x1f80);
	ck_assert_uint_eq(vcpu.state.fcw, 0x37f);
}
END_TEST

/* Byte by byte, as COCONUT-SVSM's igvmbuilder has it for QEMU (tools/igvmbuilder/src/vmsa.rs).
 */
START_TEST(test_a_state_of_coconut_is_taken)
{
	static const struct {
		unsigned int offset;
		uint64_t value;
	} wanted[] = {
		{0x00, 0xffffffff0a930010},
		{0x10, 0xffffffff0c9b0008},
		{0x20, 0xffffffff0a930010},
		{0x30, 0xffffffff0a930010},
		{0x40, 0xffffffff0a930010},
		{0x50, 0xffffffff0a930010},
		{0xd0, 0x1000},
		{0x148, 0x60},
		{0x150, 0x801000},
		{0x158, 0x31},
		{0x170, 2},
		{0x178, 0x800000},
		{0x1d8, 0x80ff00},
		{0x268, 0x0007040600070406},
		{0x3b0, 1},
		{0x3e8, 1},
	};
	uint8_t page[GRANULE_BYTES] = {0}, made[GRANULE_BYTES];
	struct boot_vcpu vcpu;
	uint64_t features;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		memcpy(page + wanted[i].offset, &wanted[i].value, 8);
	writer_make_vmsa(made);
	ck_assert_mem_eq(page, made, sizeof(page));
	ck_assert_int_eq(vmsa_parse(page, &vcpu, &features, NULL), 0);
	ck_assert_uint_eq(vcpu.regs.rip, 0x800000);
	ck_assert_uint_eq(vcpu.sregs.cs.limit, UINT32_MAX);
	ck_assert(vcpu.sregs.cs.db && !vcpu.sregs.cs.l && vcpu.sregs.cs.g);
	ck_assert(vcpu.sregs.tr.unusable);
	ck_assert_uint_eq(vcpu.sregs.efer, 0);
	ck_assert(vcpu.has_state);
	ck_assert_uint_eq(vcpu.state.dr7, 0);
	ck_assert_uint_eq(vcpu.state.mxcsr, 0);
	ck_assert_uint_eq(vcpu.state.fcw, 0);
}
END_TEST

/* Any bit of a page that is accepted comes back where it was. */
START_TEST(test_no_bit_is_lost)
{
	uint8_t page[GRANULE_BYTES], made[GRANULE_BYTES];
	struct boot_vcpu vcpu;
	unsigned int n_taken = 0;

	snp_vcpu_reset(&vcpu, SNP_RESET_ENTRY, 0);
	for (unsigned int bit = 0; bit < GRANULE_BYTES * 8; bit++) {
		struct boot_vcpu parsed;
		struct err err = {0};
		uint64_t features;

		vmsa_init(page, &vcpu, 0);
		page[bit / 8] ^= (uint8_t)(1U << bit % 8);
		if (vmsa_parse(page, &parsed, &features, &err)) {
			ck_assert_int_eq(strncmp(err.text, "VMSA: ", 6), 0);
			continue;
		}
		vmsa_init(made, &parsed, features);
		ck_assert_mem_eq(page, made, sizeof(page));
		n_taken++;
	}
	/* 17 registers of 64 bits alone, and cr3. */
	ck_assert_uint_gt(n_taken, 18 * 64);
}
END_TEST

/* --- What is refused --- */

static const struct {
	unsigned int offset;
	uint8_t value;
	const char *wanted;
} refused[] = {
	{0x13, 0x10, "VMSA: cs: byte 0x13 is 0x10, but KVM would make it 0x00"},
	{0x60, 1, "VMSA: gdtr: byte 0x60 is 0x01, but KVM"},
	{0x66, 1, "VMSA: gdtr: byte 0x66 is 0x01"},
	{0x86, 1, "VMSA: idtr: byte 0x86"},
	{0xa0, 1, "VMSA: pl0_ssp: byte 0xa0"},
	{0xc7, 1, "VMSA: u_cet: byte 0xc7"},
	{0xc8, 1, "VMSA: reserved: byte 0xc8"},
	{0xca, 1, "VMSA: vmpl: byte 0xca"},
	{0xcb, 3, "VMSA: cpl: byte 0xcb is 0x03"},
	{0xd1, 0, "VMSA: efer: byte 0xd1 is 0x00, but KVM would make it 0x10"},
	{0x140, 1, "VMSA: xss: byte 0x140"},
	{0x148, 0, "VMSA: cr4: byte 0x148 is 0x00, but KVM would make it 0x40"},
	{0x15b, 0x60, "VMSA: cr0: byte 0x15b is 0x60, but KVM would make it 0x00"},
	{0x170, 0, "VMSA: rflags: byte 0x170 is 0x00, but KVM would make it 0x02"},
	{0x180, 1, "VMSA: dr0: byte 0x180"},
	{0x200, 1, "VMSA: star: byte 0x200"},
	{0x247, 1, "VMSA: cr2: byte 0x247"},
	{0x270, 1, "VMSA: dbgctl: byte 0x270"},
	{0x2e8, 1, "VMSA: pkru: byte 0x2e8"},
	{0x2ec, 1, "VMSA: tsc_aux: byte 0x2ec"},
	{0x320, 1, "VMSA: reserved: byte 0x320"},
	{0x3b8, 1, "VMSA: vintr_ctrl: byte 0x3b8"},
	{0x3cd, 1, "VMSA: virtual_tom: byte 0x3cd"},
	{0x3e8, 3, "VMSA: xcr0: byte 0x3e8 is 0x03, but KVM would make it 0x01"},
	{0x40c, 1, "VMSA: x87_ftw: byte 0x40c"},
	{0x470, 1, "VMSA: fpreg_xmm: byte 0x470"},
	{0x670, 1, "VMSA: reserved: byte 0x670"},
	{0xfff, 1, "VMSA: reserved: byte 0xfff"},
	/* What KVM would keep, but refuse. */
	{0x158, 0x30, NULL},
	{0x15b, 0x80, "VMSA: cr0 0x80000010 has high bits, or paging without protection"},
	{0x15c, 1, "VMSA: cr0 0x100000010 has high bits, or paging without"},
	{0x160, 1, "VMSA: dr7 0x401 has breakpoints, which KVM refuses"},
	{0x268, 2, "VMSA: g_pat 0x7040600070402 has types of memory that do not exist"},
	{0x26f, 8, "VMSA: g_pat 0x807040600070406 has types"},
	{0x26f, 7, NULL},
	{0x40a, 1, "VMSA: mxcsr 0x11f80 has reserved bits"},
	{0x16c, 1, "VMSA: dr6 0x1ffff0ff0 has high bits"},
	{0xd1, 0x14, "VMSA: efer 0x400: EFER.LMA or CS.L, but not in 64-bit mode"},
	{0x13, 2, "VMSA: efer 0x0: EFER.LMA or CS.L, but not in 64-bit mode"},
	/* sev_features */
	{0x3b0, 0, "VMSA: sev_features 0x0 without SNP (bit 0)"},
	{0x3b0, 3, "VMSA: sev_features has bits 0x2 (vTOM), which KVM does not have"},
	{0x3b0, 0x11, "VMSA: sev_features has bits 0x10 (AlternateInjection), which"},
	{0x3b0, 0x21, NULL},
	{0x3b1, 2, NULL},
	{0x3b1, 4, "VMSA: sev_features has bits 0x400 (unknown), which KVM"},
};

START_TEST(test_what_kvm_cannot_make_is_refused_by_name)
{
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		struct boot_vcpu vcpu, parsed = {.regs = {.rax = 0x1234}};
		uint8_t page[GRANULE_BYTES];
		uint64_t features = 0x1234;
		struct err err = {0};
		int ret;

		snp_vcpu_reset(&vcpu, SNP_RESET_ENTRY, 0);
		vmsa_init(page, &vcpu, 0);
		page[refused[i].offset] = refused[i].value;
		ret = vmsa_parse(page, &parsed, &features, &err);
		ck_assert_msg(ret == (refused[i].wanted ? -ENOEXEC : 0), "%zu: %d '%s'", i, ret,
			      err.text);
		if (!refused[i].wanted)
			continue;
		ck_assert_msg(strncmp(err.text, refused[i].wanted, strlen(refused[i].wanted)) ==
				      0,
			      "wanted '%s' in '%s'", refused[i].wanted, err.text);
		ck_assert_uint_eq(parsed.regs.rax, 0x1234);
		ck_assert_uint_eq(features, 0x1234);
	}
}
END_TEST

START_TEST(test_64_bit_mode_has_to_be_whole)
{
	struct boot_vcpu vcpu = {
		.regs = {.rflags = 2},
		.sregs = {.cs = {.l = 1, .s = 1, .type = 11, .present = 1, .g = 1},
			  .cr0 = 0x80000011,
			  .cr4 = 0x60,
			  .efer = 0x500},
	};
	uint8_t page[GRANULE_BYTES];
	struct boot_vcpu parsed;
	struct err err = {0};
	uint64_t features;

	vmsa_init(page, &vcpu, 0);
	ck_assert_int_eq(vmsa_parse(page, &parsed, &features, NULL), 0);
	page[0x148] = 0x40;
	ck_assert_int_eq(vmsa_parse(page, &parsed, &features, &err), -ENOEXEC);
	ck_assert_str_eq(err.text, "VMSA: efer 0x500 with paging, but no EFER.LMA or CR4.PAE");
	page[0x148] = 0x60;
	page[0xd1] = 0x11;
	ck_assert_int_eq(vmsa_parse(page, &parsed, &features, &err), -ENOEXEC);
	ck_assert_str_eq(err.text, "VMSA: efer 0x100 with paging, but no EFER.LMA or CR4.PAE");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_reset_comes_back_as_it_was,
		test_a_state_of_coconut_is_taken,
		test_no_bit_is_lost,
		test_what_kvm_cannot_make_is_refused_by_name,
		test_64_bit_mode_has_to_be_whole,
	};

	return unit_run(unit_suite("vmsa", tests, ARRAY_SIZE(tests)));
}
