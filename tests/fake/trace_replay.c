// SPDX-License-Identifier: GPL-2.0-or-later
/* A trace repeated on another host. */
#include <errno.h>
#include <linux/kvm.h>
#include <stdlib.h>

#include "tests/fake/trace_state.h"
#include "vmm/err.h"
#include "vmm/host_iommu.h"

/* What each call made, in the new world. */
struct made {
	int fd;
	void *hva;
	uint64_t size_bytes;
};

struct replay {
	struct trace *trace;
	struct host *host;
	struct made *made;
	uint64_t output; /* of the last call */
};

static int replay_fd(const struct replay *replay, uint64_t number)
{
	return number < replay->trace->n_calls ? replay->made[number].fd : -1;
}

static char *replay_address(const struct replay *replay, uint64_t number)
{
	uint64_t made_by = number >> 48;

	if (made_by >= replay->trace->n_calls || !replay->made[made_by].hva)
		return NULL;
	return (char *)replay->made[made_by].hva + (number & ((UINT64_C(1) << 48) - 1));
}

static int64_t keep_fd(struct made *made, int fd)
{
	made->fd = fd;
	return fd < 0 ? fd : 0;
}

static int64_t replay_slot(const struct replay *replay, const uint64_t *n)
{
	const struct kvm_userspace_memory_region2 region = {
		.slot = (uint32_t)(n[1] >> 32),
		.flags = (uint32_t)n[1],
		.guest_phys_addr = n[2],
		.memory_size = n[3],
		.userspace_addr = (uintptr_t)replay_address(replay, n[4]),
		.guest_memfd = (uint32_t)replay_fd(replay, (uint32_t)n[5]),
		.guest_memfd_offset = (n[5] >> 32) * GRANULE_BYTES,
	};

	return host_vm_set_memory_region(replay->host, replay_fd(replay, n[0]), &region);
}

static int64_t replay_set_file(struct replay *replay, const uint64_t *n)
{
	struct range offset = {.start = n[1], .end = n[2]};
	uint64_t error_offset = 0;
	int ret = host_gmem_set_attributes(replay->host, replay_fd(replay, n[0]), offset, n[3],
					   &error_offset);

	if (ret == -EAGAIN || ret == -ENOMEM)
		replay->output = error_offset;
	return ret;
}

static int64_t replay_map(const struct replay *replay, const uint64_t *n, struct made *made)
{
	int ret = host_mem_map(replay->host, replay_fd(replay, n[0]), n[1], n[2], &made->hva);

	if (ret)
		made->hva = NULL;
	made->size_bytes = n[2];
	return ret;
}

static int64_t replay_unmap(const struct replay *replay, const uint64_t *n)
{
	struct made *made = &replay->made[n[0] >> 48];

	host_mem_unmap(replay->host, made->hva, n[1]);
	made->hva = NULL;
	return 0;
}

static int64_t replay_close(const struct replay *replay, const uint64_t *n)
{
	host_close(replay->host, replay_fd(replay, n[0]));
	replay->made[n[0]].fd = -1;
	return 0;
}

static int64_t replay_ioas_alloc(struct replay *replay, const uint64_t *n)
{
	uint32_t ioas = 0;
	int ret = host_iommu_ioas_alloc(replay->host, replay_fd(replay, n[0]), &ioas);

	replay->output = ioas;
	return ret;
}

static int64_t replay_ioas_unmap(struct replay *replay, const uint64_t *n)
{
	struct range iova = {.start = n[2], .end = n[3]};

	return host_iommu_ioas_unmap(replay->host, replay_fd(replay, n[0]), (uint32_t)n[1],
				     iova, &replay->output);
}

/*
 * There is no device, so nothing is pinned; but what is mapped where, and what is cut, is the
 * same.
 */
static int64_t replay_iommu(struct replay *replay, const struct trace_call *call,
			    struct made *made)
{
	const uint64_t *n = call->numbers;
	struct host *host = replay->host;
	int iommu = replay_fd(replay, n[0]);
	uint32_t ioas = (uint32_t)n[1];

	switch (call->verb) {
	case VERB_IOMMU_OPEN:
		return keep_fd(made, host_iommu_open(host));
	case VERB_IOMMU_IOAS_ALLOC:
		return replay_ioas_alloc(replay, n);
	case VERB_IOMMU_DESTROY:
		return host_iommu_destroy(host, iommu, ioas);
	case VERB_IOMMU_SET_OPTION:
		return host_iommu_set_option(host, iommu, ioas, (uint32_t)n[2], n[3]);
	case VERB_IOMMU_IOAS_MAP:
		return host_iommu_ioas_map(host, iommu, ioas, replay_address(replay, n[2]),
					   (struct range){.start = n[3], .end = n[4]});
	case VERB_IOMMU_IOAS_UNMAP:
		return replay_ioas_unmap(replay, n);
	case VERB_IOMMU_COMPAT_SET_IOAS:
		return host_iommu_compat_set_ioas(host, iommu, ioas);
	case VERB_IOMMU_COMPAT_UNMAP:
		return host_iommu_compat_unmap(host, iommu,
					       (struct range){.start = n[1], .end = n[2]},
					       &replay->output);
	default:
		replay->output = call->output;
		return call->result;
	}
}

/* Verbs with a vCPU or a structure that was not kept: believe the trace. */
static int64_t replay_call(struct replay *replay, const struct trace_call *call,
			   struct made *made)
{
	const uint64_t *n = call->numbers;
	struct host *host = replay->host;
	struct range range = {.start = n[1], .end = n[2]};

	replay->output = 0;
	switch (call->verb) {
	case VERB_VM_CREATE:
		return keep_fd(made, host_vm_create(host, n[0]));
	case VERB_VM_CREATE_GUEST_MEMFD:
		return keep_fd(made, host_vm_create_guest_memfd(host, replay_fd(replay, n[0]),
								n[1], n[2]));
	case VERB_MEM_CREATE:
		return keep_fd(made, host_mem_create(host, n[0]));
	case VERB_VM_SET_MEMORY_REGION:
		return replay_slot(replay, n);
	case VERB_VM_SET_ATTRIBUTES:
		return host_vm_set_attributes(host, replay_fd(replay, n[0]), range, n[3]);
	case VERB_GMEM_SET_ATTRIBUTES:
		return replay_set_file(replay, n);
	case VERB_MEM_DISCARD:
		return host_mem_discard(host, replay_fd(replay, n[0]), range);
	case VERB_MEM_MAP:
		return replay_map(replay, n, made);
	case VERB_MEM_UNMAP:
		return replay_unmap(replay, n);
	case VERB_CLOSE:
		return replay_close(replay, n);
	case VERB_CLOCK_SLEEP_NS:
		host_clock_sleep_ns(host, n[0]);
		return 0;
	default:
		return replay_iommu(replay, call, made);
	}
}

static void replay_end(struct replay *replay)
{
	for (size_t i = 0; i < replay->trace->n_calls; i++) {
		if (replay->made[i].hva)
			host_mem_unmap(replay->host, replay->made[i].hva,
				       replay->made[i].size_bytes);
	}
	/* Files before the VM that they were made for. */
	for (size_t i = replay->trace->n_calls; i-- > 0;) {
		if (replay->made[i].fd >= 0)
			host_close(replay->host, replay->made[i].fd);
	}
	free(replay->made);
}

ssize_t trace_replay(struct trace *trace, struct host *host)
{
	struct replay replay = {.trace = trace, .host = host};
	ssize_t first = -1;

	replay.made = calloc(trace->n_calls + 1, sizeof(replay.made[0]));
	ASSERT(replay.made);
	for (size_t i = 0; i < trace->n_calls; i++)
		replay.made[i].fd = -1;
	for (size_t i = 0; i < trace->n_calls && first < 0; i++) {
		const struct trace_call *call = &trace->calls[i];
		int64_t result = replay_call(&replay, call, &replay.made[i]);

		if (result != call->result || replay.output != call->output)
			first = (ssize_t)i;
	}
	replay_end(&replay);
	return first;
}
