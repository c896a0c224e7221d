/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PCI device behind the fake kernel's vfio: configuration space, BARs, interrupts, with the
 * rules of vfio-pci of 7.3. Misuse aborts the test: memslots on a BAR that is not decoded,
 * binding before KVM knows the file, closing while something still holds the device open.
 */
#ifndef TESTS_FAKE_FAKE_DEVICE_H
#define TESTS_FAKE_FAKE_DEVICE_H

#include "tests/fake/fake.h"

enum {
	FAKE_DEVICE_VECTORS = 8, /* of MSI-X */
	FAKE_DEVICE_MSI_VECTORS = 4,
	/* Where things are in its configuration space. */
	FAKE_DEVICE_PM = 0x40,
	FAKE_DEVICE_MSI = 0x50,
	FAKE_DEVICE_EXPRESS = 0x70,
	FAKE_DEVICE_MSIX = 0xb0,
	FAKE_DEVICE_VENDOR = 0xc0,
	FAKE_DEVICE_ATS = 0x100,
	FAKE_DEVICE_AER = 0x140,
	FAKE_DEVICE_REBAR = 0x1c0,
	FAKE_DEVICE_DSN = 0x200,
	/* In BAR 0, of 16 KiB with 64 bits. */
	FAKE_DEVICE_TABLE = 0x2000,
	FAKE_DEVICE_PENDING = 0x3000,
};

struct fake_device_traits {
	int bind_error;	       /* what BIND fails with; 0: nothing */
	int reset_error;       /* what its own reset fails with */
	bool no_reset;	       /* has none */
	bool no_hot_reset;     /* nor can its bus be reset */
	bool shares_bus;       /* with a device of somebody else's */
	const char *neighbour; /* BDF of one on the same bus */
	bool is_fixed;	       /* NORESIZE of MSI-X */
	unsigned int vectors;  /* that the host can give; 0: enough */
	/* Its interrupts are not where they say: what is written there is not judged. */
	bool is_strange;
};

struct fake_device;

/* Behind /dev/vfio/devices/@name, to the end of @fake. */
struct fake_device *fake_device_add(struct fake *fake, const char *path);
struct fake_device_traits *fake_device_traits(struct fake_device *device);
/* 4096 bytes; to be changed before it is opened. */
uint8_t *fake_device_config(struct fake_device *device);

/* The device raises an interrupt. False: nobody has asked for it. */
bool fake_device_raise(struct fake_device *device, unsigned int index, unsigned int vector);
bool fake_device_is_open(struct fake_device *device);
unsigned int fake_device_count_resets(struct fake_device *device);
/* Registers as the hardware has them. */
uint32_t fake_device_get(struct fake_device *device, unsigned int index, uint64_t offset);
void fake_device_set(struct fake_device *device, unsigned int index, uint64_t offset,
		     uint32_t value);

/* Of KVM: routes in use, irqfds bound. */
unsigned int fake_count_irqfds(struct fake *fake);

#endif
