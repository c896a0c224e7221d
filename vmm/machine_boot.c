// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * From guest memory to a guest that runs: what it starts with is written while all memory is
 * shared, then the rest turns private (before there are devices, which would have to map it),
 * and when the processors are there, what it starts with is launched.
 */
#include "vmm/machine_parts.h"

#include <errno.h>
#include <inttypes.h>

#include "vmm/cpuid.h"
#include "vmm/load.h"
#include "vmm/type.h"

bool machine_starts_private(const struct machine *machine)
{
	return machine->type->is_opaque || machine->config->starts_private;
}

int machine_hide(struct machine *machine, struct range gpa, struct err *err)
{
	enum conversion_end end = guest_convert(machine->memory, gpa.start, range_size(gpa),
						SIDE_PRIVATE, CONVERSION_LAUNCH);

	if (end != CONVERSION_DONE)
		return err_set(err, -EIO,
			       "memory: gpa 0x%" PRIx64 "..0x%" PRIx64
			       " cannot be made private; look at the kernel log",
			       gpa.start, gpa.end);
	return 0;
}

struct hider {
	struct machine *machine;
	struct err *err;
};

static int hide_range(void *opaque, struct range gpa)
{
	const struct hider *hider = opaque;

	return machine_hide(hider->machine, gpa, hider->err);
}

/* All of @gpa that is no piece. */
static int hide_rest(struct machine *machine, struct range gpa, struct err *err)
{
	struct hider hider = {.machine = machine, .err = err};
	int ret = launch_visit_rest(&machine->launch, gpa, hide_range, &hider);

	return ret == -ENOMEM ? err_set(err, ret, "launch: out of memory; free some") : ret;
}

/*
 * In place, contents stay when a page turns private. A page of two backings is empty then, so
 * what a type without a launch of its own starts with has to be put there by the guest.
 */
static int keep_contents(struct machine *machine, struct err *err)
{
	if (machine->type->is_opaque || !machine->config->starts_private)
		return 0;
	if (machine->backing == BACKING_PAIRED)
		return boot_move(machine->memory, &machine->layout, &machine->launch,
				 &machine->entry, err);
	launch_fini(&machine->launch);
	return 0;
}

int machine_start_load(struct machine *machine, struct err *err)
{
	struct range ranges[LAYOUT_MEMORY_RANGES_MAX];
	unsigned int n_ranges = layout_list_memory(&machine->layout, ranges);
	int ret = load_guest(machine->config, &machine->load_host, &machine->layout,
			     machine->memory, &machine->launch, &machine->items,
			     &machine->entry, err);

	if (!ret)
		ret = keep_contents(machine, err);
	for (unsigned int i = 0; i < n_ranges && !ret && machine_starts_private(machine); i++)
		ret = hide_rest(machine, ranges[i], err);
	return ret;
}

void machine_stop_load(struct machine *machine)
{
	firmware_items_fini(&machine->items);
	launch_fini(&machine->launch);
}

static int registers_set(struct machine *machine, struct err *err)
{
	struct boot_vcpu vcpu;

	/* KVM has reset it already. */
	if (machine->entry.mode == BOOT_MODE_RESET)
		return 0;
	boot_entry_get_vcpu(&machine->entry, true, cpuid_signature(machine->cpuid), &vcpu);
	return vcpu_set_registers(machine->vcpus[0], &vcpu, err);
}

int machine_start_guest(struct machine *machine, struct err *err)
{
	int ret = machine->type->launch ? machine->type->launch(machine, err)
					: registers_set(machine, err);

	for (unsigned int i = 0; i < machine->config->n_vcpus && !ret; i++)
		ret = vcpu_start(machine->vcpus[i], err);
	return ret;
}

void machine_stop_guest(struct machine *machine)
{
	(void)machine; /* its processors and memory are stopped by their own parts */
}
