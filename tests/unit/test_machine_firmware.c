// SPDX-License-Identifier: GPL-2.0-or-later
/* Whole machines that start by firmware, on the fake kernel. */
#include <linux/qemu_fw_cfg.h>

#include "tests/unit/cc_machine.h"
#include "tests/unit/firmware.h"
#include "tests/unit/unit.h"

/* The firmware of all these machines, written to a file of its own. */
struct image_of_firmware {
	struct firmware firmware;
	char path[64];
	int fd;
};

static void firmware_file_init(struct image_of_firmware *file)
{
	firmware_make(&file->firmware);
	image_write(file->firmware.bytes, FIRMWARE_BYTES, &file->fd, file->path);
}

static int leave_by_port(struct kvm_run *run, bool is_write, uint16_t port, uint8_t size_bytes,
			 uint32_t value)
{
	run->exit_reason = KVM_EXIT_IO;
	run->io.direction = is_write ? KVM_EXIT_IO_OUT : KVM_EXIT_IO_IN;
	run->io.size = size_bytes;
	run->io.port = port;
	run->io.count = 1;
	run->io.data_offset = sizeof(*run);
	memcpy((char *)run + sizeof(*run), &value, sizeof(value));
	return 0;
}

/* Looks for fw_cfg and for the machine as OVMF does, and turns it off as OVMF does. */
static int look_around(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	struct fixture *fixture = guest;
	const char *data = (const char *)run + sizeof(*run);
	uint32_t value;

	if (vcpu_id != 0)
		return guest_wait(run);
	memcpy(&value, data, sizeof(value));
	switch (fixture->n_runs++) {
	case 0:
		return leave_by_port(run, true, PLATFORM_FW_CFG_PORT, 2, FW_CFG_SIGNATURE);
	case 1:
		return leave_by_port(run, false, PLATFORM_FW_CFG_PORT + 1, 1, 0);
	case 2:
		ck_assert_int_eq(*data, 'Q');
		return leave_by_port(run, true, PLATFORM_FW_CFG_PORT, 2, FW_CFG_NB_CPUS);
	case 3:
		return leave_by_port(run, false, PLATFORM_FW_CFG_PORT + 1, 1, 0);
	case 4:
		ck_assert_int_eq(*data, 3);
		return leave_by_port(run, true, PLATFORM_PCI_CONF_PORT, 4, 0x80000000);
	case 5:
		return leave_by_port(run, false, PLATFORM_PCI_CONF_PORT + 4, 4, 0);
	case 6:
		ck_assert_uint_eq(value, 0x29c08086);
		return leave_by_port(run, true, PLATFORM_RTC_PORT, 1, 13);
	case 7:
		return leave_by_port(run, false, PLATFORM_RTC_PORT + 1, 1, 0);
	case 8:
		ck_assert_uint_eq((uint8_t)*data, 0x80);
		/* Nobody reads its log. */
		return leave_by_port(run, false, PLATFORM_DEBUG_PORT, 1, 0);
	case 9:
		ck_assert_uint_eq((uint8_t)*data, 0xff);
		return leave_by_port(run, true, PLATFORM_PM_PORT + 4, 2, 1 << 13);
	default:
		return guest_wait(run);
	}
}

START_TEST(test_firmware_finds_its_machine_and_turns_it_off)
{
	struct image_of_firmware file;
	struct fixture fixture;

	firmware_file_init(&file);
	fixture_init(&fixture, GUEST_TYPE_PLAIN, false);
	fixture.config.kernel = NULL;
	fixture.config.firmware = file.path;
	fake_set_guest(fixture.fake, look_around, &fixture);
	ck_assert_int_eq(fixture_run(&fixture), 0);
	ck_assert_uint_ge(fixture.n_runs, 10);
	fixture_fini(&fixture);
	close(file.fd);
}
END_TEST

/* Without firmware none of it is there. */
static int look_for_nothing(void *guest, unsigned int vcpu_id, struct kvm_run *run)
{
	static const uint16_t ports[] = {PLATFORM_FW_CFG_PORT + 1, PLATFORM_RTC_PORT + 1,
					 PLATFORM_PM_PORT + 4, PLATFORM_PM_PORT + 8,
					 PLATFORM_DEBUG_PORT};
	struct fixture *fixture = guest;

	if (vcpu_id != 0)
		return guest_wait(run);
	if (fixture->n_runs > ARRAY_SIZE(ports))
		return guest_leave(run);
	if (fixture->n_runs)
		ck_assert_uint_eq(*((uint8_t *)run + sizeof(*run)), 0xff);
	if (fixture->n_runs++ == ARRAY_SIZE(ports))
		return guest_leave(run);
	return leave_by_port(run, false, ports[fixture->n_runs - 1], 1, 0);
}

START_TEST(test_kernel_that_is_started_directly_finds_none_of_it)
{
	struct fixture fixture;

	fixture_init(&fixture, GUEST_TYPE_PLAIN, false);
	fake_set_guest(fixture.fake, look_for_nothing, &fixture);
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	fixture_fini(&fixture);
}
END_TEST

static void run_confidential(enum guest_type type, bool in_place)
{
	struct image_of_firmware file;
	struct fixture fixture;

	firmware_file_init(&file);
	fixture_init(&fixture, type, in_place);
	fixture.config.kernel = NULL;
	fixture.config.firmware = file.path;
	ck_assert_int_eq(fixture_run(&fixture), GUEST_STATUS);
	ck_assert_uint_ge(fixture.n_runs, 1);
	fixture_fini(&fixture);
	close(file.fd);
}

START_TEST(test_snp_guest_is_launched_with_firmware)
{
	run_confidential(GUEST_TYPE_SNP, true);
	run_confidential(GUEST_TYPE_SNP, false);
}
END_TEST

START_TEST(test_td_is_launched_with_firmware)
{
	run_confidential(GUEST_TYPE_TDX, true);
	run_confidential(GUEST_TYPE_TDX, false);
}
END_TEST

START_TEST(test_firmware_that_is_none_ends_the_start)
{
	struct fixture fixture;
	char path[] = "/nonexistent/firmware";

	fixture_init(&fixture, GUEST_TYPE_PLAIN, false);
	fixture.config.firmware = path;
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	/* A kernel without an EFI stub. */
	fixture.config.firmware = fixture.kernel_path;
	ck_assert_int_eq(truncate(fixture.kernel_path, GRANULE_BYTES), 0);
	ck_assert_int_eq(fixture_run(&fixture), EXIT_STATUS_SETUP);
	ck_assert_uint_eq(fixture.n_runs, 0);
	fixture_fini(&fixture);
}
END_TEST

START_TEST(test_failing_calls_leave_nothing_behind)
{
	struct image_of_firmware file;
	unsigned int nth = 0;
	bool has_failed;

	firmware_file_init(&file);
	do {
		struct fixture fixture;
		int status;

		fixture_init(&fixture, GUEST_TYPE_PLAIN, false);
		fixture.config.kernel = NULL;
		fixture.config.firmware = file.path;
		faulty_arm(fixture.faulty, (struct fault){.nth = ++nth, .errnum = EIO});
		status = (int)machine_run(faulty_host(fixture.faulty), &fixture.config);
		has_failed = faulty_count_fired(fixture.faulty);
		ck_assert(has_failed || status == GUEST_STATUS);
		ck_assert(status == GUEST_STATUS || status == EXIT_STATUS_SETUP ||
			  status == EXIT_STATUS_INTERNAL);
		fixture_fini(&fixture);
	} while (has_failed);
	ck_assert_uint_gt(nth, 15);
	close(file.fd);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_firmware_finds_its_machine_and_turns_it_off,
		test_kernel_that_is_started_directly_finds_none_of_it,
		test_snp_guest_is_launched_with_firmware,
		test_td_is_launched_with_firmware,
		test_firmware_that_is_none_ends_the_start,
		test_failing_calls_leave_nothing_behind,
	};

	return unit_run(unit_suite("machine_firmware", tests, ARRAY_SIZE(tests)));
}
