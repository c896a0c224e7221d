// SPDX-License-Identifier: GPL-2.0-or-later
/* The boot processor's state in IGVM files for guests without isolation. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot/igvm/file.h"
#include "vmm/err.h"

/* Offsets in the context; igvm_defs, IgvmNativeVpContextX64. */
enum {
	CONTEXT_RAX = 0,
	CONTEXT_RCX = 8,
	CONTEXT_RDX = 16,
	CONTEXT_RBX = 24,
	CONTEXT_RSP = 32,
	CONTEXT_RBP = 40,
	CONTEXT_RSI = 48,
	CONTEXT_RDI = 56,
	CONTEXT_R8 = 64, /* to r15 */
	CONTEXT_RIP = 128,
	CONTEXT_RFLAGS = 136,
	CONTEXT_IDTR_BASE = 144,
	CONTEXT_IDTR_LIMIT = 152,
	CONTEXT_RESERVED = 154, /* 4 bytes */
	CONTEXT_GDTR_LIMIT = 158,
	CONTEXT_GDTR_BASE = 160,
	CONTEXT_CODE = 168, /* segments: selector, attributes, 32 bits of base and limit */
	CONTEXT_DATA = 180,
	CONTEXT_GS_BASE = 192,
	CONTEXT_CR0 = 200,
	CONTEXT_CR3 = 208,
	CONTEXT_CR4 = 216,
	CONTEXT_EFER = 224,
	SEGMENT_ATTRIBUTES = 2,
	SEGMENT_BASE = 4,
	SEGMENT_LIMIT = 8,
};

#define ATTRIBUTES_RESERVED 0xf00U

static struct kvm_segment get_segment(const struct igvm_file *file, uint64_t offset)
{
	uint16_t attributes = igvm_u16(file, offset + SEGMENT_ATTRIBUTES);

	return (struct kvm_segment){
		.selector = igvm_u16(file, offset),
		.base = igvm_u32(file, offset + SEGMENT_BASE),
		.limit = igvm_u32(file, offset + SEGMENT_LIMIT),
		.type = attributes & 15,
		.s = attributes >> 4 & 1,
		.dpl = attributes >> 5 & 3,
		.present = attributes >> 7 & 1,
		.unusable = !(attributes >> 7 & 1),
		.avl = attributes >> 12 & 1,
		.l = attributes >> 13 & 1,
		.db = attributes >> 14 & 1,
		.g = attributes >> 15 & 1,
	};
}

static int context_check(const struct igvm *igvm, struct err *err)
{
	static const uint32_t segments[] = {CONTEXT_CODE, CONTEXT_DATA};
	const struct igvm_file *file = &igvm->file;
	uint64_t context = igvm->context_offset;

	if (igvm_u32(file, context + CONTEXT_RESERVED))
		return igvm_malformed(err, file, context + CONTEXT_RESERVED,
				      "VP_CONTEXT: reserved, but not zero");
	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		uint64_t offset = context + segments[i] + SEGMENT_ATTRIBUTES;

		if (igvm_u16(file, offset) & ATTRIBUTES_RESERVED)
			return igvm_malformed(err, file, offset,
					      "VP_CONTEXT: attributes 0x%x have reserved bits",
					      igvm_u16(file, offset));
	}
	return 0;
}

static void get_sregs(const struct igvm_file *file, uint64_t context, struct kvm_sregs *sregs)
{
	struct kvm_segment data = get_segment(file, context + CONTEXT_DATA);

	sregs->cs = get_segment(file, context + CONTEXT_CODE);
	sregs->ds = sregs->es = sregs->ss = sregs->fs = sregs->gs = data;
	sregs->gs.base = igvm_u64(file, context + CONTEXT_GS_BASE);
	sregs->gdt.base = igvm_u64(file, context + CONTEXT_GDTR_BASE);
	sregs->gdt.limit = igvm_u16(file, context + CONTEXT_GDTR_LIMIT);
	sregs->idt.base = igvm_u64(file, context + CONTEXT_IDTR_BASE);
	sregs->idt.limit = igvm_u16(file, context + CONTEXT_IDTR_LIMIT);
	sregs->cr0 = igvm_u64(file, context + CONTEXT_CR0);
	sregs->cr3 = igvm_u64(file, context + CONTEXT_CR3);
	sregs->cr4 = igvm_u64(file, context + CONTEXT_CR4);
	sregs->efer = igvm_u64(file, context + CONTEXT_EFER);
}

int igvm_get_native_vcpu(const struct igvm *igvm, struct boot_vcpu *vcpu, struct err *err)
{
	const struct igvm_file *file = &igvm->file;
	uint64_t context = igvm->context_offset;
	int ret;

	ASSERT(igvm->platform == IGVM_NATIVE);
	if (!context)
		return -ENOENT;
	ret = context_check(igvm, err);
	if (ret)
		return ret;
	vcpu->regs = (struct kvm_regs){
		.rax = igvm_u64(file, context + CONTEXT_RAX),
		.rcx = igvm_u64(file, context + CONTEXT_RCX),
		.rdx = igvm_u64(file, context + CONTEXT_RDX),
		.rbx = igvm_u64(file, context + CONTEXT_RBX),
		.rsp = igvm_u64(file, context + CONTEXT_RSP),
		.rbp = igvm_u64(file, context + CONTEXT_RBP),
		.rsi = igvm_u64(file, context + CONTEXT_RSI),
		.rdi = igvm_u64(file, context + CONTEXT_RDI),
		.rip = igvm_u64(file, context + CONTEXT_RIP),
		.rflags = igvm_u64(file, context + CONTEXT_RFLAGS),
	};
	memcpy(&vcpu->regs.r8, file->bytes + context + CONTEXT_R8, (size_t)8 * 8);
	get_sregs(file, context, &vcpu->sregs);
	return 0;
}
