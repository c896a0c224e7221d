// SPDX-License-Identifier: GPL-2.0-or-later
/* The verbs of iommufd: pass on, write down. */
#include "tests/fake/trace_state.h"
#include "vmm/host_iommu.h"

static int trace_iommu_open(struct host *host)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_OPEN};
	int ret = host_iommu_open(trace->inner);

	call.result = ret < 0 ? ret : 0;
	trace_add_fd(trace, &call, ret);
	return ret;
}

static int trace_iommu_ioas_alloc(struct host *host, int iommu, uint32_t *ret_ioas)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_IOAS_ALLOC,
				  .numbers = {trace_fd(trace, iommu)}};
	int ret = host_iommu_ioas_alloc(trace->inner, iommu, ret_ioas);

	call.result = ret;
	if (!ret)
		call.output = *ret_ioas;
	trace_add(trace, &call);
	return ret;
}

static int trace_iommu_destroy(struct host *host, int iommu, uint32_t object)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_DESTROY,
				  .numbers = {trace_fd(trace, iommu), object}};
	int ret = host_iommu_destroy(trace->inner, iommu, object);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_iommu_set_option(struct host *host, int iommu, uint32_t object,
				  uint32_t option, uint64_t value)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_SET_OPTION,
				  .numbers = {trace_fd(trace, iommu), object, option, value}};
	int ret = host_iommu_set_option(trace->inner, iommu, object, option, value);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_iommu_ioas_allow_iovas(struct host *host, int iommu, uint32_t ioas,
					const struct range *iovas, size_t n)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_IOAS_ALLOW_IOVAS,
				  .numbers = {trace_fd(trace, iommu), ioas, n}};
	int ret = host_iommu_ioas_allow_iovas(trace->inner, iommu, ioas, iovas, n);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_iommu_ioas_get_iova_ranges(struct host *host, int iommu, uint32_t ioas,
					    struct range *ret_iovas, size_t *n,
					    uint64_t *ret_alignment)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_IOAS_GET_IOVA_RANGES,
				  .numbers = {trace_fd(trace, iommu), ioas, *n}};
	int ret = host_iommu_ioas_get_iova_ranges(trace->inner, iommu, ioas, ret_iovas, n,
						  ret_alignment);

	call.result = ret;
	call.output = *n;
	trace_add(trace, &call);
	return ret;
}

static int trace_iommu_ioas_map(struct host *host, int iommu, uint32_t ioas, void *hva,
				struct range iova)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_IOAS_MAP,
				  .numbers = {trace_fd(trace, iommu), ioas,
					      trace_address(trace, (uintptr_t)hva), iova.start,
					      iova.end}};
	int ret = host_iommu_ioas_map(trace->inner, iommu, ioas, hva, iova);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_iommu_ioas_unmap(struct host *host, int iommu, uint32_t ioas,
				  struct range iova, uint64_t *ret_bytes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {
		.verb = VERB_IOMMU_IOAS_UNMAP,
		.numbers = {trace_fd(trace, iommu), ioas, iova.start, iova.end}};
	int ret = host_iommu_ioas_unmap(trace->inner, iommu, ioas, iova, ret_bytes);

	call.result = ret;
	if (!ret)
		call.output = *ret_bytes;
	trace_add(trace, &call);
	return ret;
}

static int trace_iommu_compat_set_ioas(struct host *host, int iommu, uint32_t ioas)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_COMPAT_SET_IOAS,
				  .numbers = {trace_fd(trace, iommu), ioas}};
	int ret = host_iommu_compat_set_ioas(trace->inner, iommu, ioas);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_iommu_compat_unmap(struct host *host, int iommu, struct range iova,
				    uint64_t *ret_bytes)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_IOMMU_COMPAT_UNMAP,
				  .numbers = {trace_fd(trace, iommu), iova.start, iova.end}};
	int ret = host_iommu_compat_unmap(trace->inner, iommu, iova, ret_bytes);

	call.result = ret;
	call.output = *ret_bytes;
	trace_add(trace, &call);
	return ret;
}

static int trace_device_attach_ioas(struct host *host, int device, uint32_t ioas)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_DEVICE_ATTACH_IOAS,
				  .numbers = {trace_fd(trace, device), ioas}};
	int ret = host_device_attach_ioas(trace->inner, device, ioas);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

static int trace_device_detach_ioas(struct host *host, int device)
{
	struct trace *trace = trace_of(host);
	struct trace_call call = {.verb = VERB_DEVICE_DETACH_IOAS,
				  .numbers = {trace_fd(trace, device)}};
	int ret = host_device_detach_ioas(trace->inner, device);

	call.result = ret;
	trace_add(trace, &call);
	return ret;
}

const struct host_iommu_ops trace_iommu_ops = {
	.open = trace_iommu_open,
	.ioas_alloc = trace_iommu_ioas_alloc,
	.destroy = trace_iommu_destroy,
	.set_option = trace_iommu_set_option,
	.ioas_allow_iovas = trace_iommu_ioas_allow_iovas,
	.ioas_get_iova_ranges = trace_iommu_ioas_get_iova_ranges,
	.ioas_map = trace_iommu_ioas_map,
	.ioas_unmap = trace_iommu_ioas_unmap,
	.compat_set_ioas = trace_iommu_compat_set_ioas,
	.compat_unmap = trace_iommu_compat_unmap,
	.device_attach_ioas = trace_device_attach_ioas,
	.device_detach_ioas = trace_device_detach_ioas,
};
