// SPDX-License-Identifier: GPL-2.0-or-later
/* Guests with a guard, loaded into the fake kernel's memory: what the stub will find. */
#include "boot/stub_load.h"

#include <errno.h>
#include <libfdt.h>
#include <linux/kvm.h>

#include "boot/launch.h"
#include "boot/params.h"
#include "boot/place.h"
#include "boot/stub/work.h"
#include "tests/fake/fake.h"
#include "tests/unit/images.h"
#include "vmm/err.h"
#include "vmm/platform.h"

struct fixture {
	struct fake *fake;
	int vm;
	struct layout layout;
	struct guest_memory *memory;
	struct boot_machine machine;
	struct boot_source source;
	struct launch launch;
	struct boot_entry entry;
	struct stub_params params;
	struct err err;
	int kernel_fd;
	char kernel_path[64];
};

static int fixture_load(struct fixture *fixture, enum boot_guard guard, enum boot_hw hw,
			bool is_elf)
{
	struct image image;
	struct host *host;
	int ret;

	*fixture = (struct fixture){
		.fake = fake_new(),
		.source = {.kernel_path = fixture->kernel_path, .cmdline = "quiet"},
		.machine = {.layout = &fixture->layout,
			    .n_vcpus = 3,
			    .hw = hw,
			    .guard = guard,
			    .c_bit = 51},
	};
	host = fake_host(fixture->fake);
	fixture->vm = host_vm_create(host, KVM_X86_DEFAULT_VM);
	ck_assert_int_eq(layout_init(&fixture->layout, 4 * GIB, 46, NULL), 0);
	layout_add_firmware(&fixture->layout, STUB_FIRMWARE_BYTES);
	ck_assert_int_eq(guest_memory_new(host, fixture->vm, &fixture->layout, BACKING_PLAIN,
					  &fixture->memory, NULL),
			 0);
	if (is_elf)
		elf_make(&image);
	else
		bzimage_make(&image);
	image_write(image.bytes, image.size_bytes, &fixture->kernel_fd, fixture->kernel_path);
	ret = boot_load(fixture->memory, &fixture->machine, &fixture->source, &fixture->launch,
			&fixture->entry, &fixture->err);
	if (!ret)
		ck_assert_int_eq(guest_read(fixture->memory, STUB_PARAMS_GPA, &fixture->params,
					    sizeof(fixture->params)),
				 0);
	return ret;
}

static void fixture_fini(struct fixture *fixture)
{
	launch_fini(&fixture->launch);
	guest_memory_free(fixture->memory);
	host_close(fake_host(fixture->fake), fixture->vm);
	fake_free(fixture->fake);
	close(fixture->kernel_fd);
}

static bool params_have(const struct stub_params *params, gpa_t gpa)
{
	for (uint32_t i = 0; i < params->n_ranges; i++) {
		if (params->ranges[i].start <= gpa && gpa < params->ranges[i].end)
			return true;
	}
	return false;
}

static void fixture_read(struct fixture *fixture, gpa_t gpa, void *buffer, size_t size_bytes)
{
	ck_assert_int_eq(guest_read(fixture->memory, gpa, buffer, size_bytes), 0);
}

START_TEST(test_every_page_of_ram_is_launched_or_left_to_the_stub)
{
	static const enum boot_guard guards[] = {BOOT_GUARD_SNP, BOOT_GUARD_TDX};

	for (size_t i = 0; i < ARRAY_SIZE(guards); i++) {
		struct fixture fixture;
		uint64_t n = 0;

		ck_assert_msg(fixture_load(&fixture, guards[i], BOOT_HW_ACPI, false) == 0, "%s",
			      fixture.err.text);
		for (gpa_t gpa = 0; gpa < 5 * GIB; gpa += GRANULE_BYTES) {
			struct range page = {.start = gpa, .end = gpa + GRANULE_BYTES};
			bool is_ram = gpa < 3 * GIB || gpa >= 4 * GIB;
			bool is_launched = launch_find(&fixture.launch, page);

			ck_assert_int_eq(params_have(&fixture.params, gpa),
					 is_ram && !is_launched);
			n += is_launched;
		}
		ck_assert_uint_lt(n, 64);
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(test_the_firmware_range_is_launched_as_its_platform_needs_it)
{
	static const struct launch_piece snp[] = {
		{{STUB_SECRETS_GPA, STUB_CPUID_GPA}, LAUNCH_SECRETS},
		{{STUB_CPUID_GPA, STUB_TABLES_GPA}, LAUNCH_CPUID},
		{{STUB_TABLES_GPA, STUB_STATE_GPA}, LAUNCH_MEASURED},
		{{STUB_STATE_GPA, STUB_PARAMS_GPA}, LAUNCH_ZERO},
		{{STUB_PARAMS_GPA, PLATFORM_4G}, LAUNCH_MEASURED},
	};
	const struct launch_piece *last;
	struct fixture fixture;

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP, BOOT_HW_ACPI, false), 0);
	ck_assert_uint_gt(fixture.launch.n_pieces, ARRAY_SIZE(snp));
	for (size_t i = 0; i < ARRAY_SIZE(snp); i++) {
		const struct launch_piece *piece =
			&fixture.launch.pieces[fixture.launch.n_pieces - ARRAY_SIZE(snp) + i];

		ck_assert_uint_eq(piece->gpa.start, snp[i].gpa.start);
		ck_assert_uint_eq(piece->gpa.end, snp[i].gpa.end);
		ck_assert_int_eq(piece->kind, snp[i].kind);
	}
	fixture_fini(&fixture);

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX, BOOT_HW_ACPI, false), 0);
	last = &fixture.launch.pieces[fixture.launch.n_pieces - 1];
	ck_assert_uint_eq(last->gpa.start, STUB_FIRMWARE_GPA);
	ck_assert_uint_eq(last->gpa.end, PLATFORM_4G);
	ck_assert_int_eq(last->kind, LAUNCH_MEASURED);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_tables_of_snp_guests_say_encrypted)
{
	const uint64_t c_bit = UINT64_C(1) << 51;
	uint64_t tables[PAGE_TABLES_N][PAGE_TABLE_ENTRIES];
	struct fixture fixture;

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP, BOOT_HW_ACPI, false), 0);
	ck_assert_uint_eq(fixture.entry.cr3, STUB_TABLES_GPA);
	fixture_read(&fixture, STUB_TABLES_GPA, tables, sizeof(tables));
	ck_assert_uint_eq(tables[0][0] & ~UINT64_C(0xfff), c_bit | (STUB_TABLES_GPA + 0x1000));
	ck_assert_uint_eq(tables[1][3] & ~UINT64_C(0xfff), c_bit | (STUB_TABLES_GPA + 0x5000));
	ck_assert_uint_eq(tables[1][4], 0);
	ck_assert_uint_eq(tables[5][511] & ~UINT64_C(0xfff), c_bit | 0xffe00000);
	fixture_fini(&fixture);

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX, BOOT_HW_ACPI, false), 0);
	fixture_read(&fixture, STUB_TABLES_GPA, tables, sizeof(tables));
	ck_assert_uint_eq(tables[5][511] & ~UINT64_C(0xfff), 0xffe00000);
	ck_assert_uint_eq(fixture.params.c_bit, 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_snp_guests_find_secrets_and_cpuid_pages)
{
	static const enum boot_hw kinds[] = {BOOT_HW_ACPI, BOOT_HW_FDT};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		struct fixture fixture;
		struct boot_params params;
		struct setup_data next;
		struct cc_blob blob;

		ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP, kinds[i], false), 0);
		fixture_read(&fixture, fixture.params.boot_params, &params, sizeof(params));
		fixture_read(&fixture, params.hdr.setup_data, &blob, sizeof(blob));
		ck_assert_uint_eq(blob.type, SETUP_CC_BLOB);
		ck_assert_uint_eq(blob.bytes, 4);
		ck_assert_uint_eq(blob.blob_gpa,
				  params.hdr.setup_data + offsetof(struct cc_blob, magic));
		ck_assert_uint_eq(blob.magic, 0x45444d41);
		ck_assert_uint_eq(blob.secrets_gpa, STUB_SECRETS_GPA);
		ck_assert_uint_eq(blob.secrets_bytes, 4096);
		ck_assert_uint_eq(blob.cpuid_gpa, STUB_CPUID_GPA);
		ck_assert_uint_eq(blob.cpuid_bytes, 4096);
		ck_assert_int_eq(blob.next != 0, kinds[i] == BOOT_HW_FDT);
		if (blob.next) {
			fixture_read(&fixture, blob.next, &next, sizeof(next));
			ck_assert_uint_eq(next.type, SETUP_DTB);
		}
		fixture_fini(&fixture);
	}
}
END_TEST

START_TEST(test_memory_map_calls_tables_acpi_and_firmware_nvs)
{
	struct boot_params params;
	unsigned int n_found = 0;
	struct fixture fixture;

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX, BOOT_HW_ACPI, false), 0);
	fixture_read(&fixture, fixture.params.boot_params, &params, sizeof(params));
	for (unsigned int i = 0; i < params.e820_entries; i++) {
		const struct boot_e820_entry *entry = &params.e820_table[i];

		n_found += entry->addr == PLACE_HW_GPA && entry->size == 0x20000 &&
			   entry->type == MEMORY_TYPE_ACPI;
		n_found += entry->addr == STUB_FIRMWARE_GPA &&
			   entry->size == STUB_FIRMWARE_BYTES &&
			   entry->type == MEMORY_TYPE_ACPI_NVS;
	}
	ck_assert_uint_eq(n_found, 2);
	fixture_fini(&fixture);
}
END_TEST

/* Where the wakeup entry of the MADT has its mailbox, or 0. */
static uint64_t madt_find_mailbox(struct fixture *fixture)
{
	static uint8_t bytes[PLACE_HW_BYTES];
	uint64_t mailbox = 0;

	fixture_read(fixture, PLACE_HW_GPA, bytes, sizeof(bytes));
	for (size_t i = 0; i + 44 < sizeof(bytes); i++) {
		uint32_t table_bytes;

		if (memcmp(bytes + i, "APIC", 4) != 0)
			continue;
		memcpy(&table_bytes, bytes + i + 4, sizeof(table_bytes));
		for (size_t at = i + 44; at < i + table_bytes; at += bytes[at + 1]) {
			ck_assert_uint_gt(bytes[at + 1], 0);
			if (bytes[at] == 16)
				memcpy(&mailbox, bytes + at + 8, sizeof(mailbox));
		}
	}
	return mailbox;
}

START_TEST(test_td_guests_are_told_of_the_mailbox)
{
	static uint8_t bytes[PLACE_HW_BYTES];
	const fdt64_t *reg;
	struct fixture fixture;
	int node, length;

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX, BOOT_HW_ACPI, false), 0);
	ck_assert_uint_eq(madt_find_mailbox(&fixture), STUB_MAILBOX_GPA);
	fixture_fini(&fixture);
	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP, BOOT_HW_ACPI, false), 0);
	ck_assert_uint_eq(madt_find_mailbox(&fixture), 0);
	fixture_fini(&fixture);

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_TDX, BOOT_HW_FDT, false), 0);
	fixture_read(&fixture, PLACE_HW_GPA + sizeof(struct setup_data), bytes,
		     sizeof(bytes) - sizeof(struct setup_data));
	node = fdt_node_offset_by_compatible(bytes, -1, "intel,wakeup-mailbox");
	ck_assert_int_ge(node, 0);
	reg = fdt_getprop(bytes, node, "reg", &length);
	ck_assert_int_eq(length, 16);
	ck_assert_uint_eq(fdt64_to_cpu(reg[0]), STUB_MAILBOX_GPA);
	ck_assert_uint_eq(fdt64_to_cpu(reg[1]), 4096);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_elf_kernels_are_refused_by_name)
{
	struct fixture fixture;

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP, BOOT_HW_ACPI, true), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fixture.err.text, "give the bzImage"));
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_only_the_first_processor_starts_in_the_stub_proper)
{
	struct boot_vcpu first, second;
	struct fixture fixture;

	ck_assert_int_eq(fixture_load(&fixture, BOOT_GUARD_SNP, BOOT_HW_ACPI, false), 0);
	boot_entry_get_vcpu(&fixture.entry, true, 0x800f12, &first);
	boot_entry_get_vcpu(&fixture.entry, false, 0x800f12, &second);
	ck_assert_uint_eq(first.regs.rip, STUB_SNP_ENTRY);
	ck_assert_uint_eq(second.regs.rip, STUB_SNP_OTHER_ENTRY);
	ck_assert_uint_eq(first.sregs.gdt.base, STUB_GDT_GPA);
	ck_assert_uint_eq(first.sregs.cr3, STUB_TABLES_GPA);
	ck_assert_uint_eq(first.sregs.efer, 0x500);
	ck_assert_uint_eq(first.sregs.cs.l, 1);
	/* Whatever the host injects finds no handler. */
	ck_assert_uint_eq(second.sregs.idt.limit, 0);
	second.regs.rip = first.regs.rip;
	ck_assert_mem_eq(&first, &second, sizeof(first));
	fixture_fini(&fixture);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_every_page_of_ram_is_launched_or_left_to_the_stub,
		test_the_firmware_range_is_launched_as_its_platform_needs_it,
		test_tables_of_snp_guests_say_encrypted,
		test_snp_guests_find_secrets_and_cpuid_pages,
		test_memory_map_calls_tables_acpi_and_firmware_nvs,
		test_td_guests_are_told_of_the_mailbox,
		test_elf_kernels_are_refused_by_name,
		test_only_the_first_processor_starts_in_the_stub_proper,
	};

	return unit_run(unit_suite("stub_load", tests, ARRAY_SIZE(tests)));
}
