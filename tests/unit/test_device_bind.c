// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices of the host: what sysfs says of them, and how they change drivers. */
#include "vmm/device/bind.h"

#include "tests/unit/host_tree.h"
#include "tests/unit/unit.h"
#include "vmm/err.h"

#define NVME "0000:01:00.0"
#define TWIN "0000:01:00.1"

static struct device_bind bind_of(struct host_tree *tree)
{
	return (struct device_bind){.paths = &tree->paths, .write = tree_write, .kernel = tree};
}

static struct device_bind start(struct host_tree *tree)
{
	struct device_bind bind;
	int lock;

	tree_init(tree);
	tree_add(tree, NVME, "7", "nvme");
	bind = bind_of(tree);
	lock = device_bind_lock(&bind, NULL);
	ck_assert_int_ge(lock, 0);
	close(lock);
	return bind;
}

static bool has_record(const struct host_tree *tree)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/device-" NVME, tree->state);
	return access(path, F_OK) == 0;
}

START_TEST(test_addresses_are_read_in_two_forms)
{
	static const char *const bad[] = {"",
					  "01:00",
					  "0000:01:00.8",
					  "0000:01:20.0",
					  "0000:01:00.0 ",
					  "g000:01:00.0",
					  "0000:01:00.00",
					  "../../..",
					  "0000-01-00.0"};
	char address[PCI_ADDRESS_BYTES];

	ck_assert(pci_address_parse("01:0A.7", address));
	ck_assert_str_eq(address, "0000:01:0a.7");
	ck_assert(pci_address_parse("00FF:01:1f.0", address));
	ck_assert_str_eq(address, "00ff:01:1f.0");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		ck_assert(!pci_address_parse(bad[i], address));
}
END_TEST

START_TEST(test_devices_are_listed_and_described)
{
	struct host_tree tree;
	struct device_bind bind = start(&tree);
	char addresses[4][PCI_ADDRESS_BYTES];
	struct host_pci device;

	(void)bind;
	tree_add(&tree, "0000:00:02.0", "1", "");
	ck_assert_int_eq(host_pci_list(&tree.paths, addresses, 4), 2);
	ck_assert_str_eq(addresses[0], "0000:00:02.0");
	ck_assert_str_eq(addresses[1], NVME);
	device = tree_get(&tree, NVME);
	ck_assert_uint_eq(device.vendor_id, 0x1b36);
	ck_assert_uint_eq(device.class_code, 0x010802);
	ck_assert_str_eq(device.driver, "nvme");
	ck_assert_str_eq(device.driver_override, "");
	ck_assert_str_eq(device.iommu_group, "7");
	ck_assert_str_eq(device.reset_methods, "flr bus");
	ck_assert_int_eq(host_pci_read(&tree.paths, TWIN, &device), -ENOENT);
	tree_fini(&tree);
}
END_TEST

/* What stands in the way, and a word of each refusal. */
START_TEST(test_each_reason_not_to_assign_is_named)
{
	struct host_tree tree;
	struct device_bind bind = start(&tree);
	struct host_pci device;
	struct err err = {0};

	device = tree_get(&tree, NVME);
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, "its driver is nvme"));
	ck_assert_int_eq(device_bind(&bind, NVME, &err), 0);
	device = tree_get(&tree, NVME);
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), 0);

	tree_add(&tree, TWIN, "7", "nvme");
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), -EBUSY);
	ck_assert_ptr_nonnull(strstr(err.text, TWIN " of the same IOMMU group 7"));
	tree_put(&tree, TWIN, "class", "0x060400");
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), 0);

	tree_run("echo '0x000 0xfff direct-relaxable' "
		 ">%s/kernel/iommu_groups/7/reserved_regions",
		 tree.sysfs);
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), 0);
	tree_run("echo '0x000 0xfff direct' >>%s/kernel/iommu_groups/7/reserved_regions",
		 tree.sysfs);
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), -EINVAL);
	ck_assert_ptr_nonnull(strstr(err.text, "RMRR"));
	tree_run("rm %s/kernel/iommu_groups/7/reserved_regions", tree.sysfs);

	tree_run("rm %s/iommu", tree.dev);
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), -ENODEV);
	ck_assert_ptr_nonnull(strstr(err.text, "CONFIG_IOMMUFD"));
	tree_run("touch %s/iommu; rm -r %s/bus/pci/devices/" NVME "/vfio-dev", tree.dev,
		 tree.sysfs);
	device = tree_get(&tree, NVME);
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), -ENODEV);
	ck_assert_ptr_nonnull(strstr(err.text, "CONFIG_VFIO_DEVICE_CDEV"));
	tree_link(&tree, NVME, "iommu_group", "");
	device = tree_get(&tree, NVME);
	ck_assert_int_eq(host_pci_check(&tree.paths, &device, &err), -ENODEV);
	ck_assert_ptr_nonnull(strstr(err.text, "no IOMMU"));
	tree_fini(&tree);
}
END_TEST

START_TEST(test_bound_device_goes_back_to_its_driver)
{
	struct host_tree tree;
	struct device_bind bind = start(&tree);

	tree_put(&tree, NVME, "driver_override", "nvme");
	ck_assert_int_eq(device_bind(&bind, NVME, NULL), 0);
	ck_assert_str_eq(tree_get(&tree, NVME).driver, "vfio-pci");
	ck_assert(has_record(&tree));
	/* Once more changes nothing, above all not what is remembered. */
	ck_assert_int_eq(device_bind(&bind, NVME, NULL), 0);
	ck_assert_int_eq(device_bind_repair(&bind, NULL, NULL), 0);
	ck_assert_str_eq(tree_get(&tree, NVME).driver, "vfio-pci");
	ck_assert_int_eq(device_unbind(&bind, NVME, NULL), 0);
	ck_assert_str_eq(tree_get(&tree, NVME).driver, "nvme");
	ck_assert_str_eq(tree_get(&tree, NVME).driver_override, "nvme");
	ck_assert(!has_record(&tree));
	tree_fini(&tree);
}
END_TEST

START_TEST(test_device_without_driver_gets_none_back)
{
	struct host_tree tree;
	struct device_bind bind = start(&tree);

	tree_set_driver(&tree, NVME, "");
	ck_assert_int_eq(device_bind(&bind, NVME, NULL), 0);
	ck_assert_int_eq(device_unbind(&bind, NVME, NULL), 0);
	ck_assert_str_eq(tree_get(&tree, NVME).driver, "");
	ck_assert_int_eq(device_unbind(&bind, NVME, NULL), -EINVAL);
	tree_fini(&tree);
}
END_TEST

START_TEST(test_failed_bind_is_undone)
{
	for (unsigned int nth = 1; nth <= 3; nth++) {
		struct host_tree tree;
		struct device_bind bind = start(&tree);
		struct err err = {0};

		tree.fails_at = nth;
		ck_assert_int_eq(device_bind(&bind, NVME, &err), -EIO);
		ck_assert_ptr_nonnull(strstr(err.text, NVME ": vfio-pci does not take it"));
		ck_assert_str_eq(tree_get(&tree, NVME).driver, "nvme");
		ck_assert_str_eq(tree_get(&tree, NVME).driver_override, "");
		ck_assert(!has_record(&tree));
		tree_fini(&tree);
	}
}
END_TEST

START_TEST(test_driver_that_refuses_is_noticed)
{
	struct host_tree tree;
	struct device_bind bind = start(&tree);

	tree.has_no_probe = true;
	ck_assert_int_eq(device_bind(&bind, NVME, NULL), -ENXIO);
	ck_assert_str_eq(tree_get(&tree, NVME).driver, "nvme");
	tree_fini(&tree);
}
END_TEST

/* A crash at any write, of bind or of unbind; then another command. */
START_TEST(test_next_command_mends_what_was_cut_short)
{
	for (unsigned int nth = 1; nth <= 6; nth++) {
		for (unsigned int how = 0; how < 3; how++) {
			struct host_tree tree;
			struct device_bind bind = start(&tree);
			bool was_half;

			tree.fails_at = nth;
			tree.dies = true;
			if (!device_bind(&bind, NVME, NULL))
				(void)!device_unbind(&bind, NVME, NULL);
			tree.fails_at = 0;
			was_half = device_bind_is_half(&bind, NVME);
			ck_assert(was_half == (has_record(&tree)));
			if (how == 0) {
				ck_assert_int_eq(device_bind_repair(&bind, NULL, NULL), 0);
				ck_assert_str_eq(tree_get(&tree, NVME).driver, "nvme");
			} else if (how == 1) {
				ck_assert_int_eq(device_bind_repair(&bind, NVME, NULL), 0);
				ck_assert_int_eq(device_bind(&bind, NVME, NULL), 0);
				ck_assert_str_eq(tree_get(&tree, NVME).driver, "vfio-pci");
				ck_assert_int_eq(device_unbind(&bind, NVME, NULL), 0);
			} else if (was_half) {
				ck_assert_int_eq(device_unbind(&bind, NVME, NULL), 0);
			}
			ck_assert_str_eq(tree_get(&tree, NVME).driver, "nvme");
			ck_assert_str_eq(tree_get(&tree, NVME).driver_override, "");
			ck_assert(!has_record(&tree));
			tree_fini(&tree);
		}
	}
}
END_TEST

START_TEST(test_records_of_devices_that_are_gone_are_dropped)
{
	struct host_tree tree;
	struct device_bind bind = start(&tree);

	ck_assert_int_eq(device_bind(&bind, NVME, NULL), 0);
	tree_run("rm -r %s/bus/pci/devices/" NVME, tree.sysfs);
	ck_assert_int_eq(device_bind_repair(&bind, NULL, NULL), 0);
	ck_assert(!has_record(&tree));
	tree_fini(&tree);
}
END_TEST

/* @what: a shell command that makes the host use the disk. */
static void expect_use(const char *what, const char *words)
{
	struct host_tree tree;
	struct device_bind bind = start(&tree);
	struct err err = {0};

	tree_run("mkdir -p %s/self %s/class/block %s/block/" NVME "/nvme0n1/holders", tree.proc,
		 tree.sysfs, tree.sysfs);
	tree_run("ln -s ../../block/" NVME "/nvme0n1 %s/class/block/nvme0n1; "
		 "echo 259:3 >%s/block/" NVME "/nvme0n1/dev",
		 tree.sysfs, tree.sysfs);
	tree_run("echo '1 0 259:1 / /home rw - ext4 /dev/x rw' >%s/self/mountinfo; "
		 "echo '/dev/nvme0n11 partition' >%s/swaps",
		 tree.proc, tree.proc);
	tree_run("cd %s && %s", tree.directory, what);
	if (*words) {
		ck_assert_int_eq(device_bind(&bind, NVME, &err), -EBUSY);
		ck_assert_msg(strstr(err.text, words), "%s", err.text);
		ck_assert_str_eq(tree_get(&tree, NVME).driver, "nvme");
	} else {
		ck_assert_int_eq(device_bind(&bind, NVME, &err), 0);
	}
	tree_fini(&tree);
}

START_TEST(test_disk_that_the_host_uses_is_left_alone)
{
	expect_use("true", "");
	expect_use("echo '2 0 259:3 / / rw - ext4 /dev/nvme0n1 rw' >>proc/self/mountinfo",
		   "nvme0n1 is mounted at /;");
	expect_use("printf '/dev/nvme0n1\\tpartition\\n' >>proc/swaps", "swapoff");
	expect_use("mkdir sys/block/" NVME "/nvme0n1/holders/dm-0", "LVM");
	/* btrfs has no number of a disk, and is on more than the one it is mounted by. */
	expect_use("echo '2 0 0:31 / / rw - btrfs /dev/nvme0n1 rw' >>proc/self/mountinfo",
		   "nvme0n1 is mounted at /;");
	expect_use("mkdir -p sys/fs/btrfs/0123/devices/nvme0n1", "btrfs");
	expect_use("mkdir -p sys/fs/btrfs/0123/devices/sda", "");
}
END_TEST

/* The disk is no child of the controller then, but of the subsystem that both belong to. */
START_TEST(test_disk_of_an_nvme_subsystem_is_left_alone)
{
	static const char *const paths[][2] = {{NVME, "is mounted at /;"}, {TWIN, ""}};

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char command[480];

		snprintf(command, sizeof(command),
			 "cd sys && mkdir -p class/nvme-subsystem/nvme-subsys0 virtual/"
			 "nvme-subsystem/nvme-subsys0/nvme0n1 && "
			 "ln -s ../../../pci0000:00/%s/nvme/nvme0 class/nvme-subsystem/"
			 "nvme-subsys0/nvme0 && "
			 "echo 259:1 >virtual/nvme-subsystem/nvme-subsys0/nvme0n1/dev && "
			 "ln -sfn ../../virtual/nvme-subsystem/nvme-subsys0/nvme0n1 "
			 "class/block/nvme0n1 && sed -i s:/home:/: ../proc/self/mountinfo",
			 paths[i][0]);
		expect_use(command, paths[i][1]);
	}
}
END_TEST

/* Some that can be mended, around one that cannot. */
START_TEST(test_device_that_cannot_be_mended_is_in_nobodys_way)
{
	static const char *const others[] = {"0000:01:00.2", "0000:01:00.3", "0000:01:00.4"};
	struct host_tree tree;
	struct device_bind bind = start(&tree);
	struct err err = {0};

	tree_run("printf 'phase returning\\ndriver gone\\noverride \\n' >%s/device-" NVME,
		 tree.state);
	tree.refuses = "gone";
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		tree_add(&tree, others[i], "8", "vfio-pci");
		tree_run("printf 'phase returning\\ndriver nvme\\noverride \\n' "
			 ">%s/device-%s",
			 tree.state, others[i]);
	}
	ck_assert_int_lt(device_bind_repair(&bind, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, NVME ": its old driver gone"));
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		ck_assert_str_eq(tree_get(&tree, others[i]).driver, "nvme");
	tree_fini(&tree);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_addresses_are_read_in_two_forms,
		test_devices_are_listed_and_described,
		test_each_reason_not_to_assign_is_named,
		test_bound_device_goes_back_to_its_driver,
		test_device_without_driver_gets_none_back,
		test_failed_bind_is_undone,
		test_driver_that_refuses_is_noticed,
		test_next_command_mends_what_was_cut_short,
		test_records_of_devices_that_are_gone_are_dropped,
		test_disk_that_the_host_uses_is_left_alone,
		test_disk_of_an_nvme_subsystem_is_left_alone,
		test_device_that_cannot_be_mended_is_in_nobodys_way,
	};

	return unit_run(unit_suite("device_bind", tests, ARRAY_SIZE(tests)));
}
