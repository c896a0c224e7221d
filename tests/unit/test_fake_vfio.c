// SPDX-License-Identifier: GPL-2.0-or-later
/* The fake kernel's vfio keeps the rules that the tests of assigned devices rely on. */
#include <errno.h>

#include "tests/unit/vfio_rig.h"
#include "vmm/host_iommu.h"
#include "vmm/host_vfio.h"

struct opened {
	struct vfio_rig rig;
	int list, iommu, device;
};

static void opened_init(struct opened *opened)
{
	char path[192];

	rig_init(&opened->rig);
	snprintf(path, sizeof(path), "%s/vfio/devices/vfio1", opened->rig.tree.dev);
	opened->list = host_vm_create_vfio(opened->rig.host, opened->rig.vm);
	opened->iommu = host_iommu_open(opened->rig.host);
	opened->device = host_vfio_open(opened->rig.host, path);
	ck_assert_int_ge(opened->device, 0);
}

static void opened_fini(struct opened *opened)
{
	struct host *host = opened->rig.host;

	(void)!host_vm_vfio_remove(host, opened->list, opened->device);
	host_close(host, opened->device);
	host_close(host, opened->iommu);
	host_close(host, opened->list);
	rig_fini(&opened->rig);
}

static void opened_bind(struct opened *opened)
{
	struct host *host = opened->rig.host;

	ck_assert_int_eq(host_vm_vfio_add(host, opened->list, opened->device), 0);
	ck_assert_int_eq(host_vfio_bind(host, opened->device, opened->iommu), 0);
}

static int set_eventfds(struct opened *opened, uint32_t index, uint32_t start, uint32_t count)
{
	uint64_t buffer[8] = {0};
	struct vfio_irq_set *set = (void *)buffer;

	*set = (struct vfio_irq_set){
		.argsz = sizeof(buffer),
		.flags = VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER,
		.index = index,
		.start = start,
		.count = count,
	};
	memset(set->data, 0xff, sizeof(buffer) - sizeof(*set));
	return host_vfio_set_irqs(opened->rig.host, opened->device, set);
}

START_TEST(test_nothing_works_before_bind)
{
	struct opened opened;
	struct vfio_device_info info = {.argsz = sizeof(info)};
	struct vfio_region_info region = {.argsz = sizeof(region)};
	struct vfio_irq_info irq = {.argsz = sizeof(irq)};
	struct host *host;
	uint32_t value;

	opened_init(&opened);
	host = opened.rig.host;
	ck_assert_int_eq(host_vfio_get_info(host, opened.device, &info), -EINVAL);
	ck_assert_int_eq(host_vfio_get_region(host, opened.device, &region), -EINVAL);
	ck_assert_int_eq(host_vfio_get_irq(host, opened.device, &irq), -EINVAL);
	ck_assert_int_eq(host_vfio_read(host, opened.device, 0, &value, 4), -EINVAL);
	ck_assert_int_eq(host_vfio_reset(host, opened.device), -EINVAL);
	ck_assert_int_eq(set_eventfds(&opened, VFIO_PCI_MSI_IRQ_INDEX, 0, 1), -EINVAL);
	opened_bind(&opened);
	ck_assert_int_eq(host_vfio_get_info(host, opened.device, &info), 0);
	ck_assert_uint_eq(info.num_regions, VFIO_PCI_NUM_REGIONS);
	ck_assert_int_eq(host_vfio_bind(host, opened.device, opened.iommu), -EINVAL);
	opened_fini(&opened);
}
END_TEST

START_TEST(test_kernel_lists_a_file_once_and_has_one_list)
{
	struct opened opened;
	struct host *host;

	opened_init(&opened);
	host = opened.rig.host;
	ck_assert_int_eq(host_vm_create_vfio(host, opened.rig.vm), -EBUSY);
	ck_assert_int_eq(host_vm_vfio_remove(host, opened.list, opened.device), -ENOENT);
	ck_assert_int_eq(host_vm_vfio_add(host, opened.list, opened.device), 0);
	ck_assert_int_eq(host_vm_vfio_add(host, opened.list, opened.device), -EEXIST);
	opened_fini(&opened);
}
END_TEST

START_TEST(test_registers_of_a_silent_device_are_out_of_reach)
{
	struct opened opened;
	uint32_t value;

	opened_init(&opened);
	opened_bind(&opened);
	ck_assert_int_eq(host_vfio_read(opened.rig.host, opened.device, 0, &value, 4), -EIO);
	ck_assert_int_eq(host_vfio_read(opened.rig.host, opened.device,
					UINT64_C(1) << 40 | 0x1000, &value, 4),
			 -EINVAL);
	opened_fini(&opened);
}
END_TEST

START_TEST(test_one_kind_of_interrupt_within_its_bounds)
{
	struct opened opened;

	opened_init(&opened);
	opened_bind(&opened);
	ck_assert_int_eq(set_eventfds(&opened, VFIO_PCI_MSI_IRQ_INDEX, 0, 2), 0);
	/* MSI has as many as it began with; the others wait until it is off. */
	ck_assert_int_eq(set_eventfds(&opened, VFIO_PCI_MSI_IRQ_INDEX, 2, 1), -EINVAL);
	ck_assert_int_eq(set_eventfds(&opened, VFIO_PCI_MSIX_IRQ_INDEX, 0, 1), -EINVAL);
	ck_assert_int_eq(set_eventfds(&opened, VFIO_PCI_INTX_IRQ_INDEX, 0, 1), -EINVAL);
	ck_assert_int_eq(
		set_eventfds(&opened, VFIO_PCI_MSI_IRQ_INDEX, FAKE_DEVICE_MSI_VECTORS, 1),
		-EINVAL);
	opened_fini(&opened);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		test_nothing_works_before_bind,
		test_kernel_lists_a_file_once_and_has_one_list,
		test_registers_of_a_silent_device_are_out_of_reach,
		test_one_kind_of_interrupt_within_its_bounds,
	};

	return unit_run(unit_suite("fake_vfio", tests, ARRAY_SIZE(tests)));
}
