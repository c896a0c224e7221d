// SPDX-License-Identifier: GPL-2.0-or-later
/* What the host does for confidential guests while they run. */
#include "vmm/machine_parts.h"

#include "devices/quote.h"
#include "vmm/log.h"

static void quotes_failed(void *owner, const char *why)
{
	struct machine *machine = owner;

	log_guest(machine->log, LOG_WARN, "%s", why);
}

int machine_start_quotes(struct machine *machine, struct err *err)
{
	struct quote_config config = {
		.address = machine->config->tdx_quote_socket,
		.timeout_ns = QUOTE_TIMEOUT_NS,
		.failed = quotes_failed,
		.owner = machine,
	};

	if (!config.address)
		return 0;
	return quote_new(machine->loop, machine->memory, &machine->msi, &config,
			 &machine->quote, err);
}

void machine_stop_quotes(struct machine *machine)
{
	quote_free(machine->quote);
}
