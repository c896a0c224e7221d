// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/load.h"

#include "vmm/config.h"
#include "vmm/type.h"

int load_get_layout(const struct config *config, const struct load_host *host,
		    struct layout *ret_layout, struct err *err)
{
	int ret = layout_init(ret_layout, config->memory_bytes, host->gpa_bits, err);

	if (!ret && guest_type_find(config->type)->guard != BOOT_GUARD_NONE)
		layout_add_firmware(ret_layout, BOOT_STUB_BYTES);
	return ret;
}

int load_guest(const struct config *config, const struct load_host *host,
	       const struct layout *layout, struct guest_memory *memory, struct launch *launch,
	       struct boot_entry *ret_entry, struct err *err)
{
	enum boot_guard guard = guest_type_find(config->type)->guard;
	const struct boot_machine machine = {
		.layout = layout,
		.n_vcpus = config->n_vcpus,
		.hw = config->hw,
		.guard = guard,
		.c_bit = host->c_bit,
	};
	const struct boot_source source = {
		.kernel_path = config->kernel,
		.initrd_path = config->initrd,
		.cmdline = config->cmdline,
	};

	return boot_load(memory, &machine, &source, guard == BOOT_GUARD_NONE ? NULL : launch,
			 ret_entry, err);
}
