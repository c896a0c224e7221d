/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPUID leaves of a TD: most are the TDX module's, some bits can be configured. */
#ifndef VMM_CPUID_TDX_H
#define VMM_CPUID_TDX_H

#include <stdint.h>

struct kvm_cpuid2;

enum { TDX_CPUID_ENTRIES_MAX = 256 };

/**
 * What to ask for: of all bits that can be configured those that @wanted has.
 *
 * @configurable: of KVM_TDX_CAPABILITIES: masks, in entries without flags.
 * @wanted: of KVM_GET_SUPPORTED_CPUID. What it does not have is zero.
 * @gpa_bits: 48 or 52, width of a guest-physical address with the bit that says "shared".
 * @ret_cpuid: room for as many entries as @configurable has. KVM finds each again by function
 * and index, also where a leaf has no sub-leaves.
 * Source: Linux arch/x86/kvm/vmx/tdx.c, setup_tdparams_cpuids, setup_tdparams_eptp_controls;
 * cpuid.c, kvm_find_cpuid_entry2.
 */
void tdx_cpuid_configure(const struct kvm_cpuid2 *configurable, struct kvm_cpuid2 *wanted,
			 unsigned int gpa_bits, struct kvm_cpuid2 *ret_cpuid);

/**
 * Of the extended state that a TD can have (@supported, KVM_TDX_CAPABILITIES) what KVM offers
 * guests of this process (@offered, leaf 0xd). It would refuse leaves of a vCPU with more: AMX
 * takes a permission of the process.
 *
 * Source: Linux arch/x86/kvm/cpuid.c, kvm_check_cpuid, kvm_get_filtered_xcr0.
 */
uint64_t tdx_cpuid_choose_xfam(struct kvm_cpuid2 *offered, uint64_t supported);

/**
 * Bring @cpuid, which KVM is to emulate by, into line with @actual, which the TD sees
 * (KVM_TDX_GET_CPUID): its leaves replace all but KVM's own, which lose the features that a TD
 * cannot have.
 *
 * @cpuid: with room for TDX_CPUID_ENTRIES_MAX entries.
 */
void tdx_cpuid_adopt(struct kvm_cpuid2 *cpuid, const struct kvm_cpuid2 *actual);

#endif
