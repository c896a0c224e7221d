// SPDX-License-Identifier: GPL-2.0-or-later
/* Memslots, files and mappings of the fake kernel. */
#include "tests/fake/fake_state.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

/* --- Memslots --- */

static struct range slot_gpa(const struct kvm_userspace_memory_region2 *slot)
{
	return (struct range){.start = slot->guest_phys_addr,
			      .end = slot->guest_phys_addr + slot->memory_size};
}

static struct range slot_offset(const struct kvm_userspace_memory_region2 *slot)
{
	return (struct range){.start = slot->guest_memfd_offset,
			      .end = slot->guest_memfd_offset + slot->memory_size};
}

/* What kvm_gmem_bind refuses. */
static int slot_check_file(struct fake *fake, int vm,
			   const struct kvm_userspace_memory_region2 *slot)
{
	const struct fake_fd *file =
		fake_fd_get(fake, (int)slot->guest_memfd, FAKE_GUEST_MEMFD);

	if (file->vm != vm || slot->guest_memfd_offset > file->size_bytes ||
	    slot->memory_size > file->size_bytes - slot->guest_memfd_offset)
		return -EINVAL;
	for (size_t i = 0; i < FAKE_SLOTS_MAX; i++) {
		const struct kvm_userspace_memory_region2 *other = &fake->slots[i];

		if (other->memory_size && (other->flags & KVM_MEM_GUEST_MEMFD) &&
		    other->guest_memfd == slot->guest_memfd &&
		    range_overlaps(slot_offset(other), slot_offset(slot)))
			return -EEXIST;
	}
	return 0;
}

/* What kvm_set_memory_region refuses. */
static int slot_check(struct fake *fake, int vm,
		      const struct kvm_userspace_memory_region2 *slot)
{
	bool has_file = slot->flags & KVM_MEM_GUEST_MEMFD;
	int ret = fake_cc_check_slot(fake, vm, slot);
	struct range unused;

	if (ret)
		return ret;

	if (!slot->memory_size || !is_aligned(slot->memory_size, GRANULE_BYTES) ||
	    !is_aligned(slot->guest_phys_addr, GRANULE_BYTES) ||
	    !is_aligned(slot->userspace_addr, GRANULE_BYTES) ||
	    !range_init(&unused, slot->guest_phys_addr, slot->memory_size))
		return -EINVAL;
	if (has_file && ((slot->flags & (KVM_MEM_READONLY | KVM_MEM_LOG_DIRTY_PAGES)) ||
			 !is_aligned(slot->guest_memfd_offset, GRANULE_BYTES) ||
			 !range_init(&unused, slot->guest_memfd_offset, slot->memory_size)))
		return -EINVAL;
	/* A slot with guest_memfd is immutable but for deletion. */
	if (fake->slots[slot->slot].memory_size)
		return -EINVAL;
	for (size_t i = 0; i < FAKE_SLOTS_MAX; i++) {
		if (fake->slots[i].memory_size &&
		    range_overlaps(slot_gpa(&fake->slots[i]), slot_gpa(slot)))
			return -EEXIST;
	}
	return has_file ? slot_check_file(fake, vm, slot) : 0;
}

int fake_vm_set_memory_region(struct host *host, int vm,
			      const struct kvm_userspace_memory_region2 *region)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	int ret = fake_check_alive(fake, vm);

	if (ret)
		return ret;
	ASSERT(region->slot < FAKE_SLOTS_MAX);
	if (!region->memory_size) {
		if (!fake->slots[region->slot].memory_size)
			return -EINVAL;
		fake_cc_drop_slot(fake, &fake->slots[region->slot]);
		fake->slots[region->slot] = (struct kvm_userspace_memory_region2){0};
		return 0;
	}
	ret = slot_check(fake, vm, region);
	if (!ret)
		fake_device_judge_slot(fake, region->userspace_addr);
	if (!ret)
		fake->slots[region->slot] = *region;
	return ret;
}

const struct kvm_userspace_memory_region2 *fake_slot_find(struct fake *fake, gpa_t gpa)
{
	for (size_t i = 0; i < FAKE_SLOTS_MAX; i++) {
		if (fake->slots[i].memory_size &&
		    range_contains(slot_gpa(&fake->slots[i]), gpa))
			return &fake->slots[i];
	}
	return NULL;
}

int fake_slot_find_shared(struct fake *fake, const struct kvm_userspace_memory_region2 *slot,
			  gpa_t gpa, uint64_t *ret_offset)
{
	uint64_t hva = slot->userspace_addr + (gpa - slot->guest_phys_addr);

	for (size_t i = 0; i < FAKE_MAPS_MAX; i++) {
		const struct fake_map *map = &fake->maps[i];
		uint64_t start = (uintptr_t)map->hva;

		if (!map->hva || map->fd < 0 || hva < start || hva - start >= map->size_bytes)
			continue;
		*ret_offset = map->offset + (hva - start);
		return map->fd;
	}
	return -1;
}

const struct fake_map *fake_map_find(struct fake *fake, uint64_t hva, uint64_t size_bytes)
{
	for (size_t i = 0; i < FAKE_MAPS_MAX; i++) {
		const struct fake_map *map = &fake->maps[i];
		uint64_t start = (uintptr_t)map->hva;

		if (map->hva && map->fd >= 0 && hva >= start && hva - start < map->size_bytes &&
		    size_bytes <= map->size_bytes - (hva - start))
			return map;
	}
	return NULL;
}

bool fake_slot_is_gmem_only(struct fake *fake, const struct kvm_userspace_memory_region2 *slot)
{
	return (slot->flags & KVM_MEM_GUEST_MEMFD) &&
	       (fake->traits.in_place ||
		fake_fd_get(fake, (int)slot->guest_memfd, FAKE_GUEST_MEMFD)->mappable);
}

/* --- Files --- */

/* 7.3: memory of a VM with private memory starts private, unless it converts in place. */
uint64_t fake_gmem_flags(const struct fake *fake, unsigned long vm_type)
{
	if (fake->traits.no_guest_memfd || fake->traits.no_guest_memfd_mmap)
		return 0;
	if (vm_type == KVM_X86_DEFAULT_VM || fake->traits.in_place)
		return GUEST_MEMFD_FLAG_MMAP | GUEST_MEMFD_FLAG_INIT_SHARED;
	return GUEST_MEMFD_FLAG_MMAP;
}

int fake_vm_create_guest_memfd(struct host *host, int vm, uint64_t size_bytes, uint64_t flags)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	unsigned long vm_type = fake_fd_get(fake, vm, FAKE_VM)->vm_type;
	struct fake_fd file = {
		.kind = FAKE_GUEST_MEMFD,
		.vm = vm,
		.vm_type = vm_type,
		.size_bytes = size_bytes,
		.mappable = flags & GUEST_MEMFD_FLAG_MMAP,
		.private.has_zero = !(flags & GUEST_MEMFD_FLAG_INIT_SHARED),
	};
	int fd;

	if (fake->traits.no_guest_memfd)
		return -ENOTTY;
	if ((flags & ~fake_gmem_flags(fake, vm_type)) || (int64_t)size_bytes <= 0 ||
	    !is_aligned(size_bytes, GRANULE_BYTES))
		return -EINVAL;
	fd = memfd_create("fake guest_memfd", MFD_CLOEXEC);
	ASSERT(fd >= 0 && ftruncate(fd, (off_t)size_bytes) == 0);
	return fake_fd_add(fake, fd, &file);
}

int fake_mem_create(struct host *host, uint64_t size_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	int fd;

	fd = memfd_create("fake memfd", MFD_CLOEXEC);
	ASSERT(fd >= 0 && ftruncate(fd, (off_t)size_bytes) == 0);
	return fake_fd_add(fake, fd,
			   &(struct fake_fd){.kind = FAKE_MEMFD, .size_bytes = size_bytes});
}

/* Attributes stay as they are; the next touch finds zeroes (kvm_gmem_punch_hole). */
int fake_mem_discard(struct host *host, int fd, struct range offset)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	ASSERT(fd >= 0 && fd < FAKE_FDS_MAX);
	if (fake->fds[fd].kind != FAKE_MEMFD)
		fake_fd_get(fake, fd, FAKE_GUEST_MEMFD);
	if (fake->fds[fd].kind == FAKE_GUEST_MEMFD &&
	    !is_aligned(offset.start | range_size(offset), GRANULE_BYTES))
		return -EINVAL;
	if (offset.start < offset.end)
		fake_judge_discard(fake, fd, offset);
	if (fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)offset.start,
		      (off_t)range_size(offset)))
		return -errno;
	fake_pins_drop(fake, fd, offset);
	fake_cc_drop(fake, fd, offset);
	return 0;
}

void fake_close(struct host *host, int fd)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	ASSERT(fd >= 0 && fd < FAKE_FDS_MAX);
	ASSERT(fake->fds[fd].kind != FAKE_NOTHING && fake->fds[fd].kind != FAKE_VCPU);
	fake_device_close(fake, fd);
	fake_iommu_close(fake, fd);
	if (fake->fds[fd].kind == FAKE_VM) {
		memset(fake->slots, 0, sizeof(fake->slots));
		memset(fake->ioeventfds, 0, sizeof(fake->ioeventfds));
		fake->n_routes = 0;
		fake->n_irqfds = 0;
	}
	for (int other = 0; other < FAKE_FDS_MAX; other++) {
		if (fake->fds[other].kind == FAKE_GUEST_MEMFD && fake->fds[other].vm == fd)
			fake->fds[other].vm = -1;
	}
	for (size_t i = 0; i < FAKE_MAPS_MAX; i++) {
		if (fake->maps[i].fd == fd)
			fake->maps[i].fd = -1;
	}
	fake_pins_drop(fake, fd, (struct range){.start = 0, .end = UINT64_MAX});
	fake_runs_fini(&fake->fds[fd].private);
	fake_runs_fini(&fake->fds[fd].assigned);
	if (fake->fds[fd].kind == FAKE_VM)
		fake_vm_free(fake, fake->fds[fd].vm_state);
	fake->fds[fd] = (struct fake_fd){0};
	close(fd);
}

/* --- Mappings --- */

int fake_mem_map(struct host *host, int fd, uint64_t offset, uint64_t size_bytes,
		 void **ret_hva)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);
	void *hva;

	ASSERT(fd >= 0 && fd < FAKE_FDS_MAX);
	if (fake->fds[fd].kind != FAKE_MEMFD && fake->fds[fd].kind != FAKE_DEVICE &&
	    !fake_fd_get(fake, fd, FAKE_GUEST_MEMFD)->mappable)
		return -ENODEV;
	hva = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd,
		   (off_t)offset);
	ASSERT(hva != MAP_FAILED);
	for (size_t i = 0; i < FAKE_MAPS_MAX; i++) {
		struct fake_map *map = &fake->maps[i];

		if (map->hva)
			continue;
		*map = (struct fake_map){
			.hva = hva, .size_bytes = size_bytes, .fd = fd, .offset = offset};
		fake_guard(fake, map,
			   (struct range){.start = offset, .end = offset + size_bytes});
		*ret_hva = hva;
		return 0;
	}
	err_assert_failed("room for one more mapping", __FILE__, __LINE__);
}

void fake_mem_unmap(struct host *host, void *hva, uint64_t size_bytes)
{
	struct fake *fake = fake_of(host);
	WITH_LOCK(&fake->lock);

	for (size_t i = 0; i < FAKE_MAPS_MAX; i++) {
		if (fake->maps[i].hva != hva)
			continue;
		ASSERT(fake->maps[i].size_bytes == size_bytes);
		munmap(hva, size_bytes);
		fake->maps[i] = (struct fake_map){0};
		return;
	}
	err_assert_failed("unmapped memory is mapped", __FILE__, __LINE__);
}
