/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the fake kernel's confidential guests, for its own files. With the lock, all of it.
 */
#ifndef TESTS_FAKE_FAKE_CC_STATE_H
#define TESTS_FAKE_FAKE_CC_STATE_H

#include "boot/measure/snp.h"
#include "boot/measure/tdx.h"
#include "boot/measure/vmsa.h"
#include "tests/fake/fake_state.h"
#include "vmm/host_cc.h"

/* What KVM has for each VM, whatever its type. */
struct fake_vm {
	bool has_split_irqchip;
	bool exits_on_hypercall; /* KVM_CAP_EXIT_HYPERCALL */
	bool is_dead;
	bool is_launched;
	unsigned int n_vcpus;
	/* Of an SNP guest: after INIT2; after LAUNCH_START; what firmware knows. */
	bool is_snp;
	bool has_context;
	struct snp_digest digest;
	struct fake_snp_launch snp;
	/* Of a TD: after INIT_VM. */
	bool is_td;
	struct mrtd mrtd;
	struct fake_tdx_launch tdx;
	struct kvm_cpuid_entry2 cpuid[FAKE_TDX_CPUID_MAX]; /* as configured; all of the list */
};

struct fake_vcpu {
	unsigned int index;	    /* in order of creation */
	struct boot_vcpu registers; /* always with state; sregs are whole */
	bool has_x2apic;	    /* in its CPUID */
	bool has_c_bit;		    /* CPUID 0x8000001f */
	/* kvm_vcpu.arch.guest_state_protected. */
	bool is_protected;
	bool is_running;
	uint32_t to_complete; /* the exit whose answer KVM looks at when it runs again; 0: none
			       */
	bool is_initialized;  /* KVM_TDX_INIT_VCPU */
	uint64_t value;
	bool enforces_features; /* KVM_CAP_ENFORCE_PV_FEATURE_CPUID */
	uint32_t features;	/* CPUID 0x40000001 EAX */
};

struct fake_vm *fake_vm_get(struct fake *fake, int vm);
/* Those of the VM in the order they were made; NULL after the last one. */
struct fake_vcpu *fake_vm_find_vcpu(struct fake *fake, int vm, unsigned int index);

/* The guest_memfd page behind @gpa. Returns 0, -EINVAL (no such slot). */
int fake_page_find(struct fake *fake, gpa_t gpa, int *ret_fd, uint64_t *ret_offset);
bool fake_page_is_private(struct fake *fake, gpa_t gpa);
bool fake_page_is_assigned(struct fake *fake, int fd, uint64_t offset);
void fake_page_set_assigned(struct fake *fake, int fd, uint64_t offset, bool is_assigned);
void fake_page_read(int fd, uint64_t offset, uint8_t ret_page[GRANULE_BYTES]);
void fake_page_write(int fd, uint64_t offset, const uint8_t page[GRANULE_BYTES]);

/* copy_from_user and get_user_pages_fast. Return 0 or -EFAULT. */
int fake_user_read(struct fake *fake, uint64_t uaddr, void *buffer, size_t size_bytes);
int fake_user_write(struct fake *fake, uint64_t uaddr, const void *buffer, size_t size_bytes);

/* Nobody may be in KVM_RUN: KVM would wait for it. */
void fake_judge_idle(struct fake *fake, int vm);

/* SNP_LAUNCH_FINISH with an ID block: a status of linux/psp-sev.h. */
uint32_t fake_firmware_check_id(const uint8_t block[KVM_SEV_SNP_ID_BLOCK_SIZE],
				const uint8_t auth[KVM_SEV_SNP_ID_AUTH_SIZE], bool has_author,
				const struct fake_snp_launch *launch);

int fake_sev_open(struct host *host);
int fake_snp_init(struct host *host, int vm, int sev, const struct kvm_sev_init *init,
		  uint32_t *ret_firmware);
int fake_snp_enable_certs(struct host *host, int vm, int sev, uint32_t *ret_firmware);
int fake_snp_launch_start(struct host *host, int vm, int sev,
			  const struct kvm_sev_snp_launch_start *start, uint32_t *ret_firmware);
int fake_snp_launch_update(struct host *host, int vm, int sev,
			   struct kvm_sev_snp_launch_update *update, uint32_t *ret_firmware);
int fake_snp_launch_finish(struct host *host, int vm, int sev,
			   const struct kvm_sev_snp_launch_finish *finish,
			   uint32_t *ret_firmware);
int fake_tdx_get_capabilities(struct host *host, int vm,
			      struct kvm_tdx_capabilities *capabilities, uint64_t *ret_module);
int fake_tdx_init_vm(struct host *host, int vm, const struct kvm_tdx_init_vm *init,
		     uint64_t *ret_module);
int fake_tdx_init_vcpu(struct host *host, int vcpu, uint64_t value, uint64_t *ret_module);
int fake_tdx_get_cpuid(struct host *host, int vcpu, struct kvm_cpuid2 *cpuid,
		       uint64_t *ret_module);
int fake_tdx_init_mem_region(struct host *host, int vcpu,
			     struct kvm_tdx_init_mem_region *region, bool is_measured,
			     uint64_t *ret_module);
int fake_tdx_finalize_vm(struct host *host, int vm, uint64_t *ret_module);

#endif
