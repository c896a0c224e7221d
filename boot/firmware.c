// SPDX-License-Identifier: GPL-2.0-or-later
/* Firmware images: where they go, and how they are entered. */
#include "boot/firmware.h"

#include <errno.h>
#include <inttypes.h>

#include "boot/file.h"
#include "vmm/err.h"

static int firmware_check_size(const struct image_file *file, struct err *err)
{
	if (file->size_bytes > LAYOUT_FIRMWARE_BYTES_MAX ||
	    !is_aligned(file->size_bytes, GRANULE_BYTES))
		return err_set(err, -ENOEXEC,
			       "firmware '%s': %" PRIu64 " bytes are no multiple of 4 KiB, or "
			       "more than 16 MiB; give an image such as OVMF.fd",
			       file->path, file->size_bytes);
	return 0;
}

int firmware_get_size(const char *path, uint64_t *ret_size_bytes, struct err *err)
{
	_cleanup_image_file_ struct image_file file = {0};
	int ret = image_file_open(&file, "firmware", path, err);

	if (!ret)
		ret = firmware_check_size(&file, err);
	if (!ret)
		*ret_size_bytes = file.size_bytes;
	return ret;
}

int firmware_load(struct guest_memory *memory, const struct layout *layout, const char *path,
		  struct boot_entry *ret_entry, struct err *err)
{
	_cleanup_image_file_ struct image_file file = {0};
	int ret = image_file_open(&file, "firmware", path, err);

	if (ret)
		return ret;
	if (file.size_bytes != range_size(layout->firmware))
		return err_set(err, -ENOEXEC,
			       "firmware '%s': its size has just changed; start again", path);
	ret = image_file_load(&file, "the image", 0, file.size_bytes, memory,
			      layout->firmware.start, err);
	if (!ret)
		*ret_entry = (struct boot_entry){.mode = BOOT_MODE_RESET};
	return ret;
}
