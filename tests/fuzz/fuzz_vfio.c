// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile driver of an assigned device, which itself describes its interrupts and
 * capabilities in any way it likes. The fake kernel ends the run when a memslot shows what the
 * device does not decode, and when anything is left behind.
 */
#include <linux/kvm.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "devices/assigned.h"
#include "tests/fake/fake_device.h"
#include "vmm/err.h"
#include "vmm/platform.h"

enum {
	ACCESSES_MAX = 256,
	STRANGE_MAX = 8,
	CONFIG_BYTES = 4096,
};

#define ADDRESS "0000:00:01.0"

/* The host's directory stays for the whole run. */
struct fuzz_tree {
	char directory[64];
	char sysfs[96], dev[96], vfio[160];
};

struct fuzz {
	struct fake *fake;
	struct host *host;
	int vm;
	struct guest_memory *memory;
	struct bus *mmio, *pio;
	struct loop *loop;
	struct pci_host *pci;
	struct fake_device *hardware;
	struct vfio *vfio;
	const uint8_t *input;
	size_t n_input;
};

static void must_succeed(int result)
{
	ASSERT(result >= 0);
}

static uint64_t take(struct fuzz *fuzz, unsigned int size_bytes)
{
	uint64_t value = 0;

	if (size_bytes > fuzz->n_input)
		size_bytes = (unsigned int)fuzz->n_input;
	memcpy(&value, fuzz->input, size_bytes);
	fuzz->input += size_bytes;
	fuzz->n_input -= size_bytes;
	return value;
}

/* --- The host --- */

static void make_directory(const struct fuzz_tree *tree, const char *path)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", tree->directory, path);
	must_succeed(mkdir(whole, 0700));
}

static void make_link(const struct fuzz_tree *tree, const char *path, const char *target)
{
	char whole[256];

	snprintf(whole, sizeof(whole), "%s/%s", tree->directory, path);
	must_succeed(symlink(target, whole));
}

static void tree_make(struct fuzz_tree *tree)
{
	static const char *const directories[] = {
		"sys",
		"sys/bus",
		"sys/bus/pci",
		"sys/bus/pci/devices",
		"sys/bus/pci/devices/" ADDRESS,
		"sys/bus/pci/devices/" ADDRESS "/vfio-dev",
		"sys/bus/pci/devices/" ADDRESS "/vfio-dev/vfio1",
		"dev",
		"dev/iommu",
	};

	*tree = (struct fuzz_tree){.directory = "/tmp/alcove-fuzz-XXXXXX"};
	ASSERT(mkdtemp(tree->directory));
	for (size_t i = 0; i < ARRAY_SIZE(directories); i++)
		make_directory(tree, directories[i]);
	make_link(tree, "sys/bus/pci/devices/" ADDRESS "/driver", "drivers/vfio-pci");
	make_link(tree, "sys/bus/pci/devices/" ADDRESS "/iommu_group", "iommu_groups/1");
	snprintf(tree->sysfs, sizeof(tree->sysfs), "%s/sys", tree->directory);
	snprintf(tree->dev, sizeof(tree->dev), "%s/dev", tree->directory);
	snprintf(tree->vfio, sizeof(tree->vfio), "%s/vfio/devices/vfio1", tree->dev);
}

static const struct fuzz_tree *tree_get(void)
{
	static struct fuzz_tree tree;

	if (!*tree.directory)
		tree_make(&tree);
	return &tree;
}

static void ignore(void *machine, const char *text)
{
	(void)machine;
	(void)text;
}

static void ignore_lost(void *machine, struct vfio_device *device, const char *text)
{
	(void)machine;
	(void)device;
	(void)text;
}

/* Bytes that a device may have as it likes: not the list, which the kernel reads, too. */
static void make_strange(struct fuzz *fuzz)
{
	static const unsigned int places[] = {
		PCI_HEADER_TYPE,
		PCI_BASE_ADDRESS_0,
		PCI_BASE_ADDRESS_2,
		PCI_BASE_ADDRESS_3,
		FAKE_DEVICE_MSI + PCI_MSI_FLAGS,
		FAKE_DEVICE_EXPRESS + PCI_EXP_FLAGS,
		FAKE_DEVICE_MSIX + PCI_MSIX_FLAGS,
		FAKE_DEVICE_MSIX + PCI_MSIX_TABLE,
		FAKE_DEVICE_MSIX + PCI_MSIX_PBA,
		FAKE_DEVICE_VENDOR,
		FAKE_DEVICE_ATS,
		FAKE_DEVICE_AER,
		FAKE_DEVICE_REBAR,
		FAKE_DEVICE_DSN,
	};
	unsigned int n = (unsigned int)take(fuzz, 1) % STRANGE_MAX;

	fake_device_traits(fuzz->hardware)->is_strange = n;
	fake_device_traits(fuzz->hardware)->is_fixed = take(fuzz, 1) & 1;
	for (unsigned int i = 0; i < n; i++) {
		unsigned int at = places[take(fuzz, 1) % ARRAY_SIZE(places)];
		uint32_t value = (uint32_t)take(fuzz, 4);

		memcpy(fake_device_config(fuzz->hardware) + at, &value,
		       at == PCI_HEADER_TYPE ? 1 : sizeof(value));
	}
}

static void plug(struct fuzz *fuzz)
{
	const struct fuzz_tree *tree = tree_get();
	const struct host_paths paths = {
		.sysfs = tree->sysfs, .dev = tree->dev, .proc = "", .state = ""};
	const struct vfio_env env = {
		.host = fuzz->host,
		.vm = fuzz->vm,
		.memory = fuzz->memory,
		.loop = fuzz->loop,
		.pci = fuzz->pci,
		.paths = &paths,
		.sink = {.warn = ignore, .lost = ignore_lost},
	};
	struct vfio_device *device;

	fuzz->hardware = fake_device_add(fuzz->fake, tree->vfio);
	make_strange(fuzz);
	must_succeed(vfio_new(&env, &fuzz->vfio, NULL));
	/* One that describes itself too badly is refused. */
	if (!vfio_device_new(fuzz->vfio, "fuzz", ADDRESS, &device, NULL))
		vfio_start(fuzz->vfio);
}

static void fuzz_init(struct fuzz *fuzz, const uint8_t *bytes, size_t size_bytes)
{
	struct layout layout;

	*fuzz = (struct fuzz){.fake = fake_new(), .input = bytes, .n_input = size_bytes};
	fuzz->host = fake_host(fuzz->fake);
	fuzz->vm = host_vm_create(fuzz->host, KVM_X86_DEFAULT_VM);
	must_succeed(layout_init(&layout, 16 * MIB, 40, NULL));
	must_succeed(guest_memory_new(fuzz->host, fuzz->vm, &layout, BACKING_PLAIN,
				      &fuzz->memory, NULL));
	must_succeed(bus_new(&fuzz->mmio));
	must_succeed(bus_new(&fuzz->pio));
	must_succeed(loop_new(&fuzz->loop, NULL));
	must_succeed(pci_host_new(fuzz->mmio, fuzz->pio, &layout, &fuzz->pci));
	plug(fuzz);
}

static void fuzz_fini(struct fuzz *fuzz)
{
	loop_free(fuzz->loop);
	vfio_free(fuzz->vfio);
	ASSERT(!fake_device_is_open(fuzz->hardware));
	ASSERT(!fake_count_irqfds(fuzz->fake));
	pci_host_free(fuzz->pci);
	bus_free(fuzz->pio);
	bus_free(fuzz->mmio);
	guest_memory_free(fuzz->memory);
	host_close(fuzz->host, fuzz->vm);
	fake_free(fuzz->fake);
}

/* --- The guest --- */

static unsigned int take_size(struct fuzz *fuzz)
{
	return 1u << take(fuzz, 1) % 4;
}

static void do_access(struct fuzz *fuzz, uint64_t gpa)
{
	unsigned int size_bytes = take_size(fuzz);

	bus_read(fuzz->mmio, gpa, size_bytes);
	bus_write(fuzz->mmio, gpa, take(fuzz, size_bytes), size_bytes);
	bus_read(fuzz->mmio, gpa, size_bytes);
}

static uint64_t config_of(unsigned int offset)
{
	return PLATFORM_ECAM_GPA + 0x8000 + offset;
}

static void do_config(struct fuzz *fuzz)
{
	do_access(fuzz, config_of((unsigned int)take(fuzz, 2) % CONFIG_BYTES));
}

/* Where most happens. */
static void do_register(struct fuzz *fuzz)
{
	static const unsigned int places[] = {
		PCI_COMMAND,
		PCI_BASE_ADDRESS_0,
		PCI_ROM_ADDRESS,
		FAKE_DEVICE_PM + PCI_PM_CTRL,
		FAKE_DEVICE_MSI + PCI_MSI_FLAGS,
		FAKE_DEVICE_MSI + PCI_MSI_MASK_64,
		FAKE_DEVICE_MSIX + PCI_MSIX_FLAGS,
	};

	do_access(fuzz, config_of(places[take(fuzz, 1) % ARRAY_SIZE(places)]));
}

static void do_bar(struct fuzz *fuzz)
{
	unsigned int bar = (unsigned int)take(fuzz, 1) % 4;
	uint64_t gpa =
		bus_read(fuzz->mmio, config_of(PCI_BASE_ADDRESS_0 + 4 * bar), 4) & 0xfffffff0;

	do_access(fuzz, gpa + take(fuzz, 2) % (16 * KIB));
}

static void do_table(struct fuzz *fuzz)
{
	uint64_t gpa = bus_read(fuzz->mmio, config_of(PCI_BASE_ADDRESS_0), 4) & 0xfffffff0;

	do_access(fuzz, gpa + FAKE_DEVICE_TABLE + take(fuzz, 1));
}

static void do_raise(struct fuzz *fuzz)
{
	unsigned int what = (unsigned int)take(fuzz, 1);

	fake_device_raise(fuzz->hardware,
			  what & 1 ? VFIO_PCI_MSIX_IRQ_INDEX : VFIO_PCI_MSI_IRQ_INDEX,
			  what / 2 % FAKE_DEVICE_VECTORS);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size_bytes)
{
	static void (*const actions[])(struct fuzz * fuzz) = {
		do_config, do_register, do_bar, do_table, do_raise,
	};
	struct fuzz fuzz;

	fuzz_init(&fuzz, bytes, size_bytes);
	for (unsigned int i = 0; i < ACCESSES_MAX && fuzz.n_input; i++)
		actions[take(&fuzz, 1) % ARRAY_SIZE(actions)](&fuzz);
	fuzz_fini(&fuzz);
	return 0;
}
