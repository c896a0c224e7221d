// SPDX-License-Identifier: GPL-2.0-or-later
/* From a launch digest to the two files that `alcove run --id-block --id-auth` reads. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/measure/measure.h"

static void cleanup_key(struct id_key **key)
{
	id_key_free(*key);
}

#define _cleanup_key_ __attribute__((cleanup(cleanup_key)))

static int file_write(const char *path, const void *bytes, size_t size_bytes, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	ssize_t n_bytes;

	if (fd < 0)
		return err_set(err, -errno, "'%s': cannot write: %s", path,
			       err_describe(errno));
	n_bytes = write(fd, bytes, size_bytes);
	if (n_bytes < 0)
		return err_set(err, -errno, "'%s': cannot write: %s", path,
			       err_describe(errno));
	if ((size_t)n_bytes != size_bytes)
		return err_set(err, -ENOSPC, "'%s': only a part could be written; make room",
			       path);
	return 0;
}

static struct id_facts get_facts(const struct measure_request *request,
				 const struct measurement *measurement)
{
	struct id_facts facts = {.svn = request->svn, .policy = measurement->policy};

	memcpy(facts.digest, measurement->digest, sizeof(facts.digest));
	memcpy(facts.family, request->family, sizeof(facts.family));
	memcpy(facts.image, request->image, sizeof(facts.image));
	return facts;
}

int measure_sign(const struct measure_request *request, struct measurement *measurement,
		 struct err *err)
{
	_cleanup_key_ struct id_key *id_key = NULL, *author_key = NULL;
	struct id_facts facts = get_facts(request, measurement);
	uint8_t block[ID_BLOCK_BYTES], auth[ID_AUTH_BYTES];
	int ret = id_key_read(request->id_key, &id_key, err);

	if (!ret && request->author_key)
		ret = id_key_read(request->author_key, &author_key, err);
	if (ret)
		return ret;
	id_block_init(block, &facts);
	ret = id_auth_init(auth, block, id_key, author_key);
	if (!ret)
		ret = id_key_get_digest(id_key, measurement->id_key);
	if (!ret && author_key)
		ret = id_key_get_digest(author_key, measurement->author_key);
	if (ret)
		return err_set(err, ret, "ID block: cannot be signed: %s", err_describe(ret));
	measurement->has_id = true;
	measurement->has_author = author_key != NULL;
	ret = file_write(request->id_block_out, block, sizeof(block), err);
	return ret ? ret : file_write(request->id_auth_out, auth, sizeof(auth), err);
}
