// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any file of certificates, and any request of a guest for it.
 *
 * Input: struct script, then the file. A table that is refused is refused with one line; one
 * that is taken holds what it points to. A request ends as KVM can tell the guest, writes the
 * table and nothing else, and leaves the file locked only when it is to be.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "vmm/certs.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/log.h"

enum {
	GPA = 0x100000,
	SHOWN_BYTES = 0x4000, /* of memory, from there on */
};

struct script {
	uint8_t kind;	 /* 1: any address and size */
	uint8_t n_pages; /* else; mod 8 */
	uint64_t gpa;
	uint64_t size_bytes;
} __attribute__((packed));

static struct guest_memory *memory;
static struct log quiet;
static struct certs *certs;
static int file;

static void make_all(void)
{
	static const uint8_t empty[24];
	struct layout layout;
	struct fake *fake = fake_new();
	int vm = host_vm_create(fake_host(fake), KVM_X86_DEFAULT_VM);
	char path[64];
	ssize_t ret = layout_init(&layout, LAYOUT_RAM_BYTES_MIN, 40, NULL);

	ASSERT(ret == 0);
	ret = guest_memory_new(fake_host(fake), vm, &layout, BACKING_PLAIN, &memory, NULL);
	ASSERT(ret == 0);
	log_init(&quiet, open("/dev/null", O_WRONLY | O_CLOEXEC), 0);
	file = memfd_create("certs", MFD_CLOEXEC);
	ret = pwrite(file, empty, sizeof(empty), 0);
	ASSERT(ret == sizeof(empty));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	ret = certs_open(path, &quiet, &certs, NULL);
	ASSERT(ret == 0);
}

static bool is_locked(void)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int ret;

	if (fcntl(file, F_OFD_SETLK, &lock))
		return true;
	lock.l_type = F_UNLCK;
	ret = fcntl(file, F_OFD_SETLK, &lock);
	ASSERT(ret == 0);
	return false;
}

static int check_table(const uint8_t *bytes, size_t n_bytes)
{
	struct err err = {0};
	int ret = certs_check(bytes, n_bytes, &err);
	uint32_t entry[6] = {0};

	if (ret) {
		ASSERT(err.code == ret && err.text[0] && !strchr(err.text, '\n'));
		return ret;
	}
	for (size_t at = 0;; at += sizeof(entry)) {
		static const uint32_t end[6];

		ASSERT(at + sizeof(entry) <= n_bytes);
		memcpy(entry, bytes + at, sizeof(entry));
		if (!memcmp(entry, end, sizeof(entry)))
			return 0;
		ASSERT(entry[4] >= at + sizeof(entry));
		ASSERT((uint64_t)entry[4] + entry[5] <= n_bytes);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	static uint8_t shown[SHOWN_BYTES];
	struct script script;
	uint64_t n_pages = 0, size_bytes;
	gpa_t gpa = GPA;
	bool is_elsewhere;
	int checked;
	ssize_t ret;

	if (!memory)
		make_all();
	if (data_bytes < sizeof(script))
		return 0;
	memcpy(&script, data, sizeof(script));
	data += sizeof(script);
	data_bytes -= sizeof(script);
	checked = check_table(data, data_bytes);

	ret = ftruncate(file, 0);
	ASSERT(ret == 0);
	ret = pwrite(file, data, data_bytes, 0);
	ASSERT(ret == (ssize_t)data_bytes);
	memset(shown, 0x5a, sizeof(shown));
	guest_write(memory, GPA, shown, sizeof(shown));
	is_elsewhere = script.kind & 1;
	size_bytes = is_elsewhere ? script.size_bytes : script.n_pages % 8 * GRANULE_BYTES;
	if (is_elsewhere)
		gpa = script.gpa;

	ret = certs_give(certs, memory, gpa, size_bytes, &n_pages);
	ASSERT(ret == 0 || ret == -ENOSPC || ret == -EIO);
	ASSERT(is_locked() == (ret == 0));
	if (ret == 0)
		certs_release(certs);
	ASSERT(!is_locked());
	if (checked)
		ASSERT(ret == -EIO);
	if (ret == -ENOSPC)
		ASSERT(n_pages * GRANULE_BYTES >= data_bytes && size_bytes < data_bytes);
	guest_read(memory, GPA, shown, sizeof(shown));
	if (is_elsewhere)
		return 0;
	if (!checked && data_bytes <= size_bytes)
		ASSERT(ret == 0);
	for (size_t i = 0; i < sizeof(shown); i++)
		ASSERT(shown[i] == (ret == 0 && i < data_bytes ? data[i] : 0x5a));
	return 0;
}
