// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A hostile driver of fw_cfg: any accesses to its ports, any requests for DMA anywhere.
 *
 * A second, simpler device is kept beside it: what is selected and how far it was read. Bytes,
 * answers and memory have to be as that one says.
 */
#include <endian.h>
#include <linux/kvm.h>
#include <linux/qemu_fw_cfg.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "devices/firmware.h"
#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "vmm/err.h"
#include "vmm/host.h"
#include "vmm/platform.h"

enum {
	ITEM_BYTES = 100000,
	STEPS_MAX = 256,
	BEYOND_MAX_BYTES = 64 << 10,
	PRIVATE_GPA = 1 << 20, /* one page */
};

#define RAM_BYTES (16 * MIB)

struct step {
	uint8_t kind;
	uint8_t size_shift;
	uint16_t key;
	uint32_t control;
	uint32_t size_bytes;
	uint32_t port;
	uint64_t gpa;
	uint64_t request;
} __attribute__((packed));

struct fuzz {
	struct fake *fake;
	int vm;
	struct guest_memory *memory;
	struct bus *pio;
	struct fw_cfg *fw_cfg;
	/* As the second device has it. */
	const uint8_t *bytes;
	uint32_t size_bytes;
	uint32_t offset;
};

static uint8_t item[ITEM_BYTES];

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes);

static void model_select(struct fuzz *fuzz, uint16_t key)
{
	fuzz->offset = 0;
	switch (key & ~(unsigned int)FW_CFG_WRITE_CHANNEL) {
	case FW_CFG_SIGNATURE:
		fuzz->bytes = (const uint8_t *)"QEMU";
		fuzz->size_bytes = 4;
		return;
	case FW_CFG_ID:
		fuzz->bytes = (const uint8_t *)"\3\0\0";
		fuzz->size_bytes = 4;
		return;
	case FW_CFG_FILE_DIR:
		fuzz->bytes = (const uint8_t *)"\0\0\0";
		fuzz->size_bytes = 4;
		return;
	case FW_CFG_KERNEL_DATA:
		fuzz->bytes = item;
		fuzz->size_bytes = ITEM_BYTES;
		return;
	default:
		fuzz->size_bytes = 0;
	}
}

static uint32_t model_left(const struct fuzz *fuzz)
{
	return fuzz->size_bytes - fuzz->offset;
}

static bool is_shared(const struct fuzz *fuzz, gpa_t gpa, uint64_t size_bytes)
{
	struct range range, page = {PRIVATE_GPA, PRIVATE_GPA + GRANULE_BYTES};

	return range_init(&range, gpa, size_bytes) && range.end <= RAM_BYTES &&
	       (!range_overlaps(range, page) ||
		guest_get_side(fuzz->memory, PRIVATE_GPA) == SIDE_SHARED);
}

/* Returns the answer, or -1 when there is none. */
static int64_t model_dma(struct fuzz *fuzz, const struct step *step)
{
	uint32_t left, bytes;

	if (step->control & FW_CFG_DMA_CTL_SELECT)
		model_select(fuzz, (uint16_t)(step->control >> 16));
	left = model_left(fuzz);
	bytes = step->size_bytes < left ? step->size_bytes : left;
	if (step->control & FW_CFG_DMA_CTL_READ) {
		if (step->size_bytes - bytes > BEYOND_MAX_BYTES ||
		    (step->size_bytes && !is_shared(fuzz, step->gpa, step->size_bytes)))
			return FW_CFG_DMA_CTL_ERROR;
	} else if (step->control & FW_CFG_DMA_CTL_WRITE) {
		return FW_CFG_DMA_CTL_ERROR;
	} else if (!(step->control & FW_CFG_DMA_CTL_SKIP)) {
		return 0;
	}
	fuzz->offset += bytes;
	return 0;
}

/* What DMA was to write is there, unless the answer lies in it. */
static void check_memory(struct fuzz *fuzz, const struct step *step, uint32_t offset_before)
{
	static uint8_t buffer[ITEM_BYTES + BEYOND_MAX_BYTES];
	uint64_t request_end = step->request + sizeof(struct fw_cfg_dma_access);

	if (step->gpa < request_end && step->request < step->gpa + step->size_bytes)
		return;
	ASSERT(step->size_bytes <= sizeof(buffer));
	ASSERT(guest_read(fuzz->memory, step->gpa, buffer, step->size_bytes) == 0);
	for (uint32_t i = 0; i < step->size_bytes; i++) {
		uint64_t at = (uint64_t)offset_before + i;

		ASSERT(buffer[i] == (at < fuzz->size_bytes ? fuzz->bytes[at] : 0));
	}
}

static void do_dma(struct fuzz *fuzz, const struct step *step)
{
	const struct fw_cfg_dma_access access = {
		.control = htobe32(step->control),
		.length = htobe32(step->size_bytes),
		.address = htobe64(step->gpa),
	};
	bool is_heard = guest_write(fuzz->memory, step->request, &access, sizeof(access)) == 0;
	bool is_read = (step->control & FW_CFG_DMA_CTL_READ) && step->size_bytes;
	uint32_t offset_before = fuzz->offset;
	int64_t wanted;
	uint32_t answer;

	bus_write(fuzz->pio, PLATFORM_FW_CFG_PORT + 4, htobe32((uint32_t)(step->request >> 32)),
		  4);
	bus_write(fuzz->pio, PLATFORM_FW_CFG_PORT + 8, htobe32((uint32_t)step->request), 4);
	if (!is_heard)
		return;
	if (step->control & FW_CFG_DMA_CTL_SELECT)
		offset_before = 0;
	wanted = model_dma(fuzz, step);
	ASSERT(guest_read(fuzz->memory, step->request, &answer, sizeof(answer)) == 0);
	ASSERT(be32toh(answer) == wanted);
	if (is_read && wanted == 0)
		check_memory(fuzz, step, offset_before);
}

static void do_read_byte(struct fuzz *fuzz)
{
	uint8_t wanted = model_left(fuzz) ? fuzz->bytes[fuzz->offset++] : 0;

	ASSERT(bus_read(fuzz->pio, PLATFORM_FW_CFG_PORT + 1, 1) == wanted);
}

/* Ports next to each other, of any size: nothing that counts as an access above. */
static void do_odd_access(struct fuzz *fuzz, const struct step *step)
{
	unsigned int port = step->port % (PLATFORM_FW_CFG_PORTS + 2);
	unsigned int size_bytes = 1u << step->size_shift % 4;

	if (step->kind & 0x80) {
		if (port == 0 && size_bytes == 2)
			model_select(fuzz, (uint16_t)step->gpa);
		if (port == 8 && size_bytes == 4)
			return; /* do_dma */
		bus_write(fuzz->pio, PLATFORM_FW_CFG_PORT + port, step->gpa, size_bytes);
	} else if (port != 1 || size_bytes != 1) {
		bus_read(fuzz->pio, PLATFORM_FW_CFG_PORT + port, size_bytes);
	}
}

static void do_step(struct fuzz *fuzz, const struct step *step)
{
	switch (step->kind % 8) {
	case 0:
	case 1:
		do_dma(fuzz, step);
		break;
	case 2:
	case 3:
		do_read_byte(fuzz);
		break;
	case 4:
		bus_write(fuzz->pio, PLATFORM_FW_CFG_PORT, step->key, 2);
		model_select(fuzz, step->key);
		break;
	case 5:
		guest_convert(fuzz->memory, PRIVATE_GPA, GRANULE_BYTES,
			      step->key & 1 ? SIDE_PRIVATE : SIDE_SHARED, CONVERSION_HYPERCALL);
		break;
	default:
		do_odd_access(fuzz, step);
		break;
	}
}

static void fuzz_init(struct fuzz *fuzz)
{
	struct layout layout;

	*fuzz = (struct fuzz){.fake = fake_new()};
	for (size_t i = 0; i < ITEM_BYTES; i++)
		item[i] = (uint8_t)(i * 7 + i / 256);
	fuzz->vm = host_vm_create(fake_host(fuzz->fake), KVM_X86_SW_PROTECTED_VM);
	ASSERT(fuzz->vm >= 0);
	ASSERT(layout_init(&layout, RAM_BYTES, 40, NULL) == 0);
	ASSERT(guest_memory_new(fake_host(fuzz->fake), fuzz->vm, &layout, BACKING_PAIRED,
				&fuzz->memory, NULL) == 0);
	ASSERT(bus_new(&fuzz->pio) == 0);
	ASSERT(fw_cfg_new(fuzz->pio, fuzz->memory, &fuzz->fw_cfg) == 0);
	fw_cfg_add(fuzz->fw_cfg, FW_CFG_KERNEL_DATA, item, ITEM_BYTES);
}

static void fuzz_fini(struct fuzz *fuzz)
{
	fw_cfg_free(fuzz->fw_cfg);
	bus_free(fuzz->pio);
	guest_memory_free(fuzz->memory);
	host_close(fake_host(fuzz->fake), fuzz->vm);
	fake_free(fuzz->fake);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t data_bytes)
{
	struct fuzz fuzz;
	struct step step;

	fuzz_init(&fuzz);
	for (unsigned int i = 0; i < STEPS_MAX && data_bytes >= sizeof(step); i++) {
		memcpy(&step, data, sizeof(step));
		data += sizeof(step);
		data_bytes -= sizeof(step);
		do_step(&fuzz, &step);
	}
	fuzz_fini(&fuzz);
	return 0;
}
