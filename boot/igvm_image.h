/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An IGVM file and all that has to be known of it before there is a VM: memory below 4 GiB,
 * what the guest's type is to be told, and how the guest is entered.
 */
#ifndef BOOT_IGVM_IMAGE_H
#define BOOT_IGVM_IMAGE_H

#include "boot/boot.h"
#include "boot/igvm.h"

struct igvm_image {
	struct igvm igvm;
	uint8_t *bytes;
	uint64_t firmware_bytes; /* for layout_add_firmware; 0: none */
	struct boot_entry entry; /* VCPU or RESET */
	uint64_t snp_features;	 /* for KVM_SEV_INIT2 */
	uint64_t td_attributes;	 /* for KVM_TDX_INIT_VM, if igvm.has_policy */
};

/**
 * Read and understand a file.
 *
 * @path: kept, not copied.
 * Returns 0; as image_file_read_all; -ENOEXEC (as igvm_parse and the functions of boot/igvm.h
 * after it), with @err set. Release with igvm_image_close; after an error there is nothing to
 * release.
 */
int igvm_image_open(struct igvm_image *ret_image, const char *path, enum igvm_platform platform,
		    struct err *err);

/* Accepts a zeroed struct. */
void igvm_image_close(struct igvm_image *image);

#define _cleanup_igvm_image_ __attribute__((cleanup(igvm_image_close)))

#endif
