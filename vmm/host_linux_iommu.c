// SPDX-License-Identifier: GPL-2.0-or-later
/* iommufd behind the door. */
#include "vmm/host_iommu.h"

#include <errno.h>
#include <linux/iommufd.h>
#include <linux/vfio.h>
#include <stddef.h>
#include <stdlib.h>

#include "vmm/cleanup.h"
#include "vmm/host_linux.h"

/* Without fields that kernels before 6.16 do not know. */
#define ATTACH_BYTES (offsetof(struct vfio_device_attach_iommufd_pt, pt_id) + sizeof(uint32_t))
#define DETACH_BYTES (offsetof(struct vfio_device_detach_iommufd_pt, flags) + sizeof(uint32_t))

static int linux_iommu_open(struct host *host)
{
	(void)host;
	return host_linux_open("/dev/iommu");
}

static int linux_iommu_ioas_alloc(struct host *host, int iommu, uint32_t *ret_ioas)
{
	struct iommu_ioas_alloc request = {.size = sizeof(request)};
	int ret = host_linux_ioctl(iommu, IOMMU_IOAS_ALLOC, &request);

	(void)host;
	if (!ret)
		*ret_ioas = request.out_ioas_id;
	return ret;
}

static int linux_iommu_destroy(struct host *host, int iommu, uint32_t object)
{
	struct iommu_destroy request = {.size = sizeof(request), .id = object};

	(void)host;
	return host_linux_ioctl(iommu, IOMMU_DESTROY, &request);
}

static int linux_iommu_set_option(struct host *host, int iommu, uint32_t object,
				  uint32_t option, uint64_t value)
{
	struct iommu_option request = {
		.size = sizeof(request),
		.option_id = option,
		.op = IOMMU_OPTION_OP_SET,
		.object_id = object,
		.val64 = value,
	};

	(void)host;
	return host_linux_ioctl(iommu, IOMMU_OPTION, &request);
}

/* @n of them, or NULL; never of size 0. */
static struct iommu_iova_range *new_ranges(size_t n)
{
	return calloc(n ? n : 1, sizeof(struct iommu_iova_range));
}

static int linux_iommu_ioas_allow_iovas(struct host *host, int iommu, uint32_t ioas,
					const struct range *iovas, size_t n)
{
	_cleanup_free_ struct iommu_iova_range *ranges = new_ranges(n);
	struct iommu_ioas_allow_iovas request = {
		.size = sizeof(request),
		.ioas_id = ioas,
		.num_iovas = (uint32_t)n,
		.allowed_iovas = (uintptr_t)ranges,
	};

	(void)host;
	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		ranges[i] = (struct iommu_iova_range){.start = iovas[i].start,
						      .last = iovas[i].end - 1};
	return host_linux_ioctl(iommu, IOMMU_IOAS_ALLOW_IOVAS, &request);
}

static int linux_iommu_ioas_get_iova_ranges(struct host *host, int iommu, uint32_t ioas,
					    struct range *ret_iovas, size_t *n,
					    uint64_t *ret_alignment)
{
	_cleanup_free_ struct iommu_iova_range *ranges = new_ranges(*n);
	struct iommu_ioas_iova_ranges request = {
		.size = sizeof(request),
		.ioas_id = ioas,
		.num_iovas = (uint32_t)*n,
		.allowed_iovas = (uintptr_t)ranges,
	};
	int ret;

	(void)host;
	if (!ranges)
		return -ENOMEM;
	ret = host_linux_ioctl(iommu, IOMMU_IOAS_IOVA_RANGES, &request);
	if (ret && ret != -EMSGSIZE)
		return ret;
	for (size_t i = 0; i < request.num_iovas && !ret; i++) {
		uint64_t last = ranges[i].last;

		ret_iovas[i] = (struct range){.start = ranges[i].start,
					      .end = last == UINT64_MAX ? last : last + 1};
	}
	*n = request.num_iovas;
	*ret_alignment = request.out_iova_alignment;
	return ret;
}

static int linux_iommu_ioas_map(struct host *host, int iommu, uint32_t ioas, void *hva,
				struct range iova)
{
	struct iommu_ioas_map request = {
		.size = sizeof(request),
		.flags = IOMMU_IOAS_MAP_FIXED_IOVA | IOMMU_IOAS_MAP_READABLE |
			 IOMMU_IOAS_MAP_WRITEABLE,
		.ioas_id = ioas,
		.user_va = (uintptr_t)hva,
		.length = range_size(iova),
		.iova = iova.start,
	};

	(void)host;
	return host_linux_ioctl(iommu, IOMMU_IOAS_MAP, &request);
}

static int linux_iommu_ioas_unmap(struct host *host, int iommu, uint32_t ioas,
				  struct range iova, uint64_t *ret_bytes)
{
	struct iommu_ioas_unmap request = {
		.size = sizeof(request),
		.ioas_id = ioas,
		.iova = iova.start,
		.length = range_size(iova),
	};
	int ret = host_linux_ioctl(iommu, IOMMU_IOAS_UNMAP, &request);

	(void)host;
	if (!ret)
		*ret_bytes = request.length;
	return ret;
}

static int linux_iommu_compat_set_ioas(struct host *host, int iommu, uint32_t ioas)
{
	struct iommu_vfio_ioas request = {
		.size = sizeof(request),
		.ioas_id = ioas,
		.op = IOMMU_VFIO_IOAS_SET,
	};

	(void)host;
	return host_linux_ioctl(iommu, IOMMU_VFIO_IOAS, &request);
}

static int linux_iommu_compat_unmap(struct host *host, int iommu, struct range iova,
				    uint64_t *ret_bytes)
{
	struct vfio_iommu_type1_dma_unmap request = {
		.argsz = sizeof(request),
		.iova = iova.start,
		.size = range_size(iova),
	};
	int ret = host_linux_ioctl(iommu, VFIO_IOMMU_UNMAP_DMA, &request);

	(void)host;
	/* Errors from before the IOAS is looked at leave the size that was asked for. */
	*ret_bytes = ret && request.size == range_size(iova) ? 0 : request.size;
	return ret;
}

static int linux_device_attach_ioas(struct host *host, int device, uint32_t ioas)
{
	struct vfio_device_attach_iommufd_pt request = {.argsz = ATTACH_BYTES, .pt_id = ioas};

	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_ATTACH_IOMMUFD_PT, &request);
}

static int linux_device_detach_ioas(struct host *host, int device)
{
	struct vfio_device_detach_iommufd_pt request = {.argsz = DETACH_BYTES};

	(void)host;
	return host_linux_ioctl(device, VFIO_DEVICE_DETACH_IOMMUFD_PT, &request);
}

const struct host_iommu_ops host_linux_iommu_ops = {
	.open = linux_iommu_open,
	.ioas_alloc = linux_iommu_ioas_alloc,
	.destroy = linux_iommu_destroy,
	.set_option = linux_iommu_set_option,
	.ioas_allow_iovas = linux_iommu_ioas_allow_iovas,
	.ioas_get_iova_ranges = linux_iommu_ioas_get_iova_ranges,
	.ioas_map = linux_iommu_ioas_map,
	.ioas_unmap = linux_iommu_ioas_unmap,
	.compat_set_ioas = linux_iommu_compat_set_ioas,
	.compat_unmap = linux_iommu_compat_unmap,
	.device_attach_ioas = linux_device_attach_ioas,
	.device_detach_ioas = linux_device_detach_ioas,
};
