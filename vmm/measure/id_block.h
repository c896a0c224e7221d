/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ID block of an SEV-SNP guest: what its owner says the launch is, signed, so that the
 * secure processor refuses any other and reports who signed.
 *
 * Source: AMD SEV-SNP firmware ABI (56860), 8.18 SNP_LAUNCH_FINISH, ID block and ID
 * authentication information; chapter 10, keys and signatures of ECDSA P-384.
 */
#ifndef VMM_ID_BLOCK_H
#define VMM_ID_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct err;

enum {
	ID_BLOCK_BYTES = 96,
	ID_AUTH_BYTES = 4096,
	ID_DIGEST_BYTES = 48, /* SHA-384 */
	ID_NAME_BYTES = 16,
};

/* What the block says; all of it is in the guest's attestation reports. */
struct id_facts {
	uint8_t digest[ID_DIGEST_BYTES]; /* of the launch */
	uint8_t family[ID_NAME_BYTES];	 /* the owner's to choose */
	uint8_t image[ID_NAME_BYTES];	 /* idem */
	uint32_t svn;			 /* idem: security version */
	uint64_t policy;
};

void id_block_init(uint8_t ret_block[ID_BLOCK_BYTES], const struct id_facts *facts);

/* Are those the digest and the policy a block is for? The secure processor refuses others. */
bool id_block_is_of(const uint8_t bytes[ID_BLOCK_BYTES], const uint8_t digest[ID_DIGEST_BYTES],
		    uint64_t policy);

/* A key of ECDSA on curve P-384, with its private half. */
struct id_key;

/**
 * Read a key from a PEM file, which must not be encrypted.
 *
 * Returns 0; what open says; -EINVAL (no regular file); -EFBIG; -ENOEXEC (no such key);
 * -ENOMEM, with @err set. Release with id_key_free.
 */
int id_key_read(const char *path, struct id_key **ret_key, struct err *err);

/* Accepts NULL. */
void id_key_free(struct id_key *key);

/**
 * What reports have of a key: SHA-384 of its public half, in the secure processor's layout.
 *
 * Returns 0 or -ENOMEM.
 */
int id_key_get_digest(const struct id_key *key, uint8_t ret_digest[ID_DIGEST_BYTES]);

/**
 * Sign: the block by @id_key, and that by @author_key.
 *
 * @author_key: NULL for none; its algorithm is 0 then, and KVM is not told of an author.
 * Returns 0; -EIO (libcrypto cannot sign), -ENOMEM.
 */
int id_auth_init(uint8_t ret_auth[ID_AUTH_BYTES], const uint8_t block[ID_BLOCK_BYTES],
		 const struct id_key *id_key, const struct id_key *author_key);

#endif
