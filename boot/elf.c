// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ELF files with a PVH entry point, such as Linux's vmlinux built with CONFIG_PVH.
 *
 * Segments are loaded at their physical addresses. The entry point is in a note named "Xen" of
 * type XEN_ELFNOTE_PHYS32_ENTRY; the file header's own entry point is a virtual address and not
 * used.
 *
 * Sources: System V ABI, chapter 5 and AMD64 supplement; xen/interface/elfnote.h; Xen's
 * docs/misc/pvh.pandoc.
 */
#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "boot/kernel.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

#define PVH_NOTE_NAME  "Xen"
#define PVH_NOTE_ENTRY 18 /* XEN_ELFNOTE_PHYS32_ENTRY */

enum {
	ELF_PROGRAM_HEADERS_MAX = 64,
	ELF_NOTES_MAX_BYTES = 64 << 10, /* in one segment */
	/* COMMAND_LINE_SIZE of Linux on x86, less the zero; the file does not tell. */
	ELF_CMDLINE_MAX_BYTES = 2047,
};

bool elf_probe(const void *head, size_t head_bytes)
{
	return head_bytes >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
}

static int header_check(const struct image_file *file, const Elf64_Ehdr *header,
			struct err *err)
{
	const unsigned char *ident = header->e_ident;

	if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB ||
	    ident[EI_VERSION] != EV_CURRENT || header->e_machine != EM_X86_64)
		return err_set(
			err, -ENOEXEC,
			"kernel '%s': ELF of class %u, encoding %u, version %u, machine %u; "
			"give a 64-bit x86-64 file",
			file->path, ident[EI_CLASS], ident[EI_DATA], ident[EI_VERSION],
			header->e_machine);
	/* Newer kernels are linked as position-independent executables. */
	if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': e_type %u is no executable; give vmlinux",
			       file->path, header->e_type);
	if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0 ||
	    header->e_phnum > ELF_PROGRAM_HEADERS_MAX)
		return err_set(
			err, -ENOEXEC,
			"kernel '%s': e_phnum %u (1 to %u), e_phentsize %u (%zu): malformed",
			file->path, header->e_phnum, ELF_PROGRAM_HEADERS_MAX,
			header->e_phentsize, sizeof(Elf64_Phdr));
	return 0;
}

static int segment_add(const struct image_file *file, struct kernel *kernel, unsigned int index,
		       const Elf64_Phdr *phdr, struct err *err)
{
	struct range room;
	int ret;

	if (phdr->p_filesz > phdr->p_memsz)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': segment %u: p_filesz 0x%" PRIx64
			       " is larger than p_memsz 0x%" PRIx64,
			       file->path, index, phdr->p_filesz, phdr->p_memsz);
	ret = image_file_check(file, "a segment to load", phdr->p_offset, phdr->p_filesz, err);
	if (ret)
		return ret;
	if (!range_init(&room, phdr->p_paddr, phdr->p_memsz) || room.end > UINT32_MAX)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': segment %u: p_paddr 0x%" PRIx64
			       " + p_memsz 0x%" PRIx64 " is beyond 4 GiB",
			       file->path, index, phdr->p_paddr, phdr->p_memsz);
	if (range_is_empty(room))
		return 0;
	if (kernel->n_segments == KERNEL_SEGMENTS_MAX)
		return err_set(err, -ENOEXEC, "kernel '%s': more than %u segments to load",
			       file->path, KERNEL_SEGMENTS_MAX);

	kernel->segments[kernel->n_segments++] = (struct kernel_segment){
		.gpa = phdr->p_paddr,
		.file_offset = phdr->p_offset,
		.file_bytes = phdr->p_filesz,
		.zero_bytes = phdr->p_memsz - phdr->p_filesz,
		.room_bytes = phdr->p_memsz,
	};
	return 0;
}

/* The next note of [*position, size_bytes); false at the end or where the notes are malformed.
 */
static bool notes_next(const uint8_t *notes, size_t size_bytes, size_t align, size_t *position,
		       Elf64_Nhdr *ret_header, const uint8_t **ret_name,
		       const uint8_t **ret_desc)
{
	size_t left_bytes = size_bytes - *position;
	size_t desc_offset, end;

	if (left_bytes < sizeof(*ret_header))
		return false;
	memcpy(ret_header, notes + *position, sizeof(*ret_header));
	/* 32-bit sizes: no sum below wraps 64 bits. */
	desc_offset = align_up(sizeof(*ret_header) + (size_t)ret_header->n_namesz, align);
	end = desc_offset + (size_t)ret_header->n_descsz;
	if (end > left_bytes)
		return false;

	*ret_name = notes + *position + sizeof(*ret_header);
	*ret_desc = notes + *position + desc_offset;
	/* Padding behind the last note may be missing. */
	end = align_up(end, align);
	*position += end < left_bytes ? end : left_bytes;
	return true;
}

/* Returns 1 with *ret_entry, 0 when there is no such note, or -ENOEXEC. */
static int notes_find_entry(const struct image_file *file, const uint8_t *notes,
			    size_t size_bytes, size_t align, uint64_t *ret_entry,
			    struct err *err)
{
	const uint8_t *name, *desc;
	Elf64_Nhdr header;
	uint64_t entry = 0;
	size_t position = 0;

	while (notes_next(notes, size_bytes, align, &position, &header, &name, &desc)) {
		if (header.n_type != PVH_NOTE_ENTRY ||
		    header.n_namesz != sizeof(PVH_NOTE_NAME) ||
		    memcmp(name, PVH_NOTE_NAME, sizeof(PVH_NOTE_NAME)) != 0)
			continue;
		if (header.n_descsz != sizeof(uint32_t) && header.n_descsz != sizeof(uint64_t))
			return err_set(
				err, -ENOEXEC,
				"kernel '%s': the PVH entry note has %u bytes, neither 4 "
				"nor 8",
				file->path, header.n_descsz);
		memcpy(&entry, desc, header.n_descsz);
		*ret_entry = entry;
		return 1;
	}
	return 0;
}

/* Returns as notes_find_entry. */
static int note_segment_find_entry(const struct image_file *file, const Elf64_Phdr *phdr,
				   uint64_t *ret_entry, struct err *err)
{
	_cleanup_free_ uint8_t *notes = NULL;
	int ret;

	if (phdr->p_filesz == 0)
		return 0;
	if (phdr->p_filesz > ELF_NOTES_MAX_BYTES)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': a note segment of 0x%" PRIx64
			       " bytes, more than 64 KiB",
			       file->path, phdr->p_filesz);
	notes = malloc(phdr->p_filesz);
	if (!notes)
		return err_set(err, -ENOMEM, "kernel '%s': out of memory", file->path);
	ret = image_file_read(file, "a note segment", phdr->p_offset, notes, phdr->p_filesz,
			      err);
	if (ret)
		return ret;
	/* gABI says 8 for 64-bit files; Linux and most others align to 4 and say so. */
	return notes_find_entry(file, notes, phdr->p_filesz, phdr->p_align == 8 ? 8 : 4,
				ret_entry, err);
}

static int kernel_check(const struct image_file *file, const struct kernel *kernel,
			struct err *err)
{
	bool entry_is_loaded = false;

	for (unsigned int i = 0; i < kernel->n_segments; i++) {
		const struct kernel_segment *segment = &kernel->segments[i];
		struct range room = {.start = segment->gpa,
				     .end = segment->gpa + segment->room_bytes};
		struct range loaded = {.start = segment->gpa,
				       .end = segment->gpa + segment->file_bytes};

		entry_is_loaded |= range_contains(loaded, kernel->entry);
		for (unsigned int j = 0; j < i; j++) {
			const struct kernel_segment *other = &kernel->segments[j];
			struct range taken = {.start = other->gpa,
					      .end = other->gpa + other->room_bytes};

			if (range_overlaps(room, taken))
				return err_set(err, -ENOEXEC,
					       "kernel '%s': segments at 0x%" PRIx64
					       " and 0x%" PRIx64 " overlap",
					       file->path, taken.start, room.start);
		}
	}
	if (!entry_is_loaded)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': the PVH entry point 0x%" PRIx64
			       " is in no loaded segment",
			       file->path, kernel->entry);
	return 0;
}

int elf_parse(const struct image_file *file, struct kernel *ret_kernel, struct err *err)
{
	struct kernel kernel = {
		.mode = BOOT_MODE_PVH32,
		.cmdline_max_bytes = ELF_CMDLINE_MAX_BYTES,
		.initrd_last_max = UINT32_MAX,
	};
	Elf64_Phdr phdrs[ELF_PROGRAM_HEADERS_MAX];
	bool has_entry = false;
	Elf64_Ehdr header;
	int ret = image_file_read(file, "the ELF header", 0, &header, sizeof(header), err);

	if (!ret)
		ret = header_check(file, &header, err);
	if (!ret)
		ret = image_file_read(file, "the program headers", header.e_phoff, phdrs,
				      header.e_phnum * sizeof(phdrs[0]), err);
	for (unsigned int i = 0; !ret && i < header.e_phnum; i++) {
		if (phdrs[i].p_type == PT_LOAD)
			ret = segment_add(file, &kernel, i, &phdrs[i], err);
		else if (phdrs[i].p_type == PT_NOTE && !has_entry)
			ret = note_segment_find_entry(file, &phdrs[i], &kernel.entry, err);
		if (ret > 0) {
			has_entry = true;
			ret = 0;
		}
	}
	if (ret)
		return ret;
	if (!has_entry)
		return err_set(err, -ENOEXEC,
			       "kernel '%s': ELF without a PVH entry note; build it with "
			       "CONFIG_PVH=y, or give the bzImage",
			       file->path);

	ret = kernel_check(file, &kernel, err);
	if (!ret)
		*ret_kernel = kernel;
	return ret;
}
