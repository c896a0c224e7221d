// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What holds the bytes of RAM, and how KVM is told which side they are on: one row for each
 * backing.
 *
 * Files, mappings and memslots never change while the VM lives. Pages come into being when
 * guest or host first touch them.
 */
#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>

#include "memory/ram.h"
#include "vmm/err.h"
#include "vmm/host.h"

/* Enough to try a conversion with. */
#define PROBE_BYTES (2 * GRANULE_BYTES)

static struct range ram_offset(const struct ram *ram, struct range gpa)
{
	return (struct range){.start = gpa.start - ram->gpa.start,
			      .end = gpa.end - ram->gpa.start};
}

static int inplace_set(struct guest_memory *memory, const struct ram *ram, struct range gpa,
		       uint64_t attributes, gpa_t *ret_busy_gpa)
{
	uint64_t busy_offset = 0;
	int ret = host_gmem_set_attributes(memory->host, ram->guest_memfd, ram_offset(ram, gpa),
					   attributes, &busy_offset);

	if (ret == -EAGAIN)
		*ret_busy_gpa = ram->gpa.start + busy_offset;
	return ret;
}

static int paired_set(struct guest_memory *memory, const struct ram *ram, struct range gpa,
		      uint64_t attributes, gpa_t *ret_busy_gpa)
{
	(void)ram;
	(void)ret_busy_gpa;
	return host_vm_set_attributes(memory->host, memory->vm, gpa, attributes);
}

static const struct {
	uint64_t guest_memfd_flags;
	bool has_memfd; /* for the shared half */
	/* NULL: never converts */
	int (*set)(struct guest_memory *memory, const struct ram *ram, struct range gpa,
		   uint64_t attributes, gpa_t *ret_busy_gpa);
	const char *cure;
} backings[] = {
	[BACKING_PLAIN] =
		{.guest_memfd_flags = GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED,
		 .cure = "this kernel has no mmap-able guest_memfd; use Linux 6.18 or "
			 "newer with CONFIG_KVM_GUEST_MEMFD"},
	[BACKING_INPLACE] = {.guest_memfd_flags =
				     GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED,
			     .set = inplace_set,
			     .cure = "this kernel does not convert in place; use a kernel with "
				     "KVM_SET_MEMORY_ATTRIBUTES2 and "
				     "kvm.gmem_in_place_conversion=1, or backing=paired"},
	[BACKING_PAIRED] =
		{.has_memfd = true,
		 .set = paired_set,
		 .cure = "this kernel has no guest_memfd for private memory, or converts "
			 "in place only; use Linux 6.8 or newer, or load kvm with "
			 "gmem_in_place_conversion=0"},
};

static int ram_create_guest_memfd(struct guest_memory *memory, uint64_t size_bytes,
				  struct err *err)
{
	int fd = host_vm_create_guest_memfd(memory->host, memory->vm, size_bytes,
					    backings[memory->backing].guest_memfd_flags);

	/* Kernels before guest_memfd say ENOTTY; those that cannot map it reject the flags. */
	if (fd == -ENOTTY || fd == -EINVAL)
		return err_set(err, -EOPNOTSUPP, "memory: %s", backings[memory->backing].cure);
	if (fd < 0)
		return err_set(err, fd,
			       "memory: cannot create a guest_memfd of %" PRIu64
			       " KiB: %s; give the guest less memory",
			       size_bytes / KIB, err_describe(fd));
	return fd;
}

static int ram_create_files(struct guest_memory *memory, struct ram *ram, struct err *err)
{
	uint64_t size_bytes = range_size(ram->gpa);

	ram->guest_memfd = ram_create_guest_memfd(memory, size_bytes, err);
	if (ram->guest_memfd < 0)
		return ram->guest_memfd;
	if (!backings[memory->backing].has_memfd)
		return 0;
	ram->shared_fd = host_mem_create(memory->host, size_bytes);
	if (ram->shared_fd < 0)
		return err_set(err, ram->shared_fd,
			       "memory: cannot create a memfd of %" PRIu64 " KiB: %s",
			       size_bytes / KIB, err_describe(ram->shared_fd));
	return 0;
}

static int ram_create_slot(struct guest_memory *memory, const struct ram *ram, struct err *err)
{
	struct kvm_userspace_memory_region2 region = {
		.slot = memory->n_ram - 1,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = ram->gpa.start,
		.memory_size = range_size(ram->gpa),
		.userspace_addr = (uintptr_t)ram->hva,
		.guest_memfd = (uint32_t)ram->guest_memfd,
	};
	int ret = host_vm_set_memory_region(memory->host, memory->vm, &region);

	if (ret)
		return err_set(err, ret,
			       "memory: KVM refused the memslot at gpa 0x%" PRIx64 " (%" PRIu64
			       " KiB): %s",
			       ram->gpa.start, range_size(ram->gpa) / KIB, err_describe(ret));
	return 0;
}

int ram_start(struct guest_memory *memory, struct range gpa, struct err *err)
{
	struct ram *ram = &memory->ram[memory->n_ram++];
	int ret;

	*ram = (struct ram){.gpa = gpa, .guest_memfd = -1, .shared_fd = -1};
	ret = ram_create_files(memory, ram, err);
	if (ret)
		return ret;
	ret = host_mem_map(memory->host,
			   ram->shared_fd >= 0 ? ram->shared_fd : ram->guest_memfd, 0,
			   range_size(gpa), &ram->hva);
	if (ret)
		return err_set(err, ret, "memory: cannot map %" PRIu64 " KiB of it: %s",
			       range_size(gpa) / KIB, err_describe(ret));
	return ram_create_slot(memory, ram, err);
}

void ram_stop(struct guest_memory *memory, struct ram *ram)
{
	if (ram->hva)
		host_mem_unmap(memory->host, ram->hva, range_size(ram->gpa));
	if (ram->shared_fd >= 0)
		host_close(memory->host, ram->shared_fd);
	if (ram->guest_memfd >= 0)
		host_close(memory->host, ram->guest_memfd);
}

const struct ram *ram_find(const struct guest_memory *memory, struct range gpa)
{
	for (unsigned int i = 0; i < memory->n_ram; i++) {
		if (range_covers(memory->ram[i].gpa, gpa))
			return &memory->ram[i];
	}
	return NULL;
}

int ram_set(struct guest_memory *memory, const struct ram *ram, struct range gpa,
	    enum side side, gpa_t *ret_busy_gpa)
{
	uint64_t attributes = side == SIDE_PRIVATE ? KVM_MEMORY_ATTRIBUTE_PRIVATE : 0;

	return backings[memory->backing].set(memory, ram, gpa, attributes, ret_busy_gpa);
}

int ram_discard(struct guest_memory *memory, const struct ram *ram, struct range gpa,
		enum side side)
{
	if (!backings[memory->backing].has_memfd)
		return 0;
	return host_mem_discard(memory->host,
				side == SIDE_PRIVATE ? ram->guest_memfd : ram->shared_fd,
				ram_offset(ram, gpa));
}

bool ram_can_convert(const struct guest_memory *memory)
{
	return backings[memory->backing].set != NULL;
}

/* Does this say that the kernel does not know the way, and not that something went wrong? */
static bool is_unknown(int ret)
{
	return ret == -ENOTTY || ret == -EINVAL || ret == -EOPNOTSUPP;
}

static int probe_plain(struct host *host, int vm)
{
	int fd = host_vm_create_guest_memfd(host, vm, PROBE_BYTES,
					    backings[BACKING_PLAIN].guest_memfd_flags);

	if (fd < 0)
		return fd;
	host_close(host, fd);
	return 0;
}

/* Does the ioctl itself work? Capability numbers of an ABI that is not merged tell nothing. */
static int probe_inplace(struct host *host, int vm)
{
	struct range page = {.start = 0, .end = GRANULE_BYTES};
	uint64_t unused;
	int fd = host_vm_create_guest_memfd(host, vm, PROBE_BYTES,
					    backings[BACKING_INPLACE].guest_memfd_flags);
	int ret;

	if (fd < 0)
		return fd;
	ret = host_gmem_set_attributes(host, fd, page, KVM_MEMORY_ATTRIBUTE_PRIVATE, &unused);
	host_close(host, fd);
	return ret;
}

/* With in-place conversion on, KVM refuses the attribute on the VM, and the reverse. */
static int probe_paired(struct host *host, int vm)
{
	struct range page = {.start = 0, .end = GRANULE_BYTES};
	int ret = host_vm_set_attributes(host, vm, page, KVM_MEMORY_ATTRIBUTE_PRIVATE);

	return ret ? ret : host_vm_set_attributes(host, vm, page, 0);
}

int backing_try(struct host *host, int vm, enum backing backing, struct err *err)
{
	static int (*const probes[])(struct host * host, int vm) = {
		[BACKING_PLAIN] = probe_plain,
		[BACKING_INPLACE] = probe_inplace,
		[BACKING_PAIRED] = probe_paired,
	};
	int ret = probes[backing](host, vm);

	if (is_unknown(ret))
		return err_set(err, -EOPNOTSUPP, "memory: %s", backings[backing].cure);
	if (ret)
		return err_set(err, ret, "memory: cannot find out how this kernel converts: %s",
			       err_describe(ret));
	return 0;
}

int backing_probe(struct host *host, int vm, enum backing *ret_backing, struct err *err)
{
	enum backing backing = BACKING_INPLACE;
	int ret = backing_try(host, vm, backing, err);

	if (ret == -EOPNOTSUPP) {
		backing = BACKING_PAIRED;
		ret = backing_try(host, vm, backing, err);
	}
	if (ret == -EOPNOTSUPP)
		return err_set(err, ret,
			       "memory: this kernel converts neither in place nor between two "
			       "backings; use Linux 6.8 or newer with guest_memfd");
	if (ret)
		return ret;
	*ret_backing = backing;
	return 0;
}
