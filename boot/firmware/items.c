// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What firmware reads from fw_cfg: the kernel to start with initrd and command line, where RAM
 * and the windows for PCI devices are, how many processors there are, ACPI tables.
 *
 * Sources: QEMU, docs/specs/fw_cfg.rst and hw/i386/fw_cfg.c; edk2, OvmfPkg/Library/
 * QemuKernelLoaderFsDxe, PlatformInitLib/MemDetect.c, HardwareInfoLib.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/qemu_fw_cfg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi/acpi.h"
#include "boot/file.h"
#include "boot/firmware/firmware.h"
#include "boot/kernel.h"
#include "boot/place.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/platform.h"

/* An entry of "etc/e820". */
struct e820_entry {
	uint64_t gpa;
	uint64_t size_bytes;
	uint32_t type;
} __attribute__((packed));

#define E820_RAM 1

/* "etc/hardware-info", of one host bridge. */
struct hardware_info {
	uint64_t type;
	uint64_t size_bytes; /* of what follows */
	uint64_t version;
	uint64_t attributes;
	uint32_t flags;
	uint8_t first_bus;
	uint8_t last_bus;
	uint8_t padding[2];
	uint64_t io[2]; /* start and size, as all that follow */
	uint64_t mmio32[2];
	uint64_t mmio32_prefetchable[2];
	uint64_t mmio64[2];
	uint64_t mmio64_prefetchable[2];
	uint64_t ecam[2];
};

static_assert(sizeof(struct hardware_info) == 16 + 24 + 6 * 16,
	      "HardwareInfoPciHostBridgeLib.h");

enum {
	HARDWARE_HOST_BRIDGE = 1,
	/* EFI_PCI_ATTRIBUTE_*: there are ports of ISA devices behind it. */
	BRIDGE_ISA_MOTHERBOARD_IO = 1 << 0,
	BRIDGE_ISA_IO_16 = 1 << 16,
	BRIDGE_DMA_ABOVE_4G = 1 << 0,
	BRIDGE_COMBINED = 1 << 2, /* one window for what is prefetchable and what is not */
	BRIDGE_LAST_BUS = 255,
	PE_MAGIC_BYTES = 2,
};

/* --- Adding --- */

/* Take @bytes over; NULL is an error. */
static int keep(struct firmware_items *items, void *bytes, struct err *err)
{
	if (!bytes)
		return err_set(err, -ENOMEM, "firmware configuration: out of memory");
	ASSERT(items->n_kept < FIRMWARE_ITEMS_MAX);
	items->kept[items->n_kept++] = bytes;
	return 0;
}

static void add(struct firmware_items *items, uint16_t key, const char *name, const void *bytes,
		uint64_t size_bytes)
{
	ASSERT(items->n_items < FIRMWARE_ITEMS_MAX);
	ASSERT(size_bytes <= UINT32_MAX);
	items->items[items->n_items++] = (struct firmware_item){
		.key = key,
		.name = name,
		.bytes = bytes,
		.size_bytes = (uint32_t)size_bytes,
	};
}

static int add_copy(struct firmware_items *items, uint16_t key, const char *name,
		    const void *bytes, size_t size_bytes, struct err *err)
{
	void *copy;
	int ret;

	ASSERT(size_bytes > 0);
	copy = malloc(size_bytes);
	ret = keep(items, copy, err);

	if (ret)
		return ret;
	memcpy(copy, bytes, size_bytes);
	add(items, key, name, copy, size_bytes);
	return 0;
}

/* Numbers are little endian, of 16 or 32 bits. */
static int add_u16(struct firmware_items *items, uint16_t key, uint16_t value, struct err *err)
{
	return add_copy(items, key, NULL, &value, sizeof(value), err);
}

/* Bytes, and their number under another selector. */
static int add_sized(struct firmware_items *items, uint16_t size_key, uint16_t data_key,
		     const void *bytes, uint64_t size_bytes, struct err *err)
{
	uint32_t size = (uint32_t)size_bytes;

	add(items, data_key, NULL, bytes, size_bytes);
	return add_copy(items, size_key, NULL, &size, sizeof(size), err);
}

/* --- Kernel, initrd, command line --- */

static int payload_read(struct firmware_items *items, const char *what, const char *path,
			struct firmware_payload *ret_payload, struct err *err)
{
	uint8_t *bytes = NULL;
	int ret = image_file_read_all(what, path, UINT32_MAX, &bytes, &ret_payload->size_bytes,
				      err);

	ret_payload->bytes = bytes;
	return ret ? ret : keep(items, bytes, err);
}

/*
 * The kernel as it is: the firmware puts its two parts together again, and what is measured is
 * the file.
 */
static int kernel_add(struct firmware_items *items, const char *path, struct err *err)
{
	struct firmware_payload *kernel = &items->kernel;
	uint64_t setup_bytes = 0;
	int ret = payload_read(items, "kernel", path, kernel, err);

	if (ret)
		return ret;
	if (kernel->size_bytes < PE_MAGIC_BYTES ||
	    memcmp(kernel->bytes, "MZ", PE_MAGIC_BYTES) != 0)
		return err_set(
			err, -ENOEXEC,
			"kernel '%s': firmware starts EFI programs only, and this is none; "
			"give a bzImage with CONFIG_EFI_STUB, or leave out the firmware",
			path);
	/* Any other EFI program is one part. */
	if (bzimage_probe(kernel->bytes, (size_t)kernel->size_bytes))
		setup_bytes = bzimage_setup_bytes(kernel->bytes);
	if (setup_bytes > kernel->size_bytes)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': offset 0x1f1: %" PRIu64
			       " bytes of setup code in a file of %" PRIu64
			       "; fetch or build it again",
			       path, setup_bytes, kernel->size_bytes);
	ret = add_sized(items, FW_CFG_SETUP_SIZE, FW_CFG_SETUP_DATA, kernel->bytes, setup_bytes,
			err);
	if (!ret)
		ret = add_sized(items, FW_CFG_KERNEL_SIZE, FW_CFG_KERNEL_DATA,
				kernel->bytes + setup_bytes, kernel->size_bytes - setup_bytes,
				err);
	return ret;
}

static int initrd_add(struct firmware_items *items, const char *path, struct err *err)
{
	int ret = payload_read(items, "initrd", path, &items->initrd, err);

	if (!ret)
		ret = add_sized(items, FW_CFG_INITRD_SIZE, FW_CFG_INITRD_DATA,
				items->initrd.bytes, items->initrd.size_bytes, err);
	return ret;
}

/* With its terminating zero. */
static int cmdline_add(struct firmware_items *items, const char *cmdline, struct err *err)
{
	struct firmware_payload *bytes = &items->cmdline;
	char *copy = strdup(cmdline);
	int ret = keep(items, copy, err);

	*bytes = (struct firmware_payload){(const uint8_t *)copy, strlen(cmdline) + 1};
	if (!ret)
		ret = add_sized(items, FW_CFG_CMDLINE_SIZE, FW_CFG_CMDLINE_DATA, bytes->bytes,
				bytes->size_bytes, err);
	return ret;
}

static int payload_add(struct firmware_items *items, const struct boot_source *source,
		       struct err *err)
{
	int ret;

	if (!source->kernel_path)
		return 0;
	ret = kernel_add(items, source->kernel_path, err);
	if (!ret && source->initrd_path)
		ret = initrd_add(items, source->initrd_path, err);
	if (!ret)
		ret = cmdline_add(items, source->cmdline, err);
	return ret;
}

/* --- The machine --- */

/* RAM only: what else is reserved, the firmware knows by itself. */
static int e820_add(struct firmware_items *items, const struct layout *layout, struct err *err)
{
	struct e820_entry entries[LAYOUT_RAM_RANGES_MAX];

	for (unsigned int i = 0; i < layout->n_ram; i++)
		entries[i] = (struct e820_entry){
			.gpa = layout->ram[i].start,
			.size_bytes = range_size(layout->ram[i]),
			.type = E820_RAM,
		};
	return add_copy(items, 0, "etc/e820", entries, layout->n_ram * sizeof(entries[0]), err);
}

/* Firmware has windows of its own choice, unless it is told where ours are. */
static int hardware_info_add(struct firmware_items *items, const struct layout *layout,
			     struct err *err)
{
	const struct hardware_info info = {
		.type = HARDWARE_HOST_BRIDGE,
		.size_bytes = sizeof(info) - offsetof(struct hardware_info, version),
		.attributes = BRIDGE_ISA_MOTHERBOARD_IO | BRIDGE_ISA_IO_16,
		.flags = BRIDGE_DMA_ABOVE_4G | BRIDGE_COMBINED,
		.last_bus = BRIDGE_LAST_BUS,
		.mmio32 = {layout->mmio32.start, range_size(layout->mmio32)},
		.mmio64 = {layout->mmio64.start, range_size(layout->mmio64)},
		.ecam = {layout->ecam.start, range_size(layout->ecam)},
	};

	return add_copy(items, 0, "etc/hardware-info", &info, sizeof(info), err);
}

static int acpi_add(struct firmware_items *items, const struct boot_machine *machine,
		    struct err *err)
{
	struct acpi_links links;
	uint8_t *rsdp = malloc(ACPI_RSDP_BYTES);
	uint8_t *tables = NULL;
	uint8_t *script = NULL;
	size_t tables_bytes;
	int ret = keep(items, rsdp, err);

	if (!ret) {
		tables = malloc(PLACE_HW_BYTES);
		ret = keep(items, tables, err);
	}
	if (!ret) {
		script = malloc(ACPI_SCRIPT_MAX_BYTES);
		ret = keep(items, script, err);
	}
	if (ret)
		return ret;
	tables_bytes = acpi_tables_init_movable(rsdp, tables, PLACE_HW_BYTES, &links, machine);
	/* It has room for PLATFORM_VCPUS_MAX processors; a unit test says so. */
	ASSERT(tables_bytes > 0);
	add(items, 0, ACPI_FILE_SCRIPT, script, acpi_script_init(script, rsdp, tables, &links));
	add(items, 0, ACPI_FILE_RSDP, rsdp, ACPI_RSDP_BYTES);
	add(items, 0, ACPI_FILE_TABLES, tables, tables_bytes);
	return 0;
}

int firmware_items_init(struct firmware_items *ret_items, const struct boot_machine *machine,
			const struct boot_source *source, struct err *err)
{
	int ret;

	*ret_items = (struct firmware_items){0};
	ret = payload_add(ret_items, source, err);
	if (!ret)
		ret = add_u16(ret_items, FW_CFG_NB_CPUS, (uint16_t)machine->n_vcpus, err);
	if (!ret)
		ret = add_u16(ret_items, FW_CFG_MAX_CPUS, (uint16_t)machine->n_vcpus, err);
	if (!ret)
		ret = e820_add(ret_items, machine->layout, err);
	if (!ret)
		ret = hardware_info_add(ret_items, machine->layout, err);
	if (!ret)
		ret = acpi_add(ret_items, machine, err);
	if (ret)
		firmware_items_fini(ret_items);
	return ret;
}

void firmware_items_fini(struct firmware_items *items)
{
	for (unsigned int i = 0; i < items->n_kept; i++)
		free(items->kept[i]);
	*items = (struct firmware_items){0};
}
