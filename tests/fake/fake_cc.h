/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Confidential guests of the fake kernel: what its processor's firmware (SEV-SNP) or module
 * (TDX) is able to do, and what it was told about a guest when its launch ended. Measurements
 * are of the bytes that were really loaded and, for SNP, of the registers the vCPUs really had.
 */
#ifndef TESTS_FAKE_FAKE_CC_H
#define TESTS_FAKE_FAKE_CC_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stdint.h>

enum {
	FAKE_DIGEST_BYTES = 48,
	FAKE_TDX_CPUID_MAX = 32,
};

struct fake;

/* Part of struct fake_traits; the defaults are those of a sound host. */
struct fake_snp_traits {
	bool no_device;		/* no /dev/sev */
	bool no_asid_range;	/* no ASID is for SNP guests */
	bool no_req_certs;	/* a kernel without KVM_SEV_SNP_ENABLE_REQ_CERTS */
	bool no_smt;		/* one thread per core: a policy may forbid SMT */
	uint64_t vmsa_features; /* KVM_X86_SEV_VMSA_FEATURES */
	uint64_t policy_bits;	/* KVM_X86_SNP_POLICY_BITS */
	unsigned int n_asids;	/* so many guests at a time */
	/* So many times firmware finds something to correct in a CPUID page. */
	unsigned int n_cpuid_rejections;
	/* This command of firmware, counted from 1 on, fails with @bad_status; 0: none. */
	unsigned int bad_command;
	uint32_t bad_status;
	/* What the secure processor says of itself. */
	uint8_t api_minor;	 /* of 1.x */
	bool is_uninitialized;	 /* the kernel could not start SNP */
	uint32_t status_refusal; /* SNP_PLATFORM_STATUS fails with this; 0: it does not */
};

struct fake_tdx_traits {
	bool no_ept5;		   /* no guest addresses of 52 bits */
	bool is_package_off;	   /* a package without an online processor */
	bool is_cgroup_full;	   /* misc.max of tdx is reached */
	unsigned int n_keys;	   /* so many guests at a time */
	unsigned int n_no_entropy; /* so many times there is not enough randomness for one */
	unsigned int max_vcpus;	   /* processors that are present */
	uint64_t attributes;	   /* that a TD can have */
	uint64_t xfam;
	/* What can be configured: masks. An index of 0 is also that of leaves without one. */
	struct kvm_cpuid_entry2 cpuid[FAKE_TDX_CPUID_MAX];
	unsigned int n_cpuid;
};

/* Of the last SNP guest whose launch ended well; it may be gone by now. */
struct fake_snp_launch {
	uint64_t policy;
	uint64_t vmsa_features; /* with the one that KVM adds */
	uint8_t host_data[KVM_SEV_SNP_FINISH_DATA_SIZE];
	uint8_t gosvw[16];
	bool has_id_block;
	bool has_author_key;
	bool is_vcek_disabled;
	bool has_req_certs;
	unsigned int n_vcpus; /* in the measurement */
	uint8_t digest[FAKE_DIGEST_BYTES];
};

/* Of the last TD that was finalized; it may be gone by now. */
struct fake_tdx_launch {
	uint64_t attributes;
	uint64_t xfam;
	uint8_t mrconfigid[FAKE_DIGEST_BYTES];
	uint8_t mrowner[FAKE_DIGEST_BYTES];
	uint8_t mrownerconfig[FAKE_DIGEST_BYTES];
	unsigned int gpa_bits; /* 48 or 52: the highest of them says "shared" */
	unsigned int n_vcpus;  /* that were initialized */
	uint64_t value;	       /* in RCX and R8 of the last of them */
	uint8_t mrtd[FAKE_DIGEST_BYTES];
};

/* False: no such guest was launched yet. */
bool fake_get_snp_launch(struct fake *fake, struct fake_snp_launch *ret_launch);
bool fake_get_snp_digest(struct fake *fake, uint8_t ret_digest[FAKE_DIGEST_BYTES]);
bool fake_get_tdx_launch(struct fake *fake, struct fake_tdx_launch *ret_launch);
bool fake_get_mrtd(struct fake *fake, uint8_t ret_mrtd[FAKE_DIGEST_BYTES]);

/* Commands that the secure processor got so far. */
unsigned int fake_count_snp_commands(struct fake *fake);

/* Is the page the guest's own: in the RMP, or in the secure EPT? */
bool fake_is_assigned(struct fake *fake, uint64_t gpa);

/* KVM gives all VMs up (kvm_vm_dead): whatever is asked of them is -EIO. */
void fake_kill_vms(struct fake *fake);

/* What the real firmware checks of a CPUID page, and how it corrects it. True: it was right. */
bool fake_firmware_check_cpuid(uint8_t page[4096]);

#endif
