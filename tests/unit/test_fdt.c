// SPDX-License-Identifier: GPL-2.0-or-later
#include "boot/fdt.h"

#include <libfdt.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "boot/place.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

static uint8_t fdt[PLACE_HW_BYTES] __attribute__((aligned(8)));

static struct layout layout;

static struct boot_machine make_machine(uint64_t ram_bytes, unsigned int n_vcpus)
{
	ck_assert_int_eq(layout_init(&layout, ram_bytes, 46, NULL), 0);
	return (struct boot_machine){.layout = &layout, .n_vcpus = n_vcpus, .hw = BOOT_HW_FDT};
}

static size_t make_fdt(uint64_t ram_bytes, unsigned int n_vcpus)
{
	struct boot_machine machine = make_machine(ram_bytes, n_vcpus);
	size_t size_bytes = fdt_init(fdt, sizeof(fdt), &machine);

	ck_assert_uint_gt(size_bytes, 0);
	ck_assert_int_eq(fdt_check_full(fdt, size_bytes), 0);
	return size_bytes;
}

/* The property has exactly these cells. */
static void check_cells(const char *path, const char *name, const uint32_t *cells, int n_cells)
{
	int node = fdt_path_offset(fdt, path), length;
	const fdt32_t *value = fdt_getprop(fdt, node, name, &length);

	ck_assert_msg(value != NULL, "no %s in %s", name, path);
	ck_assert_int_eq(length, n_cells * 4);
	for (int i = 0; i < n_cells; i++)
		ck_assert_uint_eq(fdt32_ld(value + i), cells[i]);
}

#define CHECK_CELLS(path, name, ...)                             \
	check_cells(path, name, (const uint32_t[]){__VA_ARGS__}, \
		    sizeof((const uint32_t[]){__VA_ARGS__}) / 4)

static void check_string(const char *path, const char *name, const char *wanted)
{
	int length;
	const char *value = fdt_getprop(fdt, fdt_path_offset(fdt, path), name, &length);

	ck_assert_msg(value != NULL, "no %s in %s", name, path);
	ck_assert_int_eq(length, (int)strlen(wanted) + 1);
	ck_assert_str_eq(value, wanted);
}

START_TEST(test_every_processor_has_a_node_with_its_apic_id)
{
	static const unsigned int counts[] = {1, 2, 17, PLATFORM_VCPUS_MAX};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		unsigned int n = 0;
		int node, cpus;

		make_fdt(64 * MIB, counts[i]);
		CHECK_CELLS("/cpus", "#address-cells", 1);
		CHECK_CELLS("/cpus", "#size-cells", 0);
		cpus = fdt_path_offset(fdt, "/cpus");
		fdt_for_each_subnode(node, fdt, cpus)
		{
			char path[32];

			snprintf(path, sizeof(path), "/cpus/cpu@%x", n);
			ck_assert_int_eq(fdt_path_offset(fdt, path), node);
			check_string(path, "device_type", "cpu");
			CHECK_CELLS(path, "reg", n);
			n++;
		}
		ck_assert_uint_eq(n, counts[i]);
	}
}
END_TEST

/* Names and cells as arch/x86/kernel/devicetree.c of Linux looks for them. */
START_TEST(test_interrupt_controllers_are_what_linux_looks_for)
{
	static const char ioapic[] = "/soc/interrupt-controller@fec00000";
	static const char lapic[] = "/soc/interrupt-controller@fee00000";

	make_fdt(64 * MIB, 1);
	check_string(ioapic, "compatible", "intel,ce4100-ioapic");
	CHECK_CELLS(ioapic, "reg", 0, 0xfec00000, 0, 0x1000);
	CHECK_CELLS(ioapic, "#interrupt-cells", 2);
	check_string(lapic, "compatible", "intel,ce4100-lapic");
	CHECK_CELLS(lapic, "reg", 0, 0xfee00000, 0, 0x1000);
	ck_assert_ptr_nonnull(
		fdt_getprop(fdt, fdt_path_offset(fdt, lapic), "intel,virtual-wire-mode", NULL));
}
END_TEST

START_TEST(test_serial_port_is_a_port_behind_isa)
{
	static const char serial[] = "/soc/isa@0/serial@3f8";
	uint32_t ioapic;

	make_fdt(64 * MIB, 1);
	ioapic = fdt_get_phandle(fdt,
				 fdt_path_offset(fdt, "/soc/interrupt-controller@fec00000"));
	ck_assert_uint_ne(ioapic, 0);
	check_string("/soc/isa@0", "compatible", "isa");
	CHECK_CELLS("/soc/isa@0", "#address-cells", 2);
	CHECK_CELLS("/soc/isa@0", "#size-cells", 1);
	CHECK_CELLS("/soc/isa@0", "ranges", 1, 0, 0, 0, 0x10000);
	check_string(serial, "compatible", "ns16550a");
	CHECK_CELLS(serial, "reg", 1, 0x3f8, 8);
	CHECK_CELLS(serial, "clock-frequency", 1843200);
	CHECK_CELLS(serial, "interrupts", 4, 3);
	CHECK_CELLS(serial, "interrupt-parent", ioapic);
	check_string("/chosen", "stdout-path", "/soc/isa@0/serial@3f8:115200n8");
}
END_TEST

START_TEST(test_power_goes_through_a_syscon)
{
	static const char syscon[] = "/soc/syscon@fed80000";
	uint32_t phandle;

	make_fdt(64 * MIB, 1);
	phandle = fdt_get_phandle(fdt, fdt_path_offset(fdt, syscon));
	ck_assert_uint_ne(phandle, 0);
	check_string(syscon, "compatible", "syscon");
	CHECK_CELLS(syscon, "reg", 0, 0xfed80000, 0, 0x1000);
	CHECK_CELLS(syscon, "reg-io-width", 1);
	check_string("/poweroff", "compatible", "syscon-poweroff");
	CHECK_CELLS("/poweroff", "regmap", phandle);
	CHECK_CELLS("/poweroff", "offset", 0);
	CHECK_CELLS("/poweroff", "value", 0x34);
	check_string("/reboot", "compatible", "syscon-reboot");
	CHECK_CELLS("/reboot", "regmap", phandle);
	CHECK_CELLS("/reboot", "offset", 2);
	CHECK_CELLS("/reboot", "value", 1);
	check_string("/soc/pvpanic@fed81000", "compatible", "qemu,pvpanic-mmio");
	CHECK_CELLS("/soc/pvpanic@fed81000", "reg", 0, 0xfed81000, 0, 0x1000);
}
END_TEST

START_TEST(test_memory_nodes_are_the_ram_of_the_layout)
{
	make_fdt(2 * TIB, 1);
	CHECK_CELLS("/memory@0", "reg", 0, 0, 0, 0xc0000000);
	CHECK_CELLS("/memory@100000000", "reg", 1, 0, 0xfc, 0);
	CHECK_CELLS("/memory@10000000000", "reg", 0x100, 0, 0x103, 0x40000000);
}
END_TEST

START_TEST(test_too_little_room_is_reported_and_never_overrun)
{
	size_t needed_bytes = make_fdt(64 * MIB, 1);
	struct boot_machine machine = make_machine(64 * MIB, 1);

	for (size_t room_bytes = 0; room_bytes < needed_bytes; room_bytes += 8) {
		memset(fdt, 0xee, sizeof(fdt));
		ck_assert_uint_eq(fdt_init(fdt, room_bytes, &machine), 0);
		for (size_t i = room_bytes; i < needed_bytes; i++)
			ck_assert_uint_eq(fdt[i], 0xee);
	}
}
END_TEST

START_TEST(test_same_machine_gives_same_bytes)
{
	static uint8_t first[sizeof(fdt)];
	size_t size_bytes;

	memset(fdt, 0x11, sizeof(fdt));
	size_bytes = make_fdt(1 * GIB, 4);
	memcpy(first, fdt, sizeof(fdt));
	memset(fdt, 0x22, sizeof(fdt));
	ck_assert_uint_eq(make_fdt(1 * GIB, 4), size_bytes);
	ck_assert_mem_eq(fdt, first, size_bytes);
}
END_TEST

START_TEST(test_reference_compiler_has_no_complaint)
{
	size_t size_bytes = make_fdt(8 * GIB, 4);
	FILE *dtc = popen("if dtc -I dtb -O dts -o /dev/null - 2>&1 | grep .; then exit 1; fi",
			  "w");

	ck_assert_ptr_nonnull(dtc);
	ck_assert_uint_eq(fwrite(fdt, size_bytes, 1, dtc), 1);
	ck_assert_int_eq(pclose(dtc), 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_every_processor_has_a_node_with_its_apic_id,
		test_interrupt_controllers_are_what_linux_looks_for,
		test_serial_port_is_a_port_behind_isa,
		test_power_goes_through_a_syscon,
		test_memory_nodes_are_the_ram_of_the_layout,
		test_too_little_room_is_reported_and_never_overrun,
		test_same_machine_gives_same_bytes,
		test_reference_compiler_has_no_complaint,
	};
	size_t n_tests = ARRAY_SIZE(tests);

	if (system("command -v dtc >/dev/null") != 0) {
		unit_skip("test_reference_compiler_has_no_complaint",
			  "dtc is not installed (package device-tree-compiler)");
		n_tests--; /* the last one */
	}
	return unit_run(unit_suite("fdt", tests, n_tests));
}
