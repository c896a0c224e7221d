/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_LAB_DEVICE_FILE_H
#define TESTS_LAB_DEVICE_FILE_H

struct host;

/* The file of the device at @address, which vfio-pci has; or -errno, which is told on stderr.
 */
int device_file_open(struct host *host, const char *address);

#endif
