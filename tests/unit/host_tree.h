/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host's sysfs in a directory, with PCI devices, and the part of the kernel that moves them
 * from driver to driver.
 */
#ifndef TESTS_UNIT_HOST_TREE_H
#define TESTS_UNIT_HOST_TREE_H

#include <check.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/assigned.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

struct host_tree {
	char directory[64];
	char sysfs[96], dev[96], proc[96], state[96];
	struct host_paths paths;
	/* The nth write from now on fails; 0: none. */
	unsigned int fails_at;
	bool dies; /* ... and every one after it: the program has crashed */
	unsigned int n_writes;
	bool has_no_probe;   /* vfio-pci refuses */
	const char *refuses; /* a driver that is not loaded; NULL: none */
};

static inline void tree_run(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ck_assert_int_eq(system(command), 0);
}

static inline void tree_put(const struct host_tree *tree, const char *address, const char *file,
			    const char *text)
{
	char path[256];
	FILE *out;

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", tree->sysfs, address, file);
	out = fopen(path, "we");
	ck_assert_ptr_nonnull(out);
	fprintf(out, "%s\n", text);
	fclose(out);
}

static inline void tree_link(const struct host_tree *tree, const char *address,
			     const char *name, const char *target)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", tree->sysfs, address, name);
	unlink(path);
	if (*target)
		ck_assert_int_eq(symlink(target, path), 0);
}

static inline void tree_set_driver(const struct host_tree *tree, const char *address,
				   const char *driver)
{
	char target[128];
	unsigned int last = (unsigned int)(address[strlen(address) - 3] - '0');

	snprintf(target, sizeof(target), "../../drivers/%s", driver);
	tree_link(tree, address, "driver", *driver ? target : "");
	tree_run("rm -rf %s/bus/pci/devices/%s/vfio-dev", tree->sysfs, address);
	if (!strcmp(driver, "vfio-pci"))
		tree_run("mkdir -p %s/bus/pci/devices/%s/vfio-dev/vfio%u", tree->sysfs, address,
			 last);
}

/* In group @group, with @driver. */
static inline void tree_add(const struct host_tree *tree, const char *address,
			    const char *group, const char *driver)
{
	char target[128];

	tree_run("mkdir -p %s/bus/pci/devices/%s %s/kernel/iommu_groups/%s/devices/%s",
		 tree->sysfs, address, tree->sysfs, group, address);
	tree_put(tree, address, "vendor", "0x1b36");
	tree_put(tree, address, "device", "0x0010");
	tree_put(tree, address, "class", "0x010802");
	tree_put(tree, address, "driver_override", "(null)");
	tree_put(tree, address, "reset_method", "flr bus");
	snprintf(target, sizeof(target), "../../../kernel/iommu_groups/%s", group);
	tree_link(tree, address, "iommu_group", target);
	tree_set_driver(tree, address, driver);
}

static inline void tree_init(struct host_tree *tree)
{
	*tree = (struct host_tree){.directory = "/tmp/alcove-tree-XXXXXX"};
	ck_assert_ptr_nonnull(mkdtemp(tree->directory));
	snprintf(tree->sysfs, sizeof(tree->sysfs), "%s/sys", tree->directory);
	snprintf(tree->dev, sizeof(tree->dev), "%s/dev", tree->directory);
	snprintf(tree->proc, sizeof(tree->proc), "%s/proc", tree->directory);
	snprintf(tree->state, sizeof(tree->state), "%s/state", tree->directory);
	tree->paths = (struct host_paths){.sysfs = tree->sysfs,
					  .dev = tree->dev,
					  .proc = tree->proc,
					  .state = tree->state};
	tree_run("mkdir -p %s/bus/pci/devices %s/bus/pci/drivers/vfio-pci "
		 "%s/bus/pci/drivers/nvme %s/vfio/devices && touch %s/iommu",
		 tree->sysfs, tree->sysfs, tree->sysfs, tree->dev, tree->dev);
}

static inline void tree_fini(const struct host_tree *tree)
{
	tree_run("rm -rf %s", tree->directory);
}

/* The driver of a device, "" for none. */
static inline struct host_pci tree_get(const struct host_tree *tree, const char *address)
{
	struct host_pci device;

	ck_assert_int_eq(host_pci_read(&tree->paths, address, &device), 0);
	return device;
}

/* --- What the kernel does when something is written --- */

static inline void tree_probe(const struct host_tree *tree, const char *address)
{
	struct host_pci device = tree_get(tree, address);

	if (*device.driver)
		return;
	if (!strcmp(device.driver_override, "vfio-pci"))
		tree_set_driver(tree, address, tree->has_no_probe ? "" : "vfio-pci");
	else
		tree_set_driver(tree, address, "nvme");
}

static inline int tree_write(void *kernel, const char *path, const char *text)
{
	struct host_tree *tree = kernel;
	const char *file = strrchr(path, '/') + 1;
	char address[PCI_ADDRESS_BYTES];

	tree->n_writes++;
	if (tree->refuses && strstr(path, tree->refuses))
		return -ENOENT;
	if (tree->fails_at &&
	    (tree->dies ? tree->n_writes >= tree->fails_at : tree->n_writes == tree->fails_at))
		return -EIO;
	if (!strcmp(file, "driver_override")) {
		ck_assert_int_gt(sscanf(strstr(path, "devices/") + 8, "%12s", address), 0);
		tree_put(tree, address, file, *text == '\n' ? "(null)" : text);
	} else if (!strcmp(file, "unbind")) {
		tree_set_driver(tree, text, "");
	} else if (!strcmp(file, "drivers_probe")) {
		tree_probe(tree, text);
	} else {
		ck_assert_str_eq(file, "bind");
		ck_assert_str_eq(tree_get(tree, text).driver, "");
		tree_set_driver(tree, text, "nvme");
	}
	return 0;
}

#endif
