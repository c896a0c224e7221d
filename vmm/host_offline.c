// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/host_offline.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/cleanup.h"

/* All holes, as a guest_memfd is at first: only what is written takes memory. */
static int offline_create_guest_memfd(struct host *host, int vm, uint64_t size_bytes,
				      uint64_t flags)
{
	_cleanup_close_ int fd = memfd_create("alcove guest", MFD_CLOEXEC);

	(void)host;
	(void)vm;
	(void)flags;
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)size_bytes))
		return -errno;
	return take_fd(&fd);
}

static int offline_set_memory_region(struct host *host, int vm,
				     const struct kvm_userspace_memory_region2 *region)
{
	(void)host;
	(void)vm;
	(void)region;
	return 0;
}

static int offline_mem_map(struct host *host, int fd, uint64_t offset, uint64_t size_bytes,
			   void **ret_hva)
{
	void *hva = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE,
			 fd, (off_t)offset);

	(void)host;
	if (hva == MAP_FAILED)
		return -errno;
	*ret_hva = hva;
	return 0;
}

static void offline_mem_unmap(struct host *host, void *hva, uint64_t size_bytes)
{
	(void)host;
	munmap(hva, size_bytes);
}

static void offline_close(struct host *host, int fd)
{
	(void)host;
	close(fd);
}

void host_offline_init(struct host *ret_host)
{
	static const struct host_ops ops = {
		.vm_set_memory_region = offline_set_memory_region,
		.vm_create_guest_memfd = offline_create_guest_memfd,
		.mem_map = offline_mem_map,
		.mem_unmap = offline_mem_unmap,
		.close = offline_close,
	};

	*ret_host = (struct host){.ops = &ops};
}
