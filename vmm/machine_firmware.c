// SPDX-License-Identifier: GPL-2.0-or-later
/* The part of a machine that is firmware, and what it alone needs; nothing without. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "devices/firmware.h"
#include "vmm/log.h"
#include "vmm/machine_parts.h"

enum {
	/* Where OVMF writes its log to is there when somebody reads it. */
	DEBUG_VERBOSITY = 2,
	DEBUG_LOG_MAX_BYTES = 4 << 20, /* of one life */
};

struct machine_firmware {
	struct machine *machine;
	struct fw_cfg *fw_cfg;
	struct chipset *chipset;
	struct rtc *rtc;
	struct debug_port *debug_port;
	struct debug_port_user debug_user;
	size_t debug_bytes; /* logged so far */
};

static void debug_line(struct debug_port_user *user, const char *text)
{
	struct machine_firmware *firmware =
		container_of(user, struct machine_firmware, debug_user);
	struct log *log = firmware->machine->log;

	if (firmware->debug_bytes > DEBUG_LOG_MAX_BYTES)
		return;
	/* Empty lines count, too. */
	firmware->debug_bytes += strlen(text) + 1;
	if (firmware->debug_bytes > DEBUG_LOG_MAX_BYTES)
		log_debug(log, "firmware: it logs too much; the rest is left out");
	else
		log_debug(log, "firmware: %s", text);
}

static int items_offer(struct machine_firmware *firmware)
{
	const struct firmware_items *items = &firmware->machine->items;
	int ret = 0;

	for (unsigned int i = 0; i < items->n_items && !ret; i++) {
		const struct firmware_item *item = &items->items[i];

		if (item->name)
			ret = fw_cfg_add_file(firmware->fw_cfg, item->name, item->bytes,
					      item->size_bytes);
		else
			fw_cfg_add(firmware->fw_cfg, item->key, item->bytes, item->size_bytes);
	}
	return ret;
}

int machine_start_firmware(struct machine *machine, struct err *err)
{
	struct machine_firmware *firmware;
	int ret;

	if (!machine->config->firmware)
		return 0;
	firmware = calloc(1, sizeof(*firmware));
	if (!firmware)
		return err_set(err, -ENOMEM, "firmware: out of memory");
	firmware->machine = machine;
	machine->firmware = firmware;
	ret = fw_cfg_new(machine->pio, machine->memory, &firmware->fw_cfg);
	if (!ret)
		ret = items_offer(firmware);
	if (!ret)
		ret = chipset_new(machine->pio, machine->pci, machine->host, &machine->sink,
				  &firmware->chipset);
	if (!ret)
		ret = rtc_new(machine->pio, machine->host, (uint64_t)time(NULL),
			      &firmware->rtc);
	firmware->debug_user.line = debug_line;
	if (!ret && machine->config->verbosity >= DEBUG_VERBOSITY)
		ret = debug_port_new(machine->pio, &firmware->debug_user,
				     &firmware->debug_port);
	return ret ? err_set(err, ret, "firmware: devices: %s", err_describe(ret)) : 0;
}

void machine_stop_firmware(struct machine *machine)
{
	struct machine_firmware *firmware = machine->firmware;

	if (!firmware)
		return;
	debug_port_free(firmware->debug_port);
	rtc_free(firmware->rtc);
	chipset_free(firmware->chipset);
	fw_cfg_free(firmware->fw_cfg);
	free(firmware);
	machine->firmware = NULL;
}
