// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/dma_rig.h"

#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>

#include "memory/ram.h"
#include "vmm/err.h"

enum { WORDS = GRANULE_BYTES / sizeof(uint64_t) };

#define SPOILED UINT64_C(0x5b01153b01150000)

/* --- Hosts that get it wrong --- */

static struct rig *rig_of(struct host *host)
{
	/* The one whose table it is, which is not constant for who made it. */
	union {
		const struct host_ops *theirs;
		struct host_ops *ours;
	} ops = {.theirs = host->ops};

	return container_of(ops.ours, struct rig, ops);
}

static const struct host_iommu_ops *real_iommu(const struct rig *rig)
{
	return rig->real_ops->iommu;
}

static int keeping_unmap(struct host *host, int iommu, struct range iova, uint64_t *ret_bytes)
{
	(void)host;
	(void)iommu;
	*ret_bytes = range_size(iova);
	return 0;
}

/* The first time, when the device is attached, memory does get mapped. */
static int keeping_map(struct host *host, int iommu, uint32_t ioas, void *hva,
		       struct range iova)
{
	struct rig *rig = rig_of(host);

	if (rig->memory && rig->nvme.registers)
		return 0;
	return real_iommu(rig)->ioas_map(host, iommu, ioas, hva, iova);
}

static int remapping_map(struct host *host, int iommu, uint32_t ioas, void *hva,
			 struct range iova)
{
	struct rig *rig = rig_of(host);

	rig->ioas = ioas;
	return real_iommu(rig)->ioas_map(host, iommu, ioas, hva, iova);
}

/* What there was to do before areas could be cut. */
static int remapping_unmap(struct host *host, int iommu, struct range iova, uint64_t *ret_bytes)
{
	struct rig *rig = rig_of(host);
	struct range around = {.start = align_down(iova.start, 2 * MIB), .end = iova.end};
	struct range before = {.start = around.start, .end = iova.start};
	uint64_t bytes;
	int ret = 0;

	/* Once, an area of its own, so that it can be unmapped whole. */
	if (range_is_empty(before))
		return real_iommu(rig)->compat_unmap(host, iommu, iova, ret_bytes);
	ret = real_iommu(rig)->compat_unmap(host, iommu, around, &bytes);
	if (!ret)
		ret = real_iommu(rig)->ioas_map(host, iommu, rig->ioas,
						rig_hva(rig, before.start), before);
	*ret_bytes = range_size(iova);
	return ret;
}

static void host_spoil(struct rig *rig, enum rig_host kind)
{
	rig->real_ops = rig->host->ops;
	if (kind == RIG_HOST_REAL)
		return;
	rig->ops = *rig->real_ops;
	rig->iommu_ops = *rig->real_ops->iommu;
	rig->ops.iommu = &rig->iommu_ops;
	if (kind == RIG_HOST_KEEPS) {
		rig->iommu_ops.compat_unmap = keeping_unmap;
		rig->iommu_ops.ioas_map = keeping_map;
	} else {
		rig->iommu_ops.compat_unmap = remapping_unmap;
		rig->iommu_ops.ioas_map = remapping_map;
	}
	rig->host->ops = &rig->ops;
}

/* --- The rig --- */

static void fail_if(int ret, const struct err *err)
{
	if (ret < 0)
		fprintf(stderr, "%s\n", err->text);
	ASSERT(ret >= 0);
}

void rig_start(struct rig *rig, enum rig_host kind)
{
	const char *address = getenv("LAB_NVME");
	enum backing backing;
	struct layout layout;
	struct err err = {0};

	ASSERT(address);
	*rig = (struct rig){.vm = -1};
	fail_if(host_linux_new(&rig->host, &err), &err);
	host_spoil(rig, kind);
	rig->vm = host_vm_create(rig->host, KVM_X86_SW_PROTECTED_VM);
	ASSERT(rig->vm >= 0);
	fail_if(backing_probe(rig->host, rig->vm, &backing, &err), &err);
	fail_if(layout_init(&layout, RIG_RAM_BYTES, 40, &err), &err);
	fail_if(guest_memory_new(rig->host, rig->vm, &layout, backing, &rig->memory, &err),
		&err);
	rig->is_inplace = backing == BACKING_INPLACE;
	nvme_start(&rig->nvme, rig->host, rig->memory, address, RIG_QUEUES,
		   rig_hva(rig, RIG_QUEUES));
}

void rig_stop(struct rig *rig)
{
	nvme_stop(&rig->nvme);
	guest_memory_free(rig->memory);
	host_close(rig->host, rig->vm);
	rig->host->ops = rig->real_ops;
	host_linux_free(rig->host);
}

char *rig_hva(const struct rig *rig, gpa_t gpa)
{
	const struct ram *ram =
		ram_find(rig->memory, (struct range){.start = gpa, .end = gpa + 1});

	ASSERT(ram);
	return (char *)ram->hva + (gpa - ram->gpa.start);
}

/* --- Contents --- */

static volatile uint64_t *words_at(const struct rig *rig, gpa_t gpa)
{
	return (volatile uint64_t *)(void *)rig_hva(rig, gpa);
}

static uint64_t pattern(unsigned int n, unsigned int word)
{
	return UINT64_C(0x9e3779b97f4a7c15) * (n * WORDS + word + 1);
}

/* All words are set, some are looked at: first, last and a few on the way. */
bool rig_has_pattern(const struct rig *rig, gpa_t gpa, unsigned int n)
{
	const volatile uint64_t *words = words_at(rig, gpa);

	for (unsigned int i = 0; i < WORDS; i += 73) {
		if (words[i] != pattern(n, i))
			return false;
	}
	return words[WORDS - 1] == pattern(n, WORDS - 1);
}

void rig_spoil(const struct rig *rig, gpa_t gpa)
{
	volatile uint64_t *words = words_at(rig, gpa);

	for (unsigned int i = 0; i < WORDS; i += 73)
		words[i] = SPOILED;
	words[WORDS - 1] = SPOILED;
}

void rig_fill_disk(struct rig *rig)
{
	volatile uint64_t *words = words_at(rig, RIG_GPA);

	for (unsigned int n = 0; n < RIG_DISK_PAGES; n++) {
		for (unsigned int i = 0; i < WORDS; i++)
			words[i] = pattern(n, i);
		ASSERT(nvme_transfer(&rig->nvme, false, n * GRANULE_BYTES, RIG_GPA,
				     GRANULE_BYTES) == 0);
	}
}

bool rig_device_writes(struct rig *rig, gpa_t gpa, unsigned int n)
{
	rig_spoil(rig, gpa);
	ASSERT(nvme_transfer(&rig->nvme, true, n * GRANULE_BYTES, gpa, GRANULE_BYTES) == 0);
	return rig_has_pattern(rig, gpa, n);
}

enum conversion_end rig_convert(const struct rig *rig, gpa_t gpa, uint64_t size_bytes,
				enum side to)
{
	return guest_convert(rig->memory, gpa, size_bytes, to, CONVERSION_HYPERCALL);
}
