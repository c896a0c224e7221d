/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory without a guest, a real disk that does DMA to it, and hosts that get it wrong.
 */
#ifndef TESTS_LAB_DMA_RIG_H
#define TESTS_LAB_DMA_RIG_H

#include "tests/lab/nvme.h"
#include "vmm/host.h"
#include "vmm/host_iommu.h"

#define RIG_RAM_BYTES (64 * MIB)
#define RIG_QUEUES    (16 * MIB) /* of the disk; stay shared */
#define RIG_GPA	      (32 * MIB) /* from here on tests convert */

enum { RIG_DISK_PAGES = 64 };

/* What the host does instead of what it is asked for. */
enum rig_host {
	RIG_HOST_REAL,
	RIG_HOST_KEEPS,	 /* neither unmaps nor maps again */
	RIG_HOST_REMAPS, /* unmaps the 2 MiB around and maps what is before the page again */
};

struct rig {
	struct host *host;
	const struct host_ops *real_ops;
	struct host_ops ops;
	struct host_iommu_ops iommu_ops;
	int vm;
	bool is_inplace;
	struct guest_memory *memory;
	struct nvme nvme;
	/* What iommufd was last asked about. */
	int iommu;
	uint32_t ioas;
};

/* The disk's page n holds pattern n (rig_fill_disk). Anything that fails ends the program. */
void rig_start(struct rig *rig, enum rig_host kind);
void rig_stop(struct rig *rig);
void rig_fill_disk(struct rig *rig);

char *rig_hva(const struct rig *rig, gpa_t gpa);

/* Does the page hold pattern @n, as far as it was set? */
bool rig_has_pattern(const struct rig *rig, gpa_t gpa, unsigned int n);
/* Something that is no pattern. */
void rig_spoil(const struct rig *rig, gpa_t gpa);

/* Have the disk write pattern @n to @gpa. Did it get there? */
bool rig_device_writes(struct rig *rig, gpa_t gpa, unsigned int n);

enum conversion_end rig_convert(const struct rig *rig, gpa_t gpa, uint64_t size_bytes,
				enum side to);

#endif
