/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of the host change hands: from their driver to vfio-pci, and back.
 *
 * What a device had before is kept in a file, written before anything changes, so that it gets
 * it back whatever happens in between. A change that was cut short (a crash, a signal) is
 * undone or completed by the next one.
 */
#ifndef VMM_DEVICE_BIND_H
#define VMM_DEVICE_BIND_H

#include "devices/assigned.h"

struct device_bind {
	const struct host_paths *paths;
	/* Write to a file of sysfs; 0 or -errno. Tests put the kernel's part in its place. */
	int (*write)(void *kernel, const char *path, const char *text);
	void *kernel;
};

/* The real sysfs. */
void device_bind_init(struct device_bind *bind, const struct host_paths *paths);

/**
 * Give the device to vfio-pci. Nothing happens to one that has it.
 *
 * Returns 0, -errno with @err naming device, cause and cure; the old driver has it back then,
 * if that works.
 */
int device_bind(const struct device_bind *bind, const char *address, struct err *err);

/**
 * Give it back to the driver it had before device_bind. Blocks while somebody uses it.
 *
 * Returns 0, -errno with @err; calling it again goes on.
 */
int device_unbind(const struct device_bind *bind, const char *address, struct err *err);

/**
 * Undo what was begun and not ended, but for @except (NULL: none), which its caller ends. One
 * that fails does not keep it from the others.
 *
 * Returns 0, -errno with @err: the first of those.
 */
int device_bind_repair(const struct device_bind *bind, const char *except, struct err *err);

/* Is a change of this device unfinished? */
bool device_bind_is_half(const struct device_bind *bind, const char *address);

/* Only one program changes devices at a time. Returns a descriptor to close, or -errno. */
int device_bind_lock(const struct device_bind *bind, struct err *err);

#endif
