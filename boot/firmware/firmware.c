// SPDX-License-Identifier: GPL-2.0-or-later
/* Firmware images: where they go, what is launched with them, and how they are entered. */
#include "boot/firmware/firmware.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "boot/file.h"
#include "boot/firmware/launch.h"
#include "boot/firmware/loader.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

static int size_check(const char *path, uint64_t size_bytes, struct err *err)
{
	if (size_bytes > LAYOUT_FIRMWARE_BYTES_MAX || !is_aligned(size_bytes, GRANULE_BYTES))
		return err_set(err, -ENOEXEC,
			       "firmware '%s': %" PRIu64 " bytes are no multiple of 4 KiB, or "
			       "more than 16 MiB; give an image such as OVMF.fd",
			       path, size_bytes);
	return 0;
}

int firmware_get_size(const char *path, uint64_t *ret_size_bytes, struct err *err)
{
	_cleanup_image_file_ struct image_file file = {0};
	int ret = image_file_open(&file, "firmware", path, err);

	if (!ret)
		ret = size_check(path, file.size_bytes, err);
	if (!ret)
		*ret_size_bytes = file.size_bytes;
	return ret;
}

static int load_plain(struct firmware_loader *loader)
{
	int ret = guest_write(loader->memory, loader->machine->layout->firmware.start,
			      loader->image.bytes, (size_t)loader->image.size_bytes);

	if (ret)
		return err_set(loader->err, ret,
			       "firmware '%s': cannot write to guest memory: %s",
			       loader->image.path, err_describe(ret));
	return 0;
}

/* --- SEV-SNP --- */

static int load_snp(struct firmware_loader *loader)
{
	const struct firmware_items *items = loader->items;
	struct ovmf_hashes hashes;
	struct ovmf_snp snp;
	int ret = ovmf_parse_snp(&loader->image, &snp, loader->err);

	if (ret)
		return ret;
	if (items->kernel.bytes) {
		ret = ovmf_hashes_init(&hashes, items->kernel.bytes,
				       (size_t)items->kernel.size_bytes, items->initrd.bytes,
				       (size_t)items->initrd.size_bytes,
				       (const char *)items->cmdline.bytes);
		if (ret)
			return err_set(loader->err, ret, "firmware '%s': out of memory",
				       loader->image.path);
	}
	loader->entry.ap_start = snp.ap_entry;
	return ovmf_launch(loader->memory, &loader->image, &snp,
			   items->kernel.bytes ? &hashes : NULL, loader->launch, loader->err);
}

int firmware_load(struct guest_memory *memory, const struct boot_machine *machine,
		  const char *path, enum boot_guard guard, const struct firmware_items *items,
		  struct launch *launch, struct boot_entry *ret_entry, struct err *err)
{
	static int (*const loads[])(struct firmware_loader * loader) = {
		[BOOT_GUARD_NONE] = load_plain,
		[BOOT_GUARD_SNP] = load_snp,
		[BOOT_GUARD_TDX] = firmware_load_tdx,
	};
	_cleanup_free_ uint8_t *bytes = NULL;
	struct firmware_loader loader = {
		.memory = memory,
		.machine = machine,
		.items = items,
		.launch = launch,
		.image = {.path = path},
		.entry = {.mode = BOOT_MODE_RESET},
		.err = err,
	};
	int ret = image_file_read_all("firmware", path, LAYOUT_FIRMWARE_BYTES_MAX, &bytes,
				      &loader.image.size_bytes, err);

	if (ret)
		return ret;
	if (loader.image.size_bytes != range_size(machine->layout->firmware))
		return err_set(err, -ENOEXEC,
			       "firmware '%s': its size has just changed; start again", path);
	loader.image.bytes = bytes;
	ret = loads[guard](&loader);
	if (!ret)
		*ret_entry = loader.entry;
	return ret;
}
