/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small kernels for tests: right in every field, so that a test can break one. */
#ifndef TESTS_UNIT_IMAGES_H
#define TESTS_UNIT_IMAGES_H

#include <asm/bootparam.h>
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

enum {
	IMAGE_MAX_BYTES = 16 << 10,
	BZIMAGE_SETUP_SECTORS = 1,
	BZIMAGE_KERNEL_OFFSET = 512 * (1 + BZIMAGE_SETUP_SECTORS),
	BZIMAGE_KERNEL_BYTES = 4096,
	ELF_NOTE_OFFSET = 0x200,
	ELF_DATA_OFFSET = 0x1000,
};

struct image {
	uint8_t bytes[IMAGE_MAX_BYTES];
	size_t size_bytes;
};

static inline struct setup_header *bzimage_get_setup(struct image *image)
{
	return (struct setup_header *)(void *)(image->bytes + 0x1f1);
}

/* One sector of setup code, 4 KiB of kernel (bytes 0x90), like Linux 6 in its fields. */
static inline void bzimage_make(struct image *image)
{
	*image = (struct image){.size_bytes = BZIMAGE_KERNEL_OFFSET + BZIMAGE_KERNEL_BYTES};
	*bzimage_get_setup(image) = (struct setup_header){
		.setup_sects = BZIMAGE_SETUP_SECTORS,
		.syssize = BZIMAGE_KERNEL_BYTES / 16,
		.boot_flag = 0xaa55,
		.jump = 0x6aeb,
		.header = 0x53726448,
		.version = 0x020f,
		.loadflags = LOADED_HIGH,
		.initrd_addr_max = 0x7fffffff,
		.kernel_alignment = 0x200000,
		.relocatable_kernel = 1,
		.xloadflags = XLF_KERNEL_64 | XLF_CAN_BE_LOADED_ABOVE_4G,
		.cmdline_size = 2047,
		.pref_address = 16 * MIB,
		.init_size = 16 * MIB,
	};
	memset(image->bytes + BZIMAGE_KERNEL_OFFSET, 0x90, BZIMAGE_KERNEL_BYTES);
}

static inline Elf64_Ehdr *elf_get_header(struct image *image)
{
	return (Elf64_Ehdr *)(void *)image->bytes;
}

/* 0: text, 1: data with bss, 2: notes. */
static inline Elf64_Phdr *elf_get_phdr(struct image *image, unsigned int index)
{
	return (Elf64_Phdr *)(void *)(image->bytes + sizeof(Elf64_Ehdr)) + index;
}

static inline Elf64_Nhdr *elf_get_note(struct image *image)
{
	return (Elf64_Nhdr *)(void *)(image->bytes + ELF_NOTE_OFFSET);
}

/* Two segments at 16 and 32 MiB (bytes 0x90 and 0x91), the entry note at 16 MiB + 0x100. */
static inline void elf_make(struct image *image)
{
	const uint64_t entry = 16 * MIB + 0x100;

	*image = (struct image){.size_bytes = ELF_DATA_OFFSET + 0x2000};
	*elf_get_header(image) = (Elf64_Ehdr){
		.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
		.e_type = ET_EXEC,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = sizeof(Elf64_Ehdr),
		.e_ehsize = sizeof(Elf64_Ehdr),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	*elf_get_phdr(image, 0) = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = ELF_DATA_OFFSET,
		.p_paddr = 16 * MIB,
		.p_filesz = 0x1000,
		.p_memsz = 0x1000,
	};
	*elf_get_phdr(image, 1) = (Elf64_Phdr){
		.p_type = PT_LOAD,
		.p_offset = ELF_DATA_OFFSET + 0x1000,
		.p_paddr = 32 * MIB,
		.p_filesz = 0x1000,
		.p_memsz = 0x3000,
	};
	*elf_get_phdr(image, 2) = (Elf64_Phdr){
		.p_type = PT_NOTE,
		.p_offset = ELF_NOTE_OFFSET,
		.p_filesz = sizeof(Elf64_Nhdr) + 4 + sizeof(entry),
		.p_align = 4,
	};
	*elf_get_note(image) = (Elf64_Nhdr){.n_namesz = 4, .n_descsz = 8, .n_type = 18};
	memcpy(image->bytes + ELF_NOTE_OFFSET + sizeof(Elf64_Nhdr), "Xen", 4);
	memcpy(image->bytes + ELF_NOTE_OFFSET + sizeof(Elf64_Nhdr) + 4, &entry, sizeof(entry));
	memset(image->bytes + ELF_DATA_OFFSET, 0x90, 0x1000);
	memset(image->bytes + ELF_DATA_OFFSET + 0x1000, 0x91, 0x1000);
}

/* A path to a file that holds @size_bytes of @bytes, until *ret_fd is closed. */
static inline void image_write(const void *bytes, size_t size_bytes, int *ret_fd,
			       char ret_path[64])
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, bytes, size_bytes), (ssize_t)size_bytes);
	snprintf(ret_path, 64, "/proc/self/fd/%d", fd);
	*ret_fd = fd;
}

#endif
