/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The files by which the owner of an SNP guest says what launch is expected. */
#ifndef VMM_SNP_FILE_H
#define VMM_SNP_FILE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

struct err;

/* AMD SEV-SNP firmware ABI (56860), 8.18: ID block, ID authentication information. */
struct snp_id {
	uint8_t block[KVM_SEV_SNP_ID_BLOCK_SIZE];
	uint8_t auth[KVM_SEV_SNP_ID_AUTH_SIZE];
};

/**
 * Read both files, each of exactly its size.
 *
 * Returns 0; -EINVAL (wrong size); -errno of opening and reading, with @err naming the file.
 */
int snp_id_read(struct snp_id *ret_id, const char *block_path, const char *auth_path,
		struct err *err);

/* Is the key that signed the block signed itself by an author's? */
bool snp_id_has_author(const struct snp_id *id);

#endif
