// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

int image_file_open(struct image_file *ret_file, const char *what, const char *path,
		    struct err *err)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;

	if (fd < 0)
		return err_set(err, -errno, "%s '%s': cannot open: %s", what, path,
			       err_describe(errno));
	if (fstat(fd, &status))
		return err_set(err, -errno, "%s '%s': cannot stat: %s", what, path,
			       err_describe(errno));
	if (!S_ISREG(status.st_mode))
		return err_set(err, -EINVAL, "%s '%s': not a regular file; copy it into one",
			       what, path);
	if (status.st_size <= 0)
		return err_set(err, -EINVAL, "%s '%s': the file is empty", what, path);

	*ret_file = (struct image_file){
		.what = what,
		.path = path,
		.fd = take_fd(&fd),
		.size_bytes = (uint64_t)status.st_size,
	};
	return 0;
}

void image_file_close(struct image_file *file)
{
	if (file->path)
		close(file->fd);
	*file = (struct image_file){0};
}

static int file_is_short(const struct image_file *file, const char *part, uint64_t offset,
			 uint64_t size_bytes, struct err *err)
{
	return err_set(err, -ENOEXEC,
		       "%s '%s': the file is too short for %s (%" PRIu64
		       " bytes at offset 0x%" PRIx64 "); fetch or build it again",
		       file->what, file->path, part, size_bytes, offset);
}

int image_file_check(const struct image_file *file, const char *part, uint64_t offset,
		     uint64_t size_bytes, struct err *err)
{
	if (offset <= file->size_bytes && size_bytes <= file->size_bytes - offset)
		return 0;
	return file_is_short(file, part, offset, size_bytes, err);
}

int image_file_read(const struct image_file *file, const char *part, uint64_t offset,
		    void *buffer, size_t size_bytes, struct err *err)
{
	size_t done_bytes = 0;
	int ret = image_file_check(file, part, offset, size_bytes, err);

	while (!ret && done_bytes < size_bytes) {
		ssize_t got = pread(file->fd, (char *)buffer + done_bytes,
				    size_bytes - done_bytes, (off_t)(offset + done_bytes));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return err_set(err, -errno, "%s '%s': cannot read: %s", file->what,
				       file->path, err_describe(errno));
		if (!got)
			return file_is_short(file, part, offset, size_bytes, err);
		done_bytes += (size_t)got;
	}
	return ret;
}

int image_file_read_all(const char *what, const char *path, uint64_t max_bytes,
			uint8_t **ret_bytes, uint64_t *ret_size_bytes, struct err *err)
{
	_cleanup_image_file_ struct image_file file = {0};
	_cleanup_free_ uint8_t *bytes = NULL;
	int ret = image_file_open(&file, what, path, err);

	if (ret)
		return ret;
	if (file.size_bytes > max_bytes)
		return err_set(err, -EFBIG,
			       "%s '%s': %" PRIu64 " bytes, but at most %" PRIu64
			       " are possible; give a smaller one",
			       what, path, file.size_bytes, max_bytes);
	ASSERT(file.size_bytes > 0); /* image_file_open */
	bytes = malloc((size_t)file.size_bytes);
	if (!bytes)
		return err_set(err, -ENOMEM, "%s '%s': out of memory; free some", what, path);
	ret = image_file_read(&file, "all of it", 0, bytes, (size_t)file.size_bytes, err);
	if (ret)
		return ret;
	*ret_bytes = take_pointer(bytes);
	*ret_size_bytes = file.size_bytes;
	return 0;
}

int image_file_load(const struct image_file *file, const char *part, uint64_t offset,
		    uint64_t size_bytes, struct guest_memory *memory, gpa_t gpa,
		    struct err *err)
{
	int ret = image_file_check(file, part, offset, size_bytes, err);

	if (ret)
		return ret;
	ret = guest_read_file(memory, gpa, file->fd, (off_t)offset, size_bytes);
	if (ret == -ENODATA)
		return file_is_short(file, part, offset, size_bytes, err);
	if (ret)
		return err_set(err, ret, "%s '%s': cannot load %s to 0x%" PRIx64 ": %s",
			       file->what, file->path, part, gpa, err_describe(ret));
	return 0;
}
