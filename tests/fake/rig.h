/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A machine without vCPUs, for tests of virtio devices: memory, buses, PCI and a running loop.
 * The test is the guest: its driver does what it is told, right or wrong.
 */
#ifndef TESTS_FAKE_RIG_H
#define TESTS_FAKE_RIG_H

#include <pthread.h>

#include "devices/devices.h"
#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "tests/fake/faulty.h"
#include "tests/fake/ring.h"

#define RIG_RAM_BYTES (16 * MIB)

struct rig {
	struct fake *fake;
	struct faulty *faulty; /* around the fake: what the devices talk to */
	int vm;
	struct layout layout;
	struct guest_memory *memory;
	struct bus *mmio;
	struct bus *pio;
	struct pci_host *pci;
	struct loop *loop;
	pthread_t thread;
	bool running;
	struct virtio_env env;
};

void rig_init(struct rig *rig);
/* Run the loop in a thread of its own. */
void rig_start(struct rig *rig);
/* End the loop. Devices are freed between this and rig_fini. */
void rig_stop(struct rig *rig);
void rig_fini(struct rig *rig);

uint32_t rig_read_config(struct rig *rig, unsigned int slot, unsigned int offset,
			 unsigned int size_bytes);
void rig_write_config(struct rig *rig, unsigned int slot, unsigned int offset, uint32_t value,
		      unsigned int size_bytes);

/* A virtio device as its driver sees it. */
struct rig_device {
	struct rig *rig;
	unsigned int slot;
	gpa_t bar_gpa;
	gpa_t common_gpa;
	gpa_t isr_gpa;
	gpa_t config_gpa;
	gpa_t notify_gpa;
	uint32_t notify_step_bytes;
	unsigned int window_offset; /* of the capability, in configuration space */
};

/* Find the structures; turn on decoding, bus mastering and MSI-X (vector n sends n). */
void rig_probe(struct rig_device *device, struct rig *rig, unsigned int slot);

/* Fields of the common configuration; @offset: VIRTIO_PCI_COMMON_*. */
uint64_t rig_read(struct rig_device *device, unsigned int offset, unsigned int size_bytes);
void rig_write(struct rig_device *device, unsigned int offset, uint64_t value,
	       unsigned int size_bytes);

/* From reset to FEATURES_OK. Returns whether the device accepts @features. */
bool rig_negotiate(struct rig_device *device, uint64_t features);
uint64_t rig_get_features(struct rig_device *device);
/* An empty ring at @gpa for a queue of the device, with vector @index. */
void rig_add_queue(struct rig_device *device, unsigned int index, struct fake_ring *ring,
		   gpa_t gpa, uint16_t size);
void rig_set_driver_ok(struct rig_device *device);
/* VERSION_1 and @features, one ring for each of @n_rings queues from @gpa on, DRIVER_OK. */
void rig_bring_up(struct rig_device *device, uint64_t features, struct fake_ring *rings,
		  unsigned int n_rings, gpa_t gpa);
/* Reset and wait until the device says it is done. */
void rig_reset(struct rig_device *device);

/* As a vCPU would: by eventfd where one is bound. */
void rig_notify(struct rig_device *device, unsigned int index);
/* The next used chain, within a few seconds. */
bool rig_wait_used(struct fake_ring *ring, uint32_t *ret_head, uint32_t *ret_written_bytes);
/* Until the status has all of @bits, within a few seconds. */
bool rig_wait_status(struct rig_device *device, uint8_t bits);
/* Until vector @vector has been sent @n times since rig_init, within a few seconds. */
bool rig_wait_msis(struct rig *rig, uint32_t vector, size_t n);

#endif
