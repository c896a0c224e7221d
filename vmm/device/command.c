// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/device/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/assigned.h"
#include "vmm/args.h"
#include "vmm/cleanup.h"
#include "vmm/device/bind.h"
#include "vmm/err.h"
#include "vmm/machine.h"

static int fail(int status, const struct err *err)
{
	fprintf(stderr, "alcove: %s\n", err->text);
	return status;
}

void device_print_help(FILE *out)
{
	fputs("\n"
	      "  list              All PCI devices of the host: address, vendor:device, "
	      "driver,\n"
	      "                    IOMMU group, ways to reset it, and whether it can be "
	      "assigned\n"
	      "  bind ADDRESS...   Take them from their drivers, for --device\n"
	      "  unbind ADDRESS... Give them back to the drivers they had\n",
	      out);
}

/* --- list --- */

static void print_device(const struct device_bind *bind, const struct host_pci *device)
{
	struct err err = {0};
	const char *state = "assignable";

	if (host_pci_check(bind->paths, device, &err)) {
		/* The address is in the first column. */
		state = strstr(err.text, ": ");
		state = state ? state + 2 : err.text;
	}
	if (device_bind_is_half(bind, device->address))
		state = "half bound; run `alcove device bind` or `unbind`";
	printf("%-12s  %04x:%04x  %-14s  %-5s  %-12s  %s\n", device->address, device->vendor_id,
	       device->device_id, *device->driver ? device->driver : "-",
	       *device->iommu_group ? device->iommu_group : "-",
	       *device->reset_methods ? device->reset_methods : "-", state);
}

static int list_devices(const struct device_bind *bind, struct err *err)
{
	_cleanup_free_ char(*addresses)[PCI_ADDRESS_BYTES] =
		calloc(HOST_PCI_DEVICES_MAX, sizeof(*addresses));
	struct host_pci device;
	int n = -ENOMEM;

	if (addresses)
		n = host_pci_list(bind->paths, addresses, HOST_PCI_DEVICES_MAX);
	if (n < 0)
		return err_set(err, n, "devices: cannot list them: %s; is %s mounted?",
			       err_describe(n), bind->paths->sysfs);
	printf("%-12s  %-9s  %-14s  %-5s  %-12s  %s\n", "ADDRESS", "ID", "DRIVER", "GROUP",
	       "RESET", "STATE");
	for (int i = 0; i < n; i++) {
		if (!host_pci_read(bind->paths, addresses[i], &device))
			print_device(bind, &device);
	}
	return 0;
}

/* --- bind, unbind --- */

/* What the operator has to know though it is bound. */
static void print_rest(const struct device_bind *bind, const char *address)
{
	struct host_pci device;
	struct err err = {0};

	if (host_pci_read(bind->paths, address, &device) ||
	    !host_pci_check(bind->paths, &device, &err))
		return;
	fprintf(stderr, "alcove: bound, but %s\n", err.text);
}

static int change(const struct device_bind *bind, bool binds, char **words, struct err *err)
{
	_cleanup_close_ int lock = device_bind_lock(bind, err);
	int ret = lock < 0 ? lock : 0;

	for (; *words && !ret; words++) {
		char address[PCI_ADDRESS_BYTES];
		struct err other = {0};

		if (!pci_address_parse(*words, address))
			return err_set(err, -EINVAL,
				       "'%s' is no PCI address; write it as 0000:01:00.0",
				       *words);
		/* It is no reason to leave this one as it is. */
		if (device_bind_repair(bind, address, &other))
			fprintf(stderr, "alcove: %s\n", other.text);
		ret = binds ? device_bind(bind, address, err)
			    : device_unbind(bind, address, err);
		if (!ret && binds)
			print_rest(bind, address);
	}
	return ret;
}

int device_command(char **argv)
{
	static const struct host_paths paths = {
		.sysfs = "/sys", .dev = "/dev", .proc = "/proc", .state = "/run/alcove"};
	const char *verb = argv[0] ? argv[0] : "";
	struct device_bind bind;
	struct err err = {0};
	bool binds = !strcmp(verb, "bind");
	int ret;

	if (!strcmp(verb, "-h") || !strcmp(verb, "--help"))
		return -1;
	device_bind_init(&bind, &paths);
	if (!strcmp(verb, "list") && !argv[1]) {
		ret = list_devices(&bind, &err);
	} else if ((binds || !strcmp(verb, "unbind")) && argv[1]) {
		ret = change(&bind, binds, argv + 1, &err);
	} else {
		err_set(&err, -EINVAL,
			"device: write list, bind ADDRESS... or unbind ADDRESS...");
		return fail(EXIT_STATUS_USAGE, &err);
	}
	return ret ? fail(EXIT_STATUS_SETUP, &err) : EXIT_STATUS_OK;
}
