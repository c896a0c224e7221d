// SPDX-License-Identifier: GPL-2.0-or-later
/* The real kernel behind the door: the only file that calls ioctl. */
#include "vmm/host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host_linux.h"
#include "vmm/kvm_inplace.h"

enum { KVM_API_VERSION_KNOWN = 12 };

struct host_linux {
	struct host host;
	int kvm;
	size_t run_bytes; /* size of a vCPU's shared area */
};

static struct host_linux *linux_of(struct host *host)
{
	return container_of(host, struct host_linux, host);
}

int host_linux_ioctl(int fd, unsigned long request, const void *argument)
{
	int ret = ioctl(fd, request, argument);

	return ret < 0 ? -errno : ret;
}

int host_linux_open(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

/* Request numbers are those of linux/kvm.h. */
static int kvm_ioctl(int fd, unsigned long request, const void *argument)
{
	return host_linux_ioctl(fd, request, argument);
}

int host_linux_ioctl_value(int fd, unsigned long request, unsigned long value)
{
	int ret = ioctl(fd, request, value);

	return ret < 0 ? -errno : ret;
}

int host_linux_kvm(struct host *host)
{
	return linux_of(host)->kvm;
}

static int linux_kvm_check_extension(struct host *host, int vm, unsigned int capability)
{
	return host_linux_ioctl_value(vm < 0 ? linux_of(host)->kvm : vm, KVM_CHECK_EXTENSION,
				      capability);
}

static int linux_kvm_get_supported_cpuid(struct host *host, struct kvm_cpuid2 *cpuid)
{
	return kvm_ioctl(linux_of(host)->kvm, KVM_GET_SUPPORTED_CPUID, cpuid);
}

static int linux_vm_create(struct host *host, unsigned long type)
{
	int ret;

	/* A signal during the set-up of the VM's notifiers makes this EINTR: try again. */
	do {
		ret = host_linux_ioctl_value(linux_of(host)->kvm, KVM_CREATE_VM, type);
	} while (ret == -EINTR);
	return ret;
}

static int linux_vm_enable_cap(struct host *host, int vm, const struct kvm_enable_cap *cap)
{
	(void)host;
	return kvm_ioctl(vm, KVM_ENABLE_CAP, cap);
}

static int linux_vm_set_tss_address(struct host *host, int vm, gpa_t gpa)
{
	(void)host;
	return host_linux_ioctl_value(vm, KVM_SET_TSS_ADDR, gpa);
}

static int linux_vm_set_identity_map(struct host *host, int vm, gpa_t gpa)
{
	(void)host;
	return kvm_ioctl(vm, KVM_SET_IDENTITY_MAP_ADDR, &gpa);
}

static int linux_vm_set_memory_region(struct host *host, int vm,
				      const struct kvm_userspace_memory_region2 *region)
{
	(void)host;
	return kvm_ioctl(vm, KVM_SET_USER_MEMORY_REGION2, region);
}

static int linux_vm_create_guest_memfd(struct host *host, int vm, uint64_t size_bytes,
				       uint64_t flags)
{
	struct kvm_create_guest_memfd request = {.size = size_bytes, .flags = flags};

	(void)host;
	return kvm_ioctl(vm, KVM_CREATE_GUEST_MEMFD, &request);
}

static int linux_vm_set_attributes(struct host *host, int vm, struct range gpa,
				   uint64_t attributes)
{
	struct kvm_memory_attributes request = {
		.address = gpa.start,
		.size = range_size(gpa),
		.attributes = attributes,
	};

	(void)host;
	return kvm_ioctl(vm, KVM_SET_MEMORY_ATTRIBUTES, &request);
}

static int linux_gmem_set_attributes(struct host *host, int guest_memfd, struct range offset,
				     uint64_t attributes, uint64_t *ret_error_offset)
{
	struct alcove_kvm_memory_attributes2 request = {
		.offset = offset.start,
		.size = range_size(offset),
		.attributes = attributes,
	};
	int ret;

	(void)host;
	ret = kvm_ioctl(guest_memfd, ALCOVE_KVM_SET_MEMORY_ATTRIBUTES2, &request);
	if (ret == -EAGAIN || ret == -ENOMEM)
		*ret_error_offset = request.error_offset;
	return ret;
}

static int linux_vm_signal_msi(struct host *host, int vm, uint64_t address, uint32_t data)
{
	struct kvm_msi msi = {
		.address_lo = (uint32_t)address,
		.address_hi = (uint32_t)(address >> 32),
		.data = data,
	};
	int ret;

	(void)host;
	ret = kvm_ioctl(vm, KVM_SIGNAL_MSI, &msi);
	return ret < 0 ? ret : 0;
}

static int linux_vm_ioeventfd(struct host *host, int vm, const struct kvm_ioeventfd *ioeventfd)
{
	(void)host;
	return kvm_ioctl(vm, KVM_IOEVENTFD, ioeventfd);
}

static int linux_vcpu_create(struct host *host, int vm, uint32_t id, struct kvm_run **ret_run,
			     size_t *ret_run_bytes)
{
	size_t run_bytes = linux_of(host)->run_bytes;
	_cleanup_close_ int vcpu = host_linux_ioctl_value(vm, KVM_CREATE_VCPU, id);
	void *run;

	if (vcpu < 0)
		return vcpu;
	run = mmap(NULL, run_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu, 0);
	if (run == MAP_FAILED)
		return -errno;
	*ret_run = run;
	*ret_run_bytes = run_bytes;
	return take_fd(&vcpu);
}

static void linux_vcpu_close(struct host *host, int vcpu, struct kvm_run *run)
{
	munmap(run, linux_of(host)->run_bytes);
	close(vcpu);
}

static int linux_vcpu_run(struct host *host, int vcpu)
{
	(void)host;
	return host_linux_ioctl_value(vcpu, KVM_RUN, 0);
}

static int linux_vcpu_enable_cap(struct host *host, int vcpu, const struct kvm_enable_cap *cap)
{
	(void)host;
	return kvm_ioctl(vcpu, KVM_ENABLE_CAP, cap);
}

static int linux_vcpu_set_cpuid(struct host *host, int vcpu, const struct kvm_cpuid2 *cpuid)
{
	(void)host;
	return kvm_ioctl(vcpu, KVM_SET_CPUID2, cpuid);
}

static int linux_vcpu_get_regs(struct host *host, int vcpu, struct kvm_regs *ret_regs)
{
	(void)host;
	return kvm_ioctl(vcpu, KVM_GET_REGS, ret_regs);
}

static int linux_vcpu_set_regs(struct host *host, int vcpu, const struct kvm_regs *regs)
{
	(void)host;
	return kvm_ioctl(vcpu, KVM_SET_REGS, regs);
}

static int linux_vcpu_get_sregs(struct host *host, int vcpu, struct kvm_sregs *ret_sregs)
{
	(void)host;
	return kvm_ioctl(vcpu, KVM_GET_SREGS, ret_sregs);
}

static int linux_vcpu_set_sregs(struct host *host, int vcpu, const struct kvm_sregs *sregs)
{
	(void)host;
	return kvm_ioctl(vcpu, KVM_SET_SREGS, sregs);
}

static int linux_vcpu_set_msrs(struct host *host, int vcpu, const struct kvm_msrs *msrs)
{
	(void)host;
	return kvm_ioctl(vcpu, KVM_SET_MSRS, msrs);
}

static int linux_vcpu_set_mp_state(struct host *host, int vcpu, uint32_t state)
{
	struct kvm_mp_state request = {.mp_state = state};

	(void)host;
	return kvm_ioctl(vcpu, KVM_SET_MP_STATE, &request);
}

static int linux_mem_create(struct host *host, uint64_t size_bytes)
{
	_cleanup_close_ int fd = memfd_create("alcove guest shared", MFD_CLOEXEC);

	(void)host;
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size_bytes))
		return -errno;
	return take_fd(&fd);
}

static int linux_mem_discard(struct host *host, int fd, struct range offset)
{
	(void)host;
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset.start,
		      (off_t)range_size(offset)))
		return -errno;
	return 0;
}

static int linux_mem_map(struct host *host, int fd, uint64_t offset, uint64_t size_bytes,
			 void **ret_hva)
{
	void *hva;

	(void)host;
	hva = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		   (off_t)offset);
	if (hva == MAP_FAILED)
		return -errno;
	*ret_hva = hva;
	return 0;
}

static void linux_mem_unmap(struct host *host, void *hva, uint64_t size_bytes)
{
	(void)host;
	munmap(hva, size_bytes);
}

static void linux_close(struct host *host, int fd)
{
	(void)host;
	close(fd);
}

static uint64_t linux_clock_now_ns(struct host *host)
{
	struct timespec now;

	(void)host;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

static void linux_clock_sleep_ns(struct host *host, uint64_t ns)
{
	struct timespec time = {
		.tv_sec = (time_t)(ns / UINT64_C(1000000000)),
		.tv_nsec = (long)(ns % UINT64_C(1000000000)),
	};

	(void)host;
	clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

static ssize_t linux_random_fill(struct host *host, void *buffer, size_t size_bytes)
{
	ssize_t got;

	(void)host;
	got = getrandom(buffer, size_bytes, 0);
	return got < 0 ? -errno : got;
}

static const struct host_ops linux_ops = {
	.kvm_check_extension = linux_kvm_check_extension,
	.kvm_get_supported_cpuid = linux_kvm_get_supported_cpuid,
	.vm_create = linux_vm_create,
	.vm_enable_cap = linux_vm_enable_cap,
	.vm_set_tss_address = linux_vm_set_tss_address,
	.vm_set_identity_map = linux_vm_set_identity_map,
	.vm_set_memory_region = linux_vm_set_memory_region,
	.vm_create_guest_memfd = linux_vm_create_guest_memfd,
	.vm_set_attributes = linux_vm_set_attributes,
	.gmem_set_attributes = linux_gmem_set_attributes,
	.vm_signal_msi = linux_vm_signal_msi,
	.vm_ioeventfd = linux_vm_ioeventfd,
	.vcpu_create = linux_vcpu_create,
	.vcpu_close = linux_vcpu_close,
	.vcpu_run = linux_vcpu_run,
	.vcpu_enable_cap = linux_vcpu_enable_cap,
	.vcpu_set_cpuid = linux_vcpu_set_cpuid,
	.vcpu_get_regs = linux_vcpu_get_regs,
	.vcpu_set_regs = linux_vcpu_set_regs,
	.vcpu_get_sregs = linux_vcpu_get_sregs,
	.vcpu_set_sregs = linux_vcpu_set_sregs,
	.vcpu_set_msrs = linux_vcpu_set_msrs,
	.vcpu_set_mp_state = linux_vcpu_set_mp_state,
	.mem_create = linux_mem_create,
	.mem_discard = linux_mem_discard,
	.mem_map = linux_mem_map,
	.mem_unmap = linux_mem_unmap,
	.close = linux_close,
	.clock_now_ns = linux_clock_now_ns,
	.clock_sleep_ns = linux_clock_sleep_ns,
	.random_fill = linux_random_fill,
	.iommu = &host_linux_iommu_ops,
	.vfio = &host_linux_vfio_ops,
	.cc = &host_linux_cc_ops,
};

static int kvm_open(struct err *err)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return err_set(
			err, -errno,
			"/dev/kvm: %s; load kvm_amd or kvm_intel, or turn virtualization on "
			"in the firmware",
			err_describe(errno));
	case EACCES:
	case EPERM:
		return err_set(err, -errno,
			       "/dev/kvm: %s; add the user to the group that owns it",
			       err_describe(errno));
	default:
		return err_set(err, -errno, "/dev/kvm: cannot open: %s", err_describe(errno));
	}
}

int host_linux_new(struct host **ret_host, struct err *err)
{
	_cleanup_free_ struct host_linux *linux_host = calloc(1, sizeof(*linux_host));
	_cleanup_close_ int kvm = -1;
	int version;
	int run_bytes;

	if (!linux_host)
		return err_set(err, -ENOMEM, "/dev/kvm: out of memory");
	kvm = kvm_open(err);
	if (kvm < 0)
		return kvm;

	version = host_linux_ioctl_value(kvm, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION_KNOWN)
		return err_set(err, version < 0 ? version : -EPROTO,
			       "/dev/kvm: speaks API version %d, not %d; it is not KVM's",
			       version, KVM_API_VERSION_KNOWN);
	run_bytes = host_linux_ioctl_value(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
	if (run_bytes < (int)sizeof(struct kvm_run))
		return err_set(err, run_bytes < 0 ? run_bytes : -EPROTO,
			       "/dev/kvm: vCPU area of %d bytes is too small", run_bytes);

	linux_host->host.ops = &linux_ops;
	linux_host->kvm = take_fd(&kvm);
	linux_host->run_bytes = (size_t)run_bytes;
	*ret_host = &take_pointer(linux_host)->host;
	return 0;
}

void host_linux_free(struct host *host)
{
	if (!host)
		return;
	close(linux_of(host)->kvm);
	free(linux_of(host));
}
