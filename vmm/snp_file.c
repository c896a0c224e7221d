// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/snp_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

enum { AUTH_AUTHOR_ALGORITHM = 4 }; /* offset of AUTHOR_KEY_ALGO, 32 bits; 0: no author */

/* Exactly @size_bytes, which is what the file has to have. */
static int file_read(const char *what, const char *path, void *buffer, size_t size_bytes,
		     struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	uint8_t more;
	ssize_t got;

	if (fd < 0)
		return err_set(err, -errno, "%s '%s': cannot open: %s", what, path,
			       err_describe(errno));
	got = pread(fd, buffer, size_bytes, 0);
	if (got < 0)
		return err_set(err, -errno, "%s '%s': cannot read: %s", what, path,
			       err_describe(errno));
	if ((size_t)got != size_bytes || pread(fd, &more, 1, (off_t)size_bytes) != 0)
		return err_set(err, -EINVAL,
			       "%s '%s': is not of %zu bytes; make it by `alcove measure`",
			       what, path, size_bytes);
	return 0;
}

int snp_id_read(struct snp_id *ret_id, const char *block_path, const char *auth_path,
		struct err *err)
{
	int ret = file_read("ID block", block_path, ret_id->block, sizeof(ret_id->block), err);

	return ret ? ret
		   : file_read("ID signatures", auth_path, ret_id->auth, sizeof(ret_id->auth),
			       err);
}

bool snp_id_has_author(const struct snp_id *id)
{
	uint32_t algorithm;

	memcpy(&algorithm, id->auth + AUTH_AUTHOR_ALGORITHM, sizeof(algorithm));
	return algorithm != 0;
}
