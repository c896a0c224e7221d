/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices of the host that the guest gets, and what the host shows of its devices. A public
 * header of its own beside devices.h: only the machine and `alcove device` need it.
 */
#ifndef DEVICES_ASSIGNED_H
#define DEVICES_ASSIGNED_H

#include "devices/devices.h"
#include "memory/memory.h"

/* --- PCI devices of the host --- */

/* Where the host's kernel shows its devices; others for tests. */
struct host_paths {
	const char *sysfs; /* /sys */
	const char *dev;   /* /dev */
	const char *proc;  /* /proc */
	const char *state; /* /run/alcove */
};

enum { PCI_ADDRESS_BYTES = 16 };

/* "0000:01:00.0", or without the segment. False: it is none. */
bool pci_address_parse(const char *text, char ret_address[PCI_ADDRESS_BYTES]);

enum {
	HOST_PCI_WORD_BYTES = 64,
	HOST_PCI_PATH_BYTES = 512,
	HOST_PCI_DEVICES_MAX = 1024,
};

/* What sysfs says of a device; empty: nothing. */
struct host_pci {
	char address[PCI_ADDRESS_BYTES];
	char driver[HOST_PCI_WORD_BYTES];
	char driver_override[HOST_PCI_WORD_BYTES];
	char iommu_group[HOST_PCI_WORD_BYTES];
	char reset_methods[HOST_PCI_WORD_BYTES];
	char vfio[HOST_PCI_WORD_BYTES]; /* the name of its file, vfioN */
	uint16_t vendor_id;
	uint16_t device_id;
	uint32_t class_code;
};

/* Returns 0, -ENOENT (no such device), -errno. */
int host_pci_read(const struct host_paths *paths, const char *address,
		  struct host_pci *ret_device);
/* Fills @ret_addresses in ascending order, @max of them. Returns how many, or -errno. */
int host_pci_list(const struct host_paths *paths, char (*ret_addresses)[PCI_ADDRESS_BYTES],
		  unsigned int max);
/**
 * What keeps the device from being assigned, in words: 0 when nothing that can be seen does,
 * else -errno with @err ("0000:01:00.0: cause; cure").
 */
int host_pci_check(const struct host_paths *paths, const struct host_pci *device,
		   struct err *err);
/* Of its group: one whose driver is neither vfio's nor a bridge's. Else NULL. */
const char *host_pci_find_rival(const struct host_paths *paths, const struct host_pci *device,
				char ret_address[PCI_ADDRESS_BYTES]);
/* Does the host's firmware claim memory for it (RMRR, IVMD)? */
bool host_pci_has_claim(const struct host_paths *paths, const struct host_pci *device);
/* An IOMMU before it, and nothing claimed? Returns and says as host_pci_check. */
int host_pci_check_iommu(const struct host_paths *paths, const struct host_pci *device,
			 struct err *err);
bool host_pci_is_bridge(const struct host_pci *device);

/* --- Assigned devices: vfio-pci on iommufd --- */

struct vfio_device;

struct vfio_sink {
	/* One line that the operator should read; a guest may be the reason. */
	void (*warn)(void *machine, const char *text);
	/*
	 * The host wants a device back, or it is broken: @text tells why. On the loop's thread,
	 * and again after a while if nothing is done about it.
	 */
	void (*lost)(void *machine, struct vfio_device *device, const char *text);
	void *machine;
};

struct vfio_env {
	struct host *host;
	int vm;
	struct guest_memory *memory;
	enum dma_mode dma;
	struct loop *loop;
	struct pci_host *pci;
	const struct host_paths *paths;
	struct vfio_sink sink;
};

/* What the assigned devices of a VM share. */
struct vfio;
/* Returns 0, or -errno with @err. */
int vfio_new(const struct vfio_env *env, struct vfio **ret_vfio, struct err *err);
/* Frees the devices, too: silenced all, reset all, then closed. Accepts NULL. */
void vfio_free(struct vfio *vfio);

/**
 * Take @address from the host and plug it into the guest.
 *
 * @name: for messages. @address: as pci_address_parse writes it.
 * Returns 0, or -errno with @err naming device, cause and cure; nothing is left behind then.
 */
int vfio_device_new(struct vfio *vfio, const char *name, const char *address,
		    struct vfio_device **ret_device, struct err *err);

struct vfio_place {
	struct pci_port *port;
	struct pci_port_user *user; /* of the slot */
};

/**
 * Idem, behind a port, while the guest runs. It can take long: memory that the guest shares is
 * mapped for the device, while conversions go on. One such call at a time, on a thread that may
 * open files; those that free devices count.
 */
int vfio_device_new_at(struct vfio *vfio, const char *name, const char *address,
		       const struct vfio_place *place, struct vfio_device **ret_device,
		       struct err *err);
/* Hear what the host says of it, from now on. On the loop's thread. */
void vfio_device_listen(struct vfio_device *device);

struct vfio_quiet {
	void (*quiet)(struct vfio_quiet *quiet);
};
/*
 * Stop to listen. On the loop's thread; @quiet is called there, at once or later, and then the
 * device can be freed.
 */
void vfio_device_hush(struct vfio_device *device, struct vfio_quiet *quiet);

/*
 * Its memory leaves the guest, whose slot becomes free; it is reset and given back. If KVM does
 * not take its memory from the guest, vfio_free gives it back. After vfio_device_hush, or after
 * the loop has ended. Accepts NULL.
 */
void vfio_device_free(struct vfio_device *device);
/* Reset those that are new: after the last one was added, before the guest may use them. */
void vfio_start(struct vfio *vfio);

#endif
