/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A driver for the lab's NVMe disk, with which tests make a real device read and write guest
 * memory, thousands of times a second. NVM Express base specification 1.4; registers and
 * commands are those of chapters 3, 5 and 6.
 */
#ifndef TESTS_LAB_NVME_H
#define TESTS_LAB_NVME_H

#include <stdbool.h>

#include "memory/memory.h"

enum {
	NVME_QUEUE_ENTRIES = 64,
	NVME_QUEUE_PAGES = 4,
	NVME_BLOCK_BYTES = 512,
};

struct nvme_queue {
	gpa_t submission;
	gpa_t completion;
	volatile uint8_t *submission_hva;
	volatile uint8_t *completion_hva;
	uint16_t tail;
	uint16_t head;
	uint8_t phase;
	uint8_t id;
};

struct nvme {
	struct host *host;
	struct guest_memory *memory;
	int device; /* -1: not open */
	volatile uint8_t *registers;
	uint64_t registers_bytes;
	uint64_t registers_offset;
	unsigned int doorbell_bytes;
	struct nvme_queue admin;
	struct nvme_queue io;
};

/**
 * Take the disk at @address, which vfio-pci has, attach it to @memory, reset it and make its
 * queues.
 *
 * @queues: gpa of NVME_QUEUE_PAGES pages that stay shared.
 * @hva: of @queues.
 * Anything that fails ends the program, which is a test.
 */
void nvme_start(struct nvme *nvme, struct host *host, struct guest_memory *memory,
		const char *address, gpa_t queues, void *hva);

/* Detach and close it. Its reset ends what it was doing. */
void nvme_stop(struct nvme *nvme);

/* Ask for @size_bytes (a page at most) between the disk at @offset and @gpa; @tag comes back.
 */
void nvme_submit(struct nvme *nvme, bool to_memory, uint64_t offset, gpa_t gpa,
		 uint32_t size_bytes, uint16_t tag);

/* One that is done: its tag, or -EAGAIN; -EIO when the disk reports an error. */
int nvme_poll(struct nvme *nvme);

/* nvme_submit, and wait for it. Returns 0, -EIO, -ETIMEDOUT. */
int nvme_transfer(struct nvme *nvme, bool to_memory, uint64_t offset, gpa_t gpa,
		  uint32_t size_bytes);

#endif
