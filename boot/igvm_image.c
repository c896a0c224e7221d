// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/igvm_image.h"

#include <errno.h>
#include <stdlib.h>

#include "boot/file.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

static int entry_init(struct igvm_image *image, struct err *err)
{
	struct boot_entry *entry = &image->entry;
	int ret = -ENOENT;

	*entry = (struct boot_entry){.mode = BOOT_MODE_VCPU};
	/* What a file does not say is as after a reset. */
	snp_vcpu_reset(&entry->vcpu, SNP_RESET_ENTRY, 0);
	if (image->igvm.platform == IGVM_SNP)
		ret = igvm_get_snp_vcpu(&image->igvm, &entry->vcpu, &image->snp_features, err);
	else if (image->igvm.platform == IGVM_NATIVE)
		ret = igvm_get_native_vcpu(&image->igvm, &entry->vcpu, err);
	if (ret != -ENOENT)
		return ret;
	*entry = (struct boot_entry){.mode = BOOT_MODE_RESET};
	return 0;
}

int igvm_image_open(struct igvm_image *ret_image, const char *path, enum igvm_platform platform,
		    struct err *err)
{
	_cleanup_igvm_image_ struct igvm_image image = {0};
	struct igvm_file file = {.path = path};
	int ret = image_file_read_all("igvm", path, UINT32_MAX, &image.bytes, &file.size_bytes,
				      err);

	if (ret)
		return ret;
	file.bytes = image.bytes;
	ret = igvm_parse(&image.igvm, &file, platform, err);
	if (!ret)
		ret = igvm_get_firmware_bytes(&image.igvm, &image.firmware_bytes, err);
	if (!ret && platform == IGVM_TDX)
		ret = igvm_get_td_attributes(&image.igvm, &image.td_attributes, err);
	if (!ret)
		ret = entry_init(&image, err);
	if (ret)
		return ret;
	*ret_image = image;
	image = (struct igvm_image){0};
	return 0;
}

void igvm_image_close(struct igvm_image *image)
{
	igvm_fini(&image->igvm);
	free(image->bytes);
	image->bytes = NULL;
}
