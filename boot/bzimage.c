// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bzImage: Linux's own format, entered at its 64-bit entry point.
 *
 * The file is a boot sector and a few sectors of real-mode code (skipped), then the
 * protected-mode kernel of setup_header.syssize paragraphs (loaded), then perhaps a signature
 * (ignored).
 *
 * Source: Documentation/arch/x86/boot.rst; arch/x86/boot/compressed/head_64.S.
 */
#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "boot/kernel.h"
#include "vmm/err.h"

#define SETUP_HEADER_OFFSET   offsetof(struct boot_params, hdr)
#define SETUP_HEADER_MAGIC    0x53726448 /* "HdrS" */
#define SETUP_VERSION_MIN     0x020c	 /* 2.12, Linux 3.8: the first with xloadflags */
#define SETUP_SECTORS_DEFAULT 4		 /* what 0 stands for */
#define SETUP_SECTOR_BYTES    512
#define SYSSIZE_UNIT_BYTES    16
#define KERNEL_ENTRY64_OFFSET 0x200
/* The header ends where the jump at 0x200 lands; its displacement counts from 0x202. */
#define SETUP_JUMP_OFFSET 0x201
#define SETUP_JUMP_BASE	  0x202

static_assert(offsetof(struct setup_header, setup_sects) == 0, "boot.rst: its first field");
static_assert(SETUP_HEADER_OFFSET == 0x1f1, "boot.rst: the header starts at 0x1f1");
static_assert(SETUP_HEADER_OFFSET + sizeof(struct setup_header) <= KERNEL_HEAD_BYTES,
	      "the head of the file holds the whole header");

static uint32_t head_get_magic(const uint8_t *head)
{
	uint32_t magic;

	memcpy(&magic, head + SETUP_HEADER_OFFSET + offsetof(struct setup_header, header),
	       sizeof(magic));
	return magic;
}

bool bzimage_probe(const void *head, size_t head_bytes)
{
	return head_bytes >= KERNEL_HEAD_BYTES && head_get_magic(head) == SETUP_HEADER_MAGIC;
}

static uint64_t sectors_get_bytes(unsigned int setup_sects)
{
	uint64_t sectors = setup_sects ? setup_sects : SETUP_SECTORS_DEFAULT;

	return (1 + sectors) * SETUP_SECTOR_BYTES;
}

uint64_t bzimage_setup_bytes(const void *head)
{
	return sectors_get_bytes(((const uint8_t *)head)[SETUP_HEADER_OFFSET]);
}

/* A header of an older version is shorter: take no byte of the code behind it for a field. */
static int setup_read(const struct image_file *file, struct setup_header *ret_setup,
		      struct err *err)
{
	uint8_t head[KERNEL_HEAD_BYTES];
	size_t end;
	int ret = image_file_read(file, "the setup header", 0, head, sizeof(head), err);

	if (ret)
		return ret;
	end = SETUP_JUMP_BASE + (size_t)head[SETUP_JUMP_OFFSET];
	if (end > SETUP_HEADER_OFFSET + sizeof(*ret_setup))
		end = SETUP_HEADER_OFFSET + sizeof(*ret_setup);

	*ret_setup = (struct setup_header){0};
	memcpy(ret_setup, head + SETUP_HEADER_OFFSET, end - SETUP_HEADER_OFFSET);
	return 0;
}

static int setup_check_kind(const struct image_file *file, const struct setup_header *setup,
			    struct err *err)
{
	if (setup->header != SETUP_HEADER_MAGIC || setup->boot_flag != 0xaa55)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': no bzImage (boot_flag 0x%x, header 0x%x); give "
			       "arch/x86/boot/bzImage",
			       file->path, (unsigned int)setup->boot_flag,
			       (unsigned int)setup->header);
	if (setup->version < SETUP_VERSION_MIN)
		return err_set(
			err, -ENOEXEC,
			"kernel '%s': boot protocol %u.%02u is older than 2.12; give Linux "
			"3.8 or newer",
			file->path, setup->version >> 8u, setup->version & 0xffu);
	if (!(setup->loadflags & LOADED_HIGH))
		return err_set(
			err, -ENOEXEC,
			"kernel '%s': loadflags 0x%x: a zImage, which loads below 1 MiB; "
			"give a bzImage",
			file->path, setup->loadflags);
	if (!(setup->xloadflags & XLF_KERNEL_64))
		return err_set(
			err, -ENOEXEC,
			"kernel '%s': xloadflags 0x%x: a 32-bit kernel; give an x86-64 one",
			file->path, setup->xloadflags);
	return 0;
}

static int setup_check_fields(const struct image_file *file, const struct setup_header *setup,
			      struct err *err)
{
	uint64_t kernel_bytes = (uint64_t)setup->syssize * SYSSIZE_UNIT_BYTES;
	uint64_t align = setup->kernel_alignment;

	if (kernel_bytes <= KERNEL_ENTRY64_OFFSET)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': syssize 0x%x is too small to hold the entry point",
			       file->path, setup->syssize);
	if (setup->init_size < kernel_bytes)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': init_size 0x%x is smaller than the kernel itself "
			       "(0x%" PRIx64 " bytes)",
			       file->path, setup->init_size, kernel_bytes);
	if (setup->relocatable_kernel && (!align || !is_aligned(align, align)))
		return err_set(err, -ENOEXEC,
			       "kernel '%s': kernel_alignment 0x%x is no power of two",
			       file->path, setup->kernel_alignment);
	if (setup->pref_address < MIB || setup->pref_address > UINT32_MAX)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': pref_address 0x%" PRIx64
			       " is not between 1 MiB and 4 GiB",
			       file->path, (uint64_t)setup->pref_address);
	if (setup->cmdline_size == 0 || setup->initrd_addr_max < MIB)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': cmdline_size 0x%x or initrd_addr_max 0x%x is too "
			       "small to be true",
			       file->path, setup->cmdline_size, setup->initrd_addr_max);
	return 0;
}

/*
 * A relocatable kernel runs where it was loaded, rounded up to kernel_alignment, but never
 * below the address it was built for; one that is not relocatable moves itself there. So that
 * address is best for both, and init_size counts from it.
 */
static gpa_t setup_get_load_gpa(const struct setup_header *setup)
{
	if (!setup->relocatable_kernel)
		return setup->pref_address;
	return align_up(setup->pref_address, setup->kernel_alignment);
}

int bzimage_parse(const struct image_file *file, struct kernel *ret_kernel, struct err *err)
{
	struct kernel_segment segment;
	struct setup_header setup;
	int ret = setup_read(file, &setup, err);

	if (!ret)
		ret = setup_check_kind(file, &setup, err);
	if (!ret)
		ret = setup_check_fields(file, &setup, err);
	if (ret)
		return ret;

	segment = (struct kernel_segment){
		.gpa = setup_get_load_gpa(&setup),
		.file_offset = sectors_get_bytes(setup.setup_sects),
		.file_bytes = (uint64_t)setup.syssize * SYSSIZE_UNIT_BYTES,
		.room_bytes = setup.init_size,
	};
	ret = image_file_check(file, "the kernel by syssize", segment.file_offset,
			       segment.file_bytes, err);
	if (ret)
		return ret;

	*ret_kernel = (struct kernel){
		.mode = BOOT_MODE_LONG64,
		.entry = segment.gpa + KERNEL_ENTRY64_OFFSET,
		.segments = {segment},
		.n_segments = 1,
		.cmdline_max_bytes = setup.cmdline_size,
		.initrd_last_max = setup.initrd_addr_max,
		.setup = setup,
	};
	return 0;
}
