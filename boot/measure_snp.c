// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/measure_snp.h"

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

/* A GUID as it lies in memory. */
typedef uint8_t guid_bytes[16];

struct hash_entry {
	guid_bytes guid;
	uint16_t length; /* of the entry */
	uint8_t hash[SNP_HASH_BYTES];
} __attribute__((packed));

struct hash_table {
	guid_bytes guid;
	uint16_t length; /* without the padding */
	struct hash_entry cmdline, initrd, kernel;
	uint8_t padding[8];
} __attribute__((packed));

static_assert(sizeof(struct hash_table) == 176, "hash table of OVMF");
static_assert(offsetof(struct hash_table, padding) == 168, "hash table of OVMF");

/* 9438d606-4f22-4cc9-b479-a793d411fd21 */
static const guid_bytes guid_table = {0x06, 0xd6, 0x38, 0x94, 0x22, 0x4f, 0xc9, 0x4c,
				      0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21};
/* 97d02dd8-bd20-4c94-aa78-e7714d36ab2a */
static const guid_bytes guid_cmdline = {0xd8, 0x2d, 0xd0, 0x97, 0x20, 0xbd, 0x94, 0x4c,
					0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a};
/* 44baf731-3a2f-4bd7-9af1-41e29169781d */
static const guid_bytes guid_initrd = {0x31, 0xf7, 0xba, 0x44, 0x2f, 0x3a, 0xd7, 0x4b,
				       0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d};
/* 4de79437-abd2-427f-b835-d5b172d2045b */
static const guid_bytes guid_kernel = {0x37, 0x94, 0xe7, 0x4d, 0xd2, 0xab, 0x7f, 0x42,
				       0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b};

/* libcrypto fails for lack of memory only. */
static int hash(const EVP_MD *kind, const void *bytes, size_t size_bytes, uint8_t *ret_hash)
{
	return EVP_Digest(bytes, size_bytes, ret_hash, NULL, kind, NULL) == 1 ? 0 : -ENOMEM;
}

int snp_boot_hashes_init(struct snp_boot_hashes *ret_hashes, const void *kernel,
			 size_t kernel_bytes, const void *initrd, size_t initrd_bytes,
			 const char *cmdline)
{
	struct snp_boot_hashes hashes;
	int ret = hash(EVP_sha256(), kernel, kernel_bytes, hashes.kernel);

	if (!ret)
		ret = hash(EVP_sha256(), initrd, initrd_bytes, hashes.initrd);
	if (!ret)
		ret = hash(EVP_sha256(), cmdline, strlen(cmdline) + 1, hashes.cmdline);
	if (!ret)
		*ret_hashes = hashes;
	return ret;
}

static void hash_entry_init(struct hash_entry *ret_entry, const guid_bytes guid,
			    const uint8_t value[SNP_HASH_BYTES])
{
	ret_entry->length = sizeof(*ret_entry);
	memcpy(ret_entry->guid, guid, sizeof(ret_entry->guid));
	memcpy(ret_entry->hash, value, SNP_HASH_BYTES);
}

static void hash_page_init(uint8_t ret_page[GRANULE_BYTES], gpa_t table_gpa,
			   const struct snp_boot_hashes *hashes)
{
	size_t offset = table_gpa & (GRANULE_BYTES - 1);
	struct hash_table table = {.length = offsetof(struct hash_table, padding)};

	ASSERT(offset + sizeof(table) <= GRANULE_BYTES);
	memcpy(table.guid, guid_table, sizeof(table.guid));
	hash_entry_init(&table.cmdline, guid_cmdline, hashes->cmdline);
	hash_entry_init(&table.initrd, guid_initrd, hashes->initrd);
	hash_entry_init(&table.kernel, guid_kernel, hashes->kernel);
	memset(ret_page, 0, GRANULE_BYTES);
	memcpy(ret_page + offset, &table, sizeof(table));
}

static void plan_add(struct snp_plan *plan, gpa_t gpa, uint64_t size_bytes,
		     enum snp_page_type type, const uint8_t *bytes)
{
	ASSERT(plan->n_pieces < SNP_PIECES_MAX);
	plan->pieces[plan->n_pieces++] = (struct snp_piece){
		.gpa = gpa,
		.size_bytes = size_bytes,
		.type = type,
		.bytes = bytes,
	};
}

static enum snp_page_type section_page_type(enum ovmf_snp_type type, bool has_hashes)
{
	switch (type) {
	case OVMF_SNP_SECRETS:
		return SNP_PAGE_SECRETS;
	case OVMF_SNP_CPUID:
		return SNP_PAGE_CPUID;
	case OVMF_SNP_HASHES:
		return has_hashes ? SNP_PAGE_NORMAL : SNP_PAGE_ZERO;
	case OVMF_SNP_MEMORY:
	case OVMF_SNP_SVSM_CAA:
		break;
	}
	return SNP_PAGE_ZERO;
}

int snp_plan_ovmf(struct snp_plan *ret_plan, const struct ovmf_image *image,
		  const struct ovmf_snp *snp, const struct snp_boot_hashes *hashes,
		  struct err *err)
{
	if (hashes && range_is_empty(snp->hash_table))
		return err_set(
			err, -EINVAL,
			"firmware '%s': has no page for hashes, so it would not check the "
			"kernel; give an AmdSev build of OVMF, or no kernel",
			image->path);

	ret_plan->n_pieces = 0;
	plan_add(ret_plan, ovmf_image_gpa(image), image->size_bytes, SNP_PAGE_NORMAL,
		 image->bytes);
	if (hashes)
		hash_page_init(ret_plan->hash_page, snp->hash_table.start, hashes);
	for (unsigned int i = 0; i < snp->n_sections; i++) {
		const struct ovmf_snp_section *section = &snp->sections[i];
		enum snp_page_type type = section_page_type(section->type, hashes);

		plan_add(ret_plan, section->gpa, section->size_bytes, type,
			 type == SNP_PAGE_NORMAL ? ret_plan->hash_page : NULL);
	}
	return 0;
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
		ret = hash(EVP_sha384(), contents, GRANULE_BYTES, info.contents);
	if (!ret)
		ret = hash(EVP_sha384(), &info, sizeof(info), digest->bytes);
	return ret;
}

int snp_digest_plan(struct snp_digest *digest, const struct snp_plan *plan)
{
	int ret = 0;

	for (unsigned int i = 0; !ret && i < plan->n_pieces; i++) {
		const struct snp_piece *piece = &plan->pieces[i];

		for (uint64_t at = 0; !ret && at < piece->size_bytes; at += GRANULE_BYTES)
			ret = snp_digest_page(digest, piece->type, piece->gpa + at,
					      piece->bytes ? piece->bytes + at : NULL);
	}
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
