/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A device to ask iommufd about: the fake kernel's; the one iommufd has for its own tests,
 * which has an IOMMU's page table and no IOMMU; and QEMU's educational device behind its VT-d,
 * which does DMA.
 */
#ifndef TESTS_LAB_PLUG_H
#define TESTS_LAB_PLUG_H

#include <stdbool.h>

#include "tests/lab/subject.h"
#include "vmm/host_iommu.h"

/* Addresses that all of them have. */
#define PLUG_IOVA     (32 * MIB)
#define PLUG_IOVA_END (48 * MIB)

enum plug_kind { PLUG_FAKE_MOCK, PLUG_FAKE_EDU, PLUG_MOCK, PLUG_EDU };

struct plug {
	enum plug_kind kind;
	struct subject subject;
	struct host *host;
	/* The real kernel's table, with the attachment of the test device in it. */
	struct host_ops ops;
	struct host_iommu_ops iommu_ops;
	const struct host_ops *real_ops;
	int iommu;
	int device; /* -1: not there */
	uint32_t stdev, hwpt;
	char *edu;
	/* A page that the device always reaches, for what it read elsewhere. */
	uint64_t scratch_iova;
	uint64_t *scratch;
};

/* A fresh kernel, or a fresh look at it. @in_place: what the fake one does. */
void plug_init(struct plug *plug, enum plug_kind kind, bool in_place);
void plug_fini(struct plug *plug);

/* A device that is bound to @iommu, and the end of it. */
void plug_add_device(struct plug *plug, int iommu);
void plug_remove_device(struct plug *plug);

/*
 * Does the device that is attached reach, at @iova, the page that is mapped at @hva and begins
 * with @value?
 */
bool plug_reaches(struct plug *plug, uint64_t iova, const void *hva, uint64_t value);

#endif
