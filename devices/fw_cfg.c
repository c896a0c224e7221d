// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QEMU's fw_cfg device: the guest selects an item by its number and reads it from the start on,
 * byte by byte from a port or by DMA. Nothing is writable here.
 *
 * DMA reaches shared memory only, as any device's; what it cannot do it says by the error bit.
 * Behind the end of an item are zeroes, but not for ever: a transfer that goes far beyond it
 * fails, so an access costs no more than the largest item does.
 *
 * Source: QEMU, docs/specs/fw_cfg.rst; linux/qemu_fw_cfg.h.
 */
#include "devices/firmware.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/qemu_fw_cfg.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "memory/memory.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/platform.h"

enum {
	SELECTOR_OFFSET = 0,
	DATA_OFFSET = 1,
	DMA_HIGH_OFFSET = 4,
	DMA_LOW_OFFSET = 8,
	DMA_REGISTER_BYTES = 8,
	SELECT_SHIFT = 16, /* the selector, in the control word of DMA */
	ITEMS_MAX = FW_CFG_FILE_FIRST + FW_CFG_FILES_MAX,
	/* Zeroes that DMA gives behind the end of an item. */
	BEYOND_MAX_BYTES = 64 << 10,
};

static_assert(sizeof(struct fw_cfg_file) == 64, "fw_cfg.rst: an entry of the directory");
static_assert(sizeof(struct fw_cfg_dma_access) == 16, "fw_cfg.rst: a request for DMA");

struct item {
	const uint8_t *bytes; /* NULL: no such item */
	uint32_t size_bytes;
};

struct directory {
	__be32 n_files;
	struct fw_cfg_file files[FW_CFG_FILES_MAX];
};

static_assert(offsetof(struct directory, files) == 4, "fw_cfg.rst: behind their number");

struct fw_cfg {
	struct bus *pio;
	struct guest_memory *memory;
	uint32_t id;
	struct directory directory;
	unsigned int n_files;
	struct item items[ITEMS_MAX];

	pthread_mutex_t lock; /* guards what follows */
	struct item selected;
	uint32_t offset; /* in it; not beyond its end */
	uint32_t dma_high;
};

/* --- Items --- */

void fw_cfg_add(struct fw_cfg *fw_cfg, uint16_t key, const void *bytes, uint32_t size_bytes)
{
	ASSERT(key < ITEMS_MAX);
	ASSERT(!fw_cfg->items[key].bytes);
	ASSERT(bytes);
	fw_cfg->items[key] = (struct item){.bytes = bytes, .size_bytes = size_bytes};
}

int fw_cfg_add_file(struct fw_cfg *fw_cfg, const char *name, const void *bytes,
		    uint32_t size_bytes)
{
	struct fw_cfg_file *file = &fw_cfg->directory.files[fw_cfg->n_files];
	uint16_t key = (uint16_t)(FW_CFG_FILE_FIRST + fw_cfg->n_files);

	for (unsigned int i = 0; i < fw_cfg->n_files; i++) {
		if (!strcmp(fw_cfg->directory.files[i].name, name))
			return -EEXIST;
	}
	if (fw_cfg->n_files == FW_CFG_FILES_MAX)
		return -ENOSPC;
	if (strlen(name) >= sizeof(file->name))
		return -ENAMETOOLONG;
	*file = (struct fw_cfg_file){.size = htobe32(size_bytes), .select = htobe16(key)};
	memcpy(file->name, name, strlen(name));
	fw_cfg_add(fw_cfg, key, bytes, size_bytes);
	fw_cfg->directory.n_files = htobe32(++fw_cfg->n_files);
	fw_cfg->items[FW_CFG_FILE_DIR].size_bytes =
		(uint32_t)(sizeof(__be32) + fw_cfg->n_files * sizeof(*file));
	return 0;
}

/* The bit that asks for writing changes nothing; items of the architecture there are none. */
static void select_locked(struct fw_cfg *fw_cfg, uint16_t selector)
{
	unsigned int key = selector & ~(unsigned int)FW_CFG_WRITE_CHANNEL;

	fw_cfg->selected = key < ITEMS_MAX ? fw_cfg->items[key] : (struct item){0};
	fw_cfg->offset = 0;
}

static uint32_t left_locked(const struct fw_cfg *fw_cfg)
{
	return fw_cfg->selected.size_bytes - fw_cfg->offset;
}

static uint8_t read_byte_locked(struct fw_cfg *fw_cfg)
{
	return left_locked(fw_cfg) ? fw_cfg->selected.bytes[fw_cfg->offset++] : 0;
}

/* --- DMA --- */

static bool dma_read_locked(struct fw_cfg *fw_cfg, gpa_t gpa, uint32_t size_bytes)
{
	uint32_t left_bytes = left_locked(fw_cfg);
	uint32_t bytes = size_bytes < left_bytes ? size_bytes : left_bytes;
	uint32_t beyond_bytes = size_bytes - bytes;

	if (beyond_bytes > BEYOND_MAX_BYTES)
		return false;
	if (bytes &&
	    guest_write(fw_cfg->memory, gpa, fw_cfg->selected.bytes + fw_cfg->offset, bytes))
		return false;
	if (beyond_bytes && guest_zero(fw_cfg->memory, gpa + bytes, beyond_bytes))
		return false;
	fw_cfg->offset += bytes;
	return true;
}

static bool dma_do_locked(struct fw_cfg *fw_cfg, uint32_t control, uint32_t size_bytes,
			  gpa_t gpa)
{
	uint32_t left_bytes;

	if (control & FW_CFG_DMA_CTL_SELECT)
		select_locked(fw_cfg, (uint16_t)(control >> SELECT_SHIFT));
	if (control & FW_CFG_DMA_CTL_READ)
		return dma_read_locked(fw_cfg, gpa, size_bytes);
	if (control & FW_CFG_DMA_CTL_WRITE)
		return false;
	if (control & FW_CFG_DMA_CTL_SKIP) {
		left_bytes = left_locked(fw_cfg);
		fw_cfg->offset += size_bytes < left_bytes ? size_bytes : left_bytes;
	}
	return true;
}

/* The request is copied once; its control word tells the guest how it went. */
static void dma_run_locked(struct fw_cfg *fw_cfg, gpa_t gpa)
{
	struct fw_cfg_dma_access access;
	__be32 result;
	bool is_done;

	if (guest_read(fw_cfg->memory, gpa, &access, sizeof(access)))
		return;
	is_done = dma_do_locked(fw_cfg, be32toh(access.control), be32toh(access.length),
				be64toh(access.address));
	result = htobe32(is_done ? 0 : FW_CFG_DMA_CTL_ERROR);
	/* It may have turned private since: then nobody waits for the answer. */
	(void)!guest_write(fw_cfg->memory, gpa, &result, sizeof(result));
}

/* --- Ports --- */

/* The DMA register shows, with its most significant byte first, that it is there. */
static uint64_t read_signature(uint64_t offset, unsigned int size_bytes)
{
	static const uint64_t text = FW_CFG_DMA_SIGNATURE;
	uint64_t value = 0;

	for (unsigned int i = 0; i < size_bytes; i++) {
		uint64_t byte = text >> 8 * (DMA_REGISTER_BYTES - 1 - (offset + i)) & 0xff;

		value |= byte << 8 * i;
	}
	return value;
}

static uint64_t registers_read(void *owner, uint64_t offset, unsigned int size_bytes)
{
	struct fw_cfg *fw_cfg = owner;

	if (offset >= DMA_HIGH_OFFSET)
		return read_signature(offset - DMA_HIGH_OFFSET, size_bytes);
	if (offset != DATA_OFFSET || size_bytes != 1)
		return UINT64_MAX;
	WITH_LOCK(&fw_cfg->lock);
	return read_byte_locked(fw_cfg);
}

static void registers_write(void *owner, uint64_t offset, uint64_t value,
			    unsigned int size_bytes)
{
	struct fw_cfg *fw_cfg = owner;
	uint32_t word = be32toh((uint32_t)value);

	WITH_LOCK(&fw_cfg->lock);
	if (offset == SELECTOR_OFFSET && size_bytes == 2) {
		select_locked(fw_cfg, (uint16_t)value);
	} else if (offset == DMA_HIGH_OFFSET && size_bytes == 4) {
		fw_cfg->dma_high = word;
	} else if (offset == DMA_LOW_OFFSET && size_bytes == 4) {
		gpa_t gpa = (gpa_t)fw_cfg->dma_high << 32 | word;

		fw_cfg->dma_high = 0;
		dma_run_locked(fw_cfg, gpa);
	}
}

int fw_cfg_new(struct bus *pio, struct guest_memory *memory, struct fw_cfg **ret_fw_cfg)
{
	static const struct range ports = {
		.start = PLATFORM_FW_CFG_PORT,
		.end = PLATFORM_FW_CFG_PORT + PLATFORM_FW_CFG_PORTS,
	};
	static const struct bus_ops ops = {.read = registers_read, .write = registers_write};
	struct fw_cfg *fw_cfg = calloc(1, sizeof(*fw_cfg));
	int err;

	if (!fw_cfg)
		return -ENOMEM;
	fw_cfg->pio = pio;
	fw_cfg->memory = memory;
	fw_cfg->id = htole32(FW_CFG_VERSION | FW_CFG_VERSION_DMA);
	fw_cfg_add(fw_cfg, FW_CFG_SIGNATURE, "QEMU", FW_CFG_SIG_SIZE);
	fw_cfg_add(fw_cfg, FW_CFG_ID, &fw_cfg->id, sizeof(fw_cfg->id));
	fw_cfg_add(fw_cfg, FW_CFG_FILE_DIR, &fw_cfg->directory, sizeof(__be32));
	pthread_mutex_init(&fw_cfg->lock, NULL);
	err = bus_add(pio, ports, &ops, fw_cfg);
	if (err) {
		pthread_mutex_destroy(&fw_cfg->lock);
		free(fw_cfg);
		return err;
	}
	*ret_fw_cfg = fw_cfg;
	return 0;
}

void fw_cfg_free(struct fw_cfg *fw_cfg)
{
	if (!fw_cfg)
		return;

	bus_remove(fw_cfg->pio, PLATFORM_FW_CFG_PORT);
	pthread_mutex_destroy(&fw_cfg->lock);
	free(fw_cfg);
}
