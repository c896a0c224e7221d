// SPDX-License-Identifier: GPL-2.0-or-later
/* What files are, told apart by their contents, without a guest to load them into. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "boot/boot.h"
#include "boot/firmware/ovmf.h"
#include "boot/kernel.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

int kernel_parse(const struct image_file *file, struct kernel *ret_kernel, struct err *err)
{
	uint8_t head[KERNEL_HEAD_BYTES];
	size_t head_bytes =
		file->size_bytes < sizeof(head) ? (size_t)file->size_bytes : sizeof(head);
	int ret = image_file_read(file, "the header", 0, head, head_bytes, err);

	if (ret)
		return ret;
	if (elf_probe(head, head_bytes))
		return elf_parse(file, ret_kernel, err);
	if (bzimage_probe(head, head_bytes))
		return bzimage_parse(file, ret_kernel, err);
	return err_set(
		err, -ENOEXEC,
		"kernel '%s': neither bzImage nor ELF; give Linux's bzImage (vmlinuz) or "
		"vmlinux",
		file->path);
}

int boot_inspect_kernel(const char *path, struct boot_kernel *ret_kernel, struct err *err)
{
	_cleanup_image_file_ struct image_file file = {0};
	struct kernel kernel;
	int ret = image_file_open(&file, "kernel", path, err);

	if (!ret)
		ret = kernel_parse(&file, &kernel, err);
	if (ret)
		return ret;
	*ret_kernel = (struct boot_kernel){
		.mode = kernel.mode,
		.protocol = kernel.setup.version,
		.cmdline_max_bytes = kernel.cmdline_max_bytes,
	};
	return 0;
}

int boot_inspect_initrd(const char *path, struct err *err)
{
	_cleanup_image_file_ struct image_file file = {0};

	return image_file_open(&file, "initrd", path, err);
}

int boot_inspect_firmware(const char *path, enum boot_firmware kind, struct err *err)
{
	_cleanup_image_file_ struct image_file file = {0};
	_cleanup_free_ uint8_t *bytes = NULL;
	struct ovmf_image image;
	struct ovmf_snp snp;
	struct tdvf tdvf;
	int ret = image_file_open(&file, "firmware", path, err);

	if (ret)
		return ret;
	if (file.size_bytes > OVMF_IMAGE_MAX_BYTES)
		return err_set(err, -ENOEXEC,
			       "firmware '%s': %" PRIu64
			       " bytes, but firmware has at most %d; give an OVMF image",
			       path, file.size_bytes, OVMF_IMAGE_MAX_BYTES);
	bytes = malloc((size_t)file.size_bytes);
	if (!bytes)
		return err_set(err, -ENOMEM, "firmware '%s': out of memory; free some", path);
	ret = image_file_read(&file, "the image", 0, bytes, (size_t)file.size_bytes, err);
	if (ret)
		return ret;
	image = (struct ovmf_image){
		.path = path, .bytes = bytes, .size_bytes = file.size_bytes};
	return kind == BOOT_FIRMWARE_SNP ? ovmf_parse_snp(&image, &snp, err)
					 : tdvf_parse(&image, &tdvf, err);
}
