// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VMSA that somebody else made, as registers.
 *
 * What can be read is read; then our own page is made of that. Where the two differ is a field
 * that cannot be given to KVM, and so the guest would not be measured as its maker did.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot/bytes.h"
#include "boot/measure/vmsa.h"
#include "boot/measure/vmsa_page.h"
#include "vmm/err.h"

#define CR0_PE	  UINT64_C(0x1)
#define CR0_PG	  UINT64_C(0x80000000)
#define CR4_PAE	  UINT64_C(0x20)
#define EFER_LME  UINT64_C(0x100)
#define EFER_LMA  UINT64_C(0x400)
#define DR7_FIXED UINT64_C(0x400)

/* All of the page, in order; what has no name is reserved. */
static const struct {
	uint16_t offset;
	const char *name;
} fields[] = {
	{0x000, "es"},
	{0x010, "cs"},
	{0x020, "ss"},
	{0x030, "ds"},
	{0x040, "fs"},
	{0x050, "gs"},
	{0x060, "gdtr"},
	{0x070, "ldtr"},
	{0x080, "idtr"},
	{0x090, "tr"},
	{0x0a0, "pl0_ssp"},
	{0x0a8, "pl1_ssp"},
	{0x0b0, "pl2_ssp"},
	{0x0b8, "pl3_ssp"},
	{0x0c0, "u_cet"},
	{0x0c8, NULL},
	{0x0ca, "vmpl"},
	{0x0cb, "cpl"},
	{0x0cc, NULL},
	{0x0d0, "efer"},
	{0x0d8, NULL},
	{0x140, "xss"},
	{0x148, "cr4"},
	{0x150, "cr3"},
	{0x158, "cr0"},
	{0x160, "dr7"},
	{0x168, "dr6"},
	{0x170, "rflags"},
	{0x178, "rip"},
	{0x180, "dr0"},
	{0x188, "dr1"},
	{0x190, "dr2"},
	{0x198, "dr3"},
	{0x1a0, "dr0_addr_mask"},
	{0x1a8, "dr1_addr_mask"},
	{0x1b0, "dr2_addr_mask"},
	{0x1b8, "dr3_addr_mask"},
	{0x1c0, NULL},
	{0x1d8, "rsp"},
	{0x1e0, "s_cet"},
	{0x1e8, "ssp"},
	{0x1f0, "isst_addr"},
	{0x1f8, "rax"},
	{0x200, "star"},
	{0x208, "lstar"},
	{0x210, "cstar"},
	{0x218, "sfmask"},
	{0x220, "kernel_gs_base"},
	{0x228, "sysenter_cs"},
	{0x230, "sysenter_esp"},
	{0x238, "sysenter_eip"},
	{0x240, "cr2"},
	{0x248, NULL},
	{0x268, "g_pat"},
	{0x270, "dbgctl"},
	{0x278, "br_from"},
	{0x280, "br_to"},
	{0x288, "last_excp_from"},
	{0x290, "last_excp_to"},
	{0x298, NULL},
	{0x2e8, "pkru"},
	{0x2ec, "tsc_aux"},
	{0x2f0, "tsc_scale"},
	{0x2f8, "tsc_offset"},
	{0x300, NULL},
	{0x308, "rcx"},
	{0x310, "rdx"},
	{0x318, "rbx"},
	{0x320, NULL},
	{0x328, "rbp"},
	{0x330, "rsi"},
	{0x338, "rdi"},
	{0x340, "r8 to r15"},
	{0x380, NULL},
	{0x390, "guest_exit_info_1"},
	{0x398, "guest_exit_info_2"},
	{0x3a0, "guest_exit_int_info"},
	{0x3a8, "guest_nrip"},
	{0x3b0, "sev_features"},
	{0x3b8, "vintr_ctrl"},
	{0x3c0, "guest_exit_code"},
	{0x3c8, "virtual_tom"},
	{0x3d0, "tlb_id"},
	{0x3d8, "pcpu_id"},
	{0x3e0, "event_inj"},
	{0x3e8, "xcr0"},
	{0x3f0, NULL},
	{0x400, "x87_dp"},
	{0x408, "mxcsr"},
	{0x40c, "x87_ftw"},
	{0x40e, "x87_fsw"},
	{0x410, "x87_fcw"},
	{0x412, "x87_fop"},
	{0x414, "x87_ds"},
	{0x416, "x87_cs"},
	{0x418, "x87_rip"},
	{0x420, "fpreg_x87"},
	{0x470, "fpreg_xmm"},
	{0x570, "fpreg_ymm"},
	{0x670, NULL},
};

/* Bits of sev_features; AMD APM volume 2, table B-4. Those KVM may have, and others. */
static const struct {
	unsigned int bit;
	bool is_possible;
	const char *name;
} features_known[] = {
	{0, true, "SNP"},
	{1, false, "vTOM"},
	{2, false, "ReflectVC"},
	{3, false, "RestrictedInjection"},
	{4, false, "AlternateInjection"},
	{5, true, "DebugSwap"},
	{6, false, "PreventHostIBS"},
	{7, false, "BTBIsolation"},
	{8, false, "VmplSSS"},
	{9, true, "SecureTSC"},
};

static struct kvm_segment get_segment(const uint8_t *page, unsigned int offset)
{
	uint16_t attributes = bytes_get_u16(page, offset + 2);

	return (struct kvm_segment){
		.selector = bytes_get_u16(page, offset),
		.limit = bytes_get_u32(page, offset + 4),
		.base = bytes_get_u64(page, offset + 8),
		.type = attributes & 15,
		.s = attributes >> 4 & 1,
		.dpl = attributes >> 5 & 3,
		.present = attributes >> 7 & 1,
		.unusable = !(attributes >> 7 & 1),
		.avl = attributes >> 8 & 1,
		.l = attributes >> 9 & 1,
		.db = attributes >> 10 & 1,
		.g = attributes >> 11 & 1,
	};
}

static struct kvm_dtable get_table(const uint8_t *page, unsigned int offset)
{
	return (struct kvm_dtable){
		.limit = bytes_get_u16(page, offset + 4),
		.base = bytes_get_u64(page, offset + 8),
	};
}

static void get_sregs(const uint8_t *page, struct kvm_sregs *ret_sregs)
{
	*ret_sregs = (struct kvm_sregs){
		.es = get_segment(page, VMSA_ES),
		.cs = get_segment(page, VMSA_CS),
		.ss = get_segment(page, VMSA_SS),
		.ds = get_segment(page, VMSA_DS),
		.fs = get_segment(page, VMSA_FS),
		.gs = get_segment(page, VMSA_GS),
		.ldt = get_segment(page, VMSA_LDTR),
		.tr = get_segment(page, VMSA_TR),
		.gdt = get_table(page, VMSA_GDTR),
		.idt = get_table(page, VMSA_IDTR),
		.cr0 = bytes_get_u64(page, VMSA_CR0),
		.cr3 = bytes_get_u64(page, VMSA_CR3),
		.cr4 = bytes_get_u64(page, VMSA_CR4),
		.efer = bytes_get_u64(page, VMSA_EFER) & ~EFER_SVME,
	};
}

static void get_regs(const uint8_t *page, struct kvm_regs *ret_regs)
{
	*ret_regs = (struct kvm_regs){
		.rflags = bytes_get_u64(page, VMSA_RFLAGS),
		.rip = bytes_get_u64(page, VMSA_RIP),
		.rsp = bytes_get_u64(page, VMSA_RSP),
		.rax = bytes_get_u64(page, VMSA_RAX),
		.rcx = bytes_get_u64(page, VMSA_RCX),
		.rdx = bytes_get_u64(page, VMSA_RDX),
		.rbx = bytes_get_u64(page, VMSA_RBX),
		.rbp = bytes_get_u64(page, VMSA_RBP),
		.rsi = bytes_get_u64(page, VMSA_RSI),
		.rdi = bytes_get_u64(page, VMSA_RDI),
	};
	memcpy(&ret_regs->r8, page + VMSA_R8, (size_t)8 * 8);
}

static int features_check(uint64_t features, struct err *err)
{
	const char *name = "unknown";

	if (!(features & SNP_FEATURE_ACTIVE))
		return err_set(err, -ENOEXEC,
			       "VMSA: sev_features 0x%" PRIx64 " without SNP (bit 0)",
			       features);
	for (size_t i = 0; i < ARRAY_SIZE(features_known); i++)
		if (features_known[i].is_possible)
			features &= ~(UINT64_C(1) << features_known[i].bit);
	if (!features)
		return 0;
	for (size_t i = ARRAY_SIZE(features_known); i-- > 0;)
		if (features >> features_known[i].bit & 1)
			name = features_known[i].name;
	return err_set(err, -ENOEXEC,
		       "VMSA: sev_features has bits 0x%" PRIx64
		       " (%s), which KVM does not have",
		       features, name);
}

/* Eight types of memory, of which 2, 3 and those from 8 on do not exist: kvm_pat_valid. */
static bool pat_is_valid(uint64_t pat)
{
	for (unsigned int i = 0; i < 64; i += 8) {
		unsigned int type = pat >> i & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* KVM_SET_SREGS and the end of the launch refuse what is refused here. */
static int state_check(const struct boot_vcpu *vcpu, struct err *err)
{
	const struct kvm_sregs *sregs = &vcpu->sregs;
	bool is_long = sregs->efer & EFER_LME && sregs->cr0 & CR0_PG;

	if (sregs->cr0 >> 32 || (sregs->cr0 & CR0_PG && !(sregs->cr0 & CR0_PE)))
		return err_set(err, -ENOEXEC,
			       "VMSA: cr0 0x%" PRIx64
			       " has high bits, or paging without protection",
			       (uint64_t)sregs->cr0);
	if (is_long && !(sregs->cr4 & CR4_PAE && sregs->efer & EFER_LMA))
		return err_set(err, -ENOEXEC,
			       "VMSA: efer 0x%" PRIx64
			       " with paging, but no EFER.LMA or CR4.PAE",
			       (uint64_t)sregs->efer);
	if (!is_long && (sregs->efer & EFER_LMA || sregs->cs.l))
		return err_set(err, -ENOEXEC,
			       "VMSA: efer 0x%" PRIx64
			       ": EFER.LMA or CS.L, but not in 64-bit mode",
			       (uint64_t)sregs->efer);
	if (vcpu->state.dr7 & ~DR7_FIXED)
		return err_set(err, -ENOEXEC,
			       "VMSA: dr7 0x%" PRIx64 " has breakpoints, which KVM refuses",
			       vcpu->state.dr7);
	if (!pat_is_valid(vcpu->state.pat))
		return err_set(err, -ENOEXEC,
			       "VMSA: g_pat 0x%" PRIx64
			       " has types of memory that do not exist",
			       vcpu->state.pat);
	if (vcpu->state.mxcsr >> 16)
		return err_set(err, -ENOEXEC, "VMSA: mxcsr 0x%" PRIx32 " has reserved bits",
			       vcpu->state.mxcsr);
	if (vcpu->state.dr6 >> 32)
		return err_set(err, -ENOEXEC, "VMSA: dr6 0x%" PRIx64 " has high bits",
			       vcpu->state.dr6);
	return 0;
}

/* The first field of @page that is not what KVM would make. */
static int page_compare(const uint8_t *page, const uint8_t *made, struct err *err)
{
	unsigned int offset = 0;
	size_t i = 0;

	while (offset < GRANULE_BYTES && page[offset] == made[offset])
		offset++;
	if (offset == GRANULE_BYTES)
		return 0;
	while (i + 1 < ARRAY_SIZE(fields) && fields[i + 1].offset <= offset)
		i++;
	return err_set(err, -ENOEXEC,
		       "VMSA: %s: byte 0x%x is 0x%02x, but KVM would make it 0x%02x",
		       fields[i].name ? fields[i].name : "reserved", offset, page[offset],
		       made[offset]);
}

int vmsa_parse(const uint8_t page[GRANULE_BYTES], struct boot_vcpu *ret_vcpu,
	       uint64_t *ret_features, struct err *err)
{
	uint64_t features = bytes_get_u64(page, VMSA_FEATURES);
	struct boot_vcpu vcpu = {
		.has_state = true,
		.state = {.dr6 = bytes_get_u64(page, VMSA_DR6),
			  .dr7 = bytes_get_u64(page, VMSA_DR7),
			  .pat = bytes_get_u64(page, VMSA_PAT),
			  .mxcsr = bytes_get_u32(page, VMSA_MXCSR),
			  .fcw = bytes_get_u16(page, VMSA_FCW)},
	};
	uint8_t made[GRANULE_BYTES];
	int ret;

	get_regs(page, &vcpu.regs);
	get_sregs(page, &vcpu.sregs);
	vmsa_init(made, &vcpu, features);
	ret = features_check(features, err);
	if (!ret)
		ret = page_compare(page, made, err);
	if (!ret)
		ret = state_check(&vcpu, err);
	if (ret)
		return ret;
	*ret_vcpu = vcpu;
	*ret_features = features & ~SNP_FEATURE_ACTIVE;
	return 0;
}
