// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Disk images are opened once, at start. What can be wrong with them is told here, before there
 * is a guest to be surprised.
 *
 * The lock is one of the open file description (fcntl(2)), so that it goes with the descriptor,
 * however this process ends. A block device that is to be written is opened with O_EXCL
 * besides: the kernel then refuses one that is mounted, or part of a RAID or volume group.
 */
#include "devices/virtio_blk_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/devices.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	SECTOR_BYTES = 512,
	BLOCK_BYTES_DEFAULT = 4096,
};

static bool is_power_of_two(uint64_t value)
{
	return value && !(value & (value - 1));
}

static int file_check_kind(const char *path, mode_t mode, struct err *err)
{
	if (S_ISREG(mode) || S_ISBLK(mode))
		return 0;
	return err_set(err, S_ISDIR(mode) ? -EISDIR : -EINVAL,
		       "disk '%s': is %s; give a raw image file or a block device", path,
		       S_ISDIR(mode)   ? "a directory"
		       : S_ISCHR(mode) ? "a character device"
				       : "neither a file nor a block device");
}

static int file_report_open(const char *path, bool readonly, int code, struct err *err)
{
	const char *cure = "";

	if (code == -EACCES || code == -EPERM)
		cure = readonly ? "; make it readable for this user"
				: "; make it writable for this user, or the disk read-only";
	else if (code == -EROFS)
		cure = "; make the disk read-only";
	else if (code == -EBUSY)
		cure = "; it is mounted or in use by the kernel";
	else if (code == -ENOENT)
		cure = "; check the path, or make the file with truncate -s SIZE";
	return err_set(err, code, "disk '%s': cannot open for %s: %s%s", path,
		       readonly ? "reading" : "writing", err_describe(code), cure);
}

static int file_lock(int fd, const char *path, bool readonly, struct err *err)
{
	struct flock lock = {
		.l_type = readonly ? F_RDLCK : F_WRLCK,
		.l_whence = SEEK_SET,
	};

	if (!fcntl(fd, F_OFD_SETLK, &lock))
		return 0;
	if (errno == EAGAIN || errno == EACCES)
		return err_set(err, -EBUSY,
			       "disk '%s': in use by another virtual machine; stop that one, "
			       "copy the image, or make the disk read-only in both",
			       path);
	return err_set(err, -errno,
		       "disk '%s': cannot lock: %s; copy it to a file system with locks", path,
		       err_describe(errno));
}

static int file_measure(struct blk_file *file, const char *path, const struct stat *stat,
			struct err *err)
{
	off_t size = lseek(file->fd, 0, SEEK_END);

	if (size < 0)
		return err_set(err, -errno, "disk '%s': cannot find its size: %s", path,
			       err_describe(errno));
	if (size == 0)
		return err_set(err, -EINVAL,
			       "disk '%s': is empty; give it a size with truncate -s SIZE",
			       path);
	if (size % SECTOR_BYTES)
		return err_set(err, -EINVAL,
			       "disk '%s': its size of %jd bytes is no multiple of 512; round "
			       "it up with truncate -s %%512",
			       path, (intmax_t)size);
	file->size_bytes = (uint64_t)size;
	file->block_bytes = is_power_of_two((uint64_t)stat->st_blksize) &&
					    stat->st_blksize >= SECTOR_BYTES &&
					    stat->st_blksize <= BLOCK_BYTES_DEFAULT
				    ? (uint32_t)stat->st_blksize
				    : BLOCK_BYTES_DEFAULT;
	return 0;
}

/* Behind the end there is nothing to lose; block devices tell only when it is for real. */
static bool file_can_discard(const struct blk_file *file)
{
	return !fallocate(file->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			  (off_t)file->size_bytes, BLOCK_BYTES_DEFAULT) ||
	       errno != EOPNOTSUPP;
}

/* Where the file system does not tell, a page is enough for any. */
static int file_open_direct(struct blk_file *file, const char *path, int flags,
			    const struct stat *stat, struct err *err)
{
	struct stat again;
	struct statx limits;

	file->direct_fd = open(path, flags | O_DIRECT);
	if (file->direct_fd < 0)
		return err_set(err, -errno,
			       "disk '%s': cannot open for direct I/O: %s; turn direct off",
			       path, err_describe(errno));
	if (fstat(file->direct_fd, &again) || again.st_dev != stat->st_dev ||
	    again.st_ino != stat->st_ino)
		return err_set(err, -ESTALE,
			       "disk '%s': was replaced while it was opened; try again", path);

	file->direct_memory_align = BLOCK_BYTES_DEFAULT;
	file->direct_offset_align = BLOCK_BYTES_DEFAULT;
	if (!statx(file->direct_fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &limits) &&
	    (limits.stx_mask & STATX_DIOALIGN)) {
		if (!is_power_of_two(limits.stx_dio_offset_align) ||
		    !is_power_of_two(limits.stx_dio_mem_align))
			return err_set(err, -EOPNOTSUPP,
				       "disk '%s': its file system has no direct I/O; turn "
				       "direct off",
				       path);
		file->direct_memory_align = limits.stx_dio_mem_align;
		file->direct_offset_align = limits.stx_dio_offset_align;
	}
	return 0;
}

static int file_open(struct blk_file *file, const struct virtio_blk_config *config,
		     struct err *err)
{
	int flags = O_CLOEXEC | (config->readonly ? O_RDONLY : O_RDWR);
	struct stat stat_before, stat_opened;
	int ret;

	/* Looked at first: to open a FIFO would block. */
	if (stat(config->path, &stat_before))
		return file_report_open(config->path, config->readonly, -errno, err);
	ret = file_check_kind(config->path, stat_before.st_mode, err);
	if (ret)
		return ret;

	file->fd =
		open(config->path,
		     flags | (S_ISBLK(stat_before.st_mode) && !config->readonly ? O_EXCL : 0));
	if (file->fd < 0 || fstat(file->fd, &stat_opened))
		return file_report_open(config->path, config->readonly, -errno, err);
	ret = file_check_kind(config->path, stat_opened.st_mode, err);
	if (!ret)
		ret = file_lock(file->fd, config->path, config->readonly, err);
	if (!ret)
		ret = file_measure(file, config->path, &stat_opened, err);
	file->can_discard = !ret && !config->readonly && file_can_discard(file);
	if (!ret && config->direct)
		ret = file_open_direct(file, config->path, flags, &stat_opened, err);
	return ret;
}

int blk_file_open(struct blk_file *ret_file, const struct virtio_blk_config *config,
		  struct err *err)
{
	struct blk_file file = {
		.fd = -1,
		.direct_fd = -1,
		.direct_memory_align = 1,
		.direct_offset_align = 1,
	};
	int ret = file_open(&file, config, err);

	if (ret) {
		blk_file_close(&file);
		return ret;
	}
	*ret_file = file;
	return 0;
}

void blk_file_close(struct blk_file *file)
{
	cleanup_close(&file->direct_fd);
	cleanup_close(&file->fd);
	file->fd = file->direct_fd = -1;
}

int virtio_blk_inspect(const struct virtio_blk_config *config, struct err *err)
{
	struct blk_file file;
	int ret = blk_file_open(&file, config, err);

	if (!ret)
		blk_file_close(&file);
	return ret;
}
