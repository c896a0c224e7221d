// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/firmware/launch.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <string.h>

#include "boot/firmware/table.h"
#include "memory/memory.h"
#include "vmm/err.h"

/* A GUID as it lies in memory. */
typedef uint8_t guid_bytes[GUID_BYTES];

struct hash_entry {
	guid_bytes guid;
	uint16_t length; /* of the entry */
	uint8_t hash[OVMF_HASH_BYTES];
} __attribute__((packed));

struct hash_table {
	guid_bytes guid;
	uint16_t length; /* without the padding */
	struct hash_entry cmdline, initrd, kernel;
	uint8_t padding[8];
} __attribute__((packed));

static_assert(sizeof(struct hash_table) == 176, "hash table of OVMF");
static_assert(offsetof(struct hash_table, padding) == 168, "hash table of OVMF");

static const guid_bytes guid_table =
	GUID(0x9438d606U, 0x4f22, 0x4cc9, 0xb4, 0x79, 0xa7, 0x93, 0xd4, 0x11, 0xfd, 0x21);
static const guid_bytes guid_cmdline =
	GUID(0x97d02dd8U, 0xbd20, 0x4c94, 0xaa, 0x78, 0xe7, 0x71, 0x4d, 0x36, 0xab, 0x2a);
static const guid_bytes guid_initrd =
	GUID(0x44baf731U, 0x3a2f, 0x4bd7, 0x9a, 0xf1, 0x41, 0xe2, 0x91, 0x69, 0x78, 0x1d);
static const guid_bytes guid_kernel =
	GUID(0x4de79437U, 0xabd2, 0x427f, 0xb8, 0x35, 0xd5, 0xb1, 0x72, 0xd2, 0x04, 0x5b);

/* libcrypto fails for lack of memory only. */
static int hash(const void *bytes, size_t size_bytes, uint8_t ret_hash[OVMF_HASH_BYTES])
{
	return EVP_Digest(bytes, size_bytes, ret_hash, NULL, EVP_sha256(), NULL) == 1 ? 0
										      : -ENOMEM;
}

int ovmf_hashes_init(struct ovmf_hashes *ret_hashes, const void *kernel, size_t kernel_bytes,
		     const void *initrd, size_t initrd_bytes, const char *cmdline)
{
	struct ovmf_hashes hashes;
	int ret = hash(kernel, kernel_bytes, hashes.kernel);

	if (!ret)
		ret = hash(initrd, initrd_bytes, hashes.initrd);
	if (!ret)
		ret = hash(cmdline, strlen(cmdline) + 1, hashes.cmdline);
	if (!ret)
		*ret_hashes = hashes;
	return ret;
}

static void hash_entry_init(struct hash_entry *ret_entry, const guid_bytes guid,
			    const uint8_t value[OVMF_HASH_BYTES])
{
	ret_entry->length = sizeof(*ret_entry);
	memcpy(ret_entry->guid, guid, sizeof(ret_entry->guid));
	memcpy(ret_entry->hash, value, OVMF_HASH_BYTES);
}

static void hash_table_init(struct hash_table *ret_table, const struct ovmf_hashes *hashes)
{
	*ret_table = (struct hash_table){.length = offsetof(struct hash_table, padding)};
	memcpy(ret_table->guid, guid_table, sizeof(ret_table->guid));
	hash_entry_init(&ret_table->cmdline, guid_cmdline, hashes->cmdline);
	hash_entry_init(&ret_table->initrd, guid_initrd, hashes->initrd);
	hash_entry_init(&ret_table->kernel, guid_kernel, hashes->kernel);
}

/* What is put together for one guest. */
struct builder {
	struct guest_memory *memory;
	const char *path;
	struct launch *launch;
	struct err *err;
};

/* @data_bytes of @bytes, then zeroes. */
static int add_piece(const struct builder *builder, gpa_t gpa, uint64_t size_bytes,
		     const void *bytes, uint64_t data_bytes, enum launch_kind kind)
{
	struct range range = {.start = gpa, .end = gpa + size_bytes};
	int ret;

	ASSERT(data_bytes <= size_bytes);
	ASSERT(!launch_find(builder->launch, range));
	ret = guest_zero(builder->memory, gpa, size_bytes);
	if (!ret && data_bytes)
		ret = guest_write(builder->memory, gpa, bytes, data_bytes);
	if (ret)
		return err_set(builder->err, -ENOSPC,
			       "firmware '%s': needs memory at 0x%" PRIx64 "..0x%" PRIx64
			       ", where the guest has none; give the guest more memory",
			       builder->path, range.start, range.end);
	ret = launch_add(builder->launch, gpa, size_bytes, kind);
	return ret ? err_set(builder->err, ret, "firmware '%s': out of memory", builder->path)
		   : 0;
}

static enum launch_kind snp_section_kind(enum ovmf_snp_type type, enum launch_profile profile,
					 bool has_hashes)
{
	switch (type) {
	case OVMF_SNP_SECRETS:
		return LAUNCH_SECRETS;
	case OVMF_SNP_CPUID:
		return LAUNCH_CPUID;
	case OVMF_SNP_HASHES:
		return has_hashes ? LAUNCH_MEASURED : LAUNCH_ZERO;
	case OVMF_SNP_MEMORY:
		return profile == LAUNCH_PROFILE_GCE ? LAUNCH_UNMEASURED : LAUNCH_ZERO;
	case OVMF_SNP_SVSM_CAA:
		break;
	}
	return LAUNCH_ZERO;
}

/* Those that are launched last, or those before. */
static int add_snp_sections(const struct builder *builder, const struct ovmf_snp *snp,
			    bool has_hashes, bool last)
{
	enum launch_profile profile = builder->launch->profile;
	int ret = 0;

	for (unsigned int i = 0; i < snp->n_sections && !ret; i++) {
		const struct ovmf_snp_section *section = &snp->sections[i];
		bool is_last = profile == LAUNCH_PROFILE_EC2 && section->type == OVMF_SNP_CPUID;

		if (is_last == last)
			ret = add_piece(builder, section->gpa, section->size_bytes, NULL, 0,
					snp_section_kind(section->type, profile, has_hashes));
	}
	return ret;
}

int ovmf_launch(struct guest_memory *memory, const struct ovmf_image *image,
		const struct ovmf_snp *snp, const struct ovmf_hashes *hashes,
		struct launch *launch, struct err *err)
{
	const struct builder builder = {
		.memory = memory,
		.path = image->path,
		.launch = launch,
		.err = err,
	};
	struct hash_table table;
	int ret;

	if (hashes && range_is_empty(snp->hash_table))
		return err_set(
			err, -EINVAL,
			"firmware '%s': has no page for hashes, so it would not check the "
			"kernel; give an AmdSev build of OVMF, or no kernel",
			image->path);
	ret = add_piece(&builder, ovmf_image_gpa(image), image->size_bytes, image->bytes,
			image->size_bytes, LAUNCH_MEASURED);
	if (!ret)
		ret = add_snp_sections(&builder, snp, hashes, false);
	if (!ret)
		ret = add_snp_sections(&builder, snp, hashes, true);
	if (ret || !hashes)
		return ret;
	hash_table_init(&table, hashes);
	/* The parser has seen that it fits its page, which is memory. */
	ret = guest_write(memory, snp->hash_table.start, &table, sizeof(table));
	ASSERT(!ret);
	return 0;
}

int tdvf_launch(struct guest_memory *memory, const struct ovmf_image *image,
		const struct tdvf *tdvf, struct launch *launch, struct err *err)
{
	const struct builder builder = {
		.memory = memory,
		.path = image->path,
		.launch = launch,
		.err = err,
	};
	int ret = 0;

	for (unsigned int i = 0; i < tdvf->n_sections && !ret; i++) {
		const struct tdvf_section *section = &tdvf->sections[i];

		if (section->added)
			ret = add_piece(
				&builder, section->gpa, section->size_bytes,
				image->bytes + section->data_offset, section->data_bytes,
				section->measured ? LAUNCH_MEASURED : LAUNCH_UNMEASURED);
	}
	return ret;
}
