/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sequences of conformance are made of: each step prints one line. */
#ifndef TESTS_LAB_BENCH_H
#define TESTS_LAB_BENCH_H

#include "tests/lab/subject.h"

#define PAGE	GRANULE_BYTES
#define PRIVATE KVM_MEMORY_ATTRIBUTE_PRIVATE
#define MMAP	GUEST_MEMFD_FLAG_MMAP
#define SHARED	GUEST_MEMFD_FLAG_INIT_SHARED

/* One guest_memfd in one slot of a fresh VM, and with it a memfd if it has two halves. */
struct bench {
	struct subject *subject;
	const char *name;
	int file;
	int memfd;
	uint64_t n_pages;
	char *hva; /* of the memfd if there is one, else of the file; NULL: neither */
};

/* "name: what: ok", or the errno. */
void say(const char *name, const char *what, int ret);

/**
 * A fresh VM with one file of @n_pages in slot 1; if @is_paired, a memfd is its other half.
 *
 * False: this kernel has no file with such @flags, and the sequence ends here.
 */
bool bench_start(struct bench *bench, struct subject *subject, const char *name, uint64_t flags,
		 uint64_t n_pages, bool is_paired);
void bench_end(struct bench *bench);

int bench_set_slot(struct bench *bench, uint32_t slot, gpa_t gpa, uint64_t size_bytes,
		   uint64_t offset);

/* The attribute of bytes of the file, or of guest addresses. */
void set_file(struct bench *bench, uint64_t start, uint64_t end, uint64_t attributes);
void set_vm(struct bench *bench, gpa_t start, gpa_t end, uint64_t attributes);

/* What host and guest find in a page, or in all of them. */
void look(struct bench *bench, uint64_t page);
void look_all(struct bench *bench);
void write_host(struct bench *bench, uint64_t page, uint64_t value);
void write_guest(struct bench *bench, uint64_t page, uint64_t value);
void discard(struct bench *bench, int fd, uint64_t start, uint64_t end);

#endif
