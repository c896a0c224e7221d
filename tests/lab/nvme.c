// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/lab/nvme.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "tests/lab/device_file.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/host_vfio.h"

enum {
	REG_CAP = 0x00,
	REG_CC = 0x14,
	REG_CSTS = 0x1c,
	REG_AQA = 0x24,
	REG_ASQ = 0x28,
	REG_ACQ = 0x30,
	REG_DOORBELLS = 0x1000,

	CC_ENABLE = 1,
	CC_ENTRY_SIZES = 6 << 16 | 4 << 20, /* 64 and 16 bytes */
	CSTS_READY = 1,

	ADMIN_CREATE_SUBMISSION = 0x01,
	ADMIN_CREATE_COMPLETION = 0x05,
	IO_WRITE = 0x01,
	IO_READ = 0x02,

	SUBMISSION_BYTES = 64,
	COMPLETION_BYTES = 16,
	IS_CONTIGUOUS = 1,
	IO_QUEUE = 1,
};

#define WAIT_NS (UINT64_C(20) * 1000 * 1000 * 1000)

static uint32_t reg_read(const struct nvme *nvme, unsigned int reg)
{
	return *(const volatile uint32_t *)(const volatile void *)(nvme->registers + reg);
}

static void reg_write(const struct nvme *nvme, unsigned int reg, uint32_t value)
{
	*(volatile uint32_t *)(volatile void *)(nvme->registers + reg) = value;
}

static void reg_write64(const struct nvme *nvme, unsigned int reg, uint64_t value)
{
	reg_write(nvme, reg, (uint32_t)value);
	reg_write(nvme, reg + 4, (uint32_t)(value >> 32));
}

static void ready_wait(const struct nvme *nvme, bool is_ready)
{
	uint64_t end_ns = host_clock_now_ns(nvme->host) + WAIT_NS;

	while (((reg_read(nvme, REG_CSTS) & CSTS_READY) != 0) != is_ready) {
		ASSERT(host_clock_now_ns(nvme->host) < end_ns);
		sched_yield();
	}
}

/* --- Queues --- */

struct command {
	uint8_t opcode;
	uint16_t tag;
	uint32_t namespace_id;
	uint64_t address;
	uint32_t words[3]; /* 10 to 12 */
};

static void command_put(struct nvme *nvme, struct nvme_queue *queue, const struct command *c)
{
	uint32_t entry[SUBMISSION_BYTES / sizeof(uint32_t)] = {0};
	volatile uint32_t *slot =
		(volatile uint32_t *)(volatile void *)(queue->submission_hva +
						       queue->tail * SUBMISSION_BYTES);

	entry[0] = c->opcode | (uint32_t)c->tag << 16;
	entry[1] = c->namespace_id;
	entry[6] = (uint32_t)c->address;
	entry[7] = (uint32_t)(c->address >> 32);
	for (unsigned int i = 0; i < ARRAY_SIZE(c->words); i++)
		entry[10 + i] = c->words[i];
	for (unsigned int i = 0; i < ARRAY_SIZE(entry); i++)
		slot[i] = entry[i];
	queue->tail = (uint16_t)((queue->tail + 1) % NVME_QUEUE_ENTRIES);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	reg_write(nvme, REG_DOORBELLS + 2u * queue->id * nvme->doorbell_bytes, queue->tail);
}

static int completion_take(struct nvme *nvme, struct nvme_queue *queue)
{
	const volatile uint32_t *slot =
		(const volatile uint32_t *)(const volatile void *)(queue->completion_hva +
								   queue->head *
									   COMPLETION_BYTES);
	uint32_t word = slot[3];

	if ((word >> 16 & 1) != queue->phase)
		return -EAGAIN;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	queue->head = (uint16_t)((queue->head + 1) % NVME_QUEUE_ENTRIES);
	if (!queue->head)
		queue->phase ^= 1;
	reg_write(nvme, REG_DOORBELLS + (2u * queue->id + 1) * nvme->doorbell_bytes,
		  queue->head);
	return word >> 17 ? -EIO : (int)(word & 0xffff);
}

static int completion_wait(struct nvme *nvme, struct nvme_queue *queue)
{
	uint64_t end_ns = host_clock_now_ns(nvme->host) + WAIT_NS;
	int ret;

	while ((ret = completion_take(nvme, queue)) == -EAGAIN) {
		if (host_clock_now_ns(nvme->host) >= end_ns)
			return -ETIMEDOUT;
		sched_yield();
	}
	return ret < 0 ? ret : 0;
}

static void queue_init(struct nvme_queue *queue, uint8_t id, gpa_t gpa, char *hva)
{
	memset(hva, 0, 2 * GRANULE_BYTES);
	*queue = (struct nvme_queue){
		.submission = gpa,
		.completion = gpa + GRANULE_BYTES,
		.submission_hva = (uint8_t *)hva,
		.completion_hva = (uint8_t *)hva + GRANULE_BYTES,
		.phase = 1,
		.id = id,
	};
}

static void queues_start(struct nvme *nvme)
{
	uint32_t size = (NVME_QUEUE_ENTRIES - 1) << 16 | IO_QUEUE;
	struct command completion = {.opcode = ADMIN_CREATE_COMPLETION,
				     .address = nvme->io.completion,
				     .words = {size, IS_CONTIGUOUS}};
	struct command submission = {.opcode = ADMIN_CREATE_SUBMISSION,
				     .address = nvme->io.submission,
				     .words = {size, IO_QUEUE << 16 | IS_CONTIGUOUS}};

	reg_write(nvme, REG_CC, 0);
	ready_wait(nvme, false);
	reg_write(nvme, REG_AQA, (NVME_QUEUE_ENTRIES - 1) << 16 | (NVME_QUEUE_ENTRIES - 1));
	reg_write64(nvme, REG_ASQ, nvme->admin.submission);
	reg_write64(nvme, REG_ACQ, nvme->admin.completion);
	reg_write(nvme, REG_CC, CC_ENABLE | CC_ENTRY_SIZES);
	ready_wait(nvme, true);
	command_put(nvme, &nvme->admin, &completion);
	ASSERT(completion_wait(nvme, &nvme->admin) == 0);
	command_put(nvme, &nvme->admin, &submission);
	ASSERT(completion_wait(nvme, &nvme->admin) == 0);
}

/* --- The device --- */

void nvme_start(struct nvme *nvme, struct host *host, struct guest_memory *memory,
		const char *address, gpa_t queues, void *hva)
{
	struct vfio_region_info config = {.argsz = sizeof(config),
					  .index = VFIO_PCI_CONFIG_REGION_INDEX};
	struct vfio_region_info bar = {.argsz = sizeof(bar),
				       .index = VFIO_PCI_BAR0_REGION_INDEX};
	uint16_t command = PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER;
	struct err err = {0};
	void *registers;
	int iommu;

	*nvme = (struct nvme){.host = host, .memory = memory};
	iommu = guest_dma_open(memory, DMA_CUT, -1, &err);
	if (iommu < 0)
		fprintf(stderr, "%s\n", err.text);
	ASSERT(iommu >= 0);
	nvme->device = device_file_open(host, address);
	ASSERT(nvme->device >= 0);
	ASSERT(host_vfio_bind(host, nvme->device, iommu) == 0);
	if (guest_dma_attach(memory, nvme->device, false, &err)) {
		fprintf(stderr, "%s\n", err.text);
		ASSERT(!"attached");
	}
	ASSERT(host_vfio_reset(host, nvme->device) == 0);
	ASSERT(host_vfio_get_region(host, nvme->device, &config) == 0);
	ASSERT(host_vfio_get_region(host, nvme->device, &bar) == 0);
	ASSERT(host_vfio_write(host, nvme->device, config.offset + PCI_COMMAND, &command,
			       sizeof(command)) == 0);
	ASSERT(host_mem_map(host, nvme->device, bar.offset, bar.size, &registers) == 0);
	nvme->registers = registers;
	nvme->registers_bytes = bar.size;
	nvme->doorbell_bytes = 4u << (reg_read(nvme, REG_CAP + 4) & 0xf);
	queue_init(&nvme->admin, 0, queues, hva);
	queue_init(&nvme->io, IO_QUEUE, queues + 2 * GRANULE_BYTES,
		   (char *)hva + 2 * GRANULE_BYTES);
	queues_start(nvme);
}

void nvme_stop(struct nvme *nvme)
{
	union {
		volatile uint8_t *mapped;
		void *hva;
	} registers = {.mapped = nvme->registers};

	ASSERT(host_vfio_reset(nvme->host, nvme->device) == 0);
	host_mem_unmap(nvme->host, registers.hva, nvme->registers_bytes);
	ASSERT(guest_dma_detach(nvme->memory, nvme->device) == 0);
	host_close(nvme->host, nvme->device);
	guest_dma_close(nvme->memory);
}

/* --- Transfers --- */

void nvme_submit(struct nvme *nvme, bool to_memory, uint64_t offset, gpa_t gpa,
		 uint32_t size_bytes, uint16_t tag)
{
	uint64_t block = offset / NVME_BLOCK_BYTES;
	struct command command = {
		.opcode = to_memory ? IO_READ : IO_WRITE,
		.tag = tag,
		.namespace_id = 1,
		.address = gpa,
		.words = {(uint32_t)block, (uint32_t)(block >> 32),
			  size_bytes / NVME_BLOCK_BYTES - 1},
	};

	command_put(nvme, &nvme->io, &command);
}

int nvme_poll(struct nvme *nvme)
{
	return completion_take(nvme, &nvme->io);
}

int nvme_transfer(struct nvme *nvme, bool to_memory, uint64_t offset, gpa_t gpa,
		  uint32_t size_bytes)
{
	nvme_submit(nvme, to_memory, offset, gpa, size_bytes, 0);
	return completion_wait(nvme, &nvme->io);
}
