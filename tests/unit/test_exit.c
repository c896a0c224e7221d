// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/exit.h"

#include <errno.h>
#include <linux/kvm.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

union area {
	struct kvm_run run;
	unsigned char bytes[3 * 4096];
};

START_TEST(test_port_write_points_at_its_data)
{
	static union area area;
	struct exit exit;

	area.run.exit_reason = KVM_EXIT_IO;
	area.run.io.direction = KVM_EXIT_IO_OUT;
	area.run.io.port = 0x3f8;
	area.run.io.size = 2;
	area.run.io.count = 3;
	area.run.io.data_offset = 4096;
	exit = exit_decode(&area.run, sizeof(area), 0);
	ck_assert_int_eq(exit.kind, EXIT_PORT);
	ck_assert(exit.is_write);
	ck_assert_uint_eq(exit.address, 0x3f8);
	ck_assert_uint_eq(exit.size_bytes, 2);
	ck_assert_uint_eq(exit.count, 3);
	ck_assert_ptr_eq(exit.data, area.bytes + 4096);
}
END_TEST

START_TEST(test_port_data_beyond_the_area_is_refused)
{
	static const struct {
		uint64_t offset;
		uint32_t count;
	} cases[] = {{3 * 4096 - 3, 1}, {3 * 4096, 1}, {UINT64_MAX, 1}, {4096, UINT32_MAX}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static union area area;

		area.run.exit_reason = KVM_EXIT_IO;
		area.run.io.size = 4;
		area.run.io.count = cases[i].count;
		area.run.io.data_offset = cases[i].offset;
		ck_assert_int_eq(exit_decode(&area.run, sizeof(area), 0).kind, EXIT_FAILED);
	}
}
END_TEST

START_TEST(test_mmio_of_one_to_eight_bytes_is_taken)
{
	for (unsigned int size_bytes = 0; size_bytes < 20; size_bytes++) {
		static union area area;
		struct exit exit;

		area.run.exit_reason = KVM_EXIT_MMIO;
		area.run.mmio.phys_addr = 0xfec00000;
		area.run.mmio.len = size_bytes;
		area.run.mmio.is_write = 1;
		exit = exit_decode(&area.run, sizeof(area), 0);
		if (size_bytes < 1 || size_bytes > 8) {
			ck_assert_int_eq(exit.kind, EXIT_FAILED);
			continue;
		}
		ck_assert_int_eq(exit.kind, EXIT_MMIO);
		ck_assert(exit.is_write);
		ck_assert_uint_eq(exit.size_bytes, size_bytes);
		ck_assert_ptr_eq(exit.data, area.run.mmio.data);
	}
}
END_TEST

START_TEST(test_return_value_and_reason_decide_together)
{
	static const struct {
		int ret;
		uint32_t reason;
		enum exit_kind kind;
	} cases[] = {
		{-EINTR, KVM_EXIT_INTR, EXIT_NOTHING},
		{-EINTR, KVM_EXIT_SHUTDOWN,
		 EXIT_NOTHING}, /* the reason is of the exit before */
		{-EAGAIN, 0, EXIT_NOTHING},
		{-EFAULT, KVM_EXIT_MEMORY_FAULT, EXIT_MEMORY_FAULT},
		{-EFAULT, KVM_EXIT_UNKNOWN, EXIT_FAILED},
		{-EINVAL, KVM_EXIT_MEMORY_FAULT, EXIT_FAILED},
		{-ENOMEM, KVM_EXIT_MMIO, EXIT_FAILED},
		{0, KVM_EXIT_MEMORY_FAULT, EXIT_MEMORY_FAULT},
		{0, KVM_EXIT_INTR, EXIT_NOTHING},
		{0, KVM_EXIT_IOAPIC_EOI, EXIT_NOTHING},
		{0, KVM_EXIT_SHUTDOWN, EXIT_SHUTDOWN},
		{0, KVM_EXIT_FAIL_ENTRY, EXIT_FAILED},
		{0, KVM_EXIT_INTERNAL_ERROR, EXIT_FAILED},
		{0, KVM_EXIT_UNKNOWN, EXIT_FAILED},
		{0, KVM_EXIT_HYPERV, EXIT_FAILED},
		{0, 12345, EXIT_FAILED},
		{0, UINT32_MAX, EXIT_FAILED},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static union area area;
		struct exit exit;

		area.run.exit_reason = cases[i].reason;
		exit = exit_decode(&area.run, sizeof(area), cases[i].ret);
		ck_assert_int_eq(exit.kind, cases[i].kind);
		ck_assert_int_eq(exit.kind == EXIT_FAILED, exit.what != NULL);
	}
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_port_write_points_at_its_data,
		test_port_data_beyond_the_area_is_refused,
		test_mmio_of_one_to_eight_bytes_is_taken,
		test_return_value_and_reason_decide_together,
	};

	return unit_run(unit_suite("exit", tests, ARRAY_SIZE(tests)));
}
