// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Digests of others. PUBLISHED: virtee/sev-snp-measure, tests/test_guest.py, for the image in
 * tests/unit/vectors; virtee/sev and virtee/sev-snp-measure-go have some of them as well.
 * COMPUTED: by a program that was written for this and reproduces the published ones.
 */
#include "boot/launch.h"

#include <errno.h>

#include "boot/firmware/launch.h"
#include "boot/measure/vmsa.h"
#include "tests/unit/firmware.h"
#include "tests/unit/offline.h"
#include "vmm/err.h"

#define CMDLINE "console=ttyS0 loglevel=7"

/* The digest of @offline's launch, of processors that start as after a reset. */
static void check_digest(struct offline *offline, uint32_t ap_start,
			 const struct launch_vcpus *vcpus, const char *wanted)
{
	const struct boot_entry entry = {.mode = BOOT_MODE_RESET, .ap_start = ap_start};
	struct launch_vcpus all = *vcpus;
	uint8_t digest[LAUNCH_DIGEST_BYTES];
	char text[LAUNCH_DIGEST_TEXT_BYTES];

	all.entry = &entry;
	ck_assert_int_eq(launch_digest_snp(offline->memory, &offline->launch, &all, digest), 0);
	ck_assert_str_eq(digest_format(digest, text), wanted);
}

/* PUBLISHED; the processor is QEMU's EPYC-v4, kernel and initrd are empty. Feature 0x20 is
 * DEBUG_SWAP; 1 is always there. @cmdline NULL: no kernel. */
static const struct {
	const char *cmdline;
	struct launch_vcpus vcpus;
	const char *wanted;
	enum launch_profile profile;
} published[] = {
	{NULL,
	 {.n_vcpus = 1, .features = 0x1},
	 "19358ba9a7615534a9a1e2f0dfc29384dcd4dcb7062ff9c6013b26869a5fc6ec"
	 "abe033c48dd6f6db5d6d76e7c5df632d",
	 LAUNCH_PROFILE_QEMU},
	{NULL,
	 {.n_vcpus = 1, .features = 0x20},
	 "e1e1ca029dd7973ab9513295be68198472dcd4fc834bd9af9b63f6e8a1674dbf"
	 "281a9278a4a2ebe0eed9f22adbcd0e2b",
	 LAUNCH_PROFILE_QEMU},
	{CMDLINE,
	 {.n_vcpus = 1},
	 "6d287813eb5222d770f75005c664e34c204f385ce832cc2ce7d0d6f354454362"
	 "f390ef83a92046c042e706363b4b08fa",
	 LAUNCH_PROFILE_QEMU},
	{CMDLINE,
	 {.n_vcpus = 1, .features = 0x21},
	 "803f691094946e42068aaa3a8f9e26a5c89f36f7b73ecfb28c653360fe4b3aba"
	 "7e534442e7e1e17895dfe778d0228977",
	 LAUNCH_PROFILE_QEMU},
	{"",
	 {.n_vcpus = 1},
	 "ddc5224521617a536ee7ce9dd6224d1b58a8d4fda1c741f3ac99fc4bfa04ba6e"
	 "9fc98646d4a07a9079397fa3852819b5",
	 LAUNCH_PROFILE_QEMU},
	{"",
	 {.n_vcpus = 1, .features = 0x20},
	 "329c8ce0972ae52343b64d34a434a86f245dfd74f5ed7aae15d22efc78fb9683"
	 "632b9b50e4e1d7fa41179ef98a7ef198",
	 LAUNCH_PROFILE_QEMU},
	{"",
	 {.n_vcpus = 4, .features = 0x1},
	 "5061fffb019493a903613d56d54b94912a1a2f9e4502385f5c194616753720a9"
	 "2441310ba6c4933de877c36e23046ad5",
	 LAUNCH_PROFILE_QEMU},
	{"",
	 {.n_vcpus = 4, .features = 0x21},
	 "4953b1fb416fa874980e8442b3706d345926d5f38879134e00813c5d7abcbe78"
	 "eafe7b422907be0b4698e2414a631942",
	 LAUNCH_PROFILE_QEMU},
	{"",
	 {.n_vcpus = 1},
	 "0883bd0eeb716e65b7b977a321c278d1e51b33b5c655fab985443bbcc65c086b"
	 "9c15e8a0bd8811050dec7e24964e5056",
	 LAUNCH_PROFILE_EC2},
	{"",
	 {.n_vcpus = 1, .features = 0x20},
	 "0ce9ccc06bab55eebe8abc234f3df6514883977a68a591b71052498ab52b2f1a"
	 "a415db338033946ef93aa8278c0d67fb",
	 LAUNCH_PROFILE_EC2},
	{"",
	 {.n_vcpus = 1},
	 "5da7106cf14cf46b1725ebab123eb9e53bd46a1e9f400cd0c08e7827b04b688e"
	 "a8b4e403c8404efed4397ea5d5d0722e",
	 LAUNCH_PROFILE_GCE},
	{"",
	 {.n_vcpus = 4},
	 "5c5debf100fc339f90276e761ee1f1658d08922c3b20e2a2e6c7a6c3370b2452"
	 "a15a00eae11886a93d6fd1e7ab81e29d",
	 LAUNCH_PROFILE_GCE},
};

START_TEST(test_published_digests_are_ours)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++) {
		const char *cmdline = published[i].cmdline;
		struct launch_vcpus vcpus = published[i].vcpus;
		struct ovmf_hashes hashes;
		struct ovmf_image image;
		struct offline offline;
		uint8_t bytes[4096];
		struct ovmf_snp snp;

		offline_init(&offline, sizeof(bytes));
		offline.launch.profile = published[i].profile;
		firmware_read_suffix(bytes, &image);
		ck_assert_int_eq(ovmf_parse_snp(&image, &snp, NULL), 0);
		if (cmdline)
			ck_assert_int_eq(ovmf_hashes_init(&hashes, "", 0, NULL, 0, cmdline), 0);
		ck_assert_int_eq(ovmf_launch(offline.memory, &image, &snp,
					     cmdline ? &hashes : NULL, &offline.launch, NULL),
				 0);
		ck_assert_int_eq(cpu_signature_find("EPYC-v4", &vcpus.signature), 0);
		check_digest(&offline, snp.ap_entry, &vcpus, published[i].wanted);
		offline_fini(&offline);
	}
}
END_TEST

/* COMPUTED, with one processor, which every launch has. */
static const struct {
	size_t n_pieces;
	struct launch_piece pieces[3];
	const char *wanted;
} computed[] = {
	{0,
	 {{.kind = 0}},
	 "108432463da76821f35c5daf2f7aecc0ce9ce88652de5f70f638c7a0345c11f2"
	 "f80025654b80e7be10a9fe0ee1b75f33"},
	{1,
	 {{{0x1000, 0x2000}, LAUNCH_MEASURED}},
	 "48795caa47068d50072a280d3638ba7c99c9c3d04e3857b7088b4f35713524ca"
	 "a870149acc62866f100c5f617a4fb34e"},
	{1,
	 {{{0x1000, 0x2000}, LAUNCH_ZERO}},
	 "e29b9777288e5430d98304372768b012a5dd03d566f1289f688df6e5f340837f"
	 "49215fc478916a92b642ccb87cfcb2ba"},
	{3,
	 {{{0x2000, 0x3000}, LAUNCH_SECRETS},
	  {{0x3000, 0x4000}, LAUNCH_CPUID},
	  {{0x4000, 0x5000}, LAUNCH_UNMEASURED}},
	 "84da4951b41d152ddb6f6ff94df4678dc01770a953e750288f3507049159aae0"
	 "835771c4dd32860e8062b83c831a5b54"},
};

START_TEST(test_each_kind_of_page_has_its_digest)
{
	const struct launch_vcpus vcpus = {.n_vcpus = 1, .signature = 0x800f12};

	for (size_t i = 0; i < ARRAY_SIZE(computed); i++) {
		struct offline offline;

		offline_init(&offline, 0);
		for (size_t k = 0; k < computed[i].n_pieces; k++)
			offline_add(&offline, computed[i].pieces[k].gpa,
				    computed[i].pieces[k].kind);
		/* What is not measured may be anything. */
		ck_assert_int_eq(guest_write(offline.memory, 0x4000, "anything", 8), 0);
		check_digest(&offline, 0, &vcpus, computed[i].wanted);
		offline_fini(&offline);
	}
}
END_TEST

START_TEST(test_what_is_no_memory_has_no_digest)
{
	const struct boot_entry entry = {.mode = BOOT_MODE_RESET};
	const struct launch_vcpus vcpus = {.entry = &entry, .n_vcpus = 1};
	uint8_t digest[LAUNCH_DIGEST_BYTES];
	struct offline offline;

	offline_init(&offline, 0);
	offline_add(&offline,
		    (struct range){OFFLINE_RAM_BYTES - 0x1000, OFFLINE_RAM_BYTES + 0x1000},
		    LAUNCH_MEASURED);
	ck_assert_int_eq(launch_digest_snp(offline.memory, &offline.launch, &vcpus, digest),
			 -EFAULT);
	ck_assert_int_eq(
		launch_digest_tdx(offline.memory, &offline.launch, LAUNCH_TWO_PASS, digest),
		-EFAULT);
	offline_fini(&offline);
}
END_TEST

START_TEST(test_a_kernel_needs_firmware_that_checks_it)
{
	struct ovmf_hashes hashes = {0};
	struct firmware firmware;
	struct offline offline;
	struct err err = {0};
	struct ovmf_snp snp;

	offline_init(&offline, FIRMWARE_BYTES);
	firmware_make(&firmware);
	firmware_put32(&firmware, FIRMWARE_SNP + 16 + 4 * 12 + 8, OVMF_SNP_MEMORY);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, NULL), 0);
	ck_assert_int_eq(ovmf_launch(offline.memory, &firmware.image, &snp, &hashes,
				     &offline.launch, &err),
			 -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "firmware 'fw': has no page for hashes"));
	ck_assert_uint_eq(offline.launch.n_pieces, 0);
	ck_assert_int_eq(
		ovmf_launch(offline.memory, &firmware.image, &snp, NULL, &offline.launch, NULL),
		0);
	ck_assert_uint_eq(offline.launch.n_pieces, 6);
	offline_fini(&offline);
}
END_TEST

START_TEST(test_a_section_needs_memory)
{
	struct firmware firmware;
	struct offline offline;
	struct err err = {0};
	struct ovmf_snp snp;

	offline_init(&offline, FIRMWARE_BYTES);
	firmware_make(&firmware);
	firmware_put32(&firmware, FIRMWARE_SNP + 16, OFFLINE_RAM_BYTES - 0x1000);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, NULL), 0);
	ck_assert_int_eq(
		ovmf_launch(offline.memory, &firmware.image, &snp, NULL, &offline.launch, &err),
		-ENOSPC);
	ck_assert_str_eq(err.text, "firmware 'fw': needs memory at 0xfff000..0x1008000, where "
				   "the guest has none; give the guest more memory");
	offline_fini(&offline);
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
	uint8_t page[GRANULE_BYTES];
	struct ovmf_hashes hashes;
	struct firmware firmware;
	struct offline offline;
	struct ovmf_snp snp;

	offline_init(&offline, FIRMWARE_BYTES);
	firmware_make(&firmware);
	ck_assert_int_eq(ovmf_parse_snp(&firmware.image, &snp, NULL), 0);
	ck_assert_int_eq(ovmf_hashes_init(&hashes, "abc", 3, NULL, 0, ""), 0);
	/* Whatever was there before. */
	memset(page, 0x5a, sizeof(page));
	ck_assert_int_eq(guest_write(offline.memory, 0x810000, page, sizeof(page)), 0);
	ck_assert_int_eq(ovmf_launch(offline.memory, &firmware.image, &snp, &hashes,
				     &offline.launch, NULL),
			 0);
	ck_assert_uint_eq(offline.launch.n_pieces, 6);
	ck_assert_int_eq(offline.launch.pieces[5].kind, LAUNCH_MEASURED);
	ck_assert_uint_eq(offline.launch.pieces[5].gpa.start, 0x810000);
	ck_assert_int_eq(guest_read(offline.memory, 0x810000, page, sizeof(page)), 0);
	ck_assert_int_eq(memcmp(page, zeroes, 0xc00), 0);
	ck_assert_uint_eq(page[0xc00], 0x06);
	ck_assert_uint_eq(page[0xc00 + 16], 168);
	ck_assert_uint_eq(page[0xc00 + 18 + 16], 50);
	ck_assert_int_eq(memcmp(page + 0xc00 + 18 + 18, one_zero, 8), 0);
	ck_assert_int_eq(memcmp(page + 0xc00 + 18 + 50 + 18, nothing, 8), 0);
	ck_assert_int_eq(memcmp(page + 0xc00 + 18 + 100 + 18, abc, 8), 0);
	ck_assert_int_eq(memcmp(page + 0xc00 + 168, zeroes, 0x400 - 168), 0);
	offline_fini(&offline);
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
		test_each_kind_of_page_has_its_digest,
		test_what_is_no_memory_has_no_digest,
		test_a_section_needs_memory,
		test_a_kernel_needs_firmware_that_checks_it,
		test_hashes_lie_where_the_firmware_looks,
		test_a_processor_of_64_bits_keeps_its_state,
		test_models_have_signatures,
	};

	return unit_run(unit_suite("measure_snp", tests, ARRAY_SIZE(tests)));
}
