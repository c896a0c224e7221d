/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From files to a guest that can take its first instruction: kernel images, boot parameters and
 * hardware description.
 *
 * Builders are pure: they make bytes from values, and one function puts everything into guest
 * memory. All input files may be malformed.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>

#include "memory/memory.h"
#include "vmm/range.h"

struct err;
struct launch;

/* How the hardware is described to the guest. */
enum boot_hw {
	BOOT_HW_ACPI,
	BOOT_HW_FDT,
};

/* Who lets the guest use its private memory, after a check by the guest itself. */
enum boot_guard {
	BOOT_GUARD_NONE, /* nobody has to */
	BOOT_GUARD_SNP,	 /* the guest validates it: PVALIDATE */
	BOOT_GUARD_TDX,	 /* the guest accepts it: TDG.MEM.PAGE.ACCEPT */
};

/* The machine that the tables describe; fixed addresses are in vmm/platform.h. */
struct boot_machine {
	const struct layout *layout;
	unsigned int n_vcpus; /* 1 .. PLATFORM_VCPUS_MAX; APIC IDs count from 0 */
	enum boot_hw hw;
	enum boot_guard guard; /* not NONE: the layout has BOOT_STUB_BYTES for firmware */
	unsigned int c_bit; /* SNP: the bit of a page-table entry that makes a page private */
};

/* What to boot. Paths are opened read-only. */
struct boot_source {
	const char *kernel_path; /* bzImage or ELF with a PVH note */
	const char *initrd_path; /* NULL: none */
	const char *cmdline;	 /* never NULL */
};

/* The state in which the boot processor enters the guest. */
enum boot_mode {
	BOOT_MODE_LONG64, /* 64-bit, paging on, Documentation/arch/x86/boot.rst */
	BOOT_MODE_PVH32,  /* 32-bit protected mode, paging off, PVH start info */
	BOOT_MODE_RESET,  /* as after a reset: real mode, at 0xfffffff0 */
	BOOT_MODE_VCPU,	  /* as a file says, register by register */
};

/* State that KVM has other calls for: KVM_SET_DEBUGREGS, KVM_SET_MSRS, KVM_SET_XSAVE. */
struct boot_vcpu_state {
	uint64_t dr6;
	uint64_t dr7;
	uint64_t pat;
	uint32_t mxcsr;
	uint16_t fcw;
};

/* A processor, as far as the host can say. */
struct boot_vcpu {
	struct kvm_regs regs;
	struct kvm_sregs sregs; /* but for cr2, cr8, apic_base, interrupt_bitmap */
	bool has_state;		/* false: @state, too, is as KVM creates a processor */
	struct boot_vcpu_state state;
};

struct boot_entry {
	enum boot_mode mode;
	gpa_t rip;
	gpa_t rsi; /* LONG64: struct boot_params; else 0 */
	gpa_t rbx; /* PVH32: struct hvm_start_info; else 0 */
	gpa_t cr3; /* LONG64: page tables that map all of low RAM 1:1; else 0 */
	gpa_t gdt; /* BOOT_GDT_BYTES of descriptors: null, null, code of that mode, data */
	gpa_t other_rip;    /* LONG64: where the others start, in the same state; 0: in reset */
	uint32_t ap_start;  /* RESET: real-mode address of the others; 0: as the first */
	uint64_t tdx_value; /* what each processor of a TD finds in RCX and R8 */
	struct boot_vcpu vcpu; /* VCPU */
};

enum {
	BOOT_STUB_BYTES = 64 << 10, /* memory for firmware that the stub of boot_load takes */
	BOOT_GDT_BYTES = 32,
	BOOT_CODE_SELECTOR = 0x10,
	BOOT_DATA_SELECTOR = 0x18,
};

/**
 * Load kernel, initrd, command line, boot parameters and tables into guest memory; boot/place.h
 * says where.
 *
 * A device tree needs a bzImage: PVH has no way to hand it over. So does a guest with a guard,
 * which gets the boot stub (boot/stub.h), too, and starts there.
 * @launch: gets the pages that were written; NULL: nobody wants to know (no guard).
 * Returns 0; -ENOENT and what else open says; -ENOEXEC (no kernel we know, or malformed);
 * -EINVAL (no regular file, command line too long for this kernel, ELF with device tree or
 * guard);
 * -ENOSPC (does not fit RAM below 4 GiB); -ENOMEM; -errno, with @err naming file, cause and
 * cure. Guest memory is partly written on error.
 */
int boot_load(struct guest_memory *memory, const struct boot_machine *machine,
	      const struct boot_source *source, struct launch *launch,
	      struct boot_entry *ret_entry, struct err *err);

/**
 * Let a guest of type sw whose pages have two sides with memory of their own (BACKING_PAIRED)
 * start with all of its memory private, though what was written to the shared side is gone
 * then: copies of it go to a part of RAM that is shared, with code in which the guest starts.
 * That copies them to their places, makes the part private, too, and enters the kernel.
 *
 * @launch: sorted pieces, all in RAM below 4 GiB, whose contents are in @memory; becomes one
 * piece: what must be shared when the guest starts. All other memory is to be private then.
 * @entry: becomes that of the code.
 * Returns 0; -EOPNOTSUPP (@entry is no kernel's); -ENOSPC (no room for the copies); -E2BIG (too
 * many pieces); -ENOMEM; -errno of guest_read and guest_write, with @err set. Guest memory is
 * partly written on error, @launch and @entry are as they were.
 */
int boot_move(struct guest_memory *memory, const struct layout *layout, struct launch *launch,
	      struct boot_entry *entry, struct err *err);

/**
 * The registers of a processor at the start.
 *
 * @is_first: the boot processor; the others are as after a reset unless @entry says otherwise.
 * @signature: CPUID 1 EAX, which a reset leaves in RDX.
 */
void boot_entry_get_vcpu(const struct boot_entry *entry, bool is_first, uint32_t signature,
			 struct boot_vcpu *ret_vcpu);

/* --- Files, before there is a guest --- */

struct boot_kernel {
	enum boot_mode mode;	    /* LONG64: a bzImage, PVH32: ELF */
	unsigned int protocol;	    /* of a bzImage: 0x20f is 2.15; else 0 */
	uint64_t cmdline_max_bytes; /* that it takes */
};

/**
 * What is this kernel?
 *
 * Returns 0; what boot_load says of a kernel file that it cannot boot, with @err.
 */
int boot_inspect_kernel(const char *path, struct boot_kernel *ret_kernel, struct err *err);

/**
 * Can this initrd be opened as boot_load opens it?
 *
 * Returns 0; what boot_load says otherwise, with @err.
 */
int boot_inspect_initrd(const char *path, struct err *err);

enum boot_firmware {
	BOOT_FIRMWARE_SNP,
	BOOT_FIRMWARE_TDX,
};

/**
 * Does this firmware have what a launch of that kind needs?
 *
 * Returns 0; -ENOEXEC (it does not, or is malformed), -errno of reading, with @err.
 */
int boot_inspect_firmware(const char *path, enum boot_firmware kind, struct err *err);

/* Reasons with which the boot stub ends an SNP guest are in this set (GHCB
 * specification, 2.3.1). */
#define BOOT_STUB_REASON_SET 0xa

/* What reason @number of that set is; never NULL. */
const char *boot_stub_describe(unsigned int number);

#endif
