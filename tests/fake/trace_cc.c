// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Confidential guests: pass on, write down. Of a source it is told whether there is one; what
 * firmware and module say besides the result is the output where nothing else is.
 */
#include <linux/kvm.h>
#include <string.h>

#include "tests/fake/trace_state.h"
#include "vmm/host_cc.h"

/* Stands for the whole of a value that is longer than a number. */
static uint64_t first_bytes(const void *bytes)
{
	uint64_t number;

	memcpy(&number, bytes, sizeof(number));
	return number;
}

static int trace_sev_open(struct host *host)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_SEV_OPEN};
	int ret = host_sev_open(trace->inner);

	call.result = ret < 0 ? ret : 0;
	trace_add_fd(trace, &call, ret);
	return ret;
}

static int trace_sev_get_status(struct host *host, int sev,
				struct sev_user_data_status *ret_status, uint32_t *ret_firmware)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_SEV_GET_STATUS,
				  .numbers = {trace_fd(trace, sev)}};
	int ret = host_sev_get_status(trace->inner, sev, ret_status, ret_firmware);

	call.result = ret;
	call.output = *ret_firmware;
	trace_add(trace, &call);
	return ret;
}

static int trace_snp_get_status(struct host *host, int sev,
				struct sev_user_data_snp_status *ret_status,
				uint32_t *ret_firmware)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_SNP_GET_STATUS,
				  .numbers = {trace_fd(trace, sev)}};
	int ret = host_snp_get_status(trace->inner, sev, ret_status, ret_firmware);

	call.result = ret;
	call.output = *ret_firmware;
	trace_add(trace, &call);
	return ret;
}

static int trace_get_attr(struct host *host, uint32_t group, uint64_t attribute,
			  uint64_t *ret_value)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_CC_GET_ATTR, .numbers = {group, attribute}};
	int ret = host_cc_get_attr(trace->inner, group, attribute, ret_value);

	call.result = ret;
	if (!ret)
		call.output = *ret_value;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_set_debugregs(struct host *host, int vcpu,
				    const struct kvm_debugregs *regs)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_SET_DEBUGREGS,
				  .numbers = {trace_fd(trace, vcpu), regs->dr6, regs->dr7}};
	int ret = host_vcpu_set_debugregs(trace->inner, vcpu, regs);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_vcpu_set_xsave(struct host *host, int vcpu, const struct kvm_xsave *xsave)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_VCPU_SET_XSAVE,
				  .numbers = {trace_fd(trace, vcpu)}};
	int ret = host_vcpu_set_xsave(trace->inner, vcpu, xsave);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_snp_init(struct host *host, int vm, int sev, const struct kvm_sev_init *init,
			  uint32_t *ret_firmware)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_SNP_INIT,
				  .numbers = {trace_fd(trace, vm), init->vmsa_features,
					      init->flags, init->ghcb_version}};
	int ret = host_snp_init(trace->inner, vm, sev, init, ret_firmware);

	call.result = ret;
	call.output = *ret_firmware;
	trace_add(trace, &call);
	return ret;
}

static int trace_snp_enable_certs(struct host *host, int vm, int sev, uint32_t *ret_firmware)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_SNP_ENABLE_CERTS,
				  .numbers = {trace_fd(trace, vm)}};
	int ret = host_snp_enable_certs(trace->inner, vm, sev, ret_firmware);

	call.result = ret;
	call.output = *ret_firmware;
	trace_add(trace, &call);
	return ret;
}

static int trace_snp_launch_start(struct host *host, int vm, int sev,
				  const struct kvm_sev_snp_launch_start *start,
				  uint32_t *ret_firmware)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {
		.verb = VERB_SNP_LAUNCH_START,
		.numbers = {trace_fd(trace, vm), start->policy, start->flags}};
	int ret = host_snp_launch_start(trace->inner, vm, sev, start, ret_firmware);

	call.result = ret;
	call.output = *ret_firmware;
	trace_add(trace, &call);
	return ret;
}

static int trace_snp_launch_update(struct host *host, int vm, int sev,
				   struct kvm_sev_snp_launch_update *update,
				   uint32_t *ret_firmware)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_SNP_LAUNCH_UPDATE,
				  .numbers = {trace_fd(trace, vm), update->type,
					      update->gfn_start, update->len,
					      update->uaddr != 0, update->flags}};
	int ret = host_snp_launch_update(trace->inner, vm, sev, update, ret_firmware);

	call.result = ret;
	call.output = update->len;
	trace_add(trace, &call);
	return ret;
}

static int trace_snp_launch_finish(struct host *host, int vm, int sev,
				   const struct kvm_sev_snp_launch_finish *finish,
				   uint32_t *ret_firmware)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_SNP_LAUNCH_FINISH,
				  .numbers = {trace_fd(trace, vm), finish->id_block_en,
					      finish->auth_key_en, finish->vcek_disabled,
					      first_bytes(finish->host_data), finish->flags}};
	int ret = host_snp_launch_finish(trace->inner, vm, sev, finish, ret_firmware);

	call.result = ret;
	call.output = *ret_firmware;
	trace_add(trace, &call);
	return ret;
}

static int trace_tdx_get_capabilities(struct host *host, int vm,
				      struct kvm_tdx_capabilities *capabilities,
				      uint64_t *ret_module)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_TDX_GET_CAPABILITIES,
				  .numbers = {trace_fd(trace, vm), capabilities->cpuid.nent}};
	int ret = host_tdx_get_capabilities(trace->inner, vm, capabilities, ret_module);

	call.result = ret;
	if (!ret)
		call.output = capabilities->cpuid.nent;
	trace_add(trace, &call);
	return ret;
}

static int trace_tdx_init_vm(struct host *host, int vm, const struct kvm_tdx_init_vm *init,
			     uint64_t *ret_module)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_TDX_INIT_VM,
				  .numbers = {trace_fd(trace, vm), init->attributes, init->xfam,
					      init->cpuid.nent, first_bytes(init->mrconfigid),
					      first_bytes(init->mrowner)}};
	int ret = host_tdx_init_vm(trace->inner, vm, init, ret_module);

	call.result = ret;
	call.output = *ret_module;
	trace_add(trace, &call);
	return ret;
}

static int trace_tdx_init_vcpu(struct host *host, int vcpu, uint64_t value,
			       uint64_t *ret_module)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_TDX_INIT_VCPU,
				  .numbers = {trace_fd(trace, vcpu), value}};
	int ret = host_tdx_init_vcpu(trace->inner, vcpu, value, ret_module);

	call.result = ret;
	call.output = *ret_module;
	trace_add(trace, &call);
	return ret;
}

static int trace_tdx_get_cpuid(struct host *host, int vcpu, struct kvm_cpuid2 *cpuid,
			       uint64_t *ret_module)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_TDX_GET_CPUID,
				  .numbers = {trace_fd(trace, vcpu), cpuid->nent}};
	int ret = host_tdx_get_cpuid(trace->inner, vcpu, cpuid, ret_module);

	call.result = ret;
	call.output = cpuid->nent;
	trace_add(trace, &call);
	return ret;
}

static int trace_tdx_init_mem_region(struct host *host, int vcpu,
				     struct kvm_tdx_init_mem_region *region, bool is_measured,
				     uint64_t *ret_module)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_TDX_INIT_MEM_REGION,
				  .numbers = {trace_fd(trace, vcpu), region->gpa,
					      region->nr_pages, region->source_addr != 0,
					      is_measured}};
	int ret = host_tdx_init_mem_region(trace->inner, vcpu, region, is_measured, ret_module);

	call.result = ret;
	call.output = region->nr_pages;
	trace_add(trace, &call);
	return ret;
}

static int trace_tdx_finalize_vm(struct host *host, int vm, uint64_t *ret_module)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_TDX_FINALIZE_VM,
				  .numbers = {trace_fd(trace, vm)}};
	int ret = host_tdx_finalize_vm(trace->inner, vm, ret_module);

	call.result = ret;
	call.output = *ret_module;
	trace_add(trace, &call);
	return ret;
}

const struct host_cc_ops trace_cc_ops = {
	.get_attr = trace_get_attr,
	.vcpu_set_debugregs = trace_vcpu_set_debugregs,
	.vcpu_set_xsave = trace_vcpu_set_xsave,
	.sev_open = trace_sev_open,
	.sev_get_status = trace_sev_get_status,
	.snp_get_status = trace_snp_get_status,
	.snp_init = trace_snp_init,
	.snp_enable_certs = trace_snp_enable_certs,
	.snp_launch_start = trace_snp_launch_start,
	.snp_launch_update = trace_snp_launch_update,
	.snp_launch_finish = trace_snp_launch_finish,
	.tdx_get_capabilities = trace_tdx_get_capabilities,
	.tdx_init_vm = trace_tdx_init_vm,
	.tdx_init_vcpu = trace_tdx_init_vcpu,
	.tdx_get_cpuid = trace_tdx_get_cpuid,
	.tdx_init_mem_region = trace_tdx_init_mem_region,
	.tdx_finalize_vm = trace_tdx_finalize_vm,
};
