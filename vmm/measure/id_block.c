// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * All numbers are little-endian, also the large ones, for which the layouts have room of 72
 * bytes each.
 */
#include "vmm/measure/id_block.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

enum {
	NUMBER_BYTES = 72,
	KEY_FILE_MAX_BYTES = 64 << 10,
	BLOCK_VERSION = 1,
	ALGORITHM_P384_SHA384 = 1,
	CURVE_P384 = 2,
};

struct block {
	uint8_t digest[ID_DIGEST_BYTES];
	uint8_t family[ID_NAME_BYTES];
	uint8_t image[ID_NAME_BYTES];
	uint32_t version;
	uint32_t svn;
	uint64_t policy;
};
static_assert(sizeof(struct block) == ID_BLOCK_BYTES, "ID block of the firmware ABI");

struct public_key {
	uint32_t curve;
	uint8_t x[NUMBER_BYTES], y[NUMBER_BYTES];
	uint8_t reserved[880];
};
static_assert(sizeof(struct public_key) == 1028, "public key of the firmware ABI");

struct signature {
	uint8_t r[NUMBER_BYTES], s[NUMBER_BYTES];
	uint8_t reserved[368];
};
static_assert(sizeof(struct signature) == 512, "signature of the firmware ABI");

struct auth {
	uint32_t id_key_algorithm;
	uint32_t author_key_algorithm;
	uint8_t reserved_0[56];
	struct signature block_signature;
	struct public_key id_key;
	uint8_t reserved_1[60];
	struct signature id_key_signature;
	struct public_key author_key;
	uint8_t reserved_2[892];
};
static_assert(sizeof(struct auth) == ID_AUTH_BYTES, "ID authentication information");
static_assert(offsetof(struct auth, block_signature) == 0x40, "ID authentication information");
static_assert(offsetof(struct auth, id_key) == 0x240, "ID authentication information");
static_assert(offsetof(struct auth, id_key_signature) == 0x680,
	      "ID authentication information");
static_assert(offsetof(struct auth, author_key) == 0x880, "ID authentication information");

struct id_key {
	EVP_PKEY *pair;
	struct public_key public;
};

static void cleanup_id_key(struct id_key **key)
{
	id_key_free(*key);
}

static void cleanup_bio(BIO **bio)
{
	BIO_free(*bio);
}

static void cleanup_number(BIGNUM **number)
{
	BN_free(*number);
}

static void cleanup_md_ctx(EVP_MD_CTX **context)
{
	EVP_MD_CTX_free(*context);
}

static void cleanup_signature(ECDSA_SIG **signature)
{
	ECDSA_SIG_free(*signature);
}

#define _cleanup_id_key_    __attribute__((cleanup(cleanup_id_key)))
#define _cleanup_bio_	    __attribute__((cleanup(cleanup_bio)))
#define _cleanup_number_    __attribute__((cleanup(cleanup_number)))
#define _cleanup_md_ctx_    __attribute__((cleanup(cleanup_md_ctx)))
#define _cleanup_signature_ __attribute__((cleanup(cleanup_signature)))

void id_block_init(uint8_t ret_block[ID_BLOCK_BYTES], const struct id_facts *facts)
{
	struct block block = {
		.version = BLOCK_VERSION,
		.svn = facts->svn,
		.policy = facts->policy,
	};

	memcpy(block.digest, facts->digest, sizeof(block.digest));
	memcpy(block.family, facts->family, sizeof(block.family));
	memcpy(block.image, facts->image, sizeof(block.image));
	memcpy(ret_block, &block, sizeof(block));
}

bool id_block_is_of(const uint8_t bytes[ID_BLOCK_BYTES], const uint8_t digest[ID_DIGEST_BYTES],
		    uint64_t policy)
{
	struct block block;

	memcpy(&block, bytes, sizeof(block));
	return memcmp(block.digest, digest, ID_DIGEST_BYTES) == 0 && block.policy == policy;
}

/* --- Keys --- */

/* Asked when a key is encrypted. */
static int refuse_passphrase(char *buffer, int room_bytes, int is_writing, void *unused)
{
	(void)buffer;
	(void)room_bytes;
	(void)is_writing;
	(void)unused;
	return -1;
}

/* One number of the key's point. */
static int point_get(const EVP_PKEY *pair, const char *name, uint8_t ret_number[NUMBER_BYTES])
{
	_cleanup_number_ BIGNUM *number = NULL;

	if (EVP_PKEY_get_bn_param(pair, name, &number) != 1 ||
	    BN_bn2lebinpad(number, ret_number, NUMBER_BYTES) != NUMBER_BYTES)
		return -ENOEXEC;
	return 0;
}

/* @key: has its pair, which may be NULL or any key. */
static int key_check(struct id_key *key)
{
	char curve[32];
	size_t curve_bytes;
	int ret;

	if (!key->pair ||
	    EVP_PKEY_get_group_name(key->pair, curve, sizeof(curve), &curve_bytes) != 1 ||
	    strcmp(curve, "secp384r1") != 0)
		return -ENOEXEC;
	key->public.curve = CURVE_P384;
	ret = point_get(key->pair, OSSL_PKEY_PARAM_EC_PUB_X, key->public.x);
	return ret ? ret : point_get(key->pair, OSSL_PKEY_PARAM_EC_PUB_Y, key->public.y);
}

/* A file of any length is read as far as a key could go, and one byte more. */
static ssize_t key_file_read(const char *path, char *buffer, struct err *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat status;
	ssize_t n_bytes;

	if (fd < 0)
		return err_set(err, -errno, "key '%s': cannot open: %s", path,
			       err_describe(errno));
	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		return err_set(err, -EINVAL, "key '%s': is no regular file", path);
	n_bytes = pread(fd, buffer, KEY_FILE_MAX_BYTES + 1, 0);
	if (n_bytes < 0)
		return err_set(err, -errno, "key '%s': cannot read: %s", path,
			       err_describe(errno));
	if (n_bytes > KEY_FILE_MAX_BYTES)
		return err_set(err, -EFBIG, "key '%s': larger than any key; give a PEM file",
			       path);
	return n_bytes;
}

static void cleanup_secret(char **secret)
{
	OPENSSL_clear_free(*secret, KEY_FILE_MAX_BYTES + 1);
}

int id_key_read(const char *path, struct id_key **ret_key, struct err *err)
{
	char *bytes __attribute__((cleanup(cleanup_secret))) =
		OPENSSL_malloc(KEY_FILE_MAX_BYTES + 1);
	_cleanup_id_key_ struct id_key *key = calloc(1, sizeof(*key));
	_cleanup_bio_ BIO *bio = NULL;
	ssize_t n_bytes;
	int ret;

	if (!bytes || !key)
		return err_set(err, -ENOMEM, "key '%s': out of memory", path);
	n_bytes = key_file_read(path, bytes, err);
	if (n_bytes < 0)
		return (int)n_bytes;
	bio = BIO_new_mem_buf(bytes, (int)n_bytes);
	if (!bio)
		return err_set(err, -ENOMEM, "key '%s': out of memory", path);
	key->pair = PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL);
	ret = key_check(key);
	if (ret)
		return err_set(err, ret,
			       "key '%s': holds no private key of curve P-384 in the clear; "
			       "make one by `openssl ecparam -genkey -noout -name secp384r1`",
			       path);
	*ret_key = take_pointer(key);
	return 0;
}

void id_key_free(struct id_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pair);
	free(key);
}

int id_key_get_digest(const struct id_key *key, uint8_t ret_digest[ID_DIGEST_BYTES])
{
	return EVP_Digest(&key->public, sizeof(key->public), ret_digest, NULL, EVP_sha384(),
			  NULL) == 1
		       ? 0
		       : -ENOMEM;
}

/* --- Signatures --- */

static int sign(const struct id_key *key, const void *bytes, size_t size_bytes,
		struct signature *ret_signature)
{
	_cleanup_md_ctx_ EVP_MD_CTX *context = EVP_MD_CTX_new();
	_cleanup_signature_ ECDSA_SIG *numbers = NULL;
	uint8_t der[256];
	const uint8_t *at = der;
	size_t der_bytes = sizeof(der);

	if (!context)
		return -ENOMEM;
	if (EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key->pair) != 1 ||
	    EVP_DigestSign(context, der, &der_bytes, bytes, size_bytes) != 1)
		return -EIO;
	numbers = d2i_ECDSA_SIG(NULL, &at, (long)der_bytes);
	if (!numbers)
		return -ENOMEM;
	*ret_signature = (struct signature){.r = {0}};
	if (BN_bn2lebinpad(ECDSA_SIG_get0_r(numbers), ret_signature->r, NUMBER_BYTES) < 0 ||
	    BN_bn2lebinpad(ECDSA_SIG_get0_s(numbers), ret_signature->s, NUMBER_BYTES) < 0)
		return -EIO;
	return 0;
}

int id_auth_init(uint8_t ret_auth[ID_AUTH_BYTES], const uint8_t block[ID_BLOCK_BYTES],
		 const struct id_key *id_key, const struct id_key *author_key)
{
	struct auth auth = {
		.id_key_algorithm = ALGORITHM_P384_SHA384,
		.id_key = id_key->public,
	};
	int ret = sign(id_key, block, ID_BLOCK_BYTES, &auth.block_signature);

	if (!ret && author_key) {
		auth.author_key_algorithm = ALGORITHM_P384_SHA384;
		auth.author_key = author_key->public;
		ret = sign(author_key, &auth.id_key, sizeof(auth.id_key),
			   &auth.id_key_signature);
	}
	if (!ret)
		memcpy(ret_auth, &auth, sizeof(auth));
	return ret;
}
