/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of a machine, for machine.c (its life) and machine_parts.c (what it is made of). */
#ifndef VMM_MACHINE_PARTS_H
#define VMM_MACHINE_PARTS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "devices/devices.h"
#include "memory/memory.h"
#include "vmm/config.h"
#include "vmm/err.h"
#include "vmm/load.h"
#include "vmm/platform.h"
#include "vmm/vcpu.h"

struct certs;
struct quote;
struct vfio_device;

/* Why the machine ends; MACHINE_* of the devices, and what the machine itself sees. */
enum end_kind {
	END_NOT_YET,
	END_NO_START, /* a part could not be made; reason */
	END_POWER_OFF,
	END_RESET,
	END_PANIC,
	END_EXIT,
	END_QUIT,
	END_SIGNAL,
	END_STOP, /* `alcove stop` */
	END_SHUTDOWN,
	END_CRASH, /* reason */
	END_TIME_LIMIT,
	END_FAILED,
};

struct end {
	enum end_kind kind;
	unsigned int code; /* END_EXIT: what the guest wrote; END_SIGNAL: the signal */
	char reason[ERR_TEXT_MAX_BYTES]; /* END_NO_START, END_CRASH, END_FAILED */
};

struct control_socket;
struct machine_control;

/*
 * Work that can take long, or needs what only the main thread may ask of the kernel: that one
 * does it while it waits for the end, one after the other. Embedded in its owner's request.
 */
struct machine_job {
	/* On the main thread; not any more when the end has come. */
	void (*work)(struct machine_job *job);
	/* After it, on the loop's. */
	void (*done)(struct machine_job *job);
	/* Owned by the machine. */
	struct machine *machine;
	struct machine_job *next;
	struct loop_post post;
};

struct hotplug;
struct machine_firmware;

struct machine {
	struct host *host;
	const struct config *config;
	unsigned int n_resets; /* before this life */
	const struct guest_type_ops *type;
	struct log *log;

	int vm;
	struct kvm_cpuid2 *cpuid;
	void *type_state; /* of the type's own functions */
	struct load_terms terms;
	struct load_host load_host;
	struct layout layout;
	enum backing backing;
	struct guest_memory *memory;
	struct launch launch;	     /* what the guest starts with */
	struct firmware_items items; /* what firmware reads from fw_cfg */
	struct boot_entry entry;
	struct bus *pio;
	struct bus *mmio;
	struct loop *loop;
	struct msi_sink msi;
	struct machine_sink sink;

	struct console *console;	/* standard input and output */
	struct console *serial_console; /* of the 16550A, when it is not that one */
	int serial_log;
	struct ioapic *ioapic;
	struct serial *serial;
	struct power *power;
	struct pci_host *pci;
	struct virtio_blk *disks[CONFIG_DISKS_MAX];
	struct virtio_console *virtio_console;
	struct virtio_rng *rng;
	struct quote *quote;	 /* NULL: none */
	struct certs *certs;	 /* of all lives; NULL: none */
	struct vfio *vfio;	 /* NULL: no assigned devices so far; of the main thread */
	struct hotplug *hotplug; /* NULL: no ports */
	struct machine_firmware *firmware; /* NULL: the kernel is started directly */

	FILE *trace; /* NULL: none */
	char trace_buffer[4096];
	struct vcpu_env vcpu_env;
	struct vcpu *vcpus[PLATFORM_VCPUS_MAX];

	sigset_t stop_signals; /* end the machine; blocked in every thread */
	int signals;	       /* signalfd of them */
	struct loop_op on_signal;
	pthread_t loop_thread;
	bool has_loop_thread;
	int loop_result; /* of loop_run; read after its thread has been joined */
	bool is_stuck;	 /* loop_run left operations in flight */

	struct timespec started; /* the first life, on the monotonic clock */
	const struct control_socket *control_socket; /* of all lives; perhaps none */
	struct machine_control *control;	     /* NULL: none */

	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t woken; /* the main thread: an end, or a job */
	struct end end;
	struct machine_job *jobs; /* first come, first served */
};

/* Say why the machine is to end, from any thread; the first one counts. */
void machine_end(struct machine *machine, enum end_kind kind, unsigned int code,
		 const char *reason);

/* Is there an end by now? Any thread; for what takes long before there is a guest. */
bool machine_has_ended(struct machine *machine);

/* Any thread. @job is not under way. */
void machine_submit(struct machine *machine, struct machine_job *job);

/**
 * Make all parts, in order; the guest runs when it returns 0.
 *
 * Returns 0 or -errno with @err set; machine_stop_parts is due in both cases.
 */
int machine_start_parts(struct machine *machine, struct err *err);

/* Is all of its memory private when it starts, but for what it is launched with? */
bool machine_starts_private(const struct machine *machine);

/* Two of them: what the guest starts with, and its start, machine_boot.c. */
int machine_start_load(struct machine *machine, struct err *err);
void machine_stop_load(struct machine *machine);
int machine_start_guest(struct machine *machine, struct err *err);
void machine_stop_guest(struct machine *machine);
/* Make memory private before the guest runs. Returns 0, or -errno with @err set. */
int machine_hide(struct machine *machine, struct range gpa, struct err *err);

/* Another: what firmware needs, if there is any, machine_firmware.c. */
int machine_start_firmware(struct machine *machine, struct err *err);
void machine_stop_firmware(struct machine *machine);

/* Another: the devices of the host, machine_assigned.c. */
int machine_start_assigned(struct machine *machine, struct err *err);
void machine_stop_assigned(struct machine *machine);
/* What devices of the host share, if it is not there yet. Returns 0, or -errno with @err. */
int machine_need_vfio(struct machine *machine, struct err *err);

/* And the quotes of a TD, machine_confidential.c. */
int machine_start_quotes(struct machine *machine, struct err *err);
void machine_stop_quotes(struct machine *machine);

/* And the ports for more devices of the host, machine_hotplug.c. */
int machine_start_hotplug(struct machine *machine, struct err *err);
void machine_stop_hotplug(struct machine *machine);
/* Calls @fn for each device of the host that the guest has, or nearly. On the loop's thread. */
void machine_visit_assigned(struct machine *machine,
			    void (*fn)(void *opaque, const char *name, const char *address),
			    void *opaque);
/*
 * The host wants @device back, or it is broken. On the loop's thread. False: it is in no port,
 * so it cannot be taken from the guest.
 */
bool machine_lose_device(struct machine *machine, const struct vfio_device *device,
			 const char *text);

/**
 * Unmake what was made, in reverse order.
 *
 * Returns false when operations of the loop did not end (a disk that hangs), for the reason in
 * @loop_result: what the kernel may still write to, and @machine itself, then has to stay until
 * the process ends. No thread of it runs any more.
 */
bool machine_stop_parts(struct machine *machine);

#endif
