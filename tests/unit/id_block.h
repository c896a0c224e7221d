/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ID blocks of SNP guests as their owner makes them: with keys made for the occasion. */
#ifndef TESTS_UNIT_ID_BLOCK_H
#define TESTS_UNIT_ID_BLOCK_H

#include <check.h>
#include <linux/kvm.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <string.h>

struct id_block_pair {
	uint8_t block[KVM_SEV_SNP_ID_BLOCK_SIZE];
	uint8_t auth[KVM_SEV_SNP_ID_AUTH_SIZE];
};

/* Offsets; SEV-SNP firmware ABI, tables of ID_BLOCK and ID_AUTH. */
enum {
	ID_BLOCK_VERSION = 0x50,
	ID_BLOCK_POLICY = 0x58,
	ID_AUTH_BLOCK_SIGNATURE = 0x40,
	ID_AUTH_ID_KEY = 0x240,
	ID_AUTH_KEY_SIGNATURE = 0x680,
	ID_AUTH_AUTHOR_KEY = 0x880,
	ID_KEY_BYTES = 1028,
	ID_NUMBER_BYTES = 72,
};

static inline void id_put_key(uint8_t *ret_key, EVP_PKEY *key)
{
	static const char *const names[] = {OSSL_PKEY_PARAM_EC_PUB_X, OSSL_PKEY_PARAM_EC_PUB_Y};

	ret_key[0] = 2; /* P-384 */
	for (int i = 0; i < 2; i++) {
		BIGNUM *number = NULL;
		uint8_t *at = ret_key + 4 + i * ID_NUMBER_BYTES;

		ck_assert_int_eq(EVP_PKEY_get_bn_param(key, names[i], &number), 1);
		ck_assert_int_eq(BN_bn2lebinpad(number, at, ID_NUMBER_BYTES), ID_NUMBER_BYTES);
		BN_free(number);
	}
}

static inline void id_sign(uint8_t *ret_signature, EVP_PKEY *key, const uint8_t *bytes,
			   size_t size_bytes)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char der[256];
	const unsigned char *at = der;
	size_t der_bytes = sizeof(der);
	ECDSA_SIG *signature;

	ck_assert_int_eq(EVP_DigestSignInit(context, NULL, EVP_sha384(), NULL, key), 1);
	ck_assert_int_eq(EVP_DigestSign(context, der, &der_bytes, bytes, size_bytes), 1);
	signature = d2i_ECDSA_SIG(NULL, &at, (long)der_bytes);
	ck_assert_ptr_nonnull(signature);
	BN_bn2lebinpad(ECDSA_SIG_get0_r(signature), ret_signature, ID_NUMBER_BYTES);
	BN_bn2lebinpad(ECDSA_SIG_get0_s(signature), ret_signature + ID_NUMBER_BYTES,
		       ID_NUMBER_BYTES);
	ECDSA_SIG_free(signature);
	EVP_MD_CTX_free(context);
}

/* A block for a guest of that launch digest and policy, with an author's key, too. */
static inline void id_block_make(struct id_block_pair *ret_pair, const uint8_t digest[48],
				 uint64_t policy)
{
	EVP_PKEY *id_key = EVP_EC_gen("P-384"), *author_key = EVP_EC_gen("P-384");
	uint8_t *auth = ret_pair->auth;

	ck_assert(id_key && author_key);
	memset(ret_pair, 0, sizeof(*ret_pair));
	memcpy(ret_pair->block, digest, 48);
	ret_pair->block[ID_BLOCK_VERSION] = 1;
	memcpy(ret_pair->block + ID_BLOCK_POLICY, &policy, sizeof(policy));
	auth[0] = auth[4] = 1; /* ECDSA on P-384 with SHA-384 */
	id_put_key(auth + ID_AUTH_ID_KEY, id_key);
	id_put_key(auth + ID_AUTH_AUTHOR_KEY, author_key);
	id_sign(auth + ID_AUTH_BLOCK_SIGNATURE, id_key, ret_pair->block,
		sizeof(ret_pair->block));
	id_sign(auth + ID_AUTH_KEY_SIGNATURE, author_key, auth + ID_AUTH_ID_KEY, ID_KEY_BYTES);
	EVP_PKEY_free(id_key);
	EVP_PKEY_free(author_key);
}

#endif
