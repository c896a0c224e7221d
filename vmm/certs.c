// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/certs.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/log.h"

struct certs {
	const char *path;
	struct log *log;
	int fd;
	pthread_mutex_t lock; /* guards what follows */
	bool is_held;	      /* by a vCPU; the file is locked then */
	uint8_t bytes[CERTS_MAX_BYTES + 1];
};

/* The table ends with one that is all zero. */
struct entry {
	uint8_t guid[16];
	uint32_t offset; /* from the start of the table */
	uint32_t size_bytes;
};
static_assert(sizeof(struct entry) == 24, "as in the GHCB specification");

int certs_check(const uint8_t *bytes, size_t size_bytes, struct err *err)
{
	static const struct entry end;
	struct entry entry;
	size_t table_bytes = 0;

	if (size_bytes > CERTS_MAX_BYTES)
		return err_set(err, -E2BIG, "more than %d KiB; take certificates out",
			       CERTS_MAX_BYTES >> 10);
	do {
		if (size_bytes - table_bytes < sizeof(entry))
			return err_set(err, -EINVAL,
				       "no end of the table: 24 zero bytes at offset %zu or "
				       "before; make it anew",
				       table_bytes);
		memcpy(&entry, bytes + table_bytes, sizeof(entry));
		table_bytes += sizeof(entry);
	} while (memcmp(&entry, &end, sizeof(entry)) != 0);
	for (size_t at = 0; at + sizeof(entry) < table_bytes; at += sizeof(entry)) {
		memcpy(&entry, bytes + at, sizeof(entry));
		if (entry.offset < table_bytes || entry.offset > size_bytes ||
		    !entry.size_bytes || entry.size_bytes > size_bytes - entry.offset)
			return err_set(err, -EINVAL,
				       "entry %zu: %u bytes at offset %u are not behind the "
				       "table and before the end at %zu; make it anew",
				       at / sizeof(entry), entry.size_bytes, entry.offset,
				       size_bytes);
	}
	return 0;
}

/* --- The file --- */

/* F_RDLCK or F_UNLCK. Returns 0, -EAGAIN (somebody writes), -errno. */
static int file_lock(struct certs *certs, short type)
{
	struct flock lock = {.l_type = type, .l_whence = SEEK_SET};

	if (fcntl(certs->fd, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

/* All of it, or one byte more than it may have. Returns how many bytes, or -errno with @err. */
static ssize_t file_read_locked(struct certs *certs, struct err *err)
{
	size_t n_bytes = 0;
	ssize_t n = 1;

	while (n && n_bytes < sizeof(certs->bytes)) {
		n = pread(certs->fd, certs->bytes + n_bytes, sizeof(certs->bytes) - n_bytes,
			  (off_t)n_bytes);
		if (n < 0 && errno != EINTR)
			return err_set(err, -errno, "cannot be read: %s", err_describe(errno));
		if (n > 0)
			n_bytes += (size_t)n;
	}
	n = certs_check(certs->bytes, n_bytes, err);
	return n ? n : (ssize_t)n_bytes;
}

static int file_open(struct certs *certs, struct err *err)
{
	ssize_t n;
	int ret;

	certs->fd = open(certs->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (certs->fd < 0)
		return err_set(err, -errno, "cannot be opened: %s", err_describe(errno));
	ret = file_lock(certs, F_RDLCK);
	if (ret == -EAGAIN)
		return err_set(err, ret, "somebody is changing it; try again");
	if (ret)
		return err_set(err, ret, "cannot be locked: %s; keep it in another file system",
			       err_describe(ret));
	n = file_read_locked(certs, err);
	file_lock(certs, F_UNLCK);
	return n < 0 ? (int)n : 0;
}

int certs_open(const char *path, struct log *log, struct certs **ret_certs, struct err *err)
{
	struct certs *certs = calloc(1, sizeof(*certs));
	int ret;

	if (!certs)
		return err_set(err, -ENOMEM, "certificates: out of memory; free some");
	certs->path = path;
	certs->log = log;
	pthread_mutex_init(&certs->lock, NULL);
	ret = file_open(certs, err);
	if (ret) {
		err_prefix(err, "certificates '%s'", path);
		certs_close(certs);
		return ret;
	}
	*ret_certs = certs;
	return 0;
}

void certs_close(struct certs *certs)
{
	if (!certs)
		return;
	cleanup_close(&certs->fd);
	pthread_mutex_destroy(&certs->lock);
	free(certs);
}

/* --- Requests --- */

/* The file is locked. */
static int give_locked(struct certs *certs, struct guest_memory *memory, gpa_t gpa,
		       uint64_t size_bytes, uint64_t *ret_pages)
{
	struct borrow borrow = {0};
	struct iovec iov;
	struct err err = {0};
	ssize_t n_bytes = file_read_locked(certs, &err);
	int ret;

	if (n_bytes < 0) {
		log_guest(certs->log, LOG_WARN, "certificates '%s': %s", certs->path, err.text);
		return -EIO;
	}
	*ret_pages = align_up((uint64_t)n_bytes, GRANULE_BYTES) / GRANULE_BYTES;
	if (size_bytes < (uint64_t)n_bytes)
		return -ENOSPC;
	/* All that the guest names is to be shared, not only what is written. */
	ret = guest_borrow(memory, gpa, size_bytes, &borrow, &iov);
	if (ret)
		return ret == -EBUSY ? -EAGAIN : -EIO;
	memcpy(iov.iov_base, certs->bytes, (size_t)n_bytes);
	guest_return(memory, &borrow);
	return 0;
}

int certs_give(struct certs *certs, struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
	       uint64_t *ret_pages)
{
	WITH_LOCK(&certs->lock);
	int ret;

	if (certs->is_held)
		return -EAGAIN;
	ret = file_lock(certs, F_RDLCK);
	if (ret)
		return ret == -EAGAIN ? ret : -EIO;
	ret = give_locked(certs, memory, gpa, size_bytes, ret_pages);
	if (ret)
		file_lock(certs, F_UNLCK);
	else
		certs->is_held = true;
	return ret;
}

void certs_release(struct certs *certs)
{
	WITH_LOCK(&certs->lock);

	ASSERT(certs->is_held);
	certs->is_held = false;
	file_lock(certs, F_UNLCK);
}
