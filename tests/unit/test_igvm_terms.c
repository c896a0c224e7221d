// SPDX-License-Identifier: GPL-2.0-or-later
/* What an IGVM file demands of the host that launches it. */
#include "tests/unit/cc_machine.h"
#include "tests/unit/igvm_writer.h"
#include "tests/unit/unit.h"

enum { PLATFORM_BOUNDARY = 8, VMSA_FEATURES_OFFSET = 0x3b0, DEBUG_SWAP = 1 << 5 };

struct file {
	struct igvm_writer writer;
	char path[64];
	int fd;
};

/* A TD with its shared bit at @boundary. */
static void td_make(struct igvm_writer *writer, uint64_t boundary)
{
	uint32_t platform;

	writer_init(writer, 1);
	platform = writer_add_platform(writer, WRITER_TDX, IGVM_TDX);
	writer_put64(writer, platform + PLATFORM_BOUNDARY, boundary);
	writer_add_page(writer, WRITER_TDX, 0xfffff000, 0x90, 0, 0);
	writer_end(writer);
}

static void snp_make(struct igvm_writer *writer, uint64_t features)
{
	uint8_t vmsa[GRANULE_BYTES];

	writer_make_vmsa(vmsa);
	memcpy(vmsa + VMSA_FEATURES_OFFSET, &features, sizeof(features));
	writer_init(writer, 1);
	writer_add_platform(writer, WRITER_SNP, IGVM_SNP);
	writer_add_policy(writer, WRITER_SNP, 0x30000);
	writer_add_page(writer, WRITER_SNP, 0x800000, 0x11, 0, 0);
	writer_add_context(writer, WRITER_SNP, UINT64_C(0xfffffffff000), vmsa);
	writer_end(writer);
}

static int run(struct fixture *fixture, struct file *file)
{
	int status;

	image_write(file->writer.file.bytes, file->writer.file.size_bytes, &file->fd,
		    file->path);
	fixture->config.igvm = file->path;
	fixture->config.kernel = NULL;
	status = fixture_run(fixture);
	close(file->fd);
	return status;
}

START_TEST(test_shared_bit_of_a_td_is_where_its_file_has_it)
{
	static const unsigned int wanted[][2] = {{0, 48}, {47, 48}, {51, 52}};
	static struct file file;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		struct fake_tdx_launch launch;
		struct fixture fixture;

		td_make(&file.writer, wanted[i][0] ? UINT64_C(1) << wanted[i][0] : 0);
		fixture_init(&fixture, GUEST_TYPE_TDX, false);
		ck_assert_int_eq(run(&fixture, &file), GUEST_STATUS);
		ck_assert(fake_get_tdx_launch(fixture.fake, &launch));
		ck_assert_uint_eq(launch.gpa_bits, wanted[i][1]);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(test_a_file_for_small_addresses_takes_no_large_memory)
{
	static struct file file;
	struct fixture fixture;

	td_make(&file.writer, UINT64_C(1) << 47);
	fixture_init(&fixture, GUEST_TYPE_TDX, false);
	fixture.config.memory_bytes = UINT64_C(65) << 40;
	ck_assert_int_eq(run(&fixture, &file), EXIT_STATUS_SETUP);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_features_of_a_vmsa_are_looked_at)
{
	static struct file file;
	struct fake_snp_launch launch;
	struct fixture fixture;

	snp_make(&file.writer, 1 | DEBUG_SWAP);
	fixture_init(&fixture, GUEST_TYPE_SNP, false);
	fixture.config.n_vcpus = 1;
	ck_assert_int_eq(run(&fixture, &file), GUEST_STATUS);
	ck_assert(fake_get_snp_launch(fixture.fake, &launch));
	ck_assert_uint_eq(launch.vmsa_features, 1 | DEBUG_SWAP);
	fake_traits(fixture.fake)->snp.vmsa_features = 0;
	ck_assert_int_eq(run(&fixture, &file), EXIT_STATUS_SETUP);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_shared_bit_of_a_td_is_where_its_file_has_it,
		test_a_file_for_small_addresses_takes_no_large_memory,
		test_features_of_a_vmsa_are_looked_at,
	};

	return unit_run(unit_suite("igvm_terms", tests, ARRAY_SIZE(tests)));
}
