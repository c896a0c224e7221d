// SPDX-License-Identifier: GPL-2.0-or-later
/* A struct config as the option table sees it: values by offset. */
#include "vmm/options_store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/assigned.h"
#include "devices/quote.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/nearest.h"
#include "vmm/value.h"

enum {
	DISK_SERIAL_MAX_BYTES = 20, /* virtio 1.2, 5.2.6.2: VIRTIO_BLK_T_GET_ID */
};

const struct option *option_find_key(const struct option_section *section, const char *key)
{
	const struct option *option = section->options;

	while (option->key && strcmp(option->key, key) != 0)
		option++;
	return option->key ? option : NULL;
}

int option_refuse_key(const struct option_section *section, const char *key, struct err *err)
{
	struct nearest nearest;

	nearest_init(&nearest, key);
	for (const struct option *option = section->options; option->key; option++)
		nearest_offer(&nearest, option->key);
	if (nearest.best)
		return err_set(err, -EINVAL, "unknown key; did you mean '%s'?", nearest.best);
	return err_set(err, -EINVAL, "unknown key; `alcove help run` lists those there are");
}

/* --- Values --- */

/* Replaces *@field by a copy of @text. */
static int text_store(char **field, const char *text, struct err *err)
{
	char *copy = strdup(text);

	if (!copy)
		return err_set(err, -ENOMEM, "out of memory; free some");
	free(*field);
	*field = copy;
	return 0;
}

int option_store(void *base, const struct option *option, const char *value, struct err *err)
{
	void *field = (char *)base + option->offset;

	switch (option->kind) {
	case OPTION_UINT:
		return value_parse_uint(value, option->min, option->max, field, err);
	case OPTION_SIZE:
		return value_parse_size(value, option->min, option->max, field, err);
	case OPTION_BOOL:
		return value_parse_bool(value, field, err);
	case OPTION_CHOICE:
		return value_parse_choice(value, option->words, field, err);
	case OPTION_BITS:
		return value_parse_bits(value, field, err);
	case OPTION_BYTES:
		return value_parse_bytes(value, field, (size_t)option->max, err);
	case OPTION_NAME:
		if (value_check_name(value, err) < 0)
			return -EINVAL;
		break;
	case OPTION_PATH:
		if (!*value)
			return err_set(err, -EINVAL, "path is empty; write the name of a file");
		break;
	case OPTION_TEXT:
		break;
	}
	return text_store(field, value, err);
}

static int section_set_defaults(void *base, const struct option_section *section,
				struct err *err)
{
	for (const struct option *option = section->options; option->key; option++) {
		int result = 0;

		if (option->fallback)
			result = option_store(base, option, option->fallback, err);
		if (result < 0)
			return result;
	}
	return 0;
}

static void section_free(void *base, const struct option_section *section)
{
	for (const struct option *option = section->options; option->key; option++) {
		char **field = (void *)((char *)base + option->offset);

		switch (option->kind) {
		case OPTION_NAME:
		case OPTION_TEXT:
		case OPTION_PATH:
			free(take_pointer(*field));
			break;
		case OPTION_UINT:
		case OPTION_SIZE:
		case OPTION_BOOL:
		case OPTION_CHOICE:
		case OPTION_BITS:
		case OPTION_BYTES:
			break;
		}
	}
}

/* --- Items of lists --- */

static unsigned int *list_count(struct config *config, const struct option_list *list)
{
	return (void *)((char *)config + list->count_offset);
}

static char *list_item(struct config *config, const struct option_list *list, unsigned int i)
{
	return (char *)config + list->items_offset + i * list->item_bytes;
}

void *option_list_find(struct config *config, const struct option_list *list, const char *label)
{
	for (unsigned int i = 0; i < *list_count(config, list); i++) {
		if (!strcmp(list_item(config, list, i), label))
			return list_item(config, list, i);
	}
	return NULL;
}

int option_list_add(struct config *config, const struct option_section *section,
		    const char *label, void **ret_item, struct err *err)
{
	const struct option_list *list = section->list;
	unsigned int *count = list_count(config, list);
	char name[CONFIG_NAME_MAX_BYTES];
	char *item;

	if (*label && value_check_name(label, err) < 0)
		return -EINVAL;
	if (*count == list->items_max)
		return err_set(err, -E2BIG, "more than %u; remove one", list->items_max);
	snprintf(name, sizeof(name), "%s", label);
	for (unsigned int i = 0; !*label && i <= *count; i++) {
		snprintf(name, sizeof(name), "%s%u", section->name, i);
		if (!option_list_find(config, list, name))
			break;
	}
	item = list_item(config, list, *count);
	memset(item, 0, list->item_bytes);
	memcpy(item, name, sizeof(name));
	++*count;
	*ret_item = item;
	return section_set_defaults(item, section, err);
}

/* --- Config --- */

void config_fini(struct config *config)
{
	for (const struct option_section *section = option_sections; section->name; section++) {
		if (!section->list) {
			section_free(config, section);
			continue;
		}
		for (unsigned int i = 0; i < *list_count(config, section->list); i++)
			section_free(list_item(config, section->list, i), section);
		*list_count(config, section->list) = 0;
	}
}

int config_init(struct config *config, struct err *err)
{
	*config = (struct config){0};
	for (const struct option_section *section = option_sections; section->name; section++) {
		int result = 0;

		if (!section->list)
			result = section_set_defaults(config, section, err);
		if (result < 0) {
			config_fini(config);
			return result;
		}
	}
	return 0;
}

static int disk_check(const struct disk_config *disk, struct err *err)
{
	const char *serial = disk->serial ? disk->serial : disk->name;

	if (!disk->path)
		return err_set(err, -EINVAL,
			       "disk '%s': no file given; add path=FILE or 'path = FILE'",
			       disk->name);
	if (strlen(serial) > DISK_SERIAL_MAX_BYTES)
		return err_set(err, -EINVAL,
			       "disk '%s': serial number '%s' is longer than %d bytes; set a "
			       "shorter serial",
			       disk->name, serial, DISK_SERIAL_MAX_BYTES);
	return 0;
}

int config_check_device(const struct device_config *device, struct err *err)
{
	char address[PCI_ADDRESS_BYTES];

	if (!device->host)
		return err_set(err, -EINVAL,
			       "device '%s': no device of the host given; add host=ADDRESS, or "
			       "'host = ADDRESS' under [device]",
			       device->name);
	if (!pci_address_parse(device->host, address))
		return err_set(err, -EINVAL,
			       "device '%s': '%s' is no PCI address; write it as 0000:01:00.0, "
			       "see `alcove device list`",
			       device->name, device->host);
	return 0;
}

static int device_check(const struct config *config, unsigned int index, struct err *err)
{
	const struct device_config *device = &config->devices[index];
	char address[PCI_ADDRESS_BYTES], other[PCI_ADDRESS_BYTES];
	int result = config_check_device(device, err);

	if (result < 0)
		return result;
	pci_address_parse(device->host, address);
	for (unsigned int i = 0; i < index; i++) {
		if (pci_address_parse(config->devices[i].host, other) &&
		    !strcmp(address, other))
			return err_set(err, -EINVAL,
				       "device '%s': %s is device '%s' already; leave one out",
				       device->name, address, config->devices[i].name);
	}
	return 0;
}

static int boot_check(const struct config *config, struct err *err)
{
	if (config->igvm && (config->kernel || config->firmware || config->initrd))
		return err_set(err, -EINVAL,
			       "igvm '%s': it holds all that the guest starts with; leave out "
			       "kernel, initrd and firmware",
			       config->igvm);
	if (!config->kernel && !config->firmware && !config->igvm)
		return err_set(err, -EINVAL,
			       "no kernel given; add --kernel=FILE, or 'kernel = FILE' under "
			       "[boot]");
	if (!config->kernel && config->initrd)
		return err_set(err, -EINVAL,
			       "initrd '%s': firmware passes it on to a kernel only; add "
			       "--kernel=FILE",
			       config->initrd);
	if (config->firmware && config->starts_private)
		return err_set(
			err, -EINVAL,
			"firmware '%s': without protection of memory it starts in what is "
			"shared; leave out private=on",
			config->firmware);
	if (config->firmware && config->hw == BOOT_HW_FDT)
		return err_set(err, -EINVAL,
			       "firmware '%s': it describes the hardware by ACPI; leave out "
			       "hw=fdt",
			       config->firmware);
	return 0;
}

int config_check(const struct config *config, struct err *err)
{
	int result = boot_check(config, err);

	if (result < 0)
		return result;
	if (!is_aligned(config->memory_bytes, GRANULE_BYTES))
		return err_set(err, -EINVAL,
			       "memory: %" PRIu64 " bytes are no multiple of 4K; round it up",
			       config->memory_bytes);
	if (config->type == GUEST_TYPE_PLAIN && config->backing != BACKING_CHOICE_AUTO)
		return err_set(
			err, -EINVAL,
			"backing: a plain guest has no private memory; leave it out, or add "
			"--type=sw");
	if (config->starts_private && config->type == GUEST_TYPE_PLAIN)
		return err_set(err, -EINVAL,
			       "private: a plain guest has no private memory; leave it out, or "
			       "add --type=sw");
	if (!config->snp_id_block != !config->snp_id_auth)
		return err_set(err, -EINVAL,
			       "snp: an ID block and its signatures belong together; give both "
			       "--id-block=FILE and --id-auth=FILE");
	if (config->snp_certs && config->type != GUEST_TYPE_SNP)
		return err_set(err, -EINVAL,
			       "certs: only SEV-SNP guests get certificates; leave it out, or "
			       "add --type=snp");
	if (config->tdx_quote_socket && config->type != GUEST_TYPE_TDX)
		return err_set(err, -EINVAL,
			       "quote-socket: only TDX guests ask for quotes; leave it out, or "
			       "add --type=tdx");
	if (config->tdx_quote_socket && quote_check_address(config->tdx_quote_socket, err)) {
		err_prefix(err, "quote-socket");
		return -EINVAL;
	}
	if (config->serial_log && config->console == CONSOLE_SERIAL)
		return err_set(err, -EINVAL,
			       "console log '%s': the serial port is the terminal's; add "
			       "--console=kind=virtio or kind=none, or leave the log out",
			       config->serial_log);
	for (unsigned int i = 0; i < config->n_disks; i++) {
		result = disk_check(&config->disks[i], err);
		if (result < 0)
			return result;
	}
	for (unsigned int i = 0; i < config->n_devices; i++) {
		result = device_check(config, i, err);
		if (result < 0)
			return result;
	}
	return 0;
}
