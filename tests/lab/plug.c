// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/plug.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/iommufd.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "tests/fake/fake.h"
#include "tests/lab/device_file.h"
#include "vmm/err.h"
#include "vmm/host_vfio.h"

/* --- iommufd's own test device: drivers/iommu/iommufd/iommufd_test.h, not installed --- */

enum {
	MOCK_OP_DOMAIN = 2,
	MOCK_OP_CHECK_MAP = 3,
	MOCK_ALIGNMENT = 2048,
	MOCK_APERTURE_START = 1 << 24,
};

#define MOCK_APERTURE_END (UINT64_C(1) << 31)

struct mock_request {
	uint32_t size;
	uint32_t op;
	uint32_t id;
	uint32_t reserved;
	union {
		struct {
			uint32_t stdev, hwpt, idev;
		} domain;
		struct {
			uint64_t iova, length, hva;
		} map;
		uint64_t room[6];
	};
	uint32_t last;
};

#define MOCK_REQUEST _IO(IOMMUFD_TYPE, IOMMUFD_CMD_BASE + 32)

static struct plug *plug_of(struct host *host)
{
	/* The one whose table it is, which is not constant for who made it. */
	union {
		const struct host_ops *theirs;
		struct host_ops *ours;
	} ops = {.theirs = host->ops};

	return container_of(ops.ours, struct plug, ops);
}

static int mock_call(struct plug *plug, struct mock_request *request)
{
	request->size = sizeof(*request);
	return ioctl(plug->iommu, MOCK_REQUEST, request) < 0 ? -errno : 0;
}

static int mock_attach(struct host *host, int device, uint32_t ioas)
{
	struct plug *plug = plug_of(host);
	struct mock_request request = {.op = MOCK_OP_DOMAIN, .id = ioas};
	int ret = mock_call(plug, &request);

	(void)device;
	if (!ret) {
		plug->stdev = request.domain.stdev;
		plug->hwpt = request.domain.hwpt;
	}
	return ret;
}

static int mock_detach(struct host *host, int device)
{
	struct plug *plug = plug_of(host);
	int ret = host_iommu_destroy(host, plug->iommu, plug->stdev);

	(void)device;
	plug->stdev = 0;
	return ret;
}

/* --- QEMU's edu: docs/specs/edu.rst --- */

enum {
	EDU_DMA_SOURCE = 0x80,
	EDU_DMA_TARGET = 0x88,
	EDU_DMA_COUNT = 0x90,
	EDU_DMA_COMMAND = 0x98,
	EDU_DMA_RUN = 1,
	EDU_DMA_TO_MEMORY = 2,
	EDU_BUFFER = 0x40000,
	EDU_BAR_BYTES = 1 << 20,
	WAIT_MS = 5000,
};

static void edu_write(struct plug *plug, unsigned int reg, uint64_t value)
{
	*(volatile uint64_t *)(void *)(plug->edu + reg) = value;
}

/* 8 bytes between memory and the device's buffer; what is blocked is not told. */
static void edu_dma(struct plug *plug, uint64_t iova, bool to_memory)
{
	edu_write(plug, EDU_DMA_SOURCE, to_memory ? EDU_BUFFER : iova);
	edu_write(plug, EDU_DMA_TARGET, to_memory ? iova : EDU_BUFFER);
	edu_write(plug, EDU_DMA_COUNT, sizeof(uint64_t));
	edu_write(plug, EDU_DMA_COMMAND, EDU_DMA_RUN | (to_memory ? EDU_DMA_TO_MEMORY : 0));
	for (int i = 0; i < WAIT_MS; i++) {
		if (!(*(volatile uint64_t *)(void *)(plug->edu + EDU_DMA_COMMAND) &
		      EDU_DMA_RUN))
			return;
		nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
	}
	err_assert_failed("DMA ends", __FILE__, __LINE__);
}

static void write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	if (write(fd, text, strlen(text)) < 0)
		printf("# %s: %s\n", path, strerror(errno));
	close(fd);
}

/* Its driver becomes vfio-pci. */
static int edu_open(struct plug *plug)
{
	const char *address = getenv("LAB_EDU");
	char path[512];

	ASSERT(address);
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/driver_override", address);
	write_file(path, "vfio-pci");
	write_file("/sys/bus/pci/drivers_probe", address);
	return device_file_open(plug->host, address);
}

static void edu_start(struct plug *plug, int iommu)
{
	struct vfio_region_info config = {.argsz = sizeof(config),
					  .index = VFIO_PCI_CONFIG_REGION_INDEX};
	struct vfio_region_info bar = {.argsz = sizeof(bar),
				       .index = VFIO_PCI_BAR0_REGION_INDEX};
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	void *hva;

	plug->device = edu_open(plug);
	ASSERT(plug->device >= 0);
	ASSERT(host_vfio_bind(plug->host, plug->device, iommu) == 0);
	ASSERT(host_vfio_get_region(plug->host, plug->device, &config) == 0);
	ASSERT(host_vfio_get_region(plug->host, plug->device, &bar) == 0);
	ASSERT(host_vfio_write(plug->host, plug->device, config.offset + PCI_COMMAND, &command,
			       sizeof(command)) == 0);
	ASSERT(host_mem_map(plug->host, plug->device, bar.offset, EDU_BAR_BYTES, &hva) == 0);
	plug->edu = hva;
}

/* --- All --- */

static bool is_fake(const struct plug *plug)
{
	return plug->kind == PLUG_FAKE_MOCK || plug->kind == PLUG_FAKE_EDU;
}

void plug_init(struct plug *plug, enum plug_kind kind, bool in_place)
{
	*plug = (struct plug){.kind = kind, .device = -1};
	subject_init(&plug->subject, is_fake(plug), in_place);
	plug->host = plug->subject.host;
	if (kind == PLUG_FAKE_MOCK) {
		struct fake_traits *traits = fake_traits(plug->subject.fake);

		traits->iova_reserved = (struct range){.end = MOCK_APERTURE_START};
		traits->iova_end = MOCK_APERTURE_END;
		traits->iova_alignment = MOCK_ALIGNMENT;
	}
	if (kind == PLUG_MOCK) {
		plug->real_ops = plug->host->ops;
		plug->iommu_ops = *plug->real_ops->iommu;
		plug->iommu_ops.device_attach_ioas = mock_attach;
		plug->iommu_ops.device_detach_ioas = mock_detach;
		plug->ops = *plug->real_ops;
		plug->ops.iommu = &plug->iommu_ops;
		plug->host->ops = &plug->ops;
	}
}

void plug_fini(struct plug *plug)
{
	if (plug->real_ops)
		plug->host->ops = plug->real_ops;
	subject_fini(&plug->subject);
}

void plug_add_device(struct plug *plug, int iommu)
{
	plug->iommu = iommu;
	if (is_fake(plug))
		plug->device = fake_add_device(plug->subject.fake, iommu);
	if (plug->kind == PLUG_EDU)
		edu_start(plug, iommu);
}

void plug_remove_device(struct plug *plug)
{
	if (plug->edu)
		host_mem_unmap(plug->host, plug->edu, EDU_BAR_BYTES);
	plug->edu = NULL;
	if (plug->kind == PLUG_MOCK && plug->stdev)
		mock_detach(plug->host, -1);
	if (plug->device >= 0)
		host_close(plug->host, plug->device);
	plug->device = -1;
}

bool plug_reaches(struct plug *plug, uint64_t iova, const void *hva, uint64_t value)
{
	struct mock_request request = {
		.op = MOCK_OP_CHECK_MAP,
		.id = plug->hwpt,
		.map = {.iova = iova, .length = GRANULE_BYTES, .hva = (uintptr_t)hva}};

	if (is_fake(plug))
		return fake_is_mapped(plug->subject.fake, iova);
	if (plug->kind == PLUG_MOCK)
		return mock_call(plug, &request) == 0;
	/* Into the device's buffer, which held something else, and back to where it is seen. */
	*(volatile uint64_t *)plug->scratch = ~value;
	edu_dma(plug, plug->scratch_iova, false);
	edu_dma(plug, iova, false);
	*(volatile uint64_t *)plug->scratch = 0;
	edu_dma(plug, plug->scratch_iova, true);
	return *(volatile uint64_t *)plug->scratch == value;
}
