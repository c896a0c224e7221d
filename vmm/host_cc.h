/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of the door that confidential guests need: SEV-SNP and TDX.
 *
 * Structures are those of asm/kvm.h. A command can fail twice: the kernel says -errno, and
 * where the processor's firmware or module refused, its own status tells why. Sources:
 * Documentation/virt/kvm/x86/amd-memory-encryption.rst, intel-tdx.rst.
 */
#ifndef VMM_HOST_CC_H
#define VMM_HOST_CC_H

#include <stdbool.h>

#include "vmm/host.h"

struct kvm_debugregs;
struct kvm_sev_init;
struct kvm_sev_snp_launch_finish;
struct kvm_sev_snp_launch_start;
struct kvm_sev_snp_launch_update;
struct kvm_tdx_capabilities;
struct kvm_tdx_init_mem_region;
struct kvm_tdx_init_vm;
struct kvm_xsave;
struct sev_user_data_snp_status;
struct sev_user_data_status;

/* What the firmware says when the kernel failed before it asked (linux/psp-sev.h). */
#define HOST_SEV_NO_CALL UINT32_MAX

struct host_cc_ops {
	int (*get_attr)(struct host *host, uint32_t group, uint64_t attribute,
			uint64_t *ret_value);
	int (*vcpu_set_debugregs)(struct host *host, int vcpu,
				  const struct kvm_debugregs *regs);
	int (*vcpu_set_xsave)(struct host *host, int vcpu, const struct kvm_xsave *xsave);
	/* SEV-SNP. */
	int (*sev_open)(struct host *host);
	int (*sev_get_status)(struct host *host, int sev,
			      struct sev_user_data_status *ret_status, uint32_t *ret_firmware);
	int (*snp_get_status)(struct host *host, int sev,
			      struct sev_user_data_snp_status *ret_status,
			      uint32_t *ret_firmware);
	int (*snp_init)(struct host *host, int vm, int sev, const struct kvm_sev_init *init,
			uint32_t *ret_firmware);
	int (*snp_enable_certs)(struct host *host, int vm, int sev, uint32_t *ret_firmware);
	int (*snp_launch_start)(struct host *host, int vm, int sev,
				const struct kvm_sev_snp_launch_start *start,
				uint32_t *ret_firmware);
	int (*snp_launch_update)(struct host *host, int vm, int sev,
				 struct kvm_sev_snp_launch_update *update,
				 uint32_t *ret_firmware);
	int (*snp_launch_finish)(struct host *host, int vm, int sev,
				 const struct kvm_sev_snp_launch_finish *finish,
				 uint32_t *ret_firmware);
	/* TDX. */
	int (*tdx_get_capabilities)(struct host *host, int vm,
				    struct kvm_tdx_capabilities *capabilities,
				    uint64_t *ret_module);
	int (*tdx_init_vm)(struct host *host, int vm, const struct kvm_tdx_init_vm *init,
			   uint64_t *ret_module);
	int (*tdx_init_vcpu)(struct host *host, int vcpu, uint64_t value, uint64_t *ret_module);
	int (*tdx_get_cpuid)(struct host *host, int vcpu, struct kvm_cpuid2 *cpuid,
			     uint64_t *ret_module);
	int (*tdx_init_mem_region)(struct host *host, int vcpu,
				   struct kvm_tdx_init_mem_region *region, bool is_measured,
				   uint64_t *ret_module);
	int (*tdx_finalize_vm)(struct host *host, int vm, uint64_t *ret_module);
};

/**
 * A number that KVM tells about itself (KVM_GET_DEVICE_ATTR on /dev/kvm).
 *
 * @group, @attribute: KVM_X86_GRP_SEV and KVM_X86_SEV_*, ...
 * Returns 0; -ENXIO (no such attribute, or hardware without it), -ENOTTY (a kernel without
 * attributes of /dev/kvm), -errno.
 */
static inline int host_cc_get_attr(struct host *host, uint32_t group, uint64_t attribute,
				   uint64_t *ret_value)
{
	return host->ops->cc->get_attr(host, group, attribute, ret_value);
}

/**
 * Debug registers (KVM_SET_DEBUGREGS), before the launch ends.
 *
 * Returns 0, -EINVAL (reserved bits, or the guest has its state by now), -errno.
 */
static inline int host_vcpu_set_debugregs(struct host *host, int vcpu,
					  const struct kvm_debugregs *regs)
{
	return host->ops->cc->vcpu_set_debugregs(host, vcpu, regs);
}

/**
 * Floating point and vector registers (KVM_SET_XSAVE), before the launch ends. Components that
 * are not in the header's XSTATE_BV stay as they are.
 *
 * Returns 0, -EINVAL (reserved bits of MXCSR, components the guest does not have, or the guest
 * has its state by now), -errno.
 * Source: Linux arch/x86/kernel/fpu/xstate.c, copy_uabi_to_xstate.
 */
static inline int host_vcpu_set_xsave(struct host *host, int vcpu,
				      const struct kvm_xsave *xsave)
{
	return host->ops->cc->vcpu_set_xsave(host, vcpu, xsave);
}

/* --- SEV-SNP: @ret_firmware is 0, HOST_SEV_NO_CALL or a status of linux/psp-sev.h --- */

/**
 * /dev/sev, which names the secure processor to all commands below. Release with host_close.
 *
 * Returns its descriptor or -errno.
 */
static inline int host_sev_open(struct host *host)
{
	return host->ops->cc->sev_open(host);
}

/**
 * What the secure processor says of itself (SEV_PLATFORM_STATUS, linux/psp-sev.h).
 *
 * Returns 0; -EIO (*ret_firmware says why), -ENODEV (no secure processor, or it is dead),
 * -errno.
 */
static inline int host_sev_get_status(struct host *host, int sev,
				      struct sev_user_data_status *ret_status,
				      uint32_t *ret_firmware)
{
	return host->ops->cc->sev_get_status(host, sev, ret_status, ret_firmware);
}

/**
 * The same of its part for SNP (SNP_PLATFORM_STATUS). Returns as host_sev_get_status; -EINVAL
 * (a kernel without SNP).
 */
static inline int host_snp_get_status(struct host *host, int sev,
				      struct sev_user_data_snp_status *ret_status,
				      uint32_t *ret_firmware)
{
	return host->ops->cc->snp_get_status(host, sev, ret_status, ret_firmware);
}

/**
 * KVM_SEV_INIT2, before there is a vCPU.
 *
 * Returns 0; -EINVAL (a feature or version this host lacks, or there is a vCPU), -EPERM (not
 * the first time), -EBUSY (no ASID left, or the misc cgroup's limit of sev_es), -ENOTTY (no
 * ASIDs for SNP guests), -errno.
 */
static inline int host_snp_init(struct host *host, int vm, int sev,
				const struct kvm_sev_init *init, uint32_t *ret_firmware)
{
	return host->ops->cc->snp_init(host, vm, sev, init, ret_firmware);
}

/**
 * KVM_SEV_SNP_ENABLE_REQ_CERTS, before there is a vCPU: KVM_EXIT_SNP_REQ_CERTS will come.
 *
 * Returns 0, -EINVAL (also: a kernel that does not know it), -errno.
 */
static inline int host_snp_enable_certs(struct host *host, int vm, int sev,
					uint32_t *ret_firmware)
{
	return host->ops->cc->snp_enable_certs(host, vm, sev, ret_firmware);
}

/**
 * KVM_SEV_SNP_LAUNCH_START.
 *
 * Returns 0; -EINVAL (a bit of the policy, or not the first time), -EIO and -ENOTTY
 * (*ret_firmware says why; after it, one may try again), -ENOTTY (before KVM_SEV_INIT2),
 * -errno.
 */
static inline int host_snp_launch_start(struct host *host, int vm, int sev,
					const struct kvm_sev_snp_launch_start *start,
					uint32_t *ret_firmware)
{
	return host->ops->cc->snp_launch_start(host, vm, sev, start, ret_firmware);
}

/**
 * KVM_SEV_SNP_LAUNCH_UPDATE: pages that the guest starts with.
 *
 * @update: on return what is left to do: call again until len is 0.
 * Returns 0 (perhaps for a part only); -EIO (the first page failed, for any reason:
 * *ret_firmware tells more, 0 is the kernel's own); -EINVAL (no memslot with guest_memfd, no
 * source where one is needed), -EAGAIN, -errno.
 */
static inline int host_snp_launch_update(struct host *host, int vm, int sev,
					 struct kvm_sev_snp_launch_update *update,
					 uint32_t *ret_firmware)
{
	return host->ops->cc->snp_launch_update(host, vm, sev, update, ret_firmware);
}

/**
 * KVM_SEV_SNP_LAUNCH_FINISH: adds all vCPUs; their registers cannot be reached any more.
 *
 * No vCPU may be in KVM_RUN: KVM waits for it.
 * Returns 0; -EIO (*ret_firmware says why: measurement, policy or signature), -EINVAL, -errno.
 * After an error the VM is of no use.
 */
static inline int host_snp_launch_finish(struct host *host, int vm, int sev,
					 const struct kvm_sev_snp_launch_finish *finish,
					 uint32_t *ret_firmware)
{
	return host->ops->cc->snp_launch_finish(host, vm, sev, finish, ret_firmware);
}

/* --- TDX: @ret_module is 0 or the status of a SEAMCALL (Intel TDX module ABI) --- */

/**
 * KVM_TDX_CAPABILITIES, before host_tdx_init_vm.
 *
 * @capabilities: cpuid.nent entries of room in, what can be configured out.
 * Returns 0, -E2BIG (room too small; nothing is told of how much is needed), -errno.
 */
static inline int host_tdx_get_capabilities(struct host *host, int vm,
					    struct kvm_tdx_capabilities *capabilities,
					    uint64_t *ret_module)
{
	return host->ops->cc->tdx_get_capabilities(host, vm, capabilities, ret_module);
}

/**
 * KVM_TDX_INIT_VM, before there is a vCPU.
 *
 * Returns 0; -EAGAIN (no entropy: ask again), -EINVAL (the module's status names the field),
 * -ENOSPC (no key left), -EBUSY (the misc cgroup's limit of tdx), -EIO (a package without an
 * online processor), -errno. After an error other than -EAGAIN the VM is of no use.
 */
static inline int host_tdx_init_vm(struct host *host, int vm,
				   const struct kvm_tdx_init_vm *init, uint64_t *ret_module)
{
	return host->ops->cc->tdx_init_vm(host, vm, init, ret_module);
}

/**
 * KVM_TDX_INIT_VCPU, after the vCPU has its CPUID leaves.
 *
 * @value: what it finds in RCX and R8.
 * Returns 0, -EINVAL, -errno.
 */
static inline int host_tdx_init_vcpu(struct host *host, int vcpu, uint64_t value,
				     uint64_t *ret_module)
{
	return host->ops->cc->tdx_init_vcpu(host, vcpu, value, ret_module);
}

/**
 * KVM_TDX_GET_CPUID: the leaves the guest really sees.
 *
 * @cpuid: nent entries of room in, number of entries out.
 * Returns 0, -E2BIG (room too small; nent says what is needed), -errno.
 */
static inline int host_tdx_get_cpuid(struct host *host, int vcpu, struct kvm_cpuid2 *cpuid,
				     uint64_t *ret_module)
{
	return host->ops->cc->tdx_get_cpuid(host, vcpu, cpuid, ret_module);
}

/**
 * KVM_TDX_INIT_MEM_REGION: pages that the guest starts with.
 *
 * @region: on return what is left to do, also on error.
 * Returns 0; -EINTR, -EAGAIN, -EBUSY (call again with the same region), -EINVAL, -EOPNOTSUPP (a
 * source is needed; Linux 7.3 says -EINVAL), -EIO (the page is there already), -errno.
 */
static inline int host_tdx_init_mem_region(struct host *host, int vcpu,
					   struct kvm_tdx_init_mem_region *region,
					   bool is_measured, uint64_t *ret_module)
{
	return host->ops->cc->tdx_init_mem_region(host, vcpu, region, is_measured, ret_module);
}

/**
 * KVM_TDX_FINALIZE_VM: the measurement is complete. Returns 0, -EBUSY (call again), -errno.
 */
static inline int host_tdx_finalize_vm(struct host *host, int vm, uint64_t *ret_module)
{
	return host->ops->cc->tdx_finalize_vm(host, vm, ret_module);
}

#endif
