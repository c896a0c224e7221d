// SPDX-License-Identifier: GPL-2.0-or-later
/* The real kernel's verbs for confidential guests. */
#include <linux/kvm.h>
#include <linux/psp-sev.h>

#include "vmm/host_cc.h"
#include "vmm/host_linux.h"

static int linux_get_attr(struct host *host, uint32_t group, uint64_t attribute,
			  uint64_t *ret_value)
{
	const struct kvm_device_attr request = {
		.group = group,
		.attr = attribute,
		.addr = (uintptr_t)ret_value,
	};

	return host_linux_ioctl(host_linux_kvm(host), KVM_GET_DEVICE_ATTR, &request);
}

static int linux_vcpu_set_debugregs(struct host *host, int vcpu,
				    const struct kvm_debugregs *regs)
{
	(void)host;
	return host_linux_ioctl(vcpu, KVM_SET_DEBUGREGS, regs);
}

static int linux_vcpu_set_xsave(struct host *host, int vcpu, const struct kvm_xsave *xsave)
{
	(void)host;
	return host_linux_ioctl(vcpu, KVM_SET_XSAVE, xsave);
}

/* --- SEV-SNP --- */

static int linux_sev_open(struct host *host)
{
	(void)host;
	return host_linux_open("/dev/sev");
}

static int psp_command(int sev, uint32_t id, void *data, uint32_t *ret_firmware)
{
	struct sev_issue_cmd command = {.cmd = id, .data = (uintptr_t)data};
	int ret = host_linux_ioctl(sev, SEV_ISSUE_CMD, &command);

	*ret_firmware = command.error;
	return ret;
}

static int linux_sev_get_status(struct host *host, int sev,
				struct sev_user_data_status *ret_status, uint32_t *ret_firmware)
{
	(void)host;
	return psp_command(sev, SEV_PLATFORM_STATUS, ret_status, ret_firmware);
}

static int linux_snp_get_status(struct host *host, int sev,
				struct sev_user_data_snp_status *ret_status,
				uint32_t *ret_firmware)
{
	(void)host;
	return psp_command(sev, SNP_PLATFORM_STATUS, ret_status, ret_firmware);
}

static int sev_command(int vm, int sev, uint32_t id, const void *data, uint32_t *ret_firmware)
{
	struct kvm_sev_cmd command = {
		.id = id,
		.data = (uintptr_t)data,
		.sev_fd = (uint32_t)sev,
	};
	int ret = host_linux_ioctl(vm, KVM_MEMORY_ENCRYPT_OP, &command);

	*ret_firmware = command.error;
	return ret;
}

static int linux_snp_init(struct host *host, int vm, int sev, const struct kvm_sev_init *init,
			  uint32_t *ret_firmware)
{
	(void)host;
	return sev_command(vm, sev, KVM_SEV_INIT2, init, ret_firmware);
}

static int linux_snp_enable_certs(struct host *host, int vm, int sev, uint32_t *ret_firmware)
{
	(void)host;
	return sev_command(vm, sev, KVM_SEV_SNP_ENABLE_REQ_CERTS, NULL, ret_firmware);
}

static int linux_snp_launch_start(struct host *host, int vm, int sev,
				  const struct kvm_sev_snp_launch_start *start,
				  uint32_t *ret_firmware)
{
	(void)host;
	return sev_command(vm, sev, KVM_SEV_SNP_LAUNCH_START, start, ret_firmware);
}

static int linux_snp_launch_update(struct host *host, int vm, int sev,
				   struct kvm_sev_snp_launch_update *update,
				   uint32_t *ret_firmware)
{
	(void)host;
	return sev_command(vm, sev, KVM_SEV_SNP_LAUNCH_UPDATE, update, ret_firmware);
}

static int linux_snp_launch_finish(struct host *host, int vm, int sev,
				   const struct kvm_sev_snp_launch_finish *finish,
				   uint32_t *ret_firmware)
{
	(void)host;
	return sev_command(vm, sev, KVM_SEV_SNP_LAUNCH_FINISH, finish, ret_firmware);
}

/* --- TDX --- */

/* @fd: of a VM or a vCPU, as the command wants it. */
static int tdx_command(int fd, const struct kvm_tdx_cmd *wanted, uint64_t *ret_module)
{
	struct kvm_tdx_cmd command = *wanted;
	int ret = host_linux_ioctl(fd, KVM_MEMORY_ENCRYPT_OP, &command);

	*ret_module = command.hw_error;
	return ret;
}

static int linux_tdx_get_capabilities(struct host *host, int vm,
				      struct kvm_tdx_capabilities *capabilities,
				      uint64_t *ret_module)
{
	const struct kvm_tdx_cmd command = {.id = KVM_TDX_CAPABILITIES,
					    .data = (uintptr_t)capabilities};

	(void)host;
	return tdx_command(vm, &command, ret_module);
}

static int linux_tdx_init_vm(struct host *host, int vm, const struct kvm_tdx_init_vm *init,
			     uint64_t *ret_module)
{
	const struct kvm_tdx_cmd command = {.id = KVM_TDX_INIT_VM, .data = (uintptr_t)init};

	(void)host;
	return tdx_command(vm, &command, ret_module);
}

static int linux_tdx_init_vcpu(struct host *host, int vcpu, uint64_t value,
			       uint64_t *ret_module)
{
	/* The value itself, not a pointer to it. */
	const struct kvm_tdx_cmd command = {.id = KVM_TDX_INIT_VCPU, .data = value};

	(void)host;
	return tdx_command(vcpu, &command, ret_module);
}

static int linux_tdx_get_cpuid(struct host *host, int vcpu, struct kvm_cpuid2 *cpuid,
			       uint64_t *ret_module)
{
	const struct kvm_tdx_cmd command = {.id = KVM_TDX_GET_CPUID, .data = (uintptr_t)cpuid};

	(void)host;
	return tdx_command(vcpu, &command, ret_module);
}

static int linux_tdx_init_mem_region(struct host *host, int vcpu,
				     struct kvm_tdx_init_mem_region *region, bool is_measured,
				     uint64_t *ret_module)
{
	const struct kvm_tdx_cmd command = {
		.id = KVM_TDX_INIT_MEM_REGION,
		.flags = is_measured ? KVM_TDX_MEASURE_MEMORY_REGION : 0,
		.data = (uintptr_t)region,
	};

	(void)host;
	return tdx_command(vcpu, &command, ret_module);
}

static int linux_tdx_finalize_vm(struct host *host, int vm, uint64_t *ret_module)
{
	const struct kvm_tdx_cmd command = {.id = KVM_TDX_FINALIZE_VM};

	(void)host;
	return tdx_command(vm, &command, ret_module);
}

const struct host_cc_ops host_linux_cc_ops = {
	.get_attr = linux_get_attr,
	.vcpu_set_debugregs = linux_vcpu_set_debugregs,
	.vcpu_set_xsave = linux_vcpu_set_xsave,
	.sev_open = linux_sev_open,
	.sev_get_status = linux_sev_get_status,
	.snp_get_status = linux_snp_get_status,
	.snp_init = linux_snp_init,
	.snp_enable_certs = linux_snp_enable_certs,
	.snp_launch_start = linux_snp_launch_start,
	.snp_launch_update = linux_snp_launch_update,
	.snp_launch_finish = linux_snp_launch_finish,
	.tdx_get_capabilities = linux_tdx_get_capabilities,
	.tdx_init_vm = linux_tdx_init_vm,
	.tdx_init_vcpu = linux_tdx_init_vcpu,
	.tdx_get_cpuid = linux_tdx_get_cpuid,
	.tdx_init_mem_region = linux_tdx_init_mem_region,
	.tdx_finalize_vm = linux_tdx_finalize_vm,
};
