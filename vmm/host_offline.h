/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host that is nothing but memory: a guest can be put together with it as with the real one,
 * and then looked at, on any machine, without KVM and without privileges.
 */
#ifndef VMM_HOST_OFFLINE_H
#define VMM_HOST_OFFLINE_H

#include "vmm/host.h"

/* Stands for a VM, of which there is only one and which is not closed. */
enum { HOST_OFFLINE_VM = -1 };

/**
 * Make such a host; there is nothing to release.
 *
 * It has the verbs that guest memory with BACKING_PLAIN needs, and no others: their entries in
 * the table are NULL.
 */
void host_offline_init(struct host *ret_host);

#endif
