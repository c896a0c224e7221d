// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the secure processor's firmware judges (SEV-SNP firmware ABI, AMD 56860): CPUID pages
 * (8.17.2.6) and ID blocks (8.18, tables of ID_BLOCK and ID_AUTH; appendix "digital
 * signatures").
 */
#include <assert.h>
#include <linux/psp-sev.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stddef.h>
#include <string.h>

#include "tests/fake/fake_cc_state.h"
#include "vmm/err.h"

/* --- CPUID pages --- */

enum { CPUID_ENTRIES_MAX = 64 };

struct cpuid_entry {
	uint32_t eax_in, ecx_in;
	uint64_t xcr0_in, xss_in;
	uint32_t eax, ebx, ecx, edx;
	uint64_t reserved;
};

struct cpuid_page {
	uint32_t count, reserved1;
	uint64_t reserved2;
	struct cpuid_entry entries[CPUID_ENTRIES_MAX];
	uint8_t rest[GRANULE_BYTES - 16 - CPUID_ENTRIES_MAX * 48];
};

static_assert(sizeof(struct cpuid_page) == GRANULE_BYTES, "CPUID page of the firmware ABI");

/* Bits that processors of our time have, but firmware promises to no guest. */
static const struct {
	uint32_t function, index;
	uint32_t ebx, ecx, edx, eax;
} cpuid_refused[] = {
	{.function = 1, .ecx = 1u << 24},
	{.function = 7, .ebx = 1u << 1, .edx = 0xfc000000},
	{.function = 0x80000008, .ebx = 1u << 25},
	{.function = 0x80000021, .eax = 1u << 9},
};

static bool clear_bits(uint32_t *value, uint32_t bits)
{
	bool has_some = *value & bits;

	*value &= ~bits;
	return has_some;
}

static bool entry_check(struct cpuid_entry *entry)
{
	bool is_right = true;

	for (size_t i = 0; i < ARRAY_SIZE(cpuid_refused); i++) {
		if (entry->eax_in != cpuid_refused[i].function ||
		    entry->ecx_in != cpuid_refused[i].index)
			continue;
		is_right = !clear_bits(&entry->eax, cpuid_refused[i].eax) && is_right;
		is_right = !clear_bits(&entry->ebx, cpuid_refused[i].ebx) && is_right;
		is_right = !clear_bits(&entry->ecx, cpuid_refused[i].ecx) && is_right;
		is_right = !clear_bits(&entry->edx, cpuid_refused[i].edx) && is_right;
	}
	/* The size of what XCR0 = 1 enables. */
	if (entry->eax_in == 0xd && entry->ecx_in <= 1 && entry->ebx != 0x240) {
		entry->ebx = 0x240;
		is_right = false;
	}
	return is_right;
}

bool fake_firmware_check_cpuid(uint8_t bytes[GRANULE_BYTES])
{
	struct cpuid_page page;
	bool is_right = true;

	memcpy(&page, bytes, sizeof(page));
	if (page.count > CPUID_ENTRIES_MAX)
		return false;
	for (uint32_t i = 0; i < page.count; i++)
		is_right = entry_check(&page.entries[i]) && is_right;
	memcpy(bytes, &page, sizeof(page));
	return is_right;
}

/* --- ID blocks --- */

enum {
	ID_VERSION = 1,
	ALGORITHM_P384_SHA384 = 1,
	CURVE_P384 = 2,
	POINT_BYTES = 48,  /* of P-384 */
	NUMBER_BYTES = 72, /* little endian, as all numbers of signatures and keys */
};

struct id_block {
	uint8_t digest[SNP_DIGEST_BYTES];
	uint8_t family_id[16], image_id[16];
	uint32_t version, guest_svn;
	uint64_t policy;
};

struct id_signature {
	uint8_t r[NUMBER_BYTES], s[NUMBER_BYTES];
	uint8_t reserved[512 - 2 * NUMBER_BYTES];
};

struct id_key {
	uint32_t curve;
	uint8_t qx[NUMBER_BYTES], qy[NUMBER_BYTES];
	uint8_t reserved[1028 - 4 - 2 * NUMBER_BYTES];
};

struct id_auth {
	uint32_t id_algorithm, author_algorithm;
	uint8_t reserved1[0x38];
	struct id_signature block_signature;
	struct id_key id_key;
	uint8_t reserved2[0x3c];
	struct id_signature key_signature;
	struct id_key author_key;
	uint8_t reserved3[GRANULE_BYTES - 0x880 - 1028];
};

static_assert(sizeof(struct id_block) == KVM_SEV_SNP_ID_BLOCK_SIZE, "ID_BLOCK");
static_assert(sizeof(struct id_auth) == KVM_SEV_SNP_ID_AUTH_SIZE, "ID_AUTH");
static_assert(offsetof(struct id_auth, id_key) == 0x240, "ID_AUTH");
static_assert(offsetof(struct id_auth, key_signature) == 0x680, "ID_AUTH");
static_assert(offsetof(struct id_auth, author_key) == 0x880, "ID_AUTH");

/* An uncompressed point, big endian. False: no number of that curve. */
static bool point_init(uint8_t ret_point[1 + 2 * POINT_BYTES], const struct id_key *key)
{
	BIGNUM *x = BN_lebin2bn(key->qx, NUMBER_BYTES, NULL);
	BIGNUM *y = BN_lebin2bn(key->qy, NUMBER_BYTES, NULL);
	bool is_point;

	ASSERT(x && y);
	ret_point[0] = 4;
	is_point = BN_bn2binpad(x, ret_point + 1, POINT_BYTES) == POINT_BYTES &&
		   BN_bn2binpad(y, ret_point + 1 + POINT_BYTES, POINT_BYTES) == POINT_BYTES;
	BN_free(x);
	BN_free(y);
	return is_point;
}

/* NULL: not on the curve. */
static EVP_PKEY *key_new(const struct id_key *key)
{
	uint8_t point[1 + 2 * POINT_BYTES];
	char group[] = "P-384";
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point,
						  sizeof(point)),
		OSSL_PARAM_construct_end(),
	};
	EVP_PKEY_CTX *context;
	EVP_PKEY *made = NULL;

	if (key->curve != CURVE_P384 || !point_init(point, key))
		return NULL;
	context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
	ASSERT(context && EVP_PKEY_fromdata_init(context) == 1);
	if (EVP_PKEY_fromdata(context, &made, EVP_PKEY_PUBLIC_KEY, params) != 1)
		made = NULL;
	EVP_PKEY_CTX_free(context);
	return made;
}

static bool is_signed(const void *bytes, size_t size_bytes, const struct id_key *key,
		      const struct id_signature *signature)
{
	EVP_PKEY *public = key_new(key);
	ECDSA_SIG *pair = ECDSA_SIG_new();
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	unsigned char *der = NULL;
	bool is_good = false;
	int der_bytes;

	ASSERT(pair && context);
	ECDSA_SIG_set0(pair, BN_lebin2bn(signature->r, NUMBER_BYTES, NULL),
		       BN_lebin2bn(signature->s, NUMBER_BYTES, NULL));
	der_bytes = i2d_ECDSA_SIG(pair, &der);
	ASSERT(der_bytes > 0);
	if (public)
		is_good =
			EVP_DigestVerifyInit(context, NULL, EVP_sha384(), NULL, public) == 1 &&
			EVP_DigestVerify(context, der, (size_t)der_bytes, bytes, size_bytes) ==
				1;
	OPENSSL_free(der);
	EVP_MD_CTX_free(context);
	ECDSA_SIG_free(pair);
	EVP_PKEY_free(public);
	return is_good;
}

uint32_t fake_firmware_check_id(const uint8_t block_bytes[KVM_SEV_SNP_ID_BLOCK_SIZE],
				const uint8_t auth_bytes[KVM_SEV_SNP_ID_AUTH_SIZE],
				bool has_author, const struct fake_snp_launch *launch)
{
	struct id_block block;
	struct id_auth auth;

	memcpy(&block, block_bytes, sizeof(block));
	memcpy(&auth, auth_bytes, sizeof(auth));
	if (block.version != ID_VERSION || auth.id_algorithm != ALGORITHM_P384_SHA384 ||
	    (has_author && auth.author_algorithm != ALGORITHM_P384_SHA384))
		return SEV_RET_INVALID_PARAM;
	if (!is_signed(&block, sizeof(block), &auth.id_key, &auth.block_signature))
		return SEV_RET_BAD_SIGNATURE;
	if (has_author && !is_signed(&auth.id_key, sizeof(auth.id_key), &auth.author_key,
				     &auth.key_signature))
		return SEV_RET_BAD_SIGNATURE;
	if (memcmp(block.digest, launch->digest, sizeof(block.digest)) != 0)
		return SEV_RET_BAD_MEASUREMENT;
	return block.policy != launch->policy ? SEV_RET_POLICY_FAILURE : SEV_RET_SUCCESS;
}
