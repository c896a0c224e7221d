// SPDX-License-Identifier: GPL-2.0-or-later
/* The preflight of devices and of config files, and what a user without rights is told. */
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/fake/faulty.h"
#include "tests/unit/firmware.h"
#include "tests/unit/images.h"
#include "tests/unit/probe_rig.h"
#include "tests/unit/unit.h"
#include "vmm/options.h"
#include "vmm/probe/probe.h"
#include "vmm/range.h"

#define NVME "0000:01:00.0"
#define TWIN "0000:01:00.1"

enum { DISK_BYTES = 512 };

/* --- Devices --- */

static void device_start(struct probe_rig *rig)
{
	rig_init(rig, RIG_SNP);
	tree_run("cd %s && mkdir -p dev/vfio/devices sys/bus/pci/drivers/vfio-pci && "
		 "touch dev/iommu dev/vfio/devices/vfio0 sys/bus/pci/drivers/vfio-pci/new_id",
		 rig->tree.directory);
	tree_add(&rig->tree, NVME, "7", "vfio-pci");
	tree_run("echo '0xfee00000 0xfeefffff msi' >%s/kernel/iommu_groups/7/reserved_regions",
		 rig->tree.sysfs);
	memcpy(rig->question.devices[0], NVME, sizeof(NVME));
	rig->question.n_devices = 1;
}

START_TEST(test_device_that_is_ready_is_ok)
{
	struct probe_rig rig;

	device_start(&rig);
	rig_probe(&rig);
	ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_OK);
	ck_assert_uint_eq(rig_count(&rig, PROBE_OK), rig.probe->n_lines);
	rig_expect_golden(&rig, "device");
	rig_fini(&rig);
}
END_TEST

static const struct {
	const char *what;
	const char *check;
	const char *found;
	const char *cure;
} device_faults[] = {
	{"rm -r sys/bus/pci/devices/" NVME, "device", "No such file", "device list"},
	{"ln -sfn ../../drivers/nvme sys/bus/pci/devices/" NVME "/driver", "device",
	 "its driver is nvme", "`alcove device bind " NVME "`"},
	{"rm sys/bus/pci/devices/" NVME "/iommu_group", "device", "no IOMMU", "VT-d or AMD-Vi"},
	{"echo '0x000000000009f000 0x00000000000bffff direct' "
	 ">sys/kernel/iommu_groups/7/reserved_regions",
	 "device", "0x9f000..0xbffff (direct) is RAM", "less memory"},
	{"echo '0x0000000100000000 0x00000001ffffffff reserved' "
	 ">sys/kernel/iommu_groups/7/reserved_regions",
	 "device", "0x100000000..0x1ffffffff (reserved) is RAM", "less memory"},
	{"rm dev/vfio/devices/vfio0", "device", "No such file", "unbind"},
	{"rm dev/iommu", "vfio.iommufd", "No such file", "CONFIG_IOMMUFD"},
	{"rm -r sys/kernel/iommu_groups", "vfio.iommu", "no device", "intel_iommu=on"},
	{"rm -r sys/bus/pci/drivers/vfio-pci", "vfio.driver", "not there", "modprobe vfio-pci"},
};

START_TEST(test_each_fault_of_a_device_is_named)
{
	for (size_t i = 0; i < ARRAY_SIZE(device_faults); i++) {
		struct probe_rig rig;

		device_start(&rig);
		tree_run("cd %s && %s", rig.tree.directory, device_faults[i].what);
		rig_probe(&rig);
		rig_expect(&rig, device_faults[i].check, PROBE_FAIL, device_faults[i].found,
			   device_faults[i].cure);
		ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_FAIL);
		rig_fini(&rig);
	}
}
END_TEST

/* What cannot be read may be anything. */
START_TEST(test_regions_that_cannot_be_read_are_not_ok)
{
	static const char *const faults[] = {
		"rm -f sys/kernel/iommu_groups/7/reserved_regions",
		"yes '0xfee00000 0xfeefffff msi' | head -c 8192 "
		">sys/kernel/iommu_groups/7/reserved_regions",
	};

	for (size_t i = 0; i < ARRAY_SIZE(faults); i++) {
		struct probe_rig rig;

		device_start(&rig);
		tree_run("cd %s && %s", rig.tree.directory, faults[i]);
		rig_probe(&rig);
		rig_expect(&rig, "device", PROBE_UNKNOWN, i ? "too long" : "No such file",
			   "where the guest has RAM");
		ck_assert_int_eq(probe_judge_all(rig.probe), PROBE_UNKNOWN);
		rig_fini(&rig);
	}
}
END_TEST

START_TEST(test_rival_in_the_group_is_named)
{
	struct probe_rig rig;

	device_start(&rig);
	tree_add(&rig.tree, TWIN, "7", "nvme");
	rig_probe(&rig);
	rig_expect(&rig, "device", PROBE_FAIL, TWIN " of the same IOMMU group 7", TWIN);
	rig_fini(&rig);
}
END_TEST

/* --- Config files --- */

struct config_rig {
	struct probe_rig rig;
	struct config config;
	char kernel[128];
	char firmware[128];
	char disk[128];
	char socket[96];
};

static void option(struct config_rig *rig, const char *name, const char *value)
{
	struct err err = {0};

	ck_assert_msg(!options_set(&rig->config, name, value, &err), "%s", err.text);
}

static void config_start(struct config_rig *rig, enum rig_machine machine)
{
	static struct firmware firmware;
	struct image kernel;

	rig_init(&rig->rig, machine);
	snprintf(rig->kernel, sizeof(rig->kernel), "%s/bzImage", rig->rig.tree.directory);
	snprintf(rig->firmware, sizeof(rig->firmware), "%s/fw", rig->rig.tree.directory);
	snprintf(rig->disk, sizeof(rig->disk), "%s/disk", rig->rig.tree.directory);
	snprintf(rig->socket, sizeof(rig->socket), "unix:%s/qgs", rig->rig.tree.directory);
	bzimage_make(&kernel);
	rig_write_file(rig->kernel, kernel.bytes, kernel.size_bytes);
	firmware_make(&firmware);
	rig_write_file(rig->firmware, firmware.bytes, FIRMWARE_BYTES);
	rig_write_file(rig->disk, kernel.bytes, DISK_BYTES);
	ck_assert_int_eq(config_init(&rig->config, NULL), 0);
	option(rig, "type", machine == RIG_SNP ? "snp" : "tdx");
	option(rig, "memory", "1G");
	option(rig, "cpus", "4");
	option(rig, "kernel", rig->kernel);
	option(rig, "firmware", rig->firmware);
	option(rig, "disk", rig->disk);
	rig->rig.question.config = &rig->config;
}

static void config_end(struct config_rig *rig)
{
	config_fini(&rig->config);
	rig_fini(&rig->rig);
}

START_TEST(test_config_that_fits_is_ok)
{
	static const enum rig_machine machines[] = {RIG_SNP, RIG_TDX};

	for (size_t i = 0; i < ARRAY_SIZE(machines); i++) {
		struct config_rig rig;

		config_start(&rig, machines[i]);
		rig_probe(&rig.rig);
		ck_assert_int_eq(probe_judge_all(rig.rig.probe), PROBE_OK);
		ck_assert_int_eq(probe_judge(rig.rig.probe, PROBE_CONFIG), PROBE_OK);
		rig_expect(&rig.rig, "config.memory", PROBE_OK, "4096 MiB, 1034 needed", "");
		rig_expect(&rig.rig, "config.vcpus", PROBE_OK, i ? "4 of 64" : "4 of 256", "");
		rig_expect(&rig.rig, "config.kernel", PROBE_OK, "boot protocol 2.15", "");
		rig_expect(&rig.rig, "config.firmware", PROBE_OK, i ? "TDVF" : "SEV-SNP", "");
		rig_expect(&rig.rig, "config.files", PROBE_OK, "read and written", "");
		config_end(&rig);
	}
}
END_TEST

struct config_fault {
	enum rig_machine machine;
	const char *what; /* a shell command in the tree; NULL: none */
	const char *name; /* an option; NULL: none */
	const char *value;
	const char *check;
	const char *found;
	const char *cure;
};

static const struct config_fault config_faults[] = {
	{RIG_SNP, NULL, "memory", "5G", "config.memory", "4096 MiB, 5171 needed",
	 "less memory"},
	{RIG_SNP, "printf 'MemFree: 9999999 kB\\nMemAvailable: 1048576 kB\\n' >proc/meminfo",
	 NULL, NULL, "config.memory", "1024 MiB, 1034 needed", "less memory"},
	{RIG_SNP,
	 "echo 2147483648 >sys/fs/cgroup/vms/memory.max; "
	 "echo 1610612736 >sys/fs/cgroup/vms/memory.current",
	 NULL, NULL, "config.memory", "512 MiB, 1034 needed", "less memory"},
	{RIG_SNP,
	 "mkdir sys/fs/cgroup/memory; echo 4:memory:/ >proc/self/cgroup; "
	 "echo 1073741824 >sys/fs/cgroup/memory/memory.limit_in_bytes; "
	 "echo 0 >sys/fs/cgroup/memory/memory.usage_in_bytes",
	 NULL, NULL, "config.memory", "1024 MiB, 1034 needed", "less memory"},
	{RIG_TDX, NULL, "cpus", "65", "config.vcpus", "65, but KVM allows 64", "fewer cpus"},
	{RIG_SNP, NULL, "backing", "inplace", "config.backing", "does not convert in place",
	 "backing=paired"},
	{RIG_SNP, "truncate -s 300 bzImage", NULL, NULL, "config.kernel", "neither bzImage",
	 "vmlinuz"},
	{RIG_SNP, "printf '\\013' | dd of=bzImage bs=1 seek=518 conv=notrunc 2>/dev/null", NULL,
	 NULL, "config.kernel", "boot protocol 2.11", "Linux 3.8"},
	{RIG_SNP, "printf '\\0' | dd of=bzImage bs=1 seek=566 conv=notrunc 2>/dev/null", NULL,
	 NULL, "config.kernel", "a 32-bit kernel", "x86-64"},
	{RIG_SNP, "rm bzImage", NULL, NULL, "config.kernel", "No such file", "can read"},
	{RIG_SNP, NULL, "igvm", "/bin/sh", "config.igvm", "offset 0x0", "made for such guests"},
	{RIG_SNP, "truncate -s 0 fw; truncate -s 64K fw", NULL, NULL, "config.firmware",
	 "no SEV metadata", "built for SEV-SNP"},
	{RIG_TDX, "truncate -s 0 fw; truncate -s 64K fw", NULL, NULL, "config.firmware",
	 "no TDVF metadata", "built for TDX"},
	{RIG_TDX, "truncate -s 17M fw", NULL, NULL, "config.firmware", "17825792 bytes",
	 "OVMF"},
	{RIG_SNP, "rm disk", NULL, NULL, "config.files", "No such file", "path"},
	{RIG_SNP, "rm disk; mkdir disk", NULL, NULL, "config.files", "a directory",
	 "block device"},
	{RIG_SNP, "truncate -s 0 disk", NULL, NULL, "config.files", "is empty", "truncate"},
	{RIG_SNP, NULL, "initrd", "/none", "config.files", "No such file", "path"},
	{RIG_SNP, NULL, "initrd", "/", "config.files", "not a regular file", "copy it"},
	{RIG_SNP, NULL, "certs", "/dev/null", "config.files", "no end of the table", "anew"},
	{RIG_SNP, NULL, "id-block", "/dev/null", "config.files", "not of 96 bytes",
	 "alcove measure"},
	{RIG_SNP, NULL, "policy", "0x10000", "config.snp", "bit 17 has to be 1", "0x20000"},
	{RIG_SNP, NULL, "policy", "0x8000000030000", "config.snp",
	 "cannot do bits 0x8000000000000", "leave them out"},
	{RIG_SNP, "mkdir sys/devices/system/cpu/smt; echo 1 >sys/devices/system/cpu/smt/active",
	 "policy", "0x20000", "config.snp", "forbids SMT, which is on", "nosmt"},
	{RIG_TDX, NULL, "quote-socket", "unix:/none", "config.quotes", "No such file", "qgsd"},
};

START_TEST(test_each_problem_of_a_config_is_named)
{
	for (size_t i = 0; i < ARRAY_SIZE(config_faults); i++) {
		const struct config_fault *fault = &config_faults[i];
		struct config_rig rig;
		const char *name = fault->name;

		config_start(&rig, fault->machine);
		if (name && !strcmp(name, "quote-socket"))
			rig.config.tdx_quote_socket = strdup(fault->value);
		else if (name && !strcmp(name, "backing"))
			rig.config.backing = BACKING_CHOICE_INPLACE;
		else if (name && !strcmp(name, "policy"))
			rig.config.snp_policy = strtoull(fault->value, NULL, 0);
		else if (name && !strcmp(name, "certs"))
			rig.config.snp_certs = strdup(fault->value);
		else if (name && !strcmp(name, "id-block")) {
			rig.config.snp_id_block = strdup(fault->value);
			rig.config.snp_id_auth = strdup(fault->value);
		} else if (name)
			option(&rig, name, fault->value);
		if (fault->what)
			tree_run("cd %s && { %s; }", rig.rig.tree.directory, fault->what);
		rig_probe(&rig.rig);
		rig_expect(&rig.rig, fault->check, PROBE_FAIL, fault->found, fault->cure);
		ck_assert_int_eq(probe_judge(rig.rig.probe, PROBE_CONFIG), PROBE_FAIL);
		ck_assert_int_eq(probe_judge_all(rig.rig.probe), PROBE_FAIL);
		config_end(&rig);
	}
}
END_TEST

/* A kernel that does not ask for certificates cannot run a config that has some. */
START_TEST(test_certificates_need_a_kernel_that_asks)
{
	static const uint8_t end[24];

	for (unsigned int no_req_certs = 0; no_req_certs < 2; no_req_certs++) {
		struct config_rig rig;
		char path[128];

		config_start(&rig, RIG_SNP);
		snprintf(path, sizeof(path), "%s/certs", rig.rig.tree.directory);
		rig_write_file(path, end, sizeof(end));
		rig.config.snp_certs = strdup(path);
		fake_traits(rig.rig.fake)->snp.no_req_certs = no_req_certs;
		rig_probe(&rig.rig);
		if (no_req_certs)
			rig_expect(&rig.rig, "config.snp", PROBE_FAIL, "certificates",
				   "leave certs out");
		ck_assert_int_eq(probe_judge(rig.rig.probe, PROBE_CONFIG),
				 no_req_certs ? PROBE_FAIL : PROBE_OK);
		config_end(&rig);
	}
}
END_TEST

START_TEST(test_elf_kernel_is_for_guests_that_can_be_looked_into)
{
	struct config_rig rig;
	struct image elf;

	config_start(&rig, RIG_SNP);
	elf_make(&elf);
	rig_write_file(rig.kernel, elf.bytes, elf.size_bytes);
	rig_probe(&rig.rig);
	rig_expect(&rig.rig, "config.kernel", PROBE_FAIL, "ELF, which a guest of type snp",
		   "bzImage");
	probe_free(rig.rig.probe);
	option(&rig, "type", "sw");
	rig_probe(&rig.rig);
	rig_expect(&rig.rig, "config.kernel", PROBE_OK, "ELF with a PVH entry", "");
	config_end(&rig);
}
END_TEST

START_TEST(test_quote_service_that_listens_is_ok)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct config_rig rig;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	config_start(&rig, RIG_TDX);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", rig.socket + 5);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	rig.config.tdx_quote_socket = strdup(rig.socket);
	rig_probe(&rig.rig);
	rig_expect(&rig.rig, "config.quotes", PROBE_OK, "somebody listens", "");
	close(fd);
	config_end(&rig);
}
END_TEST

/* --- The kernel log --- */

int main(void)
{
	const TTest *const tests[] = {
		test_device_that_is_ready_is_ok,
		test_each_fault_of_a_device_is_named,
		test_regions_that_cannot_be_read_are_not_ok,
		test_rival_in_the_group_is_named,
		test_config_that_fits_is_ok,
		test_each_problem_of_a_config_is_named,
		test_certificates_need_a_kernel_that_asks,
		test_elf_kernel_is_for_guests_that_can_be_looked_into,
		test_quote_service_that_listens_is_ok,
	};

	return unit_run(unit_suite_slow("probe config", tests, ARRAY_SIZE(tests), 60));
}
