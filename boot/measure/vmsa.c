// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/measure/vmsa.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "boot/measure/vmsa_page.h"

#define RDX_RESET 0x600U
#define PAT_GCE	  UINT64_C(0x00070106)

static const struct {
	const char *name;
	uint8_t family, model, stepping;
} cpu_models[] = {
	{"EPYC", 23, 1, 2},	  {"EPYC-IBPB", 23, 1, 2},   {"EPYC-Rome", 23, 49, 0},
	{"EPYC-Milan", 25, 1, 1}, {"EPYC-Genoa", 25, 17, 0}, {"EPYC-Turin", 26, 0, 0},
};

static void segment_reset(struct kvm_segment *segment, uint8_t type, bool is_system)
{
	*segment = (struct kvm_segment){
		.limit = 0xffff,
		.type = type,
		.present = 1,
		.s = !is_system,
	};
}

void snp_state_reset(struct boot_vcpu_state *ret_state)
{
	*ret_state = (struct boot_vcpu_state){
		.dr6 = DR6_RESET,
		.dr7 = DR7_RESET,
		.pat = PAT_RESET,
		.mxcsr = MXCSR_RESET,
		.fcw = FCW_RESET,
	};
}

void snp_vcpu_reset(struct boot_vcpu *ret_vcpu, uint32_t entry, uint32_t signature)
{
	struct kvm_sregs *sregs = &ret_vcpu->sregs;

	*ret_vcpu = (struct boot_vcpu){
		.regs = {.rip = entry & 0xffff, .rdx = signature, .rflags = RFLAGS_FIXED},
		.sregs = {.cr0 = CR0_NW_CD | CR0_ET,
			  .gdt = {.limit = 0xffff},
			  .idt = {.limit = 0xffff}},
	};
	/* Data, read, write, accessed. */
	segment_reset(&sregs->ds, 3, false);
	segment_reset(&sregs->es, 3, false);
	segment_reset(&sregs->fs, 3, false);
	segment_reset(&sregs->gs, 3, false);
	segment_reset(&sregs->ss, 3, false);
	/* Code, read, accessed. */
	segment_reset(&sregs->cs, 11, false);
	sregs->cs.selector = 0xf000;
	sregs->cs.base = entry & 0xffff0000;
	segment_reset(&sregs->ldt, 2, true);
	/* A busy 32-bit TSS. */
	segment_reset(&sregs->tr, 11, true);
}

void snp_vcpu_set_profile(struct boot_vcpu *vcpu, enum launch_profile profile, bool is_first)
{
	struct kvm_sregs *sregs = &vcpu->sregs;

	if (profile == LAUNCH_PROFILE_QEMU)
		return;
	vcpu->regs.rdx = RDX_RESET;
	snp_state_reset(&vcpu->state);
	vcpu->has_state = true;
	vcpu->state.mxcsr = 0;
	vcpu->state.fcw = 0;
	if (profile == LAUNCH_PROFILE_GCE) {
		vcpu->state.pat = PAT_GCE;
		return;
	}
	/* EC2: neither accessed nor busy; but for code of the other processors. */
	if (is_first)
		sregs->cs.type = 10;
	sregs->ss.type = 2;
	sregs->tr.type = 3;
}

static void put(uint8_t *page, unsigned int offset, const void *value, size_t value_bytes)
{
	memcpy(page + offset, value, value_bytes);
}

static void put_u16(uint8_t *page, unsigned int offset, uint16_t value)
{
	put(page, offset, &value, sizeof(value));
}

static void put_u32(uint8_t *page, unsigned int offset, uint32_t value)
{
	put(page, offset, &value, sizeof(value));
}

static void put_u64(uint8_t *page, unsigned int offset, uint64_t value)
{
	put(page, offset, &value, sizeof(value));
}

/* A segment that is not usable is not present either, as AMD processors have it. */
static void put_segment(uint8_t *page, unsigned int offset, const struct kvm_segment *segment)
{
	unsigned int present = segment->present && !segment->unusable;

	put_u16(page, offset, segment->selector);
	put_u16(page, offset + 2,
		(uint16_t)((segment->type & 15U) | (segment->s & 1U) << 4 |
			   (segment->dpl & 3U) << 5 | present << 7 | (segment->avl & 1U) << 8 |
			   (segment->l & 1U) << 9 | (segment->db & 1U) << 10 |
			   (segment->g & 1U) << 11));
	put_u32(page, offset + 4, segment->limit);
	put_u64(page, offset + 8, segment->base);
}

static void put_segments(uint8_t *page, const struct kvm_sregs *sregs)
{
	put_segment(page, VMSA_ES, &sregs->es);
	put_segment(page, VMSA_CS, &sregs->cs);
	put_segment(page, VMSA_SS, &sregs->ss);
	put_segment(page, VMSA_DS, &sregs->ds);
	put_segment(page, VMSA_FS, &sregs->fs);
	put_segment(page, VMSA_GS, &sregs->gs);
	put_segment(page, VMSA_LDTR, &sregs->ldt);
	put_segment(page, VMSA_TR, &sregs->tr);
	put_u32(page, VMSA_GDTR + 4, sregs->gdt.limit);
	put_u64(page, VMSA_GDTR + 8, sregs->gdt.base);
	put_u32(page, VMSA_IDTR + 4, sregs->idt.limit);
	put_u64(page, VMSA_IDTR + 8, sregs->idt.base);
}

static void put_registers(uint8_t *page, const struct kvm_regs *regs)
{
	/* r8 .. r15 are neighbours in both. */
	static_assert(offsetof(struct kvm_regs, r15) == offsetof(struct kvm_regs, r8) + 56,
		      "r8 to r15");

	put_u64(page, VMSA_RFLAGS, regs->rflags | RFLAGS_FIXED);
	put_u64(page, VMSA_RIP, regs->rip);
	put_u64(page, VMSA_RSP, regs->rsp);
	put_u64(page, VMSA_RAX, regs->rax);
	put_u64(page, VMSA_RCX, regs->rcx);
	put_u64(page, VMSA_RDX, regs->rdx);
	put_u64(page, VMSA_RBX, regs->rbx);
	put_u64(page, VMSA_RBP, regs->rbp);
	put_u64(page, VMSA_RSI, regs->rsi);
	put_u64(page, VMSA_RDI, regs->rdi);
	put(page, VMSA_R8, &regs->r8, (size_t)8 * 8);
}

void vmsa_init(uint8_t ret_page[GRANULE_BYTES], const struct boot_vcpu *vcpu, uint64_t features)
{
	const struct kvm_sregs *sregs = &vcpu->sregs;
	struct boot_vcpu_state state = vcpu->state;

	if (!vcpu->has_state)
		snp_state_reset(&state);
	memset(ret_page, 0, GRANULE_BYTES);
	put_segments(ret_page, sregs);
	put_registers(ret_page, &vcpu->regs);
	ret_page[VMSA_CPL] = sregs->ss.dpl & 3;
	/* What KVM adds so that the processor can run at all. */
	put_u64(ret_page, VMSA_EFER, sregs->efer | EFER_SVME);
	put_u64(ret_page, VMSA_CR4, sregs->cr4 | CR4_MCE);
	put_u64(ret_page, VMSA_CR3, sregs->cr3);
	/* KVM_X86_QUIRK_CD_NW_CLEARED is in force unless it is turned off. */
	put_u64(ret_page, VMSA_CR0, sregs->cr0 & ~CR0_NW_CD);
	put_u64(ret_page, VMSA_DR7, state.dr7);
	put_u64(ret_page, VMSA_DR6, state.dr6);
	put_u64(ret_page, VMSA_PAT, state.pat);
	put_u64(ret_page, VMSA_FEATURES, features | SNP_FEATURE_ACTIVE);
	put_u64(ret_page, VMSA_XCR0, XCR0_RESET);
	put_u32(ret_page, VMSA_MXCSR, state.mxcsr);
	put_u16(ret_page, VMSA_FCW, state.fcw);
}

uint32_t cpu_signature(unsigned int family, unsigned int model, unsigned int stepping)
{
	unsigned int family_low = family < 15 ? family : 15;
	unsigned int family_high = family - family_low;

	return (family_high & 0xff) << 20 | (model >> 4 & 15) << 16 | family_low << 8 |
	       (model & 15) << 4 | (stepping & 15);
}

/* "" or "-v" and a number. */
static bool is_version(const char *text)
{
	if (!*text)
		return true;
	if (strncmp(text, "-v", 2) != 0 || !text[2])
		return false;
	for (text += 2; *text; text++)
		if (!isdigit((unsigned char)*text))
			return false;
	return true;
}

int cpu_signature_find(const char *name, uint32_t *ret_signature)
{
	for (size_t i = 0; i < ARRAY_SIZE(cpu_models); i++) {
		size_t length = strlen(cpu_models[i].name);

		if (strncmp(name, cpu_models[i].name, length) != 0 ||
		    !is_version(name + length))
			continue;
		*ret_signature = cpu_signature(cpu_models[i].family, cpu_models[i].model,
					       cpu_models[i].stepping);
		return 0;
	}
	return -ENOENT;
}
