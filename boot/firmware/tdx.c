// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Firmware of TDs. TDVF is told of its memory by hand-off blocks and of all else by fw_cfg;
 * td-shim, which has no fw_cfg, finds its kernel in memory, and ACPI tables in more blocks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi/acpi.h"
#include "boot/firmware/launch.h"
#include "boot/firmware/loader.h"
#include "boot/firmware/hob.h"
#include "boot/params.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

/* More than any list needs, or all tables. */
#define HOB_MAX_BYTES	 (64 * KIB)
#define TABLES_MAX_BYTES (64 * KIB)

static int section_write(struct firmware_loader *loader, const struct tdvf_section *section,
			 const char *what, const void *bytes, uint64_t size_bytes)
{
	int ret;

	if (size_bytes > section->size_bytes)
		return err_set(loader->err, -ENOSPC,
			       "firmware '%s': its section for %s has %" PRIu64
			       " bytes, but %" PRIu64 " are needed; build it with a larger one",
			       loader->image.path, what, section->size_bytes, size_bytes);
	ret = guest_write(loader->memory, section->gpa, bytes, (size_t)size_bytes);
	if (ret)
		return err_set(loader->err, ret,
			       "firmware '%s': cannot write %s to guest memory: %s",
			       loader->image.path, what, err_describe(ret));
	return 0;
}

/* Does the image leave it to us what it starts? */
static bool takes_payload(const struct tdvf *tdvf)
{
	for (unsigned int i = 0; i < tdvf->n_sections; i++) {
		const struct tdvf_section *section = &tdvf->sections[i];

		if (section->type == TDVF_PAYLOAD && !section->data_bytes && section->added)
			return true;
	}
	return false;
}

static int payload_write(struct firmware_loader *loader, const struct tdvf_section *section)
{
	const struct firmware_items *items = loader->items;

	if (!items->kernel.bytes)
		return err_set(
			loader->err, -EINVAL,
			"firmware '%s': its payload section is empty; add --kernel=FILE, "
			"or give an image that holds its payload",
			loader->image.path);
	if (items->initrd.bytes)
		return err_set(
			loader->err, -EINVAL,
			"firmware '%s': passes no initrd on to the kernel; leave it out, "
			"or build it into the kernel",
			loader->image.path);
	return section_write(loader, section, "the kernel", items->kernel.bytes,
			     items->kernel.size_bytes);
}

/* All tables but those that say where tables are: td-shim makes them itself. */
static int hob_add_machine(struct firmware_loader *loader, struct hob_list *list)
{
	_cleanup_free_ uint8_t *tables = malloc(TABLES_MAX_BYTES);
	uint8_t rsdp[ACPI_RSDP_BYTES];
	struct acpi_links links;
	struct memory_map map;
	size_t used_bytes;

	if (!tables)
		return err_set(loader->err, -ENOMEM, "firmware '%s': out of memory",
			       loader->image.path);
	used_bytes = acpi_tables_init_movable(rsdp, tables, TABLES_MAX_BYTES, &links,
					      loader->machine);
	ASSERT(used_bytes > 0);
	for (unsigned int i = 0; i < links.n_tables; i++) {
		const uint8_t *table = tables + links.tables[i].offset;

		if (memcmp(table, "XSDT", 4) != 0)
			hob_add_acpi_table(list, table, links.tables[i].size_bytes);
	}
	memory_map_init(&map, loader->machine->layout);
	hob_add_e820(list, &map);
	hob_add_payload_info(list, HOB_PAYLOAD_BZIMAGE, 0);
	return 0;
}

static int hob_write(struct firmware_loader *loader, const struct tdvf *tdvf,
		     const struct tdvf_section *section)
{
	uint64_t room_bytes = section->size_bytes;
	_cleanup_free_ void *bytes = NULL;
	struct hob_list list;
	size_t size_bytes;
	int ret = 0;

	if (room_bytes > HOB_MAX_BYTES)
		room_bytes = HOB_MAX_BYTES;
	bytes = malloc((size_t)room_bytes);
	if (!bytes)
		return err_set(loader->err, -ENOMEM, "firmware '%s': out of memory",
			       loader->image.path);
	hob_begin(&list, bytes, (size_t)room_bytes, section->gpa);
	hob_add_layout(&list, loader->machine->layout, tdvf);
	if (takes_payload(tdvf))
		ret = hob_add_machine(loader, &list);
	if (ret)
		return ret;
	size_bytes = hob_end(&list);
	if (!size_bytes)
		return err_set(loader->err, -ENOSPC,
			       "firmware '%s': what it is told does not fit the TD_HOB section "
			       "(%" PRIu64 " bytes); build it with a larger one",
			       loader->image.path, section->size_bytes);
	loader->entry.tdx_value = section->gpa;
	return section_write(loader, section, "hand-off blocks", bytes, size_bytes);
}

static int section_fill(struct firmware_loader *loader, const struct tdvf *tdvf,
			const struct tdvf_section *section)
{
	const struct firmware_payload *cmdline = &loader->items->cmdline;

	if (section->type == TDVF_TD_HOB)
		return hob_write(loader, tdvf, section);
	if (section->data_bytes || !section->added)
		return 0;
	if (section->type == TDVF_PAYLOAD)
		return payload_write(loader, section);
	if (section->type == TDVF_PAYLOAD_PARAM && cmdline->bytes)
		return section_write(loader, section, "the command line", cmdline->bytes,
				     cmdline->size_bytes);
	return 0;
}

int firmware_load_tdx(struct firmware_loader *loader)
{
	struct tdvf tdvf;
	int ret = tdvf_parse(&loader->image, &tdvf, loader->err);

	if (!ret)
		ret = tdvf_launch(loader->memory, &loader->image, &tdvf, loader->launch,
				  loader->err);
	for (unsigned int i = 0; !ret && i < tdvf.n_sections; i++)
		ret = section_fill(loader, &tdvf, &tdvf.sections[i]);
	return ret;
}
