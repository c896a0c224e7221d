/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of assigned devices.
 *
 *	vfio.c		a device from the file to the slot and back; what devices of a VM share
 *	vfio_refuse.c	why the kernel does not give us a device, in words
 *	vfio_config.c	configuration space: what is the device's, what is ours
 *	vfio_bar.c	BARs: memslots where the guest may reach the device itself
 *	vfio_msix.c	MSI-X as the guest sees it; vfio_msi.c the same for MSI
 *	vfio_irq.c	vectors: eventfds from the device to KVM
 *	vfio_event.c	what the host tells of it while the guest has it
 *	vfio_reset.c	resets, of one device or of a bus
 *
 * Locks: configuration (of the PCI code), then the lock of a vector set, then those of the
 * routes and of struct vfio, which are leaves. BAR handlers take none of configuration.
 */
#ifndef DEVICES_VFIO_H
#define DEVICES_VFIO_H

#include <linux/vfio.h>
#include <pthread.h>

#include "devices/assigned.h"

enum {
	VFIO_BARS = PCI_ROM_BAR + 1,
	VFIO_AREAS_MAX = 8,
	VFIO_CONFIG_BYTES = 4096,
	VFIO_SLOTS_FIRST = 8, /* RAM has those before */
	VFIO_SLOTS_MAX = 512, /* of all devices */
	VFIO_MSI_BYTES_MAX = 24,
};

struct vfio {
	struct vfio_env env;
	int vm_vfio;
	struct msi_routes *routes;
	pthread_mutex_t lock;		     /* guards what follows; a leaf */
	uint64_t slots[VFIO_SLOTS_MAX / 64]; /* memslots in use */
	struct vfio_device *devices;	     /* of set-up and teardown: one thread at a time */
	bool is_running;		     /* the guest is */
};

/* A part of a BAR that the guest reaches without us, when the BAR is on the bus. */
struct vfio_area {
	struct range offset; /* in the BAR */
	void *hva;
	unsigned int slot; /* 0: none now */
	bool is_stuck;	   /* KVM did not give the slot back */
};

struct vfio_bar {
	struct vfio_device *device;
	unsigned int index;
	uint64_t size_bytes; /* 0: not offered */
	uint64_t file_offset;
	struct vfio_area areas[VFIO_AREAS_MAX];
	unsigned int n_areas;
};

/* --- Vectors --- */

struct vfio_message {
	uint64_t address;
	uint32_t data;
	bool is_masked;
};

struct vfio_vector {
	int eventfd;	 /* -1: none yet */
	uint32_t gsi;	 /* of its route; 0: none yet */
	bool is_sending; /* KVM sends the message when the eventfd is signalled */
	bool is_known;	 /* the device signals the eventfd */
};

/* The vectors of MSI or of MSI-X. */
struct vfio_irq {
	struct vfio_device *device;
	unsigned int index; /* VFIO_PCI_MSI_IRQ_INDEX or _MSIX_ */
	unsigned int n_vectors;
	bool is_fixed; /* vectors cannot be added while it is enabled */
	bool is_enabled;
	bool has_warned; /* of a vector that reaches nobody */
	unsigned int n_enabled;
	struct vfio_vector *vectors;
};

/* Returns 0, -ENOMEM. */
int vfio_irq_init(struct vfio_irq *irq, struct vfio_device *device, unsigned int index,
		  unsigned int n_vectors);
void vfio_irq_fini(struct vfio_irq *irq);

/*
 * On, with the first @n vectors, all silent; off. Under the lock of whoever has the vectors, as
 * all that follows. A host that fails is told about, and leaves vectors silent.
 */
void vfio_irq_enable(struct vfio_irq *irq, unsigned int n);
void vfio_irq_disable(struct vfio_irq *irq);
/* What an enabled vector sends, or that it is masked: it becomes pending then. */
void vfio_irq_set(struct vfio_irq *irq, unsigned int vector,
		  const struct vfio_message *message);
bool vfio_irq_is_pending(const struct vfio_irq *irq, unsigned int vector);

struct vfio_msi {
	struct vfio_irq irq;
	pthread_mutex_t lock; /* guards what follows and the vectors */
	unsigned int offset;  /* of the capability; 0: the device has none */
	unsigned int size_bytes;
	unsigned int n_asked; /* vectors the guest enabled */
	uint8_t bytes[VFIO_MSI_BYTES_MAX];
};

struct vfio_msix_entry {
	uint64_t address;
	uint32_t data;
	uint32_t control;
};

struct vfio_msix {
	struct vfio_irq irq;
	pthread_mutex_t lock; /* guards what follows and the vectors */
	unsigned int offset;  /* of the capability; 0: the device has none */
	uint16_t control;
	unsigned int table_bar;
	unsigned int pending_bar;
	struct range table;   /* in the BAR */
	struct range pending; /* idem */
	struct vfio_msix_entry *entries;
};

/* @offset: of the capability. Return 0, -ENOMEM, -EINVAL (makes no sense), -errno. */
int vfio_msi_init(struct vfio_device *device, unsigned int offset);
int vfio_msix_init(struct vfio_device *device, unsigned int offset);
void vfio_msi_fini(struct vfio_device *device);
void vfio_msix_fini(struct vfio_device *device);

/* Accesses to the capability; offsets count from its start. */
uint32_t vfio_msi_read(struct vfio_device *device, unsigned int offset,
		       unsigned int size_bytes);
void vfio_msi_write(struct vfio_device *device, unsigned int offset, uint32_t value,
		    unsigned int size_bytes);
uint32_t vfio_msix_read(struct vfio_device *device, unsigned int offset,
			unsigned int size_bytes);
void vfio_msix_write(struct vfio_device *device, unsigned int offset, uint32_t value,
		     unsigned int size_bytes);

/*
 * Accesses to a BAR, if they touch table or pending bits: true, with the answer. One that is
 * partly outside reads all ones and writes nothing.
 */
bool vfio_msix_read_bar(struct vfio_device *device, unsigned int bar, struct range access,
			uint64_t *ret_value);
bool vfio_msix_write_bar(struct vfio_device *device, unsigned int bar, struct range access,
			 uint64_t value);

/* --- Configuration space --- */

struct vfio_config {
	uint64_t file_offset;
	unsigned int size_bytes;
	/* Bits that are ours, and what they read as; the rest is the device's. */
	uint8_t own[VFIO_CONFIG_BYTES];
	uint8_t bytes[VFIO_CONFIG_BYTES];
	unsigned int power; /* offset of the power management capability; 0: none */
	uint16_t command;   /* as the device has it */
	bool is_asleep;	    /* in D3, by the guest's will */
	/* The write that puts it to sleep or wakes it waits for its BARs to leave the bus. */
	bool has_late_write;
	unsigned int late_offset;
	unsigned int late_bytes;
	uint32_t late_value;
};

/* Read it all, find the capabilities. Returns 0, -errno. */
int vfio_config_init(struct vfio_device *device, const struct vfio_region_info *region);
/* Describe it to the PCI code. Returns 0, -ENOSPC. */
int vfio_config_offer(struct vfio_device *device);
/* Bus mastering and decoding off, but for what the guest still reaches; whatever it thinks. */
void vfio_config_silence(struct vfio_device *device);

/* --- BARs --- */

/* Find out about region @index. Returns 0, also when there is none to offer; -errno. */
int vfio_bar_init(struct vfio_device *device, unsigned int index);
/* Map what can be mapped; MSI-X is known. Returns 0, -errno. */
int vfio_bar_map(struct vfio_bar *bar);
/* The guest reaches nothing of it, or does not run any more. */
void vfio_bar_unmap(struct vfio_bar *bar);
/* Does the guest still reach BARs that left the bus? Tries once more to end that. */
bool vfio_bars_are_stuck(struct vfio_device *device);
void vfio_bar_offer(struct vfio_bar *bar);
/* Parts of [0, @size_bytes) in whole pages without @holes; pure. Returns how many there are. */
unsigned int vfio_bar_cut(uint64_t size_bytes, const struct range *holes, unsigned int n_holes,
			  struct range *ret_areas);

/* --- A device --- */

struct vfio_device {
	struct vfio *vfio;
	struct vfio_device *next;
	char name[64];
	char address[PCI_ADDRESS_BYTES];
	int fd;
	int iommufd;	  /* that it is bound to; -1: none */
	bool is_on_list;  /* of KVM */
	bool is_attached; /* to the guest's memory */
	bool is_started;  /* the guest may use it */
	bool is_behind_port;
	bool can_reset; /* by itself */
	unsigned int n_irqs;
	struct pci_device *pci;
	struct vfio_config config;
	struct vfio_bar bars[VFIO_BARS];
	struct vfio_msi msi;
	struct vfio_msix msix;
	struct vfio_event {
		struct vfio_device *device;
		struct loop_op op;
		int eventfd;
		bool is_listening; /* of the loop's thread */
	} error, request;	   /* the device failed; the host wants it back */
	struct vfio_quiet *quiet;  /* NULL: nobody wants silence; of the loop's thread */
};

/* One line to the operator: "device 'name' (address): ..." */
void vfio_warn(struct vfio_device *device, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* Why the kernel did not let us bind it; returns @code. */
int vfio_refuse_bind(const struct vfio_device *device, int code, struct err *err);

/* The best reset there is that touches no other device in use. Warns when there is none. */
void vfio_reset(struct vfio_device *device);

/* Ask for the events it has; nobody listens yet. Returns 0, -errno. */
int vfio_events_init(struct vfio_device *device);
/* Nobody listens any more. */
void vfio_events_fini(struct vfio_device *device);

#endif
