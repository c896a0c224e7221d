// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/measure/snp.h"

#include <assert.h>
#include <errno.h>
#include <openssl/evp.h>
#include <string.h>

#include "vmm/err.h"

/* Where KVM says that a VMSA lies; the guest's own memory has no such page. */
#define VMSA_GPA UINT64_C(0xfffffffff000)

/* What the secure processor hashes for each page. */
struct page_info {
	uint8_t digest_so_far[SNP_DIGEST_BYTES];
	uint8_t contents[SNP_DIGEST_BYTES]; /* their SHA-384, or zeroes */
	uint16_t length;
	uint8_t page_type;
	uint8_t migration_image;
	uint8_t vmpl_permissions[3];
	uint8_t reserved;
	uint64_t gpa;
};

static_assert(sizeof(struct page_info) == 0x70, "PAGE_INFO of the firmware ABI");

/* libcrypto fails for lack of memory only. */
static int hash(const void *bytes, size_t size_bytes, uint8_t ret_hash[SNP_DIGEST_BYTES])
{
	return EVP_Digest(bytes, size_bytes, ret_hash, NULL, EVP_sha384(), NULL) == 1 ? 0
										      : -ENOMEM;
}

void snp_digest_init(struct snp_digest *ret_digest)
{
	*ret_digest = (struct snp_digest){0};
}

int snp_digest_page(struct snp_digest *digest, enum snp_page_type type, gpa_t gpa,
		    const uint8_t *contents)
{
	struct page_info info = {
		.length = sizeof(info),
		.page_type = (uint8_t)type,
		.gpa = gpa,
	};
	int ret = 0;

	ASSERT((contents != NULL) == (type == SNP_PAGE_NORMAL || type == SNP_PAGE_VMSA));
	memcpy(info.digest_so_far, digest->bytes, SNP_DIGEST_BYTES);
	if (contents)
		ret = hash(contents, GRANULE_BYTES, info.contents);
	if (!ret)
		ret = hash(&info, sizeof(info), digest->bytes);
	return ret;
}

int snp_digest_vcpus(struct snp_digest *digest, const struct boot_vcpu *bsp,
		     const struct boot_vcpu *ap, unsigned int n_vcpus, uint64_t features)
{
	uint8_t page[GRANULE_BYTES];
	int ret;

	ASSERT(n_vcpus > 0);
	vmsa_init(page, bsp, features);
	ret = snp_digest_page(digest, SNP_PAGE_VMSA, VMSA_GPA, page);
	if (n_vcpus > 1)
		vmsa_init(page, ap, features);
	for (unsigned int i = 1; !ret && i < n_vcpus; i++)
		ret = snp_digest_page(digest, SNP_PAGE_VMSA, VMSA_GPA, page);
	return ret;
}
