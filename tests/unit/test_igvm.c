// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/igvm/igvm.h"

#include <errno.h>

#include "tests/unit/igvm_files.h"
#include "tests/unit/unit.h"

/* Where a byte is that was written by igvm_file_*. */
static uint8_t data_of(const struct igvm *igvm, size_t piece)
{
	return igvm->file.bytes[igvm->pieces[piece].data_offset];
}

static void check_piece(const struct igvm *igvm, size_t i, gpa_t gpa, uint64_t size_bytes,
			enum igvm_kind kind)
{
	ck_assert_uint_lt(i, igvm->n_pieces);
	ck_assert_uint_eq(igvm->pieces[i].gpa, gpa);
	ck_assert_uint_eq(igvm->pieces[i].size_bytes, size_bytes);
	ck_assert_int_eq(igvm->pieces[i].kind, kind);
}

START_TEST(test_a_file_for_snp_is_understood)
{
	static struct igvm_writer writer;
	struct coconut at;
	struct igvm igvm;

	igvm_file_coconut(&writer, &at);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert(igvm.has_policy);
	ck_assert_uint_eq(igvm.policy, 0x30000);
	ck_assert_uint_eq(igvm.n_pieces, 10);
	check_piece(&igvm, 0, 0x813000, 0x1000, IGVM_AREA);
	check_piece(&igvm, 1, 0x811000, 0x2000, IGVM_AREA);
	check_piece(&igvm, 2, 0x810000, 0x1000, IGVM_AREA);
	check_piece(&igvm, 3, 0x800000, 0x1000, IGVM_MEASURED);
	ck_assert_uint_eq(data_of(&igvm, 3), 0x11);
	check_piece(&igvm, 4, 0x801000, 0x1000, IGVM_MEASURED);
	ck_assert_uint_eq(data_of(&igvm, 4), 0x22);
	check_piece(&igvm, 5, 0x802000, 0x1000, IGVM_ZERO);
	check_piece(&igvm, 6, 0x803000, 0x1000, IGVM_ZERO);
	check_piece(&igvm, 7, 0x804000, 0x1000, IGVM_UNMEASURED);
	ck_assert_uint_eq(data_of(&igvm, 7), 0x33);
	check_piece(&igvm, 8, 0x806000, 0x1000, IGVM_CPUID);
	check_piece(&igvm, 9, 0x807000, 0x1000, IGVM_SECRETS);
	ck_assert_uint_eq(igvm.n_ranges, 1);
	ck_assert_uint_eq(igvm.ranges[0].gpa.start, 0x900000);
	ck_assert_uint_eq(igvm.ranges[0].gpa.end, 0xa00000);
	ck_assert_uint_ne(igvm.context_offset, 0);
	ck_assert(igvm.has_id);
	igvm_fini(&igvm);
}
END_TEST

START_TEST(test_parameters_know_their_place)
{
	static const struct igvm_parameter wanted[] = {
		{.type = IGVM_MEMORY_MAP, .gpa = 0x813000, .room_bytes = 0x1000},
		{.type = IGVM_MADT, .gpa = 0x811000, .room_bytes = 0x2000},
		{.type = IGVM_VP_COUNT, .gpa = 0x810000, .room_bytes = 0x1000},
		{.type = IGVM_ENVIRONMENT_INFO, .gpa = 0x810004, .room_bytes = 0xffc},
	};
	static struct igvm_writer writer;
	struct coconut at;
	struct igvm igvm;

	igvm_file_coconut(&writer, &at);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert_uint_eq(igvm.n_parameters, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		ck_assert_int_eq(igvm.parameters[i].type, wanted[i].type);
		ck_assert_uint_eq(igvm.parameters[i].gpa, wanted[i].gpa);
		ck_assert_uint_eq(igvm.parameters[i].room_bytes, wanted[i].room_bytes);
	}
	igvm_fini(&igvm);
}
END_TEST

/* The same file for others: no state of a processor, no ID block, zeroes that are measured. */
START_TEST(test_platforms_see_what_is_theirs)
{
	static struct igvm_writer writer;
	struct coconut at;
	struct igvm igvm;

	igvm_file_coconut(&writer, &at);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_TDX, NULL), 0);
	ck_assert(!igvm.has_policy && !igvm.has_id && !igvm.context_offset);
	ck_assert_uint_eq(igvm.n_pieces, 9);
	check_piece(&igvm, 5, 0x802000, 0x1000, IGVM_MEASURED);
	check_piece(&igvm, 8, 0xfffff000, 0x1000, IGVM_MEASURED);
	igvm_fini(&igvm);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_NATIVE, NULL), 0);
	ck_assert_uint_eq(igvm.n_pieces, 8);
	igvm_fini(&igvm);
}
END_TEST

START_TEST(test_firmware_needs_memory_below_4_gib)
{
	static struct igvm_writer writer;
	uint64_t bytes, attributes;
	struct coconut at;
	struct igvm igvm;

	igvm_file_stage0(&writer);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_TDX, NULL), 0);
	ck_assert_int_eq(igvm_get_firmware_bytes(&igvm, &bytes, NULL), 0);
	ck_assert_uint_eq(bytes, 0x2000);
	ck_assert_int_eq(igvm_get_td_attributes(&igvm, &attributes, NULL), 0);
	ck_assert_uint_eq(attributes, UINT64_C(1) << 28);
	igvm_fini(&igvm);
	igvm_file_coconut(&writer, &at);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert_int_eq(igvm_get_firmware_bytes(&igvm, &bytes, NULL), 0);
	ck_assert_uint_eq(bytes, 0);
	igvm_fini(&igvm);
}
END_TEST

START_TEST(test_memory_where_devices_are_is_refused)
{
	static const struct {
		gpa_t gpa;
		uint32_t size_bytes;
		uint64_t wanted_bytes; /* 0: refused */
	} ranges[] = {
		{0xff000000, 0x1000, 0x1000000}, {0xfefff000, 0x1000, 0},
		{0xc0000000, 0x1000, 0},	 {0xbffff000, 0x2000, 0},
		{0xfffff000, 0x2000, 0},	 {0xbffff000, 0x1000, 0x1000},
		{0x100000000, 0x1000, 0x1000},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
		static struct igvm_writer writer;
		uint64_t bytes = 0;
		struct err err = {0};
		struct igvm igvm;
		int ret;

		igvm_file_stage0(&writer);
		writer_add_range(&writer, 0x305, WRITER_SNP, ranges[i].gpa,
				 ranges[i].size_bytes);
		writer_add_page(&writer, WRITER_SNP, 0x4000, -1, 0, 0);
		/* Only the last page of the firmware is left. */
		writer_put32(&writer, 32 + 2 * 24 + 2 * 24 + 8 + 8, 0);
		writer_end(&writer);
		ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, &err), 0);
		ret = igvm_get_firmware_bytes(&igvm, &bytes, &err);
		ck_assert_int_eq(ret, ranges[i].wanted_bytes ? 0 : -ENOEXEC);
		ck_assert_uint_eq(bytes, ranges[i].wanted_bytes);
		if (ret)
			ck_assert_ptr_nonnull(strstr(err.text, "is where devices are"));
		igvm_fini(&igvm);
	}
}
END_TEST

START_TEST(test_attributes_of_a_td_come_from_the_policy)
{
	struct igvm igvm = {.file = {.path = "p"}, .platform = IGVM_TDX, .has_policy = true};
	struct err err = {0};
	uint64_t attributes;

	igvm.policy = 3;
	ck_assert_int_eq(igvm_get_td_attributes(&igvm, &attributes, NULL), 0);
	ck_assert_uint_eq(attributes, UINT64_C(1) << 28 | 1);
	igvm.policy = 4;
	ck_assert_int_eq(igvm_get_td_attributes(&igvm, &attributes, &err), -ENOEXEC);
	ck_assert_str_eq(err.text, "igvm 'p': GUEST_POLICY: unknown bits 0x4 for TDX");
}
END_TEST

/* --- ID block --- */

static bool is_filled(const uint8_t *bytes, size_t n, int fill)
{
	for (size_t i = 0; i < n; i++)
		if (bytes[i] != fill)
			return false;
	return true;
}

START_TEST(test_an_id_block_is_put_together)
{
	static const struct {
		unsigned int offset, n;
		int fill;
	} auth[] = {{0x40, 72, 0xa1},  {0x88, 72, 0xa2},  {0xd0, 0x170, 0},
		    {0x244, 72, 0xb1}, {0x28c, 72, 0xb2}, {0x680, 72, 0xc1},
		    {0x6c8, 72, 0xc2}, {0x884, 72, 0xe1}, {0x8cc, 72, 0xe2}};
	static struct igvm_writer writer;
	struct coconut at;
	struct igvm igvm;
	const uint8_t *block = igvm.id.block;

	igvm_file_coconut(&writer, &at);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert(igvm.id.has_author_key);
	ck_assert(is_filled(block, 48, 0xd1));
	ck_assert(is_filled(block + 48, 16, 0xfa));
	ck_assert(is_filled(block + 64, 16, 0x1a));
	ck_assert_mem_eq(block + 80, "\1\0\0\0\7\0\0\0\0\0\3\0\0\0\0\0", 16);
	for (size_t i = 0; i < ARRAY_SIZE(auth); i++)
		ck_assert(is_filled(igvm.id.auth + auth[i].offset, auth[i].n, auth[i].fill));
	ck_assert_mem_eq(igvm.id.auth, "\1\0\0\0\1\0\0\0", 8);
	ck_assert_mem_eq(igvm.id.auth + 0x240, "\2\0\0\0", 4);
	ck_assert_mem_eq(igvm.id.auth + 0x880, "\2\0\0\0", 4);
	igvm_fini(&igvm);

	/* What is not enabled is not taken. */
	writer.bytes[at.id + 4] = 0;
	writer_put_checksum(&writer);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert(!igvm.id.has_author_key);
	ck_assert(is_filled(igvm.id.auth + 0x680, 4096 - 0x680, 0));
	igvm_fini(&igvm);
}
END_TEST

/* --- The state of a processor --- */

START_TEST(test_the_state_of_a_processor_is_found)
{
	static struct igvm_writer writer;
	struct boot_vcpu vcpu;
	struct err err = {0};
	uint64_t features;
	struct coconut at;
	struct igvm igvm;

	igvm_file_coconut(&writer, &at);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert_int_eq(igvm_get_snp_vcpu(&igvm, &vcpu, &features, NULL), 0);
	ck_assert_uint_eq(features, 0);
	ck_assert_uint_eq(vcpu.regs.rip, 0x800000);
	ck_assert_uint_eq(vcpu.sregs.cr3, 0x801000);
	ck_assert(vcpu.has_state);
	ck_assert_uint_eq(vcpu.state.dr6, 0);
	writer.bytes[igvm.context_offset + 0x3b0] |= 8;
	ck_assert_int_eq(igvm_get_snp_vcpu(&igvm, &vcpu, &features, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "igvm 'guest.igvm': offset 0x"));
	ck_assert_ptr_nonnull(strstr(err.text, "VMSA: sev_features has bits 0x8 "
					       "(RestrictedInjection), which KVM"));
	igvm_fini(&igvm);
	igvm_file_stage0(&writer);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_SNP, NULL), 0);
	ck_assert_int_eq(igvm_get_snp_vcpu(&igvm, &vcpu, &features, NULL), -ENOENT);
	igvm_fini(&igvm);
}
END_TEST

START_TEST(test_the_state_of_a_native_processor_is_found)
{
	static const uint8_t attributes[] = {0x9b, 0xa0, 0x93, 0xc0};
	static struct igvm_writer writer;
	uint8_t page[GRANULE_BYTES] = {0};
	struct boot_vcpu vcpu = {0};
	struct err err = {0};
	struct igvm igvm;

	for (uint8_t i = 0; i < 18; i++)
		page[i * 8] = i + 1;
	page[152] = 0x1f; /* limits */
	page[158] = 0x2f;
	page[168] = 8; /* code */
	memcpy(page + 170, attributes, 2);
	page[180] = 0x10; /* data */
	memcpy(page + 182, attributes + 2, 2);
	page[194] = 0x55; /* base of gs */
	page[200] = 0x31;
	page[217] = 0x06;
	page[225] = 0x05;
	igvm_file_native(&writer);
	writer_add_context(&writer, WRITER_NATIVE, 0, page);
	writer_end(&writer);
	ck_assert_int_eq(igvm_parse(&igvm, &writer.file, IGVM_NATIVE, NULL), 0);
	ck_assert_int_eq(igvm_get_native_vcpu(&igvm, &vcpu, NULL), 0);
	ck_assert_uint_eq(vcpu.regs.rax, 1);
	ck_assert_uint_eq(vcpu.regs.rsp, 5);
	ck_assert_uint_eq(vcpu.regs.rdi, 8);
	ck_assert_uint_eq(vcpu.regs.r15, 16);
	ck_assert_uint_eq(vcpu.regs.rip, 17);
	ck_assert_uint_eq(vcpu.regs.rflags, 18);
	ck_assert_uint_eq(vcpu.sregs.idt.limit, 0x1f);
	ck_assert_uint_eq(vcpu.sregs.gdt.limit, 0x2f);
	ck_assert_uint_eq(vcpu.sregs.cs.selector, 8);
	ck_assert(vcpu.sregs.cs.l && vcpu.sregs.cs.g && !vcpu.sregs.cs.db);
	ck_assert_uint_eq(vcpu.sregs.cs.type, 11);
	ck_assert(!vcpu.sregs.ss.l && vcpu.sregs.ss.g && vcpu.sregs.ss.db);
	ck_assert_uint_eq(vcpu.sregs.gs.base, 0x550000);
	ck_assert_uint_eq(vcpu.sregs.fs.base, 0);
	ck_assert_uint_eq(vcpu.sregs.cr0, 0x31);
	ck_assert_uint_eq(vcpu.sregs.cr4, 0x600);
	ck_assert_uint_eq(vcpu.sregs.efer, 0x500);
	writer.bytes[igvm.context_offset + 171] |= 1;
	ck_assert_int_eq(igvm_get_native_vcpu(&igvm, &vcpu, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "VP_CONTEXT: attributes 0xa19b have reserved"));
	writer.bytes[igvm.context_offset + 157] = 1;
	ck_assert_int_eq(igvm_get_native_vcpu(&igvm, &vcpu, &err), -ENOEXEC);
	ck_assert_ptr_nonnull(strstr(err.text, "VP_CONTEXT: reserved, but not zero"));
	igvm_fini(&igvm);
}
END_TEST

/* Made with other tools than ours: the checksum is that of Python's zlib. */
START_TEST(test_a_file_of_another_hand_is_read)
{
	static const uint8_t bytes[80 + 4096] = {
		0x49, 0x47, 0x56, 0x4d, 0x01, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00, 0x00,
		0x38, 0x00, 0x00, 0x00, 0x50, 0x10, 0x00, 0x00, 0xdb, 0x36, 0xee, 0x7f,
		0x01, 0x00, 0x00, 0x00, 0x10, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
		0x00, 0x02, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
		0x02, 0x03, 0x00, 0x00, 0x18, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x50, 0x00, 0x00, 0x00,
		0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
	};
	const struct igvm_file file = {
		.path = "p", .bytes = bytes, .size_bytes = sizeof(bytes)};
	struct igvm igvm;

	ck_assert_int_eq(igvm_parse(&igvm, &file, IGVM_SNP, NULL), 0);
	check_piece(&igvm, 0, 0x10000, 0x1000, IGVM_MEASURED);
	ck_assert_uint_eq(igvm.pieces[0].data_offset, 80);
	igvm_fini(&igvm);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_a_file_for_snp_is_understood,
		test_parameters_know_their_place,
		test_platforms_see_what_is_theirs,
		test_firmware_needs_memory_below_4_gib,
		test_memory_where_devices_are_is_refused,
		test_attributes_of_a_td_come_from_the_policy,
		test_an_id_block_is_put_together,
		test_the_state_of_a_processor_is_found,
		test_the_state_of_a_native_processor_is_found,
		test_a_file_of_another_hand_is_read,
	};

	return unit_run(unit_suite("igvm", tests, ARRAY_SIZE(tests)));
}
