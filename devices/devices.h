/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices and the buses they sit on.
 *
 * Threads: vCPU threads enter through bus_read and bus_write, at any time and several at once.
 * All I/O and all virtqueues are served by one thread, that of the loop. A device guards what
 * both touch with one mutex of its own, and calls neither a bus nor another device while it
 * holds it.
 *
 * A device is made stopped and configured (`*_new`), and freed (`*_free`, accepts NULL) after
 * the loop and all vCPUs have stopped. Guest input can never fail a device: it is answered as
 * hardware would (all ones, ignored writes, DEVICE_NEEDS_RESET).
 */
#ifndef DEVICES_DEVICES_H
#define DEVICES_DEVICES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "vmm/range.h"

struct err;
struct guest_memory;
struct host;
struct layout;

/* --- Bus: port I/O or MMIO addresses to handlers --- */

/*
 * @offset: from the start of the registered range.
 * @size_bytes: 1, 2, 4 or 8; the access lies wholly inside the range. Little endian.
 */
struct bus_ops {
	uint64_t (*read)(void *device, uint64_t offset, unsigned int size_bytes);
	void (*write)(void *device, uint64_t offset, uint64_t value, unsigned int size_bytes);
};

struct bus;

/* Returns 0 or -ENOMEM. */
int bus_new(struct bus **ret_bus);
/* After every vCPU has stopped; forgets the ranges that are left. Accepts NULL. */
void bus_free(struct bus *bus);

/**
 * Give [range) to a device. A handler may call this for ranges other than its own (a PCI device
 * whose BAR the guest moves).
 *
 * Returns 0, -EEXIST (overlaps), -EINVAL (empty), -ENOMEM; on error nothing changed.
 */
int bus_add(struct bus *bus, struct range range, const struct bus_ops *ops, void *device);

/**
 * Take the range that starts at @start, which is there, back. When it returns, no handler of it
 * runs any more; so the caller is none of them and holds no lock that such a handler takes.
 */
void bus_remove(struct bus *bus, uint64_t start);

/**
 * One access by a vCPU, @size_bytes 1, 2, 4 or 8. An address nobody owns, or an access that
 * crosses the end of a range, reads all ones and ignores writes.
 */
uint64_t bus_read(struct bus *bus, uint64_t address, unsigned int size_bytes);
void bus_write(struct bus *bus, uint64_t address, uint64_t value, unsigned int size_bytes);

/* --- Loop: one thread, one io_uring --- */

struct loop;
struct iovec;

/* What to do, in the terms of io_uring; the loop's own. */
struct loop_request {
	uint8_t opcode;
	int fd;
	uint32_t flags;
	uint32_t length;
	uint64_t address;
	uint64_t offset;
	struct timespec after;
};

/*
 * One operation in flight, embedded in its owner's request, zeroed but for the first fields.
 * The owner keeps it in place until @done has been called, on the loop's thread and exactly
 * once per submission; then it may be submitted again, from within @done too.
 *
 * @result: as the system call would return it, or -errno; -ECANCELED after loop_cancel, or
 * because the loop ends (submit nothing then).
 */
struct loop_op {
	void (*done)(struct loop_op *op, int result);
	/* For a descriptor that may block though it polls ready (a terminal): use a worker. */
	bool may_block;

	/* Owned by the loop. */
	struct loop_op *next;
	unsigned int state;
	struct loop_request request;
};

/* Returns 0, or -errno with @err (io_uring missing or forbidden, and the cure). */
int loop_new(struct loop **ret_loop, struct err *err);
/* After loop_run returned, or without it: then operations submitted are forgotten. Accepts
 * NULL. */
void loop_free(struct loop *loop);

/**
 * Serve events until loop_stop, then cancel and collect what is in flight: when it returns,
 * nothing is, and the owners of operations and posts may go. Once per loop.
 *
 * Returns 0; -ETIMEDOUT when operations (of a disk that hangs) did not end within 10 s: their
 * @done was not called and never will be; -errno when the ring itself failed, with the same
 * proviso.
 */
int loop_run(struct loop *loop);
/* Any thread, any number of times; async-signal-safe. */
void loop_stop(struct loop *loop);

/*
 * Submissions: on the loop's thread, or before loop_run. They cannot fail: a full ring queues
 * the operation, an error arrives in @done. Buffers (and @iov itself) stay valid until then.
 * @offset UINT64_MAX: at the file's own position, as read(2).
 */
void loop_readv(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
		unsigned int n_iov, uint64_t offset);
void loop_writev(struct loop *loop, struct loop_op *op, int fd, const struct iovec *iov,
		 unsigned int n_iov, uint64_t offset);
void loop_fdatasync(struct loop *loop, struct loop_op *op, int fd);
/* @mode: FALLOC_FL_*; works on files and block devices. */
void loop_fallocate(struct loop *loop, struct loop_op *op, int fd, int mode, uint64_t offset,
		    uint64_t size_bytes);
/* One shot; @done gets the poll(2) events or -errno. */
void loop_poll(struct loop *loop, struct loop_op *op, int fd, unsigned int events);
/* One shot; @done gets 0 when @after_ns have passed. */
void loop_timer(struct loop *loop, struct loop_op *op, uint64_t after_ns);
/*
 * Ask @op to end early; its @done comes all the same and later, with -ECANCELED unless it was
 * too late. Does nothing to one that is not in flight.
 */
void loop_cancel(struct loop *loop, struct loop_op *op);

/*
 * Call @fn on the loop's thread, once, soon; not any more when the loop ends. Any thread. @post
 * stays in place until then; posting one that is already posted does nothing.
 */
struct loop_post {
	void (*fn)(struct loop_post *post);
	struct loop_post *next; /* owned by the loop */
	bool posted;		/* owned by the loop */
};

void loop_post(struct loop *loop, struct loop_post *post);

/* --- Interrupts --- */

/* Where message-signalled interrupts go: KVM_SIGNAL_MSI on @vm. */
struct msi_sink {
	struct host *host;
	int vm;
};

/*
 * Messages that eventfds send: the interrupt routes of a VM, one per message. Any thread, under
 * any lock of a device.
 */
struct msi_routes;
/* Returns 0 or -ENOMEM. */
int msi_routes_new(struct host *host, int vm, struct msi_routes **ret_routes);
/* After every irqfd is gone. Accepts NULL. */
void msi_routes_free(struct msi_routes *routes);
/* A route of its own for a message. Returns 0, -ENOSPC (KVM has 4096), -ENOMEM, -errno. */
int msi_routes_add(struct msi_routes *routes, uint64_t address, uint32_t data,
		   uint32_t *ret_gsi);
/* Another message by the same route. Returns 0, or -errno with the old message kept. */
int msi_routes_set(struct msi_routes *routes, uint32_t gsi, uint64_t address, uint32_t data);
/* Its irqfd is gone. */
void msi_routes_remove(struct msi_routes *routes, uint32_t gsi);

/* --- PCI: bus 0 of segment 0, and a bus behind each root port --- */

struct pci_host;
struct pci_device;

struct pci_device_info {
	uint16_t vendor_id;
	uint16_t device_id;
	uint16_t subsystem_vendor_id;
	uint16_t subsystem_id;
	uint8_t revision;
	uint32_t class_code; /* 24 bits: class, subclass, interface */
};

#define PCI_BAR_UNMAPPED UINT64_MAX

/* The number of the expansion ROM, which is decoded like a BAR. */
enum { PCI_ROM_BAR = 6 };

/* A memory BAR. Handlers run without a lock of the PCI code; offsets are from its start. */
struct pci_bar_ops {
	struct bus_ops access;
	/*
	 * The BAR is on the bus at @gpa, or PCI_BAR_UNMAPPED: not any more. Calls alternate.
	 * Under the lock of PCI configuration. May be NULL.
	 */
	void (*moved)(void *owner, unsigned int bar, gpa_t gpa);
};

/*
 * Bytes of configuration space that a device answers itself (a window). Called one at a time,
 * under the lock of PCI configuration, which no BAR handler may wait for.
 * @offset: from the start of the capability, or of configuration space.
 * @size_bytes: 1 to 4, within one dword.
 */
struct pci_config_ops {
	uint32_t (*read)(void *owner, unsigned int offset, unsigned int size_bytes);
	void (*write)(void *owner, unsigned int offset, uint32_t value,
		      unsigned int size_bytes);
};

/* What else a device may want to know. Under the lock of PCI configuration. */
struct pci_device_ops {
	/*
	 * The guest wrote the command register, a BAR, or put the device to sleep or woke it:
	 * BARs that had to leave the bus have left, those to come on it have not come yet.
	 */
	void (*apply)(void *owner, uint16_t command);
};

/* Returns 0 or -ENOMEM. Capabilities, BARs and MSI-X are added before it is plugged in. */
int pci_device_new(const struct pci_device_info *info, struct pci_device **ret_device);
/* Unplugs it: BARs still decoded are `moved` to PCI_BAR_UNMAPPED, so their owner still exists.
 */
void pci_device_free(struct pci_device *device);

/* Before it is plugged in. */
void pci_device_set_ops(struct pci_device *device, const struct pci_device_ops *ops,
			void *owner);
/* 4096 bytes of configuration space, as PCI Express has. Before it is plugged in. */
void pci_device_extend_config(struct pci_device *device);

/*
 * A memory BAR in register @bar, which is free, as is the next one if it has 64 bits; or the
 * expansion ROM.
 * @size_bytes: a power of two, at least 16 (of a ROM 2048), at most 2 GiB for one of 32 bits.
 * @kind: PCI_BASE_ADDRESS_MEM_TYPE_64 and _MEM_PREFETCH or neither; 0 for a ROM.
 */
void pci_device_add_bar(struct pci_device *device, unsigned int bar, uint64_t size_bytes,
			uint32_t kind, const struct pci_bar_ops *ops, void *owner);

/**
 * Let @ops answer bytes [start, end) of configuration space that no window has yet; offsets
 * count from its beginning. Returns 0 or -ENOSPC.
 */
int pci_device_add_window(struct pci_device *device, unsigned int start, unsigned int end,
			  const struct pci_config_ops *ops, void *owner);

/* While asleep no BAR is decoded. From the handlers of a window, or from `apply`. */
void pci_device_set_asleep(struct pci_device *device, bool is_asleep);

/**
 * Append a capability. @body: what follows id and next pointer, read-only to the guest.
 *
 * @ops: answers accesses to bytes at or beyond @ops_offset (from the capability's start); may
 * be NULL.
 * Returns its offset in configuration space, or -ENOSPC.
 */
int pci_device_add_capability(struct pci_device *device, uint8_t id, const void *body,
			      size_t body_bytes, const struct pci_config_ops *ops,
			      unsigned int ops_offset, void *owner);

/*
 * MSI-X with @n_vectors (1..2048), table and pending bits in a BAR of their own at @bar.
 * Returns 0, -ENOMEM, -ENOSPC (no room for the capability).
 */
int pci_device_add_msix(struct pci_device *device, unsigned int bar, unsigned int n_vectors,
			const struct msi_sink *sink);

/*
 * Any thread, under any lock. Masked vectors become pending and fire when the guest unmasks
 * them; while MSI-X or bus mastering is off, nothing happens.
 */
void pci_device_raise_msix(struct pci_device *device, unsigned int vector);

/* Is bus mastering on? A device does no DMA and raises nothing while it is off. */
bool pci_device_is_master(const struct pci_device *device);

/*
 * ECAM on @mmio, mechanism #1 on @pio; a host bridge at 00.0. BARs are decoded within
 * layout->mmio32 and mmio64 only. Those with 64 bits that are prefetchable start in the second
 * as far as there is room, others in the first.
 * Returns 0, -ENOMEM, -EEXIST (addresses taken).
 */
int pci_host_new(struct bus *mmio, struct bus *pio, const struct layout *layout,
		 struct pci_host **ret_host);
/* Frees no device; those still in a slot are unplugged. Accepts NULL. */
void pci_host_free(struct pci_host *host);

/**
 * Plug @device into the next free slot and give its BARs addresses (decoding stays off), before
 * any vCPU runs. Returns the slot, -ENOSPC (no free slot, or no room for the BARs).
 */
int pci_host_add(struct pci_host *host, struct pci_device *device);

/* --- Root ports: one slot each, for a device that comes and goes while the guest runs --- */

enum { PCI_PORTS_MAX = 8 };

struct pci_port;

struct pci_port_user {
	/*
	 * The guest is done with the device: nobody there uses it, and it may go. Once for each
	 * plug at most, and only until the device is removed. On a vCPU's thread, under the
	 * lock of PCI configuration: do no more than post.
	 */
	void (*released)(struct pci_port_user *user);
};

/**
 * Add a root port to bus 0, before any vCPU runs. It starts with bus numbers and 32 MiB of
 * memory below and 4 GiB above 4 GiB for what is behind it. Its host frees it.
 *
 * Returns 0, -ENOSPC (ports, slots or memory), -ENOMEM.
 */
int pci_host_add_port(struct pci_host *host, const struct msi_sink *sink,
		      struct pci_port **ret_port);

/**
 * Put @device into the port's slot; the guest is told. Any thread, under no lock.
 *
 * Its BARs get addresses as far as the port has room where the guest has put it; a guest that
 * takes devices in at run time gives them others. @user stays until the device is removed.
 * pci_device_free removes it, whether the guest is ready for that or not.
 * Returns 0, -EBUSY (the slot is not empty).
 */
int pci_port_plug(struct pci_port *port, struct pci_device *device, struct pci_port_user *user);

/**
 * Ask the guest to let go of the device in the slot: the attention button. Any thread, under no
 * lock. Asking again does nothing.
 *
 * Returns true when nobody has to be waited for, because the guest uses no hot plug or has let
 * go of it; false: `released` is called, if the guest ever gets that far.
 */
bool pci_port_ask(struct pci_port *port);

/* --- What devices tell the machine --- */

enum machine_event {
	MACHINE_POWER_OFF, /* the guest turned itself off */
	MACHINE_RESET,	   /* the guest asked for a reset */
	MACHINE_PANIC,	   /* pvpanic: the guest kernel crashed */
	MACHINE_EXIT,	   /* debug-exit: @code is what the guest wrote, 0..255 */
	MACHINE_QUIT,	   /* the operator typed the escape sequence */
};

/* Any thread; the first event wins. Must not block. */
struct machine_sink {
	void (*raise)(void *machine, enum machine_event event, unsigned int code);
	void *machine;
};

/* --- Platform devices --- */

/* Edge-triggered pins, delivered as MSIs (a split irqchip has no IOAPIC in the kernel). */
struct ioapic;
/* Returns 0, -ENOMEM, -EEXIST. */
int ioapic_new(struct bus *mmio, const struct msi_sink *sink, struct ioapic **ret_ioapic);
void ioapic_free(struct ioapic *ioapic);
/* A rising and falling edge on @pin. Any thread, under no lock of a device. */
void ioapic_pulse(struct ioapic *ioapic, unsigned int pin);

/*
 * The operator's end of a serial line or virtio console: a terminal, a file or nothing.
 *
 * Output never blocks the guest: what the other end does not take is kept in a buffer of 1 MiB,
 * the rest is dropped and counted. The flags of the descriptors are left alone. Writing to a
 * pipe that nobody reads raises SIGPIPE: the program ignores it.
 *
 * With escapes, Ctrl-A x raises MACHINE_QUIT, Ctrl-A c shows help, Ctrl-A Ctrl-A sends Ctrl-A;
 * other keys after Ctrl-A are sent with it. Input that the guest does not take is then dropped
 * beyond 64 KiB, so that the escapes work; without, it is left unread.
 */
struct console;

struct console_user {
	/* Input has arrived: take it with console_read. On the loop's thread. */
	void (*readable)(struct console_user *user);
};

/**
 * @input_fd: -1 for none. @output_fd: -1 for none. Not closed by console_free.
 * @escape: look for Ctrl-A in the input.
 * Returns 0 or -ENOMEM.
 */
int console_new(struct loop *loop, int input_fd, int output_fd, bool escape,
		const struct machine_sink *sink, struct console **ret_console);
/* After loop_run. Writes what is left, as far as the output takes it within a second. */
void console_free(struct console *console);
/* Who gets the input; at most one user. Before loop_run. */
void console_set_user(struct console *console, struct console_user *user);
/* Any thread, under any lock of a device; never blocks. */
void console_write(struct console *console, const void *bytes, size_t size_bytes);
/* As console_write. Returns how many bytes were taken, 0 when there are none. */
size_t console_read(struct console *console, void *buffer, size_t size_bytes);
/* Output lost so far. Any thread. */
uint64_t console_dropped_bytes(struct console *console);

/* A 16550A at PLATFORM_SERIAL_PORT. @console: may be NULL (output is dropped). */
struct serial;
/* Takes the console's input. Returns 0, -ENOMEM, -EEXIST. */
int serial_new(struct bus *pio, struct ioapic *ioapic, struct console *console,
	       struct serial **ret_serial);
void serial_free(struct serial *serial);

/* Power registers, i8042 reset pulse, pvpanic and debug-exit port. */
struct power;
/* Returns 0, -ENOMEM, -EEXIST. */
int power_new(struct bus *pio, struct bus *mmio, const struct machine_sink *sink,
	      struct power **ret_power);
void power_free(struct power *power);

/* --- virtio over PCI --- */

/* What every virtio device is given. */
struct virtio_env {
	struct host *host; /* for ioeventfds on @vm */
	int vm;
	struct guest_memory *memory;
	struct loop *loop;
	struct pci_host *pci;
	struct msi_sink msi;
};

struct virtio_blk_config {
	const char *path;   /* raw file or block device */
	const char *serial; /* at most 20 bytes; NULL: none */
	bool readonly;
	bool direct;	       /* O_DIRECT */
	unsigned int n_queues; /* 1..16 */
};

struct virtio_blk;
int virtio_blk_new(const struct virtio_env *env, const struct virtio_blk_config *config,
		   struct virtio_blk **ret_blk, struct err *err);
void virtio_blk_free(struct virtio_blk *blk);

/**
 * Could a disk have this file? It is locked for the moment, so one that is in use is refused.
 *
 * Returns 0; what virtio_blk_new says of a file that it cannot use, with @err.
 */
int virtio_blk_inspect(const struct virtio_blk_config *config, struct err *err);

struct virtio_console;
int virtio_console_new(const struct virtio_env *env, struct console *console,
		       struct virtio_console **ret_virtio_console, struct err *err);
void virtio_console_free(struct virtio_console *virtio_console);

struct virtio_rng;
int virtio_rng_new(const struct virtio_env *env, struct virtio_rng **ret_rng, struct err *err);
void virtio_rng_free(struct virtio_rng *rng);

#endif
