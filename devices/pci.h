/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the PCI code.
 *
 * Locks: the lock of struct pci_host guards the configuration of its devices. It is held while
 * BARs enter and leave the bus (which waits for their handlers), in `moved` and in the handlers
 * of configuration windows; so no BAR handler takes it, nor waits for one who does. The lock of
 * struct msix comes after it and is a leaf.
 */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include <stdatomic.h>

#include "devices/devices.h"

enum {
	PCI_CONFIG_BYTES = 256,		  /* conventional */
	PCI_EXTENDED_CONFIG_BYTES = 4096, /* PCI Express */
	PCI_BARS = PCI_ROM_BAR + 1,
	PCI_WINDOWS_MAX = 8,
};

struct msix;

struct pci_bar {
	uint64_t size_bytes; /* 0: no BAR in this register */
	uint32_t kind;	     /* PCI_BASE_ADDRESS_MEM_*, as in the register */
	const struct pci_bar_ops *ops;
	void *owner;
	gpa_t mapped; /* where it is on the bus, or PCI_BAR_UNMAPPED */
};

/* Bytes [start, end) of configuration space, answered by a device. */
struct pci_window {
	unsigned int start;
	unsigned int end;
	unsigned int base; /* where offsets count from */
	const struct pci_config_ops *ops;
	void *owner;
};

struct pci_device {
	uint8_t config[PCI_EXTENDED_CONFIG_BYTES];
	uint8_t writable[PCI_EXTENDED_CONFIG_BYTES]; /* bits that the guest can change */
	unsigned int config_bytes;		     /* how much of them there is */
	struct pci_bar bars[PCI_BARS];
	struct pci_window windows[PCI_WINDOWS_MAX];
	unsigned int n_windows;
	const struct pci_device_ops *ops; /* NULL: none */
	void *owner;
	bool is_asleep;		  /* decodes no BAR, whatever the command register says */
	unsigned int free_offset; /* where the next capability goes */
	unsigned int link_offset; /* of the byte that will point to it */
	struct msix *msix;	  /* NULL: none */
	struct pci_host *host;	  /* NULL: not plugged in */
	unsigned int slot;
	atomic_bool is_master; /* copy of the bit in the command register, for any thread */
};

/*
 * An access that lies within one dword of configuration space, under the host's lock.
 *
 * Writing returns true when BARs may have to move.
 */
uint32_t pci_device_read_config(struct pci_device *device, unsigned int offset,
				unsigned int size_bytes);
bool pci_device_write_config(struct pci_device *device, unsigned int offset, uint32_t value,
			     unsigned int size_bytes);

/* Where the guest wants a BAR decoded, be it possible or not; else PCI_BAR_UNMAPPED. */
gpa_t pci_device_get_bar(const struct pci_device *device, unsigned int bar);
/* Does not move it on the bus. */
void pci_device_set_bar(struct pci_device *device, unsigned int bar, gpa_t gpa);

/* Its BARs leave the bus, its slot is free again. */
void pci_host_remove(struct pci_host *host, struct pci_device *device);

void msix_free(struct msix *msix);
void msix_raise(struct msix *msix, unsigned int vector);

#endif
