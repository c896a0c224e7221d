// SPDX-License-Identifier: GPL-2.0-or-later
/* IGVM files in the fake kernel's guest memory, and what is measured of them. */
#include "boot/igvm/load.h"

#include <errno.h>
#include <libfdt.h>
#include <linux/kvm.h>

#include "boot/launch.h"
#include "boot/measure/snp.h"
#include "boot/measure/tdx.h"
#include "tests/fake/fake.h"
#include "tests/unit/igvm_files.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

struct fixture {
	struct fake *fake;
	int vm;
	struct layout layout;
	struct guest_memory *memory;
	struct boot_machine machine;
	struct igvm_target target;
	struct igvm igvm;
	struct launch launch;
	struct err err;
};

static void fixture_init(struct fixture *fixture, const struct igvm_file *file,
			 enum igvm_platform platform, uint64_t ram_bytes)
{
	uint64_t firmware_bytes;
	struct host *host;

	*fixture = (struct fixture){
		.fake = fake_new(),
		.machine = {.layout = &fixture->layout, .n_vcpus = 3},
		.target = {.machine = &fixture->machine, .cmdline = "console=ttyS0 quiet"},
	};
	host = fake_host(fixture->fake);
	ck_assert_int_eq(igvm_parse(&fixture->igvm, file, platform, NULL), 0);
	ck_assert_int_eq(igvm_get_firmware_bytes(&fixture->igvm, &firmware_bytes, NULL), 0);
	fixture->vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	ck_assert_int_ge(fixture->vm, 0);
	ck_assert_int_eq(layout_init(&fixture->layout, ram_bytes, 46, NULL), 0);
	if (firmware_bytes)
		layout_add_firmware(&fixture->layout, firmware_bytes);
	ck_assert_int_eq(guest_memory_new(host, fixture->vm, &fixture->layout, BACKING_PLAIN,
					  &fixture->memory, NULL),
			 0);
}

static int fixture_load(struct fixture *fixture)
{
	return igvm_load(&fixture->igvm, fixture->memory, &fixture->target, &fixture->launch,
			 &fixture->err);
}

static void fixture_fini(struct fixture *fixture)
{
	igvm_fini(&fixture->igvm);
	launch_fini(&fixture->launch);
	guest_memory_free(fixture->memory);
	host_close(fake_host(fixture->fake), fixture->vm);
	fake_free(fixture->fake);
}

static void read_guest(const struct fixture *fixture, gpa_t gpa, void *ret_bytes, size_t n)
{
	ck_assert_int_eq(guest_read(fixture->memory, gpa, ret_bytes, n), 0);
}

static bool is_filled(const struct fixture *fixture, gpa_t gpa, size_t n, uint8_t fill)
{
	for (size_t done = 0; done < n; done += GRANULE_BYTES) {
		uint8_t page[GRANULE_BYTES];
		size_t bytes = n - done < sizeof(page) ? n - done : sizeof(page);

		read_guest(fixture, gpa + done, page, bytes);
		for (size_t i = 0; i < bytes; i++)
			if (page[i] != fill)
				return false;
	}
	return true;
}

/* --- Pieces --- */

START_TEST(test_pieces_are_launched_in_the_order_of_the_file)
{
	static const struct launch_piece wanted[] = {
		{{0x813000, 0x814000}, LAUNCH_UNMEASURED},
		{{0x811000, 0x813000}, LAUNCH_UNMEASURED},
		{{0x810000, 0x811000}, LAUNCH_UNMEASURED},
		{{0x800000, 0x802000}, LAUNCH_MEASURED},
		{{0x802000, 0x804000}, LAUNCH_ZERO},
		{{0x804000, 0x805000}, LAUNCH_UNMEASURED},
		{{0x806000, 0x807000}, LAUNCH_CPUID},
		{{0x807000, 0x808000}, LAUNCH_SECRETS},
	};
	static struct igvm_writer writer;
	struct fixture fixture;
	struct coconut at;

	igvm_file_coconut(&writer, &at);
	fixture_init(&fixture, &writer.file, IGVM_SNP, 32 * MIB);
	ck_assert_int_eq(fixture_load(&fixture), 0);
	ck_assert_uint_eq(fixture.launch.n_pieces, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
		const struct launch_piece *piece = &fixture.launch.pieces[i];

		ck_assert_uint_eq(piece->gpa.start, wanted[i].gpa.start);
		ck_assert_uint_eq(piece->gpa.end, wanted[i].gpa.end);
		ck_assert_int_eq(piece->kind, wanted[i].kind);
	}
	ck_assert(is_filled(&fixture, 0x800000, 0x1000, 0x11));
	ck_assert(is_filled(&fixture, 0x801000, 0x1000, 0x22));
	ck_assert(is_filled(&fixture, 0x802000, 0x2000, 0));
	ck_assert(is_filled(&fixture, 0x804000, 0x1000, 0x33));
	/* Whoever launches fills these. */
	ck_assert(is_filled(&fixture, 0x806000, 0x2000, 0));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_pieces_of_others_are_not_joined)
{
	static struct igvm_writer writer;
	struct fixture fixture;

	igvm_file_stage0(&writer);
	fixture_init(&fixture, &writer.file, IGVM_TDX, 16 * MIB);
	ck_assert_int_eq(launch_add(&fixture.launch, 0xffffd000, 0x1000, LAUNCH_MEASURED), 0);
	ck_assert_int_eq(fixture_load(&fixture), 0);
	ck_assert_uint_eq(fixture.launch.n_pieces, 3);
	ck_assert_uint_eq(fixture.launch.pieces[1].gpa.start, 0xffffe000);
	ck_assert_uint_eq(fixture.launch.pieces[1].gpa.end, PLATFORM_4G);
	ck_assert(is_filled(&fixture, 0xfffff000, 0x1000, 0x52));
	fixture_fini(&fixture);
}
END_TEST

/* Two secrets pages side by side, which the kernel takes one at a time. */
START_TEST(test_pages_that_are_filled_stay_alone)
{
	static struct igvm_writer writer;
	struct fixture fixture;

	writer_init(&writer, 1);
	writer_add_platform(&writer, WRITER_SNP, IGVM_SNP);
	writer_add_page(&writer, WRITER_SNP, 0x1000, -1, 0, 1);
	writer_add_page(&writer, WRITER_SNP, 0x2000, -1, 0, 1);
	writer_add_page(&writer, WRITER_SNP, 0x3000, -1, 0, 2);
	writer_add_page(&writer, WRITER_SNP, 0x4000, -1, 0, 3);
	writer_end(&writer);
	fixture_init(&fixture, &writer.file, IGVM_SNP, 16 * MIB);
	ck_assert_int_eq(fixture_load(&fixture), 0);
	ck_assert_uint_eq(fixture.launch.n_pieces, 4);
	ck_assert_int_eq(fixture.launch.pieces[3].kind, LAUNCH_CPUID);
	fixture_fini(&fixture);
}
END_TEST

/* --- Measurement --- */

static const enum snp_page_type page_types[LAUNCH_KIND_COUNT] = {
	[LAUNCH_MEASURED] = SNP_PAGE_NORMAL,	   [LAUNCH_ZERO] = SNP_PAGE_ZERO,
	[LAUNCH_UNMEASURED] = SNP_PAGE_UNMEASURED, [LAUNCH_SECRETS] = SNP_PAGE_SECRETS,
	[LAUNCH_CPUID] = SNP_PAGE_CPUID,
};

/* As KVM_SEV_SNP_LAUNCH_UPDATE would, from what is in guest memory. */
static void measure_snp(const struct fixture *fixture, struct snp_digest *ret_digest)
{
	snp_digest_init(ret_digest);
	for (size_t i = 0; i < fixture->launch.n_pieces; i++) {
		const struct launch_piece *piece = &fixture->launch.pieces[i];
		bool is_measured = piece->kind == LAUNCH_MEASURED;

		for (gpa_t gpa = piece->gpa.start; gpa < piece->gpa.end; gpa += GRANULE_BYTES) {
			uint8_t page[GRANULE_BYTES];

			read_guest(fixture, gpa, page, sizeof(page));
			ck_assert_int_eq(snp_digest_page(ret_digest, page_types[piece->kind],
							 gpa, is_measured ? page : NULL),
					 0);
		}
	}
}

static void check_digest(const uint8_t *digest, const char *wanted)
{
	char text[2 * SNP_DIGEST_BYTES + 1];

	for (unsigned int i = 0; i < SNP_DIGEST_BYTES; i++)
		snprintf(text + (size_t)2 * i, 3, "%02x", digest[i]);
	ck_assert_str_eq(text, wanted);
}

/*
 * COMPUTED with Python's hashlib from the contents that igvm_file_* are described with, by the
 * definition of the digests alone, without any of our code.
 */
START_TEST(test_the_digest_of_a_file_is_that_of_its_description)
{
	static struct igvm_writer writer;
	struct snp_digest digest;
	struct fixture fixture;
	struct boot_vcpu vcpu;
	uint64_t features;
	struct coconut at;

	igvm_file_coconut(&writer, &at);
	fixture_init(&fixture, &writer.file, IGVM_SNP, 32 * MIB);
	ck_assert_int_eq(fixture_load(&fixture), 0);
	measure_snp(&fixture, &digest);
	ck_assert_int_eq(igvm_get_snp_vcpu(&fixture.igvm, &vcpu, &features, NULL), 0);
	ck_assert_int_eq(snp_digest_vcpus(&digest, &vcpu, NULL, 1, features), 0);
	check_digest(digest.bytes,
		     "067d6632e06028a787d83975afa0ba35832667e51379e97c5cecc3c069c6e3d5"
		     "700265706b8e3d952f2613762e6a791b");
	fixture_fini(&fixture);

	igvm_file_stage0(&writer);
	fixture_init(&fixture, &writer.file, IGVM_SNP, 32 * MIB);
	ck_assert_int_eq(fixture_load(&fixture), 0);
	measure_snp(&fixture, &digest);
	check_digest(digest.bytes,
		     "4bebc37c423d67ca2e361adea2af2efad822cee805ed60edd6c2ad9212990b86"
		     "2c224ed21648bfb903727765d35ec5da");
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_so_is_that_of_a_td)
{
	static struct igvm_writer writer;
	_cleanup_mrtd_ struct mrtd mrtd = {0};
	uint8_t digest[MRTD_BYTES];
	struct fixture fixture;

	igvm_file_stage0(&writer);
	fixture_init(&fixture, &writer.file, IGVM_TDX, 32 * MIB);
	ck_assert_int_eq(fixture_load(&fixture), 0);
	ck_assert_int_eq(mrtd_init(&mrtd), 0);
	for (size_t i = 0; i < fixture.launch.n_pieces; i++) {
		const struct launch_piece *piece = &fixture.launch.pieces[i];

		for (gpa_t gpa = piece->gpa.start; gpa < piece->gpa.end; gpa += GRANULE_BYTES) {
			uint8_t page[GRANULE_BYTES];

			read_guest(&fixture, gpa, page, sizeof(page));
			ck_assert_int_eq(mrtd_add_page(&mrtd, gpa), 0);
			if (piece->kind == LAUNCH_MEASURED)
				ck_assert_int_eq(mrtd_extend_page(&mrtd, gpa, page), 0);
		}
	}
	ck_assert_int_eq(mrtd_finish(&mrtd, digest), 0);
	check_digest(digest, "2971c0504499f3dd01871966c90cf5401462fdc08dbae763979810d0bbf0fedb"
			     "1654cc83f0b6403d83536dbd6bba52f2");
	fixture_fini(&fixture);
}
END_TEST

/* --- Parameters --- */

START_TEST(test_the_host_tells_what_it_has)
{
	struct {
		uint64_t first_page, n_pages;
		uint16_t type, flags;
		uint32_t reserved;
	} map[3];
	static struct igvm_writer writer;
	struct fixture fixture;
	struct coconut at;
	uint32_t words[2];
	char madt[64];

	igvm_file_coconut(&writer, &at);
	fixture_init(&fixture, &writer.file, IGVM_SNP, 5 * GIB);
	fixture.target.memory_is_shared = true;
	ck_assert_int_eq(fixture_load(&fixture), 0);
	read_guest(&fixture, 0x810000, words, sizeof(words));
	ck_assert_uint_eq(words[0], 3);
	ck_assert_uint_eq(words[1], 1);
	read_guest(&fixture, 0x813000, map, sizeof(map));
	ck_assert_uint_eq(map[0].first_page, 0);
	ck_assert_uint_eq(map[0].n_pages, 0xc0000);
	ck_assert_uint_eq(map[0].type, 0);
	ck_assert_uint_eq(map[1].first_page, 0x100000);
	ck_assert_uint_eq(map[1].n_pages, 0x80000);
	ck_assert_uint_eq(map[2].n_pages, 0);
	read_guest(&fixture, 0x811000, madt, sizeof(madt));
	ck_assert_mem_eq(madt, "APIC", 4);
	/* Processors 0 to 2, of type 0, 8 bytes each, behind 44 bytes. */
	ck_assert_uint_eq((uint8_t)madt[44 + 8 + 3], 1);
	fixture_fini(&fixture);
}
END_TEST

/* The parameters of igvm_file_native are 0x4000 apart, each 8 bytes further in its area. */
START_TEST(test_every_parameter_is_where_the_file_has_it)
{
	static struct igvm_writer writer;
	struct fixture fixture;
	uint64_t ranges[4];
	char cmdline[32];

	igvm_file_native(&writer);
	fixture_init(&fixture, &writer.file, IGVM_NATIVE, 32 * MIB);
	ck_assert_int_eq(igvm_load(&fixture.igvm, fixture.memory, &fixture.target, NULL, NULL),
			 0);
	ck_assert(is_filled(&fixture, 0x104000, 0x4000, 0)); /* SRAT */
	read_guest(&fixture, 0x10c018, ranges, sizeof(ranges));
	ck_assert_uint_eq(ranges[0], 0xc0000);
	ck_assert_uint_eq(ranges[1], 0x20000);
	ck_assert_uint_eq(ranges[2], fixture.layout.mmio64.start / GRANULE_BYTES);
	ck_assert_uint_eq(ranges[3], range_size(fixture.layout.mmio64) / GRANULE_BYTES);
	/* Around it, what the file has for the area. */
	ck_assert(is_filled(&fixture, 0x10c000, 0x18, 0x77));
	ck_assert(is_filled(&fixture, 0x10c038, 0xfc8, 0x77));
	read_guest(&fixture, 0x114028, cmdline, sizeof(cmdline));
	ck_assert_str_eq(cmdline, "console=ttyS0 quiet");
	ck_assert(is_filled(&fixture, 0x118000, 0x8000, 0)); /* SLIT, PPTT */
	ck_assert(is_filled(&fixture, 0x124048, 4, 0));	     /* nothing is shared */
	ck_assert(is_filled(&fixture, 0x200000, 0x1000, 0xcc));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_a_device_tree_has_what_the_format_adds)
{
	static struct igvm_writer writer;
	static _Alignas(8) uint8_t fdt[0x4000 - 0x40];
	struct fixture fixture;
	int node, length;

	igvm_file_native(&writer);
	fixture_init(&fixture, &writer.file, IGVM_NATIVE, 5 * GIB);
	ck_assert_int_eq(fixture_load(&fixture), 0);
	read_guest(&fixture, 0x120040, fdt, sizeof(fdt));
	ck_assert_int_eq(fdt_check_full(fdt, sizeof(fdt)), 0);
	for (unsigned int i = 0; i < 2; i++) {
		static const char *const paths[] = {"/memory@0", "/memory@100000000"};
		const fdt32_t *type;

		node = fdt_path_offset(fdt, paths[i]);
		ck_assert_int_ge(node, 0);
		type = fdt_getprop(fdt, node, "microsoft,igvm-type", &length);
		ck_assert_ptr_nonnull(type);
		ck_assert_int_eq(length, 4);
		ck_assert_uint_eq(fdt32_to_cpu(*type), 0);
	}
	node = fdt_path_offset(fdt, "/chosen");
	ck_assert_str_eq(fdt_getprop(fdt, node, "bootargs", NULL), "console=ttyS0 quiet");
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_a_tree_of_the_largest_machine_can_be_made)
{
	struct layout layout;
	struct boot_machine machine = {.layout = &layout, .n_vcpus = PLATFORM_VCPUS_MAX};
	const struct igvm_target target = {.machine = &machine, .cmdline = ""};

	ck_assert_int_eq(layout_init(&layout, 2 * TIB, 52, NULL), 0);
	for (unsigned int i = 0; i < IGVM_PARAMETER_TYPE_COUNT; i++) {
		size_t value_bytes = 0;
		void *value = NULL;

		ck_assert_int_eq(igvm_parameter_new(i, &target, &value, &value_bytes), 0);
		ck_assert_int_eq(value != NULL,
				 i != IGVM_SRAT && i != IGVM_SLIT && i != IGVM_PPTT);
		free(value);
	}
}
END_TEST

/* --- What does not fit --- */

START_TEST(test_a_parameter_that_does_not_fit_is_refused)
{
	static const struct {
		uint32_t type, room_bytes;
		bool fits;
	} parameters[] = {
		{0x307, 4, true},   {0x307, 3, false}, {0x313, 3, false},  {0x30c, 48, true},
		{0x30c, 47, false}, {0x30e, 20, true}, {0x30e, 19, false}, {0x30a, 32, true},
		{0x30a, 31, false}, {0x309, 80, true}, {0x309, 79, false}, {0x312, 64, false},
		{0x308, 1, true},
	};
	static struct igvm_writer writer;

	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++) {
		struct fixture fixture;

		writer_init(&writer, 1);
		writer_add_platform(&writer, WRITER_SNP, IGVM_SNP);
		writer_add_area(&writer, 0, 0x1000, 0);
		writer_add_parameter(&writer, parameters[i].type, 0,
				     0x1000 - parameters[i].room_bytes);
		writer_add_insert(&writer, WRITER_SNP, 0x5000, 0);
		writer_end(&writer);
		fixture_init(&fixture, &writer.file, IGVM_SNP, 16 * MIB);
		ck_assert_int_eq(fixture_load(&fixture), parameters[i].fits ? 0 : -E2BIG);
		if (!parameters[i].fits)
			ck_assert_ptr_nonnull(
				strstr(fixture.err.text, "but its area room for"));
		/* Nothing is written behind the area. */
		ck_assert(is_filled(&fixture, 0x6000, 0x1000, 0));
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(test_memory_that_is_not_there_is_asked_for)
{
	static const gpa_t gpas[] = {0x1000000, 0xbffff000, 0xff000000, 0x100000000};
	static struct igvm_writer writer;

	for (size_t i = 0; i < ARRAY_SIZE(gpas) * 2; i++) {
		struct fixture fixture;

		igvm_file_stage0(&writer);
		if (i % 2)
			writer_add_page(&writer, WRITER_SNP, gpas[i / 2], 1, 0, 0);
		else
			writer_add_range(&writer, 0x305, WRITER_SNP, gpas[i / 2], 0x1000);
		writer_end(&writer);
		fixture_init(&fixture, &writer.file, IGVM_SNP, 16 * MIB);
		/* A layout that was made for another file. */
		fixture.layout.firmware.start = 0xfffe0000;
		ck_assert_int_eq(fixture_load(&fixture), -ENOSPC);
		ck_assert_ptr_nonnull(strstr(fixture.err.text, ": needs memory at 0x"));
		ck_assert_ptr_nonnull(strstr(fixture.err.text, "give the guest more memory"));
		ck_assert_uint_eq(fixture.launch.n_pieces, 0);
		fixture_fini(&fixture);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_pieces_are_launched_in_the_order_of_the_file,
		test_pieces_of_others_are_not_joined,
		test_pages_that_are_filled_stay_alone,
		test_the_digest_of_a_file_is_that_of_its_description,
		test_so_is_that_of_a_td,
		test_the_host_tells_what_it_has,
		test_every_parameter_is_where_the_file_has_it,
		test_a_device_tree_has_what_the_format_adds,
		test_a_tree_of_the_largest_machine_can_be_made,
		test_a_parameter_that_does_not_fit_is_refused,
		test_memory_that_is_not_there_is_asked_for,
	};

	return unit_run(unit_suite("igvm_load", tests, ARRAY_SIZE(tests)));
}
