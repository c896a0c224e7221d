// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/suite/prepare.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <unistd.h>

#include "memory/memory.h"
#include "vmm/cleanup.h"
#include "vmm/config_file.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/range.h"
#include "vmm/value.h"

/* --- Requirements --- */

static int file_check(const struct suite_file *file, const char *value, struct err *err)
{
	_cleanup_free_ char *expanded = NULL;
	_cleanup_free_ char *path = NULL;

	/* An unset variable names no file. */
	if (config_file_expand(file->path, value, &expanded, err) < 0 ||
	    config_file_resolve(file->path, expanded, &path, err) < 0)
		return 1;
	if (access(path, R_OK) < 0) {
		err_set(err, -errno, "file '%s': %s", path, err_describe(errno));
		return 1;
	}
	return 0;
}

static const char *const cap_words[] = {
	"exit-hypercall",
	"guest-memfd",
	"guest-memfd-flags",
	"memory-attributes",
	"user-memory2",
	"vm-types",
	NULL,
};

static const unsigned int caps[] = {
	KVM_CAP_EXIT_HYPERCALL,	   KVM_CAP_GUEST_MEMFD,	 KVM_CAP_GUEST_MEMFD_FLAGS,
	KVM_CAP_MEMORY_ATTRIBUTES, KVM_CAP_USER_MEMORY2, KVM_CAP_VM_TYPES,
};

static_assert(ARRAY_SIZE(cap_words) == ARRAY_SIZE(caps) + 1, "one word each, and the end");

static int cap_check(const char *value, struct err *err)
{
	struct host *host;
	unsigned int i;
	int answer = value_parse_choice(value, cap_words, &i, err);

	if (answer < 0)
		return err_prefix(err, "[require] cap");
	if (host_linux_new(&host, err) < 0)
		return 1;
	answer = host_kvm_check_extension(host, -1, caps[i]);
	host_linux_free(host);
	if (answer > 0)
		return 0;
	err_set(err, -EOPNOTSUPP, "KVM lacks %s", value);
	return 1;
}

static const char *const backing_words[] = {"inplace", "paired", NULL};

/* Of a VM that is made for the question. */
static int backing_find(enum backing *ret_backing, struct err *err)
{
	struct host *host;
	int ret = host_linux_new(&host, err);
	int vm;

	if (ret)
		return ret;
	vm = host_vm_create(host, KVM_X86_SW_PROTECTED_VM);
	if (vm < 0)
		ret = err_set(err, vm, "KVM has no software-protected VMs");
	else
		ret = backing_probe(host, vm, ret_backing, err);
	if (vm >= 0)
		host_close(host, vm);
	host_linux_free(host);
	return ret;
}

static int backing_check(const struct suite_file *file, const char *value, struct err *err)
{
	static const enum backing backings[] = {BACKING_INPLACE, BACKING_PAIRED};
	_cleanup_free_ char *expanded = NULL;
	enum backing found = BACKING_PLAIN;
	unsigned int i;
	int ret = config_file_expand(file->path, value, &expanded, err);

	if (ret >= 0)
		ret = value_parse_choice(expanded, backing_words, &i, err);
	if (ret < 0)
		return err_prefix(err, "[require] backing");
	if (backing_find(&found, err))
		return 1;
	if (found == backings[i])
		return 0;
	err_set(err, -EOPNOTSUPP, "KVM does not convert %s here", backing_words[i]);
	return 1;
}

/* MemAvailable of /proc/meminfo; 0 when it cannot be read. */
static uint64_t memory_available(void)
{
	_cleanup_fclose_ FILE *file = fopen("/proc/meminfo", "re");
	char line[128];
	uint64_t kib = 0;

	while (file && !kib && fgets(line, sizeof(line), file))
		(void)!sscanf(line, "MemAvailable: %" SCNu64 " kB", &kib);
	return kib * KIB;
}

int suite_check_requirements(const struct suite_file *file, struct err *err)
{
	char wanted[24];

	if (file->needs_kvm && access("/dev/kvm", R_OK | W_OK) < 0) {
		err_set(err, -errno, "/dev/kvm: %s", err_describe(errno));
		return 1;
	}
	if (memory_available() < file->memory_bytes) {
		err_set(err, -ENOMEM, "less than %s of memory available",
			value_format_size(file->memory_bytes, wanted, sizeof(wanted)));
		return 1;
	}
	for (unsigned int i = 0; i < file->n_items; i++) {
		const struct item *item = &file->items[i];
		int result = 0;

		if (item->kind == ITEM_REQUIRE_FILE)
			result = file_check(file, item->text, err);
		if (item->kind == ITEM_REQUIRE_CAP)
			result = cap_check(item->text, err);
		if (item->kind == ITEM_REQUIRE_BACKING)
			result = backing_check(file, item->text, err);
		if (result)
			return result;
	}
	return 0;
}

/* --- Scratch files --- */

/* "NAME", "NAME SIZE" or "NAME FILE SIZE", cut in place. */
struct fields {
	const char *name;
	const char *source; /* NULL: none */
	const char *size;   /* NULL: all of the source */
};

static int fields_cut(const struct item *item, char *text, struct fields *ret_fields,
		      struct err *err)
{
	static const char blanks[] = " \t";
	char *rest = text;
	struct fields fields = {.name = strtok_r(text, blanks, &rest)};

	if (item->kind == ITEM_COPY)
		fields.source = strtok_r(NULL, blanks, &rest);
	fields.size = strtok_r(NULL, blanks, &rest);
	if (strtok_r(NULL, blanks, &rest) || (item->kind == ITEM_COPY && !fields.source) ||
	    (item->kind == ITEM_BLANK && !fields.size))
		return err_set(
			err, -EINVAL,
			"[scratch]: write 'blank = NAME SIZE' or 'copy = NAME FILE [SIZE]'");
	*ret_fields = fields;
	return value_check_name(fields.name, err);
}

static int bytes_copy(int from, int to, uint64_t size_bytes)
{
	while (size_bytes) {
		ssize_t copied = sendfile(to, from, NULL, size_bytes < GIB ? size_bytes : GIB);

		if (copied < 0)
			return -errno;
		if (!copied)
			break;
		size_bytes -= (uint64_t)copied;
	}
	return 0;
}

/* @source: NULL for a file of zeroes. */
static int scratch_fill(const char *path, const char *source, uint64_t size_bytes,
			struct err *err)
{
	_cleanup_close_ int to = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	_cleanup_close_ int from = -1;
	int result = 0;

	if (to < 0)
		return err_set(err, -errno, "scratch file '%s': %s; name it once", path,
			       err_describe(errno));
	if (!source) {
		if (ftruncate(to, (off_t)size_bytes) < 0)
			result = -errno;
	} else {
		from = open(source, O_RDONLY | O_CLOEXEC);
		if (from < 0)
			return err_set(err, -errno, "'%s': %s; check the path", source,
				       err_describe(errno));
		result = bytes_copy(from, to, size_bytes);
	}
	if (result < 0)
		err_set(err, result, "scratch file '%s': %s; make room", path,
			err_describe(result));
	return result;
}

static int scratch_make(const struct suite_file *file, const struct item *item,
			const char *directory, struct err *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *path = NULL;
	_cleanup_free_ char *source = NULL;
	struct fields fields = {0};
	uint64_t size_bytes = INT64_MAX;
	int result = config_file_expand(file->path, item->text, &text, err);

	if (result == 0)
		result = fields_cut(item, text, &fields, err);
	if (result == 0 && fields.size)
		result = value_parse_size(fields.size, 0, TIB, &size_bytes, err);
	if (result == 0 && fields.source)
		result = config_file_resolve(file->path, fields.source, &source, err);
	if (result < 0)
		return result;
	if (asprintf(&path, "%s/%s", directory, fields.name) < 0)
		return err_set(err, -ENOMEM, "out of memory; free some");
	return scratch_fill(path, source, size_bytes, err);
}

int suite_make_scratch(const struct suite_file *file, char *directory, struct err *err)
{
	const char *parent = getenv("TMPDIR");
	int result = 0;

	snprintf(directory, SCRATCH_PATH_MAX_BYTES, "%s/alcove-test-XXXXXX",
		 parent ? parent : "/tmp");
	if (!mkdtemp(directory) || setenv("scratch", directory, 1) < 0) {
		result = err_set(err, -errno, "scratch directory '%s': %s; set TMPDIR",
				 directory, err_describe(errno));
		*directory = '\0';
		return result;
	}
	for (unsigned int i = 0; i < file->n_items && result == 0; i++) {
		const struct item *item = &file->items[i];

		if (item->kind == ITEM_BLANK || item->kind == ITEM_COPY)
			result = scratch_make(file, item, directory, err);
	}
	return result;
}

static int entry_remove(const char *path, const struct stat *stat, int flag, struct FTW *ftw)
{
	(void)stat;
	(void)flag;
	(void)ftw;
	return remove(path);
}

void suite_remove_scratch(const char *directory)
{
	if (*directory)
		nftw(directory, entry_remove, 16, FTW_DEPTH | FTW_PHYS);
}
