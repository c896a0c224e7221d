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

#include <linux/pci_regs.h>
#include <pthread.h>
#include <stdatomic.h>

#include "devices/devices.h"

enum {
	PCI_SLOTS = 32, /* of bus 0; behind them, the one slot of each port */
	PCI_PLACES = PCI_SLOTS + PCI_PORTS_MAX,
	PCI_CONFIG_BYTES = 256,		  /* conventional */
	PCI_EXTENDED_CONFIG_BYTES = 4096, /* PCI Express */
	PCI_EXPRESS_BYTES = 60,		  /* PCI Express 6.0, 7.5.3: all of the capability */
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
	unsigned int slot;	  /* in struct pci_host */
	atomic_bool is_master;	  /* copy of the bit in the command register, for any thread */
};

/* What a root of PCI has for BARs. */
enum pci_window_kind { PCI_WINDOW_32, PCI_WINDOW_64, PCI_WINDOWS };

struct pci_room {
	struct range window;
	struct range free; /* what is not given away: to BARs from below, to ports from above */
};

/* --- Root ports --- */

/* What stands between a device in a port's slot and its removal. */
enum pci_slot_state {
	PCI_SLOT_EMPTY,
	PCI_SLOT_USED,
	PCI_SLOT_WANTED,   /* back, but the guest is just turning it on */
	PCI_SLOT_PRESSED,  /* idem, and the guest has been told */
	PCI_SLOT_RELEASED, /* the guest is done with it */
	PCI_SLOT_STATES,
};

enum pci_slot_event {
	PCI_SLOT_PLUG,
	PCI_SLOT_UNPLUG,
	PCI_SLOT_ASK_OFF,  /* removal is wanted; by what the power indicator shows */
	PCI_SLOT_ASK_BUSY, /* idem */
	PCI_SLOT_ASK_ON,   /* idem */
	PCI_SLOT_SHOW_OFF, /* the guest changed the power indicator */
	PCI_SLOT_SHOW_BUSY,
	PCI_SLOT_SHOW_ON,
	PCI_SLOT_EVENTS,
};

struct pci_slot_step {
	enum pci_slot_state to;
	bool press;   /* the attention button */
	bool release; /* tell the user */
};

/* Pure. Events that have no meaning in a state leave it. */
struct pci_slot_step pci_slot_next(enum pci_slot_state state, enum pci_slot_event event);

/* What follows is guarded by the lock of configuration. */
struct pci_port {
	struct pci_host *host;
	struct pci_device *device; /* the port itself */
	unsigned int index;
	enum pci_slot_state state;
	struct pci_port_user *user;	    /* of the device in the slot */
	uint8_t express[PCI_EXPRESS_BYTES]; /* the capability */
	bool is_signalling;		    /* an event is shown and enabled */
};

int pci_port_new(struct pci_host *host, unsigned int index, const struct msi_sink *sink,
		 struct pci_port **ret_port);
/* Accepts NULL. */
void pci_port_free(struct pci_port *port);
/* As the guest programmed it: the bus behind it, 0 if none; what is forwarded to it. */
unsigned int pci_port_bus(const struct pci_port *port);
struct range pci_port_window(const struct pci_port *port, enum pci_window_kind kind);
void pci_port_set_windows(struct pci_port *port, unsigned int bus, struct range window_32,
			  struct range window_64);
bool pci_port_forwards(const struct pci_port *port, struct range range);
/* A device came, or went. */
void pci_port_filled_locked(struct pci_port *port);
void pci_port_emptied_locked(struct pci_port *port);

/* --- The root --- */

struct pci_host {
	struct bus *mmio;
	struct bus *pio;
	struct range ecam;
	/* Forwarded to BARs. Those that are not prefetchable start in the first if it has
	 * room: kernels without ACPI and code without paging find them best below 4 GiB. The
	 * free part is of use before vCPUs run. */
	struct pci_room rooms[PCI_WINDOWS];
	struct pci_port *ports[PCI_PORTS_MAX];
	unsigned int n_ports;

	pthread_mutex_t lock; /* guards what follows and the configuration of the devices */
	uint32_t conf_address;
	struct pci_device *devices[PCI_PLACES]; /* the bridge is at 0 */
};

/**
 * Give all BARs of a device addresses in @rooms; it decodes none.
 *
 * @is_port: what is not prefetchable cannot go to the second room.
 * Returns 0, or -ENOSPC: then some, or all, have none.
 */
int pci_place_bars(struct pci_room rooms[PCI_WINDOWS], struct pci_device *device, bool is_port);

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

/* A header of type 1, with windows for memory only; before capabilities and BARs are added. */
void pci_device_make_bridge(struct pci_device *device);

/* Plug in a device that has no BARs. Returns 0, -ENOSPC (the slot is taken). */
int pci_host_add_at(struct pci_host *host, struct pci_device *device, unsigned int slot);

/* Its BARs leave the bus, its slot is free again; a port tells the guest. */
void pci_host_remove(struct pci_host *host, struct pci_device *device);

void msix_free(struct msix *msix);
void msix_raise(struct msix *msix, unsigned int vector);

#endif
