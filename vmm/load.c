// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/load.h"

#include "vmm/config.h"
#include "vmm/type.h"

/* With firmware, no code of ours lets the guest use its memory. */
static enum boot_guard config_get_guard(const struct config *config)
{
	return config->firmware ? BOOT_GUARD_NONE : guest_type_find(config->type)->guard;
}

static struct boot_machine get_machine(const struct config *config,
				       const struct load_host *host,
				       const struct layout *layout)
{
	return (struct boot_machine){
		.layout = layout,
		.n_vcpus = config->n_vcpus,
		.hw = config->hw,
		.guard = config_get_guard(config),
		.c_bit = host->c_bit,
	};
}

static struct boot_source get_source(const struct config *config)
{
	return (struct boot_source){
		.kernel_path = config->kernel,
		.initrd_path = config->initrd,
		.cmdline = config->cmdline,
	};
}

int load_get_layout(const struct config *config, const struct load_host *host,
		    struct layout *ret_layout, struct err *err)
{
	uint64_t firmware_bytes = 0;
	int ret = layout_init(ret_layout, config->memory_bytes, host->gpa_bits, err);

	if (!ret && config->firmware)
		ret = firmware_get_size(config->firmware, &firmware_bytes, err);
	else if (config_get_guard(config) != BOOT_GUARD_NONE)
		firmware_bytes = BOOT_STUB_BYTES;
	if (!ret && firmware_bytes)
		layout_add_firmware(ret_layout, firmware_bytes);
	return ret;
}

int load_get_items(const struct config *config, const struct load_host *host,
		   const struct layout *layout, struct firmware_items *ret_items,
		   struct err *err)
{
	const struct boot_machine machine = get_machine(config, host, layout);
	const struct boot_source source = get_source(config);

	return firmware_items_init(ret_items, &machine, &source, err);
}

static int load_firmware(const struct config *config, const struct load_host *host,
			 const struct layout *layout, struct guest_memory *memory,
			 struct launch *launch, struct boot_entry *ret_entry, struct err *err)
{
	struct firmware_items items;
	int ret = load_get_items(config, host, layout, &items, err);

	if (ret)
		return ret;
	ret = firmware_load(memory, layout, config->firmware,
			    guest_type_find(config->type)->guard, &items, launch, ret_entry,
			    err);
	firmware_items_fini(&items);
	return ret;
}

int load_guest(const struct config *config, const struct load_host *host,
	       const struct layout *layout, struct guest_memory *memory, struct launch *launch,
	       struct boot_entry *ret_entry, struct err *err)
{
	const struct boot_machine machine = get_machine(config, host, layout);
	const struct boot_source source = get_source(config);

	if (config->firmware)
		return load_firmware(config, host, layout, memory, launch, ret_entry, err);
	return boot_load(memory, &machine, &source,
			 machine.guard == BOOT_GUARD_NONE ? NULL : launch, ret_entry, err);
}
