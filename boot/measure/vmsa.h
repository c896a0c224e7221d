/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The save area (VMSA) of a processor of an SEV-SNP guest, which is part of the launch digest.
 *
 * KVM makes it itself when the launch ends, from the registers the processor has then; this is
 * the same from the same registers, so that the digest is known before.
 */
#ifndef BOOT_VMSA_H
#define BOOT_VMSA_H

#include <stdint.h>

#include "boot/boot.h"
#include "boot/launch.h"

/* As KVM creates a processor. */
void snp_state_reset(struct boot_vcpu_state *ret_state);

/* Where the boot processor starts. */
#define SNP_RESET_ENTRY 0xfffffff0U

/* Bit of the VMSA's features that KVM always sets. */
#define SNP_FEATURE_ACTIVE UINT64_C(1)

/**
 * The registers that QEMU starts a processor with, so that digests agree.
 *
 * @entry: real-mode address, SNP_RESET_ENTRY or that of the firmware for other processors.
 * @signature: CPUID 1 EAX, in RDX.
 */
void snp_vcpu_reset(struct boot_vcpu *ret_vcpu, uint32_t entry, uint32_t signature);

/**
 * Change registers after a reset to those that another launches with.
 *
 * @vcpu: as snp_vcpu_reset left it. @is_first: the boot processor.
 * Source: virtee/sev-snp-measure, sevsnpmeasure/vmsa.py.
 */
void snp_vcpu_set_profile(struct boot_vcpu *vcpu, enum launch_profile profile, bool is_first);

/**
 * Make a processor's save area.
 *
 * @features: the guest's VMSA features as given to KVM_SEV_INIT2; SNP_FEATURE_ACTIVE is added.
 * Source: Linux arch/x86/include/asm/svm.h, struct sev_es_save_area; arch/x86/kvm/svm/sev.c,
 * sev_es_sync_vmsa; svm.c, svm_set_segment, svm_set_cr0, svm_set_cr4, svm_set_efer; AMD APM
 * volume 2, table B-4.
 */
void vmsa_init(uint8_t ret_page[GRANULE_BYTES], const struct boot_vcpu *vcpu,
	       uint64_t features);

/**
 * The inverse: the registers for which KVM makes this very page.
 *
 * @ret_vcpu: has_state is set. @ret_features: without SNP_FEATURE_ACTIVE.
 * Returns 0; -ENOEXEC when no registers do that, with @err naming the first field that KVM
 * makes something else of, or the registers it refuses. Source: as vmsa_init; Linux
 * arch/x86/kvm/regs.c, kvm_is_valid_sregs.
 */
int vmsa_parse(const uint8_t page[GRANULE_BYTES], struct boot_vcpu *ret_vcpu,
	       uint64_t *ret_features, struct err *err);

/**
 * CPUID 1 EAX of a processor, as AMD's CPUID specification (25481) puts it together.
 */
uint32_t cpu_signature(unsigned int family, unsigned int model, unsigned int stepping);

#endif
