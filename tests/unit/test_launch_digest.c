// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the fake's processor measured of what was really loaded is what the machine said before,
 * and what `alcove measure` says on any machine. And ID blocks, which hold it.
 */
#include "tests/unit/captured.h"
#include "tests/unit/cc_boots.h"
#include "tests/unit/id_block.h"
#include "tests/unit/measure_request.h"
#include "vmm/err.h"
#include "vmm/measure/measure.h"

/* Built by others: tests/lab/fetch firmware. */
static char amdsev_path[] = "build/firmware/OVMF.amdsev.fd";
static char inteltdx_path[] = "build/firmware/OVMF.inteltdx.ms.fd";

static const unsigned int vcpu_counts[] = {1, 4};

static void digest_get(struct fixture *fixture, uint8_t ret_digest[FAKE_DIGEST_BYTES])
{
	ck_assert(fixture->config.type == GUEST_TYPE_SNP
			  ? fake_get_snp_digest(fixture->fake, ret_digest)
			  : fake_get_mrtd(fixture->fake, ret_digest));
}

/* Three voices, one digest. */
static void digests_agree(struct fixture *fixture)
{
	char text[2 * FAKE_DIGEST_BYTES + 1], model[16];
	uint8_t launched[FAKE_DIGEST_BYTES];
	struct measure_request request;
	struct measurement measurement;
	struct captured captured;
	struct err err = {0};
	int status;

	request_fill(fixture->fake, &request, model);
	ck_assert_msg(measure(&fixture->config, &request, &measurement, &err) == 0, "%s",
		      err.text);
	captured_begin(&captured);
	status = fixture_run(fixture);
	captured_end(&captured);
	ck_assert_msg(status == GUEST_STATUS, "%s", captured.text);
	digest_get(fixture, launched);
	ck_assert_mem_eq(measurement.digest, launched, sizeof(launched));
	for (size_t i = 0; i < sizeof(launched); i++)
		snprintf(text + 2 * i, 3, "%02x", launched[i]);
	ck_assert_msg(captured_has(&captured,
				   fixture->config.type == GUEST_TYPE_SNP
					   ? "alcove: snp: launch digest "
					   : "alcove: tdx: MRTD ",
				   text),
		      "%s is not in: %s", text, captured.text);
	measurement_fini(&measurement);
}

static const enum guest_type types[] = {GUEST_TYPE_SNP, GUEST_TYPE_TDX};

START_TEST(test_three_voices_say_one_digest)
{
	for (size_t i = 0; i < 2 * ARRAY_SIZE(vcpu_counts) * ARRAY_SIZE(types); i++) {
		struct cc_boot_files files;
		struct fixture fixture;

		fixture_init(&fixture, types[i >> 1 & 1], i & 1);
		fixture.config.n_vcpus = vcpu_counts[i >> 2];
		cc_boot_init(&files, &fixture, (enum cc_boot)_i);
		digests_agree(&fixture);
		cc_boot_fini(&files);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(test_firmware_of_others_has_one_digest)
{
	bool is_snp = _i & 1;

	for (size_t i = 0; i < ARRAY_SIZE(vcpu_counts); i++) {
		struct fixture fixture;

		fixture_init(&fixture, types[!is_snp], _i & 2);
		fixture.config.n_vcpus = vcpu_counts[i];
		cc_make_efi(&fixture);
		fixture.config.firmware = is_snp ? amdsev_path : inteltdx_path;
		if (_i & 4)
			fixture.config.kernel = NULL;
		digests_agree(&fixture);
		fixture_fini(&fixture);
	}
}
END_TEST

/* --- ID blocks --- */

static const struct {
	size_t block_offset, auth_offset; /* where a bit is wrong; 0: none is */
	uint64_t policy;		  /* of the block */
	bool has_other_digest;
	const char *words; /* NULL: it is launched */
} blocks[] = {
	{.policy = 0x30000},
	{.policy = 0xb0000,
	 .words = "the launch cannot be finished: the guest's policy forbids this platform: it "
		  "asks for a newer firmware, a single socket or no SMT, or the ID block has "
		  "another policy (firmware status 0x7)"},
	{.policy = 0x30000,
	 .has_other_digest = true,
	 .words = "the ID block expects another launch digest"},
	{.policy = 0x30000,
	 .block_offset = 0x30, /* of what was signed: the family */
	 .words = "a signature of the ID block is wrong (firmware status 0xa)"},
	{.policy = 0x30000,
	 .auth_offset = ID_AUTH_BLOCK_SIGNATURE,
	 .words = "a signature of the ID block is wrong (firmware status 0xa)"},
	{.policy = 0x30000,
	 .auth_offset = ID_AUTH_KEY_SIGNATURE,
	 .words = "a signature of the ID block is wrong (firmware status 0xa)"},
};

static void block_make(struct id_block_pair *ret_pair, struct fixture *fixture,
		       unsigned int index)
{
	uint8_t digest[FAKE_DIGEST_BYTES];

	ck_assert_int_eq(fixture_run(fixture), GUEST_STATUS);
	digest_get(fixture, digest);
	digest[7] ^= (uint8_t)blocks[index].has_other_digest;
	id_block_make(ret_pair, digest, blocks[index].policy);
	ret_pair->block[blocks[index].block_offset] ^=
		(uint8_t)(blocks[index].block_offset != 0);
	ret_pair->auth[blocks[index].auth_offset] ^= (uint8_t)(blocks[index].auth_offset != 0);
}

START_TEST(test_id_block_is_judged)
{
	char block_path[64], auth_path[64];
	struct fake_snp_launch launch;
	struct id_block_pair pair;
	struct captured captured;
	struct fixture fixture;
	int block_fd, auth_fd, status;

	fixture_init(&fixture, GUEST_TYPE_SNP, _i & 1);
	block_make(&pair, &fixture, (unsigned int)_i);
	image_write(pair.block, sizeof(pair.block), &block_fd, block_path);
	image_write(pair.auth, sizeof(pair.auth), &auth_fd, auth_path);
	fixture.config.snp_id_block = block_path;
	fixture.config.snp_id_auth = auth_path;
	fixture.n_runs = 0;
	captured_begin(&captured);
	status = fixture_run(&fixture);
	captured_end(&captured);
	ck_assert_int_eq(status, blocks[_i].words ? EXIT_STATUS_SETUP : GUEST_STATUS);
	ck_assert_int_eq(fixture.n_runs > 0, !blocks[_i].words);
	ck_assert(fake_get_snp_launch(fixture.fake, &launch));
	ck_assert_int_eq(launch.has_id_block && launch.has_author_key, !blocks[_i].words);
	if (blocks[_i].words)
		ck_assert_msg(captured_has(&captured, "alcove: snp: ", blocks[_i].words), "%s",
			      captured.text);
	close(block_fd);
	close(auth_fd);
	fixture_fini(&fixture);
}
END_TEST

/* Where the parts of an ID block are in the header of an IGVM file, and in ours. */
static const struct {
	uint32_t file, offset;
	size_t n_bytes;
	bool is_auth;
} id_parts[] = {
	{8, 0, ID_BLOCK_POLICY, false}, /* digest, family, image, version, svn */
	{104, ID_AUTH_BLOCK_SIGNATURE, ID_NUMBER_BYTES, true},
	{176, ID_AUTH_BLOCK_SIGNATURE + ID_NUMBER_BYTES, ID_NUMBER_BYTES, true},
	{248, ID_AUTH_ID_KEY, 4, true},
	{256, ID_AUTH_ID_KEY + 4, ID_NUMBER_BYTES, true},
	{328, ID_AUTH_ID_KEY + 4 + ID_NUMBER_BYTES, ID_NUMBER_BYTES, true},
	{400, ID_AUTH_KEY_SIGNATURE, ID_NUMBER_BYTES, true},
	{472, ID_AUTH_KEY_SIGNATURE + ID_NUMBER_BYTES, ID_NUMBER_BYTES, true},
	{544, ID_AUTH_AUTHOR_KEY, 4, true},
	{552, ID_AUTH_AUTHOR_KEY + 4, ID_NUMBER_BYTES, true},
	{624, ID_AUTH_AUTHOR_KEY + 4 + ID_NUMBER_BYTES, ID_NUMBER_BYTES, true},
};

/* What a tool signs: the digest of all that the file itself has launched. */
static void igvm_sign(struct igvm_writer *writer, uint32_t body, const uint8_t digest[48])
{
	struct id_block_pair pair;

	id_block_make(&pair, digest, 0x30000);
	for (size_t i = 0; i < ARRAY_SIZE(id_parts); i++)
		memcpy(writer->bytes + body + id_parts[i].file,
		       (id_parts[i].is_auth ? pair.auth : pair.block) + id_parts[i].offset,
		       id_parts[i].n_bytes);
	writer_put_checksum(writer);
}

START_TEST(test_id_block_of_an_igvm_file_is_judged)
{
	struct igvm_writer *writer = malloc(sizeof(*writer));
	struct measure_request request;
	struct measurement measurement;
	struct fake_snp_launch launch;
	struct fixture fixture;
	struct coconut at;
	char path[64], model[16];
	int fd;

	fixture_init(&fixture, GUEST_TYPE_SNP, _i);
	igvm_file_coconut(writer, &at);
	image_write(writer->bytes, writer->file.size_bytes, &fd, path);
	fixture.config.kernel = NULL;
	fixture.config.igvm = path;
	request_fill(fixture.fake, &request, model);
	ck_assert_int_eq(measure(&fixture.config, &request, &measurement, NULL), 0);
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	igvm_sign(writer, at.id, measurement.digest);
	ck_assert_int_eq(pwrite(fd, writer->bytes, writer->file.size_bytes, 0),
			 (ssize_t)writer->file.size_bytes);
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	ck_assert(fake_get_snp_launch(fixture.fake, &launch));
	ck_assert(launch.has_id_block && launch.has_author_key);
	measurement_fini(&measurement);
	close(fd);
	free(writer);
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("launch_digest");
	TCase *tcase = tcase_create("launch_digest");

	tcase_set_timeout(tcase, 60);
	tcase_add_loop_test(tcase, test_three_voices_say_one_digest, 0, CC_BOOT_COUNT);
	if (access(amdsev_path, R_OK) || access(inteltdx_path, R_OK))
		unit_skip("firmware of others has one digest", "tests/lab/fetch firmware");
	else
		tcase_add_loop_test(tcase, test_firmware_of_others_has_one_digest, 0, 8);
	tcase_add_loop_test(tcase, test_id_block_is_judged, 0, ARRAY_SIZE(blocks));
	tcase_add_loop_test(tcase, test_id_block_of_an_igvm_file_is_judged, 0, 2);
	suite_add_tcase(suite, tcase);
	return unit_run(suite);
}
