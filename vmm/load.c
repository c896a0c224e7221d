// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/load.h"

#include <string.h>

#include "vmm/config.h"
#include "vmm/type.h"

/* With firmware of its own, a guest does without our stub. */
static enum boot_guard config_get_guard(const struct config *config)
{
	return config->firmware || config->igvm ? BOOT_GUARD_NONE
						: guest_type_find(config->type)->guard;
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

/* The kind of protection, whoever sees to it inside of the guest. */
static enum boot_guard config_get_protection(const struct config *config)
{
	return guest_type_find(config->type)->guard;
}

static void terms_adopt(struct load_terms *terms, const struct firmware_terms *file)
{
	terms->firmware_bytes = file->memory_bytes;
	if (file->has_policy)
		terms->policy = file->policy;
	terms->vmsa_features = file->vmsa_features;
	terms->td_attributes = file->td_attributes;
	terms->gpa_bits = file->gpa_bits;
	terms->has_id = file->has_id;
	terms->has_author = file->has_author;
	memcpy(terms->id.block, file->id_block, sizeof(terms->id.block));
	memcpy(terms->id.auth, file->id_auth, sizeof(terms->id.auth));
}

int load_get_terms(const struct config *config, struct load_terms *ret_terms, struct err *err)
{
	struct load_terms terms = {.policy = config->snp_policy};
	struct firmware_terms file;
	int ret = 0;

	if (config->igvm) {
		ret = firmware_inspect_igvm(config->igvm, config_get_protection(config), &file,
					    err);
		if (!ret)
			terms_adopt(&terms, &file);
	} else if (config->firmware) {
		ret = firmware_get_size(config->firmware, &terms.firmware_bytes, err);
	} else if (config_get_guard(config) != BOOT_GUARD_NONE) {
		terms.firmware_bytes = BOOT_STUB_BYTES;
	}
	if (!ret && config->snp_id_block) {
		ret = snp_id_read(&terms.id, config->snp_id_block, config->snp_id_auth, err);
		terms.has_id = true;
		terms.has_author = snp_id_has_author(&terms.id);
	}
	if (!ret)
		*ret_terms = terms;
	return ret;
}

int load_get_layout(const struct config *config, const struct load_host *host,
		    const struct load_terms *terms, struct layout *ret_layout, struct err *err)
{
	int ret = layout_init(ret_layout, config->memory_bytes, host->gpa_bits, err);

	if (!ret && terms->firmware_bytes)
		layout_add_firmware(ret_layout, terms->firmware_bytes);
	return ret;
}

static int load_igvm(const struct config *config, const struct load_host *host,
		     const struct layout *layout, struct guest_memory *memory,
		     struct launch *launch, struct boot_entry *ret_entry, struct err *err)
{
	const struct boot_machine machine = get_machine(config, host, layout);
	enum boot_guard guard = config_get_protection(config);
	bool is_launched = guard != BOOT_GUARD_NONE;

	return firmware_load_igvm(memory, &machine, guard, config->igvm, config->cmdline,
				  !is_launched && !config->starts_private,
				  is_launched ? launch : NULL, ret_entry, err);
}

int load_guest(const struct config *config, const struct load_host *host,
	       const struct layout *layout, struct guest_memory *memory, struct launch *launch,
	       struct firmware_items *ret_items, struct boot_entry *ret_entry, struct err *err)
{
	const struct boot_machine machine = get_machine(config, host, layout);
	const struct boot_source source = get_source(config);
	int ret;

	if (config->igvm)
		return load_igvm(config, host, layout, memory, launch, ret_entry, err);
	if (!config->firmware)
		return boot_load(memory, &machine, &source, launch, ret_entry, err);
	ret = firmware_items_init(ret_items, &machine, &source, err);
	if (!ret)
		ret = firmware_load(memory, &machine, config->firmware,
				    config_get_protection(config), ret_items, launch, ret_entry,
				    err);
	return ret;
}
