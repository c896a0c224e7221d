// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A guest that converts what it stands on. In place it goes on, or the processor says that it
 * cannot; with memory of its own behind each side it finds itself in empty memory, which is no
 * business of anybody else. Prints "OWN ..." before and, if it lives, the case after.
 */
#include "tests/guest/convert/guest.h"

extern char text_start[], text_end[], stack[], stack_end[], tables_pml4[];

static const struct {
	const char *mode;
	char *start, *end;
} parts[] = {
	{"own-text", text_start, text_end},
	{"own-stack", stack, stack_end},
	{"own-tables", tables_pml4, stack},
	{"own-all", text_start, stack_end},
	{"own-ram", NULL, NULL}, /* to the end */
};

static bool is_mode(const char *text, const char *mode)
{
	while (*mode && *text == *mode) {
		text++;
		mode++;
	}
	return !*mode && (!*text || *text == ' ' || *text == ',');
}

unsigned int own_run(const char *mode)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		uint64_t gpa = (uint64_t)parts[i].start;
		uint64_t end = parts[i].end ? (uint64_t)parts[i].end : ram_end;
		uint64_t n_pages = (end - gpa) / PAGE_BYTES;
		bool is_good;

		if (!is_mode(mode, parts[i].mode))
			continue;
		print("OWN ");
		print(parts[i].mode);
		print("\n");
		is_good = convert(gpa, n_pages, PRIVATE);
		print("OWN alive\n");
		is_good = convert(gpa, n_pages, SHARED) && is_good;
		print_result(parts[i].mode, is_good);
		return !is_good;
	}
	print("OWN what?\n");
	return 1;
}
