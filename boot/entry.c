// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The registers a guest starts with. Sources: Documentation/arch/x86/boot.rst (64-bit boot
 * protocol), Xen docs/misc/pvh.pandoc; Intel SDM volume 3, 2.5 (control registers).
 */
#include "boot/boot.h"

#include "boot/measure/vmsa.h"

enum {
	CR0_PE = 1 << 0,
	CR0_NE = 1 << 5,
	CR0_ET = 1 << 4,
	CR0_PG = INT32_MIN, /* bit 31 */
	CR4_PAE = 1 << 5,
	EFER_LME = 1 << 8,
	EFER_LMA = 1 << 10,
	RFLAGS_FIXED = 1 << 1,

	SEGMENT_CODE = 11, /* execute, read, accessed */
	SEGMENT_DATA = 3,  /* read, write, accessed */
	SEGMENT_TSS_BUSY = 11,
};

static struct kvm_segment segment_flat(uint16_t selector, uint8_t type, bool is_long)
{
	return (struct kvm_segment){
		.limit = UINT32_MAX,
		.selector = selector,
		.type = type,
		.present = 1,
		.s = 1,
		.g = 1,
		.l = is_long,
		.db = !is_long,
	};
}

/* Flat segments; 64-bit mode with paging for LONG64, 32-bit without for PVH32. */
static void sregs_init(struct kvm_sregs *ret_sregs, const struct boot_entry *entry)
{
	bool is_long = entry->mode == BOOT_MODE_LONG64;
	struct kvm_segment data = segment_flat(BOOT_DATA_SELECTOR, SEGMENT_DATA, false);

	*ret_sregs = (struct kvm_sregs){
		.cs = segment_flat(BOOT_CODE_SELECTOR, SEGMENT_CODE, is_long),
		.ds = data,
		.es = data,
		.fs = data,
		.gs = data,
		.ss = data,
		/* The processor insists on a task register; its contents are never used. */
		.tr = {.limit = 0x67, .type = SEGMENT_TSS_BUSY, .present = 1},
		.ldt = {.unusable = 1},
		.gdt = {.base = entry->gdt, .limit = BOOT_GDT_BYTES - 1},
		.cr0 = CR0_PE | CR0_ET | CR0_NE,
	};
	if (is_long) {
		ret_sregs->cr0 |= (uint32_t)CR0_PG;
		ret_sregs->cr3 = entry->cr3;
		ret_sregs->cr4 = CR4_PAE;
		ret_sregs->efer = EFER_LME | EFER_LMA;
	}
}

void boot_entry_get_vcpu(const struct boot_entry *entry, bool is_first, uint32_t signature,
			 struct boot_vcpu *ret_vcpu)
{
	bool is_reset = entry->mode == BOOT_MODE_RESET || (!is_first && !entry->other_rip);

	if (is_reset) {
		snp_vcpu_reset(ret_vcpu,
			       !is_first && entry->ap_start ? entry->ap_start : SNP_RESET_ENTRY,
			       signature);
		return;
	}
	if (entry->mode == BOOT_MODE_VCPU) {
		*ret_vcpu = entry->vcpu;
		return;
	}
	*ret_vcpu = (struct boot_vcpu){
		.regs = {.rip = is_first ? entry->rip : entry->other_rip,
			 .rsi = entry->rsi,
			 .rbx = entry->rbx,
			 .rflags = RFLAGS_FIXED},
	};
	sregs_init(&ret_vcpu->sregs, entry);
}
