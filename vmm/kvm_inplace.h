/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * In-place conversion of guest_memfd, as posted for Linux (v13 of September 2026) but not yet
 * in a released linux/kvm.h. Numbers of capabilities moved in every revision, so Alcove asks
 * the ioctl itself whether it is there and never a capability.
 */
#ifndef VMM_KVM_INPLACE_H
#define VMM_KVM_INPLACE_H

#include <linux/kvm.h>
#include <stddef.h>

/* Issued on the guest_memfd; struct, size and number as posted. */
struct alcove_kvm_memory_attributes2 {
	__u64 offset;	    /* bytes from the start of the file */
	__u64 size;	    /* bytes, not 0; both multiples of the page size */
	__u64 attributes;   /* 0 or KVM_MEMORY_ATTRIBUTE_PRIVATE */
	__u64 flags;	    /* 0 */
	__u64 error_offset; /* out, when EAGAIN or ENOMEM: the first page that is the reason */
	__u64 reserved[11]; /* 0 */
};

#define ALCOVE_KVM_SET_MEMORY_ATTRIBUTES2 \
	_IOWR(KVMIO, 0xd2, struct alcove_kvm_memory_attributes2)

_Static_assert(sizeof(struct alcove_kvm_memory_attributes2) == 128, "as posted");
_Static_assert(ALCOVE_KVM_SET_MEMORY_ATTRIBUTES2 == 0xc080aed2, "as posted");

#endif
