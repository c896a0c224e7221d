// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's view of memory in the fake kernel, and what a test asks about it. */
#include "tests/fake/fake_state.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

/* --- Sides --- */

const struct fake_runs *fake_attribute_of(struct fake *fake,
					  const struct kvm_userspace_memory_region2 *slot,
					  gpa_t gpa, uint64_t *ret_address)
{
	const struct fake_fd *file =
		fake_fd_get(fake, (int)slot->guest_memfd, FAKE_GUEST_MEMFD);

	if (fake->traits.in_place) {
		*ret_address = gpa - slot->guest_phys_addr + slot->guest_memfd_offset;
		return &file->private;
	}
	*ret_address = gpa;
	return &fake_fd_get(fake, file->vm, FAKE_VM)->private;
}

static bool is_private_locked(struct fake *fake, gpa_t gpa)
{
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa);
	const struct fake_runs *runs;
	uint64_t address;

	if (!slot || !(slot->flags & KVM_MEM_GUEST_MEMFD))
		return false;
	/* Without private memory, KVM does not look: a default VM's memory is just memory. */
	if (fake->fds[slot->guest_memfd].vm_type == KVM_X86_DEFAULT_VM)
		return false;
	runs = fake_attribute_of(fake, slot, gpa, &address);
	return fake_runs_has(runs, address);
}

bool fake_is_private(struct fake *fake, gpa_t gpa)
{
	WITH_LOCK(&fake->lock);

	return is_private_locked(fake, gpa);
}

gpa_t fake_find_end(struct fake *fake, gpa_t gpa, gpa_t end, bool *ret_is_private)
{
	WITH_LOCK(&fake->lock);
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa);
	const struct fake_runs *runs;
	uint64_t address;

	ASSERT(slot && (slot->flags & KVM_MEM_GUEST_MEMFD));
	ASSERT(end <= slot->guest_phys_addr + slot->memory_size);
	runs = fake_attribute_of(fake, slot, gpa, &address);
	*ret_is_private = fake_runs_has(runs, address);
	return fake_runs_find_end(runs, address, address + (end - gpa)) - address + gpa;
}

bool fake_faults_host(struct fake *fake, int fd, uint64_t offset)
{
	WITH_LOCK(&fake->lock);
	const struct fake_fd *file = &fake->fds[fd];

	return offset >= file->size_bytes ||
	       (file->kind == FAKE_GUEST_MEMFD && fake_runs_has(&file->private, offset));
}

/* --- The guest --- */

/* The file that serves the guest's access to @gpa. */
static int find_bytes(struct fake *fake, gpa_t gpa, uint64_t *ret_offset)
{
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa);

	if (!slot)
		return -1;
	if (fake_slot_is_gmem_only(fake, slot) || is_private_locked(fake, gpa)) {
		*ret_offset = gpa - slot->guest_phys_addr + slot->guest_memfd_offset;
		return (int)slot->guest_memfd;
	}
	return fake_slot_find_shared(fake, slot, gpa, ret_offset);
}

/* What the VM says is private, and no guest_memfd has it. In place, no such thing is. */
static bool is_private_nowhere(struct fake *fake, gpa_t gpa)
{
	for (int fd = 0; fd < FAKE_FDS_MAX && !fake->traits.in_place; fd++) {
		if (fake->fds[fd].kind == FAKE_VM && fake_runs_has(&fake->fds[fd].private, gpa))
			return true;
	}
	return false;
}

enum fake_access fake_try_guest(struct fake *fake, gpa_t gpa)
{
	WITH_LOCK(&fake->lock);
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa);
	uint64_t offset;

	if (!(slot && (slot->flags & KVM_MEM_GUEST_MEMFD)) && is_private_nowhere(fake, gpa))
		return FAKE_ACCESS_MEMORY_FAULT;
	if (!slot)
		return FAKE_ACCESS_MMIO;
	return find_bytes(fake, gpa, &offset) < 0 ? FAKE_ACCESS_BAD_ADDRESS : FAKE_ACCESS_OK;
}

static bool is_in_one_page(gpa_t gpa, size_t size_bytes)
{
	return size_bytes && gpa / GRANULE_BYTES == (gpa + size_bytes - 1) / GRANULE_BYTES;
}

bool fake_guest_read(struct fake *fake, gpa_t gpa, void *buffer, size_t size_bytes)
{
	WITH_LOCK(&fake->lock);
	uint64_t offset = 0;
	int fd = find_bytes(fake, gpa, &offset);

	ASSERT(is_in_one_page(gpa, size_bytes));
	if (fd >= 0 && is_private_locked(fake, gpa))
		fake_cc_touch(fake, fd, offset);
	return fd >= 0 && pread(fd, buffer, size_bytes, (off_t)offset) == (ssize_t)size_bytes;
}

bool fake_guest_write(struct fake *fake, gpa_t gpa, const void *buffer, size_t size_bytes)
{
	WITH_LOCK(&fake->lock);
	uint64_t offset = 0;
	int fd = find_bytes(fake, gpa, &offset);

	ASSERT(is_in_one_page(gpa, size_bytes));
	if (fd >= 0 && is_private_locked(fake, gpa))
		fake_cc_touch(fake, fd, offset);
	return fd >= 0 && pwrite(fd, buffer, size_bytes, (off_t)offset) == (ssize_t)size_bytes;
}

/* --- Pins --- */

static struct fake_pin *find_pin(struct fake *fake, int fd, uint64_t offset)
{
	for (size_t i = 0; i < FAKE_PINS_MAX; i++) {
		struct fake_pin *pin = &fake->pins[i];

		if (pin->is_held && pin->fd == fd && pin->offset == offset)
			return pin;
	}
	return NULL;
}

int fake_pin(struct fake *fake, gpa_t gpa, unsigned int n_conversions)
{
	WITH_LOCK(&fake->lock);
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa);
	uint64_t offset = 0;
	int fd;

	if (!slot || !fake_slot_is_gmem_only(fake, slot))
		return -EFAULT;
	fd = find_bytes(fake, gpa, &offset);
	offset = align_down(offset, GRANULE_BYTES);
	if (fake_runs_has(&fake->fds[fd].private, offset))
		return -EFAULT;
	ASSERT(!find_pin(fake, fd, offset));
	ASSERT(fallocate(fd, FALLOC_FL_KEEP_SIZE, (off_t)offset, GRANULE_BYTES) == 0);
	for (size_t i = 0; i < FAKE_PINS_MAX; i++) {
		if (fake->pins[i].is_held)
			continue;
		fake->pins[i] = (struct fake_pin){
			.is_held = true, .fd = fd, .offset = offset, .n_left = n_conversions};
		fake->n_pins++;
		return 0;
	}
	err_assert_failed("room for one more pin", __FILE__, __LINE__);
}

/* A page that was discarded is nobody's business any more. */
void fake_unpin(struct fake *fake, gpa_t gpa)
{
	WITH_LOCK(&fake->lock);
	uint64_t offset = 0;
	int fd = find_bytes(fake, gpa, &offset);
	struct fake_pin *pin = find_pin(fake, fd, align_down(offset, GRANULE_BYTES));

	if (!pin)
		return;
	*pin = (struct fake_pin){0};
	fake->n_pins--;
}

/* --- Books --- */

uint64_t fake_count_conversion_calls(struct fake *fake)
{
	WITH_LOCK(&fake->lock);

	return fake->n_conversion_calls;
}

struct fake_memory fake_count_memory(struct fake *fake)
{
	WITH_LOCK(&fake->lock);
	struct fake_memory memory = {0};

	for (int fd = 0; fd < FAKE_FDS_MAX; fd++) {
		enum fake_kind kind = fake->fds[fd].kind;
		struct stat status;

		if (kind != FAKE_MEMFD && kind != FAKE_GUEST_MEMFD)
			continue;
		ASSERT(fstat(fd, &status) == 0);
		*(kind == FAKE_MEMFD ? &memory.memfd_bytes : &memory.guest_memfd_bytes) +=
			(uint64_t)status.st_blocks * 512;
	}
	return memory;
}

/* Is there no memory in [offset, offset + size_bytes) of the file? */
static bool is_hole(int fd, uint64_t offset, uint64_t size_bytes)
{
	off_t data = lseek(fd, (off_t)offset, SEEK_DATA);

	return data < 0 || (uint64_t)data >= offset + size_bytes;
}

void fake_check_halves(struct fake *fake, struct range gpa)
{
	gpa_t at = gpa.start;

	while (at < gpa.end) {
		bool is_private;
		gpa_t end = fake_find_end(fake, at, gpa.end, &is_private);
		WITH_LOCK(&fake->lock);
		const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, at);
		uint64_t offset = at - slot->guest_phys_addr + slot->guest_memfd_offset;
		int fd = (int)slot->guest_memfd;

		if (fake_slot_is_gmem_only(fake, slot))
			return;
		if (is_private)
			fd = fake_slot_find_shared(fake, slot, at, &offset);
		ASSERT(fd < 0 || is_hole(fd, offset, end - at));
		at = end;
	}
}
