/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VM on the fake kernel with PCI, and devices of a host in a directory to assign to it. */
#ifndef TESTS_UNIT_VFIO_RIG_H
#define TESTS_UNIT_VFIO_RIG_H

#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>

#include "tests/fake/fake_device.h"
#include "tests/fake/faulty.h"
#include "tests/unit/host_tree.h"
#include "tests/unit/unit.h"
#include "vmm/platform.h"

#define NVME	"0000:00:01.0"
#define TWIN	"0000:00:02.0"
#define COMMAND (PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER)

struct vfio_rig {
	struct host_tree tree;
	struct fake *fake;
	struct faulty *faulty;
	struct host *host;
	int vm;
	struct guest_memory *memory;
	struct bus *mmio, *pio;
	struct loop *loop;
	struct pci_host *pci;
	struct fake_device *nvme, *twin;
	struct vfio *vfio;
	struct vfio_device *device;
	char warning[ERR_TEXT_MAX_BYTES];
	char lost[ERR_TEXT_MAX_BYTES];
	unsigned int n_warnings;
	struct err err;
};

static inline void rig_warn(void *machine, const char *text)
{
	struct vfio_rig *rig = machine;

	snprintf(rig->warning, sizeof(rig->warning), "%s", text);
	rig->n_warnings++;
}

static inline void rig_lost(void *machine, struct vfio_device *device, const char *text)
{
	struct vfio_rig *rig = machine;

	ck_assert_ptr_eq(device, rig->device);
	snprintf(rig->lost, sizeof(rig->lost), "%s", text);
	loop_stop(rig->loop);
}

static inline struct fake_device *rig_add_host(struct vfio_rig *rig, const char *address)
{
	char path[192];

	tree_add(&rig->tree, address, address, "vfio-pci");
	snprintf(path, sizeof(path), "%s/vfio/devices/vfio%c", rig->tree.dev,
		 address[strlen(address) - 3]);
	return fake_device_add(rig->fake, path);
}

/* All but the devices. */
static inline void rig_init(struct vfio_rig *rig)
{
	struct layout layout;

	*rig = (struct vfio_rig){.fake = fake_new()};
	tree_init(&rig->tree);
	rig->faulty = faulty_new(fake_host(rig->fake));
	rig->host = faulty_host(rig->faulty);
	rig->vm = host_vm_create(rig->host, KVM_X86_DEFAULT_VM);
	ck_assert_int_eq(layout_init(&layout, 64 * MIB, 40, NULL), 0);
	ck_assert_int_eq(guest_memory_new(rig->host, rig->vm, &layout, BACKING_PLAIN,
					  &rig->memory, NULL),
			 0);
	ck_assert_int_eq(bus_new(&rig->mmio), 0);
	ck_assert_int_eq(bus_new(&rig->pio), 0);
	ck_assert_int_eq(loop_new(&rig->loop, NULL), 0);
	ck_assert_int_eq(pci_host_new(rig->mmio, rig->pio, &layout, &rig->pci), 0);
	rig->nvme = rig_add_host(rig, NVME);
	rig->twin = rig_add_host(rig, TWIN);
}

static inline struct vfio_env rig_env(struct vfio_rig *rig)
{
	return (struct vfio_env){
		.host = rig->host,
		.vm = rig->vm,
		.memory = rig->memory,
		.loop = rig->loop,
		.pci = rig->pci,
		.paths = &rig->tree.paths,
		.sink = {.warn = rig_warn, .lost = rig_lost, .machine = rig},
	};
}

static inline int rig_start(struct vfio_rig *rig)
{
	struct vfio_env env = rig_env(rig);
	int ret = vfio_new(&env, &rig->vfio, &rig->err);

	if (!ret)
		ret = vfio_device_new(rig->vfio, "disk", NVME, &rig->device, &rig->err);
	if (!ret)
		vfio_start(rig->vfio);
	return ret;
}

/* As the machine does it: the loop goes before the devices. */
static inline void rig_stop(struct vfio_rig *rig)
{
	loop_free(rig->loop);
	rig->loop = NULL;
	vfio_free(rig->vfio);
	rig->vfio = NULL;
}

static inline void rig_fini(struct vfio_rig *rig)
{
	rig_stop(rig);
	ck_assert(!fake_device_is_open(rig->nvme));
	ck_assert(!fake_device_is_open(rig->twin));
	ck_assert_uint_eq(fake_count_irqfds(rig->fake), 0);
	pci_host_free(rig->pci);
	bus_free(rig->pio);
	bus_free(rig->mmio);
	guest_memory_free(rig->memory);
	host_close(rig->host, rig->vm);
	faulty_free(rig->faulty);
	fake_free(rig->fake);
	tree_fini(&rig->tree);
}

/* One with the device on the bus, as firmware leaves it. */
static inline void rig_init_on(struct vfio_rig *rig)
{
	rig_init(rig);
	ck_assert_msg(rig_start(rig) == 0, "%s", rig->err.text);
}

/* --- The guest --- */

static inline uint64_t guest_config(unsigned int offset)
{
	return PLATFORM_ECAM_GPA + 0x8000 + offset;
}

static inline uint32_t config_get(struct vfio_rig *rig, unsigned int offset,
				  unsigned int size_bytes)
{
	return (uint32_t)bus_read(rig->mmio, guest_config(offset), size_bytes);
}

static inline void config_set(struct vfio_rig *rig, unsigned int offset, uint32_t value,
			      unsigned int size_bytes)
{
	bus_write(rig->mmio, guest_config(offset), value, size_bytes);
}

static inline uint64_t bar_gpa(struct vfio_rig *rig, unsigned int bar)
{
	return config_get(rig, PCI_BASE_ADDRESS_0 + 4 * bar, 4) & 0xfffffff0;
}

/* The device's own configuration space. */
static inline uint32_t hardware_get(struct fake_device *device, unsigned int offset)
{
	return fake_device_get(device, VFIO_PCI_CONFIG_REGION_INDEX, offset);
}

#endif
