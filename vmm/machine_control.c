// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine_control.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/control/server.h"
#include "vmm/control/socket.h"
#include "vmm/log.h"
#include "vmm/machine.h"
#include "vmm/machine_parts.h"
#include "vmm/machine_stats.h"
#include "vmm/options.h"

enum {
	/* Those whose client went away go on, so there may be more than clients. */
	CALLS_MAX = 2 * CONTROL_CLIENTS_MAX,
};

/* A device on its way in or out, for the client that asked. */
struct call {
	struct machine_control *control;
	struct machine_reply reply;
	struct control_ticket ticket;
	bool is_used;
	char name[CONFIG_NAME_MAX_BYTES]; /* of the device */
};

/* All of it belongs to the loop's thread. */
struct machine_control {
	struct machine *machine;
	struct control_server *server;
	struct call calls[CALLS_MAX];
};

int machine_open_control(const struct config *config, struct log *log,
			 struct control_socket *ret_socket, struct err *err)
{
	int directory;
	int ret;

	*ret_socket = (struct control_socket){.fd = -1, .directory = -1};
	if (config->control == CONTROL_OFF || !config->name)
		return 0;
	control_prepare();
	directory = control_open_directory(true, err);
	ret = directory < 0 ? directory
			    : control_socket_open(directory, config->name, ret_socket, err);
	if (!ret || ret == -EEXIST || config->control == CONTROL_ON)
		return ret;
	log_info(log, "%s", err->text);
	return 0;
}

/* --- Devices that come and go --- */

static void call_done(struct machine_reply *reply, int code, const char *text)
{
	struct call *call = container_of(reply, struct call, reply);
	struct err err = {0};

	call->is_used = false;
	/* That there was no memory for the result is an error, too. */
	err_set(&err, code ? code : -ENOMEM, "%s",
		code ? text : "control: out of memory; free some on the host");
	control_answer(call->control->server, call->ticket,
		       code ? NULL : json_pack("{s:s}", "name", call->name), &err);
}

static struct call *call_find_free(struct machine_control *control)
{
	for (unsigned int i = 0; i < CALLS_MAX; i++) {
		if (!control->calls[i].is_used)
			return &control->calls[i];
	}
	return NULL;
}

/* What the machine has already, so that the table finds a free name for the next. */
static void config_add_name(void *opaque, const char *name, const char *address)
{
	char text[CONFIG_NAME_MAX_BYTES + sizeof("name=")];

	(void)address;
	snprintf(text, sizeof(text), "name=%s", name);
	/* When there is no room for it there is none for the next one, which will be told. */
	options_set(opaque, "device", text, NULL);
}

/* The one that @text is about; @config holds it. Returns NULL with @err. */
static const struct device_config *device_parse(struct machine *machine, const char *text,
						struct config *config, struct err *err)
{
	const struct device_config *device = NULL;

	machine_visit_assigned(machine, config_add_name, config);
	if (options_set(config, "device", text, err))
		return NULL;
	for (unsigned int i = 0; i < config->n_devices && !device; i++) {
		if (config->devices[i].host || i == config->n_devices - 1)
			device = &config->devices[i];
	}
	return config_check_device(device, err) ? NULL : device;
}

static int device_attach(struct machine *machine, const char *text, struct call *call,
			 struct err *err)
{
	const struct device_config *device;
	struct config config;
	int ret = config_init(&config, err);

	if (ret)
		return ret;
	device = device_parse(machine, text, &config, err);
	if (device) {
		memcpy(call->name, device->name, sizeof(call->name));
		ret = machine_attach_device(machine, device, &call->reply, err);
	} else {
		ret = err->code;
	}
	config_fini(&config);
	return ret;
}

static int device_detach(struct machine *machine, const char *name, struct call *call,
			 struct err *err)
{
	/* Before it is under way: an answer can come at once. */
	snprintf(call->name, sizeof(call->name), "%.*s", CONFIG_NAME_MAX_BYTES - 1, name);
	return machine_detach_device(machine, name, &call->reply, err);
}

static int device_change(struct machine_control *control, const struct control_request *request,
			 struct control_ticket ticket, struct err *err)
{
	struct call *call = call_find_free(control);
	int ret;

	if (!call)
		return err_set(err, -EBUSY,
			       "device '%s': too many are on their way in or out; wait for one",
			       request->device);
	*call = (struct call){
		.control = control,
		.reply.done = call_done,
		.ticket = ticket,
		.is_used = true,
	};
	ret = request->command == CONTROL_ATTACH
		      ? device_attach(control->machine, request->device, call, err)
		      : device_detach(control->machine, request->device, call, err);
	if (!ret)
		return -EINPROGRESS;
	call->is_used = false;
	return ret;
}

/* --- Requests --- */

static int handle(void *owner, const struct control_request *request,
		  struct control_ticket ticket, json_t **ret_result, struct err *err)
{
	struct machine_control *control = owner;

	switch (request->command) {
	case CONTROL_STATUS:
		*ret_result = machine_get_status(control->machine);
		return 0;
	case CONTROL_STATS:
		*ret_result = machine_get_stats(control->machine);
		return 0;
	case CONTROL_STOP:
		machine_end(control->machine, END_STOP, 0, "");
		*ret_result = json_object();
		return 0;
	case CONTROL_ATTACH:
	case CONTROL_DETACH:
		return device_change(control, request, ticket, err);
	case CONTROL_COMMAND_COUNT:
		break;
	}
	return err_set(err, -EINVAL, "request: no such command; see alcove(1)");
}

/* --- The part of a machine --- */

int machine_start_control(struct machine *machine, struct err *err)
{
	const struct control_socket *socket = machine->control_socket;
	struct control_limits limits = {
		.owner = socket->owner,
		.client_ns = 10000000000,
		.answer_ns = 60000000000,
	};
	struct machine_control *control;
	struct control_ops ops = {.handle = handle};
	int ret = -ENOMEM;

	if (socket->fd < 0)
		return 0;
	control = calloc(1, sizeof(*control));
	if (control) {
		control->machine = machine;
		ops.owner = control;
		machine->control = control;
		ret = control_server_new(machine->loop, socket->fd, &limits, &ops,
					 &control->server);
	}
	return ret ? err_set(err, ret, "control: %s; free some", err_describe(ret)) : 0;
}

void machine_stop_control(struct machine *machine)
{
	if (!machine->control)
		return;
	control_server_free(machine->control->server);
	free(machine->control);
}
