// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine_control.h"

#include <errno.h>

#include "vmm/control_server.h"
#include "vmm/control_socket.h"
#include "vmm/log.h"
#include "vmm/machine_parts.h"
#include "vmm/machine_stats.h"

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

/* On the loop's thread. */
static int handle(void *owner, const struct control_request *request,
		  struct control_ticket ticket, json_t **ret_result, struct err *err)
{
	struct machine *machine = owner;

	(void)ticket;
	switch (request->command) {
	case CONTROL_STATUS:
		*ret_result = machine_get_status(machine);
		return 0;
	case CONTROL_STATS:
		*ret_result = machine_get_stats(machine);
		return 0;
	case CONTROL_STOP:
		machine_end(machine, END_STOP, 0, "");
		*ret_result = json_object();
		return 0;
	case CONTROL_ATTACH:
	case CONTROL_DETACH:
	case CONTROL_COMMAND_COUNT:
		break;
	}
	return err_set(err, -EOPNOTSUPP,
		       "device '%s': devices come and go with the VM; stop it, and run it with "
		       "another --device",
		       request->device);
}

int machine_start_control(struct machine *machine, struct err *err)
{
	struct control_limits limits = {
		.owner = machine->control_socket->owner,
		.client_ns = 10000000000,
		.answer_ns = 60000000000,
	};
	struct control_ops ops = {.handle = handle, .owner = machine};
	int ret = 0;

	if (machine->control_socket->fd >= 0)
		ret = control_server_new(machine->loop, machine->control_socket->fd, &limits,
					 &ops, &machine->control);
	return ret ? err_set(err, ret, "control: %s; free some", err_describe(ret)) : 0;
}

void machine_stop_control(struct machine *machine)
{
	control_server_free(machine->control);
}
