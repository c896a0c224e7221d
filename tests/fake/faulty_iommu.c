// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The verbs of iommufd that fail when they are told to. Destroying and detaching only fail when
 * called wrongly.
 */
#include <errno.h>

#include "tests/fake/faulty_state.h"
#include "vmm/host_iommu.h"

static int faulty_iommu_open(struct host *host)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_OPEN);

	return fault ? fault : host_iommu_open(faulty->inner);
}

static int faulty_iommu_ioas_alloc(struct host *host, int iommu, uint32_t *ret_ioas)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_IOAS_ALLOC);

	return fault ? fault : host_iommu_ioas_alloc(faulty->inner, iommu, ret_ioas);
}

static int faulty_iommu_destroy(struct host *host, int iommu, uint32_t object)
{
	return host_iommu_destroy(faulty_of(host)->inner, iommu, object);
}

static int faulty_iommu_set_option(struct host *host, int iommu, uint32_t object,
				   uint32_t option, uint64_t value)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_SET_OPTION);

	return fault ? fault
		     : host_iommu_set_option(faulty->inner, iommu, object, option, value);
}

static int faulty_iommu_ioas_allow_iovas(struct host *host, int iommu, uint32_t ioas,
					 const struct range *iovas, size_t n)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_IOAS_ALLOW_IOVAS);

	return fault ? fault
		     : host_iommu_ioas_allow_iovas(faulty->inner, iommu, ioas, iovas, n);
}

static int faulty_iommu_ioas_get_iova_ranges(struct host *host, int iommu, uint32_t ioas,
					     struct range *ret_iovas, size_t *n,
					     uint64_t *ret_alignment)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_IOAS_GET_IOVA_RANGES);

	/* As if there were more by now. */
	if (fault == -EMSGSIZE)
		++*n;
	return fault ? fault
		     : host_iommu_ioas_get_iova_ranges(faulty->inner, iommu, ioas, ret_iovas, n,
						       ret_alignment);
}

static int faulty_iommu_ioas_map(struct host *host, int iommu, uint32_t ioas, void *hva,
				 struct range iova)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_IOAS_MAP);

	return fault ? fault : host_iommu_ioas_map(faulty->inner, iommu, ioas, hva, iova);
}

static int faulty_iommu_ioas_unmap(struct host *host, int iommu, uint32_t ioas,
				   struct range iova, uint64_t *ret_bytes)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_IOAS_UNMAP);

	return fault ? fault
		     : host_iommu_ioas_unmap(faulty->inner, iommu, ioas, iova, ret_bytes);
}

static int faulty_iommu_compat_set_ioas(struct host *host, int iommu, uint32_t ioas)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_COMPAT_SET_IOAS);

	return fault ? fault : host_iommu_compat_set_ioas(faulty->inner, iommu, ioas);
}

static int faulty_iommu_compat_unmap(struct host *host, int iommu, struct range iova,
				     uint64_t *ret_bytes)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_IOMMU_COMPAT_UNMAP);

	if (fault)
		*ret_bytes = 0;
	return fault ? fault : host_iommu_compat_unmap(faulty->inner, iommu, iova, ret_bytes);
}

static int faulty_device_attach_ioas(struct host *host, int device, uint32_t ioas)
{
	struct faulty *faulty = faulty_of(host);
	int fault = faulty_next(faulty, VERB_DEVICE_ATTACH_IOAS);

	return fault ? fault : host_device_attach_ioas(faulty->inner, device, ioas);
}

static int faulty_device_detach_ioas(struct host *host, int device)
{
	return host_device_detach_ioas(faulty_of(host)->inner, device);
}

const struct host_iommu_ops faulty_iommu_ops = {
	.open = faulty_iommu_open,
	.ioas_alloc = faulty_iommu_ioas_alloc,
	.destroy = faulty_iommu_destroy,
	.set_option = faulty_iommu_set_option,
	.ioas_allow_iovas = faulty_iommu_ioas_allow_iovas,
	.ioas_get_iova_ranges = faulty_iommu_ioas_get_iova_ranges,
	.ioas_map = faulty_iommu_ioas_map,
	.ioas_unmap = faulty_iommu_ioas_unmap,
	.compat_set_ioas = faulty_iommu_compat_set_ioas,
	.compat_unmap = faulty_iommu_compat_unmap,
	.device_attach_ioas = faulty_device_attach_ioas,
	.device_detach_ioas = faulty_device_detach_ioas,
};
