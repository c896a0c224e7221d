/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Firmware of the OVMF family into guest memory, and into the list of what is launched, as its
 * metadata wants it.
 */
#ifndef BOOT_FIRMWARE_LAUNCH_H
#define BOOT_FIRMWARE_LAUNCH_H

#include <stddef.h>
#include <stdint.h>

#include "boot/firmware/ovmf.h"
#include "boot/launch.h"

enum { OVMF_HASH_BYTES = 32 /* SHA-256 */ };

/* What measured direct boot hands to the firmware, as the firmware checks it. */
struct ovmf_hashes {
	uint8_t cmdline[OVMF_HASH_BYTES]; /* with the terminating zero */
	uint8_t initrd[OVMF_HASH_BYTES];  /* of nothing when there is none */
	uint8_t kernel[OVMF_HASH_BYTES];  /* of the unchanged file */
};

/**
 * Hash kernel, initrd and command line.
 *
 * @initrd: may be NULL with @initrd_bytes 0. @cmdline: never NULL, "" for none.
 * Returns 0 or -ENOMEM.
 */
int ovmf_hashes_init(struct ovmf_hashes *ret_hashes, const void *kernel, size_t kernel_bytes,
		     const void *initrd, size_t initrd_bytes, const char *cmdline);

/**
 * The launch of an SEV-SNP guest with OVMF, as launch->profile does it. In QEMU's order: the
 * image, then the sections of its metadata.
 *
 * @snp: what ovmf_parse_snp said of @image.
 * @hashes: NULL for a guest that boots from its disks.
 * @launch: gets the pieces; has none that overlaps one of them.
 * Returns 0; -EINVAL (hashes, but firmware that would not check them); -ENOSPC (no memory where
 * the image or a section lies); -ENOMEM, with @err set. On error guest memory is partly written
 * and @launch has some of the pieces.
 * Source: QEMU target/i386/sev.c, hw/i386/x86.c; edk2 OvmfPkg/AmdSev/BlobVerifierLibSevHashes.
 */
int ovmf_launch(struct guest_memory *memory, const struct ovmf_image *image,
		const struct ovmf_snp *snp, const struct ovmf_hashes *hashes,
		struct launch *launch, struct err *err);

/**
 * The launch of a TD with TDVF or td-shim: sections in the order of the metadata, with their
 * bytes, then zeroes. Those without MR.EXTEND are UNMEASURED, zeroes or not.
 *
 * TD_HOB, and payloads without bytes in the file, are zeroes for the caller to fill.
 *
 * @tdvf: what tdvf_parse said of @image. @launch: as above.
 * Returns 0; -ENOSPC (no memory where a section lies); -ENOMEM, with @err set. On error guest
 * memory is partly written and @launch has some of the pieces.
 */
int tdvf_launch(struct guest_memory *memory, const struct ovmf_image *image,
		const struct tdvf *tdvf, struct launch *launch, struct err *err);

#endif
