// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Digests of others. PUBLISHED: virtee/sev-snp-measure, tests/test_guest.py, for the image in
 * tests/unit/vectors; virtee/sev and virtee/sev-snp-measure-go have some of them as well.
 * COMPUTED: by a program that was written for this and reproduces the published ones.
 */
#include "boot/measure_snp.h"

#include <errno.h>

#include "tests/unit/firmware.h"
#include "vmm/err.h"

#define CMDLINE "console=ttyS0 loglevel=7"

static void check_digest(const struct snp_digest *digest, const char *wanted)
{
	char text[2 * SNP_DIGEST_BYTES + 1];

	for (size_t i = 0; i < SNP_DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest->bytes[i]);
	ck_assert_str_eq(text, wanted);
}

/* The digest of the image in tests/unit/vectors before its processors; @cmdline NULL: no
 * kernel. */
static void digest_image(const char *cmdline, struct ovmf_snp *ret_snp,
			 struct snp_digest *ret_digest)
{
	struct snp_boot_hashes hashes;
	struct ovmf_image image;
	struct snp_plan plan;
	uint8_t bytes[4096];

	firmware_read_suffix(bytes, &image);
	ck_assert_int_eq(ovmf_parse_snp(&image, ret_snp, NULL), 0);
	if (cmdline)
		ck_assert_int_eq(snp_boot_hashes_init(&hashes, "", 0, NULL, 0, cmdline), 0);
	ck_assert_int_eq(snp_plan_ovmf(&plan, &image, ret_snp, cmdline ? &hashes : NULL, NULL),
			 0);
	snp_digest_init(ret_digest);
	ck_assert_int_eq(snp_digest_plan(ret_digest, &plan), 0);
}

/* PUBLISHED; the processor is QEMU's EPYC-v4. Feature 0x20 is DEBUG_SWAP. */
static const struct {
	const char *cmdline;
	unsigned int n_vcpus;
	uint64_t features;
	const char *wanted;
} published[] = {
	{NULL, 1, 0x1,
	 "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ec"
	 "abe033c48dd6f6db5d6d76e7c5df632d"},
	{NULL, 1, 0x20,
	 "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf"
	 "281a9278a4a2ebe0eed9f22adbcd0e2b"},
	{CMDLINE, 1, 0,
	 "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362"
	 "f390ef83a92046c042e706363b4b08fa"},
	{CMDLINE, 1, 0x21,
	 "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba"
	 "7e534442e7e1e17895dfe778d0228977"},
	{"", 4, 0x1,
	 "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a9"
	 "2441310ba6c4933de877c36e23046ad5"},
	{"", 4, 0x21,
	 "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78"
	 "eafe7b422907be0b4698e2414a631942"},
};

START_TEST(test_published_digests_are_ours)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		struct boot_vcpu bsp, ap;
		struct snp_digest digest;
		struct ovmf_snp snp;
		uint32_t signature;

		digest_image(published[i].cmdline, &snp, &digest);
		ck_assert_int_eq(cpu_signature_find("EPYC-v4", &signature), 0);
		snp_vcpu_reset(&bsp, SNP_RESET_ENTRY, signature);
		snp_vcpu_reset(&ap, snp.ap_entry, signature);
		ck_assert_int_eq(snp_digest_vcpus(&digest, &bsp, &ap, published[i].n_vcpus,
						  published[i].features),
				 0);
		check_digest(&digest, published[i].wanted);
	}
}
END_TEST

/* PUBLISHED, tests of calc_snp_ovmf_hash: the image alone. */
START_TEST(test_the_image_alone_has_the_published_digest)
{
	struct snp_digest digest;
	struct ovmf_image image;
	uint8_t bytes[4096];

	firmware_read_suffix(bytes, &image);
	snp_digest_init(&digest);
	ck_assert_int_eq(
		snp_digest_page(&digest, SNP_PAGE_NORMAL, ovmf_image_gpa(&image), bytes), 0);
	check_digest(&digest, "086e2e9149ebf45abdc3445fba5b2da8270bdbb04094d7a2c37faaa4b24af3aa"
			      "16aff8c374c2a55c467a50da6d466b74");
}
END_TEST

/*
 * PUBLISHED, for EC2's hypervisor, which launches the CPUID page last and has another state: so
 * it is seen that other fields lie where we have them, and that order counts.
 */
START_TEST(test_another_launch_has_its_published_digest)
{
	struct snp_boot_hashes hashes;
	struct snp_digest digest;
	uint8_t bytes[4096], page[GRANULE_BYTES];
	struct ovmf_image image;
	struct boot_vcpu vcpu;
	struct snp_plan plan;
	struct ovmf_snp snp;

	firmware_read_suffix(bytes, &image);
	ck_assert_int_eq(ovmf_parse_snp(&image, &snp, NULL), 0);
	ck_assert_int_eq(snp_boot_hashes_init(&hashes, "", 0, NULL, 0, ""), 0);
	ck_assert_int_eq(snp_plan_ovmf(&plan, &image, &snp, &hashes, NULL), 0);
	ck_assert_uint_eq(plan.n_pieces, 8);
	ck_assert_int_eq(plan.pieces[4].type, SNP_PAGE_CPUID);
	plan.pieces[8] = plan.pieces[4];
	memmove(&plan.pieces[4], &plan.pieces[5], 4 * sizeof(plan.pieces[0]));
	snp_digest_init(&digest);
	ck_assert_int_eq(snp_digest_plan(&digest, &plan), 0);

	snp_vcpu_reset(&vcpu, SNP_RESET_ENTRY, 0);
	vcpu.sregs.cs.type = 10;
	vcpu.sregs.ss.type = 2;
	vcpu.sregs.tr.type = 3;
	vmsa_init(page, &vcpu, 0x1);
	/* MXCSR and the x87 control word. */
	memset(page + 0x408, 0, 4);
	memset(page + 0x410, 0, 2);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_VMSA, 0xfffffffff000, page), 0);
	check_digest(&digest, "7d3756157c805bf6adf617064c8552e8c1688fa1c8756f11cbf56ba5d25c9270"
			      "fb69c0505c1cbe1c5c66c0e34c6ed3be");
}
END_TEST

/* COMPUTED. */
START_TEST(test_each_type_of_page_has_its_digest)
{
	static const uint8_t zeroes[GRANULE_BYTES];
	struct snp_digest digest;
	struct boot_vcpu vcpu;

	snp_digest_init(&digest);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_NORMAL, 0x1000, zeroes), 0);
	check_digest(&digest, "e6e4d78904d9d6b33c0cbfd121998fd2d11744dae606b3aee35e2a45d6869b60"
			      "b35c63928a9232bef72d6be386f48ec6");
	snp_digest_init(&digest);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_ZERO, 0x1000, NULL), 0);
	check_digest(&digest, "4bd4147976a1e7554c1c778a781affc1c672f1965a727ba16084989b7e356044"
			      "a28bbe585a2f75dac9356fa5ab78f061");
	snp_digest_init(&digest);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_SECRETS, 0x2000, NULL), 0);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_CPUID, 0x3000, NULL), 0);
	ck_assert_int_eq(snp_digest_page(&digest, SNP_PAGE_UNMEASURED, 0x4000, NULL), 0);
	check_digest(&digest, "9bc788bcc61dfcd1b478db17ba4c7e67e6dc7b554d700a47f85e7dc430ba6dd5"
			      "c80c37de1b5de93e224e40bcb2159af7");
	snp_digest_init(&digest);
	snp_vcpu_reset(&vcpu, SNP_RESET_ENTRY, 0x800f12);
	ck_assert_int_eq(snp_digest_vcpus(&digest, &vcpu, NULL, 1, 0), 0);
	check_digest(&digest, "108432463da76821f35c5daf2f7aecc0ce9ce88652de5f70f638c7a0345c11f2"
			      "f80025654b80e7be10a9fe0ee1b75f33");
}
END_TEST

START_TEST(test_a_kernel_needs_firmware_that_checks_it)
{
	struct snp_boot_hashes hashes = {0};
	struct snp_plan plan = {.n_pieces = 0x1234};
	struct firmware firmware;
	struct err err = {0};
	struct ovmf_snp snp;

	firmware_make(&firmware);
	firmware_put32(&firmware, FIRMWARE_SNP + 16 + 4 * 12 + 8, OVMF_SNP_MEMORY);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, NULL), 0);
	ck_assert_int_eq(snp_plan_ovmf(&plan, &firmware.image, &snp, &hashes, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "firmware 'fw': has no page for hashes"));
	ck_assert_uint_eq(plan.n_pieces, 0x1234);
	ck_assert_int_eq(snp_plan_ovmf(&plan, &firmware.image, &snp, NULL, NULL), 0);
	ck_assert_uint_eq(plan.n_pieces, 6);
}
END_TEST

/* SHA-256 of nothing, of one zero and of "abc" are in FIPS 180-4's examples, or can be made by
 * hand.
 */
START_TEST(test_hashes_lie_where_the_firmware_looks)
{
	static const uint8_t abc[] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea};
	static const uint8_t nothing[] = {0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14};
	static const uint8_t one_zero[] = {0x6e, 0x34, 0x0b, 0x9c, 0xff, 0xb3, 0x7a, 0x98};
	static const uint8_t zeroes[GRANULE_BYTES];
	struct snp_boot_hashes hashes;
	struct firmware firmware;
	struct snp_plan plan;
	struct ovmf_snp snp;
	const uint8_t *page;

	firmware_make(&firmware);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, NULL), 0);
	ck_assert_int_eq(snp_boot_hashes_init(&hashes, "abc", 3, NULL, 0, ""), 0);
	ck_assert_int_eq(snp_plan_ovmf(&plan, &firmware.image, &snp, &hashes, NULL), 0);
	ck_assert_uint_eq(plan.n_pieces, 6);
	ck_assert_int_eq(plan.pieces[5].type, SNP_PAGE_NORMAL);
	ck_assert_uint_eq(plan.pieces[5].gpa, 0x810000);
	page = plan.pieces[5].bytes;
	ck_assert_int_eq(memcmp(page, zeroes, 0xc00), 0);
	ck_assert_uint_eq(page[0xc00], 0x06);
	ck_assert_uint_eq(page[0xc00 + 16], 168);
	ck_assert_uint_eq(page[0xc00 + 18 + 16], 50);
	ck_assert_int_eq(memcmp(page + 0xc00 + 18 + 18, one_zero, 8), 0);
	ck_assert_int_eq(memcmp(page + 0xc00 + 18 + 50 + 18, nothing, 8), 0);
	ck_assert_int_eq(memcmp(page + 0xc00 + 18 + 100 + 18, abc, 8), 0);
	ck_assert_int_eq(memcmp(page + 0xc00 + 168, zeroes, 0x400 - 168), 0);
}
END_TEST

/* What a state of 64-bit mode becomes; offsets from AMD's manual. */
START_TEST(test_a_processor_of_64_bits_keeps_its_state)
{
	uint8_t page[GRANULE_BYTES];
	struct boot_vcpu vcpu = {
		.regs = {.rip = 0x1122334455667788, .rsi = 0x7000, .rsp = 0x8000, .r15 = 15},
		.sregs =
			{
				.cs = {.selector = 0x10,
				       .limit = 0xffffffff,
				       .type = 11,
				       .present = 1,
				       .s = 1,
				       .l = 1,
				       .g = 1},
				.ss = {.dpl = 3,
				       .present = 1,
				       .unusable = 1,
				       .avl = 1,
				       .db = 1},
				.cr0 = 0x80000011,
				.cr3 = 0x8000000009000,
				.cr4 = 0x20,
				.efer = 0xd01,
			},
	};
	static const struct {
		unsigned int offset;
		uint64_t value;
	} wanted[] = {
		{0x10, 0xffffffff0a9b0010},
		{0x20, 0x0560 << 16},
		{0xd0, 0x1d01},
		{0x148, 0x60},
		{0x150, 0x8000000009000},
		{0x158, 0x80000011},
		{0x170, 2},
		{0x178, 0x1122334455667788},
		{0x1d8, 0x8000},
		{0x330, 0x7000},
		{0x378, 15},
		{0x3b0, 0x201},
	};

	vmsa_init(page, &vcpu, 0x200);
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		ck_assert_msg(memcmp(page + wanted[i].offset, &wanted[i].value, 8) == 0,
			      "at offset 0x%x", wanted[i].offset);
	ck_assert_uint_eq(page[0xcb], 3);
}
END_TEST

START_TEST(test_models_have_signatures)
{
	static const struct {
		const char *name;
		uint32_t signature; /* 0: unknown */
	} models[] = {
		{"EPYC", 0x800f12},
		{"EPYC-v1", 0x800f12},
		{"EPYC-IBPB", 0x800f12},
		{"EPYC-Rome", 0x830f10},
		{"EPYC-Milan-v2", 0xa00f11},
		{"EPYC-Genoa", 0xa10f10},
		{"EPYC-Turin", 0xb00f00},
		{"EPYC-", 0},
		{"EPYC-v", 0},
		{"EPYC-v1x", 0},
		{"EPYC-Milan-", 0},
		{"epyc", 0},
		{"", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(models); i++) {
		uint32_t signature = 0;
		int ret = cpu_signature_find(models[i].name, &signature);

		ck_assert_int_eq(ret, models[i].signature ? 0 : -ENOENT);
		ck_assert_uint_eq(signature, models[i].signature);
	}
	ck_assert_uint_eq(cpu_signature(6, 0x8f, 7), 0x806f7);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_published_digests_are_ours,
		test_the_image_alone_has_the_published_digest,
		test_another_launch_has_its_published_digest,
		test_each_type_of_page_has_its_digest,
		test_a_kernel_needs_firmware_that_checks_it,
		test_hashes_lie_where_the_firmware_looks,
		test_a_processor_of_64_bits_keeps_its_state,
		test_models_have_signatures,
	};

	return unit_run(unit_suite("measure_snp", tests, ARRAY_SIZE(tests)));
}
