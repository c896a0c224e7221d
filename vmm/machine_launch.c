// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/machine_launch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/cleanup.h"
#include "vmm/log.h"
#include "vmm/machine_parts.h"
#include "vmm/type.h"

/* What is copied and launched at a time. */
#define PART_BYTES (2 * MIB)

static bool has_contents(enum launch_kind kind)
{
	return kind == LAUNCH_MEASURED || kind == LAUNCH_UNMEASURED;
}

static bool needs_source(const struct machine *machine, enum launch_kind kind)
{
	return machine->backing == BACKING_PAIRED || kind == LAUNCH_CPUID;
}

static int part_launch(struct machine *machine, struct launch_part *part, void *buffer,
		       launch_part_fn *fn, struct err *err)
{
	int ret = 0;

	if (needs_source(machine, part->kind)) {
		part->source = buffer;
		memset(buffer, 0, range_size(part->gpa));
		if (has_contents(part->kind))
			ret = guest_read(machine->memory, part->gpa.start, buffer,
					 range_size(part->gpa));
	}
	if (ret)
		return err_set(err, ret, "launch: cannot read gpa 0x%" PRIx64 ": %s",
			       part->gpa.start, err_describe(ret));
	ret = machine_hide(machine, part->gpa, err);
	return ret ? ret : fn(machine, part, err);
}

void machine_log_digest(struct machine *machine, const char *name,
			const uint8_t digest[LAUNCH_DIGEST_BYTES])
{
	char text[2 * LAUNCH_DIGEST_BYTES + 1];

	for (size_t i = 0; i < LAUNCH_DIGEST_BYTES; i++)
		snprintf(text + 2 * i, 3, "%02x", digest[i]);
	log_note(machine->log, "%s: %s %s", machine->type->name, name, text);
}

int machine_launch_pieces(struct machine *machine, launch_part_fn *fn, struct err *err)
{
	_cleanup_free_ void *buffer = aligned_alloc(GRANULE_BYTES, PART_BYTES);
	const struct launch *launch = &machine->launch;
	sigset_t all, old;
	int ret = 0;

	if (!buffer)
		return err_set(err, -ENOMEM, "launch: out of memory");
	/* KVM gives up at any signal; the sandbox's comes from our own calls, and has to be
	 * heard. */
	sigfillset(&all);
	sigdelset(&all, SIGSYS);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (size_t i = 0; i < launch->n_pieces && !ret; i++) {
		struct range left = launch->pieces[i].gpa;

		while (!range_is_empty(left) && !ret) {
			struct launch_part part = {.gpa = left, .kind = launch->pieces[i].kind};

			if (range_size(left) > PART_BYTES)
				part.gpa.end = left.start + PART_BYTES;
			/* The secure processor takes minutes for a large initrd. */
			if (machine_has_ended(machine))
				ret = err_set(err, -ECANCELED, "launch: given up");
			else
				ret = part_launch(machine, &part, buffer, fn, err);
			left.start = part.gpa.end;
		}
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ret;
}
