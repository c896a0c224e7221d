// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From files to a guest ready to run, in four steps: understand the kernel, find a place for
 * everything, load the files, write what we make ourselves. Places: boot/place.h.
 */
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi/acpi.h"
#include "boot/boot.h"
#include "boot/fdt.h"
#include "boot/kernel.h"
#include "boot/launch.h"
#include "boot/params.h"
#include "boot/place.h"
#include "boot/pvh.h"
#include "boot/stub_load.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

struct loader {
	struct guest_memory *memory;
	const struct boot_machine *machine;
	const struct boot_source *source;
	struct launch *launch;
	struct err *err;
	struct kernel kernel;
	struct place place;
	struct params_pointers pointers;
};

/* The guest starts with these bytes. */
static int loader_note(struct loader *loader, const char *what, gpa_t gpa, uint64_t size_bytes)
{
	int ret = loader->launch ? launch_note(loader->launch, gpa, size_bytes) : 0;

	return ret ? err_set(loader->err, ret, "%s: out of memory", what) : 0;
}

static int loader_write(struct loader *loader, const char *what, gpa_t gpa, const void *bytes,
			size_t size_bytes)
{
	int ret = guest_write(loader->memory, gpa, bytes, size_bytes);

	if (ret)
		return err_set(loader->err, ret, "%s: cannot write to guest memory: %s", what,
			       err_describe(ret));
	return loader_note(loader, what, gpa, size_bytes);
}

static int loader_load(struct loader *loader, const struct image_file *file, const char *part,
		       uint64_t offset, uint64_t size_bytes, gpa_t gpa)
{
	int ret = image_file_load(file, part, offset, size_bytes, loader->memory, gpa,
				  loader->err);

	return ret || !size_bytes ? ret : loader_note(loader, file->what, gpa, size_bytes);
}

static int loader_place(struct loader *loader, const char *what, gpa_t gpa, uint64_t size_bytes)
{
	return place_add(&loader->place, loader->machine->layout, what, gpa, size_bytes,
			 loader->err);
}

/* --- The kernel --- */

/* What the kernel's own format rules out. */
static int kernel_check(struct loader *loader)
{
	const struct kernel *kernel = &loader->kernel;
	size_t length = strlen(loader->source->cmdline);
	uint64_t max_bytes = kernel->cmdline_max_bytes;

	if (kernel->mode == BOOT_MODE_PVH32 && loader->machine->guard != BOOT_GUARD_NONE)
		return err_set(loader->err, -EINVAL,
			       "kernel '%s': an ELF kernel cannot be entered by the boot stub "
			       "of SNP and "
			       "TDX guests; give the bzImage",
			       loader->source->kernel_path);
	if (kernel->mode == BOOT_MODE_PVH32 && loader->machine->hw == BOOT_HW_FDT)
		return err_set(
			loader->err, -EINVAL,
			"kernel '%s': an ELF kernel cannot be given a device tree; give the "
			"bzImage, or describe the hardware by ACPI",
			loader->source->kernel_path);
	if (max_bytes > PLACE_CMDLINE_BYTES - 1)
		max_bytes = PLACE_CMDLINE_BYTES - 1;
	if (length > max_bytes)
		return err_set(loader->err, -EINVAL,
			       "command line: %zu bytes, but kernel '%s' takes %" PRIu64
			       "; shorten it",
			       length, loader->source->kernel_path, max_bytes);
	return 0;
}

static int kernel_place(struct loader *loader)
{
	int ret = 0;

	for (unsigned int i = 0; i < loader->kernel.n_segments && !ret; i++)
		ret = loader_place(loader, "kernel", loader->kernel.segments[i].gpa,
				   loader->kernel.segments[i].room_bytes);
	return ret;
}

static int kernel_load(struct loader *loader, const struct image_file *file)
{
	int ret = 0;

	for (unsigned int i = 0; i < loader->kernel.n_segments && !ret; i++) {
		const struct kernel_segment *segment = &loader->kernel.segments[i];

		ret = loader_load(loader, file, "a segment", segment->file_offset,
				  segment->file_bytes, segment->gpa);
		if (ret || !segment->zero_bytes)
			continue;
		ret = guest_zero(loader->memory, segment->gpa + segment->file_bytes,
				 segment->zero_bytes);
		if (ret)
			ret = err_set(loader->err, ret, "kernel '%s': cannot clear its bss: %s",
				      file->path, err_describe(ret));
		else
			ret = loader_note(loader, "kernel", segment->gpa + segment->file_bytes,
					  segment->zero_bytes);
	}
	return ret;
}

/* --- The rest --- */

static int initrd_load(struct loader *loader)
{
	_cleanup_image_file_ struct image_file file = {0};
	int ret;

	if (!loader->source->initrd_path)
		return 0;
	ret = image_file_open(&file, "initrd", loader->source->initrd_path, loader->err);
	if (ret)
		return ret;
	ret = place_add_high(&loader->place, loader->machine->layout, "initrd", file.size_bytes,
			     loader->kernel.initrd_last_max, &loader->pointers.initrd,
			     loader->err);
	if (ret)
		return ret;
	loader->pointers.initrd_bytes = file.size_bytes;
	return loader_load(loader, &file, "the initrd", 0, file.size_bytes,
			   loader->pointers.initrd);
}

static int cmdline_write(struct loader *loader)
{
	const char *cmdline = loader->source->cmdline;
	int ret = loader_place(loader, "command line", PLACE_CMDLINE_GPA, PLACE_CMDLINE_BYTES);

	if (ret)
		return ret;
	loader->pointers.cmdline = PLACE_CMDLINE_GPA;
	return loader_write(loader, "command line", PLACE_CMDLINE_GPA, cmdline,
			    strlen(cmdline) + 1);
}

/* Behind a struct setup_data, as boot.rst has it. */
static size_t setup_data_init(uint8_t *ret_bytes, const struct boot_machine *machine)
{
	struct setup_data header = {.type = SETUP_DTB};
	size_t size_bytes =
		fdt_init(ret_bytes + sizeof(header), PLACE_HW_BYTES - sizeof(header), machine);

	if (!size_bytes)
		return 0;
	header.len = (uint32_t)size_bytes;
	memcpy(ret_bytes, &header, sizeof(header));
	return sizeof(header) + size_bytes;
}

static int hw_write(struct loader *loader)
{
	_cleanup_free_ uint8_t *bytes = malloc(PLACE_HW_BYTES);
	size_t size_bytes = 0;
	int ret;

	if (!bytes)
		return err_set(loader->err, -ENOMEM, "hardware description: out of memory");
	ret = loader_place(loader, "hardware description", PLACE_HW_GPA, PLACE_HW_BYTES);
	if (ret)
		return ret;

	switch (loader->machine->hw) {
	case BOOT_HW_ACPI:
		loader->pointers.rsdp = PLACE_HW_GPA;
		size_bytes =
			acpi_tables_init(bytes, PLACE_HW_BYTES, PLACE_HW_GPA, loader->machine);
		break;
	case BOOT_HW_FDT:
		loader->pointers.setup_data = PLACE_HW_GPA;
		size_bytes = setup_data_init(bytes, loader->machine);
		break;
	}
	/* It has room for PLATFORM_VCPUS_MAX processors; a unit test says so. */
	ASSERT(size_bytes > 0);
	return loader_write(loader, "hardware description", PLACE_HW_GPA, bytes, size_bytes);
}

/* Before the device tree in the list of setup_data, if there is one. */
static int cc_blob_write(struct loader *loader)
{
	struct cc_blob blob;
	int ret;

	if (loader->machine->guard != BOOT_GUARD_SNP)
		return 0;
	ret = loader_place(loader, "SNP setup data", PLACE_CC_BLOB_GPA, sizeof(blob));
	if (ret)
		return ret;
	cc_blob_init(&blob, PLACE_CC_BLOB_GPA, loader->pointers.setup_data);
	loader->pointers.setup_data = PLACE_CC_BLOB_GPA;
	return loader_write(loader, "SNP setup data", PLACE_CC_BLOB_GPA, &blob, sizeof(blob));
}

static int gdt_write(struct loader *loader)
{
	uint8_t gdt[BOOT_GDT_BYTES];
	int ret = loader_place(loader, "GDT", PLACE_GDT_GPA, sizeof(gdt));

	if (ret)
		return ret;
	gdt_init(gdt, loader->kernel.mode);
	return loader_write(loader, "GDT", PLACE_GDT_GPA, gdt, sizeof(gdt));
}

static int reset_code_write(struct loader *loader)
{
	uint8_t code[RESET_CODE_BYTES];
	int ret = loader_place(loader, "reset code", PLACE_RESET_GPA, sizeof(code));

	if (ret)
		return ret;
	reset_code_init(code);
	return loader_write(loader, "reset code", PLACE_RESET_GPA, code, sizeof(code));
}

static int page_tables_write(struct loader *loader)
{
	uint64_t tables[PAGE_TABLES_N][PAGE_TABLE_ENTRIES];
	int ret = loader_place(loader, "page tables", PLACE_PAGE_TABLES_GPA, sizeof(tables));

	if (ret)
		return ret;
	page_tables_init(tables, PLACE_PAGE_TABLES_GPA);
	return loader_write(loader, "page tables", PLACE_PAGE_TABLES_GPA, tables,
			    sizeof(tables));
}

/* With a guard it is the stub that has these, where the kernel does not overwrite them. */
static int entry_state_write(struct loader *loader)
{
	int ret = gdt_write(loader);

	if (!ret && loader->kernel.mode == BOOT_MODE_LONG64)
		ret = page_tables_write(loader);
	return ret;
}

static int params_write(struct loader *loader)
{
	union {
		struct boot_params linux64;
		struct pvh_params pvh;
	} params;
	size_t size_bytes = 0;
	struct memory_map map;
	int ret = loader_place(loader, "boot parameters", PLACE_PARAMS_GPA, sizeof(params));

	if (ret)
		return ret;
	memory_map_init(&map, loader->machine->layout);
	switch (loader->kernel.mode) {
	case BOOT_MODE_LONG64:
		size_bytes = sizeof(params.linux64);
		boot_params_init(&params.linux64, &loader->kernel.setup,
				 loader->kernel.segments[0].gpa, &map, &loader->pointers);
		break;
	case BOOT_MODE_PVH32:
		size_bytes = sizeof(params.pvh);
		pvh_params_init(&params.pvh, PLACE_PARAMS_GPA, &map, &loader->pointers);
		break;
	default: /* no kernel's */
		break;
	}
	return loader_write(loader, "boot parameters", PLACE_PARAMS_GPA, &params, size_bytes);
}

static struct boot_entry loader_get_entry(const struct loader *loader)
{
	struct boot_entry entry = {
		.mode = loader->kernel.mode,
		.rip = loader->kernel.entry,
		.gdt = PLACE_GDT_GPA,
	};

	switch (loader->kernel.mode) {
	case BOOT_MODE_LONG64:
		entry.rsi = PLACE_PARAMS_GPA;
		entry.cr3 = PLACE_PAGE_TABLES_GPA;
		break;
	case BOOT_MODE_PVH32:
		entry.rbx = PLACE_PARAMS_GPA;
		break;
	default: /* no kernel's */
		break;
	}
	return entry;
}

int boot_load(struct guest_memory *memory, const struct boot_machine *machine,
	      const struct boot_source *source, struct launch *launch,
	      struct boot_entry *ret_entry, struct err *err)
{
	_cleanup_image_file_ struct image_file file = {0};
	struct loader loader = {
		.memory = memory,
		.machine = machine,
		.source = source,
		.launch = launch,
		.err = err,
	};
	int ret = image_file_open(&file, "kernel", source->kernel_path, err);

	if (!ret)
		ret = kernel_parse(&file, &loader.kernel, err);
	if (!ret)
		ret = kernel_check(&loader);
	if (!ret && machine->guard == BOOT_GUARD_NONE)
		ret = entry_state_write(&loader);
	if (!ret)
		ret = reset_code_write(&loader);
	if (!ret)
		ret = cmdline_write(&loader);
	if (!ret)
		ret = hw_write(&loader);
	if (!ret)
		ret = cc_blob_write(&loader);
	if (!ret)
		ret = kernel_place(&loader);
	if (!ret)
		ret = initrd_load(&loader);
	if (!ret)
		ret = params_write(&loader);
	if (!ret)
		ret = kernel_load(&loader, &file);
	if (ret)
		return ret;
	if (launch)
		launch_sort(launch);
	*ret_entry = loader_get_entry(&loader);
	if (machine->guard == BOOT_GUARD_NONE)
		return 0;
	ASSERT(launch);
	return stub_load(memory, machine, ret_entry, launch, err);
}
