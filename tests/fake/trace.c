// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/fake/trace.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fake/trace_state.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

static const char *const verb_names[VERB_COUNT] = {
	[VERB_KVM_CHECK_EXTENSION] = "kvm_check_extension",
	[VERB_KVM_GET_SUPPORTED_CPUID] = "kvm_get_supported_cpuid",
	[VERB_VM_CREATE] = "vm_create",
	[VERB_VM_ENABLE_CAP] = "vm_enable_cap",
	[VERB_VM_SET_TSS_ADDRESS] = "vm_set_tss_address",
	[VERB_VM_SET_IDENTITY_MAP] = "vm_set_identity_map",
	[VERB_VM_SET_MEMORY_REGION] = "vm_set_memory_region",
	[VERB_VM_CREATE_GUEST_MEMFD] = "vm_create_guest_memfd",
	[VERB_VM_SET_ATTRIBUTES] = "vm_set_attributes",
	[VERB_GMEM_SET_ATTRIBUTES] = "gmem_set_attributes",
	[VERB_VM_SIGNAL_MSI] = "vm_signal_msi",
	[VERB_VM_IOEVENTFD] = "vm_ioeventfd",
	[VERB_VCPU_CREATE] = "vcpu_create",
	[VERB_VCPU_CLOSE] = "vcpu_close",
	[VERB_VCPU_RUN] = "vcpu_run",
	[VERB_VCPU_SET_CPUID] = "vcpu_set_cpuid",
	[VERB_VCPU_GET_REGS] = "vcpu_get_regs",
	[VERB_VCPU_SET_REGS] = "vcpu_set_regs",
	[VERB_VCPU_GET_SREGS] = "vcpu_get_sregs",
	[VERB_VCPU_SET_SREGS] = "vcpu_set_sregs",
	[VERB_VCPU_SET_MSRS] = "vcpu_set_msrs",
	[VERB_VCPU_GET_TSC_KHZ] = "vcpu_get_tsc_khz",
	[VERB_VCPU_SET_MP_STATE] = "vcpu_set_mp_state",
	[VERB_MEM_CREATE] = "mem_create",
	[VERB_MEM_DISCARD] = "mem_discard",
	[VERB_MEM_MAP] = "mem_map",
	[VERB_MEM_UNMAP] = "mem_unmap",
	[VERB_CLOSE] = "close",
	[VERB_CLOCK_SLEEP_NS] = "clock_sleep_ns",
	[VERB_RANDOM_FILL] = "random_fill",
	[VERB_IOMMU_OPEN] = "iommu_open",
	[VERB_IOMMU_IOAS_ALLOC] = "iommu_ioas_alloc",
	[VERB_IOMMU_DESTROY] = "iommu_destroy",
	[VERB_IOMMU_SET_OPTION] = "iommu_set_option",
	[VERB_IOMMU_IOAS_ALLOW_IOVAS] = "iommu_ioas_allow_iovas",
	[VERB_IOMMU_IOAS_GET_IOVA_RANGES] = "iommu_ioas_get_iova_ranges",
	[VERB_IOMMU_IOAS_MAP] = "iommu_ioas_map",
	[VERB_IOMMU_IOAS_UNMAP] = "iommu_ioas_unmap",
	[VERB_IOMMU_COMPAT_SET_IOAS] = "iommu_compat_set_ioas",
	[VERB_IOMMU_COMPAT_UNMAP] = "iommu_compat_unmap",
	[VERB_DEVICE_ATTACH_IOAS] = "device_attach_ioas",
	[VERB_DEVICE_DETACH_IOAS] = "device_detach_ioas",
	[VERB_VM_SET_ROUTES] = "vm_set_routes",
	[VERB_VM_IRQFD] = "vm_irqfd",
	[VERB_VM_CREATE_VFIO] = "vm_create_vfio",
	[VERB_VM_VFIO_ADD] = "vm_vfio_add",
	[VERB_VM_VFIO_REMOVE] = "vm_vfio_remove",
	[VERB_VFIO_OPEN] = "vfio_open",
	[VERB_VFIO_BIND] = "vfio_bind",
	[VERB_VFIO_GET_INFO] = "vfio_get_info",
	[VERB_VFIO_GET_REGION] = "vfio_get_region",
	[VERB_VFIO_GET_IRQ] = "vfio_get_irq",
	[VERB_VFIO_SET_IRQS] = "vfio_set_irqs",
	[VERB_VFIO_RESET] = "vfio_reset",
	[VERB_VFIO_GET_HOT_RESET] = "vfio_get_hot_reset",
	[VERB_VFIO_HOT_RESET] = "vfio_hot_reset",
	[VERB_VFIO_FEATURE] = "vfio_feature",
	[VERB_VFIO_READ] = "vfio_read",
	[VERB_VFIO_WRITE] = "vfio_write",
};

struct trace *trace_new(struct host *inner)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	ASSERT(trace);
	trace->host.ops = &trace_ops;
	trace->inner = inner;
	pthread_mutex_init(&trace->lock, NULL);
	return trace;
}

void trace_free(struct trace *trace)
{
	pthread_mutex_destroy(&trace->lock);
	free(trace->calls);
	free(trace);
}

struct host *trace_host(struct trace *trace)
{
	return &trace->host;
}

/* --- Writing down --- */

uint64_t trace_fd(struct trace *trace, int fd)
{
	WITH_LOCK(&trace->lock);

	if (fd < 0 || fd >= TRACE_FDS_MAX || !trace->fds[fd])
		return NO_FD;
	return trace->fds[fd] - 1;
}

uint64_t trace_address(struct trace *trace, uint64_t hva)
{
	WITH_LOCK(&trace->lock);

	for (size_t i = 0; i < TRACE_MAPS_MAX; i++) {
		const struct trace_map *map = &trace->maps[i];

		if (map->hva && hva >= map->hva && hva - map->hva < map->size_bytes)
			return (uint64_t)map->made_by << 48 | (hva - map->hva);
	}
	return UINT64_MAX;
}

/* Returns the number of the call. Called with the lock. */
static size_t add_locked(struct trace *trace, const struct trace_call *call)
{
	if (trace->n_calls == trace->n_room) {
		trace->n_room = trace->n_room ? 2 * trace->n_room : 1024;
		trace->calls = realloc(trace->calls, trace->n_room * sizeof(trace->calls[0]));
		ASSERT(trace->calls);
	}
	trace->calls[trace->n_calls] = *call;
	return trace->n_calls++;
}

void trace_add(struct trace *trace, const struct trace_call *call)
{
	WITH_LOCK(&trace->lock);

	add_locked(trace, call);
}

void trace_add_fd(struct trace *trace, const struct trace_call *call, int fd)
{
	WITH_LOCK(&trace->lock);
	size_t made_by = add_locked(trace, call);

	ASSERT(fd < TRACE_FDS_MAX);
	if (fd >= 0)
		trace->fds[fd] = made_by + 1;
}

void trace_add_address(struct trace *trace, const struct trace_call *call, const void *hva,
		       uint64_t size_bytes)
{
	WITH_LOCK(&trace->lock);
	size_t made_by = add_locked(trace, call);

	for (size_t i = 0; i < TRACE_MAPS_MAX && hva; i++) {
		if (trace->maps[i].hva)
			continue;
		trace->maps[i] = (struct trace_map){
			.hva = (uintptr_t)hva, .size_bytes = size_bytes, .made_by = made_by};
		return;
	}
	ASSERT(!hva);
}

void trace_forget_fd(struct trace *trace, int fd)
{
	WITH_LOCK(&trace->lock);

	if (fd >= 0 && fd < TRACE_FDS_MAX)
		trace->fds[fd] = 0;
}

void trace_forget_address(struct trace *trace, uint64_t hva)
{
	WITH_LOCK(&trace->lock);

	for (size_t i = 0; i < TRACE_MAPS_MAX; i++) {
		if (trace->maps[i].hva == hva)
			trace->maps[i] = (struct trace_map){0};
	}
}

/* --- Reading --- */

size_t trace_count(struct trace *trace)
{
	WITH_LOCK(&trace->lock);

	return trace->n_calls;
}

const struct trace_call *trace_get(struct trace *trace, size_t index)
{
	ASSERT(index < trace->n_calls);
	return &trace->calls[index];
}

const char *trace_verb_name(unsigned int verb)
{
	ASSERT(verb < VERB_COUNT);
	return verb_names[verb];
}

void trace_print(struct trace *trace, FILE *file)
{
	for (size_t i = 0; i < trace->n_calls; i++) {
		const struct trace_call *call = &trace->calls[i];

		fprintf(file, "%zu %s", i, trace_verb_name(call->verb));
		for (size_t n = 0; n < TRACE_NUMBERS_MAX; n++)
			fprintf(file, " %" PRIx64, call->numbers[n]);
		fprintf(file, " = %" PRId64 " %" PRIx64 "\n", call->result, call->output);
	}
}

static bool calls_are_equal(const struct trace_call *a, const struct trace_call *b)
{
	return a->verb == b->verb && a->result == b->result && a->output == b->output &&
	       memcmp(a->numbers, b->numbers, sizeof(a->numbers)) == 0;
}

ssize_t trace_compare(struct trace *a, struct trace *b)
{
	for (size_t i = 0; i < a->n_calls && i < b->n_calls; i++) {
		if (!calls_are_equal(&a->calls[i], &b->calls[i]))
			return (ssize_t)i;
	}
	return -1;
}
