// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Any bytes as an IGVM file, for each platform: what is accepted keeps what boot/igvm/igvm.h
 * promises, what is refused is refused with one line that names the file.
 *
 * The checksum and the size in the fixed header are made right, or nothing would get further.
 */
#include "boot/igvm/igvm.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/igvm_writer.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static void check_refusal(int result, const struct err *err)
{
	ASSERT(result < 0 && result == err->code);
	ASSERT(strncmp(err->text, "igvm 'fuzz': ", 13) == 0);
	for (const char *c = err->text; *c; c++)
		ASSERT((unsigned char)*c >= 0x20 && *c != 0x7f);
}

/* Returns the sum of what is in the file, so that it was read. */
static unsigned int check_pieces(const struct igvm *igvm)
{
	unsigned int sum = 0;

	ASSERT(igvm->n_pieces > 0 && igvm->n_pieces <= igvm->file.size_bytes / 24);
	for (size_t i = 0; i < igvm->n_pieces; i++) {
		const struct igvm_piece *piece = &igvm->pieces[i];
		struct range range;

		ASSERT(range_init(&range, piece->gpa, piece->size_bytes));
		ASSERT(!range_is_empty(range) && range.end <= UINT64_C(1) << 52);
		ASSERT(is_aligned(range.start | range.end, GRANULE_BYTES));
		ASSERT(piece->kind < IGVM_KIND_COUNT);
		ASSERT(piece->kind != IGVM_ZERO ||
		       (!piece->data_offset && igvm->platform == IGVM_SNP));
		for (uint64_t at = 0; piece->data_offset && at < piece->size_bytes; at += 4096)
			sum += igvm->file.bytes[piece->data_offset + at] +
			       igvm->file.bytes[piece->data_offset + at + 4095];
		for (size_t k = 0; k < i && igvm->n_pieces < 64; k++) {
			const struct igvm_piece *other = &igvm->pieces[k];

			ASSERT(!range_overlaps(
				range,
				(struct range){other->gpa, other->gpa + other->size_bytes}));
		}
	}
	return sum;
}

/* Each lies in an area. */
static void check_parameters(const struct igvm *igvm)
{
	ASSERT(igvm->n_parameters <= IGVM_PARAMETERS_MAX);
	for (unsigned int i = 0; i < igvm->n_parameters; i++) {
		const struct igvm_parameter *parameter = &igvm->parameters[i];
		bool is_found = false;

		ASSERT(parameter->type < IGVM_PARAMETER_TYPE_COUNT && parameter->room_bytes);
		for (size_t k = 0; k < igvm->n_pieces; k++) {
			const struct igvm_piece *piece = &igvm->pieces[k];

			is_found |= piece->kind == IGVM_AREA && parameter->gpa >= piece->gpa &&
				    parameter->gpa + parameter->room_bytes ==
					    piece->gpa + piece->size_bytes;
		}
		ASSERT(is_found);
	}
}

static void check_vcpu(const struct igvm *igvm)
{
	uint8_t page[GRANULE_BYTES];
	struct boot_vcpu vcpu;
	struct err err = {0};
	uint64_t features;
	int ret;

	if (igvm->platform != IGVM_SNP || !igvm->context_offset)
		return;
	ret = igvm_get_snp_vcpu(igvm, &vcpu, &features, &err);
	if (ret) {
		check_refusal(ret, &err);
		return;
	}
	vmsa_init(page, &vcpu, features);
	ASSERT(memcmp(page, igvm->file.bytes + igvm->context_offset, sizeof(page)) == 0);
}

static void check_igvm(const struct igvm *igvm)
{
	struct err err = {0};
	uint64_t bytes;
	int ret;

	ASSERT(check_pieces(igvm) <= UINT32_MAX);
	check_parameters(igvm);
	ASSERT(igvm->n_ranges <= IGVM_RANGES_MAX);
	for (unsigned int i = 0; i < igvm->n_ranges; i++)
		ASSERT(igvm->ranges[i].gpa.start < igvm->ranges[i].gpa.end);
	ret = igvm_get_firmware_bytes(igvm, &bytes, &err);
	if (ret)
		check_refusal(ret, &err);
	else
		ASSERT(bytes <= 16 * MIB && is_aligned(bytes, GRANULE_BYTES));
	err = (struct err){0};
	ret = igvm->platform == IGVM_TDX ? igvm_get_td_attributes(igvm, &bytes, &err) : 0;
	if (ret)
		check_refusal(ret, &err);
	check_vcpu(igvm);
	if (igvm->platform == IGVM_NATIVE && igvm->context_offset) {
		struct boot_vcpu vcpu = {0};

		err = (struct err){0};
		ret = igvm_get_native_vcpu(igvm, &vcpu, &err);
		if (ret)
			check_refusal(ret, &err);
	}
}

/* What no change of random bytes would make right. */
static void repair(uint8_t *bytes, size_t n)
{
	uint32_t total = (uint32_t)n, zero = 0, fixed_bytes, start, size, crc;

	if (n < 32)
		return;
	fixed_bytes = bytes[4] == 2 ? 32 : 24;
	memcpy(bytes + WRITER_TOTAL, &total, 4);
	memcpy(&start, bytes + WRITER_HEADERS, 4);
	memcpy(&size, bytes + WRITER_HEADERS_SIZE, 4);
	if (start > n || size > n - start)
		return;
	memcpy(bytes + WRITER_CHECKSUM, &zero, 4);
	crc = writer_crc(UINT32_MAX, bytes, fixed_bytes);
	crc = ~writer_crc(crc, bytes + start, size);
	memcpy(bytes + WRITER_CHECKSUM, &crc, 4);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	static const enum igvm_platform platforms[] = {IGVM_NATIVE, IGVM_SNP, IGVM_TDX};
	/* Of just that size, so that whoever reads too far is seen. */
	_cleanup_free_ uint8_t *bytes = malloc(data_bytes ? data_bytes : 1);
	const struct igvm_file file = {
		.path = "fuzz", .bytes = bytes, .size_bytes = data_bytes};

	ASSERT(bytes);
	if (data_bytes)
		memcpy(bytes, data, data_bytes);
	repair(bytes, data_bytes);
	for (size_t i = 0; i < ARRAY_SIZE(platforms); i++) {
		struct err err = {0};
		struct igvm igvm;
		int ret = igvm_parse(&igvm, &file, platforms[i], &err);

		if (ret) {
			check_refusal(ret, &err);
			continue;
		}
		check_igvm(&igvm);
		igvm_fini(&igvm);
	}
	return 0;
}
