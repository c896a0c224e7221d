// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What IGVM files have of their own for SNP: the state of the boot processor, and the ID block,
 * from its header into the two structures of the secure processor.
 *
 * Source: AMD SEV-SNP firmware ABI (56860), 8.19 (SNP_LAUNCH_FINISH): ID block, ID
 * authentication information; chapter 10: keys and signatures of ECDSA P-384.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "boot/igvm/file.h"
#include "vmm/err.h"

/* The header. */
enum {
	FIELD_AUTHOR_ENABLED = 4,
	FIELD_RESERVED = 5, /* 3 bytes */
	FIELD_LD = 8,	    /* launch digest, family, image: as in the block */
	FIELD_VERSION = 88,
	FIELD_SVN = 92,
	FIELD_ID_ALGORITHM = 96,
	FIELD_AUTHOR_ALGORITHM = 100,
	FIELD_ID_SIGNATURE = 104,
	FIELD_ID_KEY = 248,
	FIELD_AUTHOR_SIGNATURE = 400,
	FIELD_AUTHOR_KEY = 544,
	/* In a key. */
	KEY_CURVE = 0,
	KEY_RESERVED = 4,
	KEY_POINT = 8,
};

/* The secure processor's. */
enum {
	BLOCK_LD = 0,
	BLOCK_VERSION = 80,
	BLOCK_SVN = 84,
	BLOCK_POLICY = 88,
	AUTH_ID_ALGORITHM = 0,
	AUTH_AUTHOR_ALGORITHM = 4,
	AUTH_BLOCK_SIGNATURE = 0x40,
	AUTH_ID_KEY = 0x240,
	AUTH_ID_KEY_SIGNATURE = 0x680,
	AUTH_AUTHOR_KEY = 0x880,
	AUTH_KEY_POINT = 4, /* after the curve */
};

enum {
	LD_TO_IMAGE_BYTES = 48 + 16 + 16,
	POINT_BYTES = 72 + 72, /* of a key, or a signature's two numbers */
	BLOCK_VERSION_1 = 1,
	ALGORITHM_P384_SHA384 = 1,
	CURVE_P384 = 2,
};

static int key_check(const struct igvm_parser *parser, const struct igvm_header *header,
		     uint32_t field)
{
	uint32_t curve = igvm_field32(parser, header, field + KEY_CURVE);

	if (curve != CURVE_P384)
		return igvm_field_malformed(parser, header, field,
					    "a key on curve %" PRIu32 ", not %d (P-384)", curve,
					    CURVE_P384);
	return igvm_field_check_zero(parser, header, field + KEY_RESERVED, UINT32_MAX);
}

static int algorithm_check(const struct igvm_parser *parser, const struct igvm_header *header,
			   uint32_t field)
{
	uint32_t algorithm = igvm_field32(parser, header, field);

	if (algorithm == ALGORITHM_P384_SHA384)
		return 0;
	return igvm_field_malformed(parser, header, field,
				    "key algorithm %" PRIu32
				    ", not %d (ECDSA P-384 with SHA-384)",
				    algorithm, ALGORITHM_P384_SHA384);
}

static int id_check(const struct igvm_parser *parser, const struct igvm_header *header)
{
	uint8_t is_enabled = igvm_field8(parser, header, FIELD_AUTHOR_ENABLED);
	int ret;

	if (parser->igvm->platform != IGVM_SNP)
		return igvm_field_malformed(parser, header, 0,
					    "made for a platform that is not SEV_SNP");
	if (parser->igvm->has_id)
		return igvm_field_malformed(parser, header, 0,
					    "a second one for this platform");
	if (!parser->igvm->has_policy)
		return igvm_field_malformed(parser, header, 0,
					    "needs the policy that is signed with it; the file "
					    "has no GUEST_POLICY");
	if (is_enabled > 1)
		return igvm_field_malformed(parser, header, FIELD_AUTHOR_ENABLED,
					    "author key enabled: %u, not 0 or 1", is_enabled);
	ret = igvm_field_check_zero(parser, header, FIELD_AUTHOR_ENABLED, 0xffffff00U);
	if (!ret && igvm_field32(parser, header, FIELD_VERSION) != BLOCK_VERSION_1)
		return igvm_field_malformed(
			parser, header, FIELD_VERSION, "version %" PRIu32 ", not %d",
			igvm_field32(parser, header, FIELD_VERSION), BLOCK_VERSION_1);
	if (!ret)
		ret = algorithm_check(parser, header, FIELD_ID_ALGORITHM);
	if (!ret)
		ret = key_check(parser, header, FIELD_ID_KEY);
	if (!ret && is_enabled)
		ret = algorithm_check(parser, header, FIELD_AUTHOR_ALGORITHM);
	if (!ret && is_enabled)
		ret = key_check(parser, header, FIELD_AUTHOR_KEY);
	return ret;
}

/* The padding between curve and point is the file's own. */
static void key_put(uint8_t *ret_key, const uint8_t *key)
{
	memcpy(ret_key, key + KEY_CURVE, sizeof(uint32_t));
	memcpy(ret_key + AUTH_KEY_POINT, key + KEY_POINT, POINT_BYTES);
}

int igvm_take_snp_id(struct igvm_parser *parser, const struct igvm_header *header)
{
	const uint8_t *body = parser->igvm->file.bytes + header->offset;
	struct igvm_id *id = &parser->igvm->id;
	int ret = id_check(parser, header);

	if (ret)
		return ret;
	memcpy(id->block + BLOCK_LD, body + FIELD_LD, LD_TO_IMAGE_BYTES);
	memcpy(id->block + BLOCK_VERSION, body + FIELD_VERSION, sizeof(uint32_t));
	memcpy(id->block + BLOCK_SVN, body + FIELD_SVN, sizeof(uint32_t));
	memcpy(id->block + BLOCK_POLICY, &parser->igvm->policy, sizeof(uint64_t));
	memcpy(id->auth + AUTH_ID_ALGORITHM, body + FIELD_ID_ALGORITHM, sizeof(uint32_t));
	memcpy(id->auth + AUTH_BLOCK_SIGNATURE, body + FIELD_ID_SIGNATURE, POINT_BYTES);
	key_put(id->auth + AUTH_ID_KEY, body + FIELD_ID_KEY);
	id->has_author_key = body[FIELD_AUTHOR_ENABLED];
	if (id->has_author_key) {
		memcpy(id->auth + AUTH_AUTHOR_ALGORITHM, body + FIELD_AUTHOR_ALGORITHM,
		       sizeof(uint32_t));
		memcpy(id->auth + AUTH_ID_KEY_SIGNATURE, body + FIELD_AUTHOR_SIGNATURE,
		       POINT_BYTES);
		key_put(id->auth + AUTH_AUTHOR_KEY, body + FIELD_AUTHOR_KEY);
	}
	parser->igvm->has_id = true;
	return 0;
}

int igvm_get_snp_vcpu(const struct igvm *igvm, struct boot_vcpu *ret_vcpu,
		      uint64_t *ret_features, struct err *err)
{
	int ret;

	ASSERT(igvm->platform == IGVM_SNP);
	if (!igvm->context_offset)
		return -ENOENT;
	ret = vmsa_parse(igvm->file.bytes + igvm->context_offset, ret_vcpu, ret_features, err);
	if (ret && err)
		return err_prefix(err, "igvm '%s': offset 0x%" PRIx32, igvm->file.path,
				  igvm->context_offset);
	return ret;
}
