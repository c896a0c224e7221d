// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Pages of confidential guests in the fake kernel: which of them are the guest's own (the RMP
 * of AMD, the secure EPT of Intel), and what happens to them when they are taken from it.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/fake/fake_cc_state.h"
#include "vmm/cleanup.h"
#include "vmm/err.h"

/* --- Where pages lie --- */

int fake_page_find(struct fake *fake, gpa_t gpa, int *ret_fd, uint64_t *ret_offset)
{
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa);

	if (!slot || !(slot->flags & KVM_MEM_GUEST_MEMFD))
		return -EINVAL;
	*ret_offset = align_down(gpa, GRANULE_BYTES) - slot->guest_phys_addr +
		      slot->guest_memfd_offset;
	*ret_fd = (int)slot->guest_memfd;
	return 0;
}

bool fake_page_is_private(struct fake *fake, gpa_t gpa)
{
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa);
	const struct fake_runs *runs;
	uint64_t address;

	if (!slot || !(slot->flags & KVM_MEM_GUEST_MEMFD))
		return false;
	runs = fake_attribute_of(fake, slot, gpa, &address);
	return fake_runs_has(runs, address);
}

static struct range page_at(uint64_t offset)
{
	return (struct range){.start = offset, .end = offset + GRANULE_BYTES};
}

bool fake_page_is_assigned(struct fake *fake, int fd, uint64_t offset)
{
	return fake_runs_has(&fake->fds[fd].assigned, offset);
}

void fake_page_set_assigned(struct fake *fake, int fd, uint64_t offset, bool is_assigned)
{
	fake_runs_set(&fake->fds[fd].assigned, page_at(offset), is_assigned);
}

void fake_page_read(int fd, uint64_t offset, uint8_t ret_page[GRANULE_BYTES])
{
	ssize_t n = pread(fd, ret_page, GRANULE_BYTES, (off_t)offset);

	ASSERT(n == GRANULE_BYTES);
}

void fake_page_write(int fd, uint64_t offset, const uint8_t page[GRANULE_BYTES])
{
	ssize_t n = pwrite(fd, page, GRANULE_BYTES, (off_t)offset);

	ASSERT(n == GRANULE_BYTES);
}

bool fake_is_assigned(struct fake *fake, uint64_t gpa)
{
	WITH_LOCK(&fake->lock);
	uint64_t offset;
	int fd;

	return !fake_page_find(fake, gpa, &fd, &offset) &&
	       fake_page_is_assigned(fake, fd, offset);
}

/* --- Pages come and go --- */

void fake_cc_touch(struct fake *fake, int fd, uint64_t offset)
{
	if (fake_is_protected_type(fake->fds[fd].vm_type))
		fake_page_set_assigned(fake, fd, align_down(offset, GRANULE_BYTES), true);
}

void fake_cc_drop(struct fake *fake, int fd, struct range offset)
{
	if (fake->fds[fd].kind == FAKE_GUEST_MEMFD && !range_is_empty(offset))
		fake_runs_set(&fake->fds[fd].assigned, offset, false);
}

/* Only the secure EPT goes with the slot; the RMP knows of pages. */
void fake_cc_drop_slot(struct fake *fake, const struct kvm_userspace_memory_region2 *slot)
{
	struct range offset = {.start = slot->guest_memfd_offset,
			       .end = slot->guest_memfd_offset + slot->memory_size};

	if ((slot->flags & KVM_MEM_GUEST_MEMFD) &&
	    fake->fds[slot->guest_memfd].vm_type == KVM_X86_TDX_VM)
		fake_cc_drop(fake, (int)slot->guest_memfd, offset);
}

/* Two backings: KVM zaps what maps the page. It stays in the RMP until it is discarded. */
void fake_cc_share_gpa(struct fake *fake, int vm, struct range gpa)
{
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa.start);
	struct range offset;

	if (fake->fds[vm].vm_type != KVM_X86_TDX_VM || !slot ||
	    !(slot->flags & KVM_MEM_GUEST_MEMFD))
		return;
	offset.start = gpa.start - slot->guest_phys_addr + slot->guest_memfd_offset;
	offset.end = offset.start + range_size(gpa);
	fake_cc_drop(fake, (int)slot->guest_memfd, offset);
}

/* In place: what the host then sees of a page that was the guest's is not what it held. */
void fake_cc_share_offset(struct fake *fake, int fd, struct range offset)
{
	uint8_t page[GRANULE_BYTES];

	for (uint64_t at = offset.start; at < offset.end; at += GRANULE_BYTES) {
		if (!fake_page_is_assigned(fake, fd, at)) {
			at = fake_runs_find_end(&fake->fds[fd].assigned, at, offset.end) -
			     GRANULE_BYTES;
			continue;
		}
		fake_page_read(fd, at, page);
		for (unsigned int i = 0; i < GRANULE_BYTES; i++)
			page[i] ^= (uint8_t)(0xa5 + i);
		fake_page_write(fd, at, page);
	}
	fake_cc_drop(fake, fd, offset);
}

/* --- Memory of the caller --- */

/* A mapping of a private page is there, but nobody gets at the page. */
static bool is_out_of_reach(struct fake *fake, uint64_t uaddr, size_t size_bytes)
{
	const struct fake_map *map = fake_map_find(fake, uaddr, size_bytes);
	const struct fake_fd *file = map ? &fake->fds[map->fd] : NULL;
	uint64_t offset;

	if (!map || file->kind != FAKE_GUEST_MEMFD)
		return false;
	offset = map->offset + (uaddr - (uintptr_t)map->hva);
	return !fake_runs_covers(&file->private,
				 (struct range){.start = offset, .end = offset + size_bytes},
				 false);
}

/* The kernel tells, without a signal, what is no memory. */
static int scratch_of(struct fake *fake)
{
	if (!fake->scratch) {
		fake->scratch = memfd_create("fake scratch", MFD_CLOEXEC);
		ASSERT(fake->scratch > 0);
	}
	return fake->scratch;
}

/* An address that an ioctl's structure brought. */
static void *pointer_of(uint64_t uaddr)
{
	void *pointer;

	memcpy(&pointer, &uaddr, sizeof(pointer));
	return pointer;
}

int fake_user_read(struct fake *fake, uint64_t uaddr, void *buffer, size_t size_bytes)
{
	const void *user = pointer_of(uaddr);
	int fd = scratch_of(fake);
	ssize_t n;

	if (is_out_of_reach(fake, uaddr, size_bytes))
		return -EFAULT;
	n = pwrite(fd, user, size_bytes, 0);
	if (n != (ssize_t)size_bytes)
		return -EFAULT;
	n = pread(fd, buffer, size_bytes, 0);
	ASSERT(n == (ssize_t)size_bytes);
	return 0;
}

int fake_user_write(struct fake *fake, uint64_t uaddr, const void *buffer, size_t size_bytes)
{
	void *user = pointer_of(uaddr);
	int fd = scratch_of(fake);
	ssize_t n = pwrite(fd, buffer, size_bytes, 0);

	ASSERT(n == (ssize_t)size_bytes);
	if (is_out_of_reach(fake, uaddr, size_bytes))
		return -EFAULT;
	n = pread(fd, user, size_bytes, 0);
	return n == (ssize_t)size_bytes ? 0 : -EFAULT;
}
