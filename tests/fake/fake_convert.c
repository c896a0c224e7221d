// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Conversion in the fake kernel. Two ways, and a kernel has one of them at a time: attributes
 * of guest addresses, kept by the VM (KVM_SET_MEMORY_ATTRIBUTES), or of offsets, kept by each
 * guest_memfd (KVM_SET_MEMORY_ATTRIBUTES2; rules of virt/kvm/guest_memfd.c as posted in 2026).
 *
 * Every change is judged: nothing but RAM changes sides, and no half that is in use is
 * discarded; what devices reach neither becomes private nor is it discarded.
 */
#include "tests/fake/fake_state.h"

#include <errno.h>
#include <sys/mman.h>

#include "vmm/cleanup.h"
#include "vmm/err.h"

uint64_t fake_vm_attributes(const struct fake *fake, unsigned long vm_type)
{
	return vm_type == KVM_X86_DEFAULT_VM || fake->traits.in_place
		       ? 0
		       : KVM_MEMORY_ATTRIBUTE_PRIVATE;
}

uint64_t fake_gmem_attributes(const struct fake *fake, unsigned long vm_type)
{
	return vm_type != KVM_X86_DEFAULT_VM && fake->traits.in_place
		       ? KVM_MEMORY_ATTRIBUTE_PRIVATE
		       : 0;
}

/* Both ioctls see a start and a size: an end below the start is a size that wraps. */
static bool range_is_convertible(struct range range)
{
	return range.start < range.end && is_aligned(range.start, GRANULE_BYTES) &&
	       is_aligned(range.end, GRANULE_BYTES);
}

/* --- Guards: a stand-in for SIGBUS --- */

void fake_guard(struct fake *fake, const struct fake_map *map, struct range offset)
{
	const struct fake_fd *file = &fake->fds[map->fd];
	struct range mapped = {.start = map->offset, .end = map->offset + map->size_bytes};
	struct range both = range_intersect(mapped, offset);

	if (!fake->traits.guards_private || file->kind != FAKE_GUEST_MEMFD)
		return;
	for (uint64_t at = both.start, end; at < both.end; at = end) {
		bool is_private = fake_runs_has(&file->private, at);
		int ret;

		end = fake_runs_find_end(&file->private, at, both.end);
		ret = mprotect(map->hva + (at - map->offset), end - at,
			       is_private ? PROT_NONE : PROT_READ | PROT_WRITE);
		ASSERT(ret == 0);
	}
}

static void guard_all(struct fake *fake, int fd, struct range offset)
{
	for (size_t i = 0; i < FAKE_MAPS_MAX && fake->traits.guards_private; i++) {
		if (fake->maps[i].hva && fake->maps[i].fd == fd)
			fake_guard(fake, &fake->maps[i], offset);
	}
}

/* --- Judgement --- */

/* Once a VM has memory, only what lies in one of its slots is converted. */
static void judge_is_ram(struct fake *fake, struct range gpa)
{
	const struct kvm_userspace_memory_region2 *slot = fake_slot_find(fake, gpa.start);
	bool has_slots = false;

	for (size_t i = 0; i < FAKE_SLOTS_MAX; i++)
		has_slots = has_slots || (fake->slots[i].flags & KVM_MEM_GUEST_MEMFD);
	if (!has_slots)
		return;
	ASSERT(slot && (slot->flags & KVM_MEM_GUEST_MEMFD));
	ASSERT(gpa.end <= slot->guest_phys_addr + slot->memory_size);
}

/* The part of @offset of @fd that is one half of @slot, as guest addresses. */
static struct range slot_half(struct fake *fake,
			      const struct kvm_userspace_memory_region2 *slot, int fd,
			      bool is_private_half, struct range offset)
{
	uint64_t start = slot->guest_memfd_offset;
	struct range both;

	if (!is_private_half &&
	    fake_slot_find_shared(fake, slot, slot->guest_phys_addr, &start) != fd)
		return (struct range){0};
	if (is_private_half && (int)slot->guest_memfd != fd)
		return (struct range){0};
	both = range_intersect(
		offset, (struct range){.start = start, .end = start + slot->memory_size});
	return (struct range){.start = both.start - start + slot->guest_phys_addr,
			      .end = both.end - start + slot->guest_phys_addr};
}

void fake_judge_discard(struct fake *fake, int fd, struct range offset)
{
	bool is_private_half = fake->fds[fd].kind == FAKE_GUEST_MEMFD;

	for (size_t i = 0; i < FAKE_SLOTS_MAX; i++) {
		const struct kvm_userspace_memory_region2 *slot = &fake->slots[i];
		struct range gpa;
		int vm;

		if (!slot->memory_size || !(slot->flags & KVM_MEM_GUEST_MEMFD) ||
		    fake_slot_is_gmem_only(fake, slot))
			continue;
		gpa = slot_half(fake, slot, fd, is_private_half, offset);
		vm = fake->fds[slot->guest_memfd].vm;
		if (range_is_empty(gpa))
			continue;
		ASSERT(fake_runs_covers(&fake->fds[vm].private, gpa, !is_private_half));
		ASSERT(is_private_half || !fake_areas_find(fake, gpa, NULL));
	}
}

/* --- Other users of pages --- */

void fake_pins_drop(struct fake *fake, int fd, struct range offset)
{
	for (size_t i = 0; i < FAKE_PINS_MAX && fake->n_pins; i++) {
		struct fake_pin *pin = &fake->pins[i];

		if (!pin->is_held || pin->fd != fd || !range_contains(offset, pin->offset))
			continue;
		*pin = (struct fake_pin){0};
		fake->n_pins--;
	}
}

/* The first page of @offset that is pinned for devices. */
static bool find_mapped(struct fake *fake, int fd, struct range offset, uint64_t *ret_offset)
{
	for (size_t i = 0; i < FAKE_SLOTS_MAX; i++) {
		const struct kvm_userspace_memory_region2 *slot = &fake->slots[i];
		struct range gpa;
		gpa_t first;

		if (!slot->memory_size || !(slot->flags & KVM_MEM_GUEST_MEMFD))
			continue;
		gpa = slot_half(fake, slot, fd, true, offset);
		if (range_is_empty(gpa) || !fake_areas_find(fake, gpa, &first))
			continue;
		*ret_offset = first - slot->guest_phys_addr + slot->guest_memfd_offset;
		return true;
	}
	return fake_areas_find_strange(fake, fd, offset, ret_offset);
}

/* The first page of @offset in use; meeting it may be the last time that it is. */
static bool find_in_use(struct fake *fake, int fd, struct range offset, uint64_t *ret_offset)
{
	struct fake_pin *first = NULL;

	for (size_t i = 0; i < FAKE_PINS_MAX && fake->n_pins; i++) {
		struct fake_pin *pin = &fake->pins[i];

		if (pin->is_held && pin->fd == fd && range_contains(offset, pin->offset) &&
		    (!first || pin->offset < first->offset))
			first = pin;
	}
	if (!first)
		return false;
	*ret_offset = first->offset;
	if (first->n_left && !--first->n_left) {
		*first = (struct fake_pin){0};
		fake->n_pins--;
	}
	return true;
}

/* --- The two verbs --- */

static int vm_set_attributes(struct fake *fake, int vm, struct range gpa, uint64_t attributes)
{
	WITH_LOCK(&fake->lock);
	struct fake_fd *description = fake_fd_get(fake, vm, FAKE_VM);

	fake->n_conversion_calls++;
	if (fake_check_alive(fake, vm))
		return -EIO;
	if (fake->traits.no_guest_memfd)
		return -ENOTTY;
	if (attributes & ~fake_vm_attributes(fake, description->vm_type))
		return -EINVAL;
	if (!range_is_convertible(gpa))
		return -EINVAL;
	judge_is_ram(fake, gpa);
	ASSERT(!attributes || !fake_areas_find(fake, gpa, NULL));
	if (!attributes)
		fake_cc_share_gpa(fake, vm, gpa);
	fake_runs_set(&description->private, gpa, attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE);
	return 0;
}

/*
 * The kernel's own order: known and turned on; a VM with private memory; the attribute; size
 * and wrapping; alignment; the end of the file; nothing to do; pages in use. The struct is
 * written back (@ret_error_offset) only where the change itself fails.
 */
static int gmem_set_attributes(struct fake *fake, int guest_memfd, struct range offset,
			       uint64_t attributes, uint64_t *ret_error_offset)
{
	WITH_LOCK(&fake->lock);
	struct fake_fd *file = fake_fd_get(fake, guest_memfd, FAKE_GUEST_MEMFD);
	uint64_t known = fake_gmem_attributes(fake, file->vm_type);
	bool to_private = attributes & KVM_MEMORY_ATTRIBUTE_PRIVATE;

	fake->n_conversion_calls++;
	if (!fake->traits.in_place)
		return -ENOTTY;
	if (!known || (attributes & ~known))
		return -EINVAL;
	if (!range_is_convertible(offset) || offset.end > file->size_bytes)
		return -EINVAL;
	if (fake_runs_covers(&file->private, offset, to_private))
		return 0;
	if (to_private && (find_mapped(fake, guest_memfd, offset, ret_error_offset) ||
			   find_in_use(fake, guest_memfd, offset, ret_error_offset)))
		return -EAGAIN;
	if (!to_private)
		fake_cc_share_offset(fake, guest_memfd, offset);
	fake_runs_set(&file->private, offset, to_private);
	guard_all(fake, guest_memfd, offset);
	return 0;
}

/* Let the test do something meanwhile. */
static struct fake *convert_begin(struct host *host)
{
	struct fake *fake = fake_of(host);

	if (fake->convert_fn)
		fake->convert_fn(fake->convert_argument);
	return fake;
}

int fake_vm_set_attributes(struct host *host, int vm, struct range gpa, uint64_t attributes)
{
	return vm_set_attributes(convert_begin(host), vm, gpa, attributes);
}

int fake_gmem_set_attributes(struct host *host, int guest_memfd, struct range offset,
			     uint64_t attributes, uint64_t *ret_error_offset)
{
	return gmem_set_attributes(convert_begin(host), guest_memfd, offset, attributes,
				   ret_error_offset);
}
