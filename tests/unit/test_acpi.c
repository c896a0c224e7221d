// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables as a guest reads them: from the RSDP on, by offset, checksums first. */
#include "boot/acpi/acpi.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/place.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

#define TABLES_GPA PLACE_HW_GPA

static uint8_t tables[PLACE_HW_BYTES];

static struct layout layout;

static struct boot_machine make_machine(uint64_t ram_bytes, unsigned int n_vcpus)
{
	ck_assert_int_eq(layout_init(&layout, ram_bytes, 46, NULL), 0);
	return (struct boot_machine){.layout = &layout, .n_vcpus = n_vcpus};
}

static uint64_t get(const uint8_t *bytes, size_t offset, unsigned int n_bytes)
{
	uint64_t value = 0;

	for (unsigned int i = 0; i < n_bytes; i++)
		value |= (uint64_t)bytes[offset + i] << (8 * i);
	return value;
}

static uint8_t sum_of(const uint8_t *bytes, size_t size_bytes)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < size_bytes; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum;
}

/* The table at a guest address: wholly in the buffer, sum 0. */
static const uint8_t *get_table(uint64_t gpa, const char *signature)
{
	const uint8_t *table = tables + (gpa - TABLES_GPA);

	ck_assert_uint_ge(gpa, TABLES_GPA);
	ck_assert_uint_lt(gpa, TABLES_GPA + sizeof(tables) - 36);
	ck_assert_uint_eq(gpa % 16, 0);
	ck_assert_mem_eq(table, signature, 4);
	ck_assert_uint_le(gpa + get(table, 4, 4), TABLES_GPA + sizeof(tables));
	ck_assert_uint_eq(sum_of(table, get(table, 4, 4)), 0);
	ck_assert_mem_eq(table + 10, "ALCOVE", 6);
	return table;
}

static const uint8_t *find_table(const char *signature)
{
	const uint8_t *xsdt;

	ck_assert_mem_eq(tables, "RSD PTR ", 8);
	ck_assert_uint_eq(sum_of(tables, 20), 0);
	ck_assert_uint_eq(sum_of(tables, 36), 0);
	ck_assert_uint_eq(tables[15], 2);
	ck_assert_uint_eq(get(tables, 16, 4), 0);
	xsdt = get_table(get(tables, 24, 8), "XSDT");
	for (size_t offset = 36; offset < get(xsdt, 4, 4); offset += 8) {
		uint64_t gpa = get(xsdt, offset, 8);

		if (memcmp(tables + (gpa - TABLES_GPA), signature, 4) == 0)
			return get_table(gpa, signature);
	}
	ck_abort_msg("no table %s", signature);
	return NULL;
}

static size_t make_tables(uint64_t ram_bytes, unsigned int n_vcpus)
{
	struct boot_machine machine = make_machine(ram_bytes, n_vcpus);

	return acpi_tables_init(tables, sizeof(tables), TABLES_GPA, &machine);
}

START_TEST(test_fadt_describes_a_machine_without_legacy)
{
	const uint8_t *fadt;

	ck_assert_uint_gt(make_tables(256 * MIB, 2), 0);
	fadt = find_table("FACP");
	ck_assert_uint_eq(get(fadt, 4, 4), 276);
	ck_assert_uint_eq(fadt[8], 6);
	ck_assert_uint_eq(fadt[131], 5);
	/* Neither FACS nor any fixed hardware register. */
	ck_assert_uint_eq(get(fadt, 36, 4), 0);
	for (size_t i = 46; i < 109; i++)
		ck_assert_uint_eq(fadt[i], 0);
	for (size_t i = 148; i < 244; i++)
		ck_assert_uint_eq(fadt[i], 0);
	ck_assert_uint_eq(get(fadt, 109, 2), 1 << 2 | 1 << 5);
	ck_assert_uint_eq(get(fadt, 112, 4),
			  1 << 0 | 1 << 2 | 1 << 4 | 1 << 5 | 1 << 10 | 1 << 20);
	get_table(get(fadt, 40, 4), "DSDT");
	ck_assert_uint_eq(get(fadt, 140, 8), get(fadt, 40, 4));
}
END_TEST

START_TEST(test_fadt_names_the_power_registers)
{
	static const uint8_t byte_port[] = {1, 8, 0, 1};
	const uint8_t *fadt;

	ck_assert_uint_gt(make_tables(256 * MIB, 1), 0);
	fadt = find_table("FACP");
	ck_assert_mem_eq(fadt + 116, byte_port, 4);
	ck_assert_uint_eq(get(fadt, 120, 8), PLATFORM_POWER_PORT + PLATFORM_POWER_RESET);
	ck_assert_uint_eq(fadt[128], PLATFORM_POWER_RESET_VALUE);
	ck_assert_mem_eq(fadt + 244, byte_port, 4);
	ck_assert_uint_eq(get(fadt, 248, 8),
			  PLATFORM_POWER_PORT + PLATFORM_POWER_SLEEP_CONTROL);
	ck_assert_mem_eq(fadt + 256, byte_port, 4);
	ck_assert_uint_eq(get(fadt, 260, 8), PLATFORM_POWER_PORT + PLATFORM_POWER_SLEEP_STATUS);
}
END_TEST

START_TEST(test_madt_lists_every_processor_and_the_ioapic)
{
	static const unsigned int counts[] = {1, 2, 16, PLATFORM_VCPUS_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		const uint8_t *madt, *entry;

		ck_assert_uint_gt(make_tables(256 * MIB, counts[i]), 0);
		madt = find_table("APIC");
		ck_assert_uint_eq(get(madt, 4, 4), 44 + 8 * counts[i] + 12);
		ck_assert_uint_eq(get(madt, 36, 4), PLATFORM_LAPIC_GPA);
		ck_assert_uint_eq(get(madt, 40, 4), 0);
		for (unsigned int id = 0; id < counts[i]; id++) {
			const uint8_t wanted[] = {0, 8, (uint8_t)id, (uint8_t)id, 1, 0, 0, 0};

			ck_assert_mem_eq(madt + 44 + (size_t)8 * id, wanted, 8);
		}
		entry = madt + 44 + (size_t)8 * counts[i];
		ck_assert_uint_eq(get(entry, 0, 4), 1 | 12 << 8 | PLATFORM_IOAPIC_ID << 16);
		ck_assert_uint_eq(get(entry, 4, 4), PLATFORM_IOAPIC_GPA);
		ck_assert_uint_eq(get(entry, 8, 4), 0);
	}
}
END_TEST

START_TEST(test_mcfg_names_ecam)
{
	const uint8_t *mcfg;

	ck_assert_uint_gt(make_tables(8 * GIB, 1), 0);
	mcfg = find_table("MCFG");
	ck_assert_uint_eq(get(mcfg, 4, 4), 60);
	ck_assert_uint_eq(get(mcfg, 44, 8), PLATFORM_ECAM_GPA);
	ck_assert_uint_eq(get(mcfg, 52, 2), 0);
	ck_assert_uint_eq(mcfg[54], 0);
	ck_assert_uint_eq(mcfg[55], PLATFORM_ECAM_BYTES / MIB - 1);
}
END_TEST

START_TEST(test_largest_machine_fits_its_place)
{
	ck_assert_uint_gt(make_tables(4 * TIB, PLATFORM_VCPUS_MAX), 0);
}
END_TEST

START_TEST(test_too_little_room_is_reported_and_never_overrun)
{
	size_t needed_bytes = make_tables(256 * MIB, 1);
	struct boot_machine machine = make_machine(256 * MIB, 1);

	ck_assert_uint_gt(needed_bytes, 0);
	for (size_t room_bytes = 0; room_bytes < needed_bytes; room_bytes++) {
		memset(tables, 0xee, sizeof(tables));
		ck_assert_uint_eq(acpi_tables_init(tables, room_bytes, TABLES_GPA, &machine),
				  0);
		for (size_t i = room_bytes; i < needed_bytes; i++)
			ck_assert_uint_eq(tables[i], 0xee);
	}
}
END_TEST

START_TEST(test_same_machine_gives_same_bytes)
{
	static uint8_t first[sizeof(tables)];

	memset(tables, 0x11, sizeof(tables));
	make_tables(1 * GIB, 4);
	memcpy(first, tables, sizeof(tables));
	memset(tables, 0x22, sizeof(tables));
	ck_assert_mem_eq(tables, "\x22", 1);
	ck_assert_mem_eq(tables, first, make_tables(1 * GIB, 4));
}
END_TEST

/* --- The reference compiler reads our tables, and makes the same bytes of what it read --- */

static char directory[] = "/tmp/alcove-test-acpi-XXXXXX";

static void write_table(const char *name, const uint8_t *table)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.aml", directory, name);
	file = fopen(path, "wb");
	ck_assert_ptr_nonnull(file);
	ck_assert_uint_eq(fwrite(table, get(table, 4, 4), 1, file), 1);
	ck_assert_int_eq(fclose(file), 0);
}

static int run_iasl(const char *arguments)
{
	char command[256];

	snprintf(command, sizeof(command), "cd %s && iasl -vs %s >log 2>&1", directory,
		 arguments);
	return system(command); /* NOLINT(cert-env33-c): a test, with a fixed command */
}

static void compile_back(const char *name, const uint8_t *table)
{
	uint8_t *again = calloc(1, sizeof(tables));
	char arguments[128], path[128];
	size_t size_bytes;
	FILE *file;

	write_table(name, table);
	snprintf(arguments, sizeof(arguments), "-d %s.aml", name);
	ck_assert_int_eq(run_iasl(arguments), 0);
	snprintf(arguments, sizeof(arguments), "-oa -we -p again-%s %s.dsl", name, name);
	ck_assert_msg(run_iasl(arguments) == 0, "iasl does not compile %s; see %s/log", name,
		      directory);
	snprintf(path, sizeof(path), "%s/again-%s.aml", directory, name);
	file = fopen(path, "rb");
	ck_assert_ptr_nonnull(file);
	size_bytes = fread(again, 1, sizeof(tables), file);
	ck_assert_int_eq(fclose(file), 0);
	ck_assert_uint_eq(size_bytes, get(table, 4, 4));
	/* The compiler signs the header with its own name and version, and sums anew. */
	ck_assert_mem_eq(again, table, 9);
	ck_assert_mem_eq(again + 10, table + 10, 18);
	ck_assert_mem_eq(again + 36, table + 36, size_bytes - 36);
	free(again);
}

START_TEST(test_reference_compiler_reproduces_the_tables)
{
	static const unsigned int counts[] = {1, PLATFORM_VCPUS_MAX};
	char command[128];

	ck_assert_ptr_nonnull(mkdtemp(directory));
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		const uint8_t *fadt;

		ck_assert_uint_gt(make_tables(64 * GIB, counts[i]), 0);
		fadt = find_table("FACP");
		compile_back("dsdt", get_table(get(fadt, 40, 4), "DSDT"));
		compile_back("facp", fadt);
		compile_back("apic", find_table("APIC"));
		compile_back("mcfg", find_table("MCFG"));
	}
	snprintf(command, sizeof(command), "rm -r %s", directory);
	ck_assert_int_eq(system(command), 0); /* NOLINT(cert-env33-c) */
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_fadt_describes_a_machine_without_legacy,
		test_fadt_names_the_power_registers,
		test_madt_lists_every_processor_and_the_ioapic,
		test_mcfg_names_ecam,
		test_largest_machine_fits_its_place,
		test_too_little_room_is_reported_and_never_overrun,
		test_same_machine_gives_same_bytes,
		test_reference_compiler_reproduces_the_tables,
	};
	size_t n_tests = ARRAY_SIZE(tests);

	if (system("command -v iasl >/dev/null") != 0) { /* NOLINT(cert-env33-c) */
		unit_skip("test_reference_compiler_reproduces_the_tables",
			  "iasl is not installed (package acpica-tools)");
		n_tests--; /* the last one */
	}
	return unit_run(unit_suite("acpi", tests, n_tests));
}
