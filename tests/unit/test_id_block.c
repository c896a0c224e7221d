// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * PUBLISHED: virtee/sev, tests/id-block.rs, for the keys in tests/unit/vectors. Signatures are
 * others each time; libcrypto is asked whether they are right.
 */
#include "vmm/measure/id_block.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <sys/stat.h>

#include "tests/unit/scratch.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"
#include "vmm/range.h"

#define ID_KEY	   "tests/unit/vectors/test_id_key.pem"
#define AUTHOR_KEY "tests/unit/vectors/test_auth_key.pem"

/* The firmware ABI's offsets. */
enum {
	AUTH_BLOCK_SIGNATURE = 0x40,
	AUTH_ID_KEY = 0x240,
	AUTH_ID_KEY_SIGNATURE = 0x680,
	AUTH_AUTHOR_KEY = 0x880,
	KEY_BYTES = 1028,
	SIGNATURE_BYTES = 512,
	NUMBER_BYTES = 72,
	P384_BYTES = 48,
};

static struct id_key *read_key(const char *path)
{
	struct id_key *key = NULL;
	struct err err = {0};

	ck_assert_msg(id_key_read(path, &key, &err) == 0, "%s", err.text);
	return key;
}

static void parse_hex(const char *text, uint8_t *ret_bytes, size_t n_bytes)
{
	ck_assert_uint_eq(strlen(text), 2 * n_bytes);
	for (size_t i = 0; i < n_bytes; i++) {
		unsigned int byte;

		ck_assert_int_eq(sscanf(text + 2 * i, "%2x", &byte), 1);
		ret_bytes[i] = (uint8_t)byte;
	}
}

static bool is_zero(const uint8_t *bytes, size_t n_bytes)
{
	for (size_t i = 0; i < n_bytes; i++) {
		if (bytes[i])
			return false;
	}
	return true;
}

/* A key for libcrypto from one in the firmware's layout. */
static EVP_PKEY *make_public_key(const uint8_t key[KEY_BYTES])
{
	EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	uint8_t point[1 + 2 * P384_BYTES] = {4 /* not compressed */};
	EVP_PKEY *made = NULL;
	OSSL_PARAM params[3] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME,
						 (char[]){"secp384r1"}, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
						  sizeof(point)),
		OSSL_PARAM_construct_end(),
	};

	ck_assert_uint_eq(key[0], 2);
	ck_assert(is_zero(key + 1, 3));
	for (unsigned int i = 0; i < P384_BYTES; i++) {
		point[P384_BYTES - i] = key[4 + i];
		point[2 * P384_BYTES - i] = key[4 + NUMBER_BYTES + i];
	}
	ck_assert(is_zero(key + 4 + P384_BYTES, NUMBER_BYTES - P384_BYTES));
	ck_assert(is_zero(key + 4 + NUMBER_BYTES + P384_BYTES,
			  KEY_BYTES - 4 - NUMBER_BYTES - P384_BYTES));
	ck_assert_int_eq(EVP_PKEY_fromdata_init(context), 1);
	ck_assert_int_eq(EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, params), 1);
	EVP_PKEY_CTX_free(context);
	return made;
}

/* Is @signature, in the firmware's layout, that of @bytes by @key, idem? */
static bool is_signed(const uint8_t key[KEY_BYTES], const uint8_t *signature,
		      const uint8_t *bytes, size_t n_bytes)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	ECDSA_SIG *numbers = ECDSA_SIG_new();
	EVP_PKEY *public = make_public_key(key);
	uint8_t *der = NULL;
	int der_bytes, ret;

	ck_assert(is_zero(signature + 2 * NUMBER_BYTES, SIGNATURE_BYTES - 2 * NUMBER_BYTES));
	ck_assert_int_eq(
		ECDSA_SIG_set0(numbers, BN_lebin2bn(signature, NUMBER_BYTES, NULL),
			       BN_lebin2bn(signature + NUMBER_BYTES, NUMBER_BYTES, NULL)),
		1);
	der_bytes = i2d_ECDSA_SIG(numbers, &der);
	ck_assert_int_gt(der_bytes, 0);
	ck_assert_int_eq(EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, public), 1);
	ret = EVP_DigestVerify(context, der, (size_t)der_bytes, bytes, n_bytes);
	OPENSSL_free(der);
	ECDSA_SIG_free(numbers);
	EVP_PKEY_free(public);
	EVP_MD_CTX_free(context);
	return ret == 1;
}

/* PUBLISHED. */
static void published_block(uint8_t ret_block[ID_BLOCK_BYTES])
{
	struct id_facts facts = {.policy = 0x30000};

	parse_hex("a14d638341e5674628fe1e02fbedebe5e5ab4faf1dd72d8966068e615bb99efd"
		  "13d214b35c231715b38e263dc6059745",
		  facts.digest, sizeof(facts.digest));
	id_block_init(ret_block, &facts);
}

START_TEST(test_a_block_is_as_published)
{
	uint8_t block[ID_BLOCK_BYTES], wanted[ID_BLOCK_BYTES];

	parse_hex("a14d638341e5674628fe1e02fbedebe5e5ab4faf1dd72d8966068e615bb99efd"
		  "13d214b35c231715b38e263dc605974500000000000000000000000000000000"
		  "0000000000000000000000000000000001000000000000000000030000000000",
		  wanted, sizeof(wanted));
	published_block(block);
	ck_assert_mem_eq(block, wanted, sizeof(block));
}
END_TEST

START_TEST(test_what_the_owner_chooses_is_in_the_block)
{
	const struct id_facts facts = {
		.family = {1, 2, 3},
		.image = {4, 5, 6},
		.svn = 0x01020304,
	};
	uint8_t block[ID_BLOCK_BYTES];

	id_block_init(block, &facts);
	ck_assert_mem_eq(block + 48, "\1\2\3", 4);
	ck_assert_mem_eq(block + 64, "\4\5\6", 4);
	ck_assert_mem_eq(block + 80, "\1\0\0\0\4\3\2\1", 8);
}
END_TEST

/* PUBLISHED, both, and the signature over the block above; our layout reads it. */
START_TEST(test_digests_of_keys_are_as_published)
{
	static const struct {
		const char *path, *wanted;
	} keys[] = {
		{ID_KEY, "59fb2c686dfa4fef49f38339aa775c90051c28d57383ddc3baf3b5eb4b1496df"
			 "3b0dbbdcbae5fe27677a644820773fe2"},
		{AUTHOR_KEY, "eed81169fb0cb5e0ec34794f128fd4e0c4a46f67c65a1adfa81fcb24bcc088c2"
			     "72369b7ffc3eb2b6af6a4284a1b36c5f"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct id_key *key = read_key(keys[i].path);
		uint8_t digest[ID_DIGEST_BYTES], wanted[ID_DIGEST_BYTES];

		parse_hex(keys[i].wanted, wanted, sizeof(wanted));
		ck_assert_int_eq(id_key_get_digest(key, digest), 0);
		ck_assert_mem_eq(digest, wanted, sizeof(digest));
		id_key_free(key);
	}
}
END_TEST

START_TEST(test_a_published_signature_is_one_of_ours)
{
	uint8_t auth[ID_AUTH_BYTES], block[ID_BLOCK_BYTES];
	uint8_t signature[SIGNATURE_BYTES] = {0};
	struct id_key *key = read_key(ID_KEY);

	parse_hex("e5d3bf7d9bf9e061bd4e8f7c6acae05909a9c3c69f04f318f0135eae71ff7d05"
		  "ef5c8c6b1bc8c047613a7b6f01b738da",
		  signature, P384_BYTES);
	parse_hex("d4194dca67de8381ec6d267c032b03dd3c1f5eafa6aa61e92964e5548bef332b"
		  "1ae921f26de16ac33b642744d197a5d8",
		  signature + NUMBER_BYTES, P384_BYTES);
	published_block(block);
	ck_assert_int_eq(id_auth_init(auth, block, key, NULL), 0);
	ck_assert(is_signed(auth + AUTH_ID_KEY, signature, block, sizeof(block)));
	id_key_free(key);
}
END_TEST

START_TEST(test_signatures_are_right)
{
	uint8_t auth[ID_AUTH_BYTES], block[ID_BLOCK_BYTES];
	struct id_key *author_key = read_key(AUTHOR_KEY);
	struct id_key *id_key = read_key(ID_KEY);

	published_block(block);
	ck_assert_int_eq(id_auth_init(auth, block, id_key, author_key), 0);
	ck_assert_mem_eq(auth, "\1\0\0\0\1\0\0\0", 8);
	ck_assert(is_zero(auth + 8, AUTH_BLOCK_SIGNATURE - 8));
	ck_assert(is_signed(auth + AUTH_ID_KEY, auth + AUTH_BLOCK_SIGNATURE, block,
			    sizeof(block)));
	ck_assert(is_signed(auth + AUTH_AUTHOR_KEY, auth + AUTH_ID_KEY_SIGNATURE,
			    auth + AUTH_ID_KEY, KEY_BYTES));
	ck_assert(!is_signed(auth + AUTH_AUTHOR_KEY, auth + AUTH_BLOCK_SIGNATURE, block,
			     sizeof(block)));
	ck_assert(is_zero(auth + AUTH_ID_KEY + KEY_BYTES,
			  AUTH_ID_KEY_SIGNATURE - AUTH_ID_KEY - KEY_BYTES));
	ck_assert(is_zero(auth + AUTH_AUTHOR_KEY + KEY_BYTES,
			  ID_AUTH_BYTES - AUTH_AUTHOR_KEY - KEY_BYTES));
	/* What is signed is all of the block. */
	for (unsigned int i = 0; i < sizeof(block); i += 5) {
		block[i] ^= 1;
		ck_assert(!is_signed(auth + AUTH_ID_KEY, auth + AUTH_BLOCK_SIGNATURE, block,
				     sizeof(block)));
		block[i] ^= 1;
	}
	id_key_free(author_key);
	id_key_free(id_key);
}
END_TEST

START_TEST(test_without_an_author_there_is_nothing_of_one)
{
	uint8_t auth[ID_AUTH_BYTES], block[ID_BLOCK_BYTES];
	struct id_key *id_key = read_key(ID_KEY);

	published_block(block);
	ck_assert_int_eq(id_auth_init(auth, block, id_key, NULL), 0);
	ck_assert_mem_eq(auth, "\1\0\0\0\0\0\0\0", 8);
	ck_assert(is_zero(auth + AUTH_ID_KEY_SIGNATURE, ID_AUTH_BYTES - AUTH_ID_KEY_SIGNATURE));
	id_key_free(id_key);
}
END_TEST

/* A new key of @type, as PEM, encrypted if there is a @passphrase. */
static size_t make_pem(const char *type, const char *curve, bool is_public,
		       const char *passphrase, char ret_pem[4096])
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, type, curve);
	BIO *bio = BIO_new(BIO_s_mem());
	int n_bytes;

	ck_assert_ptr_nonnull(key);
	if (is_public)
		ck_assert_int_eq(PEM_write_bio_PUBKEY(bio, key), 1);
	else
		ck_assert_int_eq(PEM_write_bio_PKCS8PrivateKey(
					 bio, key, passphrase ? EVP_aes_256_cbc() : NULL,
					 passphrase, passphrase ? (int)strlen(passphrase) : 0,
					 NULL, NULL),
				 1);
	n_bytes = BIO_read(bio, ret_pem, 4096);
	ck_assert_int_gt(n_bytes, 0);
	BIO_free(bio);
	EVP_PKEY_free(key);
	return (size_t)n_bytes;
}

static void check_refusal(const char *pem, size_t n_bytes, int wanted)
{
	struct id_key *key = NULL;
	struct scratch scratch;
	struct err err = {0};

	scratch_init(&scratch, "key.pem", pem, n_bytes);
	ck_assert_int_eq(id_key_read(scratch.path, &key, &err), wanted);
	ck_assert_ptr_nonnull(strstr(err.text, "key.pem': "));
	ck_assert_ptr_null(key);
	scratch_fini(&scratch);
}

START_TEST(test_keys_that_cannot_sign_are_refused)
{
	char pem[4096];

	check_refusal(pem, make_pem("EC", "P-256", false, NULL, pem), -ENOEXEC);
	check_refusal(pem, make_pem("ED25519", NULL, false, NULL, pem), -ENOEXEC);
	check_refusal(pem, make_pem("EC", "P-384", true, NULL, pem), -ENOEXEC);
	/* Nobody is asked for the passphrase. */
	check_refusal(pem, make_pem("EC", "P-384", false, "secret", pem), -ENOEXEC);
	check_refusal("", 0, -ENOEXEC);
	check_refusal("-----BEGIN PRIVATE KEY-----\nMIG2\n", 33, -ENOEXEC);
}
END_TEST

START_TEST(test_files_that_are_no_keys_are_refused)
{
	_cleanup_free_ char *large = calloc(1, 65537);
	struct id_key *key = NULL;
	struct err err = {0};

	ck_assert_ptr_nonnull(large);
	check_refusal(large, 65537, -EFBIG);
	check_refusal(large, 65536, -ENOEXEC);
	ck_assert_int_eq(id_key_read("/dev/zero", &key, &err), -EINVAL);
	ck_assert_str_eq(err.text, "key '/dev/zero': is no regular file");
	ck_assert_int_eq(id_key_read("/nowhere", &key, &err), -ENOENT);
	ck_assert_str_eq(err.text, "key '/nowhere': cannot open: No such file or directory");
	id_key_free(NULL);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_block_is_as_published,
		test_what_the_owner_chooses_is_in_the_block,
		test_digests_of_keys_are_as_published,
		test_a_published_signature_is_one_of_ours,
		test_signatures_are_right,
		test_without_an_author_there_is_nothing_of_one,
		test_keys_that_cannot_sign_are_refused,
		test_files_that_are_no_keys_are_refused,
	};

	return unit_run(unit_suite("id_block", tests, ARRAY_SIZE(tests)));
}
