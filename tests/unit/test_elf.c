// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/kernel.h"

#include <errno.h>

#include "tests/unit/images.h"
#include "vmm/err.h"

static int parse(const struct image *image, struct kernel *ret_kernel, struct err *err)
{
	struct image_file file = {0};
	char path[64];
	int fd, ret;

	image_write(image->bytes, image->size_bytes, &fd, path);
	ret = image_file_open(&file, "kernel", path, err);
	if (!ret)
		ret = elf_parse(&file, ret_kernel, err);
	image_file_close(&file);
	close(fd);
	return ret;
}

START_TEST(test_program_headers_become_segments)
{
	struct kernel kernel;
	struct image image;

	elf_make(&image);
	ck_assert(elf_probe(image.bytes, image.size_bytes));
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_int_eq(kernel.mode, BOOT_MODE_PVH32);
	ck_assert_uint_eq(kernel.entry, 16 * MIB + 0x100);
	ck_assert_uint_eq(kernel.n_segments, 2);
	ck_assert_uint_eq(kernel.segments[0].gpa, 16 * MIB);
	ck_assert_uint_eq(kernel.segments[0].file_offset, ELF_DATA_OFFSET);
	ck_assert_uint_eq(kernel.segments[0].file_bytes, 0x1000);
	ck_assert_uint_eq(kernel.segments[0].zero_bytes, 0);
	ck_assert_uint_eq(kernel.segments[1].gpa, 32 * MIB);
	ck_assert_uint_eq(kernel.segments[1].file_bytes, 0x1000);
	ck_assert_uint_eq(kernel.segments[1].zero_bytes, 0x2000);
	ck_assert_uint_eq(kernel.segments[1].room_bytes, 0x3000);
	ck_assert_uint_eq(kernel.cmdline_max_bytes, 2047);
}
END_TEST

/* A note of 8-byte alignment before ours, in a segment that says so. */
START_TEST(test_entry_note_is_found_among_others)
{
	static const unsigned int aligns[] = {0, 1, 4, 8};

	for (size_t i = 0; i < ARRAY_SIZE(aligns); i++) {
		unsigned int align = aligns[i] == 8 ? 8 : 4;
		size_t first_bytes = align_up(align_up(12 + 5, align) + 3, align);
		struct kernel kernel;
		struct image image;
		uint8_t *notes = image.bytes + ELF_NOTE_OFFSET;
		Elf64_Nhdr other = {.n_namesz = 5, .n_descsz = 3, .n_type = 18};
		Elf64_Nhdr ours = {.n_namesz = 4, .n_descsz = 4, .n_type = 18};
		uint32_t entry = 32 * MIB + 4;

		elf_make(&image);
		memcpy(notes, &other, sizeof(other));
		memcpy(notes + sizeof(other), "XenX", 5);
		memcpy(notes + first_bytes, &ours, sizeof(ours));
		memcpy(notes + first_bytes + 12, "Xen", 4);
		memcpy(notes + first_bytes + 16, &entry, sizeof(entry));
		elf_get_phdr(&image, 2)->p_align = aligns[i];
		elf_get_phdr(&image, 2)->p_filesz = first_bytes + 20;
		ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
		ck_assert_uint_eq(kernel.entry, entry);
	}
}
END_TEST

START_TEST(test_empty_segments_are_skipped)
{
	struct kernel kernel;
	struct image image;

	elf_make(&image);
	elf_get_phdr(&image, 1)->p_filesz = 0;
	elf_get_phdr(&image, 1)->p_memsz = 0;
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
	ck_assert_uint_eq(kernel.n_segments, 1);
}
END_TEST

START_TEST(test_position_independent_kernels_are_taken)
{
	struct kernel kernel;
	struct image image;

	elf_make(&image);
	elf_get_header(&image)->e_type = ET_DYN;
	ck_assert_int_eq(parse(&image, &kernel, NULL), 0);
}
END_TEST

/* --- One field broken at a time --- */

#define BREAK(name, statement)                                    \
	static void break_##name(struct image *image)             \
	{                                                         \
		Elf64_Ehdr *header = elf_get_header(image);       \
		Elf64_Phdr *text = elf_get_phdr(image, 0);        \
		Elf64_Phdr *data = elf_get_phdr(image, 1);        \
		Elf64_Phdr *note = elf_get_phdr(image, 2);        \
		statement;                                        \
		(void)header, (void)text, (void)data, (void)note; \
	}

BREAK(class, header->e_ident[EI_CLASS] = ELFCLASS32)
BREAK(encoding, header->e_ident[EI_DATA] = ELFDATA2MSB)
BREAK(version, header->e_ident[EI_VERSION] = 0)
BREAK(machine, header->e_machine = EM_386)
BREAK(type, header->e_type = ET_REL)
BREAK(phentsize, header->e_phentsize = 32)
BREAK(phnum_zero, header->e_phnum = 0)
BREAK(phnum_many, header->e_phnum = 65)
BREAK(phnum_escape, header->e_phnum = PN_XNUM)
BREAK(phoff, header->e_phoff = ELF_DATA_OFFSET + 0x2000 - 10)
BREAK(phoff_wraps, header->e_phoff = UINT64_MAX - 8)
BREAK(filesz, data->p_filesz = 0x3001)
BREAK(filesz_wraps, (data->p_filesz = UINT64_MAX, data->p_memsz = UINT64_MAX))
BREAK(offset, data->p_offset += 1)
BREAK(offset_wraps, data->p_offset = UINT64_MAX)
BREAK(paddr_high, data->p_paddr = 4 * GIB - 0x2fff)
BREAK(paddr_wraps, data->p_paddr = UINT64_MAX - 0x10)
BREAK(memsz_wraps, data->p_memsz = UINT64_MAX)
BREAK(overlap, data->p_paddr = 16 * MIB + 0xfff)
BREAK(overlap_below, data->p_paddr = 16 * MIB - 0x2fff)
BREAK(same_place, data->p_paddr = 16 * MIB)
BREAK(no_note, note->p_type = PT_NULL)
BREAK(note_empty, note->p_filesz = 0)
BREAK(note_cut, note->p_filesz -= 1)
BREAK(note_header_cut, note->p_filesz = 11)
BREAK(note_huge, note->p_filesz = (64 << 10) + 1)
BREAK(note_outside, note->p_offset = ELF_DATA_OFFSET + 0x2000 - 23)
BREAK(note_type, elf_get_note(image)->n_type = 17)
BREAK(note_name, image->bytes[ELF_NOTE_OFFSET + 12] = 'x')
BREAK(note_namesz, elf_get_note(image)->n_namesz = UINT32_MAX)
BREAK(note_descsz, elf_get_note(image)->n_descsz = UINT32_MAX)
BREAK(note_desc_size, elf_get_note(image)->n_descsz = 6)
BREAK(entry_outside, image->bytes[ELF_NOTE_OFFSET + 19] = 3)
BREAK(entry_in_bss, memcpy(image->bytes + ELF_NOTE_OFFSET + 16, "\x00\x10\x00\x02", 4))
BREAK(entry_high, image->bytes[ELF_NOTE_OFFSET + 23] = 1)

static const struct {
	void (*break_image)(struct image *image);
	const char *wanted;
} broken[] = {
	{break_class, "give a 64-bit x86-64 file"},
	{break_encoding, "encoding 2"},
	{break_version, "version 0"},
	{break_machine, "machine 3"},
	{break_type, "e_type 1"},
	{break_phentsize, "e_phentsize 32"},
	{break_phnum_zero, "e_phnum 0"},
	{break_phnum_many, "e_phnum 65"},
	{break_phnum_escape, "e_phnum 65535"},
	{break_phoff, "too short for the program headers (168 bytes"},
	{break_phoff_wraps, "too short for the program headers (168 bytes"},
	{break_filesz, "p_filesz 0x3001 is larger than p_memsz 0x3000"},
	{break_filesz_wraps, "the file is too short for a segment"},
	{break_offset, "too short for a segment to load (4096 bytes at offset 0x2001)"},
	{break_offset_wraps, "the file is too short for a segment"},
	{break_paddr_high, "is beyond 4 GiB"},
	{break_paddr_wraps, "is beyond 4 GiB"},
	{break_memsz_wraps, "is beyond 4 GiB"},
	{break_overlap, "segments at 0x1000000 and 0x1000fff overlap"},
	{break_overlap_below, "overlap"},
	{break_same_place, "overlap"},
	{break_no_note, "without a PVH entry note"},
	{break_note_empty, "without a PVH entry note"},
	{break_note_cut, "without a PVH entry note"},
	{break_note_header_cut, "without a PVH entry note"},
	{break_note_huge, "more than 64 KiB"},
	{break_note_outside, "too short for a note segment (24 bytes"},
	{break_note_type, "without a PVH entry note"},
	{break_note_name, "without a PVH entry note"},
	{break_note_namesz, "without a PVH entry note"},
	{break_note_descsz, "without a PVH entry note"},
	{break_note_desc_size, "has 6 bytes"},
	{break_entry_outside, "entry point 0x3000100 is in no loaded segment"},
	{break_entry_in_bss, "entry point 0x2001000 is in no loaded segment"},
	{break_entry_high, "is in no loaded segment"},
};

START_TEST(test_a_wrong_field_is_named_and_nothing_returned)
{
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++) {
		struct kernel kernel = {.entry = 0x1234};
		struct err err = {0};
		struct image image;

		elf_make(&image);
		broken[i].break_image(&image);
		ck_assert_msg(parse(&image, &kernel, &err) == -ENOEXEC, "%s: '%s'",
			      broken[i].wanted, err.text);
		ck_assert_int_eq(err.code, -ENOEXEC);
		ck_assert_msg(strstr(err.text, broken[i].wanted) != NULL, "wanted '%s' in '%s'",
			      broken[i].wanted, err.text);
		ck_assert_uint_eq(kernel.entry, 0x1234);
	}
}
END_TEST

START_TEST(test_too_many_segments_are_refused)
{
	struct err err = {0};
	struct kernel kernel;
	struct image image;

	elf_make(&image);
	elf_get_header(&image)->e_phoff = 0x400;
	elf_get_header(&image)->e_phnum = KERNEL_SEGMENTS_MAX + 1;
	for (unsigned int i = 0; i <= KERNEL_SEGMENTS_MAX; i++) {
		Elf64_Phdr *phdr = (Elf64_Phdr *)(void *)(image.bytes + 0x400) + i;

		*phdr = *elf_get_phdr(&image, 0);
		phdr->p_paddr += i * UINT64_C(0x10000);
	}
	ck_assert_int_eq(parse(&image, &kernel, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "more than 16 segments"));
}
END_TEST

START_TEST(test_every_truncation_is_refused)
{
	struct kernel kernel;
	struct image image;
	size_t full_bytes;

	elf_make(&image);
	full_bytes = image.size_bytes;
	for (size_t size_bytes = 0; size_bytes < full_bytes; size_bytes += 31) {
		image.size_bytes = size_bytes;
		ck_assert_int_eq(parse(&image, &kernel, NULL), size_bytes ? -ENOEXEC : -EINVAL);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_program_headers_become_segments,
		test_entry_note_is_found_among_others,
		test_empty_segments_are_skipped,
		test_position_independent_kernels_are_taken,
		test_a_wrong_field_is_named_and_nothing_returned,
		test_too_many_segments_are_refused,
		test_every_truncation_is_refused,
	};

	return unit_run(unit_suite("elf", tests, ARRAY_SIZE(tests)));
}
