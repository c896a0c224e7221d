// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/igvm_image.h"

#include <errno.h>

#include "tests/unit/igvm_files.h"
#include "tests/unit/images.h"

static int open_bytes(struct igvm_image *ret_image, const struct igvm_writer *writer,
		      enum igvm_platform platform, struct err *err)
{
	char path[64];
	int fd, ret;

	image_write(writer->bytes, writer->data_end, &fd, path);
	ret = igvm_image_open(ret_image, path, platform, err);
	/* It is kept for messages, of which there will be none. */
	if (!ret)
		ret_image->igvm.file.path = "closed";
	close(fd);
	return ret;
}

START_TEST(test_a_file_for_snp_says_how_it_starts)
{
	_cleanup_igvm_image_ struct igvm_image image = {0};
	static struct igvm_writer writer;
	struct coconut at;

	igvm_file_coconut(&writer, &at);
	ck_assert_int_eq(open_bytes(&image, &writer, IGVM_SNP, NULL), 0);
	ck_assert_uint_eq(image.firmware_bytes, 0);
	ck_assert_int_eq(image.entry.mode, BOOT_MODE_VCPU);
	ck_assert_uint_eq(image.entry.vcpu.regs.rip, 0x800000);
	ck_assert(image.entry.vcpu.has_state);
	ck_assert_uint_eq(image.snp_features, 0);
	ck_assert_uint_eq(image.igvm.policy, 0x30000);
}
END_TEST

START_TEST(test_features_are_told)
{
	_cleanup_igvm_image_ struct igvm_image image = {0};
	static struct igvm_writer writer;
	struct coconut at;
	uint32_t vmsa;

	igvm_file_coconut(&writer, &at);
	vmsa = writer_get32(&writer, at.context + 12);
	writer.bytes[vmsa + 0x3b0] = 1 | 1 << 5;
	ck_assert_int_eq(open_bytes(&image, &writer, IGVM_SNP, NULL), 0);
	ck_assert_uint_eq(image.snp_features, 1 << 5);
}
END_TEST

START_TEST(test_a_file_for_tdx_starts_at_the_reset_vector)
{
	_cleanup_igvm_image_ struct igvm_image image = {0};
	static struct igvm_writer writer;

	igvm_file_stage0(&writer);
	ck_assert_int_eq(open_bytes(&image, &writer, IGVM_TDX, NULL), 0);
	ck_assert_uint_eq(image.firmware_bytes, 0x2000);
	ck_assert_int_eq(image.entry.mode, BOOT_MODE_RESET);
	ck_assert_uint_eq(image.td_attributes, UINT64_C(1) << 28);
}
END_TEST

START_TEST(test_a_native_file_may_have_a_state)
{
	static struct igvm_writer writer;
	uint8_t context[GRANULE_BYTES] = {0};

	context[128] = 0x99; /* RIP */
	for (unsigned int has_context = 0; has_context < 2; has_context++) {
		_cleanup_igvm_image_ struct igvm_image image = {0};

		igvm_file_native(&writer);
		if (has_context)
			writer_add_context(&writer, WRITER_NATIVE, 0, context);
		writer_end(&writer);
		ck_assert_int_eq(open_bytes(&image, &writer, IGVM_NATIVE, NULL), 0);
		ck_assert_int_eq(image.entry.mode,
				 has_context ? BOOT_MODE_VCPU : BOOT_MODE_RESET);
		if (!has_context)
			continue;
		ck_assert_uint_eq(image.entry.vcpu.regs.rip, 0x99);
		/* As after a reset: the file has no TR. */
		ck_assert_uint_eq(image.entry.vcpu.sregs.tr.type, 11);
		ck_assert(!image.entry.vcpu.has_state);
	}
}
END_TEST

START_TEST(test_what_fails_leaves_nothing_behind)
{
	struct igvm_image image = {.firmware_bytes = 0x1234};
	static struct igvm_writer writer;
	struct err err = {0};
	struct coconut at;
	uint32_t vmsa;

	ck_assert_int_eq(igvm_image_open(&image, "/nonexistent", IGVM_SNP, &err), -ENOENT);
	ck_assert_ptr_nonnull(strstr(err.text, "igvm '/nonexistent'"));
	igvm_file_native(&writer);
	ck_assert_int_eq(open_bytes(&image, &writer, IGVM_SNP, &err), -ENOEXEC);
	igvm_file_coconut(&writer, &at);
	vmsa = writer_get32(&writer, at.context + 12);
	writer.bytes[vmsa + 0xca] = 2;
	ck_assert_int_eq(open_bytes(&image, &writer, IGVM_SNP, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "VMSA: vmpl: byte 0xca is 0x02"));
	igvm_file_stage0(&writer);
	writer_put64(&writer, 32 + 2 * 24 + 24 + 8, 4);
	writer_put_checksum(&writer);
	ck_assert_int_eq(open_bytes(&image, &writer, IGVM_TDX, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "GUEST_POLICY: unknown bits 0x4 for TDX"));
	ck_assert_uint_eq(image.firmware_bytes, 0x1234);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_a_file_for_snp_says_how_it_starts,
		test_features_are_told,
		test_a_file_for_tdx_starts_at_the_reset_vector,
		test_a_native_file_may_have_a_state,
		test_what_fails_leaves_nothing_behind,
	};

	return unit_run(unit_suite("igvm_image", tests, ARRAY_SIZE(tests)));
}
