// SPDX-License-Identifier: GPL-2.0-or-later
/* Confidential guests: fail or pass on. */
#include <linux/kvm.h>

#include "tests/fake/faulty_state.h"
#include "vmm/cleanup.h"
#include "vmm/host_cc.h"

/* The status that comes with a failure. A call that fails so changed nothing. */
static uint64_t status_of(struct faulty *faulty)
{
	WITH_LOCK(&faulty->lock);

	return faulty->fault.status;
}

static int faulty_sev_open(struct host *host)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_SEV_OPEN);

	return fault ? fault : host_sev_open(faulty->inner);
}

static int faulty_sev_get_status(struct host *host, int sev,
				 struct sev_user_data_status *ret_status,
				 uint32_t *ret_firmware)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_SEV_GET_STATUS);

	*ret_firmware = HOST_SEV_NO_CALL;
	return fault ? fault
		     : host_sev_get_status(faulty->inner, sev, ret_status, ret_firmware);
}

static int faulty_snp_get_status(struct host *host, int sev,
				 struct sev_user_data_snp_status *ret_status,
				 uint32_t *ret_firmware)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_SNP_GET_STATUS);

	*ret_firmware = HOST_SEV_NO_CALL;
	return fault ? fault
		     : host_snp_get_status(faulty->inner, sev, ret_status, ret_firmware);
}

static int faulty_get_attr(struct host *host, uint32_t group, uint64_t attribute,
			   uint64_t *ret_value)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_CC_GET_ATTR);

	return fault ? fault : host_cc_get_attr(faulty->inner, group, attribute, ret_value);
}

static int faulty_vcpu_set_debugregs(struct host *host, int vcpu,
				     const struct kvm_debugregs *regs)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_SET_DEBUGREGS);

	return fault ? fault : host_vcpu_set_debugregs(faulty->inner, vcpu, regs);
}

static int faulty_vcpu_set_xsave(struct host *host, int vcpu, const struct kvm_xsave *xsave)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_VCPU_SET_XSAVE);

	return fault ? fault : host_vcpu_set_xsave(faulty->inner, vcpu, xsave);
}

static int faulty_snp_init(struct host *host, int vm, int sev, const struct kvm_sev_init *init,
			   uint32_t *ret_firmware)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_SNP_INIT);

	if (fault)
		*ret_firmware = (uint32_t)status_of(faulty);
	return fault ? fault : host_snp_init(faulty->inner, vm, sev, init, ret_firmware);
}

static int faulty_snp_enable_certs(struct host *host, int vm, int sev, uint32_t *ret_firmware)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_SNP_ENABLE_CERTS);

	if (fault)
		*ret_firmware = (uint32_t)status_of(faulty);
	return fault ? fault : host_snp_enable_certs(faulty->inner, vm, sev, ret_firmware);
}

static int faulty_snp_launch_start(struct host *host, int vm, int sev,
				   const struct kvm_sev_snp_launch_start *start,
				   uint32_t *ret_firmware)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_SNP_LAUNCH_START);

	if (fault)
		*ret_firmware = (uint32_t)status_of(faulty);
	return fault ? fault
		     : host_snp_launch_start(faulty->inner, vm, sev, start, ret_firmware);
}

static int faulty_snp_launch_update(struct host *host, int vm, int sev,
				    struct kvm_sev_snp_launch_update *update,
				    uint32_t *ret_firmware)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_SNP_LAUNCH_UPDATE);

	if (fault)
		*ret_firmware = (uint32_t)status_of(faulty);
	return fault ? fault
		     : host_snp_launch_update(faulty->inner, vm, sev, update, ret_firmware);
}

static int faulty_snp_launch_finish(struct host *host, int vm, int sev,
				    const struct kvm_sev_snp_launch_finish *finish,
				    uint32_t *ret_firmware)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_SNP_LAUNCH_FINISH);

	if (fault)
		*ret_firmware = (uint32_t)status_of(faulty);
	return fault ? fault
		     : host_snp_launch_finish(faulty->inner, vm, sev, finish, ret_firmware);
}

static int faulty_tdx_get_capabilities(struct host *host, int vm,
				       struct kvm_tdx_capabilities *capabilities,
				       uint64_t *ret_module)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_TDX_GET_CAPABILITIES);

	if (fault)
		*ret_module = status_of(faulty);
	return fault ? fault
		     : host_tdx_get_capabilities(faulty->inner, vm, capabilities, ret_module);
}

static int faulty_tdx_init_vm(struct host *host, int vm, const struct kvm_tdx_init_vm *init,
			      uint64_t *ret_module)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_TDX_INIT_VM);

	if (fault)
		*ret_module = status_of(faulty);
	return fault ? fault : host_tdx_init_vm(faulty->inner, vm, init, ret_module);
}

static int faulty_tdx_init_vcpu(struct host *host, int vcpu, uint64_t value,
				uint64_t *ret_module)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_TDX_INIT_VCPU);

	if (fault)
		*ret_module = status_of(faulty);
	return fault ? fault : host_tdx_init_vcpu(faulty->inner, vcpu, value, ret_module);
}

static int faulty_tdx_get_cpuid(struct host *host, int vcpu, struct kvm_cpuid2 *cpuid,
				uint64_t *ret_module)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_TDX_GET_CPUID);

	if (fault)
		*ret_module = status_of(faulty);
	return fault ? fault : host_tdx_get_cpuid(faulty->inner, vcpu, cpuid, ret_module);
}

static int faulty_tdx_init_mem_region(struct host *host, int vcpu,
				      struct kvm_tdx_init_mem_region *region, bool is_measured,
				      uint64_t *ret_module)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_TDX_INIT_MEM_REGION);

	if (fault)
		*ret_module = status_of(faulty);
	return fault ? fault
		     : host_tdx_init_mem_region(faulty->inner, vcpu, region, is_measured,
						ret_module);
}

static int faulty_tdx_finalize_vm(struct host *host, int vm, uint64_t *ret_module)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_TDX_FINALIZE_VM);

	if (fault)
		*ret_module = status_of(faulty);
	return fault ? fault : host_tdx_finalize_vm(faulty->inner, vm, ret_module);
}

const struct host_cc_ops faulty_cc_ops = {
	.get_attr = faulty_get_attr,
	.vcpu_set_debugregs = faulty_vcpu_set_debugregs,
	.vcpu_set_xsave = faulty_vcpu_set_xsave,
	.sev_open = faulty_sev_open,
	.sev_get_status = faulty_sev_get_status,
	.snp_get_status = faulty_snp_get_status,
	.snp_init = faulty_snp_init,
	.snp_enable_certs = faulty_snp_enable_certs,
	.snp_launch_start = faulty_snp_launch_start,
	.snp_launch_update = faulty_snp_launch_update,
	.snp_launch_finish = faulty_snp_launch_finish,
	.tdx_get_capabilities = faulty_tdx_get_capabilities,
	.tdx_init_vm = faulty_tdx_init_vm,
	.tdx_init_vcpu = faulty_tdx_init_vcpu,
	.tdx_get_cpuid = faulty_tdx_get_cpuid,
	.tdx_init_mem_region = faulty_tdx_init_mem_region,
	.tdx_finalize_vm = faulty_tdx_finalize_vm,
};
