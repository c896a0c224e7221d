/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs of struct host for iommufd: what devices reach. Sources are linux/iommufd.h and,
 * for the two that attach a device and the one that cuts, linux/vfio.h.
 *
 * An IOAS is a set of areas, each made by one map. Areas never merge. A range of device
 * addresses ends before UINT64_MAX: the last byte of the address space is left out.
 */
#ifndef VMM_HOST_IOMMU_H
#define VMM_HOST_IOMMU_H

#include "vmm/host.h"

struct host_iommu_ops {
	int (*open)(struct host *host);
	int (*ioas_alloc)(struct host *host, int iommu, uint32_t *ret_ioas);
	int (*destroy)(struct host *host, int iommu, uint32_t object);
	int (*set_option)(struct host *host, int iommu, uint32_t object, uint32_t option,
			  uint64_t value);
	int (*ioas_allow_iovas)(struct host *host, int iommu, uint32_t ioas,
				const struct range *iovas, size_t n);
	int (*ioas_get_iova_ranges)(struct host *host, int iommu, uint32_t ioas,
				    struct range *ret_iovas, size_t *n,
				    uint64_t *ret_alignment);
	int (*ioas_map)(struct host *host, int iommu, uint32_t ioas, void *hva,
			struct range iova);
	int (*ioas_unmap)(struct host *host, int iommu, uint32_t ioas, struct range iova,
			  uint64_t *ret_bytes);
	int (*compat_set_ioas)(struct host *host, int iommu, uint32_t ioas);
	int (*compat_unmap)(struct host *host, int iommu, struct range iova,
			    uint64_t *ret_bytes);
	int (*device_attach_ioas)(struct host *host, int device, uint32_t ioas);
	int (*device_detach_ioas)(struct host *host, int device);
};

/**
 * Open /dev/iommu.
 *
 * Returns its file descriptor (release it with host_close; what devices still use stays),
 * -ENOENT (kernel without iommufd), -EACCES, -errno.
 */
static inline int host_iommu_open(struct host *host)
{
	return host->ops->iommu->open(host);
}

/**
 * A new, empty IOAS (IOMMU_IOAS_ALLOC).
 *
 * @ret_ioas: its number among the objects of @iommu.
 * Returns 0, -ENOMEM, -errno.
 */
static inline int host_iommu_ioas_alloc(struct host *host, int iommu, uint32_t *ret_ioas)
{
	return host->ops->iommu->ioas_alloc(host, iommu, ret_ioas);
}

/**
 * Destroy an object, an IOAS with all of its areas (IOMMU_DESTROY).
 *
 * Returns 0, -EBUSY (a device is attached), -ENOENT, -errno. On error nothing changed.
 */
static inline int host_iommu_destroy(struct host *host, int iommu, uint32_t object)
{
	return host->ops->iommu->destroy(host, iommu, object);
}

/**
 * Set an option of an object, or of all with 0 (IOMMU_OPTION).
 *
 * @option: IOMMU_OPTION_HUGE_PAGES (of an IOAS; 0 only while it has no area or no device), ...
 * Returns 0, -EINVAL, -ENOENT, -EOPNOTSUPP, -errno. On error nothing changed.
 */
static inline int host_iommu_set_option(struct host *host, int iommu, uint32_t object,
					uint32_t option, uint64_t value)
{
	return host->ops->iommu->set_option(host, iommu, object, option, value);
}

/**
 * Say which addresses are going to be mapped, so that no device is attached that reserves some
 * of them (IOMMU_IOAS_ALLOW_IOVAS). Takes the place of what was said before.
 *
 * @iovas: disjoint, none empty; @n of them.
 * Returns 0, -EADDRINUSE (a device that is attached reserves some), -EINVAL, -ENOMEM, -errno.
 * On error nothing changed.
 */
static inline int host_iommu_ioas_allow_iovas(struct host *host, int iommu, uint32_t ioas,
					      const struct range *iovas, size_t n)
{
	return host->ops->iommu->ioas_allow_iovas(host, iommu, ioas, iovas, n);
}

/**
 * The addresses that can be mapped with the devices that are attached
 * (IOMMU_IOAS_IOVA_RANGES).
 *
 * @ret_iovas: room for *@n of them, ascending; NULL when there is none.
 * @n: receives how many there are.
 * @ret_alignment: of a mapping, in bytes.
 * Returns 0, -EMSGSIZE (more than the room: none is valid), -ENOENT, -errno.
 */
static inline int host_iommu_ioas_get_iova_ranges(struct host *host, int iommu, uint32_t ioas,
						  struct range *ret_iovas, size_t *n,
						  uint64_t *ret_alignment)
{
	return host->ops->iommu->ioas_get_iova_ranges(host, iommu, ioas, ret_iovas, n,
						      ret_alignment);
}

/**
 * Make one area: devices read and write the memory at @hva as @iova (IOMMU_IOAS_MAP, at a fixed
 * address). With a device attached the memory comes into being and is pinned; without, nothing
 * is looked at.
 *
 * @iova: multiples of the granule, not empty.
 * Returns 0; -EEXIST (overlaps an area), -EINVAL (alignment, or reserved), -EFAULT (no memory
 * at
 * @hva, or private), -ENOMEM (also RLIMIT_MEMLOCK), -EBUSY, -errno. On error nothing is mapped.
 */
static inline int host_iommu_ioas_map(struct host *host, int iommu, uint32_t ioas, void *hva,
				      struct range iova)
{
	return host->ops->iommu->ioas_map(host, iommu, ioas, hva, iova);
}

/**
 * Remove all areas in @iova, which cuts none (IOMMU_IOAS_UNMAP).
 *
 * Synchronous: on return no device reaches the memory and it is not pinned any more.
 *
 * @ret_bytes: how many were mapped; untouched on error.
 * Returns 0; -ENOENT (none is there, or one is partly inside), -EBUSY, -EINVAL, -errno. On
 * error, areas in front of the one that is the reason may be gone.
 */
static inline int host_iommu_ioas_unmap(struct host *host, int iommu, uint32_t ioas,
					struct range iova, uint64_t *ret_bytes)
{
	return host->ops->iommu->ioas_unmap(host, iommu, ioas, iova, ret_bytes);
}

/**
 * Make @ioas the one that host_iommu_compat_unmap works on (IOMMU_VFIO_IOAS).
 *
 * Returns 0, -ENOENT, -errno.
 */
static inline int host_iommu_compat_set_ioas(struct host *host, int iommu, uint32_t ioas)
{
	return host->ops->iommu->compat_set_ioas(host, iommu, ioas);
}

/**
 * Remove all that is mapped in @iova, and cut areas that are partly inside; what they have
 * outside stays mapped without a break (VFIO_IOMMU_UNMAP_DMA on @iommu). Areas are only cut
 * while IOMMU_OPTION_HUGE_PAGES of the IOAS is 0.
 *
 * @ret_bytes: how many were mapped and are not any more, from the start of the range on; also
 * on error.
 * Returns 0, also when nothing is mapped; -ENODEV (no IOAS was set), -ENOENT (would cut and
 * must not), -ENOMEM (before anything is unmapped), -EBUSY, -EINVAL, -errno.
 */
static inline int host_iommu_compat_unmap(struct host *host, int iommu, struct range iova,
					  uint64_t *ret_bytes)
{
	return host->ops->iommu->compat_unmap(host, iommu, iova, ret_bytes);
}

/**
 * Let @device, a VFIO device bound to the IOAS's iommufd, do DMA by @ioas
 * (VFIO_DEVICE_ATTACH_IOMMUFD_PT). With the first device, the memory of all areas is pinned.
 *
 * Returns 0; -EADDRINUSE (the device cannot map what is allowed or mapped), -EBUSY, -EFAULT,
 * -EINVAL, -ENOMEM, -errno. On error the device is attached to nothing new.
 */
static inline int host_device_attach_ioas(struct host *host, int device, uint32_t ioas)
{
	return host->ops->iommu->device_attach_ioas(host, device, ioas);
}

/**
 * End that: the device's DMA is blocked (VFIO_DEVICE_DETACH_IOMMUFD_PT). Areas stay.
 *
 * Returns 0, -errno.
 */
static inline int host_device_detach_ioas(struct host *host, int device)
{
	return host->ops->iommu->device_detach_ioas(host, device);
}

#endif
