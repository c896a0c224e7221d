// SPDX-License-Identifier: GPL-2.0-or-later
/* IGVM files, from a path to a guest that can start. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "boot/file.h"
#include "boot/firmware/firmware.h"
#include "boot/igvm/igvm.h"
#include "boot/igvm/load.h"
#include "boot/measure/vmsa.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

static_assert((int)FIRMWARE_ID_BLOCK_BYTES == IGVM_ID_BLOCK_BYTES &&
		      (int)FIRMWARE_ID_AUTH_BYTES == IGVM_ID_AUTH_BYTES,
	      "of the same specification");

enum { IGVM_BYTES_MAX = 1 << 30 };

static const enum igvm_platform platforms[] = {
	[BOOT_GUARD_NONE] = IGVM_NATIVE,
	[BOOT_GUARD_SNP] = IGVM_SNP,
	[BOOT_GUARD_TDX] = IGVM_TDX,
};

/* @ret_bytes: stays as long as @ret_igvm. */
static int igvm_open(const char *path, enum boot_guard guard, uint8_t **ret_bytes,
		     struct igvm *ret_igvm, struct err *err)
{
	struct igvm_file file = {.path = path};
	int ret = image_file_read_all("IGVM file", path, IGVM_BYTES_MAX, ret_bytes,
				      &file.size_bytes, err);

	if (ret)
		return ret;
	file.bytes = *ret_bytes;
	return igvm_parse(ret_igvm, &file, platforms[guard], err);
}

static int terms_read(const struct igvm *igvm, struct firmware_terms *terms, struct err *err)
{
	struct boot_vcpu vcpu;
	int ret = igvm_get_firmware_bytes(igvm, &terms->memory_bytes, err);

	if (!ret && igvm->platform == IGVM_TDX)
		ret = igvm_get_td_attributes(igvm, &terms->td_attributes, err);
	if (!ret && igvm->platform == IGVM_SNP) {
		ret = igvm_get_snp_vcpu(igvm, &vcpu, &terms->vmsa_features, err);
		if (ret == -ENOENT)
			ret = 0;
	}
	if (igvm->shared_gpa_boundary)
		terms->gpa_bits = (unsigned int)__builtin_ctzll(igvm->shared_gpa_boundary) + 1;
	terms->has_policy = igvm->has_policy;
	terms->policy = igvm->policy;
	terms->has_id = igvm->has_id;
	terms->has_author = igvm->id.has_author_key;
	memcpy(terms->id_block, igvm->id.block, sizeof(terms->id_block));
	memcpy(terms->id_auth, igvm->id.auth, sizeof(terms->id_auth));
	return ret;
}

int firmware_inspect_igvm(const char *path, enum boot_guard guard,
			  struct firmware_terms *ret_terms, struct err *err)
{
	_cleanup_free_ uint8_t *bytes = NULL;
	struct firmware_terms terms = {0};
	struct igvm igvm;
	int ret = igvm_open(path, guard, &bytes, &igvm, err);

	if (ret)
		return ret;
	ret = terms_read(&igvm, &terms, err);
	igvm_fini(&igvm);
	if (!ret)
		*ret_terms = terms;
	return ret;
}

/* The state of the boot processor, if the file has one for this platform. */
static int entry_get(const struct igvm *igvm, struct boot_entry *entry, struct err *err)
{
	uint64_t unused;
	int ret = -ENOENT;

	*entry = (struct boot_entry){.mode = BOOT_MODE_RESET};
	switch (igvm->platform) {
	case IGVM_NATIVE:
		snp_vcpu_reset(&entry->vcpu, SNP_RESET_ENTRY, 0);
		ret = igvm_get_native_vcpu(igvm, &entry->vcpu, err);
		break;
	case IGVM_SNP:
		ret = igvm_get_snp_vcpu(igvm, &entry->vcpu, &unused, err);
		break;
	case IGVM_TDX: /* starts as the TDX module has it */
		break;
	}
	if (!ret)
		entry->mode = BOOT_MODE_VCPU;
	return ret == -ENOENT ? 0 : ret;
}

int firmware_load_igvm(struct guest_memory *memory, const struct boot_machine *machine,
		       enum boot_guard guard, const char *path, const char *cmdline,
		       bool memory_is_shared, struct launch *launch,
		       struct boot_entry *ret_entry, struct err *err)
{
	const struct igvm_target target = {
		.machine = machine,
		.cmdline = cmdline,
		.memory_is_shared = memory_is_shared,
	};
	_cleanup_free_ uint8_t *bytes = NULL;
	struct igvm igvm;
	int ret = igvm_open(path, guard, &bytes, &igvm, err);

	if (ret)
		return ret;
	ret = igvm_load(&igvm, memory, &target, launch, err);
	if (!ret)
		ret = entry_get(&igvm, ret_entry, err);
	igvm_fini(&igvm);
	return ret;
}
