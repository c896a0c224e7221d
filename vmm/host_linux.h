/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the real kernel's door. */
#ifndef VMM_HOST_LINUX_H
#define VMM_HOST_LINUX_H

struct host;
struct host_cc_ops;
struct host_iommu_ops;
struct host_vfio_ops;

extern const struct host_cc_ops host_linux_cc_ops;
extern const struct host_iommu_ops host_linux_iommu_ops;
extern const struct host_vfio_ops host_linux_vfio_ops;

/* ioctl with -errno for an error. */
int host_linux_ioctl(int fd, unsigned long request, const void *argument);

/* The same for requests that take a number in place of a pointer. */
int host_linux_ioctl_value(int fd, unsigned long request, unsigned long value);

/* The descriptor of /dev/kvm. */
int host_linux_kvm(struct host *host);

/* A device node, open for reading and writing: its descriptor, or -errno. */
int host_linux_open(const char *path);

#endif
