/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of fake devices, for their own files. */
#ifndef TESTS_FAKE_FAKE_DEVICE_STATE_H
#define TESTS_FAKE_FAKE_DEVICE_STATE_H

#include <linux/vfio.h>

#include "tests/fake/fake_device.h"
#include "tests/fake/fake_state.h"

enum { FAKE_REGION_SHIFT = 40 };

struct fake_device {
	struct fake *fake;
	char path[128];
	struct fake_device_traits traits;
	int memory;	      /* memfd with all regions, each where the file has it */
	uint8_t config[4096]; /* after power-on */
	int fd;		      /* that bound it */
	bool is_bound;
	uint32_t irq_index;
	uint32_t n_vectors; /* 0: no interrupts are on */
	int32_t triggers[FAKE_DEVICE_VECTORS];
	int32_t events[VFIO_PCI_NUM_IRQS]; /* of ERR and REQ */
	unsigned int n_resets;
};

uint64_t fake_region_bytes(uint32_t index);
/* Called with the lock, as all that follows. */
void fake_device_power_on(struct fake_device *device);
bool fake_device_is_decoding(const struct fake_device *device);
void fake_device_stop_irqs(struct fake_device *device);
/* Configuration was written: was that allowed now? */
void fake_device_judge_config(struct fake *fake, const struct fake_device *device,
			      uint64_t offset, size_t size_bytes);

int fake_set_routes(struct host *host, int vm, const struct kvm_irq_routing *routing);
int fake_irqfd(struct host *host, int vm, const struct kvm_irqfd *irqfd);

#endif
