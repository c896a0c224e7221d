/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel of our own behind the door, for tests: it keeps KVM's rules for the verbs of struct
 * host and judges their use. A call that would be a bug of ours with any kernel (a descriptor
 * closed twice, a verb on the wrong kind of descriptor, memory unmapped that was not mapped)
 * aborts the test; a call that the kernel would refuse is refused with the kernel's errno.
 */
#ifndef TESTS_FAKE_FAKE_H
#define TESTS_FAKE_FAKE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/fake/fake_cc.h"
#include "vmm/host.h"

struct fake;
struct kvm_run;

/* What this kernel is able to do; change before the VM is made. */
struct fake_traits {
	bool no_guest_memfd;	  /* a kernel before 6.8 */
	bool no_guest_memfd_mmap; /* a kernel before 6.18 */
	bool no_private_memory;	  /* no KVM_X86_SW_PROTECTED_VM */
	bool in_place;		  /* kvm.gmem_in_place_conversion=1; else per VM */
	/* Touching a private page through a mapping kills (a kernel: SIGBUS; here: SIGSEGV). */
	bool guards_private;
	/* Time also passes by looking at the clock: waits without a second thread end. */
	uint64_t ns_per_look;
	bool no_iommu;		    /* no /dev/iommu */
	uint64_t iova_end;	    /* of devices; 2^48 unless told */
	uint64_t iova_alignment;    /* idem; 4 KiB unless told */
	struct range iova_reserved; /* by devices; 0xfee00000..0xfeefffff unless told */
	uint64_t memlock_bytes;	    /* RLIMIT_MEMLOCK; 0: none */
	uint64_t unmapped_too_much; /* bytes: the next unmap says so */
	unsigned int gpa_bits;	    /* CPUID 0x80000008; 40 unless told */
	unsigned int tsc_khz;	    /* 2000000 unless told */
	bool has_snp;		    /* KVM_X86_SNP_VM */
	bool has_tdx;		    /* KVM_X86_TDX_VM */
	struct fake_snp_traits snp;
	struct fake_tdx_traits tdx;
	/* A signal ends each call that launches pages after so many; 0: none. */
	unsigned int pages_per_call;
};

struct fake_msi {
	uint64_t address;
	uint32_t data;
};

/* A whole guest in one function: fill @run with the next exit, return what KVM_RUN would. */
typedef int fake_guest_fn(void *guest, unsigned int vcpu_id, struct kvm_run *run);

struct fake *fake_new(void);
/* Aborts the test when a descriptor or a mapping is left. */
void fake_free(struct fake *fake);

struct host *fake_host(struct fake *fake);
struct fake_traits *fake_traits(struct fake *fake);

/* Without a guest, host_vcpu_run answers KVM_EXIT_HLT. */
void fake_set_guest(struct fake *fake, fake_guest_fn *fn, void *guest);

/*
 * Does KVM do @feature (KVM_FEATURE_*) for vCPU @vcpu_id of the one VM, whatever its CPUID
 * says?
 */
bool fake_does_feature(struct fake *fake, unsigned int vcpu_id, unsigned int feature);

/* Interrupts since the start, oldest first. */
size_t fake_count_msis(struct fake *fake);
struct fake_msi fake_get_msi(struct fake *fake, size_t index);

/* The guest writes @value to @gpa: signals a matching ioeventfd. True when there is one. */
bool fake_write_gpa(struct fake *fake, gpa_t gpa, unsigned int size_bytes, uint64_t value);
/* Number of ioeventfds bound. */
size_t fake_count_ioeventfds(struct fake *fake);

/* --- Memory and conversion: what KVM, the guest and other users of pages do --- */

/* Is the page at @gpa private, as KVM sees it? What is in no slot is not. */
bool fake_is_private(struct fake *fake, gpa_t gpa);

/* The pages from @gpa on that are as private as the first, up to @end in the same slot. */
gpa_t fake_find_end(struct fake *fake, gpa_t gpa, gpa_t end, bool *ret_is_private);

/* Would a host access at @offset of guest_memfd @fd end in SIGBUS? */
bool fake_faults_host(struct fake *fake, int fd, uint64_t offset);

/* What an access of the guest to @gpa ends in. */
enum fake_access {
	FAKE_ACCESS_OK,
	FAKE_ACCESS_MMIO,
	FAKE_ACCESS_MEMORY_FAULT, /* KVM_EXIT_MEMORY_FAULT */
	FAKE_ACCESS_BAD_ADDRESS,  /* KVM_RUN is EFAULT: nothing at the slot's userspace_addr */
};
enum fake_access fake_try_guest(struct fake *fake, gpa_t gpa);

/* The guest itself accesses bytes of one page. False: not FAKE_ACCESS_OK. */
bool fake_guest_read(struct fake *fake, gpa_t gpa, void *buffer, size_t size_bytes);
bool fake_guest_write(struct fake *fake, gpa_t gpa, const void *buffer, size_t size_bytes);

/**
 * Somebody (DMA, io_uring, GUP) takes a reference to the shared page at @gpa, which comes into
 * being by that.
 *
 * @n_conversions: it is gone after it made that many conversions fail; 0: until fake_unpin.
 * Returns 0, -EFAULT (no shared page of a guest_memfd).
 */
int fake_pin(struct fake *fake, gpa_t gpa, unsigned int n_conversions);
void fake_unpin(struct fake *fake, gpa_t gpa);

/* Called at the start of each attribute verb, outside of all locks. */
typedef void fake_convert_fn(void *argument);
void fake_on_convert(struct fake *fake, fake_convert_fn *fn, void *argument);

/* --- Devices --- */

/* A device that is bound to @iommu; release it with host_close. */
int fake_add_device(struct fake *fake, int iommu);

/* Does a device reach the page at @iova? */
bool fake_is_mapped(struct fake *fake, uint64_t iova);

/* The area that holds @iova, or the next one above it, below @end. False: none. */
bool fake_find_area(struct fake *fake, uint64_t iova, uint64_t end, struct range *ret_area);

/* A device writes bytes of one page. False: it cannot. */
bool fake_device_write(struct fake *fake, uint64_t iova, const void *buffer, size_t size_bytes);

/* What is pinned for devices. */
uint64_t fake_count_pinned_bytes(struct fake *fake);

/* Calls of any verb of iommufd so far. */
uint64_t fake_count_iommu_calls(struct fake *fake);

/* Calls of either attribute verb so far. */
uint64_t fake_count_conversion_calls(struct fake *fake);

/* Bytes of memory behind the files. */
struct fake_memory {
	uint64_t memfd_bytes;
	uint64_t guest_memfd_bytes;
};
struct fake_memory fake_count_memory(struct fake *fake);

/* Abort unless the half of @gpa that is not in use (two backings) holds no memory. */
void fake_check_halves(struct fake *fake, struct range gpa);

/* The time host_clock_now_ns tells; starts at 1 s and moves here and by sleeping. */
void fake_advance_clock(struct fake *fake, uint64_t ns);

#endif
