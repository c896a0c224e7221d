// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>

#include "tests/lab/bench.h"

enum { TRIES_MAX = 1000 };

/* --- Lines --- */

void say(const char *name, const char *what, int ret)
{
	if (ret < 0)
		printf("%s: %s: -%s\n", name, what, strerrorname_np(-ret));
	else
		printf("%s: %s: %s\n", name, what, "ok");
}

void set_file(struct bench *bench, uint64_t start, uint64_t end, uint64_t attributes)
{
	struct range offset = {.start = start, .end = end};
	char what[128];
	uint64_t error_offset;
	int ret;

	/* References that come and go are nobody's fault; a pin stays. */
	for (int i = 0; i < TRIES_MAX; i++) {
		error_offset = UINT64_C(0xcafe);
		ret = host_gmem_set_attributes(bench->subject->host, bench->file, offset,
					       attributes, &error_offset);
		if (ret != -EAGAIN)
			break;
	}
	snprintf(what, sizeof(what), "file [0x%jx, 0x%jx) attributes 0x%jx, error_offset 0x%jx",
		 (uintmax_t)start, (uintmax_t)end, (uintmax_t)attributes,
		 (uintmax_t)error_offset);
	say(bench->name, what, ret);
}

void set_vm(struct bench *bench, gpa_t start, gpa_t end, uint64_t attributes)
{
	struct range gpa = {.start = start, .end = end};
	char what[128];

	snprintf(what, sizeof(what), "vm [0x%jx, 0x%jx) attributes 0x%jx", (uintmax_t)start,
		 (uintmax_t)end, (uintmax_t)attributes);
	say(bench->name, what,
	    host_vm_set_attributes(bench->subject->host, bench->subject->vm, gpa, attributes));
}

void look(struct bench *bench, uint64_t page)
{
	uint64_t at_host = 0, at_guest = 0;
	bool has_host = bench->hva &&
			subject_host_read(bench->subject, bench->hva + page * PAGE, &at_host);
	const char *exit =
		subject_guest_read(bench->subject, SUBJECT_GPA + page * PAGE, &at_guest);

	printf("%s: page %ju: host ", bench->name, (uintmax_t)page);
	if (has_host)
		printf("0x%jx", (uintmax_t)at_host);
	else
		printf("has no access");
	if (exit)
		printf(", guest exits: %s\n", exit);
	else
		printf(", guest 0x%jx\n", (uintmax_t)at_guest);
}

void look_all(struct bench *bench)
{
	for (uint64_t page = 0; page < bench->n_pages; page++)
		look(bench, page);
}

void write_host(struct bench *bench, uint64_t page, uint64_t value)
{
	bool is_done = bench->hva &&
		       subject_host_write(bench->subject, bench->hva + page * PAGE, value);

	printf("%s: page %ju: host writes 0x%jx: %s\n", bench->name, (uintmax_t)page,
	       (uintmax_t)value, is_done ? "ok" : "no access");
}

void write_guest(struct bench *bench, uint64_t page, uint64_t value)
{
	const char *exit =
		subject_guest_write(bench->subject, SUBJECT_GPA + page * PAGE, value);

	printf("%s: page %ju: guest writes 0x%jx: %s\n", bench->name, (uintmax_t)page,
	       (uintmax_t)value, exit ? exit : "ok");
}

void discard(struct bench *bench, int fd, uint64_t start, uint64_t end)
{
	char what[64];

	snprintf(what, sizeof(what), "discard [0x%jx, 0x%jx)", (uintmax_t)start,
		 (uintmax_t)end);
	say(bench->name, what,
	    host_mem_discard(bench->subject->host, fd,
			     (struct range){.start = start, .end = end}));
}

/* --- A bench --- */

int bench_set_slot(struct bench *bench, uint32_t slot, gpa_t gpa, uint64_t size_bytes,
		   uint64_t offset)
{
	const struct kvm_userspace_memory_region2 region = {
		.slot = slot,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = gpa,
		.memory_size = size_bytes,
		.userspace_addr = (uintptr_t)bench->hva,
		.guest_memfd = (uint32_t)bench->file,
		.guest_memfd_offset = offset,
	};

	return host_vm_set_memory_region(bench->subject->host, bench->subject->vm, &region);
}

/* False: this kernel has no such file, and the sequence ends here. */
bool bench_start(struct bench *bench, struct subject *subject, const char *name, uint64_t flags,
		 uint64_t n_pages, bool is_paired)
{
	struct host *host = subject->host;
	void *hva = NULL;

	*bench = (struct bench){
		.subject = subject, .name = name, .memfd = -1, .n_pages = n_pages};
	subject_start_vm(subject);
	bench->file = host_vm_create_guest_memfd(host, subject->vm, n_pages * PAGE, flags);
	say(name, "create guest_memfd", bench->file);
	if (bench->file < 0) {
		subject_stop_vm(subject);
		return false;
	}
	if (is_paired)
		bench->memfd = host_mem_create(host, n_pages * PAGE);
	if (is_paired || (flags & MMAP))
		say(name, "map",
		    host_mem_map(host, is_paired ? bench->memfd : bench->file, 0,
				 n_pages * PAGE, &hva));
	bench->hva = hva;
	say(name, "slot", bench_set_slot(bench, 1, SUBJECT_GPA, n_pages * PAGE, 0));
	return true;
}

void bench_end(struct bench *bench)
{
	struct host *host = bench->subject->host;

	if (bench->hva)
		host_mem_unmap(host, bench->hva, bench->n_pages * PAGE);
	if (bench->memfd >= 0)
		host_close(host, bench->memfd);
	host_close(host, bench->file);
	subject_stop_vm(bench->subject);
}
