// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Devices of the host that come and go while the guest runs, one in each hot-plug port.
 *
 * The loop's thread knows the state of each and decides. What takes long or opens files (to
 * take a device, to map memory for it, to give it back) is a job of the main thread, which
 * waits for the end meanwhile anyway and has the rights: the loop's sandbox stays as narrow as
 * it is. A machine that ends finishes the job at hand, and frees all devices then as those it
 * started with.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/assigned.h"
#include "vmm/cleanup.h"
#include "vmm/log.h"
#include "vmm/machine.h"
#include "vmm/machine_parts.h"

#define LIMIT_S	 20
#define LIMIT_NS (UINT64_C(1000000000) * LIMIT_S)

enum hotplug_state {
	HOTPLUG_FREE,
	HOTPLUG_ATTACHING, /* the main thread has it */
	HOTPLUG_ATTACHED,
	HOTPLUG_ASKED,	   /* the guest has been asked for it */
	HOTPLUG_HUSHING,   /* it leaves when nothing of it is in flight in the loop */
	HOTPLUG_DETACHING, /* the main thread has it */
};

/* All of it belongs to the loop's thread, but for what the main thread has. */
struct hotplug_slot {
	struct machine *machine;
	struct pci_port *port;
	enum hotplug_state state;
	char name[CONFIG_NAME_MAX_BYTES];
	char address[PCI_ADDRESS_BYTES];
	struct machine_reply *attached; /* who waits; NULL: nobody */
	struct machine_reply *detached;

	/* The guest lets go. */
	struct pci_port_user user;
	struct loop_post on_released;
	bool is_released; /* before we knew that it was attached */

	struct loop_op limit;
	bool has_limit; /* in flight */
	struct vfio_quiet on_quiet;
	bool is_quiet;

	/* The job, and how it went. */
	struct machine_job job;
	struct vfio_device *device;
	int result;
	struct err err;
};

struct hotplug {
	struct hotplug_slot slots[PCI_PORTS_MAX];
	unsigned int n_slots;
};

static void slot_reply(struct machine_reply **reply, int code, const char *text)
{
	struct machine_reply *waiting = *reply;

	/* First, because who is told may ask for more. */
	*reply = NULL;
	if (waiting)
		waiting->done(waiting, code, text);
}

/* --- Away with it --- */

static void detach_work(struct machine_job *job)
{
	struct hotplug_slot *slot = container_of(job, struct hotplug_slot, job);

	vfio_device_free(take_pointer(slot->device));
}

static void detach_done(struct machine_job *job)
{
	struct hotplug_slot *slot = container_of(job, struct hotplug_slot, job);

	slot->state = HOTPLUG_FREE;
	log_info(slot->machine->log, "device '%s' (%s): the host has it again", slot->name,
		 slot->address);
	slot_reply(&slot->detached, 0, "");
}

static void slot_free_if_quiet(struct hotplug_slot *slot)
{
	if (slot->state != HOTPLUG_HUSHING || slot->has_limit || !slot->is_quiet)
		return;
	slot->state = HOTPLUG_DETACHING;
	slot->job = (struct machine_job){.work = detach_work, .done = detach_done};
	machine_submit(slot->machine, &slot->job);
}

static void on_quiet(struct vfio_quiet *quiet)
{
	struct hotplug_slot *slot = container_of(quiet, struct hotplug_slot, on_quiet);

	slot->is_quiet = true;
	slot_free_if_quiet(slot);
}

static void slot_remove(struct hotplug_slot *slot)
{
	slot->state = HOTPLUG_HUSHING;
	if (slot->has_limit)
		loop_cancel(slot->machine->loop, &slot->limit);
	vfio_device_hush(slot->device, &slot->on_quiet);
}

static void on_limit(struct loop_op *op, int result)
{
	struct hotplug_slot *slot = container_of(op, struct hotplug_slot, limit);

	slot->has_limit = false;
	if (result == 0 && slot->state == HOTPLUG_ASKED) {
		log_warn(slot->machine->log,
			 "device '%s' (%s): the guest did not let go of it within %d s; it is "
			 "taken away",
			 slot->name, slot->address, LIMIT_S);
		slot_remove(slot);
	}
	slot_free_if_quiet(slot);
}

static void slot_ask(struct hotplug_slot *slot)
{
	slot->state = HOTPLUG_ASKED;
	if (pci_port_ask(slot->port)) {
		slot_remove(slot);
		return;
	}
	slot->has_limit = true;
	loop_timer(slot->machine->loop, &slot->limit, LIMIT_NS);
}

/* --- The guest lets go of it --- */

/* On a vCPU's thread. */
static void slot_released(struct pci_port_user *user)
{
	struct hotplug_slot *slot = container_of(user, struct hotplug_slot, user);

	loop_post(slot->machine->loop, &slot->on_released);
}

static void on_released(struct loop_post *post)
{
	struct hotplug_slot *slot = container_of(post, struct hotplug_slot, on_released);

	switch (slot->state) {
	case HOTPLUG_ATTACHING:
		slot->is_released = true;
		break;
	case HOTPLUG_ATTACHED:
	case HOTPLUG_ASKED:
		slot_remove(slot);
		break;
	case HOTPLUG_FREE:
	case HOTPLUG_HUSHING:
	case HOTPLUG_DETACHING:
		break;
	}
}

/* --- In with it --- */

static void attach_work(struct machine_job *job)
{
	struct hotplug_slot *slot = container_of(job, struct hotplug_slot, job);
	const struct vfio_place place = {.port = slot->port, .user = &slot->user};
	struct machine *machine = slot->machine;
	bool is_first = !machine->vfio;

	slot->result = machine_need_vfio(machine, &slot->err);
	if (slot->result)
		return;
	if (is_first)
		vfio_start(machine->vfio);
	slot->result = vfio_device_new_at(machine->vfio, slot->name, slot->address, &place,
					  &slot->device, &slot->err);
}

static void attach_done(struct machine_job *job)
{
	struct hotplug_slot *slot = container_of(job, struct hotplug_slot, job);

	if (slot->result) {
		slot->state = HOTPLUG_FREE;
		slot_reply(&slot->attached, slot->result, slot->err.text);
		return;
	}
	slot->state = HOTPLUG_ATTACHED;
	log_info(slot->machine->log, "device '%s' (%s): the guest has it", slot->name,
		 slot->address);
	vfio_device_listen(slot->device);
	slot_reply(&slot->attached, 0, "");
	if (slot->is_released && slot->state == HOTPLUG_ATTACHED)
		slot_remove(slot);
}

/* --- What is asked for --- */

static struct hotplug_slot *find_slot(struct machine *machine, const char *name)
{
	struct hotplug *hotplug = machine->hotplug;

	for (unsigned int i = 0; hotplug && i < hotplug->n_slots; i++) {
		struct hotplug_slot *slot = &hotplug->slots[i];

		if (slot->state != HOTPLUG_FREE && !strcmp(slot->name, name))
			return slot;
	}
	return NULL;
}

static const struct device_config *find_first(const struct machine *machine, const char *name)
{
	for (unsigned int i = 0; i < machine->config->n_devices; i++) {
		if (!strcmp(machine->config->devices[i].name, name))
			return &machine->config->devices[i];
	}
	return NULL;
}

static bool is_taken(struct machine *machine, const char *address)
{
	const struct config *config = machine->config;
	char other[PCI_ADDRESS_BYTES];

	for (unsigned int i = 0; i < config->n_devices; i++) {
		if (pci_address_parse(config->devices[i].host, other) &&
		    !strcmp(other, address))
			return true;
	}
	for (unsigned int i = 0; i < machine->hotplug->n_slots; i++) {
		const struct hotplug_slot *slot = &machine->hotplug->slots[i];

		if (slot->state != HOTPLUG_FREE && !strcmp(slot->address, address))
			return true;
	}
	return false;
}

void machine_visit_assigned(struct machine *machine,
			    void (*fn)(void *opaque, const char *name, const char *address),
			    void *opaque)
{
	const struct config *config = machine->config;

	for (unsigned int i = 0; i < config->n_devices; i++)
		fn(opaque, config->devices[i].name, config->devices[i].host);
	for (unsigned int i = 0; machine->hotplug && i < machine->hotplug->n_slots; i++) {
		const struct hotplug_slot *slot = &machine->hotplug->slots[i];

		if (slot->state != HOTPLUG_FREE)
			fn(opaque, slot->name, slot->address);
	}
}

static struct hotplug_slot *find_free(struct machine *machine)
{
	for (unsigned int i = 0; i < machine->hotplug->n_slots; i++) {
		if (machine->hotplug->slots[i].state == HOTPLUG_FREE)
			return &machine->hotplug->slots[i];
	}
	return NULL;
}

static int attach_check(struct machine *machine, const struct device_config *device,
			char ret_address[PCI_ADDRESS_BYTES], struct err *err)
{
	if (!machine->hotplug)
		return err_set(err, -EOPNOTSUPP,
			       "device '%s': the machine has no hot-plug ports; start it with "
			       "--hotplug-ports=N",
			       device->name);
	if (!device->host || !pci_address_parse(device->host, ret_address))
		return err_set(err, -EINVAL,
			       "device '%s': '%s' is no PCI address; write it as 0000:01:00.0, "
			       "see `alcove device list`",
			       device->name, device->host ? device->host : "");
	if (find_slot(machine, device->name) || find_first(machine, device->name))
		return err_set(err, -EEXIST,
			       "device '%s': the machine has one of that name; choose another",
			       device->name);
	if (is_taken(machine, ret_address))
		return err_set(err, -EEXIST, "device '%s': the guest has %s already",
			       device->name, ret_address);
	return 0;
}

int machine_attach_device(struct machine *machine, const struct device_config *device,
			  struct machine_reply *reply, struct err *err)
{
	char address[PCI_ADDRESS_BYTES];
	int ret = attach_check(machine, device, address, err);
	struct hotplug_slot *slot;

	if (ret)
		return ret;
	slot = find_free(machine);
	if (!slot)
		return err_set(err, -ENOSPC,
			       "device '%s': all hot-plug ports are in use; detach one, or "
			       "start the machine with more --hotplug-ports",
			       device->name);
	memcpy(slot->name, device->name, sizeof(slot->name));
	memcpy(slot->address, address, sizeof(slot->address));
	slot->state = HOTPLUG_ATTACHING;
	slot->attached = reply;
	slot->detached = NULL;
	slot->is_released = false;
	slot->is_quiet = false;
	slot->job = (struct machine_job){.work = attach_work, .done = attach_done};
	machine_submit(machine, &slot->job);
	return 0;
}

int machine_detach_device(struct machine *machine, const char *name,
			  struct machine_reply *reply, struct err *err)
{
	struct hotplug_slot *slot = find_slot(machine, name);

	if (!slot && find_first(machine, name))
		return err_set(err, -EOPNOTSUPP,
			       "device '%s': the guest has had it since its start, in no "
			       "hot-plug port; stop the machine",
			       name);
	if (!slot)
		return err_set(err, -ENOENT, "device '%s': the machine has none of that name",
			       name);
	if (slot->state != HOTPLUG_ATTACHED)
		return err_set(err, -EBUSY,
			       "device '%s': it is just being attached or detached; wait",
			       name);
	slot->detached = reply;
	slot_ask(slot);
	return 0;
}

bool machine_lose_device(struct machine *machine, const struct vfio_device *device,
			 const char *text)
{
	struct hotplug *hotplug = machine->hotplug;

	for (unsigned int i = 0; hotplug && i < hotplug->n_slots; i++) {
		struct hotplug_slot *slot = &hotplug->slots[i];

		if (slot->state != HOTPLUG_ATTACHED && slot->state != HOTPLUG_ASKED)
			continue;
		if (slot->device != device)
			continue;
		if (slot->state == HOTPLUG_ATTACHED) {
			log_warn(machine->log, "%s; it is taken from the guest", text);
			slot_ask(slot);
		}
		return true;
	}
	return false;
}

/* --- The part --- */

int machine_start_hotplug(struct machine *machine, struct err *err)
{
	unsigned int n_ports = machine->config->n_hotplug_ports;
	struct hotplug *hotplug;
	int ret = 0;

	if (!n_ports)
		return 0;
	hotplug = calloc(1, sizeof(*hotplug));
	if (!hotplug)
		return err_set(err, -ENOMEM, "hot-plug ports: out of memory; free some");
	machine->hotplug = hotplug;
	for (unsigned int i = 0; i < n_ports && !ret; i++) {
		struct hotplug_slot *slot = &hotplug->slots[i];

		slot->machine = machine;
		slot->user.released = slot_released;
		slot->on_released.fn = on_released;
		slot->limit.done = on_limit;
		slot->on_quiet.quiet = on_quiet;
		ret = pci_host_add_port(machine->pci, &machine->msi, &slot->port);
		hotplug->n_slots += !ret;
	}
	if (ret)
		return err_set(err, ret,
			       "hot-plug ports: %s; the machine has room for %u beside its "
			       "other devices",
			       err_describe(ret), hotplug->n_slots);
	return 0;
}

void machine_stop_hotplug(struct machine *machine)
{
	free(take_pointer(machine->hotplug));
}
