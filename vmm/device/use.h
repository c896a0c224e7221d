/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is a device of the host in use there, so that taking it away would do harm? */
#ifndef VMM_DEVICE_USE_H
#define VMM_DEVICE_USE_H

struct err;
struct host_paths;

/**
 * Looks at the disks of the device at @address: file systems, swap, and what is made of disks
 * (LVM, RAID, encryption).
 *
 * Returns 0; -EBUSY with @err naming disk and use.
 */
int device_check_use(const struct host_paths *paths, const char *address, struct err *err);

#endif
