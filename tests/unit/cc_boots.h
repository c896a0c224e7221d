/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ways in which a guest of type snp or tdx can start, as changes of a fixture. */
#ifndef TESTS_UNIT_CC_BOOTS_H
#define TESTS_UNIT_CC_BOOTS_H

#include <fcntl.h>

#include "tests/unit/cc_machine.h"
#include "tests/unit/firmware.h"
#include "tests/unit/igvm_files.h"

enum cc_boot {
	CC_BOOT_STUB,	   /* our own, and a kernel */
	CC_BOOT_FIRMWARE,  /* OVMF's kind */
	CC_BOOT_HASHES,	   /* SNP: the same, with a kernel whose hash it knows */
	CC_BOOT_IGVM,	   /* Oak's kind: two pages of firmware */
	CC_BOOT_IGVM_SVSM, /* COCONUT's kind: a processor's state, parameters */
	CC_BOOT_COUNT,
};

struct cc_boot_files {
	char path[64];
	int fd;
};

/* Firmware starts EFI programs, and knows them by this. */
static inline void cc_make_efi(const struct fixture *fixture)
{
	int fd = open(fixture->kernel_path, O_WRONLY | O_CLOEXEC);

	ck_assert_int_eq(pwrite(fd, "MZ", 2, 0), 2);
	close(fd);
}

static inline void cc_boot_init(struct cc_boot_files *files, struct fixture *fixture,
				enum cc_boot boot)
{
	struct config *config = &fixture->config;

	files->fd = -1;
	if (boot == CC_BOOT_FIRMWARE || boot == CC_BOOT_HASHES) {
		struct firmware *firmware = malloc(sizeof(*firmware));

		firmware_make(firmware);
		image_write(firmware->bytes, FIRMWARE_BYTES, &files->fd, files->path);
		free(firmware);
		config->firmware = files->path;
		cc_make_efi(fixture);
		if (boot == CC_BOOT_FIRMWARE)
			config->kernel = NULL;
	}
	if (boot == CC_BOOT_IGVM || boot == CC_BOOT_IGVM_SVSM) {
		struct igvm_writer *writer = malloc(sizeof(*writer));
		struct coconut at;

		if (boot == CC_BOOT_IGVM) {
			igvm_file_stage0(writer);
		} else {
			igvm_file_coconut(writer, &at);
			/* Nobody signed it. */
			writer_put32(writer, at.id, WRITER_NATIVE);
			writer_put_checksum(writer);
		}
		image_write(writer->file.bytes, writer->file.size_bytes, &files->fd,
			    files->path);
		free(writer);
		config->igvm = files->path;
		config->kernel = NULL;
	}
}

static inline void cc_boot_fini(const struct cc_boot_files *files)
{
	if (files->fd >= 0)
		close(files->fd);
}

#endif
