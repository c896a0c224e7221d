/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One VM from its parts to its end. machine.c alone knows every folder. */
#ifndef VMM_MACHINE_H
#define VMM_MACHINE_H

struct config;
struct device_config;
struct err;
struct host;
struct machine;

/* Exit status of the program; documented in alcove(1). A guest chooses 0..199 by debug-exit. */
enum exit_status {
	EXIT_STATUS_OK = 0,	     /* the guest powered off */
	EXIT_STATUS_GUEST_MAX = 199, /* larger values of the guest are reported as this */
	EXIT_STATUS_USAGE = 200,     /* command line or config file */
	EXIT_STATUS_SETUP = 201,     /* the VM could not be built: file, host or kernel */
	EXIT_STATUS_PANIC = 202,     /* the guest kernel reported a crash, or ended itself so */
	EXIT_STATUS_SHUTDOWN = 203,  /* triple fault */
	EXIT_STATUS_RESET = 204,     /* the guest reset itself and on-reboot=exit */
	EXIT_STATUS_INTERNAL = 205,  /* KVM or Alcove failed while the guest ran */
	EXIT_STATUS_TIME_LIMIT = 206,
	EXIT_STATUS_STOPPED = 207, /* by a signal, Ctrl-A x or `alcove stop` */
};

/**
 * Build the VM that @config describes, run it to its end and take it down, again and again
 * while the guest resets itself and @config says restart.
 *
 * Returns the exit status; each of 200 and above has been explained by one line on stderr.
 */
enum exit_status machine_run(struct host *host, const struct config *config);

/* Who wants to know what became of an attach or a detach. */
struct machine_reply {
	/*
	 * On the loop's thread, once; not any more when the machine ends first.
	 * @code: 0, or -errno with @text.
	 */
	void (*done)(struct machine_reply *reply, int code, const char *text);
};

/**
 * Give a device of the host to the running guest, in a free hot-plug port
 * (vmm/machine_hotplug.c). On the loop's thread, which does not wait for it.
 *
 * @device: copied. @reply: stays until it is called; may be NULL.
 * Returns 0: begun, @reply is called later; or -errno with @err, and @reply is not called:
 * -EEXIST (the name or the device is taken), -ENOSPC (no free port), -EINVAL (no address),
 * -EOPNOTSUPP (the machine has no ports).
 */
int machine_attach_device(struct machine *machine, const struct device_config *device,
			  struct machine_reply *reply, struct err *err);

/**
 * Take a device back that was attached: the guest is asked, and given 20 s. On the loop's
 * thread, which does not wait for it.
 *
 * Returns 0: begun, @reply is called when the host has the device again; or -errno with @err:
 * -ENOENT (no such device), -EBUSY (it is on its way in or out), -EOPNOTSUPP (the guest has it
 * since it started).
 */
int machine_detach_device(struct machine *machine, const char *name,
			  struct machine_reply *reply, struct err *err);

#endif
