// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/exit.h"

#include <errno.h>
#include <linux/kvm.h>
#include <string.h>

#include "tests/unit/unit.h"
#include "vmm/range.h"

union area {
	struct kvm_run run;
	unsigned char bytes[3 * 4096];
};

static struct exit decode(struct kvm_run *run, int ret)
{
	return exit_decode(run, sizeof(union area), ret, KVM_X86_DEFAULT_VM);
}

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
	exit = decode(&area.run, 0);
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
		ck_assert_int_eq(decode(&area.run, 0).kind, EXIT_FAILED);
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
		exit = decode(&area.run, 0);
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
		exit = decode(&area.run, cases[i].ret);
		ck_assert_int_eq(exit.kind, cases[i].kind);
		ck_assert_int_eq(exit.kind == EXIT_FAILED, exit.what != NULL);
	}
}
END_TEST

START_TEST(test_errors_of_protected_guests_are_their_own)
{
	static const struct {
		unsigned long kvm_type;
		int ret;
		uint32_t reason;
		enum exit_kind kind;
		const char *what;
	} cases[] = {
		{KVM_X86_TDX_VM, -EIO, KVM_EXIT_UNKNOWN, EXIT_CRASHED, "accepted"},
		{KVM_X86_SNP_VM, -EIO, KVM_EXIT_UNKNOWN, EXIT_CRASHED, "guest request"},
		{KVM_X86_SNP_VM, -EINVAL, KVM_EXIT_UNKNOWN, EXIT_CRASHED, "VMSA"},
		{KVM_X86_TDX_VM, -EINVAL, KVM_EXIT_UNKNOWN, EXIT_FAILED, "Invalid argument"},
		{KVM_X86_DEFAULT_VM, -EIO, KVM_EXIT_UNKNOWN, EXIT_FAILED, "Input/output"},
		{KVM_X86_SW_PROTECTED_VM, -EINVAL, KVM_EXIT_UNKNOWN, EXIT_FAILED, "Invalid"},
		{KVM_X86_TDX_VM, -EFAULT, KVM_EXIT_MEMORY_FAULT, EXIT_MEMORY_FAULT, NULL},
		{KVM_X86_TDX_VM, -EHWPOISON, KVM_EXIT_MEMORY_FAULT, EXIT_FAILED, "memory"},
		{KVM_X86_SNP_VM, -EHWPOISON, KVM_EXIT_UNKNOWN, EXIT_FAILED, "hardware"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static union area area;
		struct exit exit;

		area.run.exit_reason = cases[i].reason;
		area.run.memory_fault.gpa = 0x5000;
		exit = exit_decode(&area.run, sizeof(area), cases[i].ret, cases[i].kvm_type);
		ck_assert_int_eq(exit.kind, cases[i].kind);
		ck_assert_msg(!cases[i].what || strstr(exit.what, cases[i].what), "%s",
			      exit.what);
	}
}
END_TEST

START_TEST(test_system_events_of_confidential_guests_only)
{
	for (uint32_t type = 0; type < 10; type++) {
		for (uint32_t n_data = 0; n_data <= 16; n_data++) {
			static union area area;
			enum exit_kind kind = EXIT_FAILED;
			struct exit exit;

			if (type == KVM_SYSTEM_EVENT_SEV_TERM && n_data >= 1)
				kind = EXIT_SEV_TERM;
			if (type == KVM_SYSTEM_EVENT_TDX_FATAL && n_data == 16)
				kind = EXIT_TDX_FATAL;
			area.run.exit_reason = KVM_EXIT_SYSTEM_EVENT;
			area.run.system_event.type = type;
			area.run.system_event.ndata = n_data;
			exit = decode(&area.run, 0);
			ck_assert_int_eq(exit.kind, kind);
			if (kind != EXIT_FAILED)
				ck_assert_ptr_eq(exit.data, area.run.system_event.data);
		}
	}
}
END_TEST

START_TEST(test_requests_for_certificates_have_a_size)
{
	static const struct {
		uint64_t n_pages, bytes;
	} cases[] = {
		{0, 0},
		{4, 0x4000},
		{UINT64_MAX >> 12, UINT64_MAX - 0xfff},
		{1ull << 52, UINT64_MAX},
		{UINT64_MAX, UINT64_MAX},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static union area area;
		struct exit exit;

		area.run.exit_reason = KVM_EXIT_SNP_REQ_CERTS;
		area.run.snp_req_certs.gpa = 0x7000;
		area.run.snp_req_certs.npages = cases[i].n_pages;
		exit = decode(&area.run, 0);
		ck_assert_int_eq(exit.kind, EXIT_CERTS);
		ck_assert_uint_eq(exit.address, 0x7000);
		ck_assert_uint_eq(exit.range_bytes, cases[i].bytes);
	}
}
END_TEST

START_TEST(test_certificates_are_answered_as_kvm_takes_it)
{
	static const int errors[] = {0, ENOSPC, EAGAIN, EIO};

	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		static union area area;

		area.run.snp_req_certs.npages = 1;
		exit_reply_certs(&area.run, errors[i], 3);
		ck_assert_uint_eq(area.run.snp_req_certs.ret, (uint64_t)errors[i]);
		ck_assert_uint_eq(area.run.snp_req_certs.npages, errors[i] == ENOSPC ? 3 : 1);
	}
}
END_TEST

START_TEST(test_tdvmcalls_are_told_apart)
{
	static const struct {
		uint64_t nr, leaf;
		enum exit_kind kind;
	} cases[] = {
		{0x10000, 1, EXIT_TDX_INFO},	{0x10000, 2, EXIT_NOTHING},
		{0x10001, 0, EXIT_NOTHING},	{0x10002, 0x4000, EXIT_TDX_QUOTE},
		{0x10004, 0, EXIT_TDX_NOTIFY},	{UINT64_MAX, 0, EXIT_NOTHING},
		{0x100010002, 0, EXIT_NOTHING},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static union area area;
		struct exit exit;

		area.run.exit_reason = KVM_EXIT_TDX;
		area.run.tdx.nr = cases[i].nr;
		area.run.tdx.unknown.ret = 0x8000000000000003;
		area.run.tdx.unknown.data[0] = cases[i].leaf; /* of GetQuote: the address */
		area.run.tdx.unknown.data[1] = 0x2000;	      /* the size */
		exit = decode(&area.run, 0);
		ck_assert_int_eq(exit.kind, cases[i].kind);
		/* To decode is no reply. */
		ck_assert_uint_eq(area.run.tdx.unknown.ret, 0x8000000000000003);
		if (exit.kind == EXIT_TDX_QUOTE) {
			ck_assert_uint_eq(exit.address, 0x4000);
			ck_assert_uint_eq(exit.range_bytes, 0x2000);
		}
	}
}
END_TEST

START_TEST(test_tdvmcalls_are_answered_in_their_fields)
{
	static union area area;

	area.run.tdx.nr = 0x10004;
	area.run.tdx.setup_event_notify.vector = 77;
	ck_assert_uint_eq((area.run.exit_reason = KVM_EXIT_TDX, decode(&area.run, 0).detail),
			  77);
	exit_reply_tdx(&area.run, 1);
	ck_assert_uint_eq(area.run.tdx.setup_event_notify.ret, 1);
	ck_assert_uint_eq(area.run.tdx.get_quote.ret, 1);
	exit_reply_tdx_info(&area.run, true);
	ck_assert_uint_eq(area.run.tdx.get_tdvmcall_info.r11, 2);
	exit_reply_tdx_info(&area.run, false);
	ck_assert_uint_eq(area.run.tdx.get_tdvmcall_info.r11, 0);
	ck_assert_uint_eq(area.run.tdx.get_tdvmcall_info.r12, 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		test_port_write_points_at_its_data,
		test_port_data_beyond_the_area_is_refused,
		test_mmio_of_one_to_eight_bytes_is_taken,
		test_return_value_and_reason_decide_together,
		test_errors_of_protected_guests_are_their_own,
		test_system_events_of_confidential_guests_only,
		test_requests_for_certificates_have_a_size,
		test_certificates_are_answered_as_kvm_takes_it,
		test_tdvmcalls_are_told_apart,
		test_tdvmcalls_are_answered_in_their_fields,
	};

	return unit_run(unit_suite("exit", tests, ARRAY_SIZE(tests)));
}
