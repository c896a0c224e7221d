/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of the fake kernel, for its own files. */
#ifndef TESTS_FAKE_FAKE_STATE_H
#define TESTS_FAKE_FAKE_STATE_H

#include <linux/kvm.h>
#include <pthread.h>

#include "memory/memory.h"
#include "tests/fake/fake.h"
#include "tests/fake/runs.h"

enum {
	FAKE_FDS_MAX = 1024,
	FAKE_SLOTS_MAX = 64,
	FAKE_MAPS_MAX = 256,
	FAKE_IOEVENTFDS_MAX = 256,
	FAKE_MSIS_MAX = 1 << 16,
	FAKE_PINS_MAX = 64,
	FAKE_IOAS_MAX = 16,
	FAKE_DEVICES_MAX = 8,
	FAKE_ROUTES_MAX = 512,
	FAKE_IRQFDS_MAX = 512,
	FAKE_VCPUS_MAX = 256,
};

enum fake_kind {
	FAKE_NOTHING,
	FAKE_VM,
	FAKE_VCPU,
	FAKE_GUEST_MEMFD,
	FAKE_MEMFD,
	FAKE_IOMMU,
	FAKE_DEVICE,
	FAKE_VFIO_LIST, /* KVM_DEV_TYPE_VFIO */
	FAKE_SEV,	/* /dev/sev */
};

struct fake_device;
struct fake_vcpu;
struct fake_vm;

struct fake_fd {
	enum fake_kind kind;
	int vm; /* of a vCPU or guest_memfd; -1 when it is gone */
	uint32_t vcpu_id;
	unsigned long vm_type; /* of a VM, or of the one a guest_memfd was made for */
	uint64_t size_bytes;   /* of a file */
	bool mappable;
	int iommu;		    /* a device is bound to */
	uint32_t ioas;		    /* and attached to; 0: none */
	bool is_listed;		    /* KVM keeps it */
	struct fake_device *device; /* NULL: one that is nothing but a source of DMA */
	/* What is private: guest addresses of a VM, offsets of a guest_memfd. */
	struct fake_runs private;
	/* Offsets of a guest_memfd whose pages are in the RMP, or in the secure EPT. */
	struct fake_runs assigned;
	struct kvm_run *run;
	struct fake_vcpu *vcpu_state;
	struct fake_vm *vm_state;
};

struct fake_map {
	char *hva;
	uint64_t size_bytes;
	int fd; /* -1 when closed */
	uint64_t offset;
};

/* A reference to a page of a guest_memfd that is not the page cache's. */
struct fake_pin {
	bool is_held;
	int fd;
	uint64_t offset;
	unsigned int n_left; /* gone when this many conversions met it; 0: stays */
};

/* What one IOMMU_IOAS_MAP made, or what cuts left of it. */
struct fake_area {
	struct range iova;
	uint64_t hva;
	/* Of its first page; only while a device is attached, which is what pins it. */
	int fd;
	uint64_t offset;
};

struct fake_ioas {
	uint32_t id; /* 0: none */
	int iommu;
	bool has_small_pages; /* IOMMU_OPTION_HUGE_PAGES is 0 */
	bool is_compat;
	unsigned int n_devices;
	struct range allowed[LAYOUT_MEMORY_RANGES_MAX];
	size_t n_allowed;
	struct fake_area *areas; /* ascending */
	size_t n_areas;
	size_t n_room;
	size_t n_strange; /* made where no slot is */
};

struct fake {
	struct host host;
	pthread_mutex_t lock;
	struct fake_traits traits;
	struct fake_fd fds[FAKE_FDS_MAX];
	struct kvm_userspace_memory_region2 slots[FAKE_SLOTS_MAX];
	struct fake_map maps[FAKE_MAPS_MAX];
	struct fake_pin pins[FAKE_PINS_MAX];
	unsigned int n_pins;
	struct fake_ioas ioas[FAKE_IOAS_MAX];
	uint64_t pinned_bytes;
	uint64_t n_iommu_calls;
	struct kvm_ioeventfd ioeventfds[FAKE_IOEVENTFDS_MAX];
	struct fake_device *devices[FAKE_DEVICES_MAX];
	struct kvm_irq_routing_entry routes[FAKE_ROUTES_MAX];
	size_t n_routes;
	struct kvm_irqfd irqfds[FAKE_IRQFDS_MAX];
	size_t n_irqfds;
	struct fake_msi msis[FAKE_MSIS_MAX];
	size_t n_msis;
	fake_guest_fn *guest_fn;
	void *guest;
	uint64_t now_ns;
	uint64_t n_conversion_calls;
	fake_convert_fn *convert_fn; /* set before there are threads */
	void *convert_argument;
	int scratch; /* a file of its own, to find out what user memory is; 0: none yet */
	unsigned int n_snp_guests;
	unsigned int n_snp_commands;
	unsigned int n_tds;
	bool has_snp_launch;
	bool has_tdx_launch;
	struct fake_snp_launch snp_launch;
	struct fake_tdx_launch tdx_launch;
};

static inline struct fake *fake_of(struct host *host)
{
	return container_of(host, struct fake, host);
}

/* The description of @fd, which the caller knows to be of @kind. Called with the lock. */
struct fake_fd *fake_fd_get(struct fake *fake, int fd, enum fake_kind kind);

/* Take a new descriptor into the books; returns it. Called with the lock. */
int fake_fd_add(struct fake *fake, int fd, const struct fake_fd *description);

/* The slot that holds @gpa, or NULL. Called with the lock. */
const struct kvm_userspace_memory_region2 *fake_slot_find(struct fake *fake, gpa_t gpa);

/* The file behind a slot's userspace_addr and where in it @gpa lies; -1: none of ours. */
int fake_slot_find_shared(struct fake *fake, const struct kvm_userspace_memory_region2 *slot,
			  gpa_t gpa, uint64_t *ret_offset);

/* The mapping that holds all of [hva, hva + size_bytes), or NULL. */
const struct fake_map *fake_map_find(struct fake *fake, uint64_t hva, uint64_t size_bytes);

/* Where KVM keeps the attribute of @gpa, and the address it has there. */
const struct fake_runs *fake_attribute_of(struct fake *fake,
					  const struct kvm_userspace_memory_region2 *slot,
					  gpa_t gpa, uint64_t *ret_address);

/* Does KVM serve both sides of the slot from its guest_memfd? */
bool fake_slot_is_gmem_only(struct fake *fake, const struct kvm_userspace_memory_region2 *slot);

/* Let host accesses through @map fault where the file is private, if the traits say so. */
void fake_guard(struct fake *fake, const struct fake_map *map, struct range offset);

/* Would discarding @offset of @fd throw away what the guest uses? Called with the lock. */
void fake_judge_discard(struct fake *fake, int fd, struct range offset);

/* Pages of @offset leave the page cache; whoever pins them keeps them for himself. */
void fake_pins_drop(struct fake *fake, int fd, struct range offset);

/* Does a device reach some of @gpa? The first page is told. */
bool fake_areas_find(struct fake *fake, struct range gpa, gpa_t *ret_gpa);

/* The same for bytes of a file, mapped where no slot is. */
bool fake_areas_find_strange(struct fake *fake, int fd, struct range offset,
			     uint64_t *ret_offset);

/* A descriptor goes: of an iommufd, of a device, of a file that must be in no area. */
void fake_iommu_close(struct fake *fake, int fd);

extern const struct host_cc_ops fake_cc_ops;
extern const struct host_iommu_ops fake_iommu_ops;
extern const struct host_vfio_ops fake_vfio_ops;

/* --- Confidential guests, fake_cc.c; all is called with the lock --- */

void fake_cc_init_traits(struct fake_traits *traits);
bool fake_has_type(const struct fake_traits *traits, unsigned long vm_type);
/* kvm->arch.has_protected_state. */
bool fake_is_protected_type(unsigned long vm_type);
struct fake_vm *fake_vm_new(void);
void fake_vm_free(struct fake *fake, struct fake_vm *vm);
/* 0, or -EIO when KVM gave the VM of this VM or vCPU up. */
int fake_check_alive(struct fake *fake, int fd);
/* What KVM_ENABLE_CAP says for the VM. */
int fake_cc_enable_cap(struct fake *fake, int vm, const struct kvm_enable_cap *cap);
/* What kvm_arch_vcpu_create refuses. */
int fake_cc_check_vcpu(struct fake *fake, int vm, uint32_t id);
struct fake_vcpu *fake_vcpu_new(struct fake *fake, int vm, uint32_t id);
/* A slot of a VM of such a type: what kvm_arch_prepare_memory_region refuses. */
int fake_cc_check_slot(struct fake *fake, int vm,
		       const struct kvm_userspace_memory_region2 *slot);
/* Pages leave the guest: discarded, no slot's any more, or shared. */
void fake_cc_drop(struct fake *fake, int fd, struct range offset);
void fake_cc_drop_slot(struct fake *fake, const struct kvm_userspace_memory_region2 *slot);
void fake_cc_share_gpa(struct fake *fake, int vm, struct range gpa);
void fake_cc_share_offset(struct fake *fake, int fd, struct range offset);
/* The guest touches a private page of its own. */
void fake_cc_touch(struct fake *fake, int fd, uint64_t offset);

/* A memslot comes at @hva, the descriptor of a device goes: is that allowed now? */
void fake_device_judge_slot(struct fake *fake, uint64_t hva);
void fake_device_close(struct fake *fake, int fd);
void fake_devices_free(struct fake *fake);

/* The attributes the ioctl of the VM, or that of a guest_memfd, takes. */
uint64_t fake_vm_attributes(const struct fake *fake, unsigned long vm_type);
uint64_t fake_gmem_attributes(const struct fake *fake, unsigned long vm_type);

/* Flags that a guest_memfd of such a VM can have. */
uint64_t fake_gmem_flags(const struct fake *fake, unsigned long vm_type);

/* The verbs of memory and files, fake_memory.c. */
int fake_vm_set_memory_region(struct host *host, int vm,
			      const struct kvm_userspace_memory_region2 *region);
int fake_vm_create_guest_memfd(struct host *host, int vm, uint64_t size_bytes, uint64_t flags);
int fake_mem_create(struct host *host, uint64_t size_bytes);
int fake_mem_discard(struct host *host, int fd, struct range offset);
int fake_mem_map(struct host *host, int fd, uint64_t offset, uint64_t size_bytes,
		 void **ret_hva);
void fake_mem_unmap(struct host *host, void *hva, uint64_t size_bytes);
void fake_close(struct host *host, int fd);

/* The verbs of conversion, fake_convert.c. */
int fake_vm_set_attributes(struct host *host, int vm, struct range gpa, uint64_t attributes);
int fake_gmem_set_attributes(struct host *host, int guest_memfd, struct range offset,
			     uint64_t attributes, uint64_t *ret_error_offset);

/* fake_cpuid.c. */
int fake_kvm_get_supported_cpuid(struct host *host, struct kvm_cpuid2 *cpuid);

/* The verbs of vCPUs, fake_vcpu.c. */
int fake_vcpu_create(struct host *host, int vm, uint32_t id, struct kvm_run **ret_run,
		     size_t *ret_run_bytes);
void fake_vcpu_close(struct host *host, int vcpu, struct kvm_run *run);
int fake_vcpu_run(struct host *host, int vcpu);
int fake_vcpu_enable_cap(struct host *host, int vcpu, const struct kvm_enable_cap *cap);
int fake_vcpu_set_cpuid(struct host *host, int vcpu, const struct kvm_cpuid2 *cpuid);
int fake_vcpu_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs);
int fake_vcpu_set_regs(struct host *host, int vcpu, const struct kvm_regs *regs);
int fake_vcpu_get_sregs(struct host *host, int vcpu, struct kvm_sregs *ret_sregs);
int fake_vcpu_set_sregs(struct host *host, int vcpu, const struct kvm_sregs *sregs);
int fake_vcpu_set_debugregs(struct host *host, int vcpu, const struct kvm_debugregs *regs);
int fake_vcpu_set_xsave(struct host *host, int vcpu, const struct kvm_xsave *xsave);
int fake_vcpu_set_msrs(struct host *host, int vcpu, const struct kvm_msrs *msrs);
int fake_vcpu_set_mp_state(struct host *host, int vcpu, uint32_t state);

#endif
