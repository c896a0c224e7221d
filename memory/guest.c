// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * RAM of a VM whose pages are all shared, in mmap-able guest_memfd, and access to it.
 *
 * Each RAM range of the layout has one guest_memfd, one mapping and one memslot. Pages come
 * into being when guest or host first touch them. The ranges never change while the VM lives,
 * so lookups take no lock.
 */
#include "memory/memory.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"
#include "vmm/host.h"

struct ram {
	struct range gpa;
	void *hva;
	int guest_memfd;
};

struct guest_memory {
	struct host *host;
	struct ram ram[LAYOUT_RAM_RANGES_MAX];
	unsigned int n_ram;
	uint64_t n_borrows; /* atomic; none is left when the memory goes */
};

static int ram_create_file(struct guest_memory *memory, int vm, uint64_t size_bytes,
			   struct err *err)
{
	int fd = host_vm_create_guest_memfd(memory->host, vm, size_bytes,
					    GUEST_MEMFD_FLAG_MMAP |
						    GUEST_MEMFD_FLAG_INIT_SHARED);

	/* Kernels before guest_memfd say ENOTTY; those that cannot map it reject the flags. */
	if (fd == -ENOTTY || fd == -EINVAL)
		return err_set(
			err, -EOPNOTSUPP,
			"memory: this kernel has no mmap-able guest_memfd; use Linux 6.18 "
			"or newer with CONFIG_KVM_GUEST_MEMFD");
	if (fd < 0)
		return err_set(err, fd,
			       "memory: cannot create a guest_memfd of %" PRIu64
			       " MiB: %s; give the guest less memory",
			       size_bytes / MIB, err_describe(fd));
	return fd;
}

static int ram_init(struct guest_memory *memory, int vm, struct range gpa, struct err *err)
{
	struct ram *ram = &memory->ram[memory->n_ram];
	struct kvm_userspace_memory_region2 region = {
		.slot = memory->n_ram,
		.flags = KVM_MEM_GUEST_MEMFD,
		.guest_phys_addr = gpa.start,
		.memory_size = range_size(gpa),
	};
	int ret;

	*ram = (struct ram){.gpa = gpa};
	ram->guest_memfd = ram_create_file(memory, vm, range_size(gpa), err);
	if (ram->guest_memfd < 0)
		return ram->guest_memfd;

	ret = host_mem_map(memory->host, ram->guest_memfd, 0, range_size(gpa), &ram->hva);
	if (ret) {
		host_close(memory->host, ram->guest_memfd);
		return err_set(err, ret,
			       "memory: cannot map %" PRIu64 " MiB of guest_memfd: %s",
			       range_size(gpa) / MIB, err_describe(ret));
	}
	memory->n_ram++;

	region.userspace_addr = (uintptr_t)ram->hva;
	region.guest_memfd = (uint32_t)ram->guest_memfd;
	ret = host_vm_set_memory_region(memory->host, vm, &region);
	if (ret)
		return err_set(err, ret,
			       "memory: KVM refused the memslot at gpa 0x%" PRIx64 " (%" PRIu64
			       " MiB): %s",
			       gpa.start, range_size(gpa) / MIB, err_describe(ret));
	return 0;
}

int guest_memory_new(struct host *host, int vm, const struct layout *layout,
		     struct guest_memory **ret_memory, struct err *err)
{
	struct guest_memory *memory = calloc(1, sizeof(*memory));
	int ret = 0;

	if (!memory)
		return err_set(err, -ENOMEM, "memory: out of memory");
	memory->host = host;

	for (unsigned int i = 0; i < layout->n_ram && !ret; i++)
		ret = ram_init(memory, vm, layout->ram[i], err);
	if (ret) {
		guest_memory_free(memory);
		return ret;
	}
	*ret_memory = memory;
	return 0;
}

void guest_memory_free(struct guest_memory *memory)
{
	if (!memory)
		return;
	ASSERT(memory->n_borrows == 0);
	for (unsigned int i = 0; i < memory->n_ram; i++) {
		struct ram *ram = &memory->ram[i];

		host_mem_unmap(memory->host, ram->hva, range_size(ram->gpa));
		host_close(memory->host, ram->guest_memfd);
	}
	free(memory);
}

/* The host address of [gpa, gpa + size_bytes), or NULL unless one RAM range covers it. */
static void *memory_find(const struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes)
{
	struct range wanted;

	if (!range_init(&wanted, gpa, size_bytes))
		return NULL;
	for (unsigned int i = 0; i < memory->n_ram; i++) {
		const struct ram *ram = &memory->ram[i];

		if (range_covers(ram->gpa, wanted))
			return (char *)ram->hva + (gpa - ram->gpa.start);
	}
	return NULL;
}

int guest_read(struct guest_memory *memory, gpa_t gpa, void *buffer, size_t size_bytes)
{
	const void *hva = memory_find(memory, gpa, size_bytes);

	if (!hva)
		return -EFAULT;
	memcpy(buffer, hva, size_bytes);
	return 0;
}

int guest_write(struct guest_memory *memory, gpa_t gpa, const void *buffer, size_t size_bytes)
{
	void *hva = memory_find(memory, gpa, size_bytes);

	if (!hva)
		return -EFAULT;
	memcpy(hva, buffer, size_bytes);
	return 0;
}

int guest_zero(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes)
{
	void *hva = memory_find(memory, gpa, size_bytes);

	if (!hva)
		return -EFAULT;
	memset(hva, 0, size_bytes);
	return 0;
}

int guest_load_u16(struct guest_memory *memory, gpa_t gpa, uint16_t *ret_value)
{
	const uint16_t *hva = memory_find(memory, gpa, sizeof(*hva));

	if (!hva || !is_aligned(gpa, sizeof(*hva)))
		return -EFAULT;
	*ret_value = __atomic_load_n(hva, __ATOMIC_ACQUIRE);
	return 0;
}

int guest_store_u16(struct guest_memory *memory, gpa_t gpa, uint16_t value)
{
	uint16_t *hva = memory_find(memory, gpa, sizeof(*hva));

	if (!hva || !is_aligned(gpa, sizeof(*hva)))
		return -EFAULT;
	__atomic_store_n(hva, value, __ATOMIC_RELEASE);
	return 0;
}

int guest_read_file(struct guest_memory *memory, gpa_t gpa, int fd, off_t offset,
		    uint64_t size_bytes)
{
	char *hva = memory_find(memory, gpa, size_bytes);

	if (!hva)
		return -EFAULT;
	while (size_bytes) {
		ssize_t got = pread(fd, hva, size_bytes, offset);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (!got)
			return -ENODATA;
		hva += got;
		offset += got;
		size_bytes -= (uint64_t)got;
	}
	return 0;
}

int guest_borrow(struct guest_memory *memory, gpa_t gpa, uint64_t size_bytes,
		 struct borrow *borrow, struct iovec *ret_iov)
{
	void *hva = size_bytes ? memory_find(memory, gpa, size_bytes) : NULL;

	if (!hva)
		return -EFAULT;
	__atomic_add_fetch(&memory->n_borrows, 1, __ATOMIC_RELAXED);
	borrow->gpa = (struct range){.start = gpa, .end = gpa + size_bytes};
	*ret_iov = (struct iovec){.iov_base = hva, .iov_len = size_bytes};
	return 0;
}

void guest_return(struct guest_memory *memory, struct borrow *borrow)
{
	uint64_t left = __atomic_sub_fetch(&memory->n_borrows, 1, __ATOMIC_RELAXED);

	ASSERT(left != UINT64_MAX);
	ASSERT(!range_is_empty(borrow->gpa));
	*borrow = (struct borrow){0};
}
